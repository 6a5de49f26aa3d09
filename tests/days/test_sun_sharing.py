"""Days with several that want the sun, and fuses above them: who is served, and what is never exceeded."""

from __future__ import annotations

import random
from collections import deque
from itertools import pairwise

import pytest
from msgspec import structs

from chargerd.engine.describe import problems
from chargerd.engine.step import order_of
from chargerd.model.commands import SetCurrent
from chargerd.model.events import LimitSet
from chargerd.model.reasons import sentence
from chargerd.model.settings import CircuitSettings, Vehicle
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from chargerd.sim.home import HouseBattery
from chargerd.sim.homes import HomeEvse
from tests.house_sun import HOUR, SunDay, evse, home, house_battery

MIN = 60


def one_phase(capacity_wh: float = 1e6, **car: float) -> Box:
    """An EVSE on one phase, and a car."""
    return Box(Car(phases=1, capacity_wh=capacity_wh, **car), max_phases=1)


def box_w(day: SunDay, name: str) -> float:
    """What the car on an EVSE takes now."""
    return day.house.box_w(list(day.evses).index(name))


def test_one_at_a_time_the_second_waits_until_the_first_is_done(tmp_path):
    """S1-26: two plugged in: never both, and the second begins when the first is full."""
    conf = home(evse("a"), evse("b"), sharing="one-at-a-time")
    day = SunDay(tmp_path, conf, pv=sun.steady(6000), boxes={"a": one_phase(6000, soc_pct=50), "b": one_phase()})
    both = 0
    for minute in range(1, 180):
        day.until(8 * HOUR + minute * MIN)
        both += box_w(day, "a") > 100 and box_w(day, "b") > 100
    assert both == 0
    assert "waiting-for-other" in day.codes("b")
    assert day.house.boxes[0].car.soc_pct > 99
    assert box_w(day, "b") > 3000


def test_two_cars_share_and_neither_starts_the_other_off(tmp_path):
    """Wish 25: "both start, then one stops": with sun for one the second waits, with sun for two both charge."""
    pv = lambda at_s: 2300.0 if at_s < 9 * HOUR else 5300.0  # noqa: E731
    day = SunDay(tmp_path, home(evse("a"), evse("b")), pv=pv, boxes={"a": one_phase(), "b": one_phase()})
    day.until(9 * HOUR)
    assert (day.starts("a"), day.starts("b")) == (1, 0)
    day.until(10 * HOUR)
    assert (day.starts("a"), day.starts("b")) == (1, 1)
    assert box_w(day, "a") == pytest.approx(box_w(day, "b"), abs=300)
    assert day.car_w(9.5 * HOUR, 10 * HOUR) == pytest.approx(4800, abs=300)


def test_who_comes_first_is_served_first(tmp_path):
    """S1-26: the car of higher priority takes the sun from one that charges already."""
    conf = home(evse("a"), evse("b", priority=1))
    day = SunDay(tmp_path, conf, pv=sun.steady(2600), boxes={"a": one_phase(), "b": Box(None, max_phases=1)})
    day.until(8.5 * HOUR)
    assert box_w(day, "a") > 1300
    day.plug_in("b", Car(phases=1))
    day.until(9 * HOUR)
    assert box_w(day, "a") == 0
    assert box_w(day, "b") > 1300


def fuse(current_a: float = 25, **settings: object) -> CircuitSettings:
    """The main fuse, with the meter at the grid connection."""
    return structs.replace(CircuitSettings("main", current_a, meter="grid"), **settings)


def highest_a(day: SunDay, from_s: float, phase: int = 0) -> float:
    """The largest current that was drawn from the grid on a phase for half a minute or longer, in A."""
    worst, last_30 = 0.0, deque[tuple[float, float]]()
    for moment, _ in day.moments:
        if moment.at_s < from_s:
            continue
        last_30.append((moment.at_s, moment.grids_w[phase] / moment.voltages_v[phase]))
        while last_30[0][0] < moment.at_s - 30:
            last_30.popleft()
        if moment.at_s - from_s >= 30:
            worst = max(worst, min(a for _, a in last_30))
    return worst


