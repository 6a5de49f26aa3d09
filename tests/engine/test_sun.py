"""Sun: what is followed from tick to tick: shares, borrowed energy, clouds, a house battery that gives too much."""

from __future__ import annotations

import pytest

from chargerd.engine import sun
from chargerd.model.events import MeterRead, StorageRead, Tick
from chargerd.model.state import Site, Sky
from tests.house_sun import believed, clock, evse, evse_read, grid_read, home, house_battery, then


def followed(powers: list[float], *, every_s: float = 10, car_a: float = 6, **settings) -> Site:
    """A car that draws, and the power at the grid connection at each tick."""
    site = believed(home(evse(**settings)), ("garage-box", evse_read()))
    for n, power_w in enumerate(powers):
        site = then(
            site, (n + 1) * every_s, ("garage-box", evse_read(car_a)), ("home", grid_read(power_w)), ("daemon", Tick())
        )
    return site


def test_what_is_borrowed_is_added_up_and_paid_back():
    """1380 W of 1380 imported for six minutes are 138 Wh; with as much to spare they are paid back, and not more."""
    short = followed([1380.0] * 37)
    assert short.loadpoints["garage"].sun.borrowed_wh == pytest.approx(138, abs=5)
    back = followed([1380.0] * 37 + [-1380.0] * 18)
    assert back.loadpoints["garage"].sun.borrowed_wh == pytest.approx(69, abs=8)
    more = followed([1380.0] * 37 + [-1380.0] * 80)
    assert more.loadpoints["garage"].sun.borrowed_wh == 0


def test_over_a_long_gap_no_more_is_added_than_is_known():
    """Two minutes, whatever the gap."""
    site = followed([1380.0, 1380.0], every_s=3000)
    assert site.loadpoints["garage"].sun.borrowed_wh <= 1380 * 120 / 3600 + 1


def test_enough_begins_when_it_does_and_ends_when_it_ends():
    """The share includes what the car takes itself."""
    site = followed([0.0, 0.0, 0.0, 1.0], car_a=6)
    assert site.loadpoints["garage"].sun.enough_t_ms is None
    site = followed([1.0, 0.0, 0.0, 0.0], car_a=6)
    assert site.loadpoints["garage"].sun.enough_t_ms == clock(20)


def test_without_a_meter_nothing_is_enough():
    """And it says what is missing."""
    site = believed(home(evse()), ("garage-box", evse_read(6)), ("daemon", Tick()))
    found = site.loadpoints["garage"].sun
    assert (found.share_w, found.enough_t_ms, found.missing) == (None, None, "grid")


@pytest.mark.parametrize(("swing_w", "cloudy"), [(600, True), (580, False)])
def test_a_deviation_of_a_sixteenth_of_the_peak_is_cloudy(swing_w, cloudy):
    """S1-12: 587 W at 9.4 kWp, over at most three minutes, and seven minutes after the last."""
    site = believed(home(evse()), ("garage-box", evse_read()))
    for n in range(18):
        made = MeterRead("inverter", 4000.0 + (swing_w if n % 2 else -swing_w))
        site = then(site, n * 10, ("home", made), ("home", grid_read(0.0)), ("daemon", Tick()))
    assert sun.cloudy(site.sky, clock(170)) is cloudy
    if cloudy:
        assert site.sky.broken_t_ms == clock(170)
        assert sun.cloudy(site.sky, clock(170 + 419))
        assert not sun.cloudy(site.sky, clock(170 + 421))


def test_a_house_battery_is_spared_after_two_minutes_for_ten():
    """S1-17: 2600 W are allowed; 2700 W flow, all of it into the car."""
    conf = home(evse(), storage=house_battery(max_discharge_for_charging_w=2600))
    site = believed(conf, ("garage-box", evse_read(13)))
    for n in range(13):
        facts = [
            ("home", grid_read(0.0)),
            ("home", StorageRead("battery1", 2700.0, 80.0)),
            ("garage-box", evse_read(13)),
        ]
        site = then(site, n * 10, *facts, ("daemon", Tick()))
        assert sun.spared(site.sky, clock(n * 10)) is (n == 12)
    assert sun.spared(site.sky, clock(120 + 599))
    assert not sun.spared(site.sky, clock(120 + 601))


def test_what_the_house_takes_from_its_battery_is_its_own():
    """3000 W of discharge, and a car that takes 1380: within 2600."""
    conf = home(evse(), storage=house_battery(max_discharge_for_charging_w=2600))
    site = believed(conf, ("garage-box", evse_read(6)))
    for n in range(30):
        facts = [
            ("home", grid_read(0.0)),
            ("home", StorageRead("battery1", 3000.0, 80.0)),
            ("garage-box", evse_read(6)),
        ]
        site = then(site, n * 10, *facts, ("daemon", Tick()))
    assert site.sky.spared_t_ms is None


def test_a_sky_that_nobody_has_seen_is_clear():
    """Nothing is held back for it."""
    assert not sun.cloudy(Sky(), 0)
    assert not sun.spared(Sky(), 0)
