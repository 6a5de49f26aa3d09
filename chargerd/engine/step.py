"""Step: one fact in, the new state and what follows from it out. The whole of chargerd's thinking passes through here.

A fact other than a tick only changes what we believe. A `Tick` closes a transaction: what has come due happens, every
loadpoint's policy says what it wants, limits say what may be, and the difference to what the charger reports is a command.
All of that comes back as events, in the order in which the log has them, with the tick itself at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from chargerd.engine import balance, evses, limits, meters, silence, steer, sun, timeline
from chargerd.engine.evolve import clock_at, fold
from chargerd.engine.evselimits import fitted
from chargerd.engine.evses import supply_of
from chargerd.engine.limits import Case, Granted
from chargerd.engine.settings import mode_of, overridden, policy_of, settings_of
from chargerd.model import windows
from chargerd.model.commands import Command, SetCurrent, SetEnabled, enables
from chargerd.model.decision import Decision, Memory, View
from chargerd.model.events import Body, CommandIssued, Decided, Event, Reason, Tick
from chargerd.model.state import Charger, Site, Sky, Sun
from chargerd.policies import POLICIES

EVOLVED = "engine"


class Closed(Struct, frozen=True, gc=False):
    """A closed transaction: the state after it, the events the tick led to, and what the daemon should arm.

    ``wake_ms`` is the engine's clock at which to tick again if nothing comes before; ``near`` are the devices to be read
    at their fast pace.
    """

    site: Site
    events: tuple[Event, ...]
    wake_ms: int | None
    near: frozenset[str]


def step(site: Site, event: Event) -> tuple[Site, tuple[Event, ...]]:
    """State after an event, and for a `Tick` what followed from it: decisions, commands and the tick itself."""
    if not isinstance(event.body, Tick):
        return fold(site, (event,)), ()
    closed = close(site, event)
    return closed.site, closed.events


def close(site: Site, tick: Event) -> Closed:
    """Decide. ``tick`` carries the moment and, as its seq, the first number that is free."""
    desk = _Desk(site, tick)
    for body in timeline.due(site, tick.at_ms + site.skew_ms):
        desk.add(body)
    for body in silence.due(desk.site, desk.t_ms):
        desk.add(body)
    desk.follow_the_sun()
    for name in order_of(site):
        _decide(desk, name)
    desk.add(tick.body, source=tick.source)
    wake_ms = min([*desk.wakes, *timeline.wakes(desk.site, desk.t_ms)], default=None)
    return Closed(desk.site, tuple(desk.events), wake_ms, frozenset(desk.near))


class _Desk:
    """What one tick leads to, while it is being worked out."""

    def __init__(self, site: Site, tick: Event) -> None:
        self.site = site
        self.tick = tick
        self.t_ms = clock_at(site, tick)
        self.events: list[Event] = []
        self.wakes: list[int] = []
        self.near: set[str] = set()
        self.sky = site.sky
        self.suns: dict[str, Sun] = {}

    def follow_the_sun(self) -> None:
        """Work out what everybody may use, before anybody decides: all decide on one picture."""
        if not self.site.sunny:
            return
        self.sky, self.suns = sun.advanced(self.site, self.t_ms)
        led = list(timeline.led(self.site, self.suns, self.t_ms, self.tick.at_ms + self.site.skew_ms))
        for body in led:
            self.add(body)
        if led:
            self.sky, self.suns = sun.advanced(self.site, self.t_ms)

    def add(self, body: Body, source: str = EVOLVED) -> None:
        tick = self.tick
        event = Event(tick.seq + len(self.events), tick.at_ms, tick.mono_ms, tick.boot, source, body)
        self.events.append(event)
        self.site = fold(self.site, (event,))


def order_of(site: Site) -> tuple[str, ...]:
    """The order in which loadpoints are decided: batteries as they are written, then by who is served first."""
    batteries = (name for name, point in site.configuration.loadpoints.items() if point.kind == "battery")
    return (*batteries, *sorted(site.sunny, key=lambda name: -settings_of(site, name).priority))


def case_of(site: Site, name: str, t_ms: int, wall_ms: int, seen: tuple[Sky, Mapping[str, Sun]] | None = None) -> Case:
    """A loadpoint at a moment, as limits and policies see it. ``seen``: what `engine.sun` makes of it, if that is known."""
    configured = site.configuration.loadpoints[name]
    device = configured.charger.partition("/")[0]
    loadpoint, charger = site.loadpoints[name], site.chargers.get(configured.charger)
    settings = overridden(configured, loadpoint, wall_ms, site.configuration.timezone)
    if seen is None:
        seen = sun.advanced(site, t_ms) if name in site.sunny else (site.sky, {})
    battery = settings.kind == "battery"
    return Case(
        t_ms,
        site,
        wall_ms,
        settings,
        site.configuration.devices[device],
        loadpoint,
        site.devices[device],
        charger,
        bool(loadpoint.decided is not None and loadpoint.decided.memory.get("started")) or not battery,
        mode_of(site, name),
        seen[0],
        seen[1].get(name),
        supply_of(settings, site.devices[device], charger, t_ms) if settings.kind == "evse" else None,
    )


def judge(case: Case, policy: str) -> tuple[Decision, Granted]:
    """What the policy wants at this moment and what the limits make of it. Also what ``why`` asks."""
    before, session = case.loadpoint.decided, case.session
    memory: Memory = {}  # it belongs to one policy and one session; a new one of either starts fresh
    if before is not None and before.policy == policy and (session is not None or case.settings.kind == "consumer"):
        number = None if session is None else session.number
        memory = before.memory if before.session == number else memory
    decision = POLICIES[policy](view_of(case), memory)
    granted = limits.grant(case, decision)
    return decision, granted if case.supply is None else fitted(case, granted)


def view_of(case: Case) -> View:
    """What the policy sees."""
    site, settings, charger = case.site, case.settings, case.charger
    if settings.kind == "battery":
        return View(case.t_ms, settings, charger, case.session)
    zone = windows.zone(site.configuration.timezone)
    rival = ""
    if settings.kind == "consumer":
        rival = next((name for name in site.sunny if _charges_fast(site, name)), "")
    return View(
        case.t_ms,
        settings,
        charger,
        case.session,
        case.mode,
        case.supply,
        case.sun,
        balance.level_pct(site, case.t_ms),
        bool(site.configuration.storages),
        sun.cloudy(case.sky, case.t_ms),
        _settled(case),
        bool(settings.always) and windows.inside(settings.always, case.wall_ms, zone),
        rival,
        bool(settings.windows) and not windows.inside((*settings.windows, *settings.always), case.wall_ms, zone),
        not limits.observed(site),
    )


def _charges_fast(site: Site, name: str) -> bool:
    settings = site.configuration.loadpoints[name]
    charger = site.chargers.get(settings.charger)
    drawn = settings.kind == "evse" and charger is not None and charger.evse is not None
    return drawn and charger is not None and mode_of(site, name) == "fast" and charger.known_w > evses.DRAWS_W


def _settled(case: Case) -> bool:
    """Whether grid and charger have been read since the last set-point took effect: mixed ages make a limit cycle."""
    charger = case.charger
    if charger is None or charger.evse is None or charger.evse.asked_a is None:
        return True
    seen_ms = charger.evse.asked_t_ms + round(evses.FOLLOWS_S * 1000)
    names = [name for name, meter in case.site.configuration.meters.items() if meter.role == "grid"]
    read = [meters.meter_at(case.site, name, case.t_ms) for name in names]
    return charger.t_ms >= seen_ms and all(meter is None or meter.t_ms >= seen_ms for meter in read)


def _decide(desk: _Desk, name: str) -> None:
    case = case_of(desk.site, name, desk.t_ms, desk.tick.at_ms + desk.site.skew_ms, (desk.sky, desk.suns))
    policy = policy_of(desk.site, name)
    decision, granted = judge(case, policy)
    if decision.near:
        desk.near.add(case.device_settings.name)
    desk.wakes += [wake for wake in (decision.wake_ms, granted.wake_ms) if wake is not None]
    session = case.session
    decided = Decided(
        name,
        policy,
        decision.wish,
        granted.grant,
        decision.reason,
        granted.limit,
        granted.outcome,
        decision.memory,
        None if session is None else session.number,
    )
    if not _same(decided, case.loadpoint.decided):
        desk.add(decided)
    if case.settings.kind == "evse" and steer.ready_ms(case) > case.t_ms:
        desk.wakes.append(steer.ready_ms(case))  # what waits for the device's pause goes out when it is over
    for command in _commands(case, granted):
        desk.add(CommandIssued(name, command, _reason_of(case, command, decision.reason, granted.limit)))


def _reason_of(case: Case, command: Command, wanted: Reason, limit: Reason | None) -> Reason:
    """Why a command is sent. What goes up in steps is a current: a change of phases and its pause have another reason."""
    if _renews(case, command):
        return Reason("lease-renewal")
    offers = isinstance(command, SetCurrent) and command.current_a > 0
    if limit is not None and limit.code == "ramping" and not offers:
        return wanted
    return limit or wanted


def _same(new: Decided, old: Decided | None) -> bool:
    """Whether a decision says nothing new: the numbers in its reasons move all the time and are in the readings anyway."""
    if old is None:
        return False
    return (
        new.grant == old.grant
        and new.wish == old.wish
        and new.reason.code == old.reason.code
        and (new.limit and new.limit.code) == (old.limit and old.limit.code)
        and new.outcome is None
        and new.policy == old.policy
        and new.session == old.session
        and new.memory == old.memory
    )


def _renews(case: Case, command: Command) -> bool:
    """Whether a command says only what is so already, for the sake of the lease."""
    charger = case.charger
    if charger is None or charger.enabled is not True:
        return False
    if isinstance(command, SetCurrent):
        return command.enabled and charger.evse is not None and charger.evse.asked_a == command.current_a
    return isinstance(command, SetEnabled) and command.enabled


def _commands(case: Case, granted: Granted) -> Iterator[Command]:
    """What to tell the charger, if it is not as it should be and a command has a chance."""
    charger = case.charger
    if not case.device.heard or not case.device.reachable:
        return  # after it is back, a reading comes first
    if case.settings.kind == "evse":
        due = charger is not None and lease_due(case, charger)
        yield from steer.commands(case, granted, lease_of(case), lease_due=due)
        return
    if charger is None:
        if granted.grant.enabled is False and case.session is not None:
            yield SetEnabled(case.settings.charger, enabled=False)
        return
    wanted = charger.enabled if granted.grant.enabled is None else granted.grant.enabled
    if charger.pending is not None and case.t_ms - charger.pending.t_ms < steer.LOST_COMMAND_S * 1000:
        if granted.grant.enabled is False and enables(charger.pending.command):  # off does not wait for word of an on
            yield SetEnabled(case.settings.charger, enabled=False)
        return
    if wanted is not charger.enabled:
        at_once = not charger.attempts or wanted is not charger.asked or case.site.stopping
        if at_once or case.t_ms >= charger.retry_t_ms:
            yield SetEnabled(case.settings.charger, bool(wanted), lease_of(case) if wanted else None)
    elif wanted and lease_due(case, charger):
        yield SetEnabled(case.settings.charger, enabled=True, lease_s=lease_of(case))


def lease_of(case: Case) -> int | None:
    """The lease that a switching-on carries now, no longer than the device keeps one; None for a device without one."""
    if case.device.lease_at(case.settings.charger) == "none":
        return None
    return case.device.lease_s(limits.STOPPING_LEASE_S if case.site.stopping else case.settings.lease_s)


def _in_use(case: Case) -> bool:
    """Whether somebody wants the charger on; a consumer has no sessions."""
    return case.session is not None or case.settings.kind == "consumer"


def lease_due(case: Case, charger: Charger) -> bool:
    """Whether the lease in the device must be set again: at half of its life, and at once when it is not there."""
    lease_s = lease_of(case)
    if lease_s is None or charger.timer == "foreign" or not _in_use(case) or not limits.fresh(case):
        return False
    if case.site.stopping and (charger.leased_s or 0) > lease_s:
        return True
    if case.t_ms < charger.retry_t_ms:
        return False  # a device that refuses the timer, or cannot keep it, is not told all the time
    if charger.leased_t_ms is None or charger.leased_s is None:
        return True
    if charger.lease_s is None and charger.evse is None and charger.t_ms > charger.leased_t_ms:
        return True  # the device has forgotten it; an EVSE does not tell what is left
    return case.t_ms >= charger.leased_t_ms + charger.leased_s * 500
