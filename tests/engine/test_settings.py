"""Settings in force: files first, what people changed over them."""

from __future__ import annotations

from datetime import datetime

import pytest

from chargerd.config.profiles import shipped
from chargerd.engine.evolve import fold
from chargerd.engine.settings import mode_of, seasonal, settings_of, target_of, value_of
from chargerd.model.events import ConfigLoaded, Event, LimitSet, ModeSet, TargetSet
from chargerd.model.settings import ADJUSTABLE
from chargerd.model.state import Site
from tests.house import configuration, loadpoint


def site(*facts) -> Site:
    """A site with one loadpoint after these facts."""
    whole = [ConfigLoaded(configuration(loadpoint("bike", target="storage"))), *facts]
    return fold(Site(), [Event(n + 1, 0, 0, 1, "test", fact) for n, fact in enumerate(whole)])


@pytest.mark.parametrize("key", ADJUSTABLE["battery"])
def test_every_adjustable_key_can_be_overridden_and_given_back(key):
    """S0-31: what set says is what counts; taking it away brings the file's value back."""
    high = ADJUSTABLE["battery"][key][1]
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


def utc_ms(text: str) -> int:
    """UTC milliseconds of an ISO time with its offset."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("profile", "day", "stop_w"),
    [
        ("rad-48v", "2026-01-01T12:00+01:00", 45),
        ("rad-48v", "2026-07-01T12:00+02:00", 90),
        ("lectric-48v", "2026-01-01T12:00+01:00", 40),
        ("lectric-48v", "2026-07-01T12:00+02:00", 80),
        ("rad-48v", "2026-03-31T23:59+02:00", 45),
        ("rad-48v", "2026-04-01T00:00+02:00", 90),
        ("rad-48v", "2026-10-31T23:59+01:00", 90),
        ("rad-48v", "2026-11-01T00:00+01:00", 45),
        ("default", "2026-07-01T12:00+02:00", 90),
    ],
)
def test_the_cut_off_follows_the_season(profile, day, stop_w):
    """S0-17: winter and summer by the site's own calendar, to the minute of local midnight."""
    found = seasonal(shipped()[profile], utc_ms(day), "Europe/Berlin")
    assert found.nominal_stop_w == stop_w
    assert found.nominal_start_w >= stop_w
    assert found.variant == ("summer" if stop_w in (80, 90) and profile != "default" else "")


def at_home(*facts: tuple[str, object]) -> Site:
    """A site with a Rad pack after these facts at these times."""
    whole = [("2026-10-30T12:00+01:00", ConfigLoaded(configuration(loadpoint("bike", shipped()["rad-48v"])))), *facts]
    return fold(Site(), [Event(n + 1, utc_ms(at), 0, n, "test", fact) for n, (at, fact) in enumerate(whole)])


def test_a_charge_keeps_the_variant_of_the_day_it_began_on():
    """Begun on the last evening of summer it is cut off at 90 W also after midnight, whatever its target does meanwhile."""
    begun = ("2026-10-31T23:00+01:00", ModeSet("bike", "fast", "anna"))
    later = ("2026-11-01T01:00+01:00", TargetSet("bike", "nominal", "anna"))
    site = at_home(begun, later)
    assert settings_of(site, "bike").profile.variant == "summer"
    assert site.loadpoints["bike"].session.stop_w == 90
    ended = ("2026-11-01T02:00+01:00", ModeSet("bike", "off", "anna"))
    assert settings_of(at_home(begun, later, ended), "bike").profile.nominal_stop_w == 45
    again = ("2026-11-01T02:01+01:00", ModeSet("bike", "fast", "anna"))
    assert at_home(begun, later, ended, again).loadpoints["bike"].session.stop_w == 45


def test_what_a_person_set_lies_over_the_season():
    """60 W stays 60 W on both sides of midnight; taken away, the season counts again."""
    set_to = ("2026-10-31T23:00+01:00", LimitSet("bike", "nominal_stop_w", 60, "anna"))
    for day in ("2026-10-31T23:30+01:00", "2026-11-01T00:30+01:00"):
        site = at_home(set_to, (day, TargetSet("bike", "nominal", "anna")))
        assert settings_of(site, "bike").profile.nominal_stop_w == 60
    gone = ("2026-11-01T01:00+01:00", LimitSet("bike", "nominal_stop_w", None, "anna"))
    assert settings_of(at_home(set_to, gone), "bike").profile.nominal_stop_w == 45
