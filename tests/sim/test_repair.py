"""Repair: what is made from events is made again from them, when it is wrong and nobody else has the log."""

from __future__ import annotations

import json
import os

import pytest
from msgspec import structs

from chargerd.__main__ import main
from chargerd.daemon.past import replayed
from chargerd.engine import VERSION
from chargerd.model.state import Site
from chargerd.sim.repair import repaired
from chargerd.store import sealing, sessions, snapshots
from chargerd.store.errors import LogUnusable
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.sim.nights import night, tamper
from tests.sim.test_checks import checked, log, recorded
from tests.sim.test_checks_sealed import sealed, small
from tests.store.streams import transaction

__all__ = ["log", "recorded", "small"]  # fixtures

SPOILED = {
    "gone": "DELETE FROM sessions",
    "torn": "UPDATE sessions SET data = '{'",
    "changed": 'UPDATE sessions SET data = replace(data, \'"by":"\', \'"by":"x\')',
    "misfiled": "UPDATE sessions SET loadpoint = 'elsewhere'",
    "made up": "INSERT INTO sessions SELECT 5, loadpoint, started_at, ended_at - 5, data FROM sessions",
}


def rows(log, table: str) -> list[tuple[object, ...]]:
    with open_reader(log) as reader:
        return reader.query(f"SELECT * FROM {table}")


def table(log) -> list[tuple[object, ...]]:
    """The table of sessions, what is in a row as what it says: the same may be written in another order."""
    return [(*row[:4], sessions.restored(row[4])) for row in rows(log, "sessions")]


def states(log) -> list[Site | None]:
    """The stored states, likewise."""
    with open_reader(log) as reader:
        return [snapshots.newest(reader, VERSION, seq) for seq, *_ in rows(log, "snapshots")]


def forge_snapshot(log) -> int:
    """Change the oldest stored state, checksum and all; the event after which it is."""
    with Log(log) as writer:
        (seq,) = writer.query("SELECT min(seq) FROM snapshots")[0]
        site = snapshots.newest(writer, VERSION, seq)
        assert site is not None
        writer.save(snapshots.saving(structs.replace(site, t_ms=site.t_ms + 1), VERSION))
    return int(seq)


@pytest.mark.parametrize("statement", SPOILED.values(), ids=SPOILED)
def test_a_wrong_session_is_made_again_and_named(log, capsys, statement):
    """First verify says what is wrong and what would help; with --repair the table is as it was, and the log verifies."""
    whole, events = table(log), rows(log, "events")
    tamper(log, statement)
    assert main(["verify", "--log", str(log)]) == 6
    said = capsys.readouterr().out
    assert "the table of sessions is wrong" in said
    assert "  Do     sudo systemctl stop chargerd; then the same command with --repair makes them again" in said
    assert table(log) != whole

    assert main(["verify", "--log", str(log), "--repair"]) == 0
    number = 5 if "SELECT 5" in statement else whole[0][0]
    assert capsys.readouterr().out.splitlines()[-1] == f"Repaired session {number}: made again from the events"
    assert (table(log), rows(log, "events")) == (whole, events)
    assert main(["verify", "--log", str(log)]) == 0
    assert "Repaired" not in capsys.readouterr().out


