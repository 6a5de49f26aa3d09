"""Sun: power over time: a recorded trace, a clear sky, clouds from a seed, an appliance for a while.

All are functions of the time in seconds and remember nothing: who asks when, and in which order, changes nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import cache

DAY_S = 86_400
EDGE_S = 20.0  # in which the edge of a cloud passes over a roof

Power = Callable[[float], float]
"""Power in W at a time in seconds."""


def steady(power_w: float) -> Power:
    """The same for ever."""
    return lambda at_s: power_w  # noqa: ARG005


def trace(values_w: Sequence[float], step_s: float, begin_s: float = 0.0) -> Power:
    """Values that are ``step_s`` apart, with straight lines between them. Before the first and after the last these stay."""
    last = len(values_w) - 1

    def power_w(at_s: float) -> float:
        place = (at_s - begin_s) / step_s
        if place <= 0:
            return values_w[0]
        left = int(place)
        if left >= last:
            return values_w[last]
        value_w = values_w[left]
        return value_w + (values_w[left + 1] - value_w) * (place - left)

    return power_w


def clear_sky(peak_w: float, *, rise_s: float = 6 * 3600, set_s: float = 20 * 3600) -> Power:
    """Panels under a blue sky, every day alike: 0 until sunrise, ``peak_w`` in the middle of the day, 0 after sunset.

    The exponent makes the flanks of the measured clear day among the benchmarks' traces.
    """

    def power_w(at_s: float) -> float:
        time_s = at_s % DAY_S
        if not rise_s < time_s < set_s:
            return 0.0
        return float(peak_w * math.sin(math.pi * (time_s - rise_s) / (set_s - rise_s)) ** 1.3)

    return power_w


def clouds(sky: Power, seed: int, *, spell_s: float = 180.0, cover: float = 0.4, depth: float = 0.75) -> Power:
    """Clouds before a sky. In each spell one passes with the probability ``cover`` and takes up to ``depth`` of the power."""

    @cache
    def veil(spell: int) -> float:
        dice = random.Random(f"{seed}/{spell}")
        return dice.uniform(0.5, 1.0) * depth if dice.random() < cover else 0.0

    def power_w(at_s: float) -> float:
        spell, within_s = divmod(at_s, spell_s)
        shade = veil(int(spell))
        if within_s < EDGE_S:
            before = veil(int(spell) - 1)
            shade = before + (shade - before) * within_s / EDGE_S
        return sky(at_s) * (1 - shade)

    return power_w


def plus(power: Power, extra_w: float, from_s: float, to_s: float) -> Power:
    """A power with an appliance on top of it for a while; ``to_s`` is the moment at which it is off again."""
    return lambda at_s: power(at_s) + (extra_w if from_s <= at_s < to_s else 0.0)
