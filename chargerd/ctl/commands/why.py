"""Why: why a loadpoint does what it does, with the numbers, and what would change it."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_at, add_name, completes
from chargerd.ctl.commands.wait import STATES, WORDS
from chargerd.ctl.errors import DONE, usage
from chargerd.ctl.render import clean, tabs, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call
    from chargerd.ctl.errors import Failure


WANTED = frozenset(each for word in (*STATES, *WORDS) for each in (word, word.replace(" ", "-")))


def run(call: Call) -> int:
    """Ask and print: one sentence, and the lines under it."""
    asked = call.arguments
    if asked.wanted is not None and asked.wanted not in WANTED:
        raise _no_state(asked.wanted)
    reply = call.client.ask("GetWhy", name=asked.name, at=asked.at, **{"not": asked.wanted})
    output = call.output
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs((line["label"], line["text"]) for line in reply["lines"]))
    else:
        output.text(page(reply, output.width))
        output.hint(reply["next_step"])
    return DONE


def page(reply: dict[str, Any], width: int) -> str:
    """The explanation as text."""
    lines = [*wrapped(clean(reply["text"]), width, rows=4), ""]
    widest = max((len(line["label"]) for line in reply["lines"]), default=0)
    for line in reply["lines"]:
        first, *others = wrapped(clean(line["text"]), max(20, width - widest - 4), rows=12)
        lines.append(f"  {clean(line['label']).ljust(widest)}  {first}".rstrip())
        lines += [" " * (widest + 4) + other for other in others]
    return "\n".join(lines)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_name(parser)
    add_at(parser)
    about = "why it is not in this state, and what would bring it there: charging, finished, off"
    wanted = parser.add_argument("--not", dest="wanted", metavar="STATE", help=about)
    completes(wanted, " ".join(sorted({word.replace(" ", "-") for word in WANTED})))


def _no_state(text: str) -> Failure:
    import difflib

    known = sorted({word.replace(" ", "-") for word in WANTED})
    close = difflib.get_close_matches(text, known, 1)
    return usage(
        f'"{text}" is no state{f". Did you mean {close[0]}?" if close else ""}; one of {", ".join(known)}', "why"
    )


COMMANDS = {
    "why": Command(
        run,
        (
            "chargerctl why bike-1",
            'chargerctl why bike-1 --at "yesterday 16:20"',
            "chargerctl why bike-1 --not charging",
        ),
        add,
        method="GetWhy",
        more="What would change it is found by trying: the smallest change of one thing at a time, with the policy and "
        "the limits that decide in earnest. --at answers from the log, with the settings and names of that time. "
        "--plain: label, text.",
    )
}
