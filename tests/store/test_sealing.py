"""Sealing: readings of long ago are packed away, and nothing that reads the log can tell."""

from __future__ import annotations

import lzma
import sqlite3
import threading
from pathlib import Path

import msgspec
import pytest

from chargerd.model.events import ChargerRead, CommandIssued, Event, ReadingsDropped, Tick
from chargerd.store import chunks, sealing
from chargerd.store.errors import LogDamaged, NotRecorded
from chargerd.store.log import Log
from chargerd.store.reader import Reader, open_reader
from tests.store.streams import home, readings, transaction

FIXTURES = Path(__file__).parents[1] / "fixtures" / "logs"
LATE_MS = 1 << 60


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 50 events, so that a log of an hour has many; the 100 newest events stay rows."""
    monkeypatch.setattr(chunks, "ROWS", 50)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of 250 transactions, 10 s apart, the first at 1000 s; some 1,000 events."""
    path = tmp_path / "log.db"
    with Log(path) as log:
        for events in home(250):
            log.append(events, durable=False)
    return path


def _sealed(log: Log, before_ms: int = LATE_MS) -> int:
    """Seal all that can be; how many events are in chunks now."""
    total = 0
    while count := log.seal(before_ms):
        total += count
    return total


def _answers(log: Reader, events: list[Event]) -> None:
    """Everything that can be asked of a log is answered as the events say."""
    assert list(log.read()) == events
    assert (log.first_seq, log.last_seq) == (1, len(events))
    for first, last in ((1, 1), (37, 40), (49, 55), (110, 260), (len(events) - 3, len(events) + 5), (700, 690)):
        assert list(log.read(first, last)) == events[first - 1 : last]
    for at_ms in (0, 1_000_000, 1_000_001, 1_510_000, 1_705_000, events[-1].at_ms, events[-1].at_ms + 1):
        expected = next((event.seq for event in events if event.at_ms >= at_ms), len(events) + 1)
        assert log.seq_at(at_ms) == expected
    assert list(log.damages()) == []


def test_nothing_that_is_asked_shows_where_the_seam_is(path: Path):
    """Events by number and by time, and the chain of digests: as before, after each single chunk, and after opening again."""
    with Log(path) as log:
        events = list(log.read())
        while log.seal(LATE_MS):
            with open_reader(path) as reader:
                _answers(reader, events)
        assert 800 < log.sealed_seq <= len(events) - 100
        _answers(log, events)
    with Log(path) as log:
        _answers(log, events)
        more = readings(len(events) + 1, 3, at_ms=events[-1].at_ms + 10_000)
        more[-1] = log.append(more, durable=True)
        _answers(log, [*events, *more])


def test_only_readings_and_ticks_leave_their_rows(path: Path):
    """Commands stay rows that the sqlite3 tool can show; of the others none older than the seam is left."""
    with Log(path) as log:
        commands = [event.seq for event in log.read() if isinstance(event.body, CommandIssued)]
        _sealed(log)
        left = log.query("SELECT seq, type FROM events WHERE seq <= ?", log.sealed_seq)
        assert [seq for seq, _ in left] == [seq for seq in commands if seq <= log.sealed_seq]
        assert len(left) > 5


def test_only_what_is_old_enough_is_sealed(path: Path):
    """Before 1500 s: the chunk that would reach beyond that time is not made yet."""
    with Log(path) as log:
        _sealed(log, before_ms=1_500_000)
        assert log.query("SELECT max(last_at) FROM chunks")[0][0] < 1_500_000
        assert log.query("SELECT count(*) FROM events WHERE at >= 1500000")[0][0] > 500


