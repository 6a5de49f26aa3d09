"""What SunSpec blocks mean: signs, words, and what of several models counts."""

from __future__ import annotations

import pytest

from chargerd.drivers import sunspec_readings as readings
from chargerd.drivers.sunspec_models import Block
from chargerd.sim.wire.sunspec import Battery, Inverter, Meter


def block(words: list[int]) -> Block:
    """A block by its own number."""
    return Block(words[0], words)


@pytest.mark.parametrize(
    "status", ["off", "sleeping", "starting", "producing", "throttled", "shutting-down", "fault", "standby"]
)
def test_each_status_has_its_word(status: str) -> None:
    """The same eight words from the older models and from 701, which counts from 0."""
    sun = Inverter(status=status)
    for words in (sun.block(), sun.float_block(), sun.der_block()):
        assert readings.inverter("inverter", block(words)).status == status


def test_a_status_nobody_knows_is_none() -> None:
    """A new firmware says 42."""
    words = Inverter().block()
    words[38] = 42
    assert readings.inverter("inverter", block(words)).status is None


@pytest.mark.parametrize(
    ("export_is_positive", "power_w", "phase_2_w"), [(False, 1000.0, -120.0), (True, -1000.0, 120.0)]
)
def test_a_meter_is_read_as_import_whichever_way_it_counts(
    export_is_positive: bool, power_w: float, phase_2_w: float
) -> None:
    """The sign of powers is the maker's; counters are named and need none."""
    told = readings.meter("meter1", block(Meter().block()), export_is_positive=export_is_positive)
    assert (told.power_w, told.power_l2_w, told.import_wh, told.export_wh) == (power_w, phase_2_w, 4_321_000, 9_876_000)


def test_no_power_is_not_minus_nothing() -> None:
    """0 W turned round is 0 W: "-0" would be shown."""
    told = readings.meter("meter1", block(Meter(total_w=0.0).block()), export_is_positive=True)
    assert str(told.power_w) == "0.0"


def test_inputs_stand_in_for_the_power_from_the_panels() -> None:
    """An inverter that does not tell its DC power but its inputs'; what goes into the battery is taken off."""
    sun = Inverter(dc_power_w=None, inputs={"MPPT 1": 1700.0, "MPPT 2": 900.0, "StCha 3": 600.0, "StDisCha 4": 0.0})
    assert readings.inverter("inverter", block(sun.block()), block(sun.inputs_block())).dc_power_w == 2000.0
    sun.dc_power_w = 1990.0
    assert readings.inverter("inverter", block(sun.block()), block(sun.inputs_block())).dc_power_w == 1990.0
    sun = Inverter(dc_power_w=None, inputs={"1": None, "2": None})
    assert readings.inverter("inverter", block(sun.block()), block(sun.inputs_block())).dc_power_w is None


def test_a_battery_among_the_inputs_tells_its_power() -> None:
    """Fronius hybrids: charging and discharging are an input each."""
    sun = Inverter(inputs={"MPPT 1": 1700.0, "StCha 3": 0.0, "StDisCha 4": 812.0})
    battery = Battery(status="discharging")
    blocks = {124: block(battery.basic_block()), 160: block(sun.inputs_block())}
    told = readings.storage("battery1", blocks)
    assert (told.power_w, told.soc_pct, told.max_charge_w, told.status) == (812.0, 64.5, 5000.0, "discharging")
    sun.inputs = {"MPPT 1": 1700.0, "StCha 3": 640.0, "StDisCha 4": 0.0}
    assert readings.storage("battery1", blocks | {160: block(sun.inputs_block())}).power_w == -640.0
    sun.inputs = {"MPPT 1": 1700.0, "StCha 3": None, "StDisCha 4": 0.0}
    assert readings.storage("battery1", blocks | {160: block(sun.inputs_block())}).power_w is None


@pytest.mark.parametrize(
    ("status", "power_w", "word"),
    [
        ("discharging", 1500.0, "discharging"),
        ("charging", -1500.0, "charging"),
        ("holding", None, "preserving"),
        ("testing", None, None),
        (None, None, None),
    ],
)
def test_a_bank_s_power_has_the_direction_of_its_status(
    status: str | None, power_w: float | None, word: str | None
) -> None:
    """Model 802 says "to or from": without a status that tells which, the power is unknown."""
    told = readings.storage("battery1", {802: block(Battery(status=status).bank_block())})
    assert (told.power_w, told.status) == (power_w, word)


def test_a_resting_bank_gives_nothing() -> None:
    """0 W needs no direction."""
    assert readings.storage("battery1", {802: block(Battery(discharge_w=0.0, status="full").bank_block())}).power_w == 0


def test_of_several_models_the_fullest_counts_first() -> None:
    """802 before 713 before 124, value by value."""
    bank, newer, basic = Battery(soh_pct=None), Battery(soc_pct=1.0, soh_pct=97.0), Battery(soc_pct=2.0)
    blocks = {124: block(basic.basic_block()), 713: block(newer.der_block()), 802: block(bank.bank_block())}
    told = readings.storage("battery1", blocks)
    assert (told.soc_pct, told.soh_pct, told.capacity_wh, told.max_discharge_w) == (64.5, 97.0, 9700.0, 4600.0)


@pytest.mark.parametrize("way", ["der_block", "bank_block"])
def test_a_fault_is_a_fault(way: str) -> None:
    """Whichever model says so."""
    words = getattr(Battery(fault=True), way)()
    assert readings.storage("battery1", {words[0]: block(words)}).status == "fault"
