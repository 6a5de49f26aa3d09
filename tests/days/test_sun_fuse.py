"""The fuse of a home in which a device is silent, late or says impossible things: it bears what is drawn all the same."""

from __future__ import annotations

import random
from collections import deque

import pytest
from msgspec import structs

from chargerd.drivers.base import Driver
from chargerd.model.settings import CircuitSettings
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from tests.days.test_sun_faults import KINDS, Mute, random_day, spoil
from tests.house_sun import HOUR, SunDay, evse, home

MIN = 60
LATE_S = 8.0  # with what the meter always lags it is as much as `circuits.BEHIND_S` allows for
HONEST = {kind: KINDS[kind] for kind in ("silent", "nan", "far")} | {"late": {"slow_s": LATE_S}}
LATEST_S = 60.0
SEEN_S = 150.0  # until the latest of meters has shown what is so twice over: the house, and the house with what it was answered
FINEST_A = 0.5  # the line's voltage falls when a car begins, and an oven takes a little more current at it
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


def late_day(folder, seed: int) -> tuple[SunDay, float]:
    """A car behind a fuse that is often full, ovens, sometimes panels, and a meter that is late by something else every while."""
    dice = random.Random(seed)
    phases, fuse_a = dice.choice([1, 3]), dice.choice([25, 35])
    feed = CircuitSettings("main", fuse_a, meter="grid", guaranteed_current_a=0)
    fuse_w = fuse_a * 230 / 0.5  # half of what the house takes is on L1
    load, at_s = sun.steady(dice.uniform(0.2, 0.6) * fuse_w), 8.0 * HOUR
    while at_s < 9.5 * HOUR:
        load = sun.plus(load, dice.uniform(0, 0.35) * fuse_w, at_s, at_s + dice.uniform(60, 1800))
        at_s += dice.uniform(120, 1500)
    pv = dice.choice([sun.steady(0), sun.clouds(sun.clear_sky(9000), seed, depth=0.9)])
    day = SunDay(
        folder,
        home(evse(mode="fast", circuit="main"), circuits=[feed]),
        pv=pv,
        load=load,
        boxes={"garage": Box(Car(phases=phases, capacity_wh=1e6), max_phases=phases)},
        pause_s=dice.choice([0.0, 10.0]),
    )
    while day.now_s() < 9.5 * HOUR:
        spoil(day, "meter1", {"slow_s": dice.uniform(0, LATEST_S)})
        day.until(day.now_s() + dice.uniform(300, 1800))
    return day, fuse_a


def too_much_a(day: SunDay, fuse_a: float) -> float:
    """The most that a car put on a phase above its fuse, and above what the house took more than in the last minutes, in A."""
    worst = 0.0
    phases = day.house.boxes[0].max_phases
    for phase in range(3):
        least = deque[tuple[float, float]]()  # of the house, rising: the first is the least of the time looked back on
        for moment, _ in day.moments:
            volts = moment.voltages_v[phase]
            car_a = moment.cars_w / phases / volts if phase < phases else 0.0
            house_a = moment.grids_w[phase] / volts - car_a
            while least and least[-1][1] >= house_a:
                least.pop()
            least.append((moment.at_s, house_a))
            while moment.at_s - least[0][0] > SEEN_S:
                least.popleft()
            worst = max(worst, min(car_a, car_a + least[0][1] - fuse_a))
    return worst


def test_however_late_the_meter_is_a_car_is_above_the_fuse_only_for_what_the_house_takes_anew(tmp_path, seed):
    """S1-42: 0 to 60 s late: what nobody could have seen is above it, and no current that the engine gave beyond that."""
    day, fuse_a = late_day(tmp_path, seed)
    assert too_much_a(day, fuse_a) <= FINEST_A


@pytest.mark.parametrize("seed", range(8))
def test_nor_is_it_on_days_on_which_it_once_was(tmp_path, seed):
    """Days of the kind before, on which a car was up to 10 A above the fuse, ended, and was again."""
    day, fuse_a = late_day(tmp_path, seed)
    assert too_much_a(day, fuse_a) <= FINEST_A


