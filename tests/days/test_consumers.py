"""Days with plugs that take what is left over: rows of S1's plug, in a home where everything flows that is decided."""

from __future__ import annotations

import itertools

import pytest

from chargerd.drivers.simulated import Steady
from chargerd.model.settings import Window
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from chargerd.sim.home import HouseBattery
from tests.house_sun import HOUR, SunDay, consumer, evse, home, house_battery

MIN = 60
SUMMER_TIME_MS = 1_711_839_600_000  # Sunday 2024-03-31 00:00 in Berlin; 02:00 becomes 03:00
WINTER_TIME_MS = 1_729_980_000_000  # Sunday 2024-10-27 00:00 in Berlin; 03:00 becomes 02:00


class Tank:
    """A heating rod in a tank that is hot after so much energy, and calls for more when it has cooled down."""

    def __init__(self, draw_w: float, hot_wh: float) -> None:
        self.draw_w = draw_w
        self.hot_wh = hot_wh

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002
        """All or nothing."""
        return self.draw_w if taken_wh < self.hot_wh else 0.0


def switched(day: SunDay, name: str = "rod") -> list[tuple[float, bool]]:
    """When it was told to go on and off, lease renewals left out."""
    told = [(at_s, body.command.enabled) for at_s, body in day.issued(name) if body.reason.code != "lease-renewal"]
    return [pair for n, pair in enumerate(told) if n == 0 or told[n - 1][1] is not pair[1]]


def rod(tmp_path, pv, *, soc_pct: float = 80, load=None, behind=None, **settings) -> SunDay:
    """A rod of 1500 W that needs 2000 W, a house battery, and sun."""
    battery = HouseBattery(20_000, soc_pct=soc_pct, max_charge_w=5000)
    conf = home(consumer(on_above_w=2000, **settings), storage=house_battery())
    return SunDay(tmp_path, conf, pv=pv, load=load, battery=battery, plugs={"rod": behind or Steady(1500)})


def test_a_plug_is_on_while_there_is_sun_for_it(tmp_path):
    """S1-27: on when free and own draw are above 2000 W, off when they are not."""
    pv = lambda at_s: 2600.0 if 9 * HOUR <= at_s < 10 * HOUR else 1500.0  # noqa: E731
    day = rod(tmp_path, pv)
    day.until(11 * HOUR)
    (on_s, _), (off_s, _) = switched(day)
    assert 9 * HOUR + 60 <= on_s <= 9 * HOUR + 80
    assert 10 * HOUR < off_s <= 10 * HOUR + 20


def test_a_plug_waits_for_the_house_battery(tmp_path):
    """S1-27: at 70 % it needs more than 70 %."""
    day = rod(tmp_path, sun.steady(4000), soc_pct=69, min_storage_pct=70)
    day.until(8 * HOUR + 2 * MIN)
    assert switched(day) == []
    day.until(9 * HOUR)
    on_s = switched(day)[0][0]
    assert next(m for m, _ in day.moments if m.at_s >= on_s).soc_pct >= 70


def test_a_plug_does_not_chatter_at_the_edge(tmp_path):
    """S1-27: sun that swings around the threshold every 20 s switches no faster than the minimum times let it."""
    pv = lambda at_s: 2300.0 + (150 if at_s % 40 < 20 else -150)  # noqa: E731
    day = rod(tmp_path, pv, start_delay_s=0)
    day.until(10 * HOUR)
    times = [at_s for at_s, _ in switched(day)]
    assert all(later - at_s >= 300 for at_s, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("midnight_ms", "on_h"),
    [(SUMMER_TIME_MS, 7.0), (WINTER_TIME_MS, 9.0)],
)
def test_hours_across_midnight_on_the_days_that_the_clocks_change(tmp_path, midnight_ms, on_h):
    """S1-28, S1-43: always on from 22:00 to 06:00; in March that is 7 hours after 22:00 to the second, in October 9."""
    conf = home(consumer(on_above_w=2000, always=(Window(22 * 60, 6 * 60),)))
    day = SunDay(
        tmp_path, conf, pv=sun.steady(0), plugs={"rod": Steady(1500)}, midnight_ms=midnight_ms, from_s=-3 * HOUR
    )
    day.until(10 * HOUR)
    (on_s, on), (off_s, off) = switched(day)
    assert (on, off) == (True, False)
    assert on_s == -2 * HOUR
    assert off_s - on_s == on_h * HOUR


def test_sun_counts_only_in_its_hours(tmp_path):
    """S1-28: sun from 8 to 14 h, hours from 10:00 to 12:00: on inside them and never else."""
    day = rod(tmp_path, sun.steady(4000), windows=(Window(10 * 60, 12 * 60),))
    day.until(14 * HOUR)
    (on_s, _), (off_s, _) = switched(day)
    assert (on_s, off_s) == (10 * HOUR, 12 * HOUR)


def test_old_rules_of_two_windows_and_an_earliest_hour(tmp_path):
    """S1-33: first and second window and not before 11: two windows, the first cut."""
    day = rod(tmp_path, sun.steady(4000), windows=(Window(11 * 60, 12 * 60), Window(13 * 60 + 30, 14 * 60)))
    day.until(15 * HOUR)
    assert [at_s / HOUR for at_s, _ in switched(day)] == [11, 12, 13.5, 14]


