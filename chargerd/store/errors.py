"""Errors: the ways in which a log can refuse. Each text says what is wrong and with which file."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class LogError(Exception):
    """Base of all of them."""


class LogBusy(LogError):
    """Another process writes to this log; two writers would tear the chain."""


class LogTooNew(LogError):
    """The log was written by a newer version; it is left untouched. ``seq`` is the event that is not known, if it is one."""

    def __init__(self, text: str, seq: int | None = None) -> None:
        super().__init__(text)
        self.seq = seq


class LogUnusable(LogError):
    """The log cannot be opened, read or written just now: no permission, no such folder, read-only, no space, locked."""


class LogDamaged(LogError):
    """The file is not what was written. ``first_bad_seq`` is the first event that cannot be trusted, None if not known."""

    def __init__(self, text: str, first_bad_seq: int | None = None) -> None:
        super().__init__(text)
        self.first_bad_seq = first_bad_seq


class NotRecorded(LogError):
    """A transaction could not be written and has left no trace; the same events can be appended again later."""


_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,  # a table or column is missing
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_TOOBIG,  # a length that nobody has written
)


_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)  # the second: for the file by which a log is shared


def refusal(path: Path, error: sqlite3.Error, first_bad_seq: int | None = None) -> LogError:
    """What an error of SQLite says about the file: damaged for good, or not usable just now."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    if is_no_text(error) or code in _DAMAGE or code & 0xFF in _DAMAGE[:2]:
        start = "" if first_bad_seq is None else f" from event {first_bad_seq} on"
        return LogDamaged(f"{path} is damaged{start}: {error}", first_bad_seq)
    text = "no room on its disk" if code in _NO_ROOM else str(error)
    return LogUnusable(f"{path} cannot be used: {text}")


def is_no_text(error: sqlite3.Error) -> bool:
    """Whether a text in the file is none. Python finds that, not SQLite, and gives it no code."""
    return isinstance(error, sqlite3.OperationalError) and not hasattr(error, "sqlite_errorcode")
