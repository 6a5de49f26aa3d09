"""Shape: the parts of a charge are found in recorded curves, and what is not one whole charge of one pack is named."""

from __future__ import annotations

from random import Random

import pytest
from msgspec import structs

from chargerd.engine.shape import Point, Unusable, shape_of
from chargerd.sim import world
from tests.engine.cells import Rig, charge

MINUTE = 60.0


def curve(*parts: tuple[float, float, float], every_s: float = 30, noise_w: float = 0.2) -> list[Point]:
    """Readings of straight parts, each (minutes, power at its begin, power at its end)."""
    dice, points, begin_s = Random(1), [], 0.0
    for minutes, from_w, to_w in parts:
        count = round(minutes * 60 / every_s)
        for i in range(count):
            watts = from_w + (to_w - from_w) * i / count + dice.gauss(0, noise_w)
            points.append(Point(begin_s + i * every_s, max(0.0, watts)))
        begin_s += minutes * 60
    return points


PLATEAU, FALL, TAIL = (90, 99, 103), (110, 103, 6), (40, 4.6, 4.4)
WHOLE = (PLATEAU, FALL, TAIL)


def fault(points: list[Point]) -> str:
    """Why nothing can be learnt from these readings."""
    with pytest.raises(Unusable) as raised:
        shape_of(points)
    assert len(raised.value.finding.text) > 10
    return raised.value.finding.code


def recorded(charger: str) -> list[Point]:
    """A recorded full charge."""
    return [Point(t, w) for t, w in world._samples("full", charger)]


def test_the_recorded_rad_charge_has_its_parts():
    """Plateau 103 to 104.4 W for 40 min, then a fall of 0.7 W a minute to 17.7 W, a step to 5.2 W, a tail up to 6.3 W."""
    shape = shape_of(recorded("rad_battery_1"))
    assert round(shape.low_w) == 103
    assert shape.peak_w == 104.42
    assert 35 * MINUTE < shape.knee_t_s < 45 * MINUTE
    assert shape.stepped
    assert shape.full_t_s == pytest.approx(2 * 3600 + 47 * MINUTE, abs=2 * MINUTE)
    assert 6.0 < shape.tail_w < 6.3
    assert 0.6 < shape.slope_w_per_min < 0.8
    assert 190 < shape.total_wh < 195


def test_the_recorded_lectric_charge_glides_to_its_end():
    """101 W up to 1 h 42, then 17 W per 10 min at first; still falling at 4.6 W when it ends, so no tail."""
    shape = shape_of(recorded("lectric_battery_2"))
    assert 100 * MINUTE <= shape.knee_t_s <= 115 * MINUTE
    assert not shape.stepped
    assert shape.tail_w is None
    assert shape.falls_to(50) == pytest.approx(2 * 3600 + 32 * MINUTE, abs=2 * MINUTE)


def test_energy_and_crossings_lie_between_the_readings():
    """Half of an hour at 100 W is 50 Wh; a fall from 100 to 4 W in 96 min passes 52 W after 48 of them."""
    shape = shape_of(curve((60, 100, 100), (96, 100, 4), (30, 4, 4), noise_w=0))
    assert shape.energy_at(30 * MINUTE) == pytest.approx(50, abs=0.5)
    assert shape.falls_to(52) == pytest.approx((60 + 48) * MINUTE, abs=MINUTE)
    assert shape.power_before(48 / 60 * (52 + 4) / 2) == pytest.approx(52, abs=2)
    assert shape.slope_w_per_min == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("no-power", [(60, 0, 0)]),
        ("too-short", [(20, 100, 100)]),
        ("no-knee", [(300, 100, 104)]),
        ("not-finished", [PLATEAU, (60, 103, 50)]),
        ("began-late", [(100, 84, 6), TAIL]),
        ("removed", [PLATEAU, (40, 103, 70), (20, 0.7, 0.7)]),
        ("removed", [PLATEAU, (20, 0.7, 0.7)]),
        ("swapped", [PLATEAU, (60, 103, 50), (5, 0.7, 0.7), *WHOLE]),
        ("swapped", [PLATEAU, (60, 103, 50), *WHOLE]),
        ("swapped", [(60, 99, 101), (6, 0.7, 0.7), *WHOLE]),
        ("swapped", [*WHOLE, *WHOLE]),
        ("other-load", [(30, 99, 100), (10, 180, 180), (50, 101, 103), (10, 182, 182), FALL, TAIL]),
        ("other-load", [(15, 180, 180), (30, 99, 100), (15, 180, 180), (50, 101, 103), FALL, TAIL]),
        ("other-load", [PLATEAU, (60, 103, 50), (10, 130, 125), (50, 45, 6), TAIL]),
    ],
)
def test_what_is_not_one_whole_charge_of_one_pack_is_named(code, parts):
    """Interrupted, begun late, ended early, two packs, or a fridge on the same plug: each by its name."""
    assert fault(curve(*parts)) == code


