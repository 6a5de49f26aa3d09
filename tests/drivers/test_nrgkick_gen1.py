"""NRGkick of the first generation: what the Connect box says is read as it is, and commands are one message each."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chargerd.drivers.base import AccessDenied, Driver, UnexpectedAnswer, Unreachable
from chargerd.drivers.nrgkick_gen1 import PAUSE_S
from chargerd.model.commands import SetCurrent, SetPhases
from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.nrgkick import SimulatedGen1
from chargerd.sim.wire.web import Reply
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import NOON_S, Garage, only

MAC = "00:11:22:33:44:55"
# As a real box answered, evcc issue 9788, with the address of the charger replaced.
MEASURED = (
    '{"ChargingCurrentPhase":[0.0,0.0,0.0],"ChargingEnergy":0.006,"ChargingEnergyOverAll":3264.674,"ChargingEnergyPhase":'
    '[0.006,0.0,0.0],"ChargingPower":0.0,"ChargingPowerPhase":[0.0,0.0,0.0],"Frequency":50.0,"TemperatureMainUnit":41.0,'
    '"VoltagePhase":[238.7,124.1,59.0],"MacAddress":"00:11:22:33:44:55","Online":true,"Timestamp":1694594408}'
)
SETTINGS = (
    '{"Info":{"ErrorCodes":["0"],"Connected":true},"Values":{"ChargingStatus":{"Charging":false},"ChargingEnergy":{"Value":'
    '199.97,"Limited":false,"Min":0.5,"Max":200.0},"ChargingCurrent":{"Value":6.0,"Min":6.0,"Max":16.0},"Settings":'
    '{"Average_kWh_consumption":{"Value":20.0,"Min":0.1,"Max":99.9},"CostsPer_kWh":{"Value":0.28,"Min":0.01,"Max":2.49},'
    '"Efficacy":{"Value":95.0,"Min":10.0,"Max":100.0},"BLETransmissionPower":{"Value":4,"Min":1,"Max":4}},"DeviceMetadata":'
    '{"Name":"NRGkick_Garage","Password":null,"PasswordMatch":true}},"ProductType":"NRGkick","HardwareVersion":"1",'
    '"FirmwareVersion":"1","MacAddress":"00:11:22:33:44:55","Online":true,"Timestamp":1694594379}'
)


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


def connect(garage: Garage, box: SimulatedGen1, pin: str | None = "0123") -> Driver:
    """The driver for a box, with the PIN that it has by default."""
    secrets = {} if pin is None else {"password": pin}
    return garage.driver("nrgkick", box, secrets=secrets, generation=1, mac=MAC)


def body(box: SimulatedGen1) -> object:
    """The object of the last PUT."""
    return json.loads(box.puts[-1].body)


# What it reads


def test_a_charger_says_what_it_is(garage):
    """The limits are the unit's own; the pause between commands is declared, so that the daemon keeps it."""
    added = connect(garage, garage.gen1(garage.evse(max_a=32.0))).describe()
    assert (added.driver, added.model, added.device_id, added.firmware) == ("nrgkick", "NRGkick Gen1", MAC, "1")
    assert (added.min_current_a, added.max_current_a, added.current_step_a, added.max_phases) == (6.0, 32.0, 1.0, 3)
    assert (added.pause_s, PAUSE_S, added.accepts, added.has_pilot) == (10.0, 10.0, ("SetCurrent",), False)
    assert (added.lease, added.lease_current_a) == ("none", None)


def test_answers_of_a_real_box_are_read(garage):
    """Recorded ones: every field in its unit, and 124 V and 59 V on phases that are not there stay what they are."""
    box = garage.gen1()
    box.behaviour.instead[f"/api/measurements/{MAC}"] = Reply(200, MEASURED.encode())
    box.behaviour.instead[f"/api/settings/{MAC}"] = Reply(200, SETTINGS.encode())
    reading = only(connect(garage, box).read())
    assert (reading.channel, reading.enabled, reading.offered_a, reading.pilot) == ("", False, 6.0, None)
    assert (reading.power_w, reading.energy_wh, reading.status) == (0.0, 3_264_674.0, "paused")
    assert (reading.voltage_l1_v, reading.voltage_l2_v, reading.voltage_l3_v) == (238.7, 124.1, 59.0)
    assert (reading.current_l1_a, reading.current_l2_a, reading.current_l3_a) == (0.0, 0.0, 0.0)
    assert reading.measured_at_ms == 1_694_594_408_000
    assert (reading.phases, reading.lease_s) == (None, None)


