"""Moments: an answer about the past is made of what was so then, whatever has become of it since."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from chargerd.daemon.answers import answer
from chargerd.daemon.moments import then
from chargerd.daemon.past import state_after
from chargerd.daemon.upkeep import Drop
from chargerd.model.events import ClockStepped, HoldSet, LimitSet, ModeSet
from chargerd.model.settings import Window
from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from chargerd.store import chunks, sealing
from tests.daemon.hub import complete, context
from tests.house import Day, configuration, loadpoint
from tests.protocol.conform import wrong_fields


@pytest.fixture
def day(tmp_path):
    """A night: a charge from 00:01 that is cut off before one o'clock; at 03:00 the bike gets another name and zone."""
    day = Day(tmp_path, configuration(loadpoint("old-bike")), {"old-bike": "rad-full", "new-bike": "rad-full"})
    day.until(60)
    day.charge("old-bike")
    day.until(3 * 3600)
    day.run.kill()
    day.clock.mono += 3600 * 1000
    day.configuration = configuration(loadpoint("new-bike"), timezone="America/New_York")
    day.begin()
    day.until(5 * 3600)
    yield day
    day.run.kill()


def ask(day, method="GetWhy", **parameters):
    reply = answer(method, complete(method, **parameters), context(day))
    assert wrong_fields(reply, METHODS[method].reply) == []
    return reply


def test_name_zone_and_settings_are_those_of_the_moment(day):
    """The loadpoint is gone now; it is asked about in the zone of today and answered in that of then."""
    reply = ask(day, name="old-bike", at="2024-03-03 18:15")
    assert reply["text"].startswith("old-bike was charging")
    assert reply["at"] == "2024-03-03T23:15:00Z"
    assert reply["at_local"] == "2024-03-04T00:15:00+01:00"
    assert reply["now"] == "2024-03-04T04:00:00Z"
    with pytest.raises(CallError) as caught:
        ask(day, name="new-bike", at="2024-03-03 18:15")
    assert (caught.value.short, caught.value.parameters["known"]) == ("NoSuchLoadpoint", ["old-bike"])
    assert "Known" in caught.value.parameters["hint"]
    assert "at 00:15" in caught.value.parameters["hint"]


def test_ages_problems_and_the_daemon_are_those_of_the_moment(day):
    """Read a few seconds before, up for a quarter of an hour, power as it was."""
    reply = ask(day, "GetStatus", at="2024-03-03T23:15:00Z")
    (row,) = reply["loadpoints"]
    assert (row["name"], row["state"]) == ("old-bike", "charging")
    assert row["read_age_s"] <= 30
    assert row["power_w"] == pytest.approx(103.3, abs=0.5)
    assert row["session"]["duration_s"] == 14 * 60
    assert (reply["up_s"], reply["running"], reply["version"]) == (15 * 60, True, context(day).version)


def test_daemon_of_then_had_run_since_its_own_start(day):
    """The second life began at four o'clock."""
    assert ask(day, "GetStatus", at="2024-03-04T03:30:00Z")["up_s"] == 30 * 60


def test_two_limits_of_then_stood_in_the_way(tmp_path):
    """Hold and window together, asked about later: in the past tense."""
    day = Day(tmp_path, configuration(loadpoint("bike", windows=(Window(120, 360),))), {"bike": "rad-full"})
    day.until(60)
    day.run.ask(ModeSet("bike", "fast", "anna"), HoldSet("ben"), by="ben")
    day.until(3600)
    told = {line["label"]: line["text"] for line in ask(day, name="bike", at="00:30", **{"not": "charging"})["lines"]}
    assert told["Would be charging"] == "no single change leads there: 2 limits stood in the way"
    day.run.kill()


def test_moment_between_two_daemons_is_said_to_be_one(day):
    """Nobody watched from 03:00 to 04:00: what is told is what was last known, and that is said."""
    reply = ask(day, "GetStatus", at="2024-03-04T02:30:00Z")
    assert (reply["running"], reply["up_s"]) == (False, None)
    assert reply["text"] == "chargerd did not run from 03:00 to 04:00; this is what it last knew"
    told = {line["label"]: line["text"] for line in ask(day, name="old-bike", at="2024-03-04T02:30:00Z")["lines"]}
    assert told["Known"].startswith("chargerd did not run from 03:00 to 04:00")


