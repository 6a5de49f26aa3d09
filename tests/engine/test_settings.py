"""Settings in force: files first, what people changed over them."""

from __future__ import annotations

import pytest

from chargerd.engine.evolve import fold
from chargerd.engine.settings import mode_of, settings_of, target_of, value_of
from chargerd.model.events import ConfigLoaded, Event, LimitSet, TargetSet
from chargerd.model.settings import ADJUSTABLE
from chargerd.model.state import Site
from tests.house import configuration, loadpoint


def site(*facts) -> Site:
    """A site with one loadpoint after these facts."""
    whole = [ConfigLoaded(configuration(loadpoint("bike", target="storage"))), *facts]
    return fold(Site(), [Event(n + 1, 0, 0, 1, "test", fact) for n, fact in enumerate(whole)])


@pytest.mark.parametrize("key", ADJUSTABLE)
def test_every_adjustable_key_can_be_overridden_and_given_back(key):
    """S0-31: what set says is what counts; taking it away brings the file's value back."""
    high = ADJUSTABLE[key][1]
    value = int(high) if key in ("full_readings", "max_starts_per_day", "lease_s") else float(high)
    changed = site(LimitSet("bike", key, value, "anna"))
    assert value_of(settings_of(changed, "bike"), key) == value
    back = site(LimitSet("bike", key, value, "anna"), LimitSet("bike", key, None, "anna"))
    assert settings_of(back, "bike") == settings_of(site(), "bike")


def test_target_of_a_person_comes_before_the_file():
    """S0-12, S0-13: configured storage, until somebody names the loadpoint."""
    assert target_of(site(), "bike") == "storage"
    assert target_of(site(TargetSet("bike", "full", "anna")), "bike") == "full"
    assert mode_of(site(), "bike") == "off"
