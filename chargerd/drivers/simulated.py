"""Simulated: a plug that exists only in this process, and the physics that every simulated plug shares.

The physics knows no clock: each call says what time it is, in seconds of any epoch that does not go back.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Literal, Protocol

from msgspec import Struct
from pydantic import Field

from chargerd.config.base import DeviceConfig, Secret
from chargerd.drivers.base import UnexpectedAnswer, switching
from chargerd.model.commands import Command, SetEnabled
from chargerd.model.events import ChargerRead, DeviceAdded

STEP_S = 5.0  # power changes by less than 0.2 W in this time on every recorded curve, save where a charger jumps
VOLTAGE_V = 230.0


class Load(Protocol):
    """What is behind a socket."""

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:
        """Power it draws: after ``taken_wh`` since it was connected, ``on_s`` after switch-on, at the time ``at_s``."""
        ...


class Steady(Struct, frozen=True):
    """Draws the same for ever: an idle charger, a full pack, a charger that never tapers, a kettle."""

    draw_w: float

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002
        """The same whatever happens."""
        return self.draw_w


class Curve(Struct, frozen=True):
    """A charger with a pack: power along the energy taken, so a charge that is interrupted goes on where it was.

    ``points`` are (energy in Wh since the pack was connected, power in W), energies rising. Past the last point the last
    power stays. ``start_wh`` is what the pack had already when it was connected.
    """

    points: tuple[tuple[float, float], ...]
    start_wh: float = 0.0

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002
        """Power on the straight line between the two points around the energy taken."""
        wh = self.start_wh + taken_wh
        right = bisect_right(self.points, wh, key=lambda point: point[0])
        if right == 0:
            return self.points[0][1]
        if right == len(self.points):
            return self.points[-1][1]
        (wh_0, w_0), (wh_1, w_1) = self.points[right - 1], self.points[right]
        return w_0 + (w_1 - w_0) * (wh - wh_0) / (wh_1 - wh_0)

    @property
    def total_wh(self) -> float:
        """Energy at which the last power is reached."""
        return self.points[-1][0]


class SoftStart(Struct, frozen=True):
    """A charger that draws ``standby_w`` for ``wait_s`` after each switch-on before it begins: a slow start, a sleeping BMS."""

    load: Load
    wait_s: float = 60.0
    standby_w: float = 0.0

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:
        """Stand-by first, then the charger behind it."""
        if on_s < self.wait_s:
            return self.standby_w
        return self.load.power_w(taken_wh, on_s - self.wait_s, at_s)


class Removed(Struct, frozen=True):
    """A pack that is pulled out of its charger at ``removed_s``; the charger then idles."""

    load: Load
    removed_s: float
    idle_w: float = 0.7

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:
        """The pack until it is removed, the idle charger afterwards."""
        return self.idle_w if at_s >= self.removed_s else self.load.power_w(taken_wh, on_s, at_s)


def taper(plateau_w: float, capacity_wh: float, tail_w: float) -> Curve:
    """A plausible pack: constant current creeping up by 3 %, from 85 % of the energy on a fall to ``tail_w``.

    The fall is straight along energy, which makes it exponential in time, as the recorded ones nearly are.
    """
    return Curve(((0.0, plateau_w * 0.97), (0.85 * capacity_wh, plateau_w), (capacity_wh, tail_w)))


def curve(samples: list[tuple[float, float]]) -> Curve:
    """A curve from measured (time in s, power in W), powers above 0; a charge that follows it meets each sample in time.

    Power that is straight along energy is exponential in time, so the mean power between two samples is their logarithmic mean.
    """
    points = [(0.0, samples[0][1])]
    for (t_0, w_0), (t_1, w_1) in pairwise(samples):
        mean_w = w_0 if w_0 == w_1 else (w_0 - w_1) / math.log(w_0 / w_1)
        points.append((points[-1][0] + mean_w * (t_1 - t_0) / 3600, w_1))
    return Curve(tuple(points))


class Socket:
    """A switched, metered socket with something behind it. Its time begins with the first call and never goes back.

    ``counter_wh`` is its meter, which a reboot sets to 0; ``taken_wh`` is what the load has had since it was connected.
    Noise, if a generator is given, is about 0.1 % of the power.
    """

    def __init__(self, load: Load, *, on: bool = False, noise: random.Random | None = None) -> None:
        self.load = load
        self.on = on
        self.taken_wh = 0.0
        self.counter_wh = 0.0
        self.on_since_s = 0.0
        self._at_s: float | None = None
        self._noise = noise
        self._glitches: list[float] = []

    def advance(self, at_s: float) -> None:
        """Let the time pass until ``at_s``; energy flows. A time in the past changes nothing."""
        if self._at_s is None:
            self._at_s = self.on_since_s = at_s
        if not self.on:
            self._at_s = max(self._at_s, at_s)
        while self._at_s < at_s:
            step_s = min(STEP_S, at_s - self._at_s)
            energy_wh = self._draw_w(self._at_s) * step_s / 3600
            self.taken_wh += energy_wh
            self.counter_wh += energy_wh
            self._at_s += step_s

    def switch(self, on: bool, at_s: float) -> None:
        """Turn the relay. Turning it to where it is changes nothing."""
        self.advance(at_s)
        if on and not self.on:
            self.on_since_s = at_s
        self.on = on

    def connect(self, load: Load, at_s: float) -> None:
        """Put something else behind the socket."""
        self.advance(at_s)
        self.load = load
        self.taken_wh = 0.0

    def power_w(self, at_s: float) -> float:
        """What really flows: 0 with the relay off."""
        self.advance(at_s)
        return self._draw_w(at_s)

    def glitch(self, at_s: float) -> None:
        """Have the first measurement at or after ``at_s`` say 0 W although power flows."""
        self._glitches.append(at_s)
        self._glitches.sort()

    def measure_w(self, at_s: float) -> float:
        """What the meter says: with noise, and with the glitches that were ordered."""
        true_w = self.power_w(at_s)
        if self.on and self._glitches and at_s >= self._glitches[0]:
            self._glitches.pop(0)
            return 0.0
        if true_w == 0 or self._noise is None:
            return true_w
        return max(0.0, self._noise.gauss(true_w, 0.02 + 0.001 * true_w))

    def reboot(self, at_s: float) -> None:
        """The plug restarts: its energy counter begins at 0 again, the load goes on where it was."""
        self.advance(at_s)
        self.counter_wh = 0.0

    def _draw_w(self, at_s: float) -> float:
        return self.load.power_w(self.taken_wh, at_s - self.on_since_s, at_s) if self.on else 0.0


class Driver:
    """Plugs of this process, one socket a channel. Without ``now_s`` each reading is ``poll_s`` after the one before."""

    kind = "simulated"
    accepts = frozenset({SetEnabled})

    class Config(DeviceConfig):
        """What is behind the sockets: a pack that tapers, one that never does, or a charger without a pack."""

        pack: Literal["taper", "constant", "none"] = "taper"
        plateau_w: float = Field(default=103.0, gt=0, le=3680)
        capacity_wh: float = Field(default=400.0, gt=0, le=200_000)
        tail_w: float = Field(default=5.0, ge=0, le=3680)
        idle_w: float = Field(default=0.7, ge=0, le=100)
        seed: int = 1

    def __init__(
        self,
        name: str,
        config: DeviceConfig,
        channels: tuple[str, ...],
        secrets: Mapping[str, Secret],  # noqa: ARG002
        *,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        assert isinstance(config, self.Config)
        self._name = name
        self._config = config
        self._now_s = now_s
        self._reads = 0
        self._due_s: dict[str, float] = {}
        self.sockets = {
            channel: Socket(self._load(), noise=random.Random(f"{config.seed}/{channel}"))
            for channel in channels or ("",)
        }

    def describe(self) -> DeviceAdded:
        """The timer is real but ends with this process, so the lease stays unproven."""
        channels = {channel: channel for channel in self.sockets if channel}
        accepts = tuple(kind.__name__ for kind in self.accepts)
        return DeviceAdded(self.kind, "simulated plug", self._name, "1", channels, accepts, "unproven")

    def read(self) -> tuple[ChargerRead, ...]:
        """What each socket says now."""
        self._reads += 1
        at_s = self._time_s()
        self._settle(at_s)
        return tuple(self._reading(channel, socket, at_s) for channel, socket in self.sockets.items())

    def apply(self, command: Command) -> None:
        """Switch a socket; a lease is kept in this process."""
        command = switching(command)
        channel = command.device.partition("/")[2]
        if channel not in self.sockets:
            raise UnexpectedAnswer(f"{self._name} has no socket {channel!r}")
        at_s = self._time_s()
        self._settle(at_s)
        self.sockets[channel].switch(command.enabled, at_s)
        self._due_s.pop(channel, None)
        if command.enabled and command.lease_s is not None:
            self._due_s[channel] = at_s + command.lease_s

    def close(self) -> None:
        """There is nothing to let go of."""

    def _time_s(self) -> float:
        return self._now_s() if self._now_s is not None else self._reads * self._config.poll_s

    def _settle(self, at_s: float) -> None:
        for channel, due_s in list(self._due_s.items()):
            if due_s <= at_s:
                self.sockets[channel].switch(False, due_s)
                del self._due_s[channel]

    def _reading(self, channel: str, socket: Socket, at_s: float) -> ChargerRead:
        power_w = socket.measure_w(at_s)
        due_s = self._due_s.get(channel)
        return ChargerRead(
            channel=channel,
            enabled=socket.on,
            power_w=power_w,
            voltage_v=VOLTAGE_V,
            current_a=power_w / VOLTAGE_V,
            energy_wh=socket.counter_wh,
            lease_s=None if due_s is None else int(due_s - at_s),
            timer=None if due_s is None else "ours",
        )

    def _load(self) -> Load:
        match self._config.pack:
            case "taper":
                return taper(self._config.plateau_w, self._config.capacity_wh, self._config.tail_w)
            case "constant":
                return Steady(self._config.plateau_w)
            case "none":
                return Steady(self._config.idle_w)
