"""Narrator: which events are worth a line in the journal, and how it reads. Readings are not; their loss is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from chargerd.daemon.journal import ACT, DETAIL, INFO, NOTICE, WARNING
from chargerd.daemon.sentences import doing
from chargerd.engine.describe import refusal
from chargerd.engine.silence import asleep, channel_at, effect, fault_text, next_step, without_sun
from chargerd.model import events as e
from chargerd.model.commands import Command, SetCurrent, SetPhases
from chargerd.model.reasons import ALARMS, OUTCOMES, duration, energy, sentence
from chargerd.model.settings import address_of
from chargerd.model.state import Site


class Line(NamedTuple):
    """A journal line; ``always`` lines switch power and are not hidden by any level."""

    priority: int
    text: str
    fields: dict[str, object]
    always: bool = False


def line(event: e.Event, site: Site, zone: tzinfo, before: Site | None = None) -> Line | None:
    """The journal line of an event, or None. ``site`` is the state after the event's transaction, ``before`` the one before it.

    An inverter that goes to sleep for the night, and one that is back from that, is worth a word and no more.
    """
    seen = before or site
    if isinstance(event.body, e.DeviceLost | e.DeviceBack) and asleep(seen, event.source):
        return _night(event, event.body)
    if isinstance(event.body, e.DeviceAdded) and asleep(seen, event.source) and _is_lost(seen, event.source):
        return None  # it says who it is each time that it is back
    tell = _TELLERS.get(type(event.body))
    return None if tell is None else tell(event, event.body, site, zone)


def labels(event: e.Event, site: Site) -> list[tuple[str, str]]:
    """Journal fields of an event's line: what it is, its number, and every loadpoint and device that it is about."""
    body = event.body
    found = [("CHARGERD_EVENT", type(body).__name__), ("CHARGERD_EVENT_SEQ", str(event.seq))]
    devices, points = set(), {getattr(body, "loadpoint", "")}
    if isinstance(body, e.MeterLost | e.MeterBack):
        devices.add(body.address.partition("/")[0])
    elif event.source in site.configuration.devices:
        devices.add(event.source)
        points |= {n for n, s in site.configuration.loadpoints.items() if s.charger.partition("/")[0] == event.source}
    elif isinstance(body, e.CommandIssued):
        devices.add(body.command.device.partition("/")[0])
    if isinstance(body, e.Decided | e.CommandIssued):
        found.append(("CHARGERD_REASON", ((isinstance(body, e.Decided) and body.limit) or body.reason).code))
    if by := getattr(body, "by", ""):
        found.append(("CHARGERD_BY", by))
    found += [("CHARGERD_LOADPOINT", name) for name in sorted(points) if name]
    return found + [("CHARGERD_DEVICE", name) for name in sorted(devices)]


def _until(until_ms: int | None, zone: tzinfo, *, while_connected: bool = False) -> str:
    if while_connected:
        return " until disconnected"
    return "" if until_ms is None else f" until {datetime.fromtimestamp(until_ms / 1000, zone):%Y-%m-%d %H:%M}"


def _mode(event: e.Event, fact: e.ModeSet, _site: Site, zone: tzinfo) -> Line:
    mode = f"{fact.mode}{_until(fact.until_ms, zone, while_connected=fact.while_connected)}"
    if fact.by == "until":
        over = "the vehicle has left" if fact.while_connected else "the time is over"
        mode = f"as configured again, {over}"
    return Line(NOTICE, f"{fact.loadpoint}: {mode}", {"by": fact.by, "seq": event.seq})


def _target(event: e.Event, fact: e.TargetSet, _site: Site, zone: tzinfo) -> Line:
    once = " for one session" if fact.once else ""
    text = f"{fact.loadpoint}: target {fact.target or 'as configured'}{once}{_until(fact.until_ms, zone)}"
    return Line(NOTICE, text, {"by": fact.by, "seq": event.seq})


