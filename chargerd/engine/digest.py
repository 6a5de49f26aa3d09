"""Digest: one short text for a whole state, so that two processes can see whether they believe the same."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from chargerd.model.state import Site

DIGEST_BYTES = 16
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def digest_of(site: Site) -> str:
    """Hexadecimal digest of everything in a state. Equal states have equal digests, in whatever way they came to be.

    A whole number counts as the same whether it is kept as 5 or as 5.0: a reading that never left this process may be
    the one, the same reading from the log is the other.
    """
    return blake2b(_encode(_plain(msgspec.to_builtins(site))), digest_size=DIGEST_BYTES).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
