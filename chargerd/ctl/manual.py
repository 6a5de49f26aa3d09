"""Manual: docs/commands.md, made from the parsers and the protocol's table.

python -m chargerd.ctl.manual > docs/commands.md
"""

from __future__ import annotations

import argparse
import sys

from chargerd.ctl.catalogue import load, parser_of
from chargerd.ctl.commands import GROUPS, REGISTRY
from chargerd.ctl.commands.help import ENVIRONMENT, JSON, LOGIN, TIMES, exit_codes
from chargerd.ctl.options import Parser
from chargerd.protocol.table import METHODS
from chargerd.protocol.types import TYPES, Fields

_INTRO = """\
# Commands of chargerctl

This page is made by `python -m chargerd.ctl.manual`; a test fails when it is stale.

`chargerctl [COMMAND] [NAME…] [ARGUMENTS] [OPTIONS]`, and `chargerctl` alone is `chargerctl status`. Names are those of
the configuration; on a terminal the beginning of a name will do if it fits only one."""


def manual() -> str:
    """The whole page."""
    parts = [_INTRO, "## Options of every command", _options(_globals())]
    for group in GROUPS:
        parts.append(f"## {group[0].upper()}{group[1:]}")
        parts += [_command(name) for name, (of, _, _) in REGISTRY.items() if of == group]
    parts += ["## Objects", "Types are Varlink's: `?` may be null, `[]` is an array."]
    parts += [f"### {name}\n\n{_fields(fields)}" for name, fields in TYPES.items()]
    topics = [("Exit codes", exit_codes()), ("JSON", JSON), ("Times", TIMES), ("Environment", ENVIRONMENT)]
    topics.append(("Plugs that want a login", LOGIN))
    parts += [f"## {title}\n\n```text\n{text}\n```" for title, text in topics]
    return "\n\n".join(parts) + "\n"


def _globals() -> list[argparse.Action]:
    parser = Parser("")
    parser.add_globals()
    return parser._actions


def _command(name: str) -> str:
    command = load(name)
    common = {text for action in _globals() for text in action.option_strings}
    parser = parser_of(name, command)
    own = [action for action in parser._actions if not set(action.option_strings) & common]
    parts = [f"### {name}", f"{REGISTRY[name][2][0].upper()}{REGISTRY[name][2][1:]}."]
    parts += [command.more] if command.more else []
    parts.append("```sh\n" + "\n".join(command.examples) + "\n```")
    parts += [_options(own)] if own else []
    if command.lines:
        parts.append(f"`--json`: {command.lines}.")
    if command.fields:
        parts.append(f"JSON fields:\n\n{_fields(command.fields)}")
    if command.method:
        parts.append(f"JSON fields:\n\n{_fields(METHODS[command.method].reply)}")
    if command.changes:
        parts.append(f"JSON fields of a change:\n\n{_fields(METHODS[command.changes].reply)}")
    return "\n\n".join(parts)


def _options(actions: list[argparse.Action]) -> str:
    return "\n".join(f"- {_shown(action)}: {(action.help or '').replace('%%', '%')}" for action in actions)


def _shown(action: argparse.Action) -> str:
    value = str(action.metavar or "|".join(action.choices or ()) or action.dest)
    if not action.option_strings:
        return f"`{value}`"
    names = ", ".join(action.option_strings)
    return f"`{names}`" if action.nargs == 0 else f"`{names} {value}`"


def _fields(fields: Fields) -> str:
    rows = [f"| `{name}` | {_linked(kind)} | {meaning} |" for name, (kind, meaning) in fields.items()]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def _linked(kind: str) -> str:
    name = kind.lstrip("?[]")
    return f"{kind[: -len(name)]}[{name}](#{name.lower()})" if name in TYPES else kind


if __name__ == "__main__":
    sys.stdout.write(manual())
