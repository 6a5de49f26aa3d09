"""Recorder: facts in, log written, commands out. The one place where the log and the engine meet.

For every batch of facts: put on envelopes, fold them in, close the transaction with a tick, write all of it, and only
then hand out the commands. When the log cannot be written the batch waits in memory, nothing that raises power is handed
out, and the next batch tries again. No thread, socket or clock lives here; the caller brings the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chargerd.daemon.past import ended_between
from chargerd.daemon.upkeep import Drop
from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.engine.step import Closed, close
from chargerd.model.commands import Command, lowers
from chargerd.model.events import (
    READINGS,
    Body,
    ClockStepped,
    CommandFailed,
    CommandIssued,
    ConfigLoaded,
    DaemonStarted,
    DeviceAdded,
    DeviceRemoved,
    Event,
    HoldSet,
    LogSetAside,
    ModeSet,
    RecordingBack,
    RecordingLost,
    Tick,
)
from chargerd.model.state import Session, Site
from chargerd.store import sealing, sessions, snapshots
from chargerd.store.errors import NotRecorded
from chargerd.store.log import Also, Log

STEP_MS = 2000  # a smaller difference between the clocks is the time service slewing
BACKLOG = 50_000  # events kept in memory while the disk is full: half a day of a typical home
SNAPSHOT_EVENTS = 5000
PROVISIONAL = f"before {VERSION}"
"""The name of states that rest on what other rules left; whoever finds one folds the log again."""
STANDING = (DaemonStarted, LogSetAside, ConfigLoaded, DeviceAdded, DeviceRemoved, HoldSet)
RELAXED = (*READINGS, Tick)  # a power cut may lose the last of these; anything else is durable at once


class Moment(NamedTuple):
    """When a batch arrived: UTC, monotonic reading and the id of the boot it counts in."""

    now_ms: int
    mono_ms: int
    boot_id: str


class Order(NamedTuple):
    """A command to be carried out; ``issued`` is its number."""

    issued: int
    command: Command


class Outcome(NamedTuple):
    """What a batch led to. ``recorded`` is False while the log cannot be written."""

    site: Site
    events: tuple[Event, ...]
    orders: tuple[Order, ...]
    recorded: bool
    wake_ms: int | None  # milliseconds from this moment, None: nothing is due
    near: frozenset[str]


class Recorder:
    """Holds the state and the log, and moves both forward together. ``rules`` is what its snapshots are called."""

    def __init__(self, log: Log, site: Site, rules: str = VERSION) -> None:
        self.log = log
        self.site = site
        self._rules = rules
        self._sound = site  # the state after the last event that is in the file
        self._backlog: list[tuple[Event, ...]] = []
        self._also: list[Also] = []
        self._announce: list[tuple[str, Body]] = []
        self._error = ""
        self._waited = 0  # transactions that have had to wait since the log was last in order
        self._since_snapshot = site.seq - snapshots.newest_seq(log, rules)

    def take(self, facts: Sequence[tuple[str, Body]], moment: Moment) -> Outcome:
        """Record facts, each with its source, decide, and return what is to be done.

        A log that cannot be written is not an error here: see ``recorded`` in the outcome, and `error`.
        """
        if self._waited and self.writable() and not self._error:
            self._announce.append(("daemon", RecordingBack(self._waited)))
            self._waited = 0
        before = self.site
        announced, self._announce = self._announce, []
        events, closed = self._decided([*self._clock(moment), *announced, *facts], moment)
        self.site = closed.site
        orders = [Order(e.seq, e.body.command) for e in events if isinstance(e.body, CommandIssued)]
        recorded = self._record(events, ended_between(before, closed.site))
        if not recorded:
            down = [lowers(order.command, _offered_a(closed.site, order.command)) for order in orders]
            withheld = [order for order, lowering in zip(orders, down, strict=True) if not lowering]
            orders = [order for order, lowering in zip(orders, down, strict=True) if lowering]
            self._announce += [("daemon", CommandFailed(order.issued, "not-recorded")) for order in withheld]
        wake_ms = None if closed.wake_ms is None else max(0, closed.wake_ms - closed.site.t_ms)
        return Outcome(closed.site, events, tuple(orders), recorded, wake_ms, closed.near)

    def request(self, facts: Sequence[tuple[str, Body]], moment: Moment) -> Outcome | None:
        """Like `take`, for what somebody asked: if it cannot be recorded it has not happened, and None comes back."""
        kept = (self.site, list(self._announce), list(self._also), self._waited, self._since_snapshot)
        outcome = self.take(facts, moment)
        if outcome.recorded:
            return outcome
        self.site, self._announce, self._also, self._waited, self._since_snapshot = kept
        del self._backlog[-1:]
        return None

    def drop(self, old: Drop, moment: Moment) -> Outcome:
        """Record that readings are given up, and give them up in the same transaction."""
        self._also += [lambda db: sealing.drop(db, old.batches), snapshots.saving_ground(old.ground)]
        return self.take([("daemon", old.fact)], moment)

    def adopt(self, rebuilt: Site) -> None:
        """Go on from a state that was made from the whole log; nothing may wait to be recorded.

        Raises `store.errors.LogError`.
        """
        assert not self._backlog
        self.site = self._sound = fold(rebuilt, self.log.read(rebuilt.seq + 1))
        self._rules = VERSION

    def rehearse(self, facts: Sequence[tuple[str, Body]], moment: Moment) -> tuple[Command, ...]:
        """The commands that these facts would cause at once. Nothing is recorded and nothing changes."""
        due = [body for _, body in self._commands([], moment)]
        return tuple(command for _, command in self._commands(facts, moment) if command not in due)

    def _commands(self, facts: Sequence[tuple[str, Body]], moment: Moment) -> list[tuple[int, Command]]:
        events, _ = self._decided([*self._clock(moment), *facts], moment)
        return [(event.seq, event.body.command) for event in events if isinstance(event.body, CommandIssued)]

    def _decided(self, facts: Sequence[tuple[str, Body]], moment: Moment) -> tuple[tuple[Event, ...], Closed]:
        before, boot, at_ms = self.site, self.site.boot, self._at_ms(moment)
        events: list[Event] = []
        for source, body in facts:
            if isinstance(body, DaemonStarted):
                boot = before.boot if body.boot_id == before.boot_id else before.boot + 1
            events.append(Event(before.seq + 1 + len(events), at_ms, moment.mono_ms, boot, source, body))
        site = fold(before, events)
        closed = close(site, Event(site.seq + 1, at_ms, moment.mono_ms, boot, "daemon", Tick()))
        return (*events, *closed.events), closed

    @property
    def error(self) -> str:
        """Why the log cannot be written; empty while it can."""
        return self._error

    @property
    def lost(self) -> bool:
        """Whether the log says, or is about to, that it cannot be written; ends with the next `take` that it can record."""
        return self._waited > 0

    def writable(self) -> bool:
        """Whether a request made now could be recorded; tries what waits in memory first."""
        if self._backlog:
            self._write()
        return not self._backlog

    def _at_ms(self, moment: Moment) -> int:
        site = self.site
        if site.seq == 0 or moment.boot_id != site.boot_id:
            return max(moment.now_ms, site.at_ms)
        line_ms = site.at_ms + max(0, moment.mono_ms - site.mono_ms)
        step_ms = moment.now_ms - (line_ms + site.skew_ms)
        if abs(step_ms) <= STEP_MS:
            return max(site.at_ms, line_ms + step_ms)
        return line_ms + max(0, site.skew_ms + step_ms)

    def _clock(self, moment: Moment) -> list[tuple[str, Body]]:
        """A fact about the wall clock, if it has been set since the last batch of this boot."""
        site = self.site
        if site.seq == 0 or moment.boot_id != site.boot_id:
            return []
        step_ms = moment.now_ms - (site.wall_ms + max(0, moment.mono_ms - site.mono_ms))
        return [("daemon", ClockStepped(step_ms))] if abs(step_ms) > STEP_MS else []

    def _record(self, events: tuple[Event, ...], ended: Sequence[Session]) -> bool:
        self._backlog.append(events)
        self._also += [sessions.saving(session) for session in ended]
        self._since_snapshot += len(events)
        if self._since_snapshot >= SNAPSHOT_EVENTS:
            self._since_snapshot = 0
            self._also.append(snapshots.saving(self.site, self._rules))
        self._write()
        if not self._backlog:
            self._sound = self.site
            return True
        if not self._waited:
            self._announce.append(("daemon", RecordingLost(self._error)))
        self._waited += 1
        if sum(len(batch) for batch in self._backlog) > BACKLOG:
            self._start_over()
        return False

    def _write(self) -> None:
        durable = not all(isinstance(event.body, RELAXED) for batch in self._backlog for event in batch)
        try:
            self.log.append_all(self._backlog, durable=durable, also=self._also)
        except NotRecorded as error:
            self._error = str(error)
            return
        self._backlog, self._also, self._error = [], [], ""

    def _start_over(self) -> None:
        """Too much waits: go back to what the file knows, as if the daemon had been restarted.

        What is so without having been read stays: the configuration, the devices, and that somebody wanted an end.
        """
        dropped = [event for batch in self._backlog for event in batch]
        self.site, self._backlog, self._also = self._sound, [], []
        self._announce = [(event.source, event.body) for event in dropped if _stays(event.body)]
        given_up = len(dropped) - len(self._announce)
        self._announce.append(("daemon", RecordingLost(f"{self._error}; {given_up} events given up")))


def _offered_a(site: Site, command: Command) -> float | None:
    """What an EVSE offers before a command; None while it is paused or does not say."""
    charger = site.chargers.get(command.device)
    return None if charger is None or not charger.enabled or charger.evse is None else charger.evse.offered_a


def _stays(body: Body) -> bool:
    """Whether a fact is kept when too much waits to be recorded."""
    return isinstance(body, STANDING) or (isinstance(body, ModeSet) and body.mode == "off")
