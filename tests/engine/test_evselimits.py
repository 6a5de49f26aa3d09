"""EVSE limits: what lowers a current, and why; what a vehicle that takes nothing comes to."""

from __future__ import annotations

import pytest

from chargerd.engine.describe import loadpoint_state
from chargerd.engine.evselimits import fitted
from chargerd.engine.limits import Granted
from chargerd.engine.step import case_of
from chargerd.model.commands import SetCurrent
from chargerd.model.events import CommandIssued, DaemonStarted, ModeSet, Reason, RecordingLost, SetPoint
from chargerd.model.settings import CircuitSettings
from tests.house_sun import believed, clock, evse, evse_read, grid_read, home, then


def fit(site, at_s: float, current_a: float = 16, **grant) -> Granted:
    """What becomes of a grant."""
    case = case_of(site, "garage", clock(at_s), clock(at_s))
    return fitted(case, Granted(SetPoint(enabled=True, current_a=current_a, **grant)))


def running(current_a: float, *, mode: str = "fast", draws: bool = True, **conf):
    """A car that has been offered a current for two minutes."""
    site = believed(home(evse(mode=mode, circuit="main" if conf else ""), **conf), ("garage-box", evse_read(6)))
    site = then(site, 0, ("engine", CommandIssued("garage", SetCurrent("garage-box", current_a), Reason("test"))))
    for at_s in range(10, 121, 10):
        read = evse_read(current_a) if draws else evse_read(0, enabled=True, offered_a=current_a)
        site = then(site, at_s, ("garage-box", read), ("home", grid_read(230 * current_a)))
    return site


def test_it_begins_with_the_least():
    """Wish 8: whatever is there."""
    found = fit(believed(home(evse()), ("garage-box", evse_read())), 0)
    assert (found.grant.current_a, found.limit.code) == (6, "ramping")


def test_it_goes_up_by_a_step_of_its_settings():
    """5 A, and down as far as is asked."""
    assert fit(running(6), 120).grant.current_a == 11
    assert fit(running(16), 120, 7).grant.current_a == 7


def test_a_step_waits_for_the_one_before():
    """5 s after it."""
    site = then(running(6), 121, ("engine", CommandIssued("garage", SetCurrent("garage-box", 11.0), Reason("test"))))
    assert fit(site, 125.9).grant.current_a == 11
    assert fit(site, 126).grant.current_a == 16


def test_a_fuse_lowers_and_below_the_least_it_pauses():
    """With its reason and what it leaves."""
    site = running(16, circuits=[CircuitSettings("main", 20, meter="grid")])
    site = then(site, 130, ("garage-box", evse_read(16)), ("home", grid_read(230 * 26.0)))
    found = fit(site, 130)
    assert (found.grant.current_a, found.limit.code, found.limit.values["circuit"]) == (10, "circuit-limit", "main")
    site = then(site, 140, ("garage-box", evse_read(16)), ("home", grid_read(230 * 31.0)))
    found = fit(site, 140)
    assert (found.grant.enabled, found.limit.code) == (False, "circuit-limit")


def test_a_charger_that_holds_by_itself_is_waited_for_and_its_vehicle_is_not_full():
    """Ten minutes too hot: its permission stays, others may use its share; a minute's patience begins when it lets go."""
    site = running(6)
    held = evse_read(0, enabled=True, held=True, status="interrupted")
    for at_s in range(130, 730, 10):
        site = then(site, at_s, ("garage-box", held))
    found = fit(site, 720)
    assert (found.grant.enabled, found.limit.code, found.outcome) == (True, "charger-holds", None)
    assert found.limit.values["status"] == "interrupted"
    assert loadpoint_state(site, "garage", clock(720)) == "suspended_evse"
    assert not site.chargers["garage-box"].foreign
    after = []
    for at_s in range(730, 800, 10):
        site = then(site, at_s, ("garage-box", evse_read(0, enabled=True)))
        after.append(fit(site, at_s).limit)
    assert after[0] is None or after[0].code != "not-drawing"
    assert after[-1].code == "not-drawing"


