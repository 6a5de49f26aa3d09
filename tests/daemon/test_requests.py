"""Requests: what people ask becomes facts, or is refused in words, and then nothing has changed."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from chargerd.daemon.asked import Asked
from chargerd.daemon.requests import device_failed, ending, facts_for, not_recorded
from chargerd.engine.evolve import fold
from chargerd.engine.settings import settings_of, target_of
from chargerd.model.events import (
    Body,
    ConfigLoaded,
    Event,
    HoldCleared,
    HoldSet,
    LimitSet,
    ModeSet,
    PlanSet,
    ScheduleAdded,
    ScheduleRemoved,
    TargetSet,
)
from chargerd.model.settings import ADJUSTABLE, ScheduleEntry
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from chargerd.protocol.varlink import checked
from tests.house import MONDAY_MS, RAD, Day, configuration, loadpoint

HOUR_MS = 3_600_000
NOON_MS = MONDAY_MS + 12 * HOUR_MS
SATURDAY_MS = MONDAY_MS + (5 * 24 + 7) * HOUR_MS  # 07:00 of that week


def home(*facts: Body) -> Site:
    """Two bikes, and a trike that is kept at storage level and starts on Saturdays, after these facts."""
    saturday = ScheduleEntry("trike/sat@01:30", "trike", (5,), 90)
    points = [loadpoint("bike"), loadpoint("cargo-bike"), loadpoint("trike", target="storage")]
    return after(Site(), ConfigLoaded(configuration(*points, schedule=(saturday,))), *facts)


def after(site: Site, *facts: Body) -> Site:
    """The site once these facts are in the log."""
    return fold(site, [Event(site.seq + 1 + n, NOON_MS, 0, 1, "anna", fact) for n, fact in enumerate(facts)])


def ask(site: Site, method: str, **parameters: Any) -> Asked:
    """What Anna's request comes to at noon on Monday, checked first as the server does."""
    return facts_for(method, checked(METHODS[method], parameters), site, "anna", NOON_MS)


class Refusal(NamedTuple):
    """A request that was refused."""

    error: str
    message: str
    hint: str
    parameters: dict[str, Any]


def refusal(site: Site, method: str, **parameters: Any) -> Refusal:
    """Why a request is refused. Every refusal says that nothing was changed, and what to do."""
    with pytest.raises(CallError) as caught:
        ask(site, method, **parameters)
    said = caught.value.parameters
    assert said["means"] == "Nothing was changed."
    assert said["hint"]
    return Refusal(caught.value.short, said["message"], said["hint"], said)


# Each request in its plainest form, which the same site has not heard yet. All of them name what they changed.
PLAIN: list[tuple[str, dict[str, Any], Body]] = [
    ("SetMode", {"name": "bike", "mode": "fast"}, ModeSet("bike", "fast", "anna", None, "a1")),
    ("SetTarget", {"name": "bike", "target": "full"}, TargetSet("bike", "full", "anna", False, None, "a1")),
    ("SetSetting", {"name": "bike", "values": {"max_h": 3}}, LimitSet("bike", "max_h", 3.0, "anna", None, "a1")),
    (
        "SetPlan",
        {"name": "bike", "target": "full", "ready_by": "sat 07:00"},
        PlanSet("bike", "full", "anna", SATURDAY_MS, "a1"),
    ),
    ("Hold", {}, HoldSet("anna", "", None, "a1")),
    ("Hold", {"name": "bike"}, HoldSet("anna", "bike", None, "a1")),
    (
        "AddSchedule",
        {"name": "bike", "days": "mon-fri", "at": "06:30"},
        ScheduleAdded("bike.1", "bike", (0, 1, 2, 3, 4), 390, "anna", "fast", None, "a1"),
    ),
    ("RemoveSchedule", {"entry": "trike/sat@01:30"}, ScheduleRemoved("trike/sat@01:30", "anna", "a1")),
]


@pytest.mark.parametrize(("method", "parameters", "fact"), PLAIN)
def test_a_request_becomes_one_fact_with_who_asked_and_its_id(method, parameters, fact):
    """Who asked and under which id is in the fact, and only there."""
    assert ask(home(), method, request="a1", **parameters).facts == (fact,)


