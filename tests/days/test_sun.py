"""Days with sun: cars that charge with what it leaves over, in a home where everything flows that is decided."""

from __future__ import annotations

from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from chargerd.sim.home import HouseBattery, Moment
from tests.house_sun import HOUR, SunDay, evse, home, house_battery


def bought_w(moment: Moment) -> float:
    """What cars take that the sun does not leave over."""
    return max(0.0, moment.cars_w - max(0.0, moment.pv_w - moment.load_w))


def test_on_a_sunny_day_a_car_takes_what_is_left_over_and_buys_next_to_nothing(tmp_path):
    """S1-07: over a clear day less than 2 % of the car's energy comes from elsewhere, and the current goes with the sun."""
    day = SunDay(
        tmp_path,
        home(evse()),
        pv=sun.clear_sky(5000),
        from_s=6 * HOUR,
        boxes={"garage": Box(Car(phases=1, capacity_wh=1e6), max_phases=1)},
    )
    day.until(20 * HOUR)
    car_wh = day.wh(lambda m: m.cars_w)
    assert car_wh > 20_000
    assert day.wh(bought_w) < 0.02 * car_wh
    assert day.starts() == 1
    rising = [current_a for at_s, current_a in day.told() if at_s < 13 * HOUR]
    assert rising == sorted(rising)
    falling = [current_a for at_s, current_a in day.told(since_s=13 * HOUR)]
    assert falling == sorted(falling, reverse=True)
