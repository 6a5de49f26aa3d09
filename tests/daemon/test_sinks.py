"""Sinks: the log is told to a real mail server: nothing is lost while it is down, and nothing is told twice without need."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from apprise.plugins.email.base import NotifyEmail
from msgspec import structs

from chargerd.config.base import SinkConfig
from chargerd.daemon import sinks
from chargerd.daemon.history import History
from chargerd.daemon.secrets import Credentials
from chargerd.daemon.sinks import Sinks
from chargerd.drivers.base import Unreachable
from chargerd.model.events import Body, ModeSet, PlanFired, SinkBack, SinkLost
from chargerd.sinks.notify import Sink
from tests.days.test_days import flaky
from tests.house import Day, configuration, loadpoint
from tests.patience import until
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
        self.mistaken, self.reported = False, []
        self.looks, self.ahead = 0, 0
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

    def again(self) -> House:
        """Its sinks after a restart, which know what lies in the folder and nothing else."""
        return House(self.day.path.parent, self.day, self.port)

    def site(self):
        """The state, which may be ahead of what is on the disk."""
        self.looks += 1
        site = self.day.run.site
        return structs.replace(site, seq=site.seq + self.ahead)

    def now_ms(self):
        """The day's clock."""
        return self.day.clock.now_ms()

    def started_ms(self):
        """The beginning."""
        return self.day.events[0].at_ms

    def log_reader(self):
        """The day's log, unless there is a mistake in reading it."""
        if self.mistaken:
            raise ValueError("a mistake of ours")
        return History(self.day.path)

    def report(self, error):
        """Mistakes go into the journal."""
        self.reported.append(error)


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
    until((house.day.path.parent / "sink-mail.json").exists)


def test_end_of_a_charge_is_told_with_what_it_took(home):
    """One mail when it is done, and one that says what to do when there is no charger."""
    house, post = home
    house.follow()
    begun(house)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    until(lambda: post.mails)
    house.day.charge("bike-2")
    house.day.until(5 * HOUR)
    until(lambda: len(post.mails) == 2)
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
    until(lambda: post.mails)
    assert subjects(post) == ["bike-2: no power at all"]


def test_wrong_password_is_one_alarm_and_everything_is_told_once_it_is_right(home):
    """S0-28: charging goes on meanwhile; nothing is lost, nothing of the password is said."""
    house, post = home
    house.password("wrong-and-secret")
    house.follow()
    begun(house)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    until(lambda: house.said)
    house.day.charge("bike-2")
    house.day.until(5 * HOUR)
    assert house.day.last("bike-1").outcome == "finished"
    house.password(PASSWORD)
    until(lambda: len(post.mails) == 2)
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
    later = house.again()
    later.follow()
    until(lambda: later.said)
    assert isinstance(later.said[0], SinkLost)
    assert later.said[0].error == "unreachable"
    post.full = False
    until(lambda: post.mails)
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
    until(lambda: len(post.mails) == 1)
    house.sinks.stop()
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    later = house.again()
    later.follow()
    until(lambda: len(post.mails) == 2)
    later.sinks.stop()
    assert subjects(post) == ["bike-2: no power at all", "bike-1: reached its target"]


def test_what_was_taken_before_the_server_filled_up_is_not_told_again(home):
    """Of two mails the first is taken and the second refused; only the second is sent once more."""
    house, post = home
    house.follow()
    begun(house)
    house.sinks.stop()
    house.day.charge("bike-2")
    house.day.until(HOUR)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    post.room = 1
    later = house.again()
    later.follow()
    until(lambda: later.said)
    post.room = 2
    until(lambda: len(post.mails) == 2)
    later.sinks.stop()
    assert subjects(post) == ["bike-2: no power at all", "bike-1: reached its target"]


def test_cursor_that_cannot_be_written_floods_nobody_with_the_same_mail(home):
    """The disk is full: what was told is remembered all the same, and what comes next is told."""
    house, post = home
    house.follow()
    begun(house)
    (house.day.path.parent / "sink-mail.new").mkdir()  # nothing can be written under that name
    house.day.charge("bike-2")
    house.day.until(HOUR)
    until(lambda: post.mails)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    until(lambda: "bike-1: reached its target" in subjects(post))
    assert subjects(post) == ["bike-2: no power at all", "bike-1: reached its target"]
    (house.day.path.parent / "sink-mail.new").rmdir()
    house.day.charge("bike-2")
    house.day.until(5 * HOUR)
    until(lambda: len(post.mails) == 3)
    house.sinks.stop()
    (house.day.path.parent / "sink-mail.json").read_text()
    later = house.again()
    later.follow(report="sessions")
    until(lambda: len(post.mails) == 4)
    later.sinks.stop()
    assert subjects(post)[3].startswith("Home: ")  # told from where the disk was free again


def test_mistake_of_ours_is_an_alarm_and_does_not_end_the_telling(home):
    """It is in the journal, the sink counts as lost, and what happened meanwhile is told later."""
    house, post = home
    house.follow()
    begun(house)
    house.mistaken = True
    until(lambda: house.said)
    assert isinstance(house.said[0], SinkLost)
    assert str(house.reported[0]) == "a mistake of ours"
    house.day.charge("bike-2")
    house.day.until(HOUR)
    house.mistaken = False
    until(lambda: post.mails)
    until(lambda: len(house.said) == 2)
    assert isinstance(house.said[1], SinkBack)
    assert subjects(post) == ["bike-2: no power at all"]


