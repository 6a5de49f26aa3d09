"""Days on which a charge is held against this very pack's charges before: another pack, a fall that stalls, pulses."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargerd.drivers.simulated import Curve, Load, taper
from chargerd.engine.describe import problems
from chargerd.model.events import LimitSet, TargetSet
from chargerd.sim import world
from tests.house import Day, configuration, loadpoint

HOUR = 3600


class Pulsing:
    """A full pack whose charger comes up to 60 W for half a minute in every ten, and rests at 0.7 W in between."""

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002
        """The charge of a minute first, so that there is something to come up again from."""
        return 95.0 if on_s < 120 or on_s % 600 < 30 else 6.0


class Stalling:
    """A worn cell: power leaves its plateau and hangs at 94 W, above the cut-off, for ever."""

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002
        """Flat for an hour, then down by a tenth, and there it stays."""
        return 110.0 if on_s < HOUR else 94.0


def used(folder: Path, times: int = 3, load: str = "rad-nominal") -> Day:
    """A pack that has been charged a few times, four hours apart."""
    day = Day(folder, configuration(loadpoint("bike")), {"bike": load})
    for number in range(times):
        day.until(60 + number * 4 * HOUR)
        connect(day, world.load(load))
        day.charge("bike", by="schedule")
    day.until(times * 4 * HOUR)
    return day


def connect(day: Day, load: Load) -> None:
    """Somebody puts something else behind the socket."""
    day.strip.sockets["bike"].connect(load, day.clock.true_s())


def charge(day: Day, load: Load, hours: float, by: str = "schedule") -> str | None:
    """Charge what is there now for some hours; how that ended, None if it goes on."""
    connect(day, load)
    day.charge("bike", by=by)
    day.until(day.clock.true_s() - _began_s(day) + hours * HOUR)
    point = day.run.site.loadpoints["bike"]
    return None if point.session is not None or point.last_session is None else point.last_session.outcome


def _began_s(day: Day) -> float:
    return day.events[0].at_ms / 1000


def test_record_holds_what_this_pack_has_done(tmp_path):
    """Plateau, fall, time and energy of each charge that reached its target."""
    day = used(tmp_path)
    record = day.run.site.loadpoints["bike"].record
    assert len(record) == 3
    assert record[0].plateau_w == pytest.approx(104.7, abs=0.5)
    assert record[0].taper_s == pytest.approx(5 * 60, abs=4 * 60)
    assert record[0].energy_wh == pytest.approx(day.last("bike").energy_wh, rel=0.02)


def test_pack_that_draws_a_third_more_than_ever_is_stopped_and_said_so(tmp_path):
    """140 W is far below what the charger may draw (the profile allows 205 W), but this pack has never done it."""
    day = used(tmp_path)
    assert charge(day, taper(140, 600, 5), 2) == "foreign-pack"
    session = day.last("bike")
    assert session.energy_wh < 140 * 15 / 60
    assert session.reason is not None
    assert session.reason.values["usual_w"] == pytest.approx(104.7, abs=0.5)
    (problem,) = problems(day.run.site, day.clock.now_ms())
    assert "another pack or another charger?" in problem.text
    assert "chargerctl mode bike fast" in problem.next_step


def test_pack_on_a_smaller_charger_is_stopped_after_half_an_hour_on_its_level(tmp_path):
    """60 W, flat: the small charger of another bike."""
    day = used(tmp_path)
    day.run.ask(LimitSet("bike", "nominal_start_w", 45.0, "anna"), by="anna")
    day.run.ask(LimitSet("bike", "nominal_stop_w", 45.0, "anna"), by="anna")
    assert charge(day, taper(60, 600, 5), 2) == "foreign-pack"
    assert day.last("bike").on_ms < 45 * 60_000


def test_pack_that_was_nearly_full_is_no_foreign_one(tmp_path):
    """It begins below the usual plateau and tapers off at once, as far as it was charged by then."""
    day = used(tmp_path, load="rad-full")
    day.run.ask(LimitSet("bike", "nominal_start_w", 45.0, "anna"), by="anna")
    day.run.ask(LimitSet("bike", "nominal_stop_w", 45.0, "anna"), by="anna")
    pack = world.recorded("rad-full")
    nearly = next(wh for wh, watts in pack.points if watts < 70)
    assert charge(day, Curve(pack.points, start_wh=nearly), 3) == "finished"


def test_two_charges_are_too_few_to_call_a_third_one_foreign(tmp_path):
    """What is usual is known after three."""
    assert charge(used(tmp_path, times=2), taper(140, 600, 5), 1) is None


def test_who_begins_again_by_hand_makes_the_new_pack_known(tmp_path):
    """A schedule is refused again; a person is not, and the third such charge is the usual one."""
    day = used(tmp_path)
    assert charge(day, taper(140, 600, 5), 1) == "foreign-pack"
    assert charge(day, taper(140, 600, 5), 1) == "foreign-pack"
    assert charge(day, taper(140, 600, 5), 6, by="anna") == "finished"
    assert charge(day, taper(140, 600, 5), 1) == "foreign-pack"
    assert charge(day, taper(140, 600, 5), 6, by="anna") == "finished"
    assert charge(day, taper(140, 600, 5), 1) == "foreign-pack"
    assert charge(day, taper(140, 600, 5), 6, by="anna") == "finished"
    assert charge(day, taper(140, 600, 5), 6) == "finished"


def test_power_that_does_not_come_down_is_stopped_after_twice_its_usual_fall(tmp_path):
    """This pack falls from its plateau to 90 W in minutes; 94 W for forty is not how it ends."""
    day = used(tmp_path)
    assert charge(day, Stalling(), 3) == "taper-stalled"
    usual_s = max(charge.taper_s or 0 for charge in day.run.site.loadpoints["bike"].record)
    assert day.last("bike").on_ms / 1000 == pytest.approx(HOUR + 2 * usual_s + 1800, abs=60)


def test_power_of_an_unknown_pack_may_take_three_hours_to_come_down(tmp_path):
    """Without a record the slowest recorded fall counts, twice."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "dead"})
    day.until(60)
    assert charge(day, Stalling(), 3.5) is None
    assert charge(day, Stalling(), 2) == "taper-stalled"


