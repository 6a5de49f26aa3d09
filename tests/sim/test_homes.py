"""Drivers on the simulated house: what they say, what they take, and every way in which they can be wrong."""

from __future__ import annotations

import math

import pytest

from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.model.commands import SetCurrent, SetEnabled, SetPhases
from chargerd.model.events import ChargerRead, MeterRead, StorageRead
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from chargerd.sim.home import House, HouseBattery
from chargerd.sim.homes import FAR, HomeEvse, HomeMeters


class Bench:
    """A house with its drivers at a time that the test sets."""

    def __init__(self, *, lag_s: float = 0.0, car: Car | None = None, **evse: object) -> None:
        self.s = 0.0
        self.car = Car() if car is None else car
        pv = sun.plus(sun.steady(5000), -3000, 1000, 9000)
        self.house = House(pv, sun.steady(1000), [Box(self.car)], HouseBattery(max_charge_w=2000))
        self.meters = HomeMeters(self.house, lambda: self.s, lag_s=lag_s)
        self.evse = HomeEvse(self.house, lambda: self.s, **evse)  # type: ignore[arg-type]
        self.look()

    def look(self, at_s: float = 0.0) -> tuple[MeterRead, MeterRead, StorageRead]:
        self.s = at_s
        inverter, grid, battery = self.meters.read()
        assert isinstance(inverter, MeterRead)
        assert isinstance(grid, MeterRead)
        assert isinstance(battery, StorageRead)
        return inverter, grid, battery

    def box(self, at_s: float) -> ChargerRead:
        self.s = at_s
        (reading,) = self.evse.read()
        assert isinstance(reading, ChargerRead)
        return reading

    def tell(self, at_s: float, command: object) -> None:
        self.s = at_s
        self.evse.apply(command)  # type: ignore[arg-type]


def test_the_meters_say_what_flows_by_the_signs_of_readings() -> None:
    """5 kW of sun, 1 kW in the house, 2 kW into the battery: 3 kW come out of the inverter and 2 kW go to the grid."""
    inverter, grid, battery = Bench().look(100)
    assert (inverter.channel, grid.channel, battery.channel) == ("inverter", "meter1", "battery1")
    assert inverter.power_w == pytest.approx(3000)
    assert grid.power_w == pytest.approx(-2000)
    assert battery.power_w == pytest.approx(-2000)
    assert grid.power_l1_w == pytest.approx(500 - 1000)
    assert grid.current_l1_a == pytest.approx(-500 / grid.voltage_l1_v, rel=1e-6)
    assert grid.export_wh == pytest.approx(2000 * 100 / 3600)
    assert battery.max_charge_w == 2000
    assert battery.status == "charging"


def test_the_box_says_what_it_offers_and_what_flows() -> None:
    """Paused, then 7 A offered: after the start the currents, the power at the measured voltages and the counter follow."""
    bench = Bench()
    assert bench.box(0).enabled is False
    bench.tell(10, SetCurrent("box", 7))
    waiting = bench.box(20)
    assert (waiting.enabled, waiting.offered_a, waiting.pilot, waiting.power_w) == (True, 7, "C", 0)
    bench.look(40)
    flowing = bench.box(60)
    assert (flowing.current_l1_a, flowing.current_l3_a, flowing.phases) == (7, 7, 3)
    volts = flowing.voltage_l1_v + flowing.voltage_l2_v + flowing.voltage_l3_v
    assert flowing.power_w == pytest.approx(7 * volts, rel=0.01)
    assert flowing.energy_wh == pytest.approx(flowing.power_w * 30 / 3600, rel=0.02)
    assert bench.evse.commands == [(10, SetCurrent("box", 7))]


def test_a_pause_keeps_the_current_that_it_is_set_to() -> None:
    """0 A is a pause: nothing flows and the setting stays, as boxes with two registers have it."""
    bench = Bench()
    bench.tell(0, SetCurrent("box", 9))
    bench.tell(60, SetCurrent("box", 0))
    paused = bench.box(90)
    assert (paused.enabled, paused.offered_a, paused.power_w, paused.pilot) == (False, 9, 0, "B")


