"""EVSEs: what their readings say of the vehicle on them, when its session begins and ends, and what they can offer it."""

from __future__ import annotations

from msgspec import structs

from chargerd.engine import raises
from chargerd.engine.draft import Draft
from chargerd.engine.sessions import begun, ended, stopped
from chargerd.model.commands import SetCurrent, SetPhases
from chargerd.model.decision import Supply
from chargerd.model.events import ChargerRead, Event, Reason
from chargerd.model.settings import DAY_MS, LoadpointSettings
from chargerd.model.state import Charger, Device, Evse, Loadpoint, Raises

NOMINAL_V = 230.0
LIVE_V = 207.0  # a phase with less is not connected: ghost voltages of 60 and 125 V were seen on NRGkicks
FLOWS_A = 1.0  # a phase that takes less charges nothing (evcc)
DRAWS_W = 100.0  # an EVSE that takes less charges nothing
MIN_A = 6.0  # IEC 61851-1: the least that a pilot can offer
SETTLE_S = 60.0  # a vehicle takes so long to begin, and to show on how many phases it draws (evcc; openWB waits 40 s)
EXCESS_A = 1.0  # a vehicle may take so much more than it was told
FOLLOWS_S = 5.0  # a vehicle takes so long to follow a changed pilot (IEC 61851-1)
RECENT_S = 120.0  # what was drawn is remembered for so long, to be held against a meter that is read seldom
AGAIN_MS = 3_600_000  # an EVSE that does not say whether a vehicle is there is tried again after so long
PLUGGED_S = 120.0  # a charge that begins so soon after plugging in is the EVSE's own doing
LATE_S = 30.0  # a command may be carried out so late, by a device that hung
PHASE_TRIES = 2  # a change of phases that does not come about is asked for so often
Phases = tuple[float | None, float | None, float | None]
CONNECTED = frozenset("BCD")
DRAWING = frozenset("CD")
FAULTY = frozenset("EF")  # the EVSE says nothing of the vehicle then; it is most likely still there


def followed(
    evse: Evse | None, read: ChargerRead, before: Charger | None, after: Charger, t_ms: int, first_phase: str = "L1"
) -> Evse:
    """What is known of an EVSE after one more reading of it. ``first_phase``: where in the house its own L1 is connected."""
    old = evse or Evse()
    currents = _turned((read.current_l1_a, read.current_l2_a, read.current_l3_a), first_phase)
    voltages = _turned((read.voltage_l1_v, read.voltage_l2_v, read.voltage_l3_v), first_phase)
    flows = draws(read.power_w, currents, read.pilot)
    begun_t_ms = old.begun_t_ms
    if after.enabled is not True:
        begun_t_ms = None
    elif begun_t_ms is None or (before is not None and before.enabled is not True) or read.held:
        begun_t_ms = t_ms
    drawn_t_ms = old.drawn_t_ms if begun_t_ms is not None and begun_t_ms == old.begun_t_ms else None
    live = old.live
    if flows and begun_t_ms is not None:
        drawn_t_ms = t_ms
        if t_ms - begun_t_ms >= SETTLE_S * 1000 and read.phases in (None, 2, 3):
            live = live_phases(currents, voltages) or live
    gone = read.pilot is not None and read.pilot not in CONNECTED | FAULTY
    stray = flows and after.enabled is False
    return structs.replace(
        old,
        pilot=read.pilot,
        offered_a=read.offered_a,
        phases=read.phases,
        currents_a=currents,
        voltages_v=voltages,
        status=read.status,
        live=None if gone else live,
        begun_t_ms=begun_t_ms,
        drawn_t_ms=drawn_t_ms,
        stray_t_ms=None if not stray else t_ms if old.stray_t_ms is None else old.stray_t_ms,
        tries=0 if flows or gone else old.tries,
        phase_tries=0 if gone or read.phases == old.asked_phases else old.phase_tries,
        switches=_switched(old, read.phases, t_ms),
        recent=_remembered(old, currents, t_ms),
        lines=tuple(n for n, a in enumerate(currents) if a is not None and a > FLOWS_A) or old.lines,
        raises=Raises() if gone else raises.seen(old.raises, read.offered_a if after.enabled else None, t_ms),
        held=bool(read.held),
        plugged_t_ms=_plugged_t_ms(old, read.pilot, t_ms),
    )


