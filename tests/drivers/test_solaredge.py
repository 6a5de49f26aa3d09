"""The SolarEdge driver against simulated inverters over real Modbus TCP on loopback."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chargerd.drivers.base import Reading, UnexpectedAnswer, Unreachable
from chargerd.drivers.solaredge import Driver
from chargerd.model.commands import SetEnabled
from chargerd.model.events import MeterRead, StorageRead
from chargerd.sim.wire.modbus_server import ALWAYS
from chargerd.sim.wire.solaredge import HouseBattery, Inverter, Meter, SimulatedSolarEdge
from tests.patience import until, within
from tests.sim.wire.modbus import running
from tests.sim.wire.test_solaredge import RECORDED, recorded_device

TIMEOUT_S = 1.5
Connect = Callable[..., Driver]


@pytest.fixture
def inverter() -> Iterator[SimulatedSolarEdge]:
    """A running inverter with a meter and a battery."""
    with running(SimulatedSolarEdge()) as made:
        yield made


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes drivers called "roof"; closes them at the end."""
    made: list[Driver] = []

    def make(device: SimulatedSolarEdge, *channels: str, **keys: Any) -> Driver:
        config = Driver.Config(driver="solaredge", host=device.host, port=device.port, timeout_s=TIMEOUT_S, **keys)
        made.append(Driver("roof", config, channels, {}))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


def by_channel(readings: tuple[Reading, ...]) -> dict[str, Any]:
    """Readings by their channel."""
    return {reading.channel: reading for reading in readings}


# What it says


