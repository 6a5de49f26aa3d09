"""Lives: a whole daemon within a test, from its start to its end, and all that it says."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from chargerd.daemon.clock import Clock
from chargerd.daemon.journal import DETAIL, Journal
from chargerd.daemon.run import Places
from chargerd.daemon.secrets import Credentials
from chargerd.daemon.start import serve

LONGEST_S = 20.0
READY = "watches"
"""Part of the line that a daemon says when it has started."""


class Ear(StringIO):
    """A journal that tells the daemon to stop as soon as it hears certain words. A call may look round before that, or when
    it hears others.
    """

    def __init__(self, stop_at: str, look: Callable[[], None] | None = None, look_at: str | None = None) -> None:
        super().__init__()
        self._stop_at = stop_at
        self._look = look
        self._look_at = stop_at if look_at is None else look_at

    def write(self, text: str) -> int:
        """One line; runs on the main loop's thread, between two of its steps."""
        if self._look_at in text and self._look is not None:
            look, self._look = self._look, None
            look()
        if self._stop_at in text:
            signal.raise_signal(signal.SIGTERM)
        return super().write(text)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals and file mode as they were before, for a daemon sets them for its whole process."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers, mask = [signal.getsignal(number) for number in numbers], os.umask(0o022)
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # a daemon that is told to stop too early goes on, and the test with it
    try:
        yield
    finally:
        os.umask(mask)
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)


def live(
    folder: Path, stop_at: str = READY, look: Callable[[], None] | None = None, look_at: str | None = None
) -> tuple[int, str]:
    """A daemon lives in a folder until it says ``stop_at``, which must not take long; its exit status and its journal."""
    ear = Ear(stop_at, look, look_at)
    late: list[bool] = []

    def end() -> None:
        late.append(True)
        os.kill(os.getpid(), signal.SIGTERM)

    enough = threading.Timer(LONGEST_S, end)
    places = Places(folder / "state", folder / "run")
    journal = Journal(DETAIL, ear, under_systemd=True)
    with _undisturbed():
        enough.start()
        try:
            status = serve(folder / "chargerd.toml", places, Clock(), journal, Credentials(folder / "secrets"))
        finally:
            enough.cancel()
    assert not late, f"it did not say {stop_at!r} in {LONGEST_S} s:\n{ear.getvalue()}"
    return status, ear.getvalue()