@pytest.mark.parametrize(("method", "parameters", "fact"), [each for each in PLAIN if each[0] != "RemoveSchedule"])
def test_asking_for_what_is_so_already_makes_no_fact(method, parameters, fact):
    """The answer says "already", and the log stays as it is."""
    again = ask(home(fact), method, request="a2", **parameters)
    assert again.facts == ()
    assert "already" in again.text


@pytest.mark.parametrize("method", ["SetMode", "SetTarget", "SetSetting", "Hold", "Release", "AddSchedule"])
def test_an_unknown_loadpoint_is_refused_with_what_may_have_been_meant(method):
    """ "cargo-bik": did you mean cargo-bike? And all that there are."""
    needed = {
        "SetMode": {"mode": "fast"},
        "SetTarget": {"target": "full"},
        "SetSetting": {"values": {"max_h": 3}},
        "AddSchedule": {"days": "daily", "at": "06:30"},
    }.get(method, {})
    error = refusal(home(), method, name="cargo-bik", **needed)
    assert error.error == "NoSuchLoadpoint"
    assert 'no loadpoint "cargo-bik". Did you mean cargo-bike?' in error.message
    assert error.hint == "Known: bike cargo-bike trike"
    assert error.parameters["known"] == ["bike", "cargo-bike", "trike"]
    assert "Did you mean" not in refusal(home(), method, name="zzz", **needed).message


# Until


@pytest.mark.parametrize(
    ("until", "hours", "said"),
    [("16:20", 4 + 20 / 60, "16:20"), ("+90min", 1.5, "13:30"), ("2h", 2, "14:00"), ("06:30", 18.5, "tomorrow 06:30")],
)
@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("SetMode", {"name": "bike", "mode": "fast"}),
        ("SetTarget", {"name": "bike", "target": "full"}),
        ("SetSetting", {"name": "bike", "values": {"max_h": 3}}),
        ("Hold", {"name": "bike"}),
        ("Hold", {}),
    ],
)
def test_a_change_may_end_by_itself(method, parameters, until, hours, said):
    """It is noon: a time of day is the next one, a duration counts from now, and the answer says when."""
    asked = ask(home(), method, until=until, **parameters)
    (fact,) = asked.facts
    assert fact.until_ms == NOON_MS + round(hours * HOUR_MS)
    assert f"until {said}" in asked.text
    assert ask(home(fact), method, until=f"{hours * 60:.0f}min", **parameters).facts == ()
    assert ask(home(fact), method, until="+8h", **parameters).facts != (), "another end is a change"


@pytest.mark.parametrize("until", ["yesterday", "soon", "", "11:99", "-1h"])
@pytest.mark.parametrize(("method", "parameters"), [("SetMode", {"name": "bike", "mode": "fast"}), ("Hold", {})])
def test_an_end_that_is_no_time_to_come_is_refused(method, parameters, until):
    """What is over, or no time at all; the hint says where all forms are."""
    error = refusal(home(), method, until=until, **parameters)
    assert error.error == "BadValue"
    assert error.hint == "All forms: chargerctl help times"


def test_times_are_read_and_told_in_the_zone_that_was_asked_for():
    """16:20 in Tokyo is 08:20 in Berlin: tomorrow's, for it is noon in Berlin."""
    asked = ask(home(), "Hold", until="16:20", zone="Asia/Tokyo")
    (fact,) = asked.facts
    assert fact.until_ms == MONDAY_MS + 24 * HOUR_MS + round((8 + 20 / 60) * HOUR_MS)
    with pytest.raises(CallError) as caught:
        ask(home(), "Hold", until="16:20", zone="Asia/Tokio")
    assert caught.value.short == "InvalidParameter"


# Mode


def test_a_charge_says_when_it_will_stop():
    """The target and the power it means at this loadpoint; storage where that is configured."""
    assert ask(home(), "SetMode", name="bike", mode="fast").text == "bike: fast, to nominal (until below 90 W)."
    assert ask(home(), "SetMode", name="trike", mode="fast").text == "trike: fast, to storage (until below 115 W)."


def test_a_mode_that_a_plug_does_not_have_is_refused():
    """Solar modes come with other chargers."""
    error = refusal(home(), "SetMode", name="bike", mode="surplus")
    assert (error.error, error.hint) == ("Refused", "Modes of bike: off, fast.")