def test_a_load_that_comes_lowers_the_car_at_once_and_the_fuse_is_kept(tmp_path):
    """S1-42: 25 A per phase; oven and kettle leave 8 A, then nothing: the car is lowered in one step, and paused."""
    load = lambda at_s: 300.0 + 3900 * 2 * (8.5 * HOUR <= at_s < 9 * HOUR) + 6000 * 2 * (at_s >= 9 * HOUR)  # noqa: E731
    conf = home(evse(mode="fast", circuit="main"), circuits=[fuse()])
    day = SunDay(tmp_path, conf, pv=sun.steady(0), load=load, boxes={"garage": one_phase()})
    day.until(8.5 * HOUR)
    assert day.told()[-1][1] == 16
    day.until(9 * HOUR)
    lowered = day.told(since_s=8.5 * HOUR)
    assert lowered[0][0] <= 8.5 * HOUR + 20
    assert 6 <= lowered[0][1] <= 25 - 3900 / 230
    assert day.code() == "circuit-limit"
    day.until(9.5 * HOUR)
    assert box_w(day, "garage") == 0
    assert highest_a(day, 8.25 * HOUR) <= max(25, 6300 / 220)


def test_two_cars_that_start_in_one_cycle_are_not_both_given_what_is_there_for_one(tmp_path):
    """Wish 8: "load management overshoots at start": reserve before grant, least first, then up in steps."""
    conf = home(evse("a", mode="fast", circuit="main"), evse("b", mode="fast", circuit="main"), circuits=[fuse(20)])
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(), "b": one_phase()})
    day.until(8.5 * HOUR)
    assert box_w(day, "a") > 1000
    assert box_w(day, "b") > 1000
    assert max(m.grids_w[0] / m.voltages_v[0] for m, _ in day.moments) <= 20
    first = [told[0] for told in (day.told("a"), day.told("b"))]
    assert [current_a for _, current_a in first] == [6, 6]


def test_a_fuse_without_its_meter_leaves_the_guaranteed_share(tmp_path):
    """Wish 5: "the meter was lost and it went to the maximum": within its age it falls to what is safe whatever the house draws."""
    conf = home(
        evse("a", mode="fast", circuit="main"),
        evse("b", mode="fast", circuit="main"),
        circuits=[fuse(guaranteed_current_a=14)],
    )
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(), "b": one_phase()})
    day.until(8.5 * HOUR)
    for channel in ("meter1", "inverter"):
        day.meters.fault(channel).silent = True
    day.until(8.5 * HOUR + 90)
    assert sum(day.told(name)[-1][1] for name in ("a", "b")) <= 14
    assert "circuit-blind" in {day.code("a"), day.code("b")}
    day.until(9 * HOUR)
    assert sum(day.told(name)[-1][1] for name in ("a", "b")) <= 14
    assert box_w(day, "a") + box_w(day, "b") > 1300


def test_a_circuit_without_a_meter_is_the_sum_of_what_hangs_on_it(tmp_path):
    """S1-42: two boxes on a 20 A feed to the garage."""
    feed = CircuitSettings("garage", 20, phases=1)
    conf = home(evse("a", mode="fast", circuit="garage"), evse("b", mode="fast", circuit="garage"), circuits=[feed])
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(), "b": one_phase()})
    day.until(9 * HOUR)
    assert box_w(day, "a") + box_w(day, "b") > 3000
    assert max(m.cars_w / m.voltages_v[0] for m, _ in day.moments) <= 20.1


def test_a_circuit_without_a_meter_keeps_its_limit_in_watts(tmp_path):
    """S1-42: 32 A of cable, and 5 kW that the garage may take: two cars that could take 7."""
    feed = CircuitSettings("garage", 32, phases=1, max_power_w=5000)
    conf = home(evse("a", mode="fast", circuit="garage"), evse("b", mode="fast", circuit="garage"), circuits=[feed])
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(), "b": one_phase()})
    day.until(9 * HOUR)
    assert box_w(day, "a") > 1300
    assert box_w(day, "b") > 1300
    assert max(m.cars_w for m, _ in day.moments) <= 5000 * 1.02
    assert "circuit-limit" in {day.code("a"), day.code("b")}


@pytest.mark.parametrize("watts", [False, True])
def test_a_vehicle_that_never_fits_keeps_nobody_waiting(tmp_path, watts):
    """One that charges from 20 A on, behind a fuse of 16, or a limit of 3.5 kW: it is told so, and the other has all there is."""
    feed = (
        CircuitSettings("garage", 32, phases=1, max_power_w=3500) if watts else CircuitSettings("garage", 16, phases=1)
    )
    big = evse("a", mode="fast", circuit="garage", max_current_a=32.0, vehicle=Vehicle("van", min_current_a=20.0))
    conf = home(big, evse("b", mode="fast", circuit="garage", max_current_a=15.0), circuits=[feed])
    boxes = {"a": Box(Car(phases=1, max_current_a=32), max_phases=1, max_current_a=32), "b": one_phase()}
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes=boxes)
    day.until(9 * HOUR)
    assert day.code("a") == ("never-fits-power" if watts else "never-fits")
    assert day.starts("a") == 0
    assert day.told("b")[-1][1] == 15
    decided = day.point("a").decided
    assert decided is not None
    assert sentence(decided.limit) == (
        "never fits: it needs at least 4.6 kW, and garage allows 3.5 kW"
        if watts
        else "never fits: it needs at least 20 A, and the fuse garage bears 16 A"
    )


