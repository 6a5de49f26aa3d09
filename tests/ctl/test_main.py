"""The command line: which command, which options, what follows from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chargerd.ctl.commands import DEFAULTS, REGISTRY
from chargerd.ctl.errors import Failure
from chargerd.ctl.main import split, zone_of
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "name", "rest"),
    [
        ([], "status", []),
        (["--json"], "status", ["--json"]),
        (["--socket", "log", "mode", "a"], "mode", ["--socket", "log", "a"]),
        (["schedule"], "schedule list", []),
        (["schedule", "--json", "add", "a"], "schedule add", ["--json", "a"]),
        (["device", "read", "shed"], "device read", ["shed"]),
    ],
)
def test_the_first_word_that_is_no_option_is_the_command(words: list[str], name: str, rest: list[str]) -> None:
    """Options of every command may stand before and after it."""
    assert split(words) == (name, rest)


@pytest.mark.parametrize(
    ("word", "says"),
    [("stats", "Did you mean status?"), ("zzz", 'no command "zzz".'), ("device", "say which: list, read")],
)
def test_a_wrong_command_says_what_may_have_been_meant(word: str, says: str) -> None:
    """A script gets no guess, only a suggestion."""
    with pytest.raises(Failure, match=r".") as caught:
        split([word])
    assert caught.value.code == 2
    assert says in caught.value.message


@pytest.mark.parametrize(
    "words",
    [
        ("mode", "bike-1"),
        ("mode", "bike-1", "fast", "--for", "2h", "--until", "18:00"),
        ("target", "full"),
        ("target", "--all", "bike-1", "full"),
        ("set", "bike-1", "max_h"),
        ("set", "bike-1", "=3"),
        ("set", "bike-1", "max_h=1", "max_h=2"),
        ("log", "-n", "0"),
        ("log", "-n", "many"),
        ("log", "--json", "-o", "short"),
        ("status", "--json", "--plain"),
        ("wait", "bike-1", "finnished"),
        ("wait", "bike-1", "charging", "--timeout", "soon"),
        ("status", "--che"),
        ("status", "--color", "pink"),
        ("help", "nothing"),
        ("mode", "bike-1", "\udcff"),
    ],
)
def test_a_wrong_command_line_is_exit_2_and_asks_nothing(folder: Path, run: Run, words: tuple[str, ...]) -> None:
    """Three lines, and the daemon hears nothing of it."""
    with StandIn(folder) as daemon:
        code, out, err = run(*words)
    assert (code, out, daemon.asked) == (2, "", [])
    assert len(err.rstrip("\n").split("\n")) == (1 if "--json" in words else 3)


CHANGES = [
    (("mode", "bike-1", "fast", "--for", "2h"), {"name": "bike-1", "mode": "fast", "until": "+2h"}),
    (
        ("mode", "garage", "off", "--until", "disconnected"),
        {"name": "garage", "mode": "off", "until": "disconnected"},
    ),
    (("mode", "bike-1", "off", "--until", "18:00"), {"name": "bike-1", "mode": "off", "until": "18:00"}),
    (("mode", "bike-1", "solar"), {"name": "bike-1", "mode": "solar"}),
    (("target", "bike-1", "full", "--once"), {"name": "bike-1", "target": "full", "once": True}),
    (("target", "--all", "full", "--dry-run"), {"all": True, "target": "full", "dry_run": True}),
    (
        ("set", "bike-1", "max_h=6", "full_w=4.5", "efficiency=default", "x=nan"),
        {"name": "bike-1", "values": {"max_h": 6, "full_w": 4.5, "efficiency": "default", "x": "nan"}},
    ),
    (("hold",), {}),
    (("hold", "bike-1", "--for", "+45min"), {"name": "bike-1", "until": "+45min"}),
    (("release", "bike-1"), {"name": "bike-1"}),
    (
        ("schedule", "add", "bike-1", "mon-fri", "06:30", "--target", "full"),
        {"name": "bike-1", "days": "mon-fri", "at": "06:30", "target": "full"},
    ),
    (("schedule", "remove", "bike-1.2"), {"entry": "bike-1.2"}),
]


@pytest.mark.parametrize(("words", "parameters"), CHANGES)
def test_a_change_is_asked_as_it_was_typed(
    folder: Path, run: Run, words: tuple[str, ...], parameters: dict[str, object]
) -> None:
    """Times stay as people write them; the daemon reads them."""
    with StandIn(folder) as daemon:
        code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out.count("\n") >= 1
    asked = daemon.last
    assert asked.pop("request")
    assert asked == parameters
    assert daemon.asked[0][0] == "control"


def test_dry_run_prints_the_commands_and_says_that_nothing_was_sent(folder: Path, run: Run) -> None:
    """What would follow at once is listed by device."""
    command = {"kind": "command", "device": "shed/bike-1", "text": "switch on, for 900 s at most"}
    from tests.ctl.answers import changed

    with StandIn(folder, {"SetMode": changed("bike-1: would be fast.", commands=[command])}):
        _, out, _ = run("mode", "bike-1", "fast", "--dry-run")
    assert out == (
        "bike-1: would be fast.\n  would send to shed/bike-1: switch on, for 900 s at most\nNothing was sent.\n"
    )


def test_log_asks_for_what_was_asked(folder: Path, run: Run) -> None:
    """Every option of log reaches the daemon."""
    words = ["log", "bike-1", "-n", "5", "-S", "-2h", "-U", "18:00", "--type", "command,mode", "--by", "anna"]
    with StandIn(folder) as daemon:
        assert run(*words, "--seq", "4700", "--all")[0] == 0
        assert run("log", "--since", "-2h")[0] == 0
    assert daemon.last == {"since": "-2h"}
    assert {key: value for key, value in daemon.asked[0][2].items() if value is not None} == {
        "names": ["bike-1"], "lines": 5, "since": "-2h", "until": "18:00", "types": ["command", "mode"],
        "by": "anna", "seq": 4700, "all": True,
    }  # fmt: skip


def test_utc_and_tz_are_passed_on(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon answers in the zone of the option, else of TZ, else of the site."""
    with StandIn(folder) as daemon:
        run("status")
        monkeypatch.setenv("TZ", "Europe/Berlin")
        run("status")
        run("status", "--utc")
    assert [parameters["zone"] for _, _, parameters in daemon.asked] == [None, "Europe/Berlin", "UTC"]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("", None), ("UTC", "UTC"), (":Europe/Berlin", "Europe/Berlin"), ("CET-1CEST,M3.5.0,M10.5.0/3", None),
        ("/usr/share/zoneinfo/America/Port-au-Prince", "America/Port-au-Prince"), ("/etc/localtime", None),
    ],
)  # fmt: skip
def test_tz_counts_if_it_names_a_zone(text: str, zone: str | None) -> None:
    """Rules in POSIX form and files are left to other programs."""
    assert zone_of({"TZ": text}) == zone


