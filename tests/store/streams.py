"""Streams: small runs of events for the tests of the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from chargerd.model import codec
from chargerd.model.commands import SetEnabled
from chargerd.model.events import Body, ChargerRead, CommandIssued, Event, ReadFailed, Reason, Tick

SAMPLES = Path(__file__).parents[1] / "fixtures" / "events" / "v1.jsonl"


def transaction(first_seq: int, *facts: Body, at_ms: int = 1_000, boot: int = 1) -> list[Event]:
    """Facts and the Tick that closes them, numbered from a seq on, all at one time."""
    return [Event(first_seq + n, at_ms, at_ms - 500, boot, "shed", fact) for n, fact in enumerate((*facts, Tick()))]


def readings(first_seq: int, count: int, at_ms: int = 1_000) -> list[Event]:
    """A transaction of plug readings of different power."""
    return transaction(first_seq, *(ChargerRead("a", True, 100.0 + n) for n in range(count)), at_ms=at_ms)


def samples() -> list[Body]:
    """One stored fact of every type, as they were written by the first version, without the Tick."""
    lines = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]
    return [codec.decode(line["type"], line["v"], line["data"]) for line in lines if line["type"] != "Tick"]


def home(count: int, first_seq: int = 1, first_at_ms: int = 1_000_000) -> Iterator[list[Event]]:
    """So many transactions, 10 s apart, of a home with three plugs: readings, now and then a silent plug or a command."""
    seq, chance = first_seq, Random(count)
    for n in range(count):
        facts: list[Body] = [
            ChargerRead("a", True, round(100 - n * 0.01 + chance.gauss(0, 0.3), 1), 231.5, 0.433, round(n * 0.28, 1)),
            ChargerRead("b", False, 0.0, 231.5),
            ReadFailed("unreachable", "no route")
            if n % 9 == 4
            else ChargerRead("c", None, None, 230.0, lease_s=n % 900),
        ]
        if n % 20 == 7:
            facts.append(CommandIssued("bike-1", SetEnabled("shed/a", True, 900), Reason("lease-renewal")))
        events = transaction(seq, *facts, at_ms=first_at_ms + 10_000 * n)
        yield events
        seq += len(events)
