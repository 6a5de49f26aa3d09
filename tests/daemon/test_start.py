"""Start: what a daemon finds in its folder decides whether it lives, and with which exit status it does not.

The whole process, its signals and its devices are in test_run.py; here are the cases that a start tells apart.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chargerd.daemon.past import state_after
from chargerd.daemon.recorder import Moment, Recorder
from chargerd.engine import VERSION
from chargerd.model.events import (
    ConfigLoaded,
    DaemonStarted,
    DaemonStopped,
    DeviceLost,
    LogSetAside,
    ModeSet,
    RecordingBack,
    RecordingLost,
)
from chargerd.model.state import Session
from chargerd.store import sessions, snapshots
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.daemon.lives import READY, live
from tests.disks import full, read_only, until_told

ROOT = Path(__file__).resolve().parents[2]

HOME = """\
[device.shed]
driver = "simulated"

[loadpoint.bike]
charger = "shed/bike"
"""
VAULT = """\
[device.vault]
driver = "kasa"
host = "127.0.0.1"
username = { credential = "user" }
password = { credential = "pass" }

[loadpoint.trike]
charger = "vault"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a simulated device in its configuration, and a place for secrets."""
    (tmp_path / "chargerd.toml").write_text(HOME)
    (tmp_path / "secrets").mkdir()
    return tmp_path


def facts(folder: Path, *kinds: type) -> list[object]:
    """What the log of a folder holds of these kinds."""
    with open_reader(folder / "state" / "log.db") as log:
        return [event.body for event in log.read() if isinstance(event.body, kinds)]


def let_go(folder: Path) -> bool:
    """Whether the log can be opened for writing: a daemon that has ended must not hold it."""
    with Log(folder / "state" / "log.db"):
        return True


def test_a_sound_start_records_itself_and_ends_in_order(folder):
    """Status 0; start, configuration and end are in the log; folders are made, readable by the group only."""
    status, journal = live(folder)
    assert status == 0
    started, loaded, stopped = facts(folder, DaemonStarted, ConfigLoaded, DaemonStopped)
    assert (type(started), type(loaded), type(stopped)) == (DaemonStarted, ConfigLoaded, DaemonStopped)
    assert list(loaded.configuration.loadpoints) == ["bike"]
    assert "<5>chargerd" in journal
    assert "watches 1 loadpoint " in journal
    assert journal.rstrip().endswith("ended in order")
    assert not (folder / "state" / "log.db").stat().st_mode & 0o027
    assert let_go(folder)


def test_the_next_start_goes_on_where_the_last_one_ended(folder):
    """One log, two lives."""
    live(folder)
    assert live(folder)[0] == 0
    assert len(facts(folder, DaemonStarted)) == 2
    assert facts(folder, LogSetAside) == []


@pytest.mark.parametrize("before", [False, True], ids=["first start", "later start"])
def test_a_configuration_that_is_wrong_is_refused(folder, before):
    """78, so that the unit does not try again; file, line and key are named, the log is let go. Also where it was sound
    before, for a person has just changed it.
    """
    if before:
        live(folder)
    (folder / "chargerd.toml").write_text(HOME + 'targett = "full"\n')
    status, journal = live(folder)
    assert status == 78
    assert journal.startswith("<3>configuration: ")
    assert "chargerd.toml:6" in journal
    assert "Did you mean target?" in journal
    assert let_go(folder)


def test_a_configuration_that_is_not_there_is_refused(folder):
    """78 and its name."""
    (folder / "chargerd.toml").unlink()
    status, journal = live(folder)
    assert status == 78
    assert "chargerd.toml" in journal


def test_a_missing_credential_refuses_the_first_start(folder):
    """Somebody sits there and can put it right: 78, the credential's name and where it belongs."""
    (folder / "chargerd.toml").write_text(HOME + VAULT)
    (folder / "secrets" / "user").write_text("marker-4711")
    status, journal = live(folder)
    assert status == 78
    assert "credential pass is missing" in journal
    assert "/etc/chargerd/secrets/pass" in journal
    assert "4711" not in journal
    assert let_go(folder)


def test_a_credential_that_goes_missing_later_takes_only_its_device_out(folder):
    """Nobody sits there at night: the daemon lives, that device is an alarm, all others are watched."""
    live(folder)
    (folder / "chargerd.toml").write_text(HOME + VAULT)
    status, journal = live(folder, stop_at="credential user is missing")
    assert status == 0
    (lost,) = facts(folder, DeviceLost)
    assert lost.error == "access-denied"
    assert "watches 2 loadpoints" in journal
    assert list(facts(folder, ConfigLoaded)[-1].configuration.loadpoints) == ["bike", "trike"]


