"""Evolve: what we believe after a fact. No decisions are made here.

`fold` takes a whole run of events: it works on a draft of its own and so costs one copy of the state, not one an event.
From outside it is a pure function: the state given is never changed, and a fold over parts equals the fold over the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import structs

from chargerd.engine import balance, devices, evses, meters, people, raises, silence, sun
from chargerd.engine.draft import Draft
from chargerd.engine.people import reaimed, unset, without_vehicle
from chargerd.engine.sessions import ended, measured, stopped, supplied, taken
from chargerd.engine.settings import value_of
from chargerd.model import windows
from chargerd.model.commands import SetCurrent, SetEnabled, SetPhases
from chargerd.model.events import (
    ChargerRead,
    ClockStepped,
    CommandDone,
    CommandFailed,
    CommandIssued,
    ConfigLoaded,
    DaemonStarted,
    DaemonStopped,
    DaemonStopping,
    Decided,
    DeviceAdded,
    DeviceBack,
    DeviceLost,
    DeviceRemoved,
    Event,
    HoldCleared,
    HoldSet,
    LeaseTestBegun,
    LeaseTested,
    LimitSet,
    LogSetAside,
    MeterBack,
    MeterLost,
    MeterRead,
    ModeSet,
    PlanFired,
    PlanSet,
    ReadFailed,
    ReadingsDropped,
    Reason,
    RecordingBack,
    RecordingLost,
    ScheduleAdded,
    ScheduleFired,
    ScheduleRemoved,
    SinkBack,
    SinkLost,
    StorageRead,
    TargetSet,
    Tick,
)
from chargerd.model.reasons import word
from chargerd.model.settings import DAY_MS, Configuration, LoadpointSettings, address_of
from chargerd.model.state import Charger, Device, Loadpoint, Pending, Site, Unsent, Witness

LONGEST_DAY_MS = 25 * 3_600_000  # the one on which summer time ends
RETRY_S = (10, 30, 90)  # waits between attempts of a command without effect; the last one repeats


def fold(site: Site, events: Iterable[Event]) -> Site:
    """The state after the events, in their order. Raises KeyError for a kind of event that has no handler here."""
    draft = Draft(site)
    handlers = _HANDLERS
    seq, at_ms, mono_ms, boot = site.seq, site.at_ms, site.mono_ms, site.boot
    for event in events:
        # The events of one tick share their moment.
        if event.mono_ms != mono_ms or event.at_ms != at_ms or event.boot != boot:
            draft.t_ms += event.mono_ms - mono_ms if event.boot == boot else max(0, event.at_ms - at_ms)
            draft.at_ms, draft.mono_ms, draft.boot = at_ms, mono_ms, boot = event.at_ms, event.mono_ms, event.boot
        seq, body = event.seq, event.body
        handlers[type(body)](draft, event, body)
    draft.seq = seq  # handlers go by their own event's
    return draft.freeze()


def clock_at(site: Site, event: Event) -> int:
    """The engine's clock at an event that has not been folded in yet."""
    return site.t_ms + (event.mono_ms - site.mono_ms if event.boot == site.boot else max(0, event.at_ms - site.at_ms))


# Readings


