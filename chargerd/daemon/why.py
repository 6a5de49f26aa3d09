"""Why: the reply of GetWhy: one sentence, the numbers under it, every limit, and what would change it."""

from __future__ import annotations

from typing import Any, NamedTuple

from chargerd.daemon.context import Context, no_loadpoint
from chargerd.daemon.status import because, known_text, loadpoint_row, moment_fields, reason_row, target_text
from chargerd.engine.describe import mode_of, safety_of, settings_of, target_of
from chargerd.engine.limits import Case, fresh
from chargerd.engine.step import case_of
from chargerd.engine.why import Change, Found, find, obstacles
from chargerd.model.events import Reason
from chargerd.model.reasons import OUTCOMES, REASONS, SHORT_W, duration, energy, power, sentence, shown
from chargerd.model.settings import SUN_MODES, Scalar
from chargerd.model.state import Session
from chargerd.protocol.framing import CallError

_WORDS = sorted({text.word for text in REASONS.values()})
_STATES = ("unknown", "idle", "connected", "charging", "suspended_ev", "suspended_evse", "discharging", "fault")
STATES = tuple(dict.fromkeys((*_STATES, *_WORDS)))
"""What can be asked about: every state, and every word for one."""
SHOWN = 5  # changes in the text; the reply has all of them
PHRASES = {
    "no charger": ("has no charger", "had no charger"),
    "no battery": ("has no battery", "had no battery"),
    "removed": ("has lost its battery", "had lost its battery"),
    "fault": ("has a fault", "had a fault"),
}
"""Shown words that do not follow "is", now and then."""
GROWN = {
    "session.energy_wh": "it has taken",
    "session.estimated_wh": "it has taken unmeasured",
    "session.on_ms": "it has been on for",
    "session.low_readings": "readings near the cut-off reach",
}
"""How the sums of a session are spoken of; others by their name."""
TURNS: dict[tuple[str, Scalar], str] = {
    ("answers", True): "the plug answers",
    ("enabled", True): "somebody switches the plug on",
    ("enabled", False): "somebody switches the plug off",
    ("hold", None): "it is released",
    ("hold", "somebody"): "somebody holds it",
    ("windows", None): "its hours are taken away",
    ("recording", True): "the log can be written again",
    ("stopping", False): "chargerd runs on",
}
"""Changes that have no number."""


def why(context: Context, name: str, wanted: str | None = None) -> dict[str, Any]:
    """The reply of GetWhy. ``wanted``: why it is not in this state (or word for one), and what would bring it there.

    Raises `CallError` NoSuchLoadpoint, and BadValue for a state that there is not.
    """
    site = context.site
    if name not in site.configuration.loadpoints:
        raise no_loadpoint(name, site, context.when)
    state = None if wanted is None else _state(wanted)
    row, decided = loadpoint_row(context, name), site.loadpoints[name].decided
    text = _sentence(context, name, row)
    if state in (row["state"], row["word"]):
        text, state = f"It {'was' if context.when else 'is'} {_plain(state or '')} already. {text}", None
    found = find(site, name, context.now_ms, state)
    blocked = obstacles(site, name, context.now_ms, on=state == "charging")
    lines = _lines(context, name, row, found, blocked, state)
    return context.stamped(
        "why",
        text,
        **moment_fields(context),
        loadpoint=row,
        lines=[{"label": label, "text": text} for label, text in lines if text],
        limits=[reason_row(context, reason) for reason in blocked],
        changes=[_change(context, change, _thing(context, name)) for change in found.changes],
        policy=None if decided is None else decided.policy,
        seq=site.loadpoints[name].decided_seq or None,
        next_step=row["next_step"],
    )


def _state(text: str) -> str:
    state = text.strip().lower().replace("-", " ")
    for known in STATES:
        if state in (known, _plain(known)):
            return known
    listed = ", ".join(each.replace(" ", "-") for each in STATES)
    raise CallError("BadValue", f'"{text[:40]}" is no state', "Nothing was changed.", f"One of {listed}")


def _plain(state: str) -> str:
    return state.replace("_", " ")


def _sentence(context: Context, name: str, row: dict[str, Any]) -> str:
    since_ms = context.site.loadpoints[name].state_since_ms
    if not context.when:
        phrase = PHRASES.get(row["word"], (f"is {row['word']}", ""))[0]
        since = f" since {context.clock(since_ms)}" if since_ms else ""
        return f"{name} {phrase}{since}: {row['text']}."
    phrase = PHRASES.get(row["word"], ("", f"was {row['word']}"))[1]
    since = f" (since {context.clock(since_ms)})" if since_ms else ""
    return f"{name} {phrase} {context.when}{since} because {because(context, name, row['state'])}."


