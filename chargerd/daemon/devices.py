"""Devices: the workers of a configuration. Makes drivers, starts, replaces and ends their workers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from chargerd import drivers
from chargerd.config.base import DeviceConfig
from chargerd.config.draft import name_for
from chargerd.daemon.clock import Clock
from chargerd.daemon.poller import Desk, Post, Worker
from chargerd.daemon.secrets import Credentials, SecretMissing
from chargerd.drivers.base import AccessDenied, Driver, Reading
from chargerd.model.commands import Command
from chargerd.model.events import DeviceAdded
from chargerd.model.network import network
from chargerd.model.settings import Configuration, DeviceSettings
from chargerd.model.state import Site

MAC = r"([0-9A-F]{2}:){5}[0-9A-F]{2}"
HANG_S = 1.0  # how long an ending waits for a worker that may be stuck in its device


class Locked:
    """Stands in for a device whose credential is missing: only that device is out, and it says what is wrong."""

    def __init__(self, why: str) -> None:
        self._why = why

    def describe(self) -> DeviceAdded:
        """Refused."""
        raise AccessDenied(self._why)

    def read(self) -> tuple[Reading, ...]:
        """Refused."""
        raise AccessDenied(self._why)

    def apply(self, command: Command) -> None:
        """Refused."""
        raise AccessDenied(f"{command.device}: {self._why}")

    def close(self) -> None:
        """Nothing was opened."""


def channels_of(configuration: Configuration, device: str) -> tuple[str, ...]:
    """The channels of a device that loadpoints, meters and house batteries use, in the order of the configuration."""
    addresses = [settings.charger.partition("/")[::2] for settings in configuration.loadpoints.values()]
    addresses += [(meter.device, meter.channel) for meter in configuration.meters.values()]
    addresses += [(storage.device, storage.channel) for storage in configuration.storages.values()]
    return tuple(dict.fromkeys(channel for name, channel in addresses if name == device and channel))


def make_driver(
    name: str, config: DeviceConfig, channels: tuple[str, ...], credentials: Credentials, clock: Clock
) -> Driver:
    """The driver of a device as configured; a `Locked` one when a credential cannot be opened."""
    try:
        secrets = credentials.of(config)
    except SecretMissing as error:
        return Locked(str(error))
    kind = drivers.load(config.driver).Driver
    if config.driver == "simulated":  # it lives in this process, and on this process' clock
        made: Driver = kind(name, config, channels, secrets, now_s=clock.now_s)
    else:
        made = kind(name, config, channels, secrets)
    return made


def remembered(site: Site, configuration: Configuration) -> dict[str, str]:
    """Hardware addresses of devices that the configuration names by an address only, and that have answered there before.

    Addresses move. A device that is configured as it was is the one it was, at whatever address it is found, and another one
    that has its address now is not. ``site`` is the state of before.
    """
    known = {}
    for name, settings in configuration.devices.items():
        before, device, options = site.configuration.devices.get(name), site.devices.get(name), settings.options
        if before is None or device is None or "mac" not in options or options["mac"] is not None:
            continue  # not a kind of device that is known so, or the file names it
        same = all(before.options.get(key) == options.get(key) for key in ("host", "port"))
        if same and options.get("alias") is None and re.fullmatch(MAC, device.device_id):
            known[name] = device.device_id
    return known


def at_home(config: DeviceConfig, configuration: Configuration) -> DeviceConfig:
    """The device's settings with what the site has for all: a lost device is looked for where [discovery] says."""
    if getattr(config, "discovery", "") is not None:
        return config
    targets = dict.fromkeys(network(text).target for text in configuration.networks)
    return config.model_copy(update={"discovery": " ".join(targets)})


def _pass_on(name: str, done: Future[dict[str, Any]], reply: Future[dict[str, Any]]) -> None:
    """A recording as a reply of the socket."""
    error = done.exception()
    if error is not None:
        reply.set_exception(error)
        return
    recording = done.result()
    text = f"{name}: {recording['model']} with firmware {recording['firmware']}"
    file = "_".join(filter(None, (recording["model"], recording["hardware"], recording["firmware"].partition(" ")[0])))
    reply.set_result({"text": text, "file": f"{name_for(file, ())}.json", "recording": recording})


class Devices:
    """Every worker that runs. Used by the main loop only."""

    def __init__(self, clock: Clock, post: Post, credentials: Credentials) -> None:
        self._clock = clock
        self._post = post
        self._credentials = credentials
        self._workers: dict[str, Worker] = {}
        self._made_of: dict[str, tuple[DeviceSettings, DeviceConfig, tuple[str, ...]]] = {}
        self._near: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._workers)

    def configure(
        self, configuration: Configuration, configs: Mapping[str, DeviceConfig], known: Mapping[str, str]
    ) -> list[str]:
        """Run just these devices. Workers of devices that have not changed go on; returns the names of those that ended.

        ``known`` are hardware addresses that are remembered, see `remembered`.
        """
        wanted = {
            name: (settings, at_home(configs[name], configuration), channels_of(configuration, name))
            for name, settings in configuration.devices.items()
        }
        gone = [name for name in self._workers if name not in wanted]
        hanging: dict[str, Worker] = {}
        for name in [n for n, made_of in self._made_of.items() if wanted.get(n) != made_of]:
            worker = self._workers.pop(name)
            worker.stop()
            if not worker.join(HANG_S):  # two workers must not talk to one device, unless the old one hangs in it
                hanging[name] = worker
            del self._made_of[name]
            self._near -= {name}  # one made anew begins at the slow pace and has to be told
        for name, (settings, config, channels) in wanted.items():
            if name not in self._workers:
                sure = config.model_copy(update={"mac": known[name]}) if name in known else config
                driver = make_driver(name, sure, channels, self._credentials, self._clock)
                self._workers[name] = Worker(Desk(settings, driver), self._clock, self._post)
                self._made_of[name] = wanted[name]
                if name in hanging:
                    hanging[name].replaced_by(self._workers[name])
                self._workers[name].start()
        return gone

    def order(self, issued: int, command: Command) -> None:
        """Hand a command to the device's worker."""
        self._workers[command.device.partition("/")[0]].order(issued, command)

    def pace(self, near: frozenset[str]) -> None:
        """Have these devices read at the fast pace and all others at the slow one."""
        for name in near ^ self._near:
            if name in self._workers:
                self._workers[name].pace(name in near)
        self._near = near

    def read_now(self, name: str) -> None:
        """Have a device read at once."""
        self._workers[name].read_now()

    def record(self, name: str, reply: Future[dict[str, Any]]) -> None:
        """Have a device say everything that a contributor needs."""
        told: Future[dict[str, Any]] = Future()
        told.add_done_callback(lambda done: _pass_on(name, done, reply))
        self._workers[name].record(told)

    def test(self, address: str) -> None:
        """Have the timer of a socket tried."""
        self._workers[address.partition("/")[0]].test(address)

    def stop(self) -> list[str]:
        """End all workers; returns the names of those that hang in their device and are left behind."""
        for worker in self._workers.values():
            worker.stop()
        return [name for name, worker in self._workers.items() if not worker.join(HANG_S)]
