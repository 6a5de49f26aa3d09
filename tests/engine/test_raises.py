"""Raises: what is made of an EVSE that is told to offer more and does not."""

from __future__ import annotations

import pytest

from chargerd.engine import raises
from chargerd.model.commands import SetCurrent
from chargerd.model.events import CommandDone, CommandFailed, CommandIssued, Reason
from chargerd.model.state import Raises, Site
from tests.house_sun import believed, evse, evse_read, home, then


def tried(before: Raises, at_s: int, *, offered_a: float = 8, told_a: float = 16, again_s: int = 10) -> Raises:
    """Told to offer more, and read every ten seconds for a while."""
    found = raises.told(before, offered_a, told_a, at_s * 1000)
    for late_s in range(0, 31, again_s):
        found = raises.seen(found, offered_a, (at_s + late_s) * 1000)
    return found


def test_three_times_in_vain_is_a_limit_of_its_own():
    """Not two times."""
    once = tried(Raises(), 0)
    twice = tried(once, 100)
    assert (once.ignored, twice.ignored, twice.capped, raises.given_up(twice)) == (1, 2, False, False)
    found = tried(twice, 200)
    assert (found.capped, found.stays_a, found.told_a, raises.given_up(found)) == (True, 8, 16, True)


def test_an_hour_later_it_is_tried_once_and_still_said():
    """One try, and again an hour."""
    found = tried(tried(tried(Raises(), 0), 100), 200)
    assert raises.seen(found, 8, 3700_000).capped
    later = raises.seen(found, 8, 3900_000)
    assert (later.capped, raises.given_up(later)) == (False, True)
    again = tried(later, 3910)
    assert (again.capped, again.ignored) == (True, 4)


def test_one_that_goes_up_late_goes_up():
    """A reading may be old: nothing is counted within 15 s, and all is forgotten once it rises."""
    found = raises.told(Raises(), 6, 10, 0)
    assert raises.seen(found, 6, 14_000) == found
    twice = tried(tried(found, 100, offered_a=6), 200, offered_a=6)
    assert twice.ignored == 2
    assert raises.seen(twice, 10, 300_000) == Raises()


def test_one_that_follows_up_to_its_limit_and_no_further_is_still_limited():
    """Lowered by a cloud to 6 and back at 8, it has shown nothing new; above 8 it has."""
    limited = tried(tried(Raises(), 0), 100)
    lowered = raises.told(limited, 8, 6, 200_000)
    back = raises.seen(raises.told(lowered, 6, 8, 300_000), 8, 330_000)
    assert (back.ignored, back.told_t_ms) == (2, None)
    assert tried(back, 400).capped
    assert raises.seen(raises.told(back, 8, 16, 400_000), 9, 401_000) == Raises()


def test_a_start_a_lowering_and_what_is_lost_are_no_raises():
    """Nothing is waited for."""
    assert raises.told(Raises(), None, 6, 0) == Raises()
    assert raises.told(Raises(), 10, 6, 0) == Raises()
    assert raises.told(Raises(), 10, 10.9, 0) == Raises()
    lost = raises.lost(raises.told(Raises(), 6, 16, 0))
    assert raises.seen(lost, 6, 60_000).ignored == 0


def test_one_that_does_not_say_what_it_offers_is_not_judged():
    """Nobody knows."""
    found = raises.told(Raises(), 6, 16, 0)
    assert raises.seen(found, None, 60_000) == found


def asked(site: Site, at_s: float, *, refused: bool) -> Site:
    """Told to offer 16 A, which it refuses, or takes and does not do; and read with 6 A for half a minute."""
    site = then(site, at_s, ("engine", CommandIssued("garage", SetCurrent("garage-box", 16.0), Reason("test"))))
    word = CommandFailed(site.seq, "unexpected-answer", "locked") if refused else CommandDone(site.seq)
    site = then(site, at_s + 1, ("garage-box", word))
    for late_s in (10, 20, 30):
        site = then(site, at_s + late_s, ("garage-box", evse_read(6)))
    return site


@pytest.mark.parametrize("refused", [True, False])
def test_what_is_refused_is_said_and_is_no_raise_that_was_ignored(refused):
    """Three times: one that says no is not one that stays where it is without a word."""
    site = believed(home(evse(mode="fast")), ("garage-box", evse_read(6)))
    for n in range(3):
        site = asked(site, 100 * (n + 1), refused=refused)
    known = site.chargers["garage-box"].evse
    assert known is not None
    assert raises.given_up(known.raises) is not refused
    assert bool(known.refused) is refused


def test_its_limit_goes_with_the_vehicle():
    """It may have been the cable: the next one is offered all again."""
    site = believed(home(evse(mode="fast")), ("garage-box", evse_read(6)))
    for n in range(3):
        site = asked(site, 100 * (n + 1), refused=False)
    fault = then(site, 400, ("garage-box", evse_read(pilot="F")))
    assert raises.given_up(fault.chargers["garage-box"].evse.raises), "a fault is no leaving"
    site = then(site, 400, ("garage-box", evse_read(pilot="A")))
    assert site.chargers["garage-box"].evse.raises == Raises()
