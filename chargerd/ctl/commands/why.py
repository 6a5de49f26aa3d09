"""Why: why a loadpoint does what it does, with the numbers, and what would change it."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_name
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import clean, tabs, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Ask and print: one sentence, and the lines under it."""
    reply = call.client.ask("GetWhy", name=call.arguments.name)
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
        first, *others = wrapped(clean(line["text"]), max(20, width - widest - 4), rows=6)
        lines.append(f"  {clean(line['label']).ljust(widest)}  {first}".rstrip())
        lines += [" " * (widest + 4) + other for other in others]
    return "\n".join(lines)


COMMANDS = {
    "why": Command(
        run,
        ("chargerctl why bike-1", "chargerctl why bike-1 --json"),
        add_name,
        method="GetWhy",
        more="--plain: label, text.",
    )
}
