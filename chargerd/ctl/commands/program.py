"""Program: hands a call over to the daemon's own program, which may read the log. It needs no daemon that runs."""

from __future__ import annotations

import os

from chargerd.ctl.commands.configure import execute
from chargerd.ctl.errors import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import NoReturn

    from chargerd.ctl.commands.base import Call


def become(call: Call, *words: str, last: Sequence[str] = (), sockets: bool = False) -> NoReturn:
    """Become chargerd with these words, then what every command takes, then ``last``: "--" and names.

    ``sockets``: it also asks the daemon that runs.
    """
    from chargerd.ctl.main import zone_of

    asked = call.arguments
    if call.output.form == "plain":
        raise usage("--plain has no rows here; --json does", " ".join(words[:1]))
    zone = "UTC" if asked.utc else zone_of(os.environ)
    directory = asked.socket or os.environ.get("CHARGERCTL_SOCKET")
    more = ["--json"] if call.output.form == "json" else []
    more += ["--quiet"] if asked.quiet else []
    more += [] if zone is None else ["--zone", zone]
    more += ["--run", directory] if sockets and directory else []
    more += [] if asked.state is None else ["--state", asked.state]
    execute(*words, *more, *last)


def given(call: Call, *names: str) -> list[str]:
    """The options of these names that were given, as words. ``--since=-2h``: else it would look like an option itself."""
    values = ((name, getattr(call.arguments, name)) for name in names)
    return [f"--{name}={value}" for name, value in values if value is not None]


def add_state(parser: argparse.ArgumentParser) -> None:
    """Where the log is."""
    parser.add_argument("--state", metavar="DIR", help="folder of the log (/var/lib/chargerd)")


def add_span(parser: argparse.ArgumentParser) -> None:
    """Between which times."""
    parser.add_argument("-S", "--since", metavar="TIME", help='not before: yesterday, -7d, "2026-05-11 18:00"')
    parser.add_argument("-U", "--until", metavar="TIME", help="not after")


def add_file(parser: argparse.ArgumentParser, name: str) -> None:
    """The file to make."""
    parser.add_argument("file", metavar=name, help="the file to make; whole or not at all")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
