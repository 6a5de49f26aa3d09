"""A simulated car and its EVSE, by their clockless physics."""

from __future__ import annotations

import pytest

from chargerd.sim.car import Box, Car


def flows(box: Box, at_s: float) -> tuple[float, float, float]:
    return box.settle(at_s)


def test_a_car_begins_twenty_seconds_after_an_offer_and_follows_changes_in_five() -> None:
    """Offered 6 A at 100 s it draws from 120 s on; raised to 10 A at 200 s it draws that from 205 s on."""
    box = Box(Car())
    box.offer(100, enabled=True, current_a=6)
    assert flows(box, 119) == (0, 0, 0)
    assert flows(box, 120) == (6, 6, 6)
    box.offer(200, enabled=True, current_a=10)
    assert flows(box, 204) == (6, 6, 6)
    assert flows(box, 205) == (10, 10, 10)
    box.offer(300, enabled=False)
    assert flows(box, 305) == (0, 0, 0)


def test_a_change_during_the_start_comes_with_the_start() -> None:
    """Raised five seconds after the first offer, the car starts with the newer current and not earlier."""
    box = Box(Car())
    box.offer(0, enabled=True, current_a=6)
    box.offer(5, enabled=True, current_a=8)
    assert flows(box, 15) == (0, 0, 0)
    assert flows(box, 20) == (8, 8, 8)


@pytest.mark.parametrize(("phases", "expected"), [(1, (9, 0, 0)), (2, (9, 9, 0)), (3, (9, 9, 9))])
def test_a_car_uses_no_more_phases_than_it_has(phases: int, expected: tuple[float, ...]) -> None:
    """One-, two- and three-phase cars on a three-phase box."""
    box = Box(Car(phases=phases))
    box.offer(0, enabled=True, current_a=9)
    assert flows(box, 60) == expected


def test_the_first_phase_of_a_box_may_be_another_one_of_the_grid() -> None:
    """A box whose L1 is connected to L3 loads L3 with a one-phase car."""
    box = Box(Car(phases=1), rotation=(2, 0, 1))
    box.offer(0, enabled=True, current_a=9)
    assert flows(box, 60) == (0, 0, 9)
    assert box.currents_a == (9, 0, 0)


def test_a_change_of_phases_interrupts_and_starts_anew() -> None:
    """From three phases to one: nothing flows until the relays have moved and the car has started again, 30 s later."""
    box = Box(Car())
    box.offer(0, enabled=True, current_a=6)
    assert flows(box, 60) == (6, 6, 6)
    box.switch(100, 1)
    assert flows(box, 100) == (0, 0, 0)
    assert flows(box, 129) == (0, 0, 0)
    assert flows(box, 130) == (6, 0, 0)


def test_a_pause_after_a_change_of_phases_is_kept() -> None:
    """Switched while paused, it stays paused; the next offer waits for the relays."""
    box = Box(Car())
    box.switch(100, 1)
    assert flows(box, 200) == (0, 0, 0)
    box.switch(300, 3)
    box.offer(301, enabled=True, current_a=6)
    assert flows(box, 329) == (0, 0, 0)
    assert flows(box, 330) == (6, 6, 6)


def test_a_car_takes_less_when_it_is_nearly_full_and_then_nothing() -> None:
    """Above 95 % the current falls; at its limit the car goes back to B although it is still offered current."""
    car = Car(capacity_wh=1000, soc_pct=98)
    box = Box(car)
    box.offer(0, enabled=True, current_a=16)
    assert flows(box, 60)[0] == pytest.approx(16 * 0.4)
    assert box.pilot == "C"
    car.take(25)
    assert car.soc_pct > 100
    assert flows(box, 90) == (0, 0, 0)
    assert box.pilot == "B"


def test_a_car_that_refuses_stays_in_b() -> None:
    """It is offered current and takes none, ever."""
    car = Car()
    car.refuses = True
    box = Box(car)
    box.offer(0, enabled=True, current_a=16)
    assert flows(box, 600) == (0, 0, 0)
    assert box.pilot == "B"


def test_a_car_that_charges_although_it_is_paused_shows() -> None:
    """A contactor that does not open: current flows, and the pilot says so."""
    car = Car()
    car.stray_a = 6
    box = Box(car)
    assert flows(box, 0) == (6, 6, 6)
    assert box.pilot == "C"
    assert not box.enabled


def test_pilot_letters_follow_the_cable() -> None:
    """A without a car, B with one, C once it is offered current; off again without a car nothing flows."""
    box = Box()
    assert box.pilot == "A"
    box.connect(0, Car())
    assert box.pilot == "B"
    box.offer(0, enabled=True, current_a=6)
    assert box.pilot == "C"
    assert flows(box, 20) == (6, 6, 6)
    box.connect(30, None)
    assert box.pilot == "A"
    assert flows(box, 30) == (0, 0, 0)
    box.connect(40, Car())
    assert flows(box, 60) == (6, 6, 6), "an EVSE that was left on starts the next car by itself"


def test_a_box_that_was_left_charging_begins_charging() -> None:
    """A daemon that starts finds a car that has been charging for long."""
    box = Box(Car(), enabled=True)
    assert flows(box, 0) == (6, 6, 6)
