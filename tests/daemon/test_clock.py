"""Clock: the machine's own time, or simulated time that runs faster."""

from __future__ import annotations

from freezegun import freeze_time

from chargerd.daemon.clock import Clock, real_s


@freeze_time("2026-03-06 21:00:00")
def test_real_clock_says_what_the_machine_says():
    """Unscaled, it is the wall clock and the kernel's boot id."""
    clock = Clock()
    assert clock.now_ms() == 1_772_830_800_000
    assert len(clock.boot_id()) == 36


def test_fast_clock_begins_at_its_origin_and_runs_at_its_speed():
    """At speed 1000 a millisecond of real time is a second."""
    clock = Clock(origin_ms=5_000_000, speed=1000)
    first, real = clock.now_ms(), real_s()
    while clock.now_ms() < first + 5000:
        assert real_s() < real + 5
    assert first >= 5_000_000
    assert abs(clock.mono_ms() + 5_000_000 - clock.now_ms()) < 5000
    assert clock.real_delay_s(60_000) == 0.06
    assert clock.real_delay_s(-5) == 0


def test_two_lives_of_a_fast_clock_are_two_boots():
    """Its monotonic reading begins again, so the two must not be compared."""
    assert Clock(0, 60).boot_id() != Clock(0, 60).boot_id()


def test_monotonic_reading_never_falls():
    """Not even between two calls."""
    clock = Clock()
    readings = [clock.mono_ms() for _ in range(100)]
    assert readings == sorted(readings)
