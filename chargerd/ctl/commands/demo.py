"""Demo: a simulated home with the real daemon, run by the daemon's own program."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command
from chargerd.ctl.commands.configure import execute

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Become `chargerd demo`."""
    given = (("--folder", call.arguments.folder), ("--speed", call.arguments.speed), ("--seed", call.arguments.seed))
    execute("demo", *(word for option, value in given if value is not None for word in (option, value)))


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments: those of `chargerd demo`."""
    parser.add_argument("--folder", metavar="DIR", help="where it keeps everything (.demo)")
    parser.add_argument("--speed", metavar="FACTOR", help="how fast time runs (60)")
    parser.add_argument("--seed", metavar="N", help="another seed is another home (1)")


COMMANDS = {
    "demo": Command(
        run,
        ("chargerctl demo", "chargerctl demo --speed 600"),
        add,
        more="Runs in the foreground until Ctrl-C; touches no real device.",
    )
}
