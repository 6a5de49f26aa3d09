"""The fuse of a home in which a device is silent, late or says impossible things: it bears what is drawn all the same."""

from __future__ import annotations

from collections import deque

import pytest

from chargerd.model.settings import CircuitSettings
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from tests.days.test_sun_faults import KINDS, random_day, spoil
from tests.house_sun import HOUR, SunDay, evse, home

MIN = 60
LATE_S = 8.0  # with what the meter always lags it is as much as `circuits.BEHIND_S` allows for
HONEST = {kind: KINDS[kind] for kind in ("silent", "nan", "far")} | {"late": {"slow_s": LATE_S}}
REACTS_S = 100.0  # a reading counts for a minute, then a command goes out in a cycle, and a car takes its time


def lasting_a(day: SunDay, from_s: float = 0.0, lasts_s: float = REACTS_S) -> float:
    """The largest current that a phase took from the grid all through such a time, in A."""
    worst = 0.0
    for phase in range(3):
        window = deque[tuple[float, float]]()
        for moment, _ in day.moments:
            if moment.at_s < from_s:
                continue
            window.append((moment.at_s, moment.grids_w[phase] / moment.voltages_v[phase]))
            while window[-1][0] - window[0][0] > lasts_s:
                window.popleft()
            if window[-1][0] - window[0][0] >= lasts_s - 10:
                worst = max(worst, min(current_a for _, current_a in window))
    return worst


@pytest.mark.parametrize("channel", ["meter1", "box"])
@pytest.mark.parametrize("kind", HONEST)
def test_an_oven_beside_a_car_lets_the_fuse_be_whatever_is_not_read(tmp_path, channel, kind):
    """S1-42: 25 A; 16 of the car and 18 of a house with an oven, while the meter or the charger says nothing that can be used.

    A charger that hears nothing is told when it is back. Without the meter 6 A are guaranteed, which the house leaves.
    """
    load = sun.plus(sun.steady(2300.0), 5700.0, 8 * HOUR + 15 * MIN, 10 * HOUR)
    conf = home(evse(mode="fast", circuit="main"), circuits=[CircuitSettings("main", 25, meter="grid")])
    boxes = {"garage": Box(Car(phases=1, capacity_wh=1e6), max_phases=1)}
    day = SunDay(tmp_path, conf, pv=sun.steady(0), load=load, boxes=boxes)
    day.until(8 * HOUR + 12 * MIN)
    assert day.house.box_w(0) > 3500
    spoil(day, channel, HONEST[kind])
    deaf = (channel, kind) == ("box", "silent")
    if deaf:
        day.until(8 * HOUR + 17 * MIN)
        spoil(day, channel, {})
    day.until(8 * HOUR + 30 * MIN)
    assert lasting_a(day, 8 * HOUR + (17 if deaf else 12) * MIN) <= 25
    day.until(9 * HOUR)
    assert lasting_a(day, 8 * HOUR + 30 * MIN, 20.0) <= 25, "once it has reacted it stays so"


def test_on_random_days_the_fuse_bears_what_is_drawn_while_nothing_lies(tmp_path, seed):
    """S1-42: meters silent, late or impossible at any time: above 35 A no longer than it takes to be seen."""
    day = random_day(
        tmp_path, seed, HONEST, spoils=("meter1", "meter1", "battery1"), asks=("fast",), load_w=12_500, dead_s=10
    )
    assert lasting_a(day) <= 1.05 * 35
