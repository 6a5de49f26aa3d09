"""Circuits: how much current a fuse leaves for a loadpoint, on every phase and up to the root.

A set-point that was granted counts as used from that moment on, whether the vehicle has taken it up or not: two loadpoints
that begin in one cycle must not both be given what is there for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chargerd.engine import balance, evses, meters
from chargerd.engine.evses import supply_of
from chargerd.engine.settings import settings_of
from chargerd.model.decision import Supply
from chargerd.model.settings import CircuitSettings
from chargerd.model.state import Charger, Evse, Meter, Site

NO_ROOM = frozenset({"circuit-limit", "circuit-blind"})
Amps = tuple[float, float, float]
ALL = (0, 1, 2)
NOTHING: Amps = (0.0, 0.0, 0.0)
RESERVED_S = 60.0  # a granted current counts as used for so long, and then what is measured


class Room(NamedTuple):
    """What a circuit leaves for one loadpoint, per phase. ``blind``: its meter is not read, so the guaranteed share counts."""

    current_a: float
    circuit: str
    blind: bool


def room_for(site: Site, name: str, t_ms: int, phases: int, voltage_v: float) -> Room | None:
    """The tightest circuit above a loadpoint that draws on so many phases; None if it hangs on none.

    Which ones these are is known once current was seen on as many; until then the fullest of all phases decides.
    """
    found = [
        _room(site, circuit, name, t_ms, phases, voltage_v)
        for circuit in above(site, site.configuration.loadpoints[name].circuit)
    ]
    return min(found, default=None)


def above(site: Site, circuit: str) -> Iterator[CircuitSettings]:
    """A circuit and all that it hangs on. `config.home` has seen to it that they end."""
    circuits = site.configuration.circuits
    while circuit in circuits:
        yield circuits[circuit]
        circuit = circuits[circuit].parent


def too_small(site: Site, name: str, supply: Supply) -> CircuitSettings | None:
    """The circuit on which the least of a loadpoint does not fit, whatever else is on it; None where there is room at the best."""
    for circuit in above(site, site.configuration.loadpoints[name].circuit):
        least_w = supply.power_w(supply.min_a, supply.choices[0])
        if supply.min_a > circuit.max_current_a or least_w > (circuit.max_power_w or math.inf):
            return circuit
    return None


def _room(site: Site, circuit: CircuitSettings, name: str, t_ms: int, phases: int, voltage_v: float) -> Room:
    members = [
        n
        for n, p in site.configuration.loadpoints.items()
        if any(c.name == circuit.name for c in above(site, p.circuit))
    ]
    others = [n for n in members if n != name]
    used = _used(circuit, _lines(site.chargers.get(site.configuration.loadpoints[name].charger), phases))
    waiting_a = _waiting_a(site, name, others, circuit.max_current_a)
    needs = [_on(circuit, _needs(site, n, t_ms)) for n in others]
    taken = [sum(amps[phase] for amps in needs) for phase in range(3)]
    taken_w = sum(_sum_a(site, n, _needs(site, n, t_ms)) for n in others) * voltage_v
    power_a = math.inf if circuit.max_power_w is None else (circuit.max_power_w - taken_w) / voltage_v / phases
    if not circuit.meter:
        left_a = min(power_a, *(circuit.max_current_a - taken[phase] for phase in used))
        return Room(_shared(site, name, left_a, waiting_a), circuit.name, blind=False)
    meter = meters.meter_at(site, circuit.meter, t_ms)
    measured = None if meter is None else _measured(meter, circuit)
    if meter is None or measured is None:
        shares_a = min(power_a, circuit.guaranteed_current_a - max(taken[phase] for phase in used))
        left_a = max(shares_a, _until_heard_a(site, circuit, name, min(power_a, circuit.max_current_a - max(taken))))
        waiting_a = _waiting_a(site, name, others, circuit.guaranteed_current_a)
        return Room(_shared(site, name, left_a, waiting_a), circuit.name, blind=True)
    pairs = [_span(site, n, t_ms, meter) for n in members]
    spans = [(_on(circuit, low), _on(circuit, high)) for low, high in pairs]
    sure, hoped = [], []
    for phase in used:
        kept_a = circuit.max_current_a - taken[phase]
        # What is fed in on a phase is no room: a cloud takes it away faster than a charger is lowered.
        sure.append(kept_a - max(0.0, measured[phase] - sum(low[phase] for low, _ in spans)))
        hoped.append(kept_a - max(0.0, measured[phase] - sum(high[phase] for _, high in spans)))
    if circuit.max_power_w is not None and meter.power_w is not None:
        for left, end in ((sure, 0), (hoped, 1)):
            own_w = sum(_sum_a(site, n, pair[end]) for n, pair in zip(members, pairs, strict=True)) * voltage_v
            left.append(power_a - max(0.0, meter.power_w - own_w) / voltage_v / phases)
    # While it is not sure what of the reading is whose, nothing is raised, and nothing lowered that may well fit.
    now_a = _offers_a(site, name)
    left_a = max(min(sure), min(*hoped, now_a))
    return Room(_shared(site, name, left_a, waiting_a), circuit.name, blind=False)


def _until_heard_a(site: Site, circuit: CircuitSettings, name: str, most_a: float) -> float:
    """What an EVSE offers may stay until the meter was asked for the first time since a start; it is no reason for a pause."""
    asked = site.devices[site.configuration.meters[circuit.meter].device].heard
    return -math.inf if asked else min(most_a, _offers_a(site, name))


def _lines(charger: Charger | None, phases: int) -> tuple[int, ...]:
    """The phases on which so many of a charger are: those on which current was seen; any of the three where that is not known."""
    seen = () if charger is None or charger.evse is None else charger.evse.lines
    return seen if len(seen) == phases else ALL


def _used(circuit: CircuitSettings, lines: tuple[int, ...]) -> tuple[int, ...]:
    """Which phases of a circuit these are. Behind a fuse of one phase it is that one, whatever a charger calls it."""
    if circuit.phases == 1:
        return (0,)
    return tuple(phase for phase in lines if phase < circuit.phases) or ALL[: circuit.phases]


def _on(circuit: CircuitSettings, amps: Amps) -> Amps:
    return amps if circuit.phases > 1 else (max(amps), 0.0, 0.0)


def _spread(charger: Charger, each_a: float, phases: int) -> Amps:
    """A current on so many phases. Where it is not known on which, it counts on every one: it may be any of them."""
    lines = _lines(charger, phases)
    return (each_a if 0 in lines else 0.0, each_a if 1 in lines else 0.0, each_a if 2 in lines else 0.0)


def _sum_a(site: Site, name: str, amps: Amps) -> float:
    """All of a loadpoint's phases together, once each: what counts on every one of them flows on as many as it uses."""
    charger = site.chargers.get(site.configuration.loadpoints[name].charger)
    evse = None if charger is None else charger.evse
    flowing = 0 if evse is None else evses.live_phases(evse.currents_a, (None, None, None)) or 0
    phases = 1 if evse is None else max(evse.live or evse.phases or 3, flowing)
    return min(sum(amps), phases * max(amps))