def _charger_read(draft: Draft, event: Event, read: ChargerRead) -> None:
    source, seq, t_ms = event.source, event.seq, draft.t_ms
    address = address_of(source, read.channel)
    device = draft.devices.get(source)
    if (
        device is None
        or not device.reachable
        or device.failing_since_ms is not None
        or not device.heard
        or device.testing is not None
    ):
        device = devices.heard(device or Device(), read)
        draft.devices[source] = device
    enabled, power_w = read.enabled, read.power_w
    old = draft.chargers.get(address)
    if old is None:
        charger = Charger(
            seq, event.at_ms, t_ms, enabled, power_w, read.voltage_v, read.current_a, read.energy_wh,
            read.lease_s, read.timer, t_ms, foreign=enabled is True and _starts_charge(draft, address), power_t_ms=t_ms,
            known_w=power_w or 0.0, measured_at_ms=read.measured_at_ms,
        )  # fmt: skip
        draft.chargers[address] = charger
        if read.pilot is not None or read.offered_a is not None:
            _evse_read(draft, event, read, address, None, charger)
        return
    asked, attempts, foreign = old.asked, old.attempts, old.foreign
    if enabled is old.enabled or enabled is None:
        since_ms = old.enabled_t_ms
    else:
        since_ms = t_ms
        foreign = device.testing != read.channel and _is_foreign(draft, source, old, enabled)
    if attempts and enabled is asked:
        attempts = 0
    if power_w is None and enabled and since_ms != t_ms:
        power_t_ms, known_w = old.power_t_ms, old.known_w
    else:
        power_t_ms, known_w = t_ms, power_w or 0.0
    at_ms, seen_t_ms, measured_at_ms = event.at_ms, t_ms, read.measured_at_ms
    if measured_at_ms is not None and measured_at_ms == old.measured_at_ms:
        at_ms, seen_t_ms = old.at_ms, old.t_ms  # said once more; what was measured is as old as before
    charger = Charger(
        seq, at_ms, seen_t_ms, enabled, power_w, read.voltage_v, read.current_a, read.energy_wh,
        read.lease_s, read.timer, since_ms, old.pending, asked, foreign, attempts, old.retry_t_ms,
        old.leased_t_ms, old.leased_s, old.starts, power_t_ms, known_w, None, measured_at_ms,
    )  # fmt: skip
    draft.chargers[address] = charger
    if old.evse is not None or read.pilot is not None or read.offered_a is not None:
        _evse_read(draft, event, read, address, old, charger)
        return
    name = draft.by_charger.get(address)
    if name is not None:
        loadpoint = draft.loadpoints[name]
        if loadpoint.session is not None and seen_t_ms == t_ms:
            session = measured(loadpoint.session, old, enabled, power_w, t_ms, draft.configuration)
            draft.loadpoints[name] = structs.replace(loadpoint, session=session)
        elif loadpoint.taken_wh is not None:
            taken_wh = loadpoint.taken_wh + taken(old, charger)
            draft.loadpoints[name] = structs.replace(loadpoint, taken_wh=taken_wh)


def _starts_charge(draft: Draft, address: str) -> bool:
    """Whether a charger that is on when it is first seen has a battery on it, which is charged then. Else nobody has pressed."""
    name = draft.by_charger.get(address)
    return name is None or draft.configuration.loadpoints[name].kind == "battery"


def _evse_read(draft: Draft, event: Event, read: ChargerRead, address: str, old: Charger | None, new: Charger) -> None:
    """What an EVSE says beyond what a plug says: the vehicle on it, what it is offered and on how many phases it draws."""
    before, name = None if old is None else old.evse, draft.by_charger.get(address)
    first_phase = "L1" if name is None else draft.configuration.loadpoints[name].first_phase
    evse = evses.followed(before, read, old, new, draft.t_ms, first_phase)
    # An EVSE that pauses because something is wrong is not somebody at its button.
    foreign = new.foreign and old is not None and not evses.faulty(evse)
    if foreign and old is not None and new.enabled is not None and new.enabled is not old.enabled:
        foreign = evses.by_hand(draft, address, old, evse, enabled=new.enabled)
    new = structs.replace(new, evse=evse, foreign=foreign)
    power_w = evses.drawn_w(new)
    if power_w is not None:
        new = structs.replace(new, power_t_ms=draft.t_ms, known_w=power_w)
    if old is not None and old.attempts and not evses.effective(new):
        new = structs.replace(new, attempts=old.attempts)
    draft.chargers[address] = new
    if name is None:
        return
    evses.plugged(draft, event, name, before, evse)
    loadpoint = draft.loadpoints[name]
    if loadpoint.session is not None and old is not None and new.t_ms == draft.t_ms:
        session = supplied(loadpoint.session, old, power_w, draft.t_ms, draft.configuration, draft.sky)
        draft.loadpoints[name] = structs.replace(loadpoint, session=session)


def _meter_read(draft: Draft, event: Event, read: MeterRead) -> None:
    devices.answered(draft, event.source)
    address = address_of(event.source, read.channel)
    meter = meters.measured_by(draft.meters.get(address), read, event.seq, event.at_ms, draft.t_ms)
    draft.meters[address] = balance.witnessed(draft, address, meter) if draft.sunny else meter


def _storage_read(draft: Draft, event: Event, read: StorageRead) -> None:
    devices.answered(draft, event.source)
    address = address_of(event.source, read.channel)
    draft.storages[address] = meters.stored_in(
        draft.storages.get(address), read, event.seq, event.at_ms, draft.t_ms, meters.fed_w(draft, draft.t_ms)
    )


def _is_foreign(draft: Draft, source: str, old: Charger, enabled: bool) -> bool:
    """Whether the relay was moved by somebody else: it had followed us, and now it has left what we asked for."""
    if old.pending is not None:
        return False  # it may show what an earlier command of ours did
    if enabled is old.asked or (old.enabled is not old.asked and old.asked is not None):
        return False
    if enabled or old.asked is None:
        return enabled
    if old.leased_t_ms is not None and draft.t_ms >= old.leased_t_ms + (old.leased_s or 0) * 1000 - 5000:
        return False  # our own lease ran out
    return draft.devices[source].back_seq < old.seq  # a plug that was lost in between may have lost its power