def test_a_mistake_beside_a_missing_credential_is_refused_also_later(folder):
    """Only the credential is forgiven."""
    live(folder)
    (folder / "chargerd.toml").write_text(HOME + VAULT + "max_curent_a = 3\n")
    status, journal = live(folder)
    assert status == 78
    assert "max_curent_a" in journal


@pytest.mark.parametrize("torn", ["header", "last transaction"])
def test_a_damaged_log_is_put_aside_whole_and_a_new_one_begun(folder, torn):
    """A charge must not go unwatched: the daemon lives. Nothing of the old file is lost, and the new log says where it is."""
    live(folder)
    log = folder / "state" / "log.db"
    if torn == "header":
        log.write_bytes(b"garbage" * 20 + log.read_bytes()[140:])
    else:
        with sqlite3.connect(log) as db:
            for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f"DROP TRIGGER {trigger}")
            db.execute("UPDATE events SET data = '{\"why\":\"forged\"}' WHERE type = 'DaemonStopped'")
        db.close()
    damaged = log.read_bytes()
    status, _ = live(folder)
    assert status == 0
    (aside,) = facts(folder, LogSetAside)
    kept = Path(aside.path)
    assert kept.parent == log.parent
    assert kept.name.startswith("log.damaged-")
    assert kept.read_bytes() == damaged
    assert len(facts(folder, DaemonStarted)) == 1


def test_a_log_of_a_newer_version_is_left_as_it_is(folder):
    """78: an older chargerd was installed over a newer one; not a byte changes."""
    live(folder)
    log = folder / "state" / "log.db"
    with sqlite3.connect(log) as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()
    before = log.read_bytes()
    status, journal = live(folder)
    assert status == 78
    assert journal.startswith("<3>log: ")
    assert log.read_bytes() == before
    assert [path.name for path in log.parent.iterdir() if "damaged" in path.name] == []


def test_a_log_that_another_daemon_writes_is_left_to_it(folder):
    """1, and the unit tries again: the other one may be about to end."""
    live(folder)
    with Log(folder / "state" / "log.db"):
        status, journal = live(folder)
    assert status == 1
    assert "another chargerd" in journal


def test_a_folder_that_cannot_be_made_is_told(folder):
    """1: a file lies where the state should be; what that means for the plugs is said too."""
    (folder / "state").write_text("not a folder")
    status, journal = live(folder)
    assert status == 1
    assert journal.startswith("<3>log: ")
    assert "plugs keep what they were told last" in journal


def test_a_socket_that_cannot_be_made_ends_the_start_and_lets_the_log_go(folder):
    """1: a folder lies where the socket should be; nothing of a start is in the log."""
    (folder / "run" / "control" / "deep").mkdir(parents=True)
    status, journal = live(folder)
    assert status == 1
    assert journal.startswith("<3>control: ")
    assert let_go(folder)
    assert facts(folder, DaemonStarted) == []


def test_a_log_that_is_damaged_in_its_middle_is_put_aside_too(folder):
    """Not the last transaction, which opening looks at, but an early one, which the replay at the start meets."""
    live(folder)
    live(folder)
    log = folder / "state" / "log.db"
    with sqlite3.connect(log) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("UPDATE events SET data = '{' WHERE seq = 1")
    db.close()
    status, _ = live(folder)
    assert status == 0
    (aside,) = facts(folder, LogSetAside)
    assert aside.first_bad_seq == 1


@pytest.mark.parametrize("change", ["type = 'ConfigMoaded'", "source = CAST(x'64e8' AS TEXT)", "at = 'soon'"])
def test_a_letter_that_changed_in_an_old_event_does_not_end_the_daemon(folder, change):
    """Neither for ever (78) nor now: the log is put aside, its first bad transaction is named, and charging is watched."""
    live(folder)
    live(folder)
    log = folder / "state" / "log.db"
    with sqlite3.connect(log) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("DELETE FROM snapshots")
        db.execute(f"UPDATE events SET {change} WHERE seq = 2")
    db.close()
    status, _ = live(folder)
    assert status == 0
    (aside,) = facts(folder, LogSetAside)
    assert aside.first_bad_seq in (1, 2)


