"""Run: the real program, as systemd starts it, on a strip that speaks the real protocol. Killed, stopped, reloaded, stalled."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chargerd.drivers.simulated import Socket
from chargerd.model.events import CommandIssued, DaemonStarted, DaemonStopped, LogSetAside, ModeSet
from chargerd.protocol.framing import REPLY_LIMIT, Messages, call
from chargerd.sim import world
from chargerd.sim.wire.kasa import SimulatedStrip
from chargerd.store.reader import open_reader
from tests.patience import WAIT_S

ROOT = Path(__file__).parents[2]
CONFIGURATION = """\
[device.shed]
driver = "kasa"
host = "127.0.0.1"
port = {port}
poll_s = 2
poll_fast_s = 1
max_age_s = 20

[loadpoint.bike]
charger = "shed/battery_1"
vehicle = "rad-48v"
lease_s = 120
"""


class House:
    """A strip, a folder with a configuration, and daemons started over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sockets = {name: Socket(world.load("rad-full"), noise=random.Random(name)) for name in ("battery_1", "lamp")}
        self.skipped_s = 0.0
        self.strip = SimulatedStrip(sockets, now_s=lambda: time.time() + self.skipped_s, host="127.0.0.1", port=0)
        self.strip.start()
        self.child = self.strip.child("battery_1")
        self.config = folder / "chargerd.toml"
        self.config.write_text(CONFIGURATION.format(port=self.strip.port))
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(folder / "notify"))
        self.notices.settimeout(0.2)
        self.heard: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a daemon; its journal goes to a file."""
        self.heard.clear()
        env = {**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify"), "JOURNAL_STREAM": "1:1", **environment}
        command = [sys.executable, "-m", "chargerd", "run", "--config", str(self.config)]
        command += ["--state", str(self.folder / "state"), "--run", str(self.folder / "run")]
        if (self.folder / "secrets").is_dir():
            command += ["--credentials", str(self.folder / "secrets")]
        with (self.folder / "journal").open("ab") as journal:
            process = subprocess.Popen(command, env=env, stderr=journal, cwd=Path(__file__).parents[2])
        self.processes.append(process)
        return process

    def ready(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a daemon and wait until it says that it is ready."""
        process = self.start(**environment)
        self.hear("READY=1")
        return process

    def hear(self, wanted: str, seconds: float = WAIT_S) -> str:
        """Wait for a notice to the service manager that contains this."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [notice for notice in self.heard if wanted in notice]
            if found:
                return found[-1]
            self.listen()
        raise AssertionError(f"{wanted} was not heard, but {self.heard[-5:]}\n{self.journal()}")

    def listen(self) -> None:
        """Take in one notice, if there is one."""
        try:
            self.heard.append(self.notices.recv(65536).decode())
        except TimeoutError:
            return

    def until(self, condition: Any, seconds: float = WAIT_S) -> None:
        """Wait until something holds; notices are taken in meanwhile."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.journal()
            self.listen()

    def ask(self, method: str, where: str = "control", **parameters: Any) -> dict[str, Any]:
        """Ask over a socket; the reply, or the error."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(str(self.folder / "run" / where))
            client.sendall(call(method, parameters))
            messages = Messages(REPLY_LIMIT)
            while (message := messages.next()) is None:
                data = client.recv(65536)
                assert data, "the connection was cut"
                messages.feed(data)
        return message

    def on(self) -> bool:
        """Whether the bike's socket is on, on the device's side."""
        return self.strip.is_on(self.child)

    def journal(self) -> str:
        """What the daemons have said."""
        return (self.folder / "journal").read_text()

    def events(self) -> list[Any]:
        """Every event of the log."""
        with open_reader(self.folder / "state" / "log.db") as log:
            return list(log.read())

    def ask_log_length(self) -> int:
        """How many events the log has, asked of the file and not of the daemon."""
        with open_reader(self.folder / "state" / "log.db") as log:
            return log.last_seq

    def close(self) -> None:
        """End what was started here."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(60)
        self.strip.stop()
        self.notices.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house of its own for each test."""
    made = House(tmp_path)
    yield made
    made.close()


def test_kill_in_mid_charge_the_plug_turns_itself_off_within_its_lease(house):
    """S0-33: kill -9 of the real daemon; two minutes later on the plug's clock the socket is off, nobody having asked."""
    process = house.ready()
    assert "error" not in house.ask("SetMode", name="bike", mode="fast")
    house.until(house.on)
    process.kill()
    process.wait(60)
    house.skipped_s = 121
    assert not house.on()
    assert house.strip.switchings[-1].cause == "countdown"


