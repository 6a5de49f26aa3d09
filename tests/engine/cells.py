"""Cells: a battery and its charger by their physics, so that the true level of the pack is known at every reading.

Cells in series with a voltage curve, an inner resistance and a slow polarisation; a charger of constant current, then constant
voltage, with losses, a current at which it may end the charge by itself, and a meter with noise. Nothing of it is fitted to
the recorded charges.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

from chargerd.engine.shape import Point

OCV = (
    (0.0, 3.00), (0.05, 3.33), (0.1, 3.45), (0.2, 3.55), (0.3, 3.61), (0.4, 3.66), (0.5, 3.73), (0.6, 3.83), (0.7, 3.92),
    (0.8, 4.01), (0.9, 4.09), (1.0, 4.20),
)  # fmt: skip
"""Open voltage of a cell of the usual kind (nickel, manganese, cobalt) by its level."""
STEP_S = 10.0


@dataclass(frozen=True)
class Rig:
    """A pack on a charger. ``drop_v`` is what a cell's voltage is raised by at full current, half of it slowly."""

    cells: int = 13
    capacity_ah: float = 14.0
    charger_a: float = 2.0
    drop_v: float = 0.1
    efficiency: float = 0.85
    idle_w: float = 4.0
    ends_at: float = 0.0  # share of the current at which the charger ends the charge by itself; 0: never
    noise_w: float = 0.3
    start: float = 0.3
    every_s: float = 30.0

    @property
    def content_wh(self) -> float:
        """All that the pack holds."""
        return self.cells * self.capacity_ah * _stored(1.0)

    def voltage(self) -> float:
        """Mean voltage, which is what the label says."""
        return self.cells * _stored(1.0)


def charge(rig: Rig, seed: int = 0, hours: float = 24.0) -> tuple[list[Point], list[float]]:
    """Readings of a charge, and the true level (energy stored, 0 to 1) at each. It ends an hour after the current has gone."""
    dice = random.Random(seed)
    level, slow_v, t_s, current_a, ended_s = rig.start, 0.0, 0.0, rig.charger_a, None
    points, levels = [], []
    whole = _stored(1.0)
    while t_s <= hours * 3600 and (ended_s is None or t_s < ended_s + 3600):
        open_v = _ocv(level)
        room_a = (4.2 - open_v - slow_v) / (rig.drop_v / 2) * rig.charger_a
        current_a = 0.0 if ended_s is not None and rig.ends_at else max(0.0, min(rig.charger_a, room_a))
        if ended_s is None and current_a < max(rig.ends_at, 0.004) * rig.charger_a:
            ended_s = t_s
        cell_v = open_v + slow_v + current_a / rig.charger_a * rig.drop_v / 2
        if t_s % rig.every_s < STEP_S:
            true_w = rig.cells * cell_v * current_a / rig.efficiency + rig.idle_w
            if ended_s is not None and rig.ends_at:  # the recorded one climbs again after its step, then sags
                since_min = (t_s - ended_s) / 60
                true_w += 0.25 * rig.idle_w * min(1.0, since_min / 10) * max(0.0, 1 - since_min / 60)
            points.append(Point(t_s, max(0.0, true_w + dice.gauss(0, rig.noise_w) + true_w * dice.gauss(0, 0.002))))
            levels.append(_stored(level) / whole)
        slow_v += (current_a / rig.charger_a * rig.drop_v / 2 - slow_v) * STEP_S / 900
        level = min(1.0, level + current_a * STEP_S / 3600 / rig.capacity_ah)
        t_s += STEP_S
    return points, levels


def level_below(points: list[Point], levels: list[float], power_w: float) -> float:
    """The true level at which power was last at or above a value."""
    return next(level for point, level in zip(points[::-1], levels[::-1], strict=True) if point.power_w >= power_w)


def _ocv(level: float) -> float:
    for (s_0, v_0), (s_1, v_1) in pairwise(OCV):
        if level <= s_1:
            return v_0 + (level - s_0) / (s_1 - s_0) * (v_1 - v_0)
    return OCV[-1][1]


def _stored(level: float) -> float:
    """Energy of a cell of 1 Ah up to a level, Wh."""
    found = 0.0
    for (s_0, v_0), (s_1, _) in pairwise(OCV):
        if level > s_0:
            top = min(level, s_1)
            found += (top - s_0) * (v_0 + _ocv(top)) / 2
    return found
