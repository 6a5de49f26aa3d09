"""Traces, skies and clouds of the simulated home."""

from __future__ import annotations

from itertools import pairwise

import pytest

from chargerd.sim import sun

HOUR_S = 3600


def test_a_trace_meets_its_values_and_goes_straight_between_them() -> None:
    """Minute values of 100, 400 and 100 W: half a minute in, it is 250 W; before and after it, the ends stay."""
    power = sun.trace([100.0, 400.0, 100.0], 60, begin_s=1000)
    assert [power(s) for s in (0, 1000, 1030, 1060, 1120, 9999)] == pytest.approx([100, 100, 250, 400, 100, 100])


def test_a_clear_day_rises_to_its_peak_at_noon_and_is_dark_at_night() -> None:
    """Between sunrise and noon power only rises; at night there is none, on every day."""
    sky = sun.clear_sky(7000, rise_s=6 * HOUR_S, set_s=20 * HOUR_S)
    assert sky(13 * HOUR_S) == pytest.approx(7000)
    assert sky(5 * HOUR_S) == sky(21 * HOUR_S) == sky(24 * HOUR_S) == 0
    morning = [sky(s) for s in range(6 * HOUR_S, 13 * HOUR_S, 300)]
    assert all(one < other for one, other in pairwise(morning))
    assert sky(9 * HOUR_S) == pytest.approx(sky(9 * HOUR_S + 5 * sun.DAY_S))


def test_clouds_of_a_seed_are_always_the_same_and_never_add_power() -> None:
    """Asked forwards or backwards, a seed has one day; another seed has another; no cloud makes more than a clear sky."""
    sky = sun.clear_sky(7000)
    times = range(0, sun.DAY_S, 60)
    forwards = [sun.clouds(sky, 3)(s) for s in times]
    one = sun.clouds(sky, 3)
    backwards = [one(s) for s in reversed(times)][::-1]
    assert forwards == backwards
    assert forwards != [sun.clouds(sky, 4)(s) for s in times]
    assert all(0 <= cloudy <= sky(s) for cloudy, s in zip(forwards, times, strict=True))
    assert sum(forwards) < 0.95 * sum(sky(s) for s in times)


def test_an_edge_of_a_cloud_takes_its_time() -> None:
    """No second takes more than a tenth of the power away: an edge needs twenty seconds to pass."""
    power = sun.clouds(sun.steady(1000), 1)
    assert max(abs(power(s + 1) - power(s)) for s in range(7200)) < 100


def test_an_appliance_is_on_from_its_first_moment_to_its_last() -> None:
    """A kettle of 3 kW on top of 200 W, from 60 to 240 s."""
    power = sun.plus(sun.steady(200), 3000, 60, 240)
    assert [power(s) for s in (59, 60, 239, 240)] == [200, 3200, 3200, 200]
