"""Checks of a log whose readings of long ago are packed away, or given up: as sound as they were, and replayed where it can be."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.sim import bundle
from chargerd.sim.refused import Refused
from chargerd.store import chunks, sealing
from chargerd.store.log import Log
from tests.sim.nights import tamper
from tests.sim.test_checks import checked, log, recorded
from tests.store.streams import transaction

__all__ = ["log", "recorded"]  # fixtures


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small chunks, so that a night has many."""
    monkeypatch.setattr(chunks, "ROWS", 50)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 100)


def test_a_log_whose_readings_are_packed_away_is_checked_like_any_other(log, recorded):
    """Sealed into chunks: the same counts, from the start and from the middle."""
    plain = checked(recorded)
    assert plain.until_ms is not None
    with Log(log) as writer:
        while writer.seal(plain.until_ms):
            pass
        assert writer.sealed_seq > 500
    sealed = checked(log)
    assert sealed.sound
    same = ("last_seq", "commands_explained", "decisions_explained", "sessions", "snapshots", "replayed", "since_ms")
    assert [getattr(sealed, name) for name in same] == [getattr(plain, name) for name in same]
    assert plain.since_ms is not None
    middle = plain.since_ms + 1_800_000
    assert checked(log, middle).first_seq == checked(recorded, middle).first_seq > 1


def test_readings_that_were_given_up_are_no_damage_and_replay_begins_behind_them(log, tmp_path):
    """The oldest chunks are emptied: digests still hold, and replay goes on from the first snapshot behind them."""
    plain = checked(log)
    assert plain.until_ms is not None
    with Log(log) as writer:
        oldest = writer.query("SELECT min(seq) FROM snapshots")[0][0]
        before_ms = next(writer.read(oldest, oldest)).at_ms
        while writer.seal(before_ms):
            pass
        first = writer.chunk_from(0)
        assert first is not None
        gone = list(writer.batches(first.first_seq, first.last_seq))
        fact = structs.replace(transaction(1, sealing.dropped(gone))[0], source="daemon")
        at_ms, seq = plain.until_ms + 1000, writer.last_seq + 1
        events = [structs.replace(e, seq=seq + n, at_ms=at_ms) for n, e in enumerate([fact, *transaction(1)])]
        writer.append(events, durable=True, also=[lambda db: sealing.drop(db, gone)])
    report = checked(log)
    assert report.damaged == []
    assert report.unreplayed == ""
    assert report.replayed == [(oldest + 1, report.last_seq)]
    assert report.snapshots == 2
    assert 0 < report.commands_explained == report.commands < plain.commands
    tamper(log, "DELETE FROM snapshots")
    without = checked(log)
    assert without.replayed == []
    assert without.damaged == []
    with Log(log) as reader, pytest.raises(Refused, match="were given up"):
        bundle.make(reader, 1, reader.last_seq, tmp_path / "b", lambda _what, _seq: None)
