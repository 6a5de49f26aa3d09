"""Learn: recorded charges and charges of other packs propose cut-offs that are right, and that end the charge.

What is right. On the recorded charges, by their author's voltmeter: Rad nominal 40 to 90 W (95-96 % to 90-94 %) and full 5 to
10 W (98-99 %; 20 W was 97-98 %); Lectric nominal 40 to 80 W (93 %) and full 5 to 12 W (10 W was 100 %). On packs of known
physics, by the energy stored: nominal at 88 to 96 %, full at 97 % or more.
"""

from __future__ import annotations

import random
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec import structs

from chargerd.config.profiles import order_faults
from chargerd.drivers import simulated
from chargerd.engine.learn import UNKNOWN, Known, Lesson, learn
from chargerd.engine.shape import Point
from chargerd.model.settings import ADJUSTABLE
from chargerd.sim import world
from tests.engine.cells import Rig, charge
from tests.engine.test_shape import FALL, PLATEAU, TAIL, WHOLE, curve, recorded
from tests.house import Day, configuration, loadpoint

HOUR = 3600
RAD = Known(14, 48, 0.8)
LECTRIC = Known(14, 48, 0.95)
RIGS = some.builds(
    Rig,
    cells=some.just(10),
    capacity_ah=some.sampled_from((10.0, 13.0, 20.0)),
    charger_a=some.sampled_from((2.0, 4.0)),
    drop_v=some.floats(0.06, 0.15),
    efficiency=some.floats(0.78, 0.93),
    idle_w=some.floats(0.5, 8),
    ends_at=some.sampled_from((0.0, 0.05, 0.1)),
    noise_w=some.floats(0, 0.6),
    start=some.floats(0, 0.6),
    every_s=some.sampled_from((10.0, 30.0, 60.0)),
) | some.builds(
    Rig,
    cells=some.sampled_from((13, 14)),
    capacity_ah=some.sampled_from((14.0, 17.5, 20.0)),
    charger_a=some.sampled_from((2.0, 3.0)),
    drop_v=some.floats(0.06, 0.15),
    efficiency=some.floats(0.78, 0.93),
    idle_w=some.floats(0.5, 8),
    ends_at=some.sampled_from((0.0, 0.05, 0.1)),
    noise_w=some.floats(0, 0.6),
    start=some.floats(0, 0.6),
    every_s=some.sampled_from((30.0, 300.0)),
)
"""36 V on 2 and 4 A, 48 V on 2 A, 52 V on 3 A and so on; 10 to 20 Ah; read every 10 s to every 5 min."""


class Noisy:
    """A charge along a curve, with noise that a seed fixes."""

    def __init__(self, pack: simulated.Curve, noise_w: float) -> None:
        self._pack, self._noise_w, self._dice = pack, noise_w, random.Random(7)

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:
        """The curve's power, off by some noise."""
        return max(0.0, self._pack.power_w(taken_wh, on_s, at_s) + self._dice.gauss(0, self._noise_w))


def taught(points: list[Point], known: Known = UNKNOWN) -> Lesson:
    """The lesson of a charge that is good enough; its profile holds together and a person could set every key of it."""
    lesson = learn(points, "mine", known)
    assert lesson.fault is None, lesson.fault
    assert order_faults(lesson.profile) == []
    for key, (low, high) in ADJUSTABLE["battery"].items():
        value = getattr(lesson.profile, key, None)
        assert value is None or low <= value <= high, key
    return lesson


def level_at(points: list[Point], levels: list[float], t_s: float) -> float:
    """The true level at a time."""
    right = min(max(1, bisect_left([point.t_s for point in points], t_s)), len(levels) - 1)
    share = (t_s - points[right - 1].t_s) / (points[right].t_s - points[right - 1].t_s)
    return levels[right - 1] + share * (levels[right] - levels[right - 1])


def outcome(tmp_path, lesson: Lesson, pack: simulated.Load, target: str) -> tuple[str, float]:
    """How a charge with the learnt profile ends under the real policy and limits, and the energy it took."""
    day = Day(tmp_path, configuration(loadpoint("bike", lesson.profile, target=target)), {"bike": pack})
    day.until(60)
    day.charge("bike")
    hour = 0
    while day.run.site.loadpoints["bike"].last_session is None and hour < 36:
        day.until((hour := hour + 1) * HOUR)
    day.run.kill()
    session = day.run.site.loadpoints["bike"].last_session
    assert session is not None, "the charge never ended"
    return session.outcome, session.energy_wh