def test_a_row_goes_only_when_a_chunk_has_it(path: Path):
    """By the triggers, for everybody: neither a reading that is not packed nor a command that is in a packed stretch."""
    with Log(path) as log:
        log.seal(LATE_MS)
    db = sqlite3.connect(path)
    (command,) = db.execute("SELECT min(seq) FROM events WHERE type = 'CommandIssued'").fetchone()
    for statement in (
        "DELETE FROM events WHERE seq = 300",
        f"DELETE FROM events WHERE seq = {command}",
        "DELETE FROM chunks",
        "UPDATE chunks SET data = x'00'",
        "UPDATE chunks SET data = NULL",
        "UPDATE chunks SET last_seq = 9999",
        "UPDATE chunks SET data = NULL, residue = x'00', closing = ''",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.close()


def test_a_transaction_larger_than_a_chunk_is_packed_whole(tmp_path: Path):
    """120 readings at one moment: a chunk ends with a Tick, always."""
    with Log(tmp_path / "log.db") as log:
        for n in range(4):
            log.append(readings(121 * n + 1, 120, at_ms=10_000 * n), durable=False)
        events = list(log.read())
        assert log.seal(LATE_MS) == 121
        assert list(log.read()) == events
        assert log.verify_chain() is None


def test_sealing_that_is_cut_off_anywhere_leaves_rows_or_chunk(path: Path, monkeypatch: pytest.MonkeyPatch):
    """The disk refuses in the middle: nothing has changed, the log goes on, and later it works."""

    def fails(db: sqlite3.Connection, chunk: object) -> None:
        original(db, chunk)  # type: ignore[arg-type]  # handed through as it came
        raise sqlite3.OperationalError("disk I/O error")

    original = sealing.seal
    with Log(path) as log:
        events = list(log.read())
        monkeypatch.setattr(sealing, "seal", fails)
        with pytest.raises(NotRecorded, match="disk I/O error"):
            log.seal(LATE_MS)
        assert log.sealed_seq == 0
        _answers(log, events)
        monkeypatch.setattr(sealing, "seal", original)
        assert log.seal(LATE_MS) > 0
        _answers(log, events)


def test_a_full_disk_stops_sealing_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch):
    """SQLite is given no page more: the log says so and is whole."""
    monkeypatch.setattr(chunks, "ROWS", 600)
    with Log(path) as log:
        events = list(log.read())
        pages = log.query("PRAGMA page_count")[0][0]
        log.query(f"PRAGMA max_page_count={pages}")
        with pytest.raises(NotRecorded, match="full"):
            _sealed(log)
        assert log.sealed_seq == 0
        _answers(log, events)


def test_a_reader_that_is_under_way_does_not_notice(path: Path):
    """While one thread reads the log from end to end again and again, another seals it chunk by chunk."""
    with Log(path) as log:
        events = list(log.read())
        wrong: list[object] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                with open_reader(path) as reader:
                    if list(reader.read()) != events or reader.verify_chain() is not None:
                        wrong.append("other events than before")

        thread = threading.Thread(target=read)
        thread.start()
        _sealed(log)
        done.set()
        thread.join()
        assert not wrong


