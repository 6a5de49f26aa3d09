"""Harness: what the benchmarks share: the reference load, interleaved rounds in one process, and the verdict.

Machines differ and swing, so every figure is a ratio of two things measured in the same process, in short turns one after
the other, and the median of the rounds is judged. Each script prints lines of ``name ratio limit``, what is asked of it,
whether it is kept, and what it means; it exits with 1 on a miss. `table` runs them all.
"""

from __future__ import annotations

import argparse
import csv
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runnable from a clone that is not installed

from chargerd.model.commands import SetEnabled
from chargerd.model.events import Body, ChargerRead, CommandIssued, Event, Reason, Tick
from chargerd.store import schema
from chargerd.store.rows import Row, closed, digest_of, rows_of

DEVICES = 12
TICK_S = 10
COMMAND_S = 120
ROUNDS = 9

INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Bench:
    """One script's arguments and verdicts."""

    def __init__(
        self, description: str, others: Mapping[str, Mapping[str, Any]] = MappingProxyType({}), *, timed: bool = True
    ) -> None:
        """``others`` are a script's own options, as `argparse` has them.

        ``timed`` False: days that are simulated come out the same on every machine, and have no slack.
        """
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--traces", type=Path, default=Path(__file__).parent / "traces", metavar="DIR")
        parser.add_argument("--slack", type=float, default=0.0, help="loosen every limit by this part, 0.15 in CI")
        parser.add_argument(
            "--year", type=Path, metavar="DIR", help="the long log of benchmarks/year.py, for those that use one"
        )
        parser.add_argument(
            "--all", action="store_true", help="every day of the traces, for those that go through days"
        )
        for name, of in others.items():
            parser.add_argument(f"--{name}", **of)
        options = parser.parse_args()
        self.options = options
        self.every_day: bool = options.all
        self.traces: Path = options.traces
        self.year: Path | None = options.year
        self._slack: float = options.slack if timed else 0.0
        self._missed = False

    def at_least(self, name: str, ratio: float, limit: float, meaning: str) -> None:
        """Judge a figure that should be high."""
        self._judge(name, ratio, "≥", limit * (1 - self._slack), ratio >= limit * (1 - self._slack), meaning)

    def at_most(self, name: str, ratio: float, limit: float, meaning: str) -> None:
        """Judge a figure that should be low."""
        self._judge(name, ratio, "≤", limit * (1 + self._slack), ratio <= limit * (1 + self._slack), meaning)

    def exactly(self, name: str, ratio: float, meaning: str) -> None:
        """Judge a count against another that it must equal. There is no slack in counting."""
        self._judge(name, ratio, "=", 1.0, ratio == 1.0, meaning)

    def done(self) -> None:
        """End the process with the verdict."""
        sys.exit(1 if self._missed else 0)

    def _judge(self, name: str, ratio: float, sign: str, limit: float, kept: bool, meaning: str) -> None:
        print(f"{name} {ratio:.3f} {limit:.3f} {sign} {'kept' if kept else 'missed'} {meaning}", flush=True)
        self._missed = self._missed or not kept


def folder() -> tempfile.TemporaryDirectory[str]:
    """A place on the disk that goes away by itself."""
    return tempfile.TemporaryDirectory(prefix="chargerd-bench-")


def trace_rows(trace: Path) -> list[dict[str, str]]:
    """The rows of a trace, column → text."""
    with trace.open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def powers(traces: Path) -> list[float]:
    """Recorded powers of e-bike chargers, W."""
    return [float(row["power_w"]) for row in trace_rows(traces / "ebike_charge_power.csv")]


