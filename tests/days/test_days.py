"""Days: a site in simulated time, from one morning to the next, with people, schedules, faults and restarts."""

from __future__ import annotations

from itertools import pairwise

from msgspec import structs

from chargerd.drivers.base import AccessDenied, UnexpectedAnswer, Unreachable
from chargerd.drivers.simulated import Steady
from chargerd.model.commands import SetEnabled
from chargerd.model.events import (
    ChargerRead,
    ClockStepped,
    CommandIssued,
    DeviceBack,
    DeviceLost,
    HoldCleared,
    HoldSet,
    LimitSet,
    ModeSet,
    ScheduleFired,
    TargetSet,
)
from chargerd.model.settings import Profile, ScheduleEntry, Window
from chargerd.sim import world
from tests.house import RAD, Day, configuration, loadpoint

HOUR = 3600
DAY = 24 * HOUR


class Flaky:
    """A strip that fails while ``error`` is set; readings, switching or both."""

    def __init__(self, strip, *, reads=True, applies=True):
        self.strip, self.error, self._reads, self._applies = strip, None, reads, applies
        self.told: list[SetEnabled] = []

    def describe(self):
        if self.error and self._reads:
            raise self.error
        return self.strip.describe()

    def read(self):
        if self.error and self._reads:
            raise self.error
        return self.strip.read()

    def apply(self, command):
        self.told.append(command)
        if self.error and self._applies:
            raise self.error
        self.strip.apply(command)

    def close(self):
        self.strip.close()


def flaky(day: Day, **parts: bool) -> Flaky:
    """Put a flaky device in the place of the day's strip and restart the daemon over it."""
    day.run.kill()
    strip = day.strip
    day.strip = Flaky(strip, **parts)
    day.begin()
    return day.strip


def test_week_of_nominal_charges_with_a_full_one_on_saturday(tmp_path):
    """S0-25: Monday to Friday nominal, Saturday full at 00:00, over eight days: five nominal sessions and one full."""
    schedule = (
        ScheduleEntry("weekdays", "bike", (0, 1, 2, 3, 4), 0),
        ScheduleEntry("balance", "bike", (5,), 0, target="full"),
    )
    day = Day(tmp_path, configuration(loadpoint("bike"), schedule=schedule), {"bike": "rad-nominal"})
    sessions = []
    for n in range(1, 8):
        day.until(n * DAY - 60)
        last = day.run.site.loadpoints["bike"].last_session
        if last is not None and last not in sessions:
            sessions.append(last)
        day.strip.sockets["bike"].connect(world.load("rad-nominal"), day.clock.true_s())  # ridden empty again
    day.until(8 * DAY - 7200)
    targets = [s.target for s in sessions]
    assert targets == ["nominal"] * 4 + ["full"], "Monday's midnight is the start itself and has passed"
    saturday = sessions[-1]
    assert (saturday.started_at_ms - day.events[0].at_ms) / 1000 == 5 * DAY
    assert all(s.outcome == "finished" for s in sessions)
    assert day.run.site.loadpoints["bike"].target is None, "full was for that session only"


def test_forced_full_charge_holds_for_one_session(tmp_path):
    """S0-13: the next session is full, the one after nominal again."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(60)
    day.run.ask(TargetSet("bike", "full", "anna", once=True), ModeSet("bike", "fast", "anna"))
    day.until(6 * HOUR)
    first = day.last("bike")
    day.strip.sockets["bike"].connect(world.load("rad-full"), day.clock.true_s())
    day.charge("bike")
    day.until(12 * HOUR)
    assert [first.target, day.last("bike").target] == ["full", "nominal"]


def test_window_keeps_the_plug_off_outside_and_goes_on_next_night(tmp_path):
    """S0-35: 00:00 to 00:30 only: never on outside, and the unfinished battery goes on the next night."""
    hours = (Window(0, 30),)
    day = Day(tmp_path, configuration(loadpoint("bike", windows=hours)), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(2 * DAY)
    assert day.switched("bike")[:3] == [(60, True), (1800, False), (DAY, True)]
    for event in day.all(ChargerRead):
        local_min = (event.at_ms - day.events[0].at_ms) / 60_000 % 1440
        assert not event.body.enabled or local_min <= 30
    assert day.last("bike").outcome == "finished"


def test_time_limit_switches_the_plug_off_and_says_so(tmp_path):
    """S0-22: 14 Ah at 2 A is 7 h; a charger that never tapers is switched off then, as a time limit."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "never-tapers"})
    day.until(60)
    day.charge("bike")
    day.until(8 * HOUR)
    assert day.switched("bike") == [(60, True), (60 + 7 * HOUR, False)]
    assert day.last("bike").outcome == "time-limit"
    assert not day.strip.sockets["bike"].on


