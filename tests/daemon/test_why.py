"""What why says of a household: one sentence, what is wanted and missing, every limit, and what would change it."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.ctl.commands import wait
from chargerd.daemon.why import STATES, change_text, why
from chargerd.engine.why import changes
from chargerd.model.events import DeviceLost, HoldSet, ModeSet, ReadFailed
from chargerd.model.settings import Window
from chargerd.protocol.framing import CallError
from tests.daemon.hub import context
from tests.house import Day, configuration, loadpoint


@pytest.fixture
def day(tmp_path):
    """One bike that charges from a minute after midnight."""
    day = Day(tmp_path, configuration(loadpoint("bike-1")), {"bike-1": "rad-full"})
    day.until(60)
    day.charge("bike-1")
    day.until(900)
    yield day
    day.run.kill()


def lines(day, wanted=None) -> dict[str, str]:
    return {line["label"]: line["text"] for line in why(context(day), "bike-1", wanted)["lines"]}


def test_sentence_first_then_the_lines_that_have_something_to_say(day):
    """State, since when, because; then wish, lack, session, reading, limits, what would change it, and who decided."""
    reply = why(context(day), "bike-1")
    assert reply["text"].startswith("bike-1 is charging since 00:01: drawing ")
    told = lines(day)
    assert list(told) == ["Wanted", "Missing", "Session", "Read", "Limits", "Would change if", "Decided by"]
    assert told["Wanted"] == "mode fast, set by anna; target nominal, below 90 W"
    assert told["Missing"].startswith("13.3 W: from 103 W to below 90 W; energy unknown, at most 1.1 kWh")
    assert f"on event {reply['seq']}" in told["Decided by"]
    assert (reply["at"], reply["at_local"], reply["running"]) == (None, None, True)


def test_what_would_change_it_is_short_and_in_the_order_of_smallness(day):
    """Five at most; the reply has all of them with their numbers."""
    reply = why(context(day), "bike-1")
    assert lines(day)["Would change if"].split(" · ") == [
        "the plug does not answer for 3 min (its own timer ends it)",
        "power falls below 90 W for 40 s (finished)",
        "07:01 comes and nothing else changes (stopped)",
        "it has taken 1.1 kWh",
        "mode becomes off",
    ]
    by_input = {change["input"]: change for change in reply["changes"]}
    assert len(by_input) == len(reply["changes"]) > 5
    assert by_input["time"]["at_local"].startswith("2024-03-04T07:01:0")
    assert by_input["power_w"]["held_s"] == pytest.approx(41, abs=1)
    assert by_input["power_w"]["reason"]["code"] == "cutoff-reached"
    assert by_input["set.max_h"]["text"].startswith("max_h is set below ")


def test_limits_that_would_be_next_are_named_while_none_is_reached(day):
    """The nearest two."""
    assert lines(day)["Limits"] == (
        "none reached; nearest: the plug does not answer for 3 min (its own timer ends it) · "
        "07:01 comes and nothing else changes (stopped)"
    )


def test_why_nothing_happens_says_what_would_start_it(day):
    """An idle loadpoint has a reason as well, and nothing is missing where nothing is wanted."""
    day.run.ask(ModeSet("bike-1", "off", "ben"), by="ben")
    assert why(context(day), "bike-1")["text"].startswith("bike-1 is off since 00:15: mode is off")
    assert lines(day)["Would change if"].startswith("mode becomes fast")
    assert "Missing" not in lines(day)


def test_missing_is_honest_when_the_charger_says_nothing(day):
    """Off outside its hours: power shows nothing of a battery."""
    settings = configuration(loadpoint("bike-1", windows=(Window(120, 360),)))
    (day.path.parent / "other").mkdir()
    night = Day(day.path.parent / "other", settings, {"bike-1": "rad-full"})
    night.until(60)
    night.charge("bike-1")
    night.until(120)
    assert lines(night)["Missing"].startswith("unknown while the charger is off; energy unknown, at most ")
    night.run.kill()


def test_hold_and_window_together_are_both_said(tmp_path):
    """No single change leads to charging, and that is said instead of half a truth."""
    day = Day(tmp_path, configuration(loadpoint("bike-1", windows=(Window(120, 360),))), {"bike-1": "rad-full"})
    day.until(60)
    day.charge("bike-1")
    day.until(120)
    assert lines(day, "charging")["Would be charging"] == (
        "if 02:00 comes and nothing else changes (starting) · its hours are taken away"
    )
    day.run.ask(HoldSet("ben"), by="ben")
    told = lines(day, "charging")
    assert told["Would be charging"] == "no single change leads there: 2 limits stand in the way"
    assert told["Limits"].startswith("on hold by ben: chargerd watches and sends nothing · outside its hours")
    assert told["Held"] == "by ben: nothing is sent but lease renewals"
    assert [limit["code"] for limit in why(context(day), "bike-1", "charging")["limits"]] == ["held", "outside-window"]
    day.run.kill()


def test_state_that_it_is_in_already_is_said_to_be(day):
    """Why not charging? It is. What would change that is told all the same."""
    reply = why(context(day), "bike-1", "charging")
    assert reply["text"].startswith("It is charging already. bike-1 is charging since 00:01: ")
    assert "mode becomes off" in lines(day, "charging")["Would change if"]


def test_way_to_a_state_is_told_and_other_changes_are_not(day):
    """To be finished it must draw less, or have another target; an energy limit would not finish it."""
    told = lines(day, "finished")["Would be finished"]
    assert told.startswith("if power falls below 90 W for 40 s")
    assert "taken" not in told
    assert lines(day, "no-charger")["Would be no charger"] == "no single change leads there"


@pytest.mark.parametrize("state", [state.replace(" ", "-") for state in STATES])
def test_every_state_and_word_can_be_asked_about(day, state):
    """With a hyphen or a blank."""
    assert why(context(day), "bike-1", state)["kind"] == "why"
    assert why(context(day), "bike-1", state.replace("-", " "))["lines"]
    assert set(STATES) == {*wait.STATES, *wait.WORDS}


def test_state_that_there_is_not_is_refused_with_those_that_there_are(day):
    """The known ones are listed."""
    with pytest.raises(CallError) as caught:
        why(context(day), "bike-1", "chraging")
    assert caught.value.short == "BadValue"
    assert "suspended_ev" in caught.value.parameters["hint"]


def test_lost_device_would_be_back(day):
    """After three minutes without an answer the plug is told to go off; an answer would let it go on."""
    day.run.ask(ReadFailed("unreachable"), DeviceLost("unreachable", "no route", 60_000), by="shed")
    day.clock.mono += 600_000
    assert "the plug answers" in lines(day)["Would change if"]


def test_why_of_a_stranger_is_refused(day):
    """Only loadpoints have reasons."""
    with pytest.raises(CallError) as caught:
        why(context(day), "bike-9")
    assert (caught.value.short, caught.value.parameters["known"]) == ("NoSuchLoadpoint", ["bike-1"])
    assert "Did you mean bike-1?" in str(caught.value)


def test_setting_of_a_policy_to_come_is_spoken_of_by_its_name(day):
    """No label is needed for what nobody has thought of yet."""
    change = changes(day.run.site, "bike-1", day.clock.now_ms())[1]
    strange = structs.replace(change, input="house_soc_pct", before=60.0, after=40.0, kept_ms=0)
    assert change_text(context(day), strange) == "house soc falls below 40 % (finished)"