# What was decided and done


def _decided(draft: Draft, event: Event, fact: Decided) -> None:
    loadpoint = draft.loadpoints.get(fact.loadpoint)
    if loadpoint is None:
        return
    shown, before = fact.limit or fact.reason, loadpoint.decided
    since_ms = loadpoint.state_since_ms
    if before is None or _shown_word(before) != _shown_word(fact):
        since_ms = event.at_ms
    loadpoint = structs.replace(
        loadpoint, decided=fact, decided_seq=event.seq, decided_at_ms=event.at_ms, state_since_ms=since_ms
    )
    if fact.outcome is not None and loadpoint.session is not None:
        loadpoint = ended(draft, loadpoint, event.at_ms, fact.outcome, shown)
        loadpoint = structs.replace(loadpoint, sated=True)
        lasts = loadpoint.mode_until_ms is not None or loadpoint.mode_while_connected
        if fact.outcome != "full-or-refused" or not lasts:  # what has an end of its own does not end with the charge
            loadpoint = unset(loadpoint)
    draft.loadpoints[fact.loadpoint] = loadpoint


def _shown_word(fact: Decided) -> str:
    return word(fact.limit or fact.reason, flows=fact.grant.enabled is not False)


def _command_issued(draft: Draft, event: Event, fact: CommandIssued) -> None:
    command, t_ms = fact.command, draft.t_ms
    charger = draft.chargers.get(command.device)
    if charger is None:
        charger = Charger(0, 0, 0, None, None, None, None, None, None, None, t_ms)
    if isinstance(command, SetPhases):
        charger = structs.replace(evses.told(charger, command, t_ms), pending=Pending(event.seq, command, t_ms))
        draft.chargers[command.device] = charger
        return
    again, charger = _told(charger, command, t_ms)
    attempts, starts = (charger.attempts if again else 0), charger.starts
    if charger.enabled is not command.enabled:
        attempts += 1
        if command.enabled:
            starts = (*(start for start in starts if start > t_ms - DAY_MS), t_ms)
    elif again and not evses.effective(charger):
        attempts += 1
    retry_s = RETRY_S[min(max(attempts, 1), len(RETRY_S)) - 1]
    draft.chargers[command.device] = structs.replace(
        charger,
        pending=Pending(event.seq, command, t_ms),
        asked=command.enabled,
        foreign=False,
        attempts=attempts,
        retry_t_ms=t_ms + retry_s * 1000,
        starts=starts,
    )


def _told(charger: Charger, command: SetEnabled | SetCurrent, t_ms: int) -> tuple[bool, Charger]:
    """Whether the same was asked before, and the charger as it is once it is asked now."""
    if isinstance(command, SetEnabled):
        return charger.asked is command.enabled, charger
    again = charger.evse is not None and charger.evse.asked_a == command.current_a
    return again, evses.told(charger, command, t_ms)


def _command_done(draft: Draft, event: Event, fact: CommandDone) -> None:
    found = _pending(draft, fact.issued)
    if found is None:
        return
    address, charger, pending = found
    if charger.evse is not None and charger.evse.refused:
        charger = structs.replace(charger, evse=structs.replace(charger.evse, refused=""))
    if isinstance(pending.command, SetPhases):
        draft.chargers[address] = structs.replace(charger, pending=None)
        return
    leased_s = pending.command.lease_s
    # The lease began in the device at some moment after the command went out; counting from then errs on the safe side.
    leased_t_ms = None if leased_s is None else pending.t_ms
    draft.chargers[address] = structs.replace(charger, pending=None, leased_t_ms=leased_t_ms, leased_s=leased_s)


def _command_failed(draft: Draft, event: Event, fact: CommandFailed) -> None:
    found = _pending(draft, fact.issued)
    if found is None:
        return
    address, charger, pending = found
    retry_t_ms = charger.retry_t_ms
    if isinstance(pending.command, SetPhases):
        retry_t_ms = pending.t_ms + RETRY_S[1] * 1000
    elif charger.enabled is pending.command.enabled and evses.effective(charger):
        # only its lease was to be renewed; a plug that cannot is not pestered
        retry_t_ms = pending.t_ms + RETRY_S[-1] * 1000
    charger = structs.replace(charger, pending=None, retry_t_ms=retry_t_ms)
    if charger.evse is not None:
        refused = "" if fact.error == "unreachable" else fact.detail  # its own words, not those of the network
        evse = structs.replace(charger.evse, refused=refused, raises=raises.lost(charger.evse.raises))
        charger = structs.replace(charger, evse=evse)
    draft.chargers[address] = charger


