"""Sessions: the charging sessions that have ended, one row each, so that a list of them needs no replay. Derived."""

from __future__ import annotations

import sqlite3

import msgspec

from chargerd.model.state import Session
from chargerd.store.errors import LogDamaged
from chargerd.store.log import Also
from chargerd.store.reader import Reader

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


def saving(session: Session) -> Also:
    """The write that stores an ended session under its number, to be handed to `Log.append`. Saving it again is harmless."""
    if session.ended_at_ms is None:
        raise ValueError(f"session {session.number} has not ended")
    row = (
        session.number,
        session.loadpoint,
        session.started_at_ms,
        session.ended_at_ms,
        _encode(session).decode(),
    )

    def save(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", row)

    return save


def clear(db: sqlite3.Connection) -> None:
    """Forget all sessions, before they are made again from the log; to be handed to `Log.append` as it is."""
    db.execute("DELETE FROM sessions")


def ended(
    log: Reader, loadpoint: str | None = None, since_ms: int | None = None, lines: int | None = None
) -> list[Session]:
    """Ended sessions in the order they began: of one loadpoint, ended at or after a time, the newest ``lines`` of them.

    Raises `LogDamaged` for a row that cannot be read; `clear` and a replay make the table again.
    """
    rows = log.query(
        "SELECT data FROM sessions WHERE loadpoint = coalesce(?, loadpoint) AND ended_at >= ?"
        " ORDER BY number DESC LIMIT ?",
        loadpoint,
        -(1 << 62) if since_ms is None else since_ms,
        -1 if lines is None else lines,
    )
    try:
        return [_decode(data) for (data,) in reversed(rows)]
    except (msgspec.MsgspecError, TypeError) as error:
        raise LogDamaged(f"the table of sessions in {log.path} cannot be read: {error}") from error