def test_plug_that_was_off_in_the_middle_interrupts_the_lesson():
    """The pack rests while the plug is off and starts on another level."""
    points = curve(*WHOLE)
    pause = [
        structs.replace(point, enabled=False, power_w=0.0) if 6000 < point.t_s < 7800 else point for point in points
    ]
    assert fault(pause) == "interrupted"


def test_packs_that_are_swapped_within_a_minute_are_noticed():
    """Both are in their plateau, so only two readings of an idle charger show it; one such reading is a glitch."""
    points = curve(*WHOLE)
    for i in (100, 101):
        points[i] = structs.replace(points[i], power_w=0.7)
    assert fault(points) == "swapped"
    points[100] = curve(*WHOLE)[100]
    assert shape_of(points).stepped is False


def test_a_pack_that_pauses_to_balance_near_its_end_is_one_pack():
    """Half a minute without power at 20 W, as some electronics do it."""
    points = curve(*WHOLE)
    late = [i for i, point in enumerate(points) if 18 < point.power_w < 20][:2]
    for i in late:
        points[i] = structs.replace(points[i], power_w=0.7)
    assert shape_of(points).peak_w < 104


def test_plug_lost_while_power_fell_spoils_the_lesson_and_one_lost_in_the_plateau_does_not():
    """25 min without readings: from 103 to 85 W nobody knows when; in the plateau its energy is estimated."""
    points = curve(*WHOLE)
    assert fault([p for p in points if not 95 * MINUTE < p.t_s < 120 * MINUTE]) == "plug-lost"
    shape = shape_of([p for p in points if not 30 * MINUTE < p.t_s < 55 * MINUTE])
    assert [round((b - a) / MINUTE) for a, b in shape.lost] == [25]
    assert shape.total_wh == pytest.approx(shape_of(points).total_wh, rel=0.002)


def test_readings_too_far_apart_teach_nothing():
    """One every 20 min: between two of them power falls by a third."""
    assert fault(curve(*WHOLE, every_s=1200)) in ("too-coarse", "plug-lost")


def test_glitches_inrush_and_gentle_start_are_no_part_of_the_shape():
    """A reading of 0 W, one of 400 W, a charger that waits a minute and then charges gently for five."""
    points = curve((1, 0, 0), (5, 12, 12), *WHOLE)
    for at, watts in ((700, 0.0), (2500, 400.0), (8000, 0.0)):
        points[at // 30] = structs.replace(points[at // 30], power_w=watts)
    shape = shape_of(points)
    assert 98 < shape.low_w < 100
    assert 102 < shape.peak_w < 104


def test_a_pack_that_ends_its_charge_two_minutes_after_the_step_is_whole():
    """A charge cut off below 5 W for 120 s shows two minutes of a tail of 4.4 W."""
    shape = shape_of(curve(PLATEAU, (90, 103, 18), (2, 4.4, 4.4), every_s=10))
    assert shape.stepped
    assert 4 < shape.tail_w < 5


@pytest.mark.parametrize("seed", range(6))
def test_knee_and_tail_are_where_physics_has_them(seed):
    """Current leaves its constant value at the knee; the charger ends the charge at a tenth of it."""
    rig = Rig(drop_v=0.12, ends_at=0.1, noise_w=0.5, every_s=(10, 30, 60)[seed % 3], start=0.1 * seed)
    points, levels = charge(rig, seed)
    shape = shape_of(points)
    assert shape.stepped
    assert 4.0 < shape.tail_w < 6.5
    begin = next(level for point, level in zip(points, levels, strict=True) if point.t_s >= shape.knee_t_s)
    assert 0.82 < begin < 0.92
