"""SunSpec: inverters, meters and batteries of any maker that keeps to the SunSpec models, over Modbus TCP.

The models: https://github.com/sunspec/models   Seen working: simulated devices that pysunspec2 accepts; no hardware yet.

A device is a chain of models, each with its number and its length, that begins at one of three addresses. What it has is looked
up once for each connection; a reading then asks only for the models of the channels that are wanted, and a model's values and
scale factors always in one request, because scale factors change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from msgspec import Struct
from pydantic import Field

from chargerd.config.base import DeviceConfig, Secret
from chargerd.drivers import sunspec_readings as readings
from chargerd.drivers.base import Reading, UnexpectedAnswer
from chargerd.drivers.modbus import Connection, NoSuchRegisters
from chargerd.drivers.sunspec_models import BATTERIES, INVERTERS, LENGTHS, METERS, MODELS, Block, text
from chargerd.model.commands import Command
from chargerd.model.events import DeviceAdded, MeterRead, StorageRead

_HOST = r"^([A-Za-z0-9._-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*)$"  # one colon alone would be a port

TIMEOUT_S = 5.0
BUDGET = 3.0  # × timeout_s: so long may all of one call take
BASES = (40000, 50000, 0)
"""Where a chain can begin: SunSpec Device Information Model Specification, 6.2. 40000 is by far the most common."""
MARK = (0x5375, 0x6E53)  # "SunS"
END = 0xFFFF
COMMON = 1
LONGEST_CHAIN = 100  # of models; a chain that does not end is none
LAST_ADDRESS = 0xFFFF


class Place(Struct, frozen=True):
    """Where one model of a device lies. ``length`` is what the device says, without the two registers at its head."""

    model: int
    address: int
    length: int


class Device(Struct, frozen=True):
    """What a device turned out to be. ``channels`` has the places of each channel, ``ids`` how each can be known again."""

    model: str
    serial: str
    firmware: str
    channels: Mapping[str, tuple[Place, ...]]
    ids: Mapping[str, str]


class ModbusConfig(DeviceConfig):
    """Keys of every device that is read over Modbus TCP. ``unit`` is its number at that address."""

    charges: ClassVar[str] = ""
    measures: ClassVar[bool] = True

    host: str = Field(min_length=1, pattern=_HOST)
    port: int = Field(default=502, ge=1, le=65535)
    unit: int = Field(default=1, ge=0, le=255)
    timeout_s: float = Field(default=TIMEOUT_S, ge=0.1, le=60)
    poll_s: float = Field(default=10.0, ge=1, le=3600)
    max_age_s: float = Field(default=30.0, ge=5, le=86_400)


class Driver:
    """One device with one connection. A call ends within `BUDGET` × ``timeout_s`` and one time-out."""

    kind = "sunspec"
    accepts: ClassVar[frozenset[type]] = frozenset()
    export_is_positive: ClassVar[bool] = False
    """Which way its meters count. Most show import; a meter's own key ``invert`` is for the others."""

    class Config(ModbusConfig):
        """Keys of every Modbus device, and no others."""

        channels: ClassVar[tuple[str, ...] | None] = ("inverter", "meter#", "battery#")

    def __init__(
        self,
        name: str,
        config: DeviceConfig,
        channels: tuple[str, ...],
        secrets: Mapping[str, Secret],  # noqa: ARG002 - Modbus knows none
    ) -> None:
        assert isinstance(config, ModbusConfig)
        self._name = name
        self._wanted = tuple(channel for channel in channels if channel)
        self._device: Device | None = None
        self._located_on = 0
        self._ids: dict[str, str] = {}  # of every channel that was ever there
        self._connection = Connection(
            name, config.host, config.port, config.unit, timeout_s=config.timeout_s, budget_s=config.timeout_s * BUDGET
        )

    def describe(self) -> DeviceAdded:
        """Connect and say what this is. A channel that it does not have is refused, and those that it has are named."""
        with self._connection.call():
            device = self._located()
            return DeviceAdded(
                driver=self.kind,
                model=device.model,
                device_id=device.serial,
                firmware=device.firmware,
                channels={channel: self._ids[channel] for channel in self._asked(device)},
            )

    def read(self) -> tuple[Reading, ...]:
        """One reading a configured channel, or one of everything that it has if none is configured.

        A channel that was there and is gone, such as a battery that lost its line, says nothing, and the others go on.
        """
        with self._connection.call():
            device = self._located()
            return tuple([self._reading(device, channel) for channel in self._asked(device)])

    def apply(self, command: Command) -> None:
        """Refused: nothing here is switched."""
        raise UnexpectedAnswer(f"{command.device} is only read, and does not take {type(command).__name__}")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    # What the device is

    def _located(self) -> Device:
        """What the device is, looked up anew on each new connection: after a new firmware everything can lie elsewhere.

        And as long as something is missing that is wanted.
        """
        known = self._device if self._located_on == self._connection.number else None
        if known is None or not set(self._wanted) <= set(known.channels):
            self._device = known = self._locate()
            self._located_on = self._connection.number
            self._ids |= known.ids
        return known

    def _locate(self) -> Device:
        base = self._base()
        places = list(self._chain(base + len(MARK)))
        common = next((place for place in places if place.model == COMMON), None)
        words = () if common is None else self._connection.read(common.address, min(common.length, 65) + 2)
        channels = _channels(places)
        serial = text(words[50:66])
        return Device(
            model=" ".join(filter(None, (text(words[2:18]), text(words[18:34])))),
            serial=serial,
            firmware=text(words[42:50]),
            channels=channels,
            ids={channel: f"{serial}:{spots[0].model}@{spots[0].address}" for channel, spots in channels.items()},
        )

    def _base(self) -> int:
        for base in BASES:
            try:
                words = self._connection.read(base, len(MARK))
            except NoSuchRegisters:
                continue
            if words == MARK:
                return base
        raise UnexpectedAnswer(f"{self._name} is no SunSpec device: no mark at {', '.join(map(str, BASES))}")

    def _chain(self, address: int) -> Iterator[Place]:
        for _ in range(LONGEST_CHAIN):
            if address + 1 > LAST_ADDRESS:
                return
            try:
                model, length = self._connection.read(address, 2)
            except NoSuchRegisters:
                return  # some devices just end
            if model in (END, 0) or length == 0:
                return
            yield Place(model, address, length)
            address += 2 + length
        raise UnexpectedAnswer(f"{self._name}: its chain of models does not end")

    def _asked(self, device: Device) -> tuple[str, ...]:
        unknown = [channel for channel in self._wanted if channel not in self._ids]
        if unknown:
            known = ", ".join(device.channels) or "none"
            raise UnexpectedAnswer(f"{self._name} has no channel {unknown[0]!r}; it has {known}")
        return self._wanted or tuple(device.channels)

    # Reading

    def _reading(self, device: Device, channel: str) -> Reading:
        if channel not in device.channels:
            return StorageRead(channel=channel) if channel.startswith("battery") else MeterRead(channel=channel)
        blocks = {place.model: self._block(place) for place in device.channels[channel]}
        first = next(iter(blocks.values()))
        if channel == "inverter":
            return readings.inverter(channel, first, blocks.get(160))
        if channel.startswith("meter"):
            return readings.meter(channel, first, export_is_positive=self.export_is_positive)
        return readings.storage(channel, blocks)

    def _block(self, place: Place) -> Block:
        count = min(LENGTHS.get(place.model, place.length + 2), place.length + 2)
        words = self._connection.read_long(place.address, count)
        if words[:2] != (place.model, place.length):
            what = f"model {words[0]} is where model {place.model} was"
            raise UnexpectedAnswer(f"{self._name} has changed: {what}", " ".join(map(str, words[:2])))
        return Block(place.model, words)


def _channels(places: list[Place]) -> dict[str, tuple[Place, ...]]:
    """Which models belong to which channel. Model 160 tells of the panels, and at some makers of the battery too."""
    mppt = tuple(place for place in places if place.model == 160)[:1]
    inverters = [place for place in places if place.model in INVERTERS]
    meters = [place for place in places if place.model in METERS]
    banks = [place for place in places if place.model == 802]
    others = [place for model in BATTERIES[1:] for place in places if place.model == model][: len(BATTERIES) - 1]
    channels: dict[str, tuple[Place, ...]] = {}
    if inverters:
        channels["inverter"] = (inverters[0], *mppt)
    channels |= {f"meter{number}": (place,) for number, place in enumerate(meters, 1)}
    if banks or others:
        channels["battery1"] = (*banks[:1], *others, *mppt)
    channels |= {f"battery{number}": (place,) for number, place in enumerate(banks[1:], 2)}
    assert all(place.model in MODELS for spots in channels.values() for place in spots)
    return channels
