"""Pulsar: Wallbox Pulsar Plus chargers, through the MQTT bridge that their owners put on them.

Protocol: https://github.com/jagheterfredrik/wallbox-mqtt-bridge   Seen working: simulated, through mosquitto and amqtt; no
hardware yet.

Everything the charger says is retained at the broker and sent on every change, so one connection is kept and what arrives is
collected. Each reading first subscribes again, which the broker must answer: so the connection lives. The bridge's last will says
that it is gone; then nothing retained counts any more.

The broker acknowledges commands, not the charger. A command has arrived when the bridge tells the new state.
"""

from __future__ import annotations

import json
import logging
import math
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any, ClassVar

from msgspec import Struct
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import Field, model_validator

from chargerd.config.base import Credential, DeviceConfig, Secret
from chargerd.drivers.base import AccessDenied, UnexpectedAnswer, Unreachable
from chargerd.drivers.evse import MIN_CURRENT_A, stepped
from chargerd.model.commands import Command, SetCurrent
from chargerd.model.events import ChargerRead, DeviceAdded

KEEP_ALIVE_S = 30
STEP_A = 1.0
LARGEST_A = 40.0
SMALLEST_A = 16.0  # no smaller Pulsar Plus is sold; the bridge itself checks no limit
RAW_CHARS = 100
DENIED = frozenset({"Bad user name or password", "Not authorized", "Banned", "Bad authentication method"})
NEEDED = frozenset({"charging_enable", "charging_power", "max_charging_current", "status"})
FLOWS = frozenset({"Charging", "Discharging"})


class Heard(Struct, frozen=True):
    """Something that the network thread has heard: a message, or how a question of ours ended."""

    what: str
    topic: str = ""
    payload: bytes = b""
    number: int = 0
    refusal: str = ""


Wait = Callable[[Callable[[Heard], bool], str], None]
"""Takes what is heard until it is what was waited for; else raises Unreachable with the text."""


class Link:
    """One connection to the broker. What the network thread hears it puts into a queue; `Driver` takes it out."""

    def __init__(self, config: Driver.Config, secrets: Mapping[str, Secret]) -> None:
        self.inbox: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.client = client = mqtt.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        if config.username is not None:
            client.username_pw_set(secrets["username"].reveal(), secrets["password"].reveal())
        client.connect_timeout = config.timeout_s
        put = self.inbox.put
        client.on_connect = lambda _c, _u, _f, code, _p: put(Heard("connected", refusal=_refusal(code)))
        client.on_disconnect = lambda _c, _u, _f, code, _p: put(Heard("lost", refusal=str(code)))
        client.on_subscribe = lambda _c, _u, number, codes, _p: put(
            Heard("subscribed", number=number, refusal="".join(_refusal(code) for code in codes[:1]))
        )
        client.on_publish = lambda _c, _u, number, code, _p: put(
            Heard("published", number=number, refusal=_refusal(code))
        )
        client.on_message = lambda _c, _u, message: put(Heard("message", message.topic, bytes(message.payload)))
        client.connect(config.host, config.port, KEEP_ALIVE_S)
        client.loop_start()

    def close(self) -> None:
        """Hang up; the thread ends."""
        with suppress(OSError, ValueError):
            self.client.disconnect()
        self.client.loop_stop()