def test_a_charging_car_is_read(garage):
    """A car with two phases at 10 A takes 4600 W, and 46 kWh in ten hours."""
    evse = garage.evse(Car(phases=2))
    evse.offer(10.0, paused=False)
    garage.now_s += 36_000
    reading = only(connect(garage, garage.gen1(evse)).read())
    assert (reading.enabled, reading.pilot, reading.status, reading.offered_a) == (True, "C", "charging", 10.0)
    assert (reading.power_w, reading.energy_wh) == (4600.0, 46_000.0)
    assert (reading.current_l1_a, reading.current_l2_a, reading.current_l3_a) == (10.0, 10.0, 0.0)
    assert reading.measured_at_ms == (NOON_S + 36_000) * 1000


def test_a_ghost_voltage_is_reported_as_measured(garage):
    """125 V on a phase that is not connected: the driver judges nothing, and no current flows there."""
    evse = garage.evse(Car(), volts=(230.0, 125.0, 60.0))
    evse.offer(16.0, paused=False)
    reading = only(connect(garage, garage.gen1(evse)).read())
    assert (reading.voltage_l2_v, reading.current_l2_a, reading.power_w) == (125.0, 0.0, 3680.0)


def test_a_charger_that_charges_although_paused_is_told_as_both(garage):
    """A car was connected and it began by itself: the box says "not charging" and 4140 W. The driver judges nothing."""
    evse = garage.evse(Car())
    evse.stubborn = True
    reading = only(connect(garage, garage.gen1(evse)).read())
    assert (reading.enabled, reading.pilot, reading.power_w, reading.status) == (False, "C", 4140.0, "charging")


def test_a_car_that_takes_nothing_looks_like_none(garage):
    """Allowed to charge, nothing flows: the box does not say whether anybody is there."""
    evse = garage.evse(Car(wants=False))
    evse.offer(16.0, paused=False)
    reading = only(connect(garage, garage.gen1(evse)).read())
    assert (reading.enabled, reading.pilot, reading.power_w, reading.status) == (True, None, 0.0, "allowed")


def test_errors_of_the_charger_are_told(garage):
    """By their codes, which nobody has written down; the pilot stays unknown."""
    box = garage.gen1()
    box.errors = ["12", "0"]
    reading = only(connect(garage, box).read())
    assert (reading.pilot, reading.status) == (None, "paused, error 12")


def test_a_box_without_its_charger_is_unreachable(garage):
    """The box answers over HTTP and has lost Bluetooth: its old figures are no reading, and no command arrives."""
    box = garage.gen1()
    driver = connect(garage, box)
    driver.read()
    box.linked = False
    with pytest.raises(Unreachable, match="No content found for this request"):
        driver.read()
    with pytest.raises(Unreachable):
        driver.apply(SetCurrent("garage", 6.0))
    box.linked = True
    for kind, text in (("settings", SETTINGS.replace('"Connected":true', '"Connected":false')), ("measurements", "")):
        offline = text or MEASURED.replace('"Online":true', '"Online":false')
        box.behaviour.instead = {f"/api/{kind}/{MAC}": Reply(200, offline.encode())}
        with pytest.raises(Unreachable, match="Connect box answers and"):
            driver.read()


def test_a_box_that_hears_nothing_more_tells_when_it_last_did(garage):
    """Its clock stands still with its figures; one that never had a clock tells none."""
    box = garage.gen1()
    driver = connect(garage, box)
    first = only(driver.read())
    box.deaf = True
    garage.now_s += 600
    assert only(driver.read()) == first
    box.deaf = False
    assert only(driver.read()).measured_at_ms == first.measured_at_ms + 600_000
    unset = MEASURED.replace('"Timestamp":1694594408', '"Timestamp":0')
    box.behaviour.instead[f"/api/measurements/{MAC}"] = Reply(200, unset.encode())
    assert only(driver.read()).measured_at_ms is None


