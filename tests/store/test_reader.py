"""Reader: finding events by number and by time, and telling a damaged log from a whole one."""

from __future__ import annotations

import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from chargerd.model.events import ChargerRead, DaemonStarted, Event, Tick
from chargerd.store.errors import LogDamaged, LogTooNew, LogUnusable
from chargerd.store.log import Log
from chargerd.store.reader import Reader, open_reader
from chargerd.store.rows import closed, digest_of, rows_of
from tests.store.streams import readings, transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of 100 transactions of 4 events, 10 s apart, the first at 100 s."""
    path = tmp_path / "log.db"
    with Log(path) as log:
        for n in range(100):
            log.append(readings(4 * n + 1, 3, at_ms=100_000 + 10_000 * n), durable=False)
    return path


def _tamper(path: Path, statement: str) -> None:
    """Change the log the way somebody with a database tool and bad intent would."""
    db = sqlite3.connect(path)
    db.executescript(f"DROP TRIGGER events_keep; DROP TRIGGER events_stay; {statement};")
    db.close()


def test_events_are_read_by_number_with_both_ends(path: Path):
    """read(5, 8) gives exactly the events 5 to 8; a range beyond the end gives what there is."""
    with open_reader(path) as reader:
        assert [event.seq for event in reader.read(5, 8)] == [5, 6, 7, 8]
        assert [event.seq for event in reader.read(399, 900)] == [399, 400]
        assert list(reader.read(401)) == []
        assert reader.first_seq == 1
        assert reader.last_seq == 400


def test_the_first_event_of_a_time_is_found_without_an_index(path: Path):
    """seq_at: a time between, exactly at, before all and after all events."""
    with open_reader(path) as reader:
        assert reader.seq_at(0) == 1
        assert reader.seq_at(100_000) == 1
        assert reader.seq_at(100_001) == 5
        assert reader.seq_at(110_000) == 5
        assert reader.seq_at(1_090_000) == 397
        assert reader.seq_at(1_090_001) == 401


def test_an_empty_log_has_no_first_and_no_last(tmp_path: Path):
    """Asking an empty log is no error."""
    with Log(tmp_path / "log.db") as log:
        assert (log.first_seq, log.last_seq, log.last_digest) == (0, 0, "")
        assert log.seq_at(5) == 1
        assert list(log.read()) == []
        assert log.last(Tick) is None
        assert log.verify_chain() is None


def test_the_newest_event_of_a_kind_is_found(path: Path):
    """The last start of the daemon, and the one before an event."""
    started = DaemonStarted("0.1.0", "1", "boot")
    with Log(path) as log:
        log.append(transaction(401, started, at_ms=2_000_000), durable=True)
        log.append(transaction(403, started, at_ms=3_000_000), durable=True)
        log.append(readings(405, 3, at_ms=3_000_000), durable=True)
        assert log.last(DaemonStarted) == Event(403, 3_000_000, 2_999_500, 1, "shed", started)
        found = log.last(DaemonStarted, before_seq=403)
        assert found is not None
        assert found.seq == 401


def test_the_digest_that_a_reader_sees_is_the_writers(path: Path):
    """Both name the end of the chain alike."""
    with Log(path) as log, open_reader(path) as reader:
        assert reader.last_digest == log.last_digest != ""


def test_reading_a_long_log_needs_no_more_memory_than_a_short_one(path: Path):
    """Events are streamed: 20,000 of them pass in less than 2 MB."""
    with Log(path) as log:
        while log.last_seq < 20_000:
            log.append(readings(log.last_seq + 1, 199, at_ms=2_000_000), durable=False)
        tracemalloc.start()
        try:
            count = sum(1 for _ in log.read())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000


def test_a_reader_cannot_write(path: Path):
    """The second connection is read-only in the file system's eyes as well."""
    with open_reader(path) as reader, pytest.raises(LogUnusable, match="readonly"):
        reader.query("DELETE FROM snapshots")


def test_there_is_nothing_to_read_where_no_log_is(tmp_path: Path):
    """A reader never makes a log."""
    with pytest.raises(LogUnusable, match="No such file"):
        open_reader(tmp_path / "log.db")
    assert list(tmp_path.iterdir()) == []


def test_a_whole_log_has_a_whole_chain(path: Path):
    """Nothing is found where nothing is wrong, from the start or from the middle."""
    with open_reader(path) as reader:
        assert reader.verify_chain() is None
        assert reader.verify_chain(first_seq=41) is None
        with pytest.raises(ValueError, match="does not begin"):
            reader.verify_chain(first_seq=42)


@pytest.mark.parametrize(
    ("statement", "first", "last", "text"),
    [
        ("UPDATE events SET data = replace(data, '102.0', '10.0') WHERE seq = 43", 41, 44, "changed"),
        ("UPDATE events SET at = at + 1 WHERE seq = 44", 41, 44, "changed"),
        ("UPDATE events SET source = 'other' WHERE seq = 41", 41, 44, "changed"),
        ('UPDATE events SET data = \'{"digest":"00"}\' WHERE seq = 44', 41, 44, "changed"),
        ("UPDATE events SET data = '{}' WHERE seq = 44", 41, 44, "no digest"),
        ("UPDATE events SET data = x'00ff' WHERE seq = 44", 41, 44, "cannot be read"),
        ("UPDATE events SET data = x'00ff' WHERE seq = 42", 41, 44, "cannot be read|changed"),
        ("DELETE FROM events WHERE seq = 42", 41, 44, "42 to 42 are missing"),
        ("DELETE FROM events WHERE seq <= 4", 1, 8, "1 to 4 are missing"),
        ("DELETE FROM events WHERE seq = 400", 397, 399, "not closed"),
        ("INSERT INTO events VALUES (401, 0, 0, 0, 'me', 'DeviceRemoved', 1, '{}')", 401, 401, "not closed"),
    ],
)
def test_damage_is_found_and_named(path: Path, statement: str, first: int, last: int, text: str):
    """Whatever somebody changes behind our back, the first bad transaction is named by its events."""
    _tamper(path, statement)
    with open_reader(path) as reader:
        damage = reader.verify_chain()
    assert damage is not None
    assert (damage.first_seq, damage.last_seq) == (first, last)
    assert any(word in damage.text for word in text.split("|"))


