"""Days on which somebody wants to ride: full by a time, balanced once a week, stored at a counted level, another figure once."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from chargerd.config.profiles import shipped
from chargerd.drivers.simulated import taper
from chargerd.engine import timeline
from chargerd.engine.plans import charge_s, lead_s, top_up_s, wakes
from chargerd.engine.settings import settings_of
from chargerd.model.events import (
    HoldSet,
    LeaseTestBegun,
    LeaseTested,
    LimitSet,
    ModeSet,
    PlanFired,
    PlanSet,
    SinkBack,
    SinkLost,
    TargetSet,
)
from chargerd.model.settings import ScheduleEntry, Window
from chargerd.model.state import Charge, Session
from chargerd.sim import world
from chargerd.sim.checks import check
from chargerd.sim.progress import Progress
from tests.house import MONDAY_MS, RAD, Day, configuration, loadpoint

HOUR = 3600
SEVEN_MS = MONDAY_MS + 31 * HOUR * 1000  # Tuesday 07:00


def ended(day: Day) -> list[Session]:
    """Sessions that have ended, in their order."""
    return [session for session in day.run.site.ended if session.loadpoint == "bike"]


def full_since_s(day: Day) -> float:
    """When the last full charge ended, in seconds after Monday's midnight."""
    session = next(session for session in ended(day) if session.target == "full")
    assert session.ended_at_ms is not None
    return (session.ended_at_ms - MONDAY_MS) / 1000


def renew(day: Day, load: str = "rad-nominal") -> None:
    """Somebody has ridden: the pack is empty again."""
    day.strip.sockets["bike"].connect(world.load(load), day.clock.true_s())


def planned(folder: Path, settings: dict[str, object] | None = None, **site: object) -> Day:
    """On Monday at 20:00 somebody plans to ride on Tuesday at 07:00."""
    day = Day(folder, configuration(loadpoint("bike", **(settings or {})), **site), {"bike": "rad-full"})
    day.until(20 * HOUR)
    day.run.ask(PlanSet("bike", "full", "anna", SEVEN_MS), by="anna")
    return day


def test_pack_that_is_to_be_full_waits_at_nominal_and_is_topped_up_just_before(tmp_path):
    """Full by 07:00: nominal is reached in the evening, and the last part begins at 04:00, not before."""
    day = planned(tmp_path)
    day.until(32 * HOUR)
    assert [(s.target, s.outcome, s.by) for s in ended(day)] == [
        ("nominal", "finished", "plan"),
        ("full", "finished", "plan"),
    ]
    assert [event.body.step for event in day.all(PlanFired)] == ["hold", "last", "over"]
    last = next(event for event in day.all(PlanFired) if event.body.step == "last")
    assert last.at_ms == pytest.approx(SEVEN_MS - 3 * HOUR * 1000, abs=60_000)
    assert 29 * HOUR < full_since_s(day) < 31 * HOUR
    assert day.run.site.loadpoints["bike"].plan is None
    assert day.run.site.loadpoints["bike"].missed is None


def test_top_up_begins_later_once_this_pack_is_known_to_be_quick(tmp_path):
    """The second plan rests on how long the first top-up took, with a reserve, and the pack is full for less time."""
    day = planned(tmp_path)
    renew(day, "lectric-full")
    day.until(40 * HOUR)
    took_s = day.run.site.loadpoints["bike"].record[-1].top_up_s
    assert took_s is not None
    renew(day, "lectric-full")
    day.run.ask(PlanSet("bike", "full", "anna", SEVEN_MS + 24 * HOUR * 1000), by="anna")
    day.until(56 * HOUR)
    last = [event for event in day.all(PlanFired) if event.body.step == "last"][-1]
    ahead_s = (SEVEN_MS - last.at_ms) / 1000 + 24 * HOUR
    assert ahead_s == pytest.approx(1.15 * took_s + 600, abs=60)
    assert ahead_s < 2.7 * HOUR
    assert ended(day)[-1].outcome == "finished"


