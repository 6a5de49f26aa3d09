"""Status: what loadpoints and devices do at a moment: the rows that GetStatus, Watch, GetWhy and GetDevices are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chargerd.daemon.context import Context, chosen, no_device
from chargerd.daemon.evsestatus import evse_fields, limits_text
from chargerd.daemon.home import channels, flows, meter_rows, storage_rows
from chargerd.engine import evses, plans
from chargerd.engine.describe import (
    Problem,
    headline,
    loadpoint_state,
    mode_of,
    problems,
    reason_of,
    refused,
    safety_of,
    settings_of,
    shown_word,
    target_of,
)
from chargerd.engine.sessions import KEPT
from chargerd.model import windows
from chargerd.model.events import Reason
from chargerd.model.reasons import OUTCOMES, duration, energy, next_step, past, power, sentence, word
from chargerd.model.settings import LoadpointSettings, Profile
from chargerd.model.state import Session

LEAST_WH = 1.0  # of less than this nobody wants to know where it came from


def status(context: Context, names: list[str] | None) -> dict[str, Any]:
    """The reply of GetStatus."""
    site = context.site
    rows = [loadpoint_row(context, name) for name in chosen(names, site, context.when)]
    powers = [row["power_w"] for row in rows]
    read_at = [charger.at_ms for charger in site.chargers.values()] + [meter.at_ms for meter in site.meters.values()]
    read_ms = max([*read_at, *(storage.at_ms for storage in site.storages.values())], default=None)
    return context.stamped(
        "status",
        known_text(context) or headline(site, context.now_ms),
        **moment_fields(context),
        site=site.configuration.site,
        power_w=None if None in powers else float(sum(powers)),
        held_by=None if site.hold is None else site.hold.by,
        recording=site.recording,
        flows=flows(context),
        meters=meter_rows(context),
        storages=storage_rows(context),
        loadpoints=rows,
        problems=[_problem(context, problem) for problem in problems(site, context.now_ms)],
        version=context.version,
        up_s=None if context.down is not None else max(0, (context.now_ms - context.started_ms) // 1000),
        memory_mib=context.memory_mib,
        read_age_s=_age_s(context, read_ms),
        seq=site.seq,
    )


def moment_fields(context: Context) -> dict[str, Any]:
    """What a reply says of the moment that it is about."""
    at = {"at": context.utc(context.at_ms), "at_local": context.local(context.at_ms)}
    return {**at, "running": context.down is None, "readings": context.readings}


def known_text(context: Context) -> str:
    """What the answer rests on, if that is less than usual: nobody watched then, or the readings are no more."""
    if context.down is not None:
        ended, began = (context.clock(at_ms) for at_ms in context.down)
        return f"chargerd did not run from {ended} to {began}; this is what it last knew"
    return "" if context.readings else "the readings of that time were given up; this is what the other events say"


def _next_step(context: Context, name: str, reason: Reason) -> str:
    """What a person can do about it. A hold of one loadpoint is ended by its name, or that of others would end with it."""
    step, site = next_step(reason, context.zone), context.site
    alone = reason.code == "held" and site.hold is None and site.loadpoints[name].hold is not None
    return f"{step} {name}" if alone else step


def loadpoint_row(context: Context, name: str) -> dict[str, Any]:
    """What a loadpoint does now, in full."""
    site = context.site
    settings, loadpoint = settings_of(site, name), site.loadpoints[name]
    charger = site.chargers.get(settings.charger)
    device = site.devices[settings.charger.partition("/")[0]]
    state = loadpoint_state(site, name, context.now_ms)
    reason, held = reason_of(site, name, context.now_ms), loadpoint.hold or site.hold
    limit = None if loadpoint.decided is None else loadpoint.decided.limit
    session = loadpoint.session or loadpoint.last_session
    safety = safety_of(site, name)
    return {
        "kind": "loadpoint",
        "name": name,
        "state": state,
        "word": shown_word(site, name, state, reason),
        "reason": reason_row(context, reason),
        "limit": None if limit is None else reason_row(context, limit),
        "text": _because(context, name, state, reason),
        "next_step": _next_step(context, name, reason),
        "since": context.utc(loadpoint.state_since_ms or None),
        "since_local": context.local(loadpoint.state_since_ms or None),
        "loadpoint_kind": settings.kind,
        "power_w": None if state == "unknown" or charger is None else evses.drawn_w(charger),
        "enabled": None if charger is None else charger.enabled,
        "mode": mode_of(site, name),
        "plan": plan_row(context, name),
        "mode_by": loadpoint.mode_by,
        "mode_until": context.utc(loadpoint.mode_until_ms),
        "mode_until_local": context.local(loadpoint.mode_until_ms),
        "mode_while_connected": loadpoint.mode_while_connected,
        "target": target_of(site, name) if settings.kind == "battery" else "",
        "target_text": _aim_text(context, name),
        "held_by": None if held is None else held.by,
        "charger": settings.charger,
        "profile": settings.profile.name,
        "reachable": device.reachable,
        "lease_s": None if safety.off_in_s is None else round(safety.off_in_s),
        "lease_current_a": None if safety.off_in_s is None else safety.falls_to_a,
        "vehicle": None if settings.kind == "battery" or not settings.profile.name else settings.profile.name,
        "today_wh": today_wh(context, name),
        **evse_fields(loadpoint, charger if state != "unknown" else None),
        "limits_text": limits_text(site, settings),
        "read_at": None if charger is None else context.utc(charger.at_ms),
        "read_age_s": None if charger is None else _age_s(context, charger.at_ms),
        "session": None if session is None else session_row(context, session, settings.profile),
    }


def _aim_text(context: Context, name: str) -> str:
    """The target in force, and what the session that runs makes of it."""
    settings, session = settings_of(context.site, name), context.site.loadpoints[name].session
    if settings.kind != "battery":
        return ""
    if session is None or not (session.balance or session.stop_wh is not None):
        return target_text(settings, target_of(context.site, name))
    if session.stop_wh is not None:
        to_pct = settings.profile.storage_pct
        return f"storage, {energy(session.stop_wh)} from {session.from_pct:g} % to {to_pct:g} %, counted"
    last_ms = context.site.loadpoints[name].full_at_ms
    ago = "never seen full" if last_ms is None else f"last full {duration((context.now_ms - last_ms) / 1000)} ago"
    return f"{target_text(settings, 'full')} (balance charge, {ago})"


def plan_row(context: Context, name: str) -> dict[str, Any] | None:
    """A loadpoint's target with a time, None without one."""
    plan = context.site.loadpoints[name].plan
    if plan is None:
        return None
    needed = plans.top_up_s if plan.target == "full" else plans.charge_s
    begins_ms = max(plan.since_ms, plans.last_start_ms(context.site, name, plan))
    does = {"": "begins", "hold": "nominal until then, tops up", "last": "under way since"}[plan.step]
    from_ = "" if plan.step == "last" else " from"
    return {
        "kind": "plan",
        "loadpoint": name,
        "target": plan.target,
        "by": plan.by,
        "ready_at": context.utc(plan.ready_at_ms),
        "ready_local": context.local(plan.ready_at_ms),
        "begins_at": context.utc(begins_ms),
        "begins_local": context.local(begins_ms),
        "step": plan.step,
        "measured": needed(context.site, name)[1],
        "text": f"{plan.target} by {context.clock(plan.ready_at_ms)}; {does}{from_} {context.clock(begins_ms)}",
    }


