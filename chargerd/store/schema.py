"""Schema: the tables, the pragmas, and how a log file is made, opened and recognised."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from chargerd.store import chunks
from chargerd.store.errors import LogDamaged, LogTooNew, LogUnusable, refusal

APPLICATION_ID = 0x63687264
"""Bytes 68 to 71 of the file, "chrd": so that `file` and we can tell a log from any other SQLite database."""
VERSION = 2
"""2: readings of long ago may lie in chunks. A version 1 log is made a version 2 log when it is first opened for writing."""
PAGE_BYTES = 2048
"""A commit dirties few pages, so small ones spare the flash: 2,048 writes a fifth less than 4,096 and scans as fast."""

AT_REST = "ro&immutable=1"
"""SQLite's mode for a file that nobody writes: it makes no files beside it and takes no locks."""

SEALED = ", ".join(f"'{kind}'" for kind in chunks.KINDS)

TABLES = f"""
CREATE TABLE IF NOT EXISTS events(
    seq INTEGER PRIMARY KEY, at INTEGER, mono INTEGER, boot INTEGER, source TEXT, type TEXT, v INTEGER, data TEXT);
CREATE TABLE IF NOT EXISTS chunks(
    first_seq INTEGER PRIMARY KEY, last_seq INTEGER, first_at INTEGER, last_at INTEGER, packed INTEGER,
    closing TEXT, residue BLOB, data BLOB);
CREATE TABLE IF NOT EXISTS snapshots(seq INTEGER PRIMARY KEY, at INTEGER, engine TEXT, state BLOB);
CREATE TABLE IF NOT EXISTS sessions(
    number INTEGER PRIMARY KEY, loadpoint TEXT, started_at INTEGER, ended_at INTEGER, data TEXT);
CREATE TRIGGER IF NOT EXISTS events_keep BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the log is append-only: events are never changed'); END;
DROP TRIGGER IF EXISTS events_stay;
CREATE TRIGGER events_stay BEFORE DELETE ON events WHEN OLD.type NOT IN ({SEALED}) OR OLD.seq >
    coalesce((SELECT last_seq FROM chunks WHERE first_seq <= OLD.seq AND data IS NOT NULL ORDER BY first_seq DESC LIMIT 1), 0)
    BEGIN SELECT RAISE(ABORT, 'the log is append-only: events are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS chunks_keep BEFORE UPDATE ON chunks WHEN OLD.data IS NULL OR NEW.data IS NOT NULL
    OR NEW.residue IS NULL OR (NEW.first_seq, NEW.last_seq, NEW.first_at, NEW.last_at, NEW.packed, NEW.closing)
    IS NOT (OLD.first_seq, OLD.last_seq, OLD.first_at, OLD.last_at, OLD.packed, OLD.closing)
    BEGIN SELECT RAISE(ABORT, 'the log is append-only: chunks are never changed'); END;
CREATE TRIGGER IF NOT EXISTS chunks_stay BEFORE DELETE ON chunks
    BEGIN SELECT RAISE(ABORT, 'the log is append-only: chunks are never deleted'); END;
"""
"""No secondary index on events: it would multiply the bytes written by seven. Snapshots and sessions are derived.

A row may go only when a chunk has it; a chunk may only lose its content, and then leaves a digest of the rows that stay.
"""


