"""Catalogue: a command and its parser, by name. A command's module is imported when it is asked for."""

from __future__ import annotations

from chargerd.ctl.commands import REGISTRY
from chargerd.ctl.options import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chargerd.ctl.commands.base import Command


def load(name: str) -> Command:
    """The command of this name; its module is imported now."""
    module = __import__(f"chargerd.ctl.commands.{REGISTRY[name][1]}", fromlist=["COMMANDS"])
    command: Command = module.COMMANDS[name]
    return command


def parser_of(name: str, command: Command) -> Parser:
    """The parser of a command: its own arguments and those of every command."""
    about = REGISTRY[name][2]
    parser = Parser(
        name, f"{about[0].upper()}{about[1:]}.{' ' + command.more if command.more else ''}", command.examples
    )
    if command.add is not None:
        command.add(parser)
    parser.add_globals()
    return parser
