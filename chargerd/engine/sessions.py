"""Sessions: where a charging session starts and ends, and what its readings add up to."""

from __future__ import annotations

from msgspec import structs

from chargerd.engine import course
from chargerd.engine.draft import Draft
from chargerd.engine.settings import overridden
from chargerd.model.events import Event, ModeSet, Reason
from chargerd.model.settings import Configuration, LoadpointSettings
from chargerd.model.state import Charger, Loadpoint, Session, Sky

GAP_MS = 180_000  # energy over a longer gap between readings counts as estimated
FLAT_W = 1.0  # power counts as the same level while it moves less than this, or less than …
FLAT_SHARE = 0.15  # … this share of it
LOW = 1.05  # below so many times the cut-off a reading counts as a low one
KEPT = 16
"""Ended sessions that the state keeps; more only while they have all ended at one moment, so that none is overlooked."""


def opened(draft: Draft, event: Event, loadpoint: Loadpoint, fact: ModeSet) -> Session:
    """A session that begins now, aimed at the target in force."""
    configured = draft.configuration.loadpoints[fact.loadpoint]
    address = configured.charger
    charger = draft.chargers.get(address)
    if charger is not None and charger.attempts:  # an earlier session's failures are not this one's
        draft.chargers[address] = structs.replace(charger, attempts=0, retry_t_ms=0)
    session = Session(
        number=event.seq,
        loadpoint=fact.loadpoint,
        profile="",
        target="",
        stop_w=0.0,
        near_w=0.0,
        by=fact.by,
        started_at_ms=event.at_ms,
        started_t_ms=draft.t_ms,
        flat_t_ms=draft.t_ms,
        from_pct=fact.from_pct,
    )
    settings = overridden(configured, loadpoint, event.at_ms, draft.configuration.timezone)
    target, balance = course.aim_of(settings, loadpoint, event.at_ms)
    cost, _, currency = priced(session, 0.0, draft.configuration)
    session = structs.replace(session, cost=cost, currency=currency, balance=balance)
    return course.expecting(aimed(session, settings, target), loadpoint, fact.by)


def begun(draft: Draft, event: Event, loadpoint: Loadpoint, name: str) -> Session:
    """A session that begins because a vehicle is there. It has no levels of power to watch: the vehicle ends it itself."""
    settings = draft.configuration.loadpoints[name]
    vehicle = "" if settings.vehicle is None else settings.vehicle.name
    session = Session(
        number=event.seq,
        loadpoint=name,
        profile=vehicle,
        target="",
        stop_w=0.0,
        near_w=0.0,
        by=loadpoint.mode_by or "vehicle",
        started_at_ms=event.at_ms,
        started_t_ms=draft.t_ms,
        flat_t_ms=draft.t_ms,
        solar_wh=0.0 if draft.configuration.meters else None,
    )
    cost, _, currency = priced(session, 0.0, draft.configuration)
    return structs.replace(session, cost=cost, currency=currency)


def stopped(by: str, seq: int) -> Reason:
    """Why a session ends when somebody wants it off, here or at the device itself."""
    return Reason("switched-off-elsewhere" if by == "device" else "stopped", {"by": by}, (seq,))


def ended(draft: Draft, loadpoint: Loadpoint, at_ms: int, outcome: str, reason: Reason) -> Loadpoint:
    """The loadpoint with its session closed, if one is open, and with what was meant for that session only taken away."""
    if loadpoint.session is None:
        return loadpoint
    session = structs.replace(loadpoint.session, ended_at_ms=at_ms, outcome=outcome, reason=reason)
    together = bool(draft.ended) and draft.ended[0].ended_at_ms == at_ms
    draft.ended = (*(draft.ended if together else draft.ended[1 - KEPT :]), session)
    loadpoint = structs.replace(loadpoint, session=None, last_session=session)
    loadpoint = course.recorded(loadpoint, session, at_ms, draft.t_ms)
    if any(override.once for override in loadpoint.overrides.values()):
        lasting = {key: override for key, override in loadpoint.overrides.items() if not override.once}
        loadpoint = structs.replace(loadpoint, overrides=lasting)
    if loadpoint.target_once:
        back = loadpoint.standing_target
        loadpoint = structs.replace(loadpoint, target=back, target_by="", target_once=False, target_until_ms=None)
    return loadpoint


def taken(old: Charger, new: Charger) -> float:
    """Wh that a consumer took between two readings."""
    before_w, now_w = (charger.known_w if charger.enabled else 0.0 for charger in (old, new))
    return (before_w + now_w) / 2 * (new.t_ms - old.t_ms) / 3_600_000


