"""Step: 3 kW more load in the house while a car takes all of 9 kW surplus: time and energy until nothing is imported.

The load begins at ten moments between two readings: judged are the longest time and the mean energy. A meter that is two seconds
late and read every ten, and a car that takes five to follow, make it 16 s and 13 Wh at worst, 12 s and 9 Wh on average, at least.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from days import Day
from harness import Bench, folder
from track import BY, RULES, Setup, by_engine, by_rule

from chargerd.sim import sun
from chargerd.sim.home import Moment

BEGIN_S = 10 * 3600.0
LOADED_S = BEGIN_S + 1800
END_S = LOADED_S + 600
SUN_W, LOAD_W, STEP_W = 9500.0, 500.0, 3000.0
OFFSETS_S = range(10)
NONE_W = 50.0  # a meter's and a battery's noise is no import
BACK_S, IMPORTED_WH = 30.0, 12.0
SETUP = Setup(step_s=1.0)


class After:
    """What is imported after the step."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self.back_s = 0.0
        self.imported_wh = 0.0
        self.car_w = 0.0

    def __call__(self, moment: Moment, passed_s: float) -> None:
        if moment.at_s < self._step_s:
            self.car_w = moment.cars_w
        elif moment.grid_w > NONE_W:
            self.back_s = moment.at_s + passed_s - self._step_s
            self.imported_wh += moment.grid_w * passed_s / 3600


def after(offset_s: float, by: str, place: Path) -> After:
    """The step at so many seconds after a reading."""
    load = sun.plus(sun.steady(LOAD_W), STEP_W, LOADED_S + offset_s, END_S)
    day = Day(f"step-{offset_s}", sun.steady(SUN_W), load, BEGIN_S, END_S)
    seen = After(LOADED_S + offset_s)
    if by == "engine":
        by_engine(day, SETUP, place, seen)
    else:
        by_rule(day, SETUP, RULES[by](SETUP), seen)
    assert seen.car_w > SUN_W - LOAD_W - 3 * 235, f"the car took {seen.car_w:.0f} W before the step, not the surplus"
    return seen


def main() -> None:
    bench = Bench(__doc__ or "", BY, timed=False)
    with folder() as place:
        found = [after(offset_s, bench.options.by, Path(place)) for offset_s in OFFSETS_S]
    with folder() as place:
        s1 = [after(offset_s, "s1", Path(place)) for offset_s in OFFSETS_S]
    bench.at_most("step-s", max(one.back_s for one in found), BACK_S, "s of import after 3 kW of load, worst of ten")
    bench.at_most("step-wh", fmean(one.imported_wh for one in found), IMPORTED_WH, "Wh imported after it, mean of ten")
    over = fmean(one.imported_wh for one in found) / fmean(one.imported_wh for one in s1)
    bench.at_most("step-over-s1", over, 1.0, "of the energy that S1's rule imports after it")
    bench.done()


if __name__ == "__main__":
    main()
