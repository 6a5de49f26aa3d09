"""Pulsar: plays the MQTT bridge of a Wallbox Pulsar Plus at a broker that somebody else runs.

Drawn after https://github.com/jagheterfredrik/wallbox-mqtt-bridge: its topics, retained states, last will and announcement.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from chargerd.sim.wire.evse import Evse

START_S = 10.0
WORDS = {"A": "Ready", "B": "Connected waiting car", "C": "Charging", "F": "Error"}


class SimulatedPulsar:
    """A charger and its bridge. What it is told takes effect at once; what else changes is told by `tell`.

    ``host`` and ``port`` are the broker's. Settable besides the physics: ``deaf`` (nothing that it is told has an effect),
    ``volts_known`` (older firmware has no voltages), ``announces``. ``commands`` is everything it was told, as (key, payload).
    """

    def __init__(self, evse: Evse, host: str, port: int, *, serial: str = "123456", most_a: int = 32) -> None:
        self.evse = evse
        self.host = host
        self.port = port
        self.serial = serial
        self.most_a = most_a
        self.deaf = False
        self.volts_known = True
        self.announces = True
        self.commands: list[tuple[str, str]] = []
        self._root = f"wallbox_{serial}"
        self._told: dict[str, str] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._client: mqtt.Client | None = None

    def start(self) -> None:
        """Connect to the broker and tell everything; returns when the broker has it."""
        self._ready.clear()
        self._told.clear()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"wallbox-mqtt-bridge-{self.serial}", reconnect_on_failure=False
        )
        client.will_set(f"{self._root}/availability", "offline", qos=1, retain=True)
        client.on_connect = lambda made, *_: made.subscribe(f"{self._root}/+/set", qos=1)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = lambda _c, _u, message: self._hear(message.topic, message.payload.decode())
        client.connect(self.host, self.port, 60)
        client.loop_start()
        self._client = client
        if not self._ready.wait(START_S):
            raise TimeoutError(f"no broker at {self.host}:{self.port}")
        if self.announces:
            topic = f"homeassistant/number/{self.serial}_max_charging_current/config"
            self._send(topic, json.dumps(self._announcement()))
        self.tell()
        self._send(f"{self._root}/availability", "online")

    def stop(self) -> None:
        """Say goodbye; harmless if it does not run."""
        if self._client is None:
            return
        with suppress(ValueError, RuntimeError, TimeoutError):
            self._send(f"{self._root}/availability", "offline")
        self._client.disconnect()
        self._client.loop_stop()
        self._client = None

    def die(self) -> None:
        """Vanish without a word: the broker publishes the last will."""
        assert self._client is not None
        line = self._client.socket()
        assert isinstance(line, socket.socket)
        line.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()
        self._client = None

    def tell(self) -> None:
        """Publish what has changed; returns when the broker has it."""
        for sent in self._publish():
            sent.wait_for_publish(START_S)

    def say(self, key: str, payload: str) -> None:
        """Publish a state whatever is so."""
        self._told[key] = payload
        self._send(f"{self._root}/{key}/state", payload)

    def _publish(self) -> list[mqtt.MQTTMessageInfo]:
        assert self._client is not None
        with self._lock:
            changed = {key: text for key, text in self._states().items() if self._told.get(key) != text}
            self._told |= changed
        return [
            self._client.publish(f"{self._root}/{key}/state", text, qos=1, retain=True) for key, text in changed.items()
        ]

    def _send(self, topic: str, payload: str) -> None:
        assert self._client is not None
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(START_S)

    def _hear(self, topic: str, payload: str) -> None:
        root, key, kind = [*topic.split("/", 2), "", ""][:3]
        if (root, kind) != (self._root, "set"):
            return  # amqtt also sends a client what one of the same name had published before it died
        self.commands.append((key, payload))
        if self.deaf:
            return
        if key == "max_charging_current":
            self.evse.offer(float(int(payload)))  # whatever it is: the bridge checks no range
        elif key == "charging_enable":
            self.evse.offer(paused=payload != "1")
        self._publish()

    def _states(self) -> dict[str, str]:
        evse = self.evse
        evse.settle()
        currents, powers = evse.currents(), evse.powers()
        states = {
            "added_energy": f"{evse.energy_wh:g}",
            "cable_connected": str(int(evse.car is not None)),
            "charging_enable": str(int(not evse.paused)),
            "charging_power": f"{evse.power_w():g}",
            "cumulative_added_energy": f"{evse.energy_wh:g}",
            "halo_brightness": "100",
            "lock": "0",
            "max_charging_current": f"{evse.offered_a:g}",
            "status": "Paused" if evse.pilot() == "B" and evse.paused else WORDS[evse.pilot()],
        }
        for line in (1, 2, 3):
            states[f"charging_current_l{line}"] = f"{currents[line - 1]:g}"
            states[f"charging_power_l{line}"] = f"{powers[line - 1]:g}"
            states[f"voltage_l{line}"] = f"{evse.volts[line - 1] if self.volts_known else 0:g}"
            states[f"temp_l{line}"] = "25"
        return states

    def _announcement(self) -> dict[str, object]:
        return {
            "~": f"{self._root}/max_charging_current",
            "state_topic": "~/state",
            "command_topic": "~/set",
            "min": "6",
            "max": str(self.most_a),
            "device": {"identifiers": self.serial, "model": "PLP1-0-2-4", "sw_version": "6.7.16"},
        }
