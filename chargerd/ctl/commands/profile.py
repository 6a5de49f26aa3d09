"""Profile: profiles of chargers and batteries."""

from __future__ import annotations

from textwrap import fill

from chargerd.ctl.commands.base import Command
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import UNKNOWN, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chargerd.ctl.commands.base import Call

HEADER = ("PROFILE", "NOMINAL", "FULL", "STORAGE", "CONTENT", "LONGEST", "USED BY")
KEYS = (
    "name", "source", "nominal_start_w", "nominal_stop_w", "full_w", "storage_start_w", "storage_stop_w",
    "capacity_wh", "charger_a", "max_h",
)  # fmt: skip


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
                UNKNOWN if profile["capacity_wh"] is None else f"{profile['capacity_wh']:.0f} Wh",
                f"{profile['max_h']:g} h",
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


COMMANDS = {
    "profile list": Command(
        run,
        ("chargerctl profile list",),
        method="GetProfiles",
        more=f"Powers are those below which charging stops. --plain: {', '.join(KEYS)}, used_by.",
    )
}
