"""NRGkick Gen1: a charger of the first generation behind its Connect box, which speaks Bluetooth to it and HTTP to us.

Protocol: as evcc speaks it, https://github.com/evcc-io/evcc/blob/master/charger/nrgconnect.go, and traces of real boxes in its
issues 9788 and 33625. Seen working: simulated; no hardware yet.

A box that hears nothing more of the charger goes on telling what it heard last; the time of the measurement, which it tells
too, then stands still. How old that makes a reading the engine judges.

The box says nothing of the control pilot: nobody can tell from it whether a vehicle is connected unless power flows.
"""

from __future__ import annotations

from chargerd.config.base import Secret
from chargerd.drivers.base import AccessDenied, Unreachable
from chargerd.drivers.evse import MIN_CURRENT_A, Fields, stepped, times
from chargerd.drivers.http import Answer, Http, spoken
from chargerd.model.events import ChargerRead, DeviceAdded

PAUSE_S = 10.0  # of two commands in the same second the box carries out the first only: evcc issue 33625
FLOWS_W = 200.0  # above this a vehicle is charged, whatever the box says of it
STEP_A = 1.0
NO_CHARGER = "No content found for this request"  # how the box says that Bluetooth does not reach the charger
MAX_CURRENT_A = 32.0


class Gen1:
    """One charger behind a box, known by its Bluetooth address. ``pin`` None: it is only looked at."""

    def __init__(self, http: Http, mac: str, pin: Secret | None) -> None:
        self._http = http
        self._mac = mac
        self._pin = pin
        self._limits: tuple[float, float] | None = None

    def describe(self) -> DeviceAdded:
        """Model, firmware and the currents that this unit takes."""
        settings = self._settings()
        low_a, high_a = self._limits_of(settings)
        return DeviceAdded(
            driver="nrgkick",
            model="NRGkick Gen1",
            device_id=settings.text("MacAddress") or self._mac,
            firmware=settings.text("FirmwareVersion"),
            accepts=("SetCurrent",),
            min_current_a=low_a,
            max_current_a=high_a,
            current_step_a=STEP_A,
            max_phases=3,
            pause_s=PAUSE_S,
        )

    def read(self) -> ChargerRead:
        """What the box says, as it says it: power although it is paused, and 50 to 130 V on a phase that is not there."""
        measured = self._asked("measurements")
        if measured.flag("Online") is False:
            raise Unreachable(f"{self._http.name}: the Connect box answers and has lost the charger")
        settings = self._settings()
        values = settings.part("Values")
        power_w = times(measured.number("ChargingPower"), 1000)
        flows = power_w is not None and power_w > FLOWS_W
        charging = values.part("ChargingStatus").flag("Charging")
        errors = _errors(settings)
        currents, voltages = measured.three("ChargingCurrentPhase"), measured.three("VoltagePhase")
        measured_at_s = measured.number("Timestamp")
        return ChargerRead(
            enabled=charging,
            power_w=power_w,
            energy_wh=times(measured.number("ChargingEnergyOverAll"), 1000),
            measured_at_ms=round(measured_at_s * 1000) if measured_at_s else None,
            pilot="C" if flows else None,
            offered_a=values.part("ChargingCurrent").number("Value"),
            current_l1_a=currents[0],
            current_l2_a=currents[1],
            current_l3_a=currents[2],
            voltage_l1_v=voltages[0],
            voltage_l2_v=voltages[1],
            voltage_l3_v=voltages[2],
            status=self._http.clean(_words(charging, flows, errors)),
        )

    def set_current(self, current_a: float) -> None:
        """One message with both, whether it charges and with how much, because a second one would be lost.

        A pause comes with the lowest current: a charger that starts by itself when a vehicle is connected, as they do,
        begins with that.
        """
        low_a, high_a = self._limits or self._limits_of(self._settings())
        offered_a = (
            stepped(self._http.name, current_a, step_a=STEP_A, low_a=low_a, high_a=high_a) if current_a else low_a
        )
        if self._pin is None:
            raise AccessDenied(
                f"{self._http.name} takes no command without its PIN; give password in the configuration"
            )
        answer = self._http.put(
            f"/api/settings/{self._mac}",
            {
                "Values": {
                    "ChargingStatus": {"Charging": current_a > 0},
                    "ChargingCurrent": {"Value": int(offered_a)},
                    "DeviceMetadata": {"Password": self._pin.reveal()},
                }
            },
        )
        self._accepted(answer)

    def _accepted(self, answer: Answer) -> None:
        body = answer.body or {}
        if answer.status >= 300 or "Message" in body:
            raise self._refused(answer)
        values = body.get("Values")
        metadata = values.get("DeviceMetadata") if isinstance(values, dict) else None
        if isinstance(metadata, dict) and metadata.get("PasswordMatch") is False:
            raise AccessDenied(f"{self._http.name} refuses the PIN; nothing was changed")

    def _settings(self) -> Fields:
        settings = self._asked("settings")
        if settings.part("Info").flag("Connected") is False:
            raise Unreachable(f"{self._http.name}: the Connect box answers and is not connected to the charger")
        self._limits = self._limits_of(settings)
        return settings

    def _limits_of(self, settings: Fields) -> tuple[float, float]:
        current = settings.part("Values").part("ChargingCurrent")
        low_a, high_a = current.number("Min"), current.number("Max")
        return max(low_a or MIN_CURRENT_A, MIN_CURRENT_A), min(high_a or MAX_CURRENT_A, MAX_CURRENT_A)

    def _asked(self, what: str) -> Fields:
        answer = self._http.get(f"/api/{what}/{self._mac}")
        if answer.body is None or answer.status != 200 or "Message" in answer.body:
            raise self._refused(answer)
        return Fields(answer.body, lambda told: self._http.confused(told, answer))

    def _refused(self, answer: Answer) -> Exception:
        told = spoken(answer.body)
        if told == NO_CHARGER:
            return Unreachable(f"{self._http.name}: the Connect box answers and does not reach the charger ({told})")
        if told:
            return self._http.confused(f"refused: {told}", answer)
        return self._http.confused(f"gave an answer that makes no sense (HTTP {answer.status})", answer)


def _errors(settings: Fields) -> list[str]:
    return [code for code in settings.part("Info").texts("ErrorCodes") if code != "0"]


def _words(charging: bool | None, flows: bool, errors: list[str]) -> str:
    told = "charging" if flows else {True: "allowed", False: "paused", None: "unknown"}[charging]
    return ", ".join([told, *(f"error {code}" for code in errors)])
