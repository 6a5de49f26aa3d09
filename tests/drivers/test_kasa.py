"""The kasa driver against simulated plugs and strips: what it reads, what it refuses, what it switches, and its lease."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chargerd.config.base import Credential
from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.drivers.kasa import Driver
from chargerd.model.commands import SetEnabled
from chargerd.sim.wire.kasa import SimulatedPlug
from tests.drivers.conftest import Connect, only
from tests.sim.wire.bench import NOON_S, Bench

SIX = ("rad_1", "rad_2", "lectric_1", "lectric_2", "lamp", "heater")

# What it reads


@pytest.mark.parametrize("model", ["HS110v1", "HS110v2", "KP115"])
def test_a_plug_reads_as_one_charger_without_a_channel(bench: Bench, connect: Connect, model: str) -> None:
    """After an hour at 44 W: on, 44 W, 230 V, 0.191 A and 44 Wh, whatever fields the model uses."""
    plug = bench.plug(model, draw_w=44.0)
    bench.now_s += 3600
    reading = only(connect(plug).read())
    assert (reading.channel, reading.enabled) == ("", True)
    assert reading.power_w == pytest.approx(44.0)
    assert reading.voltage_v == pytest.approx(230.0)
    assert reading.current_a == pytest.approx(0.191, abs=0.001)
    assert reading.energy_wh == pytest.approx(44.0, abs=1.0)
    assert (reading.lease_s, reading.timer) == (None, None)


def test_a_plug_says_what_it_is(bench: Bench, connect: Connect) -> None:
    """Model, MAC as id, firmware, what it accepts, and a timer that nobody has seen fire on hardware."""
    added = connect(bench.plug("HS110v1", mac="50:C7:BF:12:34:56")).describe()
    assert (added.driver, added.model, added.device_id) == ("kasa", "HS110", "50:C7:BF:12:34:56")
    assert added.firmware == "1.2.5 Build 171213 Rel.101523"
    assert (added.accepts, added.channels, added.lease) == (("SetEnabled",), {}, "unproven")


def test_sockets_are_named_in_any_case_and_known_by_their_id(bench: Bench, connect: Connect) -> None:
    """``RAD_1`` is found as rad_1; its id is the strip's MAC and the child's id."""
    strip = bench.strip(*SIX, mac="50:C7:BF:00:03:00")
    added = connect(strip, "RAD_1").describe()
    assert added.channels == {"RAD_1": f"50:C7:BF:00:03:00_{strip.child('rad_1')}"}


def test_a_socket_can_be_configured_by_its_id(bench: Bench, connect: Connect) -> None:
    """The child id works as a channel, so does the id that `DeviceAdded` shows, and its two digits that a search shows."""
    strip = bench.strip("same", "other")
    for channel in (strip.child("other"), f"{strip.mac}_{strip.child('other')}", "01"):
        assert connect(strip, channel).describe().channels == {channel: f"{strip.mac}_{strip.child('other')}"}


def test_a_socket_that_is_renamed_while_we_run_stays_ours(bench: Bench, connect: Connect) -> None:
    """The alias was resolved to the id at the first connection; a reconnection does not look at the new name."""
    strip = bench.strip("rad_1", "lamp")
    driver = connect(strip, "rad_1")
    driver.describe()
    strip.set_alias("rad_1", "something else")
    strip.reboot()
    driver.apply(SetEnabled("shed/rad_1", True))
    assert [move.child for move in strip.switchings] == [strip.child("something else")]


def test_a_strip_is_refreshed_once_for_all_its_sockets(bench: Bench, connect: Connect) -> None:
    """Two of six sockets cost one look at the relays and two meter readings, not six times seven requests."""
    strip = bench.strip(*SIX)
    driver = connect(strip, "rad_1", "lamp")
    driver.read()
    strip.requests.clear()
    readings = driver.read()
    assert [reading.channel for reading in readings] == ["rad_1", "lamp"]
    methods = [request.method for request in strip.requests]
    assert methods.count("system.get_sysinfo") == 1
    assert methods.count("emeter.get_realtime") == 2


def test_a_power_that_the_device_does_not_give_is_unknown(bench: Bench, connect: Connect) -> None:
    """No power in the meter's answer is None, never 0."""
    plug = bench.plug()
    plug.behaviour.no_power = True
    assert only(connect(plug).read()).power_w is None


