"""Kasa: TP-Link plugs and strips with an energy meter, through python-kasa.

Protocol: https://github.com/python-kasa/python-kasa   Seen working: simulated HS110, KP115 and HS300, open and behind a login
(KLAP), P110, P115 and KP125M; no hardware yet.

A strip is one device with one connection; its sockets are channels, named by alias or id and resolved once to the id.
Devices are asked for what is needed, each time anew: python-kasa's ``update`` keeps the last answer of whatever fails, and a
socket's own copy of its relay stays stale after a switch. An older strip's relays are always taken from the parent, and the
MAC is looked at before a relay is turned: python-kasa reconnects by itself, to whoever has the address now.

The cut-off timer (lease) is in `drivers.kasa_timer`, ways to speak to a device that wants a login in `drivers.kasa_login`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Coroutine, Iterator, Mapping
from json import JSONDecodeError
from typing import Any, TypeVar

from kasa import (
    Credentials,
    Device,
    Discover,
    KasaException,
    Module,
    UnsupportedDeviceError,
)
from kasa import (
    DeviceConfig as KasaConfig,
)
from kasa.iot import IotDevice
from pydantic import Field, model_validator

from chargerd.config.base import Credential, DeviceConfig, Secret
from chargerd.drivers import kasa_smart
from chargerd.drivers.base import AccessDenied, DriverError, UnexpectedAnswer, Unreachable, switching
from chargerd.drivers.kasa_login import CLOSED_HINT, HUNG_UP, announced, denied, foremost, is_denial, is_open, ways
from chargerd.drivers.kasa_record import record
from chargerd.drivers.kasa_sockets import LEGACY_PORT, answers_to, measured, open_at
from chargerd.drivers.kasa_timer import RAW_CHARS, child_id, holds, knows_timer, last_will, lend, take_back, timer_of
from chargerd.model.commands import Command, SetEnabled
from chargerd.model.events import ChargerRead, DeviceAdded
from chargerd.model.network import EVERYBODY

MAC = r"^([0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}$"
BUDGET = 1.5  # × timeout_s: one answer may come late or be asked for again, python-kasa's four tries are cut short
DISCOVERY_S = 2
CLOSE_S = 1.0
RECORD_S = 6.0  # a strip of six sockets answers thirteen questions

REPLACED_HINT = "If it was replaced, give the new mac in the configuration"

# What python-kasa raises for answers it cannot make sense of, besides its own exceptions.
_CONFUSED = (LookupError, TypeError, AttributeError, ValueError, AssertionError)

__all__ = ["Driver", "last_will"]

T = TypeVar("T")
Json = dict[str, Any]


class Driver:
    """One physical device. A call ends within `BUDGET` × ``timeout_s``; if it must connect first and finds that the device
    has moved, within twice that and a search.
    """

    kind = "kasa"
    accepts = frozenset({SetEnabled})

    class Config(DeviceConfig):
        """``host``, ``alias`` or ``mac`` names the device; with both, the device at ``host`` must have that alias.

        ``mac`` is its hardware address: a device that has it is the one, whatever it is called and wherever it has moved.

        ``username`` and ``password`` are those of the TP-Link account, for devices whose port 9999 is closed. ``lease``
        false leaves the device's timer alone. ``discovery`` is where a search is sent, several with blanks between.
        """

        host: str | None = Field(default=None, min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
        alias: str | None = Field(default=None, min_length=1)
        mac: str | None = Field(default=None, pattern=MAC, description='a hardware address, as in "50:C7:BF:00:00:01"')
        port: int = Field(default=LEGACY_PORT, ge=1, le=65535)
        username: Credential | None = None
        password: Credential | None = None
        timeout_s: float = Field(default=5.0, ge=0.1, le=60)
        lease: bool = True
        discovery: str | None = Field(default=None, min_length=1)

        @model_validator(mode="after")
        def _complete(self) -> Driver.Config:
            if self.host is None and self.alias is None and self.mac is None:
                raise ValueError(
                    "give host (its address), alias (its name in the Kasa app) or mac (its hardware address)"
                )
            if (self.username is None) != (self.password is None):
                raise ValueError("give username and password together, or neither")
            return self

    def __init__(
        self, name: str, config: DeviceConfig, channels: tuple[str, ...], secrets: Mapping[str, Secret]
    ) -> None:
        assert isinstance(config, self.Config)
        self._name = name
        self._config = config
        self._channels = tuple(channel for channel in channels if channel)
        self._secrets = tuple(secrets.values())
        self._has_login = config.username is not None
        self._login = Credentials()  # left empty it opens devices that never met the maker's cloud
        if config.username is not None and config.password is not None:
            self._login = Credentials(secrets["username"].reveal(), secrets["password"].reveal())
        self._runner = asyncio.Runner()
        self._device: Device | None = None
        self._address: KasaConfig | None = None
        self._mac: str | None = config.mac
        self._ids: dict[str, str] = {}
        self._has_timer = False
        self._closed = False

    def describe(self) -> DeviceAdded:
        """Connect and say what this is. A device without a meter, or without a configured socket, is refused by name."""
        return self._runner.run(self._guarded(self._describe()))

    def read(self) -> tuple[ChargerRead, ...]:
        """One reading a configured socket, from one refresh of the device. A plug's channel is ""."""
        return self._runner.run(self._guarded(self._read()))

    def apply(self, command: Command) -> None:
        """Set the timer, turn the relay, and look whether it has turned.

        The timer comes before the relay, so that the socket is never on without it. A running timer of somebody else
        stays. A device without a timer is switched without, as `describe` says.
        """
        self._runner.run(self._guarded(self._apply(switching(command))))

    def record(self) -> Json:
        """What the device answers, without what would tell whose it is; see `drivers.kasa_record`."""
        return self._runner.run(self._guarded(self._record()))

    def close(self) -> None:
        """Hang up."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._drop())
            self._runner.close()

    # Calls and their errors

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(3 * self._budget_s + DISCOVERY_S):
                return await work
        except DriverError:
            await self._drop()
            raise
        except (KasaException, OSError, EOFError, *_CONFUSED) as error:
            await self._drop()
            # Not chained: what the library raised may quote what it sent.
            raise self._explained(error) from None

    def _explained(self, error: BaseException) -> DriverError:
        for cause in _causes(error):
            text = self._clean(str(cause) or type(cause).__name__)
            if is_denial(cause):
                return AccessDenied(f"{self._name} {denied(self._has_login)}")
            if isinstance(cause, TimeoutError):
                return Unreachable(f"{self._name} did not answer in time ({self._config.timeout_s:g} s)")
            if isinstance(cause, (OSError, EOFError, *HUNG_UP)):
                hint = CLOSED_HINT if isinstance(cause, ConnectionRefusedError) and not self._has_login else ""
                return Unreachable(f"{self._name} cannot be reached: {text}{hint}")
        what = "is not supported" if isinstance(error, UnsupportedDeviceError) else "gave an answer that makes no sense"
        raw = next((text for cause in _causes(error) if (text := _raw(cause))), str(error))
        return UnexpectedAnswer(f"{self._name} {what}: {self._clean(str(error))}", self._clean(raw)[:RAW_CHARS])

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret.reveal(), "…")
        return text

    # Connecting

    async def _connected(self) -> Device:
        if self._device is not None:
            return self._device
        try:
            device = await self._reach_known()
        except (KasaException, OSError, _Stranger) as error:
            if is_denial(error) or (self._mac is None and self._config.alias is None):
                raise
            self._address = None  # new firmware may want another way: if nothing is found, ask from the beginning
            try:
                device = await self._reach_found(await self._search())
            except Unreachable:
                if not isinstance(error, _Stranger):
                    raise
                raise Unreachable(f"{error}, which answers no search. {REPLACED_HINT}") from None
        self._device = device
        await self._examine(device)
        return device

    async def _reach_known(self) -> Device:
        if self._address is not None:
            return await self._reach(self._address)
        host = self._config.host
        if host is None:
            return await self._reach_found(await self._search())
        if self._has_login:
            return await self._reach_with_login(host)
        try:
            return await self._reach(self._older(host))
        except (KasaException, OSError):
            try:
                found = await self._ask_protocol(host)
            except (KasaException, OSError):
                found = None  # then what the older protocol met is the whole story
            if found is None or is_open(found):
                raise
        return await self._reach(found)

    async def _reach_found(self, found: KasaConfig) -> Device:
        # Without a login the older protocol comes first: a device can be open (Third-Party Compatibility) and say otherwise.
        if self._has_login or is_open(found):
            return await self._reach(found)
        try:
            return await self._reach(self._older(found.host))
        except (KasaException, OSError):
            return await self._reach(found)

    async def _reach_with_login(self, host: str) -> Device:
        try:
            found = await self._ask_protocol(host)
        except TimeoutError:  # UDP does not get through everywhere
            return await self._try_ways(host)
        return await self._reach(found)

    async def _try_ways(self, host: str) -> Device:
        errors: list[Exception] = []
        for way in ways(host, self._discovery_port, self._library_timeout_s, self._login):
            try:
                return await self._reach(way)
            except (KasaException, OSError, *_CONFUSED) as error:
                errors.append(error)
        raise foremost(errors)

    def _older(self, host: str) -> KasaConfig:
        return KasaConfig(host=host, port_override=self._config.port, timeout=self._library_timeout_s)

    async def _reach(self, address: KasaConfig) -> Device:
        async with asyncio.timeout(self._budget_s):
            device = await Device.connect(config=address)
        if not self._is_ours(device.mac, device.alias):
            await device.disconnect()
            raise _Stranger(
                f"{self._name} cannot be reached: at {address.host} is {device.alias!r} ({device.mac}), not"
                f" {self._config.alias or self._mac!r}"
            )
        self._address = address
        self._mac = device.mac
        return device

    def _is_ours(self, mac: str, alias: str | None) -> bool:
        if self._mac is not None:
            return _digits(mac) == _digits(self._mac)
        wanted = self._config.alias
        return wanted is None or (alias is not None and alias.casefold() == wanted.casefold())

    async def _ask_protocol(self, host: str) -> KasaConfig:
        # Only the device itself knows which login it speaks; it says so when asked by UDP.
        async with asyncio.timeout(self._budget_s):
            port, timeout = self._discovery_port, self._library_timeout_s
            found = await Discover.discover_single(
                host, discovery_timeout=DISCOVERY_S, port=port, timeout=timeout, credentials=self._login
            )
        if found is None:
            raise UnexpectedAnswer(f"{self._name}: python-kasa does not know the device at {host}")
        # A discovered object is of the wrong class for a strip with login; only its address is used.
        await found.disconnect()
        return announced(found.config)

    async def _search(self) -> KasaConfig:
        found: asyncio.Future[KasaConfig] = asyncio.get_running_loop().create_future()

        async def look(device: Device) -> None:
            with contextlib.suppress(KasaException, OSError, *_CONFUSED):  # a neighbour that python-kasa cannot read
                alias = device.alias
                if alias is None and self._mac is None and self._has_login:
                    alias = await self._alias_behind_login(announced(device.config))
                if not found.done() and self._is_ours(device.mac, alias):
                    found.set_result(announced(device.config))

        async def ask(target: str) -> None:
            await Discover.discover(
                target=target,
                on_discovered=look,
                discovery_timeout=DISCOVERY_S,
                discovery_packets=2,
                credentials=self._login,
                port=self._discovery_port,
                timeout=self._library_timeout_s,
            )

        targets = (self._config.discovery or EVERYBODY).split()
        everybody = asyncio.ensure_future(asyncio.gather(*map(ask, targets)))
        either: set[asyncio.Future[Any]] = {everybody, found}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if found.done():
                return found.result()
            await everybody
        finally:
            everybody.cancel()
            await asyncio.wait({everybody})
            if not everybody.cancelled():
                everybody.exception()  # looked at, or asyncio complains of it later
        raise Unreachable(f"{self._name}: no device called {self._config.alias or self._mac!r} answered a search")

    async def _alias_behind_login(self, address: KasaConfig) -> str | None:
        async with asyncio.timeout(self._budget_s):
            device = await Device.connect(config=address)
            await device.disconnect()
        return device.alias

    @property
    def _discovery_port(self) -> int | None:
        # Naming the port would also force it on devices that speak HTTP on port 80.
        return None if self._config.port == LEGACY_PORT else self._config.port

    @property
    def _budget_s(self) -> float:
        return self._config.timeout_s * BUDGET

    @property
    def _library_timeout_s(self) -> int:
        return math.ceil(self._config.timeout_s)

    async def _drop(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(KasaException, OSError):
                async with asyncio.timeout(CLOSE_S):
                    await device.disconnect()

    # What the device is

    async def _examine(self, device: Device) -> None:
        known = [child.alias or child.device_id for child in device.children]
        if device.children and not self._channels:
            addresses = ", ".join(f"{self._name}/{alias}" for alias in known)
            raise UnexpectedAnswer(f"{self._name} is a strip; name one of its sockets: {addresses}")
        if not device.children and self._channels:
            raise UnexpectedAnswer(f"{self._name} is a single plug and has no socket {self._channels[0]!r}")
        if not self._ids:
            self._ids = self._resolved(device, known)
        for socket in self._sockets(device).values():
            if Module.Energy not in socket.modules:
                raise UnexpectedAnswer(f"{self._name} is a {device.model}, which has no energy meter")
        async with asyncio.timeout(self._budget_s):
            self._has_timer = self._config.lease and await knows_timer(next(iter(self._sockets(device).values())))

    def _resolved(self, device: Device, known: list[str]) -> dict[str, str]:
        ids = {channel: self._id_of(device, channel, known) for channel in self._channels}
        if len(set(ids.values())) < len(ids):
            raise UnexpectedAnswer(f"{self._name}: {' and '.join(ids)} are the same socket")
        return ids

    def _id_of(self, device: Device, channel: str, known: list[str]) -> str:
        meant = [child for child in device.children if answers_to(child, channel)]
        if len(meant) > 1:
            ids = ", ".join(child.device_id for child in meant)
            raise UnexpectedAnswer(
                f"{self._name} has two sockets called {channel!r}; rename one, or use the ids: {ids}"
            )
        if meant:
            return meant[0].device_id
        raise UnexpectedAnswer(f"{self._name} has no socket {channel!r}; it has {', '.join(map(repr, known))}")

    def _sockets(self, device: Device) -> dict[str, Device]:
        if not self._channels:
            return {"": device}
        by_id = {child.device_id: child for child in device.children}
        return {channel: by_id[self._ids[channel]] for channel in self._channels}

    async def _describe(self) -> DeviceAdded:
        device = await self._connected()
        return DeviceAdded(
            driver=self.kind,
            model=device.model,
            device_id=device.device_id,
            firmware=str(device.hw_info.get("sw_ver", "")),
            channels=dict(self._ids),
            accepts=tuple(kind.__name__ for kind in self.accepts),
            lease="unproven" if self._has_timer else "none",
            switch_at=open_at(device),
        )

    async def _record(self) -> Json:
        device = await self._connected()
        async with asyncio.timeout(RECORD_S):
            answers = await record(device)
        told = {"driver": self.kind, "model": device.model, "firmware": str(device.hw_info.get("sw_ver", ""))}
        return {**told, "hardware": str(device.hw_info.get("hw_ver", "")), **answers}

    # Reading and switching

    async def _read(self) -> tuple[ChargerRead, ...]:
        device = await self._connected()
        async with asyncio.timeout(self._budget_s):
            relays = await self._relays(device)
            sockets = self._sockets(device)
            return tuple([await self._reading(channel, socket, relays[channel]) for channel, socket in sockets.items()])

    async def _relays(self, device: Device) -> dict[str, bool]:
        if not isinstance(device, IotDevice):
            info = await kasa_smart.info_of(device)
            self._refuse_stranger(info["mac"])
            if not self._channels:
                return {"": bool(info["device_on"])}
            sockets = self._sockets(device)
            return {channel: bool((await kasa_smart.info_of(it))["device_on"]) for channel, it in sockets.items()}
        info = await device.get_sys_info()
        self._refuse_stranger(info.get("mac") or info["mic_mac"])
        if not self._channels:
            return {"": bool(info["relay_state"])}
        states = {child["id"]: bool(child["state"]) for child in info["children"]}
        return {channel: states[child_id(device_id)] for channel, device_id in self._ids.items()}

    def _refuse_stranger(self, mac: str) -> None:
        if self._mac is not None and _digits(mac) != _digits(self._mac):
            raise _Stranger(f"{self._name} cannot be reached: another device ({mac}) has its address now")

    async def _reading(self, channel: str, socket: Device, enabled: bool) -> ChargerRead:
        power_w, voltage_v, current_a, total_kwh = await measured(socket)
        timer = await timer_of(socket) if self._has_timer and enabled else None
        return ChargerRead(
            channel=channel,
            enabled=enabled,
            power_w=power_w,
            voltage_v=voltage_v,
            current_a=current_a,
            energy_wh=None if total_kwh is None else round(total_kwh * 1000, 3),
            lease_s=None if timer is None else timer.left_s,
            timer=None if timer is None else timer.owner,
        )

    async def _apply(self, command: SetEnabled) -> None:
        channel = command.device.partition("/")[2]
        device = await self._connected()
        sockets = self._sockets(device)
        if channel not in sockets:
            raise UnexpectedAnswer(f"{self._name} has no socket {channel!r} in its configuration")
        async with asyncio.timeout(self._budget_s):
            await self._relays(device)
            await self._switch(device, sockets[channel], command, channel)

    async def _switch(self, device: Device, socket: Device, command: SetEnabled, channel: str) -> None:
        lease_s = command.lease_s if self._has_timer and command.enabled else None
        if lease_s is not None:
            await lend(socket, lease_s)
        await socket.set_state(command.enabled)
        if (await self._relays(device))[channel] != command.enabled:
            wanted = "on" if command.enabled else "off"
            raise UnexpectedAnswer(f"{command.device} accepted to switch {wanted} and did not follow")
        if lease_s is not None:
            await self._keep_lent(socket, command.device, lease_s)
        elif self._has_timer and not command.enabled:
            await take_back(socket)

    async def _keep_lent(self, socket: Device, address: str, lease_s: int) -> None:
        # Nobody has written down whether switching the relay clears the rule, so look, and set it again if it does.
        if await holds(socket, lease_s):
            return
        await lend(socket, lease_s, anew=True)
        if not await holds(socket, lease_s):
            raise UnexpectedAnswer(f"{address} is on and does not keep its cut-off timer")


class _Stranger(Unreachable):
    """Another device answers at the address: addresses move. It is never switched."""


def _digits(mac: str) -> str:
    return mac.upper().replace(":", "").replace("-", "")


def _raw(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return repr(error.object)
    return error.doc if isinstance(error, JSONDecodeError) else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
