"""Requests: what a person asks becomes facts and a sentence, or an error. Pure: nothing is changed here.

Every check is made before any fact is returned, so that a request is done whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec import structs

from chargerd.config import times
from chargerd.config.profiles import order_faults
from chargerd.daemon.asked import NOTHING, Asked, Who, refused
from chargerd.daemon.context import no_entry, unheard, zone_of
from chargerd.daemon.times import clock_text
from chargerd.engine import plans
from chargerd.engine.describe import mode_of, schedule_of, settings_of, target_of
from chargerd.engine.settings import PROFILE_KEYS, in_force, overridden
from chargerd.model.events import (
    Body,
    HoldCleared,
    HoldSet,
    LimitSet,
    ModeSet,
    PlanSet,
    ScheduleAdded,
    ScheduleRemoved,
    TargetSet,
)
from chargerd.model.reasons import duration, energy, power, setting_text
from chargerd.model.settings import ADJUSTABLE, MODES, SUN_MODES, TARGETS, LoadpointSettings
from chargerd.model.state import Override, Plan, Site
from chargerd.protocol.framing import CallError

WHOLE = frozenset(
    {
        "full_readings",
        "lease_s",
        "max_starts_per_day",
        "storage_cycles",
        "max_phases",
        "max_switches_per_day",
        "priority",
    }
)
STILL_HELD = "Everything is on hold; chargerctl release ends that."


def facts_for(method: str, parameters: dict[str, Any], site: Site, by: str, now_ms: int) -> Asked:
    """The facts that a change comes to. ``parameters`` have passed `protocol.varlink.checked`. Raises `CallError`."""
    who = Who(parameters, site, by, now_ms)
    who.while_connected()  # refused here for whatever has no vehicle
    return _MAKERS[method](who)


def _mode(who: Who) -> Asked:
    name, mode, until_ms = who.loadpoint(), who.parameters["mode"], who.until_ms()
    _mode_is_known(who, name, mode)
    if who.site.configuration.loadpoints[name].kind != "battery":
        return _sunny_mode(who, name, mode, until_ms)
    point, from_pct = who.site.loadpoints[name], _level(who, name, mode)
    if (
        mode == mode_of(who.site, name)
        and until_ms == point.mode_until_ms
        and (mode == "off") is (point.session is None)
        and from_pct is None
    ):
        return Asked((), f"{name}: already {mode}{who.until_text(until_ms)}.")
    then = f", then {'off' if mode != 'off' else 'as configured'} again" if until_ms is not None else ""
    if mode == "fast" and from_pct is not None and target_of(who.site, name) == "storage":
        profile = settings_of(who.site, name).profile
        after = energy(profile.storage_wh(from_pct) or 0.0)
        then = then or f", from {from_pct:g} % to {profile.storage_pct:g} %, which is {after} at the socket"
    elif mode == "fast":
        target = target_of(who.site, name)
        stop_w = settings_of(who.site, name).profile.stop_w(target)
        then = then or f", to {target} (until below {power(stop_w)})"
    fact = ModeSet(name, mode, who.by, until_ms, who.request, from_pct)
    dropped = mode == "off" and point.plan is not None
    notes: tuple[str, ...] = (
        (f"Its plan, {_plan_text(who, point.plan)}, is dropped.",) if dropped and point.plan is not None else ()
    )
    notes += unheard(who.site, settings_of(who.site, name).charger, who.now_ms)
    return Asked((fact,), f"{name}: {mode}{who.until_text(until_ms)}{then}.", notes)


def _sunny_mode(who: Who, name: str, mode: str, until_ms: int | None) -> Asked:
    """A mode of an EVSE or a consumer. Asking again for the same one has a vehicle offered current anew that took none."""
    if who.parameters.get("from_pct") is not None:
        raise refused(f"a level is counted from at plugs with a battery's charger, and {name} is none", "Leave it out.")
    point, settings, while_connected = who.site.loadpoints[name], settings_of(who.site, name), who.while_connected()
    ends = (until_ms, while_connected) == (point.mode_until_ms, point.mode_while_connected)
    if mode == mode_of(who.site, name) and ends and not point.sated:
        return Asked((), f"{name}: already {mode}{who.until_text(until_ms)}.")
    then = (
        f", then {who.site.configuration.loadpoints[name].mode} again"
        if until_ms is not None or while_connected
        else ""
    )
    does = {
        "fast": f", {settings.max_current_a:g} A at most",
        "slow": f", {min(max(settings.slow_current_a, settings.min_current_a), settings.max_current_a):g} A",
        "min-solar": f", {settings.min_current_a:g} A at least and more with the sun",
    }
    what = does.get(mode, "") if settings.kind == "evse" else ""
    notes = []
    blind = mode in SUN_MODES and not any(meter.role == "grid" for meter in who.site.configuration.meters.values())
    if blind:
        notes.append("No meter at the grid connection is configured, so nobody knows what the sun leaves over.")
    if settings.kind == "evse" and until_ms is None and not while_connected:
        notes.append("It stays so until the vehicle is disconnected.")
    notes += unheard(who.site, settings.charger, who.now_ms)
    fact = ModeSet(name, mode, who.by, until_ms, who.request, while_connected=while_connected)
    return Asked((fact,), f"{name}: {mode}{who.until_text(until_ms)}{then}{what}.", tuple(notes))


def _has_target(who: Who, name: str, what: str) -> None:
    """Raises `CallError` for a loadpoint that a vehicle's own charger, or nothing at all, ends."""
    kind = who.site.configuration.loadpoints[name].kind
    if kind == "battery":
        return
    why = "an EVSE, and its vehicle ends the charge" if kind == "evse" else "a consumer and has no battery to fill"
    raise refused(f"{name} has no {what}: it is {why}", f"Modes of {name}: {', '.join(MODES[kind])}.")


