"""Threshold: cut a charger off when its power has tapered below the profile's cut-off.

Power at the plug stands for the battery's level: a lithium charger gives constant current, then less and less. The way
in: switch on, see that power flows (three tries), see that the pack draws enough to be worth charging. The way out: power
below the cut-off for long enough; for a full charge also a tail that has gone flat, which is how some chargers end.
"""

from __future__ import annotations

from chargerd.model.commands import enables
from chargerd.model.decision import Decision, Memory, View
from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import Scalar
from chargerd.model.state import Charger, Session

TRIES = 3  # as S0: battery electronics that sleep often wake at the second switching-on
SETUP_S = 30  # a charger that draws nothing this long after switching on is tried again
PULSE_S = 5  # off time between two tries
START_GRACE_S = 120  # chargers with a soft start need up to a minute to reach their plateau
CONFIRM_MAX_S = 120
CONFIRM_WH = 1.0  # energy that waiting for confirmation may cost: 40 s at 90 W; with the reading pace on top it stays below 1.5 Wh
PLATEAU_FACTOR = 1.4  # a flat tail up to this times the full cut-off is a full pack (seen: 6.3 W for a cut-off of 5 W)
PLATEAU_S = 30 * 60  # the recorded tail that sits at 5 to 6 W needs an hour to get below 5 W
NEAR_WH = 5.0  # with so little left to a counted level the plug is read at the fast pace
STEP_S = 10 * 60  # … and began with a step from 17.7 to 5.2 W, after which waiting that long tells nothing new

ON = SetPoint(enabled=True)
OFF = SetPoint(enabled=False)


def decide(view: View, memory: Memory) -> Decision:
    """What this loadpoint wants now. `engine.evolve` has counted what the power did; this only judges it."""
    session, charger = view.session, view.charger
    if session is None:
        return Decision(OFF, Reason("mode-off"), {}, final=True)
    if charger is None or (charger.enabled and charger.power_w is None):
        return Decision(SetPoint(), Reason("no-reading"), memory, near=True)
    if not memory.get("started"):
        return _begin(view, session, charger, memory)
    if charger.enabled is not True:
        return Decision(ON, _seen("charging-to-cutoff", charger, session), memory, near=True)
    return _end(view, session, charger, memory)


def _begin(view: View, session: Session, charger: Charger, memory: Memory) -> Decision:
    """Switch on and find out what is there."""
    profile = view.settings.profile
    attempt = _whole(memory.get("attempt", 1))
    going_off = charger.pending is not None and enables(charger.pending.command) is False and not memory.get("pulse")
    if charger.enabled is not True or going_off:  # what it draws until then belongs to the session before
        return _switch_on(view, charger, attempt, memory)
    if memory.get("pulse"):  # the off of the pulse is still to be seen; until then it is the same try
        return _pulse(attempt, memory, None)
    power_w = charger.power_w or 0.0
    on_s = (charger.t_ms - charger.enabled_t_ms) / 1000
    if power_w > profile.idle_w:
        start_w = profile.start_w(session.target) if session.stop_wh is None else 0.0
        if power_w > start_w:
            return Decision(ON, _seen("charging-to-cutoff", charger, session), {"started": True}, near=True)
        if on_s < START_GRACE_S:
            return Decision(ON, _waiting(charger, on_s), memory, near=True)
        values: dict[str, Scalar] = {"power_w": power_w, "start_w": start_w, "target": session.target}
        return _done("already-full", Reason("above-start-level", _named(view, values), (charger.seq,)), memory)
    if on_s < (SETUP_S if attempt < TRIES else START_GRACE_S):  # the last try has patience for a soft start
        return Decision(ON, _waiting(charger, on_s), memory, near=True)
    if attempt < TRIES:
        return _pulse(attempt, {"attempt": attempt, "pulse": True}, None)
    code = "no-battery" if power_w > 0 else "no-charger"
    values = {"power_w": power_w, "attempts": TRIES}
    return _done(code, Reason(code, _named(view, values), (charger.seq,)), memory)


def _switch_on(view: View, charger: Charger, attempt: int, memory: Memory) -> Decision:
    if memory.get("pulse"):
        attempt += 1
        memory = {"attempt": attempt, "off_t_ms": charger.enabled_t_ms}
    again_ms = _whole(memory.get("off_t_ms", -PULSE_S * 1000)) + PULSE_S * 1000
    if view.t_ms < again_ms:
        return _pulse(attempt - 1, memory, again_ms)
    return Decision(ON, Reason("switching-on", {"attempt": attempt, "attempts": TRIES}), memory, near=True)


def _pulse(attempt: int, memory: Memory, wake_ms: int | None) -> Decision:
    reason = Reason("setup-pulse", {"attempt": attempt, "attempts": TRIES})
    return Decision(OFF, reason, memory, final=True, wake_ms=wake_ms, near=True)


