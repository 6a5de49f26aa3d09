"""The physics of the simulated house: energies add up, and what flows is what one works out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from chargerd.sim.home import House, HouseBattery, Moment

HOUR_S = 3600.0


def charging(car: Car, current_a: float = 6.0, **box: int) -> Box:
    """A box whose car has been charging for long."""
    made = Box(car, enabled=True, **box)
    made.offer(-1000, enabled=True, current_a=current_a)
    return made


def test_surplus_is_what_one_adds_up_by_hand() -> None:
    """S1-09: 5 kW of sun, 1 kW in the house, a one-phase car at 6 A, the battery limited to 2 kW of charge.

    6 A × 229.7 V (232 V less the line's drop) is 1.38 kW for the car; 5 − 1 − 1.38 − 2 = 0.62 kW is left and goes out.
    """
    battery = HouseBattery(soc_pct=50, max_charge_w=2000)
    house = House(sun.steady(5000), sun.steady(1000), [charging(Car(phases=1))], battery)
    house.advance(0)
    now = house.advance(600)
    assert now.battery_w == pytest.approx(-2000)
    assert now.cars_w == pytest.approx(6 * 232, rel=0.02)
    assert now.grid_w == pytest.approx(-(5000 - 1000 - now.cars_w - 2000))
    surplus_w = -now.grid_w + now.cars_w - now.battery_w
    assert surplus_w == pytest.approx(4000), "sun less house, whatever car and battery do"


def test_the_load_of_each_phase_is_its_own() -> None:
    """1 kW of load at 50, 30 and 20 %, 3 kW of sun evenly, a one-phase car on L1: the phases sum up to the grid."""
    house = House(sun.steady(3000), sun.steady(1000), [charging(Car(phases=1), 10)])
    now = house.advance(60)
    one_w, two_w, three_w = now.grids_w
    assert one_w == pytest.approx(500 + now.cars_w - 1000)
    assert (two_w, three_w) == pytest.approx((300 - 1000, 200 - 1000))
    assert one_w + two_w + three_w == pytest.approx(now.grid_w)


def test_voltage_falls_where_power_is_drawn_and_rises_where_it_is_fed_in() -> None:
    """16 A on one phase lower it by about 4 V; three phases full of sun stand above the rest."""
    drawn = House(sun.steady(0), sun.steady(0), [charging(Car(phases=1), 16)])
    drawn.advance(0)
    now = drawn.advance(60)
    assert now.voltages_v[0] == pytest.approx(228, abs=0.2)
    assert now.voltages_v[1:] == (232, 232)
    fed = House(sun.steady(9000), sun.steady(0))
    fed.advance(0)
    assert all(volt > 234 for volt in fed.advance(60).voltages_v)


def test_the_battery_takes_what_is_left_over_and_gives_what_is_missing() -> None:
    """With sun it charges until the grid is at 0; after sunset it carries the house; a moment after the change it is late."""
    house = House(sun.plus(sun.steady(0), 3000, 0, 1000), sun.steady(500), battery=HouseBattery())
    house.advance(0)
    assert house.advance(990).grid_w == pytest.approx(0, abs=1)
    assert house.now.battery_w == pytest.approx(-2500, abs=1)
    late = house.advance(1002)
    assert late.grid_w > 1000
    assert house.advance(1060).grid_w == pytest.approx(0, abs=1)
    assert house.now.battery_w == pytest.approx(500, abs=1)


def test_a_held_battery_gives_nothing_and_still_takes() -> None:
    """Hold keeps it from discharging, not from being charged by the sun."""
    battery = HouseBattery()
    battery.held = True
    house = House(sun.plus(sun.steady(0), 3000, 1000, 2000), sun.steady(500), battery=battery)
    house.advance(0)
    assert house.advance(900).grid_w == pytest.approx(500)
    assert house.advance(1900).battery_w == pytest.approx(-2500, abs=1)


def test_a_battery_has_an_end_at_both_ends() -> None:
    """Full it takes nothing, at its floor it gives nothing, and it never passes either."""
    full, empty = HouseBattery(1000, soc_pct=90), HouseBattery(1000, soc_pct=10)
    day = House(sun.steady(3000), sun.steady(0), battery=full)
    night = House(sun.steady(0), sun.steady(3000), battery=empty)
    day.advance(0)
    night.advance(0)
    assert day.advance(6 * HOUR_S).battery_w == pytest.approx(0, abs=0.01)
    assert night.advance(6 * HOUR_S).battery_w == pytest.approx(0, abs=0.01)
    assert 99.9 < full.soc_pct <= 100
    assert 5 - 1e-9 <= empty.soc_pct < 5.1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    peak_w=st.floats(0, 12_000),
    load_w=st.floats(0, 8000),
    phases=st.integers(1, 3),
    soc_pct=st.one_of(st.none(), st.floats(6, 99)),
    orders=st.lists(st.tuples(st.floats(1, 900), st.sampled_from([0.0, 6.0, 9.5, 16.0])), max_size=12),
)
def test_energy_is_neither_made_nor_lost(
    seed: int, peak_w: float, load_w: float, phases: int, soc_pct: float | None, orders: list[tuple[float, float]]
) -> None:
    """Sun + import + discharge = house + car + export + charge, in every home, whatever the EVSE is told when.

    And what has gone in and out of the battery and the car is what their charge has changed by.
    """
    battery = None if soc_pct is None else HouseBattery(3000, soc_pct=soc_pct)
    car = Car(phases=phases, capacity_wh=4000, soc_pct=50)
    box = Box(car)
    stored_wh, car_wh = 0.0 if battery is None else battery.stored_wh, car.stored_wh
    house = House(sun.clouds(sun.steady(peak_w), seed), sun.clouds(sun.steady(load_w), seed + 1), [box], battery)
    at_s = 0.0
    house.advance(at_s)
    for wait_s, current_a in orders:
        at_s += wait_s
        house.advance(at_s)
        box.offer(at_s, enabled=current_a > 0, current_a=current_a or None)
    end = house.advance(at_s + 600)
    charged_wh = 0.0 if battery is None else battery.charged_wh
    discharged_wh = 0.0 if battery is None else battery.discharged_wh
    comes_wh = end.pv_wh + end.import_wh + discharged_wh
    goes_wh = house.load_wh + house.cars_wh + end.export_wh + charged_wh
    assert comes_wh == pytest.approx(goes_wh, rel=1e-9, abs=1e-6)
    assert car.taken_wh == pytest.approx(house.cars_wh)
    assert box.counter_wh == pytest.approx(house.cars_wh)
    assert car.stored_wh - car_wh == pytest.approx(car.taken_wh * 0.9)
    if battery is not None:
        changed_wh = charged_wh * 0.95 - discharged_wh / 0.95
        assert battery.stored_wh - stored_wh == pytest.approx(changed_wh, abs=1e-6)
        assert 0 <= battery.soc_pct <= 100 + 1e-9


def test_a_day_is_the_same_however_often_somebody_looks() -> None:
    """Polled every 10 s or looked at once: the same energies."""
    sky, load = sun.clouds(sun.clear_sky(7000), 5), sun.steady(400)
    often = House(sky, load, [charging(Car())], HouseBattery())
    once = House(sky, load, [charging(Car())], HouseBattery())
    for at_s in range(0, 40_000, 10):
        often.advance(at_s)
    assert often.advance(40_000).import_wh == pytest.approx(
        once.advance(0.0).import_wh + once.advance(40_000).import_wh
    )


def test_a_car_begins_between_two_steps_to_the_second() -> None:
    """Offered current at 12 s, it draws from 32 s on, and the energy says so although nobody looked."""
    box = Box(Car())
    house = House(sun.steady(0), sun.steady(0), [box])
    house.advance(12)
    box.offer(12, enabled=True, current_a=6)
    power_w = house.advance(100).cars_w
    assert house.cars_wh == pytest.approx(power_w * (100 - 32) / 3600, rel=0.005)


def test_a_finer_step_sees_a_load_begin_when_it_does() -> None:
    """A load from 101 s on: by seconds it is all counted, by five seconds only from 105 s on."""
    load = sun.plus(sun.steady(0), 3600, 101, 999)
    for step_s, expected_wh in ((1.0, 99), (5.0, 95)):
        house = House(sun.steady(0), load, step_s=step_s)
        house.advance(0)
        assert house.advance(200).import_wh == pytest.approx(expected_wh)


def test_who_watches_sees_all_of_the_energy() -> None:
    """Every moment with its duration, none twice: what they add up to is what the counters say."""
    seen_wh = [0.0, 0.0]

    def watch(moment: Moment, passed_s: float) -> None:
        seen_wh[0] += moment.cars_w * passed_s / 3600
        seen_wh[1] += max(0.0, moment.grid_w) * passed_s / 3600

    house = House(sun.clouds(sun.steady(5000), 1), sun.steady(300), [charging(Car(), 9)], watch=watch)
    for at_s in range(0, 3000, 7):
        house.advance(at_s)
    assert seen_wh[0] == pytest.approx(house.cars_wh)
    assert seen_wh[1] == pytest.approx(house.now.import_wh)


def test_a_moment_that_is_not_long_ago_can_be_looked_at() -> None:
    """A meter that is two seconds late says what was so long ago, also when that was before a change."""
    house = House(sun.steady(0), sun.plus(sun.steady(200), 3000, 100, 200))
    house.advance(90)
    house.advance(100)
    assert house.advance(101).grid_w == 3200
    assert house.at(99).grid_w == 200
    assert house.at(100.5).grid_w == 3200


def test_a_car_that_is_taken_away_takes_no_more() -> None:
    """Its last watt-hour is counted, then nothing flows; a car that comes later is another one."""
    first = Car()
    house = House(sun.steady(0), sun.steady(0), [charging(first)])
    house.advance(0)
    house.connect(0, None, HOUR_S)
    assert first.taken_wh == pytest.approx(3 * 6 * 230.5, rel=0.01)
    assert house.advance(2 * HOUR_S).cars_w == 0
    assert house.cars_wh == pytest.approx(first.taken_wh)
