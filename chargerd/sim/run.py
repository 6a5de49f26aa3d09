"""Run: a site in simulated time. The real log, recorder, engine and desks; only the clock and the devices are not real.

Days pass in seconds. What happens depends on nothing but what was given, so a seed reproduces any failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from chargerd import __version__
from chargerd.daemon.past import state_after
from chargerd.daemon.poller import Desk
from chargerd.daemon.recorder import Moment, Outcome, Recorder
from chargerd.daemon.upkeep import Drop
from chargerd.drivers.base import Driver
from chargerd.engine import VERSION
from chargerd.model.events import Body, ConfigLoaded, DaemonStarted, DaemonStopped, DaemonStopping, Event
from chargerd.model.settings import Configuration
from chargerd.model.state import Site
from chargerd.store.errors import LogError
from chargerd.store.log import Log

ROUNDS = 100  # of orders and what follows from them, with no time passing; no device needs so many


class SimulatedClock:
    """Time that passes only when it is told to. ``skew_ms`` is what somebody has set the wall clock off by."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self.mono = 0
        self.skew_ms = 0
        self.boot_id = "simulated"

    def mono_ms(self) -> int:
        """Milliseconds since this clock began."""
        return self.mono

    def now_ms(self) -> int:
        """What the wall clock shows, UTC."""
        return self._start_ms + self.mono + self.skew_ms

    def true_s(self) -> float:
        """UTC in seconds as nobody has tampered with it; devices live on this."""
        return (self._start_ms + self.mono) / 1000


class Run:
    """A daemon's life in simulated time. Make another over the same log and clock to have it restarted."""

    def __init__(
        self,
        configuration: Configuration,
        drivers: Mapping[str, Driver],
        log: Path,
        clock: SimulatedClock,
        *,
        watch: Callable[[Event], None] | None = None,
    ) -> None:
        self.clock = clock
        self.log = Log(log)
        try:
            self._recorder = Recorder(self.log, state_after(self.log))
        except LogError:
            self.log.close()
            raise
        self._desks = {name: Desk(configuration.devices[name], driver) for name, driver in drivers.items()}
        for desk in self._desks.values():
            desk.due_ms = clock.mono
        self._wake_ms: int | None = None
        self._watch = watch
        self._take("daemon", [DaemonStarted(__version__, VERSION, clock.boot_id), ConfigLoaded(configuration)])

    @property
    def site(self) -> Site:
        """What the engine believes now."""
        return self._recorder.site

    def ask(self, *facts: Body, by: str = "test") -> None:
        """A person's requests, in a transaction of their own."""
        self._take(by, list(facts))

    def until(self, mono_s: float) -> None:
        """Let time pass up to this many seconds after the clock began."""
        end_ms = round(mono_s * 1000)
        while True:
            dues = [desk.due_ms for desk in self._desks.values()]
            next_ms = min([*dues, *([] if self._wake_ms is None else [self._wake_ms])], default=end_ms)
            if next_ms > end_ms:
                break
            self.clock.mono = max(self.clock.mono, next_ms)
            facts: list[tuple[str, Body]] = []
            for name, desk in self._desks.items():
                if desk.due_ms <= self.clock.mono:
                    facts += [(name, fact) for fact in desk.read(self.clock.mono_ms)]
            self._settle(self._record(facts))
        self.clock.mono = max(self.clock.mono, end_ms)

    def give_up(self, drop: Drop) -> None:
        """Let readings go that were kept long enough."""
        clock = self.clock
        self._recorder.drop(drop, Moment(clock.now_ms(), clock.mono, clock.boot_id))

    def stop(self) -> None:
        """End in order, as on SIGTERM: leases are shortened, what has none is switched as configured."""
        self._take("daemon", [DaemonStopping("stop")])
        self._take("daemon", [DaemonStopped("stop")])
        self.kill()

    def kill(self) -> None:
        """End at once, as kill -9 does."""
        self.log.close()

    def _take(self, source: str, facts: list[Body]) -> None:
        self._settle(self._record([(source, fact) for fact in facts]))

    def _record(self, facts: list[tuple[str, Body]]) -> Outcome:
        clock = self.clock
        outcome = self._recorder.take(facts, Moment(clock.now_ms(), clock.mono, clock.boot_id))
        if self._watch is not None:
            for event in outcome.events:
                self._watch(event)
        return outcome

    def _settle(self, outcome: Outcome) -> None:
        """Carry out what was ordered, and what follows from that, until nothing more does."""
        rounds = 0
        while outcome.orders:
            rounds += 1
            assert rounds <= ROUNDS, f"orders without end at one moment, the last: {outcome.orders}"
            facts: list[tuple[str, Body]] = []
            for order in outcome.orders:
                name = order.command.device.partition("/")[0]
                if name in self._desks:
                    facts += [(name, fact) for fact in self._desks[name].apply(*order, self.clock.mono_ms)]
            outcome = self._record(facts)
        for name, desk in self._desks.items():
            desk.pace(name in outcome.near, self.clock.mono)
        self._wake_ms = None if outcome.wake_ms is None else self.clock.mono + max(outcome.wake_ms, 1)
