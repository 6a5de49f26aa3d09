"""Status: what every loadpoint does now, why, and what is wrong."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_at, add_names
from chargerd.ctl.errors import DONE, FOUND
from chargerd.ctl.render import (
    NAME_WIDTH,
    UNKNOWN,
    clean,
    clock,
    cost_text,
    dot,
    duration,
    energy,
    pairs,
    power,
    shortened,
    state_colour,
    table,
    tabs,
    wrapped,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from chargerd.ctl.commands.base import Call

    Paint = Callable[[str, str | None], str]

HEADER = ("LOADPOINT", "STATE", "POWER", "TODAY", "MODE", "WHY")


def run(call: Call) -> int:
    """Ask once and print a table, or one loadpoint in full."""
    reply = call.client.ask("GetStatus", names=call.arguments.names or None, at=call.arguments.at)
    if call.arguments.check:
        return FOUND if reply["problems"] else DONE
    output = call.output
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs(plain_row(loadpoint) for loadpoint in reply["loadpoints"]))
    elif call.arguments.names and len(reply["loadpoints"]) == 1:
        output.text(one(reply["loadpoints"][0], reply["now_local"], output.width, moment(reply)))
    else:
        output.text(page(reply, output.width, output.paint))
    return DONE


def page(reply: dict[str, Any], width: int, paint: Paint) -> str:
    """The whole page: site, table, problems, daemon."""
    then = moment(reply)
    parts = [
        *([clean(then)] if then else []),
        *site_lines(reply, width),
        "",
        overview(reply["loadpoints"], width, paint),
        "",
    ]
    parts += [*problem_lines(reply, width, paint), daemon_line(reply, paint)]
    return "\n".join(parts)


def moment(reply: dict[str, Any]) -> str:
    """Text: the past moment that this is about; empty for the present."""
    if reply["at_local"] is None:
        return ""
    then = f"as it was {clock(reply['at_local'], reply['now_local'])}"
    return then if reply["running"] and reply["readings"] else f"{then}; {reply['text']}"


def site_lines(reply: dict[str, Any], width: int) -> list[str]:
    """The site's name, what it takes and gives, and whether it is held; further lines stand under the first."""
    site, flows = clean(reply["site"]), reply["flows"]
    if flows is None:
        return [_plug_line(reply)]
    held = [] if reply["held_by"] is None else [f"on hold by {reply['held_by']}"]
    recording = [] if reply["recording"] else ["NOT RECORDING"]
    lines = [site]
    for part in [clean(part) for part in (*flow_parts(flows), *held, *recording)]:
        if lines[-1].strip() and len(lines[-1]) + 3 + len(part) > width:
            lines.append(" " * len(site))
        lines[-1] += f"   {part}"
    return lines


def flow_parts(flows: dict[str, Any]) -> list[str]:
    """What is known of sun, house, house battery and grid, each with its direction as a word."""
    parts = []
    if flows["pv_w"] is not None:
        parts.append(f"solar {power(flows['pv_w'])}{', clouds' if flows['cloudy'] else ''}")
    elif flows["pv_asleep"]:
        parts.append("solar asleep")
    if flows["house_w"] is not None:
        parts.append(f"house {power(flows['house_w'])}")
    if flows["storage_w"] is not None:
        level = "" if flows["soc_pct"] is None else f"{flows['soc_pct']:.0f} %, "
        parts.append(f"storage {level}{_way(flows['storage_w'], 'discharging', 'charging')}")
    grid_w = flows["grid_w"]
    return [*parts, "grid not known" if grid_w is None else _way(grid_w, "importing", "exporting")]


def _way(power_w: float, plus: str, minus: str) -> str:
    """A power with its direction as a word; less than 1 W goes nowhere."""
    return power(power_w) if abs(power_w) < 1 else f"{plus if power_w > 0 else minus} {power(abs(power_w))}"


def _plug_line(reply: dict[str, Any]) -> str:
    """The same for a site of which only loadpoints are measured."""
    held = "" if reply["held_by"] is None else f"   on hold by {reply['held_by']}"
    recording = "" if reply["recording"] else "   NOT RECORDING"
    charging = any(loadpoint["state"] == "charging" for loadpoint in reply["loadpoints"])
    now = f"charging {power(reply['power_w'])}" if charging else "nothing charging"
    now = "power not known" if reply["power_w"] is None else now
    return clean(f"{reply['site']}   {now}{held}{recording}")