def _offers_a(site: Site, name: str) -> float:
    """What an EVSE offers at this moment, 0 if it is paused."""
    charger = site.chargers.get(site.configuration.loadpoints[name].charger)
    if charger is None or charger.evse is None or not charger.enabled:
        return 0.0
    return charger.evse.asked_a or charger.evse.offered_a or 0.0


def _waiting_a(site: Site, name: str, others: list[str], bears_a: float) -> dict[bool, float]:
    """The least of those that would charge and are paused for want of room; True: of those that are served before this one.

    Who needs more than there is at the best (``bears_a``) holds no place: nothing that others leave would do.
    """
    found = {True: 0.0, False: 0.0}
    for other in others:
        loadpoint, settings = site.loadpoints[other], site.configuration.loadpoints[other]
        decided = loadpoint.decided
        if decided is None or loadpoint.session is None or settings.kind != "evse" or decided.limit is None:
            continue
        if decided.wish.enabled and decided.grant.enabled is False and decided.limit.code in NO_ROOM:
            least_a = _least_a(site, other)
            if least_a <= bears_a:
                found[_priority(site, other) > _priority(site, name)] += least_a
    return found


def _shared(site: Site, name: str, left_a: float, waiting_a: dict[bool, float]) -> float:
    """What is left once those that wait have their least: who comes first in any case, the others where both fit."""
    left_a -= waiting_a[True]
    if not waiting_a[False]:
        return left_a
    charger = site.chargers.get(site.configuration.loadpoints[name].charger)
    least_a = _least_a(site, name)
    running = charger is not None and charger.enabled
    return max(min(left_a, least_a), left_a - waiting_a[False]) if running else left_a


