"""Narrator: a charge as the journal tells it."""

from __future__ import annotations

from datetime import UTC

from chargerd.daemon import narrator
from chargerd.daemon.journal import ACT, DETAIL
from chargerd.engine.evolve import fold
from chargerd.model import events as e
from chargerd.model.commands import SetEnabled
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


def test_a_device_that_wants_a_login_says_so_itself():
    """The journal has the driver's own words, after the name and not twice; a bare reason gets a beginning."""
    for detail, text in (
        ("shed wants a login it was not given; set username and password", "shed: wants a login it was not given; set"),
        ("wrong password", "shed: refuses the login: wrong password"),
    ):
        told = narrator.line(Event(1, 0, 0, 1, "shed", DeviceLost("access-denied", detail)), Site(), UTC)
        assert told.text.startswith(text)


def test_labels_name_everything_that_a_line_is_about():
    """A lost strip is found by each of its loadpoints; a command by its device, its reason and its number."""
    site = fold(Site(), [Event(1, 0, 0, 1, "daemon", e.ConfigLoaded(configuration(loadpoint("a"), loadpoint("b"))))])
    lost = narrator.labels(Event(7, 0, 0, 1, "shed", e.DeviceLost("unreachable")), site)
    assert lost == [
        ("CHARGERD_EVENT", "DeviceLost"), ("CHARGERD_EVENT_SEQ", "7"),
        ("CHARGERD_LOADPOINT", "a"), ("CHARGERD_LOADPOINT", "b"), ("CHARGERD_DEVICE", "shed"),
    ]  # fmt: skip
    command = e.CommandIssued("a", SetEnabled("shed/a", True, 900), e.Reason("switching-on"))
    assert ("CHARGERD_REASON", "switching-on") in narrator.labels(Event(8, 0, 0, 1, "engine", command), site)
    assert ("CHARGERD_DEVICE", "shed") in narrator.labels(Event(8, 0, 0, 1, "engine", command), site)
    asked = narrator.labels(Event(9, 0, 0, 1, "anna", e.ModeSet("a", "fast", "anna")), site)
    assert asked[2:] == [("CHARGERD_BY", "anna"), ("CHARGERD_LOADPOINT", "a")]
