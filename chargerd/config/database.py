"""Database: the settings that chargemanager keeps in its SQLite file, read without touching it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from chargerd.config.problems import ConfigError, Problem

MARK = b"SQLite format 3\0"
"""With this every SQLite file begins: https://www.sqlite.org/fileformat.html, part 1.3."""
_JOURNAL_AT, _WAL = 18, 2  # the byte that says how the file is written, and its value for a write-ahead log
WAIT_S = 7.0  # its owner holds the file for moments only
NAMED = "Name chargemanager's own file, chargemanager_db.sqlite3 in the folder that its container has as /data."
EVERY = frozenset({"seip", "seport", "pvpeakpower", "batterystartsoc", "chargingphases", "measurementsurl", "plugip"})
"""Columns that its table of settings has always had."""

Cell = str | int | float | bytes | None


class Kept(Struct, frozen=True):
    """The one row of settings by column, and the strategy that was chosen last, None if it is not known."""

    settings: dict[str, Cell]
    strategy: int | None


def is_database(data: bytes) -> bool:
    """Whether a file that begins so is an SQLite database."""
    return data.startswith(MARK)


def kept(path: Path) -> Kept:
    """What is in it. Raises `ConfigError` for a file that is damaged, in use all the time, or of another program, and OSError."""
    try:
        with closing(_opened(path)) as connection:
            return Kept(_settings(path, connection), _strategy(connection))
    except sqlite3.OperationalError as error:
        hint = "Stop chargemanager and import again, or import a copy of the file."
        raise _refused(path, f"cannot be read now: {error}", hint) from error
    except sqlite3.DatabaseError as error:
        hint = "Take an older copy; chargemanager writes it in a way that a power cut can destroy."
        raise _refused(path, f"is damaged: {error}", hint) from error


def _opened(path: Path) -> sqlite3.Connection:
    """Open it so that nothing is written beside it either: a reader of a write-ahead log makes files."""
    with path.open("rb") as file:
        head = file.read(_JOURNAL_AT + 1)
    ahead = path.with_name(f"{path.name}-wal")
    is_ahead = len(head) > _JOURNAL_AT and head[_JOURNAL_AT] == _WAL
    if is_ahead and ahead.exists() and ahead.stat().st_size:
        raise _refused(
            path, f"is open: {ahead.name} beside it holds newer values", "Stop the program that has it open."
        )
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if is_ahead else ''}"
    return sqlite3.connect(uri, uri=True, timeout=WAIT_S)


def _settings(path: Path, connection: sqlite3.Connection) -> dict[str, Cell]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "settings" not in tables:
        raise _refused(path, "is the database of another program: it has no table settings", NAMED)
    found = connection.execute("SELECT * FROM settings LIMIT 2")
    columns = [column[0] for column in found.description]
    missing = sorted(EVERY - set(columns))
    if missing:
        text = f"is the database of another program: its settings have no column {missing[0]}"
        raise _refused(path, text, NAMED)
    rows = found.fetchall()
    if len(rows) != 1:
        count = "no row" if not rows else "several rows"
        raise _refused(
            path, f"has {count} of settings in place of one", "Start chargemanager once, and look at its settings page."
        )
    return dict(zip(columns, rows[0], strict=True))


def _strategy(connection: sqlite3.Connection) -> int | None:
    """The column ``chargemode`` of its table of controls."""
    try:
        row = connection.execute("SELECT chargemode FROM controls").fetchone()
    except sqlite3.OperationalError:
        return None  # a file of which only the settings were kept
    return row[0] if row is not None and isinstance(row[0], int) else None


def _refused(path: Path, text: str, hint: str) -> ConfigError:
    return ConfigError([Problem(str(path), 0, "", text, hint)])