def test_off_is_so_already_and_a_charge_that_has_ended_may_begin_again():
    """A plug rests at off. Fast after off is a change; off while a session runs is one too."""
    assert ask(home(), "SetMode", name="bike", mode="off").facts == ()
    charging = home(ModeSet("bike", "fast", "anna"))
    assert ask(charging, "SetMode", name="bike", mode="off").facts == (ModeSet("bike", "off", "anna"),)
    stopped = after(charging, ModeSet("bike", "off", "anna"))
    assert ask(stopped, "SetMode", name="bike", mode="fast").facts == (ModeSet("bike", "fast", "anna"),)


# Target


def test_all_leaves_out_what_is_kept_at_storage_level_and_says_so():
    """S0-12: a forced full charge of everything is Storage for the pack that is stored. Naming it wins."""
    asked = ask(home(), "SetTarget", all=True, target="full", once=True, request="a1")
    assert asked.facts == (
        TargetSet("bike", "full", "anna", True, None, "a1"),
        TargetSet("cargo-bike", "full", "anna", True),
    )
    assert asked.notes == ("trike is kept at storage level and was left as it is; name it to change it.",)
    assert target_of(after(home(), *asked.facts), "trike") == "storage"
    named = ask(home(), "SetTarget", name="trike", target="full")
    assert target_of(after(home(), *named.facts), "trike") == "full"
    assert named.notes == ()


def test_all_leaves_out_what_a_person_put_into_storage():
    """It is the target in force that counts, not the file's."""
    stored = home(TargetSet("bike", "storage", "ben"))
    assert [fact.loadpoint for fact in ask(stored, "SetTarget", all=True, target="full").facts] == ["cargo-bike"]


def test_all_may_go_into_storage_and_only_what_is_not_there_yet_changes():
    """The winter begins: the id is carried by the first fact there is, so that it is known afterwards."""
    site = home(TargetSet("bike", "storage", "ben"))
    asked = ask(site, "SetTarget", all=True, target="storage", request="a1")
    assert [(fact.loadpoint, fact.request) for fact in asked.facts] == [("cargo-bike", "a1"), ("trike", "")]
    assert "a1" in after(site, *asked.facts).requests


def test_once_is_for_the_next_session_and_default_gives_the_file_its_say_again():
    """A target for one session differs from the same one for good."""
    once = ask(home(), "SetTarget", name="bike", target="full", once=True)
    assert once.text == "bike: stop at 5 W (full) for the next session; was nominal (90 W)."
    site = home(*once.facts)
    assert ask(site, "SetTarget", name="bike", target="full", once=True).facts == ()
    assert ask(site, "SetTarget", name="bike", target="full").facts == (TargetSet("bike", "full", "anna"),)
    back = ask(site, "SetTarget", name="bike", target="default")
    assert back.facts == (TargetSet("bike", None, "anna"),)
    assert back.text == "bike: stop at 90 W (nominal); was full (5 W)."
    assert target_of(after(site, *back.facts), "bike") == "nominal"


def test_default_where_nobody_changed_anything_is_so_already():
    """Also for all of them."""
    assert ask(home(), "SetTarget", name="trike", target="default").facts == ()
    assert ask(home(), "SetTarget", all=True, target="default").facts == ()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"name": "bike", "target": "ful"}, "there is no target 'ful'"),
        ({"target": "full"}, "say which loadpoint, or all"),
        ({"name": "bike", "all": True, "target": "full"}, "say which loadpoint, or all"),
        ({"name": "bike", "target": ""}, "there is no target ''"),
    ],
)
def test_a_target_that_is_none_or_has_no_place_is_refused(parameters, said):
    """All together with a name could mean two things."""
    error = refusal(home(), "SetTarget", **parameters)
    assert (error.error, error.message) == ("Refused", said)


# Settings


def test_settings_say_what_they_were_and_are_in_force_afterwards():
    """Two at once are two facts, the id is in the first."""
    asked = ask(home(), "SetSetting", name="bike", values={"nominal_stop_w": 80, "min_off_s": 600}, request="a1")
    assert asked.text == "bike: nominal_stop_w 80 W (was 90 W), min_off_s 10 min (was 5 min)."
    assert [fact.request for fact in asked.facts] == ["a1", ""]
    settings = settings_of(home(*asked.facts), "bike")
    assert (settings.profile.nominal_stop_w, settings.min_off_s) == (80, 600)


