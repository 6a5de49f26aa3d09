"""Sentences: what an event of the log says, for people. The journal's own lines are in `narrator`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import to_builtins

from chargerd.daemon.context import Context
from chargerd.daemon.flows import flowing, place_of, power_of
from chargerd.daemon.times import days_text
from chargerd.engine.silence import fault_text
from chargerd.model import events as e
from chargerd.model.commands import Command, SetCurrent, SetEnabled, SetPhases
from chargerd.model.reasons import OUTCOMES, duration, energy, power, sentence, shown
from chargerd.model.settings import address_of
from chargerd.model.state import Site


class Said(NamedTuple):
    """What an event says: the row's type, what it is about, the sentence, what goes beside it, and who asked."""

    type: str
    subject: str
    text: str
    detail: str = ""
    by: str = ""


TYPES = (
    "read",
    "failed",
    "lost",
    "back",
    "device",
    "mode",
    "target",
    "set",
    "plan",
    "hold",
    "schedule",
    "decided",
    "command",
    "sink",
    "test",
    "daemon",
    "log",
)
"""Types of rows, as ``chargerctl log --type`` takes them."""


def said(event: e.Event, context: Context) -> Said | None:
    """The sentence of an event; None for a `Tick`, which only closes a transaction."""
    tell = _TELLERS.get(type(event.body))
    return None if tell is None else tell(event, event.body, context)


def row(event: e.Event, words: Said, context: Context, count: int = 1) -> dict[str, Any]:
    """The row of the log that carries it. ``count`` above 1: folded readings, which have no data of their own."""
    return {
        "kind": "entry",
        "seq": event.seq,
        "at": context.utc(event.at_ms),
        "at_local": context.local(event.at_ms),
        "type": words.type,
        "event": type(event.body).__name__,
        "subject": words.subject,
        "text": words.text,
        "detail": words.detail,
        "by": words.by,
        "count": count,
        "data": {} if count > 1 else to_builtins(event.body),
    }


def _where(address: str, context: Context) -> str:
    return context.site.by_charger.get(address, address)


def _until(until_ms: int | None, context: Context, *, while_connected: bool = False) -> str:
    if while_connected:
        return " until disconnected"
    return "" if until_ms is None else f" until {context.clock(until_ms)}"


def _read(event: e.Event, fact: e.ChargerRead, context: Context) -> Said:
    parts = [{True: "on", False: "off", None: "on or off unknown"}[fact.enabled]]
    if fact.pilot is not None or fact.offered_a is not None:
        parts = [_plugged(fact)]
    if fact.power_w is not None:
        parts.append(power(fact.power_w))
    if fact.lease_s is not None:
        whose = "somebody's timer" if fact.timer == "foreign" else "its timer"
        parts.append(f"{whose} ends it in {duration(fact.lease_s)}")
    return Said("read", _where(address_of(event.source, fact.channel), context), "  ".join(parts))


def _plugged(fact: e.ChargerRead) -> str:
    """What an EVSE says: whether a vehicle is there, and what it is offered."""
    there = {"A": "no vehicle", "E": "fault", "F": "fault"}.get(
        fact.pilot or "", "vehicle connected" if fact.pilot else ""
    )
    phases = "" if fact.phases is None else f" ×{fact.phases}"
    offered = "" if fact.offered_a is None else f"{fact.offered_a:g} A{phases} offered"
    if fact.enabled is not True:
        offered = "paused" if fact.enabled is False else ""
    return ", ".join(part for part in (there, offered) if part) or "on or off unknown"


def _meter_read(event: e.Event, fact: e.MeterRead, context: Context) -> Said:
    place = place_of(address_of(event.source, fact.channel), context.site.configuration)
    power_w = power_of(fact, place)
    parts = ["power unknown" if power_w is None else flowing(power_w, place.role), fact.status or ""]
    return Said("read", place.name, "  ".join(part for part in parts if part))


