"""Commands: verify, export and bundle as they are called: what is printed, the exit code, and errors of three lines."""

from __future__ import annotations

import csv
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from chargerd.__main__ import main
from chargerd.ctl.commands.bundle import COMMANDS as BUNDLE
from chargerd.ctl.commands.export import COMMANDS as EXPORT
from chargerd.ctl.commands.verify import FIELDS
from chargerd.model.events import ChargerRead
from chargerd.store.reader import open_reader
from tests.daemon.hub import Household, serving
from tests.sim.nights import HOUR, copy_of, night, tamper

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """The folder of a night's log."""
    folder = tmp_path_factory.mktemp("night")
    night(folder).run.kill()
    return folder


@pytest.fixture
def state(recorded, tmp_path) -> Path:
    """A copy of that folder."""
    (tmp_path / "state").mkdir()
    copy_of(recorded / "log.db", tmp_path / "state")
    return tmp_path / "state"


def control(*words: object, code: int = 0, cwd: Path = ROOT, **options: object) -> subprocess.CompletedProcess[str]:
    """Run chargerctl as a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": "", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "chargerd.ctl", *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, cwd=cwd, check=False, **options)
    assert ran.returncode == code, f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


def test_chargerctl_verify_says_in_a_few_lines_that_all_is_well(state):
    """Needs no daemon; the one that does not run is named, and nothing is on standard error."""
    ran = control("verify", "--state", state, "--socket", state)
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["Log", "Replay", "Explains", "Sessions", "Snapshot"]
    assert lines[0].endswith("events since 2024-03-04, chain intact")
    assert f"no chargerd runs at {state}" in lines[1]
    assert ran.stderr == ""
    assert control("verify", "--state", state, "-q").stdout == ""
    assert (
        control("verify", "--state", state, "--utc").stdout.splitlines()[0].endswith("since 2024-03-03, chain intact")
    )


def test_the_running_daemon_is_asked(tmp_path):
    """Over its monitor socket: replay comes to the running state, which goes on meanwhile."""
    (tmp_path / "run").mkdir()
    day = night(tmp_path, 0.5, stop=False)
    hub = Household(day)
    with serving(tmp_path / "run", hub):
        said = control("verify", "--state", tmp_path, "--socket", tmp_path / "run").stdout
        assert "Replay   state equal to the running one\n" in said
        day.until(HOUR)
        reply = json.loads(control("verify", "--state", tmp_path, "--socket", tmp_path / "run", "--json").stdout)
    assert reply["running"] is True
    assert reply["running_seq"] == day.run.site.seq
    assert hub.reported == []
    day.run.kill()


def test_json_has_exactly_the_documented_fields(state, capsys, tmp_path):
    """Of a sound log, a damaged one, a bundle, and of what makes files."""
    assert main(["verify", "--state", str(state), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(FIELDS)
    bundle = str(tmp_path / "b")
    assert main(["bundle", "--state", str(state), "--since", "2024-03-04 00:30", bundle, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(BUNDLE["bundle"].fields)
    assert main(["verify", bundle, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(FIELDS)
    assert main(["export", "log", "--state", str(state), str(tmp_path / "c.db"), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(EXPORT["export log"].fields)
    tamper(state / "log.db", "UPDATE events SET boot = 9 WHERE seq = 700")
    assert main(["verify", "--state", str(state), "--json"]) == 6
    reply = json.loads(capsys.readouterr().out)
    assert set(reply) == set(FIELDS)
    assert not reply["intact"]
    assert reply["damage"][0]["first_seq"] <= 700 <= reply["damage"][0]["last_seq"]


def test_a_damaged_log_is_exit_code_6_with_where_what_and_what_to_do(state):
    """Four things: the place, what is lost, what holds, what to do; the rest is checked all the same."""
    tamper(state / "log.db", "DELETE FROM events WHERE seq = 700")
    said = control("verify", "--state", state, code=6).stdout
    assert "damaged in 1 place" in said
    for label in ("  Bad    events 69", "  Lost   1 event gone;", "  Holds  the 69", "  Do     keep this file"):
        assert label in said
    assert "Replay   of events 1 to 69" in said


@pytest.mark.parametrize("command", ["verify", "export log copy.db", "export readings", "bundle --since -9000d b"])
@pytest.mark.parametrize("json_", [False, True])
def test_a_log_that_cannot_be_used_is_refused_in_three_lines_or_as_json(state, tmp_path, command, json_):
    """A newer version: exit code 1, nothing is made; the same as one object for programs."""
    tamper(state / "log.db", "PRAGMA user_version = 9999")
    words = [*command.split(), "--state", state, *(["--json"] if json_ else [])]
    ran = control(*words, code=1, cwd=tmp_path)
    assert ran.stdout == ""
    if json_:
        error = json.loads(ran.stderr)
        assert (error["kind"], error["code"]) == ("error", 1)
        assert "newer chargerd" in error["message"]
        assert error["hint"]
    else:
        lines = ran.stderr.splitlines()
        assert len(lines) == 3
        assert "newer chargerd (log version 9999" in lines[0]
        assert lines[1] == "  Nothing was changed; charging is not affected."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("verify --state nowhere", 1, "there is no log nowhere/log.db"),
        ("verify nowhere.bundle", 1, "there is no file nowhere.bundle"),
        ("verify state/log.db", 1, "is no bundle of chargerd"),
        ("verify b --since today", 2, "a bundle is checked whole"),
        ("verify --state state --since soon", 2, '"soon" is no time'),
        ("verify --state state --plain", 2, "--plain has no rows"),
        ("export log", 2, "COPY.db"),
        ("export", 2, "say which: log, readings, sessions"),
        ("export log state/log.db --state state --force", 1, "is the log itself"),
        ("export log nowhere/c.db --state state", 1, "was not made: no such file"),
        ("export readings garage --state state", 5, 'nothing in this log is called "garage"'),
        ("export readings --format xml --state state", 2, "invalid choice"),
        ("bundle --state state b", 2, "say from when"),
        ("bundle --state state --since 2025-01-01 b", 1, "nothing was recorded in that time"),
        ("bundle --state state --since 2024-03-04 nowhere/b", 1, "was not made: no such file"),
    ],
)
def test_wrong_use_has_three_lines_and_changes_nothing(state, words, code, said):
    """What did not happen, what that means, what to do."""
    before = sorted(path.name for path in state.parent.rglob("*"))
    ran = control(*words.split(), code=code, cwd=state.parent)
    lines = ran.stderr.splitlines()
    assert said in lines[0]
    assert 2 <= len(lines) <= 3
    left = sorted(path.name for path in state.parent.rglob("*") if not path.name.endswith(("-shm", "-wal")))
    assert left == before


def test_a_log_that_may_not_be_read_is_exit_code_4(state, capsys):
    """The log is for root and its group; who is neither is told so, whether the file or the folder is closed to them."""
    main(["verify", "--state", str(state)])  # afterwards all modules are loaded, and nobody but root may load more
    me = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(state / "log.db", folder)
        (folder / "log.db").chmod(0)
        for mode in (0o755, 0o000):
            folder.chmod(mode)
            try:
                if me == 0:
                    os.seteuid(65534)
                assert main(["verify", "--state", name]) == 4
            finally:
                os.seteuid(me)
            said = capsys.readouterr().err.splitlines()
            assert said[0].startswith("chargerd: you may not read")
            assert "sudo" in said[2]
        folder.chmod(0o755)


def test_a_copy_verifies_and_says_so(state, tmp_path):
    """`export log`, then `verify --log`: the same events; a second time the file is there already."""
    assert "Check it: chargerctl verify --log" in control("export", "log", tmp_path / "c.db", "--state", state).stdout
    assert "chain intact" in control("verify", "--log", tmp_path / "c.db").stdout
    with open_reader(tmp_path / "c.db") as copy, open_reader(state / "log.db") as log:
        assert list(copy.read()) == list(log.read())
    assert "--force" in control("export", "log", tmp_path / "c.db", "--state", state, code=1).stderr
    control("export", "log", tmp_path / "c.db", "--state", state, "--force")


def test_tables_go_to_standard_output_from_a_time_to_a_time(state):
    """A quarter of an hour of one plug, as CSV and as lines of JSON; times are the site's going in, UTC coming out."""
    span = ("--since", "2024-03-04 00:15", "--until", "2024-03-04 00:30", "--state", state)
    text = control("export", "readings", "annas-bike", *span).stdout
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) > 20
    assert rows[0]["at"] >= "2024-03-03T23:15:00.000Z"
    assert rows[-1]["at"] <= "2024-03-03T23:30:00.000Z"
    lines = control("export", "readings", "annas-bike", *span, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [int(row["seq"]) for row in rows]
    assert control("export", "readings", "annas-bike", *span, "--json").stdout.splitlines() == lines
    (session,) = control("export", "sessions", "--state", state, "--format", "json").stdout.splitlines()
    assert json.loads(session)["loadpoint"] == "bens-cargo"


def test_a_bundle_is_made_checked_and_looked_into(state, tmp_path):
    """It says what was taken out and what is still in it; whoever has the file can decide it again."""
    path = tmp_path / "night.chargerd-bundle"
    said = control(
        "bundle", path, "--since", "2024-03-04 00:20", "--until", "2024-03-04 01:00", "--state", state
    ).stdout
    assert "Taken out: names of site, loadpoints" in said
    assert "Still in it: dates and times of day" in said
    lines = control("verify", path).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["Bundle", "Replay", "Explains"]
    data = path.read_bytes()
    path.write_bytes(data[:500] + b"\xff\xff\xff" + data[503:])
    assert "is not what was made" in control("verify", path, code=6).stderr


def test_a_damaged_stretch_is_not_bundled(state, tmp_path):
    """The range before it is; nothing is left of the one with it."""
    tamper(state / "log.db", "UPDATE events SET boot = 9 WHERE seq = 1000")
    span = ("--since", "2024-03-04 00:00", "--state", state)
    assert "is damaged in that time" in control("bundle", tmp_path / "b", *span, code=6).stderr
    assert not (tmp_path / "b").exists()
    control("bundle", tmp_path / "b", *span, "--until", "2024-03-04 00:30")


def test_a_full_disk_under_the_output_is_said(state):
    """Half a table is not a success."""
    with Path("/dev/full").open("w") as out:
        command = [sys.executable, "-m", "chargerd", "export", "readings", "--state", str(state)]
        ran = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=30, check=False)
    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr
    assert len(ran.stderr.splitlines()) == 3


