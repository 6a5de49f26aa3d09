"""Raises: what is made of an EVSE that is told to offer more and does not."""

from __future__ import annotations

from chargerd.engine import raises
from chargerd.model.state import Raises


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
