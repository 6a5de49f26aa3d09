"""KEBA P30: values are read one at a time, no current is set without its fail-safe, a pause keeps the session of a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from chargerd.drivers.base import Driver, UnexpectedAnswer, Unreachable
from chargerd.drivers.keba import Driver as Keba
from chargerd.model.commands import SetCurrent, SetEnabled, SetPhases
from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.keba import SimulatedKeba
from chargerd.sim.wire.modbus_server import ALWAYS, Behaviour, Server
from tests.patience import within
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage, only

# What a real P30 (DE edition, without a meter) answered to reads of two registers: evcc issue 15200. Its serial number is another.
RECORDED = """\
03 ec 00 02 | 00 00 00 05
03 e8 00 02 | 00 00 00 03
06 10 00 02 | 00 00 00 01
03 f6 00 02 | 01 19 04 d6
03 fa 00 02 | 03 0a 33 00
03 f8 00 02 | 00 04 c3 88
06 0e 00 02 | 00 00 00 03
"""


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


def connect(garage: Garage, box: Any, **keys: Any) -> Driver:
    """The driver for a box."""
    return garage.driver("keba", box, **keys)


def sent(box: SimulatedKeba) -> list[tuple[int, int]]:
    """What was set, in order."""
    return [(write.register, write.value) for write in box.writes]


# What it reads


def test_a_station_says_what_it_is(garage):
    """Number, firmware, limits; a fail-safe that nobody has seen act; phases that it can switch."""
    added = connect(garage, garage.keba(garage.evse(max_a=32.0))).describe()
    assert (added.driver, added.model, added.device_id) == ("keba", "KeContact P30 304111", "18416854")
    assert (added.firmware, added.accepts, added.has_meter) == ("3.10.51", ("SetCurrent", "SetPhases"), True)
    assert (added.min_current_a, added.max_current_a, added.current_step_a, added.max_phases) == (6.0, 32.0, 0.1, 3)
    assert (added.lease, added.lease_current_a, added.lease_max_s) == ("unproven", 6.0, 600)
    assert (added.has_pilot, added.pause_s) == (True, 0.0)


def test_a_charging_car_is_read(garage):
    """Every value in its unit: two phases at 10.5 A for two hours."""
    evse = garage.evse(Car(phases=2), volts=(230.0, 231.0, 232.0))
    box = garage.keba(evse)
    box.user_ma = 10_500
    box.settle()
    garage.now_s += 7200
    reading = only(connect(garage, box).read())
    assert (reading.channel, reading.enabled, reading.pilot, reading.status) == ("", True, "C", "charging")
    assert (reading.offered_a, reading.phases) == (10.5, 3)
    assert (reading.power_w, reading.energy_wh) == (4840.5, 9681.0)
    assert (reading.current_l1_a, reading.current_l2_a, reading.current_l3_a) == (10.5, 10.5, 0.0)
    assert (reading.voltage_l1_v, reading.voltage_l2_v, reading.voltage_l3_v) == (230.0, 231.0, 232.0)
    assert (reading.lease_s, reading.timer) == (None, None)


def test_answers_of_a_real_station_are_read(garage):
    """Recorded ones: a car charges on three phases; without a meter its power is unknown, not 0."""
    line = Replayed({0x44C: 16_000})
    server = Server(line, Behaviour(), host="127.0.0.1", port=0, unit=255)
    server.start()
    garage.stack.callback(server.stop)
    driver = connect(garage, server)
    added = driver.describe()
    assert (added.model, added.device_id, added.firmware) == ("KeContact P30 312200", "18416854", "3.10.51")
    assert (added.has_meter, added.max_current_a, added.accepts) == (False, 16.0, ("SetCurrent", "SetPhases"))
    reading = only(driver.read())
    assert (reading.enabled, reading.pilot, reading.phases, reading.status) == (True, "C", 3, "charging")
    assert (reading.power_w, reading.energy_wh, reading.current_l1_a, reading.voltage_l1_v) == (None, None, None, None)


class Replayed:
    """The registers of a recorded station, and a few that were not recorded."""

    def __init__(self, besides: dict[int, int]) -> None:
        self._values = dict(besides)
        for line in RECORDED.splitlines():
            asked, answered = (bytes.fromhex(part) for part in line.split("|"))
            self._values[int.from_bytes(asked[:2], "big")] = int.from_bytes(answered, "big")

    def image(self) -> Mapping[int, int]:
        """High word first."""
        words = {at: value >> 16 for at, value in self._values.items()}
        return words | {at + 1: value & 0xFFFF for at, value in self._values.items()}


def test_values_are_read_one_at_a_time(garage):
    """Two registers each, never a block: the station allows nothing else."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.describe()
    driver.read()
    driver.apply(SetCurrent("garage", 8.0, lease_s=120))
    driver.apply(SetCurrent("garage", 0.0))
    driver.apply(SetPhases("garage", 1))
    assert {count for _, count in box.reads} == {2}
    assert len({address for address, _ in box.reads}) > 12


