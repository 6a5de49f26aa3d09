"""Convert: `chargerd import` and `chargerctl configure import` as people call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_importing import CURRENT, plug

ROOT = Path(__file__).parents[2]


def run(program: str, *words: object, code: int = 0) -> tuple[str, str]:
    """Run a program; what it says on both streams."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=env, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An INI file."""
    path = tmp_path / "old.config"
    path.write_text(CURRENT)
    return path


def test_the_result_goes_to_standard_output_and_notes_beside_it(old: Path, tmp_path: Path):
    """So that it can be redirected; what it prints passes the daemon's own check."""
    out, err = run("chargerd", "import", old)
    (tmp_path / "made.toml").write_text(out)
    assert "3 loadpoints" in run("chargerd", "check", "--config", tmp_path / "made.toml")[0]
    assert "note: The network was not searched" in err
    assert err.endswith("3 plugs and 2 profiles imported.\n")


def test_a_file_that_is_there_is_replaced_only_when_told_and_then_kept(old: Path, tmp_path: Path):
    """Nothing that somebody wrote is lost."""
    target = tmp_path / "chargerd.toml"
    out, _ = run("chargerd", "import", old, "--output", target)
    assert f"imported into {target}" in out
    target.write_text("mine")
    _, err = run("chargerd", "import", old, "--output", target, code=1)
    assert err.splitlines()[0] == f"chargerd: {target} is there already."
    assert len(err.splitlines()) == 3
    assert target.read_text() == "mine"
    run("chargerd", "import", old, "--output", target, "--force")
    assert "[vehicle.rad]" in target.read_text()
    assert (tmp_path / "chargerd.toml.bak").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chargerd.toml", "chargerd.toml.bak", "old.config"]


def test_a_write_that_fails_halfway_leaves_the_old_file_and_nothing_beside_it(old: Path, tmp_path: Path):
    """A folder lies where the old file would be kept: it cannot be, so it is not replaced."""
    target, kept = tmp_path / "chargerd.toml", tmp_path / "chargerd.toml.bak"
    target.write_text("mine")
    kept.mkdir()
    _, err = run("chargerd", "import", old, "--output", target, "--force", code=1)
    assert f"{target} cannot be written" in err
    assert target.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == sorted([target, kept, old])


def test_a_mistake_is_told_with_its_line_and_nothing_is_written(old: Path, tmp_path: Path):
    """Exit code 1; the same as JSON."""
    old.write_text(CURRENT.replace("45.0", "forty"))
    _, err = run("chargerd", "import", old, "--output", tmp_path / "made.toml", code=1)
    assert f"{old}:3: Rad.nominal_charge_stop_power_threshold = forty" in err
    assert "Nothing was written; charging is not affected." in err
    assert not (tmp_path / "made.toml").exists()
    _, err = run("chargerd", "import", old, "--json", code=1)
    assert json.loads(err)["message"] == f"{old} was not imported: 1 mistake in it."


@pytest.mark.parametrize("content", [b"\xff\xfe[\0R\0", b"[Rad]\nx = \xe4\n", b"\0" * 50, b"x" * 1_000_001])
def test_what_is_no_text_is_refused_in_a_sentence(old: Path, content: bytes):
    """No traceback for a picture, a disk image or a file of another alphabet."""
    old.write_bytes(content)
    _, err = run("chargerd", "import", old, code=1)
    assert "Traceback" not in err
    assert str(old) in err


def test_a_file_that_is_not_there_and_a_folder_that_cannot_be_written(old: Path, tmp_path: Path):
    """Each said plainly."""
    err = run("chargerd", "import", tmp_path / "none", code=1)[1]
    assert "no such file" in err
    assert len(err.splitlines()) == 3  # the last one says what to do
    _, err = run("chargerd", "import", old, "--output", tmp_path / "none" / "chargerd.toml", code=1)
    assert "cannot be written: no such file or directory" in err


def test_found_plugs_are_taken_from_what_discover_prints(old: Path, tmp_path: Path):
    """The strip that was found is one device; a file that is something else is refused."""
    found: dict[str, Any] = {"plugs": [plug("shed", "rad_battery_1")]}
    (tmp_path / "found").write_text(json.dumps(found))
    out, _ = run("chargerd", "import", old, "--json", "--found", tmp_path / "found")
    assert 'charger = "shed/rad_battery_1"' in json.loads(out)["configuration"]
    (tmp_path / "found").write_text("[]")
    assert "discover --json" in run("chargerd", "import", old, "--found", tmp_path / "found", code=1)[1]
