"""Rules: two other ways of charging on surplus, to hold the engine against: S1's rule, and plain hysteresis.

Not a benchmark. Both see what the engine sees, every ten seconds, and give their orders through the same driver.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import deque
from typing import Protocol

from msgspec import Struct

VOLTAGE_V = 230.0  # both calculate with it, whatever is measured


class Seen(Struct, frozen=True):
    """What the meters and the EVSE say. Signs of chargerd; ``offered_a`` is 0 while it is paused."""

    at_s: float  # since midnight
    grid_w: float
    inverter_w: float
    battery_w: float
    soc_pct: float
    car_w: float
    offered_a: float
    phases: int


class Order(Struct, frozen=True):
    """What the EVSE shall do. 0 A pauses it."""

    current_a: float
    phases: int


class Rule(Protocol):
    """One way to charge."""

    def decide(self, seen: Seen) -> Order:
        """What the EVSE shall do now."""
        ...


class Hysteresis:
    """Surplus of the least power for 60 s starts, 180 s without it stop; three phases from 4.14 kW on, after the same times.

    It acts every 30 s and leaves the EVSE alone for 60 s after a start or a change of phases. A household with a battery
    is counted as in `counts_battery`: what charges it is surplus too, what it gives is none.
    """

    CYCLE_S = 30
    START_S, STOP_S, SETTLE_S = 60, 180, 60
    LEAST_A, MOST_A = 6, 16

    def __init__(
        self, *, max_phases: int = 3, car_phases: int = 3, counts_battery: bool = True, step_a: float = 1.0
    ) -> None:
        self._max_phases = max_phases
        self._car_phases = car_phases
        self._counts_battery = counts_battery
        self._step_a = step_a
        self._since_s: dict[str, float] = {}
        self._touched_s = float("-inf")

    def decide(self, seen: Seen) -> Order:
        """Start, stop, change phases, or follow."""
        same = Order(seen.offered_a, seen.phases)
        if seen.at_s % self.CYCLE_S or seen.at_s - self._touched_s < self.SETTLE_S:
            return same
        free_w = seen.car_w - seen.grid_w - (seen.battery_w if self._counts_battery else 0.0)
        one_w, three_w = self.LEAST_A * VOLTAGE_V, 3 * self.LEAST_A * VOLTAGE_V
        live = min(seen.phases, self._car_phases)
        three = self._max_phases == self._car_phases == 3
        if not seen.offered_a:
            if self._lasts("start", free_w >= one_w, seen.at_s, self.START_S):
                return self._change(seen, 3 if three and free_w >= three_w else 1 if three else seen.phases)
            return same
        if three and self._lasts("up", live == 1 and free_w >= max(three_w, 16 * VOLTAGE_V), seen.at_s, self.START_S):
            return self._change(seen, 3)
        if three and self._lasts("down", live == 3 and free_w < three_w, seen.at_s, self.STOP_S):
            return self._change(seen, 1)
        short = free_w < self.LEAST_A * VOLTAGE_V * live and not (three and live == 3)
        if self._lasts("stop", short, seen.at_s, self.STOP_S):
            return Order(0, seen.phases)
        return Order(self._current_a(free_w, live), seen.phases)

    def _lasts(self, what: str, so: bool, at_s: float, long_s: float) -> bool:
        """Whether something has been so for long enough; then its time begins anew."""
        if not so:
            self._since_s.pop(what, None)
        elif at_s - self._since_s.setdefault(what, at_s) >= long_s:
            del self._since_s[what]
            return True
        return False

    def _change(self, seen: Seen, phases: int) -> Order:
        self._touched_s = seen.at_s
        return Order(self.LEAST_A, phases)

    def _current_a(self, free_w: float, phases: int) -> float:
        steps = int(free_w / VOLTAGE_V / phases / self._step_a + 1e-9)
        return max(self.LEAST_A, min(self.MOST_A, round(steps * self._step_a, 3)))


EDGES_W = (
    500, 800, 1100, 1500, 1700, 1900, 2100, 2350, 2600, 2800, 3050, 3300, 3500, 3800,
    4200, 4650, 5100, 5600, 6050, 6500, 6950, 7600, 8300, 9000, 9700, 10400,
)  # fmt: skip
RANGES_W = (
    0, 500, 800, 1100, 1400, 1700, 1900, 2100, 2350, 2600, 2800, 3050, 3300, 3500, 3800,
    4200, 4650, 5100, 5600, 6050, 6500, 6950, 7500, 8000, 9000, 9500, 10000,
)  # fmt: skip
CURRENTS_A = {  # phases → range → A; a range that is not listed means 6 A, except above the last one
    1: {1700: 7, 1900: 8, 2100: 9, 2350: 10, 2600: 11, 2800: 12, 3050: 13, 3300: 14, 3500: 15},
    2: {3300: 7, 3800: 8, 4200: 9, 4650: 10, 5100: 11, 5600: 12, 6050: 13, 6500: 14, 6950: 15},
    3: {5100: 7, 5600: 8, 6050: 9, 6950: 10, 7500: 11, 8000: 12, 9000: 13, 9500: 14, 10000: 15},
}
LEAST_W = {1: 1400, 2: 2800, 3: 4500}
SLOW_A, FAST_A = 6, 15


def range_of(power_w: float) -> int:
    """S1's steps of power: the highest whose lower edge is passed."""
    return RANGES_W[bisect_left(EDGES_W, power_w)]


