"""Keba: KeContact P30 charging stations, through Modbus TCP.

Protocol: KEBA's Modbus TCP Programmers Guide for the P30, V1.02 and V1.07. Seen working: simulated, by a simulator that
keba-modbus-client accepts; answers of a real station as recorded in evcc's issue 15200 are read; no hardware yet. DIP switch
1.3 must be on, and nobody may use the UDP interface beside us: the maker forbids both at once.

Each value is read on its own, two registers at a time, high word first. Whether it is enabled cannot be read. The state tells it
while a vehicle waits or charges; "not ready" may mean disabled, no vehicle or no card, so then what was told last counts. So it
does while the station says "interrupted", which it is after a pause of ours, but also when it is too hot or "in suspended mode"
(guide, register 1000), as after its fail-safe or by another program. No state says that a person has paused it, so none is
called a pause: it was told to charge, and holds. What was told before this driver began is not known, so whether one that is
interrupted then is paused is not known either.

A pause is a current of 0, which keeps the session that a person has opened with a card; disabling the station ends it. The
guide's older version knows no 0, so a box that refuses it, or is charging still when it is told again, is disabled.

The lease is the box's fail-safe. Its current also applies to a box that is paused: one with 6 A in it begins to charge when the
time is over (traktore-org/sem-community issue 763). So a pause first sets the fail-safe current to 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator

from chargerd.config.base import DeviceConfig, Secret
from chargerd.drivers.base import UnexpectedAnswer
from chargerd.drivers.evse import MIN_CURRENT_A, stepped
from chargerd.drivers.modbus import Connection, NoSuchRegisters
from chargerd.model.commands import Command, SetCurrent, SetPhases
from chargerd.model.events import ChargerRead, DeviceAdded

UNIT = 255
STATE, CABLE, ERROR, CURRENTS, SERIAL, PRODUCT, FIRMWARE, POWER = (
    1000,
    1004,
    1006,
    (1008, 1010, 1012),
    1014,
    1016,
    1018,
    1020,
)
ENERGY, VOLTAGES, OFFERED, MOST = 1036, (1040, 1042, 1044), 1100, 1110
PHASE_SOURCE, PHASE_STATE, FAILSAFE_TIME = 1550, 1552, 1602
SET_CURRENT, SET_ENABLED, SET_FAILSAFE_CURRENT, SET_FAILSAFE_TIME = 5004, 5014, 5016, 5018
SET_PHASE_SOURCE, SET_PHASES = 5050, 5052

STARTING, NOT_READY, READY, CHARGING, FAULT, INTERRUPTED = range(6)
WORDS = ("starting", "not ready", "ready", "charging", "error", "interrupted")
VEHICLE = 4  # the bit of the cable's state that says that a vehicle is at its end
BY_MODBUS = 3  # the source of phase switching
RATED_A = {"1": 13.0, "2": 16.0, "3": 20.0, "4": 32.0}  # third digit of the product
STEP_A = 0.1
BUDGET = 4.0  # × timeout_s: a dozen answers, each of which takes milliseconds
LEASE_S = (10, 600)  # what the fail-safe takes


class Driver:
    """One charging station. A call takes at most ``BUDGET`` × ``timeout_s``."""

    kind = "keba"
    accepts = frozenset({SetCurrent, SetPhases})

    class Config(DeviceConfig):
        """``lease_current_a`` is what the station goes back to when it hears nothing for too long: 0, or 6 and more.

        ``phase_switch`` says that a KEBA S10 is there and may be taken over, if it does not listen to Modbus already.
        """

        charges: ClassVar[str] = "evse"
        channels: ClassVar[tuple[str, ...] | None] = ()
        offers_a: ClassVar[float | None] = max(RATED_A.values())

        host: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
        port: int = Field(default=502, ge=1, le=65535)
        lease_current_a: float = Field(default=MIN_CURRENT_A, ge=0, le=32)
        phase_switch: bool = False
        timeout_s: float = Field(default=3.0, ge=0.1, le=60)
        poll_s: float = Field(default=10.0, ge=1, le=3600)
        max_age_s: float = Field(default=45.0, ge=5, le=86_400)

        @model_validator(mode="after")
        def _complete(self) -> Driver.Config:
            if 0 < self.lease_current_a < MIN_CURRENT_A:
                raise ValueError("lease_current_a must be 0 or at least 6: no EVSE can offer less")
            return self

    def __init__(
        self,
        name: str,
        config: DeviceConfig,
        channels: tuple[str, ...],
        secrets: Mapping[str, Secret],  # noqa: ARG002
    ) -> None:
        assert isinstance(config, self.Config)
        self._name = name
        self._config = config
        self._channels = tuple(channel for channel in channels if channel)
        self._line = Connection(
            name, config.host, config.port, UNIT, timeout_s=config.timeout_s, budget_s=BUDGET * config.timeout_s
        )
        self._added: DeviceAdded | None = None
        self._told: bool | None = None  # what it was told last: to charge or to pause

    def describe(self) -> DeviceAdded:
        """What the station is. One that is no P30 is refused by its number."""
        if self._channels:
            raise UnexpectedAnswer(f"{self._name} is one charger and has no socket {self._channels[0]!r}")
        with self._line.call():
            self._added = self._described()
        return self._added

    def read(self) -> tuple[ChargerRead, ...]:
        """One reading, of a dozen small ones, each of a value of its own."""
        added = self._known()
        with self._line.call():
            return (self._reading(added),)

    def apply(self, command: Command) -> None:
        """Set the current and renew the lease, pause, or switch the phases."""
        added = self._known()
        match command:
            case SetCurrent() if command.enabled:
                low_a, high_a = added.min_current_a or MIN_CURRENT_A, added.max_current_a or MIN_CURRENT_A
                offered_a = stepped(self._name, command.current_a, step_a=STEP_A, low_a=low_a, high_a=high_a)
                with self._line.call():
                    self._offer(offered_a, command.lease_s)
            case SetCurrent() if command.current_a == 0:
                with self._line.call():
                    self._pause()
            case SetPhases() if "SetPhases" in added.accepts and command.phases in (1, 3):
                with self._line.call():
                    self._switch(command.phases)
            case _:
                raise UnexpectedAnswer(f"{self._name} cannot do that: {type(command).__name__}")

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _known(self) -> DeviceAdded:
        return self._added or self.describe()

    # What it is, and what it says

    def _described(self) -> DeviceAdded:
        product = str(self._value(PRODUCT))
        if len(product) != 6 or product[0] != "3":
            raise UnexpectedAnswer(f"{self._name} is no KeContact P30 (product {product})")
        most_a = (self._optional(MOST) or 0) / 1000 or RATED_A.get(product[2], MIN_CURRENT_A)
        source = self._optional(PHASE_SOURCE)
        switches = source == BY_MODBUS or (self._config.phase_switch and source is not None)
        return DeviceAdded(
            driver=self.kind,
            model=f"KeContact P30 {product}",
            device_id=str(self._value(SERIAL)),
            firmware=_version(self._value(FIRMWARE)),
            accepts=("SetCurrent", "SetPhases") if switches else ("SetCurrent",),
            lease="unproven",
            has_meter=product[4] != "0",
            min_current_a=MIN_CURRENT_A,
            max_current_a=most_a,
            current_step_a=STEP_A,
            max_phases=3,
            lease_current_a=self._config.lease_current_a,
            has_pilot=True,
            lease_max_s=LEASE_S[1],
        )

    def _reading(self, added: DeviceAdded) -> ChargerRead:
        state, connected = self._value(STATE), bool(self._value(CABLE) & VEHICLE)
        # A station without a meter says 0 to everything; one with a meter measures voltages while it charges only.
        currents: list[float | None] = [None, None, None]
        voltages: list[float | None] = [None, None, None]
        if added.has_meter:
            currents = [self._value(at) / 1000 for at in CURRENTS]
            measured = [float(self._value(at)) for at in VOLTAGES]
            voltages = [*measured] if any(measured) else voltages
        offered_ma = self._value(OFFERED)
        phases = self._optional(PHASE_STATE) if "SetPhases" in added.accepts else None
        return ChargerRead(
            enabled=self._enabled(state, connected),
            power_w=self._value(POWER) / 1000 if added.has_meter else None,
            energy_wh=self._value(ENERGY) / 10 if added.has_meter else None,
            pilot=_pilot(state, connected),
            offered_a=offered_ma / 1000 or None,
            phases=None if phases is None else 3 if phases else 1,
            current_l1_a=currents[0],
            current_l2_a=currents[1],
            current_l3_a=currents[2],
            voltage_l1_v=voltages[0],
            voltage_l2_v=voltages[1],
            voltage_l3_v=voltages[2],
            status=self._words(state),
            held=connected and self._told is True and state in (NOT_READY, INTERRUPTED),
        )

    def _enabled(self, state: int, connected: bool) -> bool | None:
        if state in (READY, CHARGING):
            return True
        if self._told is not None or not connected or state == INTERRUPTED:
            return self._told
        return False

    def _words(self, state: int) -> str:
        if state >= len(WORDS):
            return f"state {state}"
        return f"{WORDS[state]} {self._value(ERROR):#x}" if state == FAULT else WORDS[state]

    # What it is told

    def _offer(self, current_a: float, lease_s: int | None) -> None:
        """The lease comes first, so that no current is ever set without one."""
        if lease_s is not None:
            self._line.write(SET_FAILSAFE_CURRENT, round(self._config.lease_current_a * 1000))
            self._line.write(SET_FAILSAFE_TIME, min(max(lease_s, LEASE_S[0]), LEASE_S[1]))
        self._line.write(SET_CURRENT, round(current_a * 1000))
        if self._value(STATE) not in (READY, CHARGING):
            self._line.write(SET_ENABLED, 1)
        self._told = True

    def _pause(self) -> None:
        if self._optional(FAILSAFE_TIME):
            self._line.write(SET_FAILSAFE_CURRENT, 0)
        again = self._told is False and self._value(STATE) == CHARGING
        self._told = False
        try:
            self._line.write(SET_CURRENT, 0)
        except UnexpectedAnswer:  # refused: this firmware takes no 0
            again = True
        if again:
            self._line.write(SET_ENABLED, 0)

    def _switch(self, phases: int) -> None:
        source = self._value(PHASE_SOURCE)
        if source != BY_MODBUS:
            if source:
                self._line.write(SET_PHASE_SOURCE, 0)  # OpenEMS has found that it goes from there only
            self._line.write(SET_PHASE_SOURCE, BY_MODBUS)
        if bool(self._value(PHASE_STATE)) != (phases == 3):
            self._line.write(SET_PHASES, int(phases == 3))

    def _value(self, register: int) -> int:
        high, low = self._line.read(register, 2)
        return high << 16 | low

    def _optional(self, register: int) -> int | None:
        try:
            return self._value(register)
        except NoSuchRegisters:
            return None


def _pilot(state: int, connected: bool) -> str | None:
    if state == FAULT:
        return "F"
    if state == STARTING or state >= len(WORDS):
        return None
    if not connected:
        return "A"
    return "C" if state == CHARGING else "B"


def _version(firmware: int) -> str:
    return ".".join(str(part) for part in firmware.to_bytes(4, "big")[:3])