def test_a_reader_that_goes_away_is_no_traceback(state):
    """export readings | head ends quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "chargerd", "export", "readings", "--state", str(state)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=30, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_terminal_that_watches_has_its_line_taken_away_again(tmp_path, monkeypatch):
    """Progress goes to standard error where that is a terminal, and never into the result."""
    night(tmp_path, 0.2).run.kill()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = "import chargerd.sim.progress as p; p.EVERY_S = 0.0; from chargerd.__main__ import main; main()"
    own, other = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-c", program, "verify", "--state", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=other, timeout=30, check=True,
    )  # fmt: skip
    os.close(other)
    shown = os.read(own, 65536).decode()
    os.close(own)
    assert "digests 100 %" in shown
    assert "events/s" in shown
    assert shown.endswith("\r\033[K")
    assert b"\033" not in ran.stdout


def test_export_readings_goes_on_behind_damage_and_says_what_is_missing(state, recorded):
    """A reading is gone: all others are in the table, the warning is on standard error, and the exit code is 6."""
    with open_reader(state / "log.db") as log:
        bad = next(event.seq for event in log.read(200) if isinstance(event.body, ChargerRead))
    whole = control("export", "readings", "--state", recorded).stdout.splitlines()
    tamper(state / "log.db", f"DELETE FROM events WHERE seq = {bad}")
    ran = control("export", "readings", "--state", state, code=6)
    assert ran.stdout.splitlines() == [line for line in whole if line.split(",")[1] != str(bad)]
    assert ran.stderr.splitlines()[0] == f"chargerd: the log is damaged: readings among events {bad} to {bad} are lost."
    assert len(ran.stderr.splitlines()) == 3


def test_export_of_a_damaged_log_makes_the_copy_and_says_so(state, tmp_path):
    """The file is there and holds the same; three lines on standard error, exit code 6."""
    tamper(state / "log.db", "UPDATE events SET source = 'x' WHERE seq = 100")
    ran = control("export", "log", tmp_path / "copy.db", "--state", state, code=6)
    assert (tmp_path / "copy.db").is_file()
    assert "events, up to" in ran.stdout
    assert "the log is damaged from event" in ran.stderr
    assert len(ran.stderr.splitlines()) == 3


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut off"])
def test_verify_leaves_nothing_beside_a_copy(recorded, tmp_path, cut):
    """As it was handed over, so it stays."""
    copy = tmp_path / "alone" / "copy.db"
    copy.parent.mkdir()
    shutil.copy(recorded / "log.db", copy)
    if cut:
        os.truncate(copy, copy.stat().st_size // 2)
    control("verify", "--log", copy, code=6 if cut else 0)
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]


@pytest.mark.parametrize("module", ["chargerd.store.copies", "chargerd.sim.bundle", "chargerd.daemon.times"])
def test_ctrl_c_at_the_very_beginning_leaves_no_traceback(state, tmp_path, module):
    """The key is pressed while the program is still being loaded, at the import of one of its parts."""
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from chargerd.__main__ import main\n"
        f"sys.exit(main(['bundle', '--state', {str(state)!r}, '--since', '2024-03-04', {str(tmp_path / 'b')!r}]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert (ran.returncode, ran.stderr) == (130, "")


def test_verify_of_a_time_in_which_nothing_happened_says_so(state):
    """Not "0 events, chain intact", as if something had been found whole."""
    ran = control("verify", "--state", state, "--socket", state, "--since", "2025-01-01")
    assert ran.stdout.splitlines()[0] == "Log      no events in that time: nothing of the log was looked at"
