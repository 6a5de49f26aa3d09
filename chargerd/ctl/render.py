"""Render: answers to text: columns, units, dots, colour. Pure: no I/O, no clock, no environment.

Every function makes text in full Unicode; `plain_ascii` turns that into what a terminal without UTF-8 can show.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

WIDTH = 80
NAME_WIDTH = 16
UNKNOWN = "–"
WHOLE_WH = 0.5
"""Energy without a price that is not worth a word."""

_ASCII = str.maketrans({
    "●": "*", "○": "o", "◐": "~", "✕": "x", "–": "-", "—": "-", "→": "->", "×": "x", "÷": "/", "…": "...", "≤": "<=",
    "≥": ">=", "·": "-", "°": "deg ", "€": "EUR", "₂": "2", "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe",
    "Ü": "Ue", "ß": "ss", "“": '"', "”": '"', "„": '"', "’": "'", "‘": "'", "\u00a0": " ", "\u202f": " ",
})  # fmt: skip
_COLOURS = {"green": "32", "yellow": "33", "red": "31", "dim": "2", "bold": "1"}
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "?")
_BAD_WORDS = ("fault", "lost", "no charger", "no battery")


def clean(text: str) -> str:
    """Text without control characters: names come from devices, and a device must not drive somebody's terminal."""
    return text.translate(_CONTROLS)


def plain_ascii(text: str) -> str:
    """The same in ASCII."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def painted(text: str, colour: str | None, *, colours: bool) -> str:
    """The text in a colour, if colours are wanted and it has one."""
    return f"\033[{_COLOURS[colour]}m{text}\033[0m" if colours and colour and text.strip() else text


def power(power_w: float | None) -> str:
    """Power for a table: W below 1000, then kW with one decimal."""
    if power_w is None:
        return UNKNOWN
    return f"{power_w / 1000:.1f} kW" if abs(power_w) >= 999.5 else f"{power_w:.0f} W"


def energy(energy_wh: float | None) -> str:
    """Energy for a table: Wh below 1000, then kWh with one decimal. An e-bike's charge would be "0.0 kWh" for an hour."""
    if energy_wh is None:
        return UNKNOWN
    return f"{energy_wh:.0f} Wh" if energy_wh < 999.5 else f"{energy_wh / 1000:.1f} kWh"


def duration(seconds: float | None) -> str:
    """A duration for people: "48 s", "11 min", "2 h 24 min", "12 days"."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    hours, minutes = divmod(whole // 60, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def clock(local: str | None, now_local: str) -> str:
    """A local time as people say it: "11:48 today", "yesterday 16:20", "tomorrow 06:30", "2026-05-11 11:48"."""
    if not local:
        return UNKNOWN
    day, time = local[:10], local[11:16]
    if day == now_local[:10]:
        return f"{time} today"
    from datetime import date

    apart = date.fromisoformat(day).toordinal() - date.fromisoformat(now_local[:10]).toordinal()
    return f"{ {-1: 'yesterday', 1: 'tomorrow'}.get(apart, day) } {time}"


def dot(loadpoint: Mapping[str, Any]) -> str:
    """The mark before a loadpoint: its form changes with its state, so that colour is not needed."""
    state, session = loadpoint["state"], loadpoint["session"]
    fixed = {"charging": "●", "discharging": "●", "fault": "✕", "unknown": "?"}.get(state)
    if fixed is not None:
        return fixed
    running = session is not None and session["ended_at"] is None
    return "◐" if running or loadpoint["held_by"] is not None else "○"


def state_colour(loadpoint: Mapping[str, Any]) -> str | None:
    """The colour that repeats what the word says: green charging, yellow waiting or held, red fault or lost."""
    mark = dot(loadpoint)
    if mark == "✕" or loadpoint["word"] in _BAD_WORDS or loadpoint["reachable"] is False:
        return "red"
    return "yellow" if loadpoint["held_by"] is not None else {"●": "green", "◐": "yellow"}.get(mark)


def shortened(text: str, width: int) -> str:
    """The text in at most ``width`` characters; what is cut off shows as "…"."""
    return text if len(text) <= width else text[: max(0, width - 1)].rstrip() + "…"


def wrapped(text: str, width: int, rows: int = 2) -> list[str]:
    """The text in rows of at most ``width``, cut between words; the last row ends in "…" if something is left."""
    lines: list[str] = []
    rest = text
    while len(rest) > width and len(lines) < rows - 1:
        cut = rest.rfind(" ", 0, width + 1)
        cut = cut if cut > 0 else width
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*lines, shortened(rest, width)]


def cost_text(session: dict[str, Any]) -> str:
    """The cost of a session; "≥" before one that is not of all its energy, a dash where no price was known."""
    if session["cost"] is None:
        return UNKNOWN
    partial = session["energy_wh"] - session["priced_wh"] > WHOLE_WH
    return f"{'≥ ' if partial else ''}{session['cost']:.2f} {session['currency']}"


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int] = (), width: int | None = None
) -> str:
    """Columns under a header (none if it is empty), two spaces apart; the last column is wrapped to stay within ``width``."""
    shown = [*([header] if header else []), *([clean(cell) for cell in row] for row in rows)]
    if not shown:
        return ""
    columns = len(shown[0])
    widths = [max(len(row[column]) for row in shown) for column in range(columns)]
    left = sum(widths[:-1]) + 2 * (columns - 1)
    last = widths[-1] if width is None else max(12, width - left)
    lines = []
    for row in shown:
        cells = [
            row[column].rjust(widths[column]) if column in right else row[column].ljust(widths[column])
            for column in range(columns - 1)
        ]
        first, *others = wrapped(row[-1], last, rows=3)
        if columns - 1 in right:
            first = first.rjust(widths[-1])
        lines.append("  ".join([*cells, first]).rstrip())
        lines += [" " * left + other for other in others]
    return "\n".join(lines)


def warned(warnings: Sequence[str], width: int) -> list[str]:
    """Warnings as lines of text."""
    if not warnings:
        return []
    from textwrap import fill

    return [fill(f"warning: {clean(warning)}", width, subsequent_indent="  ") for warning in warnings]


def pairs(rows: Sequence[tuple[str, str]], width: int) -> str:
    """Lines of "Key  : value", values wrapped under themselves."""
    widest = max(len(key) for key, _ in rows)
    lines = []
    for key, value in rows:
        first, *others = wrapped(clean(value), max(20, width - widest - 3), rows=4)
        lines.append(f"{key.ljust(widest)} : {first}")
        lines += [" " * (widest + 3) + other for other in others]
    return "\n".join(lines)


def tabs(rows: Iterable[Sequence[object]]) -> str:
    """Rows for awk: tabs between, no header, unknown is empty, yes is true."""
    return "\n".join("\t".join(_cell(value) for value in row) for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    return clean(str(value))
