"""Codec: what is in a log can be read again, and what cannot is named."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from chargerd.model import codec
from chargerd.model import events as e
from chargerd.model.commands import SetEnabled
from chargerd.model.settings import Adopted, ScheduleEntry, Window
from tests.house import configuration, loadpoint

EXAMPLES: tuple[e.Body, ...] = (
    e.ChargerRead(
        "left",
        True,
        2760.0,
        230.0,
        12.0,
        8000.0,
        55,
        "ours",
        1_700_000_000_123,
        "C",
        12.0,
        3,
        12.1,
        0.2,
        0.1,
        229.5,
        125.0,
        3.0,
        "charging",
        True,
    ),
    e.MeterRead(
        "meter1",
        -1500.0,
        -500.0,
        -501.0,
        -499.0,
        2.1,
        2.2,
        2.3,
        230.1,
        230.2,
        230.3,
        1e6,
        2e6,
        50.01,
        5100.0,
        41.5,
        "producing",
        1_700_000_000_123,
    ),
    e.StorageRead(
        "battery1",
        -2500.0,
        61.5,
        98.0,
        9700.0,
        5000.0,
        4500.0,
        1e6,
        9e5,
        25.5,
        "charging",
        1_700_000_000_123,
    ),
    e.ReadFailed("unreachable", "no answer"),
    e.DeviceLost("access-denied", "wrong login", 60_000),
    e.DeviceBack(61_000),
    e.DeviceAdded(
        "kasa",
        "HS300",
        "8006",
        "1.0.21",
        {"bike": "800601"},
        ("SetEnabled",),
        "unproven",
        False,
        "h:9999",
        6.0,
        16.0,
        0.1,
        3,
        10.0,
        6.0,
        True,
        600,
    ),
    e.DeviceRemoved(),
    e.ModeSet("bike", "fast", "anna", 1_700_000_000_000, "a1", 35.0, True),
    e.TargetSet("bike", "full", "anna", True, 1_700_000_000_000, "a1"),
    e.LimitSet("bike", "full_w", 6.5, "anna", 1_700_000_000_000, "a1", True, True),
    e.PlanSet("bike", "full", "anna", 1_700_000_000_000, "a1"),
    e.PlanFired("bike", "over", True),
    e.HoldSet("anna", "bike", 1_700_000_000_000, "a1", True),
    e.HoldCleared("anna", "bike", "a1"),
    e.ScheduleAdded("bike.1", "bike", (0, 6), 390, "anna", "off", "full", "a1", True),
    e.ScheduleRemoved("bike.1", "anna", "a1"),
    e.ScheduleFired("bike.1", "bike", 1_700_000_000_000),
    e.Decided(
        "bike",
        "threshold",
        e.SetPoint(enabled=True),
        e.SetPoint(enabled=False),
        e.Reason("charging-to-cutoff", {"power_w": 103.9, "n": 1, "text": "ä", "yes": True, "no": None}, (1, 2)),
        e.Reason("held", {"by": "ben"}),
        "stopped",
        {"attempt": 2, "started": True},
        7,
    ),
    e.CommandIssued("bike", SetEnabled("shed/bike", enabled=True, lease_s=900), e.Reason("lease-renewal")),
    e.CommandDone(12, 340),
    e.CommandFailed(12, "unreachable", "no answer", 5000),
    e.LeaseTestBegun("anna", 15, "bike"),
    e.LeaseTested("proven", 15, "bike", 15.4, 103.2, "by hand"),
    e.DaemonStarted("0.1", "1", "boot-a", 4711),
    e.DaemonStopping("told to stop"),
    e.DaemonStopped("told to stop"),
    e.ConfigLoaded(
        configuration(
            loadpoint("bike", windows=(Window(1320, 360, (4, 5)),)),
            schedule=(ScheduleEntry("bike/sat@01:30", "bike", (5,), 90, "fast", "full"),),
            files=("/etc/chargerd/chargerd.toml",),
            networks=("192.168.178.255",),
            adopted=(Adopted("a", "b", "bike", "50:C7:BF:00:00:01", "192.0.2.7", 9999, "192.0.2.255", "00"),),
        ),
        "reload",
    ),
    e.ClockStepped(-3_600_000),
    e.LogSetAside("/var/lib/chargerd/log.damaged-1.db", "torn", 17),
    e.ReadingsDropped(1, 90_000, 1_700_000_000_000, 1_700_086_400_000, 89_500, "0123456789abcdef"),
    e.SinkLost("access-denied", "wrong login"),
    e.SinkBack(),
    e.MeterLost("roof/meter1", "against", -1380.0, 0.5, 1380.0, -1390.0),
    e.MeterBack("roof/meter1", 90_000),
    e.RecordingLost("disk full"),
    e.RecordingBack(12, 3),
    e.Tick("0123456789abcdef"),
)


def test_there_is_an_example_of_every_type():
    """Whoever adds a type adds one here, and so to the tests below."""
    assert {type(example).__name__ for example in EXAMPLES} == set(codec.TYPES)


@pytest.mark.parametrize("fact", EXAMPLES, ids=lambda fact: type(fact).__name__)
def test_every_fact_comes_back_as_it_was(fact):
    """Every field filled, as bytes and as text; in the examples no field has its default, so none can be lost unseen."""
    name = type(fact).__name__
    stored = codec.encode(fact)
    for data in (stored, stored.decode()):
        assert codec.decode(name, codec.VERSIONS[name], data) == fact
    assert all(getattr(fact, field.name) != field.default for field in structs.fields(fact))


@pytest.mark.parametrize(
    ("kind", "data", "fact"),
    [
        ("ChargerRead", '{"channel":"bike","enabled":false,"power_w":0}', e.ChargerRead("bike", False, 0.0)),
        ("ModeSet", '{"loadpoint":"bike","mode":"fast","by":"anna"}', e.ModeSet("bike", "fast", "anna")),
        (
            "CommandIssued",
            '{"loadpoint":"bike","command":{"command":"SetEnabled","device":"shed","enabled":true,"lease_s":900},'
            '"reason":{"code":"switching-on","values":{"attempt":1},"seqs":[3]}}',
            e.CommandIssued("bike", SetEnabled("shed", True, 900), e.Reason("switching-on", {"attempt": 1}, (3,))),
        ),
        ("Tick", "{}", e.Tick()),
    ],
)
def test_rows_of_the_first_version_are_read_for_ever(kind, data, fact):
    """This is what lies in the logs of people's homes; a change of names would show here."""
    assert codec.decode(kind, 1, data) == fact
    assert codec.decode(kind, 1, codec.encode(fact)) == fact


