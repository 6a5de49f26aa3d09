"""A whole daemon with an EVSE on the wire: modes of a person become commands that simulated chargers carry out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chargerd.model.events import LimitSet
from chargerd.sim.wire.evse import Car
from tests.daemon.lives import live
from tests.daemon.test_run import House
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage

KEYS = {
    "gen1": 'driver = "nrgkick"\ngeneration = 1\nmac = "00:11:22:33:44:55"\npassword = { credential = "pin" }',
    "gen2": 'driver = "nrgkick"',
    "keba": 'driver = "keba"',
}


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        made.live()
        yield made


def configure(home: Path, kind: str, device: Any, mode: str, more: str = "") -> None:
    """One EVSE, with further keys of it, and one loadpoint on it."""
    (home / "secrets").mkdir()
    (home / "secrets" / "secret_pin").write_text("0123")
    text = f'[device.box]\nhost = "{device.host}"\nport = {device.port}\n{KEYS[kind]}\npoll_s = 2\npoll_fast_s = 1\n{more}\n'
    text = f'[journal]\nlevel = "debug"\n{text}'
    (home / "chargerd.toml").write_text(f'{text}\n[loadpoint.car]\ncharger = "box"\nmode = "{mode}"\n')


@pytest.mark.parametrize("kind", KEYS)
def test_slow_offers_6_a_at_once_whatever_the_sun_does(garage, tmp_path, kind):
    """Within the 20 s that a life may last here, without any meter; when chargerd ends the car is left paused or leased."""
    evse = garage.evse(Car())
    device = getattr(garage, kind)(evse)
    if kind == "keba":
        device.user_ma = 6000
        device.disabled = True
        device.settle()
    configure(tmp_path, kind, device, "slow")
    status, journal = live(tmp_path, "offering 6 A")
    assert status == 0, journal
    if kind == "gen1":
        first, *_, last = (json.loads(put.body)["Values"] for put in device.puts)
        assert (first["ChargingStatus"], first["ChargingCurrent"]) == ({"Charging": True}, {"Value": 6})
        assert last["ChargingStatus"] == {"Charging": False}
    elif kind == "gen2":
        assert device.commands[0] == {"charge_pause": "0"}
        assert device.commands[-1] == {"charge_pause": "1"}
    else:
        sent = [(write.register, write.value) for write in device.writes]
        assert sent[:4] == [(5016, 6000), (5018, 600), (5004, 6000), (5014, 1)]
        assert sent[-2:] == [(5016, 0), (5004, 0)], "a fail-safe of 6 A would not end it"
        assert device.evse.paused


def test_fast_offers_one_ampere_less_than_the_fuse_bears(garage, tmp_path):
    """15 A of 16, in steps that the wires follow."""
    charger = garage.gen2(garage.evse(Car(), max_a=32.0))
    configure(tmp_path, "gen2", charger, "fast")
    status, journal = live(tmp_path, "offering 15 A")
    assert status == 0, journal
    offered = [float(command["current_set"]) for command in charger.commands if "current_set" in command]
    assert offered[-1] == 15.0
    assert max(offered) == 15.0


def test_a_box_that_repeats_an_old_measurement_is_not_believed(garage, tmp_path):
    """It has lost the charger, answers in time and says 6 A for ever: after the age limit the car is paused, and it is said why."""
    box = garage.gen1(garage.evse(Car()))
    configure(tmp_path, "gen1", box, "slow", "max_age_s = 5")

    def lose() -> None:
        box.deaf = True

    status, journal = live(tmp_path, "has not been read for 5 s", look=lose, look_at="offering 6 A")
    assert status == 0, journal
    asked = [json.loads(put.body)["Values"]["ChargingStatus"]["Charging"] for put in box.puts]
    assert (asked[0], asked[-1]) == (True, False)


def test_a_station_that_interrupts_by_itself_is_waited_for(garage, tmp_path):
    """A KEBA that is too hot for a while: nobody has pressed anything, so its mode stays, and it is said what holds it."""
    station = garage.keba(garage.evse(Car()))
    configure(tmp_path, "keba", station, "slow")

    def heat() -> None:
        station.hot = True

    status, journal = live(tmp_path, "keeps the vehicle from it: interrupted", look=heat, look_at="offering 6 A")
    assert status == 0, journal
    assert "by device" not in journal


BOX = """
[device.box]
driver = "nrgkick"
port = {port}
host = "127.0.0.1"
poll_s = 1
poll_fast_s = 1

