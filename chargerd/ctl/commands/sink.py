"""Sink: places that are told what happens: list them, try one out."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, completes
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import clock, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def show(call: Call) -> int:
    """Ask for the sinks and print them."""
    reply = call.client.ask("GetSinks")
    output, sinks = call.output, reply["sinks"]
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        keys = ("name", "driver", "report", "lost_since", "error")
        output.text(tabs([sink[key] for key in keys] for sink in sinks))
    elif not sinks:
        output.text("Nobody is told anything.   man chargerd.toml, [sink.NAME]")
    else:
        rows = [[sink["name"], " ".join(sink["tell"]), sink["report"], _state(sink, reply)] for sink in sinks]
        output.text(table(("SINK", "TELLS", "REPORT", "STATE"), rows, width=output.width))
    return DONE


def _state(sink: dict[str, str], reply: dict[str, str]) -> str:
    if sink["lost_since_local"] is None:
        return "all is told"
    return f"nothing since {clock(sink['lost_since_local'], reply['now_local'])}: {sink['error']}"


def test(call: Call) -> int:
    """Have a test message sent, and print whether it was taken."""
    reply = call.client.tell("TestSink", name=call.arguments.name)
    if call.output.form == "json":
        call.output.json(reply)
    else:
        call.output.text(reply["text"])
    return DONE


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of sink test."""
    completes(parser.add_argument("name", metavar="NAME", help="a sink"), "sinks")


COMMANDS = {
    "sink list": Command(
        show,
        ("chargerctl sink list", "chargerctl sink list --json"),
        method="GetSinks",
        more="What could not be told is kept in the log and told later. --plain: name, driver, report, lost_since, error.",
    ),
    "sink test": Command(test, ("chargerctl sink test mail",), add, method="TestSink"),
}
