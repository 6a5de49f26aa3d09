"""Meters that say nothing, the same for ever, or nonsense are told of, with what that means for charging."""

import pytest
from msgspec import structs

from chargerd.engine.describe import problems
from chargerd.engine.silence import asleep
from chargerd.model.events import DeviceLost
from chargerd.model.settings import CircuitSettings
from chargerd.sim.homes import BATTERY, INVERTER, METER
from tests.sunny import PLAIN, Home, with_point


@pytest.fixture
def home(tmp_path):
    """A car that has charged on sun for a quarter of an hour, while the load of the house moves about."""
    home = Home(tmp_path)
    yield living(home, 900)
    home.run.kill()


def living(home: Home, until_s: float) -> Home:
    """Let the time pass in a house whose load is never twice the same."""
    while home.clock.mono < until_s * 1000:
        home.load_w += 1.0
        home.until(home.clock.mono / 1000 + 10)
    return home


def told(home: Home) -> dict[str, tuple[str, str]]:
    """Subject → code and text of every problem."""
    return {p.subject: (p.code, p.text) for p in problems(home.run.site, home.clock.now_ms())}


def test_a_day_on_which_everything_answers_has_no_problem(home):
    """Nothing to report."""
    assert told(home) == {}


def test_a_grid_meter_that_falls_silent_is_named_with_who_is_paused(home):
    """The inverter still answers and says its production, so it is the meter; the car waits, and so does the rod."""
    home.meters.fault(METER).silent = True
    living(home, 1200)
    assert told(home) == {
        "grid": ("meter-silent", "has said nothing for 5 min; surplus is not known; garage, rod paused")
    }
    (problem,) = problems(home.run.site, home.clock.now_ms())
    assert problem.since_ms == home.run.site.meters["inverter/meter1"].at_ms
    assert problem.next_step == "chargerctl device read inverter"


def test_a_frozen_grid_meter_is_told_with_its_number_and_since_when(home):
    """It answers, always the very same, while the house does not stand still."""
    frozen_ms = home.clock.now_ms()
    home.meters.fault(METER).frozen = True
    living(home, 1900)
    code, text = told(home)["grid"]
    assert code == "meter-frozen"
    assert "has said the very same, -" in text
    assert text.endswith("it measures no longer; surplus is not known; garage, rod paused")
    (problem,) = problems(home.run.site, home.clock.now_ms())
    assert abs(problem.since_ms - frozen_ms) <= 10_000


def test_a_meter_that_says_what_cannot_be_lies(tmp_path):
    """35 A on three phases: ten times the power is no reading. Without a fuse to hold it against it is believed."""
    circuits = {"main": CircuitSettings("main", 35, meter="grid")}
    home = living(Home(tmp_path, structs.replace(PLAIN, circuits=circuits)), 300)
    home.meters.fault(METER).factor = -50.0
    living(home, 330)
    code, text = told(home)["grid"]
    home.run.kill()
    assert code == "meter-lies"
    assert text.startswith("says ")
    assert "which cannot be; surplus is not known" in text


def test_a_silent_house_battery_hides_the_surplus_too(home):
    """What it is charged with could be used, so nobody knows the surplus without it."""
    home.meters.fault(BATTERY).silent = True
    living(home, 1200)
    assert told(home)["house"] == (
        "meter-silent",
        "has said nothing for 5 min; surplus is not known; garage, rod paused",
    )


def test_a_silent_production_meter_costs_only_the_knowledge_of_where_it_came_from(home):
    """Charging goes on: the surplus needs the grid and the battery."""
    home.meters.fault(INVERTER).nan = True
    living(home, 1200)
    assert told(home) == {
        "pv": ("meter-silent", "is read, and does not say its power; how much is from the sun is not known")
    }


def test_a_lost_device_with_nothing_but_meters_says_who_is_paused(home):
    """One problem, of the device; its meters are not told of one by one."""
    for channel in (METER, INVERTER, BATTERY):
        home.meters.fault(channel).silent = True
    living(home, 1200)
    assert home.all(DeviceLost)
    assert list(told(home)) == ["inverter"]
    code, text = told(home)["inverter"]
    assert code == "device-lost"
    assert text.endswith("; surplus is not known; garage, rod paused")


def test_who_takes_the_smallest_current_in_any_case_is_not_called_paused(tmp_path):
    """Mode min-solar goes on without a meter."""
    home = living(Home(tmp_path, with_point("garage", mode="min-solar")), 300)
    home.meters.fault(METER).silent = True
    living(home, 600)
    text = told(home)["grid"][1]
    home.run.kill()
    assert text.endswith("surplus is not known; rod paused, garage at the smallest current")


def test_an_inverter_that_went_to_sleep_is_no_problem_for_one_night(home):
    """S1-03: it says that it sleeps, then nothing until morning. One that does not wake up is missing after all."""
    home.sun_w = 0.0
    living(home, 1000)
    assert home.run.site.meters["inverter/inverter"].status == "sleeping"
    for channel in (METER, INVERTER, BATTERY):
        home.meters.fault(channel).silent = True
    home.until(3 * 3600)
    assert asleep(home.run.site, "inverter")
    assert told(home) == {}
    home.until(25 * 3600)
    assert told(home)["inverter"][0] == "device-lost"
