"""Sessions: charging sessions: when, how much, how they ended."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_name, lines_of
from chargerd.ctl.errors import DONE
from chargerd.ctl.render import UNKNOWN, clock, duration, energy, table, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call

KEYS = (
    "number", "loadpoint", "profile", "target", "by", "started_at", "ended_at", "duration_s", "on_s", "energy_wh",
    "estimated_wh", "charge_ah", "peak_w", "outcome",
)  # fmt: skip
HEADER = ("STARTED", "LOADPOINT", "TARGET", "ENERGY", "TOOK", "ENDED")


def run(call: Call) -> int:
    """Ask and print a table, or CSV."""
    asked, output = call.arguments, call.output
    reply = call.client.ask("GetSessions", name=asked.name, since=asked.since, lines=asked.lines)
    sessions = reply["sessions"]
    if asked.format == "csv":
        output.text(csv_text(sessions))
    elif output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs([s[key] for key in KEYS] for s in sessions))
    elif not sessions:
        output.text("No charging sessions in this time.")
    else:
        rows = [_row(session, reply["now_local"]) for session in sessions]
        output.paged(table(HEADER, rows, right=(3,), width=output.width))
    return DONE


def _row(session: dict[str, Any], now_local: str) -> list[str]:
    return [
        clock(session["started_local"], now_local),
        session["loadpoint"],
        session["target"],
        energy(session["energy_wh"]),
        duration(session["duration_s"]),
        session["text"] or UNKNOWN,
    ]


def csv_text(sessions: list[dict[str, Any]]) -> str:
    """Rows under a header, as spreadsheets read them. A text that a spreadsheet would run as a formula gets a quote."""
    import csv
    import io

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(KEYS)
    writer.writerows([_harmless(session[key]) for key in KEYS] for session in sessions)
    return file.getvalue().rstrip("\n")


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_name(parser, optional=True)
    parser.add_argument("-n", "--lines", type=lines_of, metavar="N", help="at most so many, the newest")
    parser.add_argument("-S", "--since", metavar="TIME", help='not before: yesterday, -7d, "2026-05-11 18:00"')
    parser.add_argument("--format", choices=("table", "csv"), default="table", help="csv for a spreadsheet")


COMMANDS = {
    "sessions": Command(
        run,
        (
            "chargerctl sessions -n 3",
            "chargerctl sessions bike-1 --since -30d",
            "chargerctl sessions --since 2026-01-01 --format csv > 2026.csv",
        ),
        add,
        method="GetSessions",
        more=f"--plain: {', '.join(KEYS)}.",
    )
}