def supplied(
    session: Session, old: Charger, power_w: float | None, t_ms: int, configuration: Configuration, sky: Sky
) -> Session:
    """An EVSE's session with one more reading counted in, and what of it came from the sun."""
    from_ms = max(old.t_ms, session.started_t_ms)
    dt_ms = t_ms - from_ms
    on_ms = session.on_ms + dt_ms if old.enabled else session.on_ms
    if power_w is None:
        return structs.replace(session, on_ms=on_ms)
    known_ms = old.t_ms if old.power_t_ms is None else old.power_t_ms
    unknown_ms = max(0, old.t_ms - max(known_ms, session.started_t_ms))
    added_wh = (old.known_w + power_w) / 2 * (dt_ms + unknown_ms) / 3_600_000
    share = sky.solar_share
    cost, priced_wh, currency = priced(session, added_wh, configuration, share or 0.0)
    solar_wh = session.solar_wh
    if solar_wh is not None and share is not None:
        solar_wh += added_wh * share
    return structs.replace(
        session,
        energy_wh=session.energy_wh + added_wh,
        estimated_wh=session.estimated_wh + (added_wh if dt_ms > GAP_MS or unknown_ms else 0.0),
        on_ms=on_ms,
        peak_w=max(session.peak_w, power_w),
        cost=cost,
        priced_wh=priced_wh,
        currency=currency,
        solar_wh=solar_wh,
    )


def priced(
    session: Session, added_wh: float, configuration: Configuration, solar_share: float = 0.0
) -> tuple[float | None, float, str]:
    """A session's cost, the energy it is of and its currency, with more energy counted in at the price in force now.

    ``solar_share`` of it came from the sun and costs what feeding it in would have brought, nothing where that is not known.

    The one place that knows what a kWh costs: all of ``added_wh``, which has flowed since the reading before, costs what it
    costs at its end. Without a price, or in another currency than the session began in, its cost stays unknown.
    """
    price, currency = configuration.import_price_per_kwh, configuration.currency
    if price is None or (session.currency and session.currency != currency):
        return session.cost, session.priced_wh, session.currency
    if solar_share:
        price = (1 - solar_share) * price + solar_share * (configuration.export_price_per_kwh or 0.0)
    return (session.cost or 0.0) + added_wh / 1000 * price, session.priced_wh + added_wh, currency


def measured(
    session: Session, old: Charger, enabled: bool | None, power_w: float | None, t_ms: int, configuration: Configuration
) -> Session:
    """The session with one more reading counted in."""
    old_ms, was_on = old.t_ms, old.enabled
    began_ms, known_ms = session.started_t_ms, old.power_t_ms
    dt_ms = t_ms - (old_ms if old_ms > began_ms else began_ms)  # what was before it began is not its own
    if not enabled and dt_ms > GAP_MS and old.leased_t_ms is not None and old.leased_s is not None:
        ended_ms = old.leased_t_ms + old.leased_s * 1000  # its own timer ended it then
        dt_ms = max(0, min(dt_ms, ended_ms - max(old_ms, began_ms)))
    on_ms = session.on_ms + dt_ms if was_on else session.on_ms
    if power_w is None:
        return structs.replace(session, on_ms=on_ms)
    if not enabled:
        power_w = 0.0  # some plugs go on reporting their last power with the relay off
    before_w, unknown_ms = 0.0, 0
    if was_on:
        before_w = old.known_w
        if known_ms is not None and known_ms != old_ms:
            unknown_ms = max(0, old_ms - max(known_ms, began_ms))
    added_wh = (before_w + power_w) / 2 * (dt_ms + unknown_ms) / 3_600_000
    energy_wh, estimated_wh = session.energy_wh + added_wh, session.estimated_wh
    cost, priced_wh, currency = session.cost, session.priced_wh, session.currency
    if added_wh:
        cost, priced_wh, currency = priced(session, added_wh, configuration)
        if dt_ms > GAP_MS or unknown_ms:
            estimated_wh += added_wh
    if enabled and session.calm_from_w <= power_w < session.calm_to_w:
        low = power_w < LOW * session.stop_w
        return structs.replace(
            session, energy_wh=energy_wh, estimated_wh=estimated_wh, on_ms=on_ms,
            peak_w=power_w if power_w > session.peak_w else session.peak_w,
            above_w=power_w if session.below_t_ms is None else session.above_w,
            low_readings=session.low_readings + 1 if low else session.low_readings,
            cost=cost, priced_wh=priced_wh, currency=currency,
        )  # fmt: skip
    if enabled:
        return _watched(session, power_w, before_w, t_ms, (energy_wh, estimated_wh, on_ms), (cost, priced_wh, currency))
    sums = {"energy_wh": energy_wh, "estimated_wh": estimated_wh, "on_ms": on_ms}
    return _unwatched(structs.replace(session, **sums, cost=cost, priced_wh=priced_wh, currency=currency))


