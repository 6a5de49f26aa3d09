"""Day-picture: one composed day as an SVG: sun, house, car and set-point, what was captured and what was missed.

Not a benchmark. It is drawn from what the meters and the EVSE said, of a day that the engine led from the engine's log.
The picture in the documentation: ``python benchmarks/day_picture.py > docs/day.svg``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

from days import composed
from harness import Bench, folder
from msgspec import Struct
from track import BY, RULES, Setup, Watch, by_engine, by_rule

from chargerd.drivers.base import Reading
from chargerd.model.events import ChargerRead, MeterRead, StorageRead

DAY = "serf_2022_03_19_w"
BIN_S = 120
WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 58, 34
LINE = "fill:none;stroke-width:1.6;stroke-linejoin:round"

LOOK = f"""
text {{ font: 13px system-ui, sans-serif; fill: #333 }}
.title {{ font-weight: 600; font-size: 15px }} .axis {{ stroke: #999; stroke-width: 1 }}
.grid {{ stroke: #999; stroke-width: .5; stroke-dasharray: 2 4 }} .ground {{ fill: #fff }}
.captured {{ fill: #3a9d5d; fill-opacity: .75 }} .missed {{ fill: #f0b429; fill-opacity: .4 }}
.import {{ fill: #d64545 }} .sun {{ {LINE}; stroke: #d48806 }} .house {{ {LINE}; stroke: #888 }}
.battery {{ {LINE}; stroke: #2f6fd0 }} .told {{ {LINE}; stroke: #222; stroke-dasharray: 4 3; stroke-width: 1.2 }}
@media (prefers-color-scheme: dark) {{
 text {{ fill: #ddd }} .ground {{ fill: #15181c }} .told {{ stroke: #eee }} .house {{ stroke: #aaa }} .sun {{ stroke: #f5b83d }}
 .captured {{ fill: #4cb873 }} .battery {{ stroke: #6ea3f5 }} .import {{ fill: #f06a6a }}
}}
"""


class Bin(Struct):
    """Means over two minutes, W. ``told_w`` is the set-point at the voltages that were measured."""

    at_s: float
    sun_w: float
    house_w: float
    car_w: float
    battery_w: float
    told_w: float

    @property
    def surplus_w(self) -> float:
        """What the house leaves over."""
        return max(0.0, self.sun_w - self.house_w)


def bins(readings: Iterable[tuple[float, Reading]]) -> list[Bin]:
    """The readings as means over two minutes; the house is what the others leave."""
    found: dict[int, dict[str, list[float]]] = {}
    for at_s, reading in readings:
        here = found.setdefault(int(at_s // BIN_S), {})
        for name, power_w in _powers(reading):
            here.setdefault(name, []).append(power_w)
    made = []
    for number, powers in sorted(found.items()):
        mean = {name: sum(values) / len(values) for name, values in powers.items()}
        battery_w, car_w = mean.get("battery", 0.0), mean.get("car", 0.0)
        inverter_w = mean.get("inverter", 0.0)
        house_w = mean.get("grid", 0.0) + inverter_w - car_w
        made.append(Bin(number * BIN_S, inverter_w - battery_w, house_w, car_w, battery_w, mean.get("told", 0.0)))
    return made


def _powers(reading: Reading) -> Iterable[tuple[str, float]]:
    match reading:
        case StorageRead():
            yield "battery", reading.power_w or 0.0
        case MeterRead():
            yield "inverter" if reading.channel == "inverter" else "grid", reading.power_w or 0.0
        case ChargerRead():
            volts = (reading.voltage_l1_v, reading.voltage_l2_v, reading.voltage_l3_v)[: reading.phases or 3]
            yield "car", reading.power_w or 0.0
            yield "told", (reading.offered_a or 0.0) * sum(volt or 0.0 for volt in volts) if reading.enabled else 0.0


class Sheet:
    """Where a time and a power lie on the picture."""

    def __init__(self, day: list[Bin]) -> None:
        self.from_s, self.to_s = day[0].at_s, day[-1].at_s + BIN_S
        self.top_kw = int(max(max(b.sun_w, b.house_w, b.told_w) for b in day) / 1000 + 1)
        self.low_kw = -int(max([0.0, *(-b.battery_w for b in day)]) / 1000 + 0.999)

    def x(self, at_s: float) -> float:
        """Across."""
        return round(LEFT + (at_s - self.from_s) / (self.to_s - self.from_s) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, power_w: float) -> float:
        """Down."""
        part = (power_w / 1000 - self.low_kw) / (self.top_kw - self.low_kw)
        return round(HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM), 1)

    def line(self, day: list[Bin], power_w: Callable[[Bin], float], kind: str) -> str:
        """A curve, with steps left out where nothing changes."""
        points = [(self.x(b.at_s + BIN_S / 2), self.y(power_w(b))) for b in day]
        return f'<path class="{kind}" d="M{_path(points)}"/>'

    def area(self, day: list[Bin], low_w: Callable[[Bin], float], high_w: Callable[[Bin], float], kind: str) -> str:
        """What lies between two curves."""
        upper = [(self.x(b.at_s + BIN_S / 2), self.y(high_w(b))) for b in day]
        lower = [(self.x(b.at_s + BIN_S / 2), self.y(low_w(b))) for b in day]
        return f'<path class="{kind}" d="M{_path(upper)}L{_path(lower[::-1])}Z"/>'


def _path(points: list[tuple[float, float]]) -> str:
    kept = [points[0]]
    for here, after in pairwise(points[1:]):
        if not kept[-1][1] == here[1] == after[1]:
            kept.append(here)
    return "L".join(f"{x:g} {y:g}" for x, y in [*kept, points[-1]])


def drawn(day: list[Bin], title: str) -> str:
    """The picture."""
    sheet = Sheet(day)
    battery = any(b.battery_w for b in day)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
        f'<style>{LOOK}</style><rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="title" x="{LEFT}" y="22">{title}</text>',
        *_axes(sheet),
        sheet.area(day, lambda b: min(b.car_w, b.surplus_w), lambda b: b.surplus_w, "missed"),
        sheet.area(day, lambda b: 0.0, lambda b: min(b.car_w, b.surplus_w), "captured"),  # noqa: ARG005
        sheet.area(day, lambda b: min(b.car_w, b.surplus_w), lambda b: b.car_w, "import"),
        sheet.line(day, lambda b: b.house_w, "house"),
        sheet.line(day, lambda b: b.sun_w, "sun"),
        *([sheet.line(day, lambda b: b.battery_w, "battery")] if battery else []),
        sheet.line(day, lambda b: b.told_w, "told"),
        *_legend(battery=battery),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(sheet: Sheet) -> Iterable[str]:
    for kw in range(sheet.low_kw, sheet.top_kw + 1):
        y = sheet.y(kw * 1000)
        kind = "axis" if kw == 0 else "grid"
        yield f'<path class="{kind}" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{kw}{" kW" if kw == sheet.top_kw else ""}</text>'
    for hour in range(-int(-sheet.from_s // 3600), int(sheet.to_s // 3600) + 1):
        yield f'<text x="{sheet.x(hour * 3600)}" y="{HEIGHT - 12}" text-anchor="middle">{hour}:00</text>'


def _legend(*, battery: bool) -> Iterable[str]:
    words = [("captured", "captured by the car"), ("missed", "surplus not captured"), ("import", "from elsewhere")]
    lines = [
        ("sun", "sun"),
        ("house", "house"),
        *([("battery", "battery gives")] if battery else []),
        ("told", "set-point"),
    ]
    x = LEFT
    for kind, word in words:
        yield f'<rect class="{kind}" x="{x}" y="34" width="14" height="12"/><text x="{x + 19}" y="45">{word}</text>'
        x += 40 + 7 * len(word)
    for kind, word in lines:
        yield f'<path class="{kind}" d="M{x} 41h18"/><text x="{x + 23}" y="45">{word}</text>'
        x += 42 + 7 * len(word)


def led(traces: Path, name: str, setup: Setup, by: str) -> Watch:
    """The day, led by the engine or a rule."""
    day = next(day for day in composed(traces, every=True) if day.name == name)
    if by != "engine":
        return by_rule(day, setup, RULES[by](setup))
    with folder() as place:
        return by_engine(day, setup, Path(place))


def main() -> None:
    days = {"day": {"default": DAY, "help": "one of the composed days"}}
    battery = {"battery": {"type": float, "default": 0.0, "metavar": "WH", "help": "with a house battery"}}
    bench = Bench(__doc__ or "", {**BY, **days, **battery})
    options = bench.options
    watch = led(bench.traces, options.day, Setup(battery_wh=options.battery), options.by)
    track = watch.track
    what = "One day on surplus" if options.by == "engine" else f"One day on surplus, led by {options.by}"
    title = (
        f"{what}: {track.captured_wh / 1000:.1f} of {track.capturable_wh / 1000:.1f} kWh captured,"
        f" {track.imported_wh / 1000:.2f} kWh from elsewhere, starts: {track.starts}, changes of phases: {track.switches}"
    )
    sys.stdout.write(drawn(bins(watch.readings), title))


if __name__ == "__main__":
    main()
