"""Profile: profiles of chargers and batteries: the table of them, and one of them whole."""

from __future__ import annotations

from textwrap import fill

from chargerd.ctl.commands.base import Command
from chargerd.ctl.errors import DONE, NO_SUCH, Failure
from chargerd.ctl.render import UNKNOWN, clean, pairs, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call

HEADER = ("PROFILE", "NOMINAL", "FULL", "STORAGE", "CONTENT", "LONGEST", "SEASON", "USED BY")
KEYS = (
    "name", "source", "nominal_start_w", "nominal_stop_w", "full_w", "storage_start_w", "storage_stop_w",
    "capacity_wh", "charger_a", "max_h", "variant",
)  # fmt: skip
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def run(call: Call) -> int:
    """Ask and print."""
    reply = call.client.ask("GetProfiles")
    output, profiles = call.output, reply["profiles"]
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs([*(profile[key] for key in KEYS), ",".join(profile["used_by"])] for profile in profiles))
    else:
        shown = [
            [
                profile["name"],
                f"{profile['nominal_stop_w']:g} W",
                f"{profile['full_w']:g} W",
                f"{profile['storage_stop_w']:g} W",
                _content(profile),
                f"{profile['max_h']:g} h",
                profile["variant"] or ("none now" if profile["variants"] else UNKNOWN),
                ", ".join(profile["used_by"]),
            ]
            for profile in profiles
        ]
        output.text(table(HEADER, shown, right=(1, 2, 3, 4, 5), width=output.width))
        output.text("")
        for profile in profiles:
            if profile["source"]:
                output.text(fill(f"{profile['name']}: {profile['source']}.", output.width, subsequent_indent="  "))
    return DONE


def show(call: Call) -> int:
    """Ask and print one of them."""
    reply = call.client.ask("GetProfiles")
    profiles = {profile["name"]: profile for profile in reply["profiles"]}
    wanted, output = call.arguments.profile, call.output
    if wanted not in profiles:
        raise _unknown(wanted, list(profiles))
    profile = profiles[wanted]
    if output.form == "json":
        output.json({**profile, "now": reply["now"], "now_local": reply["now_local"]})
    elif output.form == "plain":
        output.text(tabs([[*(profile[key] for key in KEYS), ",".join(profile["used_by"])]]))
    else:
        output.text(pairs(_rows(profile), output.width))
    return DONE


def _rows(profile: dict[str, Any]) -> list[tuple[str, str]]:
    nominal = f"below {profile['nominal_stop_w']:g} W; not begun below {profile['nominal_start_w']:g} W"
    storage = f"below {profile['storage_stop_w']:g} W; not begun below {profile['storage_start_w']:g} W"
    current = UNKNOWN if profile["charger_a"] is None else f"{profile['charger_a']:g} A"
    rows = [
        ("Profile", profile["name"]),
        ("Source", profile["source"] or UNKNOWN),
        ("Used by", ", ".join(profile["used_by"]) or "nobody"),
        ("Nominal", nominal),
        ("Full", f"below {profile['full_w']:g} W"),
        ("Storage", storage),
        ("Pack", f"{_content(profile)}, charger {current}"),
        ("Longest", f"{profile['max_h']:g} h"),
    ]
    for variant in profile["variants"]:
        span = f"{_day(variant['from'])} to {_day(variant['until'])}"
        force = ", in force now" if variant["name"] == profile["variant"] else ""
        values = ", ".join(f"{key} {value:g}" for key, value in variant["values"].items())
        rows.append(("Season", f"{variant['name']}, {span}{force}: {values}"))
    return rows


def _content(profile: dict[str, Any]) -> str:
    return UNKNOWN if profile["capacity_wh"] is None else f"{profile['capacity_wh']:.0f} Wh"


def _day(text: str) -> str:
    month, day = text.split("-")
    return f"{int(day)} {MONTHS[int(month) - 1]}"


def _unknown(name: str, known: list[str]) -> Failure:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1, 0.5)
    meant = f" Did you mean {close[0]}?" if close else ""
    message = clean(f'no profile "{name}".{meant}')
    return Failure(NO_SUCH, "no-such-profile", message, f"Known: {' '.join(known)}", "Look: chargerctl profile list")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("profile", metavar="PROFILE", help="a shipped profile, or a vehicle that is charged at a plug")


COMMANDS = {
    "profile list": Command(
        run,
        ("chargerctl profile list",),
        method="GetProfiles",
        more="Powers are those below which charging stops, today where a profile has seasons. "
        f"--plain: {', '.join(KEYS)}, used_by.",
    ),
    "profile show": Command(
        show,
        ("chargerctl profile show rad-48v",),
        add,
        lines="the profile, an object of kind profile",
        more=f"Its seasons, and which of them is in force. --plain: {', '.join(KEYS)}, used_by.",
    ),
}