def _pending(draft: Draft, issued: int) -> tuple[str, Charger, Pending] | None:
    for address, charger in draft.chargers.items():
        if charger.pending is not None and charger.pending.issued == issued:
            return address, charger, charger.pending
    return None


# The daemon itself


def _daemon_started(draft: Draft, event: Event, fact: DaemonStarted) -> None:
    draft.run_seq, draft.boot_id = event.seq, fact.boot_id
    draft.stopping, draft.recording, draft.set_aside = False, True, ""
    draft.devices = {name: structs.replace(device, heard=False) for name, device in draft.devices.items()}
    for address, charger in draft.chargers.items():
        if charger.pending is not None:  # what became of it nobody knows; the next reading will show
            draft.chargers[address] = structs.replace(charger, pending=None)


def _daemon_stopping(draft: Draft, event: Event, fact: DaemonStopping) -> None:
    draft.stopping = True


def _nothing(draft: Draft, event: Event, fact: object) -> None:
    """The envelope is all that counts."""


def _tick(draft: Draft, event: Event, fact: Tick) -> None:
    wall_ms = draft.at_ms + draft.skew_ms
    # A midnight that is far ahead was reckoned while the clock was wrong.
    if not draft.midnight_ms - LONGEST_DAY_MS <= wall_ms < draft.midnight_ms:
        _day_begins(draft)
    if draft.sunny:
        draft.sky, suns = sun.advanced(draft, draft.t_ms)
        for name, followed in suns.items():
            draft.loadpoints[name] = structs.replace(draft.loadpoints[name], sun=followed)
    if draft.unbelieved or draft.configuration.meters or draft.configuration.storages:
        draft.unbelieved = silence.followed(draft, draft.t_ms)


def _day_begins(draft: Draft) -> None:
    """What was taken so far is yesterday's."""
    wall_ms, zone = draft.at_ms + draft.skew_ms, windows.zone(draft.configuration.timezone)
    draft.midnight_ms = windows.midnight_ms(wall_ms, zone)
    for name, loadpoint in draft.loadpoints.items():
        running = loadpoint.session
        dawn_wh = (loadpoint.taken_wh or 0.0) if running is None else running.energy_wh
        draft.loadpoints[name] = structs.replace(loadpoint, dawn_wh=dawn_wh)


def _config_loaded(draft: Draft, event: Event, fact: ConfigLoaded) -> None:
    new, old = fact.configuration, draft.configuration
    for name in [n for n in draft.loadpoints if n not in new.loadpoints]:
        ended(
            draft,
            draft.loadpoints.pop(name),
            event.at_ms,
            "removed-from-configuration",
            Reason("removed-from-configuration"),
        )
    if new.meters != old.meters:  # what moved the wrong way may have been turned
        draft.meters = {a: structs.replace(meter, witness=Witness()) for a, meter in draft.meters.items()}
    draft.configuration, draft.config_seq, draft.config_at_ms = new, event.seq, event.at_ms
    led = draft.by_charger
    draft.by_charger = {settings.charger: name for name, settings in new.loadpoints.items()}
    draft.sunny = balance.order(new)
    draft.devices = {name: draft.devices.get(name, Device()) for name in new.devices}
    draft.sinks = {name: unsent for name, unsent in draft.sinks.items() if name in new.sinks}
    for name, settings in new.loadpoints.items():
        before = old.loadpoints.get(name)
        if before is not None and before.kind != settings.kind and name in draft.loadpoints:
            reason = Reason("removed-from-configuration")  # it is another thing now, and nothing of the old one holds
            ended(draft, draft.loadpoints.pop(name), event.at_ms, "removed-from-configuration", reason)
        draft.loadpoints[name] = reaimed(draft, name, _carried(draft, event, before, settings))
    _rewired(draft, old, led)
    known = {e.entry: e for e in old.schedule}
    fresh = [e.entry for e in new.schedule if known.get(e.entry) != e]
    draft.fired = {**draft.fired, **dict.fromkeys(fresh, event.at_ms + draft.skew_ms)}


