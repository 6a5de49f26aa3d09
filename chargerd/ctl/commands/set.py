"""Set: override settings of a loadpoint, for a while or until changed."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_ends, add_name, changed, completes, end
from chargerd.ctl.errors import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Ask for the overrides, all in one request."""
    return changed(
        call,
        "SetSetting",
        name=call.arguments.name,
        values=values_of(call.arguments.values),
        once=call.arguments.once or None,
        until=end(call),
    )


def values_of(words: Iterable[str]) -> dict[str, int | float | str]:
    """Setting → number, or the text if it is no number; the daemon knows which texts it takes. Raises `Failure`."""
    values: dict[str, int | float | str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key or not text:
            raise usage(f'"{word}" is no KEY=VALUE; write max_h=6', "set")
        if key in values:
            raise usage(f'"{key}" is given twice', "set")
        values[key] = _number(text)
    return values


def _number(text: str) -> int | float | str:
    digits = text.removeprefix("-").replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        return text
    return float(text) if "." in text else int(text)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_name(parser)
    values = parser.add_argument("values", metavar="KEY=VALUE", nargs="+", help="a setting, or KEY=default")
    completes(values, "settings")
    parser.add_argument(
        "--once", action="store_true", help="until the end of this charging session, or of the next one"
    )
    add_ends(parser)


COMMANDS = {
    "set": Command(
        run,
        (
            "chargerctl set bike-1 nominal_stop_w=95 --until 22:00",
            "chargerctl set bike-1 max_starts_per_day=30 max_h=6",
            "chargerctl set bike-1 nominal_stop_w=60 --once",
            "chargerctl set garage max_current_a=10 --until disconnected",
            "chargerctl set bike-1 nominal_stop_w=default",
        ),
        add,
        method="SetSetting",
        more="Settings and their values: chargerctl configure show NAME.",
    )
}
