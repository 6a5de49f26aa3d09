"""Schema: a file that is not our log, or no longer whole, is never opened as one and never replaced by an empty one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chargerd.store.errors import LogDamaged, LogTooNew
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.store.streams import readings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of 400 events."""
    path = tmp_path / "log.db"
    with Log(path) as log:
        for n in range(100):
            log.append(readings(4 * n + 1, 3), durable=False)
    return path


def _refused(path: Path, kind: type[Exception], match: str) -> None:
    """Neither writer nor reader opens the file, and it stays byte for byte as it is."""
    before = path.read_bytes()
    with pytest.raises(kind, match=match):
        Log(path)
    with pytest.raises(kind, match=match):
        open_reader(path)
    assert path.read_bytes() == before


def test_a_log_of_a_newer_version_is_left_untouched(path: Path):
    """After a downgrade the old daemon says what is up instead of writing into what it does not understand."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=3")
    db.close()
    _refused(path, LogTooNew, "newer chargerd")


def test_an_overwritten_header_is_damage(path: Path):
    """The first 100 bytes gone: not a database any more."""
    with path.open("r+b") as file:
        file.write(b"\0" * 100)
    _refused(path, LogDamaged, "damaged")


@pytest.mark.parametrize("keep", [1, 100, 2048, 3000, 10240])
def test_a_truncated_file_is_damage(path: Path, keep: int):
    """A file cut off anywhere is refused with its name."""
    with path.open("r+b") as file:
        file.truncate(keep)
    _refused(path, LogDamaged, "log.db is")


def test_an_emptied_file_is_damage_not_a_new_log(path: Path):
    """SQLite would take an empty file for a new database; we do not, for then a year of history had gone without a word."""
    path.write_bytes(b"")
    _refused(path, LogDamaged, "is empty")


def test_a_log_that_is_gone_but_left_its_write_ahead_file_is_damage(path: Path):
    """Somebody moved log.db away and forgot log.db-wal: starting anew would lose what is in it."""
    path.rename(path.with_name("moved.db"))
    path.with_name("log.db-wal").write_bytes(b"x")
    with pytest.raises(LogDamaged, match="moved or deleted"):
        Log(path)
    assert not path.exists()


def test_another_database_is_not_a_log(tmp_path: Path):
    """A file of another program is recognised by its mark or its tables."""
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE events(seq, at, mono, boot, source, type, v, data)")
    db.close()
    _refused(path, LogDamaged, "not a log of chargerd")
    db = sqlite3.connect(tmp_path / "third.db")
    db.execute("CREATE TABLE things(a)")
    db.close()
    _refused(tmp_path / "third.db", LogDamaged, "no such table")


def test_a_text_file_is_not_a_log(tmp_path: Path):
    """The configuration given as the log by mistake is not overwritten."""
    path = tmp_path / "chargerd.toml"
    path.write_text("[site]\nname = 'Home'\n" * 100)
    _refused(path, LogDamaged, "not a database")


def test_a_change_in_the_last_transaction_is_found_at_opening(path: Path):
    """The tail is checked at every start; the text names the first event that cannot be trusted."""
    db = sqlite3.connect(path)
    db.executescript("DROP TRIGGER events_keep; UPDATE events SET data = '{}' WHERE seq = 398;")
    db.close()
    with pytest.raises(LogDamaged, match="from event 397 on") as caught:
        Log(path)
    assert caught.value.first_bad_seq == 397


def test_a_log_with_an_open_end_is_damage(path: Path):
    """Rows behind the last Tick were not written by us."""
    db = sqlite3.connect(path)
    db.execute("INSERT INTO events VALUES (401, 0, 0, 0, 'me', 'DeviceRemoved', 1, '{}')")
    db.commit()
    db.close()
    with pytest.raises(LogDamaged, match="open transaction at event 401"):
        Log(path)


def test_a_missing_guard_is_put_back(path: Path):
    """The triggers that keep the log append-only are there again after the next start."""
    db = sqlite3.connect(path)
    db.executescript("DROP TRIGGER events_keep; DROP TRIGGER events_stay;")
    Log(path).close()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("DELETE FROM events")
    db.close()


def test_what_an_interrupted_creation_left_does_not_matter(tmp_path: Path):
    """A log gets its name only when it is complete; the unfinished one is thrown away."""
    (tmp_path / "log.db.new").write_bytes(b"half")
    (tmp_path / "log.db.new-wal").write_bytes(b"half")
    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log.db", "log.db.lock"]


def test_reading_a_copy_that_lies_alone_leaves_nothing_beside_it(path: Path, tmp_path: Path):
    """Neither while it is read nor after: it may lie on a medium that takes no file. A log with a writer is shared with it."""
    copy = tmp_path / "there" / "copy.db"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    with open_reader(copy) as reader:
        assert len(list(reader.read())) == 400
        assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
    with open_reader(path) as reader, Log(path) as log:
        log.append(readings(401, 3), durable=True)
        assert len(list(reader.read())) == 404
