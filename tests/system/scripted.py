"""Scripted: a short charge in simulated time over a real log, with everything that touches the disk, for a test that lets
one system call fail.

``python scripted.py LOG``: begins, charges, takes snapshots, seals, gives up readings, ends, begins again. It acts on a log
that cannot be opened as systemd would: by starting once more. Prints what it believes at the end.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from msgspec import structs

from chargerd.daemon import recorder
from chargerd.daemon.upkeep import Upkeep
from chargerd.model.events import ModeSet
from chargerd.sim.run import Run
from chargerd.store import chunks, sealing
from chargerd.store.errors import LogDamaged, LogError, LogUnusable
from tests.house import Day, configuration, loadpoint

recorder.SNAPSHOT_EVENTS = 60
chunks.ROWS = 30
sealing.KEPT_ROWS = 40
KEEP = structs.replace(configuration(loadpoint("bike")), keep_rows_ms=60_000, keep_readings_ms=150_000)
STARTS = 3


def begun(day: Day | None, folder: Path) -> Day:
    """A daemon starts; one that cannot open its log is started again."""
    for attempt in range(STARTS):
        try:
            if day is None:
                return Day(folder, KEEP, {"bike": "rad-nominal"})
            day.begin()
        except (LogUnusable, LogDamaged):  # a page that cannot be read just now looks like damage
            if attempt == STARTS - 1:
                raise
        else:
            return day
    raise AssertionError


def kept_up(run: Run, now_s: float) -> None:
    """What upkeep has to do."""
    upkeep = Upkeep(run.log, lambda: now_s, lambda text: print(text, file=sys.stderr))
    for _ in range(3):
        now_s += 10_000
        drop = upkeep.step(run.site)
        if drop is not None:
            run.give_up(drop)


def main(folder: Path) -> None:
    """Two lives of a daemon."""
    day = begun(None, folder)
    day.run.ask(ModeSet("bike", "fast", "anna"), by="anna")
    for minute in range(1, 6):
        day.until(minute * 60)
        if minute in (3, 5):
            kept_up(day.run, minute * 60.0)
    try:
        day.run.stop()
    except LogError as error:
        print(error, file=sys.stderr)
    day = begun(day, folder)
    day.until(6 * 60)
    run = day.run
    for more in range(1, 4):
        if run.site.seq != run.log.last_seq:  # what could not be written waits for the next reading
            day.until(6 * 60 + 10 * more)
    print(json.dumps({"seq": run.site.seq, "recorded": run.log.last_seq, "on": run.site.chargers["shed/bike"].enabled}))
    run.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
