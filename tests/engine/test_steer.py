"""Steer: one command at a time, not before the device hears it, and not twice before it can show what came of it."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.engine import steer
from chargerd.engine.limits import Granted
from chargerd.engine.step import case_of
from chargerd.model.commands import SetCurrent, SetPhases
from chargerd.model.events import CommandDone, CommandIssued, Reason, SetPoint
from chargerd.model.state import Hold
from tests.house_sun import BOX, believed, clock, evse, evse_read, home, then

BOX_NAME = "garage-box"


def due(site, at_s: float, grant: SetPoint, *, lease_s: int | None = None, lease_due: bool = False):
    """The commands that are due for a grant."""
    case = case_of(site, "garage", clock(at_s), clock(at_s))
    return list(steer.commands(case, Granted(grant), lease_s, lease_due=lease_due))


def told(site, at_s: float, command, *, read=None):
    """The site after a command was carried out, and what the device says then."""
    site = then(site, at_s, ("engine", CommandIssued("garage", command, Reason("test"))))
    site = then(site, at_s, ("garage-box", CommandDone(site.seq)))
    return site if read is None else then(site, at_s, ("garage-box", read))


ON = SetPoint(enabled=True, current_a=10)
OFF = SetPoint(enabled=False)


def test_a_box_that_was_never_read_is_told_nothing():
    """Its lease ends it."""
    assert due(believed(home(evse())), 0, ON) == []


def test_the_difference_is_the_command():
    """And nothing where there is none."""
    site = believed(home(evse()), (BOX_NAME, evse_read(6)))
    assert due(site, 0, ON) == [SetCurrent(BOX_NAME, 10)]
    assert due(site, 0, OFF) == [SetCurrent(BOX_NAME, 0)]
    assert due(site, 0, SetPoint()) == []
    assert due(then(site, 1, (BOX_NAME, evse_read(10))), 1, ON) == []


@pytest.mark.parametrize("grant", [SetPoint(enabled=True, current_a=16), SetPoint(enabled=True, current_a=6), OFF])
def test_up_down_or_off_waits_for_the_devices_pause(grant):
    """A command that comes too soon is lost, and then nothing is lower."""
    site = believed(home(evse()), (BOX_NAME, evse_read(6)), devices=structs.replace(BOX, pause_s=10.0))
    site = told(site, 5, SetCurrent(BOX_NAME, 10), read=evse_read(10))
    assert due(site, 14.9, grant) == []
    assert len(due(site, 15, grant)) == 1
    assert steer.ready_ms(case_of(site, "garage", clock(6), clock(6))) == clock(15)


def test_the_last_command_waits_for_the_pause_of_the_device_too():
    """What comes too soon is lost, and there is no later: the daemon's end waits for it."""
    site = believed(home(evse()), (BOX_NAME, evse_read(6)), devices=structs.replace(BOX, pause_s=10.0))
    site = structs.replace(told(site, 5, SetCurrent(BOX_NAME, 10), read=evse_read(10)), stopping=True)
    assert due(site, 14.9, OFF) == []
    assert due(site, 15, OFF) == [SetCurrent(BOX_NAME, 0)]


def test_on_hold_a_lease_is_renewed_with_what_a_person_has_set_at_the_charger():
    """Hands off: 10 A were asked, somebody has made 16 A of them, and 16 A they stay."""
    leased = structs.replace(BOX, lease="proven")
    site = told(believed(home(evse()), (BOX_NAME, evse_read(6)), devices=leased), 5, SetCurrent(BOX_NAME, 10, 900))
    site = then(site, 500, (BOX_NAME, evse_read(16)))
    kept = SetPoint()
    assert due(site, 500, kept, lease_due=True)[0].current_a == 10
    held = structs.replace(site, hold=Hold("anna", site.at_ms))
    assert due(held, 500, kept, lease_due=True)[0].current_a == 16


def test_what_was_asked_is_not_asked_again_before_it_can_show():
    """For 8 s what is read may be old; then it is told again, and after that in longer and longer waits."""
    site = told(believed(home(evse()), (BOX_NAME, evse_read(6))), 5, SetCurrent(BOX_NAME, 10), read=evse_read(6))
    assert due(site, 12.9, ON) == []
    assert due(site, 13.1, ON) == [SetCurrent(BOX_NAME, 10)]
    site = told(site, 14, SetCurrent(BOX_NAME, 10), read=evse_read(6))
    assert due(site, 23.9, ON) == []
    assert due(site, 24, ON) == [SetCurrent(BOX_NAME, 10)]