def charges(traces: Path) -> list[list[tuple[float, float]]]:
    """Recorded charges, each as (seconds since its start, W)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in trace_rows(traces / "ebike_charge_power.csv"):
        at_s = datetime.fromisoformat(row["time"]).replace(tzinfo=UTC).timestamp()
        found.setdefault(row["run"] + row["charger"], []).append((at_s, float(row["power_w"])))
    return [[(at_s - c[0][0], power_w) for at_s, power_w in c] for c in found.values() if c[-1][0] - c[0][0] > 3600]


def along(charge: list[tuple[float, float]], at_s: float) -> float:
    """Power of a recorded charge at a time, W; after its end it begins again."""
    at_s %= charge[-1][0]
    right = bisect_right(charge, at_s, key=lambda sample: sample[0])
    (s_0, w_0), (s_1, w_1) = charge[right - 1], charge[right]
    return w_0 + (w_1 - w_0) * (at_s - s_0) / (s_1 - s_0)


def typical_home(traces: Path, hours: float, seed: int = 1) -> Iterator[list[Event]]:
    """Transactions of the reference load: 12 devices read every 10 s, one command in 2 min, a Tick every 10 s.

    Each device goes along a recorded charge from a place of its own, with the noise of a meter, 0.1 %.
    """
    chance = random.Random(seed)
    recorded = charges(traces)
    begins = [(chance.choice(recorded), chance.uniform(0, 4 * 3600)) for _ in range(DEVICES)]
    seq, at_ms = 0, 1_760_000_000_000
    counters = [chance.uniform(0, 5000) for _ in range(DEVICES)]
    for second in range(0, int(hours * 3600), TICK_S):
        facts: list[tuple[str, Body]] = []
        for n in range(DEVICES):
            charge, begin_s = begins[n]
            power_w = max(0.0, along(charge, begin_s + second) * chance.gauss(1, 0.001) + chance.gauss(0, 0.02))
            counters[n] += power_w * TICK_S / 3600
            facts.append((f"plug-{n}", _reading(power_w, chance.gauss(231, 1), counters[n])))
        if second % COMMAND_S == 0:
            address = f"plug-{second // COMMAND_S % DEVICES}"
            facts.append(("engine", CommandIssued(address, SetEnabled(address, True, 900), Reason("lease-renewal"))))
        facts.append(("daemon", Tick()))
        yield [Event(seq + n, at_ms, at_ms // 7, 3, source, fact) for n, (source, fact) in enumerate(facts, 1)]
        seq, at_ms = seq + len(facts), at_ms + TICK_S * 1000


def transactions(traces: Path, readings: int, count: int) -> list[list[Event]]:
    """Transactions of so many readings and a Tick."""
    chance = random.Random(readings)
    recorded = powers(traces)
    found = []
    for number in range(count):
        first, at_ms = number * (readings + 1) + 1, 1_760_000_000_000 + number * TICK_S * 1000
        facts: list[Body] = [
            _reading(chance.choice(recorded), chance.gauss(231, 1), number * 0.1) for _ in range(readings)
        ]
        found.append(
            [
                Event(first + n, at_ms, at_ms // 7, 3, f"plug-{n % DEVICES}", fact)
                for n, fact in enumerate((*facts, Tick()))
            ]
        )
    return found


def ready_rows(batches: Sequence[Sequence[Event]]) -> list[list[Row]]:
    """The very rows that the log will store, made beforehand."""
    digest, ready = "", []
    for batch in batches:
        rows = rows_of(batch)
        digest = digest_of(digest, rows)
        rows[-1] = closed(rows[-1], digest)
        ready.append(rows)
    return ready


def bare_table(path: Path) -> sqlite3.Connection:
    """The reference: the same table with the same pragmas, without triggers, checks or a lock."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA page_size={schema.PAGE_BYTES}")
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(
        "CREATE TABLE events(seq INTEGER PRIMARY KEY, at INTEGER, mono INTEGER, boot INTEGER,"
        " source TEXT, type TEXT, v INTEGER, data TEXT)"
    )
    return db


def insert(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """One transaction of ready-made rows."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(INSERT, rows)
    db.execute("COMMIT")


def turns(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Run both, one after the other, and time them, s."""
    start = time.perf_counter()
    first()
    middle = time.perf_counter()
    second()
    return middle - start, time.perf_counter() - middle


def median(ratios: Sequence[float]) -> float:
    """The figure that is judged."""
    return statistics.median(ratios)


def _reading(power_w: float, voltage_v: float, energy_wh: float) -> ChargerRead:
    return ChargerRead(
        enabled=True,
        power_w=round(power_w, 1),
        voltage_v=round(voltage_v, 1),
        current_a=round(power_w / voltage_v, 3),
        energy_wh=round(energy_wh, 1),
    )
