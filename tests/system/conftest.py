"""What the tests of the whole system share: the release of Debian, its package, and boxes with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.boxes import Box
from tests.system.packages import built, installed

SUITES = ("bookworm", "trixie")


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    """Debian 12 and Debian 13."""
    name: str = request.param
    return name


@pytest.fixture
def package(suite: str) -> Path:
    """The package for it."""
    return built(suite)


@pytest.fixture
def box(suite: str, package: Path) -> Iterator[Box]:
    """A box in which chargerd was installed by apt, as shipped, at its first boot since."""
    with Box(suite, package, layer=installed(suite)) as made:
        made.until(lambda: made.shows("ActiveState") == "active")
        yield made


@pytest.fixture
def home(box: Box) -> Box:
    """The same with a plug, a person's wish, and a charge that runs."""
    box.charging()
    return box
