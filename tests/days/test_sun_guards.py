"""Guards of a charge with sun, each under a sky on which nothing else would do what it does."""

from __future__ import annotations

import pytest

from chargerd.engine.balance import picture
from chargerd.model.commands import SetPhases
from chargerd.model.events import LimitSet
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from tests.house_sun import HOUR, SunDay, evse, home

MIN = 60


def one_phase() -> Box:
    """An EVSE on one phase, and a car that is never full."""
    return Box(Car(phases=1, capacity_wh=1e6), max_phases=1)


def box_w(day: SunDay, name: str) -> float:
    """What a car takes now."""
    return day.house.box_w(list(day.evses).index(name))


def test_a_gleam_of_half_a_minute_starts_nothing(tmp_path):
    """S1-08: so bright that the mean of five minutes is enough; it has to last for a minute."""
    gleam = lambda at_s: 20_000.0 if 8.25 * HOUR <= at_s < 8.25 * HOUR + 30 else 300.0  # noqa: E731
    day = SunDay(tmp_path, home(evse(), peak_w=20_000.0), pv=gleam, boxes={"garage": one_phase()})
    day.until(8.5 * HOUR)
    assert "sun-enough" in day.codes()
    assert day.told() == []


def test_sun_that_is_enough_for_a_minute_and_too_little_on_average_starts_nothing(tmp_path):
    """S1-08: 1700 W for a minute and a half, and 200 W for another: the car needs 1380 and would have half of it bought."""
    wave = lambda at_s: 2000.0 if at_s % 180 < 90 and at_s > 8.2 * HOUR else 500.0  # noqa: E731
    day = SunDay(tmp_path, home(evse()), pv=wave, boxes={"garage": one_phase()})
    day.until(9 * HOUR)
    assert "sun-on-average" in day.codes()
    assert day.told() == []


def test_after_a_pause_it_stays_paused_for_five_minutes(tmp_path):
    """S1-08: half a minute without sun, and then more than it needs: the contactor rests all the same, and no longer."""
    hole = lambda at_s: 100.0 if 8.5 * HOUR <= at_s < 8.5 * HOUR + 30 else 5000.0  # noqa: E731
    day = SunDay(tmp_path, home(evse(borrow_wh=2.0)), pv=hole, boxes={"garage": one_phase()})
    day.until(9 * HOUR)
    assert day.starts() == 2
    paused_s = next(at_s for at_s, current_a in day.told(since_s=8.5 * HOUR) if not current_a)
    again_s = next(at_s for at_s, current_a in day.told(since_s=paused_s) if current_a)
    assert paused_s < 8.5 * HOUR + MIN
    assert 5 * MIN <= again_s - paused_s <= 5 * MIN + 20
    assert "minimum-off-time" in day.codes()


def test_slow_stays_at_the_least_whatever_the_sun_does(tmp_path):
    """S1-05: for two hours under clouds that come and go, 6 A and nothing else."""
    sky = sun.clouds(sun.steady(8000), 4, depth=0.9)
    day = SunDay(tmp_path, home(evse(mode="slow")), pv=sky, boxes={"garage": one_phase()})
    day.until(10 * HOUR)
    assert [current_a for _, current_a in day.told()] == [6]
    assert max(m.cars_w for m, _ in day.moments) < 6.1 * 235


def test_a_loadpoint_on_one_phase_begins_with_the_sun_for_one(tmp_path):
    """S1-10: the charger has three, its loadpoint is wired for one: 2000 W are enough, and 8 A of them."""
    box = Box(Car(phases=1, capacity_wh=1e6), max_phases=3)
    day = SunDay(tmp_path, home(evse(max_phases=1)), pv=sun.steady(2300), boxes={"garage": box})
    day.until(8 * HOUR + 2 * MIN)
    assert day.starts() == 1
    day.until(8.5 * HOUR)
    assert day.told()[-1][1] == 8
    assert day.car_w(8.25 * HOUR, 8.5 * HOUR) == pytest.approx(8 * 230, abs=40)
    assert not [c for _, c in day.evses["garage"].commands if isinstance(c, SetPhases)]


@pytest.mark.parametrize("voltage_v", [220.0, 240.0])
@pytest.mark.parametrize("phases", [1, 3])
def test_what_a_car_really_takes_is_the_share_at_any_voltage(tmp_path, voltage_v, phases):
    """S1-11: 2.4 kW for each phase: current is worked out from the volts that the charger measures."""
    box = Box(Car(phases=phases, capacity_wh=1e6), max_phases=phases)
    share_w = 2400.0 * phases
    conf = home(evse(switch_phases=False))
    day = SunDay(
        tmp_path,
        conf,
        pv=sun.steady(share_w + 300),
        boxes={"garage": box},
        switches=False,
        step_a=0.1,
        voltage_v=voltage_v,
    )
    day.until(9 * HOUR)
    taken_w = day.car_w(8.5 * HOUR, 9 * HOUR)
    assert picture(day.site, day.site.t_ms).surplus_w == pytest.approx(share_w, abs=10)
    assert share_w - 0.4 * voltage_v * phases <= taken_w <= share_w + 5


def test_who_is_put_first_while_the_sun_shines_has_it(tmp_path):
    """S1-26, S1-34: sun for one; the first car has it until somebody says that the other one comes first."""
    boxes = {"a": one_phase(), "b": one_phase()}
    day = SunDay(tmp_path, home(evse("a"), evse("b")), pv=sun.steady(2600), boxes=boxes)
    day.until(8.5 * HOUR)
    assert (box_w(day, "a") > 1300, box_w(day, "b")) == (True, 0)
    day.run.ask(LimitSet("b", "priority", 5, "anna"), by="anna")
    day.until(9 * HOUR)
    assert (box_w(day, "a"), box_w(day, "b") > 1300) == (0, True)
    day.run.ask(LimitSet("b", "priority", None, "anna"), by="anna")
    day.run.ask(LimitSet("a", "priority", 1, "anna"), by="anna")
    day.until(9.5 * HOUR)
    assert (box_w(day, "a") > 1300, box_w(day, "b")) == (True, 0)
