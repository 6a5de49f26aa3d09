"""Track-battery: every other day of track_capture, with a house battery of 10 kWh that follows the same surplus."""

from __future__ import annotations

from days import composed
from harness import Bench
from track import BY, Setup, track

WITHOUT, WITH = Setup(), Setup(battery_wh=10_000)
PV_SHARE, DIFFERENCE = 0.97, 0.01


def main() -> None:
    bench = Bench(__doc__ or "", BY, timed=False)
    days = composed(bench.traces, every=bench.every_day)[:: 1 if bench.every_day else 2]
    alone = track(days, WITHOUT, bench.options.by)
    beside = track(days, WITH, bench.options.by)
    lost = max(0.0, alone.captured - beside.captured)
    bench.at_least(
        "track-battery-pv-share", beside.pv_share, PV_SHARE, "of the car's energy is sun, 10 kWh house battery"
    )
    bench.at_most(
        "track-battery-lost", lost, DIFFERENCE, "of the capturable surplus captured less than without a battery"
    )
    bench.done()


if __name__ == "__main__":
    main()
