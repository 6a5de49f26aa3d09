"""Simulated Tapo and newer Kasa plugs: the SMART protocol behind a KLAP login, over the physics of `sim.world`.

Requests name a method; several come as one ``multipleRequest``, which real devices leave off at the first method they do
not know. What the methods answer was taken from the recorded devices in python-kasa's tests (P110, P115, KP125M). Nobody has
written down what a real plug does when its auto-off is set again while it runs, so that is settable: `SmartBehaviour`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from chargerd.drivers.simulated import VOLTAGE_V, Socket
from chargerd.sim.wire.kasa import Behaviour, Request, SimulatedPlug
from chargerd.sim.wire.kasa_outlet import Countdown, Json, Outlet
from chargerd.sim.wire.klap import Lock, Login
from chargerd.sim.wire.klap_server import KlapServer

UNKNOWN_METHOD = -1002
BAD_PARAMETERS = -1008
AUTO_OFF = "auto off"
LONGEST_MIN = 1439


class SmartModel(NamedTuple):
    """What tells one model from another on the wire. ``metering`` is the version of energy_monitoring, 0 for none."""

    model: str
    region: str
    fw_ver: str
    family: str = "SMART.TAPOPLUG"
    metering: int = 2
    auto_off: bool = True


MODELS = {
    "P110": SmartModel("P110", "AU", "1.3.1 Build 240621 Rel.162048"),
    "P110v1": SmartModel("P110", "EU", "1.0.7 Build 210629 Rel.174901", metering=1),
    "P115": SmartModel("P115", "US", "1.1.3 Build 240523 Rel.175054"),
    "KP125M": SmartModel("KP125M", "US", "1.2.3 Build 240624 Rel.154806", "SMART.KASAPLUG"),
    "P100": SmartModel("P100", "US", "1.4.0 Build 20231219 Rel.112200", metering=0, auto_off=False),
}


@dataclass
class SmartBehaviour(Behaviour):
    """How the plug misbehaves, besides what its server does. Not all of what an older plug can do wrong exists here."""

    setting_restarts_auto_off: bool = True  # set again with the relay on, the time begins anew
    never_starts_auto_off: bool = False  # takes the setting and never counts


class SimulatedSmartPlug(SimulatedPlug):
    """A plug that wants a login. Its timer is the setting "auto off": a time in minutes that begins when the relay goes on."""

    def __init__(
        self,
        socket: Socket,
        *,
        now_s: Callable[[], float],
        login: Login,
        alias: str = "plug",
        model: str = "P110",
        host: str = "127.0.0.1",
        mac: str = "9C:53:22:00:00:01",
    ) -> None:
        super().__init__(socket, now_s=now_s, alias=alias, host=host, mac=mac)
        self.smart = MODELS[model]
        self.behaviour: SmartBehaviour = SmartBehaviour()
        self.auto_off = False
        self.auto_off_min = 120
        lock = Lock(login)
        self.server = KlapServer(self.answer, lock, self._announced, now_s=now_s, host=host)
        self._server = self.server

    def answer(self, request: Json, udp: bool = False) -> Json:  # noqa: ARG002
        """What the device answers to a request, which it carries out."""
        with self._lock:
            at_s = self._settle()
            if request.get("method") != "multipleRequest":
                return self._one(request, at_s)
            responses = []
            for part in request["params"]["requests"]:
                reply = self._one(part, at_s)
                responses.append({"method": part["method"], **reply})
                if reply["error_code"] != 0:
                    break
            return {"result": {"responses": responses}, "error_code": 0}

    def _one(self, request: Json, at_s: float) -> Json:
        method, params = str(request.get("method")), request.get("params")
        self.requests.append(Request(at_s, "", method, params))
        known = self._methods().get(method)
        if known is None:
            return {"error_code": UNKNOWN_METHOD}
        try:
            result = known(params or {}, at_s)
        except (KeyError, TypeError, ValueError):
            return {"error_code": BAD_PARAMETERS}
        return {"error_code": 0} if result is None else {"result": result, "error_code": 0}

    def _methods(self) -> Mapping[str, Callable[[Json, float], Json | None]]:
        outlet = self._outlets[0]
        methods: dict[str, Callable[[Json, float], Json | None]] = {
            "component_nego": lambda _p, _t: {"component_list": self._components()},
            "get_device_info": lambda _p, at_s: self._info(outlet, at_s),
            "set_device_info": lambda params, at_s: self._set_info(outlet, params, at_s),
            "get_connect_cloud_state": lambda _p, _t: {"status": 0},
            "get_device_time": lambda _p, at_s: {"region": "UTC", "time_diff": 0, "timestamp": int(at_s)},
            "get_device_usage": lambda _p, at_s: _usage(outlet, at_s),
        }
        if self.smart.auto_off:
            methods["get_auto_off_config"] = lambda _p, _t: {"enable": self.auto_off, "delay_min": self.auto_off_min}
            methods["set_auto_off_config"] = lambda params, at_s: self._set_auto_off(outlet, params, at_s)
        if self.smart.metering >= 1:
            methods["get_energy_usage"] = lambda _p, at_s: _energy(outlet, at_s, self.behaviour.no_power)
        if self.smart.metering >= 2:
            methods["get_current_power"] = lambda _p, at_s: {"current_power": round(outlet.socket.power_w(at_s))}
            methods["get_emeter_data"] = lambda _p, at_s: _meter(outlet, at_s, self.behaviour.no_power)
            methods["get_emeter_vgain_igain"] = lambda _p, _t: {"igain": 11437, "vgain": 127146}
        return methods

    def _components(self) -> list[Json]:
        versions = {"device": 2, "quick_setup": 3, "time": 1, "wireless": 1, "countdown": 2, "account": 1}
        versions |= {"cloud_connect": 1, "iot_cloud": 1, "device_local_time": 1, "default_states": 1}
        versions |= {"auto_off": 2} if self.smart.auto_off else {}
        versions |= {"energy_monitoring": self.smart.metering} if self.smart.metering else {}
        return [{"id": name, "ver_code": version} for name, version in versions.items()]

    def _announced(self) -> Json:
        return {
            "device_id": self.device_id[-32:],
            "device_type": self.smart.family,
            "device_model": f"{self.smart.model}({self.smart.region})",
            "mac": self.mac.replace(":", "-"),
            "is_support_iot_cloud": True,
        }

    def _info(self, outlet: Outlet, at_s: float) -> Json:
        left_s = 0 if outlet.timer is None else outlet.timer.as_json(at_s)["remain"]
        timer = {"auto_off_status": "on" if left_s else "off", "auto_off_remain_time": left_s}
        return {
            "device_id": self.device_id,
            "fw_ver": self.smart.fw_ver,
            "hw_ver": "1.0",
            "type": self.smart.family,
            "model": self.smart.model,
            "mac": self.mac.replace(":", "-"),
            "hw_id": "0" * 32,
            "fw_id": "0" * 32,
            "oem_id": "0" * 32,
            "ip": self.host,
            "ssid": _b64("home"),
            "nickname": _b64(outlet.alias),
            "avatar": "plug",
            "specs": "",
            "lang": "en_US",
            "region": "UTC",
            "time_diff": 0,
            "rssi": -53,
            "signal_level": 2,
            "device_on": bool(self._reported(outlet)),
            "on_time": outlet.on_time_s(at_s),
            "overheat_status": "normal",
            "default_states": {"type": "last_states", "state": {}},
            **(timer if self.smart.auto_off else {}),
        }

    def _set_info(self, outlet: Outlet, params: Json, at_s: float) -> None:
        if "nickname" in params:
            outlet.alias = self.alias = b64decode(params["nickname"]).decode()
        if "device_on" in params and not self.behaviour.deaf_relay:
            self._switch(outlet, bool(params["device_on"]), at_s, "client")

    def _set_auto_off(self, outlet: Outlet, params: Json, at_s: float) -> None:
        minutes = int(params["delay_min"])
        if not 1 <= minutes <= LONGEST_MIN:
            raise ValueError(minutes)
        runs = outlet.timer is not None
        self.auto_off, self.auto_off_min = bool(params["enable"]), minutes
        if not self.auto_off:
            outlet.timer = None
        elif outlet.socket.on and (not runs or self.behaviour.setting_restarts_auto_off):
            self._start_auto_off(outlet, at_s)

    def _start_auto_off(self, outlet: Outlet, at_s: float) -> None:
        if not self.behaviour.never_starts_auto_off:
            delay_s = self.auto_off_min * 60
            outlet.timer = Countdown("", AUTO_OFF, 1, 0, delay_s, at_s + delay_s)

    def _switch(self, outlet: Outlet, on: bool, at_s: float, cause: str) -> None:
        was_on = outlet.socket.on
        super()._switch(outlet, on, at_s, cause)
        if not on:
            outlet.timer = None
        elif self.auto_off and not was_on:
            self._start_auto_off(outlet, at_s)


def _meter(outlet: Outlet, at_s: float, no_power: bool) -> Json:
    power_w = outlet.socket.measure_w(at_s)
    values = {
        "current_ma": round(power_w / VOLTAGE_V * 1000),
        "voltage_mv": round(VOLTAGE_V * 1000),
        "energy_wh": round(_month_wh(outlet, at_s)),
        "power_mw": round(power_w * 1000),
    }
    return {key: value for key, value in values.items() if not (no_power and key == "power_mw")}


def _energy(outlet: Outlet, at_s: float, no_power: bool) -> Json:
    now = datetime.fromtimestamp(at_s, UTC)
    today_wh = outlet.days_wh.get((now.year, now.month, now.day), 0.0)
    power = {} if no_power else {"current_power": round(outlet.socket.measure_w(at_s) * 1000)}
    return {
        "today_runtime": outlet.on_time_s(at_s) // 60,
        "month_runtime": outlet.on_time_s(at_s) // 60,
        "today_energy": round(today_wh),
        "month_energy": round(_month_wh(outlet, at_s)),
        "local_time": now.strftime("%Y-%m-%d %H:%M:%S"),
        "electricity_charge": [0, 0, 0],
        **power,
    }


def _usage(outlet: Outlet, at_s: float) -> Json:
    month_wh = round(_month_wh(outlet, at_s))
    return {"power_usage": {"today": month_wh, "past7": month_wh, "past30": month_wh}}


def _month_wh(outlet: Outlet, at_s: float) -> float:
    now = datetime.fromtimestamp(at_s, UTC)
    return sum(wh for (year, month, _day), wh in outlet.days_wh.items() if (year, month) == (now.year, now.month))


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()
