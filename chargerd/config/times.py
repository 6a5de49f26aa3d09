"""Times: days of the week, times of day, windows and durations as people write them: ``mon-fri,sun 22:00-06:00``, ``7d``."""

from __future__ import annotations

import re

from chargerd.model.settings import Window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)

_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_UNITS_S = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
    **dict.fromkeys(("y", "year", "years"), 31_536_000),
}
_PIECE = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([a-z]+)")


def duration(text: str) -> int:
    """Milliseconds of "45min", "2h", "1h 30min", "3d", "90s", "10y" (of 365 days). Raises ValueError saying what is one."""
    lowered = text.strip().lower()
    total_s, at = 0.0, 0
    while at < len(lowered):
        piece = _PIECE.match(lowered, at)
        if piece is None or piece[2] not in _UNITS_S:
            raise ValueError(f'"{text[:40]}" is no duration; write 90s, 45min, 2h or 3d')
        total_s += float(piece[1]) * _UNITS_S[piece[2]]
        at = piece.end()
    if not lowered:
        raise ValueError("a duration is missing; write 90s, 45min, 2h or 3d")
    return round(total_s * 1000)


def is_duration(text: str) -> bool:
    """Whether the text begins as a duration does, with a number and a unit."""
    return _PIECE.match(text.strip().lower()) is not None


def days(text: str) -> tuple[int, ...]:
    """Days of the week, 0 for Monday: "sat", "mon-fri,sun", "sat-mon". Raises ValueError saying what is allowed."""
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        begin = _day(first)
        end = _day(last) if dash else begin
        found.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return tuple(sorted(found))


def day_of_year(text: str) -> int:
    """Month × 100 + day of "11-01". Raises ValueError saying what is allowed."""
    match = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", text.strip())
    if match is not None:
        month, day = int(match[1]), int(match[2])
        if 1 <= month <= 12 and 1 <= day <= LONGEST_MONTHS[month - 1]:
            return month * 100 + day
    raise ValueError(
        f'"{text[:40]}" is no day of the year; write month and day, as in "11-01" for the first of November'
    )


def minute(text: str, *, end: bool = False) -> int:
    """Minutes after midnight of "07:30". "24:00" is allowed as an ``end``. Raises ValueError saying what is allowed."""
    match = _TIME.fullmatch(text.strip())
    if match is not None:
        hours, minutes = int(match.group(1)), int(match.group(2))
        if minutes < 60 and (hours < 24 or (end and (hours, minutes) == (24, 0))):
            return 60 * hours + minutes
    raise ValueError(f'"{text.strip()}" is no time of day: it goes from 00:00 to 23:59, as in "07:30"')


def window(text: str) -> Window:
    """A window such as "00:00-06:00" or "mon-fri,sun 22:00-06:00". Raises ValueError saying what is allowed."""
    *named, span = text.split() or [""]
    start, dash, end = span.partition("-")
    if not dash or len(named) > 1:
        raise ValueError(f'"{text}" is no window: write it as "00:00-06:00" or "mon-fri,sun 22:00-06:00"')
    from_min, to_min = minute(start), minute(end, end=True)
    if from_min == to_min:
        raise ValueError(f'"{text}" begins and ends at the same time: leave the window out to charge at any time')
    return Window(from_min, to_min, days(named[0]) if named else EVERY_DAY)


def recurring(text: str) -> tuple[tuple[int, ...], int]:
    """Days and minutes after midnight of "20:00" (every day) or "sun 20:00". Raises ValueError saying what is allowed."""
    *named, clock = text.split() or [""]
    if len(named) > 1:
        raise ValueError(f'"{text[:40]}" is no time that comes again: write "20:00" or "sun 20:00"')
    return days(named[0]) if named else EVERY_DAY, minute(clock)


def written(of: tuple[int, ...]) -> str:
    """Days as text, runs of three and more as a range: "mon-fri,sun"."""
    parts: list[str] = []
    at = 0
    while at < len(of):
        run = at
        while run + 1 < len(of) and of[run + 1] == of[run] + 1:
            run += 1
        if run - at >= 2:
            parts.append(f"{DAYS[of[at]]}-{DAYS[of[run]]}")
        else:
            parts.extend(DAYS[day] for day in of[at : run + 1])
        at = run + 1
    return ",".join(parts)


def _day(word: str) -> int:
    if word not in DAYS:
        close = next((day for day in DAYS if len(word) >= 2 and day[:2] == word[:2]), "")
        raise ValueError(
            f'"{word}" is no day: days are {" ".join(DAYS)}, as in "mon-fri,sun"'
            + (f"; did you mean {close}?" if close else "")
        )
    return DAYS.index(word)
