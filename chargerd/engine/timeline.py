"""Timeline: what comes due by itself. Ends of requests, recurring starts, relays that somebody else has moved."""

from __future__ import annotations

from collections.abc import Iterator

from chargerd.engine import plans
from chargerd.engine.evses import DRAWS_W, connected
from chargerd.engine.settings import mode_of, schedule_of
from chargerd.model import windows
from chargerd.model.events import Body, HoldCleared, LimitSet, ModeSet, PlanSet, ScheduleFired, TargetSet
from chargerd.model.settings import LoadpointSettings
from chargerd.model.state import Charger, Site

PLUGGED_S = 120  # a charge that begins so soon after plugging in is the box's own doing
LATE_MS = 4 * 3_600_000  # a recurring start missed by more than this (daemon down, clock wrong) is left out


def due(site: Site, wall_ms: int) -> Iterator[Body]:
    """What has come due at this moment, as facts of the same kinds that people cause."""
    yield from _ends(site, wall_ms)
    yield from _moved(site)
    yield from _starts(site, wall_ms)
    yield from plans.due(site, wall_ms)


def wakes(site: Site, t_ms: int) -> Iterator[int]:
    """When to look again even if no reading comes, on the engine's clock."""
    ahead_ms = t_ms - site.wall_ms
    for until_ms in _untils(site):
        yield until_ms + ahead_ms
    for plan_ms in plans.wakes(site):
        yield plan_ms + ahead_ms
    zone = windows.zone(site.configuration.timezone)
    for entry in schedule_of(site):
        from_ms = plans.entry_due_ms(site, entry, site.wall_ms)
        due_ms = windows.next_due_ms(entry, from_ms, zone)
        if due_ms is not None:
            yield due_ms - from_ms + t_ms
    for name, settings in site.configuration.loadpoints.items():
        change_ms = windows.next_change_ms(settings.windows, site.wall_ms, zone)
        if change_ms is not None and site.loadpoints[name].session is not None:
            yield change_ms + ahead_ms
        charger = site.chargers.get(settings.charger)
        if charger is None or site.loadpoints[name].session is None:
            continue
        stale_ms = charger.t_ms + round(site.configuration.device_of(settings.charger).max_age_s * 1000) + 1
        if stale_ms > t_ms:
            yield stale_ms
        if charger.attempts and charger.retry_t_ms > t_ms:
            yield charger.retry_t_ms


def _untils(site: Site) -> Iterator[int]:
    holds = [site.hold, *(loadpoint.hold for loadpoint in site.loadpoints.values())]
    ends = [hold.until_ms for hold in holds if hold is not None]
    for loadpoint in site.loadpoints.values():
        ends += [loadpoint.mode_until_ms, loadpoint.target_until_ms]
        ends += [override.until_ms for override in loadpoint.overrides.values()]
    return (end for end in ends if end is not None)


def _ends(site: Site, wall_ms: int) -> Iterator[Body]:
    if site.hold is not None and _past(site.hold.until_ms, wall_ms):
        yield HoldCleared(by="until")
    for name, loadpoint in site.loadpoints.items():
        if loadpoint.hold is not None and _past(loadpoint.hold.until_ms, wall_ms):
            yield HoldCleared(by="until", loadpoint=name)
        for key, override in loadpoint.overrides.items():
            if _past(override.until_ms, wall_ms):
                yield LimitSet(name, key, None, by="until")
        if _past(loadpoint.target_until_ms, wall_ms):
            yield TargetSet(name, None, by="until")
        if _past(loadpoint.mode_until_ms, wall_ms):
            yield ModeSet(name, "off", by="until")


def _past(until_ms: int | None, wall_ms: int) -> bool:
    return until_ms is not None and until_ms <= wall_ms


def _moved(site: Site) -> Iterator[Body]:
    """A relay moved by a button, an app or the plug's own schedule is a person's wish: adopted, not fought."""
    for address, name in site.by_charger.items():
        charger = site.chargers.get(address)
        if charger is None or not charger.foreign or charger.seq < site.run_seq:
            continue
        session, settings = site.loadpoints[name].session, site.configuration.loadpoints[name]
        if settings.kind == "evse":
            yield from _pressed(site, settings, charger)
        elif settings.kind == "consumer":
            yield from _flipped(site, name, charger)
        elif charger.enabled and session is None:
            yield ModeSet(name, "fast", by="device")
        elif charger.enabled is False and session is not None:
            yield ModeSet(name, "off", by="device")


def _pressed(site: Site, settings: LoadpointSettings, charger: Charger) -> Iterator[Body]:
    """A charge that the vehicle or its button has begun goes on slowly, and one that was paused there stays paused."""
    mode = mode_of(site, settings.name)
    if charger.enabled and charger.known_w > DRAWS_W and mode in ("off", "solar") and settings.adopt:
        session = site.loadpoints[settings.name].session
        if mode == "off" or (session is not None and site.t_ms - session.started_t_ms > PLUGGED_S * 1000):
            yield ModeSet(
                settings.name, "slow", by="device"
            )  # some boxes begin by themselves when plugged in: not a person
    elif charger.enabled is False and mode in ("slow", "fast", "min-solar") and connected(charger.evse):
        yield ModeSet(settings.name, "off", by="device")


def _flipped(site: Site, name: str, charger: Charger) -> Iterator[Body]:
    mode = mode_of(site, name)
    if charger.enabled and mode == "off":
        yield ModeSet(name, "fast", by="device")
    elif charger.enabled is False and mode == "fast":
        yield ModeSet(name, "off", by="device")


def _starts(site: Site, wall_ms: int) -> Iterator[Body]:
    zone = windows.zone(site.configuration.timezone)
    for entry in schedule_of(site):
        due_ms = windows.last_due_ms(entry, plans.entry_due_ms(site, entry, wall_ms), zone)
        if due_ms is None or due_ms <= site.fired.get(entry.entry, 0) or wall_ms - due_ms > LATE_MS:
            continue
        yield ScheduleFired(entry.entry, entry.loadpoint, due_ms)
        point = site.loadpoints[entry.loadpoint]
        if point.mode_until_ms is not None and point.mode_until_ms > wall_ms:
            continue  # a person has asked for something until then, and people win
        if entry.ready:
            theirs = point.plan is not None and point.plan.by != "schedule"
            if due_ms > wall_ms and not theirs:  # what a person has planned is not replaced
                yield PlanSet(entry.loadpoint, plans.planned(site, entry), "schedule", due_ms)
            continue
        if entry.target is not None:
            yield TargetSet(entry.loadpoint, entry.target, by="schedule", once=True)
        yield ModeSet(entry.loadpoint, entry.mode, by="schedule")