def _level(who: Who, name: str, mode: str) -> float | None:
    """The level that the person says the battery has: a storage level is counted from it, and from a full charge the capacity."""
    from_pct: float | None = who.parameters.get("from_pct")
    if from_pct is None:
        return None
    profile, point = settings_of(who.site, name).profile, who.site.loadpoints[name]
    if not 0 <= from_pct <= 100:
        raise refused(f"a level lies between 0 and 100 %, not {from_pct:g}", "35 is 35 %.")
    target = target_of(who.site, name)
    if mode == "off" or target not in ("storage", "full"):
        text = "a known level is of use for the targets storage and full only"
        raise refused(text, f"chargerctl target {name} storage      chargerctl target {name} full --once")
    if target == "storage" and profile.capacity_wh is None:
        text = f"the content of {name}'s pack is not known, so a level cannot be counted"
        raise refused(text, f"Write capacity_ah = 14 into [vehicle.{profile.name}].")
    if target == "storage" and from_pct >= profile.storage_pct:
        text = f"{from_pct:g} % is no less than the level to store at, which is {profile.storage_pct:g} %"
        raise refused(text, f"Store it as it is, or: chargerctl set {name} storage_pct=70")
    if point.session is not None:
        raise refused(f"{name} is being charged already", f"chargerctl mode {name} off, then begin again.")
    return from_pct


def _plan(who: Who) -> Asked:
    name, target = who.loadpoint(), who.parameters["target"]
    _has_target(who, name, "plan")
    plan = who.site.loadpoints[name].plan
    if target == "none":
        if plan is None:
            return Asked((), f"{name}: there is no plan.")
        fact = PlanSet(name, None, who.by, request=who.request)
        return Asked((fact,), f"{name}: {_plan_text(who, plan)} is dropped; a charge that runs goes on.")
    if target not in TARGETS or target == "storage":
        raise refused(f"there is no plan for {target!r}", "Plans are for nominal and full; none takes the plan away.")
    ready_at_ms = who.until_ms("ready_by")
    if ready_at_ms is None:
        raise refused("the time is missing", f"chargerctl plan {name} {target} by 07:00")
    if plan is not None and (plan.target, plan.ready_at_ms) == (target, ready_at_ms):
        return Asked((), f"{name}: already {_plan_text(who, plan)}.")
    new = Plan(target, who.by, ready_at_ms, who.now_ms)
    notes = _plan_notes(who, name, new)
    return Asked((PlanSet(name, target, who.by, ready_at_ms, who.request),), f"{name}: {_plan_text(who, new)}.", notes)


