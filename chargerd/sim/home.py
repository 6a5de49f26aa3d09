"""Home: the physics of a house with panels, a battery, appliances and cars behind one grid connection.

It knows no clock: each call says what time it is, in seconds that do not go back. What flows is worked out at every change
of what a car is offered and at least every `STEP_S`, and is constant in between, so that the energies add up exactly.

Signs as everywhere: from the grid, out of the panels, out of the house battery and into a car are positive.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from chargerd.sim.car import NONE, Box, Car, Phases
from chargerd.sim.sun import Power

STEP_S = 5.0
KEPT = 64  # moments that a meter which is late can still look back to
VOLTAGE_V = 232.0  # at no load
LINE_OHM = 0.25  # of one phase up to the transformer: 16 A lower the voltage by 4 V
TAPER_PCT = 95.0  # from here on a house battery takes less and less


class HouseBattery:
    """A house battery that keeps the grid connection at 0 by itself: it takes what is left over and gives what is missing.

    It comes closer with the time constant ``lag_s``. ``efficiency`` is of each way. ``held``: it gives nothing, and still takes.
    """

    def __init__(
        self,
        capacity_wh: float = 10_000.0,
        *,
        soc_pct: float = 50.0,
        min_soc_pct: float = 5.0,
        max_charge_w: float = 4950.0,
        max_discharge_w: float = 4950.0,
        efficiency: float = 0.95,
        lag_s: float = 3.0,
    ) -> None:
        self.capacity_wh = capacity_wh
        self.stored_wh = capacity_wh * soc_pct / 100
        self.min_soc_pct = min_soc_pct
        self.max_charge_w = max_charge_w
        self.max_discharge_w = max_discharge_w
        self.efficiency = efficiency
        self.lag_s = lag_s
        self.held = False
        self.power_w = 0.0
        self.charged_wh = 0.0
        self.discharged_wh = 0.0

    @property
    def soc_pct(self) -> float:
        """How full it is."""
        return 100 * self.stored_wh / self.capacity_wh

    @property
    def takes_w(self) -> float:
        """The most that it takes now."""
        room_wh = max(0.0, self.capacity_wh - self.stored_wh)
        taper = min(1.0, max(0.1, (100 - self.soc_pct) / (100 - TAPER_PCT)))
        return min(self.max_charge_w * taper, room_wh * 3600 / STEP_S / self.efficiency)

    @property
    def gives_w(self) -> float:
        """The most that it gives now."""
        if self.held:
            return 0.0
        spare_wh = max(0.0, self.stored_wh - self.capacity_wh * self.min_soc_pct / 100)
        return min(self.max_discharge_w, spare_wh * 3600 / STEP_S * self.efficiency)

    def follow(self, missing_w: float, passed_s: float) -> float:
        """What it discharges from now on, after so long with so much missing (or, negative, left over) in the house."""
        wanted_w = max(-self.takes_w, min(self.gives_w, missing_w))
        nearer = 1 - math.exp(-passed_s / self.lag_s) if self.lag_s else 1.0
        power_w = self.power_w + (wanted_w - self.power_w) * nearer
        self.power_w = max(-self.takes_w, min(self.gives_w, power_w))
        return self.power_w

    def flow(self, hours: float) -> None:
        """Its power has flowed for so long."""
        if self.power_w > 0:
            self.discharged_wh += self.power_w * hours
            self.stored_wh -= self.power_w * hours / self.efficiency
        else:
            self.charged_wh -= self.power_w * hours
            self.stored_wh -= self.power_w * hours * self.efficiency


class Moment(Struct, frozen=True, gc=False):
    """What flowed from ``at_s`` on, and what the counters said then. Of three values each is one phase.

    ``cars_w`` is what all cars took together, ``battery_w`` what the house battery discharged.
    """

    at_s: float
    pv_w: float
    load_w: float
    cars_w: float
    battery_w: float
    grid_w: float
    grids_w: Phases
    voltages_v: Phases
    soc_pct: float | None
    import_wh: float
    export_wh: float
    pv_wh: float


class House:
    """A house. ``shares`` is how its load lies on the phases; panels and battery are on ``pv_phases``, evenly.

    Time begins with the first call. The energies are since then. It sees sun and load every ``step_s``, at most `STEP_S`.
    ``watch`` is told each moment that is over and for how many seconds it lasted.
    """

    def __init__(
        self,
        pv: Power,
        load: Power,
        boxes: Sequence[Box] = (),
        battery: HouseBattery | None = None,
        *,
        shares: Phases = (0.5, 0.3, 0.2),
        pv_phases: int = 3,
        voltage_v: float = VOLTAGE_V,
        step_s: float = STEP_S,
        watch: Callable[[Moment, float], None] | None = None,
    ) -> None:
        self.pv = pv
        self.load = load
        self.boxes = tuple(boxes)
        self.battery = battery
        self.shares = shares
        self.voltage_v = voltage_v
        self.step_s = step_s
        self.load_wh = self.cars_wh = 0.0
        self._pv_wh = self._import_wh = self._export_wh = 0.0
        self._pv_shares = tuple(1 / pv_phases if n < pv_phases else 0.0 for n in range(3))
        self._voltages_v: Phases = (voltage_v, voltage_v, voltage_v)
        self._moments: deque[Moment] = deque(maxlen=KEPT)
        self._watch = watch
        self._missing_w = 0.0
        self._cars_w: list[float] = [0.0 for _ in self.boxes]

    @property
    def now(self) -> Moment:
        """The last moment that was reached."""
        return self._moments[-1]

    def advance(self, at_s: float) -> Moment:
        """Let the time pass until ``at_s``; energy flows. A time in the past changes nothing."""
        if not self._moments:
            self._settle(at_s, 60.0)  # the house has been there for long, its battery has found its place
        while (here_s := self._moments[-1].at_s) < at_s:
            until_s = min(at_s, (here_s // self.step_s + 1) * self.step_s)
            for box in self.boxes:
                until_s = min(until_s, max(box.next_s, here_s + 0.001))
            self._flow(until_s - here_s)
            self._settle(until_s, until_s - here_s)
        return self._moments[-1]

    def at(self, at_s: float) -> Moment:
        """What flowed at a time that is not long ago; the oldest moment that is remembered if it is longer."""
        for moment in reversed(self._moments):
            if moment.at_s <= at_s:
                return moment
        return self._moments[0]

    def box_w(self, number: int) -> float:
        """What the car on a box takes now."""
        return self._cars_w[number]

    def connect(self, number: int, car: Car | None, at_s: float) -> None:
        """Put another car to a box, or take it away with None."""
        self.advance(at_s)
        self.boxes[number].connect(at_s, car)
        self._settle(at_s, 0.0)

    def _flow(self, passed_s: float) -> None:
        now, hours = self._moments[-1], passed_s / 3600
        if self._watch is not None:
            self._watch(now, passed_s)
        self._pv_wh += now.pv_w * hours
        self.load_wh += now.load_w * hours
        self.cars_wh += now.cars_w * hours
        if now.grid_w > 0:
            self._import_wh += now.grid_w * hours
        else:
            self._export_wh -= now.grid_w * hours
        if self.battery is not None:
            self.battery.flow(hours)
        for box, power_w in zip(self.boxes, self._cars_w, strict=True):
            if power_w and box.car is not None:
                box.counter_wh += power_w * hours
                box.car.take(power_w * hours)

    def _settle(self, at_s: float, passed_s: float) -> None:
        pv_w, load_w = self.pv(at_s), self.load(at_s)
        volts = self._voltages_v
        cars = [0.0, 0.0, 0.0]
        for number, box in enumerate(self.boxes):
            flows = box.settle(at_s)
            self._cars_w[number] = 0.0
            if flows is not NONE:
                watts = [volt * current_a for volt, current_a in zip(volts, flows, strict=True)]
                self._cars_w[number] = sum(watts)
                cars = [one + more for one, more in zip(cars, watts, strict=True)]
        cars_w = sum(self._cars_w)
        battery_w = 0.0
        if self.battery is not None:
            missing_w = load_w + cars_w - pv_w  # it has had time for what was, not for what begins now
            battery_w = self.battery.follow(self._missing_w if self._moments else missing_w, passed_s)
            self._missing_w = missing_w
        from_roof_w = pv_w + battery_w
        (s_1, s_2, s_3), (p_1, p_2, p_3) = self.shares, self._pv_shares
        one_w = load_w * s_1 + cars[0] - from_roof_w * p_1
        two_w = load_w * s_2 + cars[1] - from_roof_w * p_2
        three_w = load_w * s_3 + cars[2] - from_roof_w * p_3
        empty_v = self.voltage_v
        self._voltages_v = (
            empty_v - LINE_OHM * one_w / volts[0],
            empty_v - LINE_OHM * two_w / volts[1],
            empty_v - LINE_OHM * three_w / volts[2],
        )
        self._moments.append(
            Moment(
                at_s, pv_w, load_w, cars_w, battery_w, load_w + cars_w - from_roof_w, (one_w, two_w, three_w),
                volts, None if self.battery is None else self.battery.soc_pct,
                self._import_wh, self._export_wh, self._pv_wh,
            )
        )  # fmt: skip
