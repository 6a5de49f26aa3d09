"""Failsafe: after the daemon has died, plugs are told once more, by a program that needs nothing but Python."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from chargerd.daemon.lastwill import NAME, LastWill, tasks
from chargerd.drivers.kasa import last_will
from chargerd.drivers.simulated import Socket
from chargerd.engine.evolve import fold
from chargerd.model.commands import SetCurrent, SetEnabled
from chargerd.model.events import (
    ChargerRead,
    CommandDone,
    CommandIssued,
    ConfigLoaded,
    DeviceAdded,
    Event,
    HoldSet,
    ModeSet,
    Reason,
)
from chargerd.model.state import Site
from chargerd.sim import world
from chargerd.sim.wire.kasa import SimulatedStrip
from tests.daemon.test_run import House
from tests.house import configuration, loadpoint
from tests.house_sun import BOX, believed, evse, evse_read, home, then
from tests.patience import WAIT_S, within

PROGRAM = Path(__file__).parents[1] / "chargerd" / "failsafe.py"


def carried_out(folder: Path, result: str = "signal") -> subprocess.CompletedProcess[str]:
    """The program, as systemd runs it after the daemon's end."""
    environment = {"RUNTIME_DIRECTORY": str(folder), "SERVICE_RESULT": result, "PATH": os.environ["PATH"]}
    command = [sys.executable, "-IS", str(PROGRAM)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=True)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The strip and the daemon of test_run."""
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture
def strip() -> Iterator[SimulatedStrip]:
    """Two sockets that are on."""
    sockets = {name: Socket(world.load("rad-full"), noise=random.Random(name)) for name in ("a", "b")}
    strip = SimulatedStrip(sockets, now_s=time.time, host="127.0.0.1", port=0)
    strip.start()
    for name in sockets:
        strip.press(strip.child(name))
    yield strip
    strip.stop()


def site(at: str, *, lease: str = "unproven", child: str = "", **settings: object) -> Site:
    """A loadpoint whose plug was switched on by us."""
    facts: list[tuple[str, Any]] = [
        ("daemon", ConfigLoaded(configuration(loadpoint("a", **settings)))),
        ("shed", DeviceAdded("kasa", channels={"a": child}, lease=lease, switch_at=at)),
        ("shed", ChargerRead("a", False, 0.0)),
        ("anna", ModeSet("a", "fast", "anna")),
        ("engine", CommandIssued("a", SetEnabled("shed/a", True, 900), Reason("switching-on"))),
        ("shed", CommandDone(5)),
        ("shed", ChargerRead("a", True, 100.0, lease_s=900, timer="ours")),
    ]
    return fold(Site(), [Event(n, 1000 * n, 1000 * n, 1, source, body) for n, (source, body) in enumerate(facts, 1)])


def will(folder: Path, of: Site) -> None:
    """The file as the daemon keeps it."""
    LastWill(folder).keep(of)


def test_a_killed_daemon_leaves_a_short_timer_in_the_plug(house):
    """S0-33: killed in mid-charge, the plug is told to end in 120 s; after an orderly end nothing is told."""
    house.config.write_text(house.config.read_text().replace("lease_s = 120", "lease_s = 900"))
    daemon = house.ready()
    house.ask("SetMode", name="bike", mode="fast")
    house.until(lambda: house.on() and tasks_in(house.folder / "run"))
    daemon.send_signal(signal.SIGKILL)
    daemon.wait(timeout=WAIT_S)
    assert carried_out(house.folder / "run", "success").stderr == ""
    assert house.strip.timer(house.child).delay_s == 900
    done = carried_out(house.folder / "run")
    assert done.stderr == "<5>bike: chargerd has died; its timer ends it in 120 s\n"
    assert house.strip.timer(house.child).delay_s == 120
    house.skipped_s = 121
    assert not house.on()


def tasks_in(folder: Path) -> list[dict[str, Any]]:
    """What the file of a running daemon says."""
    found: list[dict[str, Any]] = json.loads((folder / NAME).read_text("utf-8"))["tasks"]
    return found


def test_a_plug_with_a_timer_gets_a_short_one(strip, tmp_path):
    """The rule is in the plug, under our name, for 120 s; the other socket is not touched."""
    child = strip.child("a")
    will(tmp_path, site(f"127.0.0.1:{strip.port}", child=f"MAC_{child}"))
    assert "its timer ends it in 120 s" in carried_out(tmp_path).stderr
    timer = strip.timer(child)
    assert timer is not None
    assert (timer.delay_s, timer.name) == (120, "chargerd")
    assert strip.timer(strip.child("b")) is None


def test_a_plug_without_a_timer_is_switched_off_and_looked_at(strip, tmp_path):
    """Off on the device's side, the other socket on as before."""
    child = strip.child("a")
    will(tmp_path, site(f"127.0.0.1:{strip.port}", lease="none", child=f"MAC_{child}"))
    assert carried_out(tmp_path).stderr == "<5>a: chargerd has died; switched off\n"
    assert strip.is_on(child) is False
    assert strip.is_on(strip.child("b")) is True


def test_what_is_not_ours_to_switch_is_left_alone():
    """Held by a person, told to be left on, ended by somebody else's timer, or off: no task."""
    on = site("127.0.0.1:9", lease="none")
    assert len(tasks(on)) == 1
    held = fold(on, [Event(8, 9000, 9000, 1, "ben", HoldSet("ben"))])
    assert tasks(held) == []
    assert tasks(site("127.0.0.1:9", lease="none", on_stop="leave")) == []
    foreign = fold(on, [Event(8, 9000, 9000, 1, "shed", ChargerRead("a", True, 99.0, timer="foreign"))])
    assert tasks(foreign) == []
    off = fold(on, [Event(8, 9000, 9000, 1, "shed", ChargerRead("a", False, 0.0))])
    assert tasks(off) == []