def connect(path: Path, *, mode: str = "rw", timeout_s: float = 1.0) -> sqlite3.Connection:
    """A connection with the pragmas that hold per connection. ``mode`` is SQLite's: "rw", "ro" or "rwc"."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    db.execute("PRAGMA recursive_triggers=ON")  # else INSERT OR REPLACE deletes without asking the trigger
    return db


def create(path: Path) -> None:
    """Make an empty log. It appears under its name only when complete, so an empty file of that name is always damage."""
    _none_was_lost(path)
    new = _beside(path, ".new")
    for suffix in ("", "-wal", "-shm", "-journal"):
        _beside(new, suffix).unlink(missing_ok=True)
    db = connect(new, mode="rwc")
    try:
        db.execute(f"PRAGMA page_size={PAGE_BYTES}")
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.executescript(f"BEGIN; {TABLES} PRAGMA user_version={VERSION}; COMMIT;")
        db.execute("PRAGMA journal_mode=WAL")  # last, so that nothing waits in a write-ahead file when the name changes
    finally:
        db.close()
    if _beside(new, "-wal").exists():
        raise LogUnusable(f"{path} cannot be made: something is left in {_beside(new, '-wal')}")
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_writer(path: Path, *, make: bool = True) -> sqlite3.Connection:
    """The log at ``path`` for writing; ``make`` one if there is none.

    Raises `LogDamaged`, `LogTooNew` or `LogUnusable`.
    """
    try:
        if make and not path.exists():
            create(path)
        db = _opened(path, "rw", timeout_s=1.0)
    except OSError as error:
        raise LogUnusable(f"{path} cannot be written: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise refusal(path, error) from error
    try:
        db.execute("BEGIN IMMEDIATE")
        if _objects(db) != _WANTED or db.execute("PRAGMA user_version").fetchone() != (VERSION,):
            for statement in _statements(TABLES):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={VERSION}")
        db.execute("DELETE FROM snapshots WHERE 0")  # refused where SQLite has quietly opened the file for reading only
        db.execute("COMMIT")
        db.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.Error as error:
        db.close()
        raise refusal(path, error) from error
    return db


def open_readonly(path: Path) -> sqlite3.Connection:
    """The log at ``path`` for reading beside the writer. Raises `LogDamaged`, `LogTooNew` or `LogUnusable`."""
    try:
        try:
            return _opened(path, reading_mode(path), timeout_s=5.0)
        except LogUnusable:
            if _has_unwritten(path):
                raise
            return _opened(
                path, AT_REST, timeout_s=5.0
            )  # no room for the files by which it is shared: nobody can write
    except OSError as error:
        raise LogUnusable(f"{path} cannot be read: {error.strerror or error}") from error


def open_waiting(path: Path) -> sqlite3.Connection:
    """The log at ``path`` for its one writer, who cannot write to it now: to be read, or an empty one in memory.

    Raises `LogDamaged`, `LogTooNew`, or `LogUnusable` if there is one that cannot even be read.
    """
    try:
        if not path.exists():
            _none_was_lost(path)
            db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            db.executescript(TABLES)
            return db
        if not os.access(path, os.R_OK, effective_ids=True):
            raise LogUnusable(f"{path} cannot be read: permission denied")
        with suppress(LogUnusable):
            return open_readonly(path)
        # What was written last waits beside it, and there is no room for the index to that: it is kept in memory instead,
        # which SQLite does for whoever has the file alone.
        return _opened(path, "rw", timeout_s=1.0, alone=True)
    except OSError as error:
        raise LogUnusable(f"{path} cannot be read: {error.strerror or error}") from error


def _none_was_lost(path: Path) -> None:
    if (left_over := _beside(path, "-wal")).exists():
        raise LogDamaged(f"{path} is gone, but {left_over} is left of it: the log was moved or deleted")


def _opened(path: Path, mode: str, timeout_s: float, *, alone: bool = False) -> sqlite3.Connection:
    """A connection to an existing log that is seen to be one."""
    if path.stat().st_size == 0:
        raise LogDamaged(f"{path} is empty: a log is never empty, its content was lost")
    try:
        db = connect(path, mode=mode, timeout_s=timeout_s)
    except sqlite3.Error as error:
        raise refusal(path, error) from error
    except UnicodeDecodeError as error:
        raise _torn_schema(path) from error
    try:
        if alone:
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
        recognise(db, path)
    except BaseException:
        db.close()
        raise
    return db


def recognise(db: sqlite3.Connection, path: Path) -> None:
    """See that this is a log that we can read. Raises `LogDamaged` or `LogTooNew`; nothing is written."""
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute("SELECT seq, at, mono, boot, source, type, v, data FROM events LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise refusal(path, error) from error
    except UnicodeDecodeError as error:
        raise _torn_schema(path) from error
    if application != APPLICATION_ID:
        raise LogDamaged(f"{path} is a database, but not a log of chargerd")
    if version > VERSION:
        raise LogTooNew(
            f"{path} was written by a newer chargerd (log version {version}, this one knows {VERSION}); it is untouched"
        )


def reading_mode(path: Path) -> str:
    """The mode in which to read a file beside its writer, or, where nobody can be writing, as one that does not change."""
    return AT_REST if _is_at_rest(path) else "ro"


def _is_at_rest(path: Path) -> bool:
    """Whether nobody can be writing: on a medium that is read-only, or as a copy that lies alone.

    SQLite makes files beside a database in order to share it, which a read-only medium refuses and a copy need not have. A
    writer always has its lock file there, and its write-ahead file as long as it has the log open.
    """
    if any(_beside(path, suffix).exists() for suffix in ("-wal", "-shm")):
        return False
    return not _beside(path, ".lock").exists() or not os.access(path.parent, os.W_OK, effective_ids=True)


def _has_unwritten(path: Path) -> bool:
    """Whether there are transactions beside the file that are not in it yet."""
    beside = _beside(path, "-wal")
    return beside.exists() and beside.stat().st_size > 0


def _torn_schema(path: Path) -> LogDamaged:
    """SQLite quotes the schema in what it says, and Python cannot make a text of that."""
    return LogDamaged(f"{path} is damaged: its schema is no text")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _statements(script: str) -> list[str]:
    """The statements of a script, triggers whole."""
    found, rest = [], ""
    for line in script.strip().splitlines():
        rest += line + "\n"
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def _objects(db: sqlite3.Connection) -> set[tuple[str, str]]:
    """Tables and triggers, as they were declared."""
    return set(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def _wanted() -> set[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(TABLES)
        return _objects(db)


_WANTED = _wanted()
"""What is there in a log that needs nothing put right, so that opening it writes nothing: the disk may be full."""
