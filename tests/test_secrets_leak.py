"""Secrets: a login goes to its device and nowhere else. A marker in every credential is looked for in all that is left."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chargerd.drivers.simulated import Socket, Steady
from chargerd.engine import VERSION
from chargerd.model import codec
from chargerd.model.events import ChargerRead, ConfigLoaded, DeviceLost, ReadFailed
from chargerd.protocol.framing import REPLY_LIMIT, Messages, call
from chargerd.sim.wire.kasa import SimulatedPlug
from chargerd.sim.wire.klap import Login
from chargerd.sim.wire.web import Reply
from chargerd.store import snapshots
from chargerd.store.reader import open_reader
from tests.daemon.lives import live
from tests.drivers.test_kasa_faults import locked_plug
from tests.patience import WAIT_S
from tests.sim.wire.bench import Bench
from tests.sim.wire.garage import garage

SECRETS = {"user": "marker-owner-4711@example.com", "pass": "marker-Password-0815"}
FORMS = [
    form
    for secret in SECRETS.values()
    for form in (
        secret.encode(),
        b64encode(secret.encode()),
        secret.encode().hex().encode(),
        secret.encode("utf-16-le"),
    )
]
MARKERS = [b"marker", *FORMS]
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("GetStatus", {}),
    ("GetDevices", {}),
    ("GetConfiguration", {}),
    ("GetFailsafe", {}),
    ("GetWhy", {"name": "bike"}),
    ("GetLog", {"all": True}),
]
CONFIGURATION = """\
[device.shed]
driver = "kasa"
host = "{host}"
port = {port}
timeout_s = 3
username = {{ credential = "user" }}
password = {{ credential = "pass" }}

[loadpoint.bike]
charger = "shed"
"""


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An empty table; what is put on it is stopped at the end."""
    with ExitStack() as stack:
        yield Bench(stack)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both secrets in it; every transaction leaves a snapshot."""
    monkeypatch.setattr("chargerd.daemon.recorder.SNAPSHOT_EVENTS", 1)
    (tmp_path / "secrets").mkdir()
    for name, secret in SECRETS.items():
        (tmp_path / "secrets" / f"secret_{name}").write_text(secret)
    return tmp_path


def configure(home: Path, host: str, port: int = 9999) -> None:
    """A device that wants both secrets."""
    (home / "chargerd.toml").write_text(CONFIGURATION.format(host=host, port=port))


def answer(home: Path, method: str, parameters: dict[str, Any]) -> bytes:
    """What the running daemon answers to anybody who asks, as it goes over the wire."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(home / "run" / "monitor"))
        client.sendall(call(method, parameters))
        messages, came = Messages(REPLY_LIMIT), b""
        while messages.next() is None:
            data = client.recv(65536)
            assert data, method
            came += data
            messages.feed(data)
    return came


def life(home: Path, stop_at: str) -> bytes:
    """All that one life of the daemon leaves behind or says: journal, files, log, snapshot, answers."""
    answers: list[bytes] = []
    files: list[bytes] = []

    def look() -> None:
        answers.extend(answer(home, *question) for question in QUESTIONS)
        files.extend(path.read_bytes() for path in (home / "state").iterdir())  # with the write-ahead file still there

    status, journal = live(home, stop_at, look)
    assert status == 0, journal
    assert len(answers) == len(QUESTIONS)
    assert not [each for each in answers if b"error" in each[:20]], answers
    files.extend(path.read_bytes() for path in (home / "state").iterdir())
    with open_reader(home / "state" / "log.db") as log:
        facts = [codec.encode(event.body) for event in log.read()]
        snapshot = snapshots.newest(log, VERSION)
    assert snapshot is not None
    assert any(b"/etc/" in fact or b"chargerd.toml" in fact for fact in facts), "the configuration is in the log"
    return b"\n".join([journal.encode(), *files, *answers, *facts, repr(snapshot).encode()])


def recorded(home: Path, kind: type) -> list[Any]:
    """The facts of a kind in the log."""
    with open_reader(home / "state" / "log.db") as log:
        return [event.body for event in log.read() if isinstance(event.body, kind)]


def test_the_forms_would_be_found():
    """The search is not blind: each form is found in a text that holds it."""
    assert all(any(marker in b"x" + form + b"y" for marker in MARKERS) for form in FORMS)


def test_a_device_that_refuses_our_login_leaves_no_trace_of_it(home):
    """A plug that knows another password: the journal says what to do, the log that access was denied."""
    configure(home, "127.0.0.53")
    with locked_plug("127.0.0.53"):
        left = life(home, stop_at="refuses the login")
    assert [fact.error for fact in recorded(home, DeviceLost)] == ["access-denied"]
    assert b"credential" not in codec.encode(recorded(home, ConfigLoaded)[0])
    assert [marker for marker in MARKERS if marker in left] == []


