"""Sinks: one file for each kind of place that facts go to. This page maps a kind to its module, imported when configured."""

from __future__ import annotations

import importlib
from types import ModuleType

MODULES = {"notify": "chargerd.sinks.notify"}


def load(kind: str) -> ModuleType:
    """The module of a kind of sink; it has `Sink`, whose `Config` checks the sink's own keys. Raises KeyError."""
    return importlib.import_module(MODULES[kind])
