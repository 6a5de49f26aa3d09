"""watch, log -f and wait: commands that stay."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.ctl.answers import BIKE_1, BIKE_2, ENTRIES, answer
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn
from tests.patience import WAIT_S

ROOT = Path(__file__).parents[3]
FINISHED = {**BIKE_2, "name": "bike-1"}


def watched(loadpoint: dict[str, object]) -> dict[str, object]:
    """One answer of Watch."""
    return answer("watch", "", loadpoint=loadpoint, changes=[])


def test_watch_prints_one_line_for_each_change(folder: Path, run: Run) -> None:
    """Time, name, state, power, reason; tabs between."""
    with StandIn(folder, {"Watch": [watched(BIKE_1), watched(FINISHED)]}):
        _, out, _ = run("watch", "bike-1", "--plain")
    assert out.split("\n")[:2] == [
        "2026-05-11T14:14:41+02:00\tbike-1\tcharging\t118.2\tcharging-to-cutoff",
        "2026-05-11T14:14:41+02:00\tbike-1\tsuspended_evse\t0\tcutoff-reached",
    ]


def test_watch_and_log_give_one_json_object_per_line(folder: Path, run: Run) -> None:
    """Each line is a document of its own."""
    log = answer("log", "", entries=ENTRIES, cut=False)
    with StandIn(folder, {"Watch": [watched(BIKE_1), watched(FINISHED)], "GetLog": [log, log]}):
        shown = [json.loads(line) for line in run("watch", "--json")[1].splitlines()]
        rows = [json.loads(line) for line in run("log", "-f", "--json")[1].splitlines()]
    assert [reply["loadpoint"]["state"] for reply in shown] == ["charging", "suspended_evse"]
    assert [row["seq"] for row in rows] == [entry["seq"] for entry in ENTRIES] * 2


def test_an_interrupt_ends_watch_with_130_and_without_a_word(folder: Path) -> None:
    """Ctrl-C is how people leave it."""
    with StandIn(folder, {"Watch": [watched(BIKE_1), ...]}):
        process = subprocess.Popen(
            [sys.executable, "-m", "chargerd.ctl", "--socket", str(folder), "watch"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert "bike-1" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, err) == (130, "")


def test_wait_ends_when_the_state_comes(folder: Path, run: Run) -> None:
    """A word or a state will do."""
    for state in ("finished", "suspended_evse"):
        with StandIn(folder, {"Watch": [watched(BIKE_1), watched(FINISHED), ...]}):
            assert run("wait", "bike-1", state, "--timeout", "10s") == (0, f"bike-1: {state}.\n", "")


def test_wait_goes_on_when_the_connection_breaks(folder: Path, run: Run) -> None:
    """A daemon that restarts in between costs nothing."""
    answers = iter([[watched(BIKE_1)], [watched(BIKE_1), watched(FINISHED), ...]])
    with StandIn(folder, {"Watch": lambda _: next(answers)}):
        assert run("wait", "bike-1", "finished", "--timeout", "10s")[0] == 0


def test_wait_ends_with_7_when_time_runs_out(folder: Path, run: Run) -> None:
    """Three lines say what it is instead."""
    with StandIn(folder, {"Watch": [watched(BIKE_1), ...]}):
        code, out, err = run("wait", "bike-1", "finished", "--timeout", "0.2s")
    assert (code, out) == (7, "")
    assert err.startswith("chargerctl: bike-1 is not finished after 0.2 s; it is charging.\n")
