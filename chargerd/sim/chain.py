"""Chain: what is said of each place of damage: what is lost there, what can still be read, and the times around it.

The places themselves are found by `store.chain`. A file that was cut off is opened here as well.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from pathlib import Path

from msgspec import Struct

from chargerd.engine.step import EVOLVED
from chargerd.model.events import Body, CommandIssued, ConfigLoaded, Event, Tick
from chargerd.model.settings import Configuration
from chargerd.store import schema
from chargerd.store.batch import Batch
from chargerd.store.chain import FAR, Damage, pieces
from chargerd.store.errors import LogDamaged, LogTooNew
from chargerd.store.reader import Reader
from chargerd.store.rows import event_of

EARLY = 8  # a log begins with the daemon's start and its configuration
MOST = 20  # places of damage that are looked for; a file with more of them is lost anyway

Progress = Callable[[str, int], None]
"""Called with what is being done and the number of the last event that has been dealt with."""


class Damaged(Struct, frozen=True):
    """A run of events that are not what was written: ``first_seq`` to ``last_seq`` (None: to the end of the file).

    ``after_ms`` and ``before_ms`` are the times of the sound events around it. ``unreadable`` of its events are gone (None:
    nobody knows how many); of those that can still be read ``commands`` are commands and ``requests`` are people's.
    """

    first_seq: int
    last_seq: int | None
    text: str
    after_ms: int | None
    before_ms: int | None
    unreadable: int | None
    commands: int
    requests: int


class Slice(Reader):
    """A log as if it ended at an event: ``limit``; None for all of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _opened(path))
        self.limit: int | None = None

    @property
    def last_seq(self) -> int:
        """The number of the newest event within the limit."""
        return super().last_seq if self.limit is None else self.limit


def _opened(path: Path) -> sqlite3.Connection:
    """The file, also when it is shorter than it says.

    SQLite does not open a truncated file, unless it has been told that its schema may be written: then it takes the pages
    that there are. https://www.sqlite.org/pragma.html#pragma_writable_schema (this connection is read-only all the same)
    """
    try:
        return schema.open_readonly(path)
    except LogDamaged:
        if not path.stat().st_size:
            raise
        db = schema.connect(path, mode=schema.reading_mode(path))
        try:
            db.execute("PRAGMA writable_schema=ON")
            schema.recognise(db, path)
        except BaseException:
            db.close()
            raise
        return db


def damaged(log: Slice, first_seq: int, last_seq: int | None, progress: Progress) -> list[Damaged]:
    """All damage between two events (None: to the end, which cannot be found), in order; at most `MOST` places.

    The first of them begins a transaction. Raises `store.errors.LogUnusable` if the file cannot be read just now.
    """
    found = log.damages(first_seq, last_seq, lambda seq: progress("digests", seq))
    places = [_described(log, one) for one in islice(_joined(found, log.path), MOST)]
    return sorted(places, key=attrgetter("first_seq"))


def _joined(found: Iterable[Damage], path: Path) -> Iterator[Damage]:
    """Neighbours of which the same is wrong are one place."""
    place: Damage | None = None
    for damage in found:
        text = why(path, damage.text)
        first_seq = damage.first_seq
        if place is not None and place.text == text and place.last_seq == first_seq - 1:
            first_seq = place.first_seq
        elif place is not None:
            yield place
        place = Damage(first_seq, damage.last_seq, text)
    if place is not None:
        yield place


def _described(log: Slice, damage: Damage) -> Damaged:
    """What is lost there and what can still be read, and the times around it."""
    kept = commands = requests = 0
    for piece in pieces(log, damage.first_seq, FAR if damage.last_seq is None else damage.last_seq):
        if isinstance(piece, LogDamaged):
            continue
        if piece.chunk is not None and piece.is_given_up:
            kept += piece.chunk.packed  # given up by intention
        for event in _readable(piece):
            kept += 1
            commands += isinstance(event.body, CommandIssued)
            requests += asked(event)
    first, last = damage.first_seq, damage.last_seq
    unreadable = None if last is None else max(0, last - first + 1 - kept)
    before_ms = None if last is None else _time(log, last + 1)
    return Damaged(first, last, damage.text, _time(log, first - 1), before_ms, unreadable, commands, requests)


def _readable(batch: Batch) -> Iterator[Event]:
    """The events that are left; where packed readings cannot be unpacked those between them."""
    try:
        rows = batch.rows()
    except LogDamaged:
        rows = batch.stored
    for row in rows:
        with suppress(LogDamaged, LogTooNew):  # it is counted as lost
            yield event_of(row)


def asked(event: Event) -> bool:
    """Whether an event is what a person asked for."""
    return hasattr(event.body, "request") and event.source != EVOLVED


def event_at(log: Reader, seq: int) -> Event | None:
    """An event, None if it is missing or cannot be read. (A type that nobody knows is what a flipped bit makes of one.)"""
    try:
        return next(log.read(seq, seq), None)
    except (LogDamaged, LogTooNew):
        return None


def last_of(log: Reader, kind: type[Body], before_seq: int | None = None) -> Event | None:
    """The newest event of a kind; None also where damage lies between it and the end."""
    try:
        return log.last(kind, before_seq)
    except LogDamaged:
        return None


def why(path: Path, error: LogDamaged | str) -> str:
    """What is wrong with a file, without its name, which is said elsewhere."""
    return re.sub(r"^is damaged( from event \d+ on)?: ", "", str(error).removeprefix(f"{path} "))


def configuration_of(log: Reader) -> Configuration | None:
    """The newest configuration, or where damage hides it one that stands at the beginning."""
    early = (event_at(log, seq) for seq in range(1, EARLY + 1))
    for event in (last_of(log, ConfigLoaded), *early):
        if event is not None and isinstance(event.body, ConfigLoaded):
            return event.body.configuration
    return None


def begun_at(log: Reader, at_ms: int) -> int:
    """The first event of the transaction with which a time begins. Raises `LogDamaged` where damage hides it."""
    return tick_before(log, log.seq_at(at_ms) - 1) + 1


def tick_before(log: Reader, seq: int) -> int:
    """The last event up to ``seq`` that closes a transaction, 0 if none does; also where readings are packed away.

    Raises `LogDamaged` where damage lies between it and ``seq``.
    """
    reach = 64
    while True:
        start = max(1, seq - reach + 1)
        ticks = [event.seq for event in (log.read(start, seq) if seq else ()) if isinstance(event.body, Tick)]
        if ticks or start == 1:
            return ticks[-1] if ticks else 0
        reach *= 4


def _time(log: Slice, seq: int) -> int | None:
    event = event_at(log, seq)
    return None if event is None else event.at_ms