def _plan_notes(who: Who, name: str, plan: Plan) -> tuple[str, ...]:
    """What will happen when, and what may come to little. Raises `CallError` for what cannot be reached at all."""
    needed_s, measured = plans.top_up_s(who.site, name) if plan.target == "full" else plans.charge_s(who.site, name)
    begin_ms = plans.last_start_ms(who.site, name, plan)
    took = (
        f"{duration(needed_s)}, {'as this pack took before' if measured else 'a cautious guess until it is measured'}"
    )
    zone = zone_of(who.parameters, who.site)
    begins = clock_text(begin_ms, who.now_ms, zone)
    if begin_ms < who.now_ms:
        if plan.target == "full" and not who.parameters.get("best_effort"):
            text = f"{name} cannot be sure to be full by {clock_text(plan.ready_at_ms, who.now_ms, zone)}"
            hint = f"Try all the same: chargerctl plan {name} full by … --best-effort"
            raise refused(f"{text}: topping up takes {took}", hint)
        return (f"It begins at once; it may take {took}.",)
    if plan.target != "full":
        return (f"It begins at {begins}: it may take {took}.",)
    longest_s, _ = plans.charge_s(who.site, name)
    notes = [f"Charges to nominal now and waits there; tops up from {begins} ({took})."]
    if who.now_ms + longest_s * 1000 > begin_ms:
        notes.append(f"An empty pack may not be there in time: it may take {duration(longest_s + needed_s)} in all.")
    return tuple(notes)


def _plan_text(who: Who, plan: Plan) -> str:
    return f"{plan.target} by {clock_text(plan.ready_at_ms, who.now_ms, zone_of(who.parameters, who.site))}"


def _target(who: Who) -> Asked:
    target, once = who.parameters["target"], bool(who.parameters.get("once"))
    if target not in (*TARGETS, "default"):
        raise refused(
            f"there is no target {target!r}", f"Targets: {', '.join(TARGETS)}, or default for the configured one."
        )
    if bool(who.parameters.get("all")) == (who.parameters.get("name") is not None):
        raise refused("say which loadpoint, or all", "chargerctl target NAME TARGET, or chargerctl target --all TARGET")
    until_ms, notes = who.until_ms(), []
    if who.parameters.get("all"):
        names = []
        for name, settings in who.site.configuration.loadpoints.items():
            if settings.kind != "battery":
                continue
            if target_of(who.site, name) == "storage" and target != "storage":
                notes.append(f"{name} is kept at storage level and was left as it is; name it to change it.")
            else:
                names.append(name)
    else:
        names = [who.loadpoint()]
        _has_target(who, names[0], "target")
    wanted = None if target == "default" else target
    changed = [n for n in names if not _is_aimed(who.site, n, wanted, once, until_ms)]
    facts = [TargetSet(n, wanted, who.by, once, until_ms, who.request if n == changed[0] else "") for n in changed]
    if not changed:
        return Asked((), f"{', '.join(names) or 'nothing'}: already {target}.", tuple(notes))
    return Asked(tuple(facts), _target_text(who, changed, target, once, until_ms), tuple(notes))


def _is_aimed(site: Site, name: str, target: str | None, once: bool, until_ms: int | None) -> bool:
    point = site.loadpoints[name]
    if target == "storage" and point.stored:
        return False  # asking again allows as many charges again
    return (point.target, point.target_once, point.target_until_ms) == (target, once and target is not None, until_ms)