# What it is told


def test_a_command_is_one_put_with_both_fields_and_the_pin_as_text(garage):
    """``0123`` as a number would be no JSON; the limits of the unit are left alone."""
    box = garage.gen1()
    connect(garage, box).apply(SetCurrent("garage", 11.0))
    (put,) = box.puts
    assert put.path == f"/api/settings/{MAC}"
    assert put.headers["Content-Type"] == "application/json"
    assert json.loads(put.body) == {
        "Values": {
            "ChargingStatus": {"Charging": True},
            "ChargingCurrent": {"Value": 11},
            "DeviceMetadata": {"Password": "0123"},
        }
    }
    assert (box.evse.offered_a, box.evse.paused, box.evse.min_a, box.evse.max_a) == (11.0, False, 6.0, 16.0)


def test_a_pause_offers_the_least(garage):
    """A charger that starts by itself afterwards does so with 6 A."""
    evse = garage.evse(Car())
    evse.offer(16.0, paused=False)
    box = garage.gen1(evse)
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 0.0))
    assert body(box)["Values"]["ChargingStatus"] == {"Charging": False}
    assert (evse.paused, evse.offered_a) == (True, 6.0)
    reading = only(driver.read())
    assert (reading.enabled, reading.power_w) == (False, 0.0)


def test_the_same_command_twice_is_harmless(garage):
    """It is sent again, since the charger may have started by itself, and nothing changes."""
    box = garage.gen1()
    driver = connect(garage, box)
    for _ in range(2):
        driver.apply(SetCurrent("garage", 9.0))
        garage.now_s += PAUSE_S
    assert (len(box.puts), box.evse.offered_a, box.evse.paused) == (2, 9.0, False)


def test_of_two_commands_in_the_same_second_only_the_first_counts(garage):
    """Which is why a pause between commands is declared: after it, the second one works."""
    box = garage.gen1()
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 9.0))
    driver.apply(SetCurrent("garage", 12.0))
    assert only(driver.read()).offered_a == 9.0
    garage.now_s += PAUSE_S
    driver.apply(SetCurrent("garage", 12.0))
    assert only(driver.read()).offered_a == 12.0


def test_a_box_that_tells_old_settings_is_believed_later(garage):
    """It goes on saying what was set before for 8 s; the command counts as accepted all the same."""
    box = garage.gen1()
    box.lag_s = 8.0
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 9.0))
    assert only(driver.read()).offered_a == 6.0
    garage.now_s += 8
    assert only(driver.read()).offered_a == 9.0


@pytest.mark.parametrize(("asked_a", "set_a"), [(6.9, 6.0), (12.999_999_99, 13.0), (16.4, 16.0)])
def test_a_current_becomes_whole_amperes_and_never_more(garage, asked_a, set_a):
    """This generation knows no tenths."""
    box = garage.gen1()
    connect(garage, box).apply(SetCurrent("garage", asked_a))
    assert box.evse.offered_a == set_a


@pytest.mark.parametrize("asked_a", [5.9, 17.0, -6.0, float("nan"), float("inf")])
def test_a_current_that_the_unit_does_not_take_is_not_sent(garage, asked_a):
    """The limits are the unit's own, 6 to 16 A."""
    box = garage.gen1()
    with pytest.raises(UnexpectedAnswer, match="garage takes 6 to 16 A"):
        connect(garage, box).apply(SetCurrent("garage", asked_a))
    assert box.puts == []


def test_phases_cannot_be_switched(garage):
    """This generation has no way to."""
    box = garage.gen1()
    with pytest.raises(UnexpectedAnswer, match="cannot do that: SetPhases"):
        connect(garage, box).apply(SetPhases("garage", 1))
    assert box.puts == []


@pytest.mark.parametrize("pin", ["9999", "123"])
def test_a_wrong_pin_is_a_matter_for_a_person_and_is_not_told(garage, pin):
    """The box takes the message and says that the PIN does not match; 123 is not 0123."""
    box = garage.gen1()
    with pytest.raises(AccessDenied, match="refuses the PIN; nothing was changed") as caught:
        connect(garage, box, pin=pin).apply(SetCurrent("garage", 9.0))
    assert pin not in str(caught.value)
    assert (box.evse.offered_a, box.evse.paused) == (6.0, True)