def test_a_vehicle_that_takes_nothing_is_waited_for_woken_and_taken_to_be_full():
    """60 s, then it is said; 180 s, then it is offered anew; after three times the session ends."""
    site = running(6, draws=False)
    assert fit(site, 120).limit.code == "not-drawing"
    early = running(6, draws=False)
    early = then(early, 60, ("garage-box", evse_read(0, enabled=True)))
    for at_s in range(130, 200, 10):
        site = then(site, at_s, ("garage-box", evse_read(0, enabled=True)))
    found = fit(site, 190)
    assert (found.grant.enabled, found.limit.code, found.outcome) == (False, "waking", None)
    for n in range(3):
        at_s = 200 + n * 200
        site = then(site, at_s, ("engine", CommandIssued("garage", SetCurrent("garage-box", 0.0), Reason("test"))))
        site = then(site, at_s + 1, ("garage-box", evse_read(0, enabled=False)))
        site = then(site, at_s + 2, ("engine", CommandIssued("garage", SetCurrent("garage-box", 6.0), Reason("test"))))
        for late_s in range(3, 190, 10):
            site = then(site, at_s + late_s, ("garage-box", evse_read(0, enabled=True)))
    assert fit(site, 790).outcome == "full-or-refused"


def test_a_fault_offers_nothing_and_says_so():
    """Its own words in the reason."""
    site = then(running(6), 121, ("garage-box", evse_read(0, pilot="F", status="RCD tripped")))
    found = fit(site, 121)
    assert (found.grant.enabled, found.limit.code, found.limit.values["status"]) == (
        False,
        "charger-fault",
        "RCD tripped",
    )


@pytest.mark.parametrize(("adopt", "at_s", "kept"), [(True, 220, True), (True, 280, False), (False, 220, False)])
def test_what_somebody_begins_at_the_box_is_left_alone_until_current_flows_or_does_not(adopt, at_s, kept):
    """S1-20: for a minute, in mode off; whoever says off meanwhile is obeyed."""
    site = believed(home(evse(mode="off", adopt=adopt)), ("garage-box", evse_read(0, enabled=False)))
    for t_s, enabled in ((150, False), (200, True)):
        site = then(site, t_s, ("garage-box", evse_read(0, enabled=enabled)))
    off = Granted(SetPoint(enabled=False))
    found = fitted(case_of(site, "garage", clock(at_s), clock(at_s)), off)
    assert (found.grant.enabled is None) is kept
    site = then(site, 210, ("anna", ModeSet("garage", "off", "anna")))
    assert fitted(case_of(site, "garage", clock(211), clock(211)), off).grant.enabled is False


def test_current_that_flows_unasked_is_said_after_half_a_minute():
    """Wish 26."""
    site = running(10)
    for at_s in range(130, 171, 10):
        site = then(site, at_s, ("garage-box", evse_read(10, enabled=False)))
    found = fitted(case_of(site, "garage", clock(170), clock(170)), Granted(SetPoint(enabled=False)))
    assert found.limit.code == "charging-unasked"


def test_nothing_is_raised_while_nothing_can_be_recorded():
    """What runs goes on as it is offered, on the phases that it has."""
    site = then(running(8), 121, ("daemon", RecordingLost("disk full")))
    found = fit(site, 130, phases=3)
    assert (found.grant.current_a, found.grant.phases, found.limit.code) == (8, None, "not-recorded")
    assert fit(site, 130, 7).grant.current_a == 7


def test_nothing_is_raised_before_everything_was_heard():
    """After a start a running box is left at what it offers until the meters have had their word."""
    site = then(running(8), 121, ("daemon", DaemonStarted("1", "1", "boot-b")), ("garage-box", evse_read(8)))
    found = fit(site, 122)
    assert (found.grant.current_a, found.limit.code) == (8, "observing")
