"""A whole daemon and its notices to a service manager."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.test_run import House
from tests.patience import until


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The strip with its bike."""
    house = House(tmp_path)
    yield house
    house.close()


def test_a_service_manager_that_does_not_listen_stops_nothing(house: House) -> None:
    """Its queue of ten notices is full: what is asked is done all the same, and so is an orderly end."""
    process = house.ready()
    for _ in range(12):
        assert "error" not in house.ask("ReadDevice", name="shed")
    house.ask("SetMode", name="bike", mode="fast")
    until(house.on, house.journal)
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0