def _target_text(who: Who, names: list[str], target: str, once: bool, until_ms: int | None) -> str:
    ends = " for the next session" if once else who.until_text(until_ms)
    if len(names) > 1:
        return f"{', '.join(names)}: target {target}{ends}."
    (name,) = names
    settings, before = settings_of(who.site, name), target_of(who.site, name)
    now = who.site.configuration.loadpoints[name].target if target == "default" else target
    stop, was = power(settings.profile.stop_w(now)), power(settings.profile.stop_w(before))
    return f"{name}: stop at {stop} ({now}){ends}; was {before} ({was})."


def _setting(who: Who) -> Asked:
    name, until_ms = who.loadpoint(), who.until_ms()
    values: dict[str, Any] = who.parameters["values"]
    once = bool(who.parameters.get("once"))
    while_connected = who.while_connected()
    if once and (until_ms is not None or while_connected):
        raise refused("an end and one session are two different ends", "Leave one of them out.")
    if not values:
        raise refused("no setting was given", f"chargerctl set {name} nominal_stop_w=80")
    wanted = {
        key: _checked(name, who.site.configuration.loadpoints[name].kind, key, value) for key, value in values.items()
    }
    point, configured = who.site.loadpoints[name], who.site.configuration.loadpoints[name]
    before = settings_of(who.site, name)
    overrides = {key: override for key, override in point.overrides.items() if wanted.get(key, 0) is not None}
    overrides |= {k: Override(v, who.by, who.now_ms, until_ms) for k, v in wanted.items() if v is not None}
    zone = who.site.configuration.timezone
    after = overridden(configured, structs.replace(point, overrides=overrides), who.site.wall_ms, zone)
    if PROFILE_KEYS & set(wanted) and after.kind == "battery":
        for key, fault in order_faults(after.profile):
            raise refused(f"{name}: {key}: {fault}", f"In force now: chargerctl configure show {name}")
    if after.min_current_a > after.max_current_a:
        text = f"{name}: min_current_a {after.min_current_a:g} is above max_current_a {after.max_current_a:g}"
        raise refused(text, "With these two no current would be allowed.")
    if wanted.get("slow_current_a") is not None and after.kind == "evse":
        _slow_is_between(after)
    notes = _circuit_notes(who.site, after, wanted)
    facts: list[Body] = []
    said: list[str] = []
    for key, value in wanted.items():
        old = point.overrides.get(key)
        if (value is None and old is None) or (
            old is not None
            and (old.value, old.until_ms, old.once, old.while_connected) == (value, until_ms, once, while_connected)
        ):
            continue
        request = who.request if not facts else ""
        facts.append(LimitSet(name, key, value, who.by, until_ms, request, once, while_connected))
        said.append(f"{key} {setting_text(key, in_force(after, key))} (was {setting_text(key, in_force(before, key))})")
    if not facts:
        return Asked((), f"{name}: already so.")
    ends = " for this session" if once and point.session is not None else " for the next session" if once else ""
    return Asked(tuple(facts), f"{name}: {', '.join(said)}{who.until_text(until_ms)}{ends}.", notes)


def _slow_is_between(after: LoadpointSettings) -> None:
    """Raises `CallError` for a slow current that would never be offered, as the configuration's check does."""
    low_a, high_a, slow_a = after.min_current_a, after.max_current_a, after.slow_current_a
    if not low_a <= slow_a <= high_a:
        where = f"above max_current_a {high_a:g}" if slow_a > high_a else f"below min_current_a {low_a:g}"
        text = f"{after.name}: slow_current_a {slow_a:g} is {where}"
        raise refused(text, f"Write a number from {low_a:g} to {high_a:g}.")