def _limit(event: e.Event, fact: e.LimitSet, _site: Site, zone: tzinfo) -> Line:
    value = "as configured" if fact.value is None else fact.value
    text = f"{fact.loadpoint}: {fact.key} {value}{_until(fact.until_ms, zone, while_connected=fact.while_connected)}"
    return Line(NOTICE, text, {"by": fact.by, "seq": event.seq})


def _plan(event: e.Event, fact: e.PlanSet, _site: Site, zone: tzinfo) -> Line:
    when = "" if fact.ready_at_ms is None else f"{datetime.fromtimestamp(fact.ready_at_ms / 1000, zone):%Y-%m-%d %H:%M}"
    text = f"{fact.loadpoint}: plan dropped" if fact.target is None else f"{fact.loadpoint}: {fact.target} by {when}"
    return Line(NOTICE, text, {"by": fact.by, "seq": event.seq})


def _plan_fired(event: e.Event, fact: e.PlanFired, _site: Site, _zone: tzinfo) -> Line:
    if fact.step != "over":
        said = "charges to nominal and waits there" if fact.step == "hold" else "the last part begins"
        return Line(NOTICE, f"{fact.loadpoint}: plan: {said}", {"seq": event.seq})
    if fact.reached:
        return Line(NOTICE, f"{fact.loadpoint}: plan reached in time", {"seq": event.seq})
    return Line(WARNING, f"{fact.loadpoint}: plan not reached in time", {"seq": event.seq}, always=True)


def _hold(event: e.Event, fact: e.HoldSet, _site: Site, zone: tzinfo) -> Line:
    where = (
        f"{fact.loadpoint}: on hold" if fact.loadpoint else "on hold: watching and sending nothing but lease renewals"
    )
    until = _until(fact.until_ms, zone, while_connected=fact.while_connected)
    return Line(NOTICE, where + until, {"by": fact.by, "seq": event.seq})


def _release(event: e.Event, fact: e.HoldCleared, _site: Site, _zone: tzinfo) -> Line:
    where = f"{fact.loadpoint}: released" if fact.loadpoint else "hold released"
    return Line(NOTICE, where, {"by": fact.by, "seq": event.seq})


def _schedule(event: e.Event, fact: e.ScheduleAdded | e.ScheduleRemoved, _site: Site, _zone: tzinfo) -> Line:
    done = "added" if isinstance(fact, e.ScheduleAdded) else "removed"
    return Line(NOTICE, f"schedule {fact.entry} {done}", {"by": fact.by, "seq": event.seq})


def _decided(event: e.Event, fact: e.Decided, site: Site, zone: tzinfo) -> Line | None:
    reason = fact.limit or fact.reason
    if fact.outcome is None:
        return Line(DETAIL, f"{fact.loadpoint}: {sentence(reason, zone)}", {"reason": reason.code, "seq": event.seq})
    last = next((s for s in reversed(site.ended) if s.loadpoint == fact.loadpoint), None)
    took = "" if last is None else f"; {energy(last.energy_wh)} in {duration(last.on_ms / 1000)}"
    text = f"{fact.loadpoint}: {OUTCOMES[fact.outcome]}: {sentence(reason, zone)}{took}"
    priority = WARNING if fact.outcome in ALARMS else NOTICE
    return Line(priority, text, {"outcome": fact.outcome, "reason": reason.code, "seq": event.seq}, always=True)


def _command(event: e.Event, fact: e.CommandIssued, site: Site, zone: tzinfo) -> Line:
    command, code = fact.command, fact.reason.code
    fields: dict[str, object] = {"device": command.device, "reason": code, "seq": event.seq}
    if code == "lease-renewal" and not isinstance(command, SetPhases):
        return Line(DETAIL, f"{fact.loadpoint}: renewing the lease for {command.lease_s} s", fields)
    text = _doing_because(command, fact.reason, zone)
    charger = site.chargers.get(command.device)
    if isinstance(command, SetCurrent) and command.enabled and charger is not None and charger.enabled:
        return Line(
            DETAIL, f"{fact.loadpoint}: {text}", fields
        )  # another current, many times an hour on a day with clouds
    return Line(NOTICE, f"{fact.loadpoint}: {text}", fields, always=True)


