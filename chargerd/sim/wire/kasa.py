"""Simulated TP-Link plugs and strips: the legacy protocol of TCP and UDP port 9999 over the physics of `sim.world`.

Every request carries out what came due before it (a countdown that ended, energy that flowed), at the moment it came
due; so a device behaves as if it lived on its own clock although nothing runs between two requests.

What real devices answer was taken from the recorded devices in python-kasa's tests and from the TypeScript simulator
``tplink-smarthome-simulator``. Two things nobody has written down are settable here: whether switching the relay clears
the countdown (`Behaviour.switching_clears_timer`), and what the relay does after a reboot (`SimulatedPlug.reboot`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from chargerd.drivers.simulated import Socket
from chargerd.sim.wire.kasa_outlet import BAD_ARGUMENT, NO_ENTRY, NO_METHOD, NO_MODULE, Countdown, Json, Outlet, Refused
from chargerd.sim.wire.kasa_server import Server


class Model(NamedTuple):
    """What tells one model from another on the wire."""

    model: str
    hw_ver: str
    sw_ver: str
    dev_name: str = ""
    meter: str = "integer"  # "float": HS110 of the first hardware; "integer": later ones; "none"
    type_key: str = "mic_type"


MODELS = {
    "HS110v1": Model(
        "HS110(EU)", "1.0", "1.2.5 Build 171213 Rel.101523", "Wi-Fi Smart Plug With Energy Monitoring", "float", "type"
    ),
    "HS110v2": Model(
        "HS110(EU)",
        "2.0",
        "1.5.2 Build 180130 Rel.085820",
        "Smart Wi-Fi Plug With Energy Monitoring",
        "integer",
        "type",
    ),
    "KP115": Model("KP115(EU)", "1.0", "1.0.17 Build 210506 Rel.075231", "Smart Wi-Fi Plug Mini"),
    "HS100": Model("HS100(EU)", "2.0", "1.5.6 Build 191118 Rel.140307", "Smart Wi-Fi Plug", "none", "type"),
    "HS300": Model("HS300(US)", "1.0", "1.0.21 Build 210524 Rel.161309"),
    "KP303": Model("KP303(UK)", "1.0", "1.0.3 Build 191105 Rel.113122", "Wi-Fi Smart Power Strip", "none"),
}


class Request(NamedTuple):
    """One method that a client called. ``child`` is the first child id of its context, or ""."""

    at_s: float
    child: str
    method: str
    args: Any


class Switching(NamedTuple):
    """The relay of a socket moved. ``cause`` is "client", "countdown", "button" or "reboot"."""

    at_s: float
    child: str
    on: bool
    cause: str


@dataclass
class Behaviour:
    """How a device misbehaves; everything can be changed while it runs. Counts are taken down by one each time, -1 is for ever."""

    mute: bool = False  # accepts and reads, does nothing, never answers
    mute_udp: bool = False  # does not answer a search
    delay_s: float = 0.0  # answers late
    garbage: int = 0  # answers with a frame that is no JSON
    half: int = 0  # answers with half a frame, then closes
    lose_answers: int = 0  # does what it was told, then closes without an answer
    lose_only: str = ""  # lose only answers to requests that have this method, such as "system.set_relay_state"
    deaf_relay: bool = False  # accepts set_relay_state and leaves the relay where it is
    stale_relay: bool = False  # goes on reporting the relays as they were when this was set
    no_power: bool = False  # leaves the power out of the meter's answer
    no_timer: bool = False  # does not know the module count_down
    dead_timer: bool = False  # takes countdown rules, and forgets to act when they end
    switching_clears_timer: bool = False


class SimulatedPlug:
    """A TP-Link device on a TCP port. Starts and stops from any thread; ``now_s`` is its own clock, UTC in seconds.

    ``port`` 0 takes a free one and keeps it over a stop. It answers discovery by UDP on the same port, and broadcasts
    to ``broadcast`` if that is given. `requests` and `switchings` say what reached it and what its relays did.
    """

    def __init__(
        self,
        socket: Socket,
        *,
        now_s: Callable[[], float],
        alias: str = "plug",
        model: str = "HS110v2",
        host: str = "127.0.0.1",
        port: int = 0,
        mac: str = "50:C7:BF:00:00:01",
        broadcast: str | None = None,
    ) -> None:
        self.alias = alias
        self.mac = mac
        self.model = MODELS[model]
        self.behaviour = Behaviour()
        self.requests: list[Request] = []
        self.device_id = "8006" + mac.replace(":", "").upper().rjust(36, "0")
        self._now_s = now_s
        self._lock = threading.RLock()
        self._switchings: list[Switching] = []
        self._seen: dict[str, bool] = {}
        self._outlets = [Outlet("", alias, socket, at_s=now_s())]
        self._server = Server(self.answer, self.behaviour, host=host, port=port, broadcast=broadcast)

    def start(self) -> None:
        """Listen. Raises OSError if the address is taken."""
        self._server.start()

    def stop(self) -> None:
        """Stop listening and drop every client, as if the device had left the network; its timers go on."""
        self._server.stop()

    @property
    def host(self) -> str:
        """Address it listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """Port it listens on, once started."""
        return self._server.port

    @property
    def switchings(self) -> list[Switching]:
        """Everything the relays did until now."""
        with self._lock:
            self._settle()
            return list(self._switchings)

    def is_on(self, child: str = "") -> bool:
        """Whether the relay lets power through now."""
        with self._lock:
            self._settle()
            return self._outlet(child).socket.on

    def timer(self, child: str = "") -> Countdown | None:
        """The countdown rule that the socket holds now."""
        with self._lock:
            self._settle()
            return self._outlet(child).timer

    def press(self, child: str = "") -> None:
        """Somebody presses the button: the relay turns over."""
        with self._lock:
            at_s = self._settle()
            outlet = self._outlet(child)
            self._switch(outlet, not outlet.socket.on, at_s, "button")

    def connect(self, socket: Socket, child: str = "") -> None:
        """Replace the socket's physics."""
        with self._lock:
            socket.advance(self._settle())
            self._outlet(child).socket = socket

    def reboot(self, relay: bool | None = None) -> None:
        """The device loses power for a moment: connections, countdowns and energy counters are gone.

        ``relay`` is where its relays are afterwards; None leaves them where they were.
        """
        self._server.drop_clients()
        with self._lock:
            at_s = self._settle()
            for outlet in self._outlets:
                outlet.timer = None
                outlet.socket.reboot(at_s)
                if relay is not None:
                    self._switch(outlet, relay, at_s, "reboot")

    def freeze_reports(self) -> None:
        """From now on report the relays as they are now, whatever they do."""
        with self._lock:
            self._settle()
            self._seen = {outlet.child: outlet.socket.on for outlet in self._outlets}
            self.behaviour.stale_relay = True

    def speak_through(self, server: Server) -> None:
        """Stop listening as until now and answer by another server, as after a firmware update."""
        self._server.stop()
        self._server = server
        server.start()

    def answer(self, request: Json, udp: bool = False) -> Json:
        """What the device answers to a request, which it carries out."""
        with self._lock:
            at_s = self._settle()
            context = request.get("context", {})
            children = context.get("child_ids") if isinstance(context, dict) else None
            modules = self._modules()
            reply: Json = {}
            for module, methods in request.items():
                if module == "context":
                    continue
                table = modules.get(module)
                if table is None or not isinstance(methods, dict):
                    reply[module] = NO_MODULE
                    continue
                reply[module] = {}
                for method, args in methods.items():
                    self.requests.append(Request(at_s, (children or [""])[0], f"{module}.{method}", args))
                    reply[module][method] = self._call(table.get(method), children, args or {}, at_s)
            if udp:
                _shorten_ids(reply)
            return reply

    def _call(self, method: Method | None, children: list[str] | None, args: Json, at_s: float) -> Json:
        if method is None:
            return NO_METHOD
        try:
            outlets = self._outlets if children is None else self._named(children)
            return {**(method(outlets, args, at_s) or {}), "err_code": 0}
        except Refused as refusal:
            return refusal.reply
        except (KeyError, TypeError, ValueError):
            return BAD_ARGUMENT

    def _modules(self) -> Mapping[str, Mapping[str, Method]]:
        modules: dict[str, Mapping[str, Method]] = {
            "system": {
                "get_sysinfo": lambda _o, _a, at_s: self._sysinfo(at_s),
                "set_relay_state": self._set_relay_state,
                "set_dev_alias": self._set_dev_alias,
                "set_led_off": lambda _o, _a, _t: None,
            },
            "time": {"get_time": _get_time, "get_timezone": lambda _o, _a, _t: {"index": TIMEZONE_UTC}},
            "schedule": {
                "get_rules": lambda _o, _a, _t: {"rule_list": [], "version": 2, "enable": 0},
                "get_next_action": lambda _o, _a, _t: {"type": -1},
                "get_daystat": lambda _o, _a, _t: {"day_list": []},
                "get_monthstat": lambda _o, _a, _t: {"month_list": []},
            },
            "anti_theft": {"get_rules": lambda _o, _a, _t: {"rule_list": [], "version": 2, "enable": 0}},
        }
        if self.model.meter != "none":
            modules["emeter"] = {
                "get_realtime": lambda o, _a, at_s: o[0].realtime(self.model.meter, at_s, self.behaviour.no_power),
                "get_daystat": lambda o, a, _t: o[0].daystat(self.model.meter, int(a["year"]), int(a["month"])),
                "get_monthstat": lambda o, a, _t: o[0].monthstat(self.model.meter, int(a["year"])),
            }
        if not self.behaviour.no_timer:
            modules["count_down"] = {
                "get_rules": lambda o, _a, at_s: o[0].rules(at_s),
                "add_rule": lambda o, a, at_s: o[0].add_rule(a, at_s),
                "edit_rule": lambda o, a, at_s: o[0].edit_rule(a, at_s),
                "delete_rule": lambda o, a, _t: o[0].delete_rule(a),
                "delete_all_rules": _delete_all_rules,
            }
        return modules

    def _outlet(self, child: str) -> Outlet:
        for outlet in self._outlets:
            if child in (outlet.child, outlet.alias):
                return outlet
        raise KeyError(f"{self.alias} has no socket {child!r}")

    def _named(self, children: list[str]) -> list[Outlet]:  # noqa: ARG002
        return self._outlets  # a device without children ignores the context

    def _settle(self) -> float:
        now_s = self._now_s()
        for outlet in self._outlets:
            timer = outlet.timer
            if timer is not None and timer.enable and timer.due_s <= now_s:
                timer.enable = 0
                if not self.behaviour.dead_timer:
                    self._switch(outlet, bool(timer.act), timer.due_s, "countdown")
            outlet.flow(now_s)
        return now_s

    def _switch(self, outlet: Outlet, on: bool, at_s: float, cause: str) -> None:
        outlet.flow(at_s)
        if outlet.socket.on != on:
            outlet.socket.switch(on, at_s)
            self._switchings.append(Switching(at_s, outlet.child, on, cause))

    def _reported(self, outlet: Outlet) -> int:
        if self.behaviour.stale_relay:
            return int(self._seen[outlet.child])
        return int(outlet.socket.on)

    def _sysinfo(self, at_s: float) -> Json:
        outlet = self._outlets[0]
        return {
            **self._identity(),
            "dev_name": self.model.dev_name,
            "icon_hash": "",
            "relay_state": self._reported(outlet),
            "on_time": outlet.on_time_s(at_s),
            "active_mode": "count_down" if outlet.timer and outlet.timer.enable else "none",
            "next_action": {"type": -1},
            "alias": outlet.alias,
        }

    def _identity(self) -> Json:
        return {
            "sw_ver": self.model.sw_ver,
            "hw_ver": self.model.hw_ver,
            "model": self.model.model,
            "deviceId": self.device_id,
            "oemId": "0" * 32,
            "hwId": "0" * 32,
            "rssi": -55,
            "longitude_i": 0,
            "latitude_i": 0,
            "alias": self.alias,
            "mac": self.mac,
            self.model.type_key: "IOT.SMARTPLUGSWITCH",
            "feature": "TIM" if self.model.meter == "none" else "TIM:ENE",
            "updating": 0,
            "led_off": 0,
        }

    def _set_relay_state(self, outlets: list[Outlet], args: Json, at_s: float) -> None:
        on = bool(int(args["state"]))
        for outlet in [] if self.behaviour.deaf_relay else outlets:
            self._switch(outlet, on, at_s, "client")
            if self.behaviour.switching_clears_timer:
                outlet.timer = None

    def _set_dev_alias(self, outlets: list[Outlet], args: Json, _at_s: float) -> None:
        outlets[0].alias = str(args["alias"])


