"""Lease test: the socket's own timer is tried on simulated devices, sound ones and those that forget; and when it must not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from msgspec import structs

from chargerd.daemon.leasetest import address_of, begun, check, prove
from chargerd.daemon.poller import Desk
from chargerd.drivers.kasa import Driver
from chargerd.engine.describe import left_on, safety_of
from chargerd.engine.evolve import fold
from chargerd.model.events import (
    Body,
    ChargerRead,
    ConfigLoaded,
    DaemonStarted,
    DeviceAdded,
    Event,
    HoldSet,
    LeaseTestBegun,
    LeaseTested,
    ModeSet,
)
from chargerd.model.settings import DeviceSettings
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from chargerd.sim.wire.kasa import SimulatedPlug
from tests.house import configuration, loadpoint
from tests.sim.wire.bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An empty table; what is put on it is stopped at the end."""
    with ExitStack() as stack:
        yield Bench(stack)


def tried(
    bench: Bench, plug: SimulatedPlug, channel: str = "", at: dict[int, Callable[[], Any]] | None = None, **keys: Any
) -> LeaseTested:
    """What a test of a plug's timer comes to. ``at`` has something happen when so many seconds have been waited."""
    config = Driver.Config(driver="kasa", host=plug.host, port=plug.port, timeout_s=1.5, discovery=plug.host, **keys)
    driver = Driver("shed", config, (channel,) if channel else (), {})
    waited = 0

    def wait(wait_ms: int) -> bool:
        nonlocal waited
        waited += 1
        bench.now_s += wait_ms / 1000
        return (at or {}).get(waited, lambda: True)() is not False

    try:
        return prove(driver, f"shed/{channel}" if channel else "shed", lambda: round(bench.now_s * 1000), wait)
    finally:
        driver.close()


# Trying


def test_a_timer_that_fires_is_proven_and_the_socket_is_as_it_was(bench: Bench):
    """On by us, off by its own countdown 15 s later, and nothing else happens; what it drew is told."""
    plug = bench.plug(on=False, draw_w=44.0)
    tested = tried(bench, plug)
    assert (tested.result, tested.off_after_s, tested.power_w, tested.detail) == ("proven", 15.0, 44.0, "")
    assert [(move.on, move.cause) for move in plug.switchings] == [(True, "client"), (False, "countdown")]
    assert not plug.is_on()


def test_one_socket_of_a_strip_is_tried_and_no_other_is_touched(bench: Bench):
    """The others' relays stay where they are."""
    strip = bench.strip("a", "b", "c")
    tested = tried(bench, strip, "b")
    assert (tested.result, tested.channel) == ("proven", "b")
    assert {move.child for move in strip.switchings} == {strip.child("b")}


def test_a_timer_that_does_not_fire_is_disproven_and_the_socket_switched_off(bench: Bench):
    """It took the rule and forgot it; after the time and a margin it is told to be off."""
    plug = bench.plug(on=False)
    plug.behaviour.dead_timer = True
    tested = tried(bench, plug)
    assert (tested.result, tested.off_after_s) == ("disproven", None)
    assert [(move.on, move.cause) for move in plug.switchings] == [(True, "client"), (False, "client")]


def test_a_plug_without_a_timer_is_said_to_have_none(bench: Bench):
    """And is off again at once."""
    plug = bench.plug(on=False)
    plug.behaviour.no_timer = True
    assert tried(bench, plug).result == "no-timer"
    assert not plug.is_on()


def test_a_hand_on_the_button_proves_nothing(bench: Bench):
    """Off after 5 s was not the timer; what a person switched on before the begin is left on."""
    plug = bench.plug(on=False)
    tested = tried(bench, plug, at={5: plug.press})
    assert tested.result == "undecided"
    assert "went off after 5 s" in tested.detail
    held = bench.plug(on=True)
    assert tried(bench, held).detail == "somebody switched it on before the test began"
    assert held.switchings == []