def test_plan_survives_a_kill_at_any_step(tmp_path):
    """Killed while it waits at nominal, the next daemon tops up at the same time."""
    day = planned(tmp_path)
    day.until(27 * HOUR)
    day.run.kill()
    day.begin()
    day.until(32 * HOUR)
    assert [(s.target, s.outcome) for s in ended(day)] == [("nominal", "finished"), ("full", "finished")]


def test_two_packs_for_one_morning_with_a_kill_and_a_clock_set_back_are_both_full_and_all_is_explained(tmp_path):
    """Killed at 23:00, the clock set back by an hour at 02:00, a timer tried and a sink lost in between: verify finds nothing."""
    points = (loadpoint("bike", shipped()["rad-48v"]), loadpoint("cargo", balance_days=7.0))
    day = Day(tmp_path, configuration(*points), {"bike": "rad-full", "cargo": "rad-full"})
    day.until(19 * HOUR)
    day.run.ask(LeaseTestBegun("anna", 15, "cargo"), by="shed")
    day.run.ask(LeaseTested("proven", 15, "cargo", 15.0, 0.0), by="shed")
    day.run.ask(SinkLost("unreachable", "452"), by="mail")
    day.until(20 * HOUR)
    for name in ("bike", "cargo"):
        day.run.ask(PlanSet(name, "full", "anna", SEVEN_MS), by="anna")
    day.until(23 * HOUR)
    day.run.kill()
    day.begin()
    day.until(26 * HOUR)
    day.run.ask(SinkBack(), by="mail")
    day.clock.skew_ms -= HOUR * 1000
    day.until(34 * HOUR)
    for name in ("bike", "cargo"):
        steps = [e for e in day.all(PlanFired) if e.body.loadpoint == name]
        assert [e.body.step for e in steps] == ["hold", "last", "over"]
        assert steps[-1].body.reached
    assert day.run.site.devices["shed"].lease_at("shed/cargo") == "proven"
    day.run.stop()
    assert check(day.path, None, "not asked", Progress(None, 0)).sound


def test_pack_that_is_not_there_misses_its_plan_and_that_is_said(tmp_path):
    """Nobody connected it: at 07:00 the plan is over, not reached, and it is a problem until it was charged."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "empty"})
    day.until(20 * HOUR)
    day.run.ask(PlanSet("bike", "full", "anna", SEVEN_MS), by="anna")
    day.until(31 * HOUR + 60)
    assert [event.body.reached for event in day.all(PlanFired) if event.body.step == "over"] == [False]
    missed = day.run.site.loadpoints["bike"].missed
    assert missed is not None
    assert missed.target == "full"
    renew(day)
    day.charge("bike")
    day.until(40 * HOUR)
    assert day.run.site.loadpoints["bike"].missed is None


def test_who_stops_a_charge_drops_its_plan(tmp_path):
    """Off is off: nothing is topped up in the night by a plan from before."""
    day = planned(tmp_path)
    day.until(20.5 * HOUR)
    day.run.ask(ModeSet("bike", "off", "ben"), by="ben")
    day.until(32 * HOUR)
    assert day.run.site.loadpoints["bike"].plan is None
    assert [session.outcome for session in ended(day)] == ["stopped"]


@pytest.mark.parametrize("mode", ["off", "fast"])
def test_plan_waits_for_the_end_of_what_a_person_asked_for_and_then_charges(tmp_path, mode):
    """Off, or fast, until 20:20: nominal after that, not only at 04:00, from empty, when the time no longer suffices."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(20 * HOUR)
    until_ms = MONDAY_MS + 20 * HOUR * 1000 + 1_200_000
    day.run.ask(ModeSet("bike", mode, "ben", until_ms), by="ben")
    day.run.ask(PlanSet("bike", "full", "anna", SEVEN_MS), by="anna")
    day.until(32 * HOUR)
    first = next(iter(day.all(PlanFired)))
    assert (first.body.step, first.at_ms) == ("hold", pytest.approx(until_ms, abs=60_000))
    mine = [(s.target, s.outcome) for s in ended(day) if s.by == "plan"]
    assert mine[0][0] == "nominal"
    assert mine[-1] == ("full", "finished")
    assert day.run.site.loadpoints["bike"].missed is None
    day.run.stop()
    assert check(day.path, None, "not asked", Progress(None, 0)).sound


