"""The pulsar driver through mosquitto, the broker that people run: retained states, commands, last will, login, restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chargerd.drivers.base import AccessDenied, Unreachable
from chargerd.model.commands import SetCurrent
from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.pulsar import SimulatedPulsar
from tests.drivers import brokers
from tests.drivers.test_pulsar import connect, failure, settled
from tests.patience import until, within
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage

pytestmark = pytest.mark.system


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


@pytest.fixture
def broker(garage: Garage, tmp_path: Path) -> int:
    """The port of a running mosquitto with a configuration of its own."""
    port = brokers.free_port()
    garage.stack.enter_context(brokers.mosquitto(port, tmp_path))
    return port


def test_a_day_at_mosquitto(garage, broker):
    """Announced and retained before we came; started at 10 A, lowered, paused, started by somebody else."""
    bridge = garage.pulsar(broker, most_a=32)
    driver = connect(garage, bridge)
    added = driver.describe()
    assert (added.max_current_a, added.model, added.firmware) == (32.0, "Wallbox PLP1-0-2-4", "6.7.16")
    driver.apply(SetCurrent("garage", 10.0))
    assert settled(driver, "C").power_w == 6900.0
    driver.apply(SetCurrent("garage", 6.0))
    driver.apply(SetCurrent("garage", 0.0))
    assert settled(driver, "B").enabled is False
    assert bridge.commands == [
        ("max_charging_current", "10"),
        ("charging_enable", "1"),
        ("max_charging_current", "6"),
        ("charging_enable", "0"),
    ]
    bridge.evse.offer(paused=False)
    bridge.tell()
    assert settled(driver, "C").enabled is True


def test_mosquitto_publishes_the_last_will(garage, broker):
    """The bridge loses its network: unreachable, until it is back."""
    bridge = garage.pulsar(broker)
    driver = connect(garage, bridge)
    driver.read()
    bridge.die()
    until(lambda: isinstance(failure(driver.read), Unreachable))
    with pytest.raises(Unreachable, match="its bridge is offline"):
        driver.apply(SetCurrent("garage", 8.0))
    bridge.start()
    assert settled(driver, "B")
    assert bridge.commands == []


def test_mosquitto_restarts_and_has_forgotten_everything(garage, tmp_path):
    """Nothing is taken from before: first nobody answers, then nothing is known, then the bridge is back."""
    port = brokers.free_port()
    bridge = SimulatedPulsar(garage.evse(Car()), "127.0.0.1", port)
    driver = connect(garage, bridge)
    with brokers.mosquitto(port, tmp_path):
        bridge.start()
        assert settled(driver, "B")
    with within(5), pytest.raises(Unreachable):
        driver.read()
    with brokers.mosquitto(port, tmp_path):
        with within(5), pytest.raises(Unreachable, match="knows nothing of wallbox_123456"):
            driver.read()
        bridge.stop()
        bridge.start()
        assert settled(driver, "B")
        bridge.stop()


def test_mosquitto_refuses_a_wrong_login(garage, tmp_path):
    """A matter for a person; the password is in no error."""
    port = brokers.free_port()
    garage.stack.enter_context(brokers.mosquitto(port, tmp_path, "allow_anonymous false"))
    bridge = SimulatedPulsar(garage.evse(Car()), "127.0.0.1", port)
    with within(5), pytest.raises(AccessDenied, match="refuses the login") as caught:
        connect(garage, bridge, secrets={"username": "owner", "password": "marker-wrong"}).read()
    assert "marker" not in str(caught.value)
