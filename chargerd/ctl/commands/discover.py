"""Discover: plugs on the local network: what each is, whether it measures, and as what it is configured."""

from __future__ import annotations

import sys

from chargerd.ctl.commands.base import Command
from chargerd.ctl.errors import DONE, Failure, usage
from chargerd.ctl.render import UNKNOWN, clean, shortened, table, tabs, warned

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.client import Client
    from chargerd.ctl.commands.base import Call

HEADER = ("NAME", "MODEL", "ADDRESS", "ID", "METER", "CONFIGURED")
LAST = 12  # the least that is left for the last column
PLAIN = ("address", "port", "mac", "model", "alias", "has_meter", "login", "device")
METER = {True: "yes", False: "no", None: UNKNOWN}
LOGIN_HINT = (
    "A plug that wants a login is given username and password of the TP-Link account, or is opened in the Kasa or Tapo app by"
    " Third-Party Compatibility. More: chargerctl help login"
)


def run(call: Call) -> int:
    """Follow a search to its end and print what was found."""
    asked = call.arguments
    reply = search(call, asked.network, asked.seconds)
    output, plugs = call.output, reply["plugs"]
    if output.form == "json":
        output.json(reply)
        return DONE
    if output.form == "plain":
        output.text(tabs(_plain(plugs)))
        return DONE
    lines = [found_table(plugs, output.width)] if plugs else [f"No plug answered on {' '.join(reply['networks'])}."]
    if reply["others"]:
        lines.append(f"Besides, {_devices(reply['others'])} answered.")
    notes = list(reply["notes"])
    notes += [LOGIN_HINT] if any(plug["login"] and plug["device"] is None for plug in plugs) else []
    lines += [line for note in notes for line in warned([note], output.width)]
    output.text("\n".join(lines))
    if not plugs:
        output.hint("chargerctl discover --network 192.168.178.0/24 (the plugs' network, if it is not this machine's)")
    elif any(free(plug) for plug in plugs):
        output.hint("chargerctl configure")
    return DONE


def search(call: Call, networks: list[str] | None, seconds: int | None) -> dict[str, Any]:
    """The last reply of a search; a person sees meanwhile that something is going on. Raises `Failure`."""
    shows = call.output.terminal and sys.stderr.isatty() and not call.output.quiet
    last: dict[str, Any] | None = None
    stream = followed(call.client, networks, seconds)
    try:
        for reply in stream:
            last = reply
            if shows:
                _progress(reply)
    finally:
        stream.close()
        if shows:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
    if last is None:
        raise Failure(3, "broken-answer", "the search ended without an answer.", "Charging goes on.", "Ask again.")
    return last


def followed(client: Client, networks: list[str] | None, seconds: int | None) -> Any:
    """The stream of a search."""
    return client.follow("Discover", where="control", networks=networks, seconds=seconds)


def _progress(reply: dict[str, Any]) -> None:
    count = len(reply["plugs"])
    text = f"Looking on {' '.join(reply['networks'])}: {count} plug{'' if count == 1 else 's'}, {reply['left_s']:.0f} s left"
    sys.stderr.write(f"\r\033[K{clean(text)}")
    sys.stderr.flush()


def free(plug: dict[str, Any]) -> bool:
    """Whether something of it could be made a loadpoint."""
    taken = [socket["loadpoint"] for socket in plug["sockets"]] or [plug["loadpoint"]]
    return plug["has_meter"] is not False and None in taken


def found_table(plugs: list[dict[str, Any]], width: int) -> str:
    """Plugs under a header, the sockets of a strip under their strip."""
    rows = []
    for plug in plugs:
        where = plug["address"] if plug["port"] == 9999 else f"{plug['address']}:{plug['port']}"
        meter = METER[plug["has_meter"]]
        rows.append([plug["alias"] or UNKNOWN, plug["model"], where, plug["mac"], meter, _configured(plug)])
        rows += [[f"  {socket['alias']}", "", "", "", "", _socket(socket)] for socket in plug["sockets"]]
    others = sum(max(len(row[column]) for row in [HEADER, *rows]) + 2 for column in range(1, len(HEADER) - 1))
    rows = [[shortened(row[0], max(10, width - others - LAST - 2)), *row[1:]] for row in rows]
    return table(HEADER, rows, width=width)


def _configured(plug: dict[str, Any]) -> str:
    if plug["loadpoint"] is not None:
        return str(plug["loadpoint"])
    if plug["device"] is not None:
        return f"device {plug['device']}"
    return f"no: {plug['note']}" if plug["note"] else "no"


def _socket(socket: dict[str, Any]) -> str:
    if socket["loadpoint"] is not None:
        return str(socket["loadpoint"])
    return f"no: {socket['note']}" if socket["note"] else "no"


def _plain(plugs: list[dict[str, Any]]) -> list[list[object]]:
    rows = []
    for plug in plugs:
        whole = [plug[key] for key in PLAIN]
        rows.append([*whole, None, plug["loadpoint"]])
        rows += [[*whole, socket["alias"], socket["loadpoint"]] for socket in plug["sockets"]]
    return rows


def _devices(count: int) -> str:
    return "1 TP-Link device that is no plug" if count == 1 else f"{count} TP-Link devices that are no plugs"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_seconds(parser)
    add_network(parser)


def add_seconds(parser: argparse.ArgumentParser) -> None:
    """How long to look."""
    parser.add_argument("--seconds", type=seconds_of, metavar="N", help="how long to look, 1 to 60 (5)")


def add_network(parser: argparse.ArgumentParser) -> None:
    """Where to look."""
    parser.add_argument(
        "--network",
        action="append",
        metavar="WHERE",
        help="look here: 192.168.178.0/24, 192.168.178.255, 192.168.178.40; may be given several times",
    )


def seconds_of(text: str) -> int:
    """A number of seconds. Raises `Failure`."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 60:
        raise usage(f'"{text}" is no number of seconds from 1 to 60; write 10')
    return int(text)


COMMANDS = {
    "discover": Command(
        run,
        ("chargerctl discover", "chargerctl discover --seconds 10 --network 192.168.178.0/24"),
        add,
        method="Discover",
        more="Asks all TP-Link plugs on the network who they are (broadcast; no port scan); switches and logs in to none. "
        "Asks the control socket, because it sends packets. One search at a time: who asks for the same meanwhile shares it. "
        "--plain: address, port, mac, model, alias, has_meter, login, device, socket, loadpoint; the sockets of a strip "
        "follow in rows of their own.",
    )
}
