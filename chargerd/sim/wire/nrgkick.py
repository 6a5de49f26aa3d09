"""NRGkick: simulated chargers of both generations, which speak HTTP as the real ones do.

The first generation is drawn after traces of real boxes in evcc's issues 9788 and 33625, the second one after the maker's page
of the local interface and nrgkick-api, which is its independent client in the tests.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from chargerd.sim.wire.evse import Evse
from chargerd.sim.wire.web import Json, Reply, Request, WebDevice

SAME_S = 1.0  # of two PUTs so close together the box carries out the first only
NOTHING = {"Message": "No content found for this request"}
SWITCHED_OFF = {"Response": "API must be enabled within the NRGkick App"}


class Shown(NamedTuple):
    """What the Connect box last heard of the charger by Bluetooth."""

    charging: bool
    current_a: float


class SimulatedGen1(WebDevice):
    """A Connect box and one charger of the first generation.

    Settable besides the physics: ``pin``, ``linked`` (Bluetooth works), ``lag_s`` (how long the box goes on telling what was
    set before), ``errors``, ``deaf`` (it hears no measurements any more and goes on telling the last ones).
    """

    def __init__(
        self, evse: Evse, *, mac: str = "00:11:22:33:44:55", pin: str = "0123", host: str = "127.0.0.1"
    ) -> None:
        super().__init__(host)
        self.evse = evse
        self.mac = mac
        self.pin = pin
        self.linked = True
        self.lag_s = 0.0
        self.errors = ["0"]
        self.deaf = False
        self._heard: Json = {}
        self._before = Shown(not evse.paused, evse.offered_a)
        self._set_at_s: float | None = None

    @property
    def puts(self) -> list[Request]:
        """Every PUT that came, whether it had an effect or not."""
        return [request for request in self.requests if request.method == "PUT"]

    def now_s(self) -> float:
        """The charger's clock."""
        return self.evse.now_s()

    def answer(self, request: Request) -> Reply:
        """As the box does: reads from what it has heard, writes through to the charger."""
        self.evse.settle()
        kind, _, mac = request.path.removeprefix("/api/").partition("/")
        if not request.path.startswith("/api/") or kind not in ("measurements", "settings"):
            return Reply(404, {"Message": "No HTTP resource was found that matches the request URI."})
        if mac != self.mac or not self.linked:
            return Reply(404, NOTHING)
        if request.method == "PUT":
            return self._put(request)
        return Reply(200, self._measurements() if kind == "measurements" else self._settings(match=True))

    def _put(self, request: Request) -> Reply:
        if request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            return Reply(415, {"Message": "The request entity's media type is not supported for this resource."})
        try:
            values: Json = json.loads(request.body)["Values"]
            password = values["DeviceMetadata"]["Password"]
        except (ValueError, LookupError, TypeError):
            return Reply(400, {"Message": "The request is invalid."})
        if password != self.pin:
            return Reply(200, self._settings(match=False))
        if self._set_at_s is None or request.at_s - self._set_at_s >= SAME_S:
            self._carry_out(values, request.at_s)
        return Reply(200, self._settings(match=True))

    def _carry_out(self, values: Json, at_s: float) -> None:
        self._before = self._shown()
        self._set_at_s = at_s
        current: Json = values.get("ChargingCurrent", {})
        self.evse.min_a = current.get("Min", self.evse.min_a)
        self.evse.max_a = current.get("Max", self.evse.max_a)
        wanted_a = current.get("Value")
        if wanted_a is not None:
            wanted_a = min(max(float(int(wanted_a)), self.evse.min_a), self.evse.max_a)
        charging = values.get("ChargingStatus", {}).get("Charging")
        self.evse.offer(wanted_a, paused=None if charging is None else not charging)

    def _shown(self) -> Shown:
        if self._set_at_s is not None and self.now_s() - self._set_at_s < self.lag_s:
            return self._before
        return Shown(not self.evse.paused, self.evse.offered_a)

    def _measurements(self) -> Json:
        if not self.deaf or not self._heard:
            self._heard = self._measured()
        return self._heard

    def _measured(self) -> Json:
        evse = self.evse
        total_kwh = round(evse.energy_wh / 1000, 3)
        return {
            "ChargingCurrentPhase": list(evse.currents()),
            "ChargingEnergy": total_kwh,
            "ChargingEnergyOverAll": total_kwh,
            "ChargingEnergyPhase": [round(total_kwh / 3, 3)] * 3,
            "ChargingPower": round(evse.power_w() / 1000, 3),
            "ChargingPowerPhase": [round(power / 1000, 3) for power in evse.powers()],
            "Frequency": 49.97,
            "TemperatureMainUnit": 41.0,
            "VoltagePhase": list(evse.volts),
            "MacAddress": self.mac,
            "Online": True,
            "Timestamp": int(self.now_s()),
        }

    def _settings(self, *, match: bool) -> Json:
        shown = self._shown()
        return {
            "Info": {"ErrorCodes": self.errors, "Connected": self.linked},
            "Values": {
                "ChargingStatus": {"Charging": shown.charging},
                "ChargingEnergy": {"Value": 199.97, "Limited": False, "Min": 0.5, "Max": 200.0},
                "ChargingCurrent": {"Value": shown.current_a, "Min": self.evse.min_a, "Max": self.evse.max_a},
                "Settings": {
                    "Average_kWh_consumption": {"Value": 20.0, "Min": 0.1, "Max": 99.9},
                    "CostsPer_kWh": {"Value": 0.28, "Min": 0.01, "Max": 2.49},
                    "Efficacy": {"Value": 95.0, "Min": 10.0, "Max": 100.0},
                    "BLETransmissionPower": {"Value": 4, "Min": 1, "Max": 4},
                },
                "DeviceMetadata": {"Name": "NRGkick", "Password": None, "PasswordMatch": match},
            },
            "ProductType": "NRGkick",
            "HardwareVersion": "1",
            "FirmwareVersion": "1",
            "MacAddress": self.mac,
            "Online": True,
            "Timestamp": int(self.now_s()),
        }


