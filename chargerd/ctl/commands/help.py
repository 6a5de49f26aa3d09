"""Help: all commands by what they are for, one command, or a topic."""

from __future__ import annotations

from chargerd.ctl.commands import GROUPS, REGISTRY
from chargerd.ctl.commands.base import Command, completes
from chargerd.ctl.errors import DONE, EXIT_CODES, usage
from chargerd.ctl.options import DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from chargerd.ctl.commands.base import Call

JSON = """\
--json prints one JSON document per call, and one object per line for watch and log -f (and log -o json).

Names are snake_case with the unit at the end: power_w, energy_wh, duration_s. Times are RFC 3339 in UTC; fields that
end in _local have the same time as the site's clocks show it. What is not known is null. Every object has "kind".
Fields are added, never renamed or removed, within a major version. Each command's fields: docs/commands.md.

An error is one object on standard error:
  {"kind": "error", "code": 5, "error": "io.chargerd.NoSuchLoadpoint", "message": "...", "means": "...", "hint": "..."}
"code" is the exit code. Some errors have more, such as "known" with the names that there are.

  chargerctl status --json | jq '.loadpoints[] | select(.state == "charging") | .power_w'"""

TIMES = """\
Times:      18:00   "2026-05-11 18:00"   2026-05-11T18:00:00Z   today   yesterday   "yesterday 16:20"
            -2h (two hours ago)   +45min (in 45 minutes)   now
Durations:  90s   45min   2h   "1h 30min"   3d   1w
Days:       daily   sat   mon-fri,sun

They are read by chargerd in the time zone of the site, or in that of TZ (a name such as Europe/Berlin), or with --utc
in UTC. --until 18:00 means the next 18:00. An hour that the clocks skip in spring means the first moment after it; one
that they show twice in autumn means the first of the two.

--until disconnected is no time: the change at an EVSE ends when the vehicle that is there now has left."""

ENVIRONMENT = f"""\
CHARGERCTL_SOCKET  folder of the daemon's sockets, as --socket ({DIRECTORY})
CHARGERCTL_PAGER   pager for log, sessions and help on a terminal; before PAGER, then less; empty: none
PAGER              the same
NO_COLOR           any text: no colour
CLICOLOR_FORCE     any text but 0: colour even if the output is no terminal
TZ                 time zone of times in and out, as a name such as Europe/Berlin; the site's if unset
LC_ALL, LC_CTYPE, LANG  a locale that is not UTF-8 gets ASCII

Options win over these. Nothing else changes the output."""

LOGIN = """\
Some plugs want the login of the TP-Link account: all Tapo plugs, and Kasa plugs with firmware from late 2024 on. User name and
password are case sensitive; chargerd sends them to the plug and to nobody else.

Either open the plug: in the Kasa or Tapo app, switch on Third-Party Compatibility (Kasa plugs only).
Or store the login where only root may read it, and name it:

  sudo install -m 600 /dev/stdin /etc/chargerd/secrets/kasa-user       # type the user name, then Ctrl-D
  sudo install -m 600 /dev/stdin /etc/chargerd/secrets/kasa-password   # type the password, then Ctrl-D

  [device.shed]                                                        # in /etc/chargerd/chargerd.toml
  driver = "kasa"
  host = "192.168.178.40"
  username = { credential = "kasa-user" }
  password = { credential = "kasa-password" }

  sudo systemctl restart chargerd

Never in the configuration itself. Encrypted ones: man chargerd. A login that was refused is tried again once an hour."""


def exit_codes() -> str:
    """The table of exit codes."""
    rows = "\n".join(f"{code:>4}  {meaning}" for code, meaning in EXIT_CODES.items())
    return f"{rows}\n\nNew codes may be added; a script treats one that it does not know as a failure."


TOPICS = {"exit-codes": exit_codes(), "json": JSON, "times": TIMES, "environment": ENVIRONMENT, "login": LOGIN}


def overview() -> str:
    """Examples, then every command under what it is for, then the rest."""
    lines = [
        "usage: chargerctl [COMMAND] [NAME...] [ARGUMENTS] [OPTIONS]",
        "",
        "  chargerctl                          what happens now",
        "  chargerctl mode bike-1 fast         charge",
        "  chargerctl why bike-1               why it does what it does",
        "  chargerctl log --since -2h          what happened",
    ]
    for group in GROUPS:
        lines += ["", f"{group}:"]
        lines += [f"  {name:<16} {about}" for name, (of, _, about) in REGISTRY.items() if of == group]
    lines += [
        "",
        "options of every command: --json --plain --color WHEN -q --utc --no-pager --socket DIR --debug -h --version",
        f"help on a command or a topic: chargerctl help COMMAND, chargerctl help {'|'.join(TOPICS)}",
    ]
    return "\n".join(lines)


def run(call: Call) -> int:
    """Print the page that was asked for."""
    asked = " ".join(call.arguments.topic)
    if not asked:
        call.output.paged(overview())
    elif asked in TOPICS:
        call.output.paged(TOPICS[asked])
    else:
        call.output.paged(_of_commands(asked))
    return DONE


def _of_commands(asked: str) -> str:
    from chargerd.ctl.catalogue import load, parser_of

    names = [name for name in REGISTRY if name == asked or name.startswith(f"{asked} ")]
    if not names:
        import difflib

        close = difflib.get_close_matches(asked, [*REGISTRY, *TOPICS], 1)
        raise usage(f'no help on "{asked}".{f" Did you mean {close[0]}?" if close else ""}')
    return "\n\n".join(parser_of(name, load(name)).format_help().rstrip() for name in names)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    topic = parser.add_argument("topic", metavar="TOPIC", nargs="*", help=f"a command, or {', '.join(TOPICS)}")
    completes(topic, " ".join([*TOPICS, *REGISTRY]))


COMMANDS = {"help": Command(run, ("chargerctl help", "chargerctl help times", "chargerctl help mode"), add)}
