"""Days: composed days of a home: a recorded day of sun, scaled to 7 kWp, over a recorded day of a house's load.

Not a benchmark. The two were not measured at one place: 33 days of a 5-minute inverter and three days of one minute,
each with one of 21 days of load. Between the values lie straight lines.
"""

from __future__ import annotations

from pathlib import Path

from harness import trace_rows
from msgspec import Struct

from chargerd.sim import sun

PEAK_W = 7000.0
FIVE_MINUTE_DAYS = 33
SUBSET = 5  # of the five-minute days every fifth is run, if not all are asked for
MINUTE_DAYS = {  # column → what makes W of 7 kWp of it: an array of 4628 W; W/m², of which 85 % arrive
    "serf_2022_03_19_w": PEAK_W / 4628,
    "ghi_midc_2018_10_14": PEAK_W / 1000 * 0.85,
    "ghi_surfrad_slv_2016_01_01": PEAK_W / 1000 * 0.85,
}
DIM_W = 200.0  # with less sun than this nothing can be charged …
MARGIN_S = 1800.0  # … save what was begun shortly before


class Day(Struct, frozen=True):
    """One composed day from midnight on. ``from_s`` to ``to_s`` is the part of it that has sun."""

    name: str
    pv: sun.Power
    load: sun.Power
    from_s: float
    to_s: float


def composed(traces: Path, *, every: bool) -> list[Day]:
    """The days, those of one minute first."""
    loads = _by_day(traces / "load_fr_1min.csv", "load_w", 1440)
    five = _by_day(traces / "pv_us_5min.csv", "pv_w", 288)
    names = [list(five)[number * len(five) // FIVE_MINUTE_DAYS] for number in range(FIVE_MINUTE_DAYS)]
    minute = trace_rows(traces / "pv_1min_days.csv")
    suns = {
        column: [min(PEAK_W, max(0.0, float(row[column]) * factor)) for row in minute]
        for column, factor in MINUTE_DAYS.items()
    }
    suns |= {name: five[name] for name in names}
    pairs = [(name, pv_w, list(loads.values())[n % len(loads)]) for n, (name, pv_w) in enumerate(suns.items())]
    if not every:
        first = len(MINUTE_DAYS)
        pairs = pairs[:first] + pairs[first::SUBSET]
    return [_day(name, pv_w, load_w) for name, pv_w, load_w in pairs]


def _day(name: str, pv_w: list[float], load_w: list[float]) -> Day:
    step_s = sun.DAY_S / len(pv_w)
    bright = [n * step_s for n, power_w in enumerate(pv_w) if power_w > DIM_W] or [0.0]
    from_s = max(0.0, bright[0] - MARGIN_S) // 60 * 60
    to_s = min(float(sun.DAY_S), bright[-1] + MARGIN_S)
    return Day(name, sun.trace(pv_w, step_s), sun.trace(load_w, sun.DAY_S / len(load_w)), from_s, to_s)


def _by_day(path: Path, column: str, values: int) -> dict[str, list[float]]:
    """Whole days of a trace, by their date."""
    found: dict[str, list[float]] = {}
    for row in trace_rows(path):
        found.setdefault(row["time"][:10], []).append(float(row[column] or 0))
    return {day: powers_w for day, powers_w in found.items() if len(powers_w) == values}
