"""Narrator: a charge as the journal tells it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest

from chargerd.daemon import narrator
from chargerd.daemon.history import History
from chargerd.daemon.journal import ACT, DETAIL, INFO, NOTICE, WARNING
from chargerd.daemon.news import news_of
from chargerd.engine.evolve import fold
from chargerd.model import events as e
from chargerd.model.commands import SetCurrent, SetEnabled, SetPhases
from chargerd.model.events import DeviceLost, Event, RecordingLost
from chargerd.model.state import Site
from chargerd.sim.homes import BATTERY, INVERTER, METER
from tests.house import Day, configuration, loadpoint
from tests.sunny import Home


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


def night(tmp_path: Path) -> tuple[Home, list[tuple[int, str]]]:
    """An inverter that goes to sleep in the evening and wakes up in the morning, and the journal's lines about it."""
    home = Home(tmp_path)
    home.sun_w = 0.0
    home.until(600)
    before, lines = home.run.site, []
    asleep = range(600, 8 * 3600, 60)
    for second in (*asleep, *range(8 * 3600, 8 * 3600 + 900, 60)):
        for channel in (METER, INVERTER, BATTERY):
            home.meters.fault(channel).silent = second in asleep
        home.sun_w = 0.0 if second in asleep else 3000.0
        seen = len(home.events)
        home.until(second)
        for event in home.events[seen:]:
            said = narrator.line(event, home.run.site, UTC, before)
            if event.source == "inverter" and said is not None:
                lines.append((said.priority, said.text))
        before = home.run.site
    return home, lines


def test_an_inverter_that_sleeps_is_mentioned_in_passing(tmp_path):
    """S1-03: one line when it goes and one when it is back, neither a warning nor a change worth knowing."""
    home, lines = night(tmp_path)
    assert [priority for priority, _ in lines] == [INFO, INFO]
    assert lines[0][1] == "inverter: sleeps for the night and does not answer"
    assert lines[1][1].startswith("inverter: awake after ")
    told = [event for event in home.events if isinstance(event.body, e.DeviceLost | e.DeviceBack)]
    with closing(History(home.path)) as log:
        state_before = lambda event: log.state_at(event.at_ms - 1)  # noqa: E731
        assert [news_of(event, home.run.site, UTC, log.session, state_before) for event in told] == [None, None]
        assert news_of(told[0], home.run.site, UTC, log.session) is not None, "by today's state it was awake"
    home.run.kill()


def test_an_inverter_that_is_lost_in_daylight_is_a_warning_with_its_consequence(tmp_path):
    """It did not say that it would sleep."""
    home = Home(tmp_path)
    home.until(600)
    for channel in (METER, INVERTER, BATTERY):
        home.meters.fault(channel).silent = True
    home.until(1200)
    (lost,) = home.all(e.DeviceLost)
    said = narrator.line(lost, home.run.site, UTC, home.run.site)
    home.run.kill()
    assert said is not None
    assert said.priority == WARNING
    assert said.text.endswith("; surplus is not known; garage, rod paused")


def test_a_meter_that_lies_behind_an_inverter_that_answers_is_a_warning_with_what_to_do(tmp_path):
    """What it does, what that means for charging, where to look; then one line that it is back. Both are news for people too."""
    home = Home(tmp_path)
    home.until(600)
    home.meters.fault(BATTERY).silent = True
    home.until(1200)
    (lost,) = home.all(e.MeterLost)
    said = narrator.line(lost, home.run.site, UTC, home.run.site)
    assert said is not None
    assert said.priority == WARNING
    assert said.text == (
        "house: has said nothing for 2 min; surplus is not known; garage, rod paused; "
        "look: chargerctl device read inverter"
    )
    assert ("CHARGERD_DEVICE", "inverter") in narrator.labels(lost, home.run.site)
    home.meters.fault(BATTERY).silent = False
    home.until(1500)
    (back,) = home.all(e.MeterBack)
    said = narrator.line(back, home.run.site, UTC, home.run.site)
    assert said is not None
    assert (said.priority, said.text) == (NOTICE, "house: believed again after 9 min")
    with closing(History(home.path)) as log:
        told = [news_of(event, home.run.site, UTC, log.session) for event in (lost, back)]
    home.run.kill()
    assert [(one.kind, one.title, one.alarm) for one in told if one is not None] == [
        ("lost", "house: has said nothing for 2 min", True),
        ("lost", "house: believed again after 9 min", False),
    ]


