"""Balance: what the site takes and gives at a moment, and how much of the sun each loadpoint may use.

Everything is worked out from the newest readings that are fresh; what is missing is named and never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from msgspec import Struct

from chargerd.engine import evses, meters, witness
from chargerd.engine.draft import State
from chargerd.engine.settings import overridden
from chargerd.model.settings import SUN_MODES, Configuration, address_of
from chargerd.model.state import Charger, Loadpoint, Meter

BARRED = frozenset({
    "consumer-sated", "house-battery-first", "other-charges-fast", "outside-window", "starts-used-up", "circuit-limit",
    "circuit-blind", "never-fits", "never-fits-power", "charger-fault", "charger-holds", "stale-reading", "held",
})  # fmt: skip
BEHIND_S = 12.0  # a meter may be so much older than what a charger says
BEGINS_W = 6 * 230.0  # the least of a car
MOVED_A = 5.0  # on all phases together; more in so short a time, and what the house takes is not known
LED = "sun"  # who has set a mode that follows from the sun


class Picture(Struct, frozen=True, gc=False):
    """Powers in W by the signs of `model.readings`; None where a reading that it takes is missing.

    ``surplus_w`` is what the loadpoints that follow the sun may use together, what they use already included.
    ``missing`` names the meter or storage without which that is not known. ``storage_w`` is discharge.
    """

    grid_w: float | None
    pv_w: float | None
    storage_w: float | None
    charging_w: float | None
    house_w: float | None
    soc_pct: float | None
    surplus_w: float | None
    missing: str = ""

    @property
    def solar_share(self) -> float | None:
        """How much of what is charged now comes from the sun, from 0 to 1; the house is served first."""
        if self.pv_w is None or self.house_w is None or self.charging_w is None:
            return None
        into_storage_w = max(0.0, -(self.storage_w or 0.0))
        takes_w = max(self.charging_w, BEGINS_W)  # a charge that begins now will take its least
        return min(1.0, max(0.0, (self.pv_w - self.house_w - into_storage_w) / takes_w))


class Claim(Struct, frozen=True, gc=False):
    """What a loadpoint that follows the sun can make of it. ``steady``: it takes its least whatever the sun does."""

    name: str
    priority: int
    min_w: float
    max_w: float
    used_w: float
    running: bool
    idle: bool
    steady: bool


class Share(Struct, frozen=True, gc=False):
    """What one of them may use, and who is served before it, "" if nobody."""

    power_w: float
    waits_for: str = ""


def order(configuration: Configuration) -> tuple[str, ...]:
    """The loadpoints that can follow the sun, as they are written: among equals the first is served first."""
    return tuple(p.name for p in configuration.loadpoints.values() if p.kind != "battery")


def picture(state: State, t_ms: int) -> Picture:
    """The site as its meters show it at a moment on the engine's clock."""
    configuration = state.configuration
    grid_w, pv_w = None, None
    has_grid = any(settings.role == "grid" for settings in configuration.meters.values())
    missing = "" if has_grid else "a meter at the grid connection"
    seen: list[float | None] = []
    for name, settings in configuration.meters.items():
        meter = meters.meter_at(state, name, t_ms)
        if settings.role == "grid":
            grid_w = None if meter is None else meter.power_w
            missing = name if grid_w is None else missing
        elif settings.role == "pv":
            seen.append(None if meter is None else meter.power_w)
    storage_w, soc_pct, unknown = _stored(state, t_ms)
    inverter_w = None if None in seen else sum(w for w in seen if w is not None)
    if seen and inverter_w is not None and storage_w is not None:
        pv_w = max(0.0, inverter_w - _behind_inverters_w(state, t_ms))
    charging_w = _charging_w(state, t_ms)
    house_w = None
    if grid_w is not None and inverter_w is not None and storage_w is not None and charging_w is not None and seen:
        house_w = grid_w + inverter_w + storage_w - _behind_inverters_w(state, t_ms) - charging_w
        house_w = house_w if _steady(state, t_ms) else None
    missing = missing or unknown
    surplus_w = None
    if grid_w is not None and storage_w is not None:
        spare_w = (
            -grid_w - storage_w - configuration.reserve_w + sum(c.used_w for c in claims(state, t_ms) if c.running)
        )
        if pv_w is not None:
            spare_w = min(spare_w, pv_w)  # whatever a meter says: more than is made cannot be left over
        surplus_w = spare_w - _entitled_w(state, t_ms)
    return Picture(grid_w, pv_w, storage_w, charging_w, house_w, soc_pct, surplus_w, missing)


