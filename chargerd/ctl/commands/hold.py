"""Hold: hands off, and back again."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_dry_run, add_ends, add_name, changed, end

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def hold(call: Call) -> int:
    """Ask for a hold on one loadpoint or on all."""
    return changed(call, "Hold", name=call.arguments.name, until=end(call))


def release(call: Call) -> int:
    """Ask for the hold's end."""
    return changed(call, "Release", name=call.arguments.name)


def add_hold(parser: argparse.ArgumentParser) -> None:
    """Arguments of hold."""
    add_name(parser, optional=True)
    add_ends(parser)


def add_release(parser: argparse.ArgumentParser) -> None:
    """Arguments of release."""
    add_name(parser, optional=True)
    add_dry_run(parser)


COMMANDS = {
    "hold": Command(
        hold,
        ("chargerctl hold", "chargerctl hold bike-1 --for 2h", "chargerctl hold garage --until disconnected"),
        add_hold,
        method="Hold",
        more="Without NAME: everything. Devices stay as they are; their own cut-off timers are still renewed.",
    ),
    "release": Command(
        release, ("chargerctl release", "chargerctl release bike-1 --dry-run"), add_release, method="Release"
    ),
}
