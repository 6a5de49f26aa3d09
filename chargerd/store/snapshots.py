"""Snapshots: the whole state after some event, kept so that a start need not replay the log. Derived, so they may go."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from chargerd.model.state import Site
from chargerd.store.errors import LogDamaged
from chargerd.store.log import Also
from chargerd.store.reader import Reader

KEPT = 8
"""Newest snapshots that all stay: a start needs the newest, and steps back over a damaged one."""
STRIDE = 50_000
"""Of older ones the first of so many events stays, so that any past moment is at most this many events from a snapshot:
half a second of folding on a small board. A year of a typical home keeps 760 of them."""

GROUND = "ground"
"""In place of the version of the rules, for the one state that stands for readings that are no more."""

_CHECK_BYTES = 16
_PACKED = b"x"  # how zlib's output begins; no MessagePack map, as the first version stored them, begins so
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Site).decode


def saving(site: Site, engine: str, keep: int = KEPT) -> Also:
    """The write that stores a state, to be handed to `Log.append` or `Log.save`; those between the strides go.

    ``engine`` names the version of the rules that made the state: under other rules it is worth nothing.
    """
    blob = _blob(site)

    def save(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", (site.seq, site.at_ms, engine, blob))
        newest = db.execute("SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 1 OFFSET ?", (keep,)).fetchone()
        if newest is not None:
            first = max(0, newest[0] // STRIDE - 1) * STRIDE  # what lies before it was thinned out earlier
            db.execute(
                "DELETE FROM snapshots WHERE seq BETWEEN ?1 AND ?2 AND engine <> ?4 AND seq NOT IN"
                " (SELECT min(seq) FROM snapshots WHERE seq BETWEEN ?1 AND ?2 GROUP BY seq / ?3)",
                (first, newest[0], STRIDE, GROUND),
            )

    return save


def saving_ground(site: Site) -> Also:
    """The write that stores the state from which everything after it can be replayed, when readings before it are given up."""

    def save(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM snapshots WHERE engine = ?", (GROUND,))
        db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", (site.seq, site.at_ms, GROUND, _blob(site)))

    return save


def ground(log: Reader, up_to_seq: int | None = None) -> Site:
    """Where a replay begins: before the first event, or after the last one whose readings were given up.

    Raises `LogDamaged` if that state is lost; it is the one snapshot that cannot be made again.
    """
    try:
        rows = log.query("SELECT seq, state FROM snapshots WHERE engine = ?", GROUND)
    except LogDamaged:
        if log.has_given_up:
            raise
        return Site()  # there is none then
    for seq, blob in rows:
        if up_to_seq is not None and seq > up_to_seq:
            continue
        site = _restored(blob)
        if site is None:
            raise LogDamaged(
                f"{log.path}: the state after event {seq} is lost, and readings before it were given up", seq
            )
        return site
    return Site()


def replacing(sites: Sequence[Site], engine: str) -> Also:
    """The write that stores these states and forgets all that other rules made."""

    def replace(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM snapshots WHERE engine NOT IN (?, ?)", (engine, GROUND))
        for site in sites:
            saving(site, engine)(db)

    return replace


def of_other_rules(log: Reader, engine: str) -> Site | None:
    """The newest state that other rules made, if these can read it: something to begin with until the log is folded again."""
    return _first_whole(log, "engine <> ? AND seq <= ? ORDER BY seq DESC LIMIT ?", engine, log.last_seq, KEPT)


def newest_seq(log: Reader, engine: str) -> int:
    """The event after which these rules made their newest state, 0 if they made none."""
    (found,) = log.query("SELECT coalesce(max(seq), 0) FROM snapshots WHERE engine = ?", engine)
    return int(found[0])


def newest(log: Reader, engine: str, up_to_seq: int | None = None) -> Site | None:
    """The newest whole state that these rules made, at or before an event; None: replay from the first event.

    A snapshot that cannot be read is passed over, for the log itself has everything that it had.
    """
    last = log.last_seq if up_to_seq is None else min(up_to_seq, log.last_seq)
    return _first_whole(log, "engine = ? AND seq <= ? ORDER BY seq DESC LIMIT ?", engine, last, KEPT)


def oldest(log: Reader, engine: str, from_seq: int, up_to_seq: int) -> Site | None:
    """The first whole state that these rules made between two events: where a replay can begin again behind damage."""
    where = "engine = ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
    return _first_whole(log, where, engine, from_seq, up_to_seq, KEPT)


def _first_whole(log: Reader, where: str, *values: int | str) -> Site | None:
    """The first of these states that can be read. Each is fetched by itself: a bad page under one hides no other."""
    try:
        numbers = log.query(f"SELECT seq FROM snapshots WHERE {where}", *values)
    except LogDamaged:
        return None
    for (seq,) in numbers:
        try:
            rows = log.query("SELECT state FROM snapshots WHERE seq = ?", seq)
        except LogDamaged:
            continue
        site = _restored(rows[0][0]) if rows else None
        if site is not None and site.seq == seq:
            return site
    return None


def _blob(site: Site) -> bytes:
    state = zlib.compress(_encode(site))
    return blake2b(state, digest_size=_CHECK_BYTES).digest() + state


def _restored(blob: object) -> Site | None:
    if not isinstance(blob, bytes):
        return None
    state = blob[_CHECK_BYTES:]
    if blake2b(state, digest_size=_CHECK_BYTES).digest() != blob[:_CHECK_BYTES]:
        return None
    try:
        return _decode(zlib.decompress(state) if state[:1] == _PACKED else state)
    except (msgspec.MsgspecError, zlib.error):
        return None  # made by a version whose state had other fields
