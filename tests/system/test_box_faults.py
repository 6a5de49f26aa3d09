"""What happens to the installed service, and what the plug then does: hang, kill, stop, power cut, full disk, no memory."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from chargerd.drivers.simulated import Socket, Steady
from chargerd.sim.wire.kasa import SimulatedStrip
from tests.system.boxes import CONFIGURATION, Box

pytestmark = pytest.mark.system

WATCHDOG_S = 20
HOG = """
import os, time
open("/proc/self/oom_score_adj", "w").write("-900")
held = []
while os.path.exists("/proc/PID"):
    held.append(bytearray(8_000_000))
    time.sleep(0.01)
"""


def _began_once(box: Box) -> bool:
    """One session, and one click of the relay, however often the daemon began anew."""
    sessions = json.loads(box.sh("chargerctl sessions --json"))["sessions"]
    return len(sessions) == 1 and [on for _, on, _ in box.plug()["switchings"]] == [True]


def _back(box: Box, before: str) -> None:
    """The service is up again as another process, and the charge goes on."""
    box.until(lambda: box.shows("MainPID") not in (before, "0") and box.shows("ActiveState") == "active")
    box.until(lambda: box.bike()["state"] == "charging")


def test_charge_survives_a_hang_and_a_kill_and_ends_at_its_cut_off(home: Box):
    """S1-41, S3-17: the watchdog ends a hang, kill -9 is mended, no relay clicks; two minutes on, the cut-off."""
    pid = home.shows("MainPID")
    begun = time.monotonic()
    home.sh(f"kill -STOP {pid}")
    home.until(lambda: home.shows("Result") == "watchdog" or home.shows("NRestarts") == "1", 3 * WATCHDOG_S)
    assert time.monotonic() - begun > 5
    _back(home, pid)
    assert "Watchdog timeout" in home.said()
    pid = home.shows("MainPID")
    home.sh(f"kill -KILL {pid}")
    _back(home, pid)
    assert home.shows("NRestarts") == "2"
    assert _began_once(home)
    assert "has given up" not in home.said()
    home.plug(draw_w=700)
    home.until(lambda: not home.plug()["on"], 150)
    assert [(on, cause) for _, on, cause in home.plug()["switchings"]] == [(True, "client"), (False, "client")]
    (session,) = json.loads(home.sh("chargerctl sessions --json"))["sessions"]
    assert session["outcome"] == "finished"


def test_stopped_it_leaves_a_plug_with_a_timer_to_that_timer(home: Box):
    """S0-33, SIGTERM: on the plug a countdown of at most two minutes is left, and it switches off; exit in order."""
    home.sh("systemctl stop chargerd")
    assert (home.shows("Result"), home.shows("ExecMainStatus")) == ("success", "0")
    plug = home.plug()
    assert plug["on"]
    assert 0 < plug["timer_s"] <= 120
    plug = home.plug(skip_s=121)
    assert not plug["on"]
    assert plug["switchings"][-1][2] == "countdown"


@pytest.mark.parametrize("on_stop", ["off", "leave"])
def test_stopped_it_leaves_a_plug_without_a_timer_as_configured(box: Box, on_stop: str):
    """S0-33: such a plug is switched off before the end, or left on if that is what the configuration says."""
    box.start_plug()
    box.plug(behave={"no_timer": True})
    box.configure(CONFIGURATION + f'on_stop = "{on_stop}"\n')
    box.until(lambda: box.bike()["reachable"])
    box.sh("chargerctl mode bike fast")
    box.until(lambda: box.plug()["on"] and box.bike()["state"] == "charging")
    box.sh("systemctl stop chargerd")
    assert box.plug()["on"] is (on_stop == "leave")
    assert "switch off by hand" not in box.said()  # it waited until the plug had said that it is off


@pytest.mark.parametrize("cut", [True, False], ids=["power-cut", "reboot"])
def test_charge_goes_on_after_a_boot_without_a_click(suite: str, package: Path, cut: bool):
    """S2-55: the plug is elsewhere and stays on by its timer; session, mode and log are as before."""
    strip = SimulatedStrip({"bike": Socket(Steady(1500.0), noise=random.Random(1))}, now_s=time.time)
    strip.start()
    try:
        with Box(suite, package, boots=2, net="host") as box:
            box.install()
            box.configure(CONFIGURATION.replace('"127.0.0.1"', f'"127.0.0.1"\nport = {strip.port}'))
            box.until(lambda: box.bike()["reachable"])
            box.sh("chargerctl mode bike fast")
            box.until(lambda: box.bike()["state"] == "charging")
            box.again(cut=cut)
            if not cut:
                timer = strip.timer("bike")
                assert timer is not None
                assert timer.due_s - time.time() <= 120
            box.until(lambda: box.shows("ActiveState") == "active")
            box.until(lambda: box.bike()["state"] == "charging")
            assert len(json.loads(box.sh("chargerctl sessions --json"))["sessions"]) == 1
            assert [(switching.on, switching.cause) for switching in strip.switchings] == [(True, "client")]
    finally:
        strip.stop()


def test_full_disk_is_told_and_heals_by_itself(box: Box):
    """Fault 4: nothing new is taken on, a charge can be stopped, status and journal say so; no restart."""
    box.sh(
        "systemctl stop chargerd && rm -r /var/lib/chargerd && mkdir /var/lib/chargerd"
        " && mount -t tmpfs -o size=4M,mode=750 none /var/lib/chargerd && chown chargerd: /var/lib/chargerd"
        " && systemctl start chargerd"
    )
    box.charging()
    box.sh("cat /dev/zero > /var/lib/chargerd/fill", status=1)
    box.until(lambda: box.shows("StatusText").startswith("NOT RECORDING"))
    assert "the log cannot be written" in box.sh("chargerctl set bike max_h=3 2>&1", status=1)
    assert box.plug()["on"]
    box.sh("chargerctl mode bike off")
    box.until(lambda: not box.plug()["on"])
    assert "the log cannot be written" in box.sh("chargerctl mode bike fast 2>&1", status=1)
    assert box.shows("NRestarts") == "0"
    box.sh("rm /var/lib/chargerd/fill")
    box.until(lambda: "NOT RECORDING" not in box.shows("StatusText"), 40)
    assert "bike: off  by=root" in box.said()
    box.sh("chargerctl mode bike fast")
    box.until(lambda: box.plug()["on"])


REFUSALS = {  # what refuses, and what puts it right; the service sees mounts through copies of its own, as they were at its start
    "full": ("cat /dev/zero > fill; test -s fill", "rm fill"),
    "read-only disk": ("mount -o remount,ro .", "mount -o remount,rw . && nsenter -t PID -m mount -o remount,rw $PWD"),
    "read-only files": ("chmod a-w log.db*", "chmod u+w log.db*"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_started_while_nothing_can_be_recorded_it_watches_and_may_be_told_to_stop(box: Box, refusal: str):
    """Fault 4 at a start, after an orderly end: READY, told in STATUS and status, off is obeyed, nothing is switched on.

    When there is room again it records, without a restart.
    """
    state = "/var/lib/chargerd"
    box.sh(
        f"systemctl stop chargerd && rm -r {state} && mkdir {state}"
        f" && mount -t tmpfs -o size=2M,mode=750 none {state} && chown chargerd: {state} && systemctl start chargerd"
    )
    box.charging()
    box.sh("systemctl stop chargerd")
    refuse, relent = REFUSALS[refusal]
    box.sh(f"cd {state} && {refuse}")
    box.sh("systemctl start chargerd")
    box.until(lambda: box.shows("StatusText").startswith("NOT RECORDING"))
    assert [problem["code"] for problem in box.status()["problems"]] == ["not-recorded"]
    box.until(lambda: box.bike()["state"] == "charging")
    assert [on for _, on, _ in box.plug()["switchings"]] == [True]
    assert "fast by root" in box.sh("chargerctl log bike")
    box.sh("chargerctl mode bike off")
    box.until(lambda: not box.plug()["on"])
    assert "the log cannot be written" in box.sh("chargerctl mode bike fast 2>&1", status=1)
    box.sh(f"cd {state} && {relent.replace('PID', box.shows('MainPID'))}")
    box.until(lambda: "NOT RECORDING" not in box.shows("StatusText"), 40)
    assert box.status()["problems"] == []
    assert (box.shows("NRestarts"), box.shows("ActiveState")) == ("0", "active")
    assert "log: writable again" in box.said()
    box.sh("chargerctl mode bike fast")
    box.until(lambda: box.plug()["on"])
    assert "intact" in box.sh("chargerctl verify 2>&1")


def test_after_a_death_the_plug_is_told_once_more_and_the_journal_can_be_searched(box: Box):
    """S0-33, S0-29: killed for good, the timer in the plug is short at once; entries are found by their loadpoint."""
    box.charging()
    box.sh("systemctl mask --runtime --now chargerd-gave-up.service; mkdir -p /run/systemd/system/chargerd.service.d")
    box.sh(
        "printf '[Service]\\nRestart=no\\n' > /run/systemd/system/chargerd.service.d/no.conf && systemctl daemon-reload"
    )
    box.sh(f"kill -KILL {box.shows('MainPID')}")
    box.until(lambda: box.shows("ActiveState") == "failed")
    assert "bike: chargerd has died; its timer ends it in 120 s" in box.said()
    assert 0 < box.plug()["timer_s"] <= 120
    found = box.sh("journalctl CHARGERD_LOADPOINT=bike CHARGERD_EVENT=CommandIssued -o json -n 1")
    entry = json.loads(found)
    assert entry["CHARGERD_DEVICE"] == "shed"
    assert entry["_SYSTEMD_UNIT"] == "chargerd.service"
    assert entry["PRIORITY"] == "5"


def test_out_of_memory_it_comes_back(suite: str, package: Path):
    """S0-33: the kernel kills it for memory; the plug stays under its timer, and the charge goes on."""
    with Box(suite, package, options=("--memory", "400M")) as box:
        box.install()
        drop_in = "[Service]\\nOOMScoreAdjust=1000\\n"
        box.sh("mkdir -p /etc/systemd/system/chargerd.service.d")
        box.sh(f"printf '{drop_in}' > /etc/systemd/system/chargerd.service.d/first.conf && systemctl daemon-reload")
        box.sh("systemctl restart chargerd")
        box.charging()
        pid = box.shows("MainPID")
        box.run("/usr/bin/python3", "-c", HOG.replace("PID", pid))
        _back(box, pid)
        assert int(box.shows("NRestarts")) >= 1  # while memory is short it may be killed once more
        assert _began_once(box)


def test_given_up_is_one_critical_line_and_a_restart_is_none(box: Box):
    """A kill that is mended writes no alarm; a daemon that cannot start twenty times writes one, in its own journal."""
    box.sh(f"kill -KILL {box.shows('MainPID')}")
    box.until(lambda: box.shows("NRestarts") == "1" and box.shows("ActiveState") == "active")
    assert "has given up" not in box.said("--priority=crit")
    drop_in = "[Service]\\nRestartSec=300ms\\n"
    box.sh("mkdir -p /etc/systemd/system/chargerd.service.d")
    box.sh(f"printf '{drop_in}' > /etc/systemd/system/chargerd.service.d/fast.conf && systemctl daemon-reload")
    box.sh("systemctl stop chargerd && rm -r /run/chargerd; chmod 000 /usr/lib/chargerd/vendor/msgspec")
    box.sh("systemctl start chargerd", status=1)
    box.until(lambda: box.shows("ActiveState") == "failed", 60)
    box.until(lambda: "has given up" in box.said("--priority=crit"))
    assert box.said("--priority=crit").count("has given up") == 1