def plans_of(context: Context, names: list[str] | None) -> dict[str, Any]:
    """The reply of GetPlans."""
    found = [plan_row(context, name) for name in chosen(names, context.site)]
    rows = [row for row in found if row is not None]
    return context.stamped("plan-list", f"{len(rows)} plan{'' if len(rows) == 1 else 's'}", plans=rows)


def today_wh(context: Context, name: str) -> float | None:
    """Energy since midnight at the site; None where more sessions have ended since than the state remembers."""
    site, loadpoint = context.site, context.site.loadpoints[name]
    zone = windows.zone(site.configuration.timezone)
    ends_ms = windows.midnight_ms(context.now_ms, zone)
    recorded = site.midnight_ms == ends_ms  # else nothing was since the day began
    if loadpoint.taken_wh is not None:
        return round(loadpoint.taken_wh - loadpoint.dawn_wh, 2) if recorded else 0.0
    midnight_ms = windows.instant_ms(datetime.fromtimestamp(context.now_ms / 1000, zone).date(), 0, zone)
    oldest_ms = min((session.ended_at_ms or 0 for session in site.ended), default=0)
    if len(site.ended) >= KEPT and oldest_ms >= midnight_ms:
        return None
    running = loadpoint.session
    ended = [s for s in site.ended if s.loadpoint == name and (s.ended_at_ms or 0) >= midnight_ms]
    found = [*ended, *([] if running is None else [running])]
    total_wh = sum(session.energy_wh for session in found)
    if any(session.started_at_ms < midnight_ms for session in found):
        total_wh = total_wh - loadpoint.dawn_wh if recorded else 0.0
    return round(total_wh, 2)


