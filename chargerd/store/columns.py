"""Columns: lists of like values as few bytes, and back again as fast as plain Python can.

A column is packed in the first way that gives every value back exactly: one constant, few distinct values, hexadecimal,
decimal numbers, or as they are. Numbers become integers (12.5 and 12.25 count hundredths), neighbours are subtracted where
that helps, and equal bytes of all of them lie together, which a general compressor likes.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, repeat
from math import copysign
from operator import sub
from typing import Any

Packed = list[Any]
"""[kind, …], of types that MessagePack knows."""

ABSENT = b""
"""Stands for a field that was not there. No JSON value is bytes."""

MOST_DIGITS = 6
_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}
_BIGGEST = 1 << 53  # integers beyond it are not exact as floats


def pack(values: Sequence[Any]) -> Packed:
    """The values as one of the kinds below. They are JSON's scalars, lists or objects, or `ABSENT`."""
    tries: tuple[Callable[[Sequence[Any]], Packed | None], ...] = (_constant, _number, _hexadecimal, _chosen)
    return next((packed for attempt in tries if (packed := attempt(values)) is not None), ["as-is", list(values)])


def unpack(packed: Packed, count: int, absent: Any = ABSENT) -> Iterable[Any]:
    """The values again, ``absent`` in place of `ABSENT`."""
    return _UNPACK[packed[0]](count, absent, *packed[1:])


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


def _constant(values: Sequence[Any]) -> Packed | None:
    first = values[0]
    if isinstance(first, list | dict) or any(v is not first and not _same(v, first) for v in values):
        return None
    return ["constant", first]


def _chosen(values: Sequence[Any]) -> Packed | None:
    """Few distinct values: a table of them and a byte for each."""
    table: dict[tuple[type, Any], int] = {}
    places = bytearray()
    for value in values:
        if isinstance(value, list | dict):
            return None
        place = table.setdefault((type(value), repr(value)), len(table))
        if place > 255:
            return None
        places.append(place)
    firsts: dict[int, Any] = {}
    for value, place in zip(values, places, strict=True):
        firsts.setdefault(place, value)
    return ["chosen", list(firsts.values()), bytes(places)]


def _hexadecimal(values: Sequence[Any]) -> Packed | None:
    size = len(values[0]) if isinstance(values[0], str) else 0
    if not size or size % 2 or any(not isinstance(v, str) or len(v) != size for v in values):
        return None
    text = "".join(values)
    try:
        content = bytes.fromhex(text)
    except ValueError:
        return None
    return ["hexadecimal", size, content] if content.hex() == text else None


def _number(values: Sequence[Any]) -> Packed | None:
    """Integers, or floats of few decimals; some may be missing."""
    gaps = [[place, value] for place, value in enumerate(values) if value is None or value is ABSENT]
    known = [value for value in values if value is not None and value is not ABSENT]
    if len(known) < 2 or len(gaps) > len(values) // 2:
        return None
    if all(type(value) is int for value in known):
        digits, whole = -1, known
    elif all(type(value) is float for value in known):
        found = _scaled(known)
        if found is None:
            return None
        digits, whole = found
    else:
        return None
    if max(map(abs, whole)) >= _BIGGEST:
        return None
    if gaps:
        filled = iter(whole)
        before, missing = 0, {place for place, _ in gaps}
        whole = [before := before if place in missing else next(filled) for place in range(len(values))]
    steps = [whole[0], *map(sub, whole[1:], whole)]
    plain, stepped = _planes(whole), _planes(steps)
    is_stepped = len(zlib.compress(stepped[1])) < len(zlib.compress(plain[1]))
    width, content = stepped if is_stepped else plain
    return ["number", digits, is_stepped, width, content, gaps]


def _scaled(values: list[float]) -> tuple[int, list[int]] | None:
    """How many decimals they have, and each as a whole number of its last decimal place."""
    if any(not value and copysign(1, value) < 0 for value in values):
        return None  # an integer has no minus zero
    for digits in range(MOST_DIGITS + 1):
        unit = 10**digits
        if any(not abs(value) < _BIGGEST / unit for value in values):
            return None
        whole = [round(value * unit) for value in values]
        if [n / unit for n in whole] == values:
            return digits, whole
    return None


def _planes(whole: Sequence[int]) -> tuple[int, bytes]:
    """The lowest bytes of all numbers, then the next ones, …; and how many there are."""
    lowest, highest = min(whole), max(whole)
    width = next(w for w in _CODES if -(1 << 8 * w - 1) <= lowest and highest < 1 << 8 * w - 1)
    packed = _little(array(_CODES[width], whole)).tobytes()
    return width, b"".join(packed[place::width] for place in range(width))


def _little(numbers: array[int]) -> array[int]:
    if array("h", [1]).tobytes() != b"\1\0":
        numbers.byteswap()
    return numbers


def _from_number(
    count: int, absent: Any, digits: int, is_stepped: bool, width: int, content: bytes, gaps: list[list[Any]]
) -> Iterable[Any]:
    mixed = bytearray(count * width)
    for place in range(width):
        mixed[place::width] = content[place * count : (place + 1) * count]
    numbers = array(_CODES[width])
    numbers.frombytes(mixed)
    whole: Iterable[int] = accumulate(_little(numbers)) if is_stepped else _little(numbers)
    unit = 10**digits if digits > 0 else 1
    if digits < 0 and not gaps:
        return whole
    values: list[Any] = list(whole) if digits < 0 else [n / unit for n in whole]
    for place, value in gaps:
        values[place] = absent if value == ABSENT else value
    return values


def _from_hexadecimal(count: int, _absent: Any, size: int, content: bytes) -> Iterable[str]:
    text = content.hex()
    return [text[at : at + size] for at in range(0, count * size, size)]


def _from_chosen(_count: int, absent: Any, table: list[Any], places: bytes) -> Iterable[Any]:
    return map(_filled(table, absent).__getitem__, places)


def _from_constant(count: int, absent: Any, value: Any) -> Iterable[Any]:
    return repeat(absent if value == ABSENT else value, count)


def _filled(values: list[Any], absent: Any) -> list[Any]:
    return [absent if value == ABSENT else value for value in values]


_UNPACK: dict[str, Callable[..., Iterable[Any]]] = {
    "constant": _from_constant,
    "number": _from_number,
    "chosen": _from_chosen,
    "hexadecimal": _from_hexadecimal,
    "as-is": lambda _count, absent, values: _filled(values, absent),
}
