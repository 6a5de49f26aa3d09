"""Simulated SunSpec devices: inverters, meters and batteries whose registers follow from physical values that can be set.

Each block is built register by register in the order of its definition, https://github.com/sunspec/models, so that a table of
offsets that is wrong cannot be wrong here too. Values are those that a person would measure; None is one that the device does
not have. An exponent is the scale factor with which a quantity is told; None there makes it unknown altogether.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from chargerd.sim.wire.modbus_server import ModbusDevice

MARK = [0x5375, 0x6E53]
END = [0xFFFF, 0]
NO_INT16, NO_UINT16, NO_INT32, NO_UINT32 = 0x8000, 0xFFFF, 0x80000000, 0xFFFFFFFF
NAN = 0x7FC00000

STATUS = ("off", "sleeping", "starting", "producing", "throttled", "shutting-down", "fault", "standby")
CHARGE_STATUS = ("off", "empty", "discharging", "charging", "full", "holding", "testing")

Words = list[int]


class Values:
    """Physical values that can be set one by one, or given at the beginning. An unknown name is a mistake of ours."""

    def __init__(self, **values: Any) -> None:
        self.exponents: dict[str, int | None] = {"A": -2, "V": -1, "W": 0, "Hz": -2, "Wh": 0, "C": -2, "%": -1}
        self.exponents |= values.pop("exponents", {})
        for name, value in values.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def whole(self, value: float | None, quantity: str, size: int = 1, *, signed: bool = False) -> Words:
        """A scaled number of so many registers."""
        return words_of(value, self.exponents[quantity], size, signed=signed)

    def scale(self, quantity: str) -> Words:
        """The scale factor of a quantity."""
        exponent = self.exponents[quantity]
        return [NO_INT16 if exponent is None else exponent & 0xFFFF]


class Inverter(Values):
    """An inverter. ``status`` is one of `STATUS`; ``inputs`` are the powers of its inputs (model 160), by name."""

    phases = 3
    power_w: float | None = 3456.0
    dc_power_w: float | None = 3520.0
    currents_a: Sequence[float | None] = (5.01, 5.02, 5.03)
    voltages_v: Sequence[float | None] = (229.8, 230.1, 230.4)
    frequency_hz: float | None = 50.02
    energy_wh: float | None = 12_345_678
    temperature_c: float | None = 41.25
    status: str | None = "producing"
    inputs: Mapping[str, float | None] = {}

    @property
    def model(self) -> int:
        """101, 102 or 103."""
        return 100 + self.phases

    def sleep(self) -> None:
        """Night: it knows its counter, its status and nothing else."""
        self.status = "sleeping"
        self.power_w = self.dc_power_w = self.frequency_hz = self.temperature_c = None
        self.currents_a = self.voltages_v = (None, None, None)

    def block(self) -> Words:
        """Models 101 to 103."""
        known = [amps for amps in self.currents_a[: self.phases] if amps is not None]
        currents = [sum(known) if known else None, *_padded(self.currents_a, self.phases)]
        line = [None if volts is None else volts * math.sqrt(3) for volts in _padded(self.voltages_v, self.phases)]
        body = [word for amps in currents for word in self.whole(amps, "A")] + self.scale("A")
        body += [word for volts in line for word in self.whole(volts, "V")]
        body += [word for volts in _padded(self.voltages_v, self.phases) for word in self.whole(volts, "V")]
        body += self.scale("V") + self.whole(self.power_w, "W", signed=True) + self.scale("W")
        body += self.whole(self.frequency_hz, "Hz") + self.scale("Hz")
        body += [NO_INT16, NO_INT16] * 3  # apparent and reactive power, power factor: not told
        body += self.whole(self.energy_wh or 0, "Wh", 2) + self.scale("Wh")
        body += [NO_UINT16, NO_INT16] * 2  # DC current and voltage: not told
        body += self.whole(self.dc_power_w, "W", signed=True) + self.scale("W")
        body += [NO_INT16, *self.whole(self.temperature_c, "C", signed=True), NO_INT16, NO_INT16, *self.scale("C")]
        body += [code_of(self.status, STATUS, 1), NO_UINT16] + [NO_UINT16] * 12
        return [self.model, len(body), *body]

    def float_block(self) -> Words:
        """Models 111 to 113: the same as floats."""
        volts = _padded(self.voltages_v, self.phases)
        amps = _padded(self.currents_a, self.phases)
        told: list[float | None] = [
            None,
            *amps,
            None,
            None,
            None,
            *volts,
            self.power_w,
            self.frequency_hz,
            None,
            None,
            None,
        ]
        told += [self.energy_wh, None, None, self.dc_power_w, None, self.temperature_c, None, None]
        body = [word for value in told for word in real(value)]
        body += [code_of(self.status, STATUS, 1), NO_UINT16] + [NO_UINT16] * 12
        return [self.model + 10, len(body), *body]

    def inputs_block(self) -> Words:
        """Model 160: each input by itself."""
        body = [NO_INT16, NO_INT16, *self.scale("W"), NO_INT16, 0, 0, len(self.inputs), NO_UINT16]
        for number, (name, power_w) in enumerate(self.inputs.items(), 1):
            body += [number, *string(name, 8), NO_UINT16, NO_UINT16, *self.whole(power_w, "W")]
            body += [0, 0, NO_UINT16, NO_UINT16, NO_INT16, NO_UINT16, 0, 0]
        return [160, len(body), *body]

    def der_block(self) -> Words:
        """Model 701: the newer way to tell of the AC side. Its counters have 64 bits."""
        volts, amps = _padded(self.voltages_v, self.phases), _padded(self.currents_a, self.phases)
        body = [self.phases - 1, 1, code_of(self.status, STATUS, 0), 1, 0, 0, 0, 0]
        body += self.whole(self.power_w, "W", signed=True) + [NO_INT16] * 4 + [NO_UINT16] * 2
        body += self.whole(self.frequency_hz, "Hz", 2) + self.whole(self.energy_wh, "Wh", 4) + [NO_UINT16] * 12
        body += [NO_INT16, NO_INT16, *self.whole(self.temperature_c, "C", signed=True), NO_INT16, NO_INT16, NO_INT16]
        for phase in range(3):
            share_w = None if self.power_w is None or phase >= self.phases else self.power_w / self.phases
            body += [*self.whole(share_w, "W", signed=True), NO_INT16, NO_INT16, NO_INT16]
            body += [*self.whole(amps[phase], "A", signed=True), NO_UINT16, *self.whole(volts[phase], "V")]
            body += [NO_UINT16] * 16
        body += [NO_UINT16, 0, 0, *self.scale("A"), *self.scale("V"), *self.scale("Hz"), *self.scale("W")]
        body += [NO_INT16, NO_INT16, NO_INT16, *self.scale("Wh"), NO_INT16, *self.scale("C"), *string("", 32)]
        return [701, len(body), *body]


class Meter(Values):
    """A meter. ``import_w`` is what comes from the grid, by phase; ``shows_export`` is a maker whose meters count the other way."""

    kind = 203
    import_w: Sequence[float | None] = (300.0, -120.0, 820.0)
    total_w: float | None = math.nan  # nan: the sum of the phases
    currents_a: Sequence[float | None] = (1.4, 0.6, 3.6)
    voltages_v: Sequence[float | None] = (229.8, 230.1, 230.4)
    frequency_hz: float | None = 50.02
    import_wh: float | None = 4_321_000
    export_wh: float | None = 9_876_000
    shows_export = False
    place = "Export+Import"
    serial = "M0001"

    def _shown(self) -> list[float | None]:
        sign = -1 if self.shows_export else 1
        total = self.total_w
        if total is not None and math.isnan(total):
            total = sum(watts for watts in self.import_w if watts is not None)
        return [None if watts is None else sign * watts for watts in (total, *self.import_w)]

    def block(self) -> Words:
        """Models 201 to 204."""
        body = [word for amps in (None, *self.currents_a) for word in self.whole(amps, "A", signed=True)] + self.scale(
            "A"
        )
        body += [word for volts in (None, *self.voltages_v) for word in self.whole(volts, "V", signed=True)]
        body += [NO_INT16] * 4 + self.scale("V") + self.whole(self.frequency_hz, "Hz", signed=True) + self.scale("Hz")
        body += [word for watts in self._shown() for word in self.whole(watts, "W", signed=True)] + self.scale("W")
        body += [NO_INT16] * 15  # apparent and reactive power, power factor, a scale factor each
        body += [*self.whole(self.export_wh or 0, "Wh", 2), *[0] * 6]
        body += [*self.whole(self.import_wh or 0, "Wh", 2), *[0] * 6, *self.scale("Wh")]
        body += ([0] * 16 + [NO_INT16]) + ([0] * 32 + [NO_INT16]) + [0, 0]
        return [self.kind, len(body), *body]

    def float_block(self) -> Words:
        """Models 211 to 214."""
        told: list[float | None] = [None, *self.currents_a, None, *self.voltages_v, None, None, None, None]
        told += [self.frequency_hz, *self._shown(), *[None] * 12, self.export_wh, None, None, None, self.import_wh]
        told += [None] * (60 - len(told) + 1)
        body = [word for value in told for word in real(value)] + [0, 0]
        return [self.kind + 10, len(body), *body]


class Battery(Values):
    """A battery, as SunSpec tells of it. ``discharge_w`` is negative while it is charged."""

    discharge_w: float | None = 1500.0
    soc_pct: float | None = 64.5
    soh_pct: float | None = 98.0
    capacity_wh: float | None = 9700
    max_charge_w: float | None = 5000
    max_discharge_w: float | None = 4600
    status: str | None = "discharging"
    fault = False

    def basic_block(self) -> Words:
        """Model 124."""
        body = [*self.whole(self.max_charge_w, "W"), NO_UINT16, NO_UINT16, 0, NO_UINT16, NO_UINT16]
        body += [*self.whole(self.soc_pct, "%"), NO_UINT16, NO_UINT16, code_of(self.status, CHARGE_STATUS, 1)]
        body += [100 * 100, 100 * 100, NO_UINT16, 0, NO_UINT16, 0]
        body += [*self.scale("W"), NO_INT16, NO_INT16, NO_INT16, *self.scale("%"), NO_INT16, NO_INT16, -2 & 0xFFFF]
        return [124, len(body), *body]

    def der_block(self) -> Words:
        """Model 713."""
        body = [*self.whole(self.capacity_wh, "Wh"), NO_UINT16, *self.whole(self.soc_pct, "%")]
        body += [*self.whole(self.soh_pct, "%"), 2 if self.fault else 0, *self.scale("Wh"), *self.scale("%")]
        return [713, len(body), *body]

    def bank_block(self) -> Words:
        """Model 802. Its power is without a sign here: the definition has none."""
        power_w = None if self.discharge_w is None else abs(self.discharge_w)
        body = [NO_UINT16, *self.whole(self.capacity_wh, "Wh"), *self.whole(self.max_charge_w, "W")]
        body += [*self.whole(self.max_discharge_w, "W"), *[NO_UINT16] * 5, *self.whole(self.soc_pct, "%"), NO_UINT16]
        body += [*self.whole(self.soh_pct, "%"), 0, 0, code_of(self.status, CHARGE_STATUS, 1), *[NO_UINT16] * 4]
        body += [4, 99 if self.fault else 3, NO_UINT16, *[0] * 10, *[NO_UINT16] * 10, NO_INT16, NO_UINT16, NO_UINT16]
        body += [*self.whole(power_w, "W", signed=True), NO_UINT16, NO_INT16, NO_UINT16, NO_UINT16, NO_INT16]
        body += [*self.scale("Wh"), *self.scale("W"), NO_INT16, *self.scale("%"), NO_INT16, *self.scale("%")]
        body += [NO_INT16] * 4 + self.scale("W")
        return [802, len(body), *body]


class SimulatedSunSpec(ModbusDevice):
    """A device that is a chain of blocks, on a port of its own. ``blocks`` gives each block anew for every request.

    ``ends`` False is a device whose registers just stop behind the last block.
    """

    def __init__(self, *, base: int = 40000, host: str = "127.0.0.1", port: int = 0, unit: int = 1) -> None:
        super().__init__(host=host, port=port, unit=unit)
        self.base = base
        self.inverter: Inverter | None = Inverter()
        self.meters: list[Meter] = []
        self.batteries: list[Battery] = []
        self.ways = ["block"]  # how the inverter tells of itself: "block", "float_block", "der_block"
        self.battery_ways = ["basic_block"]
        self.meter_way = "block"
        self.ends = True
        self.serial = "S0001"

    def blocks(self) -> list[Words]:
        """The chain, without its mark and its end."""
        chain = [common("Acme", "Sun 5", "1.2.3", self.serial)]
        if self.inverter is not None:
            chain += [getattr(self.inverter, way)() for way in self.ways]
            chain += [self.inverter.inputs_block()] if self.inverter.inputs else []
        for battery in self.batteries:
            chain += [getattr(battery, way)() for way in self.battery_ways]
        for meter in self.meters:
            chain += [common("Acme", "Meter", "1", meter.serial), getattr(meter, self.meter_way)()]
        return chain

    def image(self) -> Mapping[int, int]:
        """All registers as they are now, by address."""
        words = [*MARK, *(word for block in self.blocks() for word in block), *(END if self.ends else [])]
        return dict(enumerate(words, self.base))


def common(maker: str, model: str, version: str, serial: str, options: str = "") -> Words:
    """Model 1: whose device it is. 65 registers, as SolarEdge has it, with its number at the end."""
    body = string(maker, 16) + string(model, 16) + string(options, 8) + string(version, 8) + string(serial, 16) + [1]
    return [1, len(body), *body]


def words_of(value: float | None, exponent: int | None, size: int = 1, *, signed: bool = False) -> Words:
    """A number in so many registers, high word first; the number that stands for none if there is no value.

    Raises OverflowError for one that does not fit: choose another exponent.
    """
    bits = 16 * size
    absent = 1 << (bits - 1) if signed else (1 << bits) - 1
    if value is None:
        return list(struct.unpack(f">{size}H", absent.to_bytes(2 * size, "big")))
    scaled = round(value * 10 ** -(exponent or 0))
    return list(struct.unpack(f">{size}H", scaled.to_bytes(2 * size, "big", signed=signed)))


def real(value: float | None) -> Words:
    """A float, high word first."""
    return list(struct.unpack(">2H", struct.pack(">I", NAN) if value is None else struct.pack(">f", value)))


def string(text: str, size: int) -> Words:
    """A string of so many registers, filled up with NULs."""
    return list(struct.unpack(f">{size}H", text.encode()[: 2 * size].ljust(2 * size, b"\0")))


def code_of(word: str | None, words: Sequence[str], first: int) -> int:
    """The number of an enumeration's word."""
    return NO_UINT16 if word is None else words.index(word) + first


def _padded(values: Sequence[float | None], phases: int) -> list[float | None]:
    return [values[number] if number < phases else None for number in range(3)]
