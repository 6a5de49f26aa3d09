"""Describe: what a loadpoint is doing and what is wrong, in the words of the vocabulary. For people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from chargerd.engine import evses, raises
from chargerd.engine.limits import observed
from chargerd.engine.settings import mode_of, policy_of, schedule_of, settings_of, target_of
from chargerd.engine.silence import Problem, asleep, meter_problems, without_sun
from chargerd.engine.step import case_of, judge
from chargerd.model.events import Reason
from chargerd.model.reasons import ALARMS, OUTCOMES, duration, next_step, power, sentence, word
from chargerd.model.settings import LoadpointSettings
from chargerd.model.state import Charger, Evse, Loadpoint, Session, Site
from chargerd.policies.consumer import NOTHING_W

__all__ = [
    "Problem",
    "Safety",
    "headline",
    "loadpoint_state",
    "mode_of",
    "problems",
    "reason_of",
    "refused",
    "safety_of",
    "schedule_of",
    "settings_of",
    "shown_word",
    "target_of",
]

STILL = frozenset({"waiting", "paused", "off", "finished", "idle"})  # words for what takes nothing
UNSWITCHABLE = 3  # commands without effect before a person is told


class Safety(Struct, frozen=True):
    """What a charger does if chargerd dies now. ``off_in_s`` None with ``on``: it stays on."""

    on: bool | None
    off_in_s: float | None
    lease: str  # "none", "unproven" or "proven"
    foreign: bool  # somebody else's timer is in the device
    tested_ms: int | None = None  # when its timer was tried on this very device, None: never
    offered_a: float | None = None  # of an EVSE: what it offers now, if that is known
    falls_to_a: float | None = None  # of an EVSE with a timer: what it offers once that has run out; 0: it pauses
    evse: bool = False


def loadpoint_state(site: Site, name: str, now_ms: int) -> str:
    """The state of a loadpoint: unknown, idle, charging, suspended_ev, suspended_evse or fault."""
    settings = settings_of(site, name)
    loadpoint, charger = site.loadpoints[name], site.chargers.get(settings.charger)
    max_age_ms = site.configuration.device_of(settings.charger).max_age_s * 1000
    if charger is None or now_ms - charger.at_ms > max_age_ms:
        return "unknown"
    if settings.kind == "evse":
        return _evse_state(loadpoint, charger)
    if charger.enabled is None:
        return "unknown"
    if settings.kind == "consumer":
        return _consumer_state(charger, mode_of(site, name))
    if loadpoint.session is None:
        return _after(loadpoint.last_session, enabled=charger.enabled, explicit=loadpoint.mode is not None)
    if not charger.enabled:
        return "suspended_evse"
    return "charging" if (charger.power_w or 0.0) > settings.profile.idle_w else "suspended_ev"


def _evse_state(loadpoint: Loadpoint, charger: Charger) -> str:
    """What an EVSE and the vehicle on it do, by its last reading: current that flows is charging, whatever was asked."""
    evse, power_w = charger.evse, evses.drawn_w(charger)
    if evse is not None and evse.pilot in ("E", "F"):
        return "fault"
    if power_w is not None and power_w < -evses.DRAWS_W:
        return "discharging"
    if power_w is not None and power_w > evses.DRAWS_W:
        return "fault" if _unasked(loadpoint) else "charging"
    if evse is not None and evse.pilot == "A":
        return "idle"
    if charger.enabled is None:
        return "unknown"
    if loadpoint.session is None and not loadpoint.sated:
        return "idle"  # an EVSE that does not say whether a vehicle is there, and nothing is tried
    last = loadpoint.last_session
    if loadpoint.sated and loadpoint.session is None and last is not None and last.outcome in ALARMS:
        return "fault"  # it did not follow; that says nothing of the vehicle
    held = evse is not None and evse.held
    return "suspended_ev" if (charger.enabled and not held) or loadpoint.sated else "suspended_evse"


def _unasked(loadpoint: Loadpoint) -> bool:
    """Whether current flows although it was told to pause, and telling it has not helped."""
    decided = loadpoint.decided
    return decided is not None and "charging-unasked" in (decided.reason.code, decided.limit and decided.limit.code)


def _consumer_state(charger: Charger, mode: str) -> str:
    if not charger.enabled:
        return "idle" if mode == "off" else "suspended_evse"
    return "charging" if charger.power_w is None or charger.power_w >= NOTHING_W else "suspended_ev"


def _after(last: Session | None, *, enabled: bool, explicit: bool) -> str:
    if last is None or explicit or last.outcome in ("stopped", "removed-from-configuration"):
        return "idle"
    if last.outcome in ("finished", "already-full"):
        return "suspended_evse"
    return "fault" if last.outcome in ALARMS or enabled else "idle"


def reason_of(site: Site, name: str, now_ms: int, *, fresh: bool = True) -> Reason:
    """Why a loadpoint does what it does: the limit's reason if one speaks, else the policy's.

    After a session it is the reason for which that ended, until somebody asks for something else. ``fresh`` works the
    decision out again, so that the numbers are those of the last reading and not those of the last change of mind.
    """
    loadpoint = site.loadpoints[name]
    last = loadpoint.last_session
    over = loadpoint.sated if settings_of(site, name).kind == "evse" else loadpoint.mode is None
    if loadpoint.session is None and over and last is not None and last.reason is not None:
        return last.reason
    if not fresh and loadpoint.decided is not None:
        return loadpoint.decided.limit or loadpoint.decided.reason
    case = case_of(site, name, site.t_ms + max(0, now_ms - site.wall_ms), now_ms)
    decision, granted = judge(case, policy_of(site, name))
    return granted.limit or decision.reason


def shown_word(site: Site, name: str, state: str, reason: Reason) -> str:
    """The word that people read for what a loadpoint does and why. An EVSE at which nothing flows does not charge."""
    if state == "unknown":
        return "unknown"
    if settings_of(site, name).kind != "evse":
        return word(reason)
    said = word(reason, flows=state not in ("idle", "suspended_ev", "suspended_evse"))
    return "charging" if state == "charging" and said in STILL else said  # it was told to pause, and has not followed


def refused(site: Site, name: str) -> str:
    """An EVSE's own words for refusing what it was told last; "" while it does what it was told."""
    settings = settings_of(site, name)
    charger = site.chargers.get(settings.charger)
    if settings.kind != "evse" or charger is None or charger.evse is None or evses.effective(charger):
        return ""
    return charger.evse.refused


