"""Batch: a stretch of neighbouring events as it lies in the file: rows, and the chunk in which the others are packed."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import TypeVar

from msgspec import Struct

from chargerd.model.events import Event
from chargerd.store import chunks
from chargerd.store.errors import LogDamaged
from chargerd.store.rows import Row, events_of

_One = TypeVar("_One", Row, Event)
_row_seq: Callable[[Row], int] = itemgetter(0)
_event_seq: Callable[[Event], int] = attrgetter("seq")


class Chunk(Struct, frozen=True):
    """A stretch whose readings are packed away; its fields are the columns of the table.

    ``packed`` is how many events are in it. ``closing`` is the digest of its last transaction. ``data`` None: the readings
    were given up for good (`ReadingsDropped`), and ``residue`` is the digest of the rows that stayed.
    """

    first_seq: int
    last_seq: int
    first_at_ms: int
    last_at_ms: int
    packed: int
    closing: str
    residue: bytes | None
    data: bytes | None


class Batch(Struct, frozen=True):
    """The events ``first_seq`` to ``last_seq``. ``stored`` are those that are rows."""

    first_seq: int
    last_seq: int
    stored: list[Row]
    chunk: Chunk | None = None

    @property
    def is_given_up(self) -> bool:
        """Whether its readings were given up on purpose; the rows that are left are all that there is."""
        return self.chunk is not None and self.chunk.data is None and self.chunk.residue is not None

    def rows(self) -> list[Row]:
        """All rows, as they were written; only those that are left where readings were given up. Raises `LogDamaged`."""
        return self._merged(chunks.rows_in, self.stored, _row_seq)

    def events(self) -> list[Event]:
        """All events, likewise. Raises `LogDamaged`, and `LogTooNew` for an event that this version cannot read."""
        return self._merged(chunks.events_in, events_of(self.stored), _event_seq)

    def _merged(
        self, unpack: Callable[[bytes], list[_One]], stored: list[_One], seq: Callable[[_One], int]
    ) -> list[_One]:
        chunk = self.chunk
        if chunk is None or self.is_given_up:
            return stored
        where = f"the {chunk.packed} readings among events {chunk.first_seq} to {chunk.last_seq}"
        if chunk.data is None:
            raise LogDamaged(f"{where} are missing, and nobody gave them up", chunk.first_seq)
        try:
            found = unpack(chunk.data)
        except LogDamaged as error:
            raise LogDamaged(f"{where} are lost: {error}", chunk.first_seq) from error
        if self.first_seq > chunk.first_seq or self.last_seq < chunk.last_seq:
            found = [one for one in found if self.first_seq <= seq(one) <= self.last_seq]
        if stored:
            found += stored
            found.sort(key=seq)
        return found
