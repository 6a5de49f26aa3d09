"""Options: the options that every command has, and a parser that says what is wrong in our own words."""

from __future__ import annotations

import argparse

from chargerd import __version__
from chargerd.ctl.errors import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

DIRECTORY = "/run/chargerd"
VALUED = ("--color", "--socket")  # global options whose value is the next word
vars(argparse)["_"] = str  # we speak English only; looking for a translation costs a tenth of an interpreter's start

_TIMED = ("--since", "-S", "--until", "-U", "--for", "--at", "--session")


def joined(words: Sequence[str]) -> list[str]:
    """The words with "--since -2h" made "--since=-2h": argparse takes every word that begins with "-" for an option."""
    done: list[str] = []
    for word in words:
        if done and done[-1] in _TIMED and word[:1] == "-" and word[1:2].isdigit():
            done[-1] += f"={word}" if done[-1].startswith("--") else word
        else:
            done.append(word)
    return done


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, width=80)  # without a width it imports shutil to ask for one


class Parser(argparse.ArgumentParser):
    """The parser of one command: no abbreviations, errors as `Failure`."""

    def __init__(self, name: str, about: str = "", examples: tuple[str, ...] = ()) -> None:
        shown = "\n".join(f"  {example}" for example in examples)
        super().__init__(
            prog=f"chargerctl {name}",
            description=f"{about}\n\nexamples:\n{shown}",
            formatter_class=_formatter,
            allow_abbrev=False,
            add_help=False,
        )
        self._name = name

    def error(self, message: str) -> NoReturn:
        """Raise the `Failure` for a command line that is wrong."""
        known = [text for action in self._actions for text in action.option_strings]
        raise usage(message + _meant(message, known), self._name)

    def add_globals(self) -> None:
        """Add what every command takes."""
        group = self.add_argument_group("options of every command")
        add = group.add_argument
        add("--json", action="store_true", help="print JSON")
        add("--plain", action="store_true", help="print tab-separated rows without header, for awk")
        add("--color", choices=("auto", "always", "never"), default="auto", help="whether to colour (auto)")
        add("-q", "--quiet", action="store_true", help="print errors only; the exit code says the rest")
        add("--utc", action="store_true", help="times in UTC")
        add("--no-pager", action="store_true", help="never start a pager")
        add("--socket", metavar="DIR", help=f"folder of the daemon's sockets ({DIRECTORY})")
        add("--debug", action="store_true", help="show the traceback of an error")
        add("--version", action="version", version=f"chargerctl {__version__}", help="show the version")
        add("-h", "--help", action="help", help="show this help")


def _meant(message: str, known: list[str]) -> str:
    """Text: a long option that is close to the unknown one, if argparse complains of one."""
    if not message.startswith("unrecognized arguments: --"):
        return ""
    import difflib

    close = difflib.get_close_matches(message.split()[2].partition("=")[0], known, 1)
    return f". Did you mean {close[0]}?" if close else ""