def test_damage_in_an_old_event_behind_a_sound_snapshot_costs_nothing(folder):
    """The state after it is known: the daemon goes on with the log that it has."""
    live(folder)
    live(folder)
    log = folder / "state" / "log.db"
    with Log(log) as writer:
        writer.save(snapshots.saving(state_after(writer), VERSION))
    with sqlite3.connect(log) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("UPDATE events SET type = 'ConfigMoaded' WHERE seq = 2")
    db.close()
    assert live(folder)[0] == 0
    with open_reader(log) as reader:
        assert [event for event in reader.read(4) if isinstance(event.body, LogSetAside)] == []
        assert reader.verify_chain().first_seq == 1


def _altered(folder: Path, change: str) -> None:
    db = sqlite3.connect(folder / "state" / "log.db")
    db.execute(change)
    db.commit()
    db.close()


def _charged(folder: Path) -> list[Session]:
    """Three sessions in the log of a folder, and the table's list of them."""
    live(folder)
    path = folder / "state" / "log.db"
    with Log(path) as log:
        recorder = Recorder(log, state_after(log))
        for n in range(6):
            mode = ModeSet("bike", "off" if n % 2 else "fast", "anna")
            recorder.take([("anna", mode)], Moment(recorder.site.at_ms + 60_000, n * 60_000, recorder.site.boot_id))
    with open_reader(path) as log:
        return sessions.ended(log)


def test_a_list_of_sessions_that_was_damaged_is_made_again_from_the_log(folder):
    """All of it, the sessions that the state has forgotten as well; a list that is whole is left alone."""
    before = _charged(folder)
    assert [session.outcome for session in before] == ["stopped"] * 3
    _, journal = live(folder)
    assert "charging sessions" not in journal
    _altered(folder, "DELETE FROM sessions WHERE number > 1")
    status, journal = live(folder)
    assert status == 0
    assert "the list of charging sessions was damaged; 3 were worked out again from the log" in journal
    with open_reader(folder / "state" / "log.db") as log:
        assert sessions.ended(log) == before


@pytest.mark.parametrize("how", ["full", "read-only"])
@pytest.mark.parametrize("known", [True, False], ids=["later start", "first start"])
def test_a_log_that_cannot_be_written_does_not_keep_the_daemon_from_watching(folder, how, known, monkeypatch):
    """Fault 4 at the start: it comes up, says that nothing is recorded, and records all of it as soon as it can.

    Also where there is no device yet whose readings would have it look again.
    """
    monkeypatch.setenv("WATCHDOG_USEC", "300000")  # a third of it is the most that the loop waits
    (folder / "chargerd.toml").write_text('[site]\nname = "Home"\n')
    for name in ("state", "run"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    if known:
        live(folder)
    refusing = full() if how == "full" else read_only(folder / "state")
    with until_told(refusing) as relent:
        status, journal = live(folder, stop_at="writable again", look=relent, look_at=READY)
    assert status == 0
    said, _, then = journal.partition(READY)
    assert "nothing is recorded" in said
    assert then.rstrip().endswith("ended in order")
    with open_reader(folder / "state" / "log.db") as log:
        assert log.verify_chain() is None
        kinds = [type(event.body) for event in log.read()]
    wanted = (DaemonStarted, ConfigLoaded, RecordingLost, RecordingBack, DaemonStopped)
    assert [kinds.count(kind) for kind in wanted] == [1 + known, 1 + known, 1, 1, 1 + known]
    assert facts(folder, LogSetAside) == []


def test_a_log_that_cannot_be_read_ends_the_start(folder):
    """1, and the unit tries again: what was charged and wanted is not known, so it must not be taken for nothing."""
    live(folder)
    (folder / "run").chmod(0o777)
    with read_only(folder / "state"):
        me = os.geteuid()
        os.seteuid((folder / "state").stat().st_uid)
        (folder / "state" / "log.db").chmod(0)
        os.seteuid(me)
        status, journal = live(folder)
    assert status == 1
    assert (
        "permission denied; nothing is switched, plugs keep what they were told last. Mend: sudo chown -R " in journal
    )


def test_a_daemon_without_devices_imports_nothing_that_only_devices_need():
    """What the running daemon has imported before it knows of any device; each of these is megabytes, asyncio with its TLS too."""
    program = "import sys, chargerd.__main__, chargerd.daemon.start; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {"asyncio", "ssl", "kasa", "pymodbus", "requests", "aiohttp", "paho", "apprise", "PIL", "structlog", "rich"}
    assert "chargerd.daemon.run" in ran.stdout.split()
    assert heavy.isdisjoint(ran.stdout.split())
    assert not [name for name in ran.stdout.split() if name.startswith(("chargerd.drivers.k", "chargerd.engine.learn"))]
