"""What status says of a household, in every state that a plug's loadpoint can be in."""

import pytest

from chargerd.daemon.status import devices, loadpoint_row, session_row, status, target_text
from chargerd.model.events import DeviceLost, HoldSet, ReadFailed
from tests.daemon.hub import context
from tests.house import RAD, Day, configuration, loadpoint


@pytest.fixture
def day(tmp_path):
    """One bike that charges from a minute after midnight."""
    day = Day(tmp_path, configuration(loadpoint("bike-1")), {"bike-1": "rad-full"})
    day.until(60)
    day.charge("bike-1")
    day.until(900)
    yield day
    day.run.kill()


def test_charging_is_shown_with_power_and_reason(day):
    """The word, the power of the last reading, and the two numbers the decision rests on."""
    point = loadpoint_row(context(day), "bike-1")
    assert (point["state"], point["word"], point["reason"]["code"]) == ("charging", "charging", "charging-to-cutoff")
    assert point["power_w"] == day.run.site.chargers["shed/bike-1"].power_w
    assert point["text"] == f"drawing {point['power_w']:.0f} W, until it falls below 90 W"
    assert (point["mode"], point["mode_by"], point["target_text"]) == ("fast", "anna", "nominal, below 90 W")
    assert point["session"]["outcome"] is None


def test_old_reading_is_unknown_and_no_number(day):
    """Past the maximum age power is null, not the last value; the sentence says how old the reading is."""
    day.clock.mono += 600_000
    point = loadpoint_row(context(day), "bike-1")
    assert (point["state"], point["word"], point["power_w"]) == ("unknown", "unknown", None)
    assert point["text"].startswith("last read 10 min")
    assert status(context(day), None)["power_w"] is None


def test_lost_device_is_named(day):
    """A device that was given up is the reason, and one of the problems."""
    day.run.ask(ReadFailed("unreachable"), DeviceLost("unreachable", "no route", 60_000), by="shed")
    day.clock.mono += 660_000
    reply = status(context(day), None)
    assert reply["loadpoints"][0]["text"].startswith("shed has not answered for ")
    assert [problem["subject"] for problem in reply["problems"]] == ["shed"]
    (device,) = devices(context(day), None)["devices"]
    assert (device["reachable"], device["error"]) == (False, "unreachable")
    assert device["lost_since_local"].startswith("2024-03-04T00:")


def test_hold_is_shown_with_who_has_it(day):
    """Both a hold of the site and one of the loadpoint are shown at the loadpoint."""
    day.run.ask(HoldSet("ben"), by="ben")
    reply = status(context(day), None)
    assert (reply["held_by"], reply["loadpoints"][0]["held_by"]) == ("ben", "ben")


def test_charge_in_the_pack_follows_efficiency_and_voltage(day):
    """Ampere-hours are watt-hours ÷ volts × efficiency; another profile than the session's says nothing."""
    from msgspec import structs

    session = structs.replace(day.run.site.loadpoints["bike-1"].session, energy_wh=480.0)
    assert session_row(context(day), session, structs.replace(RAD, efficiency=0.75))["charge_ah"] == 7.5
    assert session_row(context(day), session, structs.replace(RAD, efficiency=0.95))["charge_ah"] == 9.5
    assert session_row(context(day), session, structs.replace(RAD, voltage_v=36.0))["charge_ah"] == pytest.approx(
        10.667
    )
    assert session_row(context(day), session, structs.replace(RAD, name="other"))["charge_ah"] is None
    assert session_row(context(day), session, None)["energy_wh"] == 480.0


def test_target_has_its_figure():
    """A target is shown with the power at which it is reached."""
    settings = loadpoint("bike-1")
    assert [target_text(settings, target) for target in ("nominal", "full", "storage")] == [
        "nominal, below 90 W",
        "full, below 5 W",
        "storage, below 115 W",
    ]


def test_a_hold_of_one_loadpoint_is_ended_by_its_name(day):
    """`chargerctl release` alone would end every other hold with it."""
    day.run.ask(HoldSet("ben", "bike-1"), by="ben")
    assert status(context(day), None)["loadpoints"][0]["next_step"] == "chargerctl release bike-1"
    day.run.ask(HoldSet("ben"), by="ben")
    assert status(context(day), None)["loadpoints"][0]["next_step"] == "chargerctl release"