@pytest.mark.parametrize("known", [Known(), RAD], ids=["content unknown", "14 Ah"])
def test_recorded_rad_charge_proposes_cut_offs_within_its_authors_findings(known):
    """S0-34, Rad: nominal 40 to 90 W, full 5 to 10 W and above the tail that climbs to 6.3 W."""
    profile = taught(recorded("rad_battery_1"), known).profile
    assert 40 <= profile.nominal_stop_w <= profile.nominal_start_w <= 90
    assert 7 < profile.full_w <= 10


@pytest.mark.parametrize("known", [Known(), LECTRIC], ids=["content unknown", "14 Ah"])
def test_recorded_lectric_charge_proposes_cut_offs_within_its_authors_findings(known):
    """S0-34, Lectric: nominal 40 to 80 W, full 5 to 12 W."""
    profile = taught(recorded("lectric_battery_2"), known).profile
    assert 40 <= profile.nominal_stop_w <= profile.nominal_start_w <= 80
    assert 5 <= profile.full_w <= 12


@pytest.mark.parametrize(("charger", "known"), [("rad_battery_1", RAD), ("lectric_battery_2", LECTRIC)])
def test_level_of_a_cut_off_agrees_with_the_voltmeter(charger, known):
    """66 to 75 W rested at 93 to 95 % on both makes, and full at 98 % or more."""
    lesson = taught(recorded(charger), known)
    assert 92 <= lesson.nominal_pct <= 95
    assert lesson.full_pct >= 98


@pytest.mark.parametrize("target", ["nominal", "full"])
@pytest.mark.parametrize(
    ("curve_name", "charger"), [("rad-full", "rad_battery_1"), ("lectric-full", "lectric_battery_2")]
)
def test_charge_with_the_learnt_profile_ends_where_it_says(tmp_path, curve_name, charger, target):
    """Replayed under the real policy each recorded pack ends as finished, within 1.5 Wh of the proposed cut-off."""
    lesson = taught(recorded(charger))
    pack = world.recorded(curve_name)
    ended, energy_wh = outcome(tmp_path, lesson, pack, target)
    assert ended == "finished"
    cut_wh = lesson.nominal_wh if target == "nominal" else lesson.full_wh
    assert energy_wh == pytest.approx(cut_wh, abs=2.5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rig=RIGS, seed=some.integers(0, 1000), labelled=some.booleans())
def test_cut_offs_of_unseen_packs_fall_at_the_right_levels(rig, seed, labelled):
    """By the energy stored: nominal at 88 to 96 %, full at 97 % or more; whether or not the pack's content is known."""
    points, levels = charge(rig, seed)
    lesson = taught(points, Known(rig.capacity_ah, rig.voltage(), rig.efficiency) if labelled else Known())
    assert 0.88 <= level_at(points, levels, lesson.nominal_t_s) <= 0.96
    assert level_at(points, levels, lesson.full_t_s) >= 0.97
    if labelled:
        assert lesson.nominal_pct == pytest.approx(100 * level_at(points, levels, lesson.nominal_t_s), abs=3)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(rig=RIGS, seed=some.integers(0, 1000))
def test_charges_of_unseen_packs_end_with_the_learnt_profile(tmp_path_factory, rig, seed):
    """From nearly empty, noise and all: both targets end as finished, full with no less energy than proposed."""
    lesson = taught(charge(rig, seed)[0], Known(rig.capacity_ah, rig.voltage(), rig.efficiency))
    calm = charge(structs_rig(rig, start=0.03, noise_w=0.0, every_s=60.0), seed)[0]
    pack = simulated.curve([(point.t_s, max(point.power_w, 0.1)) for point in calm])
    reached = {}
    for target in ("nominal", "full"):
        ended, reached[target] = outcome(tmp_path_factory.mktemp("day"), lesson, Noisy(pack, rig.noise_w), target)
        assert ended == "finished"
    assert 0.85 * pack.total_wh < reached["nominal"] < reached["full"] <= 1.01 * pack.total_wh


def structs_rig(rig: Rig, **changes: float) -> Rig:
    """The same pack and charger otherwise."""
    from dataclasses import replace

    return replace(rig, **changes)


def test_nominal_leaves_eight_percent_of_a_known_pack_where_its_curve_allows():
    """A fast charger reaches its knee at 82 %; nominal of that pack is at 92 %, not at a fixed share of its power."""
    rig = Rig(cells=10, capacity_ah=10, charger_a=4, drop_v=0.14, ends_at=0.05)
    points, levels = charge(rig)
    lesson = taught(points, Known(rig.capacity_ah, rig.voltage(), rig.efficiency))
    assert lesson.nominal_pct == pytest.approx(92, abs=0.3)
    assert level_at(points, levels, lesson.nominal_t_s) == pytest.approx(0.92, abs=0.015)


