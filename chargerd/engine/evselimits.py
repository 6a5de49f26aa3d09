"""EVSE limits: what only a charger for cars is limited by. They lower a current, each with its own reason; the lowest counts."""

from __future__ import annotations

import math

from msgspec import structs

from chargerd.engine import circuits, evses, steer, sun, timeline
from chargerd.engine.limits import Case, Granted, observed
from chargerd.model.decision import Supply
from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import SUN_MODES, CircuitSettings, Scalar

PATIENCE_S = 60.0  # a vehicle may take so long to begin
WAKE_S = 180.0  # then it is offered anew, which wakes some that sleep …
TRIES = 3  # … so often in all (S1)
LOWERED_A = 0.05  # a limit that takes away less is not worth a word


def fitted(case: Case, granted: Granted) -> Granted:
    """The set-point with its current and phases brought inside every limit, or off where less than the least is left."""
    supply, grant = case.supply, granted.grant
    fault = _fault(case)
    if fault is not None and grant.enabled is not None:
        return Granted(SetPoint(enabled=False), fault, granted.outcome)
    if grant.enabled is False:
        stray = _stray(case)
        if stray is None and _begins_elsewhere(case) and granted.outcome is None:
            return structs.replace(granted, grant=SetPoint(), limit=Reason("begun-elsewhere"))
        return granted if stray is None else structs.replace(granted, limit=stray)
    if supply is None or grant.enabled is not True:
        return granted
    small = circuits.too_small(case.site, case.settings.name, supply)
    if small is not None:
        return structs.replace(granted, grant=SetPoint(enabled=False), limit=_never(case, supply, small))
    if not case.site.recording:
        grant = structs.replace(
            grant, phases=None
        )  # the pause that a change needs could be sent, and its end could not
    resting = _resting(case, supply, grant)
    if resting is not None:
        grant = structs.replace(grant, phases=supply.now)
    phases = grant.phases if grant.phases is not None else supply.now
    used = supply.used[supply.choices.index(phases)] if phases in supply.choices else phases
    wanted_a = min(supply.min_a if grant.current_a is None else grant.current_a, supply.max_a)
    caps = (_circuit(case, supply, used), _ramp(case, supply), _unsure(case))
    allowed = [cap for cap in caps if cap is not None]
    current_a, reason = min([*allowed, (wanted_a, None)], key=lambda cap: _whole(cap[0], supply))
    if reason is None or wanted_a - current_a < LOWERED_A:
        current_a, reason = wanted_a, _stays(case, supply, wanted_a) or resting
    current_a = _whole(current_a, supply)
    spared = _spared(case, supply, phases)
    if spared is not None:
        return structs.replace(granted, grant=SetPoint(enabled=False), limit=spared)
    if current_a < supply.min_a:
        return structs.replace(granted, grant=SetPoint(enabled=False), limit=reason or granted.limit)
    grant = SetPoint(enabled=True, current_a=current_a, phases=grant.phases)
    return _tried(case, structs.replace(granted, grant=grant, limit=reason or granted.limit))


def _tried(case: Case, granted: Granted) -> Granted:
    """A vehicle that takes nothing of what it is offered: waited for, woken a few times, and then taken to be full."""
    charger = case.charger
    evse = None if charger is None else charger.evse
    if evse is None or evse.begun_t_ms is None or charger is None or charger.enabled is not True:
        return granted
    if evse.held:
        values: dict[str, Scalar] = {"status": evse.status or "", "device": case.device_settings.name}
        return structs.replace(granted, limit=Reason("charger-holds", values, (charger.seq,)))
    since_ms = evse.begun_t_ms if evse.drawn_t_ms is None else max(evse.begun_t_ms, evse.drawn_t_ms)
    nothing_s = (charger.t_ms - since_ms) / 1000
    if nothing_s < PATIENCE_S:
        return granted
    if nothing_s < WAKE_S:
        reason = Reason("not-drawing", {"current_a": evse.offered_a}, (charger.seq,))
        return structs.replace(granted, limit=reason)
    off = SetPoint(enabled=False)
    if evse.tries < TRIES:
        return Granted(off, Reason("waking", {"attempt": evse.tries + 1, "attempts": TRIES}, (charger.seq,)))
    values = {"tries": evse.tries, "loadpoint": case.settings.name}
    return Granted(off, Reason("vehicle-sated", values, (charger.seq,)), "full-or-refused")


def _whole(current_a: float, supply: Supply) -> float:
    """The current in whole steps, rounded down."""
    return round(math.floor(current_a / supply.step_a + 1e-6) * supply.step_a, 3)


def _fault(case: Case) -> Reason | None:
    """What an EVSE says of a fault. Its session stays; when the fault has gone it begins anew."""
    charger = case.charger
    evse = None if charger is None else charger.evse
    if charger is None or evse is None or not evses.faulty(evse):
        return None
    values: dict[str, Scalar] = {"status": evse.status or "", "device": case.device_settings.name}
    return Reason("charger-fault", values, (charger.seq,))


