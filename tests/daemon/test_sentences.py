"""Every kind of event has a sentence, and it says what happened."""

import pytest

from chargerd.daemon.sentences import TYPES, command_text, row, said
from chargerd.model import events as e
from chargerd.model.codec import TYPES as KINDS
from chargerd.model.commands import SetEnabled
from chargerd.model.settings import MeterSettings, StorageSettings
from chargerd.model.state import Site
from chargerd.protocol.types import TYPES as OBJECTS
from tests.daemon.hub import context
from tests.house import Day, configuration, loadpoint
from tests.protocol.conform import wrong_fields

ON = SetEnabled("shed/bike-1", True, 900)
STARTED = e.Reason("switching-on", {"attempt": 1, "attempts": 3})
SIX_MS = 1_709_528_400_000  # Monday 06:00 in Berlin

SENTENCES = [
    (e.ChargerRead("bike-1", True, 103.2), "read", "bike-1", "on  103 W"),
    (e.ChargerRead("bike-1"), "read", "bike-1", "on or off unknown"),
    (e.ChargerRead("bike-9", False, 0.0), "read", "shed/bike-9", "off  0 W"),
    (
        e.ChargerRead("bike-1", True, lease_s=600, timer="foreign"),
        "read",
        "bike-1",
        "on  somebody's timer ends it in 10 min",
    ),
    (e.ChargerRead(pilot="A", enabled=False, power_w=0.0), "read", "shed", "no vehicle, paused  0 W"),
    (
        e.ChargerRead(pilot="C", enabled=True, offered_a=12.0, phases=1, power_w=2790.0),
        "read",
        "shed",
        "vehicle connected, 12 A ×1 offered  2.8 kW",
    ),
    (e.ChargerRead(pilot="F", enabled=False), "read", "shed", "fault, paused"),
    (e.MeterRead("meter1", -1200.0), "read", "grid", "exporting 1.2 kW"),
    (e.MeterRead("meter2", -1200.0), "read", "turned", "importing 1.2 kW"),
    (e.MeterRead("inverter", 4930.0, status="throttled"), "read", "pv", "4.9 kW  throttled"),
    (e.MeterRead("meter9"), "read", "shed/meter9", "power unknown"),
    (e.StorageRead("battery1", -400.0, 62.0, status="charging"), "read", "house", "62 %  charging 400 W"),
    (e.StorageRead("battery1", 0.0, status="preserving"), "read", "house", "level unknown  0 W  preserving"),
    (e.ReadFailed("unreachable", "no route"), "failed", "shed", "not read: unreachable"),
    (e.DeviceLost("unreachable", "no route", 60_000), "lost", "shed", "no answer for 60 s (unreachable)"),
    (e.DeviceBack(660_000), "back", "shed", "answers again after 11 min"),
    (e.DeviceAdded("kasa", "HS300", "8006", "1.0.21", lease="unproven"), "device", "shed", "is kasa HS300 1.0.21"),
    (e.LeaseTestBegun("anna", 15, "bike-1"), "test", "bike-1", "its timer is tried: on for 15 s by anna"),
    (e.LeaseTested("proven", 15, "bike-1", 15.4), "test", "bike-1", "its own timer switched it off after 15 s"),
    (e.LeaseTested("disproven", 15, "x"), "test", "shed/x", "its own timer did not switch it off"),
    (e.LeaseTested("no-timer", 15, "bike-1"), "test", "bike-1", "it has no timer of its own"),
    (e.LeaseTested("undecided", 15, "bike-1"), "test", "bike-1", "the test of its timer was not finished"),
    (e.DeviceRemoved(), "device", "shed", "is no longer configured"),
    (e.ModeSet("bike-1", "fast", "anna"), "mode", "bike-1", "fast by anna"),
    (e.ModeSet("bike-1", "fast", "anna", SIX_MS), "mode", "bike-1", "fast until 06:00 by anna"),
    (e.ModeSet("bike-1", "off", "until"), "mode", "bike-1", "as configured again, the time is over"),
    (e.ModeSet("garage", "off", "anna", while_connected=True), "mode", "garage", "off until disconnected by anna"),
    (
        e.ModeSet("garage", "off", "until", while_connected=True),
        "mode",
        "garage",
        "as configured again, the vehicle has left",
    ),
    (
        e.LimitSet("garage", "max_current_a", 8, "anna", while_connected=True),
        "set",
        "garage",
        "max_current_a 8 until disconnected by anna",
    ),
    (e.HoldSet("anna", "garage", while_connected=True), "hold", "garage", "on hold until disconnected by anna"),
    (e.TargetSet("bike-1", "full", "anna", once=True), "target", "bike-1", "full for one session by anna"),
    (e.TargetSet("bike-1", None, "anna"), "target", "bike-1", "as configured by anna"),
    (e.LimitSet("bike-1", "nominal_stop_w", 80, "anna"), "set", "bike-1", "nominal_stop_w 80 W by anna"),
    (e.LimitSet("bike-1", "nominal_stop_w", None, "anna"), "set", "bike-1", "nominal_stop_w as configured by anna"),
    (
        e.LimitSet("bike-1", "full_w", 6, "anna", once=True),
        "set",
        "bike-1",
        "full_w 6 W for one session by anna",
    ),
    (e.PlanSet("bike-1", "full", "anna", SIX_MS), "plan", "bike-1", "full by 06:00 by anna"),
    (e.PlanSet("bike-1", None, "anna"), "plan", "bike-1", "plan dropped by anna"),
    (e.PlanFired("bike-1", "hold"), "plan", "bike-1", "charges to nominal and waits there"),
    (e.PlanFired("bike-1", "over"), "plan", "bike-1", "the time has come, not reached"),
    (e.HoldSet("anna"), "hold", "all", "on hold by anna"),
    (e.HoldCleared("anna", "bike-1"), "hold", "bike-1", "released by anna"),
    (
        e.ScheduleAdded("bike-1.1", "bike-1", (5,), 0, "anna", target="full"),
        "schedule",
        "bike-1",
        "added Sat 00:00: fast, target full by anna",
    ),
    (e.ScheduleRemoved("bike-1.1", "anna"), "schedule", "bike-1.1", "removed by anna"),
    (e.ScheduleFired("bike-1.1", "bike-1", SIX_MS), "schedule", "bike-1", "due at 06:00"),
    (
        e.Decided("bike-1", "threshold", e.SetPoint(True), e.SetPoint(True), STARTED),
        "decided",
        "bike-1",
        "switching on, try 1 of 3",
    ),
    (
        e.Decided("bike-1", "threshold", e.SetPoint(False), e.SetPoint(False), STARTED, outcome="no-charger"),
        "decided",
        "bike-1",
        "no power at all: switching on, try 1 of 3",
    ),
    (e.CommandIssued("bike-1", ON, STARTED), "command", "bike-1", "on, off by itself after 15 min"),
    (e.CommandDone(7, 230), "command", "shed", "command 7 done in 0.2 s"),
    (e.CommandFailed(7, "unreachable", "no route"), "command", "shed", "command 7 failed: unreachable"),
    (e.DaemonStarted("1.0.0", "1", "boot"), "daemon", "chargerd", "1.0.0 started"),
    (e.DaemonStopping("told to stop"), "daemon", "chargerd", "ending: told to stop"),
    (e.DaemonStopped("told to stop"), "daemon", "chargerd", "ended: told to stop"),
    (e.ConfigLoaded(configuration(), "reload"), "daemon", "chargerd", "configuration read (reload)"),
    (e.ClockStepped(-3_600_000), "daemon", "clock", "set back by 60 min"),
    (
        e.LogSetAside("/var/lib/chargerd/log.db.1", "torn"),
        "log",
        "log",
        "damaged, kept at /var/lib/chargerd/log.db.1; a new one begins",
    ),
    (
        e.ReadingsDropped(1, 90, 1_700_000_000_000, 1_700_086_400_000, 89, "00"),
        "log",
        "log",
        "89 readings up to 2023-11-15 23:13 were kept long enough and are given up",
    ),
    (e.SinkLost("unreachable", "no route"), "sink", "shed", "takes nothing (unreachable)"),
    (e.SinkBack(), "sink", "shed", "takes messages again"),
    (
        e.MeterLost("shed/battery1", "contradicted", -1500.0),
        "lost",
        "house",
        "says -1.5 kW, which its level contradicts",
    ),
    (
        e.MeterLost("shed/meter1", "against", 900.0, step_w=1400.0, moved_w=-1390.0),
        "lost",
        "grid",
        "said 1.4 kW less when charging took 1.4 kW more; it counts the wrong way round: `invert` of its [meter]",
    ),
    (e.MeterBack("shed/meter1", 660_000), "back", "grid", "believed again after 11 min"),
    (e.RecordingLost("disk full"), "log", "log", "cannot be written; only switching off until it can"),
    (e.RecordingBack(12, 3), "log", "log", "can be written again; 12 had waited, 3 readings lost"),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A household at midnight. Its strip also has meters, one of them mounted the wrong way round, and a house battery."""
    meters = {
        "grid": MeterSettings("grid", "shed", "meter1", "grid"),
        "turned": MeterSettings("turned", "shed", "meter2", "grid", invert=True),
        "pv": MeterSettings("pv", "shed", "inverter", "pv"),
    }
    storages = {"house": StorageSettings("house", "shed", "battery1")}
    site = configuration(loadpoint("bike-1"), meters=meters, storages=storages)
    day = Day(tmp_path_factory.mktemp("sentences"), site, {"bike-1": "dead"})
    yield context(day)
    day.run.kill()


@pytest.mark.parametrize(("body", "kind", "subject", "text"), SENTENCES)
def test_event_says_what_happened(here, body, kind, subject, text):
    """Type, subject and sentence of each kind of event; its row is what the table promises."""
    event = e.Event(7, here.now_ms, 0, 1, "shed", body)
    words = said(event, here)
    assert words is not None
    assert (words.type, words.subject, words.text) == (kind, subject, text)
    assert words.type in TYPES
    assert wrong_fields(row(event, words, here), OBJECTS["Entry"]) == []


def test_every_kind_of_event_is_among_them(here):
    """No event is silent but the tick, which only closes a transaction."""
    assert {type(body).__name__ for body, *_ in SENTENCES} == set(KINDS) - {"Tick"}
    assert said(e.Event(7, 0, 0, 1, "daemon", e.Tick()), here) is None


def test_command_without_a_lease_promises_none():
    """Only what the plug will really do by itself is said."""
    assert command_text(SetEnabled("shed/bike-1", True), Site()) == "on"
    assert command_text(SetEnabled("shed/bike-1", False), Site()) == "off"