def safety_of(site: Site, name: str) -> Safety:
    """What becomes of a loadpoint's charger if nobody ever speaks to it again."""
    settings = settings_of(site, name)
    charger = site.chargers.get(settings.charger)
    device, channel = site.devices[settings.charger.partition("/")[0]], settings.charger.partition("/")[2]
    lease, proof = device.lease_at(settings.charger), device.proof(channel)
    proof_ms = None if proof is None else proof.at_ms
    evse = settings.kind == "evse"
    if charger is None or not charger.enabled:
        on = None if charger is None else charger.enabled
        return Safety(on, None, lease, foreign=False, tested_ms=proof_ms, evse=evse)
    off_in_s: float | None = None
    if charger.lease_s is not None:
        off_in_s = max(0.0, charger.lease_s - (site.t_ms - charger.t_ms) / 1000)
    elif charger.timer != "foreign" and charger.leased_t_ms is not None and charger.leased_s is not None:
        off_in_s = max(0.0, charger.leased_s - (site.t_ms - charger.leased_t_ms) / 1000)
    offered_a = None if charger.evse is None else charger.evse.offered_a
    falls_to_a = device.lease_current_a if evse and lease != "none" else None
    foreign = charger.timer == "foreign"
    return Safety(charger.enabled, off_in_s, lease, foreign, proof_ms, offered_a, falls_to_a, evse)


def refusal(name: str, detail: str) -> str:
    """What a device does that lets us not in, to be read after its name."""
    said = detail.removeprefix(f"{name} ")
    return said if said != detail else f"refuses the login: {detail}"