class SimulatedStrip(SimulatedPlug):
    """A strip: several sockets, each with its own relay, meter and timer, on one connection.

    ``sockets`` maps each alias to its socket; two sockets of one alias are made with `set_alias`.
    """

    def __init__(
        self,
        sockets: Mapping[str, Socket],
        *,
        now_s: Callable[[], float],
        alias: str = "strip",
        model: str = "HS300",
        host: str = "127.0.0.1",
        port: int = 0,
        mac: str = "50:C7:BF:00:03:00",
        broadcast: str | None = None,
    ) -> None:
        super().__init__(
            next(iter(sockets.values())),
            now_s=now_s,
            alias=alias,
            model=model,
            host=host,
            port=port,
            mac=mac,
            broadcast=broadcast,
        )
        self._outlets = [
            Outlet(f"{self.device_id}{number:02}", name, socket, at_s=now_s())
            for number, (name, socket) in enumerate(sockets.items())
        ]

    def child(self, alias: str) -> str:
        """The child id of the socket of that name."""
        return self._outlet(alias).child

    def set_alias(self, child: str, alias: str) -> None:
        """Rename a socket, as the app does."""
        with self._lock:
            self._outlet(child).alias = alias

    def _named(self, children: list[str]) -> list[Outlet]:
        known = {outlet.child: outlet for outlet in self._outlets}
        if not all(child in known for child in children):
            raise Refused(NO_ENTRY)
        return [known[child] for child in children]

    def _sysinfo(self, at_s: float) -> Json:
        children = [
            {
                "id": outlet.child,
                "state": self._reported(outlet),
                "alias": outlet.alias,
                "on_time": outlet.on_time_s(at_s),
                "next_action": {"type": -1},
            }
            for outlet in self._outlets
        ]
        return {**self._identity(), "status": "new", "child_num": len(children), "children": children}

    def _set_dev_alias(self, outlets: list[Outlet], args: Json, at_s: float) -> None:
        if len(outlets) == 1:
            super()._set_dev_alias(outlets, args, at_s)
        else:
            self.alias = str(args["alias"])


Method = Callable[[list[Outlet], Json, float], Json | None]


TIMEZONE_UTC = 38


def _get_time(_outlets: list[Outlet], _args: Json, at_s: float) -> Json:
    now = datetime.fromtimestamp(at_s, UTC)
    return {
        "year": now.year,
        "month": now.month,
        "mday": now.day,
        "hour": now.hour,
        "min": now.minute,
        "sec": now.second,
    }


def _delete_all_rules(outlets: list[Outlet], _args: Json, _at_s: float) -> None:
    for outlet in outlets:
        outlet.timer = None


def _shorten_ids(reply: Json) -> None:
    # In UDP answers a strip gives only the last two digits of its children's ids.
    for child in reply.get("system", {}).get("get_sysinfo", {}).get("children", []):
        child["id"] = child["id"][-2:]