def test_somebody_elses_timer_is_not_ours_to_prove(bench: Bench):
    """It is adopted, never overwritten, so nothing is seen of ours."""
    plug = bench.plug(on=False)
    plug.answer({"count_down": {"add_rule": {"enable": 1, "delay": 3600, "act": 0, "name": "app"}}})
    tested = tried(bench, plug)
    assert (tested.result, tested.detail) == ("undecided", "somebody else's timer runs in it")
    timer = plug.timer()
    assert timer is not None
    assert timer.name == "app"


def test_a_plug_that_falls_silent_proves_nothing_and_that_is_said(bench: Bench):
    """Three readings in a row failed; whether it is off nobody knows, and that is said too."""
    plug = bench.plug(on=False)

    def mute() -> None:
        plug.behaviour.mute = True

    tested = tried(bench, plug, at={3: mute})
    assert tested.result == "undecided"
    assert "answered a search" in tested.detail
    assert "could not be switched off" in tested.detail


def test_one_lost_answer_does_not_end_a_test(bench: Bench):
    """A single reading that fails is Wi-Fi."""
    plug = bench.plug(on=False)

    def stumble() -> None:
        plug.behaviour.lose_answers = 2

    assert tried(bench, plug, at={3: stumble}).result == "proven"


def test_two_readings_that_fail_do_not_end_a_test(bench: Bench):
    """It is silent for two looks, and the timer is seen to fire after that."""
    plug = bench.plug(on=False)

    def mute(*, on: bool) -> None:
        plug.behaviour.mute = on

    assert tried(bench, plug, at={3: lambda: mute(on=True), 5: lambda: mute(on=False)}).result == "proven"


def test_an_end_of_the_daemon_cuts_it_short_and_switches_off(bench: Bench):
    """Nothing is left on."""
    plug = bench.plug(on=False)
    tested = tried(bench, plug, at={4: lambda: False})
    assert (tested.result, tested.detail) == ("undecided", "chargerd ended meanwhile")
    assert not plug.is_on()


def test_the_desk_reads_after_a_test(bench: Bench):
    """So that the log has how it is left."""
    plug = bench.plug(on=False)
    config = Driver.Config(driver="kasa", host=plug.host, port=plug.port)
    desk = Desk(DeviceSettings("shed", "kasa"), Driver("shed", config, (), {}))

    def wait(wait_ms: int) -> bool:
        bench.now_s += wait_ms / 1000
        return True

    kinds = [type(fact) for fact in desk.test("shed", lambda: round(bench.now_s * 1000), wait)]
    desk.close()
    assert kinds == [LeaseTested, DeviceAdded, ChargerRead]


# Whether it may


def believed(*facts: tuple[str, Body]) -> Site:
    """The state of a home with two bikes on one strip, both off, after some more facts."""
    home = configuration(loadpoint("a"), loadpoint("b"))
    added = DeviceAdded("kasa", "HS300", "8006", "1.0", {"a": "1", "b": "2"}, lease="unproven")
    all_facts: list[tuple[str, Body]] = [
        ("daemon", DaemonStarted("1", "3", "boot")), ("daemon", ConfigLoaded(home)), ("shed", added),
        ("shed", ChargerRead("a", False, 0.0)), ("shed", ChargerRead("b", False, 0.0)), *facts,
    ]  # fmt: skip
    events = [Event(n, 1_000 * n, 1_000 * n, 1, source, body) for n, (source, body) in enumerate(all_facts, 1)]
    return fold(Site(), events)