def test_time_limit_of_an_unknown_pack_is_twelve_hours(tmp_path):
    """S0-23: without capacity and current the global limit holds; energy is capped too, so the draw is small here."""
    unknown = Profile("unknown", nominal_start_w=30, nominal_stop_w=30)
    day = Day(tmp_path, configuration(loadpoint("bike", unknown)), {"bike": Steady(50)})
    day.until(60)
    day.charge("bike")
    day.until(13 * HOUR)
    assert day.switched("bike")[-1] == (60 + 12 * HOUR, False)


def test_energy_limit_ends_a_charge_that_takes_more_than_the_pack_holds(tmp_path):
    """1.3 × 14 Ah × 48 V ÷ 0.8 is 1092 Wh; at 190 W that is reached before the seven hours."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": Steady(190)})
    day.until(60)
    day.charge("bike")
    day.until(8 * HOUR)
    assert day.last("bike").outcome == "energy-limit"
    assert 1092 <= day.last("bike").energy_wh < 1100


def test_foreign_load_is_switched_off_within_a_minute(tmp_path):
    """600 W on a plug whose charger can draw 205 W is something else."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "foreign"})
    day.until(60)
    day.charge("bike")
    day.until(HOUR)
    assert day.last("bike").outcome == "power-limit"
    assert day.switched("bike")[-1][0] <= 120


def test_missing_plug_is_reported_once_and_others_go_on(tmp_path):
    """S0-05, S0-32: five minutes without an answer: one line when lost, one when back, the charge goes on with its state."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    strip = flaky(day)
    day.until(60)
    day.charge("bike")
    day.until(900)
    strip.error = Unreachable("no answer in 5 s")
    day.until(1200)
    strip.error = None
    day.until(3 * HOUR)
    assert len(day.all(DeviceLost)) == 1
    assert len(day.all(DeviceBack)) == 1
    assert [on for _, on in day.switched("bike")] == [True, False], "the relay never clicked in between"
    assert day.last("bike").outcome == "finished"


def test_unreadable_plug_that_still_takes_commands_is_switched_off(tmp_path):
    """No reading is ever acted on past its age: after 180 s blind the plug is switched off, for it still answers."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    strip = flaky(day, applies=False)
    day.until(60)
    day.charge("bike")
    day.until(900)
    strip.error = UnexpectedAnswer("no power in the answer")
    day.until(1200)
    assert not strip.strip.sockets["bike"].on
    assert "stale-reading" in day.codes("bike")


def test_plug_nobody_can_reach_turns_itself_off_within_its_lease(tmp_path):
    """What chargerd cannot reach, the lease ends: 900 s after the last renewal at the latest."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    strip = flaky(day)
    day.until(60)
    day.charge("bike")
    day.until(900)
    strip.error = Unreachable("no answer in 5 s")
    day.until(900 + 901)
    strip.strip.read()
    assert not strip.strip.sockets["bike"].on


def test_kill_in_mid_charge_leaves_the_plug_off_after_its_lease(tmp_path):
    """S0-33: kill -9, and nobody comes back."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(1000)
    day.run.kill()
    day.clock.mono += 901_000
    day.strip.read()
    assert not day.strip.sockets["bike"].on


def test_charge_goes_on_after_a_night_without_the_daemon(tmp_path):
    """The lease ran out while chargerd was dead; that was ours and nobody's wish, so the charge goes on when it is back."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(1000)
    day.run.kill()
    day.clock.mono += HOUR * 1000
    day.begin()
    day.until(6 * HOUR)
    assert [on for _, on in day.switched("bike")] == [True, True, False]
    assert day.last("bike").outcome == "finished"


def test_orderly_end_shortens_the_lease_to_two_minutes(tmp_path):
    """S0-33: systemctl stop leaves a plug with a lease on for 120 s, enough for an upgrade and no more."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    day.run.stop()
    last = day.all(CommandIssued)[-1].body.command
    assert (last.enabled, last.lease_s) == (True, 120)
    day.clock.mono += 121_000
    day.strip.read()
    assert not day.strip.sockets["bike"].on