def test_who_needs_more_than_is_guaranteed_holds_no_place_while_the_meter_is_away(tmp_path):
    """10 A are guaranteed: nothing for the one that begins at 12, and all of it for the other."""
    van = evse("a", mode="fast", circuit="main", vehicle=Vehicle("van", min_current_a=12.0))
    conf = home(van, evse("b", mode="fast", circuit="main"), circuits=[fuse(guaranteed_current_a=10)])
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(), "b": one_phase()})
    for channel in ("meter1", "inverter"):
        day.meters.fault(channel).silent = True
    day.until(9 * HOUR)
    assert (day.code("a"), day.code("b")) == ("circuit-blind", "circuit-blind")
    assert day.told("b")[-1][1] == 10


def test_who_is_put_first_while_it_waits_is_given_the_room(tmp_path):
    """10 A for two: the first one has them, until somebody says that the other comes first, and until it no longer does."""
    feed = CircuitSettings("garage", 10, phases=1)
    conf = home(evse("a", mode="fast", circuit="garage"), evse("b", mode="fast", circuit="garage"), circuits=[feed])
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(), "b": one_phase()})
    day.until(9 * HOUR)
    assert (box_w(day, "a") > 1300, box_w(day, "b") > 0) == (True, False)
    assert order_of(day.site) == ("a", "b")
    day.run.ask(LimitSet("b", "priority", 5, "anna"), by="anna")
    assert order_of(day.site) == ("b", "a")
    day.until(9.5 * HOUR)
    assert (box_w(day, "a") > 0, box_w(day, "b") > 1300) == (False, True)
    day.run.ask(LimitSet("b", "priority", None, "anna"), by="anna")
    assert order_of(day.site) == ("a", "b")
    day.run.ask(LimitSet("a", "priority", 1, "anna"), by="anna")
    day.until(10 * HOUR)
    assert (box_w(day, "a") > 1300, box_w(day, "b") > 0) == (True, False)


def test_the_least_that_somebody_has_set_is_what_is_kept_free(tmp_path):
    """28 A: one takes 16, and 11 are left for one that was set to 12 at least: the first one makes room for 12, not for 6."""
    conf = home(evse("a", mode="fast", circuit="main"), evse("b", mode="off", circuit="main"), circuits=[fuse(28)])
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(), "b": one_phase()})
    day.until(8.5 * HOUR)
    assert day.told("a")[-1][1] == 16
    day.run.ask(LimitSet("b", "min_current_a", 12, "anna"), by="anna")
    day.ask("b", "fast")
    day.until(9 * HOUR)
    assert (day.told("a")[-1][1], day.told("b")[-1][1]) == (15, 12)


class Deaf:
    """An EVSE that takes every command and goes no higher than a limit of its own, 0 for none."""

    def __init__(self, driver: HomeEvse, most_a: float) -> None:
        self.driver, self.most_a, self.told = driver, most_a, 0

    def __getattr__(self, name: str):
        return getattr(self.driver, name)

    def apply(self, command) -> None:
        self.told += 1
        if isinstance(command, SetCurrent) and self.most_a:
            command = structs.replace(command, current_a=min(command.current_a, self.most_a))
        self.driver.apply(command)


def test_a_charger_that_ignores_a_raise_is_given_up_and_the_other_has_the_rest(tmp_path):
    """S1-22: three tries, then it is said, and tried once an hour; what it does not take is the other's. A new try on request."""
    deaf: list[Deaf] = []

    def spoil(name, driver):
        if name != "a-box":
            return driver
        deaf.append(Deaf(driver, 8))
        return deaf[0]

    boxes = {"a": one_phase(), "b": one_phase()}
    day = SunDay(tmp_path, home(evse("a"), evse("b")), pv=sun.steady(5300), boxes=boxes, spoil=spoil)
    day.until(9 * HOUR)
    assert day.code("a") == "raise-ignored"
    decided = day.point("a").decided
    assert decided is not None
    assert "times, and the charger stays at 8 A" in sentence(decided.limit)
    assert box_w(day, "b") > 2700, "half of the sun is 2500 W, of which the first takes 1840 only"
    (problem,) = problems(day.site, day.clock.now_ms())
    assert (problem.code, problem.subject, problem.severity) == ("raise-ignored", "a", 4)
    before = deaf[0].told
    day.until(12 * HOUR)
    assert deaf[0].told - before <= 12, "a few times an hour"
    assert [p.code for p in problems(day.site, day.clock.now_ms())] == ["raise-ignored"]
    deaf[0].most_a = 0
    day.ask("a", "fast")
    day.until(12.1 * HOUR)
    assert day.evse("a").offered_a == 16
    assert problems(day.site, day.clock.now_ms()) == ()


