"""Sun: what is followed from tick to tick for those who charge with it: shares, borrowed energy, clouds.

`advanced` is worked out at every tick: once before the decisions, which rest on it, and once after them, to be remembered. The
second one follows from the log alone; a mode or a session that changed at this very tick is in it, and in the first it is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import structs

from chargerd.engine import balance, evses, meters
from chargerd.engine.draft import State
from chargerd.engine.settings import overridden
from chargerd.model.state import Loadpoint, Sky, Sun

RECENT_S = 300.0  # how far back shares are remembered
SPACED_S = 5.0  # shares closer together than this are not remembered one by one
LOOK_S = 180.0  # clouds are looked for in so much of the past …
LOOK_LEAST_S = 60.0  # … or at least so much
JUMPY = 1 / 16  # of the panels' peak: production that deviates more from its mean jumps about (S1: 587 W at 9.4 kWp)
CALM_S = 420.0  # it has stopped to when it has been steady for so long (S1: 400 s)
UP_W = 500.0  # surplus above the least of all phases that is needed to go up to them
DRAINED_S = 120.0  # a house battery may give too much for so long (S1: 130 s)
SPARED_S = 600.0  # and is spared for so long then (S1)
SHARE_S = 60.0  # where it cannot be told at this moment, the part of the sun counts for so long
LONG_GAP_S = 120.0  # nothing is added up over a longer gap between ticks


def advanced(state: State, t_ms: int) -> tuple[Sky, dict[str, Sun]]:
    """The sky and every sunny loadpoint's share at a moment, from what they were at the last tick and what is read now."""
    seen, wanted = balance.picture(state, t_ms), balance.claims(state, t_ms)
    one_at_a_time = state.configuration.sharing == "one-at-a-time"
    divided = {}
    if seen.surplus_w is not None:
        divided = balance.shares(wanted, seen.surplus_w, one_at_a_time=one_at_a_time)
    suns = {}
    for claim in wanted:
        share, loadpoint = divided.get(claim.name), state.loadpoints[claim.name]
        old = loadpoint.sun or Sun(t_ms)
        suns[claim.name] = _followed(state, t_ms, loadpoint, old, share, seen, claim)
    for claim in balance.candidates(state, t_ms):
        loadpoint = state.loadpoints[claim.name]
        share = None
        if seen.surplus_w is not None:
            with_it = balance.shares((*wanted, claim), seen.surplus_w + claim.used_w, one_at_a_time=one_at_a_time)
            share = with_it[claim.name]
        found = _followed(state, t_ms, loadpoint, loadpoint.sun or Sun(t_ms), share, seen, claim)
        suns[claim.name] = structs.replace(found, borrowed_wh=0.0)  # what it takes from elsewhere is meant to be
    for name in state.sunny:  # who does not follow the sun at this moment remembers nothing of it
        if name not in suns and state.loadpoints[name].sun is not None:
            suns[name] = Sun(t_ms)
    return _sky(state, t_ms, seen, wanted), suns


def _followed(
    state: State,
    t_ms: int,
    loadpoint: Loadpoint,
    old: Sun,
    share: balance.Share | None,
    seen: balance.Picture,
    claim: balance.Claim,
) -> Sun:
    if share is None:
        return Sun(t_ms, None, seen.missing, old.recent, borrowed_wh=old.borrowed_wh)
    settings = overridden(
        state.configuration.loadpoints[claim.name], loadpoint, state.at_ms, state.configuration.timezone
    )
    charger = state.chargers.get(settings.charger)
    least_w, up = claim.min_w, False
    if settings.kind == "evse":
        supply = evses.supply_of(settings, state.devices[settings.charger.partition("/")[0]], charger, t_ms)
        least_w = supply.power_w(supply.min_a, supply.now) if claim.running else supply.min_w
        more_w = supply.power_w(supply.min_a, supply.choices[-1]) + UP_W
        up = len(supply.choices) > 1 and share.power_w >= more_w
    recent = tuple(pair for pair in old.recent if pair[0] >= t_ms - RECENT_S * 1000)
    if not recent or t_ms - recent[-1][0] >= SPACED_S * 1000:
        recent = (*recent, (t_ms, share.power_w))
    else:
        recent = (*recent[:-1], (recent[-1][0], min(recent[-1][1], share.power_w)))
    enough = share.power_w >= claim.min_w
    borrowed_wh = 0.0
    if claim.running:
        dt_s = min((t_ms - old.t_ms) / 1000, LONG_GAP_S)
        short_w = least_w - share.power_w - _support_w(state, t_ms)
        borrowed_wh = max(0.0, old.borrowed_wh + short_w * dt_s / 3600)
    return Sun(
        t_ms,
        share.power_w,
        "",
        recent,
        None if not enough else t_ms if old.enough_t_ms is None else old.enough_t_ms,
        None if not up else t_ms if old.up_t_ms is None else old.up_t_ms,
        borrowed_wh,
        share.waits_for,
    )


