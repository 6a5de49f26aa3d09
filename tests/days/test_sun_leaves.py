"""Sun, leaves: what was asked until the vehicle is disconnected holds so long, whatever else would change it, and ends then."""

from __future__ import annotations

import pytest

from chargerd.engine import timeline
from chargerd.model.events import (
    ConfigLoaded,
    Decided,
    HoldCleared,
    HoldSet,
    LimitSet,
    ModeSet,
    Reason,
    SetPoint,
)
from chargerd.model.settings import ScheduleEntry
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from tests.house import MONDAY_MS
from tests.house_sun import HOUR, SunDay, believed, evse, evse_read, home, then

MIN = 60
CURRENTS = ("max_current_a", "slow_current_a")
NINE = ScheduleEntry("garage/daily@09:00", "garage", (0, 1, 2, 3, 4, 5, 6), 540, "fast")


def car(soc_pct: float = 20.0) -> Car:
    """A car on one phase."""
    return Car(phases=1, capacity_wh=40_000, soc_pct=soc_pct)


def day_with(folder, *, soc_pct: float = 20.0, schedule=(), **settings: object) -> SunDay:
    """A sunny day with a car at the EVSE."""
    boxes = {"garage": Box(car(soc_pct), max_phases=1)}
    day = SunDay(folder, home(evse(**settings), schedule=schedule), pv=sun.steady(6000), boxes=boxes)
    day.until(8 * HOUR + 10 * MIN)
    return day


def ask(day: SunDay, mode: str, *, while_connected: bool) -> None:
    """Somebody wants a mode, for the vehicle that is there or for as long as nothing else is asked."""
    day.run.ask(ModeSet("garage", mode, "anna", while_connected=while_connected), by="anna")


@pytest.mark.parametrize("while_connected", [True, False])
def test_off_until_the_vehicle_leaves_is_not_ended_by_a_schedule(tmp_path, while_connected):
    """Off alone is; once it has left the mode is as configured again and the next one charges."""
    day = day_with(tmp_path, schedule=(NINE,))
    ask(day, "off", while_connected=while_connected)
    day.until(10 * HOUR)
    assert day.point().mode == ("off" if while_connected else "fast")
    assert (day.car_w(9.2 * HOUR, 10 * HOUR) == 0) is while_connected
    day.plug_in("garage", None)
    day.until(10 * HOUR + MIN)
    assert (day.point().mode, day.point().mode_while_connected) == (None, False)
    assert day.modes("until") == (["off"] if while_connected else [])
    day.plug_in("garage", car())
    day.until(11 * HOUR)
    assert day.car_w(10.5 * HOUR, 11 * HOUR) > 3000


def test_it_ends_also_where_the_vehicle_left_while_chargerd_was_down(tmp_path):
    """The first reading after the start tells."""
    day = day_with(tmp_path)
    ask(day, "off", while_connected=True)
    day.until(9 * HOUR)
    day.run.kill()
    day.plug_in("garage", None)
    day.begin()
    day.until(9 * HOUR + 2 * MIN)
    assert day.point().mode is None
    assert day.modes("until") == ["off"]


def test_a_charger_that_falls_silent_has_lost_no_vehicle(tmp_path):
    """Off goes on over the silence, which lasts half an hour."""
    day = day_with(tmp_path)
    ask(day, "off", while_connected=True)
    day.evses["garage"].fault.silent = True
    day.until(9 * HOUR)
    day.evses["garage"].fault.silent = False
    day.until(10 * HOUR)
    assert (day.point().mode, day.point().mode_while_connected) == ("off", True)
    assert day.car_w(8.5 * HOUR, 10 * HOUR) == 0


@pytest.mark.parametrize(("pilot", "ended"), [("B", False), ("C", False), ("F", False), (None, False), ("A", True)])
def test_only_an_evse_that_says_that_nothing_is_there_ends_it(pilot, ended):
    """A fault, or an answer without that signal, is no vehicle that has left."""
    site = believed(
        home(evse()),
        ("garage-box", evse_read(10.0)),
        ("anna", ModeSet("garage", "slow", "anna", while_connected=True)),
        ("garage-box", evse_read(0.0, pilot=pilot)),
    )
    over = [ModeSet("garage", "off", "until", while_connected=True)] if ended else []
    assert [fact for fact in timeline.due(site, MONDAY_MS) if isinstance(fact, ModeSet) and fact.by == "until"] == over


