"""Nights: a recorded night for tests that look at logs: one pack charged and cut off, another plug without a charger."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from chargerd.model.events import HoldCleared, HoldSet, ReadFailed, TargetSet
from chargerd.model.settings import ScheduleEntry
from tests.house import Day, configuration, loadpoint

HOUR = 3600


def night(folder: Path, hours: float = 2, *, stop: bool = True) -> Day:
    """Anna charges her bike at 00:01, Ben holds it for a while, a schedule starts the other plug at 00:30."""
    entry = ScheduleEntry("bens-cargo/mon@00:30", "bens-cargo", (0,), 30)
    day = Day(
        folder,
        configuration(loadpoint("annas-bike"), loadpoint("bens-cargo"), site="Villa Anna", schedule=(entry,)),
        {"annas-bike": "rad-nominal", "bens-cargo": "dead"},
    )
    day.until(60)
    day.charge("annas-bike", by="anna")
    day.until(600)
    day.run.ask(HoldSet("ben", "annas-bike", request="4711-request"), by="ben")
    day.until(660)
    day.run.ask(HoldCleared("ben", "annas-bike"), TargetSet("annas-bike", "full", "ben", once=True), by="ben")
    day.run.ask(ReadFailed("unreachable", "no answer from 192.168.178.40"), by="shed")
    day.until(hours * HOUR)
    if stop:
        day.run.stop()
    return day


def copy_of(log: Path, folder: Path) -> Path:
    """The log again, for a test to spoil."""
    for suffix in ("", "-wal"):
        if (part := log.with_name(log.name + suffix)).exists():
            shutil.copy(part, folder / part.name)
    return folder / log.name


def tamper(log: Path, statement: str) -> None:
    """Change a log as somebody with a database tool does who takes the triggers away."""
    db = sqlite3.connect(log)
    db.executescript(f"DROP TRIGGER IF EXISTS events_keep; DROP TRIGGER IF EXISTS events_stay; {statement};")
    db.close()
