"""Reader: typed events out of a log, by number or by time, in flat memory. Many readers may read beside the one writer."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from chargerd.model.events import Event
from chargerd.store import chain, schema
from chargerd.store.batch import Batch, Chunk
from chargerd.store.chain import Damage
from chargerd.store.errors import LogDamaged, refusal
from chargerd.store.rows import TICK, Row, event_of, tick_digest

BATCH = 1000
"""Rows fetched at once: enough to be fast, few enough that no read transaction keeps the writer from its checkpoint."""

_SELECT = "SELECT seq, at, mono, boot, source, type, v, data FROM events "
_BETWEEN = _SELECT + "WHERE seq BETWEEN ? AND ? ORDER BY seq"
_CHUNK = "SELECT first_seq, last_seq, first_at, last_at, packed, closing, residue"
_Kind = TypeVar("_Kind")


class Reader:
    """A log, read only. Use one reader in one thread at a time.

    Every method raises `LogDamaged` when the file is not what was written, naming the first event that is lost if it can,
    and `LogUnusable` when it cannot be read just now.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._has_chunks = schema.has_chunks(db)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @property
    def first_seq(self) -> int:
        """The number of the oldest event, 0 in an empty log."""
        chunk = self.chunk_from(0)
        return chunk.first_seq if chunk else self._number("SELECT coalesce(min(seq), 0) FROM events")

    @property
    def last_seq(self) -> int:
        """The number of the newest event, 0 in an empty log."""
        return self._number("SELECT coalesce(max(seq), 0) FROM events")

    @property
    def sealed_seq(self) -> int:
        """The number of the last event whose neighbourhood is packed away, 0 if nothing is."""
        return self._number("SELECT coalesce(max(last_seq), 0) FROM chunks") if self._has_chunks else 0

    @property
    def last_digest(self) -> str:
        """The digest of the newest transaction, "" in an empty log."""
        row = self._row("WHERE type = ? ORDER BY seq DESC LIMIT 1", TICK)
        return "" if row is None else tick_digest(row)

    def read(self, first_seq: int = 1, last_seq: int | None = None) -> Iterator[Event]:
        """The events of these numbers, both included, in order; without ``last_seq`` up to the newest at this moment."""
        for batch in self.batches(first_seq, last_seq):
            yield from batch.events()

    def batches(self, first_seq: int = 1, last_seq: int | None = None) -> Iterator[Batch]:
        """The same, as they lie in the file. The one place where stored events are fetched."""
        last = self.last_seq if last_seq is None else last_seq
        at = first_seq
        while at <= last:
            batch = self._batch(at, last)
            if batch is None:
                return
            yield batch
            at = batch.last_seq + 1

    def last(self, kind: type[_Kind], before_seq: int | None = None) -> Event | None:
        """The newest event of a kind, or the newest below ``before_seq``, among those that are rows. There is no index."""
        below = 1 << 62 if before_seq is None else before_seq
        row = self._row("WHERE seq < ? AND type = ? ORDER BY seq DESC LIMIT 1", below, kind.__name__)
        return None if row is None else event_of(row)

    def seq_at(self, at_ms: int) -> int:
        """The number of the first event at or after a time, one past the newest if there is none.

        Needs no index: `at` never goes back, so chunks and rows can be searched by halves.
        """
        low, high = 0, self.sealed_seq + 1
        while low < high:
            middle = (low + high) // 2
            chunk = self.chunk_from(middle)
            if chunk is None or chunk.last_at_ms >= at_ms:
                high = middle
            else:
                low = chunk.last_seq + 1
        chunk = self.chunk_from(low)
        if chunk is not None and chunk.last_at_ms >= at_ms:
            times = [(event.at_ms, event.seq) for event in self.read(chunk.first_seq, chunk.last_seq)]
            place = bisect_left(times, (at_ms, 0))
            return times[place][1] if place < len(times) else chunk.last_seq + 1
        return self._row_at(at_ms)

    def chunk_from(self, seq: int) -> Chunk | None:
        """The first chunk that begins at an event or after it, None if there is none."""
        return self._chunk("WHERE first_seq >= ? ORDER BY first_seq LIMIT 1", seq)

    def damages(
        self, first_seq: int = 1, last_seq: int | None = None, progress: Callable[[int], None] | None = None
    ) -> Iterator[Damage]:
        """Everything that is not as it was written, from a transaction's first event on; see `store.chain`."""
        return chain.damages(self, first_seq, last_seq, progress)

    def verify_chain(self, first_seq: int = 1) -> Damage | None:
        """The first damage from a transaction's first event on, or None if all is as written."""
        return next(self.damages(first_seq), None)

    def query(self, select: str, *values: int | str | None) -> list[tuple[Any, ...]]:
        """All rows of a small query, for the derived tables beside the events."""
        try:
            return self._db.execute(select, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise refusal(self.path, error) from error

    def _batch(self, at: int, last: int) -> Batch | None:
        """What begins with an event, up to ``last``. Chunk and rows are of one moment, for packing goes on meanwhile."""
        own = not self._db.in_transaction
        if own:
            self.query("BEGIN")
        try:
            chunk = self._chunk("WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1", at)
            if chunk is not None and chunk.last_seq >= at:
                end = min(last, chunk.last_seq)
                return Batch(at, end, self._stored(at, end, -1), chunk)
            later = self.chunk_from(at)  # there is one only if those before it are lost
            rows = self._stored(at, last if later is None else min(last, later.first_seq - 1), BATCH)
            if later is not None and not rows:
                return Batch(at, later.first_seq - 1, rows)
            return Batch(at, rows[-1][0], rows) if rows else None
        finally:
            if own:
                self._db.rollback()  # nothing was written; unlike COMMIT it also ends a statement that met damage

    def _stored(self, at: int, last: int, most: int) -> list[Row]:
        """Rows; up to the damage if there is one, and `LogDamaged` if it comes first."""
        try:
            return self._db.execute(_BETWEEN + " LIMIT ?", (at, last, most)).fetchall()
        except sqlite3.DatabaseError as error:
            rows: list[Row] = []
            with suppress(sqlite3.DatabaseError):  # expected: the rows before the damage are in the list
                rows.extend(self._db.execute(_BETWEEN, (at, last)))
            if not rows:
                raise refusal(self.path, error, at) from error
            return rows[: most if most > 0 else None]

    def _row_at(self, at_ms: int) -> int:
        low, high = max(self.first_seq, self.sealed_seq + 1), self.last_seq + 1
        while low < high:
            middle = (low + high) // 2
            row = self._row("WHERE seq >= ? ORDER BY seq LIMIT 1", middle)
            if row is None or row[1] >= at_ms:
                high = middle
            else:
                low = row[0] + 1
        return max(low, 1)

    def _chunk(self, where: str, seq: int) -> Chunk | None:
        if not self._has_chunks:
            return None
        try:
            found = self.query(f"{_CHUNK}, data FROM chunks {where}", seq)
        except LogDamaged:  # its content lies on pages of its own: what it says of itself may still be read
            found = self.query(f"{_CHUNK}, x'' FROM chunks {where}", seq)
        return Chunk(*found[0]) if found else None

    def _row(self, where: str, *values: int | str) -> Row | None:
        rows = self.query(_SELECT + where, *values)
        return rows[0] if rows else None

    def _number(self, select: str) -> int:
        return cast(int, self.query(select)[0][0])


def open_reader(path: Path) -> Reader:
    """A second, read-only connection to a log that may be written at the same time, from this or another thread.

    Raises `LogDamaged`, `LogTooNew`, or `LogUnusable` when there is no such file or it may not be read.
    """
    return Reader(path, schema.open_readonly(path))
