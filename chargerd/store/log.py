"""Log: the append-only list of everything that happened, in one SQLite file with one writer.

A transaction is facts, what was decided because of them, and a closing `Tick` that carries the digest of it all. Either
the whole transaction is in the file or nothing of it. Measured choices (no index, WAL, small pages, rows made in one
pass, own numbers) are explained in docs/decisions.md and held by benchmarks/append_*.py.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain
from operator import itemgetter
from pathlib import Path

import msgspec

from chargerd.model.events import Event, Tick
from chargerd.store import schema, sealing
from chargerd.store.chain import judged
from chargerd.store.errors import LogBusy, LogDamaged, LogError, LogTooNew, LogUnusable, NotRecorded
from chargerd.store.reader import Reader
from chargerd.store.rows import TICK, Row, chained, tick_digest

Also = Callable[[sqlite3.Connection], object]
"""A write to a derived table (snapshots, sessions) that belongs into the same transaction as the events."""

_SEQ = itemgetter(0)

ONE_STATEMENT = 64
"""Up to so many rows go in by one INSERT, which is a transaction of its own: a tenth faster than BEGIN, rows, COMMIT."""


SPARE_PAGES = 4096
PAGES_AT_ONCE = 256
"""Of 2,048 bytes: up to 8 MiB inside the file stay free for what comes next; beyond it half a MiB goes at a time."""


@cache
def _insert(rows: int) -> str:
    return "INSERT INTO events VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * rows)


class Log(Reader):
    """The log, open for appending by this process alone. Made if there is none.

    Raises on opening: `LogBusy` (a second writer), `LogTooNew`, `LogDamaged`, `LogUnusable`. All four leave the file as
    it is. A log is used by one thread at a time; other threads use `open_reader`.

    ``wait``: one that can be read and not written (no room, read-only) is opened all the same, and so is an empty one where
    none can be made. It refuses with `NotRecorded` until it can be written, as any log whose disk fails it later.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        self._lock = -1
        self._full = False
        self._broken = False
        try:
            try:
                self._lock = _lock(path)
                db = schema.open_writer(path)
            except LogUnusable:
                if not wait:
                    raise
                db = schema.open_waiting(path)
                self._broken = True
            super().__init__(path, db)
            self._cursor = self._db.cursor()
            self._seq, self._digest = self._tail()
            self._check_last_transaction()
        except BaseException:
            self._unlock()
            raise

    def close(self) -> None:
        """Write the write-ahead file back and let the next writer in."""
        super().close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # also where a child is just being started with a copy of it
            os.close(self._lock)
            self._lock = -1

    @property
    def last_seq(self) -> int:
        """The number of the newest recorded event, 0 in an empty log."""
        return self._seq

    @property
    def last_digest(self) -> str:
        """The digest of the newest recorded transaction, "" in an empty log."""
        return self._digest

    def append(self, events: Sequence[Event], *, durable: bool, also: Sequence[Also] = ()) -> Event:
        """Record one transaction and return its closing Tick with the digest.

        ``events`` continue the numbers of the log without a gap and end with an open `Tick`, else ValueError. ``durable``:
        a power cut right after the return loses nothing; without it one may lose the last transactions, a crash never.
        ``also`` writes to derived tables in the same transaction. Raises `NotRecorded` when the disk refuses: the log is
        as before, and the same call may be made again later.
        """
        rows, digest = chained(self._digest, events)
        self._record(rows, digest, durable, also)
        return msgspec.structs.replace(events[-1], body=Tick(digest))

    def append_all(self, transactions: Sequence[Sequence[Event]], *, durable: bool, also: Sequence[Also] = ()) -> Event:
        """Record several transactions with one commit, as after a time of `NotRecorded`; otherwise like `append`."""
        rows: list[Row] = []
        digest = self._digest
        for events in transactions:
            new, digest = chained(digest, events)
            rows += new
        self._record(rows, digest, durable, also)
        return msgspec.structs.replace(transactions[-1][-1], body=Tick(digest))

    def seal(self, before_ms: int) -> int:
        """Pack the readings of the oldest plain rows into one chunk; how many events it took, 0 if none are old enough.

        They are read as before. Raises `NotRecorded` when the disk refuses and `LogDamaged` for rows that cannot be packed;
        either way everything is as it was.
        """
        chunk = sealing.next_chunk(self, before_ms)
        if chunk is None:
            return 0
        self.save(lambda db: sealing.seal(db, chunk))
        return chunk.packed

    def give_back(self) -> None:
        """Return some of the room that is free inside the file to the disk, if it is more than will be used again soon.

        In small steps, for each moves pages about. Raises `NotRecorded`.
        """
        if self._number("PRAGMA freelist_count") > SPARE_PAGES:
            self.save(lambda db: db.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall())

    def save(self, write: Also) -> None:
        """A write that belongs to no events, as to a derived table. Raises `NotRecorded`; nothing has changed then."""
        if self._broken:
            self._reconnect()
        self._attempt(lambda: self._transact([write]))

    def _record(self, rows: list[Row], digest: str, durable: bool, also: Sequence[Also]) -> None:
        expected = self._seq + 1
        if list(map(_SEQ, rows)) != [*range(expected, expected + len(rows))] or not rows:
            raise ValueError(f"events must be numbered from {expected} on without a gap")
        if self._broken:
            self._reconnect()
        self._attempt(lambda: self._commit(rows, durable, also), (rows[-1][0], digest))
        self._seq, self._digest = rows[-1][0], digest

    def _commit(self, rows: list[Row], durable: bool, also: Sequence[Also]) -> None:
        if durable is not self._full:
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._full = durable
        if not also and len(rows) <= ONE_STATEMENT:
            self._cursor.execute(_insert(len(rows)), [*chain.from_iterable(rows)])
        else:
            self._transact([lambda db: db.executemany(_insert(1), rows), *also])

    def _transact(self, writes: Sequence[Also]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for write in writes:
            write(self._db)
        self._db.execute("COMMIT")

    def _attempt(self, write: Callable[[], None], tail: tuple[int, str] | None = None) -> None:
        """Write, or leave no trace. ``tail`` is where the log ends if it has worked all the same."""
        try:
            write()
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
            self._roll_back()
            raise  # a mistake of ours, not of the disk
        except sqlite3.Error as error:
            found = self._roll_back()
            if tail is None or found != tail:  # else the commit had reached the file after all
                raise NotRecorded(f"{self.path}: {error}") from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> tuple[int, str] | None:
        """Undo what is half done and look where the file ends now; None: the file cannot even be read."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return self._tail()
        except (sqlite3.Error, LogError):
            self._broken = True  # this connection can no longer be trusted; the next append makes a new one
            return None

    def _reconnect(self) -> None:
        try:
            self._db.close()
            if self._lock < 0:
                self._lock = _lock(self.path)
            self._use(schema.open_writer(self.path, make=not self._seq))
            self._cursor = self._db.cursor()
            self._full = False
            found = self._tail()
        except (sqlite3.Error, LogError) as error:
            raise NotRecorded(f"{self.path}: {error}") from error
        if found != (self._seq, self._digest):
            text = f"{self.path} ends with event {found[0]}, but event {self._seq} was the last one here"
            raise NotRecorded(f"{text}: it is another log; systemctl restart chargerd begins with it")
        self._broken = False

    def _tail(self) -> tuple[int, str]:
        """Number and digest of the last row, which must be a Tick."""
        row = self._row("ORDER BY seq DESC LIMIT 1")
        if row is None:
            return 0, ""
        if row[5] != TICK:
            raise LogDamaged(f"{self.path} ends in an open transaction at event {row[0]}", first_bad_seq=row[0])
        try:
            return row[0], tick_digest(row)
        except LogTooNew as error:
            raise judged(self, error) from error

    def _check_last_transaction(self) -> None:
        """Look at the last transaction only: a start must not pay for a year of log."""
        if not self._seq:
            return
        before = self.last(Tick, before_seq=self._seq)
        damage = self.verify_chain(1 if before is None else before.seq + 1)
        if damage is not None:
            worst = self.verify_chain() or damage
            raise LogDamaged(
                f"{self.path} is damaged from event {worst.first_seq} on: {worst.text}", first_bad_seq=worst.first_seq
            )


def _lock(path: Path) -> int:
    """Take the writer's lock, a file beside the log that is never removed. Held until the descriptor closes."""
    name = path.with_name(path.name + ".lock")
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise LogUnusable(f"{path} cannot be written: {error.strerror} ({name})") from error
    if os.geteuid() == 0:  # a repair by root must not lock chargerd out
        with suppress(OSError):  # no log yet, or one whose owner cannot be told or given: then root keeps the lock
            owner = path.stat()
            os.fchown(lock, owner.st_uid, owner.st_gid)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise LogBusy(f"another chargerd writes to {path}; two writers would tear the log") from error
    return lock
