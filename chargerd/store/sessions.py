"""Sessions: the charging sessions that have ended, one row each, so that a list of them needs no replay. Derived."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

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


def clear(db: sqlite3.Connection, above: int = 0) -> None:
    """Forget the sessions with a number above this, before they are made again from the log; for `Log.save`."""
    db.execute("DELETE FROM sessions WHERE number > ?", (above,))


def replacing(found: Iterable[Session], above: int = 0) -> Also:
    """The write that puts these ended sessions in place of all with a number above, as a replay of the log found them."""
    writes = [saving(session) for session in found]

    def replace(db: sqlite3.Connection) -> None:
        clear(db, above)
        for write in writes:
            write(db)

    return replace


def holds(log: Reader, known: Iterable[Session]) -> bool:
    """Whether the table has these sessions with their beginning and end. False is a table that was lost or damaged.

    Energies are not compared: where readings were given up, the table knows more than a replay can tell.
    """
    wanted = {session.number: session for session in known}
    numbers = ", ".join("?" * len(wanted))
    rows = log.query(f"SELECT number, data FROM sessions WHERE number IN ({numbers})", *wanted)
    return {n: _frame(restored(data)) for n, data in rows} == {n: _frame(s) for n, s in wanted.items()}


def _frame(session: Session | None) -> tuple[object, ...]:
    if session is None:
        return ()
    return session.loadpoint, session.started_at_ms, session.ended_at_ms, session.outcome


def listed(
    log: Reader,
    loadpoint: str | None = None,
    since_ms: int | None = None,
    lines: int | None = None,
    until_ms: int | None = None,
) -> tuple[list[Session], list[int]]:
    """Ended sessions in the order they began: of one loadpoint, the newest ``lines`` of them; and the numbers of those
    among them that cannot be read.

    ``since_ms`` ≤ end < ``until_ms``: a session belongs to the time in which it ended, so months add up to the year.
    """
    rows = log.query(
        "SELECT number, data FROM sessions WHERE loadpoint = coalesce(?, loadpoint) AND ended_at >= ? AND ended_at < ?"
        " ORDER BY number DESC LIMIT ?",
        loadpoint,
        -(1 << 62) if since_ms is None else since_ms,
        1 << 62 if until_ms is None else until_ms,
        -1 if lines is None else lines,
    )
    found, torn = [], []
    for number, data in reversed(rows):
        session = restored(data)
        if session is None:
            torn.append(number)
        else:
            found.append(session)
    return found, torn


def ended(
    log: Reader,
    loadpoint: str | None = None,
    since_ms: int | None = None,
    lines: int | None = None,
    until_ms: int | None = None,
) -> list[Session]:
    """The sessions of `listed`, for who needs all of them.

    Raises `LogDamaged` if one cannot be read; `replacing` and a replay make the table again.
    """
    found, torn = listed(log, loadpoint, since_ms, lines, until_ms)
    if torn:
        numbers = ", ".join(map(str, torn))
        raise LogDamaged(f"the table of sessions in {log.path} cannot be read: session {numbers} is torn")
    return found


def numbered(log: Reader, number: int) -> Session | None:
    """The ended session of a number; None if there is none, or it cannot be read."""
    return next((restored(data) for (data,) in log.query("SELECT data FROM sessions WHERE number = ?", number)), None)


def restored(data: object) -> Session | None:
    """The session in a row, None if it cannot be read."""
    if not isinstance(data, str):
        return None
    try:
        return _decode(data)
    except msgspec.MsgspecError:
        return None
