"""Mode: charge, or do not."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_ends, add_name, changed, completes, end
from chargerd.ctl.errors import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Ask for the mode."""
    asked = call.arguments
    from_pct = None if asked.level is None else percent(asked.level)
    return changed(call, "SetMode", name=asked.name, mode=asked.mode, from_pct=from_pct, until=end(call))


def percent(text: str) -> float:
    """A level such as "35%" or "35". Raises `Failure`."""
    digits = text.removesuffix("%").strip()
    if not digits.replace(".", "", 1).isdecimal() or not digits.isascii() or len(digits) > 8:
        raise usage(f'"{text}" is no level; write 35%', "mode")
    return float(digits)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_name(parser)
    mode = parser.add_argument("mode", metavar="MODE", help="off or fast; EVSE: solar, min-solar, slow as well")
    completes(mode, "modes")
    parser.add_argument(
        "--from",
        dest="level",
        metavar="LEVEL",
        help="level of the battery now: counts up to storage level, or a pack's capacity up to full: 35%%",
    )
    add_ends(parser)


COMMANDS = {
    "mode": Command(
        run,
        (
            "chargerctl mode bike-1 fast",
            "chargerctl mode bike-1 fast --for 2h",
            "chargerctl mode bike-1 fast --from 35%",
            "chargerctl mode garage solar",
            "chargerctl mode garage off --until disconnected",
        ),
        add,
        method="SetMode",
        more="On a plug, fast begins a charging session that ends at the target; the mode is off again after it. "
        "On an EVSE a mode stays until the vehicle is disconnected or something else is asked; with --until disconnected neither a "
        "schedule nor the sun changes it before that. There solar follows what the sun leaves over, min-solar takes the "
        "smallest current at least, slow and fast take no notice of the sun. A consumer knows off, solar and fast.",
    )
}