def left_on(site: Site) -> list[str]:
    """Loadpoints of a daemon that is ending whose charger is still on, does not end by itself, and should be off."""
    return [
        name
        for name, settings in site.configuration.loadpoints.items()
        if settings.on_stop == "off"
        and not site.devices[settings.charger.partition("/")[0]].ends_itself(settings.charger)
        and (charger := site.chargers.get(settings.charger)) is not None
        and charger.enabled
        and site.hold is None
        and site.loadpoints[name].hold is None
    ]


def problems(site: Site, now_ms: int) -> tuple[Problem, ...]:
    """Everything that is wrong now, the worst first."""
    found = [*_site_problems(site), *_device_problems(site, now_ms), *meter_problems(site, now_ms)]
    found += _loadpoint_problems(site)
    return tuple(sorted(found, key=lambda problem: problem.severity))


def _site_problems(site: Site) -> Iterator[Problem]:
    if not site.recording:
        text = "the log cannot be written; charging only goes down until it can"
        yield Problem("not-recorded", 3, "log", text, None, "make room: df -h /var/lib/chargerd")

    for name, unsent in site.sinks.items():
        text = f"cannot tell anybody anything: {unsent.detail or unsent.error}"
        severity = 3 if unsent.error == "access-denied" else 4
        yield Problem("sink-lost", severity, name, text, unsent.since_ms, f"chargerctl sink test {name}")
    if site.set_aside:
        text = f"the log was damaged and lies at {site.set_aside}; a new one was begun"
        yield Problem(
            "log-damaged", 3, "log", text, None, f"keep the old file; look: sqlite3 {site.set_aside} .recover"
        )


def _device_problems(site: Site, now_ms: int) -> Iterator[Problem]:
    for name, device in site.devices.items():
        points = [n for n, s in site.configuration.loadpoints.items() if s.charger.partition("/")[0] == name]
        unwatched = f"; {', '.join(points)} not watched" if points else ""
        unwatched += without_sun(site, name)
        if device.error == "access-denied":
            yield Problem(
                "access-denied", 3, name, f"{refusal(name, device.detail)}{unwatched}",
                device.failing_since_ms, f"chargerctl device read {name}",
            )  # fmt: skip
        elif device.lost_since_ms is not None and not asleep(site, name, now_ms):
            silent = duration((now_ms - device.lost_since_ms) / 1000)
            text = f"has not answered for {silent}: {device.detail or device.error}{unwatched}"
            yield Problem("device-lost", 4, name, text, device.lost_since_ms, f"chargerctl device read {name}")


def _loadpoint_problems(site: Site) -> Iterator[Problem]:
    for name, settings in site.configuration.loadpoints.items():
        loadpoint, charger = site.loadpoints[name], site.chargers.get(settings.charger)
        if settings.kind == "evse" and charger is not None:
            yield from _evse_problems(settings, loadpoint, charger, site)
            continue
        if charger is not None and charger.enabled and charger.asked is False and charger.attempts >= UNSWITCHABLE:
            text = f"does not switch off, told {charger.attempts} times"
            yield Problem("does-not-switch-off", 3, name, text, None, "pull the plug by hand")
        if loadpoint.missed is not None:
            missed = loadpoint.missed
            text = f"was not {missed.target} at the time of its plan"
            yield Problem("plan-missed", 4, name, text, missed.ready_at_ms, f"chargerctl log {name}")
        last = loadpoint.last_session
        if loadpoint.session is None and loadpoint.mode is None and last is not None and last.outcome in ALARMS:
            reason = last.reason
            text = OUTCOMES[last.outcome or ""] if reason is None else sentence(reason)
            step = "" if reason is None else next_step(reason)
            yield Problem(last.outcome or "", 3 if last.outcome == "fault" else 4, name, text, last.ended_at_ms, step)


