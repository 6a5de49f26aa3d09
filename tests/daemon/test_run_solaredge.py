"""A whole daemon on a simulated SolarEdge: what its registers say stands in status, and what they do not say is unknown."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.nrgkick import SimulatedGen2
from chargerd.sim.wire.solaredge import Meter, SimulatedSolarEdge
from tests.daemon.test_run import House
from tests.daemon.test_run_meters import METERS
from tests.sim.wire import garage as garages
from tests.sim.wire.modbus import running

SUNNY = """
[device.roof]
driver = "solaredge"
host = "127.0.0.1"
port = {port}
poll_s = 1
poll_fast_s = 1

[device.box]
driver = "nrgkick"
host = "{host}"
port = {box}
poll_s = 1
poll_fast_s = 1

[vehicle.id4]
max_phases = 1

[loadpoint.car]
charger = "box"
mode = "solar"
vehicle = "id4"
start_delay_s = 0
min_off_s = 1
"""


class GridMeter(Meter):
    """A meter that shows what the car takes as well: without it 3 kW go out."""

    shows_export = True
    box: SimulatedGen2
    car_sign = 1

    @property
    def import_w(self) -> Sequence[float]:  # type: ignore[override]  # here it is worked out, there it is set
        """On each phase."""
        cars_w = self.box.evse.powers()
        return [grid_w + self.car_sign * car_w for grid_w, car_w in zip((-1000, -1200, -800), cars_w, strict=True)]


@pytest.fixture
def box() -> Iterator[SimulatedGen2]:
    """An NRGkick with a one-phase car on it that takes what it is offered."""
    with garages.garage() as garage:
        yield garage.gen2(garage.evse(Car(phases=1)))


@pytest.fixture
def roof(box: SimulatedGen2) -> Iterator[SimulatedSolarEdge]:
    """An inverter with a meter, and a battery that is charged with 1.5 kW."""
    with running(SimulatedSolarEdge()) as made:
        meter = GridMeter()
        meter.box = box
        made.meters = [meter]
        yield made


@pytest.fixture
def house(tmp_path: Path, roof: SimulatedSolarEdge, box: SimulatedGen2) -> Iterator[House]:
    """A daemon that knows both."""
    house = House(tmp_path)
    house.config.write_text(SUNNY.format(port=roof.port, host=box.host, box=box.port) + METERS)
    yield house
    house.close()


def status(house: House) -> dict[str, Any]:
    """What `chargerctl status --json` prints."""
    reply: dict[str, Any] = house.ask("GetStatus")["parameters"]
    return reply


def charging(box: SimulatedGen2) -> bool:
    """Whether the car takes anything."""
    return box.evse.power_w() > 0


def read(house: House) -> dict[str, Any]:
    """The same, once everything was read."""
    house.until(lambda: status(house)["flows"]["surplus_w"] is not None)
    return status(house)


def test_status_shows_what_the_registers_say(house: House) -> None:
    """S1-01: W, % and °C to the digit, out of scale factors and of floats with the low word first."""
    house.ready()
    reply = read(house)
    grid, pv = reply["meters"]
    (battery,) = reply["storages"]
    assert (grid["power_w"], grid["power_l1_w"], grid["power_l2_w"], grid["power_l3_w"]) == (-3000, -1000, -1200, -800)
    assert (grid["import_wh"], grid["export_wh"]) == (4_321_000, 9_876_000)
    assert (pv["power_w"], pv["dc_power_w"], pv["temperature_c"], pv["status"]) == (3456, 3520, 41.25, "producing")
    assert (battery["power_w"], battery["soc_pct"], battery["soh_pct"]) == (-1500.5, 64.5, 98)
    assert (battery["temperature_c"], battery["capacity_wh"], battery["status"]) == (23.5, 9312, "charging")
    assert reply["flows"]["pv_w"] == pytest.approx(3456 + 1500.5)
    (roof,) = [d for d in house.ask("GetDevices")["parameters"]["devices"] if d["name"] == "roof"]
    assert [channel["text"] for channel in roof["channels"]] == [
        "exporting 3.0 kW", "3.5 kW, 41 °C, producing", "64 %, charging 1.5 kW, 24 °C"
    ]  # fmt: skip


@pytest.mark.parametrize("absent", [0x7FC00000, 0xFF7FFFFF, 0x7F7FFFFF, 0xFFFFFFFF])
def test_what_a_register_does_not_know_is_unknown_and_the_rest_counts(
    house: House, roof: SimulatedSolarEdge, absent: int
) -> None:
    """S1-02: NaN, ±FLT_MAX and 0xFFFFFFFF of the battery, 0x8000 of the inverter: null, and surplus is known all the same."""
    (battery,) = roof.batteries
    assert battery is not None
    battery.absent, battery.soc_pct, battery.temperature_c = absent, None, None
    roof.inverter.temperature_c = None
    house.ready()
    reply = read(house)
    (storage,) = reply["storages"]
    assert (storage["power_w"], storage["soc_pct"], storage["temperature_c"]) == (-1500.5, None, None)
    assert reply["meters"][1]["temperature_c"] is None
    assert reply["flows"]["surplus_w"] is not None
    assert "Traceback" not in house.journal()


def test_a_charge_outlives_a_battery_that_says_nothing_for_a_while(
    house: House, roof: SimulatedSolarEdge, box: SimulatedGen2
) -> None:
    """S1-02: its power is not said, then its block is missing: the car is paused with the reason, and goes on by itself."""
    house.ready()
    house.until(lambda: charging(box))
    (battery,) = roof.batteries
    assert battery is not None
    for missing in (False, True):
        battery.discharge_w = None
        roof.batteries = [None if missing else battery]
        house.until(lambda: status(house)["loadpoints"][0]["reason"]["code"] == "sun-unknown")
        house.until(lambda: not charging(box))
        assert status(house)["storages"][0]["power_w"] is None
        house.until(lambda: any(problem["subject"] == "house" for problem in status(house)["problems"]))
        battery.discharge_w, roof.batteries = -1500.5, [battery]
        house.until(lambda: charging(box))
    assert "Traceback" not in house.journal()


def test_another_program_that_takes_the_only_connection_stops_the_sun_and_nothing_else(
    house: House, roof: SimulatedSolarEdge, box: SimulatedGen2
) -> None:
    """S1-03: with sun it pauses, slowly it charges, and when the other has gone it goes on with sun by itself."""
    aged = house.config.read_text().replace("poll_fast_s = 1\n", "poll_fast_s = 1\nmax_age_s = 5\n", 1)
    house.config.write_text(aged)
    house.ready()
    house.until(lambda: charging(box))
    roof.behaviour.kicks = True
    before = roof.server.connections
    with socket.create_connection((roof.host, roof.port)) as other:
        house.until(lambda: roof.server.connections > before)
        roof.behaviour.kicks = False
        house.until(lambda: roof.server.refused > 0)
        house.until(lambda: status(house)["loadpoints"][0]["reason"]["code"] == "sun-unknown" and not charging(box))
        assert "error" not in house.ask("SetMode", name="car", mode="slow")
        house.until(lambda: charging(box) and box.evse.offered_a == 6)
        assert "error" not in house.ask("SetMode", name="car", mode="solar")
        house.until(lambda: not charging(box))
        other.setblocking(False)
        with pytest.raises(BlockingIOError):  # still there, and nobody has told it anything
            other.recv(1)
    house.until(lambda: charging(box))
    assert status(house)["loadpoints"][0]["mode"] == "solar"
    assert "Traceback" not in house.journal()


def lines(house: House, name: str) -> list[str]:
    """What the journal says of a meter or house battery."""
    return [line.partition("  ")[0] for line in house.journal().splitlines() if f">{name}: " in line]


def test_a_meter_that_is_missing_behind_an_inverter_that_answers_has_a_line_and_one_when_it_is_back(
    house: House, roof: SimulatedSolarEdge, box: SimulatedGen2
) -> None:
    """Its cable is off: one line says what, what it means and where to look; a restart does not say it again."""
    aged = house.config.read_text().replace("poll_fast_s = 1\n", "poll_fast_s = 1\nmax_age_s = 5\n", 1)
    house.config.write_text(aged)
    process = house.ready()
    house.until(lambda: charging(box))
    meters, roof.meters = roof.meters, []
    house.until(lambda: lines(house, "grid"), 40)
    house.until(lambda: not charging(box))
    (lost,) = lines(house, "grid")
    assert lost == (
        "<4>grid: is read, and does not say its power; surplus is not known; car paused; "
        "look: chargerctl device read roof"
    )
    process.kill()
    process.wait(60)
    house.ready()
    house.until(lambda: any(problem["subject"] == "grid" for problem in status(house)["problems"]))
    log_length = house.ask_log_length()
    house.until(lambda: house.ask_log_length() > log_length + 40)
    roof.meters = meters
    house.until(lambda: len(lines(house, "grid")) > 1, 40)
    house.until(lambda: charging(box))
    (lost, back) = lines(house, "grid")
    assert back.startswith("<5>grid: believed again after ")
    assert "roof: no answer" not in house.journal()
    told = house.ask("GetLog", types=["lost", "back"])["parameters"]["entries"]
    assert [(row["type"], row["subject"]) for row in told] == [("lost", "grid"), ("back", "grid")]


def test_a_meter_that_is_mounted_the_wrong_way_round_has_a_line_that_says_so(
    house: House, roof: SimulatedSolarEdge, box: SimulatedGen2
) -> None:
    """It says less when the car takes more. Turned, it is believed from the next step on, and the journal says that too."""
    aged = house.config.read_text().replace("poll_fast_s = 1\n", "poll_fast_s = 1\nmax_age_s = 5\n", 1)
    house.config.write_text(aged)
    (meter,) = roof.meters
    assert isinstance(meter, GridMeter)
    meter.car_sign = -1
    house.ready()
    house.until(lambda: lines(house, "grid"))
    (lost,) = lines(house, "grid")
    assert "it counts the wrong way round: `invert` of its [meter]; surplus is not known" in lost
    house.until(lambda: not charging(box))
    log_length = house.ask_log_length()
    house.until(lambda: house.ask_log_length() > log_length + 20)  # both are read without the car
    meter.car_sign = 1
    assert "error" not in house.ask("SetMode", name="car", mode="slow")
    house.until(lambda: charging(box))
    house.until(lambda: len(lines(house, "grid")) > 1)
    assert lines(house, "grid")[1].startswith("<5>grid: believed again after ")
