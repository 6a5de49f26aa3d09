"""Fixed: a set current, whatever the sun does."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.policies import fixed
from tests.policies.views import view


@pytest.mark.parametrize(("mode", "current_a"), [("slow", 6), ("fast", 15)])
def test_slow_and_fast_are_what_is_set(mode, current_a):
    """At once, and no minimum time holds it back."""
    decision = fixed.decide(view(mode=mode), {})
    assert (decision.wish.enabled, decision.wish.current_a, decision.final) == (True, current_a, True)


def test_slow_is_no_less_than_the_vehicle_takes():
    """One that charges from 8 A on is offered 8."""
    seen = view(mode="slow")
    seen = structs.replace(seen, supply=structs.replace(seen.supply, min_a=8.0))
    assert fixed.decide(seen, {}).wish.current_a == 8


def test_without_a_vehicle_it_is_off_and_without_a_reading_nothing_is_wished():
    """Nothing is done blindly."""
    assert fixed.decide(view(session=None), {}).wish.enabled is False
    assert fixed.decide(view(charger=None), {}).wish.enabled is None
