"""Convert: `chargerd import` and `chargerctl configure import` as people call them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.config.chargemanager_texts import NEWEST, PAGE_SECRET, PIN, database
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


def test_a_database_of_chargemanager_becomes_a_configuration(tmp_path: Path):
    """From its file to one that the daemon's check accepts; no secret on any stream, and the database as it was."""
    old = database(tmp_path / "chargemanager_db.sqlite3")
    before = old.read_bytes()
    out, err = run("chargerd", "import", old)
    assert err.endswith("1 plug and 1 charger imported.\n")
    assert "note: No fuse was known there" in err
    assert not [word for word in (PIN, PAGE_SECRET) if word in out + err]
    (tmp_path / "made.toml").write_text(out)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    check = ("check", "--config", tmp_path / "made.toml", "--credentials", secrets)
    assert "credential nrgkick" in run("chargerd", *check, code=6)[0]
    (secrets / "secret_nrgkick").write_text("1234")
    assert "2 loadpoints" in run("chargerd", *check)[0]
    assert old.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == sorted([old, tmp_path / "made.toml", secrets])


def test_chargerctl_takes_a_database_too(tmp_path: Path):
    """The same by the name that people type, as JSON; without a daemon nothing is searched."""
    old = database(tmp_path / "chargemanager_db.sqlite3")
    out, _ = run("chargerd.ctl", "--socket", tmp_path, "configure", "import", old, "--json")
    reply = json.loads(out)
    assert (reply["text"], reply["chargers"], reply["plugs"]) == ("1 plug and 1 charger imported.", 1, 1)
    assert "[storage.house]" in reply["configuration"]


def test_a_wrong_value_in_a_database_is_told_with_its_column_and_nothing_is_written(tmp_path: Path):
    """Nor is a secret repeated."""
    wrong = {**NEWEST, "pvPlugstartTo": "24:15", "chargerpassword": PIN, "settingsurl": f"http://a:{PIN}@b/"}
    old = database(tmp_path / "db", wrong)
    _, err = run("chargerd", "import", old, "--output", tmp_path / "made.toml", code=1)
    assert 'db: settings.pvPlugstartTo = "24:15"' in err
    assert "2 mistakes in it" in err
    assert "charging is not affected" in err
    assert PIN not in err
    assert not (tmp_path / "made.toml").exists()


def test_a_database_that_is_none_of_chargemanager_is_refused(tmp_path: Path):
    """In a sentence, with what to name."""
    path = tmp_path / "photos.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name)")
    _, err = run("chargerd", "import", path, code=1)
    assert "is the database of another program: it has no table settings" in err
    assert "chargemanager_db.sqlite3" in err
    assert "Traceback" not in err


def test_an_ini_file_may_come_through_a_pipe(old: Path):
    """What has been read to see whether it is a database is not lost."""
    with old.open("rb") as file:
        command = [sys.executable, "-m", "chargerd", "import", "/dev/stdin"]
        cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, stdin=cat.stdout, capture_output=True, text=True, timeout=30, env=env, check=False
        )
        cat.wait(30)
    assert done.returncode == 0, done.stderr
    assert "[vehicle.rad]" in done.stdout