def test_zone_that_is_asked_for_wins(day):
    """Also for the answer about a past moment."""
    reply = ask(day, name="old-bike", at="2024-03-03T23:15:00Z", zone="UTC")
    assert reply["at_local"] == "2024-03-03T23:15:00+00:00"


def test_present_needs_no_log(day):
    """Without a time the context is the one given."""
    present = structs.replace(context(day), log=None)
    assert then(present, complete("GetStatus")) is present


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2024-03-03 17:59", "nothing is known of 17:59: the log begins 18:00"),
        ("+2h", "01:00 is still to come"),
        ("tomorrow", "is still to come"),
        ("soon", '"soon" is no time'),
    ],
)
def test_moment_that_was_not_is_refused(day, at, said):
    """Before the log begins, in the future, and what is no time at all."""
    with pytest.raises(CallError) as caught:
        ask(day, name="old-bike", at=at)
    assert caught.value.short == "BadValue"
    assert said in str(caught.value)
    assert caught.value.parameters["hint"]


def test_first_moment_of_the_log_is_known(day):
    """To the millisecond of its first event."""
    assert ask(day, "GetStatus", at="2024-03-03T23:00:00Z")["running"]


def test_setting_of_then_is_told_and_not_that_of_now(tmp_path):
    """The cut-off was 90 W at midnight and is 70 W now."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(600)
    day.run.ask(LimitSet("bike", "nominal_stop_w", 70.0, "anna"), ModeSet("bike", "fast", "anna"), by="anna")
    day.until(1200)
    now, before = ask(day, name="bike"), ask(day, name="bike", at="00:05")
    assert "below 70 W" in str(now["lines"])
    assert "below 90 W" in str(before["lines"])
    assert "70 W" not in str(before["lines"])
    day.run.kill()


def test_clock_that_was_set_back_does_not_make_readings_old(tmp_path):
    """While the log's time waits for the wall clock, a past moment is still judged on the engine's own."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(900)
    day.clock.skew_ms = -3_600_000
    day.run.ask(ClockStepped(-3_600_000), by="daemon")
    day.until(1000)
    site = day.run.site
    moment = structs.replace(context(day), now_ms=site.at_ms + 3_600_000)
    looked = then(moment, complete("GetStatus", at=f"{_utc(site.at_ms)}"))
    assert looked.now_ms == looked.at_ms + looked.site.skew_ms
    row = answer("GetStatus", complete("GetStatus", at=_utc(site.at_ms)), moment)["loadpoints"][0]
    assert row["state"] == "charging"
    day.run.kill()


def _utc(at_ms: int) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(at_ms // 1000 + 1, ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_moment_whose_readings_were_given_up_says_so(tmp_path, monkeypatch):
    """Decisions and sessions of that time are still known; that this is all is said, and nobody is said to have slept."""
    monkeypatch.setattr(chunks, "ROWS", 100)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 100)
    hour_ms = 3_600_000
    keep = structs.replace(configuration(loadpoint("bike")), keep_rows_ms=hour_ms, keep_readings_ms=2 * hour_ms)
    day = Day(tmp_path, keep, {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(5 * 3600)
    while day.run.log.seal(day.run.site.at_ms - hour_ms):
        pass
    old = sealing.outdated(day.run.log, day.run.site.at_ms - 2 * hour_ms)
    fact = sealing.dropped(old)
    day.run.give_up(Drop(fact, old, state_after(day.run.log, fact.last_seq)))
    reply = ask(day, name="bike", at="00:20")
    assert (reply["running"], reply["readings"], reply["policy"]) == (True, False, "threshold")
    known = "the readings of that time were given up; this is what the other events say"
    assert {"label": "Known", "text": known} in reply["lines"]
    assert ask(day, "GetStatus", at="00:20")["text"] == known
    assert ask(day, "GetStatus", at="04:50")["readings"]
    day.run.kill()
