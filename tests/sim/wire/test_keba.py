"""Simulated KEBA P30: keba-modbus-client reads and commands it; a plain client meets the maker's rules and a fail-safe that acts.

What a recorded station answers is in tests/drivers/test_keba.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymodbus.client import ModbusTcpClient
from python_keba_client.keba_modbus_client import CableState, ChargingState, KebaModbusClient

from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.keba import SimulatedKeba
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


@pytest.fixture
def box(garage: Garage) -> SimulatedKeba:
    """A station with a car that charges at 16 A on three phases."""
    return garage.keba(garage.evse(Car()))


@pytest.fixture
def client(box: SimulatedKeba) -> Iterator[ModbusTcpClient]:
    """pymodbus, connected."""
    made = ModbusTcpClient(box.host, port=box.port, timeout=2, retries=0)
    assert made.connect()
    yield made
    made.close()


def value(client: ModbusTcpClient, register: int) -> int:
    """What is in two registers."""
    answer = client.read_holding_registers(register, count=2, device_id=255)
    assert not answer.isError()
    high, low = answer.registers
    return high << 16 | low


def put(client: ModbusTcpClient, register: int, number: int) -> int:
    """Set a register: 0, or the code of the refusal."""
    answer = client.write_register(register, number, device_id=255)
    return answer.exception_code if answer.isError() else 0


def test_keba_modbus_client_reads_and_commands_it(box, garage):
    """The independent client of this station finds everything where it looks for it."""
    garage.now_s += 3600
    client = KebaModbusClient(address=box.host, port=box.port, timeout=2)
    try:
        told = client.todict()
        assert (told["chargingState"]["state"], told["cableState"]["state"]) == (
            ChargingState.CHARGING,
            CableState.PLUGGED_VEHICLE_LOCKED,
        )
        assert (told["firmwareVersion"], told["serialNumber"], told["RFIDcard"]) == ("3.10.51", 18416854, "00000000")
        assert (told["maxChargingCurrent"], told["maxSupportedCurrent"]) == (16, 16)
        assert (told["activePower"], told["totalEnergy"]) == (11_040.0, 11.04)
        client.set_charging_current(8)
        assert (client.active_power, client.max_charging_current) == (5520.0, 8)
        client.disable_chargingstation()
        assert (client.active_power, client.charging_state_raw) == (0.0, ChargingState.NOT_READY)
        client.enable_chargingstation()
        assert client.charging_state_raw == ChargingState.CHARGING
    finally:
        client.connection.close()


def test_values_are_in_the_guide_s_units(client, garage):
    """mA, V, mW, tenths of Wh."""
    garage.now_s += 3600
    assert [value(client, at) for at in (1000, 1004, 1006)] == [3, 7, 0]
    assert [value(client, at) for at in (1008, 1010, 1012)] == [16_000] * 3
    assert [value(client, at) for at in (1040, 1042, 1044)] == [230] * 3
    assert [value(client, at) for at in (1020, 1036, 1100, 1110)] == [11_040_000, 110_400, 16_000, 16_000]


def test_blocks_and_single_registers_are_refused(client):
    """Two registers at a time, beginning with the first of a value; by function 3 only."""
    for register, count in ((1008, 6), (1000, 1), (1001, 2), (1099, 2)):
        answer = client.read_holding_registers(register, count=count, device_id=255)
        assert answer.exception_code == ILLEGAL_ADDRESS
    assert client.read_input_registers(1000, count=2, device_id=255).exception_code == ILLEGAL_FUNCTION
    assert client.write_registers(5016, [6000, 0], device_id=255).exception_code == ILLEGAL_FUNCTION


@pytest.mark.parametrize(
    ("register", "number"), [(5004, 5999), (5004, 63_001), (5016, 3000), (5018, 9), (5018, 601), (5050, 4)]
)
def test_values_outside_the_guide_s_are_refused(client, box, register, number):
    """And change nothing."""
    assert put(client, register, number) == ILLEGAL_VALUE
    assert (box.writes, box.user_ma, box.failsafe_s) == ([], 16_000, 0)


def test_the_fail_safe_is_put_off_by_writing_and_not_by_reading(client, garage):
    """After 60 s without a write it offers 6 A; the next write ends that."""
    put(client, 5016, 6000)
    put(client, 5018, 60)
    assert (value(client, 1600), value(client, 1602)) == (6000, 60)
    for passed_s, offered_ma in ((59, 16_000), (1, 6000)):
        garage.now_s += passed_s
        assert value(client, 1100) == offered_ma
    put(client, 5018, 60)
    assert value(client, 1100) == 16_000


def test_the_fail_safe_starts_a_station_that_was_disabled(client, garage):
    """As people have found, traktore-org/sem-community issue 763."""
    put(client, 5016, 6000)
    put(client, 5018, 600)
    put(client, 5014, 0)
    assert value(client, 1020) == 0
    garage.now_s += 600
    assert value(client, 1020) == 4_140_000


def test_disabling_ends_the_session_and_a_current_of_0_does_not(client, box):
    """The card is known as long as the session lasts."""
    box.locked, box.card = True, 0x1234
    put(client, 5004, 0)
    assert (value(client, 1000), value(client, 1500)) == (5, 0x1234)
    put(client, 5014, 0)
    put(client, 5014, 1)
    put(client, 5004, 16_000)
    assert (value(client, 1000), value(client, 1500), value(client, 1020)) == (1, 0, 0)


def test_every_write_is_kept_with_its_time(client, box, garage):
    """For tests that ask what was sent when."""
    put(client, 5004, 8000)
    garage.now_s += 60
    put(client, 5004, 9000)
    assert [(write.register, write.value) for write in box.writes] == [(5004, 8000), (5004, 9000)]
    assert box.writes[1].at_s - box.writes[0].at_s == 60