def test_a_car_that_takes_less_than_it_is_offered_is_no_fault_of_the_charger(tmp_path):
    """The EVSE offers 16 A, as it was told; the car takes 8."""
    conf = home(evse("a", mode="fast"))
    day = SunDay(tmp_path, conf, pv=sun.steady(0), boxes={"a": one_phase(max_current_a=8)})
    day.until(9 * HOUR)
    assert (day.evse("a").offered_a, day.code("a")) == (16, "charging-fast")
    assert problems(day.site, day.clock.now_ms()) == ()


def test_a_charger_that_goes_neither_down_nor_off_is_an_alarm(tmp_path):
    """S1-22: it is told for ever, because a fuse depends on it, and after three times somebody is told."""
    day = SunDay(tmp_path, home(evse("a", mode="fast")), pv=sun.steady(0), boxes={"a": one_phase()})
    day.until(8.5 * HOUR)
    day.evses["a"].apply = lambda _: None
    day.ask("a", "slow")
    day.until(8.6 * HOUR)
    (problem,) = problems(day.site, day.clock.now_ms())
    assert (problem.code, problem.severity) == ("does-not-follow", 3)
    assert "to offer 6 A" in problem.text
    assert "goes on offering 16 A" in problem.text


def test_house_battery_is_part_of_what_the_fuse_bears(tmp_path):
    """Wish 8: "it ignores the battery": one that is charged from the grid leaves less for the car."""
    battery = HouseBattery(50_000, soc_pct=50, max_charge_w=4000)
    conf = home(evse(mode="fast", circuit="main"), circuits=[fuse(16)], storage=house_battery())
    day = SunDay(
        tmp_path, conf, pv=sun.steady(0), load=sun.steady(9000), battery=battery, boxes={"garage": one_phase()}
    )
    day.until(9 * HOUR)
    worst = max(m.grids_w[0] / m.voltages_v[0] for m, _ in day.moments if m.at_s > 8.1 * HOUR)
    assert worst <= 16.5


def busy(seed: int) -> sun.Power:
    """A house in which big things are switched on and off at random, never more than 30 A on a phase."""
    dice = random.Random(seed)
    spells = [(dice.uniform(0, 14_000) * (dice.random() < 0.5), dice.randrange(30, 600)) for _ in range(400)]

    def power_w(at_s: float) -> float:
        left_s = (at_s - 8 * HOUR) % sum(s for _, s in spells)
        for watts, lasts_s in spells:
            if left_s < lasts_s:
                return 200.0 + watts
            left_s -= lasts_s
        return 200.0

    return power_w


def test_on_random_days_the_fuse_bears_what_is_decided(tmp_path, seed):
    """S1-42, wish 8: two cars, random loads and clouds: above 35 A a phase only while a reading and a command are under way."""
    dice = random.Random(seed)
    modes = [dice.choice(["solar", "fast", "min-solar", "slow"]) for _ in range(2)]
    points = [evse(name, mode=mode, circuit="main") for name, mode in zip("ab", modes, strict=True)]
    sky = sun.clouds(sun.clear_sky(7000), seed)
    boxes = {"a": one_phase(), "b": Box(Car(phases=3, capacity_wh=1e6))}
    day = SunDay(
        tmp_path, home(*points, circuits=[fuse(35)]), pv=sky, load=busy(seed), boxes=boxes, switches=dice.random() < 0.5
    )
    day.until(10 * HOUR)
    house_only = [max(0.0, m.load_w * 0.5) / m.voltages_v[0] for m, _ in day.moments]
    assert max(house_only) < 35
    assert highest_a(day, 8 * HOUR) <= 1.05 * 35
    for name in "ab":
        assert all(a == 0 or 6 <= a <= 16 for _, a in day.told(name))
        assert all(later <= before + 5 for (_, before), (_, later) in pairwise(day.told(name)) if before)
