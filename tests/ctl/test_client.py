"""The client: a whole answer or an error with exit code 3, never a success that is none."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from chargerd.ctl.client import Client
from chargerd.ctl.errors import Failure
from chargerd.ctl.main import only_prefix
from chargerd.protocol.framing import CallError, encode
from tests.ctl.answers import REPLIES, answer, status
from tests.ctl.conftest import Run
from tests.ctl.stand_in import Answer, StandIn
from tests.patience import WAIT_S, within

HALF = encode({"parameters": status()})[:400]


def three_lines(text: str) -> list[str]:
    """The lines of an error message, of which there are three."""
    lines = text.rstrip("\n").split("\n")
    assert len(lines) == 3
    assert lines[0].startswith("chargerctl: ")
    assert all(line.startswith("  ") for line in lines[1:])
    return lines


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (b"", "gave no answer"),
        (b"\0", "sent what is no answer"),
        (HALF, "in the middle of the answer"),
        (b"hello\0", "sent what is no answer"),
        (b"[]\0", "sent what is no answer"),
        (b"{}\0", "neither an error nor a text"),
        (b'{"parameters":{}}\0', "neither an error nor a text"),
        (b'{"parameters":null}\0', "neither an error nor a text"),
        (b'{"error":5}\0', "neither an error nor a text"),
        (b'{"parameters":{"text":NaN}}\0', "sent what is no answer"),
        (b"\xff\xfe\0", "sent what is no answer"),
    ],
)
def test_an_answer_that_is_none_is_exit_3(folder: Path, run: Run, broken: bytes, says: str) -> None:
    """Empty, half and garbled answers say three lines on standard error and nothing on standard output."""
    with StandIn(folder, {"GetStatus": broken}):
        code, out, err = run("status")
    assert (code, out) == (3, "")
    assert says in three_lines(err)[0]
    with StandIn(folder, {"GetStatus": broken}):
        assert run("status", "--check")[0] == 3


@pytest.mark.parametrize("missing", ["loadpoints", "problems", "version", "up_s", "site"])
def test_an_answer_of_another_shape_is_exit_3(folder: Path, run: Run, missing: str) -> None:
    """A daemon of another version that leaves a field out is told apart from success."""
    reply = status()
    del reply[missing]
    with StandIn(folder, {"GetStatus": reply}):
        code, out, err = run("status")
    assert (code, out) == (3, "")
    assert "not understood" in three_lines(err)[0]


def test_no_socket_is_exit_3_at_once(run: Run) -> None:
    """Without a daemon nobody waits."""
    with within(1):
        code, out, err = run("status")
    assert (code, out) == (3, "")
    assert "no such socket" in three_lines(err)[0]
    assert "systemctl start chargerd" in err


def _left_behind(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "monitor"))


def test_a_socket_without_a_daemon_is_refused_after_a_few_tries(folder: Path) -> None:
    """A socket file that nobody listens on is an error when patience ends."""
    _left_behind(folder)
    start = time.monotonic()
    with within(2), pytest.raises(Failure, match="connection refused") as caught:
        Client(str(folder), patience_s=0.3).ask("GetStatus")
    assert caught.value.code == 3
    assert time.monotonic() - start >= 0.3


def test_a_daemon_that_restarts_is_waited_for(folder: Path, run: Run) -> None:
    """A refused connection is tried again while the socket file is there."""
    path = folder / "monitor"
    _left_behind(folder)

    def restart() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "new"))
            listener.listen()
            (folder / "new").rename(path)
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(encode({"parameters": status(problems=[])}))

    thread = threading.Timer(0.3, restart)  # long after the first try, long before the last
    thread.start()
    assert run("status", "--check") == (0, "", "")
    thread.join(WAIT_S)


def test_a_change_is_asked_again_under_the_same_id(folder: Path, run: Run) -> None:
    """If the connection breaks before the answer, the second try carries the id of the first."""
    for broken in (b"", encode(REPLIES["SetMode"])[:20]):
        with StandIn(folder, script=[broken]) as daemon:
            code, out, err = run("mode", "bike-1", "fast")
        assert (code, out, err) == (0, "bike-1: fast until 16:20, then off again.\n", "")
        first, second = (parameters["request"] for _, _, parameters in daemon.asked)
        assert first == second
        assert len(first) == 24


def test_a_change_is_asked_twice_at_most(folder: Path, run: Run) -> None:
    """After the second break nobody knows whether it was done, and that is what is said."""
    with StandIn(folder, script=[b"", b"", REPLIES["SetMode"]]) as daemon:
        code, out, err = run("mode", "bike-1", "fast")
    assert (code, out) == (3, "")
    assert "Whether the change was made is not known." in three_lines(err)[1]
    assert len(daemon.asked) == 2


def test_two_changes_have_two_ids(folder: Path, run: Run) -> None:
    """A new call is a new request."""
    with StandIn(folder) as daemon:
        run("hold")
        run("hold")
    first, second = (parameters["request"] for _, _, parameters in daemon.asked)
    assert first != second


def test_a_question_is_asked_once(folder: Path, run: Run) -> None:
    """Only changes are asked again."""
    with StandIn(folder, script=[b"", status()]) as daemon:
        assert run("status")[0] == 3
    assert len(daemon.asked) == 1


def test_a_refused_change_is_not_repeated(folder: Path, run: Run) -> None:
    """An error is an answer."""
    refusal = CallError("Refused", "bike-1 refused 20: at most 12.", "Still 5.", "Limits: chargerctl get bike-1")
    with StandIn(folder, {"SetSetting": refusal}) as daemon:
        code, out, err = run("set", "bike-1", "max_h=20")
    assert (code, out, len(daemon.asked)) == (1, "", 1)
    assert three_lines(err)[0] == "chargerctl: bike-1 refused 20: at most 12."


ERRORS: list[tuple[str, int]] = [
    ("Refused", 1), ("NotRecorded", 1), ("DeviceFailed", 1), ("Failed", 1), ("BadMessage", 1), ("BadValue", 2),
    ("Busy", 3), ("NotPermitted", 4), ("NoSuchLoadpoint", 5), ("NoSuchDevice", 5), ("NoSuchEntry", 5),
]  # fmt: skip


@pytest.mark.parametrize(("name", "code"), ERRORS)
def test_every_error_has_its_exit_code_and_three_lines(folder: Path, run: Run, name: str, code: int) -> None:
    """What the daemon answers is shown as it says it, or as one JSON object on standard error."""
    error = CallError(name, "it was not done.", "It stays as it is.", "Look: elsewhere")
    with StandIn(folder, {"SetMode": error}):
        assert run("mode", "bike-1", "fast") == (
            code, "", "chargerctl: it was not done.\n  It stays as it is.\n  Look: elsewhere\n",
        )  # fmt: skip
        found, out, err = run("mode", "bike-1", "fast", "--json")
    assert (found, out) == (code, "")
    assert json.loads(err) == {
        "kind": "error", "code": code, "error": f"io.chargerd.{name}", "message": "it was not done.",
        "means": "It stays as it is.", "hint": "Look: elsewhere",
    }  # fmt: skip


def test_a_stream_that_ends_is_an_error(folder: Path, run: Run) -> None:
    """watch and log -f end with exit code 3 when the daemon goes away, after what they had."""
    log = answer("log", "", entries=REPLIES["GetLog"]["entries"], cut=False)
    cases: list[tuple[str, Answer, tuple[str, ...]]] = [
        ("Watch", REPLIES["Watch"], ("watch", "--plain")),
        ("GetLog", [log], ("log", "-f")),
    ]
    for method, reply, words in cases:
        with StandIn(folder, {method: reply}):
            code, out, err = run(*words)
        assert code == 3
        assert "bike-1" in out
        three_lines(err)


def test_the_beginning_of_a_name_will_do_on_a_terminal_only(folder: Path, run: Run) -> None:
    """A person may write sc for scooter; a script may not, and nobody may write what fits two."""
    with StandIn(folder) as daemon:
        assert run("status", "sc")[0] == 5
        person = Client(str(folder), choose=only_prefix)
        assert [point["name"] for point in person.ask("GetStatus", names=["sc"])["loadpoints"]] == ["scooter"]
        with pytest.raises(Failure, match='no loadpoint "bike"'):
            person.ask("GetStatus", names=["bike"])
    assert daemon.last == {"names": ["bike"]}


def test_a_corrected_name_is_a_new_request(folder: Path) -> None:
    """The id of a refused request is not used for another name."""
    refusal = CallError("NoSuchLoadpoint", 'no loadpoint "sc".', known=["scooter"], name="sc")
    with StandIn(folder, script=[refusal]) as daemon:
        Client(str(folder), choose=only_prefix).change("SetMode", name="sc", mode="off")
    (_, _, first), (_, _, second) = daemon.asked
    assert (first["name"], second["name"]) == ("sc", "scooter")
    assert first["request"] != second["request"]
