"""Patience: how long tests wait for what other threads and processes do, and from when on they call something too slow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WAIT_S = 60  # a busy machine needs long for what takes an idle one an instant; only what never comes is a failure
SLACK = 5  # what waits for ever, or for somebody's default of many seconds, is still told from what is only late


def until(holds: Callable[[], object], otherwise: Callable[[], str] = str, look_s: float = 0.01) -> None:
    """Look every ``look_s`` seconds until something is so; fails with what ``otherwise`` says if that is never."""
    end_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end_s, f"not within {WAIT_S} s\n{otherwise()}"
        time.sleep(look_s)


@contextmanager
def within(limit_s: float) -> Iterator[None]:
    """What is inside may take so long on an idle machine; fails if it takes several times that."""
    begin_s = time.monotonic()
    yield
    assert time.monotonic() - begin_s < SLACK * limit_s
