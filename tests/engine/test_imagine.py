"""Imagine: a loadpoint at a moment, otherwise than it is."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.engine.imagine import COUNTERS, SO_FAR, Verdict, World, leads
from chargerd.model.decision import Decision, Memory, View
from chargerd.model.events import ChargerRead, ModeSet, Reason, SetPoint
from chargerd.policies import POLICIES
from tests.house import Day, configuration, loadpoint

ON = Verdict(True, True, None, Reason("charging-to-cutoff"), limit=False, drawing=True, session=True, stale=False)


@pytest.fixture
def day(tmp_path):
    """A bike that is not charged yet, two minutes after midnight."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(120)
    yield day
    day.run.kill()


@pytest.mark.parametrize(
    ("otherwise", "state"),
    [
        ({}, "charging"),
        ({"drawing": False}, "suspended_ev"),
        ({"enabled": False}, "suspended_evse"),
        ({"enabled": False, "session": False}, "idle"),
        ({"enabled": False, "outcome": "finished"}, "suspended_evse"),
        ({"enabled": False, "outcome": "energy-limit"}, "fault"),
        ({"enabled": False, "outcome": "stopped"}, "idle"),
        ({"enabled": None}, "unknown"),
        ({"stale": True}, "unknown"),
    ],
)
def test_verdict_has_the_state_that_status_would_show(otherwise, state):
    """Once the charger has followed."""
    assert structs.replace(ON, **otherwise).state == state


def test_switching_on_leads_to_charging_as_far_as_anybody_can_know():
    """Whether a battery draws power is seen afterwards; a charger that ends its session does not charge."""
    starting = structs.replace(ON, reason=Reason("switching-on"))
    assert leads(starting, "charging")
    assert leads(starting, "starting")
    assert not leads(structs.replace(ON, enabled=False, reason=Reason("held")), "charging")
    assert not leads(structs.replace(ON, outcome="finished"), "charging")
    assert leads(structs.replace(ON, enabled=False, reason=Reason("outside-window")), "waiting")


def test_what_a_session_adds_up_follows_from_its_fields():
    """Sums and counters; moments, levels of power and its number are none."""
    assert set(SO_FAR) == {"energy_wh", "estimated_wh", "on_ms", "low_readings", "priced_wh"}
    assert COUNTERS == ("low_readings",)


def test_fact_is_imagined_without_touching_the_state(day):
    """A wish to charge switches on; the state that was given has no session."""
    world = World(day.run.site, "bike", day.clock.now_ms())
    then = world.told(day.run.site, 0, ModeSet("bike", "fast", "anna"))
    assert world.now.granted is False
    assert world.verdict(then, 0).granted is True
    assert day.run.site.loadpoints["bike"].session is None


def test_reading_that_is_kept_up_is_seen_twice_and_remembered(day, monkeypatch):
    """A policy that switches off what it has seen before: at once it does not, after a while it does."""

    def forgetful(view: View, memory: Memory) -> Decision:
        seen = bool(memory.get("seen")) or view.session is None
        return Decision(SetPoint(enabled=not seen), Reason("mode-off"), {"seen": True}, final=True)

    day.charge("bike")
    world = World(day.run.site, "bike", day.clock.now_ms())
    monkeypatch.setitem(POLICIES, "threshold", forgetful)
    imagined = (world.told(day.run.site, 0, ChargerRead("bike", True, 100.0)), (), ChargerRead("bike", True, 90.0))
    fresh = structs.replace(imagined[0].loadpoints["bike"], decided=None)
    imagined = (structs.replace(imagined[0], loadpoints={"bike": fresh}), *imagined[1:])
    kept = world.kept(imagined, lambda verdict: verdict.granted is False, 60_000)
    assert kept is not None
    assert kept[1] == 60_000
    assert world.kept(imagined, lambda verdict: verdict.granted is False, 0) is None
