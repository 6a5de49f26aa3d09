"""Times: what people write for a time or a duration becomes milliseconds UTC, and back. Pure: the caller says what now is.

The forms are journalctl's (systemd.time(7)) as far as people use them. Local time is the given zone's. A local time that
the clocks skip means the first instant after the gap; one that they show twice means the first of the two.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from chargerd.config import times
from chargerd.model import windows
from chargerd.model.settings import DAY_MS

LONGEST_MS = 3660 * DAY_MS  # a duration above ten years is a slip of the finger

_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_DATED = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ t]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?(z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_NAMED = re.compile(r"(today|yesterday|tomorrow)(?: +([0-9:]+))?")
_WEEKDAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]* +([0-9:]+)")
_FORMS = 'write 18:00, "2026-05-11 18:00", today, yesterday, "yesterday 16:20", -2h or +45min'


class BadTime(ValueError):
    """A text that is no time, or no duration; the message says what would be one."""


def parse_duration(text: str) -> int:
    """Milliseconds of "45min", "2h", "1h 30min", "3d", "90s". Raises `BadTime`."""
    try:
        lasts_ms = times.duration(text)
    except ValueError as error:
        raise BadTime(str(error)) from None
    if lasts_ms > LONGEST_MS:
        raise BadTime(f'"{text[:40]}" is longer than ten years')
    return lasts_ms


def parse_time(text: str, now_ms: int, zone: tzinfo) -> int:
    """The time that a text names, ms UTC. A time of day is today's. Raises `BadTime`."""
    lowered = text.strip().lower()
    if lowered == "now":
        return now_ms
    if lowered[:1] in ("+", "-"):
        return now_ms + parse_duration(lowered[1:]) * (-1 if lowered[0] == "-" else 1)
    if lowered.endswith(" ago"):
        return now_ms - parse_duration(lowered[:-4])
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    if named := _NAMED.fullmatch(lowered):
        day = today + timedelta(days={"today": 0, "yesterday": -1, "tomorrow": 1}[named[1]])
        return _at(day, named[2] or "00:00", zone, text)
    if _CLOCK.fullmatch(lowered):
        return _at(today, lowered, zone, text)
    if dated := _DATED.fullmatch(lowered):
        return _dated(dated, zone, text)
    raise BadTime(f'"{text[:40]}" is no time; {_FORMS}')


def parse_end(text: str, now_ms: int, zone: tzinfo) -> int:
    """When something is to end: a time to come, or a duration from now. A time of day is the next one. Raises `BadTime`.

    With a day of the week, as in "sat 07:00", it is that time on the next such day.
    """
    lowered = text.strip().lower()
    if named := _WEEKDAY.fullmatch(lowered):
        return _next(named, now_ms, zone, text)
    if times.is_duration(lowered) and not _CLOCK.fullmatch(lowered) and not _DATED.fullmatch(lowered):
        lowered = f"+{lowered}"
    end_ms = parse_time(lowered, now_ms, zone)
    if end_ms <= now_ms and _CLOCK.fullmatch(lowered):
        tomorrow = datetime.fromtimestamp(now_ms / 1000, zone).date() + timedelta(days=1)
        end_ms = _at(tomorrow, lowered, zone, text)
    if end_ms <= now_ms:
        raise BadTime(f'"{text[:40]}" is over; an end lies in the future: 18:00, +45min, "tomorrow 06:30"')
    if end_ms - now_ms > LONGEST_MS:
        raise BadTime(f'"{text[:40]}" is more than ten years away')
    return end_ms


def _next(named: re.Match[str], now_ms: int, zone: tzinfo, text: str) -> int:
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    ahead = (times.DAYS.index(named[1]) - today.weekday()) % 7
    at_ms = _at(today + timedelta(days=ahead), named[2], zone, text)
    return at_ms if at_ms > now_ms else _at(today + timedelta(days=7), named[2], zone, text)


def _at(day: date, clock: str, zone: tzinfo, text: str) -> int:
    found = _CLOCK.fullmatch(clock)
    if found is None:
        raise BadTime(f'"{text[:40]}" is no time; {_FORMS}')
    return _instant(day, zone, int(found[1]), int(found[2]), int(found[3] or 0), text)


def _instant(day: date, zone: tzinfo, hour: int, minute: int, second: int, text: str) -> int:
    if hour > 23 or minute > 59 or second > 59:
        raise BadTime(f'"{text[:40]}" is no time of day')
    return windows.instant_ms(day, hour * 60 + minute, zone) + second * 1000


def _dated(found: re.Match[str], zone: tzinfo, text: str) -> int:
    year, month, day, hour, minute, second = (int(found[group] or 0) for group in range(1, 7))
    try:
        if not 1970 <= year <= 2200:
            raise ValueError(year)
        if found[7] is None:
            return _instant(date(year, month, day), zone, hour, minute, second, text)
        offset = timedelta() if found[7] == "z" else _offset(found[7])
        return round((datetime(year, month, day, hour, minute, second, tzinfo=UTC) - offset).timestamp() * 1000)
    except BadTime:
        raise
    except ValueError as error:
        raise BadTime(f'"{text[:40]}" is no date that there is') from error


def _offset(text: str) -> timedelta:
    size = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -size if text[0] == "-" else size


def days_text(days: tuple[int, ...]) -> str:
    """Days as people read them: "daily", "Mon–Fri, Sun"."""
    if days == times.EVERY_DAY:
        return "daily"
    parts = times.written(days).replace("-", "–").split(",")
    return ", ".join("–".join(day.capitalize() for day in part.split("–")) for part in parts)


def clock_text(at_ms: int, now_ms: int, zone: tzinfo) -> str:
    """A time as people say it now: "16:20", "tomorrow 06:30", "yesterday 22:31", "Wed 08:10", "2026-05-11 08:10"."""
    wall = datetime.fromtimestamp(at_ms / 1000, zone)
    apart = (wall.date() - datetime.fromtimestamp(now_ms / 1000, zone).date()).days
    clock = wall.strftime("%H:%M")
    if apart == 0:
        return clock
    if apart in (-1, 1):
        return f"{'tomorrow' if apart == 1 else 'yesterday'} {clock}"
    if 1 < apart < 7:
        return f"{times.DAYS[wall.weekday()].capitalize()} {clock}"
    return f"{wall.date().isoformat()} {clock}"


def utc_text(at_ms: int) -> str:
    """RFC 3339 in UTC: "2026-05-11T12:12:41Z"."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_text(at_ms: int, zone: tzinfo) -> str:
    """RFC 3339 at the site: "2026-05-11T14:12:41+02:00"."""
    return datetime.fromtimestamp(at_ms // 1000, zone).isoformat()
