"""Verify: a log that explains itself has no differences; whatever was moved, left out or forged in it shows."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.engine.evolve import fold
from chargerd.model.events import ChargerRead, CommandIssued, Decided, Event, Reason, SetPoint, Tick
from chargerd.model.state import Site
from chargerd.sim.verify import differences
from tests.house import Day, configuration, loadpoint


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """An hour of a charge from the middle of the night, as it was recorded."""
    day = Day(tmp_path_factory.mktemp("day"), configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(3600)
    day.run.kill()
    return day.events


def index(events: list[Event], kind: type, number: int = 0) -> int:
    """Where the n-th event of a kind stands."""
    return [i for i, event in enumerate(events) if isinstance(event.body, kind)][number]


def changed(events: list[Event], at: int, **fields: object) -> list[Event]:
    """The log with one fact altered."""
    altered = structs.replace(events[at], body=structs.replace(events[at].body, **fields))
    return [*events[:at], altered, *events[at + 1 :]]


def test_an_untouched_log_explains_itself(events):
    """Every decision and every command comes out again, also from a state in its middle."""
    assert len([event for event in events if isinstance(event.body, CommandIssued)]) >= 3
    assert list(differences(events)) == []
    half = index(events, Tick, 20) + 1
    assert list(differences(events[half:], fold(Site(), events[:half]))) == []


def test_a_decision_that_was_altered_is_found_where_it_stands(events):
    """Somebody wrote "held" over the reason: both are shown, what is recorded and what the engine says."""
    at = index(events, Decided, -1)
    found = list(differences(changed(events, at, reason=Reason("held", {"by": "ben"}))))
    assert found[0].seq == events[at].seq
    assert found[0].recorded.body.reason.code == "held"
    assert found[0].decided == events[at]


def test_a_decision_that_was_moved_to_another_moment_is_found_at_both(events):
    """A transaction earlier than the reading it rests on: missing where it was, too much where it is."""
    at = index(events, Decided, -1)
    closed_before = max(i for i, event in enumerate(events[:at]) if isinstance(event.body, Tick))
    moved = [*events[:closed_before], events[at], *events[closed_before:at], *events[at + 1 :]]
    renumbered = [structs.replace(event, seq=number) for number, event in enumerate(moved, 1)]
    found = list(differences(renumbered))
    assert found[0].seq == events[closed_before].seq
    assert found[0].recorded.body == events[at].body


@pytest.mark.parametrize("number", [0, 2])
def test_a_command_that_is_missing_is_found(events, number):
    """The switching-on, and a renewal of the lease: the engine would have given it."""
    at = index(events, CommandIssued, number)
    gone = [structs.replace(event, seq=n) for n, event in enumerate([*events[:at], *events[at + 1 :]], 1)]
    found = list(differences(gone))
    assert found[0].seq == events[at].seq
    assert found[0].decided.body == events[at].body
    assert found[0].recorded.body != events[at].body


def test_a_command_that_was_made_up_is_found(events):
    """One command twice: the second has no decision that wants it."""
    at = index(events, CommandIssued)
    forged = [structs.replace(event, seq=n) for n, event in enumerate([*events[: at + 1], *events[at:]], 1)]
    assert next(differences(forged)).recorded.body == events[at].body


def test_a_wish_that_was_turned_round_is_found(events):
    """Granted off where the engine granted on."""
    at = index(events, Decided, -1)
    assert list(differences(changed(events, at, grant=SetPoint(enabled=False))))


def test_a_forged_reading_is_found_by_what_it_should_have_led_to(events):
    """At 40 W for nominal the engine would begin to confirm the cut-off; the log goes on as if nothing had been."""
    charging = index(events, ChargerRead, len([e for e in events if isinstance(e.body, ChargerRead)]) // 2)
    assert events[charging].body.power_w > 95
    found = list(differences(changed(events, charging, power_w=40.0)))
    assert found
    assert found[0].decided.body.reason.code == "confirming-cutoff"


def test_facts_after_the_last_tick_are_not_judged(events):
    """A transaction that is still open has not been decided."""
    reading = structs.replace(events[-1], seq=events[-1].seq + 1, source="shed", body=ChargerRead("bike", False, 0.0))
    assert list(differences([*events, reading])) == []
