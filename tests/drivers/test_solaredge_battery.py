"""SolarEdge's own block of a battery: word order, numbers that stand for none, signs, words."""

from __future__ import annotations

import pytest

from chargerd.drivers import solaredge_battery as battery
from chargerd.model.events import StorageRead
from chargerd.sim.wire.solaredge import HouseBattery


def told(device: HouseBattery) -> StorageRead:
    """The reading of its registers, as the two requests cut them out."""
    words = device.registers()
    return battery.reading("battery1", words[: battery.INFO_COUNT], words[battery.DATA_OFFSET :][: battery.DATA_COUNT])


def test_every_value_of_a_battery_that_charges() -> None:
    """S1-01: to the digit; SolarEdge counts charging as positive, we discharging."""
    assert told(HouseBattery()) == StorageRead(
        channel="battery1",
        power_w=-1500.5,
        soc_pct=64.5,
        soh_pct=98.0,
        capacity_wh=9312.0,
        max_charge_w=5000.0,
        max_discharge_w=4600.0,
        charged_wh=5_000_000_000.0,
        discharged_wh=4_700_000_000.0,
        temperature_c=23.5,
        status="charging",
    )


def test_the_registers_of_a_float_come_with_the_low_word_first() -> None:
    """S1-01: 1500.5 W (charging) at 0xE174 is 0x9000, 0x44BB. Read the other way round it would be -4.8 × 10^-29."""
    words = HouseBattery().registers()
    assert words[0x74:0x76] == [0x9000, 0x44BB]
    assert battery.real(words, 0x74) == 1500.5


@pytest.mark.parametrize("absent", [0x7FC00000, 0xFF7FFFFF, 0x7F7FFFFF, 0xFFFFFFFF])
def test_each_number_that_stands_for_none_is_none(absent: int) -> None:
    """S1-02: NaN, the largest float of either sign, all ones. A battery whose line is down answers nothing else."""
    lost = HouseBattery(
        absent=absent,
        discharge_w=None,
        soc_pct=None,
        soh_pct=None,
        temperature_c=None,
        full_wh=None,
        max_charge_w=None,
        max_discharge_w=None,
        charged_wh=None,
        discharged_wh=None,
        status=None,
    )
    assert told(lost) == StorageRead(channel="battery1", capacity_wh=9700.0)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("off", "off"),
        ("standby", "standby"),
        ("starting", "starting"),
        ("charging", "charging"),
        ("discharging", "discharging"),
        ("fault", "fault"),
        ("preserving", "preserving"),
        ("idle", "idle"),
        ("saving", "standby"),
    ],
)
def test_each_status_has_its_word(status: str, word: str) -> None:
    """0 to 7, and 10."""
    assert told(HouseBattery(status=status)).status == word


def test_a_status_nobody_knows_is_none() -> None:
    """A new firmware says 42."""
    words = HouseBattery().registers()
    words[0x86] = 42
    reading = battery.reading("battery1", words[:68], words[68:154])
    assert (reading.status, reading.power_w) == (None, -1500.5)


def test_a_battery_that_is_off_has_no_power() -> None:
    """S1-02: then its power register keeps what it was last."""
    assert told(HouseBattery(status="off", discharge_w=1500.0)).power_w is None


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("soc_pct", 100.5, "soc_pct"),
        ("soc_pct", -3.0, "soc_pct"),
        ("soh_pct", 4e9, "soh_pct"),
        ("discharge_w", 1e6, "power_w"),
        ("temperature_c", 300.0, "temperature_c"),
        ("max_charge_w", -1e7, "max_charge_w"),
        ("charged_wh", 0, "charged_wh"),
    ],
)
def test_what_no_battery_can_say_is_not_believed(key: str, value: float, field: str) -> None:
    """S1-02: out of its range is unknown, and the other values stay."""
    reading = told(HouseBattery(**{key: value}))
    assert getattr(reading, field) is None
    assert reading.max_discharge_w == 4600.0


def test_no_power_is_not_minus_nothing() -> None:
    """0 W turned round is 0 W."""
    assert str(told(HouseBattery(discharge_w=0.0)).power_w) == "0.0"


def test_a_battery_that_is_not_there_is_told_by_its_number() -> None:
    """S1-02: 255, or none. A capacity of NaN is a battery whose line is down: it is there, and holds nobody knows what."""
    assert battery.is_there(HouseBattery().registers())
    assert not battery.is_there(HouseBattery(connected=False).registers())
    assert not battery.is_there([0xFFFF] * battery.INFO_COUNT)
    for absent in (0x7FC00000, 0x7F7FFFFF):
        lost = HouseBattery(rated_wh=None, full_wh=None, absent=absent)
        assert battery.is_there(lost.registers())
        assert told(lost).capacity_wh is None
