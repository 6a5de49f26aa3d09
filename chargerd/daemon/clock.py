"""Clock: the only module that may ask what time it is.

A clock may run fast, for the demo: it then counts simulated time from an origin, and everything that is measured in
simulated time (readings, minimum times, leases, ages) runs along. What protects the process itself (watchdog, network
time-outs) uses `real_s` and never runs fast.
"""

from __future__ import annotations

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """Wall clock and monotonic clock. ``speed`` 60 makes an hour of a minute; 1 is the machine's own time."""

    def __init__(self, origin_ms: int | None = None, speed: float = 1.0) -> None:
        self.speed = speed
        self._scaled = origin_ms is not None or speed != 1.0
        self._origin_ms = time.time_ns() // 1_000_000 if origin_ms is None else origin_ms
        self._start_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        # Read once: it cannot change under a process, and later no descriptor may be left to read it with.
        self._boot_id = f"simulated-{self._start_ns}" if self._scaled else BOOT_ID.read_text(encoding="ascii").strip()

    def now_ms(self) -> int:
        """UTC in milliseconds, as the machine or the simulation has it; may jump when somebody sets the clock."""
        if not self._scaled:
            return time.time_ns() // 1_000_000
        return self._origin_ms + self._passed_ms()

    def mono_ms(self) -> int:
        """Milliseconds that only ever go forward, also while the machine sleeps; comparable within one boot."""
        if not self._scaled:
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return self._passed_ms()

    def now_s(self) -> float:
        """UTC in seconds, for simulated devices that live on this clock."""
        return self.now_ms() / 1000

    def real_delay_s(self, delay_ms: float) -> float:
        """How long to wait in real seconds for so many milliseconds to pass on this clock."""
        return max(0.0, delay_ms / 1000 / self.speed)

    def boot_id(self) -> str:
        """An id that changes whenever `mono_ms` starts again: the kernel's, or one of this simulated life."""
        return self._boot_id

    def _passed_ms(self) -> int:
        return int((time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self._start_ns) * self.speed) // 1_000_000


def real_s() -> float:
    """Real monotonic seconds, for watchdogs and time-outs."""
    return time.monotonic()
