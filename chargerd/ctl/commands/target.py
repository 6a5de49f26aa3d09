"""Target: when to stop charging."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_ends, changed, completes, end
from chargerd.ctl.errors import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Ask for the target, of one loadpoint or of all."""
    words: list[str] = call.arguments.words
    every: bool = call.arguments.all
    if len(words) != (1 if every else 2):
        wanted = "one TARGET and no name goes with --all" if every else "a NAME and a TARGET are needed"
        raise usage(f"target: {wanted}", "target")
    name = None if every else words[0]
    once = call.arguments.once or None
    return changed(call, "SetTarget", name=name, all=every or None, target=words[-1], once=once, until=end(call))


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    words = parser.add_argument(
        "words", metavar="NAME TARGET", nargs="+", help="a loadpoint, and nominal, full, storage or default"
    )
    completes(words, "loadpoints; nominal full storage default")
    parser.add_argument("--all", action="store_true", help="every loadpoint but those kept at storage level")
    parser.add_argument("--once", action="store_true", help="for the next charging session only")
    add_ends(parser, vehicles=False)


COMMANDS = {
    "target": Command(
        run,
        (
            "chargerctl target bike-1 full --once",
            "chargerctl target --all full --once",
            "chargerctl target bike-1 storage --until 2026-10-01",
        ),
        add,
        method="SetTarget",
        more='"default" is the target of the configuration.',
    )
}
