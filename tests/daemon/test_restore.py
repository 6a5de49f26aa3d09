"""Restore: a copy of the log that was made while chargerd ran takes the log's place, and the real daemon goes on from it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chargerd.model.events import ClockStepped, DaemonStarted
from tests.daemon.test_run import House

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path):
    """A house with a strip and the real daemon."""
    made = House(tmp_path)
    yield made
    made.close()


def program(*words: object) -> str:
    """Run chargerd's own program; what it prints."""
    command = [sys.executable, "-m", "chargerd", *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def bike(house: House) -> dict[str, object]:
    """What the daemon says of the bike."""
    (row,) = house.ask("GetStatus", "monitor")["parameters"]["loadpoints"]
    return dict(row)


def test_a_copy_put_in_the_place_of_the_log_brings_everything_back(house):
    """A session that ended, one that runs, a target: copied live, the log lost, the copy put back, and all of it is there."""
    state = house.folder / "state"
    process = house.ready()
    house.hear("idle")
    for mode in ("fast", "off", "fast"):
        assert house.ask("SetMode", name="bike", mode=mode)["parameters"]["changed"]
        house.until(lambda wanted=mode: house.on() is (wanted == "fast"))
    house.ask("SetTarget", name="bike", target="full", once=True)
    house.until(lambda: bike(house)["state"] == "charging")
    said = program("verify", "--state", state, "--run", house.folder / "run")
    assert "state equal to the running one" in said
    program("export", "log", house.folder / "copy.db", "--state", state)
    assert "chain intact" in program("verify", "--log", house.folder / "copy.db")
    before = house.ask("GetSessions", "monitor")["parameters"]["sessions"]
    assert [session["outcome"] for session in before] == [None, "stopped"]
    house.ask("SetTarget", name="bike", target="nominal")  # what comes after the copy is lost with the log
    process.send_signal(signal.SIGTERM)
    process.wait(60)

    for left in state.glob("log.db*"):
        left.unlink()
    (house.folder / "copy.db").rename(state / "log.db")
    house.ready()
    after = house.ask("GetSessions", "monitor")["parameters"]["sessions"]
    assert [(s["number"], s["outcome"], s["target"]) for s in after] == [
        (s["number"], s["outcome"], s["target"]) for s in before
    ]
    house.until(lambda: bike(house)["state"] == "charging")
    assert house.on()
    assert bike(house)["mode"] == "fast"
    assert (bike(house)["target"], bike(house)["mode_by"]) == ("full", before[0]["by"])
    assert "state equal to the running one" in program("verify", "--state", state, "--run", house.folder / "run")
    kinds = [type(event.body) for event in house.events()]
    assert kinds.count(DaemonStarted) == 2
    assert ClockStepped not in kinds
    assert not [path for path in state.iterdir() if "damaged" in path.name]
