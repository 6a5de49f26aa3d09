"""Watch: the loadpoints as they change: a table redrawn on a terminal, one line per change elsewhere."""

from __future__ import annotations

import sys

from chargerd.ctl.commands.base import Command, add_names
from chargerd.ctl.commands.log import short
from chargerd.ctl.commands.status import overview
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import shortened, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chargerd.ctl.client import Stream
    from chargerd.ctl.commands.base import Call

RECENT = 5


def run(call: Call) -> int:
    """Follow until interrupted, or until q is pressed."""
    stream = call.client.follow("Watch", names=call.arguments.names or None)
    try:
        if call.output.terminal and call.output.form == "text" and sys.stdin.isatty():
            return _drawn(call, stream)
        for reply in stream:
            _line(call, reply)
    finally:
        stream.close()
    return DONE


def _line(call: Call, reply: dict[str, Any]) -> None:
    if call.output.form == "json":
        call.output.json(reply)
        return
    loadpoint = reply["loadpoint"]
    if loadpoint is not None:
        call.output.text(tabs([plain_row(reply)]))


def plain_row(reply: dict[str, Any]) -> tuple[object, ...]:
    """Time, name, state, power_w, reason code."""
    loadpoint = reply["loadpoint"]
    code = None if loadpoint["reason"] is None else loadpoint["reason"]["code"]
    return reply["now_local"], loadpoint["name"], loadpoint["state"], loadpoint["power_w"], code


def _drawn(call: Call, stream: Stream) -> int:
    import select
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin.fileno())
    loadpoints: dict[str, dict[str, Any]] = {}
    recent: list[dict[str, Any]] = []
    try:
        tty.setcbreak(sys.stdin.fileno())
        while True:
            ready, _, _ = select.select([stream, sys.stdin.fileno()], [], [])
            if sys.stdin.fileno() in ready and sys.stdin.read(1) in ("q", "Q", "", "\x04"):
                return DONE
            if stream in ready:
                for reply in stream.take():
                    if reply["loadpoint"] is not None:
                        loadpoints[reply["loadpoint"]["name"]] = reply["loadpoint"]
                    recent = [*recent, *reply["changes"]][-RECENT:]
                    shown = screen(list(loadpoints.values()), recent, call, reply["now_local"])
                sys.stdout.write(f"\033[H\033[J{shown}\n")
                sys.stdout.flush()
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)


def screen(loadpoints: list[dict[str, Any]], recent: list[dict[str, Any]], call: Call, now_local: str) -> str:
    """What the terminal shows: the table, the last changes, how to leave."""
    output = call.output
    parts = [overview(loadpoints, output.width, output.paint), ""]
    width = max((len(entry["subject"]) for entry in recent), default=0)
    plain = [short(entry, min(width, 20), lambda text, _: text, dated=False) for entry in recent]
    parts += [shortened(line, output.width) for line in plain]
    return "\n".join([*parts, output.paint(f"{now_local[11:19]}   q leaves", "dim")])


COMMANDS = {
    "watch": Command(
        run,
        ("chargerctl watch", "chargerctl watch bike-1 --plain"),
        add_names,
        method="Watch",
        lines="one object per line, one line per change",
        more="q leaves. --plain, or not on a terminal: time, name, state, power_w, reason; one line per change.",
    )
}