def test_a_counter_that_falls_to_0_is_reported_as_it_is(bench: Bench, connect: Connect) -> None:
    """A reboot of the plug sets its counter from 44 Wh to 0; the driver smooths nothing."""
    plug = bench.plug(draw_w=44.0)
    driver = connect(plug)
    bench.now_s += 3600
    assert only(driver.read()).energy_wh == 44.0
    plug.reboot()
    assert only(driver.read()).energy_wh == 0.0


def test_a_button_shows_in_the_next_reading(bench: Bench, connect: Connect) -> None:
    """Somebody switches the plug off by hand."""
    plug = bench.plug(on=True)
    driver = connect(plug)
    assert only(driver.read()).enabled is True
    plug.press()
    assert only(driver.read()).enabled is False


# What it refuses


@pytest.mark.parametrize("model", ["HS100"])
def test_a_plug_without_a_meter_is_refused_by_name(bench: Bench, connect: Connect, model: str) -> None:
    """The error names the model and what it lacks."""
    with pytest.raises(UnexpectedAnswer, match=f"shed is a {model}, which has no energy meter"):
        connect(bench.plug(model)).describe()


def test_a_strip_without_meters_is_refused_by_name(bench: Bench, connect: Connect) -> None:
    """A KP303 switches three sockets and measures none."""
    with pytest.raises(UnexpectedAnswer, match="KP303, which has no energy meter"):
        connect(bench.strip("a", "b", "c", model="KP303"), "a").describe()


def test_a_socket_that_the_strip_does_not_have_is_refused_with_those_it_has(bench: Bench, connect: Connect) -> None:
    """The error lists the aliases to choose from."""
    with pytest.raises(UnexpectedAnswer, match="no socket 'rad_9'; it has 'rad_1', 'lamp'"):
        connect(bench.strip("rad_1", "lamp"), "rad_9").describe()


def test_a_name_that_two_sockets_share_is_refused(bench: Bench, connect: Connect) -> None:
    """Nobody can tell which of the two is meant; the ids are offered instead."""
    strip = bench.strip("rad_1", "lamp")
    strip.set_alias("lamp", "Rad_1")
    with pytest.raises(UnexpectedAnswer, match=f"two sockets called 'rad_1'.*{strip.child('rad_1')}"):
        connect(strip, "rad_1").describe()


def test_one_socket_under_two_names_is_refused(bench: Bench, connect: Connect) -> None:
    """Alias and id of one socket would be two loadpoints that fight."""
    strip = bench.strip("rad_1", "lamp")
    with pytest.raises(UnexpectedAnswer, match="are the same socket"):
        connect(strip, "rad_1", strip.child("rad_1")).describe()


