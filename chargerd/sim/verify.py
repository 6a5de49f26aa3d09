"""Verify: does the log explain itself? Every decision and command in it is worked out again and compared.

Replay applies what was decided; this decides again from the facts alone. A difference means that the policy has changed
since, or that the log is not what the engine wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from chargerd.engine.evolve import fold
from chargerd.engine.step import EVOLVED, close
from chargerd.model.events import Event, Tick
from chargerd.model.state import Site


class Difference(Struct, frozen=True):
    """A place where the log and the engine disagree: what is recorded there and what the engine says today."""

    seq: int
    recorded: Event | None
    decided: Event | None


def differences(events: Iterable[Event], site: Site | None = None) -> Iterator[Difference]:
    """Every disagreement from the given state on (None: from an empty log)."""
    site = Site() if site is None else site
    followed: list[Event] = []
    for event in events:
        if not isinstance(event.body, Tick):
            if event.source == EVOLVED:
                followed.append(event)
            else:
                site = fold(site, (event,))
            continue
        first_seq = followed[0].seq if followed else event.seq
        again = close(site, structs.replace(event, seq=first_seq, body=Tick())).events
        recorded = [*followed, structs.replace(event, body=Tick())]
        for index in range(max(len(again), len(recorded))):
            was = recorded[index] if index < len(recorded) else None
            now = again[index] if index < len(again) else None
            if was != now:
                yield Difference(first_seq + index, was, now)
        site = fold(site, [*followed, event])
        followed = []
