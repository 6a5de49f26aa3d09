"""Kasa sockets: which one is meant, what it measures, and where it can be switched without a login. Part of `drivers.kasa`."""

from __future__ import annotations

from kasa import Device, Module
from kasa.iot import IotDevice
from kasa.transports import XorTransport

from chargerd.drivers.kasa_timer import child_id

LEGACY_PORT = 9999


def answers_to(child: Device, channel: str) -> bool:
    """Whether a socket has this name, or this id: whole, within its strip, or the number that it ends in."""
    ids = (child.device_id, child_id(child.device_id), child.device_id[-2:])
    return (child.alias or "").casefold() == channel.casefold() or channel in ids


async def measured(socket: Device) -> tuple[float | None, float | None, float | None, float | None]:
    """Power, voltage, current and total energy: W, V, A and kWh; None where it says nothing.

    The ``status`` of newer devices has today's energy for a total; they have no real one.
    """
    now = await socket.modules[Module.Energy].get_status()
    return now.power, now.voltage, now.current, now.total if isinstance(socket, IotDevice) else None


def open_at(device: Device) -> str:
    """Where the older devices can be switched by anybody; the newer ones want a login and are left to their timer."""
    if not isinstance(device, IotDevice) or not isinstance(device.protocol._transport, XorTransport):
        return ""
    return f"{device.host}:{device.port or LEGACY_PORT}"
