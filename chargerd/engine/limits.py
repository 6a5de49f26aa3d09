"""Limits: what may be, whatever is wanted. They have the last word on every set-point and add their own reason.

Three groups, in this order. What ends a session: the caps on time, energy and power, and a charger that does not follow.
What takes permission away for a while: the daemon ending, a person's hold, a stale reading, the hours of the loadpoint.
What only keeps from switching on or off *now*: an unwritable log, the first look round after a start, wear.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from chargerd.model import windows
from chargerd.model.decision import Decision, Supply
from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import DAY_MS, DeviceSettings, LoadpointSettings, Scalar
from chargerd.model.state import LAGS_S, Charger, Device, Loadpoint, Session, Site, Sky, Sun

OFF = SetPoint(enabled=False)
KEEP = SetPoint()
OVER_POWER_S = 30  # a peak shorter than this is the charger's inrush
FUTILE_ATTEMPTS = 3  # switching on without effect this often is a fault; switching off is tried for ever
STOPPING_LEASE_S = 120  # what is left on at the daemon's end: enough for an upgrade, not for a forgotten charge
ODD_SHARE = 0.25  # a plateau so far from the usual one is another pack: cold and age move it by a tenth
ODD_LOW_S = 1800  # a pack that was nearly full is below the usual plateau too, but does not stay at one level
PULSES = 4  # coming up from rest so often …
PULSES_S = 3600  # … within this is no single bad reading


class Case(Struct, frozen=True, gc=False):
    """One loadpoint at one moment, with all that limits look at."""

    t_ms: int
    site: Site
    wall_ms: int
    settings: LoadpointSettings
    device_settings: DeviceSettings
    loadpoint: Loadpoint
    device: Device
    charger: Charger | None
    started: bool  # the policy has seen the battery take power; before that it is still setting up
    mode: str = ""
    sky: Sky = Sky()
    sun: Sun | None = None
    supply: Supply | None = None  # of an EVSE

    @property
    def session(self) -> Session | None:
        """The open charging session, if any."""
        return self.loadpoint.session


class Granted(Struct, frozen=True, gc=False):
    """What may be: the set-point, the limit's reason if one spoke, and how the session ends if it does."""

    grant: SetPoint
    limit: Reason | None = None
    outcome: str | None = None
    wake_ms: int | None = None  # on the engine's clock


def grant(case: Case, decision: Decision) -> Granted:
    """The policy's wish, cut down to what may be."""
    held = _hold(case, decision)
    if held is not None:
        return held  # a person's hands off: nothing is sent but lease renewals, by nobody
    if decision.outcome is None and case.session is not None and _waited(case):
        for cap in _CAPS if case.settings.kind == "battery" else _EVSE_CAPS:
            capped = cap(case, case.session)
            if capped is not None:
                return capped
    for limit in _LIMITS:
        granted = limit(case, decision)
        if granted is not None:
            return granted
    return Granted(decision.wish, outcome=decision.outcome, wake_ms=decision.wake_ms)


def speaking(case: Case, decision: Decision) -> tuple[Reason, ...]:
    """What every limit has against this wish, also those that do not come to the word because another one spoke first.

    The first is the one that `grant` follows.
    """
    found = [_hold(case, decision)]
    if decision.outcome is None and case.session is not None and _waited(case):
        caps = _CAPS if case.settings.kind == "battery" else _EVSE_CAPS
        found += [cap(case, case.session) for cap in caps]
    found += [limit(case, decision) for limit in _LIMITS]
    return tuple(granted.limit for granted in found if granted is not None and granted.limit is not None)


def fresh(case: Case) -> bool:
    """Whether the charger has been read in this run of the daemon and not too long ago."""
    charger = case.charger
    if charger is None or charger.seq < case.site.run_seq:
        return False
    seen_ms = charger.t_ms
    if charger.enabled and charger.power_t_ms is not None and charger.evse is None:
        seen_ms = (
            charger.power_t_ms
        )  # a plug that is on and does not say its power is not watched; a vehicle watches itself
    return case.t_ms - seen_ms <= case.device_settings.max_age_s * 1000


def observed(site: Site) -> bool:
    """Whether every configured device has answered, or failed to, since the daemon started."""
    return all(site.devices[name].heard for name in site.configuration.devices)


# What ends a session


def _time_limit(case: Case, session: Session) -> Granted | None:
    on_ms = session.on_ms
    if case.charger is not None and case.charger.enabled:
        on_ms += _unread_ms(case, case.charger)
    if on_ms < case.settings.profile.time_limit_s * 1000:
        return None
    return Granted(OFF, Reason("time-limit", {"on_s": on_ms / 1000}), "time-limit")


def _unread_ms(case: Case, charger: Charger) -> int:
    """Time since the last reading in which the plug may have been on: until now, or until its own timer ended it."""
    unread_ms = case.t_ms - charger.t_ms
    if charger.leased_t_ms is None or charger.leased_s is None:
        return unread_ms
    return max(0, min(unread_ms, charger.leased_t_ms + charger.leased_s * 1000 - charger.t_ms))


