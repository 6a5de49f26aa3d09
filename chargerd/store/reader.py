"""Reader: typed events out of a log, by number or by time, in flat memory. Many readers may read beside the one writer."""

from __future__ import annotations

import itertools
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from chargerd.model.events import Event
from chargerd.store import chain, schema
from chargerd.store.batch import Batch, Chunk
from chargerd.store.chain import Damage
from chargerd.store.errors import LogDamaged, LogError, LogTooNew, is_no_text, refusal
from chargerd.store.rows import TICK, Row, event_of, tick_digest

BATCH = 1000
"""Rows fetched at once: enough to be fast, few enough that no read transaction keeps the writer from its checkpoint."""

_SELECT = "SELECT seq, at, mono, boot, source, type, v, data FROM events "
_BETWEEN = _SELECT + "WHERE seq BETWEEN ? AND ? ORDER BY seq"
_CHUNK = "SELECT first_seq, last_seq, first_at, last_at, packed, closing, residue"
_WHOLE = "WHERE typeof(last_seq) = 'integer' AND last_seq >= first_seq AND"
"""Of a chunk that does not say where it ends nothing is known; its events are missing."""
_Kind = TypeVar("_Kind")
_seq: Callable[[Row], int] = itemgetter(0)


class Reader:
    """A log, read only. Use one reader in one thread at a time.

    Every method raises `LogDamaged` when the file is not what was written, naming the first event that is lost if it can,
    and `LogUnusable` when it cannot be read just now.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._use(db)

    def _use(self, db: sqlite3.Connection) -> None:
        self._db = db
        # A log of version 1 that nobody has written to since knows no chunks.
        self._has_chunks = bool(self.query("SELECT 1 FROM sqlite_master WHERE name = 'chunks'"))

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
        return self._number(f"SELECT coalesce(max(last_seq), 0) FROM chunks {_WHOLE} TRUE") if self._has_chunks else 0

    @property
    def has_given_up(self) -> bool:
        """Whether readings were given up."""
        return self._has_chunks and bool(self._number("SELECT count(*) FROM chunks WHERE residue IS NOT NULL"))

    @property
    def last_digest(self) -> str:
        """The digest of the newest transaction, "" in an empty log."""
        row = self._row("WHERE type = ? ORDER BY seq DESC LIMIT 1", TICK)
        try:
            return "" if row is None else tick_digest(row)
        except LogTooNew as error:
            raise chain.judged(self, error) from error

    def read(self, first_seq: int = 1, last_seq: int | None = None) -> Iterator[Event]:
        """The events of these numbers, both included, in order; without ``last_seq`` up to the newest at this moment."""
        return itertools.chain.from_iterable(self._lists(first_seq, last_seq))

    def _lists(self, first_seq: int, last_seq: int | None) -> Iterator[Iterable[Event]]:
        at = first_seq
        for batch in self.batches(first_seq, last_seq):
            events = self.events_in(batch)
            if len(events) != batch.last_seq - batch.first_seq + 1 and not batch.is_given_up:
                yield self._up_to_gap(batch, events)
            yield events
            at = batch.last_seq + 1
        if last_seq is not None and at <= (last := min(last_seq, self.last_seq)):
            raise self._missing(at, last)

    def events_in(self, batch: Batch) -> list[Event]:
        """The events of a batch. An event that nobody knows is damage unless the digests say that it was written so."""
        try:
            return batch.events()
        except LogTooNew as error:
            raise chain.judged(self, error) from error

    def _up_to_gap(self, batch: Batch, events: list[Event]) -> Iterator[Event]:
        expected = batch.first_seq
        for event in events:
            if event.seq != expected:
                raise self._missing(expected, event.seq - 1)
            yield event
            expected += 1
        raise self._missing(expected, batch.last_seq)

    def _missing(self, first_seq: int, last_seq: int) -> LogDamaged:
        which = f"event {first_seq} is" if first_seq == last_seq else f"events {first_seq} to {last_seq} are"
        return LogDamaged(f"{self.path} is damaged: {which} missing", first_seq)

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
        try:
            return None if row is None else event_of(row)
        except LogTooNew as error:
            raise chain.judged(self, error) from error

    def transaction_of(self, seq: int) -> tuple[int, int]:
        """The first and the last event of the transaction that has this event, or of a few that are packed together."""
        packed = self._chunk("first_seq <= ? ORDER BY first_seq DESC LIMIT 1", seq)
        if packed is not None and packed.last_seq >= seq:
            return packed.first_seq, packed.last_seq
        before = self._row("WHERE seq < ? AND type = ? ORDER BY seq DESC LIMIT 1", seq, TICK)
        end = self._row("WHERE seq >= ? AND type = ? ORDER BY seq LIMIT 1", seq, TICK)
        sealed = 0 if packed is None else packed.last_seq
        return max(sealed, 0 if before is None else before[0]) + 1, seq if end is None else end[0]

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
            try:
                times = [(event.at_ms, event.seq) for event in self.read(chunk.first_seq, chunk.last_seq)]
            except LogDamaged:
                return chunk.first_seq  # what was when in there nobody can tell; whoever reads on is told
            place = bisect_left(times, (at_ms, 0))
            return times[place][1] if place < len(times) else chunk.last_seq + 1
        return self._row_at(at_ms)

    def chunk_from(self, seq: int) -> Chunk | None:
        """The first chunk that begins at an event or after it, None if there is none."""
        chunk = self._chunk("first_seq >= ? ORDER BY first_seq LIMIT 1", seq)
        if chunk is not None and chunk.first_seq < seq:
            raise LogDamaged(f"{self.path} is damaged: its packed readings are out of order", seq)
        return chunk

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
            return self._fetched(select, values)
        except sqlite3.DatabaseError as error:
            raise refusal(self.path, error) from error

    def _fetched(self, select: str, values: tuple[int | str | None, ...]) -> list[tuple[Any, ...]]:
        """All rows. A text that is none comes as the bytes that it is, for one of them must not hide the other rows."""
        try:
            return self._db.execute(select, values).fetchall()
        except sqlite3.OperationalError as error:
            if not is_no_text(error):
                raise
        self._db.text_factory = _text
        try:
            return self._db.execute(select, values).fetchall()
        finally:
            self._db.text_factory = str

    def _batch(self, at: int, last: int) -> Batch | None:
        """What begins with an event, up to ``last``. Chunk and rows are of one moment, for packing goes on meanwhile."""
        own = not self._db.in_transaction
        if own:
            self.query("BEGIN")
        try:
            chunk = self._chunk("first_seq <= ? ORDER BY first_seq DESC LIMIT 1", at)
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
        rows: list[Row] = []
        damage: LogError = LogDamaged(f"{self.path} is damaged from event {at} on: its events are out of order", at)
        try:
            rows = self._fetched(_BETWEEN + " LIMIT ?", (at, last, most))
        except sqlite3.DatabaseError as error:
            damage = refusal(self.path, error, at)
            self._db.text_factory = _text
            with suppress(sqlite3.DatabaseError):  # expected: the rows before the damage are in the list
                rows.extend(self._db.execute(_BETWEEN, (at, last)))
            self._db.text_factory = str
            rows = rows[: most if most > 0 else None]
            if not rows:
                raise damage from error
        sound = _ascending(rows, at, last)
        if rows and not sound:
            raise damage
        return rows[:sound]

    def _row_at(self, at_ms: int) -> int:
        low, high = max(self.first_seq, self.sealed_seq + 1), self.last_seq + 1
        while low < high:
            middle = (low + high) // 2
            row = self._row("WHERE seq >= ? ORDER BY seq LIMIT 1", middle)
            if row is not None and (row[0] < middle or type(row[1]) is not int):
                raise LogDamaged(f"{self.path} is damaged: event {middle} cannot be read", middle)
            if row is None or row[1] >= at_ms:
                high = middle
            else:
                low = row[0] + 1
        return max(low, 1)

    def _chunk(self, where: str, seq: int) -> Chunk | None:
        if not self._has_chunks:
            return None
        try:
            found = self.query(f"{_CHUNK}, data FROM chunks {_WHOLE} {where}", seq)
        except LogDamaged:  # its content lies on pages of its own: what it says of itself may still be read
            found = self.query(f"{_CHUNK}, x'' FROM chunks {_WHOLE} {where}", seq)
        return _chunk_of(*found[0]) if found else None

    def _row(self, where: str, *values: int | str) -> Row | None:
        rows = self.query(_SELECT + where, *values)
        return rows[0] if rows else None

    def _number(self, select: str) -> int:
        return cast(int, self.query(select)[0][0])


def _text(data: bytes) -> str | bytes:
    """A text of the file, as bytes if it is none; no decoder takes those, and their digest is not that of a text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _ascending(rows: list[Row], at: int, last: int) -> int:
    """How many rows are in order and within the range that was asked for. A flipped bit may lead SQLite back and forth."""
    if not rows or [*map(_seq, rows)] == [*range(at, at + len(rows))]:
        return len(rows)
    for place, (seq, *_) in enumerate(rows):
        if not at <= seq <= last:
            return place
        at = seq + 1
    return len(rows)


def _chunk_of(
    first_seq: int,
    last_seq: int,
    first_at: object,
    last_at: object,
    packed: object,
    closing: object,
    residue: object,
    data: object,
) -> Chunk:
    """A chunk of whatever stands in its row; what is no number or no text there is not what it says of itself."""
    first_at_ms, last_at_ms, count = (value if type(value) is int else 0 for value in (first_at, last_at, packed))
    return Chunk(
        first_seq,
        last_seq,
        first_at_ms,
        last_at_ms,
        count,
        closing if isinstance(closing, str) else "",
        residue if isinstance(residue, bytes) else None if residue is None else b"",
        data if isinstance(data, bytes) else None if data is None else b"",
    )


def open_reader(path: Path) -> Reader:
    """A second, read-only connection to a log that may be written at the same time, from this or another thread.

    Raises `LogDamaged`, `LogTooNew`, or `LogUnusable` when there is no such file or it may not be read.
    """
    return Reader(path, schema.open_readonly(path))
