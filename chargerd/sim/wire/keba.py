"""Keba: a simulated KeContact P30 that speaks Modbus TCP as the maker's guide says: one value at a time, two registers each.

Its independent client in the tests is keba-modbus-client.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple, cast

from pymodbus.constants import ExcCodes

from chargerd.sim.wire.evse import Evse
from chargerd.sim.wire.modbus_server import ModbusDevice, Server

UNIT = 255
READ, WRITE = 3, 6
LEAST_MA, MOST_MA = 6000, 63000
WRITABLE = (5004, 5010, 5012, 5014, 5016, 5018, 5020, 5050, 5052)


class Written(NamedTuple):
    """One write, and when by the box's own clock."""

    at_s: float
    register: int
    value: int


class _OneByOne(Server):
    """Refuses blocks, single registers and every function but two; takes what is set."""

    def __init__(self, box: SimulatedKeba, *, host: str, port: int, unit: int) -> None:
        super().__init__(box, box.behaviour, host=host, port=port, unit=unit)
        self._box = box

    async def _asked(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        current_registers: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if function_code == WRITE:
            return self._written(address, set_values)
        if function_code == READ and count == 2 and address % 2 == 0:
            return await super()._asked(function_code, start_address, address, count, current_registers, set_values)
        self.requests.append((function_code, address, count))
        return ExcCodes.ILLEGAL_ADDRESS if function_code == READ else ExcCodes.ILLEGAL_FUNCTION

    def _written(self, address: int, set_values: list[int] | list[bool] | None) -> ExcCodes | None:
        if set_values is None:
            return None  # pymodbus looks what to echo
        self.requests.append((WRITE, address, 1))
        if self.behaviour.exception is not None:
            return ExcCodes(self.behaviour.exception)
        if address not in WRITABLE:
            return ExcCodes.ILLEGAL_ADDRESS
        try:
            self._box.write(address, int(set_values[0]))
        except ValueError:
            return ExcCodes.ILLEGAL_VALUE
        if self._box.mumbles:
            cast(list[int], set_values)[0] = 0xFFFF  # what is echoed
        return None


class SimulatedKeba(ModbusDevice):
    """One station. Settable besides the physics, which is ``evse``:

    ``disabled`` (by register 5014), ``takes_zero`` (5004 = 0 pauses; else it is refused, or with ``deaf_to_zero`` swallowed),
    ``hot`` (it interrupts by itself), ``locked`` (wants a card), ``card`` (what opened the session, 0 for none), ``meter``, ``s10``
    (a phase switch is there), ``mumbles`` (echoes something else than was set). ``writes`` is everything that was set.
    """

    def __init__(self, evse: Evse, *, host: str = "127.0.0.1", product: int = 304111, serial: int = 18416854) -> None:
        super().__init__(host=host, unit=UNIT)
        self.evse = evse
        self.product = product
        self.serial = serial
        self.disabled = False
        self.takes_zero = True
        self.deaf_to_zero = False
        self.mumbles = False
        self.hot = False
        self.locked = False
        self.card = 0
        self.s10 = True
        self.phase_source = 3
        self.failsafe_ma = 0
        self.failsafe_s = 0
        self.persisted = False
        self.user_ma = round(evse.max_a * 1000)
        self.writes: list[Written] = []
        self._heard_at_s = evse.now_s()
        self._lock = threading.Lock()
        self._settle()

    def _serving(self, host: str, port: int, unit: int) -> Server:
        return _OneByOne(self, host=host, port=port, unit=unit)

    @property
    def reads(self) -> list[tuple[int, int]]:
        """Address and count of everything that was read, in order."""
        return [(address, count) for function, address, count in self.server.requests if function == READ]

    def settle(self) -> None:
        """Let time pass: energy flows, the fail-safe may act."""
        with self._lock:
            self._settle()

    def image(self) -> Mapping[int, int]:
        """All registers as they are now."""
        with self._lock:
            self._settle()
            registers = {}
            for address, value in self._values().items():
                registers[address], registers[address + 1] = value >> 16, value & 0xFFFF
            return registers

    def write(self, address: int, value: int) -> None:
        """Somebody sets a register. Raises ValueError for a value that the station does not take."""
        with self._lock:
            self._settle()
            self._set(address, value)
            self.writes.append(Written(self.evse.now_s(), address, value))
            self._heard_at_s = self.evse.now_s()
            self._settle()

    @property
    def tripped(self) -> bool:
        """Whether the fail-safe holds it: nobody has written for too long."""
        return bool(self.failsafe_s) and self.evse.now_s() - self._heard_at_s >= self.failsafe_s

    def _set(self, address: int, value: int) -> None:
        match address:
            case 5004 if value == 0 and self.deaf_to_zero:
                pass
            case 5004:
                self.user_ma = _current(value, zero=self.takes_zero)
            case 5014:
                self.disabled = not value
                self.card = self.card if value else 0  # disabling ends the session
            case 5016:
                self.failsafe_ma = _current(value, zero=True)
            case 5018:
                if value and not 10 <= value <= 600:
                    raise ValueError(value)
                self.failsafe_s = value
            case 5020:
                self.persisted = bool(value)
            case 5050:
                if self.phase_source and value:
                    raise ValueError("from 0 only")
                self.phase_source = value
            case 5052 if self.s10 and self.phase_source == 3:
                self.evse.offer(phases=3 if value else 1)

    def _offered_ma(self) -> int:
        if self.tripped:
            return self.failsafe_ma  # also when it was disabled
        return 0 if self.disabled or (self.locked and not self.card) else self.user_ma

    def _settle(self) -> None:
        offered_a = 0.0 if self.hot else self._offered_ma() / 1000
        if (offered_a == 0) != self.evse.paused or (offered_a and offered_a != self.evse.offered_a):
            self.evse.offer(offered_a or None, paused=offered_a == 0)
        self.evse.settle()

    def _state(self) -> int:
        evse = self.evse
        if evse.fault:
            return 4
        if evse.car is None or (self.locked and not self.card):
            return 1
        if evse.paused:
            return 1 if self.disabled else 5
        return 3 if evse.power_w() > 0 else 2

    def _values(self) -> dict[int, int]:
        evse = self.evse
        meter = str(self.product)[4] != "0"
        flows = evse.power_w() > 0
        currents = [round(amps * 1000) if meter else 0 for amps in evse.currents()]
        voltages = [round(volts) if meter and flows else 0 for volts in evse.volts]
        values = {
            1000: self._state(),
            1004: 3 if evse.car is None else 7,
            1006: evse.fault,
            1014: self.serial,
            1016: self.product,
            1018: 0x030A3300,
            1020: round(evse.power_w() * 1000) if meter else 0,
            1036: round(evse.energy_wh * 10) if meter else 0,
            1046: 1000 if meter and flows else 0,
            1100: self._offered_ma(),
            1110: round(evse.max_a * 1000),
            1500: self.card,
            1502: round(evse.energy_wh * 10) if meter else 0,
            1600: self.failsafe_ma,
            1602: self.failsafe_s,
        }
        values |= dict(zip((1008, 1010, 1012), currents, strict=True))
        values |= dict(zip((1040, 1042, 1044), voltages, strict=True))
        return values | ({1550: self.phase_source, 1552: int(evse.phases == 3)} if self.s10 else {})


def _current(value: int, *, zero: bool) -> int:
    if not (LEAST_MA <= value <= MOST_MA or (value == 0 and zero)):
        raise ValueError(value)
    return value
