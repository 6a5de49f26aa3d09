"""Main: chargerctl's command line: which command, which options, and which exit code.

This file and what it imports is the start of every call, so it imports little; a command's own module comes with the
command.
"""

from __future__ import annotations

import os
import sys

from chargerd.ctl.catalogue import load, parser_of
from chargerd.ctl.commands import DEFAULTS, REGISTRY
from chargerd.ctl.errors import FAILED, INTERRUPTED, NO_ANSWER, PIPE_CLOSED, Failure, usage
from chargerd.ctl.options import DIRECTORY, VALUED, joined
from chargerd.ctl.output import Output, error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from chargerd.ctl.commands.base import Command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except Failure as failure:
        return _told(failure, words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as refused:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter complains when it flushes at its end
        if isinstance(refused, BrokenPipeError):
            return PIPE_CLOSED
        message = f"the answer cannot be printed: {refused.strerror or refused}."
        return _told(Failure(FAILED, "not-printed", message, "Charging goes on.", "Look: df -h"), words)


def _run(words: list[str]) -> int:
    if "--complete" in words:
        from chargerd.ctl.commands.completion import complete

        return complete(words)
    name, rest = split(words)
    if name == "status" and rest == words and {"-h", "--help"} & set(words):
        name, rest = "help", []
    command = load(name)
    return _called(name, command, parser_of(name, command).parse_args(joined(rest)))


def _called(name: str, command: Command, arguments: argparse.Namespace) -> int:
    from chargerd.ctl.client import Client
    from chargerd.ctl.commands.base import Call

    if arguments.json and arguments.plain:
        raise usage("--json and --plain exclude each other", name)
    form = "json" if arguments.json else "plain" if arguments.plain else "text"
    output = Output(form, color=arguments.color, quiet=arguments.quiet, pages=not arguments.no_pager)
    directory = arguments.socket or os.environ.get("CHARGERCTL_SOCKET") or DIRECTORY
    person = output.terminal and sys.stdin is not None and sys.stdin.isatty()
    zone = "UTC" if arguments.utc else zone_of(os.environ)
    try:
        return command.run(Call(arguments, Client(directory, zone, only_prefix if person else None), output))
    except (LookupError, TypeError, AttributeError) as mistake:
        # An answer of another shape than the table's: another version, or a mistake of ours. Never a success.
        if arguments.debug:
            raise
        raise Failure(
            NO_ANSWER,
            "not-understood",
            f"chargerd's answer is not understood ({type(mistake).__name__}: {mistake}).",
            "Whether charging goes on is not known.",
            "Are chargerd and chargerctl of the same version? More: the same command with --debug",
        ) from mistake


def _told(failure: Failure, words: Sequence[str]) -> int:
    if "--debug" in words:
        import traceback

        traceback.print_exception(failure)
    if "--json" in words:
        import json

        error(json.dumps(failure.fields()))
    else:
        error(failure.lines())
    return failure.code


def split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command's name and the words that are left for it. Raises `Failure` for a command that there is not."""
    first = _next_word(words, 0)
    if first is None:
        return DEFAULTS[""], list(words)
    group = words[first]
    second = _next_word(words, first + 1)
    if second is not None and f"{group} {words[second]}" in REGISTRY:
        return f"{group} {words[second]}", [word for at, word in enumerate(words) if at not in (first, second)]
    rest = [word for at, word in enumerate(words) if at != first]
    if group in REGISTRY or group in DEFAULTS:
        return DEFAULTS.get(group, group), rest
    return _guessed(group, rest)


def _next_word(words: Sequence[str], start: int) -> int | None:
    at = start
    while at < len(words):
        if words[at] in VALUED:
            at += 1
        elif not words[at].startswith("-"):
            return at
        at += 1
    return None


def _guessed(group: str, rest: list[str]) -> tuple[str, list[str]]:
    actions = [name.partition(" ")[2] for name in REGISTRY if name.startswith(f"{group} ")]
    if actions:
        raise usage(f"chargerctl {group}: say which: {', '.join(actions)}")
    firsts = sorted({name.partition(" ")[0] for name in REGISTRY})
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        meant = only_prefix(group, firsts)
        if meant is not None:
            return split([meant, *rest])
    import difflib

    close = difflib.get_close_matches(group, firsts, 1, 0.5)
    raise usage(f'no command "{group}".{f" Did you mean {close[0]}?" if close else ""}')


def only_prefix(word: str, known: list[str]) -> str | None:
    """The only known name that begins with ``word``, if there is exactly one."""
    found = [name for name in known if word and name.startswith(word)]
    return found[0] if len(found) == 1 else None


def zone_of(environment: Mapping[str, str]) -> str | None:
    """The time zone that TZ names, if it names one as the daemon knows them; POSIX rules such as "CET-1CEST" do not."""
    zone = environment.get("TZ", "").removeprefix(":").rpartition("zoneinfo/")[2]
    named = zone == "UTC" or ("/" in zone and zone.replace("/", "").replace("_", "").replace("-", "").isalpha())
    return zone if named and not zone.startswith("/") else None
