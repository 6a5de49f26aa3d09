"""Chain: the walk along the digests of the transactions. Whatever is not as it was written is found, and how far it goes.

After damage the walk goes on at the next transaction whose end can be read, so that one bad page does not hide the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from chargerd.model.events import ReadingsDropped
from chargerd.store.batch import Batch, Chunk
from chargerd.store.errors import LogDamaged
from chargerd.store.rows import DIGEST_BYTES, TICK, Row, digest_of, event_of, opened, tick_digest

if TYPE_CHECKING:
    from chargerd.store.reader import Reader

DROPPED = ReadingsDropped.__name__
_encode = msgspec.msgpack.Encoder().encode


class Damage(msgspec.Struct, frozen=True):
    """Transactions that are not what was written: their events ``first_seq`` to ``last_seq``, and what is wrong."""

    first_seq: int
    last_seq: int
    text: str


def residue_of(rows: list[Row]) -> bytes:
    """The digest of rows that stay when the readings between them are given up."""
    return blake2b(_encode(rows), digest_size=DIGEST_BYTES).digest()


def remains(emptied: Sequence[Chunk]) -> str:
    """The digest of what is left of chunks whose readings were given up."""
    left = [(chunk.first_seq, chunk.last_seq, chunk.closing, chunk.residue) for chunk in emptied]
    return blake2b(_encode(left), digest_size=DIGEST_BYTES).hexdigest()


def damages(log: Reader, first_seq: int = 1) -> Iterator[Damage]:
    """Every damage from a transaction's first event to the end of the log, in order. Memory stays flat.

    Raises ValueError if ``first_seq`` does not begin a transaction.
    """
    walk = _Walk(log, first_seq, _digest_before(log, first_seq))
    last = walk.expected
    while True:
        try:
            last = log.last_seq
            for batch in log.batches(walk.expected, last):
                yield from walk.through(batch)
            break
        except LogDamaged as error:
            walk.lose(str(error))
            resumed = _readable_from(log, walk.expected, last)
            if resumed is None:
                break
            walk.expected = resumed
    yield from walk.end(last)


class _Walk:
    """Where the walk is: the next event, the digests that the next transaction may rest on, and what it has so far."""

    def __init__(self, log: Reader, first_seq: int, previous: str) -> None:
        self._log = log
        self.expected = first_seq
        self._previous = [previous]
        self._open: list[Row] = []
        self._lost: tuple[int, str] | None = None

    def lose(self, text: str) -> None:
        """What comes next cannot be read; the transaction that it was in is lost with it."""
        if self._lost is None:
            self._lost = (self._open[0][0] if self._open else self.expected, text)
        self._open = []

    def through(self, batch: Batch) -> Iterator[Damage]:
        """Examine a batch."""
        chunk = batch.chunk
        if chunk is None:
            yield from self._rows(batch.stored)
            return
        if chunk.data is None:
            if residue_of(batch.stored) != chunk.residue:
                yield Damage(chunk.first_seq, chunk.last_seq, "rows were changed after their readings were given up")
        else:
            try:
                yield from self._rows(batch.rows())
            except LogDamaged as error:
                yield Damage(chunk.first_seq, chunk.last_seq, str(error))
        self.expected, self._previous, self._open, self._lost = chunk.last_seq + 1, [chunk.closing], [], None

    def _rows(self, rows: list[Row]) -> Iterator[Damage]:
        for row in rows:
            if row[0] != self.expected:
                gone = f"events {self.expected} to {row[0] - 1} are missing"
                self.lose(gone if row[0] > self.expected else f"event {row[0]} is there twice")
            self.expected = row[0] + 1
            self._open.append(row)
            if row[5] == DROPPED:
                yield from self._given_up(row)
            if row[5] == TICK:
                yield from self._close(row)

    def _given_up(self, row: Row) -> Iterator[Damage]:
        """What a `ReadingsDropped` left in place of readings must still be what it says."""
        try:
            fact = event_of(row).body
        except LogDamaged:
            return  # the digest of its transaction says so too
        assert isinstance(fact, ReadingsDropped)
        left, chunk = [], self._log.chunk_from(fact.first_seq)
        while chunk is not None and chunk.last_seq <= fact.last_seq:
            left.append(chunk)
            chunk = self._log.chunk_from(chunk.last_seq + 1)
        if remains(left) != fact.remains:
            yield Damage(fact.first_seq, fact.last_seq, "what was left when readings were given up has been changed")

    def _close(self, tick: Row) -> Iterator[Damage]:
        """The end of a transaction. Either of two digests may be right when they differ: the next one will tell."""
        transaction, self._open = self._open, []
        stored, trouble = [], "the transaction cannot be read"
        try:
            stored = [tick_digest(tick)]
        except LogDamaged as error:
            trouble = str(error)
        if self._lost is not None:
            first, text = self._lost
            self._lost, self._previous = None, stored
            yield Damage(first, tick[0], text)
            return
        found = _digests(self._previous, transaction)
        if self._previous and not (stored and stored[0] in found):
            text = "the digest does not match: events were changed after they were written"
            yield Damage(transaction[0][0], tick[0], text if stored and found else trouble)
            stored += found
        self._previous = stored

    def end(self, last: int) -> Iterator[Damage]:
        """What is open when the log ends."""
        if self._lost is None and self._open:
            self._lost = (self._open[0][0], "the last transaction is not closed by a Tick")
        if self._lost is not None:
            yield Damage(self._lost[0], max(last, self._lost[0]), self._lost[1])


def _digests(previous: list[str], transaction: list[Row]) -> list[str]:
    try:
        return [digest_of(each, [*transaction[:-1], opened(transaction[-1])]) for each in previous]
    except (TypeError, ValueError, msgspec.MsgspecError):
        return []


def _digest_before(log: Reader, first_seq: int) -> str:
    if first_seq == 1:
        return ""
    for batch in log.batches(first_seq - 1, first_seq - 1):
        if batch.chunk is not None and batch.chunk.last_seq == first_seq - 1:
            return batch.chunk.closing
        before = batch.rows()
        if before and before[0][5] == TICK:
            return tick_digest(before[0])
    raise ValueError(f"event {first_seq} does not begin a transaction")


def _readable_from(log: Reader, seq: int, last: int) -> int | None:
    """The first event after a damaged place that can be read again. None: nothing up to the end."""
    step, bad = 1, seq
    while bad + step <= last and not _is_readable(log, bad + step):
        bad, step = bad + step, step * 2
    good = min(bad + step, last)
    if not _is_readable(log, good):
        return None
    while good - bad > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _is_readable(log, middle) else (good, middle)
    return good


def _is_readable(log: Reader, seq: int) -> bool:
    try:
        return bool(next(log.batches(seq, seq), None))
    except LogDamaged:
        return False
