"""Sunny: the demo's house is one house, whichever of its devices is asked, and the real drivers read it."""

from __future__ import annotations

import pytest

from chargerd.drivers import nrgkick, solaredge
from chargerd.model.commands import SetCurrent
from chargerd.model.events import ChargerRead, MeterRead, StorageRead
from chargerd.sim.sunny import DAY_S, SunnyHouse, daily, day

NOON_S = 12 * 3600.0


class Home:
    """The house at noon, its devices listening, read by the real drivers."""

    def __init__(self) -> None:
        self.at_s = NOON_S
        self.sunny = SunnyHouse(lambda: self.at_s, 0.0)
        self.sunny.start()
        port = self.sunny.inverter.port
        settings = solaredge.Driver.Config(driver="solaredge", host="127.0.0.1", port=port)
        self.inverter = solaredge.Driver("inverter", settings, ("inverter", "meter1", "battery1"), {})
        box = nrgkick.Driver.Config(driver="nrgkick", host="127.0.0.1", port=self.sunny.charger.port, generation=2)
        self.charger = nrgkick.Driver("nrgkick", box, (), {})

    def flows(self) -> tuple[float, float, float, float]:
        """Import, production on the AC side, discharge and what the car takes, as the devices tell, W."""
        found = {reading.channel: reading for reading in self.inverter.read()}
        inverter, meter, battery = found["inverter"], found["meter1"], found["battery1"]
        (box,) = self.charger.read()
        assert isinstance(inverter, MeterRead)
        assert isinstance(meter, MeterRead)
        assert isinstance(battery, StorageRead)
        assert isinstance(box, ChargerRead)
        return meter.power_w or 0.0, inverter.power_w or 0.0, battery.power_w or 0.0, box.power_w or 0.0


@pytest.fixture
def home():
    """A house that listens, and is gone at the end."""
    made = Home()
    made.inverter.describe()
    made.charger.describe()
    yield made
    made.inverter.close()
    made.charger.close()
    made.sunny.stop()


def test_what_comes_in_goes_out_whichever_device_is_asked(home: Home):
    """Import and production are house and car; with the car's offer the car takes it and the rest follows."""
    home.charger.apply(SetCurrent("nrgkick", 10.0))
    home.at_s += 120
    grid_w, produced_w, _, car_w = home.flows()
    assert car_w == pytest.approx(3 * 10 * 230, rel=0.05)
    load_w = home.sunny.house.now.load_w
    assert grid_w + produced_w == pytest.approx(load_w + car_w, abs=5)
    home.charger.apply(SetCurrent("nrgkick", 0.0))
    home.at_s += 120
    *_, car_w = home.flows()
    assert car_w == 0


def test_the_battery_behind_the_inverter_tells_what_it_does(home: Home):
    """It takes what is left over at noon; the meter at the grid says the rest."""
    home.at_s += 600
    _, produced_w, discharge_w, _ = home.flows()
    assert discharge_w < -500
    assert produced_w < home.sunny.house.now.pv_w


def test_the_recorded_day_is_whole_and_comes_again():
    """1440 minutes of sun and of load; the next day is like it."""
    pv_w, load_w = day()
    assert (len(pv_w), len(load_w)) == (1440, 1440)
    assert max(pv_w) > 4000
    power = daily(pv_w)
    assert power(NOON_S) == power(NOON_S + DAY_S) > 0


def test_the_house_battery_counts_what_it_took_and_gave(home: Home):
    """Its counters are those of a house, some megawatt-hours, and go on with what flows."""

    def counted() -> tuple[float, float]:
        found = {reading.channel: reading for reading in home.inverter.read()}["battery1"]
        assert isinstance(found, StorageRead)
        return found.charged_wh or 0.0, found.discharged_wh or 0.0

    taken_wh, given_wh = counted()
    assert 1e6 < given_wh < taken_wh < 1e8
    home.at_s += 6 * 3600
    later_wh = counted()
    assert later_wh != (taken_wh, given_wh)
    assert 0 <= later_wh[0] - taken_wh < 40_000
    assert 0 <= later_wh[1] - given_wh < 40_000
