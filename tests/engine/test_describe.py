"""Describe: the states, problems and sentences that people read."""

from __future__ import annotations

from chargerd.drivers.base import AccessDenied, Unreachable
from chargerd.engine.describe import headline, loadpoint_state, problems, reason_of, safety_of
from tests.days.test_days import flaky
from tests.house import Day, configuration, loadpoint


def day(tmp_path, load="rad-nominal", **settings) -> Day:
    """A day with one bike."""
    return Day(tmp_path, configuration(loadpoint("bike", **settings)), {"bike": load})


def state(day: Day) -> str:
    """The bike's state now."""
    return loadpoint_state(day.run.site, "bike", day.clock.now_ms())


def test_states_along_a_charge(tmp_path):
    """Idle, charging, finished (which is suspended by us), idle again when somebody says off."""
    today = day(tmp_path)
    today.until(60)
    assert state(today) == "idle"
    today.charge("bike")
    today.until(600)
    assert state(today) == "charging"
    assert headline(today.run.site, today.clock.now_ms()).startswith("bike charging 10")
    today.until(3 * 3600)
    assert state(today) == "suspended_evse"
    assert reason_of(today.run.site, "bike", today.clock.now_ms()).code == "cutoff-reached"


def test_unread_loadpoint_is_unknown_not_off(tmp_path):
    """A plug that has not answered for longer than its age limit is unknown; the problem says since when."""
    today = day(tmp_path)
    strip = flaky(today)
    today.until(60)
    strip.error = Unreachable("no answer in 5 s")
    today.until(600)
    assert state(today) == "unknown"
    (problem,) = problems(today.run.site, today.clock.now_ms())
    assert (problem.code, problem.subject) == ("device-lost", "shed")
    assert "has not answered for 8 min" in problem.text
    assert "bike not watched" in problem.text


def test_refused_login_is_a_problem_that_a_person_must_solve(tmp_path):
    """Severity 3, and it names the device."""
    today = day(tmp_path)
    flaky(today).error = AccessDenied("wrong password")
    today.until(60)
    assert [(p.code, p.severity) for p in problems(today.run.site, today.clock.now_ms())] == [("access-denied", 3)]


def test_bad_outcome_stays_a_problem_until_the_next_request(tmp_path):
    """A dead charger is shown until somebody asks for something."""
    today = day(tmp_path, load="dead")
    today.until(60)
    today.charge("bike")
    today.until(600)
    assert [p.code for p in problems(today.run.site, today.clock.now_ms())] == ["no-charger"]
    assert state(today) == "fault"
    today.charge("bike")
    assert problems(today.run.site, today.clock.now_ms()) == ()


def test_safety_says_when_the_plug_turns_itself_off(tmp_path):
    """If chargerd dies now: off within the lease, and the lease's standing is told."""
    today = day(tmp_path)
    today.until(60)
    today.charge("bike")
    today.until(200)
    safety = safety_of(today.run.site, "bike")
    assert safety.on
    assert 700 < safety.off_in_s <= 900
    assert safety.lease == "unproven"
