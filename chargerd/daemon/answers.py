"""Answers: what each method of the sockets answers, made from a `Context` and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chargerd.daemon.batteries import batteries
from chargerd.daemon.context import Context, chosen
from chargerd.daemon.logbook import log, sessions
from chargerd.daemon.moments import then
from chargerd.daemon.status import devices, plans_of, status
from chargerd.daemon.times import days_text
from chargerd.daemon.why import why
from chargerd.engine import VERSION
from chargerd.engine.describe import Safety, mode_of, safety_of, schedule_of, settings_of, target_of
from chargerd.engine.digest import digest_of
from chargerd.engine.settings import PROFILE_KEYS, in_force, seasonal
from chargerd.model import windows
from chargerd.model.reasons import duration, setting_text
from chargerd.model.settings import ADJUSTABLE, MODES, LoadpointSettings, Profile, ScheduleEntry, Variant
from chargerd.protocol.framing import CallError

HISTORY = frozenset({"GetLog", "GetSessions", "GetBatteries"})
"""Methods that read the log; the rest look at the state only, unless they are asked about a past moment."""
LONG = frozenset({"GetWhy"})
"""Methods that try many futures, so that nobody else should wait behind them."""


def answer(method: str, parameters: dict[str, Any], context: Context) -> dict[str, Any]:
    """The reply of a method whose kind is "monitor". ``parameters`` are checked and complete. Raises `CallError`."""
    return _ANSWERS[method](context, parameters)


def finished(method: str, result: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The reply of a method whose kind is "control": what the main loop gave (see `daemon.replies`), stamped."""
    kind = _KINDS.get(method, "change")
    return context.stamped(kind, **result)


def _schedule(context: Context, _parameters: dict[str, Any]) -> dict[str, Any]:
    rows = [_scheduled(context, entry) for entry in schedule_of(context.site)]
    text = f"{len(rows)} recurring start{'' if len(rows) == 1 else 's'}"
    return context.stamped("schedule-list", text, schedule=rows)


def _scheduled(context: Context, entry: ScheduleEntry) -> dict[str, Any]:
    zone = windows.zone(context.site.configuration.timezone)
    next_ms = windows.next_due_ms(entry, context.now_ms, zone)
    added = entry in context.site.added_schedule
    return {
        "kind": "schedule",
        "entry": entry.entry,
        "loadpoint": entry.loadpoint,
        "when": f"{days_text(entry.days)} {'by ' if entry.ready else ''}{entry.at_min // 60:02}:{entry.at_min % 60:02}",
        "does": ("plan" if entry.ready else entry.mode) + (f", target {entry.target}" if entry.target else ""),
        "mode": entry.mode,
        "target": entry.target,
        "ready": entry.ready,
        "origin": "added" if added else "file",
        "next": context.utc(next_ms),
        "next_local": context.local(next_ms),
    }


def _sinks(context: Context, _parameters: dict[str, Any]) -> dict[str, Any]:
    rows, site = [], context.site
    for name, settings in site.configuration.sinks.items():
        unsent = site.sinks.get(name)
        rows.append(
            {
                "kind": "sink",
                "name": name,
                "driver": settings.kind,
                "tell": list(settings.tell),
                "report": settings.report,
                "lost_since": None if unsent is None else context.utc(unsent.since_ms),
                "lost_since_local": None if unsent is None else context.local(unsent.since_ms),
                "error": "" if unsent is None else unsent.detail or unsent.error,
            }
        )
    return context.stamped("sink-list", f"{len(rows)} sink{'' if len(rows) == 1 else 's'}", sinks=rows)