def _stored(state: State, t_ms: int) -> tuple[float | None, float | None, str]:
    """What all house batteries discharge, their level by content, and which of them is not known."""
    total_w, held_wh, size_wh = 0.0, 0.0, 0.0
    for name in state.configuration.storages:
        storage = meters.storage_at(state, name, t_ms)
        if storage is None or storage.power_w is None:
            return None, None, name
        total_w += storage.power_w
        if storage.soc_pct is not None:
            size_wh += storage.capacity_wh or 1.0
            held_wh += storage.soc_pct * (storage.capacity_wh or 1.0)
    return total_w, held_wh / size_wh if size_wh else None, ""


def level_pct(state: State, t_ms: int) -> float | None:
    """The house batteries' level by content, None if there is none or one of them is not known."""
    return _stored(state, t_ms)[1]


def _behind_inverters_w(state: State, t_ms: int) -> float:
    """What batteries on the DC side of an inverter that is metered give: it is part of what that inverter says."""
    inverters = {settings.device for settings in state.configuration.meters.values() if settings.role == "pv"}
    found = 0.0
    for name, settings in state.configuration.storages.items():
        storage = meters.storage_at(state, name, t_ms)
        if settings.device in inverters and storage is not None and storage.power_w is not None:
            found += storage.power_w
    return found


def _entitled_w(state: State, t_ms: int) -> float:
    """What house batteries that come first can take: as was seen while there was more, else as they or the settings say."""
    found = 0.0
    for name, settings in state.configuration.storages.items():
        storage = meters.storage_at(state, name, t_ms)
        if storage is None or storage.soc_pct is None or storage.soc_pct >= settings.priority_pct:
            continue
        if storage.takes_w is not None and t_ms - storage.takes_t_ms <= meters.TAKES_S * 1000:
            found += storage.takes_w
        else:
            limits = [w for w in (settings.max_charge_w, storage.max_charge_w) if w is not None]
            found += min(limits) if limits else max(0.0, -(storage.power_w or 0.0))
    return found


def heard_lately(state: State, address: str, charger: Charger | None, t_ms: int) -> bool:
    """Whether a charger has been read in this run, and not too long ago."""
    if charger is None or charger.seq < state.run_seq:
        return False
    return t_ms - charger.t_ms <= state.configuration.device_of(address).max_age_s * 1000


def _steady(state: State, t_ms: int) -> bool:
    """Whether what EVSEs take has kept still since shortly before the grid was read: else two moments would be added up."""
    names = [name for name, settings in state.configuration.meters.items() if settings.role == "grid"]
    read = [meter.t_ms for name in names if (meter := meters.meter_at(state, name, t_ms)) is not None]
    from_ms = min(read, default=t_ms) - round(BEHIND_S * 1000)
    for settings in state.configuration.loadpoints.values():
        charger = state.chargers.get(settings.charger)
        recent = () if charger is None or charger.evse is None else charger.evse.recent
        seen = [sum(amps) for at, amps in recent if at >= from_ms] + [sum(amps) for at, amps in recent if at < from_ms][
            -1:
        ]
        if seen and max(seen) - min(seen) > MOVED_A:
            return False
    return True