def test_each_state_is_told_apart(garage):
    """No car, a car that will not, one that charges, one that is paused, a station that wants a card, a fault."""
    evse = garage.evse(None)
    box = garage.keba(evse)
    driver = connect(garage, box)
    seen = []

    def look() -> None:
        reading = only(driver.read())
        seen.append((reading.pilot, reading.enabled, reading.status))

    look()
    evse.connect(Car(wants=False))
    look()
    evse.car.wants = True
    look()
    driver.apply(SetCurrent("garage", 0.0))
    look()
    box.locked = True
    look()
    evse.fault = 0x40000
    look()
    assert seen == [
        ("A", None, "not ready"),
        ("B", True, "ready"),
        ("C", True, "charging"),
        ("B", False, "interrupted"),
        ("B", False, "not ready"),
        ("F", False, "error 0x40000"),
    ]


def test_a_station_that_is_not_ready_is_as_it_was_told(garage):
    """Without a car, or without the card that it wants, it says neither; nothing was told: a car that waits is paused."""
    evse = garage.evse(None)
    box = garage.keba(evse)
    driver = connect(garage, box)
    seen = [only(driver.read()).enabled]
    for current_a in (0.0, 8.0):
        driver.apply(SetCurrent("garage", current_a))
        seen.append(only(driver.read()).enabled)
    box.locked = True
    evse.connect(Car())
    seen.append(only(driver.read()).enabled)
    driver.close()
    stranger = connect(garage, box)
    seen.append(only(stranger.read()).enabled)
    assert seen == [None, False, True, True, False]


def test_a_station_that_interrupts_by_itself_was_not_paused_by_anybody(garage):
    """Too hot, or its fail-safe: it was told to charge and holds, which is said as such. After a pause of ours it is paused."""
    box = garage.keba()
    driver = connect(garage, box, lease_current_a=0.0)
    seen = []

    def look() -> None:
        reading = only(driver.read())
        seen.append((reading.enabled, reading.held, reading.pilot, reading.status))

    driver.apply(SetCurrent("garage", 8.0, lease_s=120))
    look()
    box.hot = True
    look()
    box.hot = False
    garage.now_s += 121
    look()
    driver.apply(SetCurrent("garage", 8.0, lease_s=120))
    look()
    driver.apply(SetCurrent("garage", 0.0))
    look()
    assert seen == [
        (True, False, "C", "charging"),
        (True, True, "B", "interrupted"),
        (True, True, "B", "interrupted"),
        (True, False, "C", "charging"),
        (False, False, "B", "interrupted"),
    ]


def test_nobody_knows_why_a_station_is_interrupted_before_it_was_told_anything(garage):
    """After an upgrade in the middle of its being too hot: neither paused nor enabled, until it is told."""
    box = garage.keba()
    first = connect(garage, box)
    first.apply(SetCurrent("garage", 8.0))
    box.hot = True
    first.close()
    driver = connect(garage, box)
    reading = only(driver.read())
    assert (reading.enabled, reading.held, reading.pilot, reading.status) == (None, False, "B", "interrupted")
    driver.apply(SetCurrent("garage", 8.0))
    reading = only(driver.read())
    assert (reading.enabled, reading.held) == (True, True)


