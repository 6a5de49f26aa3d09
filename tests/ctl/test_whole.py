"""Whole: the real chargerctl asks the real control server about a day that was really decided and recorded."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from chargerd.config.profiles import shipped
from chargerd.daemon import replies
from chargerd.daemon.control import ChangeRequest, ControlServer
from chargerd.daemon.discovery import Discovery, Search, wanted
from chargerd.daemon.history import History
from chargerd.daemon.requests import facts_for
from chargerd.model.events import HoldSet, ModeSet
from chargerd.model.settings import Profile, ScheduleEntry
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from tests.days.test_days import flaky
from tests.house import Day, configuration, loadpoint
from tests.patience import WAIT_S

ROOT = Path(__file__).parents[2]
HOUR = 3600


class Hub:
    """A daemon whose clock stands still: requests are carried out at once, in the simulated day."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.reported: list[BaseException] = []
        self.discovery = Discovery(self.report)

    def site(self) -> Site:
        return self.day.run.site

    def now_ms(self) -> int:
        return self.day.clock.now_ms()

    def started_ms(self) -> int:
        return self.day.events[0].at_ms

    def log_reader(self) -> History:
        return History(self.day.path)

    def profiles(self) -> tuple[Profile, ...]:
        return tuple(shipped().values())

    def submit(self, request: ChangeRequest) -> Future[dict[str, Any]]:
        reply: Future[dict[str, Any]] = Future()
        try:
            asked = facts_for(request.method, request.parameters, self.site(), request.by, self.now_ms())
            if asked.facts:
                self.day.run.ask(*asked.facts, by=request.by)
            entry = replies.entry(request.method, asked.entry)
            reply.set_result(replies.changed(asked.text, done=bool(asked.facts), notes=asked.notes, seq=None) | entry)
        except CallError as error:
            reply.set_exception(error)
        return reply

    def search(self, parameters: dict[str, Any], wake: Callable[[], None]) -> Search:
        return self.discovery.begin(*wanted(parameters, self.site()), wake)

    def report(self, error: BaseException) -> None:
        self.reported.append(error)


class Terminal:
    """Runs chargerctl as a process of its own."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.folder = hub, folder

    def __call__(self, *words: str, code: int = 0) -> str:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "COLUMNS": "80"}
        command = [sys.executable, "-m", "chargerd.ctl", "--socket", str(self.folder), *words]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=30, env=env, check=False)
        assert ran.returncode == code, f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}\n{self.hub.reported}"
        return ran.stdout + ran.stderr


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A night: one bike charged and cut off, one charging, one whose plug has gone."""
    entry = ScheduleEntry("b/sat@00:00", "b", (5,), 0, target="full")
    day = Day(
        tmp_path, configuration(loadpoint("a"), loadpoint("b"), schedule=(entry,)), {"a": "rad-nominal", "b": "dead"}
    )
    strip = flaky(day)
    day.until(60)
    day.run.ask(ModeSet("a", "fast", "anna"), ModeSet("b", "fast", "ben"), by="anna")
    day.until(3 * HOUR)
    hub = Hub(day)
    (tmp_path / "run").mkdir()
    server = ControlServer(tmp_path / "run", None, hub)
    server.start()
    made = Terminal(hub, tmp_path / "run")
    made.strip = strip  # type: ignore[attr-defined]  # for tests that break it
    yield made
    server.stop()
    assert hub.reported == []


def test_status_tells_what_was_decided(terminal):
    """One finished, one without a charger, and that is a problem with a next step."""
    text = terminal()
    assert "a " in text
    assert "finished" in text
    assert "cut off" in text
    assert "no charger" in text
    assert terminal("status", "--check", code=6) == ""


def test_why_answers_for_a_loadpoint_at_rest_too(terminal):
    """The sentence with state, since and because; the numbers it rests on."""
    text = terminal("why", "a")
    assert "below 90 W" in text
    reply = json.loads(terminal("--json", "why", "a"))
    assert reply["loadpoint"]["reason"]["code"] == "cutoff-reached"
    assert reply["loadpoint"]["reason"]["seqs"]


def test_why_and_status_answer_for_a_moment_of_the_night(terminal):
    """At 00:30 it charged, from the log; now it has finished. What is wrong now was not wrong then."""
    text = terminal("why", "a", "--at", "00:30")
    assert text.startswith("a was charging at 00:30 (since 00:01) because it drew ")
    assert "mode becomes off" in " ".join(text.split())
    assert "a was finished at 02:00" in terminal("why", "a", "--at", "-1h")
    reply = json.loads(terminal("--json", "status", "--at", "00:30"))
    assert reply["at_local"].endswith("T00:30:00+01:00")
    assert reply["now_local"].endswith("T03:00:00+01:00")
    assert reply["loadpoints"][0]["state"] == "charging"
    assert terminal("--plain", "status", "a", "--at", "00:30").split("\t")[:2] == ["a", "charging"]
    assert terminal("status", "--check", "--at", "00:00") == ""
    assert terminal("status", "--check", code=6) == ""
    assert "as it was 00:30 today" in terminal("status", "--at", "00:30")


def test_why_not_tells_the_way_to_a_state(terminal):
    """What would have to be otherwise for it to charge, or that nothing alone would."""
    assert "if mode becomes fast" in terminal("why", "a", "--not", "charging")
    assert "It is finished already." in terminal("why", "a", "--not", "finished")
    terminal("hold")
    assert "no single change leads there: on hold by" in terminal("why", "a", "--not", "charging")
    assert '"chraging" is no state' in terminal("why", "a", "--not", "chraging", code=2)