def test_inverter_meter_and_battery_to_the_digit(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """S1-01: W, A, V, Hz, Wh, % and °C out of registers with scale factors and of floats with the low word first."""
    assert connect(inverter, "inverter", "meter1", "battery1").read() == (
        MeterRead(
            channel="inverter",
            power_w=3456.0,
            current_l1_a=5.01,
            current_l2_a=5.02,
            current_l3_a=5.03,
            voltage_l1_v=229.8,
            voltage_l2_v=230.1,
            voltage_l3_v=230.4,
            export_wh=12_345_678.0,
            frequency_hz=50.02,
            dc_power_w=3520.0,
            temperature_c=41.25,
            status="producing",
        ),
        MeterRead(
            channel="meter1",
            power_w=1000.0,
            power_l1_w=300.0,
            power_l2_w=-120.0,
            power_l3_w=820.0,
            current_l1_a=1.4,
            current_l2_a=0.6,
            current_l3_a=3.6,
            voltage_l1_v=229.8,
            voltage_l2_v=230.1,
            voltage_l3_v=230.4,
            import_wh=4_321_000.0,
            export_wh=9_876_000.0,
            frequency_hz=50.02,
        ),
        StorageRead(
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
        ),
    )


def test_it_says_the_same_as_solaredge_modbus(connect: Connect) -> None:
    """S1-01: value by value, against what an independent client made of the same registers."""
    other = json.loads(RECORDED.read_text("utf-8"))["values"]
    with running(recorded_device()) as device:
        ours = by_channel(connect(device).read())
    sun, theirs = ours["inverter"], other["inverter"]
    for field, name, scale in (
        ("power_w", "power_ac", "power_ac_scale"),
        ("dc_power_w", "power_dc", "power_dc_scale"),
        ("export_wh", "energy_total", "energy_total_scale"),
        ("frequency_hz", "frequency", "frequency_scale"),
        ("temperature_c", "temperature", "temperature_scale"),
        ("current_l2_a", "l2_current", "current_scale"),
        ("voltage_l3_v", "l3n_voltage", "voltage_scale"),
    ):
        assert getattr(sun, field) == pytest.approx(theirs[name] * 10 ** theirs[scale]), field
    for channel in ("meter1", "meter2"):
        meter, theirs = ours[channel], other[channel]
        scale_ = 10 ** theirs["power_scale"]
        assert meter.power_w == pytest.approx(-theirs["power"] * scale_)
        assert meter.power_l2_w == pytest.approx(-theirs["l2_power"] * scale_)
        assert (meter.import_wh, meter.export_wh) == (theirs["import_energy_active"], theirs["export_energy_active"])
    for channel in ("battery1", "battery2"):
        battery, theirs = ours[channel], other[channel]
        assert battery.power_w == -theirs["instantaneous_power"]
        assert (battery.soc_pct, battery.soh_pct, battery.capacity_wh) == (
            theirs["soe"],
            theirs["soh"],
            theirs["maximum_energy"],
        )
        assert battery.temperature_c == theirs["average_temperature"]
        assert battery.charged_wh == theirs["lifetime_import_energy_counter"]
        assert battery.discharged_wh == theirs["lifetime_export_energy_counter"]


@pytest.mark.parametrize("inputs", [0, 2, 3])
def test_meters_are_found_behind_the_inputs(connect: Connect, inputs: int) -> None:
    """S1-01: an inverter with two or three inputs of its own has all its meters 50 or 70 registers further on."""
    device = SimulatedSolarEdge()
    device.inverter.inputs = {str(number): 1000.0 for number in range(inputs)}
    device.inverter.dc_power_w = None if inputs else 3520.0
    device.meters = [Meter(shows_export=True, import_w=(number, 0, 0), serial=f"M{number}") for number in (1, 2, 3)]
    with running(device):
        told = by_channel(connect(device, "meter3", "inverter", "meter1", "meter2").read())
    assert [told[f"meter{number}"].power_w for number in (1, 2, 3)] == [1, 2, 3]
    assert told["inverter"].dc_power_w == {0: 3520.0, 2: 2000.0, 3: 3000.0}[inputs]


def test_a_scale_factor_that_changes_is_read_with_its_value(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """S1-01: 9.876 kW by a factor of 1, then 98.76 kW by a factor of 10: never one with the other's."""
    driver = connect(inverter, "inverter")
    for power_w, exponent in ((9876.0, 0), (98_760.0, 1), (987.6, -1)):
        inverter.inverter.exponents["W"] = exponent
        inverter.inverter.power_w, inverter.inverter.dc_power_w = power_w, 0.0
        assert by_channel(driver.read())["inverter"].power_w == power_w


def test_it_says_what_it_is_and_where_its_meters_are(connect: Connect) -> None:
    """A meter's place is told, because the first need not be the one at the grid."""
    device = SimulatedSolarEdge()
    device.meters = [Meter(place="Production", serial="M7"), None, Meter(serial="M8")]
    with running(device):
        added = connect(device).describe()
    assert (added.driver, added.model, added.device_id) == ("solaredge", "SolarEdge SE10K-RWS", "7E0C1234")
    assert added.firmware == "0004.0018.0036"
    assert added.channels == {
        "inverter": "7E0C1234",
        "meter1": "M7 Production",
        "meter3": "M8 Export+Import",
        "battery1": "B0001",
    }
    assert (added.accepts, added.lease) == ((), "none")


def test_only_what_is_asked_for_is_read(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """One request for the meter, and none for what nobody wants."""
    driver = connect(inverter, "meter1")
    driver.describe()
    inverter.server.requests.clear()
    (reading,) = driver.read()
    assert reading.channel == "meter1"
    assert inverter.server.requests == [(3, 40188, 55)]


# What it does not say


def test_a_missing_meter_or_battery_is_named_with_those_that_exist(connect: Connect) -> None:
    """S1-02: the battery's registers are illegal addresses, the meter's too."""
    device = SimulatedSolarEdge()
    device.meters, device.batteries, device.ends = [], [], False
    with running(device):
        for channel in ("meter1", "battery1", "grid"):
            with pytest.raises(UnexpectedAnswer, match=f"roof has no channel '{channel}'; it has inverter$"):
                connect(device, channel).read()
            device.server.drop_clients()
        assert by_channel(connect(device).read()).keys() == {"inverter"}


@pytest.mark.parametrize("gone", [HouseBattery(connected=False), None])
def test_a_battery_block_without_a_battery_is_no_channel(connect: Connect, gone: HouseBattery | None) -> None:
    """S1-02: number 255, or no registers; the second battery stays the second."""
    device = SimulatedSolarEdge()
    device.batteries = [gone, HouseBattery(soc_pct=31.5)]
    with running(device):
        told = by_channel(connect(device).read())
    assert "battery1" not in told
    assert told["battery2"].soc_pct == 31.5


def test_the_battery_is_also_found_at_its_older_place(connect: Connect) -> None:
    """S1 and evcc read 62836 = 0xF574; where 0xE100 is no address, the block at 0xF500 is the battery."""
    device = SimulatedSolarEdge()
    device.older = True
    with running(device):
        assert by_channel(connect(device, "battery1").read())["battery1"].power_w == -1500.5


@pytest.mark.parametrize("absent", [0x7FC00000, 0xFF7FFFFF, 0x7F7FFFFF, 0xFFFFFFFF])
def test_a_battery_whose_line_is_down_is_unknown_and_the_rest_goes_on(
    inverter: SimulatedSolarEdge, connect: Connect, absent: int
) -> None:
    """S1-02: in S1 the whole cycle was lost to a NaN."""
    driver = connect(inverter)
    driver.read()
    (battery,) = inverter.batteries
    assert battery is not None
    battery.absent, battery.discharge_w, battery.soc_pct, battery.status = absent, None, None, None
    told = by_channel(driver.read())
    assert (told["battery1"].power_w, told["battery1"].soc_pct, told["battery1"].status) == (None, None, None)
    assert (told["inverter"].power_w, told["meter1"].power_w) == (3456.0, 1000.0)


def test_a_battery_that_goes_away_costs_its_own_values_only(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """S1-02: its registers are illegal addresses after the inverter restarted: unknown, until they are back."""
    driver = connect(inverter, "meter1", "battery1")
    driver.read()
    battery = inverter.batteries[0]
    inverter.batteries = []
    inverter.server.drop_clients()
    assert driver.describe().channels == {"meter1": "M0001 Export+Import", "battery1": "B0001"}
    for _ in range(2):
        told = by_channel(driver.read())
        assert (told["meter1"].power_w, told["battery1"]) == (1000.0, StorageRead(channel="battery1"))
    inverter.batteries = [battery]
    assert by_channel(driver.read())["battery1"].soc_pct == 64.5


def test_a_battery_that_loses_its_registers_between_two_readings_is_one_failed_reading(
    inverter: SimulatedSolarEdge, connect: Connect
) -> None:
    """S1-02: the next one knows that it is gone."""
    driver = connect(inverter, "meter1", "battery1")
    driver.read()
    inverter.batteries = []
    with pytest.raises(UnexpectedAnswer, match="illegal address"):
        driver.read()
    assert by_channel(driver.read())["battery1"] == StorageRead(channel="battery1")


@pytest.mark.parametrize("exponent", [0, None])
def test_a_sleeping_inverter_does_not_produce_0_w(
    inverter: SimulatedSolarEdge, connect: Connect, exponent: int | None
) -> None:
    """S1-02: power and scale factor are 0x8000. S1 made -32768 × 10^-32768 of it, 0 W; it is unknown."""
    inverter.inverter.sleep()
    inverter.inverter.exponents["W"] = exponent
    told = by_channel(connect(inverter, "inverter").read())["inverter"]
    assert told == MeterRead(channel="inverter", export_wh=12_345_678.0, status="sleeping")


def test_a_counter_that_has_not_counted_is_unknown(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """S1-02: 0 means "not there" for a counter."""
    inverter.inverter.energy_wh = None
    assert by_channel(connect(inverter, "inverter").read())["inverter"].export_wh is None


# When it does not answer


def test_fifty_readings_need_one_connection(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """S1-03: counted by the inverter, which refuses a second one."""
    driver = connect(inverter)
    driver.describe()
    for _ in range(50):
        driver.read()
    assert (inverter.server.connections, inverter.server.refused, inverter.server.clients) == (1, 0, 1)
    driver.close()
    with running(SimulatedSolarEdge()):
        connect(inverter, "inverter").read()  # it has let go: the next client is served


def test_another_client_keeps_us_out_and_nothing_else_happens(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """S1-03: unreachable, and read as soon as the other has gone."""
    ours = connect(inverter, "inverter")
    with socket.create_connection((inverter.host, inverter.port)):
        until(lambda: inverter.server.clients == 1)
        with pytest.raises(Unreachable, match="roof"):
            ours.read()
    until(lambda: inverter.server.clients == 0)
    assert by_channel(ours.read())["inverter"].power_w == 3456.0


def test_night_is_unreachable_and_the_first_reading_of_the_morning_comes(
    inverter: SimulatedSolarEdge, connect: Connect
) -> None:
    """S1-03: the port closes at night; resumes with the first reading after it opened, and what it has is looked up anew."""
    driver = connect(inverter)
    assert "meter2" not in by_channel(driver.read())
    inverter.stop()
    for _ in range(3):
        with pytest.raises(Unreachable, match="cannot be reached"):
            driver.read()
    inverter.meters.append(Meter(serial="M9"))
    inverter.start()
    assert by_channel(driver.read())["meter2"].power_w == -1000.0
    assert inverter.server.refused == 0


def test_a_mute_inverter_costs_one_time_out(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """S1-03: some sleep with an open port."""
    driver = connect(inverter)
    driver.read()
    inverter.behaviour.mute = True
    with within(2 * TIMEOUT_S), pytest.raises(Unreachable, match="did not answer in time"):
        driver.read()
    inverter.behaviour.mute = False
    assert by_channel(driver.read())["inverter"].power_w == 3456.0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("half", Unreachable),
        ("stall", UnexpectedAnswer),
        ("garbage", UnexpectedAnswer),
        ("wrong_transaction", UnexpectedAnswer),
        ("wrong_unit", UnexpectedAnswer),
        ("short", UnexpectedAnswer),
        ("hang_up", Unreachable),
    ],
)
def test_a_spoiled_answer_is_never_a_reading(
    inverter: SimulatedSolarEdge, connect: Connect, fault: str, error: type[Exception]
) -> None:
    """S1-02: an error of its kind, and the next reading is right."""
    driver = connect(inverter, "inverter")
    driver.read()
    setattr(inverter.behaviour, fault, 1)
    with pytest.raises(error):
        driver.read()
    inverter.inverter.power_w = 2000.0
    assert by_channel(driver.read())["inverter"].power_w == 2000.0
    assert (inverter.server.connections, inverter.server.clients) == (2, 1)


def test_answers_sent_twice_do_not_shift_the_readings(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """The meter's registers are never taken for the battery's."""
    driver = connect(inverter)
    expected = driver.read()
    inverter.behaviour.repeat = ALWAYS
    assert driver.read() == expected


def test_what_is_no_solaredge_inverter_is_refused(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """Another unit, and a device that is no inverter, are told from one that is asleep."""
    with pytest.raises(UnexpectedAnswer, match="unit 7"):
        connect(inverter, "inverter", unit=7).read()
    words = {40000: 0x1234, **dict.fromkeys(range(40001, 40200), 0)}
    inverter.image = lambda: words
    with pytest.raises(UnexpectedAnswer, match="no mark at 40000"):
        connect(inverter, "inverter").read()
    words |= {40000: 0x5375, 40001: 0x6E53, 40069: 120}
    with pytest.raises(UnexpectedAnswer, match="it is of SunSpec model 120"):
        connect(inverter, "inverter").read()


def test_a_map_that_changes_under_us_is_noticed(inverter: SimulatedSolarEdge, connect: Connect) -> None:
    """A new firmware puts the inputs in: what was the meter is none now. Refused once, then found at its new place."""
    driver = connect(inverter, "meter1")
    driver.read()
    inverter.inverter.inputs = {"1": 1000.0, "2": 1000.0}
    with pytest.raises(UnexpectedAnswer, match="roof has changed"):
        driver.read()
    assert by_channel(driver.read())["meter1"].power_w == 1000.0


# What it does not do


@pytest.mark.parametrize("address", ["roof", "roof/battery1", "roof/meter1"])
def test_it_is_only_read(inverter: SimulatedSolarEdge, connect: Connect, address: str) -> None:
    """A command is refused by name, and nothing is sent."""
    driver = connect(inverter)
    assert (driver.describe().accepts, driver.accepts) == ((), frozenset())
    with pytest.raises(UnexpectedAnswer, match=f"{address} is only read, and does not take SetEnabled"):
        driver.apply(SetEnabled(address, False))
    assert {function for function, _, _ in inverter.server.requests} == {3}


def test_settings_and_what_they_are_without_a_word() -> None:
    """Port 1502, unit 1, a reading every ten seconds that is good for thirty; three time-outs for one call."""
    config = Driver.Config(driver="solaredge", host="192.168.178.20")
    assert (config.port, config.unit, config.poll_s, config.max_age_s, config.timeout_s) == (1502, 1, 10.0, 30.0, 5.0)
    assert Inverter().model == 103
