"""Drivers: one file for each kind of device. This page maps a kind to its module; a module is imported only when configured."""

from __future__ import annotations

import importlib
from types import ModuleType

MODULES = {
    "kasa": "chargerd.drivers.kasa",
    "keba": "chargerd.drivers.keba",
    "nrgkick": "chargerd.drivers.nrgkick",
    "pulsar": "chargerd.drivers.pulsar",
    "solaredge": "chargerd.drivers.solaredge",
    "sunspec": "chargerd.drivers.sunspec",
    "simulated": "chargerd.drivers.simulated",
    "replayed": "chargerd.drivers.replayed",
}

SEARCHES = ("chargerd.drivers.kasa_search",)
"""Modules that can look for devices on the network: each has ``search``."""


def load(kind: str) -> ModuleType:
    """The module of a driver kind; it has `Driver`, whose `Config` checks the device's own keys. Raises KeyError."""
    return importlib.import_module(MODULES[kind])