def _charging_w(state: State, t_ms: int) -> float | None:
    """What all loadpoints take together."""
    total_w = 0.0
    for settings in state.configuration.loadpoints.values():
        charger = state.chargers.get(settings.charger)
        power_w = None
        if charger is not None and heard_lately(state, settings.charger, charger, t_ms):
            power_w = evses.drawn_w(charger)
        if power_w is None:
            return None
        total_w += power_w
    return total_w


def witnessed(state: State, address: str, meter: Meter) -> Meter:
    """A meter at the grid connection, held against what loadpoints take and panels and house batteries give; another as it is."""
    settings = [
        m
        for m in state.configuration.meters.values()
        if m.role == "grid" and address_of(m.device, m.channel) == address
    ]
    if not settings:
        return meter
    t_ms = meter.t_ms
    names = [name for name, m in state.configuration.meters.items() if m.role == "pv"]
    made = [meters.meter_at(state, name, t_ms) for name in names]
    stored_w = _stored(state, t_ms)[0]
    given_w = None
    if names and stored_w is not None and None not in made:
        made_w = sum(m.power_w for m in made if m is not None and m.power_w is not None)
        given_w = made_w + stored_w - _behind_inverters_w(state, t_ms)
    charging_w = _charging_w(state, t_ms)
    if charging_w is not None and settings[0].invert:
        charging_w = -charging_w
    return witness.heard(meter, charging_w, given_w)


def claims(state: State, t_ms: int) -> tuple[Claim, ...]:
    """What follows the sun at this moment, as it is written."""
    found = []
    for name in state.sunny:
        configured, loadpoint = state.configuration.loadpoints[name], state.loadpoints[name]
        mode = loadpoint.mode or configured.mode
        if mode in SUN_MODES and (configured.kind != "evse" or loadpoint.session is not None):
            found.append(_claim(state, name, t_ms, steady=mode == "min-solar"))
    return tuple(found)


def candidates(state: State, t_ms: int) -> Iterator[Claim]:
    """Who charges slowly and may be led to follow the sun: what there would be for it is watched."""
    for name in state.sunny:
        configured, loadpoint = state.configuration.loadpoints[name], state.loadpoints[name]
        if (loadpoint.mode or configured.mode) != "slow" or loadpoint.session is None:
            continue
        settings = overridden(configured, loadpoint, state.at_ms, state.configuration.timezone)
        if settings.auto_solar_pct is not None or loadpoint.mode_by == LED:
            yield _claim(state, name, t_ms, steady=False)


def _claim(state: State, name: str, t_ms: int, *, steady: bool) -> Claim:
    configured, loadpoint = state.configuration.loadpoints[name], state.loadpoints[name]
    settings = overridden(configured, loadpoint, state.at_ms, state.configuration.timezone)
    charger = state.chargers.get(settings.charger)
    known = charger if heard_lately(state, settings.charger, charger, t_ms) else None
    running = known is not None and known.enabled is True
    used_w = (evses.drawn_w(known) or 0.0) if known is not None and running else 0.0
    if settings.kind == "evse":
        supply = evses.supply_of(settings, state.devices[settings.charger.partition("/")[0]], charger, t_ms)
        min_w, max_w, idle = supply.min_w, supply.max_w, known is not None and _idle(known)
        used_w = min(used_w, _offered_w(known, t_ms))
        if known is not None and running and evses.drawn_w(known) is None and known.evse is not None:
            # It measures nothing: a vehicle that draws is taken to take what it is offered.
            takes = known.evse.pilot in evses.DRAWING
            used_w = supply.power_w(known.offers_a(t_ms) or 0.0, supply.now) if takes else 0.0
    else:
        idle = running and used_w <= 0
        min_w = used_w if used_w > 0 else settings.on_above_w
        max_w = max(used_w, settings.on_above_w)
    idle = idle or (not running and _barred(loadpoint))
    return Claim(name, settings.priority, min_w, max_w, used_w, running, idle, steady)


