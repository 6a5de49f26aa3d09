"""NRGkick of the second generation: state and measurements are read, commands are compared with their echo, refusals are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chargerd.drivers.base import AccessDenied, Driver, UnexpectedAnswer
from chargerd.model.commands import SetCurrent, SetEnabled, SetPhases
from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.nrgkick import SimulatedGen2
from chargerd.sim.wire.web import Reply
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage, only


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


def connect(garage: Garage, charger: SimulatedGen2, **secrets: str) -> Driver:
    """The driver for a charger."""
    return garage.driver("nrgkick", charger, secrets=secrets, generation=2)


# What it reads


def test_a_charger_says_what_it_is(garage):
    """It never takes more than the smaller of what unit and connector are made for; no pause is needed between commands."""
    added = connect(garage, garage.gen2(garage.evse(max_a=16.0), rated_a=32.0)).describe()
    assert (added.driver, added.model, added.device_id) == ("nrgkick", "NRGkick Gen2 SIM", "10000001")
    assert (added.firmware, added.accepts) == ("4.0.0.0", ("SetCurrent", "SetPhases"))
    assert (added.min_current_a, added.max_current_a, added.current_step_a, added.max_phases) == (6.0, 16.0, 0.1, 3)
    assert (added.pause_s, added.has_pilot, added.lease) == (0.0, True, "none")
    assert connect(garage, garage.gen2(garage.evse(max_a=32.0), rated_a=20.0)).describe().max_current_a == 20.0


def test_a_charger_with_one_phase_does_not_switch_them(garage):
    """The connector decides."""
    added = connect(garage, garage.gen2(phases=1)).describe()
    assert (added.accepts, added.max_phases) == (("SetCurrent",), 1)


def test_a_charging_car_is_read(garage):
    """Every field in its unit: two phases at 10.5 A for two hours."""
    evse = garage.evse(Car(phases=2), volts=(230.0, 231.0, 125.0))
    evse.offer(10.5, paused=False)
    garage.now_s += 7200
    reading = only(connect(garage, garage.gen2(evse)).read())
    assert (reading.channel, reading.enabled, reading.pilot, reading.status) == ("", True, "C", "charging")
    assert (reading.offered_a, reading.phases) == (10.5, 3)
    assert (reading.power_w, reading.energy_wh) == (4840.5, 9681.0)
    assert (reading.current_l1_a, reading.current_l2_a, reading.current_l3_a) == (10.5, 10.5, 0.0)
    assert (reading.voltage_l1_v, reading.voltage_l2_v, reading.voltage_l3_v) == (230.0, 231.0, 125.0)
    assert (reading.measured_at_ms, reading.lease_s) == (None, None)


def test_each_state_has_its_letter(garage):
    """No car; a car that may not charge; a car that will not; a fault with its code."""
    evse = garage.evse(None)
    driver = connect(garage, garage.gen2(evse))
    seen = [only(driver.read())]
    evse.connect(Car(wants=False))
    seen.append(only(driver.read()))
    evse.offer(paused=False)
    seen.append(only(driver.read()))
    evse.fault = 16
    seen.append(only(driver.read()))
    assert [(read.pilot, read.enabled, read.status) for read in seen] == [
        ("A", False, "standby"),
        ("B", False, "connected"),
        ("B", True, "connected"),
        ("F", True, "error, error 16"),
    ]


@pytest.mark.parametrize(
    ("state", "pilot", "word"), [(0, None, "unknown"), (7, "B", "wake-up"), (42, None, "state 42")]
)
def test_other_states_are_no_letter_that_they_are_not(garage, state, pilot, word):
    """Waking a car up is "connected"; a state that nobody knows is told as its number."""
    charger = garage.gen2()
    values = charger._values(raw=True)
    values["general"]["status"] = state
    charger.behaviour.instead["/values"] = Reply(200, values)
    reading = only(connect(garage, charger).read())
    assert (reading.pilot, reading.status) == (pilot, word)


def test_the_state_is_found_under_both_of_its_names(garage):
    """Documentation disagrees with itself on it; warnings are told beside it."""
    charger = garage.gen2()
    charger.renamed = True
    charger.warning = 16
    reading = only(connect(garage, charger).read())
    assert (reading.pilot, reading.status) == ("B", "connected, warning 16")


# What it is told


def test_current_is_set_before_it_may_charge(garage):
    """It never begins with more than is wanted; tenths of an ampere are taken."""
    charger = garage.gen2(garage.evse(Car(), max_a=32.0))
    connect(garage, charger).apply(SetCurrent("garage", 12.3))
    assert charger.commands == [{"current_set": "12.3"}, {"charge_pause": "0"}]
    assert (charger.evse.offered_a, charger.evse.paused) == (12.3, False)


def test_a_pause_leaves_the_current_alone(garage):
    """Only the pause is sent."""
    evse = garage.evse(Car())
    evse.offer(12.0, paused=False)
    charger = garage.gen2(evse)
    driver = connect(garage, charger)
    driver.apply(SetCurrent("garage", 0.0))
    assert charger.commands == [{"charge_pause": "1"}]
    reading = only(driver.read())
    assert (reading.enabled, reading.power_w, reading.pilot, reading.offered_a) == (False, 0.0, "B", 12.0)


def test_what_is_so_already_is_not_sent_again(garage):
    """The same command twice: settings in a charger's memory wear out."""
    charger = garage.gen2()
    driver = connect(garage, charger)
    for _ in range(2):
        driver.apply(SetCurrent("garage", 8.0))
    assert charger.commands == [{"current_set": "8"}, {"charge_pause": "0"}]


