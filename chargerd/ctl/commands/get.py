"""Get: single values of a loadpoint, for scripts."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_name, completes
from chargerd.ctl.commands.device import value_text
from chargerd.ctl.errors import DONE, NO_SUCH, Failure
from chargerd.ctl.render import clean, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Ask for the state and the settings and print one value, or all."""
    asked, output = call.arguments, call.output
    reply = call.client.ask("GetStatus", names=[asked.name])
    loadpoint = reply["loadpoints"][0]
    values = flat(loadpoint)
    settings = call.client.ask("GetConfiguration", names=[loadpoint["name"]])
    values.update({value["key"]: value["value"] for value in settings["values"] if value["key"] not in values})
    if asked.key is None:
        if output.form == "json":
            output.json({"kind": "values", "loadpoint": loadpoint["name"], "values": values})
        elif output.form == "plain":
            output.text(tabs((key, value_text(value)) for key, value in values.items()))
        else:
            output.text("\n".join(clean(f"{key}: {value_text(value)}") for key, value in values.items()))
        return DONE
    if asked.key not in values:
        raise _no_key(asked.key, loadpoint["name"], list(values))
    if output.form == "json":
        key, value = asked.key, values[asked.key]
        output.json({"kind": "value", "loadpoint": loadpoint["name"], "key": key, "value": value})
    else:
        output.text(clean(value_text(values[asked.key])))
    return DONE


def flat(loadpoint: dict[str, Any]) -> dict[str, Any]:
    """The fields of a loadpoint; those of its session as session.energy_wh, of its reason as reason.code."""
    values: dict[str, Any] = {}
    for key, value in loadpoint.items():
        if isinstance(value, dict):
            values.update({f"{key}.{inner}": of for inner, of in value.items() if not isinstance(of, dict | list)})
        elif key not in ("kind", "session", "limit", "reason"):
            values[key] = value
    return values


def _no_key(key: str, name: str, known: list[str]) -> Failure:
    import difflib

    close = difflib.get_close_matches(key, known, 1)
    meant = f" Did you mean {close[0]}?" if close else ""
    message = f'{name} has no value "{key}".{meant}'
    return Failure(NO_SUCH, "no-such-key", message, "Nothing was changed.", f"All: chargerctl get {name}", known=known)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_name(parser)
    key = parser.add_argument("key", metavar="KEY", nargs="?", help="a value's name; all if left out")
    completes(key, "settings")


COMMANDS = {
    "get": Command(
        run,
        ("chargerctl get bike-1 power_w", "chargerctl get bike-1 session.energy_wh", "chargerctl get bike-1"),
        add,
        lines="an object of kind value (loadpoint, key, value), or of kind values (loadpoint, values) without KEY",
        more="What is not known is null. Fields are those of status --json, and every setting.",
    )
}