def _failsafe(context: Context, _parameters: dict[str, Any]) -> dict[str, Any]:
    site = context.site
    rows, warnings = [], []
    for name in site.configuration.loadpoints:
        settings, safety = settings_of(site, name), safety_of(site, name)
        safe = safety.on is False or (safety.on is True and safety.off_in_s is not None and not safety.falls_to_a)
        once = "once it charges, it goes on charging" if safety.evse else "once on, it stays on"
        rows.append(
            {
                "kind": "failsafe",
                "loadpoint": name,
                "charger": settings.charger,
                "enabled": safety.on,
                "lease": safety.lease,
                "tested_at": context.utc(safety.tested_ms),
                "tested_local": context.local(safety.tested_ms),
                "lease_left_s": None if safety.off_in_s is None else round(safety.off_in_s),
                "falls_to_a": safety.falls_to_a,
                "on_stop": settings.on_stop,
                "safe": safe,
                "text": _if_it_dies(safety),
            }
        )
        if safety.lease == "none" and safety.tested_ms is not None:
            warnings.append(
                f"{name}: the timer of {settings.charger} was tried and did not switch it off; once on, it stays on if"
                " chargerd dies"
            )
        elif safety.lease == "none":
            warnings.append(f"{name}: {settings.charger} has no timer of its own; {once} if chargerd dies")
        elif safety.falls_to_a:
            warnings.append(
                f"{name}: {settings.charger} goes to {safety.falls_to_a:g} A when its timer has run out, and charges on"
                " if chargerd dies"
            )
        elif safety.lease == "unproven" and not safety.evse:
            warnings.append(
                f"{name}: nobody has yet seen the timer of {settings.charger} switch it off;"
                f" try it: chargerctl device test {name}"
            )
    unsafe = [str(row["loadpoint"]) for row in rows if not row["safe"]]
    trusted = [str(row["loadpoint"]) for row in rows if row["enabled"] and row["safe"] and row["lease"] != "proven"]
    text = "if chargerd dies now, everything goes or stays off"
    if unsafe:
        text = f"if chargerd dies now, not certain to go off: {', '.join(unsafe)}"
    elif trusted:
        text += f"; relies on a timer that nobody has seen work: {', '.join(trusted)}"
    return context.stamped("failsafe-list", text, chargers=rows, warnings=warnings)


def _if_it_dies(safety: Safety) -> str:
    if safety.on is None:
        return "unknown: it has not been read yet"
    if safety.evse:
        return _if_it_dies_charging(safety)
    if not safety.on:
        return "is off and stays off"
    if safety.off_in_s is None:
        return "stays on"
    whose = " by somebody else's timer" if safety.foreign else ""
    unproven = " (unproven)" if safety.lease == "unproven" else ""
    return f"off in {duration(safety.off_in_s)}{whose}{unproven}"


def _if_it_dies_charging(safety: Safety) -> str:
    """The same of an EVSE, which goes back to a current of its own where it has a timer."""
    if not safety.on:
        return "is paused and stays paused"
    offered = "its current" if safety.offered_a is None else f"{safety.offered_a:g} A"
    if safety.off_in_s is None:
        return (
            f"stays at {offered}: no timer" if safety.lease == "none" else f"stays at {offered}: its timer is not set"
        )
    falls = f"goes to {safety.falls_to_a:g} A" if safety.falls_to_a else "pauses"
    unproven = " (unproven)" if safety.lease == "unproven" else ""
    return f"{falls} in {duration(safety.off_in_s)}{unproven}"


def _profiles(context: Context, _parameters: dict[str, Any]) -> dict[str, Any]:
    used: dict[str, list[str]] = {}
    known = {profile.name: profile for profile in context.profiles}
    for name, settings in context.site.configuration.loadpoints.items():
        if settings.kind != "battery":
            continue  # a car is ended by itself and a heating rod by the sun: no cut-off is theirs
        known.setdefault(settings.profile.name, settings.profile)
        used.setdefault(settings.profile.name, []).append(name)
    day = context.site.wall_ms, context.site.configuration.timezone
    rows = [_profile(seasonal(profile, *day), used.get(name, [])) for name, profile in sorted(known.items())]
    return context.stamped("profiles", f"{len(rows)} profile{'' if len(rows) == 1 else 's'}", profiles=rows)


def _profile(profile: Profile, used_by: list[str]) -> dict[str, Any]:
    plain = ("name", "source", "nominal_start_w", "nominal_stop_w", "full_w", "storage_start_w", "storage_stop_w")
    return {
        "kind": "profile",
        **{key: getattr(profile, key) for key in plain},
        "capacity_wh": profile.capacity_wh,
        "charger_a": profile.charger_a,
        "max_h": profile.time_limit_s / 3600,
        "variant": profile.variant or None,
        "variants": [_variant(variant) for variant in profile.variants],
        "used_by": used_by,
    }


def _variant(variant: Variant) -> dict[str, Any]:
    days = {"from": variant.from_day, "until": variant.until_day}
    return {
        "name": variant.name,
        **{end: f"{day // 100:02}-{day % 100:02}" for end, day in days.items()},
        "values": variant.values,
    }


