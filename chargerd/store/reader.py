"""Reader: typed events out of a log, by number or by time, in flat memory. Many readers may read beside the one writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import msgspec

from chargerd.model.events import Event
from chargerd.store import schema
from chargerd.store.errors import LogDamaged, refusal
from chargerd.store.rows import TICK, Row, digest_of, event_of, events_of, opened, tick_digest

BATCH = 1000
"""Rows fetched at once: enough to be fast, few enough that no read transaction keeps the writer from its checkpoint."""

_SELECT = "SELECT seq, at, mono, boot, source, type, v, data FROM events "
_Kind = TypeVar("_Kind")


class Damage(msgspec.Struct, frozen=True):
    """The first transaction that is not what was written: its events ``first_seq`` to ``last_seq``, and what is wrong."""

    first_seq: int
    last_seq: int
    text: str


class Reader:
    """A log, read only. Use one reader in one thread at a time.

    Every method raises `LogDamaged` when the file is not what was written, naming the first event that is lost if it can,
    and `LogUnusable` when it cannot be read just now.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

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
        return cast(int, self.query("SELECT coalesce(min(seq), 0) FROM events")[0][0])

    @property
    def last_seq(self) -> int:
        """The number of the newest event, 0 in an empty log."""
        return cast(int, self.query("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    @property
    def last_digest(self) -> str:
        """The digest of the newest transaction, "" in an empty log."""
        row = self._row("WHERE type = ? ORDER BY seq DESC LIMIT 1", TICK)
        return "" if row is None else tick_digest(row)

    def read(self, first_seq: int = 1, last_seq: int | None = None) -> Iterator[Event]:
        """The events of these numbers, both included, in order; without ``last_seq`` up to the newest at this moment."""
        for rows in self._rows(first_seq, last_seq):
            yield from events_of(rows)

    def last(self, kind: type[_Kind], before_seq: int | None = None) -> Event | None:
        """The newest event of a kind, or the newest below ``before_seq``. Scans backwards, there is no index."""
        below = 1 << 62 if before_seq is None else before_seq
        row = self._row("WHERE seq < ? AND type = ? ORDER BY seq DESC LIMIT 1", below, kind.__name__)
        return None if row is None else event_of(row)

    def seq_at(self, at_ms: int) -> int:
        """The number of the first event at or after a time, one past the newest if there is none.

        Needs no index: `at` never goes back, so the primary key can be searched by halves.
        """
        low, high = self.first_seq, self.last_seq + 1
        while low < high:
            middle = (low + high) // 2
            row = self._row("WHERE seq >= ? ORDER BY seq LIMIT 1", middle)
            if row is None or row[1] >= at_ms:
                high = middle
            else:
                low = row[0] + 1
        return max(low, 1)

    def verify_chain(self, first_seq: int = 1) -> Damage | None:
        """Walk the digests from a transaction's first event to the end; the first damage, or None if all is as written."""
        previous = ""
        if first_seq > 1:
            before = self._row("WHERE seq = ?", first_seq - 1)
            if before is None or before[5] != TICK:
                raise ValueError(f"event {first_seq} does not begin a transaction")
            previous = tick_digest(before)
        transaction: list[Row] = []
        expected = first_seq
        try:
            for rows in self._rows(first_seq, None):
                for row in rows:
                    if row[0] != expected:
                        return Damage(expected, row[0] - 1, "events are missing")
                    expected += 1
                    transaction.append(row)
                    if row[5] == TICK:
                        damage, previous = _examine(previous, transaction)
                        if damage is not None:
                            return damage
                        transaction = []
        except LogDamaged as error:
            begun = transaction[0][0] if transaction else expected
            return Damage(begun, max(self._newest_or(expected), begun), str(error))
        if transaction:
            return Damage(transaction[0][0], transaction[-1][0], "the last transaction is not closed by a Tick")
        return None

    def query(self, select: str, *values: int | str | None) -> list[tuple[Any, ...]]:
        """All rows of a small query, for the derived tables beside the events."""
        try:
            return self._db.execute(select, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise refusal(self.path, error) from error

    def _rows(self, first_seq: int, last_seq: int | None) -> Iterator[list[Row]]:
        """The one place where stored rows are fetched, in batches. (Sealed chunks will be unpacked here.)"""
        last = self.last_seq if last_seq is None else last_seq
        at = first_seq
        while at <= last:
            try:
                rows: list[Row] = self._db.execute(
                    _SELECT + "WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", (at, last, BATCH)
                ).fetchall()
            except sqlite3.DatabaseError as error:
                rows = self._up_to_damage(at, last)
                if rows:
                    yield rows
                    at = rows[-1][0] + 1
                raise refusal(self.path, error, at) from error
            if not rows:
                return
            yield rows
            at = rows[-1][0] + 1

    def _up_to_damage(self, first_seq: int, last_seq: int) -> list[Row]:
        """What can still be read of a batch that failed."""
        rows: list[Row] = []
        with suppress(sqlite3.DatabaseError):  # expected: the rows before the damage are in the list
            rows.extend(self._db.execute(_SELECT + "WHERE seq BETWEEN ? AND ? ORDER BY seq", (first_seq, last_seq)))
        return rows[:BATCH]

    def _newest_or(self, seq: int) -> int:
        try:
            return self.last_seq
        except LogDamaged:
            return seq

    def _row(self, where: str, *values: int | str) -> Row | None:
        rows = self.query(_SELECT + where, *values)
        return rows[0] if rows else None


def open_reader(path: Path) -> Reader:
    """A second, read-only connection to a log that may be written at the same time, from this or another thread.

    Raises `LogDamaged`, `LogTooNew`, or `LogUnusable` when there is no such file or it may not be read.
    """
    return Reader(path, schema.open_readonly(path))


def _examine(previous: str, rows: list[Row]) -> tuple[Damage | None, str]:
    """Compare a transaction with its digest; also the digest for the next one."""
    first, last = rows[0][0], rows[-1][0]
    try:
        digest = tick_digest(rows[-1])
        expected = digest_of(previous, [*rows[:-1], opened(rows[-1])])
    except (LogDamaged, TypeError, ValueError, msgspec.MsgspecError) as error:
        return Damage(first, last, f"the transaction cannot be read: {error}"), ""
    if digest != expected:
        return Damage(first, last, "the digest does not match: events were changed after they were written"), ""
    return None, digest
