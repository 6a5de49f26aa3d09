"""Demo: the home that `chargerd demo` shows is a real configuration over a real protocol."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from pathlib import Path

import pytest

from chargerd import drivers
from chargerd.config.base import Secret
from chargerd.config.load import config_files, load
from chargerd.daemon.devices import channels_of
from chargerd.daemon.discovery import rows
from chargerd.drivers import kasa
from chargerd.drivers.kasa_search import search
from chargerd.model.network import network
from chargerd.model.state import Device, Site
from chargerd.sim import demo, world
from chargerd.sim.wire.kasa import SimulatedStrip

NO_SECRETS: dict[str, Secret] = {}


def loaded(folder: Path, strip: SimulatedStrip):
    """The demo's configuration, for a strip that listens and a house whose devices could."""
    main = folder / "chargerd.toml"
    house = demo.make_house(lambda: demo.EVENING_MS / 1000)
    house.inverter.server.port, house.charger.port = 15020, 8080
    main.write_text(demo.configuration(strip, house), encoding="utf-8")
    return load(config_files(main), load_driver=drivers.load, driver_kinds=drivers.MODULES)


@pytest.fixture
def strip():
    """The demo's strip at nine in the evening, listening."""
    made = demo.make_strip(lambda: demo.EVENING_MS / 1000, seed=1)
    made.start()
    yield made
    made.stop()


def test_the_configuration_loads_and_names_just_the_loads_of_the_strip(tmp_path, strip):
    """With the real drivers; every loadpoint has its socket and starts by itself in the first evening."""
    found = loaded(tmp_path, strip)
    configuration = found.configuration
    assert list(configuration.loadpoints) == ["garage", *demo.LOADS]
    assert channels_of(configuration, "shed") == tuple(demo.LOADS)
    assert {entry.loadpoint for entry in configuration.schedule} == set(demo.LOADS)
    assert configuration.loadpoints["old-charger"].profile.time_limit_s == 3 * 3600
    assert found.device_configs["shed"].port == strip.port


def test_the_strip_has_four_chargers_one_of_them_with_a_fault(strip):
    """Their sockets are off, and each holds the load that its name promises."""
    assert len(demo.LOADS) == 4
    assert demo.LOADS["old-charger"] == "never-tapers"
    assert set(demo.LOADS.values()) <= set(world.KINDS)
    assert [strip.is_on(strip.child(name)) for name in demo.LOADS] == [False] * 4


def test_the_real_driver_reads_the_strip_as_configured(tmp_path, strip):
    """What the daemon will see: a strip with four metered sockets, and each switched on draws what its load draws."""
    found = loaded(tmp_path, strip)
    driver = kasa.Driver("shed", found.device_configs["shed"], tuple(demo.LOADS), NO_SECRETS)
    assert driver.describe().lease == "unproven"
    for name in demo.LOADS:
        strip.press(strip.child(name))
    drawn = {reading.channel: round(reading.power_w or 0.0) for reading in driver.read()}
    driver.close()
    assert list(drawn) == list(demo.LOADS)
    for name, kind in demo.LOADS.items():
        assert drawn[name] == pytest.approx(world.load(kind).power_w(0.0, 0.0, 0.0), abs=2), name


def test_a_search_finds_the_demo_s_plugs_and_knows_the_strip(tmp_path, strip):
    """`chargerctl discover` in the demo: the strip that is configured, a plug that could be, and one without a meter."""
    configuration = loaded(tmp_path, strip).configuration
    others = demo.make_others(lambda: demo.EVENING_MS / 1000, 1, strip.port)
    for plug in others:
        plug.start()
    try:
        found = []
        (where,) = configuration.networks
        asyncio.run(search(network(where), 1, found.append))
    finally:
        for plug in others:
            plug.stop()
    devices = {name: Device() for name in configuration.devices}
    listed = {row["alias"]: row for row in rows(found, Site(configuration=configuration, devices=devices))}
    assert {alias: row["device"] for alias, row in listed.items()} == {
        "shed": "shed",
        "battery_trike": None,
        "hall lamp": None,
    }
    assert [socket["loadpoint"] for socket in listed["shed"]["sockets"]] == list(demo.LOADS)
    assert [row["has_meter"] for row in listed.values()] == [True, False, True]


def test_one_seed_makes_one_strip():
    """Who reports a fault names the seed; the same powers come again, and others from another seed."""
    at_s = demo.EVENING_MS / 1000

    def powers(seed: int) -> list[object]:
        strip = demo.make_strip(lambda: at_s, seed)
        strip.press(strip.child("rad-2"))
        meter = {"context": {"child_ids": [strip.child("rad-2")]}, "emeter": {"get_realtime": {}}}
        return [strip.answer(meter) for _ in range(5)]

    assert powers(1) == powers(1)
    assert powers(1) != powers(2)


@pytest.mark.parametrize("speed", [0, 0.5, -60, 601, float("inf"), float("nan")])
def test_a_speed_out_of_range_is_refused_and_leaves_nothing(tmp_path, capsys, speed):
    """Exit status 2, one line that names the range, and no folder."""
    assert demo.demo(tmp_path / "demo", speed, 1) == 2
    said = capsys.readouterr().err
    assert re.search(r"from 1 to 600, not .*\(DEMO_SPEED\)", said)
    assert said.count("\n") == 1
    assert not (tmp_path / "demo").exists()


def test_a_second_demo_in_one_folder_is_refused(tmp_path, capsys):
    """The first goes on with its log and its sockets; the second says where it may run."""
    lock = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (tmp_path / "state").mkdir()
    assert demo.demo(tmp_path, 60, 1) == 1
    assert "another demo runs" in capsys.readouterr().err
    assert (tmp_path / "state").exists()
    os.close(lock)


def test_a_folder_with_somebody_s_own_files_is_left_alone(tmp_path, capsys):
    """`--folder .` beside a real configuration and log deletes nothing."""
    (tmp_path / "chargerd.toml").write_text("[site]\n")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "log.db").write_bytes(b"years of readings")
    assert demo.demo(tmp_path, 60, 1) == 1
    assert "no demo has made" in capsys.readouterr().err
    assert (tmp_path / "state" / "log.db").read_bytes() == b"years of readings"
    assert (tmp_path / "chargerd.toml").read_text() == "[site]\n"
