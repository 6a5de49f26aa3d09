"""Rows: how events become rows of the table and rows become events again, and the digest that chains transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from operator import attrgetter, itemgetter

import msgspec

from chargerd.model import codec
from chargerd.model.events import Body, Event, Tick
from chargerd.store.errors import LogDamaged, LogTooNew

Row = tuple[int, int, int, int, str, str, int, str]
"""seq, at, mono, boot, source, type, v, data."""

TICK = Tick.__name__
OPEN_TICK = codec.encode(Tick()).decode()
"""The data of a Tick before its digest is known; this is what the digest covers."""
DIGEST_BYTES = 16
_COLUMNS = (int, int, int, int, str, str, int, str)
_body = attrgetter("body")
_source: Callable[[Row], str] = itemgetter(4)
_NUMBERS: tuple[Callable[[Row], int], ...] = (itemgetter(1), itemgetter(2), itemgetter(3))
_digested = msgspec.msgpack.Encoder().encode

_NAMES = {kind: (name, codec.VERSIONS[name]) for name, kind in codec.TYPES.items()}


class _OfVersion(dict[str, Callable[[str], Body]]):
    """Type → decoder, of one version: there where it is the current one; older ones and strangers are left to the codec."""

    def __init__(self, version: int) -> None:
        super().__init__({name: decode for name, decode in codec.DECODERS.items() if codec.VERSIONS[name] == version})
        self._version = version

    def __missing__(self, kind: str) -> Callable[[str], Body]:
        return partial(codec.decode, kind, self._version)


class _Decoders(dict[int, _OfVersion]):
    """Version → decoders. Two looks, each by what stands in the row, are faster than one by a pair that is made for it."""

    def __missing__(self, version: int) -> _OfVersion:
        return _OfVersion(version)


_DECODERS = _Decoders({version: _OfVersion(version) for version in {*codec.VERSIONS.values()}})


def rows_of(events: Sequence[Event]) -> list[Row]:
    """The rows of one transaction, its Tick still open. Raises ValueError unless exactly the last event is an open Tick."""
    encode = codec.encode
    kinds = list(map(type, map(_body, events)))
    if kinds.count(Tick) != 1 or kinds[-1] is not Tick:
        raise ValueError("a transaction ends with its only Tick")
    rows = [
        (e.seq, e.at_ms, e.mono_ms, e.boot, e.source, name, version, encode(e.body).decode())
        for e, (name, version) in zip(events, map(_NAMES.__getitem__, kinds), strict=True)
    ]
    if rows[-1][7] != OPEN_TICK:
        raise ValueError("the digest of a Tick is written by the log, not given to it")
    return rows


def chained(previous: str, events: Sequence[Event]) -> tuple[list[Row], str]:
    """The rows of one transaction with its Tick closed, and its digest. Raises as `rows_of`."""
    rows = rows_of(events)
    digest = blake2b(_digested((previous, rows)), digest_size=DIGEST_BYTES).hexdigest()
    rows[-1] = (*rows[-1][:7], f'{{"digest":"{digest}"}}')
    return rows, digest


def digest_of(previous: str, rows: Sequence[Row]) -> str:
    """The digest of a transaction: of the digest before it and of all its rows, the Tick's own with open data.

    What is digested is their msgpack form: one form for one content, and shorter than JSON within JSON.
    """
    return blake2b(_digested((previous, rows)), digest_size=DIGEST_BYTES).hexdigest()


def closed(tick: Row, digest: str) -> Row:
    """The row of a Tick with its digest, which is hexadecimal and needs no escapes."""
    return (*tick[:7], f'{{"digest":"{digest}"}}')


def opened(tick: Row) -> Row:
    """The row of a stored Tick as it was when its digest was made."""
    return (*tick[:7], OPEN_TICK)


def events_of(rows: Sequence[Row]) -> list[Event]:
    """Typed events. Raises `LogDamaged` at the first row that makes no sense, `LogTooNew` at one of a newer version."""
    decoders = _DECODERS
    if not _are_typed(rows):
        return [event_of(row) for row in rows]
    try:
        return [
            Event(seq, at, mono, boot, source, decoders[v][kind](data))
            for seq, at, mono, boot, source, kind, v, data in rows
        ]
    except (codec.UnknownEvent, msgspec.MsgspecError, TypeError, ValueError):
        return [event_of(row) for row in rows]


def _are_typed(rows: Sequence[Row]) -> bool:
    """Whether the columns that no decoder looks at are numbers and texts, for SQLite stores anything anywhere.

    Sums and joins refuse what they cannot take, at a fraction of the cost of a look at each value.
    """
    try:
        "".join(map(_source, rows))
        return all(type(sum(map(number, rows))) is int for number in _NUMBERS)
    except (TypeError, OverflowError):
        return False


def event_of(row: Row) -> Event:
    """One typed event. Raises as `events_of`, naming the event."""
    seq, at, mono, boot, source, kind, v, data = row
    if tuple(map(type, row)) != _COLUMNS:
        raise LogDamaged(f"event {seq} cannot be read: a number or text in it is none", first_bad_seq=seq)
    try:
        return Event(seq, at, mono, boot, source, codec.decode(kind, v, data))
    except codec.UnknownEvent as error:
        raise LogTooNew(f"event {seq}: {error}", seq) from error
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise LogDamaged(f"event {seq} ({kind}) cannot be read: {error}", first_bad_seq=seq) from error


def tick_digest(row: Row) -> str:
    """The digest in the row of a stored Tick. Raises `LogDamaged` if there is none."""
    body = event_of(row).body
    if not isinstance(body, Tick) or not body.digest:
        raise LogDamaged(f"event {row[0]} holds no digest", first_bad_seq=row[0])
    return body.digest
