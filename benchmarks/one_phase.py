"""One-phase: a car of one phase on an EVSE of three, over every other day of track_capture.

It must be seen that it takes one phase only, and it must get all that one can carry.
"""

from __future__ import annotations

from days import composed
from harness import Bench
from track import BY, Setup, track

SETUP = Setup(car_phases=1)
CAPTURED, IMPORTED = 0.94, 0.02


def main() -> None:
    bench = Bench(__doc__ or "", BY, timed=False)
    days = composed(bench.traces, every=bench.every_day)[:: 1 if bench.every_day else 2]
    found = track(days, SETUP, bench.options.by)
    bench.at_least("one-phase", found.captured, CAPTURED, "of the capturable surplus, a one-phase car on three phases")
    bench.at_most("one-phase-import", found.imported, IMPORTED, "kWh from the grid per kWh captured, the same")
    s1 = track(days, SETUP, "s1")
    bench.at_least("one-phase-over-s1", found.captured / s1.captured, 1.0, "of what S1's rule captures, the same")
    bench.done()


if __name__ == "__main__":
    main()
