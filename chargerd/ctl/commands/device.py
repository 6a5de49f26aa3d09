"""Device: whether the devices answer, what they last said, and what they say now."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, completes
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import UNKNOWN, clock, duration, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call

HEADER = ("DEVICE", "DRIVER", "MODEL", "TIMER", "CHANNELS", "STATE")


def show(call: Call) -> int:
    """Ask what is known of the devices and print it."""
    reply = call.client.ask("GetDevices", names=call.arguments.names or None)
    output, devices = call.output, reply["devices"]
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        keys = ("name", "driver", "model", "device_id", "firmware", "reachable", "error", "lost_since", "lease")
        output.text(tabs([d[key] for key in keys] for d in devices))
    elif not devices:
        output.text("No device is configured.")
    else:
        rows = [_row(device, reply["now_local"]) for device in devices]
        output.text(table(HEADER, rows, right=(4,), width=output.width))
    return DONE


def _row(device: dict[str, Any], now_local: str) -> list[str]:
    ages = [channel["read_age_s"] for channel in device["channels"] if channel["read_age_s"] is not None]
    state = f"answers, read {duration(min(ages))} ago" if ages else "answers"
    if device["reachable"] is None:
        state = "not tried yet"
    elif not device["reachable"]:
        since = f" since {clock(device['lost_since_local'], now_local)}" if device["lost_since_local"] else ""
        state = f"{device['error'] or 'unreachable'}{since}: {device['detail'] or 'no answer'}"
    texts = (device["name"], device["driver"], device["model"] or UNKNOWN, device["lease"])
    return [*texts, str(len(device["channels"])), state]


def read(call: Call) -> int:
    """Have a device read now and print what it says."""
    reply = call.client.tell("ReadDevice", name=call.arguments.name)
    output = call.output
    if output.form == "json":
        output.json(reply)
        return DONE
    rows = [
        (reading["address"], key, value_text(value))
        for reading in reply["readings"]
        for key, value in reading["values"].items()
    ]
    if output.form == "plain":
        output.text(tabs(rows))
        return DONE
    output.text(table((), rows, width=output.width) if rows else "It says nothing.")
    output.text(f"({reply['took_ms'] / 1000:.1f} s)")
    return DONE


def value_text(value: object) -> str:
    """A value as JSON writes it, text without quotes."""
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value)


def add_list(parser: argparse.ArgumentParser) -> None:
    """Arguments of device list."""
    completes(parser.add_argument("names", metavar="NAME", nargs="*", help="devices; all if left out"), "devices")


def add_read(parser: argparse.ArgumentParser) -> None:
    """Arguments of device read."""
    completes(parser.add_argument("name", metavar="NAME", help="a device"), "devices")


COMMANDS = {
    "device list": Command(
        show,
        ("chargerctl device list",),
        add_list,
        method="GetDevices",
        more="--plain: name, driver, model, device_id, firmware, reachable, error, lost_since, lease.",
    ),
    "device read": Command(
        read,
        ("chargerctl device read shed",),
        add_read,
        method="ReadDevice",
        more="Asks the control socket, because it makes the device work. --plain: address, key, value.",
    ),
}
