"""Bundle: part of the log in one file for others, without names. Done by the daemon's own program."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command
from chargerd.ctl.commands.program import add_file, add_span, add_state, become, given

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call


def run(call: Call) -> int:
    """Become `chargerd bundle`."""
    force = ["--force"] if call.arguments.force else []
    become(call, "bundle", *force, *given(call, "since", "until"), last=["--", call.arguments.file])


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_file(parser, "FILE")
    add_span(parser)
    add_state(parser)


COMMANDS = {
    "bundle": Command(
        run,
        (
            "chargerctl bundle --since yesterday trouble.chargerd-bundle",
            'chargerctl bundle --since "2026-05-11 18:00" --until "2026-05-11 23:00" evening.chargerd-bundle',
        ),
        add,
        {
            "kind": ("string", '"bundle"'),
            "file": ("string", "the file that was made"),
            "first_seq": ("int", "number of the first event in it"),
            "last_seq": ("int", "number of the last one"),
            "events": ("int", "how many that are"),
            "since_ms": ("int", "time of the first, UTC milliseconds"),
            "until_ms": ("int", "time of the last"),
            "made_by": ("string", "version of chargerd that made it"),
            "engine": ("string", "version of its rules"),
            "written_by": ("[]string", "version and rules of the chargerd that wrote the first event"),
            "redacted": ("[]string", "what was taken out"),
            "kept": ("[]string", "what is still in it"),
            "commands": ("int", "commands in it"),
            "decisions": ("int", "decisions in it"),
            "differences": ("int", "transactions that these rules decide otherwise"),
            "format": ("int", "version of the form of bundles"),
            "state_digest": ("string", "digest of the state before the first event"),
            "digest": ("string", "digest of the last transaction"),
            "end_digest": ("string", "digest of the state after it"),
            "check": ("string", "the command that checks it"),
        },
        more="To show somebody what went wrong: whoever has the file can decide all of it again (chargerctl verify FILE). "
        "Names, people, addresses and ids are replaced; dates, the time zone and readings stay, for they decide.",
    )
}
