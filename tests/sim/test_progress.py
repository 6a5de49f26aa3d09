"""Progress: one line for a person who waits, and nothing for anybody else."""

from __future__ import annotations

import io

from chargerd.sim.progress import Progress


def test_a_person_sees_how_far_it_is_and_how_fast():
    """Percent and events a second, each over the one before; taken away at the end."""
    times = iter([0.0, 0.0, 1.0, 1.1, 2.0])
    out = io.StringIO()
    shown = Progress(out, 2000, now_s=lambda: next(times))
    for seq in (0, 500, 600, 1000):
        shown("digests", seq)
    shown.end()
    assert out.getvalue().split("\r") == [
        "",
        "digests 25 %, 500 events/s\033[K",
        "digests 50 %, 500 events/s\033[K",
        "\033[K",
    ]


def test_nobody_sees_nothing():
    """Without a terminal, and where it was over before there was anything to say."""
    out = io.StringIO()
    for shown in (Progress(None, 10), Progress(out, 10)):
        shown("replay", 5)
        shown.of(5, 10)
        shown.end()
    assert out.getvalue() == ""