def _doing_because(command: Command, reason: e.Reason, zone: tzinfo) -> str:
    """What is done and why, nothing twice: the sentence of a pause begins with "paused"."""
    what, said = doing(command), sentence(reason, zone)
    if reason.code == "changing-phases":
        return what if isinstance(command, SetPhases) else f"{what}, {said.partition(':')[0]}"
    if what == "pausing":
        said = said.removeprefix("paused: ").removeprefix("paused, and ")
    return said if said.startswith(what) else f"{what}, {said}"


def _failed(event: e.Event, fact: e.CommandFailed, _site: Site, _zone: tzinfo) -> Line:
    fields: dict[str, object] = {"error": fact.error, "issued": fact.issued, "seq": event.seq}
    return Line(WARNING, f"{event.source}: did not take a command: {fact.detail or fact.error}", fields)


def _tested(event: e.Event, fact: e.LeaseTested, _site: Site, _zone: tzinfo) -> Line:
    where = address_of(event.source, fact.channel)
    texts = {
        "proven": f"its own timer switched it off after {fact.off_after_s or 0:.0f} s",
        "disproven": "its own timer did not switch it off; once on, it stays on if chargerd dies",
        "no-timer": "has no timer of its own; once on, it stays on if chargerd dies",
    }
    text = texts.get(fact.result, f"the test of its timer was not finished: {fact.detail}")
    priority = NOTICE if fact.result == "proven" else WARNING
    return Line(priority, f"{where}: {text}", {"result": fact.result, "seq": event.seq}, always=True)


def _testing(event: e.Event, fact: e.LeaseTestBegun, _site: Site, _zone: tzinfo) -> Line:
    where = address_of(event.source, fact.channel)
    text = f"{where}: switching on for a test of its timer, {fact.lease_s} s"
    return Line(NOTICE, text, {"by": fact.by, "seq": event.seq}, always=True)


def _is_lost(site: Site, name: str) -> bool:
    return name in site.devices and site.devices[name].lost_since_ms is not None


def _night(event: e.Event, fact: e.DeviceLost | e.DeviceBack) -> Line:
    if isinstance(fact, e.DeviceBack):
        return Line(INFO, f"{event.source}: awake after {duration(fact.lost_ms / 1000)}", {"seq": event.seq})
    return Line(INFO, f"{event.source}: sleeps for the night and does not answer", {"seq": event.seq})


def _lost(event: e.Event, fact: e.DeviceLost, site: Site, _zone: tzinfo) -> Line:
    points = [n for n, s in site.configuration.loadpoints.items() if s.charger.partition("/")[0] == event.source]
    evses = all(site.configuration.loadpoints[name].kind == "evse" for name in points)
    left = "it keeps to what it was told last" if evses else "the plug keeps its last state"
    unwatched = f"; {', '.join(points)} not watched, {left}" if points else ""
    unwatched += without_sun(site, event.source)
    fields: dict[str, object] = {"error": fact.error, "detail": fact.detail, "seq": event.seq}
    if fact.error == "access-denied":
        return Line(ACT, f"{event.source}: {refusal(event.source, fact.detail)}{unwatched}", fields)
    return Line(WARNING, f"{event.source}: no answer for {duration(fact.silent_ms / 1000)}{unwatched}", fields)


def _back(event: e.Event, fact: e.DeviceBack, _site: Site, _zone: tzinfo) -> Line:
    return Line(NOTICE, f"{event.source}: back after {duration(fact.lost_ms / 1000)}", {"seq": event.seq})


def _added(event: e.Event, fact: e.DeviceAdded, _site: Site, _zone: tzinfo) -> Line:
    fields: dict[str, object] = {"driver": fact.driver, "id": fact.device_id, "lease": fact.lease, "seq": event.seq}
    return Line(INFO, f"{event.source}: {fact.model} answers", fields)


