"""The SunSpec driver against simulated devices over real Modbus TCP on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.drivers.sunspec import LONGEST_CHAIN, Driver
from chargerd.sim.wire.sunspec import Battery, Inverter, Meter, SimulatedSunSpec, common
from tests.drivers.test_solaredge import by_channel
from tests.sim.wire.modbus import running

Connect = Callable[..., Driver]


@pytest.fixture
def device() -> Iterator[SimulatedSunSpec]:
    """A running device with an inverter, a meter and a battery."""
    made = SimulatedSunSpec()
    made.meters, made.batteries = [Meter()], [Battery()]
    with running(made):
        yield made


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes drivers called "sun"; closes them at the end."""
    made: list[Driver] = []

    def make(device: SimulatedSunSpec, *channels: str, **keys: Any) -> Driver:
        config = Driver.Config(driver="sunspec", host=device.host, port=device.port, timeout_s=1.5, **keys)
        made.append(Driver("sun", config, channels, {}))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.mark.parametrize("base", [40000, 50000, 0])
def test_the_chain_is_found_at_each_of_its_three_places(connect: Connect, base: int) -> None:
    """S1-01: and what is there is read."""
    made = SimulatedSunSpec(base=base)
    made.meters = [Meter()]
    with running(made):
        driver = connect(made)
        told = by_channel(driver.read())
        assert driver.describe().model == "Acme Sun 5"
    assert (told["inverter"].power_w, told["meter1"].power_w) == (3456.0, 1000.0)


@pytest.mark.parametrize("way", ["block", "float_block", "der_block"])
def test_an_inverter_says_the_same_in_each_of_its_models(device: SimulatedSunSpec, connect: Connect, way: str) -> None:
    """S1-01: whole numbers with scale factors, floats, and the newer 701 with its counters of 64 bits."""
    device.ways = [way]
    told = by_channel(connect(device, "inverter").read())["inverter"]
    assert (told.power_w, told.export_wh, told.status, told.temperature_c) == (3456.0, 12_345_678.0, "producing", 41.25)
    assert told.frequency_hz == pytest.approx(50.02)
    assert [told.current_l1_a, told.current_l2_a, told.current_l3_a] == pytest.approx([5.01, 5.02, 5.03])
    assert [told.voltage_l1_v, told.voltage_l2_v, told.voltage_l3_v] == pytest.approx([229.8, 230.1, 230.4])
    assert told.dc_power_w == (None if way == "der_block" else 3520.0)
    assert told.power_l2_w == (1152.0 if way == "der_block" else None)


@pytest.mark.parametrize("way", ["block", "float_block", "der_block"])
def test_an_inverter_of_one_phase_at_night_says_nothing_it_does_not_know(
    device: SimulatedSunSpec, connect: Connect, way: str
) -> None:
    """S1-02: every sentinel of every type is None."""
    device.ways, device.inverter = [way], Inverter(phases=1)
    device.inverter.sleep()
    told = by_channel(connect(device, "inverter").read())["inverter"]
    known = {name: getattr(told, name) for name in told.__struct_fields__ if getattr(told, name) is not None}
    assert known == {"channel": "inverter", "export_wh": 12_345_678.0, "status": "sleeping"}


@pytest.mark.parametrize("way", ["block", "float_block"])
def test_a_meter_is_read_as_import(device: SimulatedSunSpec, connect: Connect, way: str) -> None:
    """S1-01: in whole numbers and in floats."""
    device.meter_way = way
    told = by_channel(connect(device, "meter1").read())["meter1"]
    assert (told.power_w, told.power_l2_w, told.import_wh, told.export_wh) == (1000.0, -120.0, 4_321_000.0, 9_876_000.0)


def test_three_meters_and_two_batteries_keep_their_order(device: SimulatedSunSpec, connect: Connect) -> None:
    """In the order of the chain."""
    device.meters = [Meter(import_w=(number, 0, 0), serial=f"M{number}") for number in (1, 2, 3)]
    device.batteries = [Battery(soc_pct=11.0), Battery(soc_pct=22.0, status="charging")]
    device.battery_ways = ["bank_block"]
    told = by_channel(connect(device).read())
    assert list(told) == ["inverter", "meter1", "meter2", "meter3", "battery1", "battery2"]
    assert [told[f"meter{number}"].power_w for number in (1, 2, 3)] == [1, 2, 3]
    assert [(told[name].soc_pct, told[name].power_w) for name in ("battery1", "battery2")] == [(11, 1500), (22, -1500)]


