"""Chain: the walk along the digests of the transactions. Whatever is not as it was written is found, and how far it goes.

After damage the walk goes on at the next place that can be read, so that one bad page does not hide the next. A transaction
whose digest cannot be compared, because the one before it is lost, counts as damaged with it: nobody can prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from chargerd.model.events import ReadingsDropped
from chargerd.store.batch import Batch, Chunk
from chargerd.store.errors import LogDamaged, LogError, LogTooNew
from chargerd.store.rows import DIGEST_BYTES, TICK, Row, digest_of, event_of, opened, tick_digest

if TYPE_CHECKING:
    from chargerd.store.reader import Reader

DROPPED = ReadingsDropped.__name__
FAR = 1 << 62
"""A number that no event reaches: where to read to when the end of the file cannot be found."""

_encode = msgspec.msgpack.Encoder().encode


class Damage(msgspec.Struct, frozen=True):
    """Transactions that are not what was written: their events ``first_seq`` to ``last_seq``, and what is wrong.

    ``last_seq`` None: to the end of the file, which cannot be found.
    """

    first_seq: int
    last_seq: int | None
    text: str


def residue_of(rows: list[Row]) -> bytes:
    """The digest of rows that stay when the readings between them are given up."""
    return blake2b(_encode(rows), digest_size=DIGEST_BYTES).digest()


def remains(emptied: Sequence[Chunk]) -> str:
    """The digest of what is left of chunks whose readings were given up."""
    left = [(chunk.first_seq, chunk.last_seq, chunk.closing, chunk.residue) for chunk in emptied]
    return blake2b(_encode(left), digest_size=DIGEST_BYTES).hexdigest()


def damages(
    log: Reader, first_seq: int = 1, last_seq: int | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[Damage]:
    """Every damage from a transaction's first event to the end of another (None: of the log). Memory stays flat.

    They come in the order in which the walk can prove them: only what is wrong with given-up readings comes late.
    ``progress`` is called with the last event that has been dealt with. Raises ValueError if ``first_seq`` does not begin a
    transaction, `LogTooNew` for a sound chain that only a newer version can follow.
    """
    end = _end_of(log) if last_seq is None else last_seq
    walk = _Walk(log, first_seq)
    for piece in pieces(log, first_seq, FAR if end is None else end):
        if isinstance(piece, LogDamaged):
            walk.lose(str(piece))
            continue
        yield from walk.through(piece)
        if progress is not None:
            progress(piece.last_seq)
    yield from walk.end(end)


def pieces(log: Reader, first_seq: int, last_seq: int) -> Iterator[Batch | LogDamaged]:
    """What can be read between two events, and in place of each stretch that cannot what SQLite says of it."""
    at = first_seq
    while True:
        try:
            for batch in log.batches(at, last_seq):
                yield batch
                at = batch.last_seq + 1
            return
        except LogDamaged as error:
            yield error
            resumed = _readable_from(log, at, last_seq)
            if resumed is None:
                return
            at = resumed


def judged(log: Reader, error: LogTooNew) -> LogError:
    """What an event that nobody knows shows: a newer version if its transaction is as it was written, else damage.

    A flipped bit in the name of a type makes one that nobody knows, and no newer chargerd would know it either.
    """
    if error.seq is None:
        return error
    try:
        first_seq, last_seq = log.transaction_of(error.seq)
        damage = next(damages(log, first_seq, last_seq), None)
    except (LogDamaged, LogTooNew) as found:
        return error if isinstance(found, LogTooNew) else found
    if damage is None:
        return error
    text = f"{log.path} is damaged from event {damage.first_seq} on: {damage.text} ({error})"
    return LogDamaged(text, damage.first_seq)


class _Walk:
    """Where the walk is: the next event, the digests that the next transaction may rest on, and what it has so far."""

    def __init__(self, log: Reader, first_seq: int) -> None:
        self._log = log
        self._expected = first_seq
        self._previous: list[str] = []
        self._open: list[Row] = []
        self._emptied: set[int] = set()  # chunks without their readings, until a fact says that these were given up
        self._lost: tuple[int, str] | None = None
        self._closed_seq = first_seq  # where the last closed transaction began
        try:
            self._previous = [_digest_before(log, first_seq)]
        except LogDamaged as error:
            self._lost = (first_seq, str(error))

    def lose(self, text: str) -> None:
        """What comes next cannot be read; the transaction that it was in is lost with it."""
        if self._lost is None:
            self._lost = (self._open[0][0] if self._open else self._expected, text)
        self._open = []

    def through(self, batch: Batch) -> Iterator[Damage]:
        """Examine a batch."""
        chunk = batch.chunk
        if chunk is None:
            yield from self._rows(batch.stored)
            return
        rows: list[Row] | None = None
        wrong = ""
        if batch.is_given_up:
            self._emptied.add(chunk.first_seq)
            wrong = "" if self._is_as_left(batch, chunk) else "rows were changed after their readings were given up"
        else:
            try:
                rows = batch.rows()
            except LogDamaged as error:
                wrong = str(error)
        if rows is not None:
            yield from self._packed(batch, chunk, rows)
            return
        yield from self._lost_up_to(
            batch.first_seq - 1
        )  # a chunk begins and ends with transactions: no guess is needed
        if wrong:
            yield Damage(batch.first_seq, batch.last_seq, wrong)
        self._expected, self._previous = batch.last_seq + 1, [chunk.closing]

    def end(self, last: int | None) -> Iterator[Damage]:
        """What is open when the log ends."""
        if self._emptied and (last is None or last >= self._log.last_seq):  # else the fact may come later
            for first_seq in sorted(self._emptied):
                chunk = self._log.chunk_from(first_seq)
                if chunk is not None:
                    yield Damage(
                        first_seq, chunk.last_seq, "readings are gone, and nothing says that they were given up"
                    )
        if self._open:
            self.lose("the last transaction is not closed by a Tick")
        if last is None:
            self.lose("the end of the file cannot be found")
        if self._lost is not None:
            first, text = self._lost
            yield Damage(first, None if last is None else max(last, first), text)

    def _lost_up_to(self, last_seq: int) -> Iterator[Damage]:
        """What is missing or open where a transaction is known to end."""
        if self._expected <= last_seq:
            self.lose(f"events {self._expected} to {last_seq} are missing")
        elif self._open:
            self.lose("a transaction is not closed by a Tick")
        if self._lost is not None and self._lost[0] <= last_seq:
            yield Damage(self._lost[0], last_seq, self._lost[1])
        self._open, self._lost = [], None

    def _is_as_left(self, batch: Batch, chunk: Chunk) -> bool:
        """Whether the rows are as they were when the readings between them were given up."""
        if (batch.first_seq, batch.last_seq) != (chunk.first_seq, chunk.last_seq):
            batch = next(self._log.batches(chunk.first_seq, chunk.last_seq))
        return residue_of(batch.stored) == chunk.residue

    def _packed(self, batch: Batch, chunk: Chunk, rows: list[Row]) -> Iterator[Damage]:
        """The rows of a stretch whose readings are in a chunk, and what the chunk says of itself."""
        sound = True
        for damage in self._rows(rows):
            sound = False
            yield damage
        if batch.last_seq < chunk.last_seq:
            self._expected = max(self._expected, batch.last_seq + 1)
            return
        for damage in self._lost_up_to(chunk.last_seq):
            sound = False
            self._previous = []
            yield damage
        if sound and not _is_labelled(batch, chunk, rows, self._previous):
            yield Damage(
                self._closed_seq, chunk.last_seq, "the label of packed readings was changed, not they themselves"
            )
        if chunk.closing not in self._previous:
            self._previous = [*self._previous, chunk.closing]
        self._expected = chunk.last_seq + 1

    def _rows(self, rows: list[Row]) -> Iterator[Damage]:
        for row in rows:
            if row[0] != self._expected:
                gone = f"events {self._expected} to {row[0] - 1} are missing"
                self.lose(gone if row[0] > self._expected else f"event {row[0]} is there twice")
            self._expected = row[0] + 1
            self._open.append(row)
            if row[5] == DROPPED:
                yield from self._given_up(row)
            if row[5] == TICK:
                yield from self._close(row)

    def _given_up(self, row: Row) -> Iterator[Damage]:
        """What a `ReadingsDropped` left in place of readings must still be what it says."""
        try:
            fact = event_of(row).body
        except (LogDamaged, LogTooNew):
            return  # the digest of its transaction says so too
        assert isinstance(fact, ReadingsDropped)
        left, chunk = [], self._log.chunk_from(fact.first_seq)
        while chunk is not None and chunk.last_seq <= fact.last_seq:
            left.append(chunk)
            chunk = self._log.chunk_from(chunk.last_seq + 1)
        self._emptied -= {each.first_seq for each in left}
        if remains(left) != fact.remains:
            yield Damage(fact.first_seq, fact.last_seq, "what was left when readings were given up has been changed")

    def _close(self, tick: Row) -> Iterator[Damage]:
        """The end of a transaction. Either of two digests may be right when they differ: the next one will tell."""
        transaction, self._open = self._open, []
        stored, trouble = [], "the transaction cannot be read"
        stranger: LogTooNew | None = None
        try:
            stored = [tick_digest(tick)]
        except LogTooNew as error:
            stored, stranger = _plain_digest(tick), error
        except LogDamaged as error:
            trouble = str(error)
        if self._lost is not None:
            if not stored:
                return  # what it closes is lost, and so is what the next one rests on
            first, text = self._lost
            self._lost, self._previous, self._closed_seq = None, stored, transaction[0][0]
            yield Damage(first, tick[0], text)
            return
        found = _digests(self._previous, transaction)
        sound = bool(stored) and stored[0] in found
        if sound and stranger is not None:
            raise stranger  # it was written like that
        if not sound:
            text = "the digest does not match: events were changed after they were written"
            yield Damage(transaction[0][0], tick[0], text if stored and found else trouble)
            stored += found
        self._previous, self._closed_seq = stored, transaction[0][0]


def _is_labelled(batch: Batch, chunk: Chunk, rows: list[Row], previous: list[str]) -> bool:
    """Whether a chunk says of what is in it what is so. Of a stretch that begins within it only the end is looked at."""
    if chunk.closing not in previous or chunk.last_at_ms != rows[-1][1]:
        return False
    if batch.first_seq > chunk.first_seq:
        return True
    return (chunk.first_at_ms, chunk.packed) == (rows[0][1], len(rows) - len(batch.stored))


def _plain_digest(tick: Row) -> list[str]:
    """The digest in a Tick of a version that nobody knows, if it stands where it does today."""
    try:
        return [msgspec.json.decode(tick[7], type=dict[str, str])["digest"]]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return []


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
            try:
                return tick_digest(before[0])
            except LogTooNew as error:
                return next(iter(_plain_digest(before[0])), str(error))  # no digest follows from what is none
    raise ValueError(f"event {first_seq} does not begin a transaction")


def _end_of(log: Reader) -> int | None:
    """The newest event, None if the end of the file is not there."""
    try:
        return log.last_seq
    except LogDamaged:
        return None


def _readable_from(log: Reader, bad_seq: int, last_seq: int) -> int | None:
    """The first event after a damaged place that can be read again. None: nothing up to the end.

    Damage is a run, so the search takes ever longer steps, and goes back by halves.
    """
    step, bad = 1, bad_seq
    while bad + step <= last_seq and not _is_readable(log, bad + step):
        bad, step = bad + step, step * 2
    good = min(bad + step, last_seq)
    if good <= bad or not _is_readable(log, good):
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
