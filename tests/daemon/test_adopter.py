"""Adopter: when it looks, what it says, and the running daemon that adopts."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chargerd import drivers
from chargerd.config.load import load
from chargerd.daemon.adopter import Adopter
from chargerd.daemon.discovery import Discovery, Search
from chargerd.drivers.base import Found
from chargerd.drivers.simulated import Socket
from chargerd.model.events import ConfigLoaded
from chargerd.model.state import Site
from chargerd.sim import world
from chargerd.sim.wire.kasa import SimulatedPlug
from chargerd.store.reader import open_reader
from tests.patience import until

ROOT = Path(__file__).parents[2]
EVERYBODY = "127.255.255.255"


class Street:
    """Plugs on loopback, a configuration over them, and the daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "chargerd.toml"
        self.plugs: dict[str, SimulatedPlug] = {}
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def plug(self, alias: str, number: int, model: str = "HS110v2") -> SimulatedPlug:
        """A plug at 127.0.1.NUMBER, with a charger on it that has begun."""
        socket = Socket(world.load("rad-full"), noise=random.Random(alias))
        mac = f"50:C7:BF:00:01:{number:02}"
        made = SimulatedPlug(
            socket, now_s=time.time, alias=alias, model=model, host=f"127.0.1.{number}", port=self.port, mac=mac,
            broadcast=EVERYBODY,
        )  # fmt: skip
        made.start()
        self.port = made.port
        self.plugs[alias] = made
        return made

    def write(self, text: str) -> None:
        """The configuration file: where to look, and ``text``."""
        self.config.write_text(f'[discovery]\nnetworks = ["{EVERYBODY}:{self.port}"]\n{text}')

    def start(self) -> None:
        """Start the daemon and wait for its sockets."""
        command = [sys.executable, "-m", "chargerd", "run", "--config", str(self.config)]
        command += ["--state", str(self.folder / "state"), "--run", str(self.folder / "run")]
        with (self.folder / "journal").open("ab") as journal:
            self.process = subprocess.Popen(
                command, stderr=journal, cwd=ROOT, env={**os.environ, "JOURNAL_STREAM": "1:1"}
            )
        self.until(lambda: self.ctl("failsafe")["chargers"] is not None)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the daemon."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def ctl(self, *words: str) -> dict:
        """What chargerctl answers; nothing as long as it cannot."""
        command = [sys.executable, "-m", "chargerd.ctl", "--socket", str(self.folder / "run"), "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT, check=False)
        return json.loads(done.stdout) if done.stdout else {"chargers": None, "loadpoints": []}

    def points(self) -> dict[str, dict]:
        """The loadpoints in force."""
        return {point["name"]: point for point in self.ctl("status")["loadpoints"]}

    def until(self, condition) -> None:
        """Wait until something holds, with a deadline."""
        until(condition, self.journal, look_s=0.2)

    def journal(self) -> str:
        """What the daemon has said."""
        return (self.folder / "journal").read_text()


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    """Nobody yet."""
    made = Street(tmp_path)
    yield made
    made.stop(signal.SIGKILL)
    for plug in made.plugs.values():
        plug.stop()


def test_plugs_of_the_right_name_become_loadpoints_and_stay_through_a_restart(street: Street):
    """S0-04: battery_a is adopted and charges; mybattery_b is never touched. A restart without the plug still has it.

    The log explains itself, with what was adopted in it.
    """
    first = street.plug("battery_a", 1)
    other = street.plug("mybattery_b", 2)
    street.plug("battery_lamp", 3, "HS100")
    street.write('[adopt]\nprefix = "battery_"\nvehicle = "rad-48v"\n')
    street.start()
    street.until(lambda: street.points().get("battery_a", {}).get("enabled") is False)
    assert list(street.points()) == ["battery_a"]
    assert street.points()["battery_a"]["profile"] == "rad-48v"
    street.ctl("mode", "battery_a", "fast")
    street.until(first.is_on)
    street.ctl("mode", "battery_a", "off")
    street.until(lambda: not first.is_on())
    assert "battery_lamp at 127.0.1.3: a HS100, which has no meter, is not adopted" in street.journal()
    street.stop()
    first.stop()
    street.start()
    assert list(street.points()) == ["battery_a"]
    street.until(lambda: street.points()["battery_a"]["reachable"] is False)
    street.stop()
    assert {request.method for request in other.requests} == {"system.get_sysinfo"}
    verify = [sys.executable, "-m", "chargerd", "verify", "--json", "--state", str(street.folder / "state")]
    verify += ["--run", str(street.folder / "run")]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert json.loads(done.stdout)["intact"], done.stdout
    assert done.returncode == 0
    with open_reader(street.folder / "state" / "log.db") as log:
        by = [event.body.by for event in log.read() if isinstance(event.body, ConfigLoaded)]
    assert by == ["start", "adopt", "start"]


def test_without_the_option_none_is_adopted_and_a_reload_brings_and_takes_it(street: Street):
    """Off by default; after a reload with [adopt] the plug is there, after one without it is gone and off."""
    plug = street.plug("battery_a", 4)
    street.write("")
    street.start()
    assert street.points() == {}
    street.write('[adopt]\nprefix = "battery_"\n')
    assert street.process is not None
    street.process.send_signal(signal.SIGHUP)
    street.until(lambda: street.points().get("battery_a", {}).get("enabled") is False)
    assert {value["source"] for value in street.ctl("configure", "show")["values"][:2]} == {"adopted"}
    street.ctl("mode", "battery_a", "fast")
    street.until(plug.is_on)
    street.write("")
    street.process.send_signal(signal.SIGHUP)
    street.until(lambda: street.points() == {})
    street.until(lambda: not plug.is_on())


def test_a_plug_that_moved_while_nobody_looked_is_found_again(street: Street):
    """The router gave it another address while chargerd was down, and its old one to a heater: the right one is switched."""
    plug = street.plug("charger", 5)
    street.write(
        f'[device.garage]\ndriver = "kasa"\nhost = "127.0.1.5"\nport = {street.port}\n[loadpoint.bike]\ncharger = "garage"\n'
    )
    street.start()
    street.until(lambda: street.points()["bike"]["enabled"] is False)
    street.stop()
    plug.stop()
    heater = SimulatedPlug(
        Socket(world.load("foreign")), now_s=time.time, alias="heater", host="127.0.1.5", port=street.port,
        mac="50:C7:BF:00:01:99", broadcast=EVERYBODY,
    )  # fmt: skip
    heater.start()
    street.plugs["heater"] = heater
    socket = Socket(world.load("rad-full"), noise=random.Random("moved"))
    moved = SimulatedPlug(
        socket, now_s=time.time, alias="charger", host="127.0.1.6", port=street.port, mac=plug.mac, broadcast=EVERYBODY
    )
    moved.start()
    street.plugs["moved"] = moved
    street.start()
    street.until(lambda: street.points()["bike"]["reachable"] is True)
    street.ctl("mode", "bike", "fast")
    street.until(moved.is_on)
    assert heater.switchings == []


# Without a daemon


def adopter(tmp_path: Path, every: str = "10min") -> tuple[Adopter, list[Search], list[str], Site]:
    """An adopter over one silent network, what it was told and what it said."""
    (tmp_path / "chargerd.toml").write_text(
        f'[discovery]\nnetworks = ["127.0.0.77"]\n[adopt]\nprefix = "b"\nevery = "{every}"\n'
    )
    loaded = load([tmp_path / "chargerd.toml"], load_driver=drivers.load, driver_kinds=drivers.MODULES)
    ended: list[Search] = []
    said: list[str] = []
    made = Adopter(Discovery(said.append), ended.append, said.append)
    made.follow(loaded)
    return made, ended, said, Site(configuration=loaded.configuration)


def test_it_looks_at_once_and_then_every_so_often(tmp_path: Path):
    """And not at all without [adopt]."""
    made, ended, _, site = adopter(tmp_path)
    assert made.wait_s() == 0
    made.look(site)
    assert 590 < made.wait_s() <= 600
    made.look(site)
    until(lambda: ended)
    assert len(ended) == 1
    (tmp_path / "none.toml").write_text("")
    made.follow(load([tmp_path / "none.toml"], load_driver=drivers.load, driver_kinds=drivers.MODULES))
    assert made.wait_s() == math.inf


def test_while_somebody_else_searches_it_waits_a_little(tmp_path: Path):
    """It does not wait ten minutes because of that."""
    said: list[object] = []
    discovery = Discovery(said.append)
    discovery.begin(("127.0.0.78",), 1, lambda: None)
    _, _, _, site = adopter(tmp_path)
    made = Adopter(discovery, said.append, said.append)
    made.follow(load([tmp_path / "chargerd.toml"], load_driver=drivers.load, driver_kinds=drivers.MODULES))
    made.look(site)
    assert 20 < made.wait_s() <= 30


def test_what_it_does_not_take_is_said_once(tmp_path: Path):
    """And again only after it was otherwise in between."""
    made, _, said, site = adopter(tmp_path)
    files = load([tmp_path / "chargerd.toml"], load_driver=drivers.load, driver_kinds=drivers.MODULES)
    lamp = Found("kasa", "10.0.0.1", 9999, "50:C7:BF:00:00:01", "HS100", "b", False, False, "10.0.0.255")
    with_lamp, without = Search(("10.0.0.255",), 1), Search(("10.0.0.255",), 1)
    with_lamp.add(lamp)
    for search in (with_lamp, with_lamp, without, with_lamp):
        assert made.change(search, files, site) is None
    assert said == ["adopt: b at 10.0.0.1: a HS100, which has no meter, is not adopted"] * 2
