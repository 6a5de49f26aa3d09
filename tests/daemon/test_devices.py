"""Devices: the workers of a configuration come, stay, change and go with it."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from chargerd import drivers
from chargerd.config.base import Credential, DeviceConfig
from chargerd.daemon.clock import Clock
from chargerd.daemon.devices import Devices, Locked, at_home, channels_of, make_driver, remembered
from chargerd.daemon.secrets import Credentials
from chargerd.drivers import kasa, simulated
from chargerd.drivers.base import AccessDenied
from chargerd.model.commands import SetEnabled
from chargerd.model.events import Body, ChargerRead, CommandDone, CommandFailed, DeviceAdded, DeviceLost, ReadFailed
from chargerd.model.settings import Configuration, DeviceSettings, MeterSettings, StorageSettings
from chargerd.model.state import Device, Site
from tests.house import MONDAY_MS, loadpoint
from tests.patience import WAIT_S, until
from tests.sim.wire.bench import Bench

LOGIN = {"username": Credential(credential="user"), "password": Credential(credential="pass")}


def plug(**keys: Any) -> simulated.Driver.Config:
    """Settings of a simulated device."""
    return simulated.Driver.Config(driver="simulated", **keys)


def locked() -> kasa.Driver.Config:
    """Settings of a device that wants a login."""
    return kasa.Driver.Config(driver="kasa", host="127.0.0.1", **LOGIN)


class Stage:
    """Devices on a clock that runs 600 times as fast, and what they post."""

    def __init__(self, credentials: Path) -> None:
        self.posted: queue.SimpleQueue[tuple[str, list[Body]]] = queue.SimpleQueue()
        post: Callable[..., None] = lambda name, facts: self.posted.put((name, list(facts)))  # noqa: E731
        self.devices = Devices(Clock(MONDAY_MS, 600), post, Credentials(credentials))

    def configure(self, **configs: DeviceConfig) -> list[str]:
        """Run these devices, each with one channel called bike."""
        settings = {
            name: DeviceSettings(name, config.driver, config.poll_s, config.poll_fast_s)
            for name, config in configs.items()
        }
        points = {name: structs.replace(loadpoint(name), charger=f"{name}/bike") for name in configs}
        return self.devices.configure(Configuration(devices=settings, loadpoints=points), configs, {})

    def heard(self, wanted: str, kind: type[Body]) -> Body:
        """The next fact of a kind that a device posts."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            name, facts = self.posted.get(timeout=max(0.01, end - time.monotonic()))
            found = [fact for fact in facts if isinstance(fact, kind)]
            if name == wanted and found:
                return found[0]
        raise AssertionError(f"{wanted} posted no {kind.__name__}")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Devices whose workers end with the test."""
    made = Stage(tmp_path)
    yield made
    assert made.devices.stop() == []
    until(lambda: not workers())  # also those that were replaced on the way


def workers() -> dict[str, threading.Thread]:
    """Names of the devices whose threads live, and the thread of each."""
    return {t.name.removeprefix("device-"): t for t in threading.enumerate() if t.name.startswith("device-")}


# Drivers


def test_the_channels_of_a_device_are_those_that_loadpoints_use():
    """In the order of the configuration; a device whose name only begins the same has its own; a plug has none."""
    addresses = {"b": "shed/two", "a": "shed/one", "c": "shed-2/three", "d": "lamp"}
    points = {name: structs.replace(loadpoint(name), charger=charger) for name, charger in addresses.items()}
    configuration = Configuration(loadpoints=points)
    assert channels_of(configuration, "shed") == ("two", "one")
    assert channels_of(configuration, "shed-2") == ("three",)
    assert channels_of(configuration, "lamp") == ()
    assert channels_of(configuration, "nowhere") == ()


def test_meters_and_house_batteries_are_channels_of_their_devices_too():
    """Each once, behind those of loadpoints; one without a channel is the device itself."""
    configuration = Configuration(
        loadpoints={"a": structs.replace(loadpoint("a"), charger="inverter/relay")},
        meters={
            "grid": MeterSettings("grid", "inverter", "meter1", "grid"),
            "pv": MeterSettings("pv", "inverter", "inverter", "pv"),
            "plain": MeterSettings("plain", "shelly", "", "load"),
        },
        storages={"house": StorageSettings("house", "inverter", "battery1")},
    )
    assert channels_of(configuration, "inverter") == ("relay", "meter1", "inverter", "battery1")
    assert channels_of(configuration, "shelly") == ()


def test_a_simulated_device_lives_on_our_clock(tmp_path):
    """Its lease of 60 s runs out when our clock says so: after a tenth of a second at 600 times the speed."""
    made = make_driver("shed", plug(), ("bike",), Credentials(tmp_path), Clock(MONDAY_MS, 600))
    assert isinstance(made, simulated.Driver)
    made.apply(SetEnabled("shed/bike", True, 60))
    assert made.read()[0].enabled
    until(lambda: not made.read()[0].enabled)


def test_a_driver_is_made_with_its_secrets_and_its_channels(tmp_path):
    """Every credential there: the real driver, of the configured kind."""
    for name in ("user", "pass"):
        (tmp_path / name).write_text("marker-4711")
    made = make_driver("shed", locked(), ("bike",), Credentials(tmp_path), Clock())
    assert isinstance(made, drivers.load("kasa").Driver)
    made.close()


def test_a_missing_credential_locks_its_device_and_says_which(tmp_path):
    """Whatever is asked of it is refused in the same words; closing it does nothing."""
    (tmp_path / "user").write_text("marker-4711")
    made = make_driver("shed", locked(), ("bike",), Credentials(tmp_path), Clock())
    assert isinstance(made, Locked)
    calls = (made.describe, made.read, lambda: made.apply(SetEnabled("shed/bike", True)))
    for call in calls:
        with pytest.raises(AccessDenied, match="credential pass is missing") as caught:
            call()
        assert "4711" not in str(caught.value)
    made.close()


# Workers


def test_each_device_answers_on_a_thread_of_its_own(stage):
    """First what it is, then what it says."""
    assert stage.configure(shed=plug(), lamp=plug()) == []
    assert len(stage.devices) == 2
    assert set(workers()) == {"shed", "lamp"}
    assert stage.heard("shed", DeviceAdded).channels == {"bike": "bike"}


def test_only_the_device_whose_credential_is_missing_is_out(stage):
    """The locked one says access-denied at once, the other one is read."""
    stage.configure(vault=locked(), shed=plug())
    lost = stage.heard("vault", DeviceLost)
    assert lost.error == "access-denied"
    assert "credential user is missing" in lost.detail
    stage.devices.read_now("shed")
    assert stage.heard("shed", ChargerRead).enabled is False
    stage.devices.read_now("vault")
    assert stage.heard("vault", ReadFailed).error == "access-denied"


def test_a_device_that_has_not_changed_keeps_its_worker(stage):
    """A reload with a new device, a changed one and one that is gone: only those workers change."""
    stage.configure(shed=plug(), lamp=plug(poll_s=600), old=plug())
    before = workers()
    assert stage.configure(shed=plug(), lamp=plug(poll_s=300), new=plug()) == ["old"]
    assert len(stage.devices) == 3
    until(lambda: set(workers()) == {"shed", "lamp", "new"} and workers()["lamp"] != before["lamp"])
    assert workers()["shed"] == before["shed"]


def test_a_device_whose_sockets_are_used_otherwise_is_made_anew(stage):
    """Another loadpoint uses another channel of it: the driver must know."""
    stage.configure(shed=plug())
    stage.heard("shed", DeviceAdded)
    settings = {"shed": DeviceSettings("shed", "simulated")}
    points = {"trike": structs.replace(loadpoint("trike"), charger="shed/trike")}
    assert stage.devices.configure(Configuration(devices=settings, loadpoints=points), {"shed": plug()}, {}) == []
    assert stage.heard("shed", DeviceAdded).channels == {"trike": "trike"}


def test_an_order_reaches_the_device_that_it_names(stage):
    """The part before the slash is the device; done, and seen in the next reading."""
    stage.configure(shed=plug(), lamp=plug())
    stage.devices.order(7, SetEnabled("lamp/bike", True, 900))
    assert stage.heard("lamp", CommandDone).issued == 7
    stage.devices.read_now("lamp")
    assert stage.heard("lamp", ChargerRead).enabled is True
    stage.devices.read_now("shed")
    assert stage.heard("shed", ChargerRead).enabled is False


def test_a_device_is_read_faster_while_it_is_near(stage):
    """Every 2 s in place of every hour: ten readings come in a fraction of a second at 600 times the speed."""
    stage.configure(shed=plug(poll_s=3600, poll_fast_s=2))
    stage.heard("shed", ChargerRead)
    stage.devices.pace(frozenset({"shed", "nobody"}))
    for _ in range(10):
        stage.heard("shed", ChargerRead)
    stage.devices.pace(frozenset())
    stage.devices.read_now("shed")
    stage.heard("shed", ChargerRead)


def test_an_ending_names_the_workers_that_hang(tmp_path, monkeypatch):
    """A device that takes the call and never answers is left behind by name; the other one has ended."""
    monkeypatch.setattr("chargerd.daemon.devices.HANG_S", 0.1)
    stage = Stage(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(WAIT_S)
        port = silent.getsockname()[1]
        stage.configure(shed=plug(), lamp=kasa.Driver.Config(driver="kasa", host="127.0.0.1", port=port, timeout_s=1))
        stage.heard("shed", ChargerRead)
        client, _ = silent.accept()
        assert stage.devices.stop() == ["lamp"]
        client.close()
    until(lambda: not workers())


def test_an_order_that_waits_for_a_device_that_hangs_does_not_come_after_a_reload(stage, monkeypatch):
    """Told to switch on while it hung; its settings are changed and it is told to switch off. It stays off."""
    monkeypatch.setattr("chargerd.daemon.devices.HANG_S", 0.1)
    hangs, begun, done = threading.Event(), threading.Event(), []
    read, apply = simulated.Driver.read, simulated.Driver.apply

    def hanging(driver):
        begun.set()
        assert hangs.wait(10)
        return read(driver)

    def applying(driver, command):
        done.append(command.enabled)
        apply(driver, command)

    monkeypatch.setattr(simulated.Driver, "apply", applying)
    with monkeypatch.context() as old:
        old.setattr(simulated.Driver, "read", hanging)
        stage.configure(shed=plug())
        assert begun.wait(WAIT_S)
    first = workers()["shed"]
    stage.devices.order(1, SetEnabled("shed/bike", True, 900))
    stage.configure(shed=plug(poll_s=600))
    assert stage.heard("shed", CommandFailed).issued == 1
    stage.devices.order(2, SetEnabled("shed/bike", False))
    assert stage.heard("shed", CommandDone).issued == 2
    hangs.set()
    first.join(WAIT_S)
    assert not first.is_alive()
    assert done == [False]


def test_a_device_that_is_made_anew_is_read_as_fast_as_the_old_one(stage):
    """A reload in mid-charge changes a setting of the strip: the new worker reads every 2 s too, and not every hour."""
    stage.configure(shed=plug(poll_s=3600, poll_fast_s=2))
    stage.heard("shed", ChargerRead)
    stage.devices.pace(frozenset({"shed"}))
    stage.configure(shed=plug(poll_s=3600, poll_fast_s=2, seed=2))
    stage.devices.pace(frozenset({"shed"}))
    stage.heard("shed", DeviceAdded)
    for _ in range(10):
        stage.heard("shed", ChargerRead)


# Where they are


def test_a_device_is_looked_for_where_the_site_says_unless_it_says_itself():
    """[discovery] counts for all devices that can be looked for; others have no such key."""
    home = Configuration(networks=("192.168.178.0/24", "10.0.0.7:4000"))
    assert at_home(kasa.Driver.Config(driver="kasa", host="a"), home).discovery == "192.168.178.255 10.0.0.7"
    assert at_home(kasa.Driver.Config(driver="kasa", host="a", discovery="10.1.1.1"), home).discovery == "10.1.1.1"
    assert at_home(plug(), home) == plug()


def test_a_hardware_address_is_remembered_as_long_as_the_file_says_the_same():
    """Of a device named by its address only; another address in the file is another device; ids that are none are left."""

    def known(told: str, before: dict[str, Any], now: dict[str, Any]) -> dict[str, str]:
        plain = {"port": 9999, "alias": None, "mac": None}
        old, new = (DeviceSettings("shed", "kasa", options={**plain, **keys}) for keys in (before, now))
        site = Site(configuration=Configuration(devices={"shed": old}), devices={"shed": Device(device_id=told)})
        return remembered(site, Configuration(devices={"shed": new}))

    here, mac = {"host": "10.0.0.1"}, "50:C7:BF:00:00:01"
    assert known(mac, here, {**here, "timeout_s": 3.0}) == {"shed": mac}
    assert known(mac, here, {"host": "10.0.0.2"}) == {}
    assert known(mac, here, {**here, "alias": "shed"}) == {}
    assert known(mac, here, {**here, "mac": "50:C7:BF:00:00:02"}) == {}
    assert known("", here, here) == {}
    assert known("802291A1B2C3D4E5F60718293A4B5C6D7E8F9012", here, here) == {}
    assert remembered(Site(), Configuration(devices={"shed": DeviceSettings("shed", "kasa", options=here)})) == {}


def test_a_remembered_plug_is_found_where_it_has_moved_and_its_successor_is_left_alone(tmp_path):
    """After a restart: a heater's plug has the address now. It is named, and never switched."""
    with ExitStack() as stack:
        bench = Bench(stack)
        heater = bench.plug(host="127.0.0.95", alias="heater", mac="50:C7:BF:00:00:95", on=False)
        posted: queue.SimpleQueue[tuple[str, list[Body]]] = queue.SimpleQueue()
        devices = Devices(Clock(), lambda name, facts: posted.put((name, list(facts))), Credentials(tmp_path))
        config = kasa.Driver.Config(driver="kasa", host=heater.host, port=heater.port, timeout_s=1.5)
        home = Configuration(
            devices={"shed": DeviceSettings("shed", "kasa")}, networks=("127.0.0.96",),
            loadpoints={"a": structs.replace(loadpoint("a"), charger="shed")},
        )  # fmt: skip
        devices.configure(home, {"shed": config}, {"shed": "50:C7:BF:00:00:96"})
        _, facts = posted.get(timeout=WAIT_S)
        (failed,) = facts
        assert isinstance(failed, ReadFailed)
        assert "is 'heater' (50:C7:BF:00:00:95), not '50:C7:BF:00:00:96'" in failed.detail
        assert failed.detail.endswith("If it was replaced, give the new mac in the configuration")
        moved = bench.plug(host="127.0.0.96", port=heater.port, mac="50:C7:BF:00:00:96", on=False, draw_w=60.0)
        devices.order(7, SetEnabled("shed", True))
        until(moved.is_on)
        assert heater.switchings == []
        assert devices.stop() == []
