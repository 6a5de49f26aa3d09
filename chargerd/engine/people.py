"""People: what the state becomes when somebody asks for something. The same for a schedule, a button and a time that ran out."""

from __future__ import annotations

from msgspec import structs

from chargerd.engine import evses
from chargerd.engine.balance import LED
from chargerd.engine.course import AUTOMATIC
from chargerd.engine.draft import Draft
from chargerd.engine.sessions import aimed, ended, opened, stopped
from chargerd.engine.settings import overridden, value_of
from chargerd.model.events import (
    Event,
    HoldCleared,
    HoldSet,
    LimitSet,
    ModeSet,
    PlanFired,
    PlanSet,
    ScheduleAdded,
    ScheduleFired,
    ScheduleRemoved,
    TargetSet,
)
from chargerd.model.settings import ScheduleEntry
from chargerd.model.state import Hold, Loadpoint, Override, Plan, Raises

KEPT_REQUESTS = 256


def mode_set(draft: Draft, event: Event, fact: ModeSet) -> None:
    _remember(draft, event, fact.request)
    loadpoint = draft.loadpoints.get(fact.loadpoint)
    if loadpoint is None:
        return
    mode = None if fact.by == "until" else fact.mode
    loadpoint = structs.replace(
        loadpoint,
        mode=mode,
        mode_by=fact.by,
        mode_until_ms=fact.until_ms,
        mode_while_connected=fact.while_connected and fact.by != "until",
    )
    if fact.by == "device":
        address = draft.configuration.loadpoints[fact.loadpoint].charger
        charger = draft.chargers[address]
        draft.chargers[address] = structs.replace(charger, asked=charger.enabled, foreign=False, attempts=0)
    if draft.configuration.loadpoints[fact.loadpoint].kind != "battery":
        draft.loadpoints[fact.loadpoint] = _wanted(draft, event, loadpoint, fact)
        return
    if fact.mode == "off":
        loadpoint = ended(draft, loadpoint, event.at_ms, "stopped", stopped(fact.by, event.seq))
        if fact.by != "until":  # whoever stops it does not want it charged on later for the same plan
            loadpoint = structs.replace(loadpoint, plan=None)
    elif loadpoint.session is None:
        loadpoint = structs.replace(loadpoint, session=opened(draft, event, loadpoint, fact))
    draft.loadpoints[fact.loadpoint] = loadpoint


def _wanted(draft: Draft, event: Event, loadpoint: Loadpoint, fact: ModeSet) -> Loadpoint:
    """A mode at an EVSE or a consumer. A vehicle's session is its own: it goes on, paused or not, while it is connected."""
    address = draft.configuration.loadpoints[fact.loadpoint].charger
    charger = draft.chargers.get(address)
    if charger is None or charger.evse is None:
        return loadpoint
    draft.chargers[address] = structs.replace(
        charger, foreign=False, attempts=0, retry_t_ms=0, evse=structs.replace(charger.evse, tries=0, raises=Raises())
    )
    if fact.by == LED and loadpoint.session is not None:
        loadpoint = structs.replace(loadpoint, led=loadpoint.session.number if fact.mode == "solar" else None)
    if fact.mode != "off" and loadpoint.session is None and evses.connected(charger.evse) and fact.by != "until":
        return evses.served(draft, event, loadpoint, fact.loadpoint)
    return loadpoint


def target_set(draft: Draft, event: Event, fact: TargetSet) -> None:
    _remember(draft, event, fact.request)
    loadpoint = draft.loadpoints.get(fact.loadpoint)
    if loadpoint is None:
        return
    standing = (loadpoint.standing_target if loadpoint.target_once else loadpoint.target) if fact.once else None
    loadpoint = structs.replace(
        loadpoint,
        target=fact.target,
        target_by=fact.by,
        target_once=fact.once,
        target_until_ms=fact.until_ms,
        standing_target=standing,
        stored=loadpoint.stored if fact.by in AUTOMATIC else 0,
    )
    if loadpoint.session is not None and loadpoint.session.balance:
        loadpoint = structs.replace(loadpoint, session=structs.replace(loadpoint.session, balance=False))
    draft.loadpoints[fact.loadpoint] = reaimed(draft, fact.loadpoint, loadpoint)


def limit_set(draft: Draft, event: Event, fact: LimitSet) -> None:
    _remember(draft, event, fact.request)
    loadpoint = draft.loadpoints.get(fact.loadpoint)
    if loadpoint is None:
        return
    overrides = {key: value for key, value in loadpoint.overrides.items() if key != fact.key}
    if fact.value is not None:
        configured = value_of(draft.configuration.loadpoints[fact.loadpoint], fact.key)
        overrides[fact.key] = Override(
            fact.value, fact.by, event.at_ms, fact.until_ms, configured, fact.once, fact.while_connected
        )
    draft.loadpoints[fact.loadpoint] = reaimed(draft, fact.loadpoint, structs.replace(loadpoint, overrides=overrides))


