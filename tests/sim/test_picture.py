"""Picture: a curve of power in a terminal."""

from __future__ import annotations

from chargerd.sim.picture import LABEL, ROWS, drawn

CURVE = [(0.0, 100.0), (3600.0, 100.0), (7200.0, 0.0), (10800.0, 0.0)]
MARKS = [(3600.0, "k"), (5400.0, "n"), (10800.0, "f")]


def test_the_picture_shows_the_curve_its_marks_and_its_hours():
    """An hour at 100 W fills the height, then it slopes away; knee, nominal and full stand under their times."""
    rows = drawn(CURVE, MARKS, [50.0, 8.0], width=70)
    columns = 70 - LABEL - 1
    assert all(len(row) <= 70 for row in rows)
    assert rows[0].startswith("  100 W │████")
    assert rows[0].count("█") == columns // 3
    assert rows[ROWS - 1].startswith("    8 W │")
    assert [row[:7].strip() for row in rows].count("50 W") == 1
    marks, hours = rows[-2], rows[-1]
    assert marks.index("k") - LABEL - 1 == columns // 3
    assert marks.index("n") - LABEL - 1 == columns // 2
    assert marks.endswith("f")
    assert marks.index("k") == hours.index("1 h")
    assert hours.split() == ["0", "h", "1", "h", "2", "h"]


def test_the_picture_can_do_without_blocks():
    """ASCII only, the same shape."""
    rows = drawn(CURVE, MARKS, [50.0], ascii_only=True)
    assert all(row.isascii() for row in rows)
    assert rows[0].count("@") == drawn(CURVE, MARKS, [50.0])[0].count("█")


def test_long_charges_have_fewer_hours_below_them():
    """Twenty hours do not fit one label each."""
    rows = drawn([(0.0, 10.0), (72_000.0, 10.0)], [], [])
    assert rows[-1].split()[:4] == ["0", "h", "3", "h"]