def current_of(range_w: int, phases: int) -> int:
    """S1's table of currents."""
    table = CURRENTS_A[phases]
    return FAST_A if range_w >= max(table) else table.get(range_w, SLOW_A)


class _Row(Struct, frozen=True):
    """What S1 keeps of one cycle."""

    at_s: float
    pv_w: float
    free_w: float
    soc_pct: float
    battery_w: float  # + is charging here, as in S1


class S1:
    """S1's rule: steps of power from a mean of 4 minutes, adopted after 300 s, throttled under clouds.

    As its author meant it, with the least power of the phases in use (its newest source uses that of one phase always).
    Without ``falls_back`` it pauses where S1 goes over to slow charging between 9 and 16 o'clock.
    """

    def __init__(
        self, *, phases: int, peak_w: float, falls_back: bool = True, on_at_soc: float = 60, draws_w: float = 2600
    ) -> None:
        self._phases = phases
        self._peak_w = peak_w
        self._falls_back = falls_back
        self._on_at_soc = on_at_soc
        self._draws_w = draws_w
        self._rows: deque[_Row] = deque()
        self._adopted: int | None = None
        self._differs = 0
        self._clouds = 0
        self._cloudy = False
        self._drain = 0
        self._protecting = False
        self._tracked = True
        self._permitted = True
        self._charge = False

    def decide(self, seen: Seen) -> Order:
        """One cycle of its strategy and, at once, of its charger thread."""
        self._note(seen)
        recent = [row for row in self._rows if row.at_s > seen.at_s - 240]
        new = range_of(statistics.fmean(row.free_w for row in recent))
        soc_pct = max(row.soc_pct for row in recent)
        new, bad = self._throttled(new)
        possible = new >= LEAST_W[self._phases]
        if self._cloudy or bad:
            self._permitted = False
        self._protect(min(row.battery_w for row in recent), possible)
        if self._stable(new):
            self._adopt(new, possible, soc_pct, seen.at_s)
        if not self._tracked:
            return Order(SLOW_A, self._phases)
        adopted = self._adopted or 0
        return Order(current_of(adopted, self._phases) if self._charge else 0, self._phases)

    def _note(self, seen: Seen) -> None:
        battery_w = -seen.battery_w
        free_w = battery_w - seen.grid_w
        if seen.inverter_w + seen.grid_w >= seen.car_w:
            free_w += seen.car_w
        pv_w = max(0.0, seen.inverter_w + battery_w)
        self._rows.append(_Row(seen.at_s, pv_w, free_w, seen.soc_pct, battery_w))
        while self._rows[0].at_s <= seen.at_s - 900:
            self._rows.popleft()

    def _throttled(self, new: int) -> tuple[int, bool]:
        """Less than there is while clouds pass, and whether it tracks badly."""
        suns = [row.pv_w for row in self._rows]
        if len(suns) >= 2:
            shaky = suns[1] - suns[0] <= 0 and statistics.stdev(suns) > self._peak_w / 16
            self._clouds = min(70, self._clouds + 2) if shaky else max(0, self._clouds - 1)
            if self._clouds > 30 and not self._cloudy:
                self._cloudy, self._clouds = True, 70
            elif self._clouds <= 30:
                self._cloudy = False
        least = LEAST_W[self._phases]
        if not self._cloudy or new < least:
            return new, False
        if new > least + 2500:
            return range_of(least + 2000), False
        if new > least + 1500:
            return range_of(least + 1000), True
        if new > least + 1000:
            return range_of(least + 700), True
        return least, True

    def _protect(self, battery_w: float, possible: bool) -> None:
        """The house battery gives too much: no waiting, and slow instead of tracked."""
        drained = battery_w < -self._draws_w and possible
        self._drain = min(120, self._drain + 5) if drained else max(0, self._drain - 1)
        if self._drain > 60 and not self._protecting:
            self._protecting, self._drain = True, 120
        elif self._drain <= 60:
            self._protecting = False
        if self._protecting and not possible and self._falls_back:
            self._tracked = False

    def _stable(self, new: int) -> bool:
        if self._adopted is None or self._protecting:
            return True
        self._differs = self._differs + 1 if new != self._adopted else 0
        return self._differs >= 30

    def _adopt(self, new: int, possible: bool, soc_pct: float, at_s: float) -> None:
        self._adopted, self._differs = new, 0
        enough = possible and new >= LEAST_W[self._phases] + 400 and soc_pct > self._on_at_soc
        if not self._tracked and self._permitted and enough:
            self._tracked, self._permitted = True, False
        elif self._tracked and not possible and 9 <= at_s // 3600 < 16 and self._falls_back:
            self._tracked, self._permitted = False, True
        self._charge = possible