def test_a_device_that_takes_our_login_leaves_no_trace_of_it(home):
    """An open plug, read and recorded with a login that it does not need."""
    plug = SimulatedPlug(Socket(Steady(44.0), on=True), now_s=lambda: 1_800_000_000.0, host="127.0.0.54")
    plug.start()
    configure(home, plug.host, plug.port)
    left = life(home, stop_at="HS110")
    plug.stop()
    assert recorded(home, ChargerRead)[0].power_w == 44.0
    assert [marker for marker in MARKERS if marker in left] == []


@pytest.mark.parametrize("password", [SECRETS["pass"], "another"], ids=["taken", "refused"])
def test_a_login_that_really_goes_over_the_wire_leaves_no_trace_of_it(home, bench, password):
    """A Tapo plug that takes the login, and one that proves to know another password: power is read, or access denied."""
    plug = bench.smart(login=Login(SECRETS["user"], password))
    configure(home, plug.host)
    taken = password == SECRETS["pass"]
    left = life(home, stop_at="P110" if taken else "refuses the login")
    assert (plug.server.lock.entries, plug.server.lock.knocks) == (int(taken), 1)
    assert [read.power_w for read in recorded(home, ChargerRead)[:1]] == ([44.0] if taken else [])
    assert [marker for marker in MARKERS if marker in left] == []


def test_an_nrgkick_that_repeats_our_login_leaves_no_trace_of_it(home):
    """It refuses the login and tells it, in plain text and as it was sent: neither is passed on."""
    sent = b64encode(":".join(SECRETS.values()).encode()).decode()
    with garage() as street:
        charger = street.gen2()
        charger.behaviour.instead["/info"] = Reply(401, {"Response": f"not {SECRETS['pass']}, not {sent}"})
        text = CONFIGURATION.replace('"kasa"', '"nrgkick"').replace("timeout_s", "generation = 2\ntimeout_s")
        (home / "chargerd.toml").write_text(text.format(host=charger.host, port=charger.port))
        left = life(home, stop_at="refuses the login")
    assert [fact.error for fact in recorded(home, DeviceLost)] == ["access-denied"]
    assert [marker for marker in (*MARKERS, sent.encode()) if marker in left] == []


def test_a_pin_that_is_taken_and_one_that_is_refused_leave_no_trace(home):
    """A charger of the first generation is told to charge, by a PIN that it refuses to know and repeats."""
    with garage() as street:
        box = street.gen1(pin="another")
        box.errors = [f"PIN {SECRETS['pass']}"]
        text = CONFIGURATION.replace('"kasa"', '"nrgkick"').replace(
            "timeout_s", f'generation = 1\nmac = "{box.mac}"\ntimeout_s'
        )
        text = "\n".join(line for line in text.splitlines() if "username" not in line) + '\nmode = "fast"\n'
        (home / "chargerd.toml").write_text(text.format(host=box.host, port=box.port))
        left = life(home, stop_at="refuses the PIN")
        assert SECRETS["pass"].encode() in box.puts[0].body
    assert [marker for marker in MARKERS if marker in left] == []


def test_a_credential_that_goes_missing_leaves_no_trace_of_the_other_one(home):
    """The password was there at the first start and is gone at the second: the user's name is not told either."""
    configure(home, "127.0.0.1", port=1)
    life(home, stop_at="watches")
    (home / "secrets" / "secret_pass").unlink()
    left = life(home, stop_at="credential pass is missing")
    assert recorded(home, ReadFailed)[-1].error == "access-denied"
    assert [marker for marker in MARKERS if marker in left] == []


@pytest.mark.parametrize("field", ["username", "password"])
def test_a_secret_written_into_the_configuration_is_refused_without_being_shown(home, field):
    """The mistake is named by file, line and key; the secret is not repeated into the journal, nor into a log."""
    configure(home, "127.0.0.1")
    text = (home / "chargerd.toml").read_text()
    plain = "\n".join(
        f'{field} = "{SECRETS["pass"]}"' if line.startswith(field) else line for line in text.splitlines()
    )
    (home / "chargerd.toml").write_text(plain)
    status, journal = live(home)
    assert status == 78
    assert f"{field}" in journal
    left = journal.encode() + b"".join(path.read_bytes() for path in (home / "state").iterdir())
    assert [marker for marker in MARKERS if marker in left] == []
