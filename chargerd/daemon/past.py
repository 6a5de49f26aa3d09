"""Past: the state that the log stands for, after its newest event or after any earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter

from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.model.events import Event, Tick
from chargerd.model.state import Session, Site
from chargerd.store import snapshots
from chargerd.store.reader import Reader


def state_after(log: Reader, seq: int | None = None) -> Site:
    """The state after an event (None: the newest): the nearest snapshot that these rules made, and the events since.

    Of a time whose readings were given up it is what the other events say. Raises `store.errors.LogError` for a log that
    cannot be read that far.
    """
    ground = snapshots.ground(log, seq)  # a snapshot before it is followed by readings that are no more
    site = max(snapshots.newest(log, VERSION, seq) or ground, ground, key=attrgetter("seq"))
    return fold(site, log.read(site.seq + 1, seq))


def state_to_begin_with(log: Reader) -> tuple[Site, Site | None]:
    """The state after the newest event, and the state of other rules that it was made from, None if it is our own.

    After an update of the rules a year of log would take minutes to fold; meanwhile the old state serves (`Rebuild`).
    """
    basis = None if snapshots.newest(log, VERSION) else snapshots.of_other_rules(log, VERSION)
    if basis is None:
        return state_after(log), None
    basis = max(basis, snapshots.ground(log), key=attrgetter("seq"))
    return fold(basis, log.read(basis.seq + 1)), basis


def state_at(log: Reader, at_ms: int) -> Site:
    """The state as it was at a time, after the last event that was not later. Raises as `state_after`."""
    return state_after(log, log.seq_at(at_ms + 1) - 1)


def sessions_of(log: Reader) -> tuple[list[Session], int]:
    """The charging sessions that have ended, by folding the whole log, and the number from which on that can be done.

    That is what `store.sessions` should hold above that number. At or below it are sessions whose readings were given up;
    the table alone knows what they took. Costs a replay: half a minute for a year. Raises as `state_after`.
    """
    before = ground = snapshots.ground(log)
    found: list[Session] = []
    for site in replayed(log, ground):
        found += ended_between(before, site)
        before = site
    return found, ground.seq


def replayed(log: Reader, site: Site) -> Iterator[Site]:
    """The state after each transaction that follows a state, to the end of the log. Raises as `state_after`."""
    for transaction in transactions(log.read(site.seq + 1)):
        site = fold(site, transaction)
        yield site


def transactions(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events by the transactions that they were written in, each with its closing Tick; what is still open is left out."""
    transaction: list[Event] = []
    for event in events:
        transaction.append(event)
        if isinstance(event.body, Tick):
            yield transaction
            transaction = []


def ended_between(before: Site, after: Site) -> list[Session]:
    """The charging sessions that have ended from one state to the next."""
    if after.ended is before.ended:
        return []
    return [session for session in after.ended if session not in before.ended]
