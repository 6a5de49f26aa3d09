"""Why: what would have changed a decision. Nothing here knows a policy: the real fold, policy and limits are tried.

One input at a time is imagined otherwise: a value of the charger's reading (kept up for a while), what the session has
added up, a setting, what a person has asked, what the device does, or time. Numbers are searched from where they are
outwards, then by halves; what comes back is the smallest change that was found, and half of it changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct, structs

from chargerd.engine import limits, timeline
from chargerd.engine.evselimits import fitted
from chargerd.engine.imagine import BY, SO_FAR, Imagined, Verdict, World, leads
from chargerd.engine.settings import in_force, mode_of, policy_of, target_of
from chargerd.engine.step import case_of, judge
from chargerd.model.decision import Decision
from chargerd.model.events import (
    ChargerRead,
    HoldCleared,
    HoldSet,
    LimitSet,
    ModeSet,
    Reason,
    RecordingBack,
    SetPoint,
    TargetSet,
)
from chargerd.model.settings import ADJUSTABLE, MODES, SUN_MODES, TARGETS, LoadpointSettings, Profile, Scalar
from chargerd.model.state import Session, Site

RESOLUTION = 1 / 256
"""A number is found to this share of its change, whole numbers exactly, time to the second."""
FINEST = 1 / 8192  # … but no finer than this share of the value itself
KEPT_MS = 300_000  # a value that has not turned the decision after this long is said not to
FUSE = "circuit-limit"
HORIZON_MS = 8 * 86_400_000  # a weekly start comes within it
MOST_STEPS = 300  # time is followed in no more steps than this; a week of hours and starts needs a few dozen
SECOND_MS = 1000
OUTWARD = (1 / 32, 1 / 4, 1, 8, 64, 1024)  # of a value's size: where a number is tried first
SURPLUS_W = (100.0, 500.0, 2000.0, 8000.0, 25_000.0)  # how much more or less sun is tried first
_UNITS = {"_ms": 60_000.0, "_wh": 10.0}  # size of a number that is still 0
_WHOLE = frozenset(
    field
    for kinds in (Profile, LoadpointSettings, Session, ChargerRead)
    for field, kind in kinds.__annotations__.items()
    if kind.startswith("int")
)
_READINGS = tuple(
    field
    for field, kind in ChargerRead.__annotations__.items()
    if kind in ("int | None", "float | None") and not field.endswith("_ms")
)


class Change(Struct, frozen=True, gc=False):
    """One input that would have to be otherwise, and what is decided then.

    ``input`` is a value of the charger's reading ("power_w"), a sum of the session ("session.energy_wh"), a setting
    ("set.max_h"), or one of time, mode, target, hold, windows, enabled, answers, recording, stopping, load_a (what else a
    fuse carries on each phase, against now; it need not turn the decision, only lift the limit). ``before`` and ``after``
    are its values; for "time" ``after`` is the moment, UTC. ``kept_ms`` is how long it has to stay so.
    ``distance``: below 1 for what happens by itself, by its share; from 1 on for what somebody has to do.
    """

    input: str
    before: Scalar
    after: Scalar
    kept_ms: int
    verdict: Verdict
    distance: float


class Found(Struct, frozen=True, gc=False):
    """What was found. ``looked_until_ms``: the moment (UTC) after which time was not followed any more; None: all of it was."""

    changes: tuple[Change, ...]
    looked_until_ms: int | None = None


def find(site: Site, name: str, now_ms: int, state: str | None = None) -> Found:
    """Every single change that turns what is decided for a loadpoint at ``now_ms`` (wall clock), the smallest first.

    With a state or a word only those that lead there.
    """
    search = _Search(site, name, now_ms, state)
    return Found(search.found(), search.looked_until_ms)


def changes(site: Site, name: str, now_ms: int, state: str | None = None) -> tuple[Change, ...]:
    """The changes alone."""
    return find(site, name, now_ms, state).changes


def obstacles(site: Site, name: str, now_ms: int, *, on: bool = False) -> tuple[Reason, ...]:
    """Every limit that speaks at this moment against what the policy wants; with ``on`` against switching on."""
    case = case_of(site, name, site.t_ms + max(0, now_ms - site.wall_ms), now_ms)
    decision, granted = judge(case, policy_of(site, name))
    if on:
        decision = Decision(SetPoint(enabled=True), decision.reason, decision.memory)
        granted = limits.grant(case, decision)
        granted = granted if case.supply is None else fitted(case, granted)
    found = limits.speaking(case, decision)
    if granted.limit is None or granted.limit.code in {reason.code for reason in found}:
        return found
    return (*found, granted.limit)  # one that an EVSE alone has, which may only lower its current


class _Search:
    """Tries one input after the other."""

    def __init__(self, site: Site, name: str, now_ms: int, state: str | None) -> None:
        self.world = World(site, name, now_ms)
        self.state = state
        self.kept_ms = KEPT_MS
        self.looked_until_ms: int | None = None
        self.read = self.world.reading() if self.world.answers else None

    def wanted(self, verdict: Verdict) -> bool:
        if self.state is not None:
            return leads(verdict, self.state)
        now = self.world.now
        return (verdict.granted, verdict.outcome) != (now.granted, now.outcome)

    def found(self) -> tuple[Change, ...]:
        if self.wanted(self.world.now):
            return ()
        ending = self.world.now.outcome is not None  # it ends at this very moment: nothing goes on from here
        found = [] if ending else list(self._in_time())
        if ending:
            self.kept_ms = 0
        if found:  # what turns by itself before a value has been kept long enough is time's doing
            self.kept_ms = max(0, min(KEPT_MS, found[0].kept_ms - SECOND_MS))
        found += [*self._silent(found[0].kept_ms if found else 0 if ending else HORIZON_MS)]
        if self.world.settings.kind == "battery":
            found += [*self._read(), *self._added_up()]
        else:
            found += [*self._left_over(), *self._room_made()]
        found += [*self._asked(), *self._stood_otherwise()]
        if self.world.settings.kind != "battery" and any(change.input == "time" for change in found):
            self.kept_ms = 0  # nobody sets a delay to have it end a second sooner than it does
        found += self._set()
        return tuple(sorted(found, key=lambda change: (change.distance, change.input)))

    # Time

    def _in_time(self) -> Iterator[Change]:
        """What happens if nothing changes: the charger goes on reading as it does, and what is due comes due."""
        site, at_ms = self.world.site, 0
        for _ in range(MOST_STEPS):
            if at_ms >= HORIZON_MS:
                return
            next_ms = self._next(site, at_ms)
            if self._passed(site, at_ms, next_ms) is not None:
                after_ms = _halved(at_ms, next_ms, partial(self._turned, site, at_ms))
                verdict = self._passed(site, at_ms, after_ms)
                assert verdict is not None
                wall_ms = self.world.case.wall_ms
                yield Change("time", wall_ms, wall_ms + after_ms, after_ms, verdict, after_ms / (after_ms + 3_600_000))
                return
            site, at_ms = self.world.remembered(self._lived(site, at_ms, next_ms), next_ms), next_ms
        self.looked_until_ms = self.world.case.wall_ms + at_ms

    def _next(self, site: Site, at_ms: int) -> int:
        """When to look next: when the engine itself would, but not later than twice as far from now."""
        case = self.world.case_at(site, at_ms)
        decision, granted = judge(case, policy_of(site, self.world.name))
        wakes = [decision.wake_ms, granted.wake_ms, *timeline.wakes(site, case.t_ms)]
        never = self._never_old(site)
        ahead = [wake - case.t_ms for wake in wakes if wake is not None and wake > case.t_ms and wake not in never]
        return at_ms + min([*ahead, max(at_ms, 15 * SECOND_MS)])

    def _never_old(self, site: Site) -> frozenset[int]:
        """When readings would get old (the engine's clock) of chargers that go on answering here, so that it never comes."""
        answering = self.world.around if self.read is None else self.world.around | {self.world.address}
        return frozenset(
            charger.t_ms + round(site.configuration.device_of(address).max_age_s * 1000) + 1  # as in `timeline.wakes`
            for address, charger in site.chargers.items()
            if address in answering
        )

    def _lived(self, site: Site, from_ms: int, after_ms: int) -> Site:
        """The state after the time between two moments has passed."""
        site = self.world.later(site, self.read, after_ms, from_ms)
        due = [*timeline.due(site, self.world.case.wall_ms + after_ms)]
        return self.world.told(site, after_ms, *due) if due else site

    def _passed(self, site: Site, from_ms: int, after_ms: int) -> Verdict | None:
        verdict = self.world.verdict(self._lived(site, from_ms, after_ms), after_ms)
        return verdict if self.wanted(verdict) else None

    def _turned(self, site: Site, from_ms: int, after_ms: int) -> bool:
        return self._passed(site, from_ms, after_ms) is not None

    def _silent(self, before_ms: int) -> Iterator[Change]:
        """The charger's device stops answering."""
        world, last_ms = self.world, 0
        if self.read is None:
            return
        for try_ms in (60_000 * 4**power for power in range(6)):
            if try_ms >= before_ms:
                return
            if self.wanted(world.verdict(world.site, try_ms)):
                after_ms = _halved(last_ms, try_ms, lambda ms: self.wanted(world.verdict(world.site, ms)))
                verdict = world.verdict(world.site, after_ms)
                yield Change("answers", True, False, after_ms, verdict, after_ms / (after_ms + 3_600_000))
                return
            last_ms = try_ms

    # Numbers

    def _read(self) -> Iterator[Change]:
        """The charger reads otherwise, and goes on doing so."""
        read = self.read
        if read is None:
            return
        for field in _READINGS:
            value = getattr(read, field)
            if value is not None:
                size = max(abs(value), 1.0)
                downward = [max(0.0, value - size * share) for share in OUTWARD[:3]] if value > 0 else []
                upward = [value + size * share for share in OUTWARD]
                yield from self._nearest(
                    field,
                    value,
                    (downward, upward),
                    partial(self._reading, field),
                    whole=field in _WHOLE,
                )

    def _left_over(self) -> Iterator[Change]:
        """The sun leaves more or less over, or the house battery is fuller or emptier."""
        world = self.world
        surplus_w = world.surplus_w()
        if surplus_w is None or self.read is None or mode_of(world.site, world.name) not in SUN_MODES:
            return
        most_w = world.peak_w()
        upward = [surplus_w + more_w for more_w in SURPLUS_W]
        if most_w is not None and most_w < upward[-1]:  # panels that are not there do not shine
            upward = [*(w for w in upward if w < most_w), *([most_w] if surplus_w < most_w else [])]
        downward = [surplus_w - more_w for more_w in SURPLUS_W]
        for change in self._nearest("surplus_w", surplus_w, (downward, upward), self._with_surplus, whole=False):
            if change.verdict.reason.code not in (FUSE, "circuit-blind"):  # more than a house takes, not less sun
                yield change
        levels = [storage.soc_pct for storage in world.site.storages.values()]
        if len(levels) == 1 and levels[0] is not None:
            soc_pct = levels[0]
            fuller = [pct for pct in (soc_pct + 5, soc_pct + 20, 100.0) if soc_pct < pct <= 100]
            emptier = [pct for pct in (soc_pct - 5, soc_pct - 20, 0.0) if 0 <= pct < soc_pct]
            yield from self._nearest("house_battery_pct", soc_pct, (emptier, fuller), self._with_level, whole=False)

    def _room_made(self) -> Iterator[Change]:
        """What else is on the fuse that lowers this one takes less: so that the fuse is not what speaks any more."""
        world, reason = self.world, self.world.now.reason
        circuit = world.site.configuration.circuits.get(str(reason.values.get("circuit")))
        if reason.code != FUSE or circuit is None or not circuit.meter:
            return
        for less_a in range(1, math.ceil(circuit.max_current_a) + 1):
            verdict = world.verdict(world.with_load(circuit.meter, -float(less_a)), 0)
            there = self.state is None or leads(verdict, self.state)
            if there and (verdict.reason.code != FUSE or self.wanted(verdict)):
                share = less_a / circuit.max_current_a
                yield Change("load_a", 0.0, -float(less_a), 0, verdict, share)
                return

    def _with_surplus(self, surplus_w: float) -> Imagined:
        return self.world.with_surplus(surplus_w), (), self.read

    def _with_level(self, soc_pct: float) -> Imagined:
        return self.world.with_level(soc_pct), (), self.read

    def _added_up(self) -> Iterator[Change]:
        """The session has taken more, or has been on for longer: what it cannot do while the charger is off."""
        session = self.world.case.session
        if session is None or self.read is None or not self.read.enabled:
            return
        for field in SO_FAR:
            value = getattr(session, field)
            size = max(float(value), _UNITS.get(field[field.rfind("_") :], 1.0))
            upward = [value + size * share for share in OUTWARD]
            yield from self._nearest(
                f"session.{field}",
                value,
                ([], upward),
                partial(self._summed, session, field),
                whole=field in _WHOLE,
            )

    def _set(self) -> Iterator[Change]:
        """A setting has another value within what is permitted."""
        world = self.world
        for key, bounds in ADJUSTABLE[world.settings.kind].items():
            value = in_force(world.settings, key)
            lowest, highest = self._offered(key, *bounds)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            size = max(abs(value), (highest - lowest) / 1024)
            upward = [v for v in (value + size, highest) if value < v <= highest]
            downward = [v for v in (value - size / 2, lowest) if lowest <= v < value]
            for change in self._nearest(
                f"set.{key}",
                value,
                (downward, upward),
                partial(self._setting, key),
                whole=key in _WHOLE,
                nearest=1.0,
            ):
                yield from self._settable(key, change, lowest, highest)

    def _offered(self, key: str, lowest: float, highest: float) -> tuple[float, float]:
        """Between what a setting makes sense: a least current that the EVSE cannot offer, or a most below its least, is an off."""
        supply = self.world.case.supply
        if supply is not None and key == "min_current_a":
            return lowest, max(lowest, min(highest, supply.max_a))
        if supply is not None and key == "max_current_a":
            return min(highest, max(lowest, supply.min_a)), highest
        return lowest, highest

    def _settable(self, key: str, change: Change, lowest: float, highest: float) -> Iterator[Change]:
        """The change in a whole step of what people set, or can be offered to a car; a battery's figures are fine ones.

        What turns between two steps only is nothing that anybody can set.
        """
        before, after = change.before, change.after
        if self.world.settings.kind == "battery" or not isinstance(before, int | float) or not isinstance(after, float):
            yield change
            return
        supply = self.world.case.supply
        step = supply.step_a if supply is not None and key.endswith("_a") else 1.0
        lower = after < before
        steps = math.floor(after / step + 1e-9) if lower else math.ceil(after / step - 1e-9)
        for further in (0, 1):
            stepped = min(max(round((steps - further if lower else steps + further) * step, 3), lowest), highest)
            turned = self.world.kept(self._setting(key, stepped), self.wanted, change.kept_ms)
            if turned is not None:
                yield structs.replace(change, after=stepped, verdict=turned[0])
                return

    def _nearest(
        self,
        field: str,
        value: float,
        ways: tuple[list[float], list[float]],
        imagine: Callable[[float], Imagined],
        *,
        whole: bool,
        nearest: float = 0.0,
    ) -> Iterator[Change]:
        """The nearest value, down or up, that turns the decision."""

        def turns(tried: float, kept_ms: int = self.kept_ms) -> tuple[Verdict, int] | None:
            return self.world.kept(imagine(tried), self.wanted, kept_ms)

        found = []
        for way in ways:
            last = value
            for tried in [round(tried) if whole else float(tried) for tried in way]:
                if tried != value and turns(tried) is not None:
                    found.append(_smallest(value, last, tried, lambda v: turns(v) is not None, whole=whole))
                    break
                last = tried
        if not found:
            return
        after = min(found, key=lambda v: abs(v - value))
        kept_ms = 0
        if turns(after, 0) is None:
            kept_ms = _halved(0, self.kept_ms, lambda ms: turns(after, ms) is not None)
        turned = turns(after, kept_ms)
        assert turned is not None
        share = abs(after - value) / max(abs(after), abs(value))
        yield Change(field, value, after, kept_ms, turned[0], nearest + share)

    def _reading(self, field: str, value: float) -> Imagined:
        assert self.read is not None
        return self.world.site, (), structs.replace(self.read, **{field: value})

    def _summed(self, session: Session, field: str, value: float) -> Imagined:
        return self.world.with_session(self.world.site, structs.replace(session, **{field: value})), (), None

    def _setting(self, key: str, value: float) -> Imagined:
        return self.world.site, (LimitSet(self.world.name, key, value, BY),), self.read

    # What is one of a few

    def _asked(self) -> Iterator[Change]:
        """A person asks for something else."""
        world, read = self.world, self.read
        site, name = world.site, world.name
        mode, target = mode_of(site, name), target_of(site, name)
        for other in MODES[world.settings.kind]:
            if other != mode:
                yield from self._tried("mode", mode, other, 1.0, (site, (ModeSet(name, other, BY),), read))
        for other in TARGETS:
            if other != target and world.settings.kind == "battery":
                yield from self._tried("target", target, other, 1.1, (site, (TargetSet(name, other, BY),), read))
        hold = site.hold or site.loadpoints[name].hold
        if hold is not None:
            yield from self._tried("hold", hold.by, None, 1.0, (site, (HoldCleared(BY),), read))
        elif world.now.enabled:
            yield from self._tried("hold", None, "somebody", 1.2, (site, (HoldSet(BY, name),), read))

    def _stood_otherwise(self) -> Iterator[Change]:
        """The device, the log, the hours or the daemon are otherwise."""
        world, read = self.world, self.read
        site = world.site
        if read is None or not limits.observed(site):
            heard = {name: structs.replace(device, heard=True) for name, device in site.devices.items()}
            answering = (structs.replace(site, devices=heard), (), world.reading())
            yield from self._tried("answers", False, True, 1.0, answering)
        if read is not None:
            pressed = world.told(site, 0, structs.replace(read, enabled=not read.enabled, power_w=0.0))
            moved = (pressed, tuple(timeline.due(pressed, pressed.wall_ms)), None)
            yield from self._tried("enabled", read.enabled, not read.enabled, 1.9, moved)
        if world.settings.windows:
            yield from self._tried("windows", True, None, 1.5, (self._without_windows(), (), read))
        if not site.recording:
            yield from self._tried("recording", False, True, 1.0, (site, (RecordingBack(0),), read))
        if site.stopping:
            staying = structs.replace(site, stopping=False)
            yield from self._tried("stopping", True, False, 1.0, (staying, (), read))

    def _without_windows(self) -> Site:
        site, name = self.world.site, self.world.name
        configuration = site.configuration
        always = structs.replace(configuration.loadpoints[name], windows=())
        points = {**configuration.loadpoints, name: always}
        return structs.replace(site, configuration=structs.replace(configuration, loadpoints=points))

    def _tried(
        self, field: str, before: Scalar, after: Scalar, distance: float, imagined: Imagined
    ) -> Iterator[Change]:
        turned = self.world.kept(imagined, self.wanted, self.kept_ms)
        if turned is None:
            return
        verdict, kept_ms = turned
        if kept_ms:
            kept_ms = _halved(0, kept_ms, lambda ms: self.world.kept(imagined, self.wanted, ms) is not None)
        yield Change(field, before, after, kept_ms, verdict, distance)


def _halved(low_ms: int, high_ms: int, turns: Callable[[int], bool]) -> int:
    """The first whole second, counted back from ``high_ms``, at which it turns; it does there, and at ``low_ms`` not."""
    while high_ms - low_ms > SECOND_MS:
        middle_ms = (low_ms + high_ms) // 2
        low_ms, high_ms = (low_ms, middle_ms) if turns(middle_ms) else (middle_ms, high_ms)
    return high_ms


def _smallest(value: float, low: float, high: float, turns: Callable[[float], bool], *, whole: bool) -> float:
    """The value nearest to ``value`` at which it turns, between one where it does not and one where it does."""
    least = 1.0 if whole else FINEST * max(abs(value), 1.0)
    while True:
        while abs(high - low) > (least if whole else max(least, abs(high - value) * RESOLUTION)):
            middle = (low + high) // 2 if whole else (low + high) / 2
            low, high = (low, middle) if turns(middle) else (middle, high)
        half = value + (int((high - value) / 2) if whole else (high - value) / 2)
        if abs(half - value) < least or not turns(half):
            return high
        low, high = value, half  # it turned somewhere nearer, and back again in between
