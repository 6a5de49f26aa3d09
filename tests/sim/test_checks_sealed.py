"""Checks of a log whose readings of long ago are packed away, or given up: as sound as they were, and replayed where it can be."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from chargerd.__main__ import main
from chargerd.model.events import CommandIssued
from chargerd.sim import bundle
from chargerd.sim.refused import Refused
from chargerd.store import chunks, sealing
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from chargerd.store.rows import event_of
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


def sealed(log) -> list[tuple[int, int, int, bytes]]:
    """Pack all that can be; number of the first and last event, how many are packed, and the content of each chunk."""
    with Log(log) as writer:
        while writer.seal(1 << 60):
            pass
        return writer.query("SELECT first_seq, last_seq, packed, data FROM chunks ORDER BY first_seq")


def without_triggers(log, statement: str) -> None:
    tamper(log, f"DROP TRIGGER chunks_keep; DROP TRIGGER chunks_stay; {statement}")


def test_damage_in_a_chunk_is_named_exactly_and_all_around_it_holds(log, capsys):
    """One bit of a chunk between others, with a command among its events: its readings are lost, the command is not."""
    with_command, data = next(
        ((first, last, packed), data) for first, last, packed, data in sealed(log)[3:] if packed < last - first + 1
    )
    first, last, packed = with_command
    with open_reader(log) as reader:
        newest = reader.last_seq
        left = [event_of(row) for batch in reader.batches(first, last) for row in batch.stored]
    commands = sum(isinstance(event.body, CommandIssued) for event in left)
    spoiled = bytes([*data[:-3], data[-3] ^ 1, *data[-2:]])
    without_triggers(log, f"UPDATE chunks SET data = x'{spoiled.hex()}' WHERE first_seq = {first}")

    assert main(["verify", "--log", str(log), "--json"]) == 6
    reply = json.loads(capsys.readouterr().out)
    (place,) = reply["damage"]
    assert (place["first_seq"], place["last_seq"], place["unreadable"]) == (first, last, packed)
    assert place["commands"] == commands
    assert place["after"] < place["before"]
    assert reply["replayed"][0] == [1, first - 1]

    assert main(["verify", "--log", str(log)]) == 6
    lines = capsys.readouterr().out.replace("\u202f", "").splitlines()
    assert lines[0].endswith("damaged in 1 place")
    assert lines[1].startswith(f"  Bad    events {first} to {last} (after ")
    assert f"the {packed} readings among events {first} to {last} are lost" in lines[1]
    assert lines[2].startswith(f"  Lost   {packed} events gone; among what can be read there: {commands} command")
    holds = f"the {first - 1} events before it are as they were written; the {newest - last} after it hold together"
    assert lines[3] == f"  Holds  {holds}"


def test_a_chunk_whose_neighbour_is_damaged_too_is_a_place_of_its_own(log):
    """Two chunks in a row cannot be unpacked: both are named, each with its own readings; what follows is proven."""
    (first, last, packed, _), (second, end, others, _) = sealed(log)[3:5]
    without_triggers(log, f"UPDATE chunks SET data = x'00' WHERE first_seq IN ({first}, {second})")
    places = checked(log).damaged
    assert [(place.first_seq, place.last_seq, place.unreadable) for place in places] == [
        (first, last, packed),
        (second, end, others),
    ]


def test_a_part_of_a_log_that_begins_in_a_damaged_chunk_is_looked_at_from_there(log):
    """Where a time is within it nobody can tell; all of the chunk is looked at, and nothing is passed over."""
    whole = checked(log)
    first, last, _, _ = sealed(log)[5]
    with open_reader(log) as reader:
        inside_ms = next(reader.read(first + 20, first + 20)).at_ms
    without_triggers(log, f"UPDATE chunks SET data = x'00' WHERE first_seq = {first}")
    part = checked(log, inside_ms)
    assert (part.first_seq, part.last_seq) == (first, whole.last_seq)
    assert [(place.first_seq, place.last_seq) for place in part.damaged] == [(first, last)]


def test_readings_that_were_given_up_are_no_damage_and_replay_begins_behind_them(log, tmp_path, capsys):
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
    assert main(["verify", "--log", str(log)]) == 0
    assert "chain intact" in capsys.readouterr().out
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