def test_restart_after_kill_goes_on_without_a_click(house):
    """Ready in a start's time after the death, the session goes on, the relay does not move."""
    begun = time.monotonic()
    process = house.ready()
    first_s = time.monotonic() - begun
    house.ask("SetMode", name="bike", mode="fast")
    house.until(house.on)
    house.until(lambda: house.ask("GetStatus", "monitor")["parameters"]["loadpoints"][0]["state"] == "charging")
    process.kill()
    process.wait(60)
    begun = time.monotonic()
    house.ready()
    assert time.monotonic() - begun < 5 * first_s + 1
    house.hear("bike charging")
    assert [switching.on for switching in house.strip.switchings] == [True]
    (started,) = [event for event in house.events() if isinstance(event.body, ModeSet)]
    assert started.body.by


def test_stop_shortens_the_lease_and_says_so(house):
    """SIGTERM: STOPPING, the plug's timer at 120 s or less, DaemonStopped as the last fact, exit status 0."""
    house.config.write_text(house.config.read_text().replace("lease_s = 120", "lease_s = 900"))
    process = house.ready()
    house.ask("SetMode", name="bike", mode="fast")
    house.until(house.on)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    house.hear("STOPPING=1")
    assert house.on()
    last = [event.body for event in house.events() if isinstance(event.body, CommandIssued | DaemonStopped)]
    assert isinstance(last[-1], DaemonStopped)
    assert last[-2].command.lease_s == 120
    house.skipped_s = 121
    assert not house.on()


def test_reload_with_a_bad_file_keeps_the_old_configuration(house):
    """SIGHUP: RELOADING then READY; the mistake is named with its line, charging goes on as configured before."""
    process = house.ready()
    good = house.config.read_text()
    house.config.write_text(good + "max_curent_a = 3\n")
    house.heard.clear()
    process.send_signal(signal.SIGHUP)
    house.hear("RELOADING=1")
    house.hear("READY=1")
    assert f"chargerd.toml:{good.count(chr(10)) + 1}" in house.journal()
    assert house.ask("GetStatus", "monitor")["parameters"]["loadpoints"][0]["name"] == "bike"
    house.config.write_text(good.replace("loadpoint.bike", "loadpoint.cargo-bike"))
    house.heard.clear()
    process.send_signal(signal.SIGHUP)
    house.hear("READY=1")
    assert house.ask("GetStatus", "monitor")["parameters"]["loadpoints"][0]["name"] == "cargo-bike"


def test_reload_changes_how_much_is_said(house):
    """S2-52: the level of the file counts from the reload on, in both directions."""
    process = house.ready()
    good = house.config.read_text()
    for level, told in (("warning", False), ("info", True)):
        house.config.write_text(good + f'[journal]\nlevel = "{level}"\n')
        before = house.journal().count("configuration read again")
        house.heard.clear()
        process.send_signal(signal.SIGHUP)
        house.hear("READY=1")
        assert (house.journal().count("configuration read again") > before) is told


