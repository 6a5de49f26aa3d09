"""Sun, button: whose doing it is when an EVSE begins or pauses by itself, and that off stays off when it is nobody's."""

from __future__ import annotations

import pytest

from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from tests.house_sun import HOUR, SunDay, evse, home

MIN = 60


def car() -> Car:
    """A car that is never full."""
    return Car(phases=1, capacity_wh=1e6)


def switched_off(folder, **settings: object) -> SunDay:
    """A car that was charged and then switched off by somebody, twenty minutes later."""
    boxes = {"garage": Box(car(), max_phases=1)}
    day = SunDay(folder, home(evse(**settings)), pv=sun.steady(0), boxes=boxes)
    day.ask("garage", "fast")
    day.until(8 * HOUR + 10 * MIN)
    day.ask("garage", "off")
    day.until(8 * HOUR + 20 * MIN)
    assert day.told()[-1][1] == 0
    return day


def begins(day: SunDay, current_a: float = 16.0) -> None:
    """The EVSE begins to offer current, and nobody has told it to."""
    day.evses["garage"].box.offer(day.now_s(), enabled=True, current_a=current_a)


def stays_off(day: SunDay) -> None:
    """It is told off once more and heeds it, and the mode is what somebody asked for."""
    day.until(9 * HOUR)
    assert (day.point().mode, day.point().mode_by) == ("off", "anna")
    assert day.modes("device") == []
    assert not day.evses["garage"].box.enabled
    assert day.car_w(8.5 * HOUR, 9 * HOUR) == 0


def test_off_outlives_a_power_cut_of_everything(tmp_path):
    """The daemon and the charger were without power, and the charger comes up charging: that is nobody at its button."""
    day = switched_off(tmp_path)
    day.run.kill()
    day.house.advance(day.now_s())
    begins(day)
    day.begin()
    stays_off(day)


@pytest.mark.parametrize("silent_s", [30, 300])
def test_off_outlives_a_power_cut_of_the_charger(tmp_path, silent_s):
    """Too short to be called lost, or not: what happened while it was not read was seen by nobody."""
    day = switched_off(tmp_path)
    day.evses["garage"].fault.silent = True
    day.until(8 * HOUR + 20 * MIN + silent_s)
    begins(day)
    day.evses["garage"].fault.silent = False
    stays_off(day)


def test_off_outlives_a_charger_that_begins_when_a_vehicle_is_plugged_in(tmp_path):
    """Some do, a minute after it or at once."""
    day = switched_off(tmp_path, mode="off")
    day.plug_in("garage", None)
    day.until(8 * HOUR + 21 * MIN)
    day.ask("garage", "off")
    day.until(8 * HOUR + 22 * MIN)
    day.plug_in("garage", car())
    day.until(8 * HOUR + 23 * MIN)
    begins(day, 6.0)
    stays_off(day)


def test_off_outlives_a_command_that_is_carried_out_late(tmp_path):
    """A device that hung does what it was told before: twenty seconds after it was told off."""
    day = switched_off(tmp_path)
    day.ask("garage", "fast")
    day.until(8 * HOUR + 21 * MIN)
    day.ask("garage", "off")
    day.until(8 * HOUR + 21 * MIN + 20)
    begins(day)
    stays_off(day)


def test_who_presses_the_button_later_is_heard_all_the_same(tmp_path):
    """People win: ten minutes after somebody said off, while it was read all the time, and after it came up by itself once."""
    day = switched_off(tmp_path)
    day.run.kill()
    day.house.advance(day.now_s())
    begins(day)
    day.begin()
    day.until(8 * HOUR + 30 * MIN)
    day.evses["garage"].press()
    day.until(9 * HOUR)
    assert day.modes("device") == ["slow"]
    assert day.car_w(8.75 * HOUR, 9 * HOUR) > 1300


def test_a_charger_that_begins_with_just_what_the_sun_allows_stays_with_the_sun(tmp_path):
    """It begins by itself at plugging in, and is not told anything because it is right: minutes later that is still nobody."""
    boxes = {"garage": Box(None, max_phases=1)}
    day = SunDay(tmp_path, home(evse()), pv=sun.steady(7000), boxes=boxes, from_s=10 * HOUR)
    day.until(10 * HOUR + 2 * MIN)
    day.plug_in("garage", car())
    begins(day)
    day.until(10 * HOUR + 15 * MIN)
    assert day.modes("device") == []
    assert day.point().mode is None
    assert day.code() == "charging-with-sun"
