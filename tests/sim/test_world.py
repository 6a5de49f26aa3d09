"""The simulated home: recorded charge curves, chargers with faults, one seed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from chargerd.drivers.simulated import Socket
from chargerd.sim.world import KINDS, RECORDED, Home, load, random_home, recorded

ROOT = Path(__file__).parents[2]


def seconds_until_below(kind: str, power_w: float) -> float:
    """When the power of a charge from the beginning first falls below a level."""
    socket = Socket(load(kind), on=True)
    return next(at_s for at_s in range(0, 40_000, 10) if socket.power_w(at_s) < power_w)


@pytest.mark.parametrize(
    ("kind", "at_s", "power_w"),
    [
        ("rad-full", 0, 103.975),
        ("rad-full", 3353, 89.499),  # 00:56:48
        ("rad-full", 10_039, 5.151),  # 02:48:10, the step down
        ("lectric-full", 6109, 101.649),  # 01:42:33
        ("lectric-full", 9735, 39.054),  # 02:43:03
        ("rad-nominal", 5424, 85.196),  # 01:31:35, its last reading
    ],
)
def test_an_uninterrupted_charge_follows_the_recording(kind: str, at_s: float, power_w: float) -> None:
    """Played along energy, the power is at each moment what the meter saw."""
    socket = Socket(load(kind), on=True)
    socket.advance(0)
    assert socket.power_w(at_s) == pytest.approx(power_w, rel=0.005, abs=0.2)


def test_the_rad_pack_steps_down_and_climbs_again() -> None:
    """From 17.7 W it drops to 5.2 W, climbs to 6.3 W, and falls below 5 W for good an hour later."""
    socket = Socket(load("rad-full"), on=True)
    socket.advance(0)
    tail_w = [socket.power_w(at_s) for at_s in range(10_000, 14_400, 60)]
    assert min(tail_w[:4]) < 5.5 < max(tail_w[4:20]) < 6.5
    assert tail_w[-1] < 4.4


def test_a_nominal_charge_ends_like_the_full_one() -> None:
    """The recording stops at 85 W; the curve goes on falling to the tail of the same charger."""
    assert seconds_until_below("rad-nominal", 90) == pytest.approx(5175, abs=120)
    assert recorded("rad-nominal").points[-1][1] == 4.263
    assert seconds_until_below("rad-nominal", 5) < 40_000


def test_energy_along_every_curve_rises() -> None:
    """No two points share an energy, or a curve could not be followed."""
    for name in RECORDED:
        energies = [wh for wh, _ in recorded(name).points]
        assert all(early < late for early, late in pairwise(energies))


@pytest.mark.parametrize(
    ("kind", "power_w"),
    [
        ("empty", 0.0),
        ("idle", 0.7),
        ("full", 5.0),
        ("topped-up", 15.5),
        ("never-tapers", 103.0),
        ("never-full", 8.0),
        ("dead", 0.0),
        ("foreign", 600.0),
    ],
)
def test_chargers_that_do_not_charge_draw_the_same_all_night(kind: str, power_w: float) -> None:
    """Eight hours later nothing has changed."""
    socket = Socket(load(kind), on=True)
    assert [socket.power_w(at_s) for at_s in (0, 28_800)] == [power_w, power_w]


def test_a_slow_charger_takes_a_minute() -> None:
    """0 W at first, the plateau after 60 s."""
    socket = Socket(load("slow-start"), on=True)
    assert [socket.power_w(at_s) for at_s in (0, 59)] == [0.0, 0.0]
    assert socket.power_w(61) > 100


def test_a_part_full_pack_begins_further_down_its_curve() -> None:
    """A Rad pack that has had 90 % of its energy starts below 90 W."""
    assert Socket(load("rad-full", start=0.9), on=True).power_w(0) < 90


def test_every_kind_can_stand_behind_a_socket_and_no_other() -> None:
    """The list of kinds is the list of what there is."""
    home = Home(1, {kind: kind for kind in KINDS})
    assert len(home.sockets) == len(KINDS)
    with pytest.raises(KeyError):
        load("toaster")


def test_one_seed_makes_one_home() -> None:
    """Six sockets over six hours: the same seed gives equal measurements, another does not."""

    def measured(seed: int) -> list[float]:
        home = random_home(seed, ("a", "b", "c", "d", "e", "f"))
        for socket in home.sockets.values():
            socket.switch(True, 0)
        return [socket.measure_w(at_s) for at_s in range(0, 21_600, 1800) for socket in home.sockets.values()]

    assert measured(8241) == measured(8241)
    assert measured(8241) != measured(8242)


def test_the_curves_that_are_installed_are_the_traces_of_the_benchmarks() -> None:
    """One recording, kept in both places with its lines of origin."""
    installed = (ROOT / "chargerd/sim/curves/ebike_charge_power.csv").read_text("utf-8")
    assert installed == (ROOT / "benchmarks/traces/ebike_charge_power.csv").read_text("utf-8")
    assert installed.splitlines()[1].startswith("# source: ")