def _begins_elsewhere(case: Case) -> bool:
    """Whether the vehicle or a button has just begun a charge that will be adopted once current flows."""
    charger = case.charger
    if charger is None or not charger.foreign or not charger.enabled or not case.settings.adopt or case.site.stopping:
        return False
    return case.mode in timeline.ADOPTS and case.t_ms - charger.enabled_t_ms <= evses.SETTLE_S * 1000


def _stray(case: Case) -> Reason | None:
    """Current that flows although it was told to pause, for longer than a vehicle takes to follow."""
    charger = case.charger
    evse = None if charger is None else charger.evse
    if charger is None or evse is None or evse.stray_t_ms is None:
        return None
    if charger.t_ms - evse.stray_t_ms < steer.STRAY_S * 1000:
        return None
    values: dict[str, Scalar] = {"attempts": charger.attempts, "device": case.device_settings.name}
    return Reason("charging-unasked", values, (charger.seq,))


def _circuit(case: Case, supply: Supply, phases: int) -> tuple[float, Reason] | None:
    room = circuits.room_for(case.site, case.settings.name, case.t_ms, phases, supply.voltage_v)
    if room is None:
        return None
    code = "circuit-blind" if room.blind else "circuit-limit"
    return room.current_a, Reason(code, {"circuit": room.circuit, "allowed_a": max(0.0, room.current_a)})


def _never(case: Case, supply: Supply, circuit: CircuitSettings) -> Reason:
    """Why it is not waited for room: there never is enough."""
    values: dict[str, Scalar] = {
        "least_a": supply.min_a,
        "least_w": supply.power_w(supply.min_a, supply.choices[0]),
        "circuit": circuit.name,
        "allowed_a": circuit.max_current_a,
        "loadpoint": case.settings.name,
    }
    if circuit.max_power_w is None or supply.min_a > circuit.max_current_a:
        return Reason("never-fits", values)
    return Reason("never-fits-power", {**values, "limit_w": circuit.max_power_w})


def _ramp(case: Case, supply: Supply) -> tuple[float, Reason]:
    """The least first, and up in steps: each shows what it does before the next one; down is never held back."""
    charger = case.charger
    evse = None if charger is None else charger.evse
    most_a = supply.min_a
    if charger is not None and charger.enabled and evse is not None:
        most_a = max(most_a, charger.offers_a(case.t_ms) or 0.0)
        if case.t_ms - evse.asked_t_ms >= evses.FOLLOWS_S * 1000:
            most_a += case.settings.ramp_a
    return most_a, Reason("ramping", {"allowed_a": most_a})


def _resting(case: Case, supply: Supply, grant: SetPoint) -> Reason | None:
    """That phases stay as they are for now: too soon after the last change, or too many of them. Relays wear, and so do cars."""
    if grant.phases in (None, supply.now) or supply.rests_until_ms is None:
        return None
    values: dict[str, Scalar] = {
        "loadpoint": case.settings.name,
        "again_at_ms": case.wall_ms + supply.rests_until_ms - case.t_ms,
        "changes": 0 if case.charger is None or case.charger.evse is None else len(case.charger.evse.switches),
    }
    return Reason("phases-rest", values)


def _stays(case: Case, supply: Supply, wanted_a: float) -> Reason | None:
    """That it has all that its charger gives, however much more it was told to offer."""
    evse = None if case.charger is None else case.charger.evse
    if evse is None or not evse.raises.capped or wanted_a < supply.max_a:
        return None
    told = evse.raises
    values: dict[str, Scalar] = {
        "told_a": told.told_a,
        "current_a": told.stays_a,
        "tries": told.ignored,
        "loadpoint": case.settings.name,
        "mode": case.mode,
    }
    return Reason("raise-ignored", values)


def _unsure(case: Case) -> tuple[float, Reason] | None:
    """No more than it offers before everything has been heard after a start, and while nothing can be recorded."""
    charger = case.charger
    if charger is None or charger.enabled is not True or charger.evse is None:
        return None
    if case.site.recording and observed(case.site):
        return None
    known = [a for a in (charger.evse.offered_a, charger.evse.asked_a) if a]
    return min(known, default=0.0), Reason("not-recorded" if not case.site.recording else "observing")


def _spared(case: Case, supply: Supply, phases: int) -> Reason | None:
    """A house battery that has given too much for charging gives nothing for a while."""
    share_w = None if case.sun is None else case.sun.share_w
    if case.mode not in SUN_MODES or not sun.spared(case.sky, case.t_ms) or share_w is None:
        return None
    if share_w >= supply.power_w(supply.min_a, phases):
        return None
    limits = [s.max_discharge_for_charging_w for s in case.site.configuration.storages.values()]
    return Reason("house-battery-spared", {"limit_w": sum(w for w in limits if w is not None)})
