"""Durable: a writer that appends for ever and says what it was promised; for tests that cut its power or kill it.

``python durable.py LOG [relaxed]``: appends transactions to the log, seals old readings on the way, and prints the number of
the newest event after each durable one returns. ``relaxed``: durable transactions are committed like readings, which is the
mistake that the power-cut test must find.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chargerd.model.commands import SetEnabled
from chargerd.model.events import Body, ChargerRead, CommandIssued, Event, Reason, Tick
from chargerd.store import chunks, sealing
from chargerd.store.log import Log

chunks.ROWS = 120
sealing.KEPT_ROWS = 240


def facts(number: int) -> list[Body]:
    """Twelve readings, and with every third transaction a command."""
    found: list[Body] = [
        ChargerRead(f"s{n}", True, 100.0 + (number + n) % 7, 231.0, 0.43, number * 0.3) for n in range(12)
    ]
    if number % 3 == 0:
        found.append(CommandIssued("bike-1", SetEnabled("shed/s1", True, 900), Reason("lease-renewal")))
    return [*found, Tick()]


def main(path: Path, relaxed: bool) -> None:
    """Append until the disk or somebody ends it."""
    with Log(path) as log:
        for number in count(log.last_seq):
            now_ms = 1_700_000_000_000 + number * 10_000
            bodies = facts(number)
            first = log.last_seq + 1
            events = [Event(first + n, now_ms, now_ms // 7, 1, "shed", body) for n, body in enumerate(bodies)]
            command = number % 3 == 0
            log.append(events, durable=command and not relaxed)
            if command:
                os.write(1, f"{log.last_seq}\n".encode())
            if number % 10 == 9:
                log.seal(now_ms)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "relaxed" in sys.argv[2:])
