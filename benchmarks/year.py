"""Year: a simulated year of a home with 12 devices read every 10 s, 41 million events, sealed as it goes.

Not one of `make bench`, for it takes about twenty minutes and 400 MB. Make it once, then let the others use it:

    python benchmarks/year.py DIR
    python benchmarks/long_log.py --year DIR

Interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import home
from harness import Bench  # noqa: F401  (puts the clone on the path)

from chargerd.daemon.past import state_after
from chargerd.store.log import Log

ROWS_DAYS = 7
"""So many days stay plain rows, as the daemon keeps them."""


def build(place: Path, traces: Path, days: int, told: Callable[[int, int], None] = lambda _day, _seq: None) -> Path:
    """The log of so many days in a folder; goes on with what is there. It ends now. Returns its path."""
    path = place / "log.db"
    with Log(path) as log:
        site = state_after(log)
        begin_ms = next(log.read(1, 1)).at_ms if site.seq else round(time.time()) * 1000 - days * home.DAY_MS
        done_hours = -(-(site.at_ms + 1 - begin_ms) // home.HOUR_MS) if site.seq else 0
        for number in range(done_hours // 24, days):
            skipped = done_hours - number * 24 if number == done_hours // 24 else 0
            batches = home.day(traces, number, site, begin_ms, skipped)
            site = home.append_hours(log, site, batches)
            while log.seal(begin_ms + (number + 1 - ROWS_DAYS) * home.DAY_MS):
                pass
            told(number + 1, site.seq)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the log is made")
    parser.add_argument("--days", type=int, default=365, help="how many (365)")
    parser.add_argument("--traces", type=Path, default=Path(__file__).parent / "traces", metavar="DIR")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    begin_s = time.monotonic()

    def told(number: int, seq: int) -> None:
        taken_s = time.monotonic() - begin_s
        size_mib = (asked.folder / "log.db").stat().st_size / 2**20
        line = f"\rday {number} of {asked.days}, {seq:,} events, {size_mib:,.0f} MiB, {taken_s:.0f} s "
        sys.stderr.write(line)
        sys.stderr.flush()

    build(asked.folder, asked.traces, asked.days, told)
    sys.stderr.write("\n")


if __name__ == "__main__":
    main()
