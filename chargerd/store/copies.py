"""Copies: a whole copy of a log while it is being written, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct, structs

from chargerd.store import schema
from chargerd.store.chain import Damage
from chargerd.store.errors import LogError, LogTooNew, refusal
from chargerd.store.reader import Reader

PAGES = 500  # a megabyte at once


class NotMade(LogError):
    """A file was not made, and nothing of it is left. ``hint`` is what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class Copied(Struct, frozen=True):
    """What a copy holds: its number of events, and the UTC time of the newest in ms (None: it has none).

    ``damage`` is the first place where the log, and so the copy, is not what was written; None: there is none.
    """

    events: int
    until_ms: int | None
    damage: Damage | None = None


def copy_log(log: Path, copy: Path, *, force: bool, progress: Callable[[int, int], None]) -> Copied:
    """Copy a log as it is at one moment; the writer goes on meanwhile. ``progress`` gets pages copied and pages in all.

    Raises `NotMade`, or as `store.schema.open_readonly`.
    """
    with closing(schema.open_readonly(log)) as source:
        if os.path.exists(copy) and copy.samefile(log):
            raise NotMade(f"{copy} is the log itself", "Name another file.")
        beside = [copy.with_name(copy.name + suffix) for suffix in ("-wal", "-shm")]
        if os.path.exists(beside[0]) and beside[0].stat().st_size:
            raise NotMade(f"{copy} is in use: {beside[0]} holds what is not yet in it", "Name another file.")
        with whole(copy, force=force) as part:
            try:
                copied = _copied(source, part, progress)
                copied = structs.replace(copied, damage=_damage(part))
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                    raise NotMade(f"{copy} was not made: {error}", f"Is there room? df -h {copy.parent}") from error
                raise refusal(log, error) from error
            for left in beside:  # readers leave them empty; they belong to the file that goes
                left.unlink(missing_ok=True)
        return copied


def _damage(copy: Path) -> Damage | None:
    """The first damage of a copy. What a newer chargerd wrote is none."""
    try:
        with Reader(copy, schema.open_readonly(copy)) as reader:
            return reader.verify_chain()
    except LogTooNew:
        return None


def _copied(source: sqlite3.Connection, part: Path, progress: Callable[[int, int], None]) -> Copied:
    """Page by page within one read transaction: what is written meanwhile is not in it, and makes it begin anew never."""
    source.execute("BEGIN")
    count, until_ms = source.execute("SELECT coalesce(max(seq) - min(seq) + 1, 0), max(at) FROM events").fetchone()
    with closing(sqlite3.connect(part, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode=OFF")  # a copy that fails is thrown away, whole
        target.execute("PRAGMA synchronous=OFF")
        source.backup(target, pages=PAGES, progress=lambda _status, left, of: progress(of - left, of))
    return Copied(count, until_ms if isinstance(until_ms, int) else None)


@contextmanager
def whole(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A file to write, under another name. It takes its own name when the block ends well; else nothing of it is left.

    Raises `NotMade` where the file is there already (unless ``force``) or cannot be made, also for an OSError within.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _refuse_to_overwrite(path, force=force)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
        try:
            yield part
            _sync(part)
            _refuse_to_overwrite(path, force=force)
            os.replace(part, path)
            _sync(path.parent)
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                part.with_name(part.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        where = path.parent
        hint = (
            f"Is there room? df -h {where}"
            if error.errno != errno.ENOENT
            else f"Is there such a folder? ls -ld {where}"
        )
        raise NotMade(f"{path} was not made: {(error.strerror or str(error)).lower()}", hint) from error


def _refuse_to_overwrite(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise NotMade(f"{path} is a folder", f"Name a file: {path / 'copy.db'}")
    if path.is_symlink():
        target = os.path.realpath(path)
        raise NotMade(f"{path} is a link to {target}", f"Name the file itself: {target}")
    if path.exists() and not path.is_file():
        raise NotMade(f"{path} is no file but a device, a socket or a pipe", "Name a file.")
    if path.exists() and not force:
        raise NotMade(f"{path} is there already", "Name another file, or replace it: --force")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
