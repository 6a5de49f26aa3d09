"""Simulated SunSpec devices, read by pysunspec2, which knows nothing of chargerd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from chargerd.sim.wire.sunspec import Battery, Inverter, Meter, SimulatedSunSpec
from tests.sim.wire.modbus import running


@contextmanager
def scanned(device: Any) -> Iterator[dict[Any, Any]]:
    """The models of a device as pysunspec2 finds them, by number and by name."""
    client = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr=device.host, ipport=device.port, timeout=2)
    try:
        client.scan()
        yield client.models
    finally:
        client.close()


def values(model: Any) -> dict[str, Any]:
    """What pysunspec2 takes for a value: scaled, and None where the device has none."""
    return {name: point.cvalue for name, point in model.points.items()}


@pytest.mark.parametrize("base", [40000, 50000, 0])
def test_the_chain_is_found_at_each_of_its_three_places(base: int) -> None:
    """pysunspec2 finds model, maker and serial number."""
    with running(SimulatedSunSpec(base=base)) as device, scanned(device) as models:
        assert values(models[1][0])["Mn"] == "Acme"
        assert values(models[1][0])["SN"] == "S0001"
        assert models[103][0].model_len == 50


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_an_inverter_in_whole_numbers(phases: int) -> None:
    """Models 101 to 103, every value with its own scale factor."""
    device = SimulatedSunSpec()
    device.inverter = Inverter(phases=phases, power_w=-412.7, dc_power_w=1033.4, exponents={"W": -1})
    with running(device), scanned(device) as models:
        told = values(models[100 + phases][0])
    assert (told["W"], told["DCW"], told["Hz"], told["WH"]) == (-412.7, 1033.4, 50.02, 12_345_678)
    assert (told["TmpSnk"], told["St"], told["TmpCab"], told["VA"]) == (41.25, 4, None, None)
    assert [told[f"Aph{phase}"] for phase in "ABC"] == [5.01, 5.02, 5.03][:phases] + [None] * (3 - phases)
    assert [told[f"PhVph{phase}"] for phase in "ABC"] == [229.8, 230.1, 230.4][:phases] + [None] * (3 - phases)


def test_an_inverter_in_floats_and_in_the_newer_model() -> None:
    """Models 113 and 701 say the same as 103."""
    device = SimulatedSunSpec()
    device.ways = ["float_block", "der_block"]
    with running(device), scanned(device) as models:
        floats, newer = values(models[113][0]), values(models[701][0])
    assert (floats["W"], floats["DCW"], floats["WH"], floats["TmpSnk"], floats["St"]) == (
        3456,
        3520,
        12_345_678,
        41.25,
        4,
    )
    assert floats["Hz"] == pytest.approx(50.02)
    assert floats["VA"] is None
    assert (newer["W"], newer["Hz"], newer["TotWhInj"], newer["TotWhAbs"], newer["InvSt"]) == (
        3456,
        50.02,
        12_345_678,
        None,
        3,
    )
    assert [newer[f"WL{phase}"] for phase in (1, 2, 3)] == [1152, 1152, 1152]
    assert [newer[f"AL{phase}"] for phase in (1, 2, 3)] == [5.01, 5.02, 5.03]
    assert [newer[f"VL{phase}"] for phase in (1, 2, 3)] == [229.8, 230.1, 230.4]


def test_inputs_of_an_inverter() -> None:
    """Model 160: each by its name."""
    device = SimulatedSunSpec()
    device.inverter = Inverter(inputs={"MPPT 1": 1700.0, "MPPT 2": None, "StCha 3": 0.0})
    with running(device), scanned(device) as models:
        modules = [{n: p.cvalue for n, p in module.points.items()} for module in models[160][0].groups["module"]]
    assert [(m["IDStr"], m["DCW"]) for m in modules] == [("MPPT 1", 1700), ("MPPT 2", None), ("StCha 3", 0)]


def test_a_meter_both_ways() -> None:
    """Models 203 and 213: four powers, two counters."""
    device = SimulatedSunSpec()
    device.meters = [Meter()]
    with running(device), scanned(device) as models:
        whole = values(models[203][0])
    device.meter_way = "float_block"
    with running(device), scanned(device) as models:
        floats = values(models[213][0])
    for told in (whole, floats):
        assert [told[name] for name in ("W", "WphA", "WphB", "WphC")] == [1000, 300, -120, 820]
        assert (told["TotWhExp"], told["TotWhImp"]) == (9_876_000, 4_321_000)
        assert [told[f"PhVph{phase}"] for phase in "ABC"] == pytest.approx([229.8, 230.1, 230.4])
        assert told["Hz"] == pytest.approx(50.02)


def test_a_battery_in_three_models() -> None:
    """Models 124, 713 and 802 agree on what they all tell."""
    device = SimulatedSunSpec()
    device.batteries = [Battery(soc_pct=31.5, status="charging")]
    device.battery_ways = ["basic_block", "der_block", "bank_block"]
    with running(device), scanned(device) as models:
        basic, newer, bank = (values(models[number][0]) for number in (124, 713, 802))
    assert (basic["ChaState"], newer["SoC"], bank["SoC"]) == (31.5, 31.5, 31.5)
    assert (basic["ChaSt"], bank["ChaSt"], bank["State"], newer["Sta"]) == (4, 4, 3, 0)
    assert (newer["SoH"], bank["SoH"], newer["WHRtg"], bank["WHRtg"], bank["W"]) == (98, 98, 9700, 9700, 1500)
    assert (bank["WChaRteMax"], bank["WDisChaRteMax"], basic["WChaMax"]) == (5000, 4600, 5000)


def test_a_value_that_does_not_fit_is_a_mistake_of_whoever_set_it() -> None:
    """3520.0 W in tenths is more than a register of 16 bits with a sign holds."""
    device = SimulatedSunSpec()
    device.inverter = Inverter(exponents={"W": -1})
    with pytest.raises(OverflowError):
        device.image()
