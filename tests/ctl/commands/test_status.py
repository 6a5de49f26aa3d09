"""chargerctl status: the table, one loadpoint, and what a monitoring script gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chargerd.ctl.commands.status import flow_parts, one, site_lines
from tests.ctl.answers import BIKE_1, FLOWS, GARAGE, HOME, TOOLS, status
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn


def test_no_command_means_status(folder: Path, run: Run) -> None:
    """chargerctl alone prints every loadpoint, the problems and how old the newest reading is."""
    with StandIn(folder):
        code, out, err = run()
    assert (code, err) == (0, "")
    assert "● bike-1" in out
    assert "2 problems:\n  garage-plug: has not answered for 11 min" in out
    assert out.endswith("chargerd 0.1.0, up 12 days, 61 MiB, last reading 3 s ago\n")
    assert max(len(line) for line in out.split("\n")) <= 80


def test_check_prints_nothing_and_exits_6_when_something_is_wrong(folder: Path, run: Run) -> None:
    """A monitoring script needs the exit code only."""
    with StandIn(folder):
        assert run("status", "--check") == (6, "", "")
    with StandIn(folder, {"GetStatus": status(problems=[])}):
        assert run("status", "--check") == (0, "", "")


def test_names_are_asked_for(folder: Path, run: Run) -> None:
    """Two names give a table of two."""
    with StandIn(folder, {"GetStatus": status([BIKE_1, TOOLS])}) as daemon:
        code, out, _ = run("status", "bike-1", "tools")
    assert code == 0
    assert daemon.last == {"names": ["bike-1", "tools"]}
    assert "LOADPOINT" in out


def test_json_is_one_document_with_everything_the_daemon_said(folder: Path, run: Run) -> None:
    """Programs get every field."""
    with StandIn(folder):
        code, out, _ = run("--json")
    assert code == 0
    assert json.loads(out) == status()


def test_a_name_with_control_characters_does_not_reach_the_terminal(folder: Path, run: Run) -> None:
    """A device's text is shown without escape sequences."""
    evil = {**BIKE_1, "text": "\x1b]0;pwned\x07 hello\nworld"}
    for form in ((), ("bike-1",), ("--plain",)):
        with StandIn(folder, {"GetStatus": status([evil])}):
            _, out, _ = run("status", *form)
        assert "\x1b" not in out
        assert "\x07" not in out


def test_every_loadpoint_has_its_own_mark(folder: Path, run: Run) -> None:
    """The first column says charging, finished, waiting, fault and unknown by its form alone."""
    with StandIn(folder):
        _, out, _ = run("status")
    marks = [line[0] for line in out.split("\n")[3:] if line[1:2] == " " and line[:1] not in " 2"]
    assert marks == ["●", "○", "◐", "✕", "?"]


def test_what_flows_stands_beside_the_name_of_the_site() -> None:
    """Each with its direction as a word; what is not known is left out, a grid that is not known is said."""
    reply = status(HOME, flows=FLOWS)
    assert site_lines(reply, 100) == [
        "Home   solar 4.9 kW   house 540 W   storage 62 %, charging 400 W   exporting 1.2 kW"
    ]
    assert all(len(line) <= 80 for line in site_lines(reply, 80))
    night = {**FLOWS, "pv_w": None, "pv_asleep": True, "house_w": None, "storage_w": 300.0, "soc_pct": None}
    assert flow_parts({**night, "grid_w": None}) == ["solar asleep", "storage discharging 300 W", "grid not known"]
    assert flow_parts({**FLOWS, "cloudy": True, "grid_w": 0.4})[::3] == ["solar 4.9 kW, clouds", "0 W"]
    held = site_lines(status(HOME, flows=FLOWS, held_by="ben", recording=False), 200)
    assert held[0].endswith("exporting 1.2 kW   on hold by ben   NOT RECORDING")


@pytest.mark.parametrize(
    ("kind", "by", "until", "text"),
    [
        ("evse", "anna", None, "solar, set by anna, until the vehicle leaves"),
        ("evse", "", None, "solar, until changed"),
        ("consumer", "anna", None, "solar, set by anna, until changed"),
        ("evse", "anna", "2026-05-12T06:30:00+02:00", "solar, set by anna, until tomorrow 06:30"),
    ],
)
def test_how_long_a_mode_lasts_is_told_as_the_reply_to_its_setting_does(
    kind: str, by: str, until: str | None, text: str
) -> None:
    """What was asked for at an EVSE ends with the vehicle; what is configured, and a consumer's mode, do not."""
    row = {**GARAGE, "mode": "solar", "mode_by": by, "mode_until_local": until, "loadpoint_kind": kind}
    assert f"Mode      : {text}" in one(row, "2026-05-11T14:12:03+02:00", 100).splitlines()


@pytest.mark.parametrize(("falls_to_a", "does"), [(6.0, "goes to 6 A"), (0.0, "pauses"), (None, "off")])
def test_what_a_charger_does_without_chargerd_is_told_as_it_is(falls_to_a: float | None, does: str) -> None:
    """A plug goes off; an EVSE pauses, or charges on with the current of its fail-safe."""
    row = {**GARAGE, "lease_s": 540, "lease_current_a": falls_to_a}
    line = f"Lease     : {does} by itself after 9 min without chargerd"
    assert line in one(row, "2026-05-11T14:12:03+02:00", 100).splitlines()


def test_a_limit_that_is_the_reason_is_said_once() -> None:
    """Two lines with the same words tell nothing, and so does a name said twice."""
    held = {"code": "held", "text": "on hold by anna", "values": {}, "seqs": []}
    point = {**GARAGE, "word": "held", "held_by": "anna", "text": held["text"], "limit": held}
    shown = one(point, "2026-05-11T14:12:00+02:00", 80)
    assert shown.count("on hold by anna") == 1
    assert ", by anna" in shown
    assert "on hold by anna" in one({**point, "text": "following the sun"}, "2026-05-11T14:12:00+02:00", 80)