def test_known_start_level_gives_content_and_efficiency():
    """From 20 % a pack took so much that the whole of it takes more than its content: the rest is lost on the way."""
    rig = Rig(start=0.2, noise_w=0.1, ends_at=0.05)
    points, _ = charge(rig)
    lesson = taught(points, Known(rig.capacity_ah, rig.voltage(), None, from_pct=20))
    assert rig.efficiency - 0.09 < lesson.profile.efficiency < rig.efficiency  # idling for hours is lost, too
    alone = taught(points, Known(from_pct=20))
    assert alone.profile.max_energy_wh == pytest.approx(1.3 * rig.content_wh / rig.efficiency, rel=0.1)
    assert alone.profile.max_h > 1.1 * rig.capacity_ah / rig.charger_a


def test_start_level_that_does_not_fit_the_pack_is_doubted():
    """A pack of 14 Ah that took 190 Wh "from empty" is not the pack it is said to be."""
    lesson = taught(recorded("rad_battery_1"), Known(14, 48, 0.8, from_pct=0))
    assert "content-differs" in [doubt.code for doubt in lesson.doubts]
    small = taught(recorded("rad_battery_1"), Known(2, 48, 0.8))
    assert "content-differs" in [doubt.code for doubt in small.doubts]


def test_an_empty_pack_is_never_taken_for_a_full_one():
    """It draws 3.1/4.2 of what it draws at the knee; stop and start of nominal lie below that."""
    rig = Rig(start=0.0, drop_v=0.05, capacity_ah=40, charger_a=2)
    points, _ = charge(rig)
    profile = taught(points).profile
    assert profile.nominal_start_w < min(point.power_w for point in points[10:60])


def test_tail_of_a_noisy_charger_is_below_the_full_cut_off():
    """A full pack at 12 ± 1.5 W: the cut-off is above, so the charge ends; a fixed 5 W would never be reached."""
    profile = taught(curve(PLATEAU, (100, 103, 18), (60, 12, 12), noise_w=0.7)).profile
    assert 13.5 < profile.full_w < 18


def test_full_pack_that_draws_a_third_of_the_plateau_cannot_be_told_from_a_nearly_full_one():
    """A charger of 24 W that idles at 7 W."""
    lesson = learn(curve((90, 23, 24), (60, 24, 7), (60, 7, 7), noise_w=0.05), "small")
    assert lesson.profile is None
    assert lesson.fault.code == "tail-high"


def test_small_charger_keeps_its_idle_below_its_cut_off():
    """A tool pack of 24 W whose tail is 0.9 W: idle 0.4, full below 4, so a full pack is not taken for none."""
    profile = taught(curve((90, 23, 24), (60, 24, 1), (60, 0.9, 0.9), noise_w=0.05)).profile
    assert profile.idle_w < 0.9 < profile.full_w < 4


@pytest.mark.parametrize(
    ("doubt", "points"),
    [
        ("content-unknown", curve(*WHOLE)),
        ("coarse", curve(*WHOLE, every_s=300)),
        ("gaps", [p for p in curve(*WHOLE) if not 1800 < p.t_s < 3600]),
        ("short-plateau", curve((15, 102, 103), FALL, TAIL)),
        ("no-tail", curve(PLATEAU, (80, 103, 6.0), (30, 6, 3), noise_w=0.1)),
        ("short-tail", curve(PLATEAU, (90, 103, 18), (2, 4.4, 4.4), every_s=10)),
    ],
)
def test_what_makes_a_curve_less_sure_is_told(doubt, points):
    """Each in a sentence; the more of them, the lower the confidence."""
    lesson = taught(points)
    assert doubt in [found.code for found in lesson.doubts]
    assert all(not found.text[0].isupper() and len(found.text) > 20 for found in lesson.doubts)
    assert lesson.confidence != "high"


def test_a_sound_charge_of_a_known_pack_is_learnt_with_high_confidence():
    """Dense readings, a plateau, a tail, a label on the pack."""
    assert taught(curve(*WHOLE), RAD).confidence == "high"


def test_what_spoils_a_charge_proposes_nothing():
    """Two packs: named, no profile, no confidence."""
    lesson = learn(curve(PLATEAU, (60, 103, 50), (5, 0.7, 0.7), *WHOLE), "mine")
    assert (lesson.profile, lesson.confidence, lesson.fault.code) == (None, "none", "swapped")
    assert structs.asdict(lesson)["shape"] is None
