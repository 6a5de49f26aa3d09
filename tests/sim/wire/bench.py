"""Bench: simulated TP-Link devices for a test, on loopback and on one clock that the test sets."""

from __future__ import annotations

import os
from contextlib import ExitStack
from itertools import count
from typing import Any

from chargerd.drivers.simulated import Socket, Steady
from chargerd.sim.wire.kasa import SimulatedPlug, SimulatedStrip
from chargerd.sim.wire.klap import Login
from chargerd.sim.wire.klap_server import KlapServer, lock_up
from chargerd.sim.wire.smart import SimulatedSmartPlug

OWNER = Login("owner@example.com", "correct-horse")
_NUMBERS = count()
NOON_S = 1_800_000_000.0  # 2027-01-15 08:00 UTC


class Bench:
    """A table with devices on it and one clock."""

    def __init__(self, stack: ExitStack) -> None:
        self.now_s = NOON_S
        self._stack = stack

    def address(self) -> str:
        """An address on loopback of its own, also beside tests in other processes: newer devices are searched on one fixed port."""
        low, high = os.getpid() % 200, os.getpid() // 200 % 250
        return f"127.{low + 20}.{high}.{next(_NUMBERS) % 250 + 1}"

    def plug(self, model: str = "HS110v2", draw_w: float = 44.0, on: bool = True, **settings: Any) -> SimulatedPlug:
        """A running plug with a steady load."""
        return self._started(
            SimulatedPlug(Socket(Steady(draw_w), on=on), now_s=lambda: self.now_s, model=model, **settings)
        )

    def strip(self, *aliases: str, **settings: Any) -> SimulatedStrip:
        """A running strip whose sockets draw 100 W, 101 W, … when they are on; all are off."""
        sockets = {alias: Socket(Steady(100.0 + number)) for number, alias in enumerate(aliases)}
        strip = SimulatedStrip(sockets, now_s=lambda: self.now_s, **settings)
        self._started(strip)
        return strip

    def smart(
        self, model: str = "P110", draw_w: float = 44.0, on: bool = True, login: Login = OWNER, **settings: Any
    ) -> SimulatedSmartPlug:
        """A running plug of the newer kind, with a steady load."""
        socket = Socket(Steady(draw_w), on=on)
        settings.setdefault("host", self.address())
        plug = SimulatedSmartPlug(socket, now_s=lambda: self.now_s, login=login, model=model, **settings)
        self._started(plug)
        return plug

    def lock_up(self, device: SimulatedPlug, login: Login = OWNER, **settings: Any) -> KlapServer:
        """Give an older device the firmware that wants a login."""
        return lock_up(device, login, now_s=lambda: self.now_s, **settings)

    def _started(self, device: SimulatedPlug) -> SimulatedPlug:
        device.start()
        self._stack.callback(device.stop)
        return device
