"""Log: what is recorded stays recorded, in order, and nothing else is in the file."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chargerd.model.events import ChargerRead, Event, ReadingsDropped, Tick
from chargerd.store.errors import LogBusy, LogUnusable, NotRecorded
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.store.streams import readings, samples, transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def test_events_come_back_as_they_were_recorded(path: Path):
    """A transaction with one fact of every type is read back equal, after closing and opening too.

    All but one: that readings were given up is true only where a chunk has been emptied (see test_sealing.py).
    """
    events = transaction(1, *(fact for fact in samples() if not isinstance(fact, ReadingsDropped)))
    with Log(path) as log:
        tick = log.append(events, durable=True)
        assert list(log.read()) == [*events[:-1], tick]
    with Log(path) as log:
        assert list(log.read()) == [*events[:-1], tick]
        assert log.last_seq == len(events)


def test_the_tick_that_is_returned_carries_the_digest(path: Path):
    """The caller folds the stored Tick, not the open one, so live state and replayed state agree."""
    with Log(path) as log:
        tick = log.append(readings(1, 2), durable=False)
        assert isinstance(tick.body, Tick)
        assert tick.seq == 3
        assert tick.body.digest == log.last_digest
        assert len(log.last_digest) == 32


def test_the_same_events_give_the_same_digests(tmp_path: Path):
    """Two logs of the same history end in the same digest; one other reading early on gives another end."""
    ends = []
    for name, power_w in (("a", 90.0), ("b", 90.0), ("c", 90.1)):
        with Log(tmp_path / name) as log:
            log.append(transaction(1, ChargerRead(power_w=power_w)), durable=False)
            log.append(readings(3, 3), durable=True)
            ends.append(log.last_digest)
    assert ends[0] == ends[1] != ends[2]


def test_a_gap_or_a_repeat_in_the_numbers_is_refused(path: Path):
    """Events continue where the log ends; anything else is a mistake, and leaves no trace."""
    with Log(path) as log:
        log.append(readings(1, 2), durable=False)
        for wrong in (readings(3, 1), readings(5, 1), [readings(4, 2)[0], *readings(6, 1)]):
            with pytest.raises(ValueError, match="numbered from 4"):
                log.append(wrong, durable=False)
        log.append(readings(4, 1), durable=False)
        assert [event.seq for event in log.read()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{}' WHERE seq = 1",
        "UPDATE events SET seq = 99 WHERE seq = 1",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT seq, at, mono, boot, source, type, v, '{}' FROM events WHERE seq = 1",
        "REPLACE INTO events SELECT * FROM events WHERE seq = 2",
    ],
)
def test_the_log_is_append_only_for_everybody(path: Path, statement: str):
    """Even a bare SQLite connection cannot change, replace or delete an event."""
    with Log(path) as log:
        log.append(readings(1, 2), durable=True)
    db = sqlite3.connect(path)
    db.execute("PRAGMA recursive_triggers=ON")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)
    db.close()


def test_our_own_connections_cannot_replace_an_event(path: Path):
    """INSERT OR REPLACE fires the delete trigger on the log's own connection, without anybody setting a pragma."""

    def forge(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO events SELECT seq, 0, 0, 0, 'me', type, v, data FROM events WHERE seq = 1")

    with Log(path) as log:
        log.append(readings(1, 1), durable=True)
        with pytest.raises(NotRecorded, match="append-only"):
            log.append(readings(3, 1), durable=True, also=[forge])
        assert log.last_seq == 2


def test_a_second_writer_is_refused_and_a_later_one_let_in(path: Path):
    """Two daemons on one log would tear the chain; when the first ends, however it ends, the next may write."""
    with Log(path) as log:
        with pytest.raises(LogBusy, match="another chargerd"):
            Log(path)
        log.append(readings(1, 1), durable=True)
    with Log(path) as log:
        assert log.last_seq == 2


def test_a_folder_that_cannot_be_written_is_named():
    """No log without a place for it: the text has the path and the cause."""
    with pytest.raises(LogUnusable, match=r"/proc/chargerd/log\.db"):
        Log(Path("/proc/chargerd/log.db"))


def test_a_path_that_is_a_folder_is_no_log(tmp_path: Path):
    """Opening a folder as a log is refused with its name."""
    with pytest.raises(LogUnusable, match=str(tmp_path)):
        Log(tmp_path)


def _limit(pages: int) -> list[object]:
    return [lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchone()]


def test_a_full_disk_stops_recording_and_leaves_no_half_transaction(path: Path):
    """When the file may not grow, the append says so, the log stays as it was, and the same events go in once there is room."""
    with Log(path) as log:
        log.append(readings(1, 1), durable=True, also=_limit(20))
        with pytest.raises(NotRecorded, match="full"):
            _fill(log)
        recorded = log.last_seq
        digest = log.last_digest
        waiting = readings(recorded + 1, 50)
        with pytest.raises(NotRecorded):
            log.append(waiting, durable=False)
        assert (log.last_seq, log.last_digest) == (recorded, digest)
        _make_room(log)
        log.append(waiting, durable=True)
        assert log.last_seq == recorded + 51
        assert log.verify_chain() is None
    with open_reader(path) as reader:
        assert reader.last_seq == recorded + 51


def _fill(log: Log) -> None:
    for _ in range(1000):
        log.append(readings(log.last_seq + 1, 50), durable=True)


def _make_room(log: Log) -> None:
    log.query("PRAGMA max_page_count=100000")


@contextmanager
def _no_file_may_grow_beyond(size: int) -> Iterator[None]:
    """A disk that refuses writes, without root: the kernel's own file size limit (SIGXFSZ is ignored by Python)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("durable", [True, False])
def test_a_disk_that_refuses_writes_stops_recording_and_recording_resumes(path: Path, durable: bool):
    """A real write error of the kernel is a NotRecorded; when the disk takes writes again, the backlog goes in at one blow."""
    with Log(path) as log:
        log.append(readings(1, 3), durable=True)
        before = (log.last_seq, log.last_digest)
        backlog = [readings(5, 200), readings(206, 1)]
        with _no_file_may_grow_beyond(4096), pytest.raises(NotRecorded, match=r"log\.db"):
            log.append(backlog[0], durable=durable)
        assert (log.last_seq, log.last_digest) == before
        assert [event.seq for event in log.read()] == [1, 2, 3, 4]
        log.append_all(backlog, durable=durable)
        assert log.last_seq == 207
        assert log.verify_chain() is None


def test_a_backlog_is_chained_as_if_it_had_been_written_in_time(tmp_path: Path):
    """Several transactions in one commit give the very digests that single commits give."""
    backlog = [readings(1, 2), readings(4, 1), readings(6, 5)]
    with Log(tmp_path / "single") as log:
        for events in backlog:
            log.append(events, durable=False)
        single = list(log.read())
    with Log(tmp_path / "together") as log:
        tick = log.append_all(backlog, durable=True)
        assert list(log.read()) == single
        assert tick == single[-1]


def test_a_connection_that_breaks_is_replaced(path: Path):
    """After an error that the connection does not survive, the next append opens the file anew."""

    def break_it(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")
        db.close()
        raise sqlite3.OperationalError("disk I/O error")

    with Log(path) as log:
        log.append(readings(1, 1), durable=True)
        with pytest.raises(NotRecorded, match="I/O"):
            log.append(readings(3, 1), durable=True, also=[break_it])
        log.append(readings(3, 1), durable=True)
        assert [event.seq for event in log.read()] == [1, 2, 3, 4]


def test_a_mistake_in_a_derived_write_is_ours_and_undoes_the_transaction(path: Path):
    """An error that is no disk error comes out as it is; nothing of the transaction stays."""

    def mistake(_: sqlite3.Connection) -> None:
        raise KeyError("bike-1")

    with Log(path) as log:
        with pytest.raises(KeyError):
            log.append(readings(1, 1), durable=False, also=[mistake])
        log.append(readings(1, 1), durable=False)
        assert log.last_seq == 2


def test_somebody_else_holding_the_file_is_not_recorded_then_recorded(path: Path):
    """A stranger's write lock delays the log, it does not end it."""
    with Log(path) as log:
        log.append(readings(1, 1), durable=False)
        stranger = sqlite3.connect(path, isolation_level=None)
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotRecorded, match="locked"):
            log.append(readings(3, 1), durable=False)
        stranger.execute("ROLLBACK")
        stranger.close()
        log.append(readings(3, 1), durable=False)
        assert log.last_seq == 4


