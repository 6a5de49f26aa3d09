"""Commits: how often an hour of a home with 12 plugs is committed: once a Tick and once for the outcome of commands.

The whole daemon but its threads runs for an hour of simulated time, three plugs charging with leases that are renewed.
Commits are counted in the write-ahead file itself, where the last page of each is marked; an open reader keeps the file
from beginning anew. (https://sqlite.org/fileformat2.html#the_write_ahead_log)
"""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

from harness import DEVICES, TICK_S, Bench, folder
from home import CHARGING, CONFIGURATION, NAMES

from chargerd.drivers import simulated
from chargerd.model.events import CommandIssued, Event, ModeSet
from chargerd.sim.run import Run, SimulatedClock

MEANING = "commits in an hour, 3 of 12 plugs charging ÷ 360 Ticks and 1 per command"
START_S = 600
EVERY_S = 63  # one after the other, and between two Ticks
HEADER, FRAME_HEADER = 32, 24


def commits(wal: Path) -> int:
    """Commits in a write-ahead file that has not begun anew."""
    data = wal.read_bytes()
    page = struct.unpack(">I", data[8:12])[0]
    salts = data[16:24]
    frames = range(HEADER, len(data) - FRAME_HEADER - page + 1, FRAME_HEADER + page)
    return sum(data[at + 8 : at + 16] == salts and data[at + 4 : at + 8] != b"\0\0\0\0" for at in frames)


def main() -> None:
    bench = Bench(__doc__ or "")
    clock = SimulatedClock(1_760_000_000_000)
    plugs = {}
    for name in NAMES:
        config = simulated.Driver.Config(driver="simulated", poll_s=TICK_S)
        plugs[name] = simulated.Driver(name, config, (), {}, now_s=clock.true_s)
        plugs[name].sockets[""].load = simulated.Steady(150.0)  # far above its cut-off, below what the charger can draw
    seen: list[Event] = []
    with folder() as place:
        path = Path(place) / "log.db"
        run = Run(CONFIGURATION, plugs, path, clock, watch=seen.append)
        for number, name in enumerate(NAMES[:CHARGING]):
            run.until(EVERY_S * number)
            run.ask(ModeSet(name, "fast", "bench"))
        run.until(START_S)
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        wal = path.with_name("log.db-wal")
        before, first = commits(wal), len(seen)
        run.until(START_S + 3600)
        counted = commits(wal) - before
        commands = sum(isinstance(event.body, CommandIssued) for event in seen[first:])
        readings = sum(event.source in plugs for event in seen[first:])
        reader.close()
        run.kill()
    assert commands >= CHARGING * 8, "leases were not renewed"
    assert readings >= DEVICES * 3600 / TICK_S, "plugs were not read"
    bench.exactly("commits", counted / (3600 / TICK_S + commands), MEANING)
    bench.done()


if __name__ == "__main__":
    main()