def test_a_station_that_waits_for_its_card_holds(garage):
    """A vehicle is there and may charge; once the card is shown it does. Without a vehicle nothing is held."""
    evse = garage.evse(Car())
    box = garage.keba(evse)
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 8.0))
    box.locked = True
    assert only(driver.read()).held
    box.card = 0x1234
    assert not only(driver.read()).held
    evse.connect(None)
    assert not only(driver.read()).held


def test_voltages_that_nobody_measures_are_unknown(garage):
    """The station says 0 V on all phases while it does not charge."""
    reading = only(connect(garage, garage.keba(garage.evse(Car(wants=False)))).read())
    assert (reading.voltage_l1_v, reading.voltage_l2_v, reading.voltage_l3_v) == (None, None, None)
    assert (reading.power_w, reading.current_l1_a) == (0.0, 0.0)


def test_a_station_without_phase_switch_has_no_phases_to_tell(garage):
    """Its registers are not there."""
    box = garage.keba()
    box.s10 = False
    driver = connect(garage, box, phase_switch=True)
    assert driver.describe().accepts == ("SetCurrent",)
    assert only(driver.read()).phases is None
    with pytest.raises(UnexpectedAnswer, match="cannot do that: SetPhases"):
        driver.apply(SetPhases("garage", 1))
    assert box.writes == []


@pytest.mark.parametrize("product", [4123456, 204111, 30411])
def test_a_station_that_is_no_p30_is_refused_by_its_number(garage, product):
    """A P40 has other meanings at the same places."""
    with pytest.raises(UnexpectedAnswer, match=f"no KeContact P30 \\(product {product}\\)"):
        connect(garage, garage.keba(product=product)).describe()


# What it is told


def test_no_current_is_set_without_its_fail_safe(garage):
    """Before every current comes what the station goes back to, and after how long; nothing is made to last."""
    box = garage.keba()
    connect(garage, box).apply(SetCurrent("garage", 12.34, lease_s=120))
    assert sent(box) == [(5016, 6000), (5018, 120), (5004, 12_300)]
    assert (box.evse.offered_a, box.failsafe_ma, box.failsafe_s, box.persisted) == (12.3, 6000, 120, False)


def test_each_current_writes_its_fail_safe_anew(garage):
    """Giving a command again renews the lease and changes nothing else; the time is one that the station takes."""
    box = garage.keba()
    driver = connect(garage, box)
    for lease_s in (120, 120, 5, 3600):
        driver.apply(SetCurrent("garage", 8.0, lease_s=lease_s))
        garage.now_s += 60
    assert [value for register, value in sent(box) if register == 5018] == [120, 120, 10, 600]
    assert [value for register, value in sent(box) if register == 5016] == [6000] * 4
    assert (box.evse.offered_a, box.tripped) == (8.0, False)


def test_a_lease_that_nobody_renews_ends_in_the_safe_current(garage):
    """chargerd dies; 120 s after its last word the station offers 6 A, and reading alone does not keep it from that."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 16.0, lease_s=120))
    garage.now_s += 119
    assert only(driver.read()).offered_a == 16.0
    garage.now_s += 1
    assert only(driver.read()).offered_a == 6.0


def test_the_safe_current_may_be_none(garage):
    """Configured as 0, the station stops."""
    box = garage.keba()
    driver = connect(garage, box, lease_current_a=0.0)
    assert driver.describe().lease_current_a == 0.0
    driver.apply(SetCurrent("garage", 16.0, lease_s=120))
    garage.now_s += 120
    assert only(driver.read()).power_w == 0.0


def test_a_pause_keeps_the_session_of_the_card(garage):
    """Somebody has opened a session with a card: after the pause it charges again without the card."""
    box = garage.keba()
    box.locked, box.card = True, 0x1234
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 8.0))
    driver.apply(SetCurrent("garage", 0.0))
    reading = only(driver.read())
    assert (reading.power_w, reading.enabled, reading.pilot) == (0.0, False, "B")
    assert (reading.offered_a, box.card) == (None, 0x1234)
    driver.apply(SetCurrent("garage", 8.0))
    assert only(driver.read()).power_w == 5520.0


def test_a_paused_station_does_not_begin_by_itself_when_its_time_is_over(garage):
    """A fail-safe of 6 A would start it: before the pause it is set to 0, and to 6 A again with the next current."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 16.0, lease_s=120))
    driver.apply(SetCurrent("garage", 0.0))
    garage.now_s += 3600
    assert (only(driver.read()).power_w, box.tripped) == (0.0, True)
    assert sent(box)[-2:] == [(5016, 0), (5004, 0)]
    driver.apply(SetCurrent("garage", 16.0, lease_s=120))
    assert (only(driver.read()).offered_a, box.failsafe_ma) == (16.0, 6000)


