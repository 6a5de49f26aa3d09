"""Waiting: a log that can be read and not written when it is opened is an open log all the same, and records as soon as it can."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from chargerd.store.errors import LogDamaged, LogUnusable, NotRecorded
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.disks import full, read_only, until_told
from tests.store.streams import readings

LEFT = """
import os, sys
from pathlib import Path
from chargerd.store.log import Log
from tests.store.streams import readings
log = Log(Path(sys.argv[1]))
log.append(readings(1, 2), durable=True)
os._exit(0)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a folder that may be entered by anybody, as far as that can be had."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "log.db"


def _written(path: Path, *, killed: bool = False) -> None:
    """A log of three events, ended in order or at once."""
    if killed:
        subprocess.run([sys.executable, "-c", LEFT, str(path)], check=True, cwd=Path(__file__).parents[2])
        assert path.with_name("log.db-wal").stat().st_size > 0
        return
    with Log(path) as log:
        log.append(readings(1, 2), durable=True)


def _refusing(how: str, path: Path) -> AbstractContextManager[None]:
    return full() if how == "full" else read_only(path.parent)


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ("full", "in order"),
        ("full", "killed without its index"),
        ("full", "nothing"),
        ("read-only", "in order"),
        ("read-only", "killed"),
        ("read-only", "nothing"),
    ],
)
def test_a_log_that_cannot_be_written_is_read_and_refuses_until_it_can(path: Path, how: str, left: str):
    """Whatever the last life left: what was recorded is known, nothing is recorded over it, and later all that waited is."""
    if left != "nothing":
        _written(path, killed=left != "in order")
    if left == "killed without its index":
        path.with_name("log.db-shm").unlink()
    known = 0 if left == "nothing" else 3
    with until_told(_refusing(how, path)) as relent, Log(path, wait=True) as log:
        assert log.last_seq == known
        assert len(list(log.read())) == known
        batch = readings(known + 1, 2)
        for _ in range(2):
            with pytest.raises(NotRecorded):
                log.append(batch, durable=True)
        relent()
        log.append(batch, durable=True)
        assert log.last_seq == known + 3
    with open_reader(path) as reader:
        assert [event.seq for event in reader.read()] == [*range(1, known + 4)]
        assert reader.verify_chain() is None


def test_without_being_asked_to_wait_it_is_refused_as_ever(path: Path):
    """Who repairs a log has no use for one that cannot be written."""
    _written(path)
    with full(), pytest.raises(LogUnusable):
        Log(path)
    Log(path).close()


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_others_can_read_it_meanwhile(path: Path, how: str):
    """``why`` and ``log`` of the past need no room."""
    _written(path)
    with _refusing(how, path), Log(path, wait=True), open_reader(path) as reader:
        assert reader.last_seq == 3


def test_one_that_cannot_even_be_read_is_refused(path: Path):
    """Its state is not known, so nobody may go on as if there were none."""
    _written(path)
    with read_only(path.parent):
        me = os.geteuid()
        os.seteuid(path.stat().st_uid)
        path.chmod(0)
        os.seteuid(me)
        with pytest.raises(LogUnusable):
            Log(path, wait=True)
    assert not path.with_name("log.db-wal").exists()


def test_damage_is_told_although_nothing_can_be_written(path: Path):
    """A full disk does not make a damaged log sound, and a lost one is not taken for a first start."""
    _written(path, killed=True)
    path.rename(path.with_name("elsewhere.db"))
    with read_only(path.parent), pytest.raises(LogDamaged, match="is gone"):
        Log(path, wait=True)
    path.write_bytes(b"garbage" * 1000)
    with read_only(path.parent), pytest.raises(LogDamaged):
        Log(path, wait=True)


def test_a_log_that_turns_up_later_is_not_written_over(path: Path):
    """Its disk was mounted late: what came meanwhile is not put behind what it holds, and a person is told what to do."""
    with until_told(read_only(path.parent)) as relent, Log(path, wait=True) as waiting:
        relent()
        _written(path)
        with pytest.raises(NotRecorded, match="systemctl restart chargerd"):
            waiting.append(readings(1, 2), durable=True)
    with open_reader(path) as reader:
        assert reader.last_seq == 3


def test_one_that_somebody_else_writes_is_not_waited_for(path: Path):
    """Two daemons with one log is a mistake, not a full disk; the second writer finds out also when it comes to write."""
    _written(path)
    with until_told(read_only(path.parent)) as relent, Log(path, wait=True) as waiting:
        relent()
        with Log(path), pytest.raises(NotRecorded, match="another chargerd"):
            waiting.append(readings(4, 2), durable=True)
        waiting.append(readings(4, 2), durable=True)