def test_first_start_with_a_bad_file_is_refused(house):
    """S0-19: exit status 78, which the unit does not restart after, and one entry that names file, line and key."""
    house.config.write_text(house.config.read_text() + 'targett = "full"\n')
    assert house.start().wait(60) == 78
    assert "targett" in house.journal()
    assert "Did you mean target?" in house.journal()
    assert not (house.folder / "run" / "control").exists()
    check = [sys.executable, "-m", "chargerd", "check", "--config", str(house.config)]
    found = subprocess.run(check, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert found.returncode == 6
    assert "targett" in found.stdout


def test_second_daemon_on_one_log_is_refused(house):
    """Fault 19: the second says so and ends; the first goes on."""
    first = house.ready()
    assert house.start().wait(60) == 1
    assert "another chargerd" in house.journal()
    assert first.poll() is None


def test_damaged_log_is_put_aside_and_named(house):
    """Fault 6: the header overwritten: the file is kept, a new log begins, and that is an alarm, never silent."""
    process = house.ready()
    house.until(lambda: len(house.events()) > 5)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    log = house.folder / "state" / "log.db"
    log.write_bytes(b"garbage" * 20 + log.read_bytes()[140:])
    house.ready()
    kept = [path for path in (house.folder / "state").iterdir() if path.name.startswith("log.damaged")]
    assert kept
    assert "<3>log: damaged" in house.journal()
    assert any(isinstance(event.body, LogSetAside) for event in house.events())
    problems = house.ask("GetStatus", "monitor")["parameters"]["problems"]
    assert [problem["code"] for problem in problems] == ["log-damaged"]


def test_log_of_a_newer_version_is_left_alone(house):
    """Fault 7: exit status 78 and the file untouched."""
    process = house.ready()
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    import sqlite3

    log = house.folder / "state" / "log.db"
    with sqlite3.connect(log) as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()
    before = log.read_bytes()
    assert house.start().wait(60) == 78
    assert log.read_bytes() == before


def test_watchdog_is_fed_by_finished_cycles_only(house):
    """A daemon whose loop works feeds the watchdog; one that is stopped in its tracks does not."""
    process = house.ready(WATCHDOG_USEC="1500000")
    house.heard.clear()
    house.hear("WATCHDOG=1")
    process.send_signal(signal.SIGSTOP)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        house.listen()
    house.heard.clear()
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        house.listen()
    assert not any("WATCHDOG" in notice for notice in house.heard)
    process.send_signal(signal.SIGCONT)
    house.hear("WATCHDOG=1")


def test_full_disk_is_told_and_heals(house):
    """Fault 4, 5: a folder that cannot be written: STATUS says so, requests are refused, and it heals by itself."""
    small = house.folder / "state"
    small.mkdir()
    process = house.ready()
    limit = shutil.which("prlimit")
    assert limit, "util-linux is part of every Debian"
    house.until((small / "log.db-wal").exists)
    size = (small / "log.db-wal").stat().st_size
    subprocess.run([limit, f"--pid={process.pid}", f"--fsize={size}:unlimited"], check=True)
    house.hear("NOT RECORDING", 60)
    refused = house.ask("SetMode", name="bike", mode="fast")
    assert refused["error"].endswith("NotRecorded")
    assert not house.on()
    subprocess.run([limit, f"--pid={process.pid}", "--fsize=unlimited:unlimited"], check=True)
    house.until(lambda: "error" not in house.ask("SetMode", name="bike", mode="fast"))
    house.until(house.on)
    assert "log: writable again" in house.journal()


def test_full_disk_does_not_keep_a_person_from_stopping_a_charge(house):
    """While nothing can be recorded a charge is stopped all the same, stays stopped, and is in the log when there is room."""
    process = house.ready()
    house.ask("SetMode", name="bike", mode="fast")
    house.until(house.on)
    limit = shutil.which("prlimit")
    assert limit, "util-linux is part of every Debian"
    size = (house.folder / "state" / "log.db-wal").stat().st_size
    subprocess.run([limit, f"--pid={process.pid}", f"--fsize={size}:unlimited"], check=True)
    house.hear("NOT RECORDING", 60)
    stopped = house.ask("SetMode", name="bike", mode="off")["parameters"]
    assert stopped["changed"]
    assert "recorded when it can" in " ".join(stopped["notes"])
    house.until(lambda: not house.on())
    subprocess.run([limit, f"--pid={process.pid}", "--fsize=unlimited:unlimited"], check=True)
    house.until(lambda: "log: writable again" in house.journal())
    house.until(lambda: [e.body.mode for e in house.events() if isinstance(e.body, ModeSet)] == ["fast", "off"])
    assert not house.on()


def test_asking_again_with_the_same_id_does_it_once(house):
    """A client that lost the answer asks again; the log has one request."""
    house.ready()
    first = house.ask("SetTarget", name="bike", target="full", once=True, request="a1")["parameters"]
    again = house.ask("SetTarget", name="bike", target="full", once=True, request="a1")["parameters"]
    assert first["changed"]
    assert not again["changed"]
    assert again["seq"] == first["seq"]


def test_other_sockets_of_the_strip_are_never_touched(house):
    """S0-02, S0-03: over a start, a charge and a stop, the lamp's socket sees no command."""
    process = house.ready()
    house.ask("SetMode", name="bike", mode="fast")
    house.until(house.on)
    house.ask("SetMode", name="bike", mode="off")
    house.until(lambda: house.on() is False)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert {switching.child for switching in house.strip.switchings} == {house.child}


def test_reading_a_device_on_request_goes_through_the_log(house):
    """`chargerctl device read shed`: what it says now, as an event like any other."""
    house.ready()
    reply = house.ask("ReadDevice", name="shed")["parameters"]
    assert reply["readings"][0]["address"] == "shed/battery_1"
    assert reply["readings"][0]["values"]["enabled"] is False
    assert house.ask("ReadDevice", name="shedd")["error"].endswith("NoSuchDevice")


def test_plugs_are_found_while_the_daemon_runs(house):
    """S0-01 with the real programs: chargerctl lists the strip with its sockets, and what they are configured as."""
    house.config.write_text(f'{house.config.read_text()}\n[discovery]\nnetworks = ["127.0.0.1:{house.strip.port}"]\n')
    house.ready()
    command = [sys.executable, "-m", "chargerd.ctl", "--socket", str(house.folder / "run"), "discover", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT, check=True)
    (found,) = json.loads(done.stdout)["plugs"]
    assert (found["model"], found["device"], found["has_meter"]) == ("HS300", "shed", True)
    assert [(socket["alias"], socket["loadpoint"]) for socket in found["sockets"]] == [
        ("battery_1", "bike"),
        ("lamp", None),
    ]
    assert "search" not in house.journal()


def test_a_timer_that_was_seen_to_fire_is_proven_from_then_on(house):
    """device test with the real programs: recorded before it is switched, off by its own timer, told by failsafe."""
    house.ready()
    house.until(lambda: house.ask("GetStatus")["parameters"]["loadpoints"][0]["enabled"] is False)
    control = [sys.executable, "-m", "chargerd.ctl", "--socket", str(house.folder / "run")]
    done = subprocess.run(
        [*control, "device", "test", "bike", "--yes", "--json"],
        capture_output=True, text=True, timeout=60, cwd=ROOT, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (told["result"], told["address"]) == ("proven", "shed/battery_1")
    assert 14 <= told["off_after_s"] <= 18
    assert [(move.on, move.cause) for move in house.strip.switchings] == [(True, "client"), (False, "countdown")]
    (charger,) = house.ask("GetFailsafe")["parameters"]["chargers"]
    assert (charger["lease"], charger["tested_at"] is not None) == ("proven", True)
    assert house.ask("GetStatus")["parameters"]["loadpoints"][0]["mode"] == "off"
    shown = subprocess.run([*control, "failsafe"], capture_output=True, text=True, timeout=30, cwd=ROOT, check=True)
    assert f"proven on {charger['tested_local'][:10]}" in shown.stdout
    assert "error" in house.ask("TestDevice", name="attic")


def test_a_device_is_recorded_while_it_is_watched(house):
    """By its own worker, so that a weak device has one connection; the names of the home are not in it."""
    house.ready()
    told = house.ask("RecordDevice", name="shed")["parameters"]
    assert told["file"] == "HS300_1.0_1.0.21.json"
    assert list(told["recording"]["answers"]) == ["", "00", "01"]
    assert "battery_1" not in json.dumps(told)
    assert house.ask("RecordDevice", name="attic")["error"].endswith("NoSuchDevice")
    assert house.strip.switchings == []


def test_rehearsal_over_the_socket_sends_nothing(house):
    """S0-30: with dry_run the commands are listed and the device sees none."""
    house.ready()
    house.hear("idle")
    reply = house.ask("SetMode", name="bike", mode="fast", dry_run=True)["parameters"]
    assert [command["device"] for command in reply["commands"]] == ["shed/battery_1"]
    assert house.strip.switchings == []
    assert any(isinstance(event.body, DaemonStarted) for event in house.events())


def test_starts_while_no_device_answers_and_says_so(house):
    """Fault 16, wish 11: ready without any device; when the strip comes up, it is watched."""
    port = house.strip.port
    house.strip.stop()
    house.ready()
    assert house.hear("STATUS=")
    house.until(lambda: house.ask("GetStatus", "monitor")["parameters"]["loadpoints"][0]["reachable"] is False)
    assert house.ask("SetMode", name="bike", mode="fast")["parameters"]["changed"]
    sockets = {name: Socket(world.load("rad-full"), noise=random.Random(name)) for name in ("battery_1", "lamp")}
    house.strip = SimulatedStrip(sockets, now_s=time.time, host="127.0.0.1", port=port)
    house.child = house.strip.child("battery_1")
    house.strip.start()
    house.until(house.on)


def test_journal_that_is_gone_costs_nothing(house):
    """Fault 8: whoever read our journal has died; charging, answers and the log go on."""
    process = house.ready()
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    env = {**os.environ, "NOTIFY_SOCKET": str(house.folder / "notify"), "JOURNAL_STREAM": "1:1"}
    command = [sys.executable, "-m", "chargerd", "run", "--config", str(house.config)]
    command += ["--state", str(house.folder / "state"), "--run", str(house.folder / "run")]
    house.heard.clear()
    orphan = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2])
    house.processes.append(orphan)
    assert orphan.stderr is not None
    orphan.stderr.close()
    house.hear("READY=1")
    assert house.ask("SetMode", name="bike", mode="fast")["parameters"]["changed"]
    house.until(house.on)
    assert orphan.poll() is None