def test_a_strip_needs_the_name_of_a_socket_and_a_plug_has_none(bench: Bench, connect: Connect) -> None:
    """Both mistakes are told with what would be right."""
    with pytest.raises(UnexpectedAnswer, match="name one of its sockets: shed/rad_1, shed/lamp"):
        connect(bench.strip("rad_1", "lamp")).describe()
    with pytest.raises(UnexpectedAnswer, match="single plug and has no socket 'rad_1'"):
        connect(bench.plug(), "rad_1").describe()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "give host"),
        ({"host": "plug", "username": Credential(credential="user")}, "together"),
        ({"host": "plug", "timeout_s": 0}, "greater than or equal to 0.1"),
        ({"host": "plug", "adress": "x"}, "not permitted"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(keys: dict[str, Any], says: str) -> None:
    """No address at all, half a login, a time-out of nothing, a misspelt key."""
    with pytest.raises(ValidationError, match=says):
        Driver.Config(driver="kasa", **keys)


# What it switches


def test_only_the_configured_socket_is_ever_switched(bench: Bench, connect: Connect) -> None:
    """Through connect, read, on, renew, off and read again, the other five relays and the plug beside them stay untouched."""
    strip, beside = bench.strip(*SIX), bench.plug(on=False)
    driver = connect(strip, "rad_2")
    driver.describe()
    driver.apply(SetEnabled("shed/rad_2", True, lease_s=900))
    driver.read()
    driver.apply(SetEnabled("shed/rad_2", True, lease_s=900))
    driver.apply(SetEnabled("shed/rad_2", False))
    driver.read()
    moves = [(move.child, move.on, move.cause) for move in strip.switchings]
    assert moves == [(strip.child("rad_2"), True, "client"), (strip.child("rad_2"), False, "client")]
    touched = {
        request.child for request in strip.requests if request.method.startswith(("system.set", "count_down.add"))
    }
    assert touched == {strip.child("rad_2")}
    assert (beside.switchings, beside.requests) == ([], [])


def test_each_of_six_sockets_can_be_switched_alone(bench: Bench, connect: Connect) -> None:
    """Six channels on one connection; after each command exactly that relay has moved."""
    strip = bench.strip(*SIX)
    driver = connect(strip, *SIX)
    for number, name in enumerate(SIX, start=1):
        driver.apply(SetEnabled(f"shed/{name}", True))
        assert [strip.is_on(other) for other in SIX] == [True] * number + [False] * (6 - number)
    assert [reading.power_w for reading in driver.read()] == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]


def test_setting_what_is_already_set_is_harmless(bench: Bench, connect: Connect) -> None:
    """Twice on, twice off: the relay moves once each way."""
    plug = bench.plug(on=False)
    driver = connect(plug)
    for enabled in (True, True, False, False):
        driver.apply(SetEnabled("shed", enabled, lease_s=600 if enabled else None))
    assert [move.on for move in plug.switchings] == [True, False]


def test_a_channel_that_is_not_configured_cannot_be_commanded(bench: Bench, connect: Connect) -> None:
    """The strip has a lamp, but nobody configured it."""
    strip = bench.strip("rad_1", "lamp")
    with pytest.raises(UnexpectedAnswer, match="no socket 'lamp' in its configuration"):
        connect(strip, "rad_1").apply(SetEnabled("shed/lamp", True))
    assert strip.switchings == []


def test_a_relay_that_does_not_follow_is_an_error(bench: Bench, connect: Connect) -> None:
    """The device says yes and does nothing."""
    strip = bench.strip("rad_1")
    strip.behaviour.deaf_relay = True
    with pytest.raises(UnexpectedAnswer, match="shed/rad_1 accepted to switch on and did not follow"):
        connect(strip, "rad_1").apply(SetEnabled("shed/rad_1", True))


def test_a_strip_that_reports_old_states_is_not_believed_to_have_switched(bench: Bench, connect: Connect) -> None:
    """The relay moves but the report stays: the command counts as not done, and nobody claims otherwise."""
    strip = bench.strip("rad_1")
    driver = connect(strip, "rad_1")
    driver.read()
    strip.freeze_reports()
    with pytest.raises(UnexpectedAnswer, match="did not follow"):
        driver.apply(SetEnabled("shed/rad_1", True))
    strip.behaviour.stale_relay = False
    assert only(driver.read()).enabled is True


def test_an_answer_lost_after_switching_is_found_by_reading(bench: Bench, connect: Connect) -> None:
    """The plug switches on and never says so: the command fails as unreachable, the next reading shows the truth."""
    plug = bench.plug(on=False)
    driver = connect(plug)
    driver.read()
    plug.behaviour.lose_only, plug.behaviour.lose_answers = "system.set_relay_state", -1
    with pytest.raises(Unreachable):
        driver.apply(SetEnabled("shed", True))
    plug.behaviour.lose_answers = 0
    assert only(driver.read()).enabled is True
    assert [move.on for move in plug.switchings] == [True]


