"""Checks: a log that was spoiled in any way is found out, and what is said of it is where, what is lost and what holds."""

from __future__ import annotations

import lzma
import shutil
import sqlite3
import threading
import tracemalloc
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from chargerd import __version__
from chargerd.daemon.inquiry import Running
from chargerd.engine import VERSION
from chargerd.engine.digest import digest_of
from chargerd.engine.evolve import fold
from chargerd.model.events import CommandIssued, DaemonStarted, Event, HoldSet, Reason, Tick
from chargerd.model.state import Site
from chargerd.sim.checks import Report, check
from chargerd.sim.progress import Progress
from chargerd.store import snapshots
from chargerd.store.errors import LogTooNew, LogUnusable, NotRecorded
from chargerd.store.log import Log
from chargerd.store.rows import rows_of
from tests.sim.nights import HOUR, copy_of, night, tamper
from tests.store.streams import readings

NONE = "no chargerd runs"
HEADER_BYTES = 100


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A night's log, ended in order, with two snapshots in it."""
    folder = tmp_path_factory.mktemp("night")
    day = night(folder)
    events = day.events
    day.run.kill()
    with Log(folder / "log.db") as log:
        ticks = [event.seq for event in events if isinstance(event.body, Tick)]
        for seq in (ticks[len(ticks) // 2], ticks[-1]):
            snapshots.saving(fold(Site(), events[:seq]), VERSION)(log._db)
    return folder / "log.db"


@pytest.fixture
def log(recorded, tmp_path) -> Path:
    """A copy of it to spoil."""
    return copy_of(recorded, tmp_path)


def checked(log: Path, since_ms: int | None = None, running: Running | str = NONE) -> Report:
    return check(log, since_ms, running, lambda _what, _seq: None)


def first(log: Path, kind: str, after: int = 0) -> int:
    """The number of the first event of a kind after another."""
    with sqlite3.connect(log) as db:
        (seq,) = db.execute("SELECT min(seq) FROM events WHERE seq > ? AND type = ?", (after, kind)).fetchone()
    db.close()
    return int(seq)


def test_a_sound_log_is_sound_and_explains_everything(recorded):
    """Every command and decision again, both snapshots, both sessions; nothing is said to be wrong."""
    report = checked(recorded)
    assert report.sound
    assert report.damaged == report.differing == []
    assert report.commands == report.commands_explained > 10
    assert report.decisions == report.decisions_explained > 10
    assert report.snapshots == 2
    assert report.sessions == 1
    assert report.replayed == [(1, report.last_seq)]
    assert report.orderly
    assert report.running == NONE


def test_a_log_of_older_rules_is_sound_though_its_sessions_lack_what_those_did_not_know(tmp_path):
    """The stored log of version 1: nothing in it is wrong, and an upgrade must not say so."""
    path = tmp_path / "log.db"
    path.write_bytes(lzma.decompress((Path(__file__).parents[1] / "fixtures" / "logs" / "v1.db.xz").read_bytes()))
    report = check(path, None, NONE, Progress(None, 0))
    assert (report.sessions, report.sessions_wrong) == (1, [])
    assert report.sound


def test_a_part_of_a_log_is_checked_from_the_time_on(recorded):
    """The second hour: fewer events, the later snapshot, and the same verdict."""
    whole = checked(recorded)
    assert whole.since_ms is not None
    part = checked(recorded, whole.since_ms + HOUR * 1000)
    assert part.sound
    assert part.since_ms == whole.since_ms + HOUR * 1000
    assert part.last_seq == whole.last_seq
    assert part.replayed == [(part.first_seq, part.last_seq)]
    assert part.snapshots >= 1
    assert 0 < part.commands < whole.commands


@pytest.mark.parametrize(
    ("what", "statement", "words"),
    [
        (
            "ChargerRead",
            "UPDATE events SET data = replace(data, '\"voltage_v\":230', '\"voltage_v\":231')",
            "were changed",
        ),
        ("Tick", 'UPDATE events SET data = replace(data, \'"digest":"\', \'"digest":"f\')', "were changed"),
        ("Tick", "UPDATE events SET data = '{}'", "holds no digest"),
        ("Decided", "UPDATE events SET at = at + 1", "were changed"),
        ("ChargerRead", "UPDATE events SET v = 9", "were changed"),
        ("ChargerRead", "DELETE FROM events", "are missing"),
        ("CommandIssued", "DELETE FROM events", "are missing"),
        ("Tick", "DELETE FROM events", "are missing"),
    ],
)
def test_a_changed_row_is_found_in_its_transaction(log, what, statement, words):
    """A flipped byte in a reading, in a digest, in a time; a row that is gone. All before it holds and is replayed."""
    bad = first(log, what, after=500)
    tamper(log, f"{statement} WHERE seq = {bad}")
    report = checked(log)
    assert not report.sound
    (place,) = report.damaged
    assert place.last_seq is not None
    assert place.first_seq <= bad <= place.last_seq < place.first_seq + 20
    assert words in place.text
    assert place.unreadable == (1 if "DELETE" in statement or "v = 9" in statement else 0)
    assert report.replayed[0] == (1, place.first_seq - 1)
    assert report.commands_explained == report.commands
    assert place.after_ms is not None
    assert place.before_ms is not None


def test_replay_goes_on_from_the_first_snapshot_behind_each_damage(log):
    """A bad reading early in the night and one late: what lies between them and behind them is explained all the same."""
    kept = [seq for (seq,) in sqlite3.connect(log).execute("SELECT seq FROM snapshots ORDER BY seq")]
    first, second = kept[0], kept[1]
    tamper(log, f"UPDATE events SET mono = mono + 1 WHERE seq IN (100, {second - 3})")
    report = checked(log)
    late = report.damaged[1]
    assert report.replayed[0] == (1, report.damaged[0].first_seq - 1)
    assert report.replayed[1] == (first + 1, late.first_seq - 1)
    assert len(report.replayed) == 2  # the last snapshot stands at the end
    assert report.snapshots_wrong == []


def test_every_place_of_damage_is_named(log):
    """Two changed readings far apart are two places, and a command that can be read in one is counted."""
    command = first(log, "CommandIssued", after=500)
    tamper(log, f"UPDATE events SET boot = 7 WHERE seq IN (100, {command})")
    places = checked(log).damaged
    assert len(places) == 2
    assert places[0].first_seq <= 100 <= (places[0].last_seq or 0)
    assert places[1].first_seq <= command <= (places[1].last_seq or 0)
    assert [place.commands > 0 for place in places] == [False, True]


def test_rows_put_over_others_by_a_foreign_program_are_found(log):
    """INSERT OR REPLACE from a connection without our pragma gets past the triggers, and not past the digests."""
    db = sqlite3.connect(log)
    bad = first(log, "CommandIssued")
    db.execute(
        "INSERT OR REPLACE INTO events SELECT seq, at, mono, boot, source, type, v, replace(data, 'true', 'false')"
        " FROM events WHERE seq = ?",
        (bad,),
    )
    db.commit()
    db.close()
    (place,) = checked(log).damaged
    assert place.first_seq <= bad <= (place.last_seq or 0)
    assert place.commands == 1
    assert place.requests == 1


def test_a_file_that_was_cut_off_holds_up_to_where_it_was_cut(log):
    """Half the file: the first half of the night is whole and replays; how much came after nobody can tell."""
    whole = checked(log)
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size // 2 // 2048 * 2048)
    report = checked(log)
    (place,) = report.damaged
    assert place.last_seq is None
    assert place.unreadable is None
    assert whole.last_seq * 0.3 < place.first_seq < whole.last_seq * 0.7
    assert report.replayed == [(1, place.first_seq - 1)]
    assert report.unreplayed == ""


def test_a_bad_page_loses_what_was_on_it(log):
    """A page of nonsense in the middle: the events on it are counted, those on either side are found sound."""
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.seek(size // 2 // 2048 * 2048)
        file.write(b"\xff" * 2048)
    report = checked(log)
    (place,) = report.damaged
    assert place.last_seq is not None
    assert 0 < (place.unreadable or 0) <= place.last_seq - place.first_seq + 1 < 60
    assert place.last_seq < report.last_seq
    assert "malformed" in place.text
    assert str(log) not in place.text


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "is empty"), (b"garbage" * 999, "not a database"), (None, "no such table")]
)
def test_a_file_of_which_nothing_is_left_is_damage_from_the_first_event_on(log, content, words):
    """Emptied, overwritten, cut down to its header."""
    log.write_bytes(log.read_bytes()[: HEADER_BYTES * 10] if content is None else content)
    report = checked(log)
    assert not report.sound
    assert (report.damaged[0].first_seq, report.damaged[0].last_seq) == (1, None)
    assert words in report.damaged[0].text


