"""Schedule: recurring starts: list, add, remove."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_dry_run, add_name, changed, completes
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import UNKNOWN, clock, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def show(call: Call) -> int:
    """Ask for the entries and print them."""
    reply = call.client.ask("GetSchedule")
    output, entries = call.output, reply["schedule"]
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        keys = ("entry", "loadpoint", "when", "mode", "target", "origin", "next")
        output.text(tabs([entry[key] for key in keys] for entry in entries))
    elif not entries:
        output.text("No entries.   chargerctl schedule add NAME daily 22:00")
    else:
        rows = [
            [
                entry["entry"],
                entry["when"],
                entry["loadpoint"],
                clock(entry["next_local"], reply["now_local"]) if entry["next_local"] else UNKNOWN,
                entry["does"],
            ]
            for entry in entries
        ]
        output.text(table(("ENTRY", "WHEN", "LOADPOINT", "NEXT", "DOES"), rows, width=output.width))
    return DONE


def add(call: Call) -> int:
    """Ask for a new entry."""
    asked = call.arguments
    entry = {"days": asked.days, "at": asked.time, "ready": asked.ready or None}
    return changed(call, "AddSchedule", name=asked.name, **entry, target=asked.target, mode=asked.mode)


def remove(call: Call) -> int:
    """Ask for an entry's end."""
    return changed(call, "RemoveSchedule", entry=call.arguments.entry)


def add_add(parser: argparse.ArgumentParser) -> None:
    """Arguments of schedule add."""
    add_name(parser)
    completes(parser.add_argument("days", metavar="DAYS", help="daily, sat, mon-fri,sun"), "daily mon-fri sat,sun")
    parser.add_argument("time", metavar="TIME", help="time of day at the site: 06:30")
    target = parser.add_argument("--target", metavar="TARGET", help="nominal, full or storage, for that session")
    completes(target, "nominal full storage")
    parser.add_argument("--mode", metavar="MODE", help="mode to set (fast)")
    parser.add_argument("--ready", action="store_true", help="be charged by TIME, instead of starting then")
    add_dry_run(parser)


def add_remove(parser: argparse.ArgumentParser) -> None:
    """Arguments of schedule remove."""
    completes(parser.add_argument("entry", metavar="ENTRY", help="name of the entry, as listed"), "entries")
    add_dry_run(parser)


COMMANDS = {
    "schedule list": Command(
        show,
        ("chargerctl schedule", "chargerctl schedule list --json"),
        method="GetSchedule",
        more="--plain: entry, loadpoint, when, mode, target, origin, next.",
    ),
    "schedule add": Command(
        add,
        (
            "chargerctl schedule add bike-1 sat 00:00 --target full",
            "chargerctl schedule add bike-1 sat 07:00 --ready --target full",
        ),
        add_add,
        method="AddSchedule",
    ),
    "schedule remove": Command(remove, ("chargerctl schedule remove bike-1.2",), add_remove, method="RemoveSchedule"),
}
