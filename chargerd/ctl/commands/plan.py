"""Plan: a target with a time. Show plans, set one, drop one."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_dry_run, changed, completes
from chargerd.ctl.errors import DONE, usage
from chargerd.ctl.render import clock, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Show plans, or ask for one, or for its end."""
    words: list[str] = call.arguments.words
    if len(words) <= 1:
        return show(call, words)
    if words[1] == "none" and len(words) == 2:
        return changed(call, "SetPlan", name=words[0], target="none")
    if len(words) < 4 or words[2] != "by":
        raise usage("plan: a NAME, a TARGET, the word by and a TIME are needed", "plan")
    return changed(
        call,
        "SetPlan",
        name=words[0],
        target=words[1],
        ready_by=" ".join(words[3:]),
        best_effort=call.arguments.best_effort or None,
    )


def show(call: Call, names: list[str]) -> int:
    """Ask for the plans and print them."""
    reply = call.client.ask("GetPlans", names=names or None)
    output, plans = call.output, reply["plans"]
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        keys = ("loadpoint", "target", "ready_at", "begins_at", "step", "by")
        output.text(tabs([plan[key] for key in keys] for plan in plans))
    elif not plans:
        output.text("No plan.   chargerctl plan NAME full by sat 07:00")
    else:
        rows = [
            [
                plan["loadpoint"],
                plan["target"],
                clock(plan["ready_local"], reply["now_local"]),
                plan["by"],
                plan["text"],
            ]
            for plan in plans
        ]
        output.text(table(("LOADPOINT", "TARGET", "BY", "SET BY", "HOW"), rows, width=output.width))
    return DONE


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    words = parser.add_argument(
        "words",
        metavar="NAME TARGET by TIME",
        nargs="*",
        help="a loadpoint, nominal or full, by, and a time: 07:00, sat 07:00; or a loadpoint and none",
    )
    completes(words, "loadpoints; nominal full none; by")
    parser.add_argument("--best-effort", action="store_true", help="also when the time may not suffice")
    add_dry_run(parser)


COMMANDS = {
    "plan": Command(
        run,
        ("chargerctl plan bike-1 full by sat 07:00", "chargerctl plan", "chargerctl plan bike-1 none"),
        add,
        method="GetPlans",
        changes="SetPlan",
        more="A pack that is to be full is charged to nominal, held there and topped up just before, so that it is "
        "full for as short a time as can be. --plain: loadpoint, target, ready_at, begins_at, step, by.",
    )
}
