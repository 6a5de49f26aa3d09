"""Simulated Pulsar bridge: a plain MQTT client finds retained states, an announcement, and the last will.

No program of somebody else reads these topics without a whole home automation around it; the bridge's own source is the measure.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from chargerd.sim.wire.evse import Car
from tests.drivers import brokers
from tests.patience import until
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage


class Listener:
    """Somebody who listens to everything at a broker."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, str] = {}
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_message = lambda _c, _u, message: self.heard.update({message.topic: message.payload.decode()})
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def close(self) -> None:
        """Hang up."""
        self.client.disconnect()
        self.client.loop_stop()


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


@pytest.fixture
def listen(garage: Garage, broker: int) -> Iterator[Listener]:
    """Somebody who comes when the bridge has told everything."""
    evse = garage.evse(Car(phases=1))
    evse.offer(10.0, paused=False)
    garage.bridge = garage.pulsar(broker, evse)
    made = Listener(broker)
    yield made
    made.close()


def test_every_topic_of_the_bridge_is_retained(listen):
    """One state each, numbers and words as the bridge writes them."""
    until(lambda: listen.heard.get("wallbox_123456/status/state") == "Charging")
    wanted = {"charging_power": "2300", "charging_current_l1": "10", "charging_current_l2": "0", "voltage_l1": "230"}
    wanted |= {"max_charging_current": "10", "charging_enable": "1", "cable_connected": "1", "lock": "0"}
    until(lambda: wanted.items() <= {topic.split("/")[1]: text for topic, text in listen.heard.items()}.items())
    until(lambda: listen.heard.get("wallbox_123456/availability") == "online")
    until(lambda: any(topic.startswith("homeassistant/number/123456_max") for topic in listen.heard))


def test_what_it_is_told_takes_effect_and_is_kept(listen, garage):
    """Current and word, by anybody; a topic that it does not take changes nothing."""
    for key, payload in (("max_charging_current", "6"), ("charging_enable", "0"), ("status", "Error")):
        listen.client.publish(f"wallbox_123456/{key}/set", payload, qos=1)
    until(lambda: listen.heard.get("wallbox_123456/status/state") == "Paused")
    assert (garage.bridge.evse.offered_a, garage.bridge.evse.paused) == (6.0, True)
    until(lambda: len(garage.bridge.commands) == 3)
    assert garage.bridge.commands[:2] == [("max_charging_current", "6"), ("charging_enable", "0")]


def test_its_last_will_is_heard_when_it_dies_and_a_word_when_it_goes(listen, garage):
    """Both say offline."""
    for end in (garage.bridge.die, garage.bridge.stop):
        until(lambda: listen.heard.get("wallbox_123456/availability") == "online")
        end()
        until(lambda: listen.heard.get("wallbox_123456/availability") == "offline")
        garage.bridge.start()