def _energy_limit(case: Case, session: Session) -> Granted | None:
    limit_wh = case.settings.profile.energy_limit_wh
    if session.energy_wh < limit_wh:
        return None
    return Granted(OFF, Reason("energy-limit", {"energy_wh": session.energy_wh, "limit_wh": limit_wh}), "energy-limit")


def _power_limit(case: Case, session: Session) -> Granted | None:
    charger = case.charger
    if session.over_t_ms is None or charger is None or charger.t_ms - session.over_t_ms < OVER_POWER_S * 1000:
        return None
    values = {"power_w": charger.power_w, "limit_w": session.limit_w}
    return Granted(OFF, Reason("power-limit", values, (charger.seq,)), "power-limit")


def _no_effect(case: Case, session: Session) -> Granted | None:
    charger = case.charger
    if charger is None or not charger.asked or charger.enabled or charger.pending is not None:
        return None
    if charger.attempts < FUTILE_ATTEMPTS or case.t_ms < charger.retry_t_ms:
        return None
    values: dict[str, Scalar] = {"attempts": charger.attempts, "device": case.settings.charger.partition("/")[0]}
    return Granted(OFF, Reason("no-effect", values, (charger.seq,)), "fault")


def _foreign_pack(case: Case, session: Session) -> Granted | None:
    """A pack or a charger that keeps to another power than this loadpoint's have done."""
    usual_w, plateau_w = session.usual_w, session.plateau_w
    if not usual_w or not plateau_w or case.charger is None:
        return None
    settled_s = (case.charger.t_ms - session.flat_t_ms) / 1000
    low = plateau_w < (1 - ODD_SHARE) * usual_w and settled_s >= ODD_LOW_S
    if plateau_w <= (1 + ODD_SHARE) * usual_w and not low:
        return None
    values: dict[str, Scalar] = {"plateau_w": plateau_w, "usual_w": usual_w, "loadpoint": case.settings.name}
    return Granted(OFF, Reason("foreign-pack", values, (case.charger.seq,)), "foreign-pack")


def _taper_stalled(case: Case, session: Session) -> Granted | None:
    """Power that has left its plateau and does not come down to the cut-off: a worn cell, a pack that warms up."""
    charger = case.charger
    if session.taper_t_ms is None or not session.plateau_w or not session.taper_limit_s or charger is None:
        return None
    falling_s = (charger.t_ms - session.taper_t_ms) / 1000
    if falling_s < session.taper_limit_s:
        return None
    values: dict[str, Scalar] = {
        "power_w": charger.power_w,
        "stop_w": session.stop_w,
        "falling_s": falling_s,
        "longest_s": session.taper_limit_s,
        "loadpoint": case.settings.name,
    }
    return Granted(OFF, Reason("taper-stalled", values, (charger.seq,)), "taper-stalled")


def _restart_pulses(case: Case, session: Session) -> Granted | None:
    """A charger that comes up from rest again and again: full and pulsing, or a pack whose electronics cut in and out."""
    charger = case.charger
    if charger is None:
        return None
    pulses = [t_ms for t_ms in session.pulses if charger.t_ms - t_ms <= PULSES_S * 1000]
    if len(pulses) < PULSES:
        return None
    values: dict[str, Scalar] = {
        "pulses": len(pulses),
        "within_s": (charger.t_ms - pulses[0]) / 1000,
        "loadpoint": case.settings.name,
    }
    return Granted(OFF, Reason("restart-pulses", values, (charger.seq,)), "restart-pulses")


def _storage_cycles(case: Case, session: Session) -> Granted | None:
    """A pack in storage that has been charged up often enough: it loses charge by itself, or it is being used."""
    allowed = case.settings.profile.storage_cycles
    if session.target != "storage" or not allowed or case.started or case.loadpoint.stored < allowed:
        return None
    values: dict[str, Scalar] = {
        "cycles": case.loadpoint.stored,
        "allowed": allowed,
        "loadpoint": case.settings.name,
    }
    return Granted(OFF, Reason("storage-cycles", values), "storage-cycles")


_CAPS: tuple[Callable[[Case, Session], Granted | None], ...] = (
    _power_limit,
    _energy_limit,
    _foreign_pack,
    _taper_stalled,
    _restart_pulses,
    _time_limit,
    _no_effect,
    _storage_cycles,
)


_EVSE_CAPS = (_no_effect,)


# What takes permission away


def _hold(case: Case, decision: Decision) -> Granted | None:
    hold = case.site.hold or case.loadpoint.hold
    return None if hold is None else Granted(KEEP, Reason("held", {"by": hold.by}))


