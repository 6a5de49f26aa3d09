"""Verify: does the log explain itself? Every decision and command in it is worked out again and compared.

Replay applies what was decided; this decides again from the facts alone. A difference means that the policy has changed
since, or that the log is not what the engine wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from chargerd.daemon.past import transactions
from chargerd.engine.evolve import fold
from chargerd.engine.step import EVOLVED, close
from chargerd.model.events import Event, Tick
from chargerd.model.state import Site


class Difference(Struct, frozen=True):
    """A place where the log and the engine disagree: what is recorded there and what the engine says today."""

    seq: int
    recorded: Event | None
    decided: Event | None


class Judged(Struct, frozen=True, gc=False):
    """A transaction that was decided again: the facts, what is recorded as following from them, what follows today.

    ``before`` and ``site`` are the states before and after it, as recorded.
    """

    before: Site
    site: Site
    facts: list[Event]
    recorded: list[Event]
    decided: tuple[Event, ...]

    @property
    def differences(self) -> Iterator[Difference]:
        """Where the two disagree, row by row."""
        first_seq = self.recorded[0].seq
        for index in range(max(len(self.decided), len(self.recorded))):
            was = self.recorded[index] if index < len(self.recorded) else None
            now = self.decided[index] if index < len(self.decided) else None
            if was != now:
                yield Difference(first_seq + index, was, now)


def judged(events: Iterable[Event], site: Site | None = None) -> Iterator[Judged]:
    """Every closed transaction from the given state on (None: from an empty log). What is still open is not judged."""
    before = site = Site() if site is None else site
    for *others, tick in transactions(events):
        facts = [event for event in others if event.source != EVOLVED]
        followed = [event for event in others if event.source == EVOLVED]
        site = fold(before, facts)
        first_seq = followed[0].seq if followed else tick.seq
        decided = close(site, structs.replace(tick, seq=first_seq, body=Tick())).events
        recorded = [*followed, structs.replace(tick, body=Tick())]
        site = fold(site, [*followed, tick])
        yield Judged(before, site, facts, recorded, decided)
        before = site


def differences(events: Iterable[Event], site: Site | None = None) -> Iterator[Difference]:
    """Every disagreement from the given state on (None: from an empty log)."""
    for transaction in judged(events, site):
        yield from transaction.differences
