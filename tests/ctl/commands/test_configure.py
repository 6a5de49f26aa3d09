"""chargerctl configure and get: what the daemon says, and what happens without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.ctl.answers import answer
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn

ROOT = Path(__file__).parents[3]


def test_check_exits_6_with_mistakes_and_0_without(folder: Path, run: Run) -> None:
    """A script before a reload needs the exit code only."""
    with StandIn(folder):
        assert run("configure", "check")[0] == 6
    clean = answer("check", "The configuration is in order.", mistakes=[], files=["/etc/chargerd/chargerd.toml"])
    with StandIn(folder, {"CheckConfiguration": clean}):
        assert run("configure", "check") == (0, "The configuration is in order.\n", "")


def test_a_broken_answer_is_no_reason_to_read_the_files_here(folder: Path, run: Run) -> None:
    """A daemon that is there and does not answer is an error, not an absent one."""
    with StandIn(folder, {"CheckConfiguration": b""}):
        assert run("configure", "check")[0] == 3


def test_without_a_daemon_its_program_reads_the_file(folder: Path) -> None:
    """`chargerd check` names the line; a folder of the same name in the working directory is not run in its place."""
    (folder / "chargerd").mkdir()
    (folder / "chargerd" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    config = folder / "chargerd.toml"
    config.write_text('[site]\nname = "Home"\ntimezone = "Mars/Olympus"\n')
    done = subprocess.run(
        [sys.executable, "-P", "-m", "chargerd.ctl", "--socket", str(folder), "configure", "check", "--config", config],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 6, done.stderr
    assert "chargerd.toml:3" in done.stdout


def test_get_gives_one_bare_value(folder: Path, run: Run) -> None:
    """State, session, reason and settings all have names; what is not known is null."""
    wanted = {
        "power_w": "118.2", "session.energy_wh": "311.4", "reason.code": "charging-to-cutoff", "enabled": "true",
        "mode_until": "null", "nominal_stop_w": "95.0",
    }  # fmt: skip
    with StandIn(folder):
        for key, value in wanted.items():
            assert run("get", "bike-1", key) == (0, f"{value}\n", "")
        assert run("get", "bike-1", "powr_w")[0] == 5
        assert run("get", "bike-9", "power_w")[0] == 5


def test_a_csv_cell_cannot_be_a_formula(folder: Path, run: Run) -> None:
    """A name that a spreadsheet would run gets a quote before it."""
    from tests.ctl.answers import session

    reply = answer("sessions", "", sessions=[session("bike-1", by="=cmd|' /C calc'!A0")], warnings=[])
    with StandIn(folder, {"GetSessions": reply}):
        _, out, _ = run("sessions", "--format", "csv")
    assert "'=cmd" in out


def test_import_searches_first_and_hands_over_what_it_found(folder: Path) -> None:
    """Without a daemon it goes on without; the sockets of a strip that was found become its channels."""
    old = folder / "old.config"
    old.write_text(
        "[Rad]\nnominal_charge_stop_power_threshold = 45\nfull_charge_power_threshold = 5\n[Plugs]\nBattery_1 = Rad\n"
    )
    command = [sys.executable, "-m", "chargerd.ctl", "--socket", str(folder), "configure", "import", str(old), "--json"]
    alone = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert 'alias = "Battery_1"' in json.loads(alone.stdout)["configuration"]
    with StandIn(folder) as daemon:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
        assert [name for _, name, _ in daemon.asked] == ["Discover"]
        subprocess.run([*command, "--no-search"], cwd=ROOT, capture_output=True, timeout=30, check=True)
        assert len(daemon.asked) == 1
    made = json.loads(done.stdout)
    assert 'charger = "shed/battery_1"' in made["configuration"]
    assert (made["plugs"], made["profiles"], made["notes"]) == (1, 1, [])
