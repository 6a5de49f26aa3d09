"""configure: a conversation at a terminal, and what is left behind by it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chargerd.ctl.commands.guided import may_write, write
from tests.ctl.answers import PLUGS, REPLIES, discovered
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn
from tests.patience import WAIT_S

ROOT = Path(__file__).parents[3]
GOOD = REPLIES["DraftConfiguration"]


class Talk:
    """chargerctl configure on a terminal of its own; answers are typed when their question has come."""

    def __init__(self, folder: Path, *words: str) -> None:
        own, other = pty.openpty()
        command = [sys.executable, "-m", "chargerd.ctl", "--socket", str(folder), "configure", *words]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
        self.process = subprocess.Popen(command, cwd=folder, env=env, stdin=other, stdout=other, stderr=other)
        os.close(other)
        self._own = own
        self.shown = ""

    def hear(self, question: str) -> None:
        """Wait until this has been said."""
        while question not in self.shown and self._more():
            pass
        assert question in self.shown, self.shown

    def _more(self) -> bool:
        """Whether it said something more before it ended."""
        ready, _, _ = select.select([self._own], [], [], WAIT_S)
        assert ready, f"it waits after: {self.shown}"
        try:
            data = os.read(self._own, 4096)
        except OSError:
            return False  # Linux says EIO when the other end is closed
        self.shown += data.decode(errors="replace")
        return bool(data)

    def say(self, question: str, reply: str) -> None:
        """Answer a question; what was said before it is forgotten."""
        self.hear(question)
        self.shown = self.shown.partition(question)[2]
        os.write(self._own, f"{reply}\n".encode() if reply != "\x04" else b"\x04")

    def end(self) -> int:
        """Hear it out; its exit code."""
        while self._more():
            pass
        os.close(self._own)
        return self.process.wait(20)

    def trike(self) -> None:
        """Configure the first plug with a name, a vehicle, a target and times."""
        self.say("Which?", "1")
        self.say("Name of the loadpoint [battery_trike]", "cargo")
        self.say("Number or name", "rad-48v")
        self.say("Charge to nominal", "full")
        self.say("Only in a window", "22:00-06:00")
        self.say("Begin by itself", "mon-fri 22:30")
        self.say("Time zone", "Europe/Berlin")


@pytest.fixture
def talks(folder: Path) -> Iterator[Callable[..., Talk]]:
    """Begins conversations; one that did not end is ended."""
    begun: list[Talk] = []

    def begin(*words: str) -> Talk:
        begun.append(Talk(folder, *words))
        return begun[-1]

    yield begin
    for talk in begun:
        if talk.process.poll() is None:
            talk.process.kill()
            talk.process.wait(60)


def test_a_conversation_ends_with_a_file_after_a_yes(folder: Path, talks: Callable[..., Talk]) -> None:
    """What was typed reaches the daemon; its draft is shown; nothing is there before the yes."""
    target = folder / "conf.d" / "plugs.toml"
    with StandIn(folder, {"DraftConfiguration": {**GOOD, "file": str(target), "belongs": str(target)}}) as daemon:
        talk = talks()
        talk.trike()
        talk.hear("[device.battery_trike]")
        assert not target.exists()
        talk.say(f"Write this to {target}? [y/N]", "y")
        assert talk.end() == 0
        asked = {method: parameters for _, method, parameters in daemon.asked}
    (point,) = asked["DraftConfiguration"]["points"]
    assert point == {
        "name": "cargo", "vehicle": "rad-48v", "target": "full", "window": "22:00-06:00", "schedule": "mon-fri 22:30",
        "address": "192.168.178.31", "port": 9999, "mac": "50:C7:BF:00:00:01", "login": False, "alias": "battery_trike",
        "channel": "",
    }  # fmt: skip
    assert asked["DraftConfiguration"]["timezone"] == "Europe/Berlin"
    assert asked["TryPlug"]["mac"] == "50:C7:BF:00:00:01"
    assert target.read_text() == GOOD["configuration"]
    assert "systemctl reload chargerd" in talk.shown


def test_what_is_not_understood_is_asked_again(folder: Path, talks: Callable[..., Talk]) -> None:
    """With what would be; a name that is taken too."""
    with StandIn(
        folder, {"DraftConfiguration": {**GOOD, "file": str(folder / "x.toml"), "belongs": str(folder / "x.toml")}}
    ):
        talk = talks()
        talk.say("Which?", "9")
        talk.say("write numbers from 1 to", "1")
        talk.say("Name of the loadpoint", "bike-1")
        talk.say("there is a loadpoint bike-1 already", "my cargo")
        talk.say("a name is made of", "cargo")
        talk.say("Number or name", "rad")
        talk.say("one of: ", "1")
        talk.say("Charge to nominal", "half")
        talk.say("one of: nominal, full, storage", "")
        talk.say("Only in a window", "at night")
        talk.say("write 22:00-06:00", "foo 22:00-06:00")
        talk.say("write 22:00-06:00", "")
        talk.say("Begin by itself", "soon")
        talk.say("write 00:00", "frei 00:00")
        talk.say("write 00:00", "sat,mon-wed 00:00")
        talk.say("Time zone", "Mars/Phobos")
        talk.say("write a zone such as Europe/Berlin", "Europe/Berlin")
        talk.say("[y/N]", "n")
        assert talk.end() == 0
        assert "Nothing was written" in talk.shown
    assert not (folder / "x.toml").exists()


def test_a_site_that_has_a_time_zone_is_not_asked_for_another(folder: Path, talks: Callable[..., Talk]) -> None:
    """The new file lies beside the others, and what it said of the site would count for all of them."""
    draft = {**GOOD, "file": str(folder / "x.toml"), "timezone": "Europe/Berlin"}
    with StandIn(folder, {"DraftConfiguration": draft}) as daemon:
        talk = talks()
        talk.say("Which?", "1")
        talk.hear("battery_trike (HS110")
        assert "\nbattery_trike (HS110" in talk.shown.replace("\r", "")
        assert "?battery_trike" not in talk.shown
        talk.say("Name of the loadpoint", "cargo")
        for question, answer in (("Number or name", ""), ("Charge to", ""), ("Only in", ""), ("Begin by", "sat 00:00")):
            talk.say(question, answer)
        talk.say("[y/N]", "y")
        assert talk.end() == 0
        zones = [parameters["timezone"] for _, method, parameters in daemon.asked if method == "DraftConfiguration"]
    assert zones == [None]
    assert "Time zone" not in talk.shown


def test_leaving_writes_nothing(folder: Path, talks: Callable[..., Talk]) -> None:
    """Ctrl-D and Ctrl-C at any question."""
    with StandIn(folder):
        talk = talks()
        talk.say("Which?", "\x04")
        assert talk.end() == 0
        assert "Nothing was written" in talk.shown
        talk = talks()
        talk.hear("Which?")
        talk.process.send_signal(signal.SIGINT)
        assert talk.end() == 130
        assert "Nothing was written" in talk.shown


def test_a_plug_that_wants_a_login_says_how_to_store_it(folder: Path, talks: Callable[..., Talk]) -> None:
    """It is not read; the draft names the secrets, and they are to be stored before the restart."""
    draft = {**GOOD, "file": str(folder / "x.toml"), "secrets": ["kasa-password", "kasa-user"]}
    with StandIn(folder, {"Discover": (discovered(PLUGS[4:]),), "DraftConfiguration": draft}) as daemon:
        talk = talks()
        talk.say("Which?", "1")
        talk.say("It wants a login", "")
        talk.end()
        assert "Nothing was written" in talk.shown
        talk = talks()
        talk.say("Which?", "1")
        talk.hear("Third-Party Compatibility")
        talk.say("[y/N]", "yes")
        talk.say("Name of the loadpoint:", "tapo")
        for question in ("Number or name", "Charge to", "Only in", "Begin by itself"):
            talk.say(question, "")
        talk.say("[y/N]", "y")
        assert talk.end() == 0
        assert "TryPlug" not in [method for _, method, _ in daemon.asked]
    assert "/etc/chargerd/secrets/kasa-user" in talk.shown
    assert "systemctl restart chargerd" in talk.shown


def test_a_draft_that_would_not_load_is_not_offered(folder: Path, talks: Callable[..., Talk]) -> None:
    """The mistakes are told, and nothing is written."""
    mistake = {"kind": "mistake", "place": "the new file:3", "text": "is no time zone", "allowed": ""}
    with StandIn(folder, {"DraftConfiguration": {**GOOD, "mistakes": [mistake]}}):
        talk = talks()
        talk.trike()
        assert talk.end() == 1
    assert "the new file:3: is no time zone" in talk.shown
    assert "[y/N]" not in talk.shown


def test_nothing_to_configure_says_so(folder: Path, talks: Callable[..., Talk]) -> None:
    """Only a lamp's plug without a meter."""
    with StandIn(folder, {"Discover": (discovered(PLUGS[1:2]),)}):
        talk = talks()
        assert talk.end() == 1
    assert "no plug with a meter that could be configured" in talk.shown