def test_default_takes_a_setting_back():
    """The file's value counts again; taking back what nobody set is no change."""
    site = home(LimitSet("bike", "max_h", 3.0, "ben"))
    asked = ask(site, "SetSetting", name="bike", values={"max_h": "default"})
    assert asked.facts == (LimitSet("bike", "max_h", None, "anna"),)
    assert asked.text == "bike: max_h 7 h (was 3 h)."
    assert ask(home(), "SetSetting", name="bike", values={"max_h": "default"}).facts == ()


def test_only_what_differs_is_changed():
    """Of two values one is so already: one fact, and it carries the id."""
    site = home(LimitSet("bike", "max_h", 3.0, "ben"))
    asked = ask(site, "SetSetting", name="bike", values={"max_h": 3, "min_on_s": 60}, request="a1")
    assert asked.facts == (LimitSet("bike", "min_on_s", 60.0, "anna", None, "a1"),)


@pytest.mark.parametrize("key", ADJUSTABLE["battery"])
def test_every_setting_takes_the_ends_of_its_range_and_nothing_beyond(key):
    """Both ends are in; a hundredth further is out, and the message names the range."""
    low, high = ADJUSTABLE["battery"][key]
    for value in (low - 0.01 * max(low, 1), high * 1.01):
        error = refusal(home(), "SetSetting", name="bike", values={key: value})
        assert error.message.startswith(f"{key} must be a number from {low:g} to {high:g}, not ")
    if key.removesuffix("_w") not in ("nominal_start", "nominal_stop", "full", "storage_start", "storage_stop"):
        for value in (low, high):  # the five depend on each other: see their order
            (fact,) = ask(home(), "SetSetting", name="bike", values={key: value}).facts
            assert fact.value == value


@pytest.mark.parametrize(
    "value", ["80", True, None, [80], {"w": 80}, float("nan"), float("inf"), -1, 10**30, "x" * 999]
)
def test_a_value_of_the_wrong_type_is_refused(value):
    """Text, yes or no, nothing, a list, no number, an endless one: none is bent to fit, and none floods the answer."""
    error = refusal(home(), "SetSetting", name="bike", values={"nominal_stop_w": value})
    assert error.error == "Refused"
    assert "nominal_stop_w must be a number from 0.5 to 3000" in error.message
    assert len(error.message) <= 200


@pytest.mark.parametrize("key", ["full_readings", "lease_s", "max_starts_per_day"])
def test_what_is_counted_is_whole(key):
    """150.5 starts a day are refused; 150.0 are 150."""
    assert "whole number" in refusal(home(), "SetSetting", name="bike", values={key: 150.5}).message
    (fact,) = ask(home(), "SetSetting", name="bike", values={key: 150.0}).facts
    assert fact.value == 150
    assert isinstance(fact.value, int)


def test_an_unknown_setting_is_refused_with_what_may_have_been_meant():
    """Also one that is in the file but cannot be changed while the daemon runs."""
    error = refusal(home(), "SetSetting", name="bike", values={"nominal_stop": 80})
    assert error.message == "bike has no setting 'nominal_stop'"
    assert error.hint.startswith("Did you mean nominal_stop_w?")
    assert "max_starts_per_day" in error.hint
    assert "has no setting 'charger'" in refusal(home(), "SetSetting", name="bike", values={"charger": 1}).message


def test_no_setting_at_all_is_refused():
    """An empty list of changes is a slip."""
    assert refusal(home(), "SetSetting", name="bike", values={}).message == "no setting was given"


def test_one_wrong_setting_among_good_ones_changes_none():
    """A request is done whole or not at all."""
    refusal(home(), "SetSetting", name="bike", values={"max_h": 3, "min_on_s": 99_999})


def test_thresholds_keep_their_order():
    """Full is below nominal: 95 W for full with nominal at 90 W is refused, both together in order are not."""
    error = refusal(home(), "SetSetting", name="bike", values={"full_w": 95})
    assert error.error == "Refused"
    assert error.message.startswith("bike: ")
    assert "full_w" in error.message
    values = {"full_w": 95, "nominal_stop_w": 100, "nominal_start_w": 100}
    assert len(ask(home(), "SetSetting", name="bike", values=values).facts) == 3


