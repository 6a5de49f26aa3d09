"""Configure: what is wrong with the configuration files, which settings are in force, and an old file made into a new one."""

from __future__ import annotations

import os
import sys

from chargerd.ctl.commands.base import Command, add_names
from chargerd.ctl.commands.discover import add_network, search
from chargerd.ctl.errors import DONE, FOUND, NO_ANSWER, NOT_PERMITTED, Failure, usage
from chargerd.ctl.render import clean, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any, NoReturn

    from chargerd.ctl.commands.base import Call

IMPORTED = {
    "kind": ("string", '"import"'),
    "text": ("string", "how much was imported"),
    "file": ("?string", "the file that was written; null: none"),
    "plugs": ("int", "plugs that became loadpoints"),
    "profiles": ("int", "profiles that became vehicles"),
    "chargers": ("int", "chargers for cars that became loadpoints"),
    "notes": ("[]string", "what could not be carried over, or wants a look, one sentence each"),
    "configuration": ("string", "the configuration"),
}
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


def take_over(call: Call) -> int:
    """Become `chargerd import`, with what a search finds, so that sockets of strips are recognised."""
    asked = call.arguments
    if call.output.form == "plain":
        raise usage("--plain has no rows here; --json does", "configure import")
    words = ["import", *(["--json"] if call.output.form == "json" else []), *(["--quiet"] if asked.quiet else [])]
    words += [] if asked.output is None else [f"--output={asked.output}"]
    words += ["--force"] if asked.force else []
    found = None if asked.no_search else _searched(call)
    if found is not None:
        # The program that we become inherits it; nothing lies about afterwards.
        handed = os.memfd_create("chargerctl-found", 0)
        with os.fdopen(handed, "wb", closefd=False) as file:
            file.write(json_bytes(found))
        words.append(f"--found=/proc/self/fd/{handed}")
    execute(*words, "--", asked.file)


def _searched(call: Call) -> dict[str, Any] | None:
    """What a search finds; None without a daemon that this person may ask."""
    try:
        return search(call, call.arguments.network, None)
    except Failure as failure:
        if failure.code not in (NO_ANSWER, NOT_PERMITTED):
            raise
        return None


def json_bytes(value: object) -> bytes:
    """A value as JSON."""
    import json

    return json.dumps(value).encode()


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


def add_import(parser: argparse.ArgumentParser) -> None:
    """Arguments of configure import."""
    parser.add_argument(
        "file", metavar="FILE", help="the e-bike battery script's INI file, or chargemanager's database"
    )
    parser.add_argument("--output", metavar="FILE", help="write the configuration here; to standard output if left out")
    parser.add_argument("--force", action="store_true", help="replace a file that is there; it is kept as FILE.bak")
    parser.add_argument("--no-search", action="store_true", help="do not look for the plugs on the network")
    add_network(parser)


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
    "configure import": Command(
        take_over,
        (
            "chargerctl configure import ebike_battery_manager.config",
            "chargerctl configure import ebike_battery_manager.config --output ./chargerd.toml",
            "chargerctl configure import chargemanager_db.sqlite3 --output ./chargerd.toml",
        ),
        add_import,
        IMPORTED,
        more="Understands the three generations of keys of the e-bike battery script, and the settings in chargemanager's database "
        "(inverter, meter, house battery, chargers, plug), which is read and never written. Secrets are not copied: a line says "
        "where to put them. What is wrong is named with file, line and key, and then "
        "nothing is written. Looks for the plugs first, if chargerd runs, so that sockets of strips become what they are; what "
        "could not be carried over is said, and stands in the result as a comment. The result is proven to load.",
    ),
    "configure show": Command(
        show,
        ("chargerctl configure show bike-1",),
        add_names,
        method="GetConfiguration",
        more="--plain: loadpoint, setting, value, source.",
    ),
}