def test_a_pause_is_sent_again_although_it_is_said_to_be_so(garage):
    """Wish 26: it says that it is paused, current flows all the same, and it is told to pause until that ends."""
    charger = garage.gen2()
    driver = connect(garage, charger)
    for _ in range(2):
        driver.apply(SetCurrent("garage", 0.0))
    assert charger.commands == [{"charge_pause": "1"}, {"charge_pause": "1"}]


def test_phases_are_switched(garage):
    """To one and back to three; the reading follows."""
    evse = garage.evse(Car())
    charger = garage.gen2(evse)
    driver = connect(garage, charger)
    for phases in (1, 1, 3):
        driver.apply(SetPhases("garage", phases))
        assert only(driver.read()).phases == phases
    assert charger.commands == [{"phase_count": "1"}, {"phase_count": "3"}]


@pytest.mark.parametrize("asked_a", [5.9, 16.1, float("nan")])
def test_a_current_that_the_unit_does_not_take_is_not_sent(garage, asked_a):
    """Its limits are asked for, even if nobody has asked it what it is before."""
    charger = garage.gen2()
    with pytest.raises(UnexpectedAnswer, match="garage takes 6 to 16 A"):
        connect(garage, charger).apply(SetCurrent("garage", asked_a))
    assert charger.commands == []


@pytest.mark.parametrize("command", [SetEnabled("garage", True), SetPhases("garage", 2)])
def test_other_commands_are_refused(garage, command):
    """It is no plug, and nobody switches to two phases."""
    charger = garage.gen2()
    with pytest.raises(UnexpectedAnswer, match=f"cannot do that: {type(command).__name__}"):
        connect(garage, charger).apply(command)
    assert charger.commands == []


@pytest.mark.parametrize("status", [200, 406])
@pytest.mark.parametrize(
    ("key", "reason", "command"),
    [
        ("charge_pause", "Charging pause is blocked by solar-charging", SetCurrent("garage", 8.0)),
        ("current_set", "Current is locked", SetCurrent("garage", 8.0)),
        ("phase_count", "Phase switching is disabled", SetPhases("garage", 1)),
    ],
)
def test_a_refusal_reaches_the_user_in_the_charger_s_own_words(garage, key, reason, command, status):
    """Whether it comes with 200 or with 406."""
    charger = garage.gen2()
    charger.refuses[key] = reason
    charger.refusal_status = status
    with pytest.raises(UnexpectedAnswer) as caught:
        connect(garage, charger).apply(command)
    assert str(caught.value) == f"garage refused: {reason}"


