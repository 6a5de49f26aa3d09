"""What people write for times and durations, also on the two days a year when the clocks change."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargerd.daemon.times import (
    BadTime,
    clock_text,
    days_text,
    local_text,
    parse_duration,
    parse_end,
    parse_time,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


NOW = at("2026-05-11T14:20:00+02:00")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("now", "2026-05-11T14:20:00+02:00"),
        ("18:00", "2026-05-11T18:00:00+02:00"),
        ("06:30:15", "2026-05-11T06:30:15+02:00"),
        ("today", "2026-05-11T00:00:00+02:00"),
        ("yesterday", "2026-05-10T00:00:00+02:00"),
        ("yesterday 16:20", "2026-05-10T16:20:00+02:00"),
        ("tomorrow 06:30", "2026-05-12T06:30:00+02:00"),
        ("2026-05-11 18:00", "2026-05-11T18:00:00+02:00"),
        ("2026-01-31", "2026-01-31T00:00:00+01:00"),
        ("2026-05-11T12:12:41Z", "2026-05-11T14:12:41+02:00"),
        ("2026-05-11T14:12:41+02:00", "2026-05-11T14:12:41+02:00"),
        ("-2h", "2026-05-11T12:20:00+02:00"),
        ("+45min", "2026-05-11T15:05:00+02:00"),
        ("2 hours ago", "2026-05-11T12:20:00+02:00"),
        ("  Today ", "2026-05-11T00:00:00+02:00"),
    ],
)
def test_a_time_is_read_as_journalctl_reads_it(text, means):
    """Absolute, relative and named times mean what they mean to journalctl."""
    assert local_text(parse_time(text, NOW, BERLIN), BERLIN) == local_text(at(means), BERLIN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "25:00",
        "12:60",
        "2026-02-30",
        "2026-13-01",
        "1066-01-01",
        "-",
        "+",
        "+2x",
        "12",
        "yesterday noon",
        "-99999999h",
        "٣:00",
    ],
)
def test_what_is_no_time_is_refused_with_an_example(text):
    """A text that is no time gets an error that shows what one looks like, or what is wrong with it."""
    with pytest.raises(BadTime, match=r"write|no time of day|no date|ten years"):
        parse_time(text, NOW, BERLIN)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("45min", 2700),
        ("2h", 7200),
        ("3d", 259_200),
        ("1h30min", 5400),
        ("1h 30 min", 5400),
        ("1.5h", 5400),
        ("1w", 604_800),
    ],
)
def test_durations_add_up(text, seconds):
    """Durations have units, and several pieces add up."""
    assert parse_duration(text) == seconds * 1000


@pytest.mark.parametrize("text", ["", "45", "min", "5 parsecs", "-5min", "1e9s", "9999999d"])
def test_what_is_no_duration_is_refused(text):
    """A number without a unit, a unit without a number or ten thousand years are no durations."""
    with pytest.raises(BadTime):
        parse_duration(text)


def test_an_end_is_the_next_time_that_the_clock_shows():
    """Until 06:30, said at 14:20, means tomorrow morning; until 16:20 means today."""
    assert parse_end("06:30", NOW, BERLIN) == at("2026-05-12T06:30:00+02:00")
    assert parse_end("16:20", NOW, BERLIN) == at("2026-05-11T16:20:00+02:00")
    assert parse_end("2h", NOW, BERLIN) == parse_end("+2h", NOW, BERLIN) == at("2026-05-11T16:20:00+02:00")


def test_an_end_in_the_past_is_refused():
    """Nothing can end before it begins."""
    with pytest.raises(BadTime, match="is over"):
        parse_end("yesterday", NOW, BERLIN)


def test_a_time_that_the_clocks_skip_is_the_first_instant_after():
    """On 29 March 2026 there is no 02:30 in Berlin; 03:00 summer time is the first instant after."""
    morning = at("2026-03-29T00:10:00+01:00")
    assert parse_time("02:30", morning, BERLIN) == at("2026-03-29T03:00:00+02:00")


def test_a_time_that_the_clocks_show_twice_is_the_first():
    """On 25 October 2026 it is 02:30 twice in Berlin; the first is meant."""
    assert parse_time("2026-10-25 02:30", NOW, BERLIN) == at("2026-10-25T02:30:00+02:00")


def test_a_day_that_begins_inside_a_gap_begins_after_it():
    """In Beirut the clocks went from 00:00 to 01:00 on 31 March 2024."""
    beirut = ZoneInfo("Asia/Beirut")
    assert parse_time("today", at("2024-03-31T12:00:00+03:00"), beirut) == at("2024-03-31T01:00:00+03:00")


def test_an_end_by_duration_counts_real_hours_across_the_change():
    """Twelve hours from 22:00 before the spring change are twelve real hours, so the clock shows 11:00."""
    evening = at("2026-03-28T22:00:00+01:00")
    assert local_text(parse_end("12h", evening, BERLIN), BERLIN) == "2026-03-29T11:00:00+02:00"


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text):
    """Whatever is written is either a time or refused."""
    for read in (lambda: parse_time(text, NOW, BERLIN), lambda: parse_end(text, NOW, BERLIN)):
        with suppress(BadTime):
            read()


@given(st.integers(0, 36 * 365 * 24 * 60))
def test_a_written_time_comes_back_as_written(minutes):
    """The instant found shows the time that was written, or the first one after the gap that it lies in."""
    wall = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    text = wall.strftime("%Y-%m-%d %H:%M")
    shown = local_text(parse_time(text, NOW, BERLIN), BERLIN)[:16].replace("T", " ")
    assert shown == text or (wall.hour == 2 and wall.month == 3 and shown.endswith("03:00"))


def test_days_of_the_week_are_shown_as_ranges_and_lists():
    """Days are shown as in a timetable."""
    assert (days_text((0, 1, 2, 3, 4, 6)), days_text((5,)), days_text((0, 1, 2, 3, 4, 5, 6))) == (
        "Mon–Fri, Sun",
        "Sat",
        "daily",
    )


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("2026-05-11T16:20:00+02:00", "16:20"),
        ("2026-05-12T06:30:00+02:00", "tomorrow 06:30"),
        ("2026-05-10T22:31:00+02:00", "yesterday 22:31"),
        ("2026-05-13T08:10:00+02:00", "Wed 08:10"),
        ("2026-05-01T08:10:00+02:00", "2026-05-01 08:10"),
    ],
)
def test_a_time_is_said_as_people_say_it(when, text):
    """Today needs no date, this week needs a weekday, everything else its date."""
    assert clock_text(at(when), NOW, BERLIN) == text


def test_utc_is_a_zone_like_any_other():
    """A reader in another zone is answered in that zone."""
    assert local_text(NOW, UTC) == "2026-05-11T12:20:00+00:00"