def _stopping(case: Case, decision: Decision) -> Granted | None:
    if not case.site.stopping:
        return None
    on = case.charger is not None and case.charger.enabled
    if not on or decision.wish.enabled is False:
        return Granted(OFF if on else KEEP, Reason("stopping-off"), decision.outcome)
    if case.device.ends_itself(case.settings.charger):
        return Granted(KEEP, Reason("stopping", {"lease_s": STOPPING_LEASE_S}))
    return Granted(KEEP if case.settings.on_stop == "leave" else OFF, Reason("stopping-off"))


def _stale(case: Case, decision: Decision) -> Granted | None:
    if decision.wish.enabled is False or fresh(case) or not _waited(case):
        return None
    age_s = None if case.charger is None else (case.t_ms - case.charger.t_ms) / 1000
    return Granted(OFF, Reason("stale-reading", {"age_s": age_s}))


def _waited(case: Case) -> bool:
    """Whether the device has had its chance to be read since the daemon started."""
    return case.device.heard or observed(case.site)


def _window(case: Case, decision: Decision) -> Granted | None:
    hours = (*case.settings.windows, *case.settings.always)
    if not decision.wish.enabled or not case.settings.windows:
        return None
    zone = windows.zone(case.site.configuration.timezone)
    if windows.inside(hours, case.wall_ms, zone):
        return None
    opens_ms = windows.next_opening_ms(hours, case.wall_ms, zone)
    return Granted(OFF, Reason("outside-window", {"opens_at_ms": opens_ms}))


# What keeps from switching now


def _raises(case: Case, decision: Decision) -> bool:
    return bool(decision.wish.enabled) and not (case.charger is not None and case.charger.enabled)


def _unrecorded(case: Case, decision: Decision) -> Granted | None:
    if case.site.recording or not _raises(case, decision):
        return None
    return Granted(KEEP, Reason("not-recorded"))


def _observing(case: Case, decision: Decision) -> Granted | None:
    if not _raises(case, decision) or (observed(case.site) and fresh(case)):
        return None
    return Granted(KEEP, Reason("observing"))


def _starts_used_up(case: Case, decision: Decision) -> Granted | None:
    session = case.session
    trying = not case.started and session is not None and session.on_ms > 0  # a set-up is not cut off halfway
    if not _raises(case, decision) or decision.final or trying or case.charger is None:
        return None
    starts = [start for start in case.charger.starts if start > case.t_ms - DAY_MS]
    allowed = case.settings.max_starts_per_day
    if len(starts) < allowed:
        return None
    values: dict[str, Scalar] = {
        "starts": len(starts),
        "allowed": allowed,
        "more": len(starts) + 5,
        "loadpoint": case.settings.name,
    }
    return Granted(OFF, Reason("starts-used-up", values), wake_ms=starts[-allowed] + DAY_MS)


def _minimum_off_time(case: Case, decision: Decision) -> Granted | None:
    charger, minimum_s = case.charger, case.settings.min_off_s
    never = case.settings.kind != "battery" and charger is not None and not charger.starts  # it has not been on
    if not _raises(case, decision) or decision.final or not case.started or charger is None or never:
        return None
    off_s = (case.t_ms - charger.enabled_t_ms) / 1000
    begun = case.settings.kind == "evse" and charger.asked and charger.starts[-1] > case.t_ms - LAGS_S * 1000
    if off_s >= minimum_s or begun:  # it was begun a moment ago, and has not said so yet
        return None
    values = {"off_s": off_s, "min_off_s": minimum_s}
    return Granted(OFF, Reason("minimum-off-time", values), wake_ms=charger.enabled_t_ms + round(minimum_s * 1000))


def _minimum_on_time(case: Case, decision: Decision) -> Granted | None:
    charger, minimum_s = case.charger, case.settings.min_on_s
    if decision.final or decision.wish.enabled is not False or charger is None or not charger.enabled:
        return None
    on_s = (case.t_ms - charger.enabled_t_ms) / 1000
    if on_s >= minimum_s:
        return None
    values = {"on_s": on_s, "min_on_s": minimum_s}
    wake_ms = charger.enabled_t_ms + round(minimum_s * 1000)
    return Granted(SetPoint(enabled=True), Reason("minimum-on-time", values), wake_ms=wake_ms)


def _retry(case: Case, decision: Decision) -> Granted | None:
    charger = case.charger
    if not _raises(case, decision) or charger is None or charger.pending is not None:
        return None
    if not charger.attempts or case.t_ms >= charger.retry_t_ms:
        return None
    if case.settings.kind == "evse" and not charger.asked:
        return None  # what was tried in vain is the pause before a change of phases
    at_ms = case.wall_ms + charger.retry_t_ms - case.t_ms
    reason = Reason("retry-later", {"attempts": charger.attempts, "retry_at_ms": at_ms})
    return Granted(decision.wish, reason, wake_ms=charger.retry_t_ms)


_LIMITS: tuple[Callable[[Case, Decision], Granted | None], ...] = (
    _stopping,
    _stale,
    _window,
    _unrecorded,
    _observing,
    _starts_used_up,
    _minimum_off_time,
    _minimum_on_time,
    _retry,
)
