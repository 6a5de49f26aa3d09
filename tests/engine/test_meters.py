"""Meters: what is believed of them, by their age, their sign and what a fuse lets through."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.engine import meters
from chargerd.model.events import StorageRead
from chargerd.model.settings import CircuitSettings
from tests.house_sun import believed, clock, evse, grid_read, home, house_battery, then

FUSE = CircuitSettings("main", 35, meter="grid")


def grid_w(site, at_s: float) -> float | None:
    meter = meters.meter_at(site, "grid", clock(at_s))
    return None if meter is None else meter.power_w


def test_a_reading_counts_for_its_age_and_not_longer():
    """60 s, as is configured."""
    site = believed(home(evse()), ("home", grid_read(-1500)))
    assert grid_w(site, 60) == -1500
    assert grid_w(site, 60.001) is None


def test_a_meter_that_says_no_power_is_unknown_and_not_0():
    """Nor the value before."""
    site = believed(home(evse()), ("home", grid_read(-1500)))
    assert grid_w(then(site, 5, ("home", grid_read(None))), 6) is None


def test_a_meter_that_was_mounted_the_other_way_round_is_turned():
    """On every phase."""
    conf = home(evse())
    conf = structs.replace(conf, meters={**conf.meters, "grid": structs.replace(conf.meters["grid"], invert=True)})
    site = believed(conf, ("home", grid_read(-1500, power_l1_w=-1000.0, power_l2_w=-500.0)))
    meter = meters.meter_at(site, "grid", clock(0))
    assert meter is not None
    assert (meter.power_w, meter.powers_w) == (1500, (1000, 500, None))


@pytest.mark.parametrize(("power_w", "believed_w"), [(38_640, 38_640), (38_641, None), (-38_641, None)])
def test_more_than_the_fuse_bears_is_nonsense(power_w, believed_w):
    """35 A on three phases at 230 V, and 1.6 of that."""
    site = believed(home(evse(), circuits=[FUSE]), ("home", grid_read(power_w)))
    assert grid_w(site, 0) == believed_w


def test_a_meter_that_says_the_same_for_ten_minutes_does_not_measure():
    """Counters and voltages included; 0 W is what an idle one says."""
    for power_w, last_w in ((-1500.0, None), (0.0, 0.0)):
        site = believed(home(evse()), ("home", grid_read(power_w)))
        for at_s in range(10, 611, 10):
            site = then(site, at_s, ("home", grid_read(power_w)))
            if at_s == 600:
                assert grid_w(site, at_s) == power_w
        assert grid_w(site, 610) == last_w
    moving = believed(home(evse()), ("home", grid_read(-1500, voltage_l1_v=230.0)))
    for at_s in range(10, 700, 10):
        moving = then(moving, at_s, ("home", grid_read(-1500, voltage_l1_v=230.0 + at_s % 20)))
    assert grid_w(moving, 690) == -1500


def test_a_house_battery_is_believed_as_a_meter_is():
    """By its age, and not when it has said the same for ten minutes."""
    conf = home(evse(), storage=house_battery())
    site = believed(conf, ("home", StorageRead("battery1", -2000.0, 50.0)))
    assert meters.storage_at(site, "house", clock(60)) is not None
    assert meters.storage_at(site, "house", clock(60.001)) is None
    for at_s in range(10, 611, 10):
        site = then(site, at_s, ("home", StorageRead("battery1", -2000.0, 50.0)))
    assert meters.storage_at(site, "house", clock(610)) is None


def test_what_a_battery_takes_is_learnt_while_sun_is_left_over():
    """With 151 W fed in it takes all that it can; with 149 W that is not known."""
    conf = home(evse(), storage=house_battery())
    for fed_w, takes_w in ((151, 2000), (149, None)):
        site = believed(conf, ("home", grid_read(-fed_w)), ("home", StorageRead("battery1", -2000.0, 50.0)))
        assert site.storages["home/battery1"].takes_w == takes_w