def test_a_charger_that_rounds_down_is_not_told_again_and_again():
    """It takes tenths, and offers whole amperes. One that rounds up has to go down."""
    tenths = structs.replace(BOX, current_step_a=0.1)
    wanted = SetPoint(enabled=True, current_a=10.6)
    site = told(believed(home(evse()), (BOX_NAME, evse_read(6)), devices=tenths), 5, SetCurrent(BOX_NAME, 10.6))
    assert due(then(site, 60, (BOX_NAME, evse_read(10))), 60, wanted) == []
    assert due(then(site, 60, (BOX_NAME, evse_read(11))), 60, wanted) == [SetCurrent(BOX_NAME, 10.6)]


def test_off_does_not_wait_for_word_of_an_on():
    """Anything else does, for at most a minute."""
    site = believed(home(evse()), (BOX_NAME, evse_read(6)))
    site = then(site, 1, ("engine", CommandIssued("garage", SetCurrent(BOX_NAME, 10.0), Reason("test"))))
    assert due(site, 2, OFF) == [SetCurrent(BOX_NAME, 0)]
    assert due(site, 20, SetPoint(enabled=True, current_a=16)) == []
    assert len(due(site, 61, SetPoint(enabled=True, current_a=16))) == 1


def test_phases_change_without_current_and_with_a_wait_after_it():
    """Pause, switch, wait, offer."""
    three = SetPoint(enabled=True, current_a=6, phases=3)
    site = believed(home(evse()), (BOX_NAME, evse_read(10)))
    assert due(site, 0, three) == [SetCurrent(BOX_NAME, 0)]
    site = told(site, 0, SetCurrent(BOX_NAME, 0.0), read=evse_read(10, enabled=False))
    assert due(site, 5, three) == [], "current flows still"
    site = then(site, 10, (BOX_NAME, evse_read(0, enabled=False)))
    assert due(site, 10, three) == [SetPhases(BOX_NAME, 3)]
    site = told(site, 10, SetPhases(BOX_NAME, 3), read=structs.replace(evse_read(0), phases=3))
    assert due(site, 19, three) == []
    assert due(site, 20, three) == [SetCurrent(BOX_NAME, 6)]


def test_a_lease_is_renewed_with_what_is_so():
    """Also when nothing is to be changed, as under a hold."""
    site = told(believed(home(evse()), (BOX_NAME, evse_read(6))), 0, SetCurrent(BOX_NAME, 10, 600), read=evse_read(10))
    assert due(site, 300, ON, lease_s=600, lease_due=True) == [SetCurrent(BOX_NAME, 10, 600)]
    assert due(site, 300, SetPoint(), lease_s=600, lease_due=True) == [SetCurrent(BOX_NAME, 10, 600)]
    ending = structs.replace(site, stopping=True)
    assert due(ending, 3, SetPoint(), lease_s=120, lease_due=True) == [SetCurrent(BOX_NAME, 10, 120)], (
        "also a moment after"
    )


def test_current_that_strays_is_told_to_pause_again():
    """Wish 26: after 30 s, though the box says that it is paused."""
    site = told(believed(home(evse()), (BOX_NAME, evse_read(10))), 0, SetCurrent(BOX_NAME, 0.0))
    for at_s in (1, 11, 21, 31, 41):
        site = then(site, at_s, (BOX_NAME, evse_read(10, enabled=False)))
    assert due(site, 30, OFF) == []
    assert due(site, 41, OFF) == [SetCurrent(BOX_NAME, 0)]


def test_a_lease_is_renewed_with_no_more_than_is_offered():
    """On hold a person has lowered it at the box; nothing is switched on for the sake of a lease."""
    site = told(believed(home(evse()), (BOX_NAME, evse_read(6))), 0, SetCurrent(BOX_NAME, 16, 900), read=evse_read(16))
    lowered = then(site, 30, (BOX_NAME, evse_read(8)))
    assert due(lowered, 30, SetPoint(), lease_s=900, lease_due=True) == [SetCurrent(BOX_NAME, 8, 900)]
    ended = then(site, 30, (BOX_NAME, evse_read(0, enabled=False, offered_a=16.0)))
    assert due(ended, 30, SetPoint(), lease_s=900, lease_due=True) == []