def test_a_log_copied_without_its_write_ahead_file_is_found_out(tmp_path):
    """While chargerd runs the newest events are in log.db-wal: the copy is shorter than what the daemon has, or empty."""
    day = night(tmp_path, 0.5, stop=False)
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "log.db", tmp_path / "copy" / "log.db")
    site = day.run.site
    told = Running(site.seq, digest_of(site), VERSION, True, site.run_seq, site.boot_id)
    report = checked(tmp_path / "copy" / "log.db", running=told)
    if report.last_seq:
        assert "does not reach it" in report.running
        assert not report.orderly
    else:
        assert not report.sound
    assert report.damaged == []
    day.run.kill()


def test_a_log_of_a_newer_version_is_refused(log):
    """By its version, and by an event that we do not know in a chain that is whole."""
    before = log.read_bytes()
    with Log(log) as writer:
        rows = rows_of(readings(writer.last_seq + 1, 1, at_ms=1 << 41))
        assert rows
    tamper(log, "PRAGMA user_version = 9999")
    with pytest.raises(LogTooNew, match="newer chargerd"):
        checked(log)
    assert len(log.read_bytes()) == len(before)


def test_an_event_of_a_newer_version_in_a_whole_chain_is_refused_and_not_called_damage(tmp_path):
    """The digests are right, so it was written like that; who does not know the type cannot judge it."""
    from chargerd.store.rows import closed
    from chargerd.store.rows import digest_of as row_digest

    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True)
        reading, tick = rows_of(readings(3, 1))
        newer = (*reading[:5], "SunRead", 1, "{}")
        rows = [newer, closed(tick, row_digest(log.last_digest, [newer, tick]))]
        log._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    with pytest.raises(LogTooNew, match="SunRead"):
        checked(tmp_path / "log.db")