def reaimed(draft: Draft, name: str, loadpoint: Loadpoint) -> Loadpoint:
    configured = draft.configuration.loadpoints[name]
    if loadpoint.session is None or configured.kind != "battery":
        return loadpoint
    settings = overridden(configured, loadpoint, draft.at_ms, draft.configuration.timezone)
    target = "full" if loadpoint.session.balance else loadpoint.target or configured.target
    return structs.replace(loadpoint, session=aimed(loadpoint.session, settings, target))


def plan_set(draft: Draft, event: Event, fact: PlanSet) -> None:
    _remember(draft, event, fact.request)
    loadpoint = draft.loadpoints.get(fact.loadpoint)
    if loadpoint is None:
        return
    plan: Plan | None = None
    if fact.target is not None and fact.ready_at_ms is not None:
        plan = Plan(fact.target, fact.by, fact.ready_at_ms, event.at_ms)
    draft.loadpoints[fact.loadpoint] = structs.replace(loadpoint, plan=plan, missed=None)


def plan_fired(draft: Draft, event: Event, fact: PlanFired) -> None:
    loadpoint = draft.loadpoints.get(fact.loadpoint)
    plan = None if loadpoint is None else loadpoint.plan
    if loadpoint is None or plan is None:
        return
    if fact.step == "over":
        loadpoint = structs.replace(loadpoint, plan=None, missed=None if fact.reached else plan)
    else:
        loadpoint = structs.replace(loadpoint, plan=structs.replace(plan, step=fact.step))
    draft.loadpoints[fact.loadpoint] = loadpoint


def hold_set(draft: Draft, event: Event, fact: HoldSet) -> None:
    _remember(draft, event, fact.request)
    hold = Hold(fact.by, event.at_ms, fact.until_ms, fact.while_connected)
    if not fact.loadpoint:
        draft.hold = hold
    elif fact.loadpoint in draft.loadpoints:
        draft.loadpoints[fact.loadpoint] = structs.replace(draft.loadpoints[fact.loadpoint], hold=hold)


def hold_cleared(draft: Draft, event: Event, fact: HoldCleared) -> None:
    _remember(draft, event, fact.request)
    if not fact.loadpoint:
        draft.hold = None
    for name in [fact.loadpoint] if fact.loadpoint else list(draft.loadpoints):
        loadpoint = draft.loadpoints.get(name)
        if loadpoint is not None and loadpoint.hold is not None:
            draft.loadpoints[name] = structs.replace(loadpoint, hold=None)


def unset(loadpoint: Loadpoint) -> Loadpoint:
    """The loadpoint in its configured mode."""
    return structs.replace(loadpoint, mode=None, mode_by="", mode_until_ms=None, mode_while_connected=False)


def without_vehicle(loadpoint: Loadpoint) -> Loadpoint:
    """The loadpoint without what was asked until the vehicle that was there leaves, but for its mode."""
    overrides = {key: override for key, override in loadpoint.overrides.items() if not override.while_connected}
    hold = None if loadpoint.hold is not None and loadpoint.hold.while_connected else loadpoint.hold
    return structs.replace(loadpoint, overrides=overrides, hold=hold)


def schedule_added(draft: Draft, event: Event, fact: ScheduleAdded) -> None:
    _remember(draft, event, fact.request)
    entry = ScheduleEntry(fact.entry, fact.loadpoint, fact.days, fact.at_min, fact.mode, fact.target, fact.ready)
    draft.added_schedule = (*(e for e in draft.added_schedule if e.entry != fact.entry), entry)
    draft.removed_schedule = tuple(name for name in draft.removed_schedule if name != fact.entry)
    draft.fired = {**draft.fired, fact.entry: event.at_ms + draft.skew_ms}  # what was due before is not made up for


def schedule_removed(draft: Draft, event: Event, fact: ScheduleRemoved) -> None:
    _remember(draft, event, fact.request)
    if any(e.entry == fact.entry for e in draft.added_schedule):
        draft.added_schedule = tuple(e for e in draft.added_schedule if e.entry != fact.entry)
    elif fact.entry not in draft.removed_schedule:
        draft.removed_schedule = (*draft.removed_schedule, fact.entry)


def schedule_fired(draft: Draft, event: Event, fact: ScheduleFired) -> None:
    draft.fired = {**draft.fired, fact.entry: fact.due_ms}


def _remember(draft: Draft, event: Event, request: str) -> None:
    if not request:
        return
    requests = {**draft.requests, request: event.seq}
    if len(requests) > KEPT_REQUESTS:
        del requests[next(iter(requests))]
    draft.requests = requests
