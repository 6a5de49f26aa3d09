"""Surplus: what is wanted for a share of the sun. Days with it are in tests/days/test_sun.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chargerd.policies import surplus
from tests.house_sun import evse
from tests.policies.views import NOW_MS, charger, shared, supply, view


@given(st.floats(-3000, 12_000), st.floats(0, 12_000), st.floats(0, 15), st.booleans())
def test_more_sun_never_wants_less(share_w, more_w, offered_a, cloudy):
    """S1-11: with the same past, whether it runs or not; always inside what can be offered."""
    offered_a = 0.0 if offered_a < 6 else float(int(offered_a))
    wishes = [
        surplus.decide(view(watts, offered_a, cloudy=cloudy, sun=shared(watts)), {}).wish
        for watts in (share_w, share_w + more_w)
    ]
    less, more = ((wish.current_a or 0.0) if wish.enabled else 0.0 for wish in wishes)
    assert less <= more
    assert all(amps == 0 or 6 <= amps <= 15 for amps in (less, more))


@given(st.floats(1400, 12_000), st.floats(6, 15))
def test_what_is_offered_takes_no_more_than_the_share(share_w, offered_a):
    """S1-11: where the share is enough at all."""
    wish = surplus.decide(view(share_w, float(int(offered_a)), sun=shared(share_w)), {}).wish
    assert wish.enabled
    assert 230 * wish.current_a <= share_w + 0.01


def test_down_at_once_and_up_by_the_least_of_the_last_minute():
    """A cloud's edge moves nothing twice."""
    now = shared(2000.0)
    dipped = structs.replace(now, recent=(*now.recent[:-4], (NOW_MS - 30_000, 1500.0), *now.recent[-2:]))
    assert surplus.decide(view(2000, 6, sun=dipped), {}).wish.current_a == 6
    assert surplus.decide(view(2000, 6, sun=now), {}).wish.current_a == 8
    assert surplus.decide(view(2000, 15, sun=dipped), {}).wish.current_a == 8


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ({"session": None}, "no-vehicle"),
        ({"charger": None}, "no-reading"),
        ({"sun": shared(None, missing="grid")}, "sun-unknown"),
        ({"sun": shared(900.0, enough_t_ms=None)}, "waiting-for-sun"),
        ({"sun": shared(3000.0, enough_t_ms=NOW_MS - 59_000)}, "sun-enough"),
        ({"sun": shared(0.0, waits_for="other")}, "waiting-for-other"),
        ({"charger": charger(6), "settled": False}, "settling"),
        ({"charger": charger(6), "sun": shared(500.0, borrowed_wh=1.0)}, "carried-over"),
        ({"charger": charger(6), "sun": shared(500.0, borrowed_wh=evse().borrow_wh)}, "sun-gone"),
        ({"mode": "min-solar", "sun": shared(None, missing="grid")}, "least-without-meter"),
        ({"mode": "min-solar", "sun": shared(-500.0)}, "charging-least"),
    ],
)
def test_it_says_why(seen, code):
    """One code for each."""
    assert surplus.decide(view(**seen), {}).reason.code == code


def test_without_the_meter_solar_is_off_and_the_least_goes_on():
    """Wish 5: stale is unknown."""
    unknown = shared(None, missing="grid")
    assert surplus.decide(view(current_a=10, sun=unknown), {}).wish.enabled is False
    least = surplus.decide(view(current_a=10, sun=unknown, mode="min-solar"), {}).wish
    assert (least.enabled, least.current_a) == (True, 6)


@pytest.mark.parametrize(
    ("soc_pct", "running", "on"),
    [(69, False, False), (70, False, True), (66, True, True), (64, True, False), (None, True, False)],
)
def test_the_house_batterys_level_has_a_margin_once_it_runs(soc_pct, running, on):
    """S1-16: from 70 %, and down to 65; a level that is not known is not enough."""
    settings = structs.replace(view().settings, min_storage_pct=70.0)
    seen = view(3000, 6 if running else 0, settings=settings, has_storage=True, soc_pct=soc_pct)
    assert surplus.decide(seen, {}).wish.enabled is on


def test_a_change_of_phases_that_was_begun_is_brought_to_its_end():
    """Whatever the sun does meanwhile, for three minutes."""
    both = supply(choices=(1, 3), used=(1, 3), now=1)
    memory = {"phases": 3, "since_t_ms": NOW_MS - 60_000}
    wish = surplus.decide(view(1000, 0, supply=both), memory).wish
    assert (wish.enabled, wish.phases) == (True, 3)
    late = {"phases": 3, "since_t_ms": NOW_MS - 181_000}
    assert surplus.decide(view(1000, 0, supply=both, sun=shared(1000.0, enough_t_ms=None)), late).wish.enabled is False


def test_a_charge_on_all_phases_changes_to_none_when_the_sun_has_gone():
    """Somebody sets solar at night: it is paused, not brought to one phase to borrow there."""
    three = supply(choices=(1, 3), used=(1, 3), now=3)
    for share_w, code in ((-3000.0, "sun-gone"), (2000.0, "fewer-phases")):
        seen = view(share_w, 6.0, supply=three, sun=shared(share_w, borrowed_wh=80.0))
        assert surplus.decide(seen, {}).reason.code == code
