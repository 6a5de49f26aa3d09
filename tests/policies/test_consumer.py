"""Consumer: whether a plug may take what is left over. Days with it are in tests/days/test_consumers.py."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.policies import consumer
from tests.policies.views import NOW_MS, plug, shared


def on(seen, memory=None) -> bool | None:
    return consumer.decide(seen, memory or {}).wish.enabled


@pytest.mark.parametrize(("share_w", "wanted"), [(1999, False), (2000, True), (9000, True)])
def test_its_threshold_is_enough(share_w, wanted):
    """2000 W, what it takes itself included."""
    assert on(plug(share_w)) is wanted
    assert on(plug(share_w, 1500)) is wanted


def test_sun_must_have_been_enough_for_a_minute():
    """Only to go on."""
    fresh = shared(3000.0, enough_t_ms=NOW_MS - 59_000)
    assert on(plug(sun=fresh)) is False
    assert on(plug(3000, 1500, sun=fresh)) is True


def test_a_threshold_of_0_does_not_leave_out_the_battery():
    """S1-29."""
    settings = structs.replace(plug().settings, on_above_w=0.0, min_storage_pct=60.0)
    seen = plug(-200, settings=settings, has_storage=True)
    assert on(structs.replace(seen, soc_pct=59.0)) is False
    assert on(structs.replace(seen, soc_pct=60.0)) is False, "it has to be above it"
    assert on(structs.replace(seen, soc_pct=61.0)) is True
    assert on(seen) is False, "a level that is not known is not enough"


@pytest.mark.parametrize(
    ("soc_pct", "before", "share_w", "wanted"),
    [
        (98, False, 1200, False),
        (99, False, 1100, True),
        (99, False, 1099, False),
        (94, True, 1200, True),
        (93, True, 1200, False),
    ],
)
def test_a_full_house_battery_helps(soc_pct, before, share_w, wanted):
    """S1-30: from 99 to 94 % with 55 % of the threshold."""
    settings = structs.replace(plug().settings, storage_backed=True)
    memory = {"backed": True} if before else {}
    assert on(plug(share_w, settings=settings, has_storage=True, soc_pct=soc_pct), memory) is wanted


def test_what_takes_nothing_is_off_until_its_next_hours():
    """S1-32: after two minutes; tried again after an hour where it has no hours."""
    idle = plug(3000, 0.0)
    decision = consumer.decide(idle, {})
    assert (decision.wish.enabled, decision.reason.code) == (False, "consumer-sated")
    assert on(structs.replace(idle, charger=structs.replace(idle.charger, enabled_t_ms=NOW_MS - 119_000))) is True
    assert on(structs.replace(plug(), t_ms=NOW_MS + 3_599_000), decision.memory) is False
    assert on(structs.replace(plug(), t_ms=NOW_MS + 3_600_000), decision.memory) is True


def test_its_own_hours_and_a_person_need_no_meter():
    """Wish 6."""
    unknown = shared(None, missing="grid")
    assert on(plug(sun=unknown)) is False
    assert on(plug(sun=unknown, inside=True)) is True
    assert on(plug(sun=unknown, mode="fast")) is True


def test_a_car_that_charges_fast_comes_first():
    """S1-31: also in its own hours."""
    assert on(plug(9000, inside=True, rival="garage")) is False