def _storage_read(event: e.Event, fact: e.StorageRead, context: Context) -> Said:
    place = place_of(address_of(event.source, fact.channel), context.site.configuration)
    level = "level unknown" if fact.soc_pct is None else f"{fact.soc_pct:.0f} %"
    status = "" if fact.status in ("charging", "discharging") else fact.status or ""
    parts = [level, "power unknown" if fact.power_w is None else flowing(fact.power_w, "storage"), status]
    return Said("read", place.name, "  ".join(part for part in parts if part))


def _read_failed(event: e.Event, fact: e.ReadFailed, _context: Context) -> Said:
    return Said("failed", event.source, f"not read: {fact.error}", fact.detail)


def _lost(event: e.Event, fact: e.DeviceLost, _context: Context) -> Said:
    return Said("lost", event.source, f"no answer for {duration(fact.silent_ms / 1000)} ({fact.error})", fact.detail)


def _back(event: e.Event, fact: e.DeviceBack, _context: Context) -> Said:
    return Said("back", event.source, f"answers again after {duration(fact.lost_ms / 1000)}")


def _added(event: e.Event, fact: e.DeviceAdded, _context: Context) -> Said:
    what = " ".join(part for part in (fact.driver, fact.model, fact.firmware) if part)
    return Said("device", event.source, f"is {what}", f"timer of its own: {fact.lease}")


def _removed(event: e.Event, _fact: e.DeviceRemoved, _context: Context) -> Said:
    return Said("device", event.source, "is no longer configured")


def _mode(_event: e.Event, fact: e.ModeSet, context: Context) -> Said:
    if fact.by == "until":
        over = "the vehicle has left" if fact.while_connected else "the time is over"
        return Said("mode", fact.loadpoint, f"as configured again, {over}", by=fact.by)
    until = _until(fact.until_ms, context, while_connected=fact.while_connected)
    return Said("mode", fact.loadpoint, f"{fact.mode}{until} by {fact.by}", by=fact.by)


def _target(_event: e.Event, fact: e.TargetSet, context: Context) -> Said:
    once = " for one session" if fact.once else ""
    text = f"{fact.target or 'as configured'}{once}{_until(fact.until_ms, context)} by {fact.by}"
    return Said("target", fact.loadpoint, text, by=fact.by)


def _limit(_event: e.Event, fact: e.LimitSet, context: Context) -> Said:
    value = "as configured" if fact.value is None else shown(fact.key, fact.value)
    once = " for one session" if fact.once else ""
    until = _until(fact.until_ms, context, while_connected=fact.while_connected)
    text = f"{fact.key} {value}{once}{until} by {fact.by}"
    return Said("set", fact.loadpoint, text, by=fact.by)


def _plan(_event: e.Event, fact: e.PlanSet, context: Context) -> Said:
    if fact.target is None or fact.ready_at_ms is None:
        return Said("plan", fact.loadpoint, f"plan dropped by {fact.by}", by=fact.by)
    return Said("plan", fact.loadpoint, f"{fact.target} by {context.clock(fact.ready_at_ms)} by {fact.by}", by=fact.by)


def _plan_fired(_event: e.Event, fact: e.PlanFired, _context: Context) -> Said:
    over = "the time has come, reached" if fact.reached else "the time has come, not reached"
    steps = {"hold": "charges to nominal and waits there", "last": "the last part begins", "over": over}
    return Said("plan", fact.loadpoint, steps.get(fact.step, fact.step))


def _hold(_event: e.Event, fact: e.HoldSet, context: Context) -> Said:
    until = _until(fact.until_ms, context, while_connected=fact.while_connected)
    return Said("hold", fact.loadpoint or "all", f"on hold{until} by {fact.by}", by=fact.by)


def _release(_event: e.Event, fact: e.HoldCleared, _context: Context) -> Said:
    return Said("hold", fact.loadpoint or "all", f"released by {fact.by}", by=fact.by)


def _schedule_added(_event: e.Event, fact: e.ScheduleAdded, _context: Context) -> Said:
    when = f"{days_text(fact.days)} {fact.at_min // 60:02}:{fact.at_min % 60:02}"
    target = f", target {fact.target}" if fact.target else ""
    when = f"by {when}" if fact.ready else when
    return Said("schedule", fact.loadpoint, f"added {when}: {fact.mode}{target} by {fact.by}", fact.entry, fact.by)


