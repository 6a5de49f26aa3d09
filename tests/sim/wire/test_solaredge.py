"""Simulated SolarEdge inverter, read by two independent clients.

pysunspec2 is asked here and now. solaredge-modbus 0.8.0 does not run on a pymodbus of today, so it was asked once, on pymodbus
3.6.9 in an environment of its own; tests/fixtures/solaredge keeps the registers that it was given and what it made of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chargerd.sim.wire.solaredge import HouseBattery, Inverter, Meter, SimulatedSolarEdge
from tests.sim.wire.modbus import running
from tests.sim.wire.test_sunspec import scanned, values

RECORDED = Path(__file__).parents[2] / "fixtures" / "solaredge" / "read_by_solaredge_modbus.json"


def recorded() -> dict[str, Any]:
    """Registers by their first address, and the values that solaredge-modbus read out of them."""
    content: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return content


def recorded_device() -> SimulatedSolarEdge:
    """The inverter as it stood when it was read."""
    device = SimulatedSolarEdge()
    device.inverter = Inverter(power_w=-412.7, dc_power_w=1033.4, exponents={"W": -1, "Wh": 0, "C": -2})
    away = Meter(shows_export=True, import_w=(-2000.0, -2100.0, -2200.0), place="Production", serial="M0002")
    device.meters = [Meter(shows_export=True, exponents={"W": -1}), away]
    second = HouseBattery(discharge_w=812.25, soc_pct=31.5, temperature_c=-4.5, status="discharging", serial="B0002")
    device.batteries = [HouseBattery(), second]
    return device


def test_registers_are_those_that_solaredge_modbus_has_read() -> None:
    """Not one of 779 registers has moved since."""
    registers = {
        int(start) + number: word
        for start, words in recorded()["registers"].items()
        for number, word in enumerate(words)
    }
    assert recorded_device().image() == registers
    assert len(registers) == 779


def test_solaredge_modbus_has_understood_them() -> None:
    """Powers, counters, percentages, with SolarEdge's signs: a meter shows export, a battery charging as positive."""
    told = recorded()["values"]
    inverter, meter, battery, second = (told[name] for name in ("inverter", "meter1", "battery1", "battery2"))
    assert (inverter["power_ac"], inverter["power_ac_scale"], inverter["status"]) == (-4127, -1, 4)
    assert (inverter["power_dc"], inverter["temperature"], inverter["temperature_scale"]) == (10334, 4125, -2)
    assert (meter["power"], meter["power_scale"], meter["c_option"]) == (-10000, -1, "Export+Import")
    assert (meter["export_energy_active"], meter["import_energy_active"]) == (9_876_000, 4_321_000)
    assert (battery["instantaneous_power"], battery["soe"], battery["soh"], battery["status"]) == (
        1500.5,
        64.5,
        98.0,
        3,
    )
    assert battery["lifetime_import_energy_counter"] == 5_000_000_000  # charged
    assert battery["lifetime_export_energy_counter"] == 4_700_000_000  # discharged
    assert (second["instantaneous_power"], second["average_temperature"], second["status"]) == (-812.25, -4.5, 4)


@pytest.mark.parametrize("inputs", [0, 2, 3])
def test_pysunspec2_finds_inverter_inputs_and_meters(inputs: int) -> None:
    """The chain holds together with and without the block of the inputs, which shifts all meters by 50 or 70 registers."""
    device = SimulatedSolarEdge()
    device.inverter.inputs = {str(number): 1000.0 + number for number in range(inputs)}
    device.meters = [Meter(shows_export=True), Meter(shows_export=True, serial="M0002")]
    with running(device), scanned(device) as models:
        assert values(models[103][0])["W"] == 3456
        assert [values(meter)["W"] for meter in models[203]] == [-1000, -1000]
        assert [values(whose)["SN"] for whose in models[1]] == ["7E0C1234", "M0001", "M0002"]
        shift = models[203][0].model_addr - 40188
        assert shift == {0: 0, 2: 50, 3: 70}[inputs]
        if inputs:
            assert [module.DCW.cvalue for module in models[160][0].groups["module"]] == [
                1000 + n for n in range(inputs)
            ]


def test_at_night_it_knows_its_counter_and_its_status() -> None:
    """A sleeping inverter marks all else as not there, scale factors too in some firmware."""
    device = SimulatedSolarEdge()
    device.inverter.sleep()
    with running(device), scanned(device) as models:
        told = values(models[103][0])
    assert (told["W"], told["DCW"], told["Hz"], told["AphA"], told["TmpSnk"]) == (None, None, None, None, None)
    assert (told["St"], told["WH"]) == (2, 12_345_678)
