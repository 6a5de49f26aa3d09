"""Track-capture: a car on surplus over composed days: captured ÷ capturable, import, and starts beside plain hysteresis."""

from __future__ import annotations

from days import composed
from harness import Bench
from track import BY, Setup, track

WHOLE, FINE = Setup(), Setup(step_a=0.1)
CAPTURED, IMPORTED, STARTS, FINE_CAPTURED = 0.94, 0.02, 0.6, 0.975
"""Whole amperes that never import would capture 0.947 of the same days with no time lost anywhere."""


def main() -> None:
    bench = Bench(__doc__ or "", BY, timed=False)
    days = composed(bench.traces, every=bench.every_day)
    whole = track(days, WHOLE, bench.options.by)
    fine = track(days[:: 1 if bench.every_day else 2], FINE, bench.options.by)
    plain = track(days, WHOLE, "hysteresis")
    s1 = track(days, WHOLE, "s1")
    over = f"{len(days)} days"
    bench.at_least("track-capture", whole.captured, CAPTURED, f"of the capturable surplus, whole amperes, {over}")
    bench.at_most("track-import", whole.imported, IMPORTED, "kWh from the grid per kWh captured, whole amperes")
    bench.at_most("track-starts", whole.starts / plain.starts, STARTS, "of the starts that plain hysteresis needs")
    bench.at_least("track-capture-fine", fine.captured, FINE_CAPTURED, "of the capturable surplus, steps of 0.1 A")
    net = [found.captured * (1 - found.imported) for found in (whole, s1)]  # S1 captures a little more and buys for it
    bench.at_least("track-over-s1", net[0] / net[1], 1.0, "of what S1's rule captures less what it imports, same days")
    bench.done()


if __name__ == "__main__":
    main()
