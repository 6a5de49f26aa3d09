"""Pulsar: what its bridge has left at a broker is read, commands wait for their effect, a bridge that is gone is no reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from chargerd.config.base import Credential
from chargerd.drivers.base import AccessDenied, Driver, UnexpectedAnswer, Unreachable
from chargerd.drivers.pulsar import Driver as Pulsar
from chargerd.model.commands import SetCurrent, SetEnabled, SetPhases
from chargerd.model.events import ChargerRead
from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.pulsar import SimulatedPulsar
from tests.drivers import brokers
from tests.patience import until, within
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage, only

PASSWORD = "marker-right"


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


@pytest.fixture
def broker(garage: Garage) -> int:
    """The port of a running amqtt."""
    port = brokers.free_port()
    garage.stack.enter_context(brokers.amqtt(port))
    return port


def connect(garage: Garage, bridge: SimulatedPulsar, **keys: Any) -> Driver:
    """The driver for what that bridge tells."""
    return garage.driver("pulsar", bridge, **{"serial": bridge.serial, "timeout_s": 2.0, **keys})


def settled(driver: Driver, pilot: str) -> ChargerRead:
    """The first reading with that letter: the bridge tells one thing after the other, and the broker has it before we have."""
    until(lambda: failure(driver.read) is None and only(driver.read()).pilot == pilot)
    return only(driver.read())


# What it reads


def test_a_charger_says_what_it_is(garage, broker):
    """The bridge announces model, firmware and the most that may be asked for."""
    added = connect(garage, garage.pulsar(broker, most_a=32)).describe()
    assert (added.driver, added.model, added.device_id) == ("pulsar", "Wallbox PLP1-0-2-4", "123456")
    assert (added.firmware, added.accepts) == ("6.7.16", ("SetCurrent",))
    assert (added.min_current_a, added.max_current_a, added.current_step_a, added.max_phases) == (6.0, 32.0, 1.0, 3)
    assert (added.lease, added.has_pilot, added.pause_s) == ("none", True, 0.0)


def test_without_an_announcement_no_more_than_the_smallest_unit_takes_is_asked_for(garage, broker):
    """16 A, unless the configuration knows better."""
    bridge = SimulatedPulsar(garage.evse(Car()), "127.0.0.1", broker)
    bridge.announces = False
    bridge.start()
    garage.stack.callback(bridge.stop)
    assert connect(garage, bridge).describe().max_current_a == 16.0
    assert connect(garage, bridge, max_current_a=25.0).describe().max_current_a == 25.0


def test_retained_topics_give_the_state(garage, broker):
    """Told before anybody listened: two phases at 10 A, and 46 kWh in ten hours."""
    evse = garage.evse(Car(phases=2), volts=(230.0, 231.0, 125.0))
    evse.offer(10.0, paused=False)
    garage.now_s += 36_000
    reading = only(connect(garage, garage.pulsar(broker, evse)).read())
    assert (reading.channel, reading.enabled, reading.pilot, reading.status) == ("", True, "C", "Charging")
    assert (reading.offered_a, reading.phases, reading.power_w, reading.energy_wh) == (10.0, None, 4610.0, 46_100.0)
    assert (reading.current_l1_a, reading.current_l2_a, reading.current_l3_a) == (10.0, 10.0, 0.0)
    assert (reading.voltage_l1_v, reading.voltage_l2_v, reading.voltage_l3_v) == (230.0, 231.0, 125.0)


def test_changes_arrive_without_being_asked_for(garage, broker):
    """A car comes, wants nothing, wants something, has a fault."""
    evse = garage.evse(None)
    evse.offer(paused=False)
    bridge = garage.pulsar(broker, evse)
    driver = connect(garage, bridge)
    seen = []

    def look() -> None:
        bridge.tell()
        reading = only(driver.read())
        seen.append((reading.pilot, reading.status))

    look()
    evse.connect(Car(wants=False))
    look()
    evse.car.wants = True
    look()
    evse.fault = 1
    look()
    assert seen == [("A", "Ready"), ("B", "Connected waiting car"), ("C", "Charging"), ("F", "Error")]


def test_voltages_that_the_firmware_does_not_give_are_unknown(garage, broker):
    """The bridge says 0 V for all of them."""
    bridge = SimulatedPulsar(garage.evse(Car()), "127.0.0.1", broker)
    bridge.volts_known = False
    bridge.start()
    garage.stack.callback(bridge.stop)
    reading = only(connect(garage, bridge).read())
    assert (reading.voltage_l1_v, reading.voltage_l2_v, reading.voltage_l3_v) == (None, None, None)


def test_another_charger_at_the_same_broker_is_left_alone(garage, broker):
    """Topics of another number are neither read nor written."""
    other = garage.pulsar(broker, garage.evse(None), serial="999")
    driver = connect(garage, garage.pulsar(broker))
    driver.apply(SetCurrent("garage", 8.0))
    settled(driver, "C")
    assert other.commands == []


# What it is told


def test_a_start_is_the_current_and_then_the_word(garage, broker):
    """Whole amperes, and 1 to resume; the command is done when the bridge tells the new state."""
    bridge = garage.pulsar(broker)
    driver = connect(garage, bridge)
    driver.apply(SetCurrent("garage", 10.9))
    assert bridge.commands == [("max_charging_current", "10"), ("charging_enable", "1")]
    reading = settled(driver, "C")
    assert (reading.enabled, reading.offered_a, reading.power_w) == (True, 10.0, 6900.0)


def test_a_pause_is_one_word(garage, broker):
    """The current stays for later."""
    evse = garage.evse(Car())
    evse.offer(12.0, paused=False)
    bridge = garage.pulsar(broker, evse)
    driver = connect(garage, bridge)
    driver.apply(SetCurrent("garage", 0.0))
    assert bridge.commands == [("charging_enable", "0")]
    reading = settled(driver, "B")
    assert (reading.enabled, reading.power_w, reading.offered_a) == (False, 0.0, 12.0)


def test_what_is_so_already_is_not_sent_again(garage, broker):
    """The bridge writes every current into the charger's database."""
    bridge = garage.pulsar(broker)
    driver = connect(garage, bridge)
    for _ in range(2):
        driver.apply(SetCurrent("garage", 8.0))
    driver.apply(SetCurrent("garage", 9.0))
    assert [text for key, text in bridge.commands if key == "max_charging_current"] == ["8", "9"]
    assert [text for key, text in bridge.commands if key == "charging_enable"] == ["1"]