def test_status_imports_little(folder: Path) -> None:
    """Nothing outside the standard library, `protocol` and `ctl`, and none of what makes a start slow."""
    code = (
        "import sys; from chargerd.ctl.main import main; code = main(sys.argv[1:]);"
        "print('\\n'.join(sorted(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    with StandIn(folder):
        done = subprocess.run(
            [sys.executable, "-c", code, "--socket", str(folder), "status"],
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    modules = set(done.stderr.split())
    ours = {name for name in modules if name.partition(".")[0] == "chargerd"}
    assert {name.split(".")[1] for name in ours if "." in name} == {"ctl", "protocol"}
    slow = {"asyncio", "msgspec", "pydantic", "typing", "dataclasses", "inspect", "pathlib", "subprocess", "shutil"}
    assert not modules & slow
    assert "chargerd.protocol.table" not in modules
    installed = {"distutils-precedence", "_distutils_hack", "__editable__", "sitecustomize", "usercustomize"}
    foreign = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) - {"chargerd", "__main__"}
    assert {name for name in foreign if not name.startswith(tuple(installed))} == set()


def test_a_reader_that_goes_away_is_no_traceback(folder: Path) -> None:
    """chargerctl log | head ends quietly."""
    with StandIn(folder):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-m", "chargerd.ctl", "--socket", str(folder), "log"],
            cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
        )  # fmt: skip
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_version_and_help_need_no_daemon(run: Run) -> None:
    """Both print and end well."""
    with pytest.raises(SystemExit) as ended:
        run("--version")
    assert ended.value.code == 0
    assert "understand:" in run("--help")[1]
    for topic in ("exit-codes", "json", "times", "environment", "mode", "schedule"):
        code, out, _ = run("help", topic)
        assert code == 0
        assert out


def test_defaults_are_commands() -> None:
    """A first word alone means a command that there is."""
    assert set(DEFAULTS.values()) <= set(REGISTRY)