WRITER = """
import sys
from pathlib import Path
from chargerd.store.log import Log
from tests.store.streams import readings
log = Log(Path(sys.argv[1]))
while True:
    log.append(readings(log.last_seq + 1, 5), durable=log.last_seq % 4 == 0)
    print(log.last_seq, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(path: Path):
    """Twenty times kill -9 in the middle of writing: every acknowledged event is there, the chain is whole, no gap."""
    acknowledged = 0
    for run in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        assert writer.stdout is not None
        for _ in range(3 + run % 5):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read()
        complete = rest[: rest.rfind("\n") + 1].split()
        acknowledged = int(complete[-1]) if complete else acknowledged
        writer.wait()
        writer.stdout.close()
        with open_reader(path) as reader:
            assert reader.last_seq >= acknowledged
    with Log(path) as log:
        assert log.verify_chain() is None
        assert [event.seq for event in log.read()] == list(range(1, log.last_seq + 1))


def test_a_reader_in_another_thread_sees_whole_transactions_while_the_log_grows(path: Path):
    """Reading never fails or sees half a transaction while the writer goes on, and sees the end when it is over."""
    lengths: list[int] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def follow() -> None:
        try:
            with open_reader(path) as reader:
                while True:
                    last_look = done.is_set()
                    events = list(reader.read())
                    assert not events or isinstance(events[-1].body, Tick)
                    lengths.append(len(events))
                    if last_look:
                        return
        except BaseException as error:
            failures.append(error)
            raise

    with Log(path) as log:
        thread = threading.Thread(target=follow)
        thread.start()
        for _ in range(150):
            log.append(readings(log.last_seq + 1, 9), durable=False)
        done.set()
        thread.join(30)
    assert not failures
    assert lengths == sorted(lengths)
    assert lengths[-1] == 1500


def test_the_file_is_what_the_design_asks_for(path: Path):
    """WAL, small pages, room given back in steps, no index beside the primary key, readable with the sqlite3 tool."""
    with Log(path) as log:
        log.append(readings(1, 1), durable=True)
    db = sqlite3.connect(path)
    pragma = {
        name: db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "page_size", "auto_vacuum", "application_id", "user_version")
    }
    assert pragma == {
        "journal_mode": "wal",
        "page_size": 2048,
        "auto_vacuum": 2,
        "application_id": 0x63687264,
        "user_version": 2,
    }
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'index'").fetchone() == (0,)
    assert db.execute("SELECT typeof(data), data FROM events WHERE seq = 1").fetchone() == (
        "text",
        '{"channel":"a","enabled":true,"power_w":100.0}',
    )
    db.close()


@pytest.mark.parametrize("durable", [True, False])
def test_only_durable_transactions_wait_for_the_disk(path: Path, durable: bool):
    """synchronous is FULL for a command or a request, NORMAL for readings; it changes between transactions."""
    seen: list[int] = []
    with Log(path) as log:
        for wanted in (not durable, durable):
            log.append(
                readings(log.last_seq + 1, 1),
                durable=wanted,
                also=[lambda db: seen.append(db.execute("PRAGMA synchronous").fetchone()[0])],
            )
    assert seen == ([1, 2] if durable else [2, 1])


def test_an_event_is_an_event_for_good(path: Path):
    """What the log returns is typed: an Event with a fact in it, not a dict."""
    with Log(path) as log:
        log.append(readings(1, 1), durable=False)
        first = next(log.read())
    assert first == Event(1, 1_000, 500, 1, "shed", ChargerRead("a", True, 100.0))


def test_no_process_that_we_start_inherits_the_lock(path: Path):
    """A child that outlives the daemon must not keep the next daemon out."""
    with Log(path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with Log(path) as log:
            assert log.last_seq == 0
    finally:
        child.communicate(b"\n")
    assert child.returncode == 0
    assert os.path.exists(f"{path}.lock")


def test_a_commit_that_fails_after_it_reached_the_file_counts_as_recorded(path: Path):
    """What is in the file is recorded, whatever error came with it: a second copy would tear the numbers."""

    def commit_and_fail(db: sqlite3.Connection) -> None:
        db.execute("COMMIT")
        raise sqlite3.OperationalError("disk I/O error")

    with Log(path) as log:
        tick = log.append(readings(1, 1), durable=True, also=[commit_and_fail])
        assert log.last_seq == tick.seq == 2
        log.append(readings(3, 1), durable=True)
        assert log.verify_chain() is None


def test_a_log_that_vanished_is_not_begun_anew_behind_our_back(path: Path):
    """Somebody deletes the file of a running daemon and its connection breaks: nothing is recorded, and it says so."""

    def break_it(db: sqlite3.Connection) -> None:
        db.close()
        raise sqlite3.OperationalError("disk I/O error")

    with Log(path) as log:
        log.append(readings(1, 1), durable=True)
        with pytest.raises(NotRecorded):
            log.append(readings(3, 1), durable=True, also=[break_it])
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(NotRecorded, match="No such file"):
            log.append(readings(3, 1), durable=True)
        path.write_bytes(kept)
        log.append(readings(3, 1), durable=True)
        assert log.last_seq == 4