def _plugged_t_ms(old: Evse, pilot: str | None, t_ms: int) -> int | None:
    if pilot is None or pilot in FAULTY:
        return old.plugged_t_ms
    if pilot not in CONNECTED:
        return None
    return t_ms if old.plugged_t_ms is None else old.plugged_t_ms


def _turned(of_charger: Phases, first_phase: str) -> Phases:
    """What an EVSE says of its L1, L2 and L3, as of those of the house."""
    if first_phase == "L1":
        return of_charger
    one, two, three = of_charger
    return (three, one, two) if first_phase == "L2" else (two, three, one)


def _switched(old: Evse, phases: int | None, t_ms: int) -> tuple[int, ...]:
    """The changes of phases of the last day, counted where they are seen: what was refused wears nothing."""
    if phases is None or old.phases is None or phases == old.phases:
        return old.switches
    return (*(at for at in old.switches if at > t_ms - DAY_MS), t_ms)


def _remembered(
    old: Evse, currents: tuple[float | None, ...], t_ms: int
) -> tuple[tuple[int, tuple[float, float, float]], ...]:
    """What was drawn in the last seconds; nothing where no currents are said."""
    if all(current is None for current in currents):
        return ()
    one, two, three = (current or 0.0 for current in currents)
    from_ms = t_ms - round(RECENT_S * 1000)
    before = [pair for pair in old.recent if pair[0] < from_ms][-1:]
    return (*before, *(pair for pair in old.recent if pair[0] >= from_ms), (t_ms, (one, two, three)))


def connected(evse: Evse | None) -> bool:
    """Whether a vehicle is there, or may be: an EVSE that does not say counts as one that has one."""
    return evse is not None and (evse.pilot is None or evse.pilot in CONNECTED)


def faulty(evse: Evse | None) -> bool:
    """Whether an EVSE says that something is wrong, with it or with the vehicle on it."""
    return evse is not None and evse.pilot in FAULTY


def draws(power_w: float | None, currents_a: tuple[float | None, ...], pilot: str | None) -> bool:
    """Whether a vehicle takes anything worth the name. An EVSE that measures nothing knows it by the pilot alone."""
    if power_w is not None:
        return power_w > DRAWS_W
    if all(current is None for current in currents_a):
        return pilot in DRAWING
    return any(current is not None and current > FLOWS_A for current in currents_a)


def live_phases(currents_a: tuple[float | None, ...], voltages_v: tuple[float | None, ...]) -> int | None:
    """On how many phases current flows; None where no current is said. A ghost of a voltage is no phase."""
    if all(current is None for current in currents_a):
        return None
    pairs = zip(currents_a, voltages_v, strict=True)
    return sum(a is not None and a > FLOWS_A and (v is None or v > LIVE_V) for a, v in pairs)


def by_hand(draft: Draft, address: str, before: Charger, after: Evse, *, enabled: bool) -> bool:
    """Whether a change that we did not ask for is somebody's, at the button or in the vehicle, and not the EVSE's own.

    An EVSE that was not read for a while may have been without power, and some come up charging; some begin by themselves when a
    vehicle is connected. So a beginning is somebody's only where it was seen to happen, with the vehicle there for a while and
    no command of ours under way. A pause is not, when nobody watched because the daemon was not there.
    """
    if before.seq < draft.run_seq:
        return False
    if not enabled:
        return True
    name = draft.by_charger.get(address)
    if name is None:
        return False
    if before.enabled is None:
        return False
    device, max_age_s = draft.devices[address.partition("/")[0]], draft.configuration.device_of(address).max_age_s
    if max(device.failed_seq, device.back_seq) > before.seq or draft.t_ms - before.t_ms > max_age_s * 1000:
        return False
    told_t_ms = max(after.asked_t_ms, after.switched_t_ms or 0)
    return draft.t_ms - told_t_ms > LATE_S * 1000 and _plugged_long(draft, name, after)


def _plugged_long(draft: Draft, name: str, evse: Evse) -> bool:
    """Whether a vehicle has been there for a while. An EVSE that never says so is taken to have one in its sessions only."""
    since_t_ms, session = evse.plugged_t_ms, draft.loadpoints[name].session
    if since_t_ms is None and session is not None:
        since_t_ms = session.started_t_ms
    return since_t_ms is not None and draft.t_ms - since_t_ms > PLUGGED_S * 1000