@pytest.mark.parametrize(("soc_pct", "on"), [(59, False), (65, True)])
def test_a_threshold_of_0_asks_for_no_power_and_still_for_the_battery(tmp_path, soc_pct, on):
    """S1-29: without sun: off below the level, on above it."""
    battery = HouseBattery(100_000, soc_pct=soc_pct)
    conf = home(consumer(on_above_w=0, min_storage_pct=60), storage=house_battery())
    day = SunDay(tmp_path, conf, pv=sun.steady(0), battery=battery, plugs={"rod": Steady(500)})
    day.until(8.5 * HOUR)
    assert bool(switched(day)) is on


def test_a_full_house_battery_helps_until_it_is_down_to_94(tmp_path):
    """S1-30: entered at 99 % with 55 % of the threshold, left at 93 %; never entered at 97."""
    (tmp_path / "full").mkdir()
    battery = HouseBattery(10_000, soc_pct=99.5)
    conf = home(consumer(on_above_w=2000, storage_backed=True), storage=house_battery())
    pv = lambda at_s: 1600.0 if at_s < 8.5 * HOUR else 1550.0  # noqa: E731
    day = SunDay(tmp_path / "full", conf, pv=pv, battery=battery, plugs={"rod": Steady(2500)})
    day.until(11 * HOUR)
    (_, on), (off_s, off), *_ = switched(day)
    assert (on, off) == (True, False)
    assert next(m for m, _ in day.moments if m.at_s >= off_s).soc_pct == pytest.approx(94, abs=0.2)
    (tmp_path / "less").mkdir()
    less = SunDay(
        tmp_path / "less", conf, pv=sun.steady(1500), battery=HouseBattery(1e6, soc_pct=97), plugs={"rod": Steady(2500)}
    )
    less.until(9 * HOUR)
    assert switched(less) == []


def test_a_plug_is_off_while_a_car_charges_fast(tmp_path):
    """S1-31: the car needs what the fuse bears."""
    conf = home(evse(), consumer(on_above_w=1000))
    day = SunDay(
        tmp_path,
        conf,
        pv=sun.steady(9000),
        boxes={"garage": Box(Car(phases=1, capacity_wh=1e6), max_phases=1)},
        plugs={"rod": Steady(1500)},
    )
    day.until(8.5 * HOUR)
    assert switched(day)[-1][1] is True
    day.ask("garage", "fast")
    day.until(9 * HOUR)
    assert switched(day)[-1][1] is False
    assert day.code("rod") == "other-charges-fast"
    day.ask("garage", "solar")
    day.until(9.5 * HOUR)
    assert switched(day)[-1][1] is True


def test_a_car_with_sun_makes_room_for_a_plug_that_comes_first(tmp_path):
    """S1-31: the rod has the higher priority; when its tank is hot the car has all the sun again."""
    conf = home(evse(), consumer(on_above_w=2000, priority=1))
    boxes = {"garage": Box(Car(phases=1, capacity_wh=1e6), max_phases=1)}
    day = SunDay(tmp_path, conf, pv=sun.steady(3000), boxes=boxes, plugs={"rod": Tank(2000, 1000)})
    day.until(8 * HOUR + 20 * MIN)
    assert day.strip.sockets["rod"].on
    assert day.car_w(8 * HOUR + 15 * MIN, 8 * HOUR + 20 * MIN) == 0
    day.until(9 * HOUR)
    assert day.code("rod") == "consumer-sated"
    assert day.car_w(8.8 * HOUR, 9 * HOUR) > 2000


def test_a_plug_whose_consumer_has_enough_is_off_until_its_next_hours(tmp_path):
    """S1-32: the tank is hot: off with that reason, and not tried again before tomorrow's window."""
    day = rod(tmp_path, sun.steady(4000), behind=Tank(1500, 600), windows=(Window(8 * 60, 14 * 60),))
    day.until(14 * HOUR)
    assert [on for _, on in switched(day)] == [True, False]
    assert "consumer-sated" in day.codes("rod")
    day.strip.sockets["rod"].connect(Tank(1500, 600), day.clock.true_s())
    day.until(33 * HOUR)
    assert [on for _, on in switched(day)] == [True, False, True, False]


@pytest.mark.parametrize(("watts", "on"), [(4000.0, False), (0.0, True)])
def test_a_plug_that_somebody_switches_by_hand_stays_so_until_midnight(tmp_path, watts, on):
    """People win: off in full sun, or on without any; the next day the sun decides again."""
    day = rod(tmp_path, sun.steady(watts), soc_pct=100)
    day.until(9 * HOUR)
    assert day.strip.sockets["rod"].on is not on
    day.strip.sockets["rod"].switch(on, day.clock.true_s())
    day.until(23.9 * HOUR)
    assert day.modes("device") == ["fast" if on else "off"]
    assert day.strip.sockets["rod"].on is on
    day.until(25 * HOUR)
    assert day.strip.sockets["rod"].on is not on
