"""Car: a simulated electric car and the EVSE that it is connected to, as IEC 61851 has them behave.

The physics knows no clock; `sim.home.House` says how late it is.
"""

from __future__ import annotations

from collections import deque

PHASES = 3
LEAST_A = 6.0  # below it a car is told to stop
LAG_S = 5.0  # in which a car must follow another offer (IEC 61851-1)
START_S = 20.0  # from an offer to a flow: handshake, contactors, the charger's own start
SWITCH_S = 10.0  # an EVSE's relays need it from one number of phases to another

Phases = tuple[float, float, float]
NONE: Phases = (0.0, 0.0, 0.0)


class Car:
    """A car: it takes what it is offered on each of its phases until its battery is full.

    ``limit_pct`` is where its owner lets it end. From ``taper_pct`` on it takes less and less. ``refuses``: it takes nothing,
    whatever it is offered. ``stray_a`` flows whether it is offered or not, as through a contactor that does not open.
    """

    def __init__(
        self,
        *,
        phases: int = PHASES,
        max_current_a: float = 16.0,
        capacity_wh: float = 60_000.0,
        soc_pct: float = 30.0,
        limit_pct: float = 100.0,
        taper_pct: float = 95.0,
        efficiency: float = 0.9,
        lag_s: float = LAG_S,
        start_s: float = START_S,
    ) -> None:
        self.phases = phases
        self.max_current_a = max_current_a
        self.capacity_wh = capacity_wh
        self.stored_wh = capacity_wh * soc_pct / 100
        self.limit_pct = limit_pct
        self.taper_pct = taper_pct
        self.efficiency = efficiency
        self.lag_s = lag_s
        self.start_s = start_s
        self.refuses = False
        self.stray_a = 0.0
        self.taken_wh = 0.0
        """Energy from the EVSE since the car exists."""

    @property
    def soc_pct(self) -> float:
        """How full it is."""
        return 100 * self.stored_wh / self.capacity_wh

    @property
    def wants(self) -> bool:
        """Whether it would take energy."""
        return not self.refuses and self.soc_pct < self.limit_pct

    def draw_a(self, offered_a: float) -> float:
        """Current on each of its phases for an offer that it has understood."""
        if offered_a < LEAST_A or not self.wants:
            return self.stray_a
        left = (100 - self.soc_pct) / (100 - self.taper_pct)
        return max(self.stray_a, min(offered_a, self.max_current_a * max(0.1, min(1.0, left))))

    def take(self, energy_wh: float) -> None:
        """Energy has come in."""
        self.taken_wh += energy_wh
        self.stored_wh += energy_wh * self.efficiency


class Box:
    """An EVSE: what it offers, to which car, on which of the grid's phases. ``rotation`` maps its L1 to L3 to those.

    ``counter_wh`` is its meter.
    """

    def __init__(
        self,
        car: Car | None = None,
        *,
        max_phases: int = PHASES,
        phases: int | None = None,
        min_current_a: float = LEAST_A,
        max_current_a: float = 16.0,
        enabled: bool = False,
        rotation: tuple[int, int, int] = (0, 1, 2),
        switch_s: float = SWITCH_S,
    ) -> None:
        self.car = car
        self.max_phases = max_phases
        self.phases = max_phases if phases is None else phases
        self.min_current_a = min_current_a
        self.max_current_a = max_current_a
        self.enabled = enabled
        self.offered_a = min_current_a
        self.rotation = rotation
        self.switch_s = switch_s
        self.counter_wh = 0.0
        self.ghost_v = 0.0  # what is measured on a phase that is not in use: 125 V were seen
        self.currents_a = NONE
        self._understood_a = 0.0
        self._coming: deque[tuple[float, float]] = (
            deque()
        )  # (when the car will have understood, what), in the order told
        self._told_a = 0.0
        self._switched_s = float("-inf")
        if enabled:
            self._understood_a = self._told_a = self.offered_a

    @property
    def pilot(self) -> str:
        """The letter of IEC 61851: A without a car, C while a car takes or would take what it is offered, else B."""
        if self.car is None:
            return "A"
        asks = self._told_a > 0 and self.car.wants
        return "C" if asks or max(self.currents_a) > 0 else "B"

    @property
    def next_s(self) -> float:
        """When the next thing happens by itself; infinity if nothing is under way."""
        return self._coming[0][0] if self._coming else float("inf")

    def offer(self, at_s: float, *, enabled: bool, current_a: float | None = None) -> None:
        """Set the current that is offered, and whether it is."""
        self.enabled = enabled
        self.offered_a = self.offered_a if current_a is None else current_a
        self._tell(at_s, self.offered_a if enabled else 0.0)

    def switch(self, at_s: float, phases: int) -> None:
        """Change the number of phases. What is offered comes back when the relays have moved."""
        if phases == self.phases:
            return
        self.phases = phases
        self._switched_s = at_s
        self._coming.clear()
        self._understood_a = 0.0  # the relays interrupt at once
        if self.enabled:
            self._coming.append((at_s + self.switch_s + self._start_s, self.offered_a))

    def connect(self, at_s: float, car: Car | None) -> None:
        """Put another car to it, or none."""
        self.car = car
        self._coming.clear()
        self._understood_a = self._told_a = 0.0
        if self.enabled:
            self._tell(at_s, self.offered_a)

    def settle(self, at_s: float) -> Phases:
        """What flows on each phase of the grid from this moment on."""
        while self._coming and self._coming[0][0] <= at_s:
            self._understood_a = self._coming.popleft()[1]
        car = self.car
        if car is None:
            self.currents_a = NONE
            return NONE
        draw_a = car.draw_a(self._understood_a)
        live = min(self.phases, car.phases)
        self.currents_a = (draw_a, draw_a if live > 1 else 0.0, draw_a if live > 2 else 0.0)
        on_grid = [0.0, 0.0, 0.0]
        for phase, current_a in zip(self.rotation, self.currents_a, strict=True):
            on_grid[phase] = current_a
        return on_grid[0], on_grid[1], on_grid[2]

    @property
    def _start_s(self) -> float:
        return START_S if self.car is None else self.car.start_s

    def _tell(self, at_s: float, current_a: float) -> None:
        if current_a == self._told_a or self.car is None:
            return
        wait_s = self._start_s if self._told_a == 0 else self.car.lag_s
        due_s = max(at_s, self._switched_s + self.switch_s if current_a else at_s) + wait_s
        self._coming.append((due_s, current_a))
        self._told_a = current_a