def _support_w(state: State, t_ms: int) -> float:
    """What house batteries that are full enough may give to carry a charge over a cloud."""
    found = 0.0
    for name, settings in state.configuration.storages.items():
        storage = meters.storage_at(state, name, t_ms)
        if storage is None or storage.soc_pct is None or storage.soc_pct < settings.buffer_pct:
            continue
        limits = (settings.max_discharge_for_charging_w, storage.max_discharge_w)
        found += min((w for w in limits if w is not None), default=0.0)
    return found


def _sky(state: State, t_ms: int, seen: balance.Picture, wanted: tuple[balance.Claim, ...]) -> Sky:
    old = state.sky
    made, peak_w = old.made, old.peak_w
    if seen.pv_w is not None:
        made = (*(pair for pair in made if pair[0] >= t_ms - LOOK_S * 1000), (t_ms, seen.pv_w))
        peak_w = max(peak_w, seen.pv_w)
    configured = [settings.peak_w for settings in state.configuration.meters.values() if settings.role == "pv"]
    rated_w = sum(w for w in configured if w is not None) or peak_w
    jumps = (
        len(made) > 2
        and made[-1][0] - made[0][0] >= LOOK_LEAST_S * 1000
        and _deviation_w([power_w for _, power_w in made]) > JUMPY * rated_w
    )
    used_w = sum(claim.used_w for claim in wanted)
    limits = [s.max_discharge_for_charging_w for s in state.configuration.storages.values()]
    allowed_w = None if None in limits or not limits else sum(w for w in limits if w is not None)
    drains = allowed_w is not None and seen.storage_w is not None and min(seen.storage_w, used_w) > allowed_w
    drained_t_ms = None if not drains else t_ms if old.drained_t_ms is None else old.drained_t_ms
    too_long = drained_t_ms is not None and t_ms - drained_t_ms >= DRAINED_S * 1000
    share, share_t_ms = seen.solar_share, t_ms
    if share is None and t_ms - old.share_t_ms <= SHARE_S * 1000:
        share, share_t_ms = old.solar_share, old.share_t_ms
    return Sky(
        made,
        peak_w,
        t_ms if jumps else old.broken_t_ms,
        share,
        share_t_ms,
        drained_t_ms,
        t_ms if too_long else old.spared_t_ms,
    )


def _deviation_w(powers_w: Sequence[float]) -> float:
    """Standard deviation; the library's own is exact and takes thirty times as long, at every tick."""
    mean_w = sum(powers_w) / len(powers_w)
    return math.sqrt(sum((power_w - mean_w) ** 2 for power_w in powers_w) / len(powers_w))


def cloudy(sky: Sky, t_ms: int) -> bool:
    """Whether production jumps about, or did until a few minutes ago."""
    return sky.broken_t_ms is not None and t_ms - sky.broken_t_ms < CALM_S * 1000


def spared(sky: Sky, t_ms: int) -> bool:
    """Whether house batteries give nothing for charging for now, because they gave too much."""
    return sky.spared_t_ms is not None and t_ms - sky.spared_t_ms < SPARED_S * 1000