def test_orderly_end_switches_off_what_has_no_lease(tmp_path):
    """S0-33: a plug without a timer of its own is switched off, unless its configuration says leave."""
    for on_stop, expected in (("off", False), ("leave", True)):
        folder = tmp_path / on_stop
        folder.mkdir()
        day = Day(folder, configuration(loadpoint("bike", on_stop=on_stop)), {"bike": "rad-nominal"})
        describe = day.strip.describe
        day.run.kill()
        day.strip.describe = lambda describe=describe: structs.replace(describe(), lease="none")
        day.begin()
        day.until(60)
        day.charge("bike")
        day.until(600)
        day.run.stop()
        assert day.strip.sockets["bike"].on is expected


def test_button_on_the_plug_is_a_wish_and_is_watched(tmp_path):
    """A plug switched on by hand is adopted: charged to its target, cut off, not fought."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(300)
    day.strip.sockets["bike"].switch(True, day.clock.true_s())
    day.until(4 * HOUR)
    assert day.last("bike").by == "device"
    assert day.last("bike").outcome == "finished"
    assert [on for _, on in day.switched("bike")] == [False]


def test_button_off_ends_the_charge(tmp_path):
    """A plug switched off by hand in mid-charge stays off."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(1000)
    day.strip.sockets["bike"].switch(False, day.clock.true_s())
    day.until(2 * HOUR)
    assert day.last("bike").reason.code == "switched-off-elsewhere"
    assert day.switched("bike") == [(60, True)]


def test_plug_found_on_at_the_first_start_is_adopted_not_restarted(tmp_path):
    """A charger that was drawing power before chargerd came is watched to its end without a click."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.run.kill()
    day.path.unlink()
    day.strip.sockets["bike"].switch(True, day.clock.true_s())
    day.begin()
    day.until(4 * HOUR)
    assert [on for _, on in day.switched("bike")] == [False]
    assert day.last("bike").outcome == "finished"


def test_hold_sends_nothing_but_lease_renewals(tmp_path):
    """Hands off: power falls below the cut-off, the plug stays on, its lease is renewed; on release it is cut off."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(1000)
    day.run.ask(HoldSet("anna"))
    day.until(3 * HOUR)
    assert day.switched("bike") == [(60, True)]
    assert day.strip.sockets["bike"].on
    assert any(e.body.reason.code == "lease-renewal" for e in day.all(CommandIssued, 2 * HOUR))
    day.run.ask(HoldCleared("anna"))
    assert [on for _, on in day.switched("bike")] == [True, False]


def test_nothing_is_switched_on_hold_from_the_start(tmp_path):
    """S0-30: a test run without touching plugs: decisions are listed, the device side sees no command at all."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    strip = flaky(day)
    day.run.ask(HoldSet("anna"))
    day.until(60)
    day.charge("bike")
    day.until(HOUR)
    assert strip.told == []
    assert "held" in day.codes("bike")


def test_hold_ends_by_itself(tmp_path):
    """A hold until 00:20 is over at 00:20."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.run.ask(HoldSet("anna", until_ms=day.events[0].at_ms + 1_200_000))
    day.charge("bike")
    day.until(1300)
    assert day.switched("bike") == [(1200, True)]


def test_mode_with_an_end_goes_back_by_itself(tmp_path):
    """``mode fast --for 10min`` ends after ten minutes."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.run.ask(ModeSet("bike", "fast", "anna", until_ms=day.events[0].at_ms + 660_000))
    day.until(HOUR)
    assert day.switched("bike") == [(60, True), (660, False)]
    assert day.last("bike").outcome == "stopped"


def test_override_changes_the_cut_off_of_a_running_charge(tmp_path):
    """S0-31, wish 16: a threshold set while charging counts at once."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    day.run.ask(LimitSet("bike", "nominal_stop_w", 70.0, "anna"))
    day.until(4 * HOUR)
    assert day.last("bike").reason.values["stop_w"] == 70
    assert 68 < day.last("bike").reason.values["power_w"] < 70


def test_clock_set_a_month_ahead_ends_no_charge(tmp_path):
    """Durations count on the monotonic clock: a jump of 30 days does not reach the time limit."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(1000)
    day.clock.skew_ms += 30 * DAY * 1000
    day.until(1100)
    assert [e.body.by_ms for e in day.all(ClockStepped)] == [30 * DAY * 1000]
    assert day.run.site.loadpoints["bike"].session is not None
    day.until(3 * HOUR)
    assert day.last("bike").outcome == "finished"


def test_clock_set_back_never_makes_the_log_go_back(tmp_path):
    """An hour back, and later forward again: event times never fall, and the wall clock is known throughout."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(1000)
    day.clock.skew_ms -= HOUR * 1000
    day.until(2000)
    assert day.run.site.wall_ms == day.clock.now_ms()
    day.clock.skew_ms += HOUR * 1000
    day.until(3 * HOUR)
    times = [event.at_ms for event in day.events]
    assert times == sorted(times)
    assert day.run.site.wall_ms == day.clock.now_ms() or abs(day.run.site.wall_ms - day.clock.now_ms()) < 60_000
    assert day.last("bike").outcome == "finished"


