"""Learn: a profile from a full charge: from the log, from a file, or from one that is watched now."""

from __future__ import annotations

import time

from chargerd.ctl.commands.base import Command, completes
from chargerd.ctl.commands.mode import percent
from chargerd.ctl.commands.program import add_state, become, given
from chargerd.ctl.errors import FAILED, NO_ANSWER, Failure, usage
from chargerd.ctl.output import error
from chargerd.ctl.render import clean, duration, energy, power

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call

HIGHEST_PCT = 85.0  # a pack that begins above its knee shows no plateau
RECORDED_S = 10.0
AWAY_S = 120.0  # a daemon that is upgraded comes back within this

FIELDS = {
    "kind": ("string", '"lesson"'),
    "loadpoint": ("string", "the loadpoint, or the name in the file"),
    "session": ("?int", "number of the charging session that was learnt from; null: from a file"),
    "began_at": ("?string", "when that charge began, UTC"),
    "duration_s": ("int", "from the first reading to the last"),
    "energy_wh": ("float", "energy of it all, at the socket"),
    "confidence": ("string", "high, medium or low"),
    "doubts": ("[]object", "what makes it less sure: code and text"),
    "not_used": ("[]object", "newer charges that cannot teach: session and text"),
    "profile": ("object", "the proposed profile: its name and the keys of [vehicle.NAME]"),
    "toml": ("string", "the same as a table for the configuration file"),
    "plateau_low_w": ("float", "lowest power of the plateau"),
    "plateau_high_w": ("float", "highest power of the plateau"),
    "knee_s": ("int", "when power left its plateau, from the first reading"),
    "knee_wh": ("float", "energy up to there"),
    "slope_w_per_min": ("float", "how fast power fell after it"),
    "nominal_s": ("int", "when power fell below the proposed nominal_stop_w"),
    "nominal_wh": ("float", "energy up to there"),
    "nominal_pct": ("?float", "level there, estimated; null if the pack's content is not known"),
    "full_s": ("int", "when power fell below the proposed full_w"),
    "full_wh": ("float", "energy up to there"),
    "full_pct": ("?float", "level there, estimated"),
    "tail_w": ("?float", "highest steady power of a full pack; null: power was still falling at the end"),
    "idle_w": ("float", "lowest power at the end"),
    "stepped": ("bool", "whether the charger ended the charge by a step down"),
    "storage_w": ("?float", "always null: a storage level cannot be seen by power"),
    "curve": ("[][]float", "the charge: seconds and watts, one pair a minute at most"),
}


def run(call: Call) -> int:
    """Become `chargerd learn`; with --watch after a charge."""
    asked = call.arguments
    if asked.watch and (asked.session or asked.last or asked.file):
        raise usage(
            "--watch makes a charge of its own: it does not go with --session, --last or --file", "profile learn"
        )
    number = [f"--number={_watched(call)}"] if asked.watch else []
    words = given(call, "session", "file", "name")
    label = (("--capacity-ah", asked.capacity_ah), ("--voltage-v", asked.voltage_v), ("--from", asked.from_level))
    words += [f"{option}={value}" for option, value in label if value is not None]
    words += ["--last"] if asked.last else []
    words += [] if call.output.unicode else ["--ascii"]
    become(call, "learn", *words, *number, last=["--", asked.name_of])


def _watched(call: Call) -> int:
    """Ask for one full charge, follow it to its end; its number."""
    name = call.arguments.name_of
    found = call.client.ask("GetStatus", names=[name])["loadpoints"][0]
    name = call.arguments.name_of = found["name"]
    if _runs(found["session"]):
        raise Failure(
            FAILED, "busy", f"{name} is in a charging session already, so no full charge was begun.",
            "That one goes on.", f"End it: chargerctl mode {name} off",
        )  # fmt: skip
    level = None if call.arguments.from_level is None else percent(call.arguments.from_level)
    if level is not None and level > HIGHEST_PCT:
        raise usage(
            f"from {level:g} % on there is nothing to learn; begin at {HIGHEST_PCT:g} % or below", "profile learn"
        )
    # A refusal comes before anything is changed.
    call.client.change("SetMode", name=name, mode="fast", dry_run=True)
    call.client.change("SetTarget", name=name, target="full", once=True)
    call.client.change("SetMode", name=name, mode="fast", from_pct=level)
    _say(call, f"{name}: charging to full, to learn from it. Leave the pack connected until this ends.")
    _say(call, f"Ctrl-C leaves; the charge goes on, and later: chargerctl profile learn {name} --last")
    before = None if found["session"] is None else found["session"]["number"]
    ended = _followed(call, name, before)
    _say(call, f"{name}: {ended['text']} after {duration(ended['duration_s'])}, {energy(ended['energy_wh'])}.")
    return _recorded(call, name, ended["number"])


