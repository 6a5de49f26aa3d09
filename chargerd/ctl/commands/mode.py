"""Mode: charge, or do not."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_ends, add_name, changed, completes, end

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Ask for the mode."""
    return changed(call, "SetMode", name=call.arguments.name, mode=call.arguments.mode, until=end(call))


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_name(parser)
    completes(parser.add_argument("mode", metavar="MODE", help="fast (charge) or off"), "off fast")
    add_ends(parser)


COMMANDS = {
    "mode": Command(
        run,
        ("chargerctl mode bike-1 fast", "chargerctl mode bike-1 fast --for 2h", "chargerctl mode bike-1 off --dry-run"),
        add,
        method="SetMode",
        more="On a plug, fast begins a charging session that ends at the target; the mode is off again after it.",
    )
}
