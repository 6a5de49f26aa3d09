"""Network: where devices are looked for, as people write it. What is sent there is the drivers' business."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

EVERYBODY = "255.255.255.255"


class Network(NamedTuple):
    """Where a search is sent: one device, or the address that reaches all of a network. ``port`` None: the driver's own."""

    target: str
    port: int | None

    def __str__(self) -> str:
        return self.target if self.port is None else f"{self.target}:{self.port}"


def network(text: str) -> Network:
    """A network of "192.168.178.255", "192.168.178.0/24" or "192.168.178.40:9999". Raises ValueError saying what is one."""
    where, colon, port = text.strip().partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        raise ValueError(f'"{text[:60]}" ends in no port; a port is a number from 1 to 65535')
    try:
        target = ipaddress.IPv4Network(where, strict=False).broadcast_address
    except ValueError:
        raise ValueError(
            f'"{text[:60]}" is no network; write "192.168.178.255", "192.168.178.0/24" or "255.255.255.255"'
        ) from None
    if not (target.is_private or target.is_link_local or target.is_loopback or str(target) == EVERYBODY):
        raise ValueError(f'"{text[:60]}" is not on a local network; plugs are looked for at home only')
    return Network(str(target), int(port) if colon else None)
