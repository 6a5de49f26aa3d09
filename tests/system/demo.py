"""Demo check: runs the demo as the README says, asks it as the README says, ends it as the README says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 240


def ask(*words: str) -> str:
    """What chargerctl prints."""
    command = [".venv/bin/chargerctl", "--socket", ".demo/run", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout


def children(pid: int) -> list[int]:
    """Processes below one."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found] + [below for child in found for below in children(int(child))]


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background programs would inherit "ignored"
    environment = {**os.environ, "DEMO_SPEED": "300"}
    demo = subprocess.Popen(["make", "--silent", "demo"], cwd=ROOT, env=environment, start_new_session=True)
    try:
        end = time.monotonic() + WITHIN_S
        while not (ROOT / ".demo" / "run" / "control").exists():
            assert demo.poll() is None, "the demo has ended"
            assert time.monotonic() < end, "the demo does not start"
            time.sleep(0.2)
        print(ask())
        outcomes: dict[str, str] = {}
        while set(outcomes.values()) != {"finished", "time-limit"} or len(outcomes) < 4:
            assert time.monotonic() < end, f"charging takes too long: {outcomes}"
            time.sleep(2)
            sessions = json.loads(ask("--json", "sessions"))["sessions"]
            outcomes = {session["loadpoint"]: session["outcome"] for session in sessions if session["outcome"]}
        print(ask("sessions"))
        garage: dict[str, float] = {}
        while not garage.get("power_w") or not garage.get("solar"):
            assert time.monotonic() < end, f"the car has not charged with the sun: {garage}"
            time.sleep(2)
            (point,) = json.loads(ask("--json", "status", "garage"))["loadpoints"]
            garage = {"power_w": point["power_w"], "solar": point["session"] and point["session"]["solar_wh"]}
        print(ask())
        print(ask("why", "old-charger"))
        below = children(demo.pid)
        assert below, "make has started nothing"
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(30)
        left = [pid for pid in below if Path(f"/proc/{pid}").exists()]
        assert not left, f"still running: {left}"
        print(f"demo: four sessions ended as they should, and the car charges with the sun: {outcomes}, {garage}")
        return 0
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.wait(60)


if __name__ == "__main__":
    sys.exit(main())
