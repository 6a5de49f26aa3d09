"""Peers: the log beside what else could have been taken: sqlite-utils, and the SQLite recorder of eventsourcing.

Each records the same readings in the same transactions of 12 and a Tick, write-ahead, with synchronous=NORMAL, and reads
them back as typed facts; what it costs to turn a fact into JSON and back is in everybody's time. Beside them stands
sqlite3 used directly. The log also numbers, checks and digests what it is given; the others do not.

Needs packages that chargerd does not need: `make bench-peers`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec
import sqlite_utils
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from harness import INSERT, Bench, bare_table, folder, median, transactions, turns

from chargerd.model.events import Body, ChargerRead, Event, Tick
from chargerd.store.log import Log

READINGS = 12
COMMITS = 1000
ROUNDS = 9

_encode = msgspec.json.Encoder().encode
_DECODERS: dict[str, Callable[[bytes | str], Body]] = {
    kind.__name__: msgspec.json.Decoder(kind).decode for kind in (ChargerRead, Tick)
}


class Store(Protocol):
    """One way to keep events."""

    def append(self, events: Sequence[Event]) -> object:
        """One transaction."""
        ...

    def read(self) -> Iterator[object]:
        """All events as typed facts."""
        ...


class Ours:
    """chargerd's log."""

    def __init__(self, path: Path) -> None:
        self._log = Log(path)

    def append(self, events: Sequence[Event]) -> object:
        """Typed, numbered, digested."""
        return self._log.append(events, durable=False)

    def read(self) -> Iterator[object]:
        """Typed events."""
        return self._log.read()


def _row(event: Event) -> tuple[object, ...]:
    data = _encode(event.body).decode()
    return event.seq, event.at_ms, event.mono_ms, event.boot, event.source, type(event.body).__name__, 1, data


class Raw:
    """sqlite3 by hand."""

    def __init__(self, path: Path) -> None:
        self._db = bare_table(path)

    def append(self, events: Sequence[Event]) -> object:
        """executemany between BEGIN and COMMIT."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(INSERT, map(_row, events))
        return self._db.execute("COMMIT")

    def read(self) -> Iterator[object]:
        """Decoded row by row."""
        for row in self._db.execute("SELECT * FROM events ORDER BY seq"):
            yield _DECODERS[row[5]](row[7])


class SqliteUtils:
    """sqlite-utils: dicts into a table, dicts out of it."""

    COLUMNS = ("seq", "at", "mono", "boot", "source", "type", "v", "data")

    def __init__(self, path: Path) -> None:
        self._db = sqlite_utils.Database(bare_table(path))
        self._table = self._db["events"]

    def append(self, events: Sequence[Event]) -> object:
        """insert_all in one batch, which is one transaction."""
        rows = [dict(zip(self.COLUMNS, _row(event), strict=True)) for event in events]
        with self._db.conn:
            return self._table.insert_all(rows, pk="seq", batch_size=len(rows))

    def read(self) -> Iterator[object]:
        """All rows as dicts, decoded."""
        for row in self._table.rows:
            yield _DECODERS[row["type"]](row["data"])


class EventSourcing:
    """eventsourcing: its recorder for applications, below aggregates and mappers."""

    SITE = UUID(int=1)
    _DECODERS = {  # noqa: RUF012 (a constant)
        kind.__name__: msgspec.json.Decoder(tuple[tuple[int, int, int, str, str], kind]).decode
        for kind in (ChargerRead, Tick)
    }

    def __init__(self, path: Path) -> None:
        self._recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(path), pool_size=1, max_overflow=0))
        self._recorder.create_table()
        with self._recorder.datastore.get_connection(commit=True) as connection:
            connection.cursor().execute("PRAGMA synchronous=NORMAL")

    def append(self, events: Sequence[Event]) -> object:
        """Stored events of one originator; the envelope goes into the state."""
        return self._recorder.insert_events(
            [
                StoredEvent(self.SITE, event.seq, type(event.body).__name__, _encode((_row(event)[1:6], event.body)))
                for event in events
            ]
        )

    def read(self) -> Iterator[object]:
        """Notifications, in pages, decoded."""
        start = 1
        while page := self._recorder.select_notifications(start, 1000):
            for stored in page:
                yield self._DECODERS[stored.topic](stored.state)
            start = page[-1].id + 1


PEERS = {"sqlite-utils": SqliteUtils, "eventsourcing": EventSourcing, "sqlite3": Raw}
LIMITS = {"sqlite-utils": (2.0, 1.2), "eventsourcing": (1.3, 2.0), "sqlite3": (0.7, 0.7)}


def record(store: Store, batches: Sequence[Sequence[Event]]) -> None:
    """Record these transactions."""
    for batch in batches:
        store.append(batch)


def read(store: Store) -> None:
    """Read everything back."""
    deque(store.read(), maxlen=0)


def compare(bench: Bench, name: str, peer: Callable[[Path], Store]) -> None:
    """Print how much faster the log is than a peer, recording and reading back."""
    batches = transactions(bench.traces, READINGS, COMMITS)
    count = sum(map(len, batches))
    appends, reads = [], []
    for _ in range(ROUNDS):
        with folder() as place:
            ours, theirs = Ours(Path(place) / "log.db"), peer(Path(place) / "peer.db")
            ours_s = theirs_s = 0.0
            for start in range(0, COMMITS, 50):
                part = batches[start : start + 50]
                first_s, second_s = turns(partial(record, ours, part), partial(record, theirs, part))
                ours_s, theirs_s = ours_s + first_s, theirs_s + second_s
            appends.append(theirs_s / ours_s)
            ours_s, theirs_s = turns(partial(read, ours), partial(read, theirs))
            reads.append(theirs_s / ours_s)
            kept = [sum(1 for _ in store.read()) for store in (ours, theirs)]
            assert kept == [count, count], f"{name} has lost something: {kept}"
    append_limit, read_limit = LIMITS[name]
    bench.at_least(
        f"append-{name}", median(appends), append_limit, f"speed of recording 12 readings a commit ÷ {name}'s"
    )
    bench.at_least(f"read-{name}", median(reads), read_limit, f"speed of reading typed events back ÷ {name}'s")


def main() -> None:
    bench = Bench(__doc__ or "")
    for name, peer in PEERS.items():
        compare(bench, name, peer)
    bench.done()


if __name__ == "__main__":
    main()