def test_a_log_cut_off_at_the_end_is_only_shorter(path: Path):
    """Losing whole transactions at the end is what a power cut may do to readings; the chain is whole without them."""
    _tamper(path, "DELETE FROM events WHERE seq > 396")
    with Log(path) as log:
        assert log.verify_chain() is None
        assert log.last_seq == 396


def test_an_overwritten_page_loses_only_what_was_on_it(path: Path):
    """Reading gives everything before the bad page, then names the first event that cannot be read."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 2048 * 2048)
        file.write(b"\xff" * 2048)
    with open_reader(path) as reader:
        seen, bad = _read_until_damage(reader)
        assert 1 < bad < 400
        assert seen == list(range(1, bad))
        damage = reader.verify_chain()
    assert damage is not None
    assert damage.first_seq <= bad <= damage.last_seq


def _read_until_damage(reader: Reader) -> tuple[list[int], int]:
    seen: list[int] = []
    with pytest.raises(LogDamaged) as caught:
        seen.extend(event.seq for event in reader.read())
    assert caught.value.first_bad_seq is not None
    return seen, caught.value.first_bad_seq


def test_readings_are_typed_and_exact(path: Path):
    """A number comes back as the very float that was measured."""
    with open_reader(path) as reader:
        first = next(reader.read(2))
    assert first.body == ChargerRead("a", True, 101.0)


def test_a_text_that_is_none_is_damage_of_its_event_and_hides_no_other(path: Path):
    """A high bit in a name: what comes before it is read, the event is named, and the walk names its transaction."""
    _tamper(path, "UPDATE events SET source = CAST(x'73e8' AS TEXT) WHERE seq = 42")
    with open_reader(path) as reader:
        assert _read_until_damage(reader)[1] == 42
        assert [(d.first_seq, d.last_seq) for d in reader.damages()] == [(41, 44)]
        assert [event.seq for event in reader.read(45)] == list(range(45, 401))


@pytest.mark.parametrize("change", ["at = 'x'", "mono = 1.5", "boot = NULL", "source = x'00'", "source = NULL"])
def test_a_number_or_a_name_of_another_kind_is_damage_of_its_event(path: Path, change: str):
    """SQLite stores anything anywhere; what is no number must not come to be reckoned with."""
    _tamper(path, f"UPDATE events SET {change} WHERE seq = 42")
    with open_reader(path) as reader:
        with pytest.raises(LogDamaged) as caught:
            list(reader.read())
        assert caught.value.first_bad_seq == 42


@pytest.mark.parametrize("change", ["type = 'ChargerSead'", "v = 9"])
@pytest.mark.parametrize("seq", [42, 397, 400])
def test_a_type_that_nobody_knows_is_damage_where_the_digest_does_not_match(path: Path, change: str, seq: int):
    """A flipped bit in the name of a type is not the work of a newer chargerd."""
    _tamper(path, f"UPDATE events SET {change} WHERE seq = {seq}")
    first = (seq - 1) // 4 * 4 + 1
    with open_reader(path) as reader, pytest.raises(LogDamaged) as caught:
        list(reader.read())
    assert caught.value.first_bad_seq == first
    if seq == 400:
        with pytest.raises(LogDamaged):
            Log(path)


def test_an_event_of_a_newer_version_that_was_written_so_is_not_called_damage(path: Path):
    """The digest matches: the log is a newer chargerd's, also where its newest transaction is asked for."""
    with Log(path) as log:
        first, *others = rows_of(readings(401, 3, at_ms=2_000_000))
        stranger = [(*first[:5], "Moonrise", *first[6:]), *others]
        digest = digest_of(log.last_digest, stranger)
        rows = [*stranger[:-1], closed(stranger[-1], digest)]
        log._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    with open_reader(path) as reader, pytest.raises(LogTooNew, match="Moonrise"):
        list(reader.read(390))


def test_rows_that_come_out_of_order_are_damage_and_the_walk_ends(path: Path):
    """A bit of a row's number turns over: 200, 73, 202. Nobody steps back, and all but its transaction is whole."""
    data = path.read_bytes()
    with open_reader(path) as reader:
        text = reader.query("SELECT data FROM events WHERE seq = 200")[0][0].encode()
    at = data.rfind(bytes([0x80 | 200 >> 7, 200 & 0x7F]), 0, data.index(text))
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with open_reader(path) as reader:
        seen, bad = _read_until_damage(reader)
        assert seen == list(range(1, 200))
        assert bad == 200
        assert [(d.first_seq, d.last_seq) for d in reader.damages()] == [(197, 204)]


def test_events_that_are_not_there_are_missed_by_whoever_reads_over_them(path: Path):
    """Reading raises where the gap begins, also when only what is missing is asked for; beyond the end there is no gap."""
    _tamper(path, "DELETE FROM events WHERE seq BETWEEN 200 AND 203")
    with open_reader(path) as reader:
        seen, bad = _read_until_damage(reader)
        assert (seen, bad) == (list(range(1, 200)), 200)
        with pytest.raises(LogDamaged, match="events 201 to 202 are missing"):
            list(reader.read(201, 202))
        assert len(list(reader.read(204, 900))) == 197