def _evse_problems(
    settings: LoadpointSettings, loadpoint: Loadpoint, charger: Charger, site: Site
) -> Iterator[Problem]:
    """What an EVSE does against our will, and what it refuses."""
    evse = charger.evse
    if evse is None:
        return
    if evse.stray_t_ms is not None and _unasked(loadpoint) and loadpoint.decided is not None:
        since_ms = site.at_ms - max(0, site.t_ms - evse.stray_t_ms)
        text = f"is paused, and {power(evses.drawn_w(charger) or 0.0)} flow all the same"
        step = next_step(loadpoint.decided.limit or loadpoint.decided.reason)
        yield Problem("charging-unasked", 3, settings.name, text, since_ms, step)
    yield from _not_following(settings, charger, evse)
    if evse.pilot in ("E", "F"):
        text = f"its EVSE says that it has a fault{f': {evse.status}' if evse.status else ''}"
        yield Problem("evse-fault", 3, settings.name, text, None, "look at the charger and its cable")
    if evse.refused and not evses.effective(charger):
        device = settings.charger.partition("/")[0]
        text = f"refused its last command: {evse.refused}"
        yield Problem(
            "refused", 4, settings.name, text, None, f"chargerctl log {settings.name}   chargerctl device read {device}"
        )
    age_s, device = (site.t_ms - charger.t_ms) / 1000, settings.charger.partition("/")[0]
    repeats = charger.measured_at_ms is not None and not site.devices[device].error
    if repeats and age_s > site.configuration.devices[device].max_age_s:
        text = f"its charger goes on telling what it measured {duration(age_s)} ago; not charged unwatched"
        yield Problem("measures-nothing", 4, settings.name, text, charger.at_ms, f"chargerctl device read {device}")
    last = loadpoint.last_session
    if loadpoint.session is None and loadpoint.sated and last is not None and last.outcome in ALARMS:
        text = OUTCOMES[last.outcome or ""] if last.reason is None else sentence(last.reason)
        yield Problem(last.outcome or "", 3 if last.outcome == "fault" else 4, settings.name, text, last.ended_at_ms)


def _not_following(settings: LoadpointSettings, charger: Charger, evse: Evse) -> Iterator[Problem]:
    """An EVSE that goes neither up nor down as it is told, told often enough."""
    told, name = evse.raises, settings.name
    if raises.given_up(told) and told.stays_a is not None:
        text = f"was told to offer {told.told_a:g} A, {told.ignored} times, and its EVSE stays at {told.stays_a:g} A"
        yield Problem("raise-ignored", 4, name, text, None, "look for a limit in the charger's own settings")
    if charger.attempts < UNSWITCHABLE or evses.effective(charger) or evse.asked_a is None or not charger.enabled:
        return
    if evse.offered_a is not None and evse.offered_a > evse.asked_a:
        wanted = f"to offer {evse.asked_a:g} A" if evse.asked_a else "to pause"
        text = f"was told {wanted}, {charger.attempts} times, and its EVSE goes on offering {evse.offered_a:g} A"
        yield Problem("does-not-follow", 3, name, text, None, "lower it at the charger or the vehicle by hand")


def headline(site: Site, now_ms: int) -> str:
    """One sentence for a status line: what charges, what waits, what is wrong."""
    if not observed(site):
        silent = sum(not site.devices[name].heard for name in site.configuration.devices)
        return f"observing: {silent} of {len(site.configuration.devices)} devices not read yet"
    parts = []
    idle = 0
    for name in site.configuration.loadpoints:
        state = loadpoint_state(site, name, now_ms)
        charger = site.chargers.get(site.configuration.loadpoints[name].charger)
        if state == "charging" and charger is not None:
            parts.append(f"{name} charging {power(evses.drawn_w(charger) or 0.0)}")
        elif site.loadpoints[name].session is not None or state in ("unknown", "fault", "suspended_evse"):
            parts.append(f"{name} {shown_word(site, name, state, reason_of(site, name, now_ms))}")
        else:
            idle += 1
    if idle:
        parts.append(f"{idle} idle")
    count = len(problems(site, now_ms))
    if count:
        parts.append(f"{count} problem{'s' if count > 1 else ''}: chargerctl status")
    if site.hold is not None:
        parts.insert(0, "on hold")
    return "; ".join(parts) or "no loadpoint is configured"
