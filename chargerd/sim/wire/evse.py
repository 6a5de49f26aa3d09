"""Evse: the physics behind every simulated EVSE: phases, a vehicle, what is offered and what flows."""

from __future__ import annotations

from collections.abc import Callable

LIVE_V = 180.0  # a phase that is not connected still shows 50 to 130 V by induction


class Car:
    """A vehicle: it takes at most ``max_a`` on each of its phases, and nothing while it does not ``want``."""

    def __init__(self, max_a: float = 16.0, phases: int = 3, wants: bool = True) -> None:
        self.max_a = max_a
        self.phases = phases
        self.wants = wants


class Evse:
    """What is behind the wire. Settable at any time: ``car``, ``volts`` (one a phase), ``fault``, ``stubborn``.

    ``stubborn``: it lets the vehicle charge although it is paused, as NRGkicks do when one is connected. Time comes from
    ``now_s`` and never goes back.
    """

    def __init__(
        self,
        now_s: Callable[[], float],
        *,
        volts: tuple[float, float, float] = (230.0, 230.0, 230.0),
        min_a: float = 6.0,
        max_a: float = 16.0,
    ) -> None:
        self.now_s = now_s
        self.volts = volts
        self.min_a = min_a
        self.max_a = max_a
        self.car: Car | None = None
        self.fault = 0
        self.stubborn = False
        self.offered_a = min_a
        self.paused = True
        self.phases = 3
        self.energy_wh = 0.0
        self._at_s = now_s()

    def settle(self) -> None:
        """Let energy flow until now. To be called before anything is changed."""
        now_s = self.now_s()
        self.energy_wh += self.power_w() * max(0.0, now_s - self._at_s) / 3600
        self._at_s = max(self._at_s, now_s)

    def offer(self, current_a: float | None = None, *, paused: bool | None = None, phases: int | None = None) -> None:
        """Change what the vehicle is offered."""
        self.settle()
        self.offered_a = self.offered_a if current_a is None else current_a
        self.paused = self.paused if paused is None else paused
        self.phases = self.phases if phases is None else phases

    def connect(self, car: Car | None) -> None:
        """Connect a vehicle, or take it away."""
        self.settle()
        self.car = car

    def currents(self) -> tuple[float, float, float]:
        """What flows on each phase, A."""
        flowing = [0.0, 0.0, 0.0]
        if self.car is not None and self.car.wants and not self.fault and (self.stubborn or not self.paused):
            for line in range(min(self.phases, self.car.phases)):
                if self.volts[line] > LIVE_V:
                    flowing[line] = min(self.offered_a, self.car.max_a)
        return (flowing[0], flowing[1], flowing[2])

    def powers(self) -> tuple[float, float, float]:
        """What flows on each phase, W."""
        one, two, three = (amps * volts for amps, volts in zip(self.currents(), self.volts, strict=True))
        return (one, two, three)

    def power_w(self) -> float:
        """What flows in all."""
        return sum(self.powers())

    def pilot(self) -> str:
        """The letter of IEC 61851."""
        if self.fault:
            return "F"
        if self.car is None:
            return "A"
        return "C" if self.power_w() > 0 else "B"
