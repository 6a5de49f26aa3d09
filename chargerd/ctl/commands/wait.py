"""Wait: wait until a loadpoint is in a state, for scripts."""

from __future__ import annotations

import time

from chargerd.ctl.commands.base import Command, add_name, completes
from chargerd.ctl.errors import DONE, TIMED_OUT, Failure, usage
from chargerd.ctl.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.client import Stream
    from chargerd.ctl.commands.base import Call

STATES = (
    "unknown", "idle", "connected", "charging", "suspended_ev", "suspended_evse", "discharging", "fault",
)  # fmt: skip
WORDS = (
    "charging", "fault", "finished", "full", "held", "idle", "no battery", "no charger", "not full", "off", "paused",
    "removed", "starting", "stopped", "stored", "unknown", "waiting",
)  # fmt: skip
_UNITS_S = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def run(call: Call) -> int:
    """Follow the loadpoint until it is so, or time has run out."""
    asked = call.arguments
    state, until_s = asked.state, None if asked.timeout is None else time.monotonic() + asked.timeout
    if state not in (*STATES, *WORDS):
        raise usage(f'"{state}" is no state; one of {", ".join(sorted({*STATES, *WORDS}))}', "wait")
    found = call.client.ask("GetStatus", names=[asked.name])["loadpoints"][0]
    name, last = found["name"], found
    while not _is(last, state):
        stream = call.client.follow("Watch", names=[name])
        try:
            last = _followed(stream, state, until_s) or last
        except Failure as failure:
            if not failure.error.endswith(".broken-answer"):
                raise
            continue  # the daemon was restarted: connecting again says soon enough whether it came back
        finally:
            stream.close()
        if not _is(last, state):
            message = f"{name} is not {state} after {asked.timeout:g} s; it is {last['word']}."
            raise Failure(TIMED_OUT, "timed-out", message, "Nothing was changed.", f"Look: chargerctl why {name}")
    if call.output.form == "json":
        call.output.json(last or {})
    else:
        call.output.text(clean(f"{name}: {state}."))
    return DONE


def _is(loadpoint: dict[str, Any] | None, state: str) -> bool:
    return loadpoint is not None and state in (loadpoint["state"], loadpoint["word"])


def _followed(stream: Stream, state: str, until_s: float | None) -> dict[str, Any] | None:
    last: dict[str, Any] | None = None
    while until_s is None or time.monotonic() < until_s:
        for reply in stream.take(None if until_s is None else max(0.01, until_s - time.monotonic())):
            last = reply["loadpoint"] or last
            if _is(last, state):
                return last
    return last


def seconds(text: str) -> float:
    """A duration such as 30min or 90s in seconds. Raises `Failure`."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip()
    unit = text[len(number) :].strip()
    digits = number.replace(".", "", 1)
    if unit not in _UNITS_S or not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        raise usage(f'"{text}" is no duration; write 90s, 30min, 2h or 3d', "wait")
    return float(number) * _UNITS_S[unit]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_name(parser)
    state = parser.add_argument("state", metavar="STATE", help="a state or a word, as status shows them: finished")
    completes(state, " ".join(sorted({*STATES, *(word for word in WORDS if " " not in word)})))
    parser.add_argument("--timeout", type=seconds, metavar="DURATION", help="give up after 30min, with exit code 7")


COMMANDS = {
    "wait": Command(
        run,
        ("chargerctl wait bike-1 finished --timeout 6h && notify-send 'the bike is ready'",),
        add,
        lines="the loadpoint, an object of kind loadpoint",
        more="Returns at once if it is so already. Goes on when chargerd is restarted meanwhile.",
    )
}
