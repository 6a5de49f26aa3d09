"""device test: asks first, waits for the result, and says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.ctl.answers import REPLIES, answer
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn


def log(seq: int, **data: Any) -> dict[str, Any]:
    """An answer of GetLog with the result of a test."""
    entry = {
        "kind": "entry", "seq": seq, "at": "2026-05-11T12:14:41Z", "at_local": "2026-05-11T14:14:41+02:00", "type": "test",
        "event": "LeaseTested", "subject": "bike-1", "text": "its own timer switched it off after 15 s", "detail": "",
        "by": "", "count": 1, "data": {"result": "proven", "lease_s": 15, **data},
    }  # fmt: skip
    return answer("log", "", entries=[entry], cut=False, seq=seq)


def test_the_result_of_this_test_is_told_and_not_that_of_an_older_one(folder: Path, run: Run) -> None:
    """Yesterday's failure is in the log as well. Exit code 0 for proven."""
    stream = [log(3, result="disproven"), log(44, off_after_s=15.4, power_w=103.2), ...]
    with StandIn(folder, {"GetLog": stream}) as daemon:
        code, out, _ = run("device", "test", "bike-1", "--yes")
        assert ("control", "TestDevice", {"name": "bike-1", "zone": None}) in daemon.asked
    assert code == 0
    assert out.splitlines() == [
        "shed/bike-1: on with a timer of 15 s; watching whether it goes off by itself.",
        "shed/bike-1: its own timer switched it off after 15 s.",
        "It drew 103.2 W while it was on.",
    ]
    with StandIn(folder, {"GetLog": stream}):
        told = json.loads(run("device", "test", "bike-1", "-y", "--json")[1])
    assert (told["result"], told["off_after_s"], told["power_w"]) == ("proven", 15.4, 103.2)


def test_anything_but_proven_is_exit_code_6(folder: Path, run: Run) -> None:
    """So that a script can tell."""
    for result in ("disproven", "no-timer", "undecided"):
        with StandIn(folder, {"GetLog": [log(44, result=result), ...]}):
            code, out, _ = run("device", "test", "bike-1", "--yes", "--plain")
        assert code == 6
        assert out == f"shed/bike-1\t{result}\t\t\t\n"


def test_without_a_terminal_and_without_yes_nothing_is_switched(folder: Path, run: Run) -> None:
    """A script that forgot --yes is refused before anything is asked."""
    with StandIn(folder) as daemon:
        code, _, err = run("device", "test", "bike-1")
        assert daemon.asked == []
    assert code == 2
    assert "say --yes" in err


def test_failsafe_tells_on_which_day_a_timer_was_tried(folder: Path, run: Run) -> None:
    """Proven or failed; a timer that nobody has tried is unproven."""
    chargers = REPLIES["GetFailsafe"]["chargers"]
    day = {"tested_at": "2026-05-10T20:00:00Z", "tested_local": "2026-05-10T22:00:00+02:00"}
    tried = [{**chargers[0], **day, "lease": lease} for lease in ("proven", "none")]
    with StandIn(folder, {"GetFailsafe": {**REPLIES["GetFailsafe"], "chargers": [*tried, chargers[0]]}}):
        out = run("failsafe")[1]
    told = [out.index(words) for words in ("proven on 2026-05-10", "none: failed on 2026-05-10", "unproven")]
    assert told == sorted(told)


def test_a_recording_is_written_and_never_over_another(folder: Path, run: Run) -> None:
    """Into the folder that was named; with --json it is printed."""
    with StandIn(folder):
        code, out, _ = run("device", "record", "shed", "--output", str(folder))
        path = folder / "HS300_1.0_1.0.21.json"
        assert code == 0
        assert f"Written: {path}" in out
        assert json.loads(path.read_text())["model"] == "HS300"
        code, _, err = run("device", "record", "shed", "--output", str(folder))
        assert code == 1
        assert "cannot be written: file exists" in err
        assert json.loads(run("device", "record", "shed", "--json")[1])["recording"]["driver"] == "kasa"


def test_a_reading_is_rounded_for_people_only(folder: Path, run: Run) -> None:
    """A device's 32 bits are no precision, and null is no word; a script gets what was read."""
    values = {"power_w": 1613.73583984375, "voltage_l1_v": 230.0, "soc_pct": None, "status": "idle", "enabled": True}
    reply = answer("readings", "", took_ms=100, readings=[{"kind": "reading", "address": "inverter", "values": values}])
    with StandIn(folder, {"ReadDevice": reply}):
        _, out, _ = run("device", "read", "inverter")
        _, plain, _ = run("device", "read", "inverter", "--plain")
    assert [line.split()[1:] for line in out.splitlines()[:-1]] == [
        ["power_w", "1613.74"], ["voltage_l1_v", "230"], ["soc_pct", "–"], ["status", "idle"], ["enabled", "true"],
    ]  # fmt: skip
    assert "inverter\tpower_w\t1613.73583984375\n" in plain