def test_a_station_without_a_fail_safe_is_left_without_one(garage):
    """A pause does not touch what nobody has set."""
    box = garage.keba()
    connect(garage, box).apply(SetCurrent("garage", 0.0))
    assert sent(box) == [(5004, 0)]


def test_a_station_that_refuses_a_current_of_0_is_disabled(garage):
    """Older firmware; the next current enables it again."""
    box = garage.keba()
    box.takes_zero = False
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 0.0))
    assert sent(box) == [(5014, 0)]
    reading = only(driver.read())
    assert (reading.power_w, reading.enabled, reading.status) == (0.0, False, "not ready")
    driver.apply(SetCurrent("garage", 8.0))
    assert sent(box)[1:] == [(5004, 8000), (5014, 1)]
    assert only(driver.read()).power_w == 5520.0


def test_a_station_that_goes_on_charging_is_disabled_when_it_is_told_again(garage):
    """It takes the 0 and does nothing: the second pause does not leave it at that. A start forgets it."""
    box = garage.keba()
    box.deaf_to_zero = True
    driver = connect(garage, box)
    driver.apply(SetCurrent("garage", 0.0))
    assert only(driver.read()).enabled is True
    driver.apply(SetCurrent("garage", 0.0))
    assert only(driver.read()).power_w == 0.0
    driver.apply(SetCurrent("garage", 8.0))
    driver.apply(SetCurrent("garage", 0.0))
    assert [write for write in sent(box) if write[0] == 5014] == [(5014, 0), (5014, 1)]


def test_phases_are_switched(garage):
    """To one and back; what is so already is not set again."""
    box = garage.keba()
    driver = connect(garage, box)
    for phases in (1, 1, 3):
        driver.apply(SetPhases("garage", phases))
        assert only(driver.read()).phases == phases
    assert sent(box) == [(5052, 0), (5052, 1)]


def test_a_phase_switch_is_taken_over_only_if_the_configuration_says_so(garage):
    """Another source has it: it goes by way of none."""
    box = garage.keba()
    box.phase_source = 4
    left_alone = connect(garage, box)
    assert left_alone.describe().accepts == ("SetCurrent",)
    left_alone.close()
    driver = connect(garage, box, phase_switch=True)
    assert driver.describe().accepts == ("SetCurrent", "SetPhases")
    driver.apply(SetPhases("garage", 1))
    assert sent(box) == [(5050, 0), (5050, 3), (5052, 0)]
    assert box.evse.phases == 1


@pytest.mark.parametrize("asked_a", [5.9, 16.1, -6.0, float("nan")])
def test_a_current_that_the_station_does_not_take_is_not_sent(garage, asked_a):
    """Nothing is set, not even a fail-safe."""
    box = garage.keba()
    with pytest.raises(UnexpectedAnswer, match=r"takes 6 to 16 A|cannot do that"):
        connect(garage, box).apply(SetCurrent("garage", asked_a, lease_s=60))
    assert box.writes == []


@pytest.mark.parametrize("command", [SetEnabled("garage", True), SetPhases("garage", 2)])
def test_other_commands_are_refused(garage, command):
    """It is no plug, and nobody switches to two phases."""
    box = garage.keba()
    with pytest.raises(UnexpectedAnswer, match="cannot do that"):
        connect(garage, box).apply(command)
    assert box.writes == []


