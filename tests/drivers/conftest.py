"""Fixtures: a bench for simulated devices, and kasa drivers for what stands on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from chargerd.config.base import Secret
from chargerd.drivers.kasa import Driver
from chargerd.model.events import ChargerRead
from chargerd.sim.wire.kasa import SimulatedPlug
from tests.sim.wire.bench import Bench

Connect = Callable[..., Driver]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes drivers called "shed" with a time-out of 0.4 s; closes them at the end."""
    made: list[Driver] = []

    def make(
        device: SimulatedPlug | None, *channels: str, secrets: dict[str, Secret] | None = None, **keys: Any
    ) -> Driver:
        settings: dict[str, Any] = {"driver": "kasa", "timeout_s": 1.5, **keys}
        if device is not None:
            settings = {"host": device.host, "port": device.port, **settings}
        made.append(Driver("shed", Driver.Config(**settings), channels, secrets or {}))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An empty table; what is put on it is stopped at the end."""
    with ExitStack() as stack:
        yield Bench(stack)


def only(readings: tuple[ChargerRead, ...]) -> ChargerRead:
    """The one reading of a plug."""
    (reading,) = readings
    return reading
