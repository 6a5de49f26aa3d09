"""Verify: whether the log is whole, and whether it explains everything that was done. Done by the daemon's own program."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command
from chargerd.ctl.commands.program import add_state, become, given

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call

FIELDS = {
    "kind": ("string", '"verify"'),
    "log": ("string", "the file that was checked"),
    "intact": ("bool", "whether nothing was found; the exit code says the same"),
    "first_seq": ("int", "number of the first event looked at"),
    "last_seq": ("int", "number of the last one"),
    "events": ("int", "how many that are"),
    "since": ("?string", "time of the first, UTC"),
    "until": ("?string", "time of the last, UTC"),
    "damage": (
        "[]object",
        "places that are not what was written: first_seq, last_seq (null: to the end), after and before (times of the sound "
        "events around it), unreadable (events gone; null: not known), commands and requests (among what can be read), text",
    ),
    "replayed": ("[]object", "pairs of numbers: the events that could be replayed"),
    "replay_error": ("?string", "why replay was not possible"),
    "running": ("?bool", "whether replay comes to the running daemon's state; null: not compared"),
    "running_seq": ("?int", "the event after which it was compared"),
    "running_text": ("string", "equal, differs, or why it was not compared"),
    "commands": ("int", "recorded commands"),
    "commands_explained": ("int", "those that the engine decides again"),
    "decisions": ("int", "what else is recorded as following from facts"),
    "decisions_explained": ("int", "the part of it that the engine decides again"),
    "differ": ("int", "transactions that these very rules decide otherwise"),
    "differ_by_version": ("int", "transactions that another version had decided otherwise; no damage"),
    "differences": (
        "[]object",
        "the first 20: seq, at, recorded, decided, version, engine, explained (by the version)",
    ),
    "snapshots": ("int", "stored states that were compared"),
    "snapshots_wrong": ("[]object", "those that replay does not come to: seq, text"),
    "newest_snapshot": ("?string", "time of the newest, UTC"),
    "sessions": ("int", "sessions that ended, by replay"),
    "sessions_wrong": ("[]object", "rows of the table of sessions that do not say the same: number, text"),
    "orderly_end": ("bool", "whether the last event is of a chargerd that ended in order"),
    "repair": ("?string", "done, or why nothing was made again; null: --repair was not given"),
    "sessions_repaired": ("[]int", "numbers of the sessions that were made again, or taken out of the table"),
    "snapshots_repaired": ("[]int", "events after which the stored state was made again"),
}


def run(call: Call) -> int:
    """Become `chargerd verify`."""
    bundle = [] if call.arguments.bundle is None else ["--", call.arguments.bundle]
    repair = ["--repair"] if call.arguments.repair else []
    become(call, "verify", *given(call, "log", "since"), *repair, sockets=True, last=bundle)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", nargs="?", help="check a file of chargerctl bundle in place of the log"
    )
    parser.add_argument("--log", metavar="FILE", help="check this copy of a log")
    parser.add_argument("-S", "--since", metavar="TIME", help='not before: yesterday, -7d, "2026-05-11 18:00"')
    parser.add_argument(
        "--repair", action="store_true", help="make wrong sessions and snapshots again; chargerd must not run"
    )
    add_state(parser)


COMMANDS = {
    "verify": Command(
        run,
        (
            "chargerctl verify",
            "chargerctl verify --since -7d",
            "chargerctl verify --log copy.db",
            "chargerctl verify trouble.chargerd-bundle",
            "chargerctl verify --repair",
        ),
        add,
        FIELDS,
        more="Checks every digest, decides everything again, and compares with snapshots, sessions and the running "
        "chargerd. Exit code 6 if something is found. Needs no daemon, and does not disturb one. "
        "--repair makes sessions and snapshots again that do not say what the events say, while chargerd is stopped; events "
        "are never changed. More: docs/log.md.",
    )
}