def _offered_w(charger: Charger | None, t_ms: int) -> float:
    """The most that a vehicle can take of what it is offered: a charger that exaggerates gets no more for it."""
    if charger is None or charger.evse is None:
        return 0.0
    offered_a, phases = charger.offers_a(t_ms), charger.evse.live or charger.evse.phases or 3
    return math.inf if offered_a is None else (offered_a + evses.EXCESS_A) * phases * evses.voltage_v(charger)


def _barred(loadpoint: Loadpoint) -> bool:
    """Whether something else than sun keeps it from starting: it takes nothing from those that could."""
    decided = loadpoint.decided
    return decided is not None and (decided.limit or decided.reason).code in BARRED


def _idle(charger: Charger) -> bool:
    """Whether a vehicle has taken nothing of what it is offered for so long that it is not waited for."""
    evse = charger.evse
    if evses.faulty(evse) or (evse is not None and evse.held):
        return True
    if evse is None or evse.begun_t_ms is None:
        return False
    since_ms = evse.begun_t_ms if evse.drawn_t_ms is None else evse.drawn_t_ms
    return charger.t_ms - since_ms > evses.SETTLE_S * 1000


def shares(wanted: Iterable[Claim], surplus_w: float, *, one_at_a_time: bool = False) -> dict[str, Share]:
    """How the surplus is divided. ``wanted`` is as it is written.

    Whoever takes its least in any case has that first. Then priority by priority: those that run have their least, those
    that wait too where it still fits, and what is left is poured out evenly. Who is left out is told what would be there for it.
    """
    wanted = tuple(wanted)
    found: dict[str, Share] = {}
    left_w = surplus_w - sum(claim.min_w for claim in wanted if claim.steady and not claim.idle)
    served = ""
    for priority in sorted({claim.priority for claim in wanted}, reverse=True):
        group = [claim for claim in wanted if claim.priority == priority]
        kept: list[Claim] = []
        for claim in sorted(group, key=lambda c: not c.running):  # sorted is stable: the order of names stays
            own_w = claim.min_w if claim.steady else 0.0
            rest_w = left_w + own_w - sum(c.min_w for c in kept if not c.steady)
            alone = one_at_a_time and served not in ("", claim.name)
            if alone or claim.idle or (kept and rest_w < claim.min_w and not claim.steady):
                found[claim.name] = Share(0.0 if alone else rest_w, served if alone else "")
                continue
            if claim.running or rest_w >= claim.min_w:
                served = served or claim.name
                kept.append(claim)
            else:
                found[claim.name] = Share(rest_w)
        poured = _poured(kept, left_w)
        found.update({name: Share(power_w) for name, power_w in poured.items()})
        left_w -= sum(min(poured[c.name], c.max_w) - (c.min_w if c.steady else 0.0) for c in kept)
    return found


def _poured(kept: list[Claim], left_w: float) -> dict[str, float]:
    """An even share for each beyond its least, none above its most; alone, one has it all, also where that is too little."""
    total_w = left_w + sum(claim.min_w for claim in kept if claim.steady)
    if len(kept) <= 1:
        return {claim.name: total_w for claim in kept}
    given = {claim.name: claim.min_w for claim in kept}
    rest_w, open_ = total_w - sum(given.values()), list(kept)
    while rest_w > 1.0 and open_:
        each_w = rest_w / len(open_)
        for claim in open_:
            more_w = min(each_w, claim.max_w - given[claim.name])
            given[claim.name] += more_w
            rest_w -= more_w
        open_ = [claim for claim in open_ if claim.max_w - given[claim.name] > 1.0]
    if (
        rest_w < 0
    ):  # not enough for all that run: the last that follows the sun goes without, the others take theirs anyway
        short = next((claim for claim in reversed(kept) if not claim.steady), kept[-1])
        given[short.name] += rest_w
    return given
