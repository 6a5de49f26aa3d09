"""Sessions: charging sessions: when, how much, how they ended."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_name, lines_of
from chargerd.ctl.errors import DONE, usage
from chargerd.ctl.output import error
from chargerd.ctl.render import UNKNOWN, WHOLE_WH, clock, cost_text, duration, energy, table, tabs, warned

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call

KEYS = (
    "number", "loadpoint", "profile", "target", "by", "started_at", "ended_at", "duration_s", "on_s", "energy_wh",
    "estimated_wh", "charge_ah", "peak_w", "outcome", "cost", "currency", "price_per_kwh", "priced_wh",
    "solar_wh", "solar_pct",
)  # fmt: skip
HEADER = ("STARTED", "LOADPOINT", "TARGET", "ENERGY", "SOLAR", "COST", "TOOK", "ENDED")
NUMBERS = ("ENERGY", "SOLAR", "COST")
ROOMY = 100
"""A terminal so wide has room for everything."""


def run(call: Call) -> int:
    """Ask and print a table, or CSV."""
    asked, output = call.arguments, call.output
    if asked.format == "csv" and output.form != "text":
        raise usage(f"--{output.form} and --format csv exclude each other", "sessions")
    reply = call.client.ask(
        "GetSessions", name=asked.name, since=asked.since, until=asked.until, lines=asked.lines, price=asked.price
    )
    sessions = reply["sessions"]
    warnings = warned(reply["warnings"], output.width)
    if asked.format == "csv":
        output.text(csv_text(sessions))
    elif output.form == "json" or asked.format == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs([s[key] for key in KEYS] for s in sessions))
    elif not sessions:
        output.text("\n".join(["No charging sessions in this time.", *warnings]))
    else:
        shown = columns(sessions, output.width)
        rows = [HEADER, *(_row(session, reply["now_local"]) for session in sessions)]
        cells = [[row[column] for column in shown] for row in rows]
        right = [place for place, column in enumerate(shown) if HEADER[column] in NUMBERS]
        listed = table(cells[0], cells[1:], right=right, width=output.width)
        output.paged("\n".join([listed, "", total_text(sessions, reply["total"]), *warnings]))
    if warnings and (asked.format == "csv" or output.form == "plain"):
        error("\n".join(warnings))  # rows for a program, and it would take a warning among them for one
    return DONE


def columns(sessions: list[dict[str, Any]], width: int) -> list[int]:
    """The columns to show: that of the sun where it is known, and then that of target or vehicle where there is room."""
    solar = any(session["solar_pct"] is not None for session in sessions)
    left_out = {"SOLAR"} if not solar else {"TARGET"} if width < ROOMY else set()
    return [column for column, name in enumerate(HEADER) if name not in left_out]


def total_text(sessions: list[dict[str, Any]], total: dict[str, Any]) -> str:
    """The line under the table: energy and cost of all sessions, and what is not in the cost."""
    count = f"{len(sessions)} session{'' if len(sessions) == 1 else 's'}"
    text = f"{count}, {energy(total['energy_wh'])}"
    if total["cost"] is None and any(session["cost"] is not None for session in sessions):
        return f"{text}; costs in several currencies are not added up."
    if total["cost"] is None:
        return f"{text}; cost unknown: give --price, or set import_price_per_kwh for what is to come."
    text += f", {total['cost']:.2f} {total['currency']}"
    missing_wh = total["energy_wh"] - total["priced_wh"]
    return f"{text} without {energy(missing_wh)} of unknown price." if missing_wh > WHOLE_WH else f"{text}."


def price_of(text: str) -> float:
    """A price per kWh: 0.32. Raises `Failure`."""
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise usage(f'"{text}" is no price of a kWh; write 0.32', "sessions")
    return float(text)


def _row(session: dict[str, Any], now_local: str) -> list[str]:
    return [
        clock(session["started_local"], now_local),
        session["loadpoint"],
        session["target"] or session["profile"] or UNKNOWN,
        energy(session["energy_wh"]),
        UNKNOWN if session["solar_pct"] is None else f"{session['solar_pct']:.0f} %",
        cost_text(session),
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
    parser.add_argument("-S", "--since", metavar="TIME", help='ended not before: yesterday, -7d, "2026-05-11 18:00"')
    parser.add_argument("-U", "--until", metavar="TIME", help="ended before")
    parser.add_argument("--price", type=price_of, metavar="PRICE", help="count every kWh at this price, as in 0.32")
    parser.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="csv for a spreadsheet; json as --json"
    )


COMMANDS = {
    "sessions": Command(
        run,
        (
            "chargerctl sessions -n 3",
            "chargerctl sessions bike-1 --since -30d",
            "chargerctl sessions --since 2026-05-01 --until 2026-06-01 --price 0.32",
            "chargerctl sessions --since 2026-01-01 --format csv > 2026.csv",
        ),
        add,
        method="GetSessions",
        more="The cost is what the energy cost at the import_price_per_kwh in force when it was taken; – where there was "
        "none, ≥ where it is of a part of the energy only (priced_wh). "
        f"--plain and --format csv: {', '.join(KEYS)}.",
    )
}