def test_an_interface_that_is_switched_off_is_a_matter_for_a_person(garage):
    """The charger's own words say what to do."""
    charger = garage.gen2()
    charger.enabled = False
    for call in ("describe", "read"):
        with pytest.raises(AccessDenied, match="garage: API must be enabled within the NRGkick App"):
            getattr(connect(garage, charger), call)()


def test_an_echo_of_something_else_is_not_believed(garage):
    """Told 8 A, answered 16 A: the command counts as failed."""
    charger = garage.gen2()
    driver = connect(garage, charger)
    driver.describe()
    control = {"current_set": 16.0, "charge_pause": 0, "phase_count": 3}
    charger.behaviour.instead["/control"] = Reply(200, control)
    with pytest.raises(UnexpectedAnswer, match=r"was told current_set = 8 and answered 16.0"):
        driver.apply(SetCurrent("garage", 8.0))
    charger.behaviour.instead["/control"] = Reply(200, {"charge_pause": 0})
    with pytest.raises(UnexpectedAnswer, match="answered nothing"):
        driver.apply(SetCurrent("garage", 8.0))


def test_a_login_is_sent_and_a_wrong_one_is_refused(garage):
    """Basic authentication, as set in the app; the password is in no error."""
    charger = garage.gen2(login=("owner", "marker-0815"))
    assert only(connect(garage, charger, username="owner", password="marker-0815").read()).pilot == "B"
    with pytest.raises(AccessDenied, match=r"refuses the login \(HTTP 401\)") as caught:
        connect(garage, charger, username="owner", password="marker-wrong").read()
    assert "marker" not in str(caught.value)
    with pytest.raises(AccessDenied):
        connect(garage, charger).describe()


# Answers that make no sense


@pytest.mark.parametrize(
    ("path", "part", "says"),
    [
        ("/values", b"<html>", "makes no sense"),
        ("/values", {}, "without powerflow"),
        ("/values", {"powerflow": {}, "energy": {}}, "without status"),
        (
            "/values",
            {"powerflow": {"total_active_power": "many"}, "energy": {}, "general": {}},
            "power that is no number",
        ),
        ("/values", {"powerflow": {"l1": 7}, "energy": {}, "general": {}}, "without powerflow.l1"),
        ("/control", {"charge_pause": "yes"}, "charge_pause that is no number"),
        ("/control", [], "makes no sense"),
    ],
)
def test_an_answer_of_another_shape_is_named(garage, path, part, says):
    """Our bug or a new firmware."""
    charger = garage.gen2()
    charger.behaviour.instead[path] = Reply(200, b"[]" if part == [] else part)
    with pytest.raises(UnexpectedAnswer, match=says):
        connect(garage, charger).read()


def test_what_the_charger_does_not_say_is_unknown(garage):
    """Empty parts, and numbers that are none: None, never 0."""
    charger = garage.gen2()
    flow = b'{"total_active_power": NaN, "l1": {"voltage": Infinity}}'
    values = b'{"powerflow": ' + flow + b', "energy": {}, "general": {}}'
    charger.behaviour.instead["/values"] = Reply(200, values)
    charger.behaviour.instead["/control"] = Reply(200, {"charge_pause": None})
    reading = only(connect(garage, charger).read())
    assert (reading.enabled, reading.power_w, reading.energy_wh, reading.pilot) == (None, None, None, None)
    assert (reading.voltage_l1_v, reading.current_l1_a, reading.voltage_l2_v) == (None, None, None)
    assert (reading.offered_a, reading.phases, reading.status) == (None, None, "unknown")