@pytest.mark.parametrize(
    "command",
    [SetCurrent("box", 5), SetCurrent("box", 17), SetCurrent("box", 6.5), SetPhases("box", 2), SetEnabled("box", True)],
)
def test_what_a_box_cannot_do_it_refuses_and_nothing_changes(command: object) -> None:
    """Below its least, above its most, between two steps, two phases, and a plug's command."""
    bench = Bench()
    with pytest.raises(UnexpectedAnswer):
        bench.tell(0, command)
    assert bench.box(30).enabled is False


def test_a_box_of_fine_steps_takes_a_tenth_of_an_ampere() -> None:
    """6.3 A, whatever binary fractions make of it."""
    bench = Bench(step_a=0.1)
    bench.tell(0, SetCurrent("box", 6.3))
    assert bench.box(30).current_l1_a == 6.3


def test_phases_are_changed_without_current_only() -> None:
    """While it flows the box refuses; paused it switches, and the unused phases show what is left on them."""
    bench = Bench()
    bench.house.boxes[0].ghost_v = 125.0
    bench.tell(0, SetCurrent("box", 6))
    with pytest.raises(UnexpectedAnswer, match="current flows"):
        bench.tell(60, SetPhases("box", 1))
    bench.tell(61, SetCurrent("box", 0))
    bench.tell(70, SetPhases("box", 1))
    bench.tell(75, SetCurrent("box", 6))
    one = bench.box(120)
    assert (one.phases, one.current_l1_a, one.current_l2_a, one.voltage_l2_v) == (1, 6, 0, 125)


def test_a_command_too_soon_after_another_is_not_heard() -> None:
    """Of two within its ten seconds only the first takes effect, and nothing says so."""
    bench = Bench(pause_s=10.0)
    bench.tell(0, SetCurrent("box", 6))
    bench.tell(5, SetCurrent("box", 16))
    assert bench.box(8).offered_a == 6
    assert bench.evse.unheard == 1
    bench.tell(15, SetCurrent("box", 16))
    assert bench.box(20).offered_a == 16


def test_a_lease_runs_out_in_the_box() -> None:
    """Told 16 A for 60 s and then nothing, it goes back to its safe current at 60 s; a box without one pauses."""
    safe, off = Bench(lease="proven", lease_current_a=6.0), Bench(lease="proven")
    for bench in (safe, off):
        bench.tell(0, SetCurrent("box", 16, lease_s=60))
        assert bench.box(50).lease_s == 10
    later = safe.box(300)
    assert (later.enabled, later.offered_a, later.current_l1_a, later.lease_s) == (True, 6, 6, None)
    assert off.box(300).power_w == 0


def test_a_lease_is_no_longer_than_the_box_keeps_one() -> None:
    """As a KEBA does, which takes 600 s at most, and says so."""
    bench = Bench(lease="proven", lease_max_s=600)
    assert bench.evse.describe().lease_max_s == 600
    bench.tell(0, SetCurrent("box", 8, lease_s=900))
    assert [bench.box(599).current_l1_a, bench.box(620).current_l1_a] == [8, 0]


def test_a_lease_that_is_renewed_goes_on() -> None:
    """Told again at its half, the same current flows past the first end."""
    bench = Bench(lease="proven")
    bench.tell(0, SetCurrent("box", 8, lease_s=60))
    bench.tell(30, SetCurrent("box", 8, lease_s=60))
    assert bench.box(80).current_l1_a == 8


def test_a_lease_that_runs_out_begins_nothing() -> None:
    """Somebody paused the box by its button; the end of the time limit does not undo that."""
    bench = Bench(lease="proven", lease_current_a=6.0)
    bench.tell(0, SetCurrent("box", 16, lease_s=60))
    bench.s = 40
    bench.evse.press()
    assert bench.box(300).power_w == 0


def test_somebody_presses_the_button() -> None:
    """The box begins by itself with what it is set to, and stops at the next press."""
    bench = Bench()
    bench.evse.press()
    assert bench.box(60).current_l1_a == 6
    bench.evse.press()
    assert bench.box(120).current_l1_a == 0


def test_meters_take_no_commands() -> None:
    """Whatever they are told is refused."""
    with pytest.raises(UnexpectedAnswer):
        Bench().meters.apply(SetCurrent("home", 6))


