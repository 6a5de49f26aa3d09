"""Progress: one line on a terminal's standard error while something long runs. Nothing where nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from chargerd.daemon.clock import real_s

EVERY_S = 0.5


class Progress:
    """How far a walk has come: what is being done, percent of ``last``, and how many ``unit`` a second."""

    def __init__(
        self, stream: TextIO | None, last: int, unit: str = "events", now_s: Callable[[], float] = real_s
    ) -> None:
        self._now_s = now_s
        self._stream = stream
        self._last = last
        self._unit = unit
        self._what = ""
        self._begun_s = self._said_s = now_s()
        self._begun_seq = 0
        self._shown = False

    def __call__(self, what: str, seq: int) -> None:
        """Say it, if it was not said just now."""
        now_s = self._now_s()
        if what != self._what:
            self._what, self._begun_s, self._begun_seq = what, now_s, seq
        if self._stream is None or now_s - self._said_s < EVERY_S:
            return
        self._said_s = now_s
        rate = (seq - self._begun_seq) / max(now_s - self._begun_s, 0.001)
        share = min(100, seq * 100 // max(1, self._last))
        self._stream.write(f"\r{what} {share} %, {rate:.0f} {self._unit}/s\033[K")
        self._stream.flush()
        self._shown = True

    def of(self, done: int, last: int) -> None:
        """The same where how much there is comes to light on the way."""
        self._last = last
        self("copy", done)

    def end(self) -> None:
        """Take the line away, before something else is printed."""
        if self._stream is not None and self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()
