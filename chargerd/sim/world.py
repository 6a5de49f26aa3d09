"""World: what stands behind the simulated sockets of a home. Recorded charge curves, the faults of chargers, one seed.

It has no clock; see `drivers.simulated.Socket`, whose physics it uses.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files

from chargerd.drivers.simulated import Curve, Load, Socket, SoftStart, Steady, curve

RECORDED = {
    "rad-full": ("full", "rad_battery_1"),
    "lectric-full": ("full", "lectric_battery_2"),
    "rad-nominal": ("nominal", "rad_battery_1"),
}
"""Curve → (run, charger) of the recording in ``curves/ebike_charge_power.csv``."""

KINDS = (
    *RECORDED,
    "empty",  # a charger without a pack, 0 W
    "idle",  # a charger without a pack, 0.7 W
    "full",  # a full pack, 5 W
    "topped-up",  # a stored pack that draws 15.5 W
    "never-tapers",  # stays at the plateau
    "never-full",  # stays at 8 W, above the cut-off for a full charge
    "dead",  # takes nothing at all
    "slow-start",  # begins a minute after each switch-on
    "foreign",  # a load of 600 W that no battery charger is
)
"""Everything that can stand behind a socket, by name."""

_STEADY_W = {
    "empty": 0.0,
    "idle": 0.7,
    "full": 5.0,
    "topped-up": 15.5,
    "never-tapers": 103.0,
    "never-full": 8.0,
    "dead": 0.0,
    "foreign": 600.0,
}


@cache
def recorded(name: str) -> Curve:
    """A recorded charge, power along energy. Raises KeyError for a name that is not in `RECORDED`.

    The nominal recording ends where its seed cut off, at 85 W; it goes on here with the end of the same charger's full one.
    """
    run, charger = RECORDED[name]
    samples = _samples(run, charger)
    if run == "nominal":
        end_s, end_w = samples[-1]
        tail = [sample for sample in _samples("full", charger) if sample[1] < end_w]
        samples += [(end_s + 300 + t - tail[0][0], w) for t, w in tail]
    return curve(samples)


def load(kind: str, start: float = 0.0) -> Load:
    """A load of `KINDS`. ``start`` (0 to 1) is how much of its energy a recorded pack has had already. Raises KeyError."""
    if kind in RECORDED:
        pack = recorded(kind)
        return Curve(pack.points, start_wh=start * pack.total_wh)
    if kind == "slow-start":
        return SoftStart(recorded("rad-full"), wait_s=60)
    return Steady(_STEADY_W[kind])


class Home:
    """Sockets by name, each with its load. One seed makes one home: the same powers at the same times, noise included."""

    def __init__(self, seed: int, loads: Mapping[str, str]) -> None:
        self.sockets = {name: Socket(load(kind), noise=random.Random(f"{seed}/{name}")) for name, kind in loads.items()}


def random_home(seed: int, names: tuple[str, ...]) -> Home:
    """A home of any packs and chargers, some partly charged, most of them sound."""
    dice = random.Random(seed)
    kinds = {name: dice.choice((*RECORDED, *RECORDED, *KINDS)) for name in names}
    home = Home(seed, kinds)
    for name, kind in kinds.items():
        if kind in RECORDED:
            home.sockets[name].load = load(kind, start=dice.uniform(0.0, 0.6))
    return home


def _samples(run: str, charger: str) -> list[tuple[float, float]]:
    text = files("chargerd.sim").joinpath("curves/ebike_charge_power.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    mine = [row for row in rows if row["run"] == run and row["charger"] == charger]
    begin = datetime.fromisoformat(mine[0]["time"])
    return [((datetime.fromisoformat(row["time"]) - begin).total_seconds(), float(row["power_w"])) for row in mine]
