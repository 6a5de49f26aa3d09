"""Kasa search: TP-Link plugs and strips on the local network, found by asking everybody, through python-kasa's discovery.

What the answers say is taken as it comes: no device is logged in to and none is switched. Older devices tell name,
sockets and meter at once; newer ones only what they are, and that they want a login.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from kasa import Device, Discover, KasaException
from kasa import DeviceConfig as KasaConfig
from kasa.discover import DiscoveredRaw
from kasa.iot import IotDevice

from chargerd.drivers.base import Found, FoundSocket, Unreachable
from chargerd.drivers.kasa_sockets import LEGACY_PORT
from chargerd.model.network import Network, network

ALIAS_CHARS = 60
OPEN_S = 2.0  # how long a device that wants a login is asked by the older protocol before that is believed
PLUGS = ("IOT.SMARTPLUGSWITCH", "SMART.KASAPLUG", "SMART.TAPOPLUG")

# Of devices that tell nothing before a login, by the recorded devices in python-kasa's tests. What is in neither is unknown.
METERED = ("HS110", "HS300", "KP115", "KP125", "EP25", "P110", "P115", "P304")
UNMETERED = ("HS100", "HS103", "HS105", "HS107", "KP200", "KP303", "EP10", "EP40", "P100", "P300")

Json = Mapping[str, Any]


async def search(where: Network, seconds: int, tell: Callable[[Found | None], None]) -> None:
    """Ask for so many seconds and ``tell`` of each device as it answers; None is a TP-Link device that is no plug.

    Raises `Unreachable` when there is no way to that network.
    """
    _look_for_a_way(where)
    behind_a_login: list[asyncio.Task[None]] = []

    def heard(raw: DiscoveredRaw) -> None:
        found = found_in(raw["discovery_response"], raw["meta"]["ip"], where)
        if found is not None and found.login:
            behind_a_login.append(asyncio.create_task(_try_the_old_way(found, tell)))
        else:
            tell(found)

    packets = max(2, seconds // 2)
    await Discover.discover(
        target=where.target,
        port=None if where.port == LEGACY_PORT else where.port,  # named, it would be forced on plugs that speak HTTP
        discovery_timeout=seconds,
        discovery_packets=packets,
        on_discovered_raw=heard,
    )
    await asyncio.gather(*behind_a_login)


def found_in(answer: Json, host: str, where: Network) -> Found | None:
    """What an answer says; None if it is of no plug, or of a shape that nobody knows."""
    result, system = answer.get("result"), answer.get("system")
    if isinstance(result, Mapping):
        return _newer(result, host, where)
    info = system.get("get_sysinfo") if isinstance(system, Mapping) else None
    return _older(info, host, where) if isinstance(info, Mapping) else None


def _older(info: Json, host: str, where: Network) -> Found | None:
    if str(info.get("mic_type", info.get("type"))) not in PLUGS:
        return None
    children = info.get("children")
    sockets = [
        FoundSocket(str(child.get("alias") or "")[:ALIAS_CHARS], _channel(info, child))
        for child in (children if isinstance(children, list) else [])
        if isinstance(child, Mapping)
    ]
    return Found(
        driver="kasa",
        host=host,
        port=where.port or LEGACY_PORT,
        mac=mac_of(str(info.get("mac") or info.get("mic_mac") or "")),
        model=_model(info.get("model")),
        alias=str(info.get("alias") or "")[:ALIAS_CHARS],
        has_meter="ENE" in str(info.get("feature", "")).split(":"),
        login=False,
        network=str(where),
        sockets=tuple(sockets),
    )


def _channel(strip: Json, child: Json) -> str:
    # A socket's id is its strip's and two digits; by UDP a strip gives only those.
    return str(child.get("id", "")).removeprefix(str(strip.get("deviceId") or "-"))


def _newer(result: Json, host: str, where: Network) -> Found | None:
    if str(result.get("device_type")) not in PLUGS:
        return None
    scheme = result.get("mgt_encrypt_schm")
    encryption = scheme.get("encrypt_type") if isinstance(scheme, Mapping) else None
    model = _model(result.get("device_model"))
    return Found(
        driver="kasa",
        host=host,
        port=where.port or LEGACY_PORT,
        mac=mac_of(str(result.get("mac", ""))),
        model=model,
        alias=None,
        has_meter=_by_model(model),
        login=encryption != "XOR",
        network=str(where),
    )


async def _try_the_old_way(found: Found, tell: Callable[[Found | None], None]) -> None:
    """A device may answer both ways and be open all the same (Third-Party Compatibility); then nobody need log in."""
    told = found
    try:
        async with asyncio.timeout(OPEN_S):
            device = await Device.connect(config=KasaConfig(host=found.host, port_override=found.port, timeout=1))
    except (KasaException, OSError, TimeoutError, LookupError, TypeError, ValueError):
        device = None  # closed, as it said
    if isinstance(device, IotDevice):
        told = _older({**device.sys_info, "mac": device.mac}, found.host, network(found.network)) or found
        await device.disconnect()
    tell(told)


def _look_for_a_way(where: Network) -> None:
    # Connecting a datagram socket sends nothing; it only asks the kernel for a route. python-kasa logs and goes on.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            asked.connect((where.target, where.port or LEGACY_PORT))
        except OSError as error:
            raise Unreachable(f"no way to {where}: {(error.strerror or str(error)).lower()}") from error


def mac_of(text: str) -> str:
    """A hardware address as this program writes it: capital letters and colons; "" for what is none."""
    digits = "".join(c for c in text.upper() if c in "0123456789ABCDEF")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2)) if len(digits) == 12 else ""


def _model(text: object) -> str:
    return str(text or "").partition("(")[0].strip()


def _by_model(model: str) -> bool | None:
    if model.startswith(METERED):
        return True
    return False if model.startswith(UNMETERED) else None
