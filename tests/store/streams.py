"""Streams: small runs of events for the tests of the store."""

from __future__ import annotations

import json
from pathlib import Path

from chargerd.model import codec
from chargerd.model.events import Body, ChargerRead, Event, Tick

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
