"""NRGkick Gen2: a charger of the second generation, through the local JSON interface that its app can switch on.

Protocol: the maker's page of the local interface, and https://github.com/andijakl/nrgkick-api
Seen working: simulated, by a simulator that nrgkick-api 1.7 accepts; no hardware yet.
"""

from __future__ import annotations

from chargerd.drivers.base import AccessDenied, UnexpectedAnswer
from chargerd.drivers.evse import MIN_CURRENT_A, Fields, stepped
from chargerd.drivers.http import Answer, Http
from chargerd.model.events import ChargerRead, DeviceAdded

STEP_A = 0.1
MAX_CURRENT_A = 32.0
SWITCHED_OFF = "API must be enabled within the NRGkick App"
STATES = {  # its word for each state, and the pilot's letter
    0: ("unknown", None),
    1: ("standby", "A"),
    2: ("connected", "B"),
    3: ("charging", "C"),
    6: ("error", "F"),
    7: ("wake-up", "B"),
}


class Gen2:
    """One charger. Commands are GETs with parameters, and the answer echoes what was accepted."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._max_a: float | None = None

    def describe(self) -> DeviceAdded:
        """Model, firmware, and what its connector allows."""
        info = self._asked("/info", raw="1")
        general, connector = info.part("general"), info.part("connector")
        phases = connector.whole("phase_count")
        return DeviceAdded(
            driver="nrgkick",
            model=general.text("model_type") or "NRGkick Gen2",
            device_id=general.text("serial_number"),
            firmware=info.part("versions").text("sw_sm") if info.has("versions") else "",
            accepts=("SetCurrent", "SetPhases") if phases == 3 else ("SetCurrent",),
            min_current_a=MIN_CURRENT_A,
            max_current_a=self._limit(info),
            current_step_a=STEP_A,
            max_phases=phases,
            has_pilot=True,
        )

    def read(self) -> ChargerRead:
        """What it measures and how it is set."""
        values, control = self._asked("/values", raw="1"), self._asked("/control")
        flow, energy = values.part("powerflow"), values.part("energy")
        lines = [flow.part(line) if flow.has(line) else None for line in ("l1", "l2", "l3")]
        currents = [None if line is None else line.number("current") for line in lines]
        voltages = [None if line is None else line.number("voltage") for line in lines]
        # The documentation of nrgkick-api calls the part "status" in one place and "general" elsewhere.
        general = values.part("general" if values.has("general") else "status")
        state = general.whole("status" if general.has("status") else "charging_state")
        paused = control.flag("charge_pause")
        word, pilot = STATES.get(state or 0, (f"state {state}", None))
        return ChargerRead(
            enabled=None if paused is None else not paused,
            power_w=flow.number("total_active_power"),
            energy_wh=energy.number("total_charged_energy"),
            pilot=pilot,
            offered_a=control.number("current_set"),
            phases=control.whole("phase_count"),
            current_l1_a=currents[0],
            current_l2_a=currents[1],
            current_l3_a=currents[2],
            voltage_l1_v=voltages[0],
            voltage_l2_v=voltages[1],
            voltage_l3_v=voltages[2],
            status=_words(word, general),
        )

    def set_current(self, current_a: float) -> None:
        """Set the current, then let it charge, so that it never begins with more. What is so already is not sent again.

        But a pause: whoever asks for it anew has seen current flow although the charger says that it is paused.
        """
        control = self._asked("/control")
        if current_a:
            if self._max_a is None:
                self._limit(self._asked("/info", raw="1"))
            high_a = self._max_a or MAX_CURRENT_A
            wanted_a = stepped(self._http.name, current_a, step_a=STEP_A, low_a=MIN_CURRENT_A, high_a=high_a)
            if control.number("current_set") != wanted_a:
                self._set("current_set", wanted_a)
        if current_a <= 0 or control.flag("charge_pause") is not False:
            self._set("charge_pause", 0 if current_a > 0 else 1)

    def set_phases(self, phases: int) -> None:
        """Switch to one phase or three; refused by the charger unless its app allows it."""
        if self._asked("/control").whole("phase_count") != phases:
            self._set("phase_count", phases)

    def _limit(self, info: Fields) -> float:
        told = (info.part("general").number("rated_current"), info.part("connector").number("max_current"))
        self._max_a = min([MAX_CURRENT_A, *(value for value in told if value)])
        return self._max_a

    def _set(self, key: str, value: float) -> None:
        answer = self._http.get("/control", **{key: f"{value:g}"})
        echo = self._checked(answer).number(key)
        if echo is None or abs(echo - value) > STEP_A + 1e-6:
            raise self._http.confused(
                f"was told {key} = {value:g} and answered {'nothing' if echo is None else echo}", answer
            )

    def _asked(self, path: str, **params: str) -> Fields:
        return self._checked(self._http.get(path, **params))

    def _checked(self, answer: Answer) -> Fields:
        body = answer.body
        told = body.get("Response") if body is not None else None
        if told == SWITCHED_OFF:
            raise AccessDenied(f"{self._http.name}: {told}")
        if told is not None:
            raise self._http.confused(f"refused: {told}", answer)
        if body is None or answer.status != 200:
            raise self._http.confused(f"gave an answer that makes no sense (HTTP {answer.status})", answer)

        def confused(what: str) -> UnexpectedAnswer:
            return self._http.confused(what, answer)

        return Fields(body, confused)


def is_gen2(answer: Answer) -> bool:
    """Whether what came from ``/info`` is the answer of a Gen2, also of one whose interface is switched off."""
    body = answer.body or {}
    return answer.status == 200 and (isinstance(body.get("general"), dict) or "Response" in body)


def _words(word: str, general: Fields) -> str:
    told = [word]
    for key in ("error", "warning"):
        code = general.whole(f"{key}_code")
        if code:
            told.append(f"{key} {code}")
    return ", ".join(told)
