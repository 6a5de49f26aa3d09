"""Picture: a curve of power over time in a terminal, in blocks or in ASCII."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

ROWS = 10
LABEL = 8
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "  ..::##@"

Curve = Sequence[tuple[float, float]]


def drawn(
    curve: Curve,
    marks: Sequence[tuple[float, str]],
    levels: Sequence[float],
    *,
    width: int = 78,
    ascii_only: bool = False,
) -> list[str]:
    """The curve as rows of at most ``width`` characters, highest power first; under it its marks, then hours.

    ``marks`` are (time, letter); ``levels`` are powers that are written beside their row. Times are seconds.
    """
    blocks, upright, corner, flat = (ASCII_BLOCKS, "|", "+", "-") if ascii_only else (BLOCKS, "│", "└", "─")
    columns = width - LABEL - 1
    begin_s, end_s = curve[0][0], curve[-1][0]
    step_s = (end_s - begin_s) / columns
    top_w = max(w for _, w in curve)
    heights = [_at(curve, begin_s + (column + 0.5) * step_s) / top_w * ROWS for column in range(columns)]
    labels = _labels([top_w, *levels], top_w)
    rows = []
    for row in range(ROWS - 1, -1, -1):
        cells = (blocks[max(0, min(8, round((height - row) * 8)))] for height in heights)
        rows.append(f"{labels.get(row, ''):>{LABEL - 1}} {upright}{''.join(cells)}".rstrip())
    rows.append(f"{'0 W':>{LABEL - 1}} {corner}{flat * columns}")
    under = [" "] * columns
    for t_s, letter in marks:
        under[min(columns - 1, max(0, int((t_s - begin_s) / step_s)))] = letter
    hours = [" "] * columns
    hour_columns = 3600 / step_s
    every = next((n for n in (1, 2, 3, 4, 6, 12) if n * hour_columns >= 8), 24)
    for hour in range(0, int((end_s - begin_s) / 3600) + 1, every):
        text = f"{hour} h"
        place = int(hour * hour_columns)
        if place + len(text) <= columns:
            hours[place : place + len(text)] = text
    gap = " " * (LABEL + 1)
    return [*rows, (gap + "".join(under)).rstrip(), (gap + "".join(hours)).rstrip()]


def _at(curve: Curve, t_s: float) -> float:
    """Power at a time, on the straight line between two points."""
    right = min(max(bisect_right(curve, t_s, key=lambda point: point[0]), 1), len(curve) - 1)
    (t_0, w_0), (t_1, w_1) = curve[right - 1], curve[right]
    return w_0 + (w_1 - w_0) * min(1.0, max(0.0, (t_s - t_0) / (t_1 - t_0)))


def _labels(levels: Sequence[float], top_w: float) -> dict[int, str]:
    """Row → the power written beside it; the first one has it."""
    found: dict[int, str] = {}
    for level_w in levels:
        found.setdefault(min(ROWS - 1, int(level_w / top_w * ROWS)), f"{level_w:.3g} W")
    return found