def _stepped(event: e.Event, fact: e.ClockStepped, _site: Site, _zone: tzinfo) -> Line:
    way = "forward" if fact.by_ms > 0 else "back"
    return Line(WARNING, f"the clock was set {way} by {duration(abs(fact.by_ms) / 1000)}", {"seq": event.seq})


def _sink_lost(event: e.Event, fact: e.SinkLost, _site: Site, _zone: tzinfo) -> Line:
    fields: dict[str, object] = {"error": fact.error, "detail": fact.detail, "seq": event.seq}
    if fact.error == "access-denied":
        return Line(ACT, f"{event.source}: refuses what it is to be told; charging goes on", fields)
    return Line(WARNING, f"{event.source}: takes no message; what happens is kept and told later", fields)


def _sink_back(event: e.Event, _fact: e.SinkBack, _site: Site, _zone: tzinfo) -> Line:
    return Line(NOTICE, f"{event.source}: takes messages again", {"seq": event.seq})


def _meter_lost(event: e.Event, fact: e.MeterLost, site: Site, _zone: tzinfo) -> Line:
    channel = channel_at(site, fact.address)
    text = f"{channel.name}: {fault_text(site, fact)}{effect(site, channel)}; look: {next_step(channel)}"
    return Line(WARNING, text, {"error": fact.code, "seq": event.seq})


def _meter_back(event: e.Event, fact: e.MeterBack, site: Site, _zone: tzinfo) -> Line:
    name = channel_at(site, fact.address).name
    return Line(NOTICE, f"{name}: believed again after {duration(fact.lost_ms / 1000)}", {"seq": event.seq})


def _unrecorded(_event: e.Event, fact: e.RecordingLost, _site: Site, _zone: tzinfo) -> Line:
    return Line(
        ACT, "log: cannot be written; only switching off from here on, nothing is recorded", {"error": fact.error}
    )


def _recorded(event: e.Event, fact: e.RecordingBack, _site: Site, _zone: tzinfo) -> Line:
    return Line(NOTICE, f"log: writable again; {fact.kept} transactions had waited", {"seq": event.seq})


def _set_aside(event: e.Event, fact: e.LogSetAside, _site: Site, _zone: tzinfo) -> Line:
    text = f"log: damaged, kept at {fact.path}; a new one begins here and sessions start afresh"
    return Line(ACT, text, {"error": fact.error, "first_bad_seq": fact.first_bad_seq, "seq": event.seq})


def _dropped(event: e.Event, fact: e.ReadingsDropped, _site: Site, zone: tzinfo) -> Line:
    until = datetime.fromtimestamp(fact.to_ms / 1000, zone).date().isoformat()
    text = f"log: {fact.readings} readings up to {until} were kept long enough and are given up; all else stays"
    return Line(NOTICE, text, {"first_seq": fact.first_seq, "last_seq": fact.last_seq, "seq": event.seq})


_TELLERS: dict[type, Callable[[e.Event, Any, Site, tzinfo], Line | None]] = {
    e.ModeSet: _mode,
    e.TargetSet: _target,
    e.LimitSet: _limit,
    e.PlanSet: _plan,
    e.PlanFired: _plan_fired,
    e.HoldSet: _hold,
    e.HoldCleared: _release,
    e.ScheduleAdded: _schedule,
    e.ScheduleRemoved: _schedule,
    e.Decided: _decided,
    e.CommandIssued: _command,
    e.CommandFailed: _failed,
    e.LeaseTestBegun: _testing,
    e.LeaseTested: _tested,
    e.DeviceLost: _lost,
    e.DeviceBack: _back,
    e.DeviceAdded: _added,
    e.ClockStepped: _stepped,
    e.SinkLost: _sink_lost,
    e.SinkBack: _sink_back,
    e.MeterLost: _meter_lost,
    e.MeterBack: _meter_back,
    e.RecordingLost: _unrecorded,
    e.RecordingBack: _recorded,
    e.LogSetAside: _set_aside,
    e.ReadingsDropped: _dropped,
}