@pytest.mark.parametrize("slow_s", [0.0, 20.0, 45.0])
@pytest.mark.parametrize("says", ["currents", "power", "nothing"])
def test_a_full_fuse_does_not_swing_behind_a_late_meter(tmp_path, slow_s, says):
    """22 A of the house on 35: the car has 12 or 13, is paused once at most, and then left alone; whatever its charger measures."""
    voices = {"currents": lambda driver: driver, "power": Currentless, "nothing": Mute}

    def spoiled(name: str, driver: Driver) -> Driver:
        return voices[says](driver) if name == "garage-box" else driver

    conf = home(evse(mode="fast", circuit="main"), circuits=[CircuitSettings("main", 35, meter="grid")])
    boxes = {"garage": Box(Car(phases=1, capacity_wh=1e6), max_phases=1)}
    load = sun.steady(22 * 230 / 0.5)
    day = SunDay(tmp_path, conf, pv=sun.steady(0), load=load, boxes=boxes, spoil=spoiled)
    spoil(day, "meter1", {"slow_s": slow_s})
    day.until(9.5 * HOUR)
    assert max(m.grids_w[0] / m.voltages_v[0] for m, _ in day.moments) <= 36
    assert day.starts() <= 2
    assert 2500 < day.car_w(9.25 * HOUR, 9.5 * HOUR) <= 13 * 235


class Currentless(Mute):
    """A charger that says its power and no currents."""

    def read(self):
        """Without currents."""
        nothing = dict.fromkeys(("current_l1_a", "current_l2_a", "current_l3_a"))
        return tuple(structs.replace(reading, **nothing) for reading in self.behind.read())


@pytest.mark.parametrize("from_s", [15.0, 25.0, 35.0, 65.0])
def test_a_meter_that_stops_while_a_car_goes_up_makes_no_room_of_it(tmp_path, from_s):
    """Frozen with the car at 6 A in it: the 9 A that it has by then are not taken off, however long it has had them."""
    conf = home(evse(mode="fast", circuit="main"), circuits=[CircuitSettings("main", 35, meter="grid")])
    boxes = {"garage": Box(Car(phases=1, capacity_wh=1e6), max_phases=1)}
    day = SunDay(tmp_path, conf, pv=sun.steady(0), load=sun.steady(25 * 230 / 0.5), boxes=boxes)
    day.until(8 * HOUR + from_s)
    spoil(day, "meter1", KINDS["frozen"])
    day.until(8.5 * HOUR)
    assert max(m.grids_w[0] / m.voltages_v[0] for m, _ in day.moments) <= 36


@pytest.mark.parametrize("says", ["currents", "power", "nothing"])
@pytest.mark.parametrize(("slow_s", "more_a"), [(0.0, 5.0), (0.0, 7.0), (8.0, 7.0)])
def test_a_car_that_is_lowered_is_lowered_by_what_is_too_much_and_not_to_nothing(tmp_path, slow_s, more_a, says):
    """25 A, 16 of the car: an appliance of 5 or 7 A leaves it 15 or 13. The meter shows the 16 A still when it was told so."""
    load = sun.plus(sun.steady(5 * 230 / 0.5), more_a * 230 / 0.5, 8.1 * HOUR, 10 * HOUR)
    conf = home(evse(mode="fast", circuit="main"), circuits=[CircuitSettings("main", 25, meter="grid")])
    boxes = {"garage": Box(Car(phases=1, capacity_wh=1e6), max_phases=1)}
    voices = {"currents": lambda driver: driver, "power": Currentless, "nothing": Mute}

    def spoiled(name: str, driver: Driver) -> Driver:
        return voices[says](driver) if name == "garage-box" else driver

    day = SunDay(tmp_path, conf, pv=sun.steady(0), load=load, boxes=boxes, spoil=spoiled)
    spoil(day, "meter1", {"slow_s": slow_s})
    day.until(8.5 * HOUR)
    lowered = [current_a for _, current_a in day.told(since_s=8.1 * HOUR)]
    assert len(lowered) <= 2
    assert 25 - 5 - more_a - 1.5 <= min(lowered) <= 25 - 5 - more_a
    assert lasting_a(day, 8.1 * HOUR, 40.0) <= 25