def test_schedule_does_not_fire_twice_when_the_clock_is_set_back_over_it(tmp_path):
    """Due at 01:00; at 01:10 the clock goes back to 00:40: it has fired and does not again."""
    schedule = (ScheduleEntry("nightly", "bike", tuple(range(7)), 60),)
    day = Day(tmp_path, configuration(loadpoint("bike"), schedule=schedule), {"bike": "rad-nominal"})
    day.until(HOUR + 600)
    day.clock.skew_ms -= 1800_000
    day.until(3 * HOUR)
    assert len(day.all(ScheduleFired)) == 1


def test_schedule_missed_while_the_daemon_was_down_is_made_up_for(tmp_path):
    """Due at 01:00, daemon back at 02:00: it charges then. Back a day later: it does not."""
    schedule = (ScheduleEntry("once", "bike", (0,), 60),)
    for gone_h, fires in ((1.5, 1), (23, 0)):
        folder = tmp_path / str(gone_h)
        folder.mkdir()
        day = Day(folder, configuration(loadpoint("bike"), schedule=schedule), {"bike": "rad-nominal"})
        day.until(1800)
        day.run.kill()
        day.clock.mono += round(gone_h * HOUR * 1000)
        day.begin()
        day.until(day.clock.mono / 1000 + 600)
        assert len(day.all(ScheduleFired)) == fires


def test_plug_that_does_not_follow_is_a_fault_after_three_tries(tmp_path):
    """Wish 26: switched on three times without effect, with growing pauses, then a fault that says so."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    strip = flaky(day, reads=False)
    strip.error = UnexpectedAnswer("did not follow")
    day.until(60)
    day.charge("bike")
    day.until(HOUR)
    assert [t for t, on in day.switched("bike") if on] == [60, 70, 100]
    assert (day.last("bike").outcome, day.last("bike").reason.code) == ("fault", "no-effect")


def test_plug_that_does_not_switch_off_is_told_for_ever(tmp_path):
    """S0's worst: a plug left on and unwatched. It is told again every 90 s until it follows."""
    day = Day(tmp_path, configuration(loadpoint("bike", lease_s=86_400)), {"bike": "rad-nominal"})
    strip = flaky(day, reads=False)
    day.until(60)
    day.charge("bike")
    day.until(600)
    strip.error = UnexpectedAnswer("did not follow")
    day.run.ask(ModeSet("bike", "off", "anna"))
    day.until(HOUR)
    offs = [t for t, on in day.switched("bike") if not on]
    assert len(offs) > 30
    assert {round(b - a) for a, b in pairwise(offs[5:])} == {90}
    strip.error = None
    day.until(HOUR + 100)
    assert not strip.strip.sockets["bike"].on


def test_refused_login_is_not_knocked_at(tmp_path):
    """A device that denies access is asked once an hour, not every ten seconds."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    strip = flaky(day)
    strip.error = AccessDenied("wrong password")
    day.until(2.5 * HOUR)
    assert len(day.all(DeviceLost)) == 1
    failed = [e for e in day.events if type(e.body).__name__ == "ReadFailed"]
    assert len(failed) <= 4


def test_daily_starts_are_limited(tmp_path):
    """The wear budget: a window that opens every ten minutes switches a charge on three times, then no more that day."""
    windows = tuple(Window(m, m + 5) for m in range(0, 240, 10))
    point = loadpoint("bike", RAD, windows=windows, max_starts_per_day=3, min_off_s=0)
    day = Day(tmp_path, configuration(point), {"bike": "never-tapers"})
    day.until(60)
    day.charge("bike")
    day.until(4 * HOUR)
    assert [on for _, on in day.switched("bike")].count(True) == 3
    assert "starts-used-up" in day.codes("bike")


def test_minimum_off_time_holds_a_restart_back(tmp_path):
    """A window that closes for one minute does not make the relay click twice within five."""
    windows = (Window(0, 30), Window(31, 600))
    day = Day(tmp_path, configuration(loadpoint("bike", windows=windows)), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(2 * HOUR)
    times = [t for t, _ in day.switched("bike")]
    assert times[1] == 1800
    assert times[2] - times[1] >= 300


def test_other_plugs_are_never_touched(tmp_path):
    """S0-03: sockets that no loadpoint names see no command over a full run."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal", "lamp": "never-tapers"})
    strip = flaky(day)
    day.until(60)
    day.charge("bike")
    day.until(3 * HOUR)
    assert {command.device for command in strip.told} == {"shed/bike"}


