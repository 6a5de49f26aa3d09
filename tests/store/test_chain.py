"""Chain: all damage is found, one after the other, and what lies between is known to be whole."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chargerd.store.chain import Damage
from chargerd.store.errors import LogDamaged, LogTooNew
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from chargerd.store.rows import closed, digest_of, rows_of
from tests.store.streams import readings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of 500 transactions of 4 events."""
    path = tmp_path / "log.db"
    with Log(path) as log:
        for n in range(500):
            log.append(readings(4 * n + 1, 3, at_ms=100_000 + 10_000 * n), durable=False)
    return path


def _damages(path: Path, first_seq: int = 1, last_seq: int | None = None) -> list[Damage]:
    with open_reader(path) as reader:
        return list(reader.damages(first_seq, last_seq))


def _tamper(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    db.executescript("DROP TRIGGER events_keep; DROP TRIGGER events_stay;")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_every_changed_transaction_is_named_and_none_between(path: Path):
    """Three changes far apart, one of them to a digest: three transactions, no more."""
    _tamper(
        path,
        "UPDATE events SET source = 'x' WHERE seq = 42",
        'UPDATE events SET data = \'{"digest":"00"}\' WHERE seq = 800',
        "UPDATE events SET at = 0 WHERE seq = 1602",
    )
    assert [(d.first_seq, d.last_seq) for d in _damages(path)] == [(41, 44), (797, 800), (1601, 1604)]


def test_two_bad_pages_hide_nothing_between_them(path: Path):
    """Pages a quarter and three quarters into the file are overwritten: both are found, and the rest is whole."""
    with path.open("r+b") as file:
        for part in (1, 3):
            file.seek(path.stat().st_size * part // 4 // 2048 * 2048)
            file.write(b"\xff" * 2048)
    found = _damages(path)
    assert len(found) == 2
    for d in found:
        assert d.last_seq is not None
        assert 0 < d.last_seq - d.first_seq < 40
        assert (d.first_seq % 4, d.last_seq % 4) == (1, 0)
    with open_reader(path) as reader:
        behind = (found[0].last_seq or 0) + 1
        between = list(reader.read(behind, found[1].first_seq - 1))
        assert len(between) == found[1].first_seq - behind


def test_an_event_written_twice_into_the_chain_is_found(path: Path):
    """Somebody replaces the newest Tick by one of their own and goes on writing: the digest does not follow."""
    _tamper(
        path,
        "INSERT OR REPLACE INTO events SELECT seq, at + 1, mono, boot, source, type, v, data FROM events WHERE seq = 2000",
    )
    assert [(d.first_seq, d.last_seq) for d in _damages(path)] == [(1997, 2000)]


def test_a_log_that_ends_in_damage_is_reported_to_its_end(path: Path):
    """The last page is gone: the damage reaches to the newest event that the file still knows of."""
    _tamper(path, "DELETE FROM events WHERE seq = 1999")
    assert [(d.first_seq, d.last_seq) for d in _damages(path)] == [(1997, 2000)]
    with open_reader(path) as reader, pytest.raises(ValueError, match="does not begin a transaction"):
        list(reader.damages(1998))


def test_a_log_whose_end_cannot_be_read_is_damaged_to_its_end(path: Path):
    """The page with the newest events is overwritten: what is closed before it holds, how much came after nobody can tell."""
    with sqlite3.connect(path) as db:
        (page,) = db.execute("SELECT max(pageno) FROM dbstat WHERE name = 'events' AND pagetype = 'leaf'").fetchone()
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 2048)
        file.write(b"\xff" * 2048)
    with open_reader(path) as reader, pytest.raises(LogDamaged):
        assert reader.last_seq
    (damage,) = _damages(path)
    assert damage.last_seq is None
    assert 1900 < damage.first_seq < 2000
    assert damage.first_seq % 4 == 1
    assert _damages(path, 1, damage.first_seq - 1) == []


def test_what_rests_on_a_transaction_without_a_digest_is_named_with_it(path: Path):
    """An event is gone and the digest of its transaction is, too: nothing proves the next one; the one after it is whole."""
    _tamper(path, "DELETE FROM events WHERE seq = 42", "UPDATE events SET data = '{}' WHERE seq = 44")
    assert [(d.first_seq, d.last_seq) for d in _damages(path)] == [(41, 48)]


def test_a_walk_that_begins_behind_a_lost_digest_says_that_its_beginning_is_not_proven(path: Path):
    """From event 45 on, with the digest before it gone: 45 to 48 cannot be proven, and the rest can."""
    _tamper(path, "UPDATE events SET data = '{}' WHERE seq = 44")
    assert [(d.first_seq, d.last_seq) for d in _damages(path, 45)] == [(45, 48)]
    assert [(d.first_seq, d.last_seq) for d in _damages(path)] == [(41, 44)]


def test_a_walk_goes_no_further_than_it_was_asked_to(path: Path):
    """Damage behind the last event asked for is not looked at; an end within a transaction is said; progress reaches the end."""
    _tamper(path, "UPDATE events SET source = 'x' WHERE seq IN (42, 802)")
    assert [(d.first_seq, d.last_seq) for d in _damages(path, 1, 400)] == [(41, 44)]
    assert [(d.first_seq, d.last_seq) for d in _damages(path, 45, 399)] == [(397, 399)]
    told: list[int] = []
    with open_reader(path) as reader:
        list(reader.damages(1, 1800, told.append))
    assert told == sorted(told)
    assert (len(told), told[-1]) == (2, 1800)


def test_a_digest_that_seems_to_be_of_a_newer_version_is_damage_unless_the_chain_rests_on_it(path: Path):
    """A flipped version number is what it is; one that was written like that is left to the chargerd that wrote it."""
    _tamper(path, "UPDATE events SET v = 9 WHERE seq = 44")
    assert [(d.first_seq, d.last_seq) for d in _damages(path)] == [(41, 44)]
    with Log(path) as log:
        *others, tick = rows_of(readings(2001, 3, at_ms=1 << 40))
        newer = (*tick[:6], 9, tick[7])
        digest = digest_of(log.last_digest, [*others, newer])
        rows = [*others, closed(newer, digest)]
        log._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    with open_reader(path) as reader, pytest.raises(LogTooNew):
        list(reader.damages(45))