def test_daily_plan_does_not_replace_what_a_person_has_planned(tmp_path):
    """Nominal by 06:00 every day; Anna's full by 07:00 is kept."""
    entry = ScheduleEntry("bike/@<06:00", "bike", (0, 1, 2, 3, 4, 5, 6), 360, ready=True)
    day = planned(tmp_path, schedule=(entry,))
    day.until(30.5 * HOUR)
    plan = day.run.site.loadpoints["bike"].plan
    assert plan is not None
    assert (plan.by, plan.target) == ("anna", "full")
    day.until(32 * HOUR)
    assert ended(day)[-1].target == "full"


def test_full_charge_before_the_plan_does_not_keep_it(tmp_path):
    """Full on Monday morning, ridden, not connected since: by Tuesday 07:00 it is not full."""
    day = Day(tmp_path, configuration(loadpoint("bike", target="full")), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(20 * HOUR)
    assert day.last("bike").outcome == "finished"
    renew(day, "empty")
    day.run.ask(PlanSet("bike", "full", "anna", SEVEN_MS), by="anna")
    day.run.ask(HoldSet("anna", loadpoint="bike"), by="anna")
    day.until(32 * HOUR)
    assert [event.body.reached for event in day.all(PlanFired) if event.body.step == "over"] == [False]


def test_plan_wakes_the_daemon_when_its_next_step_is_due_and_not_before(tmp_path):
    """At once for nominal, at 04:00 for the top-up, at 07:00 for its end; after a person's time where that is later."""
    day = planned(tmp_path)
    site, point = day.run.site, day.run.site.loadpoints["bike"]
    assert point.plan is not None
    four_ms, eight_ms = SEVEN_MS - 3 * HOUR * 1000, SEVEN_MS + HOUR * 1000

    def wakes_at(step: str, until_ms: int | None = None) -> set[int]:
        changed = structs.replace(point, plan=structs.replace(point.plan, step=step), mode_until_ms=until_ms)
        return set(wakes(structs.replace(site, loadpoints={"bike": changed})))

    assert wakes_at("") == {site.wall_ms, SEVEN_MS}
    assert wakes_at("hold") == {four_ms, SEVEN_MS}
    assert wakes_at("hold", eight_ms) == {eight_ms, SEVEN_MS}
    assert wakes_at("last") == {SEVEN_MS}


def test_plan_rests_on_the_slowest_of_the_charges_known(tmp_path):
    """A top-up of one hour and one of two: two, with the reserve. Another pack's four hours say nothing of this one."""
    day = planned(tmp_path)
    known = tuple(Charge("rad", "full", 100.0, 60.0, hours * HOUR, 5 * HOUR, 400.0) for hours in (1.0, 2.0, 1.5))
    known = (*known, structs.replace(known[0], profile="lectric", top_up_s=4.0 * HOUR, on_s=8.0 * HOUR))
    point = structs.replace(day.run.site.loadpoints["bike"], record=known)
    site = structs.replace(day.run.site, loadpoints={"bike": point})
    assert top_up_s(site, "bike") == (1.15 * 2 * HOUR + 600, True)
    assert charge_s(site, "bike") == (1.15 * 5 * HOUR + 600, True)


def test_plan_keeps_to_the_hours_of_the_loadpoint(tmp_path):
    """With hours from 00:00 to 06:00 the top-up of 3 h begins at 03:00, for it is to end by 06:00."""
    day = planned(tmp_path, {"windows": (Window(0, 360),)})
    day.until(32 * HOUR)
    last = next(event for event in day.all(PlanFired) if event.body.step == "last")
    assert last.at_ms == pytest.approx(MONDAY_MS + 27 * HOUR * 1000, abs=60_000)
    assert full_since_s(day) < 30 * HOUR


def test_weekly_plan_is_full_in_time_again_and_again(tmp_path):
    """By 07:00 every Tuesday and Thursday: known early enough for an empty pack, reached both times."""
    entry = ScheduleEntry("bike/tue,thu<07:00", "bike", (1, 3), 420, target="full", ready=True)
    day = Day(tmp_path, configuration(loadpoint("bike"), schedule=(entry,)), {"bike": "rad-full"})
    day.until(40 * HOUR)
    renew(day, "rad-full")
    day.until(96 * HOUR)
    assert [event.body.reached for event in day.all(PlanFired) if event.body.step == "over"] == [True, True]
    next_ms = SEVEN_MS + 2 * 24 * HOUR * 1000 + 5 * 24 * HOUR * 1000  # Tuesday of next week
    site = day.run.site
    ahead_ms = round(lead_s(site, "bike", "full") * 1000)
    assert next_ms - ahead_ms in {wake - site.t_ms + site.wall_ms for wake in timeline.wakes(site, site.t_ms)}
    first = next(iter(day.all(PlanSet)))
    assert first.at_ms == pytest.approx(SEVEN_MS - (7 + 3) * HOUR * 1000, abs=60_000)


def test_balance_charge_comes_by_itself_when_the_last_full_one_is_a_week_ago(tmp_path):
    """Daily nominal charges; the first one is full because nobody knows when the last was, and then every seventh day."""
    entry = ScheduleEntry("bike/@00:00", "bike", (0, 1, 2, 3, 4, 5, 6), 0)
    settings = configuration(loadpoint("bike", balance_days=7.0), schedule=(entry,))
    day = Day(tmp_path, settings, {"bike": "rad-full"}, start_ms=MONDAY_MS - 60_000)
    targets = []
    for number in range(9):
        day.until(60 + (24 * number + 12) * HOUR)
        targets.append(day.last("bike").target)
        renew(day, "rad-full")
    assert targets == ["full", *["nominal"] * 6, "nominal", "full"]
    assert day.last("bike").balance


def test_pack_that_was_full_already_is_balanced_for_a_week(tmp_path):
    """Its charger rests at 4 W: nothing to do, and the next charge is to nominal."""
    day = Day(tmp_path, configuration(loadpoint("bike", balance_days=7.0)), {"bike": taper(4.0, 1000, 5)})
    day.until(60)
    day.charge("bike")
    day.until(2 * HOUR)
    assert (day.last("bike").target, day.last("bike").outcome) == ("full", "already-full")
    renew(day)
    day.charge("bike")
    day.until(3 * HOUR)
    session = day.run.site.loadpoints["bike"].session or day.last("bike")
    assert (session.target, session.balance) == ("nominal", False)


def test_nominal_for_one_session_is_no_balance_charge(tmp_path):
    """Who names nominal for this one session gets nominal, and who changes the target of a balance charge gets that."""
    day = Day(tmp_path, configuration(loadpoint("bike", balance_days=7.0)), {"bike": "rad-nominal"})
    day.until(60)
    day.run.ask(TargetSet("bike", "nominal", "anna", once=True), by="anna")
    day.charge("bike")
    day.until(120)
    session = day.run.site.loadpoints["bike"].session
    assert session is not None
    assert (session.target, session.balance) == ("nominal", False)
    day.run.ask(ModeSet("bike", "off", "anna"), by="anna")
    day.charge("bike")
    day.until(300)
    session = day.run.site.loadpoints["bike"].session
    assert session is not None
    assert (session.target, session.balance) == ("full", True)
    day.run.ask(TargetSet("bike", "nominal", "anna"), by="anna")
    session = day.run.site.loadpoints["bike"].session
    assert session is not None
    assert (session.target, session.balance) == ("nominal", False)


def test_storage_level_is_reached_by_counted_energy_from_a_known_start(tmp_path):
    """From 35 % to 60 % of 14 Ah × 48 V at 0.8: 210 Wh at the socket, in the plateau where power tells nothing."""
    day = Day(tmp_path, configuration(loadpoint("bike", target="storage")), {"bike": "never-tapers"})
    day.until(60)
    day.run.ask(ModeSet("bike", "fast", "anna", from_pct=35.0), by="anna")
    day.until(4 * HOUR)
    session = day.last("bike")
    assert session.outcome == "finished"
    assert session.reason is not None
    assert session.reason.code == "energy-reached"
    assert session.energy_wh == pytest.approx(0.25 * 14 * 48 / 0.8, abs=1.0)


def test_pack_that_is_fuller_than_was_thought_is_cut_off_by_power(tmp_path):
    """Counting goes on only while power says that there is room: a pack said to be at 10 % and nearly full ends at 90 W."""
    day = Day(tmp_path, configuration(loadpoint("bike", target="storage")), {"bike": "rad-nominal"})
    day.until(60)
    day.run.ask(ModeSet("bike", "fast", "anna", from_pct=10.0), by="anna")
    day.until(8 * HOUR)
    assert day.last("bike").reason is not None
    assert day.last("bike").reason.code == "cutoff-reached"
    assert day.last("bike").energy_wh < 200


def test_storage_cycle_limit_allows_so_many_charges_and_no_more(tmp_path):
    """S0-11: limit 2: two charges to storage, the third is refused; asking for storage again allows two more."""
    profile = structs.replace(RAD, storage_cycles=2, storage_start_w=95, storage_stop_w=95)
    day = Day(tmp_path, configuration(loadpoint("bike", profile, target="storage")), {"bike": "rad-nominal"})
    for number in range(3):
        day.until(60 + number * 4 * HOUR)
        renew(day)
        day.charge("bike")
    day.until(13 * HOUR)
    assert [session.outcome for session in ended(day)] == ["finished", "finished", "storage-cycles"]
    assert len(day.switched("bike")) == 4
    day.run.ask(TargetSet("bike", "storage", "anna"), by="anna")
    renew(day)
    day.charge("bike")
    day.until(20 * HOUR)
    assert day.last("bike").outcome == "finished"


def test_schedule_that_stores_every_day_does_not_get_round_the_cycle_limit(tmp_path):
    """S0-11: limit 2, storage by a recurring start that names its target: the third day is refused."""
    profile = structs.replace(RAD, storage_cycles=2, storage_start_w=95, storage_stop_w=95)
    entry = ScheduleEntry("bike/@12:00", "bike", (0, 1, 2, 3, 4, 5, 6), 720, target="storage")
    day = Day(tmp_path, configuration(loadpoint("bike", profile), schedule=(entry,)), {"bike": "rad-nominal"})
    for number in range(3):
        day.until((24 * number + 11) * HOUR)
        renew(day)
    day.until(70 * HOUR)
    assert [session.outcome for session in ended(day)] == ["finished", "finished", "storage-cycles"]
    day.run.ask(TargetSet("bike", "nominal", "schedule", once=True), by="schedule")
    day.charge("bike", by="schedule")
    day.until(80 * HOUR)
    assert (day.last("bike").target, day.last("bike").outcome) == (
        "nominal",
        "finished",
    )  # it is a limit of storage only


def test_cycle_limit_that_is_lowered_meanwhile_lets_the_charge_that_runs_end(tmp_path):
    """One charge to storage is done, the second runs when the limit becomes one."""
    profile = structs.replace(RAD, storage_cycles=2, storage_start_w=95, storage_stop_w=95)
    day = Day(tmp_path, configuration(loadpoint("bike", profile, target="storage")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(4 * HOUR)
    renew(day)
    day.charge("bike")
    day.until(4.5 * HOUR)
    day.run.ask(LimitSet("bike", "storage_cycles", 1, "anna"), by="anna")
    day.until(8 * HOUR)
    assert [session.outcome for session in ended(day)] == ["finished", "finished"]


def test_setting_for_one_session_ends_with_it(tmp_path):
    """nominal_stop_w=97 for the next session: it ends there, and the one after at the profile's 90 W."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.run.ask(LimitSet("bike", "nominal_stop_w", 97.0, "anna", once=True), by="anna")
    day.charge("bike")
    day.until(4 * HOUR)
    assert day.last("bike").stop_w == 97
    assert settings_of(day.run.site, "bike").profile.nominal_stop_w == 90
    renew(day)
    day.charge("bike")
    day.until(8 * HOUR)
    assert day.last("bike").stop_w == 90