def test_moments_that_were_not_are_errors_of_three_lines(terminal):
    """In the future, before the log, no time; and a name that there was not."""
    for at, said in (("+1h", "still to come"), ("yesterday", "the log begins"), ("soon", "is no time")):
        lines = terminal("why", "a", "--at", at, code=2).splitlines()
        assert said in lines[0]
        assert len(lines) == 3
    assert 'no loadpoint "c" at 00:30' in terminal("why", "c", "--at", "00:30", code=5)


def test_log_tells_the_night_in_order(terminal):
    """Request, command, decision; readings are folded unless all are wanted."""
    text = terminal("log", "a", "--since", "today")
    order = [text.index(part) for part in ("mode", "command", "read")]
    assert order[0] < order[1]
    assert "×" in text
    rows = json.loads(terminal("--json", "log", "a", "--since", "today"))["entries"]
    every = json.loads(terminal("--json", "log", "a", "--since", "today", "--all", "-n", "5000"))["entries"]
    assert len(every) > len(rows) > 5
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
    only = json.loads(terminal("--json", "log", "--since", "today", "--by", "anna"))["entries"]
    assert {row["by"] for row in only} == {"anna"}


def test_sessions_are_listed_with_their_outcomes(terminal):
    """Newest first; CSV has a header and as many lines."""
    rows = json.loads(terminal("--json", "sessions"))["sessions"]
    assert {(row["loadpoint"], row["outcome"]) for row in rows} == {("a", "finished"), ("b", "no-charger")}
    assert len(terminal("sessions", "--format", "csv").splitlines()) == 3
    assert {row["cost"] for row in rows} == {None}
    again = json.loads(terminal("sessions", "--format", "json", "--price", "0.5"))
    charged = next(row for row in again["sessions"] if row["loadpoint"] == "a")
    assert charged["cost"] > 0
    assert charged["cost"] == pytest.approx(charged["energy_wh"] / 2000, abs=1e-4)
    assert f"{again['total']['cost']:.2f} EUR." in terminal("sessions", "--price", "0.5")


def test_changes_are_made_once_and_said_in_one_line(terminal):
    """Mode, target, set, hold, release, schedule: each is an event by whoever asked, and asking again says already."""
    assert "fast" in terminal("mode", "a", "fast", "--for", "2h")
    assert terminal.hub.site().loadpoints["a"].session is not None
    assert "already" in terminal("mode", "b", "off")
    assert "70 W" in terminal("set", "a", "nominal_stop_w=70")
    assert terminal.hub.site().loadpoints["a"].session.stop_w == 70
    assert "full" in terminal("target", "a", "full", "--once")
    terminal("hold")
    assert terminal.hub.site().hold is not None
    assert any(isinstance(event.body, HoldSet) and event.body.by for event in terminal.hub.day.events)
    terminal("release")
    terminal("schedule", "add", "a", "mon-fri", "06:30")
    listed = terminal("schedule")
    assert "b/sat@00:00" in listed
    assert "06:30" in listed
    terminal("schedule", "remove", "b/sat@00:00")
    assert "b/sat@00:00" not in terminal("schedule")


def test_mistakes_have_their_exit_codes(terminal):
    """5 for a name there is not, 1 for what is refused, 2 for a wrong command line; nothing is changed."""
    before = terminal.hub.site()
    assert 'no loadpoint "aa"' in terminal("mode", "aa", "fast", code=5)
    assert "Did you mean nominal_stop_w?" in terminal("set", "a", "nominal_stop=70", code=1)
    terminal("mode", "a", code=2)
    terminal("mode", "a", "fast", "--for", "soon", code=2)
    assert terminal.hub.site() == before


def test_failsafe_devices_profiles_and_settings(terminal):
    """What looks after things: the lease, the devices, the shipped profiles with their source, where a value comes from."""
    terminal("mode", "a", "fast")
    assert "unproven" in terminal("failsafe")
    assert "simulated" in terminal("device", "list")
    profiles = json.loads(terminal("--json", "profile", "list"))["profiles"]
    assert all(profile["source"] for profile in profiles if profile["name"] in shipped())
    assert {"default", "rad-48v", "lectric-48v"} <= {profile["name"] for profile in profiles}
    terminal("set", "a", "nominal_stop_w=70")
    shown = terminal("configure", "show", "a")
    assert "70 W" in shown
    assert terminal("get", "a", "state").strip() in ("charging", "suspended_evse", "suspended_ev")


def test_half_a_character_is_refused_and_harms_nobody(terminal):
    """A lone surrogate on either socket is a bad message; the server answers the next question as before."""
    for method in ("GetStatus", "SetMode"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(str(terminal.folder / "control"))
            names = {"names": ["\\ud800"]} if method == "GetStatus" else {"name": "\\ud800", "mode": "fast"}
            text = json.dumps({"method": f"io.chargerd.{method}", "parameters": names}).replace("\\\\", "\\")
            client.sendall(text.encode() + b"\0")
            assert b"BadMessage" in client.recv(65536)
    assert "finished" in terminal()


def test_names_complete(terminal):
    """The shell's completion gets names from the daemon, and nothing when it is down."""
    assert terminal("--complete", "loadpoints").split() == ["a", "b"]
    terminal.folder = terminal.folder / "nowhere"
    assert terminal("--complete", "loadpoints") == ""


def test_daemon_that_is_down_is_exit_code_3_in_three_lines(terminal):
    """What did not happen, what that means, what to do."""
    terminal.folder = terminal.folder / "nowhere"
    lines = terminal("status", code=3).splitlines()
    assert len(lines) == 3
    assert "does not answer" in lines[0] or "not running" in lines[0]
