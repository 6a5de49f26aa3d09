"""Errors: damage is told from a file that is only not usable just now."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chargerd.store.errors import LogDamaged, LogError, LogUnusable, refusal


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_CORRUPT, LogDamaged),
        (sqlite3.SQLITE_CORRUPT_INDEX, LogDamaged),
        (sqlite3.SQLITE_NOTADB, LogDamaged),
        (sqlite3.SQLITE_IOERR_READ, LogDamaged),
        (sqlite3.SQLITE_IOERR_WRITE, LogUnusable),
        (sqlite3.SQLITE_BUSY, LogUnusable),
        (sqlite3.SQLITE_FULL, LogUnusable),
        (sqlite3.SQLITE_READONLY_DIRECTORY, LogUnusable),
    ],
)
def test_only_what_will_not_pass_is_called_damage(code: int, kind: type[LogError]):
    """A full disk is no damaged log, and a malformed page is not a matter of trying again."""
    error = sqlite3.DatabaseError("as sqlite says it")
    error.sqlite_errorcode = code
    found = refusal(Path("/var/lib/chargerd/log.db"), error, 7)
    assert type(found) is kind
    assert "/var/lib/chargerd/log.db" in str(found)
    assert getattr(found, "first_bad_seq", 7) == 7


def test_a_full_disk_is_called_so_also_where_it_shows_in_a_file_of_sqlites_own():
    """The words "disk I/O error" would send a person looking for a broken card."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert str(refusal(Path("log.db"), error)) == "log.db cannot be used: no room on its disk"
