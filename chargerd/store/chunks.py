"""Chunks: readings of long ago, packed into columns. One chunk restores the very rows that it replaced.

A chunk holds what comes again and again: readings, and the Ticks that close their transactions. Everything else stays a
row for ever. Rows are packed by stream (kind, version and source), for a device's values resemble its own earlier ones.
What does not fit into columns is kept as the text that it was, so there is nothing that a chunk cannot hold.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct

from chargerd.model import codec
from chargerd.model.events import READINGS, Body, Event, Tick
from chargerd.store.columns import ABSENT, Packed, pack, unpack
from chargerd.store.errors import LogDamaged
from chargerd.store.rows import Row, events_of

KINDS = tuple(kind.__name__ for kind in (*READINGS, Tick))
"""What is packed away."""

ROWS = 2000
"""Events a chunk is made of, rows that stay included: less than half an hour of a typical home, 20 ms of work."""

_CHECK_BYTES = 16
LEVEL = 9
_encode = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Any]).decode


class _Stream(Struct, frozen=True, array_like=True):
    """Rows of one kind, version and source. ``rows`` of them."""

    kind: str
    version: int
    source: str
    rows: int


class _Group(Struct, frozen=True, array_like=True):
    """The data of all streams of one kind and version, one stream after the other.

    ``columns`` go by the names of JSON fields. ``typed``: a value of today's class says what the text said. Without
    columns, ``texts`` are the rows' data as they were.
    """

    kind: str
    version: int
    rows: int
    typed: bool
    columns: dict[str, Packed]
    texts: list[str]


class _Chunk(Struct, frozen=True, array_like=True):
    """What is compressed. ``order`` names the stream of each row; ``envelope`` are the columns seq, at, mono, boot."""

    rows: int
    streams: list[_Stream]
    order: Packed
    envelope: list[Packed]
    groups: list[_Group]


_decode = msgspec.msgpack.Decoder(_Chunk).decode


def packed(rows: Sequence[Row]) -> bytes:
    """The rows, at least one, as a chunk. Raises ValueError if it would not restore exactly these rows."""
    keys = [(row[5], row[6], row[4]) for row in rows]
    places = {key: place for place, key in enumerate(sorted(set(keys)))}
    by_stream: dict[tuple[str, int, str], list[Row]] = {key: [] for key in places}
    for key, row in zip(keys, rows, strict=True):
        by_stream[key].append(row)
    streams = [_Stream(*key, len(by_stream[key])) for key in places]
    kinds = dict.fromkeys(key[:2] for key in places)
    groups = [_group(*kind, [row[7] for key in places if key[:2] == kind for row in by_stream[key]]) for kind in kinds]
    envelope = [pack(list(map(itemgetter(field), rows))) for field in range(4)]
    content = zlib.compress(
        _encode(_Chunk(len(rows), streams, pack([*map(places.get, keys)]), envelope, groups)), LEVEL
    )
    data = blake2b(content, digest_size=_CHECK_BYTES).digest() + content
    if rows_in(data) != list(rows):
        raise ValueError("a chunk would not restore the rows that it was made of")
    return data


def rows_in(data: bytes) -> list[Row]:
    """The rows of a chunk, in their order. Raises `LogDamaged` if it is not what `packed` has made."""
    chunk = _opened(data)
    texts, streams, order = _by_stream(chunk, _texts)
    return list(
        zip(
            *_envelope(chunk),
            [streams[place].source for place in order],
            [streams[place].kind for place in order],
            [streams[place].version for place in order],
            texts,
            strict=True,
        )
    )


def events_in(data: bytes) -> list[Event]:
    """The events of a chunk, in their order. Raises `LogDamaged`, and `LogTooNew` as rows do."""
    chunk = _opened(data)
    if not all(map(_is_direct, chunk.groups)):
        return events_of(rows_in(data))
    bodies, streams, order = _by_stream(chunk, _bodies)
    sources = [stream.source for stream in streams]
    return list(map(Event, *_envelope(chunk), map(sources.__getitem__, order), bodies))


def _opened(data: bytes) -> _Chunk:
    content = data[_CHECK_BYTES:]
    if blake2b(content, digest_size=_CHECK_BYTES).digest() != data[:_CHECK_BYTES]:
        raise LogDamaged("the chunk is not what was written")
    try:
        return _decode(zlib.decompress(content))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise LogDamaged(f"the chunk cannot be read: {error}") from error


def _envelope(chunk: _Chunk) -> list[Iterable[Any]]:
    return [unpack(column, chunk.rows) for column in chunk.envelope]


def _by_stream(chunk: _Chunk, content: Callable[[_Group], list[Any]]) -> tuple[Iterable[Any], list[_Stream], list[int]]:
    """The content of all groups in the order of the rows; the streams; and the place of each row's stream."""
    parts: dict[tuple[str, int], Iterator[Any]] = {
        (group.kind, group.version): iter(content(group)) for group in chunk.groups
    }
    streams = [iter(list(islice(parts[stream.kind, stream.version], stream.rows))) for stream in chunk.streams]
    order = list(unpack(chunk.order, chunk.rows))
    return map(next, map(streams.__getitem__, order)), chunk.streams, order