def _end(view: View, session: Session, charger: Charger, memory: Memory) -> Decision:
    """Judge the power of a charge that has begun: go on, confirm, or cut off."""
    profile = view.settings.profile
    power_w = charger.power_w or 0.0
    settled_ms = charger.enabled_t_ms + START_GRACE_S * 1000  # after a pause the charger has to come up again
    values: dict[str, Scalar] = {"power_w": power_w, "stop_w": session.stop_w}
    full = session.target == "full"
    if session.stop_wh is not None and session.energy_wh >= session.stop_wh:
        counted: dict[str, Scalar] = {"energy_wh": session.energy_wh, "from_pct": session.from_pct}
        return _done("finished", Reason("energy-reached", counted, (charger.seq,)), memory)
    if full and profile.full_readings and session.low_readings >= profile.full_readings:
        return _done(
            "finished", Reason("cutoff-counted", {**values, "readings": session.low_readings}, (charger.seq,)), memory
        )
    if session.below_t_ms is not None and not (full and profile.full_readings):
        confirm_s = min(CONFIRM_MAX_S, CONFIRM_WH * 3600 / session.stop_w)
        return _confirm(view, session, charger, memory, max(session.below_t_ms, settled_ms), confirm_s)
    near_ms = None if session.near_t_ms is None else max(session.near_t_ms, settled_ms)
    if full and near_ms is not None:
        flat = _flat(view, session, charger, memory)
        if flat is not None:
            return flat
        near_s = (charger.t_ms - near_ms) / 1000
        if near_s >= profile.never_full_h * 3600:
            return _done(
                "never-reached",
                Reason("never-full", _named(view, {**values, "near_s": near_s}), (charger.seq,)),
                memory,
            )
    near = session.near_t_ms is not None
    if session.stop_wh is not None:
        left: dict[str, Scalar] = {"power_w": power_w, "left_wh": session.stop_wh - session.energy_wh}
        near = near or session.stop_wh - session.energy_wh < NEAR_WH
        return Decision(ON, Reason("charging-to-energy", left, (charger.seq,)), memory, near=near)
    return Decision(ON, Reason("charging-to-cutoff", values, (charger.seq,)), memory, near=near)


def _confirm(
    view: View, session: Session, charger: Charger, memory: Memory, since_ms: int, confirm_s: float
) -> Decision:
    below_s = (charger.t_ms - since_ms) / 1000
    power_w = charger.power_w or 0.0
    values: dict[str, Scalar] = {
        "power_w": power_w,
        "stop_w": session.stop_w,
        "below_s": below_s,
        "confirm_s": confirm_s,
    }
    if below_s < confirm_s:
        values["below_s"] = max(0.0, below_s)
        return Decision(ON, Reason("confirming-cutoff", values, (charger.seq,)), memory, near=True)
    profile = view.settings.profile
    if power_w < profile.idle_w and session.above_w > max(session.stop_w, profile.full_w + profile.margin_w):
        # No taper leads from there to idle: whatever was charging is no longer on the charger.
        return _done(
            "removed", Reason("battery-removed", {**values, "before_w": session.above_w}, (charger.seq,)), memory
        )
    # A full charge that never drew more than the tail of one had nothing to do.
    outcome = "finished" if session.peak_w > profile.full_w + profile.margin_w else "already-full"
    return _done(outcome, Reason("cutoff-reached", values, (charger.seq,)), memory)


def _flat(view: View, session: Session, charger: Charger, memory: Memory) -> Decision | None:
    """A full charge whose tail has gone flat just above the cut-off, after a real charge: it will get no fuller."""
    profile = view.settings.profile
    power_w = charger.power_w or 0.0
    if profile.full_readings or power_w > PLATEAU_FACTOR * session.stop_w:
        return None
    if session.peak_w < max(profile.full_w + profile.margin_w, 4 * profile.full_w):
        return None  # never saw a charge, so a flat line means nothing
    flat_s = (charger.t_ms - session.flat_t_ms) / 1000
    needed_s = STEP_S if session.stepped else PLATEAU_S
    values: dict[str, Scalar] = {"power_w": power_w, "stop_w": session.stop_w, "flat_s": flat_s, "confirm_s": needed_s}
    if flat_s < needed_s:
        return Decision(ON, Reason("confirming-plateau", values, (charger.seq,)), memory, near=True)
    return _done(
        "finished", Reason("step-reached" if session.stepped else "plateau-reached", values, (charger.seq,)), memory
    )


def _done(outcome: str, reason: Reason, memory: Memory) -> Decision:
    return Decision(OFF, reason, memory, outcome=outcome, final=True)


def _seen(code: str, charger: Charger, session: Session) -> Reason:
    return Reason(code, {"power_w": charger.power_w, "stop_w": session.stop_w}, (charger.seq,))


def _waiting(charger: Charger, on_s: float) -> Reason:
    return Reason("waiting-for-power", {"on_s": on_s, "power_w": charger.power_w}, (charger.seq,))


def _named(view: View, values: dict[str, Scalar]) -> dict[str, Scalar]:
    return {**values, "loadpoint": view.settings.name}


def _whole(value: Scalar) -> int:
    assert isinstance(value, int)
    return value
