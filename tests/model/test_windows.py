"""Windows: times of day at the site are the right instants, also on the two days when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from chargerd.model import windows
from chargerd.model.settings import ScheduleEntry, Window

BERLIN = windows.zone("Europe/Berlin")
NIGHT = Window(from_min=22 * 60, to_min=6 * 60)


def at(text: str) -> int:
    """UTC milliseconds of an ISO time with its offset."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def here(text: str) -> int:
    """UTC milliseconds of a local time in Berlin."""
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


@pytest.mark.parametrize(
    ("day", "minute", "utc"),
    [
        (date(2024, 3, 30), 150, "2024-03-30T01:30+00:00"),
        (date(2024, 3, 31), 150, "2024-03-31T01:00+00:00"),  # 02:30 does not exist: first instant after the gap
        (date(2024, 3, 31), 180, "2024-03-31T01:00+00:00"),
        (date(2024, 10, 27), 150, "2024-10-27T00:30+00:00"),  # 02:30 comes twice: the first one
        (date(2024, 10, 27), 1440, "2024-10-27T23:00+00:00"),
    ],
)
def test_a_wall_time_is_one_instant(day, minute, utc):
    """In the spring gap it is the first instant after it, in autumn the first of the two."""
    assert windows.instant_ms(day, minute, BERLIN) == at(utc)


def test_window_across_midnight_is_open_on_both_sides_of_it():
    """22:00 to 06:00 holds at 23:00 and at 05:59, not at 06:00 and 12:00."""
    inside = [
        windows.inside((NIGHT,), at(f"2024-05-0{d}+02:00"), BERLIN)
        for d in ("1T23:00", "2T05:59", "2T06:00", "2T12:00")
    ]
    assert inside == [True, True, False, False]


def test_window_with_days_names_the_day_it_opens_on():
    """Friday 22:00 to 06:00 lasts into Saturday and does not open on Saturday."""
    friday = (Window(22 * 60, 6 * 60, days=(4,)),)
    assert windows.inside(friday, at("2024-05-04T03:00+02:00"), BERLIN)
    assert not windows.inside(friday, at("2024-05-04T23:00+02:00"), BERLIN)
    assert windows.next_opening_ms(friday, at("2024-05-04T03:00+02:00"), BERLIN) == at("2024-05-10T22:00+02:00")


@pytest.mark.parametrize(("day", "hours"), [("2024-03-30", 7), ("2024-10-26", 9), ("2024-05-01", 8)])
def test_night_of_a_clock_change_is_an_hour_shorter_or_longer(day, hours):
    """22:00 to 06:00 has 7 hours in the spring night, 9 in the autumn one."""
    start = windows.instant_ms(date.fromisoformat(day), 22 * 60, BERLIN)
    minutes = sum(windows.inside((NIGHT,), start + m * 60_000, BERLIN) for m in range(12 * 60))
    assert minutes == hours * 60


def test_no_window_is_always_open():
    """A loadpoint without hours may charge at any time."""
    assert windows.inside((), at("2024-05-01T12:00+02:00"), BERLIN)
    assert windows.next_change_ms((), at("2024-05-01T12:00+02:00"), BERLIN) is None


def test_weekly_entry_was_due_last_saturday_and_is_due_next_saturday():
    """Saturday 00:00, asked on a Wednesday."""
    entry = ScheduleEntry("1", "bike", (5,), 0)
    wednesday = at("2024-05-08T12:00+02:00")
    assert windows.last_due_ms(entry, wednesday, BERLIN) == at("2024-05-04T00:00+02:00")
    assert windows.next_due_ms(entry, wednesday, BERLIN) == at("2024-05-11T00:00+02:00")


def test_entry_in_the_spring_gap_is_due_once():
    """A daily 02:30 on the last Sunday of March is due at 03:00 summer time, and the next day at 02:30 again."""
    entry = ScheduleEntry("1", "bike", tuple(range(7)), 150)
    due = windows.next_due_ms(entry, at("2024-03-31T00:00+01:00"), BERLIN)
    assert due == at("2024-03-31T03:00+02:00")
    assert windows.next_due_ms(entry, due, BERLIN) == at("2024-04-01T02:30+02:00")


def test_utc_is_what_the_log_keeps():
    """The zone appears nowhere but here."""
    assert windows.instant_ms(date(2024, 5, 1), 0, UTC) == at("2024-05-01T00:00+00:00")


def test_latest_start_leaves_the_time_needed_inside_the_windows():
    """Without windows it is simple; with two of them the time runs on in the earlier one; too little: the first opening."""
    noon = here("2024-03-05 12:00")
    assert windows.latest_start_ms((), noon, 2 * 3_600_000, BERLIN) == here("2024-03-05 10:00")
    night, morning = Window(0, 360), Window(480, 600)
    assert windows.latest_start_ms((night,), noon, 2 * 3_600_000, BERLIN) == here("2024-03-05 04:00")
    assert windows.latest_start_ms((night, morning), noon, 3 * 3_600_000, BERLIN) == here("2024-03-05 05:00")
    assert windows.latest_start_ms((Window(540, 1020),), noon, 2 * 3_600_000, BERLIN) == here("2024-03-05 10:00")
    assert windows.latest_start_ms((Window(0, 600), Window(480, 660)), noon, 2 * 3_600_000, BERLIN) == here(
        "2024-03-05 09:00"
    )
    assert windows.latest_start_ms((Window(0, 60),), noon, 9 * 3_600_000, BERLIN) == here("2024-03-03 00:00")


def test_latest_start_across_the_change_of_clocks_counts_real_hours():
    """The night of 31 March 2024 in Berlin has no hour from 2 to 3: four hours before 06:00 is 01:00."""
    assert windows.latest_start_ms((Window(0, 360),), here("2024-03-31 06:00"), 4 * 3_600_000, BERLIN) == here(
        "2024-03-31 01:00"
    )


def test_the_day_of_the_year_is_the_local_one():
    """At 23:30 UTC of 31 March it is 1 April in Berlin; New Year comes there an hour before UTC's."""
    assert windows.day_of_year(at("2024-03-31T21:59+00:00"), BERLIN) == 331
    assert windows.day_of_year(at("2024-03-31T22:00+00:00"), BERLIN) == 401
    assert windows.day_of_year(at("2024-12-31T23:00+00:00"), BERLIN) == 101
    assert windows.day_of_year(at("2024-02-29T12:00+00:00"), BERLIN) == 229


def test_a_day_ends_at_its_own_midnight():
    """23 hours after it began in spring, 25 in autumn; at midnight it is the next one."""
    assert windows.midnight_ms(here("2024-03-31T00:00"), BERLIN) == at("2024-03-31T22:00+00:00")
    assert windows.midnight_ms(here("2024-10-27T00:00"), BERLIN) == at("2024-10-27T23:00+00:00")
    assert windows.midnight_ms(here("2024-06-03T23:59"), BERLIN) == here("2024-06-04T00:00")
