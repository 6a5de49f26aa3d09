"""Course: how a charge goes, held against earlier charges of the same pack. Numbers only; `limits` judges them."""

from __future__ import annotations

from statistics import median

from msgspec import structs

from chargerd.model.settings import DAY_MS, LoadpointSettings, Profile
from chargerd.model.state import Charge, Loadpoint, Session

SETTLED_MS = 600_000  # power that has kept its level for so long is a plateau
FALLING = 0.9  # of the plateau: below it power is on its way down …
RISEN = 1.005  # … above it the plateau is a higher one
PULSES_KEPT = 8
KNOWN_AFTER = 3  # charges that must be on record before another one is held against them
KEPT = 9  # charges on record
REST_FACTOR = 1.4  # a full pack's charger draws up to this times the full cut-off (seen: 6.3 W for a cut-off of 5 W)
TAPER_S = {"nominal": 3 * 3600.0, "full": 6 * 3600.0, "storage": 3 * 3600.0}
"""Longest fall from plateau to cut-off while this pack's own is not known: the slowest recorded fall, 0.7 W a minute, twice."""
SUSPECT = frozenset({"foreign-pack", "taper-stalled", "restart-pulses"})
"""Outcomes that say: this is not the pack or not the charger it was. Who starts again by hand says that it is all right."""
AUTOMATIC = frozenset({"schedule", "plan", "until", "sun"})


def rest_w(profile: Profile) -> float:
    """Power below which a charger is at rest: it has a full pack, or none."""
    return max(profile.idle_w, REST_FACTOR * profile.full_w)


def followed(
    session: Session, power_w: float, flat_t_ms: int, t_ms: int
) -> tuple[int | None, float, int | None, int, tuple[int, ...]]:
    """``nominal_t_ms``, ``plateau_w``, ``taper_t_ms``, ``course`` and ``pulses`` of the session after one more reading."""
    nominal_t_ms, taper_t_ms = session.nominal_t_ms, session.taper_t_ms
    plateau_w, course, pulses = session.plateau_w, session.course, session.pulses
    nominal_t_ms = None if power_w >= session.nominal_w else t_ms if nominal_t_ms is None else nominal_t_ms
    up_w = 2 * session.rest_w
    if power_w > RISEN * plateau_w and power_w > up_w and t_ms - flat_t_ms >= SETTLED_MS:
        plateau_w = power_w
    taper_t_ms = None if power_w >= FALLING * plateau_w else t_ms if taper_t_ms is None else taper_t_ms
    if course == 1:
        if power_w < session.rest_w:
            course = 2
    elif power_w > up_w and 2 * power_w > session.peak_w:
        if course == 2:
            pulses = (*pulses[1 - PULSES_KEPT :], t_ms)
        course = 1
    return nominal_t_ms, plateau_w, taper_t_ms, course, pulses


def expecting(session: Session, loadpoint: Loadpoint, by: str) -> Session:
    """A session that begins, with what earlier charges let one expect of it.

    Nothing is expected of one that a person begins right after a suspicious end: that is how a new pack is made known.
    """
    last = loadpoint.last_session
    trusted = by not in AUTOMATIC and last is not None and last.outcome in SUSPECT
    known = () if trusted else [c for c in loadpoint.record if c.profile == session.profile]
    plateaus = [c.plateau_w for c in known if c.plateau_w > 0]
    tapers = [c.taper_s for c in known if c.target == session.target and c.taper_s is not None]
    usual_w = median(plateaus) if len(plateaus) >= KNOWN_AFTER else 0.0
    taper_s = 2 * max(tapers) + 1800 if len(tapers) >= KNOWN_AFTER else TAPER_S[session.target]
    return structs.replace(session, usual_w=usual_w, taper_limit_s=taper_s)


def recorded(loadpoint: Loadpoint, session: Session, at_ms: int, t_ms: int) -> Loadpoint:
    """The loadpoint with an ended session counted in: a full charge, a storage charge, one more on record."""
    outcome, target = session.outcome, session.target
    if outcome in ("finished", "already-full") and target == "full":
        loadpoint = structs.replace(loadpoint, full_at_ms=at_ms)
    if outcome != "finished":
        return loadpoint
    if target == "storage":
        loadpoint = structs.replace(loadpoint, stored=loadpoint.stored + 1)
    taper_t_ms, nominal_t_ms = session.taper_t_ms, session.nominal_t_ms
    charge = Charge(
        session.profile,
        target,
        session.plateau_w,
        None if taper_t_ms is None or not session.plateau_w else (t_ms - taper_t_ms) / 1000,
        (t_ms - nominal_t_ms) / 1000 if target == "full" and nominal_t_ms is not None else None,
        session.on_ms / 1000,
        session.energy_wh,
    )
    return structs.replace(loadpoint, record=(*loadpoint.record[1 - KEPT :], charge), missed=None)


def aim_of(settings: LoadpointSettings, loadpoint: Loadpoint, at_ms: int) -> tuple[str, bool]:
    """The target of a session that begins now, and whether it is a balance charge: full where nominal was meant."""
    target = loadpoint.target or settings.target
    if target != "nominal" or loadpoint.target_once or not settings.balance_days:
        return target, False
    full_at_ms = loadpoint.full_at_ms
    if full_at_ms is not None and at_ms - full_at_ms < settings.balance_days * DAY_MS:
        return target, False
    return "full", True