def test_charger_that_pulses_is_stopped(tmp_path):
    """Wish 28 of the field: "charger pulsing when full". Four times up from rest within an hour is enough."""
    day = Day(tmp_path, configuration(loadpoint("bike", target="full")), {"bike": "dead"})
    day.until(60)
    assert charge(day, Pulsing(), 2) == "restart-pulses"
    assert day.last("bike").on_ms < 45 * 60_000


def test_single_bad_readings_are_no_pulses(tmp_path):
    """A plug that says 0 W once in a while, three times within an hour, charges on."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    for minute in (10, 20, 30):
        day.strip.sockets["bike"].glitch(day.clock.true_s() + minute * 60)
    day.until(HOUR)
    session = day.run.site.loadpoints["bike"].session
    assert session is not None
    assert len(session.pulses) == 3


def test_four_bad_readings_in_more_than_an_hour_are_no_pulses(tmp_path):
    """At 10, 20, 30 and 75 minutes: within no hour were there four."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "never-tapers"})
    day.until(60)
    day.charge("bike")
    for minute in (10, 20, 30, 75):
        day.strip.sockets["bike"].glitch(day.clock.true_s() + minute * 60)
    day.until(1.5 * HOUR)
    session = day.run.site.loadpoints["bike"].session
    assert session is not None
    assert len(session.pulses) == 4


def test_charge_that_becomes_a_full_one_on_its_way_has_the_time_of_a_full_one(tmp_path):
    """This pack falls to 90 W in minutes, but a plan asks for full meanwhile, and from there to 5 W takes hours."""
    day = used(tmp_path)
    connect(day, world.load("rad-full"))
    day.charge("bike", by="schedule")
    day.until(12.2 * HOUR)
    day.run.ask(TargetSet("bike", "full", "plan", once=True), by="plan")
    day.until(20 * HOUR)
    assert (day.last("bike").target, day.last("bike").outcome) == ("full", "finished")


def test_another_profile_is_another_record(tmp_path):
    """What is known of a pack does not count for the next one that the configuration names here."""
    day = used(tmp_path)
    other = configuration(loadpoint("bike", loadpoint("bike").profile.__class__("other", charger_a=2, capacity_ah=14)))
    day.run.stop()
    day.configuration = other
    day.begin()
    day.until(day.clock.true_s() - _began_s(day) + 300)
    assert charge(day, taper(140, 600, 5), 1) is None