def overview(loadpoints: list[dict[str, Any]], width: int, paint: Paint) -> str:
    """The table of loadpoints, with a mark before each."""
    if not loadpoints:
        return "  No loadpoint is configured.   chargerctl configure show"
    rows = [_row(loadpoint) for loadpoint in loadpoints]
    lines = table(HEADER, rows, right=(2, 3), width=width - 2).split("\n")
    shown = [f"  {lines[0]}"]
    following = iter(loadpoints)
    for line in lines[1:]:
        if line.startswith(" "):
            shown.append(f"  {line}")
            continue
        loadpoint = next(following)
        colour, word = state_colour(loadpoint), shortened(clean(loadpoint["word"]), 12)
        at = line.index(word, len(_row(loadpoint)[0]))
        coloured = line[:at] + paint(word, colour) + line[at + len(word) :]
        shown.append(f"{paint(dot(loadpoint), colour)} {coloured}")
    return "\n".join(shown)


def _row(loadpoint: dict[str, Any]) -> tuple[str, ...]:
    target = f"/{loadpoint['target']}" if loadpoint["target"] else ""
    return (
        shortened(clean(loadpoint["name"]), NAME_WIDTH),
        shortened(clean(loadpoint["word"]), 12),
        power(loadpoint["power_w"]),
        energy(loadpoint["today_wh"]),
        f"{loadpoint['mode']}{target}",
        clean(loadpoint["text"]),
    )