def test_the_order_of_thresholds_is_that_of_what_is_in_force():
    """A person's 100 W counts and not the file's 90 W; once it is taken back, so does the file's."""
    site = home(LimitSet("bike", "nominal_start_w", 100.0, "ben"), LimitSet("bike", "nominal_stop_w", 100.0, "ben"))
    site = after(site, LimitSet("bike", "full_w", 95.0, "ben"))
    refusal(site, "SetSetting", name="bike", values={"nominal_stop_w": "default"})
    assert ask(site, "SetSetting", name="bike", values={"full_w": 94}).facts


# Hold and release


def test_a_hold_on_one_and_a_hold_on_all_are_released_apart():
    """Releasing all ends every hold; releasing one that is not held is no change, and says what still holds it."""
    both = home(HoldSet("ben"), HoldSet("ben", "bike"))
    assert ask(both, "Release").facts == (HoldCleared("anna"),)
    freed = after(both, HoldCleared("anna"))
    assert freed.hold is None
    assert freed.loadpoints["bike"].hold is None
    assert ask(freed, "Release").text == "everything: already released."
    everything = home(HoldSet("ben"))
    one = ask(everything, "Release", name="bike")
    assert one.facts == ()
    assert one.notes == ("Everything is on hold; chargerctl release ends that.",)


def test_release_carries_the_id_and_also_ends_the_hold_of_one_alone():
    """A release of everything ends single holds too."""
    held = home(HoldSet("ben", "bike"))
    assert ask(held, "Release", request="a1").facts == (HoldCleared("anna", "", "a1"),)
    assert ask(held, "Release", name="bike", request="a1").facts == (HoldCleared("anna", "bike", "a1"),)
    assert ask(held, "Release", name="trike").facts == ()


# Schedule


def test_a_new_entry_is_named_after_its_loadpoint_and_said_in_words():
    """The answer has the name by which it can be removed."""
    asked = ask(home(), "AddSchedule", name="bike", days="sun,mon-fri", at="6:05", target="full")
    assert asked.entry == "bike.1"
    assert asked.text == "bike: fast to full mon-fri,sun at 06:05, as bike.1."
    site = home(*asked.facts)
    second = ask(site, "AddSchedule", name="bike", days="daily", at="22:00", mode="off")
    assert second.entry == "bike.2"
    assert second.facts == (ScheduleAdded("bike.2", "bike", (0, 1, 2, 3, 4, 5, 6), 1320, "anna", "off"),)
    removed = after(site, *second.facts, ScheduleRemoved("bike.1", "anna"))
    assert ask(removed, "AddSchedule", name="bike", days="sat", at="10:00").entry == "bike.1"


def test_the_same_entry_twice_is_there_once():
    """Added before, or in the file; its name is told. Another target is another entry."""
    again = ask(home(), "AddSchedule", name="trike", days="sat", at="01:30")
    assert (again.facts, again.entry) == ((), "trike/sat@01:30")
    assert ask(home(), "AddSchedule", name="trike", days="sat", at="01:30", target="full").entry == "trike.1"


def test_an_entry_of_the_file_that_was_removed_can_be_added_again():
    """It is hidden, and comes back under another name."""
    site = home(ScheduleRemoved("trike/sat@01:30", "ben"))
    assert ask(site, "AddSchedule", name="trike", days="sat", at="01:30").entry == "trike.1"


@pytest.mark.parametrize(
    ("parameters", "error", "said"),
    [
        ({"days": "mo-fri", "at": "06:30"}, "BadValue", '"mo" is no day'),
        ({"days": "", "at": "06:30"}, "BadValue", '"" is no day'),
        ({"days": "mon", "at": "24:00"}, "BadValue", '"24:00" is no time of day'),
        ({"days": "mon", "at": "6.30"}, "BadValue", '"6.30" is no time of day'),
        ({"days": "mon", "at": "06:30", "mode": "slow"}, "Refused", "bike has no mode 'slow'"),
        ({"days": "mon", "at": "06:30", "target": "default"}, "Refused", "there is no target 'default'"),
    ],
)
def test_a_start_that_cannot_be_is_refused(parameters, error, said):
    """Days, time, mode and target each in their words."""
    found = refusal(home(), "AddSchedule", name="bike", **parameters)
    assert found.error == error
    assert said in found.message