def test_a_battery_is_read_out_of_all_its_models(device: SimulatedSunSpec, connect: Connect) -> None:
    """124 alone knows no capacity; with 802 beside it all is there."""
    told = by_channel(connect(device, "battery1").read())["battery1"]
    assert (told.soc_pct, told.max_charge_w, told.status, told.capacity_wh) == (64.5, 5000.0, "discharging", None)
    device.server.drop_clients()
    device.battery_ways = ["basic_block", "bank_block"]
    told = by_channel(connect(device, "battery1").read())["battery1"]
    assert (told.soc_pct, told.capacity_wh, told.max_discharge_w, told.power_w) == (64.5, 9700.0, 4600.0, 1500.0)


@pytest.mark.parametrize("ends", [True, False])
def test_a_chain_ends_with_its_mark_or_without(device: SimulatedSunSpec, connect: Connect, ends: bool) -> None:
    """Some devices just have no more registers."""
    device.ends = ends
    assert set(by_channel(connect(device).read())) == {"inverter", "meter1", "battery1"}


def test_models_nobody_reads_are_passed_over(device: SimulatedSunSpec, connect: Connect) -> None:
    """A model of the maker's own between the others."""
    blocks = device.blocks
    device.blocks = lambda: [blocks()[0], [64999, 3, 1, 2, 3], *blocks()[1:]]
    assert by_channel(connect(device, "meter1").read())["meter1"].power_w == 1000.0


def test_a_chain_that_does_not_end_is_given_up(device: SimulatedSunSpec, connect: Connect) -> None:
    """Garbage that happens to begin with the mark cannot keep us for ever."""
    device.blocks = lambda: [[7, 1, 0]] * (LONGEST_CHAIN + 1)
    with pytest.raises(UnexpectedAnswer, match="does not end"):
        connect(device).read()


def test_what_is_not_there_is_named_with_what_is(device: SimulatedSunSpec, connect: Connect) -> None:
    """A channel that the device does not have, and a device that is no SunSpec device."""
    with pytest.raises(UnexpectedAnswer, match=r"sun has no channel 'meter2'; it has inverter, meter1, battery1$"):
        connect(device, "inverter", "meter2").describe()
    device.base = 100
    with pytest.raises(UnexpectedAnswer, match="no SunSpec device: no mark at 40000, 50000, 0"):
        connect(device, "inverter").read()


def test_nothing_but_a_meter_is_fine(connect: Connect) -> None:
    """A meter with an address of its own, as Fronius has it: unit 240, no inverter."""
    made = SimulatedSunSpec(unit=240)
    made.inverter, made.meters = None, [Meter()]
    with running(made):
        driver = connect(made, "meter1", unit=240)
        assert driver.describe().channels == {"meter1": "S0001:203@40136"}
        assert [reading.channel for reading in driver.read()] == ["meter1"]


def test_fifty_readings_need_one_connection_and_a_night_costs_none(device: SimulatedSunSpec, connect: Connect) -> None:
    """S1-03: as with SolarEdge."""
    driver = connect(device)
    for _ in range(50):
        driver.read()
    assert (device.server.connections, device.server.refused) == (1, 0)
    device.stop()
    with pytest.raises(Unreachable):
        driver.read()
    device.start()
    driver.read()
    assert device.server.refused == 0


def test_a_common_block_that_is_short_is_read_as_far_as_it_goes(device: SimulatedSunSpec, connect: Connect) -> None:
    """A length of 64 as some have it, 65 with a filling register as others."""
    blocks = device.blocks
    short = common("Acme", "Sun 4", "1", "S4")[2:-1]
    device.blocks = lambda: [[1, 64, *short], *blocks()[1:]]
    added = connect(device, "inverter").describe()
    assert (added.model, added.device_id) == ("Acme Sun 4", "S4")


@pytest.mark.parametrize("host", ["192.0.2.20:1502", "http://inverter", "inverter:502", ""])
def test_an_address_with_a_port_in_it_is_refused(host: str) -> None:
    """It would be looked up as a name that nobody has, for ever."""
    with pytest.raises(ValidationError):
        Driver.Config(driver="sunspec", host=host)


@pytest.mark.parametrize("host", ["192.0.2.20", "inverter.local", "fe80::1", "2001:db8::1:2", "::1"])
def test_an_address_of_either_generation_is_taken(host: str) -> None:
    """IPv6 has colons of its own."""
    assert Driver.Config(driver="sunspec", host=host).host == host