def test_another_current_for_a_car_that_charges_is_a_detail_and_a_start_is_not():
    """On a day with clouds the current changes many times an hour; what begins and pauses a charge is always said."""
    reason = e.Reason("charging-with-sun", {"share_w": 2500.0, "needed_w": 1380.0, "loadpoint": "garage"})
    issued = e.CommandIssued("garage", SetCurrent("box", 11.0), reason)
    event = Event(7, 0, 0, 1, "engine", issued)

    def said(*, enabled: bool) -> narrator.Line:
        read = e.ChargerRead(enabled=enabled, pilot="C", offered_a=6.0)
        found = narrator.line(event, fold(Site(), [Event(1, 0, 0, 1, "box", read)]), UTC)
        assert found is not None
        return found

    assert (said(enabled=True).priority, said(enabled=True).always) == (DETAIL, False)
    assert (said(enabled=False).priority, said(enabled=False).always) == (NOTICE, True)


def test_a_mode_whose_time_is_over_is_as_configured_again():
    """What ends is not "off": the mode that is configured is in force again, and the journal says it as the log does."""
    over = narrator.line(Event(9, 0, 0, 1, "engine", e.ModeSet("garage", "off", "until")), Site(), UTC)
    asked = narrator.line(Event(9, 0, 0, 1, "anna", e.ModeSet("garage", "off", "anna")), Site(), UTC)
    assert over is not None
    assert asked is not None
    assert (over.text, asked.text) == ("garage: as configured again, the time is over", "garage: off")


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (e.ModeSet("garage", "off", "anna", while_connected=True), "garage: off until disconnected"),
        (
            e.ModeSet("garage", "off", "until", while_connected=True),
            "garage: as configured again, the vehicle has left",
        ),
        (e.LimitSet("garage", "ramp_a", 2, "anna", while_connected=True), "garage: ramp_a 2 until disconnected"),
        (e.HoldSet("anna", "garage", while_connected=True), "garage: on hold until disconnected"),
    ],
)
def test_what_is_for_the_vehicle_that_is_there_is_said_so(fact, text):
    """And that it has left is no time that is over."""
    line = narrator.line(Event(9, 0, 0, 1, "anna", fact), Site(), UTC)
    assert line is not None
    assert line.text == text


@pytest.mark.parametrize(
    ("command", "reason", "text"),
    [
        (
            SetCurrent("box", 0.0),
            e.Reason("sun-gone", {"share_w": 300.0, "borrowed_wh": 60.0}),
            "pausing, 60 Wh were borrowed and the sun gives 300 W",
        ),
        (SetCurrent("box", 0.0), e.Reason("changing-phases", {"phases": 1}), "pausing, changing to 1 phase"),
        (SetPhases("box", 1), e.Reason("changing-phases", {"phases": 1}), "switching to 1 phase"),
        (SetCurrent("box", 0.0), e.Reason("stopped", {"by": "anna"}), "pausing, stopped by anna"),
    ],
)
def test_nothing_is_said_twice_of_a_command(command, reason, text):
    """The sentence of a pause begins with "paused", that of a change of phases with the change."""
    told = narrator.line(Event(7, 0, 0, 1, "engine", e.CommandIssued("garage", command, reason)), Site(), UTC)
    assert told is not None
    assert told.text == f"garage: {text}"
