"""Sinks: the log is told to a real mail server: nothing is lost while it is down, and nothing is told twice without need."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from apprise.plugins.email.base import NotifyEmail

from chargerd.config.base import SinkConfig
from chargerd.daemon import sinks
from chargerd.daemon.history import History
from chargerd.daemon.secrets import Credentials
from chargerd.daemon.sinks import Sinks
from chargerd.drivers.base import Unreachable
from chargerd.model.events import Body, ModeSet, SinkBack, SinkLost
from chargerd.sinks.notify import Sink
from tests.days.test_days import flaky
from tests.house import Day, configuration, loadpoint
from tests.sinks.servers import PASSWORD, Post, address, mail_server

HOUR = 3600


class House:
    """A day with its log, sinks that follow it, and what they say to the daemon."""

    def __init__(self, folder: Path, day: Day, port: int) -> None:
        self.day, self.port = day, port
        self.secrets = folder / "secrets"
        self.secrets.mkdir(exist_ok=True)
        self.password(PASSWORD)
        self.said: list[Body] = []
        self.sinks = Sinks(self, folder, Credentials(self.secrets), self._say)

    def _say(self, _name: str, facts: Sequence[Body]) -> None:
        self.said += facts

    def password(self, password: str) -> None:
        """Somebody writes the address, with that password."""
        (self.secrets / "mail").write_text(address(self.port, password))

    def follow(self, **keys: object) -> None:
        """One sink follows the log from now on."""
        config: dict[str, object] = {"kind": "notify", "url": {"credential": "mail"}, **keys}
        configs: dict[str, SinkConfig] = {"mail": Sink.Config.model_validate(config)}
        self.sinks.configure(configs)

    def site(self):
        """The state."""
        return self.day.run.site

    def now_ms(self):
        """The day's clock."""
        return self.day.clock.now_ms()

    def started_ms(self):
        """The beginning."""
        return self.day.events[0].at_ms

    def log_reader(self):
        """The day's log."""
        return History(self.day.path)