def test_a_late_meter_says_what_was() -> None:
    """At 1001 s, one second after 3 kW of sun went, a meter two seconds late still shows them."""
    bench = Bench(lag_s=2.0)
    bench.look(998)
    assert bench.look(1001)[1].power_w == pytest.approx(-2000)
    bench.s = 1003
    assert bench.look(1003)[1].power_w > 0


def test_a_silent_channel_is_missing_and_a_silent_device_does_not_answer() -> None:
    """The meter alone, then all of the inverter, then the box."""
    bench = Bench()
    bench.meters.fault("meter1").silent = True
    assert [reading.channel for reading in bench.meters.read()] == ["inverter", "battery1"]
    for channel in ("inverter", "battery1"):
        bench.meters.fault(channel).silent = True
    with pytest.raises(Unreachable):
        bench.meters.read()
    bench.evse.fault.silent = True
    with pytest.raises(Unreachable):
        bench.evse.read()
    with pytest.raises(Unreachable):
        bench.tell(0, SetCurrent("box", 6))
    bench.evse.fault.silent = False
    assert bench.box(60).power_w == 0, "what it could not hear it does not do"


def test_a_frozen_device_says_the_same_for_ever_and_still_obeys() -> None:
    """The meter keeps its last value although the sun goes; the box shows a pause although current flows."""
    bench = Bench()
    before = bench.look(900)[1]
    bench.meters.fault("meter1").frozen = True
    bench.evse.fault.frozen = True
    first = bench.box(900)
    bench.tell(901, SetCurrent("box", 16))
    assert bench.look(1200)[1] == before
    assert bench.look(1200)[0].power_w != pytest.approx(3000)
    assert bench.box(1200) == first
    assert bench.house.now.cars_w > 10_000


def test_a_liar_multiplies_or_turns_what_flows_and_nothing_else() -> None:
    """Ten times too much, or the other way round; voltages and counters stay true."""
    bench = Bench()
    true = bench.look(100)[1]
    bench.meters.fault("meter1").factor = 10
    tenfold = bench.look(100)[1]
    bench.meters.fault("meter1").factor = -1
    turned = bench.look(100)[1]
    assert tenfold.power_w == pytest.approx(10 * true.power_w)
    assert tenfold.current_l2_a == pytest.approx(10 * true.current_l2_a)
    assert turned.power_w == pytest.approx(-true.power_w)
    assert (tenfold.voltage_l1_v, turned.export_wh) == (true.voltage_l1_v, true.export_wh)


def test_no_number_and_impossible_numbers() -> None:
    """Every measurement of the box, with its words and switches as they are."""
    bench = Bench()
    bench.evse.fault.nan = True
    no_number = bench.box(10)
    assert math.isnan(no_number.power_w)
    assert math.isnan(no_number.voltage_l1_v)
    assert (no_number.enabled, no_number.pilot) == (False, "B")
    bench.evse.fault.nan = False
    bench.evse.fault.far = True
    assert bench.box(20).power_w == FAR


def test_a_slow_box_tells_and_follows_late() -> None:
    """Thirty seconds late both ways: the command works 30 s later, and is seen another 30 s later."""
    bench = Bench()
    bench.evse.fault.slow_s = 30
    seen = {}
    for s in range(0, 200, 5):
        if s == 50:
            bench.tell(50, SetCurrent("box", 6))
        seen[s] = bench.box(s).power_w > 0
    assert bench.house.boxes[0].enabled
    assert min(s for s, flows in seen.items() if flows) == 50 + 30 + 20 + 30


def test_the_drivers_say_what_they_are() -> None:
    """What the engine has to know of an EVSE is in its first answer."""
    added = Bench(step_a=0.1, pause_s=10.0).evse.describe()
    assert (added.min_current_a, added.max_current_a, added.current_step_a) == (6, 16, 0.1)
    assert (added.max_phases, added.pause_s, added.has_pilot) == (3, 10, True)
    assert added.accepts == ("SetCurrent", "SetPhases")
    assert Bench(switches=False).evse.describe().accepts == ("SetCurrent",)
    assert Bench().meters.describe().channels == {name: name for name in ("inverter", "meter1", "battery1")}