def test_there_is_no_log_to_check_where_none_is(tmp_path):
    """And none is made."""
    with pytest.raises(LogUnusable, match="No such file"):
        checked(tmp_path / "log.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_log_is_not_sound(tmp_path):
    """A daemon that has run has written that it started."""
    Log(tmp_path / "log.db").close()
    report = checked(tmp_path / "log.db")
    assert report.last_seq == 0
    assert not report.sound


def test_two_writers_on_one_log_cannot_tear_it(tmp_path):
    """Somebody removes the lock and starts a second: the first can write nothing more, and is seen to be ahead."""
    day = night(tmp_path, 0.5, stop=False)
    (tmp_path / "log.db.lock").unlink()
    with Log(tmp_path / "log.db") as second:
        second.append(readings(second.last_seq + 1, 2, at_ms=day.clock.now_ms()), durable=True)
        with pytest.raises(NotRecorded):
            day.run.log.append(readings(day.run.log.last_seq + 1, 1, at_ms=day.clock.now_ms()), durable=True)
    day.run.ask(HoldSet("ben"))
    site = day.run.site
    told = Running(site.seq, digest_of(site), VERSION, True, site.run_seq, site.boot_id)
    report = checked(tmp_path / "log.db", running=told)
    assert report.damaged == []
    assert "does not reach it" in report.running
    assert checked(tmp_path / "log.db").commands_explained == report.commands
    day.run.kill()


# What the running daemon believes


def test_the_running_state_is_compared_at_the_very_event_it_names(tmp_path):
    """The daemon goes on while the log is checked; what it said of an earlier moment is compared with that moment."""
    day = night(tmp_path, 0.5, stop=False)
    site = day.run.site
    told = Running(site.seq, digest_of(site), VERSION, True, site.run_seq, site.boot_id)
    day.until(HOUR)
    report = checked(tmp_path / "log.db", running=told)
    assert (report.running, report.running_seq) == ("equal", site.seq)
    assert report.sound
    assert report.last_seq > site.seq
    for wrong in (structs.replace(told, digest="00"), structs.replace(told, seq=site.seq, digest=digest_of(Site()))):
        report = checked(tmp_path / "log.db", running=wrong)
        assert report.running == "differs"
        assert not report.sound
    day.run.kill()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boot_id": "another"}, "another log"),
        ({"run_seq": 7}, "another log"),
        ({"seq": 10**9}, "does not reach it"),
        ({"seq": 10**9, "recording": False}, "cannot write"),
    ],
)
def test_a_daemon_that_cannot_be_compared_is_no_finding(recorded, monkeypatch, changes, words):
    """It writes another log, has other rules, or is ahead of the file: that is said, and the log is as sound as it is."""
    monkeypatch.setattr("chargerd.sim.checks.REACH_TRIES", 1)
    told = structs.replace(Running(1000, "00", VERSION, True, 1, "simulated"), **changes)
    report = checked(recorded, running=told)
    assert words in report.running
    assert report.sound


