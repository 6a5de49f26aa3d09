"""Printed output: what people see, letter by letter. To renew: python -m tests.ctl.test_golden"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pytest

from tests.ctl.stand_in import StandIn

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
UTF8 = {"LANG": "C.UTF-8"}

PIPED: dict[str, tuple[list[str], dict[str, str]]] = {
    "status": (["status"], UTF8),
    "status-plain": (["status", "--plain"], UTF8),
    "status-json": (["status", "--json"], UTF8),
    "status-ascii": (["status"], {"LC_ALL": "C"}),
    "status-colour": (["status", "--color", "always"], UTF8),
    "status-bike-1": (["status", "bike-1"], UTF8),
    "status-scooter": (["status", "scooter"], UTF8),
    "status-garage": (["status", "garage"], UTF8),
    "status-carport": (["status", "carport"], UTF8),
    "status-home-plain": (["status", "garage", "carport", "rod", "--plain"], UTF8),
    "status-tools": (["status", "tools"], UTF8),
    "status-at": (["status", "--at", "yesterday 16:20"], UTF8),
    "status-at-scooter": (["status", "scooter", "--at", "yesterday 16:20"], UTF8),
    "why": (["why", "bike-1"], UTF8),
    "why-json": (["why", "bike-1", "--json"], UTF8),
    "why-plain": (["why", "bike-1", "--plain"], UTF8),
    "why-at": (["why", "scooter", "--at", "yesterday 16:20", "--not", "charging"], UTF8),
    "help-why": (["why", "--help"], UTF8),
    "log": (["log"], UTF8),
    "log-verbose": (["log", "-o", "verbose"], UTF8),
    "log-plain": (["log", "--plain"], UTF8),
    "log-json": (["log", "-o", "json"], UTF8),
    "sessions": (["sessions"], UTF8),
    "sessions-csv": (["sessions", "--format", "csv"], UTF8),
    "battery": (["battery"], UTF8),
    "battery-plain": (["battery", "bike-1", "--plain"], UTF8),
    "battery-ascii": (["battery", "bike-1"], {"LC_ALL": "C"}),
    "schedule": (["schedule"], UTF8),
    "plan": (["plan"], UTF8),
    "sink": (["sink"], UTF8),
    "sink-test": (["sink", "test", "mail"], UTF8),
    "plan-plain": (["plan", "--plain"], UTF8),
    "plan-full": (["plan", "bike-1", "full", "by", "sat", "07:00"], UTF8),
    "discover": (["discover"], UTF8),
    "discover-plain": (["discover", "--plain"], UTF8),
    "discover-json": (["discover", "--json"], UTF8),
    "help-login": (["help", "login"], UTF8),
    "device-list": (["device", "list"], UTF8),
    "device-read": (["device", "read", "shed"], UTF8),
    "failsafe": (["failsafe"], UTF8),
    "profile-list": (["profile", "list"], UTF8),
    "profile-show": (["profile", "show", "rad-48v"], UTF8),
    "error-no-profile": (["profile", "show", "rat-48v"], UTF8),
    "configure-check": (["configure", "check"], UTF8),
    "configure-show": (["configure", "show"], UTF8),
    "get": (["get", "bike-1"], UTF8),
    "mode": (["mode", "bike-1", "fast", "--for", "2h"], UTF8),
    "help": (["help"], UTF8),
    "error-no-loadpoint": (["status", "bike-9"], UTF8),
    "error-no-loadpoint-json": (["status", "bike-9", "--json"], UTF8),
    "error-no-command": (["stats"], UTF8),
    "error-no-option": (["status", "--jsn"], UTF8),
}
WIDE = {
    "status-home-80": (["status", "garage", "carport", "rod"], 80),
    "status-wide": (["status"], 160),
    "status-80": (["status"], 80),
    "why-60": (["why", "bike-1"], 60),
}
WIDE["status-home-80"] = (["status", "garage", "carport", "rod"], 80)
WIDE["discover-80"] = (["discover"], 80)


def command(folder: Path, words: list[str]) -> list[str]:
    """The command line of chargerctl."""
    return [sys.executable, "-m", "chargerd.ctl", "--socket", str(folder), *words]


def environment(more: dict[str, str]) -> dict[str, str]:
    """Nothing of the caller's that changes the output."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


def piped(name: str, folder: Path) -> str:
    """What a pipe gets, with the exit code and standard error under it."""
    words, more = PIPED[name]
    done = subprocess.run(
        command(folder, words), cwd=ROOT, env=environment(more), capture_output=True, timeout=30, check=False
    )
    parts = [done.stdout.decode(), f"[{done.returncode}]\n", done.stderr.decode()]
    return "".join(parts).replace(str(folder), "/run/chargerd")


def on_terminal(name: str, folder: Path) -> str:
    """What a terminal of a certain width gets, without colour."""
    words, columns = WIDE[name]
    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("4H", 50, columns, 0, 0))
    with subprocess.Popen(
        command(folder, [*words, "--color", "never"]), cwd=ROOT, env=environment(UTF8), stdin=other, stdout=other
    ) as process:
        os.close(other)
        shown = bytearray()
        try:
            while data := os.read(own, 65536):
                shown += data
        except OSError:
            pass  # Linux says EIO when the other end is closed
        os.close(own)
        assert process.wait(30) == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("name", PIPED)
def test_piped_output_is_as_recorded(name: str, folder: Path) -> None:
    """A pipe gets these very bytes."""
    with StandIn(folder):
        assert piped(name, folder) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", WIDE)
def test_terminal_output_is_as_recorded_and_fits(name: str, folder: Path) -> None:
    """A terminal gets these lines, none wider than itself."""
    with StandIn(folder):
        shown = on_terminal(name, folder)
    assert shown == (GOLDEN / f"{name}.txt").read_text()
    assert max(len(line) for line in shown.split("\n")) <= WIDE[name][1]


def test_nothing_else_lies_among_the_recordings() -> None:
    """Every recorded output belongs to a test."""
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {*PIPED, *WIDE}


def _renew() -> None:
    with tempfile.TemporaryDirectory(prefix="ctl") as name, StandIn(Path(name)):
        for case in PIPED:
            (GOLDEN / f"{case}.txt").write_text(piped(case, Path(name)))
        for case in WIDE:
            (GOLDEN / f"{case}.txt").write_text(on_terminal(case, Path(name)))


if __name__ == "__main__":
    _renew()
