"""Fixtures: a bench for simulated devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.sim.wire.bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An empty table; what is put on it is stopped at the end."""
    with ExitStack() as stack:
        yield Bench(stack)
