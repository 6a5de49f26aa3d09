"""SolarEdge: inverters with up to three meters and two batteries, over Modbus TCP.

Manual: SolarEdge, "SunSpec Implementation in SolarEdge Inverters", technical note, version 3.2, for inverter and meters; see
`drivers.solaredge_battery` for the batteries.   Seen working: simulated inverters that pysunspec2 and solaredge-modbus accept; no
hardware yet.

It answers one client only and must be asked at least once in two minutes, so the connection is kept. At night an inverter
without a battery sleeps: it refuses connections or does not answer, and is unreachable, no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from chargerd.config.base import DeviceConfig, Secret
from chargerd.drivers import solaredge_battery as battery
from chargerd.drivers import sunspec
from chargerd.drivers.base import Reading, UnexpectedAnswer
from chargerd.drivers.modbus import NoSuchRegisters
from chargerd.drivers.sunspec import Device, Place
from chargerd.drivers.sunspec_models import INVERTERS, METERS, text

BASE, INVERTER, METER = 40000, 40069, 40121
COMMON_COUNT = 69
MPPT = 160
"""An inverter with several inputs tells of them here in place of the first meter, and all meters lie behind: the technical note."""
_METERS, _METER_STEP, _METER_MODEL = 3, 174, 67
_BATTERY = 0  # not a SunSpec model: SolarEdge's own block


class Driver(sunspec.Driver):
    """One inverter. What is SunSpec's about it is in `drivers.sunspec`."""

    kind = "solaredge"
    export_is_positive = True  # the technical note's meters, and "house = production - meter" in all that reads them

    class Config(sunspec.ModbusConfig):
        """Keys of every Modbus device; SolarEdge's own port."""

        channels: ClassVar[tuple[str, ...] | None] = (
            "inverter",
            *(f"meter{number + 1}" for number in range(_METERS)),
            *battery.BASES,
        )
        port: int = Field(default=1502, ge=1, le=65535)

    def __init__(
        self, name: str, config: DeviceConfig, channels: tuple[str, ...], secrets: Mapping[str, Secret]
    ) -> None:
        super().__init__(name, config, channels, secrets)
        self._infos: dict[str, tuple[int, ...]] = {}  # of each battery, what does not change

    # What the device is

    def _locate(self) -> Device:
        words = self._connection.read(BASE, COMMON_COUNT)
        if words[:2] != sunspec.MARK:
            raise UnexpectedAnswer(f"{self._name} is no SolarEdge inverter: no mark at {BASE}")
        model, length = self._connection.read(INVERTER, 2)
        if model not in INVERTERS:
            raise UnexpectedAnswer(f"{self._name} is no inverter: it is of SunSpec model {model}")
        serial = text(words[52:68])
        places = (Place(model, INVERTER, length), *self._mppt())
        channels, ids = {"inverter": places}, {"inverter": serial}
        shift = sum(place.length + 2 for place in places[1:])
        for channel, address, meter in self._meters(METER + shift):
            channels[channel] = (Place(meter[_METER_MODEL], address + _METER_MODEL, meter[_METER_MODEL + 1]),)
            # "Export+Import" is at the grid, "Production" and "Consumption" elsewhere: it need not be the first.
            ids[channel] = " ".join(filter(None, (text(meter[50:66]), text(meter[34:42]))))
        for channel, address, info in self._batteries():
            channels[channel] = (Place(_BATTERY, address, 0),)
            ids[channel] = text(info[0x30:0x40])
        return Device(
            model=" ".join(filter(None, (text(words[4:20]), text(words[20:36])))),
            serial=serial,
            firmware=text(words[44:52]),
            channels=channels,
            ids=ids,
        )

    def _mppt(self) -> tuple[Place, ...]:
        head = self._registers(METER, 2)
        return (Place(MPPT, METER, head[1]),) if head is not None and head[0] == MPPT else ()

    def _meters(self, address: int) -> list[tuple[str, int, tuple[int, ...]]]:
        found = []
        for number in range(_METERS):
            at = address + number * _METER_STEP
            words = self._registers(at, _METER_MODEL + 2)
            if words is not None and words[0] == sunspec.COMMON and words[_METER_MODEL] in METERS:
                found.append((f"meter{number + 1}", at, words))
        return found

    def _batteries(self) -> list[tuple[str, int, tuple[int, ...]]]:
        found = []
        for channel, bases in battery.BASES.items():
            answers = ((base, self._registers(base, battery.INFO_COUNT)) for base in bases)
            base, info = next(((at, words) for at, words in answers if words is not None), (0, None))
            if info is not None and battery.is_there(info):
                found.append((channel, base, info))
        self._infos = {channel: info for channel, _, info in found}
        return found

    def _registers(self, address: int, count: int) -> tuple[int, ...] | None:
        try:
            return self._connection.read(address, count)
        except NoSuchRegisters:
            return None

    # Reading

    def _reading(self, device: Device, channel: str) -> Reading:
        if channel not in self._infos:
            return super()._reading(device, channel)
        (place,) = device.channels[channel]
        data = self._connection.read(place.address + battery.DATA_OFFSET, battery.DATA_COUNT)
        return battery.reading(channel, self._infos[channel], data)
