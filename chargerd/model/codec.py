"""Codec: event types by name and version, and how a stored one becomes a value again. msgspec does the work.

A stored event keeps its type name and version for ever. When a type changes in a way that an old row would not decode
to, its version here goes up by one and `UPCASTS` gets a function from the old fields to the new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec

from chargerd.model.events import Body

TYPES: dict[str, type[Body]] = {kind.__name__: kind for kind in get_args(Body)}
VERSIONS: dict[str, int] = dict.fromkeys(TYPES, 1)
UPCASTS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""(type name, old version) → the fields of the next version."""

DECODERS: dict[str, Callable[[str | bytes], Body]] = {
    name: msgspec.json.Decoder(kind).decode for name, kind in TYPES.items()
}
"""Of the current versions. They raise `msgspec.DecodeError`."""
encode = msgspec.json.Encoder().encode
"""Bytes of a fact: JSON with the fields in their declared order, defaults left out."""


class UnknownEvent(ValueError):
    """The log holds an event that this version cannot read: it was written by a newer one."""


def decode(kind: str, version: int, data: str | bytes) -> Body:
    """The fact that a row holds. Raises `UnknownEvent` for a type or version not known, `msgspec.DecodeError` for damage."""
    if VERSIONS.get(kind) == version:
        return DECODERS[kind](data)
    if kind not in TYPES or version > VERSIONS[kind]:
        raise UnknownEvent(f"event type {kind} version {version} is not known to this version of chargerd")
    fields = msgspec.json.decode(data)
    for old in range(version, VERSIONS[kind]):
        if (kind, old) not in UPCASTS:
            raise UnknownEvent(f"event type {kind} version {old} is not known to this version of chargerd")
        fields = UPCASTS[kind, old](fields)
    return msgspec.convert(fields, TYPES[kind])
