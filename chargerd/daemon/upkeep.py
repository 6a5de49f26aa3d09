"""Upkeep: keeps the log small. One small step at a time, only when there is nothing else to do, and never for long.

A step packs one chunk of old readings, gives up readings that were kept for as long as they should be, or returns some
free room to the disk. The caller lends its thread and brings the time, in real seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from chargerd.daemon.past import state_after
from chargerd.model.events import ClockStepped, Event, ReadingsDropped
from chargerd.model.state import Site
from chargerd.store import sealing
from chargerd.store.batch import Batch
from chargerd.store.errors import LogDamaged, LogError
from chargerd.store.log import Log

LOOK_S = 60.0  # how often to look whether there is anything to do
LOOK_DROP_S = 3600.0  # a day's readings in an hour at most: a clock that runs years ahead must not cost years
REST = 9  # a step is followed by so many times its length without one
TRY_AGAIN_S = 600.0
STEPPED_MS = 86_400_000  # after a jump of the clock ahead by this much nothing is given up until the next start
AWAY_MS = 30 * 86_400_000  # a longer time without a daemon is more likely a wrong clock


class Drop(Struct, frozen=True):
    """Readings whose time has come, and the fact that says so; to be recorded together.

    ``ground`` is the state after the last of them: from there on everything can be replayed as before.
    """

    fact: ReadingsDropped
    batches: list[Batch]
    ground: Site


class Upkeep:
    """The steps of one daemon. ``now_s`` is a monotonic clock; ``say`` gets a sentence when something is wrong.

    ``away_ms`` is the time between the newest event and the start of this daemon, by the wall clock.
    """

    def __init__(self, log: Log, now_s: Callable[[], float], say: Callable[[str], None], *, away_ms: int = 0) -> None:
        self._log = log
        self._now_s = now_s
        self._say = say
        self._next_s = now_s() + LOOK_S
        self._next_drop_s = now_s() + LOOK_DROP_S
        self._damaged = False
        self._clock_is_trusted = away_ms < AWAY_MS
        self._said = ""

    def wait_s(self) -> float:
        """How long until the next step is due."""
        return max(0.0, self._next_s - self._now_s())

    def heed(self, event: Event) -> None:
        """See what happened; a clock that was set far ahead makes nothing old."""
        if isinstance(event.body, ClockStepped) and event.body.by_ms > STEPPED_MS:
            self._clock_is_trusted = False

    def step(self, site: Site) -> Drop | None:
        """Do one step if one is due. Readings that are to go are returned, for that has to be recorded."""
        started_s = self._now_s()
        if started_s < self._next_s:
            return None
        self._next_s = started_s + LOOK_S
        try:
            packed = 0 if self._damaged else self._log.seal(site.at_ms - site.configuration.keep_rows_ms)
            if packed:
                self._next_s = self._now_s() + REST * (self._now_s() - started_s)
                return None
            self._log.give_back()
            return self._drop(site, started_s)
        except LogDamaged as error:
            self._damaged = True  # until the next start; the rows stay as they are
            self._complain(f"{error}; readings stay unpacked: chargerctl verify")
        except LogError as error:
            self._next_s = started_s + TRY_AGAIN_S
            self._complain(f"old readings cannot be packed just now: {error}")
        return None

    def _drop(self, site: Site, now_s: float) -> Drop | None:
        if now_s < self._next_drop_s or not self._clock_is_trusted or site.skew_ms < -STEPPED_MS:
            return None  # the clock was or is far ahead: what looks old may not be
        self._next_drop_s = now_s + LOOK_DROP_S
        old = sealing.outdated(self._log, site.wall_ms - site.configuration.keep_readings_ms)
        if not old:
            return None
        fact = sealing.dropped(old)
        return Drop(fact, old, state_after(self._log, fact.last_seq))

    def _complain(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._say(text)
