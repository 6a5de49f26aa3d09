"""Meters that say nothing, the same for ever, or nonsense are told of, with what that means for charging."""

import pytest
from msgspec import structs

from chargerd.engine.describe import problems
from chargerd.engine.silence import asleep
from chargerd.model.events import ConfigLoaded, DeviceLost, MeterBack, MeterLost
from chargerd.model.settings import CircuitSettings
from chargerd.sim.homes import BATTERY, INVERTER, METER
from chargerd.sim.run import Run
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


# What is told once


def lines(home: Home) -> list[tuple[str, str]]:
    """Everything that was told of meters and house batteries, in its order: the address, and the fault or "back"."""
    bodies = [event.body for event in home.events if isinstance(event.body, MeterLost | MeterBack)]
    return [(body.address, body.code if isinstance(body, MeterLost) else "back") for body in bodies]


@pytest.mark.parametrize(
    ("channel", "fault", "code"),
    [
        (METER, {"silent": True}, "silent"),
        (METER, {"nan": True}, "no-power"),
        (METER, {"frozen": True}, "frozen"),
        (INVERTER, {"far": True}, "impossible"),
        (BATTERY, {"silent": True}, "silent"),
        (BATTERY, {"nan": True}, "no-power"),
    ],
)
def test_a_channel_that_goes_is_told_once_and_once_when_it_is_back(home, channel, fault, code):
    """Its device answers all the while, so nobody else says it; hours of it are one line, a second night the same again."""
    for name in fault:
        setattr(home.meters.fault(channel), name, True)
    living(home, 900 + 2 * 3600)
    assert lines(home) == [(f"inverter/{channel}", code)]
    assert not home.all(DeviceLost)
    for name in fault:
        setattr(home.meters.fault(channel), name, False)
    living(home, 900 + 2 * 3600 + 300)
    assert lines(home) == [(f"inverter/{channel}", code), (f"inverter/{channel}", "back")]
    (back,) = home.all(MeterBack)
    ages_ms = {"frozen": 600_000, "silent": 60_000}
    assert abs(back.body.lost_ms - (2 * 3_600_000 - ages_ms.get(code, 0))) <= 30_000
    living(home, 900 + 3 * 3600)
    assert len(lines(home)) == 2


def test_what_comes_and_goes_within_the_age_of_a_reading_is_not_told(home):
    """A reading without a power now and then, 40 s of it, are no news in a journal; status shows them while they last."""
    for minute in range(15, 40, 2):
        home.meters.fault(METER).nan = True
        living(home, minute * 60 + 40)
        assert told(home)["grid"][0] == "meter-silent"
        home.meters.fault(METER).nan = False
        living(home, minute * 60 + 100)
    assert lines(home) == []


def test_a_device_that_fails_now_and_then_does_not_keep_its_silent_meter_from_being_told(home):
    """One answer in six fails, which nobody needs to know; that the grid has not been heard of for half an hour they do."""
    home.meters.fault(METER).silent = True
    for minute in range(15, 45):
        living(home, minute * 60 + 50)
        for channel in (INVERTER, BATTERY):
            home.meters.fault(channel).silent = True
        living(home, minute * 60 + 60)
        for channel in (INVERTER, BATTERY):
            home.meters.fault(channel).silent = False
    assert not home.all(DeviceLost)
    assert lines(home) == [("inverter/meter1", "silent")]


def test_one_that_is_heard_for_a_moment_only_is_not_back(home):
    """A meter that says something once in three minutes is lost all the while."""
    for minute in range(20, 50, 3):
        home.meters.fault(METER).nan = True
        living(home, minute * 60 + 150)
        home.meters.fault(METER).nan = False
        living(home, minute * 60 + 180)
    assert lines(home) == [("inverter/meter1", "no-power")]


def test_while_the_whole_device_is_silent_that_is_the_news_and_not_its_channels(home):
    """The device's own two lines; what was told of a channel before stays told."""
    home.meters.fault(BATTERY).silent = True
    living(home, 1200)
    for channel in (METER, INVERTER):
        home.meters.fault(channel).silent = True
    living(home, 2400)
    assert home.all(DeviceLost)
    for channel in (METER, INVERTER):
        home.meters.fault(channel).silent = False
    living(home, 3600)
    assert lines(home) == [("inverter/battery1", "silent")]


def test_a_restart_repeats_nothing_and_tells_what_is_back(home):
    """A daemon that is killed with a silent meter does not say it again, and says that it is back."""
    home.meters.fault(METER).silent = True
    living(home, 1200)
    home.run.kill()
    drivers = {"inverter": home.meters, "box": home.evse, "cellar": home.plug}
    home.clock.mono += 120_000
    home.run = Run(home.configuration, drivers, home.path, home.clock, watch=home.events.append)
    begun_s = home.clock.mono / 1000
    living(home, begun_s + 600)
    assert told(home)["grid"][0] == "meter-silent"
    assert lines(home) == [("inverter/meter1", "silent")]
    home.meters.fault(METER).silent = False
    living(home, begun_s + 900)
    assert lines(home) == [("inverter/meter1", "silent"), ("inverter/meter1", "back")]


def test_a_meter_that_lies_is_told_once_though_it_is_tried_again_every_hour(home):
    """S1: mounted the wrong way round. It is told at once, and back only when it has followed a step of charging again."""
    home.meters.fault(METER).factor = -1.0
    home.ask("garage", "off")
    living(home, 1200)
    home.ask("garage", "fast")
    living(home, 1500)
    (lost,) = home.all(MeterLost)
    assert lost.body.code == "against"
    for hour in range(1, 4):
        living(home, 1500 + hour * 3600)
        home.ask("garage", "slow" if hour % 2 else "fast")
    assert lines(home) == [("inverter/meter1", "against")]
    home.meters.fault(METER).factor = 1.0
    home.ask("garage", "off")
    living(home, 1500 + 3 * 3600 + 100)
    home.ask("garage", "fast")
    living(home, 1500 + 3 * 3600 + 600)
    assert lines(home) == [("inverter/meter1", "against"), ("inverter/meter1", "back")]


def test_a_house_battery_whose_level_denies_what_it_says_is_told(home):
    """It takes 400 W by its level and says that it gives them."""
    home.battery.max_charge_w = 4000.0
    home.meters.fault(BATTERY).factor = -1.0
    living(home, 900 + 3600)
    assert lines(home) == [("inverter/battery1", "contradicted")]


def test_a_meter_that_is_not_configured_any_more_is_forgotten(home):
    """Nothing is told of what nobody reads."""
    home.meters.fault(INVERTER).nan = True
    living(home, 1200)
    assert home.run.site.unbelieved
    left = {name: meter for name, meter in PLAIN.meters.items() if name != "pv"}
    home.run.ask(ConfigLoaded(structs.replace(PLAIN, meters=left), "reload"), by="daemon")
    living(home, 1500)
    assert not home.run.site.unbelieved
    assert lines(home) == [("inverter/inverter", "no-power")]


def test_an_inverter_that_is_silent_has_one_line_also_where_readings_age_sooner_than_it_is_given_up(tmp_path):
    """Readings of 20 s are too old long before the device counts as lost: its meters have no lines of their own."""
    inverter = structs.replace(PLAIN.devices["inverter"], max_age_s=20)
    quick = structs.replace(PLAIN, devices={**PLAIN.devices, "inverter": inverter})
    home = living(Home(tmp_path, quick), 600)
    for channel in (METER, INVERTER, BATTERY):
        home.meters.fault(channel).silent = True
    living(home, 1200)
    home.run.kill()
    assert len(home.all(DeviceLost)) == 1
    assert lines(home) == []
