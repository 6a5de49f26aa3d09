"""Picture: power curves as a PNG, for those who would rather look than read."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from chargerd.sinks.base import Curve

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#B45F06", "#6E6E6E")
"""Told apart also by those who see colours otherwise; each curve has its name beside it as well."""
DASHES = ((), (12, 6), (3, 5), (12, 4, 3, 4))


def png(curves: Sequence[Curve], title: str) -> bytes:
    """A picture of the curves over the hours since each began, with a name at each one's highest point."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "#FFFFFF")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=15)
    hours = max((point[0] for curve in curves for point in curve.points), default=1.0) or 1.0
    top_w = _round_up(max((point[1] for curve in curves for point in curve.points), default=1.0))
    draw.text((LEFT, 10), title, fill="#000000", font=font)
    _grid(draw, font, hours, top_w)
    for number, curve in enumerate(curves):
        spots = [_spot(point, hours, top_w) for point in curve.points]
        colour = COLOURS[number % len(COLOURS)]
        _line(draw, spots, colour, DASHES[number // len(COLOURS) % len(DASHES)])
        draw.text((WIDTH - RIGHT - 200, TOP + 5 + 18 * number), f"― {curve.name}", fill=colour, font=font)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _spot(point: tuple[float, float], hours: float, top_w: float) -> tuple[float, float]:
    x = LEFT + point[0] / hours * (WIDTH - LEFT - RIGHT)
    return x, HEIGHT - BOTTOM - point[1] / top_w * (HEIGHT - TOP - BOTTOM)


def _grid(
    draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, hours: float, top_w: float
) -> None:
    for part in range(5):
        power_w = top_w * part / 4
        (_, y) = _spot((0.0, power_w), hours, top_w)
        draw.line(((LEFT, y), (WIDTH - RIGHT, y)), fill="#DDDDDD")
        draw.text((8, y - 9), f"{power_w:.0f} W", fill="#444444", font=font)
    step = next(step for step in (0.25, 0.5, 1, 2, 4, 8, 24, 1e9) if hours / step <= 10)
    for number in range(math.floor(hours / step) + 1):
        (x, _) = _spot((number * step, 0.0), hours, top_w)
        draw.line(((x, TOP), (x, HEIGHT - BOTTOM)), fill="#EEEEEE")
        draw.text((x - 10, HEIGHT - BOTTOM + 8), f"{number * step:g} h", fill="#444444", font=font)


def _line(draw: ImageDraw.ImageDraw, spots: Sequence[tuple[float, float]], colour: str, dash: tuple[int, ...]) -> None:
    if not dash:
        draw.line(list(spots), fill=colour, width=2, joint="curve")
        return
    gone, phase = 0.0, 0
    for begin, end in pairwise(spots):
        if phase % 2 == 0:
            draw.line((begin, end), fill=colour, width=2)
        gone += math.dist(begin, end)
        if gone >= dash[phase % len(dash)]:
            gone, phase = 0.0, phase + 1


def _round_up(power_w: float) -> float:
    size = 10 ** math.floor(math.log10(max(power_w, 1.0)))
    return next(float(step * size) for step in (1, 2, 4, 5, 8, 10) if step * size >= power_w)
