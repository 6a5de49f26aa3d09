"""Charges: recorded charges to learn from, out of a log or out of a CSV file, the newest first."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from pathlib import Path

from msgspec import Struct

from chargerd.engine.shape import Point
from chargerd.model.events import ChargerRead, ConfigLoaded
from chargerd.model.state import Session
from chargerd.sim.chain import last_of
from chargerd.sim.refused import FAILED, NO_SUCH, USAGE, Refused
from chargerd.store import sessions
from chargerd.store.errors import LogDamaged
from chargerd.store.reader import Reader

MOST = 400  # sessions of a year and more
APART_S = 3 * 3600.0  # readings of a file that are further apart belong to two charges
MAX_BYTES = 50_000_000
TIMES = ("t_s", "at", "time", "measured_at")
OWNERS = ("loadpoint", "charger", "channel")


class Charge(Struct, frozen=True):
    """A charge that happened. ``points`` are None if it is known without looking that it cannot teach, ``why`` says so."""

    began_ms: int | None
    points: list[Point] | None
    session: Session | None = None
    why: str = ""


def of_log(
    log: Reader, name: str, *, at_ms: int | None = None, number: int | None = None, last: bool = False
) -> list[Session]:
    """The ended sessions of a loadpoint to try, the newest first: those to full; or the one that was asked for, whatever it is.

    Raises `Refused` if there is none.
    """
    found = sessions.ended(log, name, lines=MOST)[::-1]
    if number is not None:
        found = [session for session in found if session.number == number]
    elif at_ms is not None:
        found = [session for session in found if session.started_at_ms <= at_ms][:1]
    elif last:
        found = found[:1]
    if not found:
        which = "at that time" if at_ms is not None else "in this log"
        raise Refused(FAILED, f"{name} has no charge {which} that has ended.", hint=f"Look: chargerctl sessions {name}")
    return found


def readings(log: Reader, session: Session) -> Charge:
    """A session with its readings. Times are those of the monotonic clock where it went on, so that a set clock does no harm."""
    before = last_of(log, ConfigLoaded, session.number)
    configured = (
        before.body.configuration.loadpoints if before is not None and isinstance(before.body, ConfigLoaded) else {}
    )
    if session.loadpoint not in configured or session.ended_at_ms is None:
        return Charge(session.started_at_ms, None, session, "its configuration cannot be read")
    source, _, channel = configured[session.loadpoint].charger.partition("/")
    points: list[Point] = []
    t_s, boot, mono_ms, at_ms = 0.0, -1, 0, session.started_at_ms
    try:
        for event in log.read(session.number, log.seq_at(session.ended_at_ms + 1) - 1):
            t_s += (event.mono_ms - mono_ms if event.boot == boot else max(0, event.at_ms - at_ms)) / 1000
            boot, mono_ms, at_ms = event.boot, event.mono_ms, event.at_ms
            body = event.body
            if not isinstance(body, ChargerRead) or event.source != source or body.channel != channel:
                continue
            if body.power_w is not None or body.enabled is False:
                points.append(Point(t_s, body.power_w or 0.0, body.enabled is not False))
    except LogDamaged:
        return Charge(session.started_at_ms, None, session, "the log is damaged there")
    if len(points) < 2 and session.on_ms > 60_000:
        return Charge(session.started_at_ms, None, session, "its readings were given up")
    return Charge(session.started_at_ms, points, session)


def of_file(path: Path, name: str) -> list[Charge]:
    """The charges in a CSV file, the newest first. Raises `Refused` with the line that cannot be read.

    Columns: ``power_w``; a time (``t_s`` in seconds, or ``at`` or ``time`` as 2026-05-11T18:00:00); ``enabled`` if there is one. Of
    a column ``loadpoint`` or ``charger`` with several names only those rows count that have this one.
    """
    rows = _rows(path)
    owner = next((column for column in OWNERS if column in rows[0][1]), None)
    if owner is not None:
        names = dict.fromkeys(row[owner] for _, row in rows)
        if name in names or len(names) > 1:
            if name not in names:
                raise Refused(
                    NO_SUCH, f'{path} has no {owner} "{name}".', hint=f"Known: {' '.join(n for n in names if n)}"
                )
            rows = [(line, row) for line, row in rows if row[owner] == name]
    column = next((time for time in TIMES if time in rows[0][1]), None)
    if column is None or "power_w" not in rows[0][1]:
        raise Refused(USAGE, f"{path}:1: columns power_w and one of {', '.join(TIMES)} are needed.")
    found = [_point(path, line, row, column) for line, row in rows if row["power_w"] or _off(row)]
    if not found:
        raise Refused(USAGE, f"{path} has no reading in its {len(rows)} rows.")
    found.sort(key=lambda entry: entry[1].t_s)
    cuts = [i + 1 for i, ((_, a), (_, b)) in enumerate(pairwise(found)) if b.t_s - a.t_s > APART_S]
    return [_charge(found[a:b]) for a, b in reversed([*pairwise([0, *cuts, len(found)])]) if a < b]


def _charge(entries: list[tuple[bool, Point]]) -> Charge:
    dated, first = entries[0]
    points = [Point(point.t_s - first.t_s, point.power_w, point.enabled) for _, point in entries]
    return Charge(round(first.t_s * 1000) if dated else None, points)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Refused(USAGE, f"{path} has more than {MAX_BYTES // 1_000_000} MB; cut the charge out of it.")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "it is no text"
        raise Refused(FAILED, f"{path} cannot be read: {why}.", hint=f"Look: ls -l {path}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    table = csv.DictReader(line for _, line in lines)
    rows = [(number, _cells(row)) for (number, _), row in zip(lines[1:], table, strict=False)]
    if not rows:
        raise Refused(
            USAGE, f"{path} has no rows.", hint="Make one: chargerctl export readings NAME --since -1d > readings.csv"
        )
    return rows


def _cells(row: dict[str, str]) -> dict[str, str]:
    """The cells by their column; one that is missing is empty, what is too much is left out."""
    return {column: (text or "").strip() for column, text in row.items() if column is not None}


def _off(row: dict[str, str]) -> bool:
    return row.get("enabled", "").lower() in ("false", "0", "off")


def _point(path: Path, line: int, row: dict[str, str], column: str) -> tuple[bool, Point]:
    """A row's reading, and whether its time is one of the calendar."""
    text, power = row[column], row["power_w"] or "0"
    t_s, power_w = _number(text), _number(power)
    if power_w is None:
        raise Refused(USAGE, f'{path}:{line}: power_w "{power[:40]}" is no number.')
    if t_s is not None:
        return False, Point(t_s, power_w, not _off(row))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(USAGE, f'{path}:{line}: {column} "{text[:40]}" is no time.') from error
    return True, Point((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), power_w, not _off(row))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
