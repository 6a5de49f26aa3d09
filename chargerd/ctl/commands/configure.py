"""Configure: what is wrong with the configuration files, and which settings are in force."""

from __future__ import annotations

import os
import sys

from chargerd.ctl.commands.base import Command, add_names
from chargerd.ctl.errors import DONE, FOUND, NO_ANSWER, Failure
from chargerd.ctl.render import clean, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import NoReturn

    from chargerd.ctl.commands.base import Call

PACKAGED = "/usr/lib/chargerd/app"
"""Where Debian's package has the program; there its launcher knows where the libraries are."""


def check(call: Call) -> int:
    """Ask the daemon to read its files again without loading them; without a daemon, have its program read them."""
    if call.arguments.config is not None:
        execute("check", "--config", call.arguments.config)
    try:
        reply = call.client.tell("CheckConfiguration")
    except Failure as failure:
        if failure.code != NO_ANSWER or not failure.error.endswith(".no-answer"):
            raise
        execute("check")
    output, mistakes = call.output, reply["mistakes"]
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs([mistake[key] for key in ("place", "text", "allowed")] for mistake in mistakes))
    else:
        for mistake in mistakes:
            output.text(clean(f"{mistake['place']}: {mistake['text']}"))
            output.text(clean(f"    {mistake['allowed']}") if mistake["allowed"] else "")
        output.text(clean(reply["text"]))
    return FOUND if mistakes else DONE


def execute(*words: str) -> NoReturn:
    """Become the daemon's program."""
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    # -P: a folder named chargerd in the working directory is not to be run in place of the installed one
    safe = [] if home == os.getcwd() else ["-P"]
    sys.stdout.flush()
    if home == PACKAGED:
        os.execv("/usr/sbin/chargerd", ["chargerd", *words])
    os.execv(sys.executable, [sys.executable, *safe, "-m", "chargerd", *words])


def show(call: Call) -> int:
    """Ask for the settings in force and print them."""
    reply = call.client.ask("GetConfiguration", names=call.arguments.names or None)
    output, values = call.output, reply["values"]
    keys = ("subject", "key", "text", "source")
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs([value[key] for key in keys] for value in values))
    else:
        rows = [[value[key] for key in keys] for value in values]
        files = "\n".join(clean(f"file  {name}") for name in reply["files"])
        output.paged(
            f"{files}\n\n{table(('LOADPOINT', 'SETTING', 'VALUE', 'FROM'), rows, width=output.width)}".lstrip()
        )
    return DONE


def add_check(parser: argparse.ArgumentParser) -> None:
    """Arguments of configure check."""
    parser.add_argument("--config", metavar="FILE", help="check this file in place of the daemon's; needs no daemon")


COMMANDS = {
    "configure check": Command(
        check,
        ("chargerctl configure check", "chargerctl configure check --config ./chargerd.toml"),
        add_check,
        method="CheckConfiguration",
        more="Loads nothing. Exit code 6 if something is wrong. Without a daemon, `chargerd check` reads the files. "
        "--plain: place, text, allowed.",
    ),
    "configure show": Command(
        show,
        ("chargerctl configure show bike-1",),
        add_names,
        method="GetConfiguration",
        more="--plain: loadpoint, setting, value, source.",
    ),
}
