"""Simulated Modbus devices for a test: started, and stopped at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from chargerd.sim.wire.solaredge import SimulatedSolarEdge
from chargerd.sim.wire.sunspec import SimulatedSunSpec

T = TypeVar("T", SimulatedSolarEdge, SimulatedSunSpec)


@contextmanager
def running(device: T) -> Iterator[T]:
    """The device, listening on loopback."""
    device.start()
    try:
        yield device
    finally:
        device.stop()