def session_row(
    context: Context, session: Session, profile: Profile | None, price: float | None = None
) -> dict[str, Any]:
    """A charging session. ``profile`` is the one in force, for the charge that reached the pack.

    With a ``price`` per kWh all of its energy costs that, whatever was known of prices when it was taken.
    """
    end_ms = context.now_ms if session.ended_at_ms is None else session.ended_at_ms
    fits = profile is not None and profile.name == session.profile
    fits = fits and bool(session.target)  # an EVSE's session has no profile of a pack
    charge_ah = session.energy_wh * profile.efficiency / profile.voltage_v if fits and profile is not None else None
    return {
        "kind": "session",
        "number": session.number,
        "loadpoint": session.loadpoint,
        "profile": session.profile,
        "target": session.target,
        "by": session.by,
        "started_at": context.utc(session.started_at_ms),
        "started_local": context.local(session.started_at_ms),
        "ended_at": context.utc(session.ended_at_ms),
        "ended_local": context.local(session.ended_at_ms),
        "duration_s": max(0, (end_ms - session.started_at_ms) // 1000),
        "on_s": session.on_ms // 1000,
        "energy_wh": round(session.energy_wh, 2),
        "estimated_wh": round(session.estimated_wh, 2),
        "solar_wh": None if session.solar_wh is None else round(session.solar_wh, 2),
        "solar_pct": solar_pct(session),
        "charge_ah": None if charge_ah is None else round(charge_ah, 3),
        "peak_w": session.peak_w,
        **_cost(context, session, price),
        "outcome": session.outcome,
        "text": "running" if session.outcome is None else OUTCOMES.get(session.outcome, session.outcome),
    }


def solar_pct(session: Session) -> float | None:
    """How much of a session's energy came from the sun, in percent; None where that was not looked at, or nothing was taken."""
    if session.solar_wh is None or session.energy_wh < LEAST_WH:
        return None
    return round(100 * session.solar_wh / session.energy_wh, 1)


def _cost(context: Context, session: Session, price: float | None) -> dict[str, Any]:
    """What a session cost; unknown is null, and ``priced_wh`` says how much of its energy the cost is of."""
    cost, priced_wh, currency = session.cost, session.priced_wh, session.currency
    if price is not None:
        cost, priced_wh, currency = session.energy_wh / 1000 * price, session.energy_wh, ""
    elif cost is not None and priced_wh > 0:
        price = cost / priced_wh * 1000
    return {
        "cost": None if cost is None else round(cost, 4),
        "currency": currency or context.site.configuration.currency,
        "price_per_kwh": None if price is None else round(price, 6),
        "priced_wh": round(priced_wh, 2),
    }


def devices(context: Context, names: list[str] | None) -> dict[str, Any]:
    """The reply of GetDevices."""
    site = context.site
    for name in names or ():
        if name not in site.configuration.devices:
            raise no_device(name, site)
    rows = [_device(context, name) for name in site.configuration.devices if not names or name in names]
    silent = sum(row["reachable"] is not True for row in rows)
    text = f"{len(rows)} device{'' if len(rows) == 1 else 's'}" + (f", {silent} without an answer" if silent else "")
    return context.stamped("devices", text, devices=rows)


def _device(context: Context, name: str) -> dict[str, Any]:
    site = context.site
    device = site.devices[name]
    return {
        "kind": "device",
        "name": name,
        "driver": site.configuration.devices[name].driver,
        "model": device.model,
        "device_id": device.device_id,
        "firmware": device.firmware,
        "reachable": device.reachable,
        "lost_since": context.utc(device.lost_since_ms),
        "lost_since_local": context.local(device.lost_since_ms),
        "error": device.error,
        "detail": device.detail,
        "has_meter": device.has_meter,
        "lease": device.lease,
        "channels": channels(context, name),
    }


def target_text(settings: LoadpointSettings, target: str) -> str:
    """A target with its figure: "nominal, below 90 W"."""
    return f"{target}, below {power(settings.profile.stop_w(target))}"


def _because(context: Context, name: str, state: str, reason: Reason) -> str:
    """Why it is so, as a sentence about the moment."""
    if state != "unknown":
        said, words = sentence(reason, context.zone), refused(context.site, name)
        if words and word(reason) == "charging":  # which it does not
            return f"the charger refused: {words}; wanted: {said}"
        return f"{said}; the charger refused: {words}" if words else said
    device_name, silent, age = _unread(context, name)
    if silent is not None:
        return f"{device_name} has not answered for {silent}"
    return f"{device_name} has not been read yet" if age is None else f"last read {age} ago"


def because(context: Context, name: str, state: str) -> str:
    """Why it was so at a past moment."""
    if state != "unknown":
        said, words = past(reason_of(context.site, name, context.now_ms), context.zone), refused(context.site, name)
        return f"{said}; the charger had refused: {words}" if words else said
    device_name, silent, age = _unread(context, name)
    if silent is not None:
        return f"{device_name} had not answered for {silent}"
    return f"{device_name} had not been read yet" if age is None else f"its last reading was {age} old"


def _unread(context: Context, name: str) -> tuple[str, str | None, str | None]:
    """A device's name, how long it has been lost if it is, and the age of the last reading if there is one."""
    device_name = context.site.configuration.loadpoints[name].charger.partition("/")[0]
    lost_ms = context.site.devices[device_name].lost_since_ms
    charger = context.site.chargers.get(settings_of(context.site, name).charger)
    silent = None if lost_ms is None else duration((context.now_ms - lost_ms) / 1000)
    return device_name, silent, None if charger is None else duration((context.now_ms - charger.at_ms) / 1000)


def reason_row(context: Context, reason: Reason) -> dict[str, Any]:
    text = sentence(reason, context.zone)
    return {"code": reason.code, "text": text, "values": dict(reason.values), "seqs": list(reason.seqs)}


def _problem(context: Context, problem: Problem) -> dict[str, Any]:
    return {
        "kind": "problem",
        "code": problem.code,
        "severity": problem.severity,
        "subject": problem.subject,
        "text": problem.text,
        "since": context.utc(problem.since_ms),
        "since_local": context.local(problem.since_ms),
        "next_step": problem.next_step,
    }


def _age_s(context: Context, at_ms: int | None) -> int | None:
    return None if at_ms is None else max(0, (context.now_ms - at_ms) // 1000)
