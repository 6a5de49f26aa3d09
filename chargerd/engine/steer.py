"""Steer: what to tell an EVSE so that it comes to be as it should be, one command at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

from chargerd.engine import evses, raises
from chargerd.engine.limits import Case, Granted
from chargerd.model.commands import SetCurrent, SetPhases, lowers
from chargerd.model.state import LAGS_S, Charger, Evse

SHOWN_S = 30.0  # a change of phases that was not refused shows in the readings by then
SWITCHED_S = 10.0  # after a change of phases nothing is offered for so long
STRAY_S = 30.0  # a vehicle may go on for so long after it was paused
LOST_COMMAND_S = 60  # a command whose outcome has not come by then never will


def commands(case: Case, granted: Granted, lease_s: int | None, *, lease_due: bool) -> Iterator[SetCurrent | SetPhases]:
    """The one command that is due now, if any."""
    charger = case.charger
    if charger is None or charger.evse is None:
        return  # what cannot be seen is not told anything; its lease ends it
    command = _wanted(case, granted, charger, charger.evse, lease_s, lease_due=lease_due)
    if command is None:
        return
    waits = charger.pending is not None and case.t_ms - charger.pending.t_ms < LOST_COMMAND_S * 1000
    offered_a = charger.evse.offered_a if charger.enabled else None
    down = isinstance(command, SetCurrent) and lowers(command, offered_a) and not _pausing(charger)
    if waits and not (down and charger.pending is not None and charger.pending.command != command):
        return  # what lowers does not wait for word of what raises
    if case.t_ms < ready_ms(case):
        return  # also when it lowers: a command that comes too soon is lost, and then nothing is lower
    if not lease_due and _repeats(charger.evse, command) and case.t_ms < _again_ms(charger, charger.evse, command):
        return
    yield command


def ready_ms(case: Case) -> int:
    """When the device hears the next command, on the engine's clock."""
    charger = case.charger
    if charger is None or charger.evse is None or charger.evse.asked_a is None:
        return case.t_ms
    last_ms = max(charger.evse.asked_t_ms, charger.evse.switched_t_ms or 0)
    return last_ms + round(case.device.pause_s * 1000)


def _wanted(
    case: Case, granted: Granted, charger: Charger, evse: Evse, lease_s: int | None, *, lease_due: bool
) -> SetCurrent | SetPhases | None:
    grant, address = granted.grant, case.settings.charger
    if grant.enabled is None:
        if not lease_due or charger.enabled is not True or not evse.asked_a:
            return None
        # What it offers: a person may have changed it, or its lease has run out. More than that only a person may ask for.
        held = case.site.hold is not None or case.loadpoint.hold is not None
        shown_a = evse.offered_a or evse.asked_a
        return SetCurrent(address, shown_a if held else min(evse.asked_a, shown_a), lease_s)
    if not grant.enabled:
        stray = evse.stray_t_ms is not None and case.t_ms - evse.stray_t_ms >= STRAY_S * 1000
        return SetCurrent(address, 0.0) if charger.enabled is not False or stray else None
    if grant.phases is not None and evse.phases is not None and grant.phases != evse.phases:
        if charger.enabled is not False or evses.draws(charger.power_w, evse.currents_a, evse.pilot):
            return SetCurrent(address, 0.0) if charger.enabled is not False else None
        if evse.asked_phases == grant.phases and _since_switch_s(case, evse) < SHOWN_S:
            return None
        return SetPhases(address, grant.phases)
    if _since_switch_s(case, evse) < SWITCHED_S:
        return None
    current_a = case.supply.min_a if grant.current_a is None and case.supply is not None else grant.current_a
    if current_a is None:
        return None
    offered_a = charger.offers_a(case.t_ms)
    if (
        charger.enabled is True
        and offered_a is not None
        and _as_told(case, evse, offered_a, current_a)
        and not lease_due
    ):
        return None
    return SetCurrent(address, current_a, lease_s)


def _as_told(case: Case, evse: Evse, offered_a: float, current_a: float) -> bool:
    """Whether it offers what is wanted, or was told so and has rounded it down: telling it again would change nothing."""
    if abs(offered_a - current_a) < _step(case) / 2:
        return True
    return evse.asked_a == current_a and 0 <= current_a - offered_a < raises.FOLLOWS_A


def _since_switch_s(case: Case, evse: Evse) -> float:
    return math.inf if evse.switched_t_ms is None else (case.t_ms - evse.switched_t_ms) / 1000


def _step(case: Case) -> float:
    return 1.0 if case.supply is None else case.supply.step_a


def _pausing(charger: Charger) -> bool:
    pending = charger.pending
    return pending is not None and isinstance(pending.command, SetCurrent) and not pending.command.enabled


def _repeats(evse: Evse, command: SetCurrent | SetPhases) -> bool:
    """Whether the very same was asked last."""
    if isinstance(command, SetPhases):
        return evse.asked_phases == command.phases
    return evse.asked_a == command.current_a


def _again_ms(charger: Charger, evse: Evse, command: SetCurrent | SetPhases) -> int:
    """When it may be asked again: not before the device can show what came of it."""
    lags_ms = evse.asked_t_ms + round(LAGS_S * 1000) if isinstance(command, SetCurrent) else 0
    return max(lags_ms, charger.retry_t_ms if charger.attempts or isinstance(command, SetPhases) else 0)
