"""Plans: a target with a time. When the last part of a charge must begin, from how long this pack took before.

A pack that is to be full by a time is charged to nominal at once and held there; only the top-up waits, so that it spends
the least time full. Any other target is charged to in one go, which begins as late as it may.
"""

from __future__ import annotations

from collections.abc import Iterator

from chargerd.engine.settings import mode_of, settings_of
from chargerd.model import windows
from chargerd.model.events import Body, ModeSet, PlanFired, TargetSet
from chargerd.model.settings import ScheduleEntry
from chargerd.model.state import Charge, Plan, Site

BY = "plan"
TOP_UP_S = 3 * 3600.0  # the slowest recorded pack needs 2 h 20 min from 90 W until its flat tail gives it away
RESERVE = 1.15  # a pack ages and a garage is cold
RESERVE_S = 600.0
REACHED = frozenset({"finished", "already-full"})


def top_up_s(site: Site, name: str) -> tuple[float, bool]:
    """Time from nominal to full at this loadpoint, reserve included, and whether it was measured there."""
    took = [charge.top_up_s for charge in _known(site, name) if charge.top_up_s is not None]
    return (max(took) * RESERVE + RESERVE_S, True) if took else (TOP_UP_S, False)


def charge_s(site: Site, name: str) -> tuple[float, bool]:
    """Time that a charge may take from whatever level the pack has now, and whether it was measured there."""
    took = [charge.on_s for charge in _known(site, name)]
    longest_s = settings_of(site, name).profile.time_limit_s
    return (min(longest_s, max(took) * RESERVE + RESERVE_S), True) if took else (longest_s, False)


def lead_s(site: Site, name: str, target: str) -> float:
    """How long before its time a plan has to be known: a charge from empty, and the top-up where one follows."""
    return charge_s(site, name)[0] + (top_up_s(site, name)[0] if target == "full" else 0.0)


def last_start_ms(site: Site, name: str, plan: Plan) -> int:
    """When the charge to the plan's own target must begin, UTC; the loadpoint's hours counted. In the past: at once."""
    needed_s, _ = top_up_s(site, name) if plan.target == "full" else charge_s(site, name)
    settings = settings_of(site, name)
    zone = windows.zone(site.configuration.timezone)
    return windows.latest_start_ms(settings.windows, plan.ready_at_ms, round(needed_s * 1000), zone)


def entry_due_ms(site: Site, entry: ScheduleEntry, at_ms: int) -> int:
    """A time from which to look for when a recurring start is due: a time to be ready by is known so much earlier."""
    if not entry.ready:
        return at_ms
    return at_ms + round(lead_s(site, entry.loadpoint, planned(site, entry)) * 1000)


def planned(site: Site, entry: ScheduleEntry) -> str:
    """The target that a recurring plan aims at: its own, or the loadpoint's."""
    return entry.target or site.configuration.loadpoints[entry.loadpoint].target


def due(site: Site, wall_ms: int) -> Iterator[Body]:
    """What plans lead to now, as facts of the same kinds that people cause."""
    for name, loadpoint in site.loadpoints.items():
        plan = loadpoint.plan
        if plan is None:
            continue
        if wall_ms >= plan.ready_at_ms:
            yield PlanFired(name, "over", reached(site, name, plan))
            continue
        if loadpoint.mode_until_ms is not None:
            continue  # a person has asked for something until then, and people win; the plan goes on after it
        if plan.step != "last" and wall_ms >= last_start_ms(site, name, plan):
            yield PlanFired(name, "last")
            yield from _charge(site, name, plan.target)
        elif plan.step == "" and plan.target == "full":
            yield PlanFired(name, "hold")
            yield from _charge(site, name, "nominal")


def wakes(site: Site) -> Iterator[int]:
    """When plans have something to do next, UTC."""
    for name, loadpoint in site.loadpoints.items():
        plan = loadpoint.plan
        if plan is None:
            continue
        yield plan.ready_at_ms
        if plan.step != "last":
            holds = plan.step == "" and plan.target == "full"
            begin_ms = site.wall_ms if holds else last_start_ms(site, name, plan)
            yield max(begin_ms, loadpoint.mode_until_ms or 0)


def reached(site: Site, name: str, plan: Plan) -> bool:
    """Whether a charge to the plan's target, or beyond it, has ended since the plan was set."""
    aims = {plan.target, "full"} if plan.target == "nominal" else {plan.target}
    last = site.loadpoints[name].last_session
    if last is None or last.ended_at_ms is None or last.ended_at_ms < plan.since_ms:
        return False
    return last.outcome in REACHED and last.target in aims


def _charge(site: Site, name: str, target: str) -> Iterator[Body]:
    yield TargetSet(name, target, by=BY, once=True)
    if mode_of(site, name) == "off" or site.loadpoints[name].session is None:
        yield ModeSet(name, "fast", by=BY)


def _known(site: Site, name: str) -> list[Charge]:
    profile = site.configuration.loadpoints[name].profile.name
    return [charge for charge in site.loadpoints[name].record if charge.profile == profile]