def _followed(call: Call, name: str, before: int | None) -> dict[str, Any]:
    """The session that this run made, once it has ended. A daemon that is restarted meanwhile is waited for."""
    word, away_s = "", None
    while True:
        try:
            stream = call.client.follow("Watch", names=[name])
            try:
                for reply in stream:
                    away_s = None
                    loadpoint = reply["loadpoint"]
                    session = None if loadpoint is None else loadpoint["session"]
                    if session is not None and session["number"] != before and not _runs(session):
                        return dict(session)
                    if loadpoint is not None and loadpoint["word"] != word:
                        word = loadpoint["word"]
                        _say(
                            call,
                            f"{reply['now_local'][11:16]}  {word}, {power(loadpoint['power_w'])}: {loadpoint['text']}",
                        )
            finally:
                stream.close()
        except Failure as failure:
            away_s = time.monotonic() if away_s is None else away_s
            if failure.code != NO_ANSWER or time.monotonic() > away_s + AWAY_S:
                raise
            time.sleep(1)


def _recorded(call: Call, name: str, number: int) -> int:
    """The same number, once the session is in the log: what is shown is a moment ahead of the disk."""
    until_s = time.monotonic() + RECORDED_S
    while time.monotonic() < until_s:
        sessions = call.client.ask("GetSessions", name=name, lines=3)["sessions"]
        if any(session["number"] == number and not _runs(session) for session in sessions):
            return number
        time.sleep(0.2)
    raise Failure(
        FAILED, "not-recorded", f"the charge of {name} is not in the log after {RECORDED_S:.0f} s.",
        "It ended; nothing was learnt from it yet.", f"Later: chargerctl profile learn {name} --last",
    )  # fmt: skip


def _runs(session: dict[str, Any] | None) -> bool:
    return session is not None and session["ended_at"] is None


def _say(call: Call, text: str) -> None:
    """Progress goes to standard error: standard output is the profile."""
    if not call.output.quiet:
        error(clean(text))


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    completes(parser.add_argument("name_of", metavar="NAME", help="a loadpoint, or a name in the file"), "loadpoints")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--session", metavar="TIME", help='the charge that ran then: 02:00, "yesterday 22:00"')
    which.add_argument("--last", action="store_true", help="the last charge, whatever it is")
    which.add_argument("--file", metavar="FILE", help="a charge in a CSV file: columns t_s or at, and power_w")
    which.add_argument("--watch", action="store_true", help="make a full charge now, follow it, then learn from it")
    parser.add_argument("--name", metavar="PROFILE", help="name of the profile (NAME-pack)")
    parser.add_argument("--capacity-ah", metavar="AH", help="what the pack's label says")
    parser.add_argument("--voltage-v", metavar="V", help="what the pack's label says")
    parser.add_argument(
        "--from", dest="from_level", metavar="LEVEL", help="level at which the charge began, as in 20%%"
    )
    add_state(parser)


COMMANDS = {
    "profile learn": Command(
        run,
        (
            "chargerctl profile learn bike-1",
            "chargerctl profile learn bike-1 --watch",
            'chargerctl profile learn bike-1 --session "yesterday 22:00" --name cargo-48v',
            "chargerctl profile learn bike-1 --capacity-ah 14 --voltage-v 48 > bike-1.toml",
            "chargerctl profile learn bike-1 --file charge.csv --from 20%",
        ),
        add,
        FIELDS,
        more="Without an option the newest full charge in the log that is good enough. Prints a [vehicle.NAME] table, with its "
        "reasons and a picture as comments, so that all of it can be put into a file. Changes nothing, and needs no daemon but "
        "with --watch. Exit code 1 if no charge teaches: interrupted, ended early, two packs one after the other, another load "
        "on the plug.",
    )
}