def test_plug_that_stops_telling_its_power_is_not_left_on_unwatched(tmp_path):
    """A dead meter in a plug that answers: on and power unknown for 180 s is as bad as silence, and switches off."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    read = day.strip.read
    day.strip.read = lambda: tuple(structs.replace(r, power_w=None if r.enabled else 0.0) for r in read())
    day.until(900)
    assert not day.strip.sockets["bike"].on
    assert "stale-reading" in day.codes("bike")


def test_energy_goes_on_over_readings_without_power(tmp_path):
    """Every other reading without a power: the energy between is counted, and labelled as estimated."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    read, count = day.strip.read, iter(range(10**6))
    day.strip.read = lambda: tuple(structs.replace(r, power_w=r.power_w if next(count) % 2 else None) for r in read())
    day.until(60)
    day.charge("bike")
    day.until(1800)
    session = day.run.site.loadpoints["bike"].session
    assert abs(session.energy_wh - day.strip.sockets["bike"].taken_wh) < 3
    assert session.estimated_wh > 0


def test_set_up_counts_pulses_and_not_looks(tmp_path):
    """S0-24: other things that happen while a pulse's off is under way do not use up tries."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "dead"})
    strip = flaky(day, reads=False)
    day.until(60)
    day.charge("bike")
    day.until(89)
    strip.error = UnexpectedAnswer("did not follow")
    day.until(91)
    for _ in range(5):
        day.run.ask(TargetSet("bike", "full", "anna"), TargetSet("bike", None, "anna"))
    strip.error = None
    day.until(1800)
    assert [on for _, on in day.switched("bike")].count(True) == 3
    assert day.last("bike").outcome == "no-charger"


def test_pulses_are_five_seconds_apart_and_the_last_try_has_patience(tmp_path):
    """S0-24: 30 s on, 5 s off, 30 s on, 5 s off, 120 s on."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "dead"})
    day.until(60)
    day.charge("bike")
    day.until(1800)
    assert [t for t, _ in day.switched("bike")] == [60, 90, 95, 125, 130, 250]


def test_hold_is_hands_off_even_at_a_cap(tmp_path):
    """Held past the time limit: nothing is sent but renewals; on release the limit ends the charge at once."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "never-tapers"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    day.run.ask(HoldSet("anna", loadpoint="bike"))
    day.until(8 * HOUR)
    assert day.switched("bike") == [(60, True)]
    day.run.ask(HoldCleared("anna", loadpoint="bike"))
    assert day.last("bike").outcome == "time-limit"
    assert not day.strip.sockets["bike"].on


def test_outage_is_not_booked_as_charging(tmp_path):
    """Twenty hours without a daemon: the plug's timer ended it after fifteen minutes, and so far the session counts."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    day.run.kill()
    day.clock.mono += 20 * HOUR * 1000
    day.begin()
    day.until(day.clock.mono / 1000 + 60)
    session = day.run.site.loadpoints["bike"].session
    assert session is not None
    assert session.on_ms < 1800_000
    assert abs(session.energy_wh - day.strip.sockets["bike"].taken_wh) < 20


def test_standing_target_comes_back_after_one_session_with_another(tmp_path):
    """storage stays storage: full for one session does not undo what a person has set for good."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.run.ask(TargetSet("bike", "storage", "anna"))
    day.run.ask(TargetSet("bike", "full", "anna", once=True), ModeSet("bike", "fast", "anna"))
    day.until(6 * HOUR)
    assert day.last("bike").target == "full"
    assert day.run.site.loadpoints["bike"].target == "storage"


def test_schedule_does_not_override_a_person_who_named_an_end(tmp_path):
    """Wish 7: off until 02:00 is off at 01:00, whatever the schedule says."""
    schedule = (ScheduleEntry("nightly", "bike", tuple(range(7)), 60),)
    day = Day(tmp_path, configuration(loadpoint("bike"), schedule=schedule), {"bike": "rad-nominal"})
    day.until(60)
    day.run.ask(ModeSet("bike", "off", "anna", until_ms=day.events[0].at_ms + 2 * HOUR * 1000))
    day.until(3 * HOUR)
    assert day.switched("bike") == []
    assert len(day.all(ScheduleFired)) == 1
