"""The kasa driver against TP-Link devices that somebody else simulated: npm ``tplink-smarthome-simulator``.

That simulator stores countdown rules and never lets them end; that part is tested against our own device only.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.drivers.kasa import Driver
from chargerd.model.commands import SetEnabled

pytestmark = pytest.mark.system

SOURCE = Path(__file__).parent / "tplink"
SIX = ["rad_1", "rad_2", "lectric_1", "lectric_2", "lamp", "heater"]
HS110, HS110V2, HS300, HS100, NOISY = range(5)
TRIES = 5


class Table:
    """The running devices: their ports, and a line to ask what they hold."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ports: list[int] = self._ask(
            [
                {"model": "hs110", "alias": "first"},
                {"model": "hs110v2", "alias": "second"},
                {"model": "hs300", "alias": "strip", "sockets": SIX},
                {"model": "hs100", "alias": "no meter"},
                {"model": "hs110v2", "alias": "noisy", "unreliable": 0.1},
            ]
        )

    def look(self, device: int, **wish: Any) -> list[dict[str, Any]]:
        """Relay and rules of each socket, on the device's side; ``power`` and ``child`` set what one draws."""
        held: list[dict[str, Any]] = self._ask({"device": device, **wish})
        return held

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulator, installed exactly as locked."""
    folder = tmp_path_factory.mktemp("tplink")
    for file in SOURCE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture
def table(installed: Path) -> Iterator[Table]:
    """Five fresh devices on loopback; all relays off."""
    command = ["node", str(installed / "devices.js")]
    for _ in range(TRIES):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                made = Table(process)
            except json.JSONDecodeError:
                continue  # it takes the port that is free for UDP, and somebody had the same one for TCP
            else:
                yield made
                return
            finally:
                process.kill()
    raise AssertionError(f"no free ports for the devices in {TRIES} tries")


@pytest.fixture
def connect(table: Table) -> Iterator[Any]:
    """Makes drivers called "shed" for a device of the table."""
    made: list[Driver] = []

    def make(device: int, *channels: str, **keys: Any) -> Driver:
        settings = {"driver": "kasa", "host": "127.0.0.1", "port": table.ports[device], "timeout_s": 2.0, **keys}
        config = Driver.Config(**settings)
        made.append(Driver("shed", config, channels, {}))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.mark.parametrize(("device", "model"), [(HS110, "HS110"), (HS110V2, "HS110")])
def test_a_plug_of_either_hardware_is_read_and_switched(table: Table, connect: Any, device: int, model: str) -> None:
    """44 W, 230 V, 0.2 A and 1500 Wh in floats and in integers; on and off arrive at the device."""
    driver = connect(device)
    added = driver.describe()
    assert (added.model, added.lease) == (model, "unproven")
    table.look(device, power=44)
    driver.apply(SetEnabled("shed", True))
    assert table.look(device)[0]["on"] is True
    (reading,) = driver.read()
    assert (reading.channel, reading.enabled) == ("", True)
    assert (reading.power_w, reading.voltage_v, reading.current_a, reading.energy_wh) == pytest.approx(
        (44, 230, 0.2, 1500)
    )
    driver.apply(SetEnabled("shed", False))
    assert table.look(device)[0]["on"] is False
    assert driver.read()[0].enabled is False


def test_power_that_a_plug_reports_with_its_relay_off_is_passed_on_with_the_relay(table: Table, connect: Any) -> None:
    """This simulator's meter goes on: 44 W and off. Who decides whether that is charging looks at both."""
    table.look(HS110V2, power=44)
    (reading,) = connect(HS110V2).read()
    assert (reading.enabled, reading.power_w) == (False, 44.0)


def test_the_sockets_of_a_strip_are_read_and_switched_alone(table: Table, connect: Any) -> None:
    """Two of six configured: only rad_2's relay moves, each has its own power, five stay off."""
    driver = connect(HS300, "rad_2", "LAMP")
    assert driver.describe().model == "HS300"
    table.look(HS300, child=1, power=103)
    table.look(HS300, child=4, power=7)
    driver.apply(SetEnabled("shed/rad_2", True))
    assert [socket["on"] for socket in table.look(HS300)] == [False, True, False, False, False, False]
    readings = driver.read()
    assert [(reading.channel, reading.enabled, reading.power_w) for reading in readings] == [
        ("rad_2", True, 103.0),
        ("LAMP", False, 7.0),
    ]
    driver.apply(SetEnabled("shed/rad_2", False))
    assert [socket["on"] for socket in table.look(HS300)] == [False] * 6


def test_the_lease_is_a_rule_of_that_socket_and_no_other(table: Table, connect: Any) -> None:
    """The rule is stored with our name and 900 s, replaced on renewal, and gone after switching off."""
    driver = connect(HS300, "rad_2")
    driver.apply(SetEnabled("shed/rad_2", True, lease_s=900))
    driver.apply(SetEnabled("shed/rad_2", True, lease_s=120))
    rules = [socket["rules"] for socket in table.look(HS300)]
    assert [len(held) for held in rules] == [0, 1, 0, 0, 0, 0]
    (rule,) = rules[1]
    assert {key: rule[key] for key in ("name", "enable", "act", "delay")} == {
        "name": "chargerd",
        "enable": 1,
        "act": 0,
        "delay": 120,
    }
    assert driver.read()[0].timer == "ours"
    driver.apply(SetEnabled("shed/rad_2", False))
    assert table.look(HS300)[1]["rules"] == []


def test_a_plug_without_a_meter_is_refused(connect: Any) -> None:
    """The HS100 is named with what it lacks."""
    with pytest.raises(UnexpectedAnswer, match="HS100, which has no energy meter"):
        connect(HS100).describe()


def test_a_device_that_garbles_frames_is_read_or_fails_cleanly(connect: Any) -> None:
    """One frame in ten is broken, at random: of 20 readings several arrive, and the others are errors that say so."""
    driver = connect(NOISY, timeout_s=0.5)
    arrived = 0
    for _ in range(20):
        try:
            driver.read()
            arrived += 1
        except (Unreachable, UnexpectedAnswer):
            continue
    assert arrived >= 3
