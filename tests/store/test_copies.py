"""Copies: a copy is the whole log as of one moment, or it is not there; nothing is written over by accident."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chargerd.store.copies import NotMade, copy_log, whole
from chargerd.store.errors import LogDamaged, LogUnusable
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.store.streams import readings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def log(tmp_path):
    """A log of 40 transactions that is still being written."""
    with Log(tmp_path / "log.db") as log:
        for n in range(40):
            log.append(readings(log.last_seq + 1, 50, at_ms=1000 * n), durable=False)
        yield log


def copied(log: Log, copy: Path, *, force: bool = False, progress=lambda _done, _of: None):
    return copy_log(log.path, copy, force=force, progress=progress)


def test_a_copy_is_the_whole_log_and_can_be_written_on(log, tmp_path):
    """Every event, a whole chain, the journal mode and the marks of a log: it can take the log's place."""
    (tmp_path / "there").mkdir()
    copy = tmp_path / "there" / "copy.db"
    made = copied(log, copy)
    assert (made.events, made.until_ms) == (log.last_seq, 39_000)
    with open_reader(copy) as reader:
        assert list(reader.read()) == list(log.read())
        assert reader.verify_chain() is None
    db = sqlite3.connect(copy)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA page_size").fetchone() == (2048,)
    db.close()
    with Log(copy) as again:
        again.append(readings(again.last_seq + 1, 1, at_ms=50_000), durable=True)
        assert again.verify_chain() is None


def test_a_copy_is_of_one_moment_and_the_writer_goes_on_meanwhile(log, tmp_path):
    """After each megabyte something is appended: none of it is in the copy, all of it is in the log, and it comes to an end."""
    before = log.last_seq
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chargerd.store.copies.PAGES", 10)
        steps: list[int] = []

        def write_on(done: int, of: int) -> None:
            steps.append(done)
            assert done <= of
            assert len(steps) < 1000, "it begins anew whenever something is written"
            log.append(readings(log.last_seq + 1, 5, at_ms=60_000), durable=True)

        made = copied(log, tmp_path / "copy.db", progress=write_on)
    assert len(steps) > 5
    assert steps == sorted(steps)
    assert made.events == before
    assert log.last_seq == before + 6 * len(steps)
    with open_reader(tmp_path / "copy.db") as reader:
        assert reader.last_seq == before
        assert reader.verify_chain() is None
    assert log.verify_chain() is None


def test_a_file_that_is_there_is_not_written_over_unless_it_is_said(log, tmp_path):
    """Without force it stays as it is; with force the copy takes its place."""
    copy = tmp_path / "copy.db"
    copy.write_text("photographs")
    with pytest.raises(NotMade, match="there already") as caught:
        copied(log, copy)
    assert "--force" in caught.value.hint
    assert copy.read_text() == "photographs"
    copied(log, copy, force=True)
    with open_reader(copy) as reader:
        assert reader.last_seq == log.last_seq
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_the_log_itself_and_databases_in_use_are_never_replaced(log, tmp_path):
    """Also not with force, and not by another name of the same file."""
    os.link(log.path, tmp_path / "hard.db")
    for name in (log.path, tmp_path / "hard.db"):
        with pytest.raises(NotMade, match="the log itself"):
            copied(log, name, force=True)
    (tmp_path / "used.db").write_bytes(b"")
    (tmp_path / "used.db-wal").write_bytes(b"frames")
    with pytest.raises(NotMade, match="in use"):
        copied(log, tmp_path / "used.db", force=True)
    with pytest.raises(NotMade, match="is a folder"):
        copied(log, tmp_path, force=True)
    assert log.verify_chain() is None


def test_what_readers_left_beside_an_old_copy_goes_with_it(log, tmp_path):
    """An empty -wal and a -shm of the old copy must not be taken for the new one's."""
    for name in ("copy.db", "copy.db-wal", "copy.db-shm"):
        (tmp_path / name).write_bytes(b"x" if name.endswith("shm") else b"")
    copied(log, tmp_path / "copy.db", force=True)
    assert sorted(path.name for path in tmp_path.glob("copy.db*")) == ["copy.db"]


def test_nothing_is_left_where_there_is_no_room(log, tmp_path):
    """A file may grow to 20 kB only: it is said, and neither half a copy nor a temporary file is there."""
    (tmp_path / "small").mkdir()
    program = (
        "import sys; from pathlib import Path; from chargerd.store.copies import NotMade, copy_log\n"
        "try: copy_log(Path(sys.argv[1]), Path(sys.argv[2]), force=False, progress=lambda *_: None)\n"
        "except NotMade as error: print(error, '|', error.hint)\n"
    )
    command = [sys.executable, "-c", program, str(log.path), str(tmp_path / "small" / "copy.db")]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert "was not made" in ran.stdout
    assert "df -h" in ran.stdout
    assert list((tmp_path / "small").iterdir()) == []
    with pytest.raises(NotMade, match="no such file"):
        copied(log, tmp_path / "nowhere" / "copy.db")


def test_a_block_that_ends_badly_leaves_nothing(tmp_path):
    """An error or Ctrl-C in the middle: the old file is as it was, the new one is gone."""
    (tmp_path / "file").write_text("old")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            _write_half(tmp_path / "file", error)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]
    with whole(tmp_path / "new") as part:
        part.write_text("all")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new").read_text() == "all"
    assert (tmp_path / "new").stat().st_mode & 0o007 == 0


def _write_half(path: Path, error: type[BaseException]) -> None:
    with whole(path, force=True) as part:
        part.write_text("half")
        raise error


def test_what_is_no_log_is_not_copied(tmp_path):
    """Nothing, and something else."""
    with pytest.raises(LogUnusable):
        copy_log(tmp_path / "log.db", tmp_path / "copy.db", force=False, progress=lambda *_: None)
    (tmp_path / "log.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(LogDamaged):
        copy_log(tmp_path / "log.db", tmp_path / "copy.db", force=False, progress=lambda *_: None)
    assert not (tmp_path / "copy.db").exists()


def test_only_a_plain_file_is_ever_replaced(log, tmp_path):
    """With force too: a pipe, a device, a folder and a link stay what they are, and what the link leads to."""
    pipe, link, other = tmp_path / "pipe", tmp_path / "link.db", tmp_path / "other.db"
    os.mkfifo(pipe)
    other.write_text("mine")
    link.symlink_to(other)
    (tmp_path / "folder").mkdir()
    dangling = tmp_path / "dangling.db"
    dangling.symlink_to(tmp_path / "nowhere.db")
    before = sorted(tmp_path.iterdir())
    for target, text in (
        (pipe, "no file"),
        (Path(os.devnull), "no file"),
        (tmp_path / "folder", "a folder"),
        (link, f"a link to {other}"),
        (dangling, "a link to"),
    ):
        with pytest.raises(NotMade, match=text):
            copied(log, target, force=True)
    assert sorted(tmp_path.iterdir()) == before
    assert other.read_text() == "mine"
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_a_damaged_log_is_copied_and_its_damage_is_told(log, tmp_path):
    """A copy may be all that is left; what is wrong in it is said at once."""
    db = sqlite3.connect(log.path)
    db.executescript("DROP TRIGGER events_keep; UPDATE events SET source = 'x' WHERE seq = 60;")
    db.close()
    made = copied(log, tmp_path / "copy.db")
    assert made.events == log.last_seq
    assert made.damage is not None
    assert made.damage.first_seq <= 60
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == ["copy.db"]