def _circuit_notes(site: Site, settings: LoadpointSettings, wanted: Iterable[str]) -> tuple[str, ...]:
    """That a fuse or the EVSE itself allows less than somebody wants."""
    most_a, circuit = settings.max_current_a, settings.circuit
    if "max_current_a" not in wanted:
        return ()
    found = []
    offers_a = site.devices[settings.charger.partition("/")[0]].max_current_a
    if offers_a is not None and offers_a < most_a:
        found.append(f"The EVSE offers {offers_a:g} A at most.")
    while circuit in site.configuration.circuits:
        fuse = site.configuration.circuits[circuit]
        if fuse.max_current_a < most_a:
            found.append(f"Circuit {circuit} allows {fuse.max_current_a:g} A.")
        circuit = fuse.parent
    return tuple(found)


def _mode_is_known(who: Who, name: str, mode: str) -> None:
    modes = MODES[who.site.configuration.loadpoints[name].kind]
    if mode not in modes:
        raise refused(f"{name} has no mode {mode[:40]!r}", f"Modes of {name}: {', '.join(modes)}.")


def _checked(name: str, kind: str, key: str, value: object) -> float | int | None:
    adjustable = ADJUSTABLE[kind]
    if key not in adjustable:
        close = get_close_matches(key, adjustable, 1, 0.5)
        hint = f"Did you mean {close[0]}?   " if close else ""
        raise refused(f"{name} has no setting {key[:60]!r}", f"{hint}Known: {' '.join(adjustable)}")
    if value == "default":
        return None
    low, high = adjustable[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise refused(f"{key} must be a number from {low:g} to {high:g}, not {value!r}"[:200], "default takes it back")
    if key in WHOLE and value != int(value):
        raise refused(f"{key} must be a whole number, not {value!r}", "default takes it back")
    return int(value) if key in WHOLE else float(value)


def _hold(who: Who) -> Asked:
    until_ms = who.until_ms()
    name = "" if who.parameters.get("name") is None else who.loadpoint()
    hold = who.site.loadpoints[name].hold if name else who.site.hold
    where = name or "everything"
    while_connected = who.while_connected()
    if hold is not None and (hold.until_ms, hold.while_connected) == (until_ms, while_connected):
        return Asked((), f"{where}: already on hold{who.until_text(until_ms)}.")
    kept = [n for n in ([name] if name else who.site.loadpoints) if _is_on(who.site, n)]
    notes = [
        f"{n} goes on as it is, and nobody ends it but the vehicle."
        if who.site.configuration.loadpoints[n].kind == "evse"
        else f"{n} stays on, and nothing cuts it off; its plug's timer is kept alive."
        for n in kept
    ]
    text = f"Holding {where}{who.until_text(until_ms)}: chargerd watches and sends nothing but lease renewals."
    return Asked((HoldSet(who.by, name, until_ms, who.request, while_connected),), text, tuple(notes))


def _is_on(site: Site, name: str) -> bool:
    charger = site.chargers.get(site.configuration.loadpoints[name].charger)
    return bool(charger is not None and charger.enabled)


def _release(who: Who) -> Asked:
    name = "" if who.parameters.get("name") is None else who.loadpoint()
    held = [n for n, point in who.site.loadpoints.items() if point.hold is not None and name in ("", n)]
    if not held and (name or who.site.hold is None):
        note = (STILL_HELD,) if who.site.hold is not None else ()
        return Asked((), f"{name or 'everything'}: already released.", note)
    fact = HoldCleared(who.by, name, who.request)
    if name and who.site.hold is not None:
        return Asked((fact,), f"Released {name}.", (STILL_HELD,))
    return Asked((fact,), f"Released {name or 'everything'}: chargerd acts again.")


def _add(who: Who) -> Asked:
    name = who.loadpoint()
    mode, target = who.parameters.get("mode") or "fast", who.parameters.get("target")
    try:
        days = times.EVERY_DAY if who.parameters["days"] == "daily" else times.days(who.parameters["days"])
        at_min = times.minute(who.parameters["at"])
    except ValueError as error:
        raise CallError("BadValue", str(error), NOTHING, "chargerctl schedule add NAME mon-fri 06:30") from error
    _mode_is_known(who, name, mode)
    if target is not None or who.parameters.get("ready"):
        _has_target(who, name, "target" if target is not None else "time to be ready by")
    if target is not None and target not in TARGETS:
        raise refused(f"there is no target {target!r}", f"Targets: {', '.join(TARGETS)}.")
    ready, entries = bool(who.parameters.get("ready")), schedule_of(who.site)
    if ready and (target or who.site.configuration.loadpoints[name].target) == "storage":
        raise refused("nobody rides at storage level, so it is not planned for a time", "Give --target full.")
    for entry in entries:
        same = (entry.loadpoint, entry.days, entry.at_min, entry.mode, entry.target, entry.ready)
        if same == (name, days, at_min, mode, target, ready):
            return Asked((), f"{name}: already scheduled so, as {entry.entry}.", entry=entry.entry)
    taken = {entry.entry for entry in entries} | set(who.site.removed_schedule)
    entry_name = next(f"{name}.{n}" for n in range(1, len(taken) + 2) if f"{name}.{n}" not in taken)
    fact = ScheduleAdded(entry_name, name, days, at_min, who.by, mode, target, who.request, ready)
    aim, clock = f" to {target}" if target else "", f"{at_min // 60:02}:{at_min % 60:02}"
    text = f"{name}: {mode}{aim} {times.written(days)} {'by' if ready else 'at'} {clock}, as {entry_name}."
    return Asked((fact,), text, entry=entry_name)


def _remove(who: Who) -> Asked:
    entry = who.parameters["entry"]
    known = [e.entry for e in schedule_of(who.site)]
    if entry not in known:
        raise no_entry(entry, known)
    from_file = any(e.entry == entry for e in who.site.configuration.schedule)
    notes = ("It is still in the configuration file, and hidden from now on.",) if from_file else ()
    return Asked((ScheduleRemoved(entry, who.by, who.request),), f"Schedule entry {entry} removed.", notes, entry)


NOT_RECORDED_YET = "The log cannot be written now; this is recorded when it can, and forgotten if chargerd ends before."


def stops(facts: Sequence[Body]) -> bool:
    """Whether a request does nothing but stop charging or keep hands off. That is done also when it cannot be recorded."""
    return all(isinstance(fact, HoldSet) or (isinstance(fact, ModeSet) and fact.mode == "off") for fact in facts)


def not_recorded(error: str) -> CallError:
    """The log cannot be written, so a request cannot be taken: what is not recorded did not happen."""
    means = "Nothing was changed; until the log can be written charging can be stopped, not started."
    return CallError("NotRecorded", f"the log cannot be written ({error})", means, "Make room: df -h /var/lib/chargerd")


def ending() -> CallError:
    """The daemon has been told to end and takes no more requests."""
    return CallError(
        "Busy", "chargerd is ending", "Plugs keep what they were told last.", "Look: systemctl status chargerd"
    )


def failed() -> CallError:
    """A request ran into a mistake of ours."""
    return CallError(
        "Failed", "chargerd made a mistake", "Nothing was changed; charging goes on.", "Look: journalctl -u chargerd"
    )


def device_failed(name: str, detail: str, unwatched: Iterable[str]) -> CallError:
    """A device that was to be read now has not answered as it should."""
    points = ", ".join(unwatched)
    means = f"{points} stays as it is and is not watched." if points else "No loadpoint charges through it."
    return CallError("DeviceFailed", f"{name}: {detail}", means, "Look: chargerctl device list")


_MAKERS: dict[str, Callable[[Who], Asked]] = {
    "SetMode": _mode,
    "SetTarget": _target,
    "SetSetting": _setting,
    "SetPlan": _plan,
    "Hold": _hold,
    "Release": _release,
    "AddSchedule": _add,
    "RemoveSchedule": _remove,
}
