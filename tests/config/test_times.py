"""Times: windows and days as people write them."""

from __future__ import annotations

import pytest

from chargerd.config import times
from chargerd.model.settings import Window


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sat", (5,)),
        ("mon-fri,sun", (0, 1, 2, 3, 4, 6)),
        ("sat-mon", (0, 5, 6)),
        ("Sun, mon", (0, 6)),
        ("mon-sun", times.EVERY_DAY),
        ("tue-tue", (1,)),
    ],
)
def test_days_are_read_as_names_and_ranges(text: str, expected: tuple[int, ...]):
    """A range may pass over the weekend."""
    assert times.days(text) == expected


@pytest.mark.parametrize("of", [(5,), (0, 1, 2, 3, 4, 6), (0, 2, 4), (0, 1), (0, 5, 6), times.EVERY_DAY])
def test_days_are_written_as_they_are_read(of: tuple[int, ...]):
    """What is shown can be typed in again."""
    assert times.days(times.written(of)) == of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00-06:00", Window(0, 360)),
        ("22:00-06:30", Window(1320, 390)),
        ("mon-fri 9:00-17:00", Window(540, 1020, (0, 1, 2, 3, 4))),
        ("sat,sun 00:00-24:00", Window(0, 1440, (5, 6))),
    ],
)
def test_a_window_is_a_span_with_or_without_days(text: str, expected: Window):
    """A window may cross midnight, or last a whole day."""
    assert times.window(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("00:00-00:00", "same time"),
        ("25:00-26:00", "no time of day"),
        ("06:60-07:00", "no time of day"),
        ("24:00-06:00", "no time of day"),
        ("6-7", "no time of day"),
        ("00:00", "no window"),
        ("", "no window"),
        ("mon tue 00:00-06:00", "no window"),
        ("mo 00:00-06:00", "did you mean mon"),
        ("weekdays 00:00-06:00", "days are mon tue"),
        (",mon 00:00-06:00", "no day"),
    ],
)
def test_an_impossible_window_is_refused_with_what_is_allowed(text: str, says: str):
    """The text says what was read and what a good one looks like."""
    with pytest.raises(ValueError, match=says):
        times.window(text)


@pytest.mark.parametrize(("text", "day"), [("11-01", 1101), ("2-29", 229), (" 12-31 ", 1231), ("1-1", 101)])
def test_a_day_of_the_year_is_month_and_day(text, day):
    """29 February is one."""
    assert times.day_of_year(text) == day


@pytest.mark.parametrize("text", ["", "11", "13-01", "02-30", "0-1", "1-0", "11-01-2026", "Nov 1"])
def test_what_is_no_day_of_the_year_is_refused(text):
    """With an example."""
    with pytest.raises(ValueError, match="month and day"):
        times.day_of_year(text)