# What was decided otherwise


def rewritten(source: Path, target: Path, change) -> Path:
    """A log with other events in a chain that is whole: what another version, or a clever forger, would have written."""
    with Log(source) as old, Log(target / "other.db") as new:
        transaction: list[Event] = []
        for event in old.read():
            body = change(event.body)
            transaction.append(structs.replace(event, body=body))
            if isinstance(body, Tick):
                transaction[-1] = structs.replace(event, body=Tick())
                new.append(transaction, durable=False)
                transaction = []
        db = new._db
        for row in old.query("SELECT * FROM sessions"):
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", row)
    return target / "other.db"


def otherwise(body):
    """Plugs are switched on for another reason than these rules give."""
    if isinstance(body, CommandIssued) and body.reason.code == "switching-on":
        return structs.replace(body, reason=Reason("observing"))
    return body


def test_what_these_rules_decide_otherwise_is_a_finding(log, tmp_path):
    """A whole chain that does not explain itself: the command is named with what is recorded and what is decided."""
    report = checked(rewritten(log, tmp_path, otherwise))
    assert report.damaged == []
    assert not report.sound
    assert report.unexplained == len(report.differing) > 0
    assert report.commands_explained == report.commands - report.unexplained
    assert report.decisions_explained == report.decisions
    for shown, code in ((report.differing[0].recorded, "observing"), (report.differing[0].decided, "switching-on")):
        kind, _, fields = (shown or "").partition(" ")
        assert kind == "CommandIssued"
        assert msgspec.json.decode(fields)["reason"]["code"] == code


@pytest.mark.parametrize("changes", [{"version": "0.0.9"}, {"engine": "0"}])
def test_what_another_version_decided_is_said_and_is_no_damage(log, tmp_path, changes):
    """The same differences, written by a chargerd of another version or other rules."""

    def older(body):
        return structs.replace(body, **changes) if isinstance(body, DaemonStarted) else otherwise(body)

    report = checked(rewritten(log, tmp_path, older))
    assert report.sound
    assert report.unexplained == 0
    assert report.explained == len(report.differing) > 0
    seen = report.differing[0]
    assert (seen.version, seen.engine) == (changes.get("version", __version__), changes.get("engine", VERSION))