def eventually(what: Callable[[], object]) -> None:
    """Wait until it is so, twenty seconds at most."""
    end_s = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end_s, "it has not come to be so"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Looks at the log and tries again without long waits; the library's own pause between two mails is left out."""
    monkeypatch.setattr(NotifyEmail, "request_rate_per_sec", 0)
    monkeypatch.setattr(sinks, "POLL_S", 0.01)
    monkeypatch.setattr(sinks, "RETRY_S", (0.05,))
    monkeypatch.setattr(sinks, "REFUSED_S", 0.05)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Two bikes, a mail server that is trusted, nothing configured to follow yet."""
    (tmp_path / "mail").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mail" / "server.pem"))
    with mail_server(tmp_path / "mail") as (post, port):
        two = configuration(loadpoint("bike-1"), loadpoint("bike-2"))
        day = Day(tmp_path, two, {"bike-1": "rad-nominal", "bike-2": "dead"})
        day.until(60)
        house = House(tmp_path, day, port)
        yield house, post
        house.sinks.stop()
        day.run.kill()


def subjects(post: Post) -> list[str]:
    """Subjects of the mails, in their order."""
    return [str(mail["subject"]) for mail in post.mails]


def text(post: Post, number: int = -1) -> str:
    """The text of a mail."""
    body = post.mails[number].get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def begun(house: House) -> None:
    """The sink has looked at the log once."""
    eventually((house.day.path.parent / "sink-mail.json").exists)


def test_end_of_a_charge_is_told_with_what_it_took(home):
    """One mail when it is done, and one that says what to do when there is no charger."""
    house, post = home
    house.follow()
    begun(house)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    eventually(lambda: post.mails)
    house.day.charge("bike-2")
    house.day.until(5 * HOUR)
    eventually(lambda: len(post.mails) == 2)
    assert subjects(post) == ["bike-1: reached its target", "bike-2: no power at all"]
    assert "cut off: below 90 W" in text(post, 0)
    assert "148 Wh in" in text(post, 0)
    assert "check the charger's lamp" in text(post, 1)


def test_only_what_is_wanted_is_told(home):
    """tell = ["alarm"]: the charge that went well is not."""
    house, post = home
    house.follow(tell=["alarm"])
    begun(house)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    house.day.charge("bike-2")
    house.day.until(5 * HOUR)
    eventually(lambda: post.mails)
    assert subjects(post) == ["bike-2: no power at all"]


def test_wrong_password_is_one_alarm_and_everything_is_told_once_it_is_right(home):
    """S0-28: charging goes on meanwhile; nothing is lost, nothing of the password is said."""
    house, post = home
    house.password("wrong-and-secret")
    house.follow()
    begun(house)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    eventually(lambda: house.said)
    house.day.charge("bike-2")
    house.day.until(5 * HOUR)
    assert house.day.last("bike-1").outcome == "finished"
    house.password(PASSWORD)
    eventually(lambda: len(post.mails) == 2)
    assert subjects(post) == ["bike-1: reached its target", "bike-2: no power at all"]
    lost, back = house.said
    assert isinstance(lost, SinkLost)
    assert isinstance(back, SinkBack)
    assert lost.error == "access-denied"
    assert "535" in lost.detail
    assert "wrong-and-secret" not in lost.detail


def test_server_that_is_down_for_a_day_gets_one_mail_with_all_of_it(home):
    """More than three things are one mail, in their order, each with its time."""
    house, post = home
    house.follow()
    begun(house)
    house.sinks.stop()
    for number in range(5):
        house.day.charge("bike-2")
        house.day.until((number + 1) * 2 * HOUR)
    post.full = True
    later = House(house.day.path.parent, house.day, house.port)
    later.follow()
    eventually(lambda: later.said)
    assert isinstance(later.said[0], SinkLost)
    assert later.said[0].error == "unreachable"
    post.full = False
    eventually(lambda: post.mails)
    later.sinks.stop()
    assert subjects(post) == ["5 things since Mon 2024-03-04 00:04"]
    assert text(post).count("bike-2: no power flows after 3 tries") == 5


def test_sink_goes_on_where_it_was_after_a_restart(home):
    """What was told is not told again; what happened while nothing followed is."""
    house, post = home
    house.follow()
    begun(house)
    house.day.charge("bike-2")
    house.day.until(HOUR)
    eventually(lambda: len(post.mails) == 1)
    house.sinks.stop()
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    later = House(house.day.path.parent, house.day, house.port)
    later.follow()
    eventually(lambda: len(post.mails) == 2)
    later.sinks.stop()
    assert subjects(post) == ["bike-2: no power at all", "bike-1: reached its target"]


def test_new_sink_does_not_tell_the_past(home):
    """It begins with what happens from then on."""
    house, post = home
    house.day.charge("bike-2")
    house.day.until(HOUR)
    house.follow()
    begun(house)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    eventually(lambda: post.mails)
    assert subjects(post) == ["bike-1: reached its target"]


@pytest.mark.parametrize(
    "cursor", ['{"seq": 99999999, "at_ms": 5, "reported_ms": 5}', '{"seq": 3, "at_ms": 5, "reported_ms": 5}']
)
def test_another_log_than_it_knew_is_told_from_a_day_back(home, cursor):
    """As after damage: the new log says so, and that must be told; what is older than a day is not."""
    house, post = home
    house.day.charge("bike-2")
    house.day.until(30 * HOUR)
    house.day.charge("bike-1")
    house.day.until(34 * HOUR)
    (house.day.path.parent / "sink-mail.json").write_text(cursor)
    house.follow()
    eventually(lambda: post.mails)
    house.sinks.stop()
    assert subjects(post) == ["bike-1: reached its target"]


def test_report_comes_once_all_are_done_with_table_and_curves(home):
    """S0-28: one mail per set of sessions, not while one of them still runs."""
    house, post = home
    house.follow(tell=[], report="sessions")
    begun(house)
    house.day.charge("bike-1")
    house.day.charge("bike-2")
    house.day.until(1800)
    time.sleep(0.1)
    assert post.mails == []  # bike-2 has ended, bike-1 still charges
    house.day.until(4 * HOUR)
    eventually(lambda: post.mails)
    assert subjects(post) == ["Home: 2 charges, 148 Wh"]
    lines = text(post).splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("LOADPOINT"))
    assert lines[head + 1].startswith("bike-1")
    assert "≈2.5 Ah" in lines[head + 1]
    assert lines[head + 2].startswith("bike-2")
    assert [part.get_filename() for part in post.mails[0].iter_attachments()] == ["charges.png"]


def test_weekly_report_has_the_sessions_of_the_week_and_says_when_there_were_none(home):
    """S0-25: on Tuesday at 08:00 what ended before; a week later, that nothing was charged."""
    house, post = home
    house.follow(tell=[], report="tue 08:00")
    begun(house)
    house.day.charge("bike-1")
    house.day.until(31 * HOUR)
    time.sleep(0.1)
    assert post.mails == []
    house.day.until(33 * HOUR)
    eventually(lambda: post.mails)
    assert subjects(post) == ["Home: 1 charge, 148 Wh"]
    house.day.until((24 * 8 + 9) * HOUR)
    eventually(lambda: len(post.mails) == 2)
    assert subjects(post)[1] == "Home: nothing was charged"


def test_test_message_says_whether_it_was_taken(home):
    """chargerctl sink test: done, or the error in its own words; a name that is none is known to be."""
    house, post = home
    house.follow()
    reply: Future[dict[str, object]] = Future()
    assert house.sinks.test("mail", reply)
    assert reply.result(10)["text"] == "mail: the test message was taken."
    assert subjects(post) == ["chargerd: a test"]
    post.full = True
    again: Future[dict[str, object]] = Future()
    assert house.sinks.test("mail", again)
    assert "452" in str(again.exception(10))
    assert not house.sinks.test("post", Future())


def test_plug_that_is_gone_and_back_is_told(home):
    """A lost plug and its return are news; a person's own off is none."""
    house, post = home
    house.follow(tell=["lost"])
    begun(house)
    strip = flaky(house.day)
    house.day.charge("bike-1")
    house.day.until(600)
    house.day.run.ask(ModeSet("bike-1", "off", "anna"), by="anna")
    strip.error = Unreachable("no answer in 5 s")
    house.day.until(1200)
    strip.error = None
    house.day.until(1800)
    eventually(lambda: len(post.mails) == 2)
    assert subjects(post)[0].startswith("shed: no answer for")
    assert subjects(post)[1].startswith("shed: back after")