def test_a_script_is_refused_plainly(folder: Path, run: Run) -> None:
    """Without a terminal nobody can answer; nothing is asked of the daemon."""
    with StandIn(folder) as daemon:
        for words in ((), ("--json",), ("--plain",)):
            code, out, err = run("configure", *words)
            assert (code, out) == (2, "")
            assert "needs a terminal" in err
        assert daemon.asked == []


def test_a_file_that_is_there_is_kept_beside_the_new_one(folder: Path) -> None:
    """And one that cannot be written is left as it is."""
    path = folder / "chargerd.toml"
    path.write_text("old")
    write(str(path), "new")
    assert (path.read_text(), (folder / "chargerd.toml.bak").read_text()) == ("new", "old")
    assert sorted(os.listdir(folder)) == ["chargerd.toml", "chargerd.toml.bak"]
    assert may_write(str(folder / "not" / "yet" / "there.toml"))
    assert not may_write(str(path / "there.toml"))


def test_where_one_may_not_write_the_file_lies_beside_and_the_command_is_said(
    folder: Path, talks: Callable[..., Talk]
) -> None:
    """The last step is a line with sudo."""
    (folder / "closed").write_text("no folder, which not even root can write into")
    wanted = folder / "closed" / "conf.d" / "plugs.toml"
    with StandIn(folder, {"DraftConfiguration": {**GOOD, "file": str(wanted), "belongs": str(wanted)}}):
        talk = talks()
        talk.trike()
        talk.say("[y/N]", "y")
        assert talk.end() == 0
    assert (folder / "plugs.toml").read_text() == GOOD["configuration"]
    assert f"sudo install -D -m 644 {folder}/plugs.toml {wanted}" in talk.shown


def test_a_file_of_ones_own_is_checked_and_put_where_chargerd_reads_it(
    folder: Path, talks: Callable[..., Talk]
) -> None:
    """What is written with --output elsewhere changes nothing by itself: to reload would tell nothing."""
    mine, read = folder / "mine.toml", folder / "conf.d" / "plugs.toml"
    with StandIn(folder, {"DraftConfiguration": {**GOOD, "file": str(mine), "belongs": str(read)}}):
        talk = talks("--output", str(mine))
        talk.trike()
        talk.say(f"Write this to {mine}? [y/N]", "y")
        assert talk.end() == 0
    steps = [line.strip() for line in talk.shown.split("Written: ")[1].splitlines() if line.strip()][1:]
    assert steps == [
        f"sudo install -D -m 644 {mine} {read}",
        "chargerctl configure check",
        "sudo systemctl reload chargerd",
    ]