class Driver:
    """One charger behind a broker. A call takes at most ``timeout_s``, and as long again if it must connect first."""

    kind = "pulsar"
    accepts = frozenset({SetCurrent})

    class Config(DeviceConfig):
        """``host`` is the broker, ``serial`` the charger's number: the bridge's topics begin with "wallbox_" and it.

        ``max_current_a`` is what may be asked for at most; without it what the bridge announces, else 16 A.
        """

        charges: ClassVar[str] = "evse"
        channels: ClassVar[tuple[str, ...] | None] = ()
        offers_a: ClassVar[float | None] = LARGEST_A
        switches_phases: ClassVar[bool] = False

        host: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
        port: int = Field(default=1883, ge=1, le=65535)
        serial: str = Field(pattern=r"^[A-Za-z0-9-]{1,40}$")
        username: Credential | None = None
        password: Credential | None = None
        max_current_a: float | None = Field(default=None, ge=6, le=LARGEST_A)
        timeout_s: float = Field(default=5.0, ge=0.1, le=60)
        poll_s: float = Field(default=10.0, ge=1, le=3600)
        max_age_s: float = Field(default=45.0, ge=5, le=86_400)

        @model_validator(mode="after")
        def _complete(self) -> Driver.Config:
            if (self.username is None) != (self.password is None):
                raise ValueError("give username and password together, or neither")
            return self

    def __init__(
        self, name: str, config: DeviceConfig, channels: tuple[str, ...], secrets: Mapping[str, Secret]
    ) -> None:
        assert isinstance(config, self.Config)
        self._name = name
        self._config = config
        self._channels = tuple(channel for channel in channels if channel)
        self._secrets = dict(secrets)
        self._root = f"wallbox_{config.serial}"
        self._announced = f"homeassistant/number/{config.serial}_max_charging_current/config"
        self._link: Link | None = None
        self._told: dict[str, bytes] = {}
        self._patiences = 0

    def describe(self) -> DeviceAdded:
        """What the bridge announces of the charger."""
        if self._channels:
            raise UnexpectedAnswer(f"{self._name} is one charger and has no socket {self._channels[0]!r}")
        with self._call():
            self._ask()
        device = self._announcement().get("device")
        known = device if isinstance(device, dict) else {}
        return DeviceAdded(
            driver=self.kind,
            model=f"Wallbox {known.get('model') or 'Pulsar'}",
            device_id=self._config.serial,
            firmware=str(known.get("sw_version") or ""),
            accepts=("SetCurrent",),
            min_current_a=MIN_CURRENT_A,
            max_current_a=self._most_a(),
            current_step_a=STEP_A,
            max_phases=3,
            has_pilot=True,
        )

    def read(self) -> tuple[ChargerRead, ...]:
        """What the bridge has told last, if it is there and the broker answers."""
        with self._call():
            self._ask()
        return (self._reading(),)

    def apply(self, command: Command) -> None:
        """Set the current, then resume; or pause. What is so already is not sent again: the charger keeps it on its disk.

        A pause is always sent. Who asks for one anew has seen current flow, whatever the retained state says.
        """
        if not isinstance(command, SetCurrent) or not command.current_a >= 0:  # NaN is no pause
            raise UnexpectedAnswer(f"{self._name} cannot do that: {type(command).__name__}")
        with self._call():
            self._ask()
            if command.enabled:
                high_a = self._most_a()
                wanted_a = stepped(self._name, command.current_a, step_a=STEP_A, low_a=MIN_CURRENT_A, high_a=high_a)
                self._set("max_charging_current", int(wanted_a))
            self._set("charging_enable", int(command.enabled), anew=not command.enabled)

    def close(self) -> None:
        """Hang up."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    # The conversation

    @contextmanager
    def _call(self) -> Iterator[None]:
        """Connects if need be. Any error ends the connection, so that the next call begins anew."""
        try:
            self._connect()
            yield
        except Exception:
            self.close()
            raise

    def _connect(self) -> None:
        if self._link is not None:
            return
        self._told = {}
        try:
            self._link = Link(self._config, self._secrets)
        except TimeoutError:
            raise Unreachable(f"{self._name}: the broker at {self._where} did not answer in time") from None
        except OSError as error:
            told = error.strerror or str(error)
            raise Unreachable(f"{self._name}: the broker at {self._where} cannot be reached: {told}") from None
        with self._patience() as wait:
            wait(lambda heard: heard.what == "connected", "the broker did not answer in time")
        for topic in (self._announced, f"{self._root}/+/state"):
            self._subscribe(topic)

    @property
    def _where(self) -> str:
        return f"{self._config.host}:{self._config.port}"

    def _subscribe(self, topic: str) -> None:
        assert self._link is not None
        _, number = self._link.client.subscribe(topic)
        with self._patience() as wait:
            wait(
                lambda heard: heard.what == "subscribed" and heard.number == number, "the broker did not answer in time"
            )

    def _ask(self) -> None:
        """Have the broker answer, look whether the bridge is there, and wait for what a reading needs."""
        self._subscribe(f"{self._root}/availability")
        with self._patience() as wait:
            if "availability" not in self._told:
                wait(lambda _: "availability" in self._told, f"the broker knows nothing of {self._root}")
            if self._told["availability"] != b"online":
                raise Unreachable(f"{self._name}: its bridge is {_text(self._told['availability'])}")
            if not self._told.keys() >= NEEDED:
                wait(lambda _: self._told.keys() >= NEEDED, "its bridge does not say everything")

    def _set(self, key: str, value: int, *, anew: bool = False) -> None:
        assert self._link is not None
        wanted = str(value).encode()
        if self._told.get(key) == wanted and not anew:
            return
        sent = self._link.client.publish(f"{self._root}/{key}/set", wanted, qos=1)
        with self._patience() as wait:
            wait(lambda heard: heard.what == "published" and heard.number == sent.mid, "the broker did not take it")
            if self._told.get(key) != wanted:
                wait(lambda _: self._told.get(key) == wanted, f"its bridge was told {key} = {value} and did not follow")

    @contextmanager
    def _patience(self) -> Iterator[Wait]:
        """Waits for something to be heard, ``timeout_s`` in all; a thread of its own says when that is over."""
        link = self._link
        assert link is not None
        self._patiences += 1
        number = self._patiences
        alarm = Timer(self._config.timeout_s, link.inbox.put, (Heard("late", number=number),))
        alarm.daemon = True
        alarm.start()

        def wait(is_it: Callable[[Heard], bool], otherwise: str) -> None:
            while True:
                heard = link.inbox.get()
                self._take(heard)
                if heard.what == "late" and heard.number == number:
                    raise Unreachable(f"{self._name}: {otherwise}")
                if is_it(heard):
                    return

        try:
            yield wait
        finally:
            alarm.cancel()
            alarm.join()

    def _take(self, heard: Heard) -> None:
        if heard.what == "lost":
            raise Unreachable(f"{self._name}: the broker at {self._where} has hung up")
        if heard.refusal in DENIED:
            raise AccessDenied(f"{self._name}: the broker at {self._where} refuses the login ({heard.refusal})")
        if heard.what == "message":
            root, _, rest = heard.topic.partition("/")
            key = rest.partition("/")[0] if root == self._root else heard.topic
            self._told[key] = heard.payload
        elif heard.refusal:
            raise Unreachable(f"{self._name}: the broker at {self._where} refuses: {heard.refusal}")

    # What it has told

    def _reading(self) -> ChargerRead:
        status = _text(self._told["status"])
        connected = self._number("cable_connected")
        enabled = self._number("charging_enable")
        currents = [self._number(f"charging_current_l{line}") for line in (1, 2, 3)]
        voltages = [self._number(f"voltage_l{line}") for line in (1, 2, 3)]
        if not any(voltages):
            voltages = [None] * 3  # what the bridge says on firmware that gives it none
        return ChargerRead(
            enabled=None if enabled is None else enabled != 0,
            power_w=self._number("charging_power"),
            energy_wh=self._number("cumulative_added_energy"),
            pilot=_pilot(status, connected),
            offered_a=self._number("max_charging_current"),
            current_l1_a=currents[0],
            current_l2_a=currents[1],
            current_l3_a=currents[2],
            voltage_l1_v=voltages[0],
            voltage_l2_v=voltages[1],
            voltage_l3_v=voltages[2],
            status=status,
        )

    def _number(self, key: str) -> float | None:
        payload = self._told.get(key)
        if payload is None:
            return None
        try:
            value = float(payload)
        except ValueError:
            raise UnexpectedAnswer(f"{self._name} gave {key} that is no number", _text(payload)) from None
        return value if math.isfinite(value) else None

    def _announcement(self) -> dict[str, Any]:
        try:
            announced = json.loads(self._told.get(self._announced, b"{}"))
        except (ValueError, RecursionError):
            return {}  # it is a courtesy for another program; nothing depends on it
        return announced if isinstance(announced, dict) else {}

    def _most_a(self) -> float:
        announced = SMALLEST_A
        with suppress(ValueError, TypeError):
            announced = float(self._announcement().get("max") or SMALLEST_A)
        if not math.isfinite(announced):
            announced = SMALLEST_A
        return announced if self._config.max_current_a is None else self._config.max_current_a


def _refusal(code: Any) -> str:
    return str(code) if code.is_failure else ""


def _text(payload: bytes) -> str:
    return payload[:RAW_CHARS].decode("utf-8", "replace")


def _pilot(status: str, connected: float | None) -> str | None:
    if status == "Error":
        return "F"
    if status in FLOWS:
        return "C"
    return None if connected is None else "B" if connected else "A"


# Whatever goes wrong reaches people by the three errors, not by a line of a library on standard error.
logging.getLogger("paho").setLevel(logging.CRITICAL)
