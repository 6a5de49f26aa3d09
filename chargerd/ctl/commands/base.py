"""Base: what a command is made of, and what all commands that change something share."""

from __future__ import annotations

from chargerd.ctl.errors import DONE, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from chargerd.ctl.client import Client
    from chargerd.ctl.output import Output


class Call:
    """One call of a command: its arguments, the way to the daemon, and where to print."""

    __slots__ = ("arguments", "client", "output")

    def __init__(self, arguments: argparse.Namespace, client: Client, output: Output) -> None:
        self.arguments = arguments
        self.client = client
        self.output = output


class Command:
    """A command. ``run`` does it and gives the exit code; ``add`` adds its arguments to a parser.

    ``method`` is the row of the protocol's table whose reply ``--json`` prints; ``lines`` says what ``--json`` prints
    line by line in its place, if it does. ``fields`` are those of a JSON document that no method replies. ``changes`` is the
    method of a command that shows something without further words, and changes it with them.
    """

    __slots__ = ("add", "changes", "examples", "fields", "lines", "method", "more", "run")

    def __init__(
        self,
        run: Callable[[Call], int],
        examples: tuple[str, ...],
        add: Callable[[argparse.ArgumentParser], None] | None = None,
        fields: dict[str, tuple[str, str]] | None = None,
        **marks: str,
    ) -> None:
        self.run = run
        self.examples = examples
        self.add = add
        self.fields = fields or {}
        self.method = marks.get("method", "")
        self.changes = marks.get("changes", "")
        self.lines = marks.get("lines", "")
        self.more = marks.get("more", "")


def completes(action: argparse.Action, what: str) -> None:
    """Say what completes an argument: loadpoints, devices, entries, settings, modes, or words from a list."""
    action.completes = what  # type: ignore[attr-defined]  # argparse has no place for it


def add_name(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """A loadpoint's name."""
    number = {"nargs": "?"} if optional else {}
    completes(parser.add_argument("name", metavar="NAME", help="a loadpoint", **number), "loadpoints")  # type: ignore[arg-type]


def add_names(parser: argparse.ArgumentParser) -> None:
    """Names of loadpoints, or none for all."""
    names = parser.add_argument("names", metavar="NAME", nargs="*", help="loadpoints; all if left out")
    completes(names, "loadpoints")


def add_at(parser: argparse.ArgumentParser) -> None:
    """A past moment to look at."""
    parser.add_argument("--at", metavar="TIME", help='as it was then: 16:20, "yesterday 16:20", -2h')


def add_ends(parser: argparse.ArgumentParser, *, vehicles: bool = True) -> None:
    """When a change ends by itself, and whether it is only to be tried. ``vehicles``: it may end with one that leaves."""
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--for", dest="duration", metavar="DURATION", help="go back by itself after 45min, 2h, 3d")
    leaves = ", or when the vehicle has left: disconnected" if vehicles else ""
    until = ends.add_argument("--until", metavar="TIME", help=f'go back by itself at 18:00, "tomorrow 06:30"{leaves}')
    if vehicles:
        completes(until, "disconnected")
    add_dry_run(parser)


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Whether a change is only to be tried."""
    parser.add_argument("--dry-run", action="store_true", help="print what commands would follow; change nothing")


def end(call: Call) -> str | None:
    """When the change is to end by itself, as the daemon wants to hear it."""
    duration: str | None = call.arguments.duration
    if duration is None:
        until: str | None = call.arguments.until
        return until
    return duration if duration.startswith("+") else f"+{duration}"


def changed(call: Call, method: str, **parameters: Any) -> int:
    """Ask for a change and print what became of it."""
    dry = bool(call.arguments.dry_run)
    reply = call.client.change(method, **parameters, dry_run=dry or None)
    if call.output.form == "json":
        call.output.json(reply)
        return DONE
    lines = [reply["text"], *reply["notes"]]
    if dry:
        lines += [f"  would send to {command['device']}: {command['text']}" for command in reply["commands"]]
        lines.append("Nothing was sent." if reply["commands"] else "Nothing would be sent, and nothing was.")
    call.output.text("\n".join(lines))
    return DONE


def lines_of(text: str) -> int:
    """A number of rows: 1 or more. Raises `Failure`."""
    if not text.isdigit() or not 0 < int(text) < 10**9:
        raise usage(f'"{text}" is no number of lines; write 20')
    return int(text)
