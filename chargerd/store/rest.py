"""Rest: what of a log can be read, and which events are lost where it cannot. One bad page or chunk hides nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from chargerd.model.events import Event
from chargerd.store.batch import Batch
from chargerd.store.chain import judged, pieces
from chargerd.store.errors import LogDamaged, LogTooNew
from chargerd.store.rows import event_of

if TYPE_CHECKING:
    from chargerd.store.reader import Reader


class Lost(Struct, frozen=True):
    """Events that cannot be read: ``first_seq`` to ``last_seq``, and why. ``given_up``: on purpose, long ago.

    ``at_ms`` is when the last of them was, where that is known.
    """

    first_seq: int
    last_seq: int
    text: str
    at_ms: int | None = None
    given_up: bool = False


def rest(log: Reader, first_seq: int, last_seq: int) -> Iterator[Event | Lost]:
    """What can be read between two events, in order, and a `Lost` in place of each stretch that cannot.

    Digests are not looked at. Readings that were given up are no loss, except where nothing else was asked for. Raises
    `LogTooNew` for an event of a newer version, `LogUnusable` if the file cannot be read just now.
    """
    return _joined(_all(log, first_seq, min(last_seq, log.last_seq)))


def _all(log: Reader, first_seq: int, last_seq: int) -> Iterator[Event | Lost]:
    expected, why = first_seq, "they are missing"
    for piece in pieces(log, first_seq, last_seq):
        if isinstance(piece, LogDamaged):
            why = "the file is damaged there"
            continue
        if piece.first_seq > expected:
            yield Lost(expected, piece.first_seq - 1, why)
        why = "they are missing"
        yield from _of_batch(log, piece)
        expected = piece.last_seq + 1
    if expected <= last_seq:
        yield Lost(expected, last_seq, why)


def _of_batch(log: Reader, batch: Batch) -> Iterator[Event | Lost]:
    at_ms = None if batch.chunk is None else batch.chunk.last_at_ms or None
    try:
        found, why = log.events_in(batch), "they are missing"
    except LogDamaged:
        found, why = list(_one_by_one(log, batch)), "they cannot be read"
    if not batch.is_given_up:
        yield from _gaps(found, batch, why, at_ms)
    elif found or batch.last_seq > batch.first_seq:
        yield from found
    else:
        yield Lost(batch.first_seq, batch.last_seq, "its reading was kept long enough and given up", at_ms, True)


def _gaps(found: list[Event], batch: Batch, why: str, at_ms: int | None) -> Iterator[Event | Lost]:
    expected = batch.first_seq
    for event in found:
        if event.seq > expected:
            yield Lost(expected, event.seq - 1, why, event.at_ms)
        yield event
        expected = event.seq + 1
    if expected <= batch.last_seq:
        yield Lost(expected, batch.last_seq, why, at_ms)


def _one_by_one(log: Reader, batch: Batch) -> Iterator[Event]:
    """The events that can be read, where not all can."""
    try:
        rows = batch.rows()
    except LogDamaged:
        rows = batch.stored  # what was packed away between them is lost
    for row in rows:
        try:
            yield event_of(row)
        except LogDamaged:
            continue  # the gap that it leaves is told
        except LogTooNew as error:
            found = judged(log, error)
            if isinstance(found, LogTooNew):
                raise found from error


def _joined(found: Iterable[Event | Lost]) -> Iterator[Event | Lost]:
    """Neighbouring losses are one."""
    open_: Lost | None = None
    for one in found:
        if isinstance(one, Lost) and open_ is not None and open_.last_seq + 1 == one.first_seq:
            open_ = Lost(open_.first_seq, one.last_seq, open_.text, one.at_ms, open_.given_up and one.given_up)
            continue
        if open_ is not None:
            yield open_
            open_ = None
        if isinstance(one, Lost):
            open_ = one
        else:
            yield one
    if open_ is not None:
        yield open_