def _tampered(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    for name in ("events_keep", "events_stay", "chunks_keep", "chunks_stay"):
        db.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_a_changed_chunk_is_found_and_costs_only_itself(path: Path):
    """One bit of the third chunk: its events are named, all before and after it are whole and can be read."""
    with Log(path) as log:
        _sealed(log)
        events = list(log.read())
        third = log.query("SELECT first_seq, last_seq, data FROM chunks ORDER BY first_seq LIMIT 1 OFFSET 2")[0]
    first, last, data = third
    changed = bytes([*data[:60], data[60] ^ 1, *data[61:]])
    _tampered(path, f"UPDATE chunks SET data = x'{changed.hex()}' WHERE first_seq = {first}")
    with open_reader(path) as reader:
        found = list(reader.damages())
        assert [(damage.first_seq, damage.last_seq) for damage in found] == [(first, last)]
        assert f"among events {first} to {last} are lost" in found[0].text
        assert list(reader.read(1, first - 1)) == events[: first - 1]
        assert list(reader.read(last + 1)) == events[last:]
        with pytest.raises(LogDamaged) as caught:
            list(reader.read())
        assert caught.value.first_bad_seq == first
    with Log(path) as log:
        assert log.last_seq == len(events)  # the newest transactions are whole, so the daemon starts


def test_a_bad_page_under_packed_readings_costs_only_their_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A page on which only the content of a chunk lies is overwritten: exactly its events, without the commands between."""
    monkeypatch.setattr(chunks, "ROWS", 800)
    path = tmp_path / "log.db"
    with Log(path) as log:
        for events in home(600):
            log.append(events, durable=False)
        _sealed(log)
        spans = log.query("SELECT first_seq, last_seq FROM chunks ORDER BY first_seq")
    with sqlite3.connect(path) as db:
        pages = db.execute("SELECT pageno FROM dbstat WHERE name = 'chunks' AND pagetype = 'overflow'").fetchall()
    db.close()
    whole = path.read_bytes()
    assert len(spans) > 1
    assert len(pages) > 2 * len(spans)
    for (page,) in pages:
        path.write_bytes(whole[: (page - 1) * 2048] + b"\xff" * 2048 + whole[page * 2048 :])
        with open_reader(path) as reader:
            (damage,) = reader.damages()
            assert (damage.first_seq, damage.last_seq) in spans
            (batch,) = reader.batches(damage.first_seq, damage.last_seq)
            assert {row[5] for row in batch.stored} == {"CommandIssued"}
            assert list(reader.damages(1, damage.first_seq - 1)) == []
            assert list(reader.damages((damage.last_seq or 0) + 1)) == []


@pytest.mark.parametrize("change", ["closing = 'x'", "first_at = 1", "last_at = last_at + 1", "packed = 7"])
def test_what_a_chunk_says_of_itself_is_checked_against_its_content(path: Path, change: str):
    """Times by which it is looked up, how many, the digest it ends with: a changed one is found, and blames nothing behind."""
    with Log(path) as log:
        _sealed(log)
        first, last = log.query("SELECT first_seq, last_seq FROM chunks ORDER BY first_seq LIMIT 1 OFFSET 2")[0]
    _tampered(path, f"UPDATE chunks SET {change} WHERE first_seq = {first}")
    with open_reader(path) as reader:
        (damage,) = reader.damages()
    assert "label" in damage.text
    assert first <= damage.first_seq < (damage.last_seq or 0) == last


def test_a_chunk_that_was_made_anew_with_less_in_it_is_found(path: Path):
    """A forger packs a chunk without its last transactions: what is missing is named, and the next chunk is still proven."""
    with Log(path) as log:
        _sealed(log)
        first, last, data = log.query(
            "SELECT first_seq, last_seq, data FROM chunks ORDER BY first_seq LIMIT 1 OFFSET 2"
        )[0]
        rows = chunks.rows_in(data)
        ticks = [row[0] for row in rows if row[5] == "Tick"]
        forged = chunks.packed([row for row in rows if row[0] <= ticks[-3]])
    _tampered(path, f"UPDATE chunks SET data = x'{forged.hex()}' WHERE first_seq = {first}")
    with open_reader(path) as reader:
        found = list(reader.damages())
    assert [(d.first_seq, d.last_seq) for d in found] == [(ticks[-3] + 1, last)]


def test_a_command_changed_between_packed_readings_is_found(path: Path):
    """The digest of a transaction covers what stayed a row together with what was packed."""
    with Log(path) as log:
        _sealed(log)
        seq = log.query("SELECT min(seq) FROM events WHERE type = 'CommandIssued'")[0][0]
    _tampered(path, f"UPDATE events SET data = replace(data, 'true', 'false') WHERE seq = {seq}")
    with open_reader(path) as reader:
        found = list(reader.damages())
    assert len(found) == 1
    assert found[0].first_seq <= seq <= (found[0].last_seq or 0)
    assert "changed" in found[0].text


def test_a_chunk_that_is_gone_is_missed(path: Path):
    """Somebody deletes a chunk: exactly its events are missing, and the transaction after it cannot be proven."""
    with Log(path) as log:
        _sealed(log)
        first, last = log.query("SELECT first_seq, last_seq FROM chunks ORDER BY first_seq LIMIT 1 OFFSET 3")[0]
    _tampered(
        path,
        f"DELETE FROM chunks WHERE first_seq = {first}",
        f"DELETE FROM events WHERE seq BETWEEN {first} AND {last}",
    )
    with open_reader(path) as reader:
        damage = reader.verify_chain()
    assert damage is not None
    assert damage.first_seq == first
    assert last <= (damage.last_seq or 0) <= last + 5


@pytest.mark.parametrize(
    "how", ["DELETE FROM chunks", "UPDATE chunks SET data = NULL", "UPDATE chunks SET last_seq = 0"]
)
def test_packed_readings_that_are_gone_are_missed_by_whoever_reads(path: Path, how: str):
    """Not only by the walk: reading raises at the first of them, and what comes behind them is whole."""
    with Log(path) as log:
        _sealed(log)
        events = list(log.read())
        first, last = log.query("SELECT first_seq, last_seq FROM chunks ORDER BY first_seq LIMIT 1 OFFSET 3")[0]
    _tampered(path, f"{how} WHERE first_seq = {first}")
    with open_reader(path) as reader:
        assert list(reader.read(1, first - 1)) == events[: first - 1]
        with pytest.raises(LogDamaged) as caught:
            list(reader.read())
        assert caught.value.first_bad_seq == first
        assert list(reader.read(last + 1)) == events[last:]
        assert reader.seq_at(events[last].at_ms + 1) > last


def test_rows_that_were_damaged_before_are_not_packed_away(path: Path):
    """An event is missing among the oldest: sealing refuses and names it, rather than make it look whole."""
    _tampered(path, "DELETE FROM events WHERE seq = 20")
    with Log(path) as log, pytest.raises(LogDamaged, match="missing between 1 and"):
        log.seal(LATE_MS)


def test_readings_are_given_up_with_a_fact_that_says_so(path: Path):
    """Readings of the first ten minutes go; commands of that time stay, the chain stays whole, and the fact counts them."""
    with Log(path) as log:
        _sealed(log)
        events = list(log.read())
        old = sealing.outdated(log, before_ms=1_600_000)
        fact = sealing.dropped(old)
        more = transaction(len(events) + 1, fact, at_ms=events[-1].at_ms)
        log.append(more, durable=True, also=[lambda db: sealing.drop(db, old)])
        assert fact.first_seq == 1
        assert fact.to_ms < 1_600_000
        gone = [e for e in events if e.seq <= fact.last_seq and e.body.__class__.__name__ in chunks.KINDS]
        assert fact.readings == len(gone) > 200
        kept = [event for event in events if event not in gone]
        assert [e for e in log.read() if not isinstance(e.body, ReadingsDropped)][:-1] == kept
        assert list(log.damages()) == []
        assert log.verify_chain(fact.last_seq + 1) is None
        assert sealing.outdated(log, before_ms=1_600_000) == []
    _tampered(
        path, "UPDATE events SET source = 'x' WHERE seq = (SELECT min(seq) FROM events WHERE type = 'CommandIssued')"
    )
    with open_reader(path) as reader:
        assert "after their readings were given up" in next(reader.damages()).text


def test_what_is_left_of_given_up_readings_cannot_be_rewritten(path: Path):
    """A forger changes a command and the digest beside it, too: the fact in the chain still tells."""
    from chargerd.store.chain import residue_of

    with Log(path) as log:
        _sealed(log)
        old = sealing.outdated(log, before_ms=1_600_000)
        more = transaction(log.last_seq + 1, sealing.dropped(old), at_ms=9_000_000)
        log.append(more, durable=True, also=[lambda db: sealing.drop(db, old)])
    batch = next(batch for batch in old if batch.stored)
    forged = [(*row[:4], "forged", *row[5:]) for row in batch.stored]
    _tampered(
        path,
        f"UPDATE events SET source = 'forged' WHERE seq BETWEEN {batch.first_seq} AND {batch.last_seq}",
        f"UPDATE chunks SET residue = x'{residue_of(forged).hex()}' WHERE first_seq = {batch.first_seq}",
    )
    with open_reader(path) as reader:
        assert [d.text for d in reader.damages()] == ["what was left when readings were given up has been changed"]


def test_room_is_given_back_in_steps(path: Path, monkeypatch: pytest.MonkeyPatch):
    """After much was packed the file shrinks, a few pages at a time, and the events are as before."""
    from chargerd.store import log as module

    monkeypatch.setattr(module, "SPARE_PAGES", 4)
    monkeypatch.setattr(module, "PAGES_AT_ONCE", 3)
    with Log(path) as log:
        events = list(log.read())
        _sealed(log)
        pages = log.query("PRAGMA page_count")[0][0]
        log.give_back()
        assert pages - 4 <= log.query("PRAGMA page_count")[0][0] < pages
        for _ in range(100):
            log.give_back()
        assert log.query("PRAGMA freelist_count")[0][0] <= 4
        _answers(log, events)


@pytest.mark.parametrize("stored", sorted(FIXTURES.glob("*.db.xz")), ids=lambda path: path.name)
def test_a_stored_log_of_every_released_version_opens(stored: Path, tmp_path: Path):
    """Read as it is, then opened for writing, sealed and read again: the same events, the chain whole."""
    path = tmp_path / "log.db"
    path.write_bytes(lzma.decompress(stored.read_bytes()))
    with open_reader(path) as reader:
        events = list(reader.read())
        assert reader.verify_chain() is None
        assert len(events) > 400
        assert reader.seq_at(events[200].at_ms) <= 201
    with Log(path) as log:
        assert list(log.read()) == events
        assert _sealed(log) > 200
        assert list(log.read()) == events
        assert log.verify_chain() is None
        assert {type(event.body) for event in events} >= {ChargerRead, Tick, CommandIssued}


def test_readings_that_are_gone_without_a_fact_are_missed(path: Path):
    """Somebody empties a chunk as retention does, digest and all, past the triggers: only the fact in the chain is lacking."""
    from chargerd.store.chain import residue_of

    with Log(path) as log:
        _sealed(log)
        batch = next(log.batches(1, 5))
        assert batch.chunk is not None
        stored = next(log.batches(batch.chunk.first_seq, batch.chunk.last_seq)).stored
    residue = residue_of(stored).hex()
    db = sqlite3.connect(path)
    db.execute(f"UPDATE chunks SET data = NULL, residue = x'{residue}' WHERE first_seq = 1")
    db.commit()
    db.close()
    with open_reader(path) as reader:
        (found,) = reader.damages()
    assert (found.first_seq, found.last_seq) == (1, batch.chunk.last_seq)
    assert "nothing says" in found.text


def test_a_large_transaction_that_reaches_into_the_newest_events_stays(tmp_path: Path):
    """30 small ones and one of 130 readings at the end: it is not packed although it begins early enough."""
    with Log(tmp_path / "log.db") as log:
        for n in range(30):
            log.append(readings(4 * n + 1, 3, at_ms=10_000 * n), durable=False)
        log.append(readings(121, 130, at_ms=400_000), durable=False)
        _sealed(log)
        assert log.sealed_seq <= log.last_seq - 100
        last = log.last_seq
    with Log(tmp_path / "log.db") as log:
        assert log.last_seq == last


def test_opening_a_log_that_is_in_order_writes_nothing(path: Path):
    """So that a daemon starts on a full disk; what is missing is put right all the same (test_schema)."""
    with Log(path) as log:
        before = log.query("PRAGMA schema_version")
    with Log(path) as log:
        assert log.query("PRAGMA schema_version") == before


def test_a_chunk_that_does_not_count_as_many_as_its_rows_takes_none_of_them(path: Path):
    """Counts are compared before anything is final: the rows stay and no chunk is there."""
    with Log(path) as log:
        events = list(log.read())
        chunk = sealing.next_chunk(log, LATE_MS)
        assert chunk is not None
        wrong = msgspec.structs.replace(chunk, packed=chunk.packed - 1)
        with pytest.raises(LogDamaged, match="would have taken the place"):
            log.save(lambda db: sealing.seal(db, wrong))
        assert log.sealed_seq == 0
        _answers(log, events)


def test_a_chunk_that_comes_back_from_the_file_otherwise_takes_no_rows(path: Path):
    """Byte for byte it is what was packed, or the rows stay: here is a file that swallows the last byte."""
    with Log(path) as log:
        chunk = sealing.next_chunk(log, LATE_MS)
        assert chunk is not None
        stored = [row for batch in log.batches(1, chunk.last_seq) for row in batch.stored]
    with sqlite3.connect(":memory:", isolation_level=None) as db:
        columns = "first_seq, last_seq, first_at, last_at, packed, closing, residue, data"
        db.executescript(
            f"CREATE TABLE events(seq, at, mono, boot, source, type, v, data); CREATE TABLE kept({columns});"
            "CREATE VIEW chunks AS SELECT * FROM kept;"
            "CREATE TRIGGER swallow INSTEAD OF INSERT ON chunks BEGIN INSERT INTO kept VALUES (NEW.first_seq, NEW.last_seq,"
            " NEW.first_at, NEW.last_at, NEW.packed, NEW.closing, NEW.residue, substr(NEW.data, 1, length(NEW.data) - 1)); END;"
        )
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", stored)
        with pytest.raises(LogDamaged, match="does not come back"):
            sealing.seal(db, chunk)
        assert db.execute("SELECT count(*) FROM events").fetchone() == (len(stored),)
    db.close()


def test_a_batch_is_of_one_moment(path: Path):
    """Packed away between the look for a chunk and the look for the rows, the events are still there, once."""
    with Log(path) as log:
        events = list(log.read())
        with open_reader(path) as reader:

            def meanwhile(statement: str) -> None:
                if "FROM events WHERE seq BETWEEN 1 " in statement and not log.sealed_seq:
                    log.seal(LATE_MS)

            reader._db.set_trace_callback(meanwhile)
            assert list(reader.read()) == events
        assert log.sealed_seq > 0