# The lease


def test_the_lease_is_set_before_the_relay(bench: Bench, connect: Connect) -> None:
    """A plug is never on without its timer: the rule is in the device when the relay moves."""
    plug = bench.plug(on=False)
    connect(plug).apply(SetEnabled("shed", True, lease_s=900))
    methods = [request.method for request in plug.requests]
    assert methods.index("count_down.add_rule") < methods.index("system.set_relay_state")
    rule = plug.timer()
    assert rule is not None
    assert (rule.name, rule.act, rule.enable, rule.delay_s) == ("chargerd", 0, 1, 900)


def test_a_plug_whose_lease_cannot_be_set_stays_off(bench: Bench, connect: Connect) -> None:
    """The answers about the rule are lost for good: the command fails before the relay is asked to move."""
    plug = bench.plug(on=False)
    driver = connect(plug)
    driver.read()
    plug.behaviour.lose_only, plug.behaviour.lose_answers = "count_down.add_rule", -1
    with pytest.raises(Unreachable):
        driver.apply(SetEnabled("shed", True, lease_s=900))
    assert plug.switchings == []


def test_one_lost_answer_about_the_lease_does_no_harm(bench: Bench, connect: Connect) -> None:
    """The rule was set, the answer lost, the same message sent again: one rule, relay on."""
    plug = bench.plug(on=False)
    driver = connect(plug)
    driver.read()
    plug.behaviour.lose_only, plug.behaviour.lose_answers = "count_down.add_rule", 1
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert (only(driver.read()).enabled, only(driver.read()).lease_s) == (True, 900)


def test_a_lease_that_nobody_renews_switches_off_with_nobody_connected(bench: Bench, connect: Connect) -> None:
    """chargerd dies; 900 s after the command the relay opens by itself."""
    strip = bench.strip("rad_1", "lamp")
    driver = connect(strip, "rad_1")
    driver.apply(SetEnabled("shed/rad_1", True, lease_s=900))
    driver.close()
    bench.now_s += 899
    assert strip.is_on("rad_1")
    bench.now_s += 3600
    last = strip.switchings[-1]
    assert (last.at_s, last.on, last.cause) == (NOON_S + 900, False, "countdown")