# When it does not answer, or answers nonsense


def test_a_station_that_is_off_is_unreachable_and_found_again(garage):
    """Reading and commands fail within their time, and work when it is back."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.read()
    box.stop()
    for call in (driver.describe, driver.read, lambda: driver.apply(SetCurrent("garage", 8.0))):
        with within(3), pytest.raises(Unreachable):
            call()
    box.start()
    driver.apply(SetCurrent("garage", 8.0))
    assert only(driver.read()).offered_a == 8.0


def test_a_silent_station_costs_no_more_than_its_time(garage):
    """It takes the connection and says nothing."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.read()
    box.behaviour.mute = True
    with within(2), pytest.raises(Unreachable, match="did not answer"):
        driver.read()
    box.behaviour.mute = False
    assert only(driver.read()).pilot == "C"


def test_a_slow_station_is_cut_off_after_its_budget(garage):
    """Each of a dozen answers comes in time, all of them together do not."""
    box = garage.keba()
    driver = connect(garage, box, timeout_s=1.0)
    driver.read()
    box.behaviour.delay_s = 0.6
    with within(4), pytest.raises(Unreachable, match="in time"):
        driver.read()


@pytest.mark.parametrize("fault", ["half", "garbage", "hang_up", "wrong_transaction", "wrong_unit"])
def test_a_spoiled_answer_is_no_reading(garage, fault):
    """Broken off, something else, nothing, the answer to another question, another station's."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.read()
    setattr(box.behaviour, fault, ALWAYS)
    with within(4), pytest.raises((Unreachable, UnexpectedAnswer)):
        driver.read()
    setattr(box.behaviour, fault, 0)
    assert only(driver.read()).pilot == "C"


@pytest.mark.parametrize("fault", ["half", "garbage", "hang_up", "wrong_transaction", "wrong_unit"])
def test_a_command_whose_answer_is_spoiled_has_failed_and_can_be_given_again(garage, fault):
    """Nobody knows whether it was carried out; once more does no harm."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.read()
    setattr(box.behaviour, fault, ALWAYS)
    with within(4), pytest.raises((Unreachable, UnexpectedAnswer)):
        driver.apply(SetCurrent("garage", 8.0, lease_s=60))
    setattr(box.behaviour, fault, 0)
    driver.apply(SetCurrent("garage", 8.0, lease_s=60))
    assert only(driver.read()).offered_a == 8.0


def test_an_echo_of_something_else_is_not_believed(garage):
    """Told 8000 mA, echoed 65535."""
    box = garage.keba()
    box.mumbles = True
    with pytest.raises(UnexpectedAnswer, match="was told 8000 for register 5004 and echoes another"):
        connect(garage, box).apply(SetCurrent("garage", 8.0))


@pytest.mark.parametrize(("exception", "error"), [(4, UnexpectedAnswer), (6, Unreachable), (2, UnexpectedAnswer)])
def test_a_station_that_refuses_says_why(garage, exception, error):
    """A failure of its own (evcc issue 17712), no time, no such register."""
    box = garage.keba()
    driver = connect(garage, box)
    driver.read()
    box.behaviour.exception = exception
    with pytest.raises(error, match=r"device failure|busy|illegal address"):
        driver.read()


def test_closing_never_raises(garage):
    """Before the first call, after one, and twice."""
    driver = connect(garage, garage.keba())
    driver.close()
    driver.read()
    driver.close()
    driver.close()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "host"),
        ({"host": "x", "lease_current_a": 3.0}, "0 or at least 6"),
        ({"host": "x", "lease_current_a": 40.0}, "less than or equal to 32"),
        ({"host": "x", "password": "1"}, "not permitted"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(keys, says):
    """No host, a safe current that no EVSE can offer, keys that it does not have."""
    with pytest.raises(ValidationError, match=says):
        Keba.Config(driver="keba", **keys)


def test_a_station_has_no_sockets(garage):
    """A name behind the slash is a mistake in the configuration."""
    with pytest.raises(UnexpectedAnswer, match="has no socket 'left'"):
        garage.driver("keba", garage.keba(), "left").describe()