def test_without_a_pin_it_is_only_looked_at(garage):
    """Reading needs none; a command says what to do, and is not tried without."""
    box = garage.gen1()
    driver = connect(garage, box, pin=None)
    assert only(driver.read()).power_w == 0.0
    with pytest.raises(AccessDenied, match="give password in the configuration"):
        driver.apply(SetCurrent("garage", 9.0))
    assert box.puts == []


def test_a_refusal_reaches_the_user_in_the_box_s_own_words(garage):
    """Whatever it may be, and whatever its status."""
    box = garage.gen1()
    driver = connect(garage, box)
    driver.describe()
    for status in (200, 400):
        box.behaviour.instead[f"/api/settings/{MAC}"] = Reply(status, {"Message": "Charger is updating, 0123"})
        with pytest.raises(UnexpectedAnswer, match="garage refused: Charger is updating, …") as caught:
            driver.apply(SetCurrent("garage", 9.0))
        assert "0123" not in caught.value.raw


def test_a_refusal_without_a_word_is_no_acceptance(garage):
    """A page that is not there, or whatever else is no success."""
    box = garage.gen1()
    driver = connect(garage, box)
    driver.describe()
    box.behaviour.instead[f"/api/settings/{MAC}"] = Reply(404, b"<html>")
    with pytest.raises(UnexpectedAnswer, match=r"makes no sense \(HTTP 404\)"):
        driver.apply(SetCurrent("garage", 9.0))


def test_an_empty_answer_to_a_command_is_an_acceptance(garage):
    """Not every firmware echoes what it has set."""
    box = garage.gen1()
    driver = connect(garage, box)
    driver.describe()
    box.behaviour.instead[f"/api/settings/{MAC}"] = Reply(200, b"")
    driver.apply(SetCurrent("garage", 9.0))
    assert body(box)["Values"]["ChargingCurrent"] == {"Value": 9}


# Answers that make no sense


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("measurements", "<html>", "makes no sense"),
        ("measurements", MEASURED.replace("[238.7,124.1,59.0]", "[238.7]"), "VoltagePhase that is no list of three"),
        (
            "measurements",
            MEASURED.replace('"ChargingPower":0.0', '"ChargingPower":"0"'),
            "ChargingPower that is no number",
        ),
        ("settings", "{}", "without Info"),
        ("settings", '{"Info":{"Connected":true}}', "without Values"),
        ("settings", SETTINGS.replace('{"Charging":false}', "7"), "without Values.ChargingStatus"),
        ("settings", SETTINGS.replace('"Value":6.0', '"Value":true'), "ChargingCurrent.Value that is no number"),
    ],
)
def test_an_answer_of_another_shape_is_named_and_kept(garage, kind, text, says):
    """Our bug or a new firmware: the field is named, what came is kept for whoever looks."""
    box = garage.gen1()
    box.behaviour.instead[f"/api/{kind}/{MAC}"] = Reply(200, text.encode())
    with pytest.raises(UnexpectedAnswer, match=says) as caught:
        connect(garage, box).read()
    assert caught.value.raw == text[:400]


def test_what_the_box_does_not_say_is_unknown(garage):
    """No power, NaN for an energy, null for a current: None, never 0."""
    box = garage.gen1()
    text = (
        MEASURED.replace('"ChargingPower":0.0,', "")
        .replace("3264.674", "NaN")
        .replace("[0.0,0.0,0.0]", "[0.0,null,0.0]")
    )
    box.behaviour.instead[f"/api/measurements/{MAC}"] = Reply(200, text.encode())
    settings = SETTINGS.replace('{"Charging":false}', "{}").replace('"Value":6.0,', "")
    box.behaviour.instead[f"/api/settings/{MAC}"] = Reply(200, settings.encode())
    reading = only(connect(garage, box).read())
    assert (reading.power_w, reading.energy_wh, reading.current_l2_a) == (None, None, None)
    assert (reading.enabled, reading.offered_a, reading.pilot, reading.status) == (None, None, None, "unknown")