def _schedule_removed(_event: e.Event, fact: e.ScheduleRemoved, _context: Context) -> Said:
    return Said("schedule", fact.entry, f"removed by {fact.by}", by=fact.by)


def _schedule_fired(_event: e.Event, fact: e.ScheduleFired, context: Context) -> Said:
    return Said("schedule", fact.loadpoint, f"due at {context.clock(fact.due_ms)}", fact.entry)


def _decided(_event: e.Event, fact: e.Decided, context: Context) -> Said:
    text = sentence(fact.limit or fact.reason, context.zone)
    if fact.outcome is None:
        return Said("decided", fact.loadpoint, text)
    session = next((s for s in context.site.ended if s.number == fact.session), None)
    took = "" if session is None else f"{energy(session.energy_wh)} in {duration(session.on_ms / 1000)}"
    return Said("decided", fact.loadpoint, f"{OUTCOMES.get(fact.outcome, fact.outcome)}: {text}", took)


def _command(_event: e.Event, fact: e.CommandIssued, context: Context) -> Said:
    return Said(
        "command", fact.loadpoint, command_text(fact.command, context.site), sentence(fact.reason, context.zone)
    )


def command_text(command: Command, site: Site) -> str:
    """A command in words: "on, off by itself after 15 min", "off", "10 A, goes to 6 A by itself after 10 min", "1 phase"."""
    match command:
        case SetPhases():
            return _phases(command)
        case SetCurrent():
            what = f"{command.current_a:g} A" if command.enabled else "paused"
        case SetEnabled():
            what = "on" if command.enabled else "off"
    return what if command.lease_s is None else f"{what}, {alone(command, site)} after {duration(command.lease_s)}"


def alone(command: Command, site: Site) -> str:
    """What a charger does when the lease of a command has run out: an EVSE pauses, or goes back to a current of its own."""
    if isinstance(command, SetEnabled):
        return "off by itself"
    device = site.devices.get(command.device.partition("/")[0])
    falls_to_a = None if device is None else device.lease_current_a
    return f"goes to {falls_to_a:g} A by itself" if falls_to_a else "pauses by itself"


def _phases(command: SetPhases) -> str:
    return "1 phase" if command.phases == 1 else f"{command.phases} phases"


def doing(command: Command) -> str:
    """A command as it is carried out: "switching on", "offering 10 A"."""
    match command:
        case SetPhases():
            return f"switching to {_phases(command)}"
        case SetCurrent():
            return f"offering {command.current_a:g} A" if command.enabled else "pausing"
        case SetEnabled():
            return "switching on" if command.enabled else "switching off"


def _done(event: e.Event, fact: e.CommandDone, _context: Context) -> Said:
    return Said("command", event.source, f"command {fact.issued} done in {fact.took_ms / 1000:.1f} s")


def _command_failed(event: e.Event, fact: e.CommandFailed, _context: Context) -> Said:
    return Said("command", event.source, f"command {fact.issued} failed: {fact.error}", fact.detail)


def _lease_test(event: e.Event, fact: e.LeaseTestBegun, context: Context) -> Said:
    where = _where(address_of(event.source, fact.channel), context)
    return Said("test", where, f"its timer is tried: on for {fact.lease_s} s by {fact.by}", by=fact.by)


def _lease_tested(event: e.Event, fact: e.LeaseTested, context: Context) -> Said:
    texts = {
        "proven": f"its own timer switched it off after {fact.off_after_s or 0:.0f} s",
        "disproven": "its own timer did not switch it off",
        "no-timer": "it has no timer of its own",
    }
    text = texts.get(fact.result, "the test of its timer was not finished")
    return Said("test", _where(address_of(event.source, fact.channel), context), text, fact.detail)


def _started(_event: e.Event, fact: e.DaemonStarted, _context: Context) -> Said:
    return Said("daemon", "chargerd", f"{fact.version} started")


def _stopping(_event: e.Event, fact: e.DaemonStopping, _context: Context) -> Said:
    return Said("daemon", "chargerd", f"ending: {fact.why}")


