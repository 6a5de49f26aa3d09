"""Simulated SolarEdge inverter: with up to three meters and two batteries, at the addresses where SolarEdge has them.

The chain of the inverter and its meters is SunSpec's; the batteries are SolarEdge's own registers, with the low
word first (facts of https://github.com/nmakel/solaredge_modbus and https://github.com/WillCodeForCats/solaredge-modbus-multi).
Signs as SolarEdge has them are made here from ours: meters show export, batteries charging as positive.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from chargerd.sim.wire.modbus_server import ModbusDevice
from chargerd.sim.wire.sunspec import END, MARK, Inverter, Meter, Values, Words, common, string

__all__ = ["HouseBattery", "Inverter", "Meter", "SimulatedSolarEdge"]

BASE, BATTERIES, OLDER_BATTERY = 40000, (57600, 57856), 62720
METER_SPAN = 174
STATUS = {
    "off": 0,
    "standby": 1,
    "starting": 2,
    "charging": 3,
    "discharging": 4,
    "fault": 5,
    "preserving": 6,
    "idle": 7,
    "saving": 10,
}


class HouseBattery(Values):
    """A battery at the inverter. ``discharge_w`` is negative while it is charged.

    ``absent`` gives what a float register holds instead of a value that is None: 0x7FC00000 (NaN), 0xFF7FFFFF, 0x7F7FFFFF or
    0xFFFFFFFF. ``connected`` False: the registers are there and no battery behind them.
    """

    discharge_w: float | None = -1500.5
    soc_pct: float | None = 64.5
    soh_pct: float | None = 98.0
    temperature_c: float | None = 23.5
    rated_wh: float | None = 9700.0
    full_wh: float | None = 9312.0
    max_charge_w: float | None = 5000.0
    max_discharge_w: float | None = 4600.0
    charged_wh: int | None = 5_000_000_000
    discharged_wh: int | None = 4_700_000_000
    status: str | None = "charging"
    absent = 0x7FC00000
    connected = True
    serial = "B0001"

    def registers(self) -> Words:
        """The block from its first register on."""
        words = string("LG", 16) + string("RESU", 16) + string("2.0", 16) + string(self.serial, 16)
        words += [1 if self.connected else 255, 802, *self._real(self.rated_wh)]
        words += [*self._real(self.max_charge_w), *self._real(self.max_discharge_w)]
        words += [*self._real(self.max_charge_w), *self._real(self.max_discharge_w), *[0] * 32]
        words += [
            *self._real(self.temperature_c),
            *self._real(self.temperature_c),
            *self._real(None),
            *self._real(None),
        ]
        words += self._real(None if self.discharge_w is None else -self.discharge_w)
        words += _low_first(self.discharged_wh, 4) + _low_first(self.charged_wh, 4)
        words += self._real(self.full_wh)
        known = self.full_wh is not None and self.soc_pct is not None
        words += self._real((self.full_wh or 0) * (self.soc_pct or 0) / 100 if known else None)
        words += self._real(self.soh_pct) + self._real(self.soc_pct)
        status = None if self.status is None else STATUS[self.status]
        return words + _low_first(status, 2) + _low_first(status, 2) + [0] * 16

    def _real(self, value: float | None) -> Words:
        data = struct.pack(">I", self.absent) if value is None else struct.pack(">f", value)
        return list(reversed(struct.unpack(">2H", data)))


class SimulatedSolarEdge(ModbusDevice):
    """An inverter on a port of its own. ``meters`` and ``batteries`` can have holes (None). ``older`` puts the battery at 0xF500.

    With inputs told one by one (``inverter.inputs``) the meters lie behind the inputs' own block.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, unit: int = 1) -> None:
        super().__init__(host=host, port=port, unit=unit)
        self.inverter = Inverter()
        self.meters: list[Meter | None] = [Meter(shows_export=True)]
        self.batteries: list[HouseBattery | None] = [HouseBattery()]
        self.older = False
        self.ends = True

    def image(self) -> Mapping[int, int]:
        """All registers as they are now, by address. What is not among them is an illegal address."""
        words = [*MARK, *common("SolarEdge", "SE10K-RWS", "0004.0018.0036", "7E0C1234"), *self.inverter.block()]
        if self.inverter.inputs:
            words += self.inverter.inputs_block()
        image = dict(enumerate(words, BASE))
        at = BASE + len(words)
        for meter in self.meters:
            if meter is not None:
                block = common("WattNode", "WNC-3Y-400-MB", "25", meter.serial, meter.place) + meter.block()
                image |= dict(enumerate(block, at))
            at += METER_SPAN
        if self.ends:
            image |= dict(enumerate(END, at))
        starts = (OLDER_BATTERY,) if self.older else BATTERIES
        for start, battery in zip(starts, self.batteries, strict=False):
            if battery is not None:
                image |= dict(enumerate(battery.registers(), start))
        return image


def _low_first(value: int | None, size: int) -> Words:
    bits = (1 << 16 * size) - 1 if value is None else value
    return [bits >> 16 * number & 0xFFFF for number in range(size)]