def _lines(
    context: Context,
    name: str,
    row: dict[str, Any],
    found: Found,
    blocked: tuple[Reason, ...],
    state: str | None,
) -> list[tuple[str, str]]:
    loadpoint = context.site.loadpoints[name]
    session, decided = loadpoint.session or loadpoint.last_session, loadpoint.decided
    held = "" if row["held_by"] is None else f"by {row['held_by']}: nothing is sent but lease renewals"
    event, thing = "", _thing(context, name)
    if decided is not None:
        when = context.clock(loadpoint.decided_at_ms)
        event = f"policy {decided.policy} on event {loadpoint.decided_seq} at {when}"
    return [
        ("Known", known_text(context)),
        ("Wanted", _wanted(context, name)),
        ("Missing", _missing(context, name)),
        ("Session" if loadpoint.session else "Last session", "" if session is None else _session(context, session)),
        ("Read", _read_text(row)),
        ("Limits", _limits(context, found.changes, blocked, thing)),
        ("Held", held),
        (f"Would be {_plain(state)}" if state else "Would change if", _would(context, found, blocked, state, thing)),
        ("Decided by", event),
    ]


class Thing(NamedTuple):
    """What a loadpoint's charger is called, and what it does when it is on and cannot be reached ("": it is off)."""

    name: str = "the plug"
    alone: str = ""


PLUG = Thing()


def _thing(context: Context, name: str) -> Thing:
    safety = safety_of(context.site, name)
    alone = ""
    if safety.on and safety.off_in_s is None:
        alone = "nothing can switch it off then"
    elif safety.on:
        ends = f"lowers it to {safety.falls_to_a:g} A" if safety.falls_to_a else "ends it"
        alone = f"its own timer {ends}"
    return Thing("the EVSE" if safety.evse else "the plug", alone)


def _wanted(context: Context, name: str) -> str:
    site, loadpoint = context.site, context.site.loadpoints[name]
    by = f", set by {loadpoint.mode_by}" if loadpoint.mode_by else ""
    until = f" until {context.clock(loadpoint.mode_until_ms)}" if loadpoint.mode_until_ms else ""
    until = " until disconnected" if loadpoint.mode_while_connected else until
    if site.configuration.loadpoints[name].kind != "battery":
        return f"mode {mode_of(site, name)}{until}{by}"
    target = target_text(settings_of(site, name), target_of(site, name))
    aimed = f", set by {loadpoint.target_by}" if loadpoint.target is not None else ""
    once = " for this session" if loadpoint.target_once else ""
    return f"mode {mode_of(site, name)}{until}{by}; target {target}{once}{aimed}"


def _missing(context: Context, name: str) -> str:
    """What lacks until the target, in power: how much energy a falling power still takes nobody knows."""
    site = context.site
    session = site.loadpoints[name].session
    if session is None:
        return ""
    case = case_of(site, name, site.t_ms + max(0, context.now_ms - site.wall_ms), context.now_ms)
    if case.supply is not None:
        return _missing_sun(case)
    charger, limit_wh = case.charger, case.settings.profile.energy_limit_wh
    most = f"energy unknown, at most {energy(max(0.0, limit_wh - session.energy_wh))} before its limit"
    if charger is None or not charger.enabled or charger.power_w is None or not fresh(case):
        return (
            f"unknown while the charger {'is off' if charger and charger.enabled is False else 'is not read'}; {most}"
        )
    above_w = charger.power_w - session.stop_w
    if above_w < 0:
        return "nothing: power is below the target's level, which has to be seen for a while"
    return f"{power(above_w)}: from {power(charger.power_w)} to below {power(session.stop_w)}; {most}"


def _missing_sun(case: Case) -> str:
    """What the sun lacks for an EVSE that follows it."""
    if case.mode not in SUN_MODES or case.supply is None:
        return ""
    if case.sun is None or case.sun.share_w is None:
        return f"unknown while {case.sun.missing or 'the grid'} is not read" if case.sun is not None else ""
    lacks_w = case.supply.min_w - case.sun.share_w
    if lacks_w <= 0:
        return ""
    if case.sun.share_w < -SHORT_W:
        taken = f"and {power(-case.sun.share_w)} that all else takes beyond it"
        return f"{power(lacks_w)} of sun: {power(case.supply.min_w)} to charge with, {taken}"
    return f"{power(lacks_w)} of sun: {power(max(0.0, case.sun.share_w))} of {power(case.supply.min_w)}"


def _session(context: Context, session: Session) -> str:
    taken = f"{energy(session.energy_wh)}, on for {duration(session.on_ms / 1000)}, since {context.clock(session.started_at_ms)}"
    return taken if session.outcome is None else f"{taken}; {OUTCOMES.get(session.outcome, session.outcome)}"


def _read_text(row: dict[str, Any]) -> str:
    if row["read_age_s"] is None:
        return "never"
    on = {True: "on", False: "off", None: "unknown"}[row["enabled"]]
    drawn = "" if row["power_w"] is None else f", {power(row['power_w'])}"
    return f"{on}{drawn}, {duration(row['read_age_s'])} ago"