def _least_a(site: Site, name: str) -> float:
    settings = settings_of(site, name)
    device = site.devices[settings.charger.partition("/")[0]]
    return supply_of(settings, device, site.chargers.get(settings.charger)).min_a


def _priority(site: Site, name: str) -> int:
    return settings_of(site, name).priority


def _measured(meter: Meter, circuit: CircuitSettings) -> tuple[float, float, float] | None:
    """Current on each phase, negative where it is fed in; from the power where the meter says no currents."""
    found: list[float | None] = []
    for current_a, power_w, voltage_v in zip(meter.currents_a, meter.powers_w, meter.voltages_v, strict=True):
        if current_a is not None:
            found.append(-abs(current_a) if power_w is not None and power_w < 0 else abs(current_a))
        elif power_w is not None:
            found.append(
                power_w / (voltage_v if voltage_v is not None and voltage_v > evses.LIVE_V else evses.NOMINAL_V)
            )
        else:
            found.append(None)
    known = [a for a in found[: circuit.phases] if a is not None]
    if len(known) == circuit.phases:
        one, two, three = (a if a is not None else 0.0 for a in found)
        return one, two, three
    if meter.power_w is None or (circuit.phases > 1 and meter.power_w <= 0):
        return None  # one phase may be fed while another is full
    # All of it might be on one phase, and a fuse does not know of averages.
    worst_a = meter.power_w / evses.NOMINAL_V
    return worst_a, worst_a, worst_a


def _draws(site: Site, name: str, t_ms: int) -> tuple[float, float, float]:
    """What a loadpoint takes on each phase by its own reading; by what it was told where it does not say, or is not read."""
    settings = site.configuration.loadpoints[name]
    charger = site.chargers.get(settings.charger)
    if charger is None:
        return (0.0, 0.0, 0.0)
    if not balance.heard_lately(site, settings.charger, charger, t_ms):
        return _may_take(charger)
    evse = charger.evse
    if evse is not None and any(a is not None for a in evse.currents_a):
        one, two, three = (a or 0.0 for a in evse.currents_a)
        return one, two, three
    power_w = evses.drawn_w(charger)
    if power_w is None:
        return _may_take(charger)
    phases = 1 if evse is None else evse.live or evse.phases or 1
    return _spread(charger, power_w / evses.voltage_v(charger) / phases, phases)