def car_on(**box: object) -> Site:
    """A car that charges with 16 A on an EVSE that keeps a lease."""
    keba = structs.replace(BOX, driver="keba", lease="unproven", lease_max_s=600, **box)
    site = believed(home(evse(mode="fast")), ("garage-box", evse_read(0)), devices=keba)
    told = CommandIssued("garage", SetCurrent("garage-box", 16.0, 600), Reason("test"))
    site = then(site, 1, ("engine", told))
    return then(site, 2, ("garage-box", CommandDone(site.seq)), ("garage-box", evse_read(16)))


@pytest.mark.parametrize(
    ("falls_to_a", "said"),
    [
        (0.0, "its timer ends it within 600 s"),
        (6.0, "it falls to 6 A within 600 s and charges on: switch it off by hand"),
    ],
)
def test_what_becomes_of_a_car_is_said_as_it_is(tmp_path, falls_to_a, said):
    """Nobody can tell an EVSE anything then; one that only falls to 6 A is not said to end."""
    will(tmp_path, car_on(lease_current_a=falls_to_a))
    assert carried_out(tmp_path).stderr == f"<4>garage: chargerd has died; {said}\n"


def test_a_plug_that_wants_a_login_is_left_to_its_timer_and_that_is_said(tmp_path):
    """Nothing is sent; the line says what ends it."""
    will(tmp_path, site(""))
    assert carried_out(tmp_path).stderr == "<4>a: chargerd has died; its timer ends it within 900 s\n"


def test_a_silent_plug_costs_two_seconds_and_is_named(tmp_path):
    """A socket that takes connections and says nothing: the helper ends all the same, with status 0."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        will(tmp_path, site(f"127.0.0.1:{mute.getsockname()[1]}", lease="none"))
        with within(5):
            said = carried_out(tmp_path).stderr
    assert said.startswith("<3>a: chargerd has died and 127.0.0.1 does not answer (timed out); it stays on")


@pytest.mark.parametrize("content", ["", "[]", '{"tasks": 3}', '{"tasks": [{}]}', "\x00"])
def test_a_damaged_will_ends_in_order(tmp_path, content):
    """Whatever is in the file."""
    (tmp_path / NAME).write_text(content)
    carried_out(tmp_path)


def test_no_will_is_no_error(tmp_path):
    """A daemon that never became ready had nothing on."""
    assert carried_out(tmp_path).stderr == ""


def test_the_helper_needs_little():
    """It has to start within the five seconds that a restart waits for it, on a small board."""
    code = f"import json, sys, runpy; runpy.run_path({str(PROGRAM)!r}); print(json.dumps(list(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"asyncio", "kasa", "chargerd", "msgspec", "ssl", "logging"} & set(json.loads(loaded))


def test_the_driver_words_what_the_helper_sends():
    """A single plug has no context."""
    assert last_will("", None) == [{"system": {"set_relay_state": {"state": 0}}}]
    assert last_will("MAC_ID7", 120)[0]["context"] == {"child_ids": ["ID7"]}


def test_a_plug_that_was_told_to_switch_on_and_not_read_since_is_told_too():
    """Killed between the command and the next reading: it may be on."""
    on = site("127.0.0.1:9", lease="none")
    told = fold(on, [Event(8, 9000, 9000, 1, "shed", ChargerRead("a", False, 0.0))])
    again = CommandIssued("a", SetEnabled("shed/a", True), Reason("switching-on"))
    assert len(tasks(fold(told, [Event(9, 9001, 9001, 1, "engine", again)]))) == 1


def test_a_plug_that_answers_a_byte_a_second_is_given_up(tmp_path):
    """The time is for the whole answer, not for each byte of it."""
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def drip() -> None:
            line, _ = slow.accept()
            with line:
                try:
                    for _ in range(20):
                        line.sendall(b"\0")
                        time.sleep(0.9)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        will(tmp_path, site(f"127.0.0.1:{slow.getsockname()[1]}", lease="none"))
        with within(6):
            said = carried_out(tmp_path).stderr
        thread.join(timeout=30)
    assert "it stays on" in said


def test_a_plug_that_takes_the_command_and_stays_on_is_not_called_off(strip, tmp_path):
    """Its relay sticks: it is looked at before anything is said, and a person is told to act."""
    strip.behaviour.deaf_relay = True
    child = strip.child("a")
    will(tmp_path, site(f"127.0.0.1:{strip.port}", lease="none", child=f"MAC_{child}"))
    said = carried_out(tmp_path).stderr
    assert said == "<3>a: chargerd has died and the plug did not switch off; switch it off by hand\n"


def test_a_plug_that_refuses_its_timer_is_not_said_to_have_one(strip, tmp_path):
    """Another firmware since yesterday: what ends the charge is not the short timer, and that is said."""
    strip.behaviour.no_timer = True
    child = strip.child("a")
    will(tmp_path, site(f"127.0.0.1:{strip.port}", child=f"MAC_{child}"))
    said = carried_out(tmp_path).stderr
    assert said.startswith("<3>a: chargerd has died and the plug refused (")
    assert said.endswith("; its timer ends it within 900 s\n")