def effective(charger: Charger) -> bool:
    """Whether an EVSE does what it was told last: paused and nothing flows, or offering what was asked."""
    evse = charger.evse
    if evse is None or evse.asked_a is None:
        return True
    if evse.asked_a == 0:
        return charger.enabled is False and evse.stray_t_ms is None
    if charger.enabled is not True:
        return False
    return evse.offered_a is None or abs(evse.offered_a - evse.asked_a) < raises.FOLLOWS_A


def told(charger: Charger, command: SetCurrent | SetPhases, t_ms: int) -> Charger:
    """The charger once a command of its kind has gone out; what it brings is seen by reading."""
    evse = charger.evse or Evse()
    if isinstance(command, SetPhases):
        tries = evse.phase_tries + 1 if command.phases == evse.asked_phases else 1
        evse = structs.replace(evse, asked_phases=command.phases, phase_tries=tries, switched_t_ms=t_ms)
        return structs.replace(charger, evse=evse)
    offered_a = evse.offered_a if charger.enabled else None
    evse = structs.replace(evse, raises=raises.told(evse.raises, offered_a, command.current_a, t_ms))
    offered_anew = command.enabled and charger.enabled is not True and not evse.asked_a
    tries = evse.tries + 1 if offered_anew else evse.tries
    evse = structs.replace(evse, before=_told_before(evse, offered_a, command.current_a, t_ms), tries=tries)
    return structs.replace(charger, evse=structs.replace(evse, asked_a=command.current_a, asked_t_ms=t_ms))


def _told_before(evse: Evse, offered_a: float | None, current_a: float, t_ms: int) -> tuple[tuple[int, float], ...]:
    """The currents that were asked for until now, as long as a vehicle may show in a meter what it took by them."""
    until_a = evse.asked_a if evse.asked_a is not None else offered_a or 0.0
    kept = tuple(pair for pair in evse.before if pair[0] >= t_ms - round(RECENT_S * 1000))
    return kept if until_a == current_a else (*kept, (t_ms, until_a))


def plugged(draft: Draft, event: Event, name: str, before: Evse | None, after: Evse) -> None:
    """Begin a session when a vehicle has been connected, and end it when it has gone; a fault is neither."""
    if faulty(after):
        return
    loadpoint = draft.loadpoints[name]
    there = after.pilot in CONNECTED if after.pilot is not None else None
    was = before is not None and before.pilot in CONNECTED
    if there is False:
        if loadpoint.session is not None:
            loadpoint = ended(draft, loadpoint, event.at_ms, "disconnected", Reason("disconnected", {}, (event.seq,)))
        if loadpoint.sated or was:  # what was asked before it comes is meant for it
            loadpoint = _left(loadpoint)
        draft.loadpoints[name] = loadpoint
    elif loadpoint.session is None and _begins(draft, event.source, name, there=there is True):
        draft.loadpoints[name] = served(draft, event, loadpoint, name)
    elif loadpoint.session is not None and there is None and _over(draft, event.source, name, after):
        reason = stopped(loadpoint.mode_by, event.seq)
        draft.loadpoints[name] = ended(draft, loadpoint, event.at_ms, "stopped", reason)


def _over(draft: Draft, device: str, name: str, evse: Evse) -> bool:
    """Whether a charge at an EVSE that never says whether a vehicle is there is over: somebody wants it off, and nothing flows."""
    mode = draft.loadpoints[name].mode or draft.configuration.loadpoints[name].mode
    return mode == "off" and evse.begun_t_ms is None and evse.stray_t_ms is None and not draft.devices[device].has_pilot


def served(draft: Draft, event: Event, loadpoint: Loadpoint, name: str) -> Loadpoint:
    """The loadpoint with a session that begins now.

    At an EVSE that does not say whether a vehicle is there it may be another one by now: on how many phases the last one drew says
    nothing of it.
    """
    address = draft.configuration.loadpoints[name].charger
    charger = draft.chargers[address]
    if charger.evse is not None and not draft.devices[address.partition("/")[0]].has_pilot:
        draft.chargers[address] = structs.replace(charger, evse=structs.replace(charger.evse, live=None))
    return structs.replace(loadpoint, session=begun(draft, event, loadpoint, name), sated=False)


def _begins(draft: Draft, source: str, name: str, *, there: bool) -> bool:
    """Whether a vehicle is to be served now. One without a pilot is tried while its mode is not off.

    One that has a pilot and says nothing of it at the moment, such as while it starts, will say: nothing is begun on a guess.
    """
    loadpoint = draft.loadpoints[name]
    if there:
        return not loadpoint.sated
    if draft.devices[source].has_pilot:
        return False
    if (loadpoint.mode or draft.configuration.loadpoints[name].mode) == "off":
        return False
    last = loadpoint.last_session
    return not loadpoint.sated or last is None or draft.at_ms - (last.ended_at_ms or 0) > AGAIN_MS