def problem_lines(reply: dict[str, Any], width: int, paint: Paint) -> list[str]:
    """A line or two for each problem, and what to do about it."""
    problems = reply["problems"]
    if not problems:
        return []
    lines = [paint(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}:", "red")]
    for problem in problems:
        since = f", since {clock(problem['since_local'], reply['now_local'])}" if problem["since_local"] else ""
        lines += _indented(f"{problem['subject']}: {problem['text']}{since}", 2, width)
        lines += _indented(problem["next_step"], 4, width)
    return lines


def _indented(text: str, by: int, width: int) -> list[str]:
    return [" " * by + line for line in wrapped(clean(text), width - by, rows=4) if line]


def daemon_line(reply: dict[str, Any], paint: Paint) -> str:
    """Which daemon answers, and how old its newest reading is."""
    age = reply["read_age_s"]
    read = "nothing read yet" if age is None else f"last reading {duration(age)} {_before(reply)}"
    up = "not running" if reply["up_s"] is None else f"up {duration(reply['up_s'])}"
    held = "" if reply["memory_mib"] is None else f", {reply['memory_mib']:.0f} MiB"
    return paint(clean(f"chargerd {reply['version']}, {up}{held}, {read}"), "dim")


def _before(reply: dict[str, Any]) -> str:
    return "ago" if reply["at_local"] is None else "before"


def one(loadpoint: dict[str, Any], now_local: str, width: int, then: str = "") -> str:
    """One loadpoint as lines of key and value; ``then`` is the past moment it is about."""
    limit = (loadpoint["limit"] or {}).get("text", "")
    rows = [
        ("Time", then),
        ("Loadpoint", f"{loadpoint['name']} ({_what(loadpoint)})"),
        ("State", _state(loadpoint, now_local)),
        ("Mode", _mode(loadpoint, now_local)),
        ("Target", loadpoint["target_text"]),
        ("Plan", (loadpoint["plan"] or {}).get("text", "")),
        ("Power", power(loadpoint["power_w"])),
        ("Set-point", _set_point(loadpoint)),
        ("Vehicle", _vehicle(loadpoint)),
        ("Limits", loadpoint["limits_text"]),
        ("Energy", _energy(loadpoint["session"], now_local)),
        ("Today", "" if loadpoint["today_wh"] is None else energy(loadpoint["today_wh"])),
        ("Lease", _lease(loadpoint)),
        ("Why", loadpoint["text"]),
        ("Limit", limit if limit != loadpoint["text"] else ""),
        ("Next", loadpoint["next_step"]),
        ("Read", _read(loadpoint, "before" if then else "ago")),
    ]
    return pairs([(key, value) for key, value in rows if value], width)


def _what(loadpoint: dict[str, Any]) -> str:
    """What it is: a charger with a battery's profile, an EVSE with a vehicle, a consumer."""
    charger, vehicle = loadpoint["charger"], f", vehicle {loadpoint['vehicle']}" if loadpoint["vehicle"] else ""
    if loadpoint["loadpoint_kind"] == "battery":
        return f"charger {charger}, profile {loadpoint['profile']}"
    return f"EVSE {charger}{vehicle}" if loadpoint["loadpoint_kind"] == "evse" else f"consumer on {charger}"


def _set_point(loadpoint: dict[str, Any]) -> str:
    """What was asked of an EVSE, what it offers and what the vehicle takes: "12.0 A on 1 phase   offered 12.0 A   measured …"."""
    if loadpoint["loadpoint_kind"] != "evse":
        return ""
    asked, phases = loadpoint["set_current_a"], loadpoint["set_phases"] or loadpoint["phases"]
    on = "" if phases is None else f" on {phases} phase{'' if phases == 1 else 's'}"
    parts = [f"{asked:.1f} A{on}"] if asked is not None else ["paused"] if loadpoint["set_enabled"] is False else []
    if loadpoint["offered_a"] is not None and loadpoint["enabled"]:
        parts.append(f"offered {loadpoint['offered_a']:.1f} A")
    taken = [loadpoint[f"current_l{n}_a"] for n in (1, 2, 3)]
    known = [f"{current_a:.1f}" for current_a in taken if current_a is not None]
    alone = len([current_a for current_a in taken if current_a]) <= 1
    if known:
        most = max(current_a for current_a in taken if current_a is not None)
        parts.append(f"measured {f'{most:.1f}' if alone else ' / '.join(known)} A")
    return "   ".join(parts)


def _vehicle(loadpoint: dict[str, Any]) -> str:
    """Whether a vehicle is on an EVSE, as far as that says it."""
    if loadpoint["loadpoint_kind"] != "evse":
        return ""
    pilots = {
        "A": "not connected",
        "B": "connected",
        "C": "connected, ready to charge",
        "D": "connected, ready to charge",
    }
    there = pilots.get(loadpoint["pilot"] or "", "the EVSE has a fault" if loadpoint["pilot"] else "not known")
    return f"{loadpoint['vehicle']}, {there}" if loadpoint["vehicle"] else there


def _lease(loadpoint: dict[str, Any]) -> str:
    """Empty for a charger that is off: there is nothing to cut off."""
    falls_to_a = loadpoint["lease_current_a"]
    if loadpoint["lease_s"] is not None:
        does = f"goes to {falls_to_a:g} A" if falls_to_a else "off" if falls_to_a is None else "pauses"
        return f"{does} by itself after {duration(loadpoint['lease_s'])} without chargerd"
    if loadpoint["loadpoint_kind"] == "evse":
        return "none: offers this current on if chargerd dies   chargerctl failsafe" if loadpoint["enabled"] else ""
    return "none: stays on if chargerd dies   chargerctl failsafe" if loadpoint["enabled"] else ""


def _state(loadpoint: dict[str, Any], now_local: str) -> str:
    since = loadpoint["since_local"]
    by = "by" if loadpoint["word"] == "held" else "held by"
    held = "" if loadpoint["held_by"] is None else f", {by} {loadpoint['held_by']}"
    return f"{loadpoint['word']}{'' if since is None else f' since {clock(since, now_local)}'}{held}"


def _mode(loadpoint: dict[str, Any], now_local: str) -> str:
    by = f", set by {loadpoint['mode_by']}" if loadpoint["mode_by"] else ""
    until = loadpoint["mode_until_local"]
    leaves = by and loadpoint["loadpoint_kind"] == "evse"  # what was asked for is asked for the vehicle that is there
    ends = clock(until, now_local) if until else "the vehicle leaves" if leaves else "changed"
    return f"{loadpoint['mode']}{by}, until {ends}"


def _energy(session: dict[str, Any] | None, now_local: str) -> str:
    if session is None:
        return UNKNOWN
    if session["ended_at"] is None:
        return f"{energy(session['energy_wh'])} this session, {duration(session['duration_s'])}{_worth(session)}"
    when = clock(session["ended_local"], now_local)
    return f"{energy(session['energy_wh'])} in the last session{_worth(session)}, ended {when}: {session['text']}"


def _worth(session: dict[str, Any]) -> str:
    """What of a session was from the sun, and what it cost."""
    sun = "" if session["solar_pct"] is None else f", {session['solar_pct']:.0f} % solar"
    cost = "" if session["cost"] is None or session["solar_pct"] is None else f", cost {cost_text(session)}"
    return sun + cost


def _read(loadpoint: dict[str, Any], ago: str) -> str:
    age = loadpoint["read_age_s"]
    silent = (
        f", and {'does not answer now' if ago == 'ago' else 'did not answer'}"
        if loadpoint["reachable"] is False
        else ""
    )
    return ("not yet" if age is None else f"{duration(age)} {ago}") + silent


def plain_row(loadpoint: dict[str, Any]) -> tuple[object, ...]:
    """name, state, power_w, energy_wh, mode, target, reason code."""
    session, reason = loadpoint["session"], loadpoint["reason"]
    return (
        loadpoint["name"],
        loadpoint["state"],
        loadpoint["power_w"],
        None if session is None else session["energy_wh"],
        loadpoint["mode"],
        loadpoint["target"],
        None if reason is None else reason["code"],
    )


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_names(parser)
    add_at(parser)
    parser.add_argument("--check", action="store_true", help="print nothing; exit 0 if all is well, 6 if not")


COMMANDS = {
    "status": Command(
        run,
        (
            "chargerctl status",
            "chargerctl status bike-1",
            'chargerctl status --at "yesterday 16:20"',
            "chargerctl status --check || mail -s 'charging' me",
        ),
        add,
        method="GetStatus",
        more="One NAME gives everything about it. --at shows how it was, from the log. "
        "--plain: name, state, power_w, energy_wh, mode, target, reason.",
    )
}
