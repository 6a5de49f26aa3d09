"""Timeline: what comes due by itself. Ends of requests, recurring starts, relays that somebody else has moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chargerd.engine import balance, plans
from chargerd.engine.evses import DRAWS_W, SETTLE_S, connected, supply_of
from chargerd.engine.settings import mode_of, schedule_of, settings_of
from chargerd.model import windows
from chargerd.model.events import Body, HoldCleared, LimitSet, ModeSet, PlanSet, ScheduleFired, TargetSet
from chargerd.model.settings import LoadpointSettings
from chargerd.model.state import Charger, Site, Sun
from chargerd.policies.surplus import given_up

ADOPTS = ("off", "solar")  # modes in which a charge that the vehicle or its button begins is one that somebody wants
AMPLE_W = 400.0  # more than the least, so that a charge is not led to and fro (S1)
LATE_MS = 4 * 3_600_000  # a recurring start missed by more than this (daemon down, clock wrong) is left out


def due(site: Site, wall_ms: int) -> Iterator[Body]:
    """What has come due at this moment, as facts of the same kinds that people cause."""
    yield from _ends(site, wall_ms)
    yield from _moved(site, wall_ms)
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
        wanted = settings.kind == "consumer" or site.loadpoints[name].session is not None
        for hours in (settings.windows, settings.always, settings.auto_slow):
            change_ms = windows.next_change_ms(hours, site.wall_ms, zone) if hours and wanted else None
            if change_ms is not None:
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
        left = _left(site, name)
        hold = loadpoint.hold
        if hold is not None and (_past(hold.until_ms, wall_ms) or (hold.while_connected and left)):
            yield HoldCleared(by="until", loadpoint=name)
        for key, override in loadpoint.overrides.items():
            if _past(override.until_ms, wall_ms) or (override.while_connected and left):
                yield LimitSet(name, key, None, by="until")
        if _past(loadpoint.target_until_ms, wall_ms):
            yield TargetSet(name, None, by="until")
        if _past(loadpoint.mode_until_ms, wall_ms):
            yield ModeSet(name, "off", by="until")
        elif loadpoint.mode_while_connected and left:
            yield ModeSet(name, "off", by="until", while_connected=True)


def _left(site: Site, name: str) -> bool:
    """Whether an EVSE has said that no vehicle is there. A fault, or an EVSE that is silent, says nothing of it."""
    charger = site.chargers.get(site.configuration.loadpoints[name].charger)
    return charger is not None and charger.evse is not None and charger.evse.plugged_t_ms is None


def _past(until_ms: int | None, wall_ms: int) -> bool:
    return until_ms is not None and until_ms <= wall_ms


def _moved(site: Site, wall_ms: int) -> Iterator[Body]:
    """A relay moved by a button, an app or the plug's own schedule is a person's wish: adopted, not fought."""
    for address, name in site.by_charger.items():
        charger = site.chargers.get(address)
        if charger is None or not charger.foreign or charger.seq < site.run_seq:
            continue
        session, settings = site.loadpoints[name].session, site.configuration.loadpoints[name]
        if settings.kind == "evse":
            yield from _pressed(site, settings, charger)
        elif settings.kind == "consumer":
            yield from _flipped(site, name, charger, wall_ms)
        elif charger.enabled and session is None:
            yield ModeSet(name, "fast", by="device")
        elif charger.enabled is False and session is not None:
            yield ModeSet(name, "off", by="device")


def _pressed(site: Site, settings: LoadpointSettings, charger: Charger) -> Iterator[Body]:
    """A charge that the vehicle or its button has begun goes on slowly, and one that was paused there stays paused."""
    mode = mode_of(site, settings.name)
    if charger.enabled and charger.known_w > DRAWS_W and mode in ADOPTS and settings.adopt:
        # What flows first much later is not what was begun then.
        if site.t_ms - charger.enabled_t_ms <= SETTLE_S * 1000:
            yield ModeSet(settings.name, "slow", by="device")
    elif charger.enabled is False and mode != "off" and connected(charger.evse):
        yield ModeSet(settings.name, "off", by="device")


def led(site: Site, suns: Mapping[str, Sun], t_ms: int, wall_ms: int) -> Iterator[ModeSet]:
    """Slow becomes solar when there is sun, and back where its hours say so. What was asked until a time is left alone.

    ``suns`` are of this moment: what pauses a charge now leads it on instead.
    """
    for name in site.sunny:
        settings, loadpoint = settings_of(site, name), site.loadpoints[name]
        if settings.kind != "evse" or loadpoint.session is None:
            continue
        if loadpoint.mode_until_ms is not None or loadpoint.mode_while_connected:
            continue
        zone = windows.zone(site.configuration.timezone)
        inside = bool(settings.auto_slow) and windows.inside(settings.auto_slow, wall_ms, zone)
        mode = mode_of(site, name)
        sun = suns.get(name, Sun(t_ms))
        if mode == "slow" and _to_solar(site, settings, sun, t_ms, inside=inside):
            yield ModeSet(name, "solar", by=balance.LED)
        elif mode == "solar" and inside and _sun_gone(site, settings, sun, t_ms):
            yield ModeSet(name, "slow", by=balance.LED)


def _to_solar(site: Site, settings: LoadpointSettings, sun: Sun, t_ms: int, *, inside: bool) -> bool:
    loadpoint = site.loadpoints[settings.name]
    session, by_sun = loadpoint.session, loadpoint.mode_by == balance.LED
    if by_sun and not inside:
        return True  # it was slow for these hours only
    if sun.share_w is None or sun.enough_t_ms is None or session is None:
        return False
    device = site.devices[settings.charger.partition("/")[0]]
    supply = supply_of(settings, device, site.chargers.get(settings.charger), t_ms)
    lasting = t_ms - sun.enough_t_ms >= settings.start_delay_s * 1000
    if not lasting or sun.share_w < supply.min_w + AMPLE_W:
        return False
    if by_sun:
        return True
    if settings.auto_solar_pct is None or loadpoint.led == session.number:
        return False
    level_pct = balance.level_pct(site, t_ms)
    return not site.configuration.storages or (level_pct is not None and level_pct >= settings.auto_solar_pct)


def _sun_gone(site: Site, settings: LoadpointSettings, sun: Sun, t_ms: int) -> bool:
    """Whether it is paused for want of sun, or would be now."""
    charger = site.chargers.get(settings.charger)
    if sun.share_w is None or charger is None:
        return False
    if charger.enabled:
        supply = supply_of(settings, site.devices[settings.charger.partition("/")[0]], charger, t_ms)
        return given_up(sun, supply, settings, t_ms)
    return sun.enough_t_ms is None


def _flipped(site: Site, name: str, charger: Charger, wall_ms: int) -> Iterator[Body]:
    """A consumer that somebody has switched stays so for the rest of the day: it has no vehicle whose leaving would end that."""
    mode = mode_of(site, name)
    if charger.enabled is None or mode == ("fast" if charger.enabled else "off"):
        return
    until_ms = windows.midnight_ms(wall_ms, windows.zone(site.configuration.timezone))
    yield ModeSet(name, "fast" if charger.enabled else "off", by="device", until_ms=until_ms)


def _starts(site: Site, wall_ms: int) -> Iterator[Body]:
    zone = windows.zone(site.configuration.timezone)
    for entry in schedule_of(site):
        due_ms = windows.last_due_ms(entry, plans.entry_due_ms(site, entry, wall_ms), zone)
        if due_ms is None or due_ms <= site.fired.get(entry.entry, 0) or wall_ms - due_ms > LATE_MS:
            continue
        yield ScheduleFired(entry.entry, entry.loadpoint, due_ms)
        point = site.loadpoints[entry.loadpoint]
        lasting = point.mode_while_connected and not _left(site, entry.loadpoint)
        if lasting or (point.mode_until_ms is not None and point.mode_until_ms > wall_ms):
            continue  # a person has asked for something until then, and people win
        if entry.ready:
            theirs = point.plan is not None and point.plan.by != "schedule"
            if due_ms > wall_ms and not theirs:  # what a person has planned is not replaced
                yield PlanSet(entry.loadpoint, plans.planned(site, entry), "schedule", due_ms)
            continue
        if entry.target is not None:
            yield TargetSet(entry.loadpoint, entry.target, by="schedule", once=True)
        yield ModeSet(entry.loadpoint, entry.mode, by="schedule")