class SimulatedGen2(WebDevice):
    """A charger of the second generation.

    Settable besides the physics: ``enabled`` (the interface, in the app), ``login``, ``refuses`` (a reason for each key of
    ``/control``), ``refusal_status``, ``switchable`` (phases), ``renamed`` (the state under its other name), ``warning``.
    """

    def __init__(
        self,
        evse: Evse,
        *,
        phases: int = 3,
        rated_a: float = 32.0,
        login: tuple[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(host)
        self.evse = evse
        self.connector_phases = phases
        self.rated_a = rated_a
        self.login = login
        self.enabled = True
        self.refuses: dict[str, str] = {}
        self.refusal_status = 200
        self.switchable = True
        self.renamed = False
        self.warning = 0
        self.energy_limit_wh = 0
        evse.phases = min(evse.phases, phases)

    @property
    def commands(self) -> list[dict[str, str]]:
        """The parameters of every request that would change something, in order."""
        return [request.params for request in self.requests if request.path == "/control" and request.params]

    def now_s(self) -> float:
        """The charger's clock."""
        return self.evse.now_s()

    def answer(self, request: Request) -> Reply:
        """As the charger does."""
        self.evse.settle()
        if self.login is not None and request.headers.get("Authorization") != _basic(*self.login):
            return Reply(401, {"Response": "Unauthorized"})
        if not self.enabled:
            return Reply(200, SWITCHED_OFF)
        raw = request.params.get("raw") == "1"
        match request.path:
            case "/info":
                return Reply(200, _sections(self._info(raw), request.params))
            case "/values":
                return Reply(200, _sections(self._values(raw), request.params))
            case "/control" if request.params:
                return self._control(request.params)
            case "/control":
                return Reply(200, self._settings())
        return Reply(404, {"Response": "Not Found"})

    def _control(self, params: dict[str, str]) -> Reply:
        for key, text in params.items():
            if key in self.refuses:
                return Reply(self.refusal_status, {"Response": self.refuses[key]})
            change = self._changes().get(key)
            try:
                refusal = "Unknown key" if change is None else change(float(text))
            except ValueError:
                refusal = "Invalid value"
            if refusal:
                return Reply(406, {"Response": refusal})
        settings = self._settings()
        return Reply(200, {key: settings[key] for key in params})

    def _changes(self) -> dict[str, Callable[[float], str]]:
        return {
            "current_set": self._set_current,
            "charge_pause": self._set_pause,
            "energy_limit": self._set_limit,
            "phase_count": self._set_phases,
        }

    def _set_current(self, value: float) -> str:
        if not 6 <= value <= min(self.rated_a, self.evse.max_a):
            return "Current out of range"
        self.evse.offer(int(value * 10 + 0.5) / 10)
        return ""

    def _set_pause(self, value: float) -> str:
        self.evse.offer(paused=value == 1)
        return ""

    def _set_limit(self, value: float) -> str:
        self.energy_limit_wh = int(value)
        return ""

    def _set_phases(self, value: float) -> str:
        if not self.switchable:
            return "Phase switching is disabled"
        if not 1 <= value <= self.connector_phases:
            return "Phase count out of range"
        self.evse.offer(phases=int(value))
        return ""

    def _settings(self) -> Json:
        return {
            "current_set": self.evse.offered_a,
            "charge_pause": int(self.evse.paused),
            "energy_limit": self.energy_limit_wh,
            "phase_count": self.evse.phases,
        }

    def _info(self, raw: bool) -> Json:
        return {
            "general": {
                "serial_number": "10000001",
                "device_name": "NRGkick",
                "model_type": "NRGkick Gen2 SIM",
                "rated_current": self.rated_a,
                "json_api_version": "v1",
            },
            "connector": {
                "phase_count": self.connector_phases,
                "max_current": self.evse.max_a,
                "type": 1 if raw else "CEE",
                "serial": "20000001",
            },
            "grid": {"voltage": self.evse.volts[0], "frequency": 50.0, "phases": 7 if raw else "L1, L2, L3"},
            "network": {"ip_address": self.host, "mac_address": "00:11:22:33:44:66", "ssid": "house", "rssi": -55},
            "versions": {"sw_sm": "4.0.0.0", "hw_sm": "2.0"},
        }

    def _values(self, raw: bool) -> Json:
        evse = self.evse
        lines = zip(evse.volts, evse.currents(), evse.powers(), strict=True)
        state = {"A": 1, "B": 2, "C": 3, "F": 6}[evse.pilot()]
        words = {1: "STANDBY", 2: "CONNECTED", 3: "CHARGING", 6: "ERROR"}
        told: Any = state if raw else words[state]
        general: Json = {
            "charging_rate": 0.0,
            "vehicle_connect_time": 0,
            "vehicle_charging_time": 0,
            "charge_permitted": 1,
            "relay_state": 15 if state == 3 else 0,
            "charge_count": 1,
            "rcd_trigger": 0,
            "warning_code": self.warning,
            "error_code": evse.fault,
        }
        general |= {"charging_state": told} if self.renamed else {"status": told}
        return {
            "energy": {"total_charged_energy": round(evse.energy_wh), "charged_energy": round(evse.energy_wh)},
            "powerflow": {
                "charging_voltage": evse.volts[0],
                "charging_current": max(evse.currents()),
                "grid_frequency": 50.0,
                "peak_power": 0.0,
                "total_active_power": evse.power_w(),
                "total_reactive_power": 0.0,
                "total_apparent_power": evse.power_w(),
                "total_power_factor": 1.0,
                **{f"l{number}": _line(*line) for number, line in enumerate(lines, start=1)},
                "n": {"current": 0.0},
            },
            "status" if self.renamed else "general": general,
            "temperatures": {"housing": 35.0, "connector_l1": 28.0, "connector_l2": 29.0, "connector_l3": 28.0},
        }


def _line(voltage_v: float, current_a: float, power_w: float) -> Json:
    return {
        "voltage": voltage_v,
        "current": current_a,
        "active_power": power_w,
        "reactive_power": 0.0,
        "apparent_power": power_w,
        "power_factor": 1.0,
    }


def _sections(whole: Json, params: dict[str, str]) -> Json:
    wanted = [key for key in params if key != "raw"]
    return {key: whole[key] for key in wanted if key in whole} if wanted else whole


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