def test_sink_that_is_configured_anew_knows_that_it_was_lost(home):
    """Lost a moment before a reload changed it: the new one says that it is back, and nothing is told twice."""
    house, post = home
    house.follow()
    begun(house)
    post.full = True
    house.day.charge("bike-2")
    house.day.until(HOUR)
    until(lambda: house.said)
    house.follow(tell=["alarm"])
    post.full = False
    until(lambda: len(house.said) == 2)
    assert isinstance(house.said[1], SinkBack)
    assert subjects(post) == ["bike-2: no power at all"]


def test_reload_that_changes_a_sink_changes_what_it_tells(home):
    """From then on alarms only; a sink that is taken out tells nothing more."""
    house, post = home
    house.follow()
    begun(house)
    house.follow(tell=["alarm"])
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    house.day.charge("bike-2")
    house.day.until(5 * HOUR)
    until(lambda: post.mails)
    assert subjects(post) == ["bike-2: no power at all"]
    house.sinks.configure({})
    assert not house.sinks.test("mail", Future())


def test_refused_login_is_not_knocked_at_again_and_again(home, monkeypatch):
    """Mail providers lock accounts that are; a test message by a person ends the wait."""
    house, post = home
    monkeypatch.setattr(sinks, "REFUSED_S", 1000.0)
    house.password("wrong-and-secret")
    house.follow()
    begun(house)
    house.day.charge("bike-2")
    house.day.until(HOUR)
    until(lambda: house.said)
    house.password(PASSWORD)
    time.sleep(0.3)
    assert post.mails == []
    reply: Future[dict[str, object]] = Future()
    assert house.sinks.test("mail", reply)
    reply.result(10)
    until(lambda: len(post.mails) == 2)
    assert subjects(post) == ["chargerd: a test", "bike-2: no power at all"]


def test_sink_that_was_lost_before_a_restart_says_when_it_is_back(home):
    """The alarm of the daemon before does not stand for ever."""
    house, post = home
    house.day.run.ask(SinkLost("unreachable"), by="mail")
    house.follow()
    begun(house)
    house.day.charge("bike-2")
    house.day.until(HOUR)
    until(lambda: house.said)
    assert house.said == [SinkBack()]
    assert len(post.mails) == 1


def test_report_waits_until_what_it_reports_is_on_the_disk(home):
    """The state knows of an ended session a moment before the log does; a report made then would leave it out."""
    house, post = home
    house.follow(tell=[], report="sessions")
    begun(house)
    house.ahead = 1
    house.day.charge("bike-2")
    house.day.until(HOUR)
    looks = house.looks
    until(lambda: house.looks > looks + 6)  # a round looks at most twice
    assert post.mails == []
    house.ahead = 0
    until(lambda: post.mails)
    assert subjects(post) == ["Home: 1 charge, 0 Wh"]


def test_plan_that_was_missed_is_an_alarm_and_one_that_goes_on_is_no_news(home):
    """What a plan does on its way, and that it was reached, is not told."""
    house, post = home
    house.follow()
    begun(house)
    house.day.run.ask(PlanFired("bike-1", "hold"), PlanFired("bike-1", "over", reached=True), by="engine")
    house.day.run.ask(PlanFired("bike-2", "over"), by="engine")
    until(lambda: post.mails)
    house.sinks.stop()
    assert len(post.mails) == 1
    assert "bike-2" in text(post)
    assert "not reached" in text(post)


def test_sink_is_not_told_of_its_own_failures(home):
    """By then it works again; another sink's failure is news."""
    house, post = home
    house.follow()
    begun(house)
    house.day.run.ask(SinkLost("unreachable"), by="mail")
    house.day.run.ask(SinkLost("unreachable"), by="chat")
    until(lambda: post.mails)
    house.sinks.stop()
    assert len(post.mails) == 1
    assert "chat" in text(post)


def test_new_sink_does_not_tell_the_past(home):
    """It begins with what happens from then on."""
    house, post = home
    house.day.charge("bike-2")
    house.day.until(HOUR)
    house.follow()
    begun(house)
    house.day.charge("bike-1")
    house.day.until(4 * HOUR)
    until(lambda: post.mails)
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
    until(lambda: post.mails)
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
    until(lambda: post.mails)
    assert subjects(post) == ["Home: 2 charges, 148 Wh"]
    lines = text(post).splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("LOADPOINT"))
    assert lines[head + 1].startswith("bike-1")
    assert "148 Wh" in lines[head + 1]
    assert "≈2.5 Ah" in lines[head + 1]
    assert lines[head + 2].startswith("bike-2")
    aligned = post.mails[0].get_body(("html",))
    assert aligned is not None
    assert "<pre>LOADPOINT" in aligned.get_content()
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
    until(lambda: post.mails)
    assert subjects(post) == ["Home: 1 charge, 148 Wh"]
    house.day.until((24 * 8 + 9) * HOUR)
    until(lambda: len(post.mails) == 2)
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
    until(lambda: len(post.mails) == 2)
    assert subjects(post)[0].startswith("shed: no answer for")
    assert subjects(post)[1].startswith("shed: back after")
