"""Witness: whether the meter at the grid connection moves with what our own charging takes.

When charging takes 2 kW more and nothing else moves, the meter has to say 2 kW more. One that says less is mounted the wrong way
round; one that says ten times as much has the wrong factor; one that does not move is not measured, or does not see the charger.
A cloud or an oven may move at the same moment, so it takes several such steps in a row, or one that cannot be chance; and the
first step that it follows again clears it.
"""

from __future__ import annotations

from msgspec import structs

from chargerd.model.state import Meter, Moment, Witness

SPAN_S = 120.0  # before and after a step lie so near each other at most
STEP_W = 1000.0  # a smaller step of charging is lost among what a house does
STEADY = 0.1  # before and after it charging keeps to its level within this share of the step
CALM = 0.25  # and what panels and house batteries give moves by no more than this share of it
AGAINST = -0.5  # what the meter moved, as a share of the step: this or less is the wrong way
TOO_MUCH = 3.0
DEAF = 0.2
TRUE = (0.5, 1.6)
IDLE_W = 300.0  # nearer to 0 a house battery that is not metered may be taking the step on itself
VOTES = 3  # so many steps in a row have to say the same against it
SURE = 0.1  # one is enough where panels are metered and it moved by exactly the wrong sign or factor, within this share
DOUBTED_S = 3600.0  # then it is believed again and one more step decides


Moments = tuple[Moment, ...]


def doubted(meter: Meter, t_ms: int) -> bool:
    """Whether a meter is not to be believed at a moment on the engine's clock, because it did not move with charging."""
    since_ms = meter.witness.doubted_t_ms
    return since_ms is not None and t_ms - since_ms < DOUBTED_S * 1000


def heard(meter: Meter, charging_w: float | None, given_w: float | None) -> Meter:
    """A meter with its last reading held against charging. ``given_w``: from panels and house batteries, None if not metered."""
    old, power_w = meter.witness, meter.power_w
    if power_w is None or charging_w is None:
        return meter if not old.moments else structs.replace(meter, witness=structs.replace(old, moments=()))
    kept = [moment for moment in old.moments if meter.t_ms - moment[0] <= SPAN_S * 1000]
    moments = (*kept, (meter.t_ms, power_w, charging_w, given_w))
    before = _before(moments)
    if before is None:
        return structs.replace(meter, witness=structs.replace(old, moments=moments))
    from_ms, from_w, took_w, gave_w = before
    step_w, moved_w = charging_w - took_w, power_w - from_w
    if given_w is not None and gave_w is not None and abs(given_w - gave_w) > CALM * abs(step_w):
        return structs.replace(meter, witness=structs.replace(old, moments=moments))
    same, far = bool(power_w) and meter.same_t_ms <= from_ms, min(abs(power_w), abs(from_w)) > IDLE_W
    ratio = moved_w / step_w
    kind = "deaf" if same else _kind(ratio, far=far and given_w is not None)
    sure = (same and far) or (given_w is not None and any(abs(ratio / wrong - 1) < SURE for wrong in (-1.0, 10.0)))
    votes = VOTES if sure else old.votes + 1 if kind == old.kind else 1
    return structs.replace(meter, witness=_judged(old, (moments[-1],), kind, votes, (step_w, moved_w)))


def _before(moments: Moments) -> Moment | None:
    """The moment to hold the last one against: the one before the last that charging kept to another level."""
    now_w = moments[-1][2]
    for n in range(len(moments) - 2, 0, -1):
        step_w = abs(moments[n][2] - now_w)
        if step_w < STEP_W:
            continue
        settled = abs(moments[-2][2] - now_w) <= STEADY * step_w
        return moments[n - 1] if settled and abs(moments[n - 1][2] - moments[n][2]) <= STEADY * step_w else None
    return None


def _kind(ratio: float, *, far: bool) -> str:
    """What a step says of the meter; "" where it says nothing for sure."""
    if ratio <= AGAINST:
        return "against"
    if ratio >= TOO_MUCH:
        return "too-much"
    if TRUE[0] <= ratio <= TRUE[1]:
        return "true"
    return "deaf" if far and abs(ratio) < DEAF else ""


def _judged(old: Witness, moments: Moments, kind: str, votes: int, moved: tuple[float, float]) -> Witness:
    if not kind:
        return structs.replace(old, moments=moments)
    doubted_t_ms = old.doubted_t_ms
    if kind == "true":
        doubted_t_ms = None
    elif votes >= VOTES:
        doubted_t_ms = moments[-1][0]
    return Witness(moments, kind, votes, *moved, doubted_t_ms)