@pytest.mark.parametrize(("kind", "version"), [("BatteryRead", 1), ("Tick", 2), ("ModeSet", 99), ("tick", 1), ("", 1)])
def test_what_a_newer_version_wrote_is_unknown_and_not_guessed(kind, version):
    """An unknown type, or a version above ours: the error names both."""
    with pytest.raises(codec.UnknownEvent, match=f"{kind} version {version}"):
        codec.decode(kind, version, "{}")


def test_old_rows_pass_through_every_upcast_on_their_way(monkeypatch):
    """Two versions ago the mode was called "state", one ago it was a number: today's fact comes out."""
    names = {1: "fast", 0: "off"}
    monkeypatch.setitem(codec.UPCASTS, ("ModeSet", -1), lambda old: {**old, "mode": old["state"]} | {"state": None})
    monkeypatch.setitem(
        codec.UPCASTS,
        ("ModeSet", 0),
        lambda old: {"loadpoint": old["loadpoint"], "by": old["by"], "mode": names[old["mode"]]},
    )
    fact = e.ModeSet("bike", "fast", "anna")
    assert codec.decode("ModeSet", -1, b'{"loadpoint":"bike","state":1,"by":"anna"}') == fact
    assert codec.decode("ModeSet", 0, b'{"loadpoint":"bike","mode":1,"by":"anna"}') == fact


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("ModeSet", ""),
        ("ModeSet", "{"),
        ("ModeSet", "[]"),
        ("ModeSet", "{}"),
        ("ModeSet", '{"loadpoint":"bike","mode":"fast","by":7}'),
        ("ModeSet", '{"loadpoint":"bike","mode":"fast","by":"anna","why":"so"}'),
        ("ChargerRead", '{"power_w":"103.9"}'),
        ("ChargerRead", '{"power_w":NaN}'),
        ("CommandIssued", '{"loadpoint":"b","command":{"command":"SetCurrent"},"reason":{"code":"held"}}'),
    ],
)
def test_damage_is_told_and_not_filled_up(kind, data):
    """Half a row, a field missing, of another type or too many, a command that there is not."""
    with pytest.raises(msgspec.DecodeError):
        codec.decode(kind, 1, data)


def test_a_version_that_there_never_was_is_damage_or_unknown():
    """A flipped bit in the column: named as every other damage, never a KeyError that nobody expects."""
    with pytest.raises((codec.UnknownEvent, msgspec.DecodeError)):
        codec.decode("Tick", 0, "{}")
