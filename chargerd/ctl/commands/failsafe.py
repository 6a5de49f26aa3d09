"""Failsafe: what each charger does if chargerd dies at this moment."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import table, tabs, warned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chargerd.ctl.commands.base import Call

HEADER = ("LOADPOINT", "CHARGER", "NOW", "TIMER", "AT STOP", "IF CHARGERD DIES NOW")


def run(call: Call) -> int:
    """Ask and print."""
    reply = call.client.ask("GetFailsafe")
    output, chargers = call.output, reply["chargers"]
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        keys = ("loadpoint", "charger", "enabled", "lease", "lease_left_s", "on_stop", "safe")
        output.text(tabs([c[key] for key in keys] for c in chargers))
    else:
        rows = [
            [
                charger["loadpoint"],
                charger["charger"],
                {True: "on", False: "off"}.get(charger["enabled"], "unknown"),
                timer_text(charger),
                charger["on_stop"],
                charger["text"],
            ]
            for charger in chargers
        ]
        warnings = warned(reply["warnings"], output.width)
        output.text("\n".join([table(HEADER, rows, width=output.width), *([""] if warnings else []), *warnings]))
    return DONE


def timer_text(charger: dict[str, Any]) -> str:
    """What is known of a socket's timer, with the day on which it was tried."""
    if not charger["tested_local"]:
        return str(charger["lease"])
    day = charger["tested_local"][:10]
    return f"proven on {day}" if charger["lease"] == "proven" else f"none: failed on {day}"


COMMANDS = {
    "failsafe": Command(
        run,
        ("chargerctl failsafe",),
        method="GetFailsafe",
        more='A timer is "unproven" until it has been seen to fire on the very device: chargerctl device test. '
        "--plain: loadpoint, charger, enabled, lease, lease_left_s, on_stop, safe.",
    )
}