def _configuration(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    site = context.site
    rows = [row for name in chosen(parameters["names"], site) for row in _values(context, name)]
    files = list(site.configuration.files)
    text = f"{len(rows)} settings from {', '.join(files) or 'no file'}"
    loaded_at = context.utc(site.config_at_ms or None)
    return context.stamped("configuration", text, files=files, loaded_at=loaded_at, values=rows)


def _values(context: Context, name: str) -> list[dict[str, Any]]:
    site = context.site
    settings, loadpoint, configured = (
        settings_of(site, name),
        site.loadpoints[name],
        site.configuration.loadpoints[name],
    )
    target_from = (
        "file" if loadpoint.target is None else _set_by(context, loadpoint.target_by, loadpoint.target_until_ms)
    )
    named = "adopted" if name in {one.loadpoint for one in site.configuration.adopted} else "file"
    target_from = named if loadpoint.target is None else target_from
    mode_from = "default" if configured.mode == "off" else named
    if loadpoint.mode is not None:
        by = loadpoint.mode_by or "a schedule"
        mode_from = _set_by(context, by, loadpoint.mode_until_ms, while_connected=loadpoint.mode_while_connected)
    rows = [
        _value(name, "charger", settings.charger, named, adjustable=False),
        _value(name, "vehicle", settings.profile.name, named, adjustable=False),
        (
            _value(name, "target", target_of(site, name), target_from, adjustable=False)
            if settings.kind == "battery"
            else _value(name, "mode", mode_of(site, name), mode_from, adjustable=False)
        ),
        _value(name, "on_stop", settings.on_stop, _origin(settings, "on_stop"), adjustable=False),
    ]
    for key in ADJUSTABLE[settings.kind]:
        override = loadpoint.overrides.get(key)
        source = _origin(settings, key)
        if override is not None:
            source = _set_by(context, override.by, override.until_ms, while_connected=override.while_connected)
        rows.append(_value(name, key, in_force(settings, key), source, adjustable=True))
    return rows


def _origin(settings: LoadpointSettings, key: str) -> str:
    if key in PROFILE_KEYS:
        profile = settings.profile
        seasons = [
            variant.name for variant in profile.variants if variant.name == profile.variant and key in variant.values
        ]
        return f"profile {profile.name}" + "".join(f", {season}" for season in seasons)
    plain = LoadpointSettings(settings.name, settings.charger, settings.profile)
    return "default" if getattr(settings, key) == getattr(plain, key) else "file"


def _set_by(context: Context, by: str, until_ms: int | None, *, while_connected: bool = False) -> str:
    if while_connected:
        return f"set by {by} until disconnected"
    return f"set by {by}" + ("" if until_ms is None else f" until {context.clock(until_ms)}")


def _value(subject: str, key: str, value: Any, source: str, *, adjustable: bool) -> dict[str, Any]:
    return {
        "kind": "value",
        "subject": subject,
        "key": key,
        "value": value,
        "text": setting_text(key, value),
        "source": source,
        "adjustable": adjustable,
    }


def _state(context: Context, _parameters: dict[str, Any]) -> dict[str, Any]:
    """For `chargerd verify`: what its replay of the log must come to, and which log that is."""
    site = context.site
    return context.stamped(
        "state",
        f"event {site.seq}",
        seq=site.seq,
        digest=digest_of(site),
        engine=VERSION,
        recording=site.recording,
        run_seq=site.run_seq,
        boot_id=site.boot_id,
    )


def _complete(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    site = context.site
    kinds = list(dict.fromkeys(settings.kind for settings in site.configuration.loadpoints.values()))
    names = {
        "loadpoints": list(site.configuration.loadpoints),
        "devices": list(site.configuration.devices),
        "entries": [entry.entry for entry in schedule_of(site)],
        "settings": list(dict.fromkeys(key for kind in kinds for key in ADJUSTABLE[kind])),
        "modes": list(dict.fromkeys(mode for kind in kinds for mode in MODES[kind])),
        "sinks": list(site.configuration.sinks),
    }
    what = parameters["what"]
    if what not in names:
        raise CallError("BadValue", f"no names are known for {what[:40]}", "", f"Known: {' '.join(names)}")
    return context.stamped("names", " ".join(names[what]), names=names[what])


_KINDS = {
    "ReadDevice": "readings",
    "CheckConfiguration": "check",
    "TryPlug": "readings",
    "RecordDevice": "recording",
    "TestDevice": "test",
    "DraftConfiguration": "draft",
    "TestSink": "sink-test",
}
_ANSWERS: dict[str, Callable[[Context, dict[str, Any]], dict[str, Any]]] = {
    "GetStatus": lambda context, parameters: status(then(context, parameters), parameters["names"]),
    "GetWhy": lambda context, parameters: why(then(context, parameters), parameters["name"], parameters["not"]),
    "GetLog": log,
    "GetSessions": sessions,
    "GetBatteries": batteries,
    "GetPlans": lambda context, parameters: plans_of(context, parameters["names"]),
    "GetSchedule": _schedule,
    "GetSinks": _sinks,
    "GetDevices": lambda context, parameters: devices(context, parameters["names"]),
    "GetFailsafe": _failsafe,
    "GetProfiles": _profiles,
    "GetConfiguration": _configuration,
    "GetState": _state,
    "Complete": _complete,
}
