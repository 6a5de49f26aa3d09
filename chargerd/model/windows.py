"""Windows: times of day in the site's zone. Which instants they are, also on the two days a year when clocks change.

A wall time in the spring gap is the first instant after the gap; one that comes twice in autumn is the first of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from chargerd.model.settings import ScheduleEntry, Window

DAYS_AHEAD = 8  # a weekly entry comes again within this


def zone(name: str) -> tzinfo:
    """The zone of that IANA name; zoneinfo keeps each one once."""
    return ZoneInfo(name)


@lru_cache(maxsize=4096)  # the same few edges are asked for at every tick
def instant_ms(day: date, minute: int, tz: tzinfo) -> int:
    """UTC of a local wall time, given in minutes after midnight of that day (1440 is the next midnight)."""
    day += timedelta(days=minute // 1440)
    wall = datetime(day.year, day.month, day.day, minute % 1440 // 60, minute % 60, tzinfo=tz)
    found = wall.astimezone(UTC)
    if found.astimezone(tz).replace(fold=0, tzinfo=None) == wall.replace(tzinfo=None):
        return round(found.timestamp() * 1000)
    early = round(wall.replace(fold=1).timestamp() * 1000)  # in a gap the two folds lie on either side of the change
    late = round(found.timestamp() * 1000)
    offset = _offset(late, tz)
    while late - early > 1:
        middle = (early + late) // 2
        if _offset(middle, tz) == offset:
            late = middle
        else:
            early = middle
    return late


def inside(windows: tuple[Window, ...], wall_ms: int, tz: tzinfo) -> bool:
    """Whether the instant lies in one of the windows. No windows: always."""
    return not windows or any(opens <= wall_ms < closes for opens, closes in _around(windows, wall_ms, tz))


def next_change_ms(windows: tuple[Window, ...], wall_ms: int, tz: tzinfo) -> int | None:
    """The next instant at which a window opens or closes; None without windows."""
    return min((edge for pair in _around(windows, wall_ms, tz) for edge in pair if edge > wall_ms), default=None)


def next_opening_ms(windows: tuple[Window, ...], wall_ms: int, tz: tzinfo) -> int | None:
    """The next instant at which a window opens; None without windows."""
    return min((opens for opens, _ in _around(windows, wall_ms, tz) if opens > wall_ms), default=None)


def latest_start_ms(windows: tuple[Window, ...], end_ms: int, needed_ms: int, tz: tzinfo) -> int:
    """The latest instant from which ``needed_ms`` lie inside the windows before ``end_ms``.

    Where the windows of the two days before do not hold so much, the first opening among them: the best that can be done.
    """
    if not windows:
        return end_ms - needed_ms
    begin_ms, left_ms = end_ms, needed_ms
    for opens, closes in sorted(_around(windows, end_ms, tz), reverse=True):
        last_ms = min(closes, begin_ms)
        if last_ms <= opens:
            continue
        if last_ms - opens >= left_ms:
            return last_ms - left_ms
        left_ms -= last_ms - opens
        begin_ms = opens
    return begin_ms if begin_ms < end_ms else end_ms - needed_ms


def last_due_ms(entry: ScheduleEntry, wall_ms: int, tz: tzinfo) -> int | None:
    """The latest instant, up to now, at which a schedule entry was due; None if it names no day."""
    return max((due for due in _dues(entry, wall_ms, tz, range(-DAYS_AHEAD, 1)) if due <= wall_ms), default=None)


def next_due_ms(entry: ScheduleEntry, wall_ms: int, tz: tzinfo) -> int | None:
    """The next instant after now at which a schedule entry is due; None if it names no day."""
    return min((due for due in _dues(entry, wall_ms, tz, range(DAYS_AHEAD + 1)) if due > wall_ms), default=None)


def midnight_ms(wall_ms: int, tz: tzinfo) -> int:
    """The next local midnight."""
    return instant_ms(_today(wall_ms, tz), 1440, tz)


def day_of_year(wall_ms: int, tz: tzinfo) -> int:
    """The local day as month × 100 + day: 101 is New Year's Day."""
    day = _today(wall_ms, tz)
    return day.month * 100 + day.day


def _offset(at_ms: int, tz: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at_ms / 1000, tz).utcoffset()


def _today(wall_ms: int, tz: tzinfo) -> date:
    return datetime.fromtimestamp(wall_ms / 1000, tz).date()


def _dues(entry: ScheduleEntry, wall_ms: int, tz: tzinfo, days: range) -> Iterator[int]:
    today = _today(wall_ms, tz)
    for ahead in days:
        day = today + timedelta(days=ahead)
        if day.weekday() in entry.days:
            yield instant_ms(day, entry.at_min, tz)


def _around(windows: tuple[Window, ...], wall_ms: int, tz: tzinfo) -> Iterator[tuple[int, int]]:
    today = _today(wall_ms, tz)
    for window in windows:
        length = 1440 if window.to_min <= window.from_min else 0
        for ahead in range(-2, DAYS_AHEAD + 1):
            day = today + timedelta(days=ahead)
            if day.weekday() in window.days:
                yield instant_ms(day, window.from_min, tz), instant_ms(day, window.to_min + length, tz)