def _stopped(_event: e.Event, fact: e.DaemonStopped, _context: Context) -> Said:
    return Said("daemon", "chargerd", f"ended: {fact.why}")


def _config(_event: e.Event, fact: e.ConfigLoaded, _context: Context) -> Said:
    if fact.by == "adopt":
        adopted = " ".join(one.loadpoint for one in fact.configuration.adopted)
        return Said("daemon", "chargerd", f"adopted by their names: {adopted or 'none any more'}")
    return Said("daemon", "chargerd", f"configuration read ({fact.by})", " ".join(fact.configuration.files))


def _stepped(_event: e.Event, fact: e.ClockStepped, _context: Context) -> Said:
    way = "forward" if fact.by_ms > 0 else "back"
    return Said("daemon", "clock", f"set {way} by {duration(abs(fact.by_ms) / 1000)}")


def _set_aside(_event: e.Event, fact: e.LogSetAside, _context: Context) -> Said:
    return Said("log", "log", f"damaged, kept at {fact.path}; a new one begins", fact.error)


def _dropped(_event: e.Event, fact: e.ReadingsDropped, context: Context) -> Said:
    until = context.clock(fact.to_ms)
    return Said("log", "log", f"{fact.readings} readings up to {until} were kept long enough and are given up")


def _sink_lost(event: e.Event, fact: e.SinkLost, _context: Context) -> Said:
    return Said("sink", event.source, f"takes nothing ({fact.error})", fact.detail)


def _sink_back(event: e.Event, _fact: e.SinkBack, _context: Context) -> Said:
    return Said("sink", event.source, "takes messages again")


def _meter_lost(_event: e.Event, fact: e.MeterLost, context: Context) -> Said:
    return Said("lost", place_of(fact.address, context.site.configuration).name, fault_text(context.site, fact))


def _meter_back(_event: e.Event, fact: e.MeterBack, context: Context) -> Said:
    name = place_of(fact.address, context.site.configuration).name
    return Said("back", name, f"believed again after {duration(fact.lost_ms / 1000)}")


def _recording_lost(_event: e.Event, fact: e.RecordingLost, _context: Context) -> Said:
    return Said("log", "log", "cannot be written; only switching off until it can", fact.error)


def _recording_back(_event: e.Event, fact: e.RecordingBack, _context: Context) -> Said:
    dropped = f", {fact.dropped} readings lost" if fact.dropped else ""
    return Said("log", "log", f"can be written again; {fact.kept} had waited{dropped}")


_TELLERS: dict[type, Callable[[e.Event, Any, Context], Said]] = {
    e.ChargerRead: _read,
    e.MeterRead: _meter_read,
    e.StorageRead: _storage_read,
    e.ReadFailed: _read_failed,
    e.DeviceLost: _lost,
    e.DeviceBack: _back,
    e.DeviceAdded: _added,
    e.DeviceRemoved: _removed,
    e.ModeSet: _mode,
    e.TargetSet: _target,
    e.LimitSet: _limit,
    e.PlanSet: _plan,
    e.PlanFired: _plan_fired,
    e.HoldSet: _hold,
    e.HoldCleared: _release,
    e.ScheduleAdded: _schedule_added,
    e.ScheduleRemoved: _schedule_removed,
    e.ScheduleFired: _schedule_fired,
    e.Decided: _decided,
    e.CommandIssued: _command,
    e.CommandDone: _done,
    e.CommandFailed: _command_failed,
    e.LeaseTestBegun: _lease_test,
    e.LeaseTested: _lease_tested,
    e.DaemonStarted: _started,
    e.DaemonStopping: _stopping,
    e.DaemonStopped: _stopped,
    e.ConfigLoaded: _config,
    e.ClockStepped: _stepped,
    e.LogSetAside: _set_aside,
    e.ReadingsDropped: _dropped,
    e.SinkLost: _sink_lost,
    e.SinkBack: _sink_back,
    e.MeterLost: _meter_lost,
    e.MeterBack: _meter_back,
    e.RecordingLost: _recording_lost,
    e.RecordingBack: _recording_back,
}