@pytest.mark.parametrize("while_connected", [True, False])
def test_slow_until_the_vehicle_leaves_is_not_led_to_the_sun(tmp_path, while_connected):
    """Slow alone is, where the loadpoint says so."""
    day = day_with(tmp_path, auto_solar_pct=0.0)
    ask(day, "slow", while_connected=while_connected)
    day.until(9 * HOUR)
    assert day.point().mode == ("slow" if while_connected else "solar")


@pytest.mark.parametrize("while_connected", [True, False])
def test_fast_until_the_vehicle_leaves_outlasts_a_full_battery(tmp_path, while_connected):
    """Fast alone is for one charge."""
    day = day_with(tmp_path, soc_pct=99.5)
    ask(day, "fast", while_connected=while_connected)
    day.until(11 * HOUR)
    assert day.last().outcome == "full-or-refused"
    assert day.point().mode == ("fast" if while_connected else None)
    day.plug_in("garage", None)
    day.until(11 * HOUR + MIN)
    assert day.point().mode is None


def test_a_current_for_the_vehicle_is_taken_back_when_it_leaves(tmp_path):
    """Not before, as one for a session would be when the car is full for the first time; and it is recorded."""
    day = day_with(tmp_path, soc_pct=99.5)
    day.run.ask(LimitSet("garage", "max_current_a", 8.0, "anna", while_connected=True), by="anna")
    ask(day, "fast", while_connected=True)
    day.until(11 * HOUR)
    assert day.last().outcome == "full-or-refused"
    assert max(a for _, a in day.told(since_s=8 * HOUR + 11 * MIN)) == 8
    assert day.point().overrides["max_current_a"].value == 8
    day.plug_in("garage", None)
    day.until(11 * HOUR + MIN)
    assert day.point().overrides == {}
    assert [e.body.by for e in day.all(LimitSet)] == ["anna", "until"]


def test_a_hold_for_the_vehicle_is_released_when_it_leaves(tmp_path):
    """Nothing was sent so long, and the next one is charged."""
    day = day_with(tmp_path)
    day.run.ask(HoldSet("anna", "garage", while_connected=True), by="anna")
    ask(day, "off", while_connected=False)
    before = len(day.told())
    day.until(9 * HOUR)
    assert len(day.told()) == before
    assert day.point().hold is not None
    day.plug_in("garage", None)
    day.until(9 * HOUR + MIN)
    assert day.point().hold is None
    assert [e.body.by for e in day.all(HoldCleared)] == ["until"]


def test_what_was_asked_for_the_vehicle_at_one_charger_is_not_for_the_one_at_another():
    """The loadpoint gets another charger: a hold and a current for the car at the old one end; those without that end stay."""
    asked = [HoldSet("anna", "garage", while_connected=True)]
    asked += [LimitSet("garage", key, 8.0, "anna", while_connected=key == "max_current_a") for key in CURRENTS]
    site = believed(home(evse()), ("garage-box", evse_read(10.0)), *(("anna", fact) for fact in asked))
    assert site.loadpoints["garage"].hold is not None
    site = then(site, 10, ("daemon", ConfigLoaded(home(evse(charger="new-box")))))
    assert site.loadpoints["garage"].hold is None
    assert list(site.loadpoints["garage"].overrides) == ["slow_current_a"]


def test_a_mode_that_an_alarm_ends_has_no_end_with_the_car_any_more():
    """What is as configured again is not said to be so until disconnected, and schedules count."""
    site = believed(
        home(evse()),
        ("garage-box", evse_read(10.0)),
        ("anna", ModeSet("garage", "fast", "anna", while_connected=True)),
    )
    on, why = SetPoint(enabled=True), Reason("charging-fast", {"current_a": 16.0})
    site = then(site, 10, ("engine", Decided("garage", "fixed", on, on, why, outcome="fault")))
    assert (site.loadpoints["garage"].mode, site.loadpoints["garage"].mode_while_connected) == (None, False)