def test_a_transaction_that_is_told_of_before_it_is_on_the_disk_is_waited_for(log):
    """The daemon publishes its state a moment before the commit: the check waits for the file to have it."""
    with Log(log) as writer:
        last = writer.last_seq + 3
        coming = readings(writer.last_seq + 1, 2, at_ms=1 << 41)
        later = threading.Timer(0.2, lambda: writer.append(coming, durable=True))
        later.start()
        report = checked(log, running=Running(last, "00", VERSION, True, 1, "simulated"))
        later.join(10)
    assert (report.running, report.last_seq) == ("differs", last)


def test_a_running_daemon_with_other_rules_is_not_compared(log, tmp_path):
    """An upgrade that has not been restarted yet: its state is made by its own rules."""

    def newer(body):
        return structs.replace(body, engine="99") if isinstance(body, DaemonStarted) else body

    path = rewritten(log, tmp_path, newer)
    report = checked(path, running=Running(1000, "00", "99", True, 1, "simulated"))
    assert "other rules (engine 99" in report.running
    assert report.sound


# Derived tables


def test_a_snapshot_that_is_not_the_replayed_state_is_found(log):
    """One that was changed with its checksum, one that cannot be read; the events themselves hold."""
    with Log(log) as writer:
        seqs = [seq for (seq,) in writer.query("SELECT seq FROM snapshots ORDER BY seq")]
        site = snapshots.newest(writer, VERSION)
        assert site is not None
        forged = structs.replace(site, t_ms=site.t_ms + 1)
        writer.append(
            readings(writer.last_seq + 1, 1, at_ms=1 << 41), durable=True, also=[snapshots.saving(forged, VERSION)]
        )
    tamper(log, f"UPDATE snapshots SET state = x'00' WHERE seq = {seqs[0]}")
    report = checked(log)
    assert [wrong.number for wrong in report.snapshots_wrong] == seqs
    assert "cannot be read" in report.snapshots_wrong[0].text
    assert "not the state" in report.snapshots_wrong[1].text
    assert report.damaged == []
    assert not report.sound


def test_snapshots_of_other_rules_are_left_alone(log):
    """They are worth nothing here, and no finding."""
    tamper(log, "UPDATE snapshots SET engine = '0'")
    report = checked(log)
    assert report.snapshots == 0
    assert report.sound


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM sessions", "is missing"),
        ("UPDATE sessions SET data = '{'", "cannot be read"),
        ('UPDATE sessions SET data = replace(data, \'"by":"\', \'"by":"x\')', "differs in by"),
        ("INSERT INTO sessions SELECT 5, loadpoint, started_at, ended_at - 5, data FROM sessions", "does not know"),
    ],
)
def test_a_session_that_the_log_does_not_give_is_found(log, statement, words):
    """A row that is gone, unreadable, changed, or made up."""
    tamper(log, statement)
    report = checked(log)
    assert report.sessions_wrong
    assert words in report.sessions_wrong[0].text
    assert not report.sound


# Beside a writer


def test_checking_disturbs_no_writer_and_sees_whole_transactions(tmp_path, monkeypatch):
    """At every step of the check the daemon writes on: nothing is refused, and the verdict is that of a whole log."""
    monkeypatch.setattr("chargerd.store.reader.BATCH", 50)
    day = night(tmp_path, 0.5, stop=False)
    written = 0

    def write_on(_what: str, _seq: int) -> None:
        nonlocal written
        written += 1
        day.until(0.5 * HOUR + 30 * written)

    report = check(tmp_path / "log.db", None, NONE, write_on)
    assert written > 5
    assert report.sound
    assert day.run.site.recording
    assert checked(tmp_path / "log.db").sound
    day.run.kill()


def test_a_long_log_needs_no_more_memory_than_a_short_one(tmp_path):
    """Ten times the night takes no more than twice what a short log takes."""

    def peak(path: Path) -> int:
        checked(path)  # what is made once is made
        tracemalloc.start()
        try:
            checked(path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    (tmp_path / "short").mkdir()
    (tmp_path / "long").mkdir()
    for name, hours in (("short", 1), ("long", 10)):
        night(tmp_path / name, hours).run.kill()
    short, long = peak(tmp_path / "short" / "log.db"), peak(tmp_path / "long" / "log.db")
    assert long < 2 * short + 500_000
