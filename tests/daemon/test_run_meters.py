"""A whole daemon with an inverter: its channels are asked for, read on demand, and stand in status with their ages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chargerd.sim.wire.solaredge import Inverter, SimulatedSolarEdge
from tests.daemon.test_run import House
from tests.sim.wire.modbus import running

METERS = """
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
ROOF = """
[device.roof]
driver = "replayed"
path = "{path}"
repeat = true
poll_s = 1
poll_fast_s = 1
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
    house.config.write_text(house.config.read_text() + ROOF.format(path=tmp_path / "roof.jsonl") + METERS)
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


PAIR = """
[device.leader]
driver = "solaredge"
host = "127.0.0.1"
port = {port}
poll_s = 1
poll_fast_s = 1

[device.follower]
driver = "solaredge"
host = "127.0.0.1"
port = {port}
unit = 2
poll_s = 1
poll_fast_s = 1

[meter.east]
device = "leader"
channel = "inverter"
role = "pv"

[meter.west]
device = "follower"
channel = "inverter"
role = "pv"
"""


def test_a_leader_and_its_follower_are_read_on_one_connection(tmp_path: Path) -> None:
    """SolarEdge serves one client: both inverters are read all the same, and one that sleeps does not hurt the other."""
    leader, follower = SimulatedSolarEdge(), SimulatedSolarEdge()
    leader.batteries = follower.batteries = []
    follower.meters, follower.inverter = [], Inverter(power_w=1234.0)
    leader.server.also(2, follower)
    with running(leader):
        house = House(tmp_path)
        house.config.write_text(house.config.read_text() + PAIR.format(port=leader.port))
        try:
            house.ready()
            house.until(lambda: house.ask("GetStatus")["parameters"]["flows"]["pv_w"] == 3456 + 1234)
            leader.behaviour.gone = {2}
            east = house.ask("ReadDevice", name="leader")["parameters"]
            assert east["readings"][0]["values"]["power_w"] == 3456
            house.until(lambda: "error" in house.ask("ReadDevice", name="follower"))
            assert (leader.server.connections, leader.server.refused) == (1, 0)
        finally:
            house.close()
