"""Long log: the start of the daemon, a look at the past and a replay in a log of many days, or of a year with --year DIR.

Without --year a log of ten days is made first, sealed as far as the daemon would have sealed it. Times of the daemon's
start are those of the whole process until it says that it is ready, in turns with one whose log is empty.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC
from pathlib import Path

import home
import year
from harness import Bench, folder, median
from living import Daemon
from msgspec import structs

from chargerd.daemon.answers import answer
from chargerd.daemon.context import Context
from chargerd.daemon.history import History
from chargerd.daemon.past import state_after
from chargerd.daemon.times import utc_text
from chargerd.protocol.table import METHODS
from chargerd.protocol.varlink import checked
from chargerd.store.reader import open_reader

DAYS = 10  # of which three are sealed; a million events and some
STARTS = 7
LOOKS = 12
REPLAYED = 1_000_000
REPLAY = """\
import resource, sys
from pathlib import Path
from chargerd.engine.evolve import fold
from chargerd.model.state import Site
from chargerd.store.reader import open_reader

def resident_kib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024

def watched(events):
    global most
    for number, event in enumerate(events):
        if number % 20_000 == 0:
            most = max(most, resident_kib())
        yield event

with open_reader(Path(sys.argv[1])) as log:
    site = fold(Site(), log.read(1, 5000))
    most = before = resident_kib()
    site = fold(site, watched(log.read(5001, int(sys.argv[2]))))
print(max(most, resident_kib()) - before)
"""


def start_ratio(place: Path, log: Path) -> float:
    """How much longer the daemon takes to be ready over a long log than over an empty one."""
    ratios = []
    for number in range(STARTS + 1):
        with Daemon(place / "long", home.FILE, log.parent) as daemon:
            long_s = daemon.took_s
        with Daemon(place / f"empty-{number}", home.FILE) as daemon:
            empty_s = daemon.took_s
        if number:
            ratios.append(long_s / empty_s)
    return median(ratios)


def slowest_look_s(log: Path) -> float:
    """The longest that the daemon needs for `chargerctl why NAME --at TIME`, of some loadpoints and times anywhere in the log.

    What it has in memory, the present state, is made beforehand; the log is opened anew for each question, as it does.
    """
    dice = random.Random(1)
    slowest_s = 0.0
    with open_reader(log) as reader:
        first_ms, site = next(reader.read(1, 1)).at_ms, state_after(reader)
    now = Context(site, site.at_ms, site.at_ms, (), UTC)
    for number in range(LOOKS):
        at_ms = dice.randint(first_ms + 1000, site.at_ms)  # a time is asked for in whole seconds
        name = home.NAMES[number % len(home.NAMES)]
        parameters = checked(METHODS["GetWhy"], {"name": name, "at": utc_text(at_ms)})
        begin_s = time.perf_counter()
        with closing(History(log)) as history:
            reply = answer("GetWhy", parameters, structs.replace(now, log=history))
        slowest_s = max(slowest_s, time.perf_counter() - begin_s)
        assert (reply["at"], bool(reply["text"])) == (utc_text(at_ms), True), "another moment was found"
    return slowest_s


def grown_mib(log: Path, events: int) -> float:
    """How much a process grows while it folds so many events."""
    ran = subprocess.run(
        [sys.executable, "-c", REPLAY, str(log), str(events)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return int(ran.stdout) / 1024


def main() -> None:
    bench = Bench(__doc__ or "")
    with folder() as name:
        place = Path(name)
        log = place / "state" / "log.db"
        if bench.year is not None:
            log = bench.year / "log.db"
        else:
            log.parent.mkdir()
            year.build(log.parent, bench.traces, DAYS)
        days = "a year" if bench.year is not None else f"{DAYS} days"
        meaning = f"daemon from exec to ready, over a log of {days} ÷ over an empty one"
        bench.at_most("start-year", start_ratio(place, log), 1.5, meaning)
        meaning = f"seconds the daemon takes for the slowest of {LOOKS} `why --at` in {days}"
        bench.at_most("why-at", slowest_look_s(log), 1.0, meaning)
        bench.at_most(
            "memory-mib", grown_mib(log, REPLAYED), 4.0, "MiB that a process grows by in a replay of 1,000,000 events"
        )
    bench.done()


if __name__ == "__main__":
    main()