def _limits(context: Context, found: tuple[Change, ...], blocked: tuple[Reason, ...], thing: Thing) -> str:
    """The limits that speak, each in its own words; if none does, those that are next to."""
    if blocked:
        return " · ".join(sentence(reason, context.zone) for reason in blocked)
    near = [change for change in found if change.verdict.limit and change.distance < 1]
    codes = dict.fromkeys(change.verdict.reason.code for change in near)
    first = [next(change for change in near if change.verdict.reason.code == code) for code in codes]
    nearest = " · ".join(change_text(context, change, thing) for change in first[:2])
    return "none reached" + (f"; nearest: {nearest}" if nearest else "")


def _would(context: Context, found: Found, blocked: tuple[Reason, ...], state: str | None, thing: Thing) -> str:
    """The changes in words, one for each input, the smallest first; and how far time was followed if not to its end."""
    text = _would_now(context, found.changes, blocked, state, thing)
    if found.looked_until_ms is None:
        return text
    return f"{text} (what time alone brings was followed until {context.clock(found.looked_until_ms)} only)"


def _would_now(
    context: Context, found: tuple[Change, ...], blocked: tuple[Reason, ...], state: str | None, thing: Thing
) -> str:
    if found:
        texts = [change_text(context, change, thing) for change in _told(found)[:SHOWN]]
        return ("if " if state else "") + " · ".join(texts)
    if state is None:
        return "nothing was found that would change it alone"
    if len(blocked) > 1:
        stand = "stood" if context.when else "stand"
        return f"no single change leads there: {len(blocked)} limits {stand} in the way"
    return "no single change leads there" + (": " + sentence(blocked[0], context.zone) if blocked else "")


def _told(found: tuple[Change, ...]) -> list[Change]:
    """Without sums that time alone brings to the same end."""
    by_time = {change.verdict.reason.code for change in found if change.input == "time"}
    return [c for c in found if c.input not in GROWN or c.verdict.reason.code not in by_time]


def change_text(context: Context, change: Change, thing: Thing = PLUG) -> str:
    """A change as it stands after "if"; an input without words of its own goes by its name."""
    name, before, after = change.input, change.before, change.after
    if name == "enabled" and thing.name == "the EVSE":
        return f"somebody has it {'charge' if after else 'pause'} at the EVSE or the vehicle"
    kept = f" for {duration(change.kept_ms / 1000)}" if change.kept_ms else ""
    if (name, after) in TURNS:
        return TURNS[name, after].replace("the plug", thing.name) + kept
    if name == "answers":
        return f"{thing.name} does not answer{kept} ({thing.alone or _then(change)})"
    if name in ("mode", "target"):
        return f"{name} becomes {after}" + (f", after {duration(change.kept_ms / 1000)}" if kept else "")
    assert isinstance(after, int | float)
    if name == "time":
        return f"{context.clock(int(after))} comes and nothing else changes ({_then(change)})"
    assert isinstance(before, int | float)
    if name == "load_a":
        more = "" if change.verdict.word == "charging" else f" ({_then(change)})"
        return f"the house takes {before - after:g} A less{more}"
    value = _shown(name, after)
    if name.startswith("set."):
        return _set_text(name[4:], before, after, value) + (
            f", after {duration(change.kept_ms / 1000)}" if kept else ""
        )
    if name in GROWN:
        return f"{GROWN[name]} {value}"
    if name == "surplus_w" and after < 0:
        return f"all else takes {power(before - after)} more{kept} ({_then(change)})"
    spoken = name.removeprefix("session.").rpartition("_")[0].replace("_", " ")
    way = "falls to" if after == 0 else "falls below" if after < before else "rises above"
    return f"{spoken} {way} {value}{kept} ({_then(change)})"


def _set_text(key: str, before: float, after: float, value: str) -> str:
    """A setting that people can give: whole steps by their value, others by what they have to get beyond."""
    if after != round(after, 1):
        return f"{key} is set {'below' if after < before else 'above'} {value}"
    return f"{key} is set to {value}" + (f" or {'less' if after < before else 'more'}" if after else "")


def _then(change: Change) -> str:
    """What it is then: its word, or what becomes of the plug where that is not known afterwards."""
    verdict = change.verdict
    return verdict.word if verdict.word != "unknown" else "switched off" if verdict.enabled is False else "unknown"


def _shown(name: str, value: float) -> str:
    if name.endswith("_ms"):
        return duration(value / 1000)
    if name.endswith("_a"):
        return f"{value:g} A"
    return f"{value:.3g} h" if name.endswith("_h") else shown(name, value)


def _change(context: Context, change: Change, thing: Thing) -> dict[str, Any]:
    at_ms = int(change.after) if change.input == "time" and isinstance(change.after, int | float) else None
    verdict = change.verdict
    return {
        "kind": "change",
        "input": change.input,
        "from": change.before if at_ms is None else context.utc(int(change.before or 0)),
        "to": change.after if at_ms is None else context.utc(at_ms),
        "held_s": change.kept_ms / 1000,
        "at": context.utc(at_ms),
        "at_local": context.local(at_ms),
        "enabled": verdict.enabled,
        "outcome": verdict.outcome,
        "word": verdict.word,
        "reason": reason_row(context, verdict.reason),
        "distance": round(change.distance, 6),
        "text": change_text(context, change, thing),
    }
