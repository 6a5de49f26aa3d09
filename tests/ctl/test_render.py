"""Render: units, times, columns."""

from __future__ import annotations

import pytest

from chargerd.ctl import render


def test_power_is_in_watts_below_1000() -> None:
    """Then kW with one decimal; unknown is a dash, never 0."""
    shown = [render.power(value) for value in (0.0, 5.4, 999.4, 999.6, 2790.0, None)]
    assert shown == ["0 W", "5 W", "999 W", "1.0 kW", "2.8 kW", "–"]


def test_energy_is_in_wh_below_one_kwh() -> None:
    """And then in kWh with one decimal."""
    assert [render.energy(value) for value in (0.0, 411.0, 7100.0, None)] == ["0 Wh", "411 Wh", "7.1 kWh", "–"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "3 s"), (119, "119 s"), (660, "11 min"), (8640, "2 h 24 min"), (7200, "2 h"), (1052000, "12 days")],
)
def test_durations_have_at_most_two_units(seconds: int, text: str) -> None:
    """As people say them."""
    assert render.duration(seconds) == text


@pytest.mark.parametrize(
    ("local", "text"),
    [
        ("2026-03-01T11:48:00+01:00", "11:48 today"),
        ("2026-02-28T16:20:00+01:00", "yesterday 16:20"),
        ("2026-03-02T06:30:00+01:00", "tomorrow 06:30"),
        ("2025-12-31T23:59:00+01:00", "2025-12-31 23:59"),
        (None, "–"),
    ],
)
def test_times_are_said_from_today(local: str | None, text: str) -> None:
    """Over the end of a month as well."""
    assert render.clock(local, "2026-03-01T14:00:00+01:00") == text


def test_a_table_keeps_to_its_width() -> None:
    """The last column is wrapped between words, three rows at most; a word that is too long is cut."""
    text = render.table(("A", "B"), [("x", "one two three four five six seven eight nine"), ("y", "z" * 60)], width=20)
    assert max(len(line) for line in text.split("\n")) <= 20
    assert "…" in text


def test_control_characters_never_reach_a_terminal() -> None:
    """Escape sequences, line ends and tabs in a name are shown as question marks."""
    assert render.clean("a\x1b[31mb\x07\x9bc\n\td") == "a?[31mb??c??d"
    assert render.tabs([("a\tb", None, True, 0.1)]) == "a?b\t\ttrue\t0.1"


def test_ascii_is_ascii_whatever_comes() -> None:
    """Signs we use have a spelling; others are question marks."""
    assert render.plain_ascii("● ○ ◐ ✕ – → × … 5 °C Grüße 漢") == "* o ~ x - -> x ... 5 deg C Gruesse ?"