[loadpoint.car]
charger = "box"
mode = "slow"
"""


def test_a_connect_box_is_told_one_thing_per_change_and_never_two_within_ten_seconds(garage, tmp_path):
    """S1-22: a limit and a pause right after the start: the box would lose them, so the last word waits until it hears it."""
    box = garage.gen1(garage.evse(Car()))
    house = House(tmp_path)
    configure(tmp_path, "gen1", box, "slow")
    try:
        house.ready()
        house.until(lambda: not box.evse.paused)
        assert "error" not in house.ask("SetSetting", name="car", values={"min_current_a": 8})
        assert "error" not in house.ask("SetMode", name="car", mode="off")
        house.until(lambda: box.evse.paused)
    finally:
        house.close()
    told = [json.loads(put.body)["Values"] for put in box.puts]
    assert [values["ChargingStatus"]["Charging"] for values in told] == [True, False]
    first, second = box.puts
    assert second.at_s - first.at_s >= 9.9, "counted from when the first was sent, not from when it came"


@pytest.mark.parametrize("kind", ["gen2", "keba"])
def test_what_is_asked_while_a_charger_is_gone_arrives_when_it_is_back(garage, tmp_path, kind):
    """S1-23, S1-25: no power for a while; off is asked meanwhile, and it is the same session that is paused."""
    charger = getattr(garage, kind)(garage.evse(Car()))
    house = House(tmp_path)
    configure(tmp_path, kind, charger, "slow", "timeout_s = 1.5\nmax_age_s = 5")

    def car() -> dict[str, Any]:
        found: list[dict[str, Any]] = house.ask("GetStatus")["parameters"]["loadpoints"]
        return found[0]

    try:
        house.ready()
        house.until(lambda: not charger.evse.paused and car()["state"] == "charging")
        session = car()["session"]["number"]
        charger.stop()
        house.until(lambda: car()["state"] == "unknown")
        assert "error" not in house.ask("SetMode", name="car", mode="off")
        assert not charger.evse.paused, "nobody could tell it"
        charger.start()
        house.until(lambda: charger.evse.power_w() == 0)
        assert (car()["mode"], car()["session"]["number"]) == ("off", session)
        assert "error" not in house.ask("SetMode", name="car", mode="slow")
        house.until(lambda: charger.evse.power_w() > 0)
        assert car()["session"]["number"] == session
        assert "Traceback" not in house.journal()
    finally:
        house.close()


def test_a_value_that_is_refused_is_told_in_the_words_of_whoever_refuses_and_changes_nothing(garage, tmp_path):
    """S1-34: the charger's app allows no other current, and later a person asks for one that no EVSE has."""
    why = "Charging current is locked by the app"
    box = garage.gen2(garage.evse(Car()))
    house = House(tmp_path)
    house.config.write_text(house.config.read_text() + BOX.format(port=box.port))

    def car() -> dict[str, Any]:
        found: list[dict[str, Any]] = house.ask("GetStatus")["parameters"]["loadpoints"]
        return next(row for row in found if row["name"] == "car")

    try:
        house.ready()
        house.until(lambda: not box.evse.paused)
        box.refuses["current_set"] = why
        assert "error" not in house.ask("SetSetting", name="car", values={"min_current_a": 8})
        house.until(lambda: why in car()["refused"])
        (problem,) = [row for row in house.ask("GetStatus")["parameters"]["problems"] if row["subject"] == "car"]
        assert (problem["code"], problem["text"]) == ("refused", f"refused its last command: box refused: {why}")
        assert why in house.journal()
        assert (car()["state"], car()["offered_a"], box.evse.offered_a, box.evse.paused) == ("charging", 6, 6, False)
        reply = house.ask("SetSetting", name="car", values={"min_current_a": 3})
        assert "6" in reply["parameters"]["message"]
        box.refuses.clear()
        house.ask("SetSetting", name="car", values={"min_current_a": 9})
        house.until(lambda: box.evse.offered_a == 9.0)
        house.until(lambda: not car()["refused"])
        assert [e.body.value for e in house.events() if isinstance(e.body, LimitSet)] == [8, 9]
    finally:
        house.close()


@pytest.mark.parametrize("kind", ["gen2", "keba"])
def test_off_until_disconnected_ends_when_the_car_has_left(garage, tmp_path, kind):
    """With chargerctl over the socket, and the next car charges; with nobody there it is refused."""
    charger = getattr(garage, kind)(garage.evse(Car()))
    house = House(tmp_path)
    configure(tmp_path, kind, charger, "slow")

    def tell(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "chargerd.ctl", "--socket", str(tmp_path / "run"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    try:
        house.ready()
        house.until(lambda: charger.evse.power_w() > 0)
        said = tell("mode", "car", "off", "--until", "disconnected")
        assert (said.returncode, said.stdout) == (0, "car: off until disconnected, then slow again.\n")
        house.until(lambda: charger.evse.power_w() == 0)
        assert json.loads(tell("status", "car", "--json").stdout)["loadpoints"][0]["mode_while_connected"] is True
        charger.evse.connect(None)
        house.until(lambda: "car: as configured again, the vehicle has left" in house.journal())
        refused = tell("hold", "car", "--until", "disconnected")
        assert refused.returncode != 0
        assert "no vehicle is connected at car, so none can be disconnected" in refused.stderr
        charger.evse.connect(Car())
        house.until(lambda: charger.evse.power_w() > 0)
    finally:
        house.close()
