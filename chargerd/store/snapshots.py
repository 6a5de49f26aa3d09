"""Snapshots: the whole state after some event, kept so that a start need not replay the log. Derived, so they may go."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b

import msgspec

from chargerd.model.state import Site
from chargerd.store.log import Also
from chargerd.store.reader import Reader

KEPT = 8
"""Newest snapshots that stay: enough to step back over a damaged one, few enough not to grow."""

_CHECK_BYTES = 16
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Site).decode


def saving(site: Site, engine: str, keep: int = KEPT) -> Also:
    """The write that stores a state, to be handed to `Log.append`; all but the newest ``keep`` snapshots go.

    ``engine`` names the version of the rules that made the state: under other rules it is worth nothing.
    """
    state = _encode(site)
    blob = blake2b(state, digest_size=_CHECK_BYTES).digest() + state

    def save(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", (site.seq, site.at_ms, engine, blob))
        db.execute(
            "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)", (keep,)
        )

    return save


def newest(log: Reader, engine: str, up_to_seq: int | None = None) -> Site | None:
    """The newest whole state that these rules made, at or before an event; None: replay from the first event.

    A snapshot that cannot be read is passed over, for the log itself has everything that it had.
    """
    last = log.last_seq if up_to_seq is None else min(up_to_seq, log.last_seq)
    rows = log.query("SELECT seq, state FROM snapshots WHERE engine = ? AND seq <= ? ORDER BY seq DESC", engine, last)
    for seq, blob in rows:
        site = _restored(blob)
        if site is not None and site.seq == seq:
            return site
    return None


def _restored(blob: object) -> Site | None:
    if not isinstance(blob, bytes):
        return None
    state = blob[_CHECK_BYTES:]
    if blake2b(state, digest_size=_CHECK_BYTES).digest() != blob[:_CHECK_BYTES]:
        return None
    try:
        return _decode(state)
    except msgspec.MsgspecError:
        return None  # made by a version whose state had other fields