def test_a_wrong_snapshot_is_made_again_and_the_others_stay(log, capsys):
    """One that was forged and one that cannot be read; sessions, which were right, are not touched."""
    whole, listed = states(log), rows(log, "sessions")
    forged = forge_snapshot(log)
    newest = max(seq for seq, *_ in rows(log, "snapshots"))
    tamper(log, f"UPDATE snapshots SET state = x'00' WHERE seq = {newest}")
    assert main(["verify", "--log", str(log), "--repair", "--json"]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert (reply["repair"], reply["snapshots_repaired"], reply["sessions_repaired"]) == ("done", [forged, newest], [])
    assert states(log) == whole
    assert rows(log, "sessions") == listed


def test_where_nothing_is_wrong_nothing_is_written(log, capsys):
    """And that is said."""
    before = [rows(log, table) for table in ("events", "sessions", "snapshots")]
    assert main(["verify", "--log", str(log), "--repair"]) == 0
    assert "Repaired nothing: no table is wrong that can be made again" in capsys.readouterr().out
    assert [rows(log, table) for table in ("events", "sessions", "snapshots")] == before


def test_a_log_that_a_daemon_writes_is_not_repaired(tmp_path, capsys):
    """Three lines and the way; nothing is changed, and the daemon goes on."""
    day = night(tmp_path, 0.5, stop=False)
    day.run.log.save(lambda db: db.execute("UPDATE sessions SET data = '{'"))
    torn = rows(tmp_path / "log.db", "sessions")
    assert main(["verify", "--state", str(tmp_path), "--repair"]) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith("chargerd: nothing was repaired: chargerd runs")
    assert lines[1] == "  Nothing was changed; charging is not affected."
    assert "systemctl stop chargerd" in lines[2]
    assert len(lines) == 3
    assert rows(tmp_path / "log.db", "sessions") == torn
    day.until(0.6 * 3600)
    day.run.kill()


def test_tables_are_not_made_of_damaged_events(log, capsys):
    """A changed reading: replay would make up what it cannot know, so the table stays and the reason is said."""
    tamper(log, "UPDATE events SET boot = 7 WHERE seq = 100")
    tamper(log, "DELETE FROM sessions")
    assert main(["verify", "--log", str(log), "--repair"]) == 6
    said = capsys.readouterr().out
    assert "Repaired nothing: the events are damaged, and from events the tables are made" in said
    assert "--repair makes" not in said
    assert rows(log, "sessions") == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--since", "today"], 2, "--repair does not go with --since"),
        (["some.bundle"], 2, "BUNDLE does not go with --repair"),
        (["--log", "nowhere/log.db"], 1, "there is no log nowhere/log.db"),
    ],
)
def test_only_a_whole_log_is_repaired(tmp_path, monkeypatch, capsys, words, code, said):
    """A part, a bundle, and a log that is not there are refused, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nowhere").mkdir()
    assert main(["verify", "--repair", "--state", str(tmp_path), *words]) == code
    assert said in capsys.readouterr().err
    with pytest.raises(LogUnusable):
        repaired(tmp_path / "log.db", lambda _what, _seq: None)
    assert [path.name for path in tmp_path.rglob("*")] == ["nowhere"]


def test_a_session_of_readings_that_were_given_up_stays_torn_and_is_not_made_up(log, capsys):
    """What the table alone knew is lost; that is said, and no help is promised that there is not."""
    packed = sealed(log)
    with Log(log) as writer:
        ends_ms = writer.query("SELECT ended_at FROM sessions")[0][0]
        end_seq = next(last for first, last, _, _ in packed if first > writer.seq_at(ends_ms))
        old = [batch for batch in writer.batches(1, end_seq) if batch.chunk is not None]
        ground = next(site for site in replayed(writer, snapshots.ground(writer)) if site.seq == end_seq)
        more = transaction(writer.last_seq + 1, sealing.dropped(old), at_ms=1 << 41)
        also = [lambda db: sealing.drop(db, old), snapshots.saving_ground(ground)]
        writer.append(more, durable=True, also=also)
    assert main(["verify", "--log", str(log)]) == 0
    assert [first for first, _ in checked(log).replayed] == [end_seq + 1]
    capsys.readouterr()
    tamper(log, "UPDATE sessions SET data = '{'")
    assert main(["verify", "--log", str(log), "--repair"]) == 6
    said = capsys.readouterr().out
    assert "readings of its time were given up" in said
    assert "Repaired nothing: no table is wrong that can be made again" in said
    assert "--repair makes" not in said
    with open_reader(log) as reader:
        assert len(sessions.listed(reader)[1]) == 1


def test_a_lock_made_by_a_repair_is_the_daemons(log):
    """Root repairs, and the daemon, which is not root, can still take its lock."""
    if os.geteuid() == 0:
        os.chown(log, 65534, 65534)
    log.with_name("log.db.lock").unlink(missing_ok=True)
    tamper(log, "DELETE FROM sessions")
    assert main(["verify", "--log", str(log), "--repair", "-q"]) == 0
    lock, file = log.with_name("log.db.lock").stat(), log.stat()
    assert (lock.st_uid, lock.st_gid) == (file.st_uid, file.st_gid)
    assert checked(log).sound
