"""Requests of people who want to ride: plans, levels, settings for one session. What they become, and what is refused."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.engine.settings import mode_of
from chargerd.model.events import LimitSet, ModeSet, PlanSet, ScheduleAdded, TargetSet
from chargerd.model.settings import Window
from chargerd.protocol.framing import CallError
from tests.daemon.test_requests import HOUR_MS, NOON_MS, SATURDAY_MS, after, ask, home
from tests.house import RAD


def refused(site, method, **parameters):
    """What is said of a request that is not done."""
    with pytest.raises(CallError) as caught:
        ask(site, method, **parameters)
    assert caught.value.parameters["means"]
    return f"{caught.value} {caught.value.parameters['hint']}"


def test_plan_says_when_it_begins_and_what_that_rests_on():
    """Full by Saturday 07:00, set at noon on Monday: nominal at once, the last part from 04:00, a guess so far."""
    asked = ask(home(), "SetPlan", name="bike", target="full", ready_by="sat 07:00")
    assert asked.facts == (PlanSet("bike", "full", "anna", SATURDAY_MS),)
    assert asked.text == "bike: full by Sat 07:00."
    assert asked.notes == (
        "Charges to nominal now and waits there; tops up from Sat 04:00 (3 h, a cautious guess until it is measured).",
    )


def test_plan_that_an_empty_pack_could_miss_says_so():
    """Five hours ahead suffice for the top-up, not for a pack that is empty."""
    asked = ask(home(), "SetPlan", name="bike", target="full", ready_by="17:00")
    assert asked.notes[1] == "An empty pack may not be there in time: it may take 10 h in all."


def test_plan_that_cannot_be_kept_is_refused_and_can_be_tried_all_the_same():
    """Two hours are too few to be sure of the top-up; --best-effort begins at once."""
    said = refused(home(), "SetPlan", name="bike", target="full", ready_by="14:00")
    assert "bike cannot be sure to be full by 14:00: topping up takes 3 h" in said
    assert "--best-effort" in said
    asked = ask(home(), "SetPlan", name="bike", target="full", ready_by="14:00", best_effort=True)
    assert len(asked.facts) == 1
    assert asked.notes[0].startswith("It begins at once")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"target": "storage", "ready_by": "07:00"}, "there is no plan for 'storage'"),
        ({"target": "80%", "ready_by": "07:00"}, "there is no plan for '80%'"),
        ({"target": "full"}, "the time is missing"),
        ({"target": "full", "ready_by": "yesterday"}, "is over"),
        ({"target": "full", "ready_by": "sat 25:00"}, "no time of day"),
        ({"target": "full", "ready_by": "someday 07:00"}, "is no time"),
    ],
)
def test_a_plan_that_is_none_is_refused(parameters, said):
    """A target that cannot be planned, a time that is missing, over or none."""
    assert said in refused(home(), "SetPlan", name="bike", **parameters)


def test_plan_is_dropped_on_request_and_by_who_stops_the_charge():
    """None takes it away; off takes it away as well, and says so."""
    site = home(PlanSet("bike", "full", "anna", SATURDAY_MS))
    asked = ask(site, "SetPlan", name="bike", target="none")
    assert asked.facts == (PlanSet("bike", None, "anna"),)
    assert asked.text == "bike: full by Sat 07:00 is dropped; a charge that runs goes on."
    assert ask(after(site, *asked.facts), "SetPlan", name="bike", target="none").facts == ()
    running = after(site, ModeSet("bike", "fast", "anna"))
    off = ask(running, "SetMode", name="bike", mode="off")
    assert off.notes == ("Its plan, full by Sat 07:00, is dropped.",)
    assert after(running, *off.facts).loadpoints["bike"].plan is None


def test_day_of_the_week_is_the_next_one():
    """On Monday at noon, "mon 07:00" is in a week, "mon 13:00" is today, and "Monday" may be written out."""
    for text, at_ms in (
        ("mon 07:00", NOON_MS + (7 * 24 - 5) * HOUR_MS),
        ("Monday 17:00", NOON_MS + 5 * HOUR_MS),
        ("sunday 12:00", NOON_MS + 6 * 24 * HOUR_MS),
    ):
        asked = ask(home(), "SetPlan", name="bike", target="full", ready_by=text)
        assert asked.facts[0] == PlanSet("bike", "full", "anna", at_ms)


def storage(**profile):
    """A home whose bike is kept at storage level."""
    site = home(TargetSet("bike", "storage", "anna"))
    points = dict(site.configuration.loadpoints)
    points["bike"] = structs.replace(points["bike"], profile=structs.replace(RAD, **profile))
    return structs.replace(site, configuration=structs.replace(site.configuration, loadpoints=points))


def test_known_level_is_counted_up_to_storage():
    """From 35 to 60 % of 672 Wh at 0.8."""
    asked = ask(storage(), "SetMode", name="bike", mode="fast", from_pct=35.0)
    assert asked.facts == (ModeSet("bike", "fast", "anna", from_pct=35.0),)
    assert asked.text == "bike: fast, from 35 % to 60 %, which is 210 Wh at the socket."


def test_known_level_before_a_full_charge_is_kept_for_the_capacity():
    """It says nothing about when to stop, and needs no content."""
    site = after(home(), TargetSet("bike", "full", "anna", once=True))
    asked = ask(site, "SetMode", name="bike", mode="fast", from_pct=20.0)
    assert asked.facts == (ModeSet("bike", "fast", "anna", from_pct=20.0),)
    assert "to full (until below 5 W)" in asked.text
    assert after(site, *asked.facts).loadpoints["bike"].session.stop_wh is None


@pytest.mark.parametrize(
    ("site", "from_pct", "said"),
    [
        (storage(), 120.0, "a level lies between 0 and 100 %"),
        (storage(), -1.0, "a level lies between 0 and 100 %"),
        (storage(), 60.0, "60 % is no less than the level to store at"),
        (home(), 35.0, "a known level is of use for the targets storage and full only"),
        (storage(capacity_ah=None), 35.0, "capacity_ah = 14"),
        (after(storage(), ModeSet("bike", "fast", "ben")), 35.0, "is being charged already"),
    ],
)
def test_a_level_that_says_nothing_is_refused(site, from_pct, said):
    """Nothing is changed, and the sentence says why."""
    assert said in refused(site, "SetMode", name="bike", mode="fast", from_pct=from_pct)


def test_setting_for_one_session_is_in_the_fact_and_has_no_other_end():
    """--once and --until are two ends."""
    asked = ask(home(), "SetSetting", name="bike", values={"max_h": 3}, once=True)
    assert asked.facts == (LimitSet("bike", "max_h", 3.0, "anna", once=True),)
    assert asked.text.endswith("for the next session.")
    assert ask(home(*asked.facts), "SetSetting", name="bike", values={"max_h": 3}, once=True).facts == ()
    assert len(ask(home(*asked.facts), "SetSetting", name="bike", values={"max_h": 3}).facts) == 1
    said = refused(home(), "SetSetting", name="bike", values={"max_h": 3}, once=True, until="18:00")
    assert "two different ends" in said


def test_recurring_plan_is_a_schedule_entry_with_a_time_to_be_ready_by():
    """--ready; the same at a start time is another entry; storage is not planned for a time."""
    asked = ask(home(), "AddSchedule", name="bike", days="sat", at="07:00", target="full", ready=True)
    assert asked.facts == (ScheduleAdded("bike.1", "bike", (5,), 420, "anna", "fast", "full", ready=True),)
    assert asked.text == "bike: fast to full sat by 07:00, as bike.1."
    site = home(*asked.facts)
    assert ask(site, "AddSchedule", name="bike", days="sat", at="07:00", target="full", ready=True).facts == ()
    assert len(ask(site, "AddSchedule", name="bike", days="sat", at="07:00", target="full").facts) == 1
    said = refused(home(), "AddSchedule", name="bike", days="sat", at="07:00", target="storage", ready=True)
    assert "storage level" in said


def test_asking_for_storage_again_is_no_repetition_once_it_was_charged():
    """It allows as many charges again, so it is recorded."""
    site = home(TargetSet("bike", "storage", "anna"))
    assert ask(site, "SetTarget", name="bike", target="storage").facts == ()
    points = {**site.loadpoints, "bike": structs.replace(site.loadpoints["bike"], stored=2)}
    site = structs.replace(site, loadpoints=points)
    asked = ask(site, "SetTarget", name="bike", target="storage")
    assert after(site, *asked.facts).loadpoints["bike"].stored == 0
    assert mode_of(site, "bike") == "off"


def test_plan_keeps_to_hours_in_what_it_says():
    """With hours from midnight to six it begins at three."""
    site = home()
    points = dict(site.configuration.loadpoints)
    points["bike"] = structs.replace(points["bike"], windows=(Window(0, 360),))
    site = structs.replace(site, configuration=structs.replace(site.configuration, loadpoints=points))
    asked = ask(site, "SetPlan", name="bike", target="full", ready_by="sat 07:00")
    assert "tops up from Sat 03:00" in asked.notes[0]