def test_a_pause_is_sent_again_although_it_is_said_to_be_so(garage, broker):
    """The bridge tells 0 and the car charges all the same: a command that was lost in the charger is repaired by the next one."""
    evse = garage.evse(Car())
    evse.stubborn = True
    bridge = garage.pulsar(broker, evse)
    driver = connect(garage, bridge)
    assert (only(driver.read()).enabled, only(driver.read()).power_w) == (False, 4140.0)
    for _ in range(2):
        driver.apply(SetCurrent("garage", 0.0))
    until(lambda: bridge.commands == [("charging_enable", "0")] * 2)


@pytest.mark.parametrize("asked_a", [5.9, 33.0, float("nan")])
def test_a_current_that_the_charger_does_not_take_is_not_sent(garage, broker, asked_a):
    """The bridge itself would write anything."""
    bridge = garage.pulsar(broker)
    with pytest.raises(UnexpectedAnswer, match=r"takes 6 to 32 A|cannot do that"):
        connect(garage, bridge).apply(SetCurrent("garage", asked_a))
    assert bridge.commands == []


@pytest.mark.parametrize("command", [SetEnabled("garage", True), SetPhases("garage", 1), SetCurrent("garage", -6.0)])
def test_other_commands_are_refused(garage, broker, command):
    """Neither a plug nor a phase switch."""
    bridge = garage.pulsar(broker)
    with pytest.raises(UnexpectedAnswer, match="cannot do that"):
        connect(garage, bridge).apply(command)
    assert bridge.commands == []


def test_a_bridge_that_does_not_follow_is_an_error(garage, broker):
    """The broker took the command, the charger did not."""
    bridge = garage.pulsar(broker)
    bridge.deaf = True
    with within(5), pytest.raises(Unreachable, match="was told max_charging_current = 8 and did not follow"):
        connect(garage, bridge).apply(SetCurrent("garage", 8.0))


# When nobody answers


def test_the_last_will_says_that_the_bridge_is_gone(garage, broker):
    """It vanished without a word: its old figures are no reading, and no command is sent to nobody."""
    bridge = garage.pulsar(broker)
    driver = connect(garage, bridge)
    driver.read()
    bridge.die()
    until(lambda: "its bridge is offline" in str(failure(driver.read)))  # the broker may hang up on both
    for call in (driver.read, lambda: driver.apply(SetCurrent("garage", 8.0)), driver.describe):
        with pytest.raises(Unreachable, match="its bridge is offline"):
            call()
    bridge.start()
    assert settled(driver, "B")
    assert bridge.commands == []


def failure(call: Any) -> Exception | None:
    """What a call raises."""
    try:
        call()
    except Exception as error:
        return error
    return None


