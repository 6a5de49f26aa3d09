"""Failsafe: what each charger does if chargerd dies at this moment."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import table, tabs, warned

TYPE_CHECKING = False
if TYPE_CHECKING:
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
                charger["lease"],
                charger["on_stop"],
                charger["text"],
            ]
            for charger in chargers
        ]
        warnings = warned(reply["warnings"], output.width)
        output.text("\n".join([table(HEADER, rows, width=output.width), *([""] if warnings else []), *warnings]))
    return DONE


COMMANDS = {
    "failsafe": Command(
        run,
        ("chargerctl failsafe",),
        method="GetFailsafe",
        more='A timer is "unproven" until it has been seen to fire on the very device. '
        "--plain: loadpoint, charger, enabled, lease, lease_left_s, on_stop, safe.",
    )
}
