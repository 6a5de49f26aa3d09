"""Raises: whether an EVSE goes up when it is told to. One that stays where it is has a limit of its own, and is not told for ever.

What counts is what the EVSE says that it offers, never what the vehicle takes of it: a vehicle that takes less has its reasons.
"""

from __future__ import annotations

from msgspec import structs

from chargerd.model.state import Raises

TRIES = 3
EFFECT_S = 15.0  # what a Connect box says may be 13 s old (S1)
AGAIN_S = 3600.0  # then it is tried once more
FOLLOWS_A = 1.0  # set and read-back may differ by less
ROSE_A = 0.25  # about the finest step of a pilot (evcc)


def told(before: Raises, offered_a: float | None, current_a: float, t_ms: int) -> Raises:
    """After one more command. ``offered_a`` is what was offered until then, None while paused: a start is no raise."""
    if offered_a is None or current_a - offered_a < FOLLOWS_A:
        return before if before.told_t_ms is None else structs.replace(before, told_t_ms=None)
    if before.told_t_ms is not None:
        return structs.replace(before, told_a=current_a)
    return structs.replace(before, told_t_ms=t_ms, told_a=current_a, from_a=offered_a)


def lost(before: Raises) -> Raises:
    """After a command that did not reach it, or that it refused, which it has said itself."""
    return before if before.told_t_ms is None else structs.replace(before, told_t_ms=None)


def seen(before: Raises, offered_a: float | None, t_ms: int) -> Raises:
    """After one more reading. ``offered_a`` None: it is paused, or does not say."""
    if before.capped and t_ms - before.judged_t_ms >= AGAIN_S * 1000:
        before = structs.replace(before, capped=False)
    if offered_a is None or (before.told_t_ms is None and before.stays_a is None):
        return before
    from_a = before.from_a if before.told_t_ms is not None else 0.0
    if offered_a > max(from_a, before.stays_a or 0.0) + ROSE_A:
        return Raises()
    if before.told_t_ms is None or t_ms - before.told_t_ms < EFFECT_S * 1000:
        return before
    if before.told_a - offered_a < FOLLOWS_A:  # it followed, up to where it is known to stay
        return structs.replace(before, told_t_ms=None)
    ignored = before.ignored + 1
    return structs.replace(
        before, told_t_ms=None, ignored=ignored, stays_a=offered_a, judged_t_ms=t_ms, capped=ignored >= TRIES
    )


def given_up(raises: Raises) -> bool:
    """Whether it has a limit of its own, as far as is known: also while it is tried once more."""
    return raises.ignored >= TRIES