def test_a_broker_that_is_off_is_unreachable_and_found_again(garage):
    """Nobody listens; it comes; it goes while we are connected; it comes again without what it knew."""
    port = brokers.free_port()
    bridge = SimulatedPulsar(garage.evse(Car()), "127.0.0.1", port)
    driver = connect(garage, bridge)
    for _ in range(2):
        with within(5), pytest.raises(Unreachable, match="cannot be reached: Connection refused"):
            driver.read()
        with brokers.amqtt(port):
            with within(5), pytest.raises(Unreachable, match="knows nothing of wallbox_123456"):
                driver.read()
            bridge.start()
            assert settled(driver, "B")
            bridge.stop()
        with within(5), pytest.raises(Unreachable):
            driver.read()


def test_a_charger_that_the_broker_does_not_know_is_unreachable(garage, broker):
    """A wrong number, or a bridge that was never there: said by the topic's name."""
    bridge = garage.pulsar(broker)
    with within(5), pytest.raises(Unreachable, match="the broker knows nothing of wallbox_777"):
        connect(garage, bridge, serial="777").read()


def test_a_bridge_that_says_half_is_no_reading(garage, broker):
    """It is online and has told only a few things."""
    bridge = SimulatedPulsar(garage.evse(Car()), "127.0.0.1", broker)
    bridge._states = lambda: {"status": "Ready"}
    bridge.start()
    garage.stack.callback(bridge.stop)
    with within(5), pytest.raises(Unreachable, match="does not say everything"):
        connect(garage, bridge).read()


@pytest.mark.parametrize(("text", "power_w"), [("NaN", None), ("inf", None)])
def test_a_number_that_is_none_is_unknown(garage, broker, text, power_w):
    """Never 0."""
    bridge = garage.pulsar(broker)
    bridge.say("charging_power", text)
    assert only(connect(garage, bridge).read()).power_w is power_w


@pytest.mark.parametrize("key", ["charging_power", "charging_enable", "voltage_l1"])
def test_a_text_that_is_no_number_is_named(garage, broker, key):
    """A new firmware; what came is kept."""
    bridge = garage.pulsar(broker)
    bridge.say(key, "many")
    with pytest.raises(UnexpectedAnswer, match=f"garage gave {key} that is no number") as caught:
        connect(garage, bridge).read()
    assert caught.value.raw == "many"


def test_a_strange_announcement_does_no_harm(garage, broker):
    """It is meant for another program."""
    bridge = garage.pulsar(broker)
    for text in ("{", "[]", '{"max": "many", "device": 7}', '{"max": "inf"}'):
        bridge._send(f"homeassistant/number/{bridge.serial}_max_charging_current/config", text)
        added = connect(garage, bridge).describe()
        assert (added.max_current_a, added.model) == (16.0, "Wallbox Pulsar")


def test_a_wrong_login_is_a_matter_for_a_person_and_is_not_told(garage, tmp_path):
    """The broker lets only one in; the password is in no error."""
    port = brokers.free_port()
    garage.stack.enter_context(brokers.amqtt(port, brokers.passwords(tmp_path, "owner", PASSWORD)))
    bridge = SimulatedPulsar(garage.evse(Car()), "127.0.0.1", port)
    for secrets in ({"username": "owner", "password": "marker-wrong"}, {}):
        with within(5), pytest.raises(AccessDenied, match="refuses the login") as caught:
            connect(garage, bridge, secrets=secrets).read()
        assert "marker" not in str(caught.value)
    with within(5), pytest.raises(Unreachable, match="knows nothing of"):
        connect(garage, bridge, secrets={"username": "owner", "password": PASSWORD}).read()


def test_closing_never_raises(garage, broker):
    """Before the first call, after one, and twice."""
    driver = connect(garage, garage.pulsar(broker))
    driver.close()
    driver.read()
    driver.close()
    driver.close()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"host": "x"}, "serial"),
        ({"host": "x", "serial": "1/2"}, "pattern"),
        ({"host": "x", "serial": "+"}, "pattern"),
        ({"host": "x", "serial": "1", "username": Credential(credential="user")}, "together"),
        ({"host": "x", "serial": "1", "max_current_a": 63.0}, "less than or equal to 40"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(keys, says):
    """No number, one that would read everybody's topics, half a login, more than any unit takes."""
    with pytest.raises(ValidationError, match=says):
        Pulsar.Config(driver="pulsar", **keys)


def test_a_charger_has_no_sockets(garage, broker):
    """A name behind the slash is a mistake in the configuration."""
    with pytest.raises(UnexpectedAnswer, match="has no socket 'left'"):
        garage.driver("pulsar", garage.pulsar(broker), "left", serial="123456").describe()