def test_descriptors_used_up_do_not_stop_the_watch(house):
    """Fault 13: no descriptor left for clients; the loop goes on, and answers come back when they are free again."""
    process = house.ready()
    house.ask("SetMode", name="bike", mode="fast")
    house.until(house.on)
    used = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
    limit = shutil.which("prlimit")
    assert limit, "util-linux is part of every Debian"
    subprocess.run([limit, f"--pid={process.pid}", f"--nofile={used + 4}:{used + 4}"], check=True)
    clients = []
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(str(house.folder / "run" / "monitor"))
        clients.append(client)
    house.heard.clear()
    before = house.ask_log_length()
    house.until(lambda: house.ask_log_length() > before + 3)
    for client in clients:
        client.close()
    house.until(lambda: house.ask("GetStatus", "monitor")["parameters"]["loadpoints"][0]["state"] == "charging")
    assert process.poll() is None


def test_loadpoint_that_is_taken_out_of_the_configuration_is_switched_off(house):
    """SIGHUP with a file that no longer names the bike: its plug is not left on unwatched."""
    process = house.ready()
    house.ask("SetMode", name="bike", mode="fast")
    house.until(house.on)
    good = house.config.read_text()
    house.config.write_text(good.replace("loadpoint.bike", "loadpoint.light").replace("battery_1", "lamp"))
    process.send_signal(signal.SIGHUP)
    house.until(lambda: house.on() is False)
    assert process.poll() is None
