"""Chain: all damage is found, one after the other, and what lies between is known to be whole."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chargerd.store.chain import Damage
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.store.streams import readings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of 500 transactions of 4 events."""
    path = tmp_path / "log.db"
    with Log(path) as log:
        for n in range(500):
            log.append(readings(4 * n + 1, 3, at_ms=100_000 + 10_000 * n), durable=False)
    return path


def _damages(path: Path) -> list[Damage]:
    with open_reader(path) as reader:
        return list(reader.damages())


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
    assert all(0 < d.last_seq - d.first_seq < 40 and d.last_seq % 4 == 0 and d.first_seq % 4 == 1 for d in found)
    with open_reader(path) as reader:
        between = list(reader.read(found[0].last_seq + 1, found[1].first_seq - 1))
        assert len(between) == found[1].first_seq - found[0].last_seq - 1


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