def _span(site: Site, name: str, t_ms: int, meter: Meter) -> tuple[Amps, Amps]:
    """What of a meter's reading is a loadpoint's own: surely, and at most.

    Surely only what it took at every moment that is remembered: nobody knows how old what a meter says is, and a raise that rests
    on current which the meter has not seen yet is above the fuse once it has. At most what it took in the last seconds, for a
    meter that lags as they do. In any case what it was told, give or take: a charger that exaggerates gets no more than others.
    What it was told until a moment ago may be in the reading yet: else whoever is lowered once is lowered again for the same.
    """
    charger = site.chargers.get(site.configuration.loadpoints[name].charger)
    drawn, from_ms = _draws(site, name, t_ms), t_ms - round(evses.RECENT_S * 1000)
    forgotten = [NOTHING] if meter.same_t_ms < from_ms else []  # it may have stopped before anything that is remembered
    if charger is None or charger.evse is None:
        lately_on = charger is not None and charger.enabled_t_ms >= from_ms
        return (NOTHING if lately_on or forgotten else drawn), drawn
    told, recent = _told(charger), charger.evse.recent
    if not recent and charger.evse.asked_t_ms >= from_ms:
        forgotten = [NOTHING]  # it measures nothing, and nobody remembers what it was told before
    begun_ms, reserved_ms = meter.t_ms - round(balance.BEHIND_S * 1000), t_ms - round(RESERVED_S * 1000)
    lately = [*_seen(recent, begun_ms), drawn]
    if charger.evse.asked_t_ms >= reserved_ms:
        lately.append(told)
    if not recent:
        lately += _told_since(
            charger, charger.evse, begun_ms
        )  # it may have taken so much: nobody remembers what it did
    ever = [*lately, *(amps for _, amps in recent), *forgotten]
    most = max([told, *_told_since(charger, charger.evse, reserved_ms)])  # all of them are on the same phases
    return _within(told, ever, min), _within(most, lately, max)


def _told_since(charger: Charger, evse: Evse, from_ms: int) -> list[Amps]:
    """What an EVSE was told in that time and is told no more."""
    phases = evse.live or evse.phases or 3
    return [_spread(charger, current_a, phases) for until_ms, current_a in evse.before if until_ms >= from_ms]


def _seen(recent: tuple[tuple[int, Amps], ...], from_ms: int) -> list[Amps]:
    """What was drawn since then, with what was so when that time began: perhaps nothing, where it is longer ago than remembered."""
    before = [amps for at, amps in recent if at < from_ms][-1:]
    if not before and recent:
        before = [NOTHING]
    return [*before, *(amps for at, amps in recent if at >= from_ms)]


def _within(told: Amps, seen: list[Amps], pick: Callable[..., float]) -> Amps:
    """The least or the most of what was seen on each phase; of what cannot be, what it was told."""
    found = (pick(amps[phase] for amps in seen) for phase in range(3))
    one, two, three = (
        max(0.0, amps if amps <= most + evses.EXCESS_A else most) for amps, most in zip(found, told, strict=True)
    )
    return one, two, three


def _told(charger: Charger) -> tuple[float, float, float]:
    """What an EVSE may be taking because it was told so; a plug that is on what it last took."""
    evse = charger.evse
    if evse is None:
        return _spread(charger, charger.known_w / evses.NOMINAL_V if charger.enabled is not False else 0.0, 1)
    asked_a = evse.asked_a if evse.asked_a is not None else evse.offered_a if charger.enabled is not False else 0.0
    return _spread(charger, asked_a or 0.0, evse.live or evse.phases or 3)


def _may_take(charger: Charger) -> tuple[float, float, float]:
    """The most that a charger which is not read, or measures nothing, may be taking: what it was told may not have come through."""
    told, evse = _told(charger), charger.evse
    if evse is None or charger.enabled is False:
        return told
    offered = _spread(charger, evse.offered_a or 0.0, evse.live or evse.phases or 3)
    return (max(told[0], offered[0]), max(told[1], offered[1]), max(told[2], offered[2]))


def _needs(site: Site, name: str, t_ms: int) -> tuple[float, float, float]:
    """What must be kept free for a loadpoint: what it takes, and until a new set-point has settled what it was granted."""
    drawn, charger = _draws(site, name, t_ms), site.chargers.get(site.configuration.loadpoints[name].charger)
    if charger is None or charger.evse is None or not charger.evse.asked_a:
        return drawn
    begun_ms = charger.evse.begun_t_ms or charger.evse.asked_t_ms
    if t_ms - max(charger.evse.asked_t_ms, begun_ms) > RESERVED_S * 1000:
        return drawn
    told = _told(charger)
    return (max(drawn[0], told[0]), max(drawn[1], told[1]), max(drawn[2], told[2]))