def test_a_socket_is_named_by_its_loadpoint_its_address_or_its_device():
    """A device with several sockets in use does not say which."""
    site = believed()
    assert address_of("a", site) == address_of("shed/a", site) == "shed/a"
    for name, error in (("shed", "Refused"), ("shed/c", "Refused"), ("attic", "NoSuchDevice"), ("", "NoSuchDevice")):
        with pytest.raises(CallError) as caught:
            address_of(name, site)
        assert caught.value.short == error
    alone = fold(site, [Event(9, 9000, 9000, 1, "daemon", ConfigLoaded(configuration(loadpoint("a"))))])
    assert address_of("shed", alone) == "shed/a"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ([("anna", ModeSet("b", "fast", "anna"))], "b is charging"),
        ([("shed", ChargerRead("b", True, 40.0))], "b is not off"),
        ([("shed", ChargerRead("a", True, 40.0))], "a is not off"),
        ([("anna", HoldSet("anna", "a"))], "a is on hold"),
        ([("anna", HoldSet("anna"))], "a is on hold"),
        ([("shed", LeaseTestBegun("ben", 15, "b"))], "shed is being tested already"),
        ([("daemon", ConfigLoaded(configuration(loadpoint("a"), loadpoint("b"), loadpoint("c"))))], "c is not off"),
    ],
)
def test_a_test_is_refused_while_anything_on_its_device_is_on(facts: list[tuple[str, Body]], says: str):
    """It keeps the device's worker busy for up to a minute, and nobody's charge goes unwatched for that."""
    with pytest.raises(CallError, match=says) as caught:
        check("shed/a", believed(*facts))
    assert caught.value.short == "Refused"
    assert caught.value.parameters["hint"]


def test_a_device_that_does_not_answer_is_not_tried():
    """There is nothing to see."""
    site = believed()
    lost = structs.replace(site, devices={"shed": structs.replace(site.devices["shed"], reachable=False)})
    with pytest.raises(CallError, match="does not answer"):
        check("shed/a", lost)
    assert begun("a", "anna", site) == ("shed/a", LeaseTestBegun("anna", 15, "a"))


# What is believed of it


def test_a_proof_holds_for_that_socket_and_that_firmware():
    """The other socket stays unproven; after an update of the firmware so is this one."""
    site = believed(("shed", LeaseTested("proven", 15, "a", 15.2)))
    assert (safety_of(site, "a").lease, safety_of(site, "b").lease) == ("proven", "unproven")
    assert safety_of(site, "a").tested_ms == 6000
    updated = DeviceAdded("kasa", "HS300", "8006", "1.1", {"a": "1", "b": "2"}, lease="unproven")
    later = fold(site, [Event(9, 9000, 9000, 1, "shed", updated)])
    assert (safety_of(later, "a").lease, safety_of(later, "a").tested_ms) == ("unproven", None)


def test_a_timer_that_failed_is_not_relied_on_any_more():
    """At an orderly end such a plug is switched off, as one without a timer; an undecided test changes nothing."""
    on = ("shed", ChargerRead("a", True, 100.0))
    failed = believed(("shed", LeaseTested("disproven", 15, "a")), ("shed", ChargerRead("a", False)), on)
    assert safety_of(failed, "a").lease == "none"
    assert left_on(failed) == ["a"]
    unsure = believed(("shed", LeaseTested("undecided", 15, "a")), ("shed", ChargerRead("a", False)), on)
    assert safety_of(unsure, "a").lease == "unproven"
    assert left_on(unsure) == []


def test_a_socket_left_on_by_a_test_that_was_cut_short_is_nobodys_wish():
    """The daemon died in the middle: at the next start it is on, and that is not taken for a button. Later ones are."""
    begun_then_died = [("shed", LeaseTestBegun("anna", 15, "a")), ("daemon", DaemonStarted("1", "3", "boot"))]
    left = believed(*begun_then_died, ("shed", ChargerRead("b", False)), ("shed", ChargerRead("a", True, 40.0)))
    assert not left.chargers["shed/a"].foreign
    over = believed(*begun_then_died, ("shed", ChargerRead("b", False)), ("shed", ChargerRead("a", False)))
    assert over.devices["shed"].testing is None
    pressed = fold(over, [Event(20, 20_000, 20_000, 1, "shed", ChargerRead("a", True, 40.0))])
    assert pressed.chargers["shed/a"].foreign
