"""Chain: where a log is as it was written and where it is not. Every place of damage is located, not only the first.

The log is walked in slices, so that progress can be shown and no read lasts long beside a writing daemon.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from chargerd.engine.step import EVOLVED
from chargerd.model.events import Body, CommandIssued, Event, Tick
from chargerd.store import schema
from chargerd.store.chain import Damage
from chargerd.store.errors import LogDamaged, LogTooNew
from chargerd.store.reader import Reader

SLICE = 50_000  # events checked at once: about a second's work on a small computer
MOST = 20  # places of damage that are looked for; a file with more of them is lost anyway
FAR = 1 << 62

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
        db = schema.connect(path, mode="ro")
        try:
            db.execute("PRAGMA writable_schema=ON")
            schema.recognise(db, path)
        except BaseException:
            db.close()
            raise
        return db


def damages(log: Slice, first_seq: int, last_seq: int, progress: Progress) -> list[Damaged]:
    """All damage between two events, the first of which begins a transaction, in order; at most `MOST` places.

    Raises `store.errors.LogUnusable` if the file cannot be read just now.
    """
    found: list[Damaged] = []
    at = first_seq
    while at <= last_seq and len(found) < MOST:
        end_seq = last_seq if at + SLICE >= last_seq else _tick_before(log, at + SLICE, at, last_seq)
        damage = _checked(log, at, end_seq)
        if damage is None:
            at = end_seq + 1
        else:
            begun_seq = _tick_before(log, damage.first_seq - 1, at, at - 1) + 1
            place = _located(log, begun_seq, damage.last_seq, last_seq, why(log.path, damage.text))
            if found and found[-1].last_seq == begun_seq - 1:
                place = _joined(found.pop(), place)
            found.append(place)
            at = last_seq + 1 if place.last_seq is None else place.last_seq + 1
        progress("digests", min(at - 1, last_seq))
    return found


def _checked(log: Slice, first_seq: int, last_seq: int) -> Damage | None:
    """The first damage of a slice; also where the transaction before it has no digest that could be gone on from."""
    log.limit = last_seq
    try:
        return log.verify_chain(first_seq)
    except LogDamaged as error:
        return Damage(first_seq, first_seq, why(log.path, error))
    finally:
        log.limit = None


def _joined(one: Damaged, two: Damaged) -> Damaged:
    """Damage that goes on: a digest that was changed makes the transaction after it look changed as well."""
    unreadable = None if two.unreadable is None or one.unreadable is None else one.unreadable + two.unreadable
    return Damaged(
        one.first_seq, two.last_seq, one.text, one.after_ms, two.before_ms, unreadable,
        one.commands + two.commands, one.requests + two.requests,
    )  # fmt: skip


def readable_to(log: Slice, first_seq: int = 1) -> tuple[int, int, str]:
    """How far a file whose end cannot be found can be read: its last closed transaction, its last event, and why no further."""
    seq = closed = first_seq - 1
    try:
        for event in log.read(first_seq, FAR):
            seq = event.seq
            if isinstance(event.body, Tick):
                closed = seq
    except LogDamaged as damage:
        bad = seq + 1 if damage.first_bad_seq is None else damage.first_bad_seq
        for event in _sound(log, seq + 1, bad - 1):  # a row that is nonsense takes those fetched with it along
            seq = event.seq
            closed = seq if isinstance(event.body, Tick) else closed
        return closed, seq, why(log.path, damage)
    return closed, seq, "the end of the file cannot be found"


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


def _sound(log: Reader, first_seq: int, last_seq: int) -> list[Event]:
    return [event for seq in range(first_seq, last_seq + 1) if (event := event_at(log, seq)) is not None]


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


def _tick_before(log: Slice, seq: int, first_seq: int, otherwise: int) -> int:
    """The end of the last transaction that ends between ``first_seq`` and ``seq``; ``otherwise`` if none can be seen."""
    try:
        tick_seq = tick_before(log, seq)
    except (LogDamaged, LogTooNew):
        return otherwise
    return otherwise if tick_seq < first_seq else tick_seq


def _located(log: Slice, first_seq: int, said_seq: int, last_seq: int, text: str) -> Damaged:
    """The extent of a damage: from its transaction's first event to the end of the transaction in which it ends."""
    unreadable, commands, requests = 0, 0, 0
    seq, end = first_seq, said_seq
    while seq <= min(end, last_seq):
        event = event_at(log, seq)
        if event is None:
            sound = _next_sound(log, seq, last_seq)
            if sound is None:
                return Damaged(first_seq, None, text, _time(log, first_seq - 1), None, None, commands, requests)
            unreadable += sound - seq
            seq, end = sound, sound  # what was said to be its end was a guess; the next Tick ends it
            continue
        commands += isinstance(event.body, CommandIssued)
        requests += asked(event)
        end = end if isinstance(event.body, Tick) else max(end, seq + 1)
        seq += 1
    if seq > last_seq and not isinstance(getattr(event_at(log, last_seq), "body", None), Tick):
        return Damaged(first_seq, None, text, _time(log, first_seq - 1), None, unreadable, commands, requests)
    return Damaged(first_seq, end, text, _time(log, first_seq - 1), _time(log, end + 1), unreadable, commands, requests)


def _next_sound(log: Slice, bad_seq: int, last_seq: int) -> int | None:
    """The first event after a bad one that can be read. Damage is a run, so the search may take ever longer steps."""
    low, step = bad_seq, 1
    while event_at(log, min(low + step, last_seq)) is None:
        if low + step >= last_seq:
            return None
        low, step = low + step, step * 2
    high = min(low + step, last_seq)
    while high - low > 1:
        middle = (low + high) // 2
        if event_at(log, middle) is None:
            low = middle
        else:
            high = middle
    return high


def _time(log: Slice, seq: int) -> int | None:
    event = event_at(log, seq)
    return None if event is None else event.at_ms
