"""Device: whether the devices answer, what they said and say, and whether a socket's own timer does what it promises."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, completes
from chargerd.ctl.errors import DONE, FAILED, FOUND, TIMED_OUT, Failure, usage
from chargerd.ctl.render import UNKNOWN, clean, clock, duration, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.client import Stream
    from chargerd.ctl.commands.base import Call

PATIENCE_S = 20.0  # beyond what a test takes at most
TESTED = ("result", "off_after_s", "power_w", "detail")
TEST_FIELDS = {
    "result": ("string", "proven, disproven, no-timer or undecided"),
    "off_after_s": ("?float", "after so long it went off by itself; null: it did not"),
    "power_w": ("?float", "what was drawn"),
    "detail": ("?string", "why it is undecided"),
}
ROLES = {"grid": "grid meter", "pv": "solar", "load": "meter", "storage": "house battery"}
CHANNELS = ("CHANNEL", "IS", "ADDRESS", "READ", "SAID")
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
        channels = [_channel(c) for device in devices for c in device["channels"] if c["role"] != "charger"]
        if channels:
            output.text("\n" + table(CHANNELS, channels, width=output.width))
    return DONE


def _channel(channel: dict[str, Any]) -> list[str]:
    """A meter or a house battery, what it said last and when."""
    age = channel["read_age_s"]
    read = "not read yet" if age is None else f"{duration(age)} ago"
    return [channel["name"], ROLES.get(channel["role"], channel["role"]), channel["address"], read, channel["text"]]


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
    values = [
        (reading["address"], key, value) for reading in reply["readings"] for key, value in reading["values"].items()
    ]
    if output.form == "plain":
        output.text(tabs((address, key, value_text(value)) for address, key, value in values))
        return DONE
    rows = [(address, key, _rounded(value)) for address, key, value in values]
    output.text(table((), rows, width=output.width) if rows else "It says nothing.")
    output.text(f"({reply['took_ms'] / 1000:.1f} s)")
    return DONE


def _rounded(value: object) -> str:
    """A value for people: a device's 32 bits make 1613.73583984375 of what it measured as 1613.74."""
    if value is None:
        return UNKNOWN
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value_text(value)


def value_text(value: object) -> str:
    """A value as JSON writes it, text without quotes."""
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value)


def add_list(parser: argparse.ArgumentParser) -> None:
    """Arguments of device list."""
    completes(parser.add_argument("names", metavar="NAME", nargs="*", help="devices; all if left out"), "devices")


def add_test(parser: argparse.ArgumentParser) -> None:
    """Arguments of device test."""
    name = parser.add_argument("name", metavar="NAME", help="a loadpoint, a device, or device/channel; it must be off")
    completes(name, "loadpoints")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def add_read(parser: argparse.ArgumentParser) -> None:
    """Arguments of device read."""
    completes(parser.add_argument("name", metavar="NAME", help="a device"), "devices")


def test(call: Call) -> int:
    """Have a socket's timer tried, and wait for what comes of it."""
    name, output = call.arguments.name, call.output
    if not call.arguments.yes and not _agreed(call, name):
        output.text("Nothing was switched.")
        return DONE
    stream = call.client.follow("GetLog", types=["test"], lines=1, follow=True)
    try:
        begun = call.client.tell("TestDevice", name=name)
        if output.form == "text":
            output.text(begun["text"])
        entry = _result(stream, begun)
    finally:
        stream.close()
    data = entry["data"]
    if output.form == "json":
        output.json({**begun, "text": entry["text"], **{key: data.get(key) for key in TESTED}})
    elif output.form == "plain":
        output.text(tabs([[begun["address"], *(data.get(key) for key in TESTED)]]))
    else:
        drew = data.get("power_w")
        lines = [f"{begun['address']}: {entry['text']}.", entry["detail"]]
        lines.append("" if drew is None else f"It drew {drew:g} W while it was on.")
        output.text("\n".join(clean(line) for line in lines if line))
    return DONE if data["result"] == "proven" else FOUND


def _agreed(call: Call, name: str) -> bool:
    import sys

    if not (call.output.terminal and sys.stdin is not None and sys.stdin.isatty()):
        raise usage("device test switches a socket; without a terminal to ask on, say --yes", "device test")
    from chargerd.ctl.commands.guided import Given, yes

    call.output.text(
        clean(
            f"Will switch {name} on for 15 s (newer plugs: a minute), hands off, and see whether its own timer ends it."
        )
    )
    try:
        return yes("Whatever is connected gets power. Go on")
    except Given:
        return False


def _result(stream: Stream, begun: dict[str, Any]) -> dict[str, Any]:
    """The row of the log that says what came of it. Raises `Failure` if it does not come."""
    import time

    until_s = time.monotonic() + begun["longest_s"] + PATIENCE_S
    while (left_s := until_s - time.monotonic()) > 0:
        for reply in stream.take(left_s):
            for entry in reply["entries"]:
                if entry["event"] == "LeaseTested" and entry["seq"] > begun["seq"]:
                    return dict(entry)
    hint = "Look: chargerctl log --type test      chargerctl device list"
    raise Failure(TIMED_OUT, "no-result", "the test has not come to an end.", "The socket may still be on.", hint)


def record(call: Call) -> int:
    """Have a device recorded, and write the file."""
    import json
    import os

    reply = call.client.tell("RecordDevice", name=call.arguments.name)
    output = call.output
    if output.form == "json":
        output.json(reply)
        return DONE
    path = os.path.join(call.arguments.output or ".", reply["file"])
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(reply["recording"], file, indent=1, ensure_ascii=False, sort_keys=True)
            file.write("\n")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "Choose another folder: --output DIR"
        raise Failure(
            FAILED, "not-written", f"{path} cannot be written: {why}.", "Nothing was written.", hint
        ) from error
    output.text(clean(f"{reply['text']}. Written: {path}"))
    output.text("Names, ids, addresses and places are taken out. Look through it before you pass it on.")
    return DONE


def add_record(parser: argparse.ArgumentParser) -> None:
    """Arguments of device record."""
    completes(parser.add_argument("name", metavar="NAME", help="a device"), "devices")
    parser.add_argument("--output", metavar="DIR", help="the folder to write into; this one if left out")


COMMANDS = {
    "device list": Command(
        show,
        ("chargerctl device list",),
        add_list,
        method="GetDevices",
        more="--plain: name, driver, model, device_id, firmware, reachable, error, lost_since, lease.",
    ),
    "device test": Command(
        test,
        ("chargerctl device test bike-1", "chargerctl device test shed/battery_1 --yes"),
        add_test,
        TEST_FIELDS,
        method="TestDevice",
        more="chargerd gives a plug a timer that switches it off if chargerd falls silent; whether the timer of this plug "
        "does so is known only when it was tried. The socket is switched on with a short timer and left alone; nothing else of "
        "its device may be on. The result is recorded, and chargerctl failsafe tells it; a timer that failed is not relied on "
        "any more. Exit code 0: proven, 6: not. --plain: address, result, off_after_s, power_w, detail.",
    ),
    "device record": Command(
        record,
        ("chargerctl device record shed", "chargerctl device record shed --output tests/fixtures/kasa"),
        add_record,
        method="RecordDevice",
        more="Writes what the device answers to the driver's questions into a file that can stand in for it, for those who do not "
        "have one. Only what says what it is and what it measures is in it. Nothing is switched.",
    ),
    "device read": Command(
        read,
        ("chargerctl device read shed",),
        add_read,
        method="ReadDevice",
        more="Asks the control socket, because it makes the device work. --plain: address, key, value.",
    ),
}
