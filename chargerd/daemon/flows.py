"""Flows: what goes through meters and house batteries, in words: whose reading it is, and which way it goes."""

from __future__ import annotations

from typing import NamedTuple

from chargerd.model.events import Body, ChargerRead, MeterRead, StorageRead
from chargerd.model.reasons import power
from chargerd.model.settings import Configuration, address_of

NOTHING_W = 0.5  # less flows neither way
WAYS = {"grid": ("importing", "exporting"), "storage": ("discharging", "charging")}
"""Words for a positive and a negative power where the direction matters."""


class Place(NamedTuple):
    """What an address is in the configuration. ``role`` is a meter's, "storage", or "" for what has no name of its own."""

    name: str
    role: str = ""
    invert: bool = False


def place_of(address: str, configuration: Configuration) -> Place:
    """The meter or house battery that an address is; its address if it is neither."""
    for meter in configuration.meters.values():
        if address_of(meter.device, meter.channel) == address:
            return Place(meter.name, meter.role, meter.invert)
    for storage in configuration.storages.values():
        if address_of(storage.device, storage.channel) == address:
            return Place(storage.name, "storage")
    return Place(address)


def power_of(read: Body, place: Place) -> float | None:
    """The power of a reading by its role's sign; None where it says none, and for what is no reading."""
    if not isinstance(read, ChargerRead | MeterRead | StorageRead) or read.power_w is None:
        return None
    return -read.power_w if place.invert else read.power_w


def flowing(power_w: float, role: str) -> str:
    """A power with its direction as a word: "exporting 1.2 kW", "charging 400 W", "4.9 kW"."""
    if role not in WAYS or abs(power_w) < NOTHING_W:
        return power(power_w)
    return f"{WAYS[role][power_w < 0]} {power(abs(power_w))}"


def between(low_w: float, high_w: float, role: str) -> str:
    """The powers of several readings: "2.3 kW – 2.9 kW", "exporting 1.2 kW – importing 300 W"."""
    low, high = flowing(low_w, role), flowing(high_w, role)
    return low if low == high else f"{low} – {high}"
