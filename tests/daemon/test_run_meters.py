"""A whole daemon with an inverter: its channels are asked for, read on demand, and stand in status with their ages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.test_run import House

ROOF = """
[device.roof]
driver = "replayed"
path = "{path}"
repeat = true
poll_s = 1
poll_fast_s = 1

[meter.grid]
device = "roof"
channel = "meter1"
role = "grid"

[meter.pv]
device = "roof"
channel = "inverter"
role = "pv"

[storage.house]
device = "roof"
channel = "battery1"
"""
ROWS = "".join(
    f'{{"t_s": {second}, "reading": "meter", "channel": "meter1", "power_w": {-1200 - second}}}\n'
    f'{{"t_s": {second}, "reading": "meter", "channel": "inverter", "power_w": 4500, "status": "producing"}}\n'
    f'{{"t_s": {second}, "reading": "storage", "channel": "battery1", "power_w": -400, "soc_pct": 62}}\n'
    for second in range(60)
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The strip with its bike, and a roof that is played from a file."""
    house = House(tmp_path)
    (tmp_path / "roof.jsonl").write_text(ROWS)
    house.config.write_text(house.config.read_text() + ROOF.format(path=tmp_path / "roof.jsonl"))
    yield house
    house.close()


def test_an_inverter_is_read_on_demand_and_stands_in_status(house: House) -> None:
    """`chargerctl device read roof` answers with all three channels; status says what flows, and how old that is."""
    house.ready()
    read = house.ask("ReadDevice", name="roof")["parameters"]
    assert [row["address"] for row in read["readings"]] == ["roof/meter1", "roof/inverter", "roof/battery1"]
    assert read["readings"][2]["values"]["soc_pct"] == 62
    house.until(lambda: house.ask("GetStatus")["parameters"]["flows"]["house_w"] is not None)
    status = house.ask("GetStatus")["parameters"]
    flows = status["flows"]
    assert flows["grid_w"] <= -1200
    assert (flows["pv_w"], flows["storage_w"], flows["soc_pct"]) == (4900, -400, 62)
    assert flows["grid_age_s"] <= 5
    assert status["problems"] == []
