"""Garage: simulated EVSEs for a test, on loopback and on one clock that the test sets, and drivers for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from chargerd.config.base import Credential, Secret
from chargerd.drivers import load
from chargerd.drivers.base import Driver, Reading
from chargerd.model.events import ChargerRead
from chargerd.sim.wire.evse import Car, Evse
from chargerd.sim.wire.keba import SimulatedKeba
from chargerd.sim.wire.nrgkick import SimulatedGen1, SimulatedGen2
from chargerd.sim.wire.pulsar import SimulatedPulsar

NOON_S = 1_800_000_000.0  # 2027-01-15 08:00 UTC


class Garage:
    """Somewhere to charge. Everything in it is stopped at the end of the test. Time passes when the test says so, or by itself."""

    def __init__(self, stack: ExitStack) -> None:
        self.now_s = NOON_S
        self.stack = stack
        self._since_s: float | None = None

    def live(self) -> None:
        """Let time pass by itself from here on, for a whole daemon."""
        self._since_s = time.monotonic()

    def clock_s(self) -> float:
        """What the clock of every device shows."""
        return self.now_s if self._since_s is None else self.now_s + time.monotonic() - self._since_s

    def evse(self, car: Car | None = None, **settings: Any) -> Evse:
        """The physics of one EVSE, with a car if one is given."""
        evse = Evse(self.clock_s, **settings)
        evse.connect(car)
        return evse

    def gen1(self, evse: Evse | None = None, **settings: Any) -> SimulatedGen1:
        """A running NRGkick of the first generation."""
        return self._started(SimulatedGen1(evse or self.evse(Car()), **settings))

    def gen2(self, evse: Evse | None = None, **settings: Any) -> SimulatedGen2:
        """A running NRGkick of the second generation."""
        return self._started(SimulatedGen2(evse or self.evse(Car()), **settings))

    def keba(self, evse: Evse | None = None, **settings: Any) -> SimulatedKeba:
        """A running KeContact P30."""
        return self._started(SimulatedKeba(evse or self.evse(Car()), **settings))

    def pulsar(self, port: int, evse: Evse | None = None, **settings: Any) -> SimulatedPulsar:
        """A Wallbox Pulsar Plus whose bridge is connected to the broker on that port."""
        return self._started(SimulatedPulsar(evse or self.evse(Car()), "127.0.0.1", port, **settings))

    def driver(
        self, kind: str, device: Any, *channels: str, secrets: dict[str, str] | None = None, **keys: Any
    ) -> Driver:
        """A driver called "garage" for a device, with a time-out of 0.4 s; it is closed at the end."""
        secrets = secrets or {}
        keys = {"host": device.host, "port": device.port, "timeout_s": 1.5, **keys}
        keys |= {field: Credential(credential=field) for field in secrets}
        module = load(kind)
        config = module.Driver.Config(driver=kind, **keys)
        driver: Driver = module.Driver(
            "garage", config, channels, {field: Secret(text) for field, text in secrets.items()}
        )
        self.stack.callback(driver.close)
        return driver

    def _started(self, device: Any) -> Any:
        device.start()
        self.stack.callback(device.stop)
        return device


@contextmanager
def garage() -> Iterator[Garage]:
    """An empty one."""
    with ExitStack() as stack:
        yield Garage(stack)


def only(readings: tuple[Reading, ...]) -> ChargerRead:
    """The one reading of an EVSE."""
    (reading,) = readings
    assert isinstance(reading, ChargerRead)
    return reading