def _left(loadpoint: Loadpoint) -> Loadpoint:
    """What was asked for a vehicle goes with it, unless it was asked until a time."""
    if loadpoint.mode_until_ms is not None:
        return structs.replace(loadpoint, sated=False)
    return structs.replace(loadpoint, sated=False, mode=None, mode_by="")


def voltage_v(charger: Charger | None) -> float:
    """Mean voltage of the phases that are connected, as the charger measures it; 230 V if it does not."""
    if charger is None:
        return NOMINAL_V
    known = [] if charger.evse is None else [v for v in charger.evse.voltages_v if v is not None and v > LIVE_V]
    if not known and charger.voltage_v is not None and charger.voltage_v > LIVE_V:
        return charger.voltage_v
    return sum(known) / len(known) if known else NOMINAL_V


def can_switch_phases(settings: LoadpointSettings, device: Device) -> bool:
    """Whether the number of phases is ours to choose at this loadpoint."""
    vehicle = settings.vehicle
    bears = vehicle is None or (vehicle.switch_phases and vehicle.max_phases > 1)
    return settings.switch_phases and bears and settings.max_phases >= 3 and "SetPhases" in device.accepts


def _rests_until_ms(settings: LoadpointSettings, evse: Evse, t_ms: int, *, up: bool) -> int | None:
    """When phases may be changed again, None if now. One more than a day's changes goes down: else little sun would be lost."""
    allowed = settings.max_switches_per_day
    allowed += 0 if up or not allowed else 1
    made = [at for at in evse.switches if at > t_ms - DAY_MS]
    ends = [made[-1] + round(settings.phase_pause_s * 1000)] if made else []
    if len(made) >= allowed:
        ends.append(made[-allowed] + DAY_MS if allowed else t_ms + DAY_MS)
    until_ms = max(ends, default=t_ms)
    return until_ms if until_ms > t_ms else None


def supply_of(settings: LoadpointSettings, device: Device, charger: Charger | None, t_ms: int | None = None) -> Supply:
    """What can be offered, from what the EVSE, the vehicle and the settings allow and from what was measured.

    ``t_ms`` None: at any time, whether or not phases rest at the moment.
    """
    vehicle, evse = settings.vehicle, charger.evse if charger is not None else None
    live = None if evse is None else evse.live
    most = min(settings.max_phases, 3 if vehicle is None else vehicle.max_phases, device.max_phases or 3)
    used = most if not live else min(live, most if vehicle is not None else live)
    now = (evse.phases if evse is not None else None) or device.max_phases or 3
    choices: tuple[int, ...] = (now,)
    stuck = evse is not None and evse.phase_tries >= PHASE_TRIES and evse.phases != evse.asked_phases
    if can_switch_phases(settings, device) and not stuck:  # one that refuses is left as it is until the vehicle goes
        choices = (1, 3) if used > 1 else (now,)
    now = now if now in choices else choices[0]
    rests_ms = None
    if evse is not None and t_ms is not None and len(choices) > 1:
        rests_ms = _rests_until_ms(settings, evse, t_ms, up=now == choices[0])
    min_a = max(
        settings.min_current_a, device.min_current_a or MIN_A, MIN_A if vehicle is None else vehicle.min_current_a
    )
    max_a = min(
        settings.max_current_a, device.max_current_a or 80.0, 80.0 if vehicle is None else vehicle.max_current_a
    )
    if evse is not None and evse.raises.capped and evse.raises.stays_a is not None:
        max_a = min(max_a, max(min_a, evse.raises.stays_a))
    return Supply(
        min_a,
        max_a,
        device.current_step_a or 1.0,
        choices,
        tuple(min(choice, used) for choice in choices),
        now,
        voltage_v(charger),
        rests_ms,
    )


def drawn_w(charger: Charger) -> float | None:
    """What a charger takes by its last reading: as it says, or from its currents; None where it says nothing."""
    if charger.power_w is not None:
        return charger.power_w
    if charger.enabled is False and charger.evse is None:
        return 0.0
    currents = [] if charger.evse is None else [a for a in charger.evse.currents_a if a is not None]
    return sum(currents) * voltage_v(charger) if currents else None