def _watched(
    session: Session,
    power_w: float,
    before_w: float,
    t_ms: int,
    sums: tuple[float, float, int],
    cost: tuple[float | None, float, str],
) -> Session:
    """The session with its new sums, and with what its power says: how near the cut-off, how flat, how against before."""
    stop_w, near_w, limit_w = session.stop_w, session.near_w, session.limit_w
    below = power_w < stop_w
    near_t_ms = None if power_w >= near_w else t_ms if session.near_t_ms is None else session.near_t_ms
    over_t_ms = None if power_w <= limit_w else t_ms if session.over_t_ms is None else session.over_t_ms
    flat_w, flat_t_ms, stepped = session.flat_w, session.flat_t_ms, session.stepped
    if abs(power_w - flat_w) > max(FLAT_W, FLAT_SHARE * flat_w):
        stepped = near_t_ms is not None and (power_w < before_w / 2 or (stepped and power_w < 2 * flat_w))
        flat_w, flat_t_ms = power_w, t_ms
    nominal_t_ms, plateau_w, taper_t_ms, way, pulses = course.followed(session, power_w, flat_t_ms, t_ms)
    peak_w = power_w if power_w > session.peak_w else session.peak_w
    calm = (1.0, 0.0) if over_t_ms is not None else _calm(session, power_w, flat_w, plateau_w, peak_w, way)
    return Session(
        session.number, session.loadpoint, session.profile, session.target, stop_w, near_w, session.by,
        session.started_at_ms, session.started_t_ms, *sums,
        peak_w, (t_ms if session.below_t_ms is None else session.below_t_ms) if below else None,
        session.above_w if below else power_w,
        session.low_readings + 1 if power_w < LOW * stop_w else session.low_readings,
        near_t_ms, flat_w, flat_t_ms, stepped, over_t_ms, limit_w, None, None, None, *cost,
        session.stop_wh, session.from_pct, session.balance, session.nominal_w, nominal_t_ms, session.rest_w, plateau_w,
        taper_t_ms, way, pulses, session.usual_w, session.taper_limit_s, *calm,
    )  # fmt: skip


def _calm(
    session: Session, power_w: float, flat_w: float, plateau_w: float, peak_w: float, way: int
) -> tuple[float, float]:
    """The powers around this one that cross none of the levels watched: they add energy, and most of a charge is such."""
    room_w = max(FLAT_W, FLAT_SHARE * flat_w) * (1 - 1e-9)  # at its very edge sum and difference round differently
    up_w = 2 * session.rest_w
    from_w, to_w = flat_w - room_w, min(session.limit_w, flat_w + room_w, max(course.RISEN * plateau_w, up_w))
    if way == 1:
        from_w = max(from_w, session.rest_w)
    else:
        to_w = min(to_w, max(up_w, peak_w / 2))
    for level_w in (session.stop_w, session.near_w, session.nominal_w, course.FALLING * plateau_w):
        if power_w < level_w:
            to_w = min(to_w, level_w)
        else:
            from_w = max(from_w, level_w)
    return from_w, to_w


def _unwatched(session: Session) -> Session:
    """With the relay off nothing is seen of the battery: what was watched begins again when it is on."""
    watched = {"below_t_ms": None, "near_t_ms": None, "over_t_ms": None, "nominal_t_ms": None, "taper_t_ms": None}
    return structs.replace(session, **watched, course=0, calm_from_w=1.0, calm_to_w=0.0)


def aimed(session: Session, settings: LoadpointSettings, target: str) -> Session:
    """The session with its watched levels set for a target; what was counted against another level is forgotten."""
    profile = settings.profile
    stop_wh = profile.storage_wh(session.from_pct) if target == "storage" and session.from_pct is not None else None
    # A pack that is charged by counted energy is still on its plateau; power says only that it is fuller than was thought.
    stop_w = profile.stop_w(target) if stop_wh is None else profile.nominal_stop_w
    levels = {
        "profile": profile.name,
        "target": target,
        "stop_w": stop_w,
        "stop_wh": stop_wh,
        "near_w": stop_w + profile.margin_w,
        "limit_w": profile.power_limit_w,
        "nominal_w": profile.nominal_stop_w,
        "rest_w": course.rest_w(profile),
    }
    if all(getattr(session, level) == value for level, value in levels.items()):
        return session
    if session.target and target != session.target:
        levels["taper_limit_s"] = course.TAPER_S[target]
    counted = {"below_t_ms": None, "near_t_ms": None, "low_readings": 0, "above_w": 0.0, "over_t_ms": None}
    return structs.replace(session, **levels, **counted, calm_from_w=1.0, calm_to_w=0.0)
