"""Imagine: a loadpoint at a moment, and what would be decided if something about it were otherwise.

The real fold, policies and limits are asked; nothing here knows what they look at.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, structs

from chargerd.engine import balance, evses, limits
from chargerd.engine.evolve import fold
from chargerd.engine.limits import Case, Granted
from chargerd.engine.settings import policy_of, settings_of
from chargerd.engine.step import case_of, judge
from chargerd.model.decision import Decision
from chargerd.model.events import Body, ChargerRead, Decided, Event, MeterRead, Reason, StorageRead, Tick
from chargerd.model.reasons import ALARMS, word
from chargerd.model.settings import address_of
from chargerd.model.state import Charger, Contents, Session, Site
from chargerd.policies.consumer import NOTHING_W

BY = "why"
FOLLOWED_MS = 300_000  # so far ahead the sun is followed step by step
FOLLOWED_STEP_MS = 10_000  # … or at the pace of its readings: means over time count them
HAIR_W = 0.01
SO_FAR = tuple(
    field
    for field, kind in Session.__annotations__.items()
    if kind in ("int", "float")
    and field not in ("number", "course", "taper_limit_s")
    and not field.endswith(("_t_ms", "_at_ms", "_w"))
)
"""What a session has added up: its numbers that are neither a moment nor a level of power, nor known from before."""
COUNTERS = tuple(field for field in SO_FAR if Session.__annotations__[field] == "int" and not field.endswith("_ms"))
"""Those of them that go up by one with a reading, however long after the one before it comes."""


class Verdict(Struct, frozen=True, gc=False):
    """What is decided at a moment. ``limit``: whether a limit had its way.

    ``granted`` is the grant itself (None: the charger is left as it is), ``enabled`` whether the charger is on after it.
    """

    granted: bool | None
    enabled: bool | None
    outcome: str | None
    reason: Reason
    limit: bool
    drawing: bool  # it is on already, and power flows
    session: bool  # there is something to charge
    stale: bool  # nobody knows what the charger does

    @property
    def word(self) -> str:
        """The word that people read then."""
        return word(self.reason, flows=self.enabled is not False)

    @property
    def state(self) -> str:
        """The state that the loadpoint is in once the charger has followed."""
        if self.stale or self.enabled is None:
            return "unknown"
        if self.outcome is not None:
            finished = self.outcome in ("finished", "already-full")
            if self.outcome == "full-or-refused":
                return "suspended_ev"
            return "suspended_evse" if finished else "fault" if self.outcome in ALARMS else "idle"
        if not self.session:
            return "idle"
        if not self.enabled:
            return "suspended_evse"
        return "charging" if self.drawing else "suspended_ev"


Wanted = Callable[[Verdict], bool]
"""Whether a verdict is one that is looked for."""
Imagined = tuple[Site, tuple[Body, ...], ChargerRead | None]
"""A state, facts that come on top of it, and what the charger reads from then on (None: nothing)."""


def leads(verdict: Verdict, state: str) -> bool:
    """Whether a verdict brings a loadpoint into a state, or to the word for one.

    A charger that is switched on charges as far as anybody can know beforehand.
    """
    if state == "charging":
        return verdict.enabled is True and verdict.outcome is None and verdict.word in ("charging", "starting")
    return state in (verdict.state, verdict.word)


class World:
    """A loadpoint at a moment, and what would be decided if something were otherwise."""

    def __init__(self, site: Site, name: str, now_ms: int) -> None:
        self.site, self.name = site, name
        self.settings = settings_of(site, name)
        self.address = self.settings.charger
        self.source, _, self.channel = self.address.partition("/")
        self.late_ms = max(0, now_ms - site.wall_ms)  # time since the last event
        self.case = self.case_at(site, 0)
        self.answers = limits.fresh(self.case) and site.devices[self.source].reachable is not False
        decision, _ = self._judged(self.case)
        pace_s = self.case.device_settings.poll_fast_s if decision.near else self.case.device_settings.poll_s
        self.pace_ms = max(1, round(pace_s * 1000))
        self.around = self._alive() if name in site.sunny else frozenset()
        self.now = self.verdict(site, 0)

    def reading(self) -> ChargerRead:
        """The last reading once more; for a charger that was never read: off."""
        charger = self.site.chargers.get(self.address)
        if charger is None or charger.enabled is None:
            return ChargerRead(self.channel, enabled=False, power_w=0.0)
        return _again(self.channel, charger)

    def _alive(self) -> frozenset[str]:
        """Addresses that answer now, beside this charger: as far as anybody can know they go on doing so."""
        site, t_ms = self.site, self.case.t_ms
        read = [(address, meter.seq, meter.t_ms) for address, meter in site.meters.items()]
        read += [(address, storage.seq, storage.t_ms) for address, storage in site.storages.items()]
        read += [(address, charger.seq, charger.t_ms) for address, charger in site.chargers.items()]
        return frozenset(
            address
            for address, seq, read_t_ms in read
            if address != self.address
            and address.partition("/")[0] in site.configuration.devices
            and seq >= site.run_seq
            and t_ms - read_t_ms <= site.configuration.device_of(address).max_age_s * 1000
        )

    def _still(self, site: Site) -> list[tuple[str, Body]]:
        """What all others say once more: the same, but for a hair, for who says the very same is not believed."""
        found: list[tuple[str, Body]] = []
        for address in self.around:
            source, _, channel = address.partition("/")
            if (meter := site.meters.get(address)) is not None:
                power_w = meter.power_w + HAIR_W if meter.power_w else meter.power_w
                read = MeterRead(
                    channel, power_w, *meter.powers_w, *meter.currents_a, *meter.voltages_v, meter.import_wh,
                    meter.export_wh, None, meter.dc_power_w, meter.temperature_c, meter.status,
                )  # fmt: skip
                found.append((source, read))
            elif (held := site.storages.get(address)) is not None:
                power_w = held.power_w + HAIR_W if held.power_w else held.power_w
                storage = StorageRead(
                    channel, power_w, held.soc_pct, held.soh_pct, held.capacity_wh, held.max_charge_w,
                    held.max_discharge_w, None, None, held.temperature_c, held.status,
                )  # fmt: skip
                found.append((source, storage))
            else:
                found.append((source, _again(channel, site.chargers[address])))
        return found

    def surplus_w(self) -> float | None:
        """What those that follow the sun may use together."""
        return balance.picture(self.site, self.case.t_ms).surplus_w if self.around else None

    def peak_w(self) -> float | None:
        """What all panels make together at most; None where that is not known of each."""
        peaks = [m.peak_w for m in self.site.configuration.meters.values() if m.role == "pv"]
        known = [peak_w for peak_w in peaks if peak_w is not None]
        return sum(known) if known and len(known) == len(peaks) else None

    def with_surplus(self, surplus_w: float) -> Site:
        """The state in which the grid meters show that much more or less being left over; more of it is made first."""
        site, more_w = self.site, surplus_w - (self.surplus_w() or 0.0)
        meters = dict(site.meters)
        made_w = max(0.0, more_w)
        for settings in site.configuration.meters.values():
            address = address_of(settings.device, settings.channel)
            meter = meters.get(address)
            if settings.role == "grid" and meter is not None and meter.power_w is not None:
                power_w = meter.power_w + (more_w if settings.invert else -more_w)
                meters[address] = structs.replace(meter, power_w=power_w, same_t_ms=self.case.t_ms)
            elif settings.role == "pv" and meter is not None and meter.power_w is not None:
                power_w = meter.power_w + (-made_w if settings.invert else made_w)
                meters[address], made_w = structs.replace(meter, power_w=power_w, same_t_ms=self.case.t_ms), 0.0
        return structs.replace(site, meters=meters)

    def with_load(self, name: str, more_a: float) -> Site:
        """The state in which a meter shows so much more or less current taken on each phase."""
        site, settings = self.site, self.site.configuration.meters[name]
        address = address_of(settings.device, settings.channel)
        meter = site.meters.get(address)
        if meter is None or meter.power_w is None:
            return site
        sign = -1.0 if settings.invert else 1.0
        more_w = [sign * more_a * (volts or evses.NOMINAL_V) for volts in meter.voltages_v]
        powers = tuple(None if w is None else w + more for w, more in zip(meter.powers_w, more_w, strict=True))
        currents = tuple(None if a is None else max(0.0, abs(a) + more_a) for a in meter.currents_a)
        known = [n for n in range(3) if powers[n] is not None or currents[n] is not None] or [0]
        power_w = meter.power_w + sum(more_w[n] for n in known)
        shown = structs.replace(meter, power_w=power_w, powers_w=powers, currents_a=currents, same_t_ms=self.case.t_ms)
        return structs.replace(site, meters={**site.meters, address: shown})

    def with_level(self, soc_pct: float) -> Site:
        """The state in which every house battery has another level, and has not lied to get there."""
        storages = {
            key: structs.replace(one, soc_pct=soc_pct, contents=Contents(soc_pct, 0.0, denied=one.contents.denied))
            for key, one in self.site.storages.items()
        }
        return structs.replace(self.site, storages=storages)

    def told(self, site: Site, after_ms: int, *bodies: Body) -> Site:
        """The state after these facts, ``after_ms`` from now."""
        by_ms = self.late_ms + after_ms - (site.wall_ms - self.site.wall_ms)
        facts = [(self.source if isinstance(body, ChargerRead) else BY, body) for body in bodies]
        if self.around and any(isinstance(body, ChargerRead) for body in bodies):
            facts = [*self._still(site), *facts, ("engine", Tick())]  # what the sun leaves over is followed by ticks
        events: list[Event] = []
        for source, body in facts:
            at = Event(site.seq + 1 + len(events), site.at_ms + by_ms, site.mono_ms + by_ms, site.boot, source, body)
            events.append(at)
        return fold(site, events)

    def verdict(self, site: Site, after_ms: int) -> Verdict:
        """What is decided in this state, ``after_ms`` from now."""
        case = self.case_at(site, after_ms)
        return self._told_of(case, *self._judged(case))

    def kept(self, imagined: Imagined, wanted: Wanted, kept_ms: int) -> tuple[Verdict, int] | None:
        """The verdict that is looked for and after how long: at once, or when the charger goes on reading like this."""
        site, facts, read = imagined
        told = facts if read is None else (*facts, read)
        at_once = self.told(site, 0, *told) if told else site
        case = self.case_at(at_once, 0)
        decision, granted = self._judged(case)
        first = self._told_of(case, decision, granted)
        if wanted(first):
            return first, 0
        if read is None or not kept_ms or first.outcome is not None:
            return None
        last = self.verdict(self.later(self._remembered(at_once, case, decision), read, kept_ms), kept_ms)
        return (last, kept_ms) if wanted(last) else None

    def later(self, site: Site, read: ChargerRead | None, after_ms: int, from_ms: int = 0) -> Site:
        """The state at ``from_ms`` from now, after the charger has gone on reading like this up to ``after_ms`` from now.

        It stays as it is for a charger that does not answer.
        """
        if read is None:
            return site
        before = site.loadpoints[self.name].session
        if self.around and after_ms - from_ms <= FOLLOWED_MS:  # sun that is borrowed is added up from tick to tick
            step_ms = max(FOLLOWED_STEP_MS, self.pace_ms)
            for at_ms in range(from_ms + step_ms, after_ms, step_ms):
                site = self.told(site, at_ms, read)
        site = self.told(site, after_ms, read)
        point = site.loadpoints[self.name]
        if before is None or point.session is None:
            return site
        times = max(1, (after_ms - from_ms) // self.pace_ms)
        counted = {f: getattr(before, f) + times * (getattr(point.session, f) - getattr(before, f)) for f in COUNTERS}
        return self.with_session(site, structs.replace(point.session, **counted)) if times > 1 else site

    def with_session(self, site: Site, session: Session) -> Site:
        """The state with another session in the place of the one that runs."""
        point = structs.replace(site.loadpoints[self.name], session=session)
        return structs.replace(site, loadpoints={**site.loadpoints, self.name: point})

    def case_at(self, site: Site, after_ms: int) -> Case:
        """What policy and limits look at in this state, ``after_ms`` from now."""
        ahead_ms = self.late_ms + after_ms - (site.wall_ms - self.site.wall_ms)
        return case_of(site, self.name, site.t_ms + ahead_ms, site.wall_ms + ahead_ms)

    def remembered(self, site: Site, after_ms: int) -> Site:
        """The state with what the policy would remember of that moment."""
        case = self.case_at(site, after_ms)
        return self._remembered(site, case, self._judged(case)[0])

    def _judged(self, case: Case) -> tuple[Decision, Granted]:
        return judge(case, policy_of(case.site, self.name))

    def _remembered(self, site: Site, case: Case, decision: Decision) -> Site:
        """The state with what the policy would remember of this moment."""
        point, session = case.loadpoint, case.session
        if session is None or (point.decided is not None and point.decided.memory == decision.memory):
            return site
        policy = policy_of(site, self.name)
        decided = Decided(self.name, policy, decision.wish, decision.wish, decision.reason, memory=decision.memory,
                          session=session.number)  # fmt: skip
        point = structs.replace(point, decided=decided)
        return structs.replace(site, loadpoints={**site.loadpoints, self.name: point})

    def _told_of(self, case: Case, decision: Decision, granted: Granted) -> Verdict:
        enabled = granted.grant.enabled
        if enabled is None and case.charger is not None:
            enabled = case.charger.enabled
        charger = case.charger
        least_w = {"evse": evses.DRAWS_W, "consumer": NOTHING_W}.get(case.settings.kind, case.settings.profile.idle_w)
        drawing = charger is None or not charger.enabled or (evses.drawn_w(charger) or 0.0) > least_w
        limit, stale = granted.limit, not limits.fresh(case)
        reason = limit or decision.reason
        session = case.session is not None or case.settings.kind == "consumer"
        return Verdict(
            granted.grant.enabled, enabled, granted.outcome, reason, limit is not None, drawing, session, stale
        )


def _again(channel: str, charger: Charger) -> ChargerRead:
    """A charger's last reading once more."""
    read = ChargerRead(
        channel, charger.enabled, charger.power_w, charger.voltage_v, charger.current_a, charger.energy_wh,
        charger.lease_s, charger.timer,
    )  # fmt: skip
    evse = charger.evse
    if evse is None:
        return read
    (one_a, two_a, three_a), (one_v, two_v, three_v) = evse.currents_a, evse.voltages_v
    return structs.replace(
        read, pilot=evse.pilot, offered_a=evse.offered_a, phases=evse.phases, current_l1_a=one_a, current_l2_a=two_a,
        current_l3_a=three_a, voltage_l1_v=one_v, voltage_l2_v=two_v, voltage_l3_v=three_v, status=evse.status,
        held=evse.held,
    )  # fmt: skip