def _carried(draft: Draft, event: Event, before: LoadpointSettings | None, settings: LoadpointSettings) -> Loadpoint:
    """What of a loadpoint goes on under another configuration.

    What was set at run time ends where the file now says something else about that very key. Another charger has another
    vehicle, or none: neither the session nor the mode was meant for that, be it the "off" for the charger that it leaves, nor
    what was asked until its vehicle leaves.
    """
    loadpoint = draft.loadpoints.get(settings.name, Loadpoint())
    if settings.kind == "consumer" and loadpoint.taken_wh is None:
        loadpoint = structs.replace(loadpoint, taken_wh=0.0)
    if before is not None and before.charger != settings.charger:
        loadpoint = ended(draft, loadpoint, event.at_ms, "stopped", stopped("configuration", event.seq))
        loadpoint = structs.replace(without_vehicle(loadpoint), sated=False)
    if before is not None and (before.charger, before.mode) != (settings.charger, settings.mode):
        loadpoint = unset(loadpoint)
    if before is not None and before.target != settings.target:
        loadpoint = structs.replace(
            loadpoint, target=None, target_by="", target_once=False, target_until_ms=None, standing_target=None
        )
    overrides = {k: o for k, o in loadpoint.overrides.items() if o.configured == value_of(settings, k)}
    return structs.replace(loadpoint, overrides=overrides)


def _rewired(draft: Draft, old: Configuration, led: Mapping[str, str]) -> None:
    """Forget of each charger what followed from the loadpoint that led it: on which phases of the house it draws, who pressed."""
    for address, charger in draft.chargers.items():
        names = ((old, led.get(address, "")), (draft.configuration, draft.by_charger.get(address, "")))
        was, now = (configuration.loadpoints.get(name) for configuration, name in names)
        if was == now or (was and now and _place(was) == _place(now)):
            continue
        evse = charger.evse
        if evse is not None:
            evse = structs.replace(evse, lines=(), recent=(), currents_a=(None, None, None))
        foreign = charger.foreign and _starts_charge(draft, address)
        draft.chargers[address] = structs.replace(charger, evse=evse, foreign=foreign)


def _place(settings: LoadpointSettings) -> tuple[str, str, str]:
    return settings.name, settings.kind, settings.first_phase


def _clock_stepped(draft: Draft, event: Event, fact: ClockStepped) -> None:
    draft.skew_ms = min(0, draft.skew_ms + fact.by_ms)


def _log_set_aside(draft: Draft, event: Event, fact: LogSetAside) -> None:
    draft.set_aside = fact.path


def _sink_lost(draft: Draft, event: Event, fact: SinkLost) -> None:
    draft.sinks = {**draft.sinks, event.source: Unsent(fact.error, fact.detail, event.at_ms)}


def _sink_back(draft: Draft, event: Event, fact: SinkBack) -> None:
    draft.sinks = {name: unsent for name, unsent in draft.sinks.items() if name != event.source}


def _recording_lost(draft: Draft, event: Event, fact: RecordingLost) -> None:
    draft.recording = False


def _recording_back(draft: Draft, event: Event, fact: RecordingBack) -> None:
    draft.recording = True


_HANDLERS: dict[type, Callable[[Draft, Event, Any], None]] = {
    ChargerRead: _charger_read,
    MeterRead: _meter_read,
    StorageRead: _storage_read,
    ReadFailed: devices.read_failed,
    DeviceLost: devices.device_lost,
    DeviceBack: devices.device_back,
    DeviceAdded: devices.device_added,
    DeviceRemoved: devices.device_removed,
    ModeSet: people.mode_set,
    TargetSet: people.target_set,
    LimitSet: people.limit_set,
    PlanSet: people.plan_set,
    PlanFired: people.plan_fired,
    HoldSet: people.hold_set,
    HoldCleared: people.hold_cleared,
    ScheduleAdded: people.schedule_added,
    ScheduleRemoved: people.schedule_removed,
    ScheduleFired: people.schedule_fired,
    Decided: _decided,
    CommandIssued: _command_issued,
    CommandDone: _command_done,
    CommandFailed: _command_failed,
    LeaseTestBegun: devices.lease_test_begun,
    LeaseTested: devices.lease_tested,
    DaemonStarted: _daemon_started,
    DaemonStopping: _daemon_stopping,
    DaemonStopped: _nothing,
    ConfigLoaded: _config_loaded,
    ClockStepped: _clock_stepped,
    LogSetAside: _log_set_aside,
    ReadingsDropped: _nothing,
    SinkLost: _sink_lost,
    SinkBack: _sink_back,
    MeterLost: silence.meter_lost,
    MeterBack: silence.meter_back,
    RecordingLost: _recording_lost,
    RecordingBack: _recording_back,
    Tick: _tick,
}