def test_giving_the_command_again_renews_the_lease(bench: Bench, connect: Connect) -> None:
    """Renewed after 450 s the lease ends 1350 s after the start, and can be shortened to 120 s."""
    plug = bench.plug(on=False)
    driver = connect(plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    bench.now_s += 450
    assert (only(driver.read()).lease_s, only(driver.read()).timer) == (450, "ours")
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert only(driver.read()).lease_s == 900
    driver.apply(SetEnabled("shed", True, lease_s=120))
    assert only(driver.read()).lease_s == 120
    assert [move.on for move in plug.switchings] == [True]


def test_a_rule_that_has_ended_makes_room_for_the_next(bench: Bench, connect: Connect) -> None:
    """The slot still holds the ended rule; the next lease replaces it."""
    plug = bench.plug(on=False)
    driver = connect(plug)
    driver.apply(SetEnabled("shed", True, lease_s=300))
    bench.now_s += 301
    assert only(driver.read()).enabled is False
    driver.apply(SetEnabled("shed", True, lease_s=300))
    assert (only(driver.read()).enabled, only(driver.read()).lease_s) == (True, 300)


def test_our_rule_is_known_again_after_a_restart(bench: Bench, connect: Connect) -> None:
    """Another driver object finds the rule and calls it ours."""
    plug = bench.plug(on=False)
    connect(plug).apply(SetEnabled("shed", True, lease_s=900))
    assert only(connect(plug).read()).timer == "ours"


def test_switching_off_takes_our_rule_away(bench: Bench, connect: Connect) -> None:
    """Relay first, rule second; nothing is left in the slot."""
    plug = bench.plug(on=False)
    driver = connect(plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    driver.apply(SetEnabled("shed", False))
    assert (plug.is_on(), plug.timer()) == (False, None)


def set_rule(device: SimulatedPlug, child: str = "", **changes: Any) -> None:
    """Somebody sets a countdown in the app."""
    context = {"context": {"child_ids": [child]}} if child else {}
    rule = {"enable": 1, "delay": 7200, "act": 0, "name": "evening", **changes}
    reply = device.answer({**context, "count_down": {"add_rule": rule}})
    assert reply["count_down"]["add_rule"]["err_code"] == 0


def test_a_countdown_of_somebody_else_is_adopted(bench: Bench, connect: Connect) -> None:
    """A person's 2 h stay 2 h through on, renewal and off, and are reported as foreign."""
    plug = bench.plug(on=False)
    set_rule(plug)
    driver = connect(plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    reading = only(driver.read())
    assert (reading.enabled, reading.lease_s, reading.timer) == (True, 7200, "foreign")
    driver.apply(SetEnabled("shed", True, lease_s=900))
    driver.apply(SetEnabled("shed", False))
    rule = plug.timer()
    assert rule is not None
    assert (rule.name, rule.enable, rule.due_s) == ("evening", 1, NOON_S + 7200)


def test_a_countdown_that_switches_on_is_no_lease(bench: Bench, connect: Connect) -> None:
    """It is somebody's, and it will not cut off: foreign, without seconds."""
    plug = bench.plug(on=True)
    set_rule(plug, act=1)
    reading = only(connect(plug).read())
    assert (reading.timer, reading.lease_s) == ("foreign", None)


def test_a_foreign_rule_that_is_switched_off_does_not_stand_in_the_way(bench: Bench, connect: Connect) -> None:
    """A disabled rule is nobody's plan; ours takes the slot."""
    plug = bench.plug(on=False)
    set_rule(plug, enable=0)
    driver = connect(plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert (only(driver.read()).timer, only(driver.read()).lease_s) == ("ours", 900)


def test_a_rule_on_another_socket_is_left_alone(bench: Bench, connect: Connect) -> None:
    """Each socket has its own slot."""
    strip = bench.strip("rad_1", "lamp")
    set_rule(strip, strip.child("lamp"))
    driver = connect(strip, "rad_1")
    driver.apply(SetEnabled("shed/rad_1", True, lease_s=900))
    driver.apply(SetEnabled("shed/rad_1", False))
    rule = strip.timer("lamp")
    assert rule is not None
    assert rule.name == "evening"


def test_a_device_that_forgets_its_rule_when_switched_is_given_it_again(bench: Bench, connect: Connect) -> None:
    """Nobody has written down whether switching clears the rule; after the command it is there in either case."""
    plug = bench.plug(on=False)
    plug.behaviour.switching_clears_timer = True
    driver = connect(plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert (only(driver.read()).enabled, only(driver.read()).lease_s) == (True, 900)


def test_a_device_without_a_timer_has_no_lease_and_is_switched_all_the_same(bench: Bench, connect: Connect) -> None:
    """`describe` says so; nothing pretends that a lease was set."""
    plug = bench.plug(on=False)
    plug.behaviour.no_timer = True
    driver = connect(plug)
    assert driver.describe().lease == "none"
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert (only(driver.read()).enabled, only(driver.read()).lease_s) == (True, None)


def test_the_timer_is_left_alone_where_the_lease_is_switched_off(bench: Bench, connect: Connect) -> None:
    """With ``lease = false`` no rule is asked for, set or deleted."""
    plug = bench.plug(on=False)
    driver = connect(plug, lease=False)
    assert driver.describe().lease == "none"
    driver.apply(SetEnabled("shed", True, lease_s=900))
    driver.apply(SetEnabled("shed", False))
    assert not [request for request in plug.requests if request.method.startswith("count_down")]
