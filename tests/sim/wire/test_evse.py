"""Simulated EVSE: what flows is what is offered, what the car takes, and on which phases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chargerd.sim.wire.evse import Car
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


@pytest.mark.parametrize(
    ("offered_a", "car", "phases", "power_w"),
    [
        (10.0, Car(), 3, 6900.0),
        (10.0, Car(), 1, 2300.0),
        (16.0, Car(phases=1), 3, 3680.0),
        (16.0, Car(max_a=13.0, phases=2), 3, 5980.0),
        (16.0, Car(wants=False), 3, 0.0),
        (16.0, None, 3, 0.0),
    ],
)
def test_power_is_the_least_of_what_both_allow(garage, offered_a, car, phases, power_w):
    """On each phase that the EVSE is switched to and the car has."""
    evse = garage.evse(car)
    evse.offer(offered_a, paused=False, phases=phases)
    assert evse.power_w() == power_w


def test_nothing_flows_on_a_phase_that_is_not_there(garage):
    """125 V is induction, not a phase."""
    evse = garage.evse(Car(), volts=(240.0, 125.0, 59.5))
    evse.offer(10.0, paused=False)
    assert (evse.currents(), evse.power_w()) == ((10.0, 0.0, 0.0), 2400.0)


def test_energy_is_counted_at_the_power_of_its_time(garage):
    """An hour at 2300 W, an hour paused, another hour at 2300 W, an hour without a car."""
    evse = garage.evse(Car())
    evse.offer(10.0, paused=False, phases=1)
    for change in (lambda: evse.offer(paused=True), lambda: evse.offer(paused=False), lambda: evse.connect(None)):
        garage.now_s += 3600
        change()
    garage.now_s += 3600
    evse.settle()
    assert evse.energy_wh == pytest.approx(4600.0)


def test_a_fault_stops_everything(garage):
    """Also a charger that otherwise does not care that it is paused."""
    evse = garage.evse(Car())
    evse.stubborn = True
    assert (evse.pilot(), evse.power_w()) == ("C", 4140.0)
    evse.fault = 16
    assert (evse.pilot(), evse.power_w()) == ("F", 0.0)
