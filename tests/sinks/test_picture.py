"""Picture: curves drawn so that they can be looked at."""

from __future__ import annotations

import io

from PIL import Image

from chargerd.sinks.base import Curve
from chargerd.sinks.picture import png


def opened(*curves: Curve) -> Image.Image:
    """The picture of these curves."""
    return Image.open(io.BytesIO(png(curves, "Monday"))).convert("RGB")


def test_curve_is_where_its_power_is():
    """A steady 100 W of a picture that ends at 100 W lies at its top, 50 W in the middle."""
    steady = opened(Curve("a", ((0.0, 100.0), (4.0, 100.0))), Curve("b", ((0.0, 50.0), (4.0, 50.0))))
    column = [steady.getpixel((300, y)) for y in range(420)]
    assert (0, 114, 178) in column[36:44]
    assert (213, 94, 0) in column[200:210]


def test_picture_of_one_point_of_nothing_and_of_many_curves_is_a_picture():
    """No division by zero, no colour missing."""
    assert opened().size == (900, 420)
    assert opened(Curve("a", ((0.0, 0.0),))).size == (900, 420)
    many = [Curve(f"bike-{n}", ((0.0, 10.0 * n), (1.0, 5.0), (2.0, 80.0))) for n in range(12)]
    assert len({opened(*many[:7]).tobytes(), opened(*many).tobytes()}) == 2
