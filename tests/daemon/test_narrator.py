"""Narrator: a charge as the journal tells it."""

from __future__ import annotations

from datetime import UTC

from chargerd.daemon import narrator
from chargerd.daemon.journal import ACT, DETAIL
from chargerd.model.events import DeviceLost, Event, RecordingLost
from chargerd.model.state import Site
from tests.house import Day, configuration, loadpoint


def test_charge_is_told_in_five_lines(tmp_path):
    """What was asked, what was switched and why, how it ended; no reading and no lease renewal among them."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(3 * 3600)
    lines = [narrator.line(event, day.run.site, UTC) for event in day.events]
    told = [line.text for line in lines if line is not None and line.priority < DETAIL]
    assert told[:3] == ["shed: simulated plug answers", "bike: fast", "bike: switching on, try 1 of 3"]
    assert told[3].startswith("bike: reached its target: cut off: below 90 W for 40 s; 148 Wh in 87 min")
    assert told[4].startswith("bike: switching off, cut off: below 90 W")
    assert len(told) == 5
    assert all(
        line.always
        for line in lines
        if line is not None and line.text.startswith("bike: switching") and line.priority < DETAIL
    )


def test_what_a_person_must_act_on_has_priority_3():
    """A refused login and a full disk; a plug that is silent is worse than configured, no more."""
    for fact, priority in (
        (DeviceLost("access-denied", "wrong password"), ACT),
        (DeviceLost("unreachable", "timeout", 61_000), 4),
        (RecordingLost("disk full"), ACT),
    ):
        told = narrator.line(Event(1, 0, 0, 1, "shed", fact), Site(), UTC)
        assert told.priority == priority
