"""Sealing: readings of long ago leave their rows for a chunk, and one day the chunk leaves too.

Either the chunk is in the file and its rows are not, or the other way round: both change in one transaction, and a chunk
is unpacked and compared before any row goes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from chargerd.model.events import ReadingsDropped
from chargerd.store import chunks
from chargerd.store.batch import Batch, Chunk
from chargerd.store.chain import remains, residue_of
from chargerd.store.errors import LogDamaged
from chargerd.store.reader import Reader
from chargerd.store.rows import TICK, tick_digest

KEPT_ROWS = 2 * chunks.ROWS
"""So many newest events stay rows however old they are: the last transaction is looked at when a log is opened."""
DROPPED_AT_ONCE = 48
"""Chunks that one `ReadingsDropped` gives up, about a day of a typical home."""

_PACKED = f"seq BETWEEN ? AND ? AND type IN ({', '.join('?' * len(chunks.KINDS))})"


def next_chunk(log: Reader, before_ms: int) -> Chunk | None:
    """The chunk that the oldest plain rows make, once enough of them are older than a time; None until then.

    Raises `LogDamaged` for rows that cannot be read or packed.
    """
    first = log.sealed_seq + 1
    last = first + chunks.ROWS - 1
    if last > log.last_seq - KEPT_ROWS or log.query("SELECT 1 FROM events WHERE seq = ? AND at >= ?", last, before_ms):
        return None
    rows = [row for batch in log.batches(first, last) for row in batch.stored]
    end = max((row[0] for row in rows if row[5] == TICK), default=0)
    if not end:
        (end,) = log.query("SELECT coalesce(min(seq), 0) FROM events WHERE seq > ? AND type = ?", last, TICK)[0]
        rows = [row for batch in log.batches(first, end) for row in batch.stored]
    rows = [row for row in rows if row[0] <= end]
    if [row[0] for row in rows] != [*range(first, end + 1)]:
        raise LogDamaged(f"{log.path}: events are missing between {first} and {end}; they are not packed away", first)
    if end > log.last_seq - KEPT_ROWS or rows[-1][1] >= before_ms:
        return None  # a large transaction that reaches into what has to stay
    packed = [row for row in rows if row[5] in chunks.KINDS]
    try:
        data = chunks.packed(packed)
    except (ValueError, TypeError, LogDamaged) as error:
        raise LogDamaged(f"{log.path}: events {first} to {end} cannot be packed away: {error}", first) from error
    return Chunk(first, end, rows[0][1], rows[-1][1], len(packed), tick_digest(rows[-1]), None, data)


def seal(db: sqlite3.Connection, chunk: Chunk) -> None:
    """Put the chunk in place of its rows, within the transaction that is open."""
    row = msgspec.structs.astuple(chunk)
    db.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    if db.execute("SELECT data FROM chunks WHERE first_seq = ?", (chunk.first_seq,)).fetchone() != (chunk.data,):
        raise LogDamaged("a chunk does not come back from the file as it was written", chunk.first_seq)
    gone = db.execute(f"DELETE FROM events WHERE {_PACKED}", (chunk.first_seq, chunk.last_seq, *chunks.KINDS)).rowcount
    if gone != chunk.packed:
        raise LogDamaged(f"a chunk of {chunk.packed} events would have taken the place of {gone}", chunk.first_seq)


def outdated(log: Reader, before_ms: int) -> list[Batch]:
    """The oldest chunks that end before a time and still have their readings; not more than may go at once."""
    found: list[Batch] = []
    (first,) = log.query("SELECT coalesce(min(first_seq), 0) FROM chunks WHERE data IS NOT NULL")[0]
    chunk = log.chunk_from(first) if first else None
    while chunk is not None and chunk.last_at_ms < before_ms and len(found) < DROPPED_AT_ONCE:
        found += log.batches(chunk.first_seq, chunk.last_seq)
        chunk = log.chunk_from(chunk.last_seq + 1)
    return found


def dropped(batches: Sequence[Batch]) -> ReadingsDropped:
    """The fact that the readings of these chunks, at least one, are given up. To be recorded with `drop`."""
    gone = [batch.chunk for batch in batches if batch.chunk is not None]
    return ReadingsDropped(
        gone[0].first_seq,
        gone[-1].last_seq,
        gone[0].first_at_ms,
        gone[-1].last_at_ms,
        sum(chunk.packed for chunk in gone),
        remains([_emptied(batch) for batch in batches]),
    )


def drop(db: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    """Give up the readings of chunks, within the transaction that records it. Their other events stay."""
    for batch in batches:
        chunk = _emptied(batch)
        emptied = "UPDATE chunks SET data = NULL, residue = ? WHERE first_seq = ? AND data IS NOT NULL"
        db.execute(emptied, (chunk.residue, chunk.first_seq))


def _emptied(batch: Batch) -> Chunk:
    assert batch.chunk is not None
    return msgspec.structs.replace(batch.chunk, data=None, residue=residue_of(batch.stored))