def _group(kind: str, version: int, texts: list[str]) -> _Group:
    as_is = _Group(kind, version, len(texts), False, {}, texts)
    columns = _columns(texts)
    if not columns:
        return as_is
    group = _Group(kind, version, len(texts), True, columns, [])
    if _texts(group) != texts:
        return as_is
    return group if _is_typed(group, texts) else msgspec.structs.replace(group, typed=False)


def _is_typed(group: _Group, texts: Sequence[str]) -> bool:
    """Whether values of today's class, made of the columns, are those that the texts decode to."""
    if not _is_direct(group):
        return False
    try:
        bodies = [codec.decode(group.kind, group.version, text) for text in texts]
    except (msgspec.MsgspecError, ValueError):
        return False  # damaged before it came here; as text it goes on saying so
    made = _bodies(group)
    return made == bodies and list(map(codec.encode, made)) == list(map(codec.encode, bodies))


def _is_direct(group: _Group) -> bool:
    """Whether values of today's class can be made of the columns without going by the text."""
    if not group.typed or group.version != codec.VERSIONS.get(group.kind):
        return False
    kind = codec.TYPES[group.kind]
    missing = [default for name, default in _defaults(kind).items() if name not in group.columns]
    plain = all(default is None or isinstance(default, bool | int | float | str) for default in missing)
    return plain and group.columns.keys() <= set(kind.__struct_fields__)


def _defaults(kind: type[Body]) -> dict[str, Any]:
    return dict(zip(reversed(kind.__struct_fields__), reversed(kind.__struct_defaults__), strict=False))


def _columns(texts: Sequence[str]) -> dict[str, Packed] | None:
    """A column for each field that any of the texts has; None if they are not all JSON objects."""
    try:
        objects = [_object(text) for text in texts]
        names: dict[str, None] = {}
        for shape in dict.fromkeys(map(tuple, objects)):
            names = _woven(names, shape)
        columns = {name: pack([fields.get(name, ABSENT) for fields in objects]) for name in names}
        _encode(columns)
    except (msgspec.MsgspecError, OverflowError, UnicodeError):
        return None
    return columns


def _woven(names: Iterable[str], shape: Sequence[str]) -> dict[str, None]:
    """The names with those of another shape put in before the one that follows them there."""
    ordered = list(names)
    for place, name in enumerate(shape):
        if name not in ordered:
            later = next((ordered.index(other) for other in shape[place + 1 :] if other in ordered), len(ordered))
            ordered.insert(later, name)
    return dict.fromkeys(ordered)


def _texts(group: _Group) -> list[str]:
    if not group.columns:
        return group.texts
    names = list(group.columns)
    columns = [unpack(column, group.rows) for column in group.columns.values()]
    return [
        _json({name: value for name, value in zip(names, values, strict=True) if value is not ABSENT}).decode()
        for values in zip(*columns, strict=True)
    ]


def _bodies(group: _Group) -> list[Any]:
    kind = codec.TYPES[group.kind]
    nothing, defaults = ["constant", ABSENT], _defaults(kind)
    columns = [
        unpack(group.columns.get(name, nothing), group.rows, defaults.get(name)) for name in kind.__struct_fields__
    ]
    return list(map(kind, *columns))