def test_removing_an_entry_of_the_file_says_that_it_is_still_there():
    """One that was added is gone for good, one of the file is hidden."""
    site = home(ScheduleAdded("bike.1", "bike", (0,), 390, "ben"))
    assert ask(site, "RemoveSchedule", entry="bike.1").notes == ()
    kept = ask(site, "RemoveSchedule", entry="trike/sat@01:30")
    assert kept.notes == ("It is still in the configuration file, and hidden from now on.",)
    assert kept.entry == "trike/sat@01:30"


def test_removing_what_is_not_there_is_refused():
    """A misspelt name, and one that was removed already."""
    site = home(ScheduleAdded("bike.1", "bike", (0,), 390, "ben"))
    error = refusal(site, "RemoveSchedule", entry="bike.2")
    assert error.error == "NoSuchEntry"
    assert "Did you mean bike.1?" in error.message
    assert error.parameters["known"] == ["trike/sat@01:30", "bike.1"]
    gone = after(site, ScheduleRemoved("bike.1", "ben"), ScheduleRemoved("trike/sat@01:30", "ben"))
    assert refusal(gone, "RemoveSchedule", entry="bike.1").hint == "There is no schedule entry at all."


# What is refused before it comes to that


@pytest.mark.parametrize(
    ("method", "parameters", "parameter"),
    [
        ("SetMode", {"name": "bike"}, "mode"),
        ("SetMode", {"mode": "fast"}, "name"),
        ("SetMode", {"name": "bike", "mode": 1}, "mode"),
        ("SetMode", {"name": "bike", "mode": "fast", "once": True}, "once"),
        ("SetTarget", {"name": "bike", "target": "full", "all": "yes"}, "all"),
        ("SetSetting", {"name": "bike", "values": [80]}, "values"),
        ("Release", {"until": "16:20"}, "until"),
        ("RemoveSchedule", {}, "entry"),
    ],
)
def test_parameters_that_are_missing_unknown_or_of_another_type_are_refused(method, parameters, parameter):
    """The same check as at the socket."""
    with pytest.raises(CallError) as caught:
        ask(home(), method, **parameters)
    assert caught.value.short == "InvalidParameter"
    assert caught.value.parameters["parameter"] == parameter


def test_every_method_that_changes_something_is_made_of_facts_here():
    """What the table calls a change is a request of this module, each of them in `PLAIN` or Release."""
    changing = {name for name, method in METHODS.items() if method.changes}
    assert changing == {method for method, _, _ in PLAIN} | {"Release"}


def test_refusals_of_the_daemon_say_what_becomes_of_the_charging():
    """An unwritable log, an ending daemon, a silent device: each says what it means and where to look."""
    assert "df -h" in not_recorded("disk full").parameters["hint"]
    assert "disk full" in str(not_recorded("disk full"))
    assert ending().short == "Busy"
    assert device_failed("shed", "silent", ["bike"]).parameters["means"] == "bike stays as it is and is not watched."
    assert device_failed("shed", "silent", []).parameters["means"] == "No loadpoint charges through it."


def test_holding_a_charge_says_that_nothing_will_cut_it_off(tmp_path):
    """Anna holds everything while one of two is on: the one that stays on is named."""
    points = configuration(loadpoint("bike", RAD), loadpoint("trike"))
    day = Day(tmp_path, points, {"bike": "rad-full", "trike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(300)
    stays = ("bike stays on, and nothing cuts it off; its plug's timer is kept alive.",)
    assert ask(day.run.site, "Hold").notes == stays
    assert ask(day.run.site, "Hold", name="bike").notes == stays
    assert ask(day.run.site, "Hold", name="trike").notes == ()
    day.run.kill()


def test_releasing_one_while_everything_is_held_does_not_promise_that_it_is_free():
    """Its own hold ends, the one on everything stays: chargerd does not act again, and the answer says so."""
    both = home(HoldSet("ben"), HoldSet("ben", "bike"))
    asked = ask(both, "Release", name="bike")
    assert asked.facts == (HoldCleared("anna", "bike"),)
    assert "acts again" not in asked.text
    assert asked.notes == ("Everything is on hold; chargerctl release ends that.",)
