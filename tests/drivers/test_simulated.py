"""The simulated plug and the physics behind every simulated socket."""

from __future__ import annotations

import random
from typing import Any

import pytest

from chargerd.drivers.base import UnexpectedAnswer
from chargerd.drivers.simulated import Curve, Driver, Removed, Socket, SoftStart, Steady, curve, taper
from chargerd.model.commands import SetEnabled


def plug(*channels: str, now_s: Any = None, **keys: Any) -> Driver:
    """A driver called "bench"."""
    return Driver("bench", Driver.Config(driver="simulated", **keys), channels, {}, now_s=now_s)


def test_nothing_flows_while_the_relay_is_off() -> None:
    """100 W behind an open relay are 0 W and 0 Wh."""
    socket = Socket(Steady(100.0))
    assert (socket.power_w(0), socket.power_w(3600), socket.counter_wh) == (0.0, 0.0, 0.0)


def test_energy_adds_up() -> None:
    """100 W over 90 minutes are 150 Wh, looked at once or every second."""
    once, often = Socket(Steady(100.0), on=True), Socket(Steady(100.0), on=True)
    once.advance(0)
    once.advance(5400)
    for at_s in range(5401):
        often.advance(at_s)
    assert once.counter_wh == pytest.approx(150.0)
    assert often.counter_wh == pytest.approx(150.0)


def test_an_interrupted_charge_goes_on_where_it_was() -> None:
    """An hour off in the middle changes neither power nor energy afterwards."""
    pack = taper(100.0, 200.0, 5.0)
    straight, broken = Socket(pack, on=True), Socket(pack, on=True)
    straight.advance(0)
    broken.advance(0)
    broken.switch(False, 5400)
    broken.switch(True, 9000)
    assert broken.power_w(10_800) == pytest.approx(straight.power_w(7200))
    assert broken.counter_wh == pytest.approx(straight.counter_wh)


def test_a_curve_is_followed_along_energy_and_stays_at_its_last_power() -> None:
    """Half way between 100 W at 0 Wh and 50 W at 10 Wh are 75 W; past the end it stays; a part-full pack begins later."""
    pack = Curve(((0.0, 100.0), (10.0, 50.0)))
    assert [pack.power_w(wh, 0, 0) for wh in (0, 5, 10, 99)] == [100.0, 75.0, 50.0, 50.0]
    assert Curve(pack.points, start_wh=5).power_w(0, 0, 0) == 75.0


def test_a_curve_holds_the_energy_of_its_samples() -> None:
    """An hour at 100 W, then an hour of decay to 50 W: 100 + 50 ÷ ln 2 Wh, and the charge is at 50 W after two hours."""
    pack = curve([(0, 100.0), (3600, 100.0), (7200, 50.0)])
    assert pack.points == ((0.0, 100.0), (100.0, 100.0), (pytest.approx(172.13, abs=0.01), 50.0))
    socket = Socket(pack, on=True)
    socket.advance(0)
    assert [socket.power_w(at_s) for at_s in (3600, 7200)] == pytest.approx([100.0, 50.0], abs=0.1)


def test_a_slow_charger_begins_a_minute_after_each_switch_on() -> None:
    """0 W for 60 s, then 100 W, and again after the next switch-on."""
    socket = Socket(SoftStart(Steady(100.0), wait_s=60), on=True)
    assert [socket.power_w(at_s) for at_s in (0, 59, 60)] == [0.0, 0.0, 100.0]
    socket.switch(False, 100)
    socket.switch(True, 200)
    assert [socket.power_w(at_s) for at_s in (200, 259, 260)] == [0.0, 0.0, 100.0]


def test_a_pack_that_is_removed_leaves_an_idle_charger() -> None:
    """100 W until the pack is pulled at 600 s, 0.7 W after."""
    socket = Socket(Removed(Steady(100.0), removed_s=600), on=True)
    assert [socket.power_w(at_s) for at_s in (0, 599, 600)] == [100.0, 100.0, 0.7]


def test_a_glitch_is_one_measurement_of_0_w() -> None:
    """The first measurement after 100 s says 0 W, the next is right, and no energy is missing."""
    socket = Socket(Steady(36.0), on=True)
    socket.glitch(100)
    assert [socket.measure_w(at_s) for at_s in (90, 110, 120)] == [36.0, 0.0, 36.0]
    assert socket.counter_wh == pytest.approx(0.3)


def test_a_reboot_empties_the_counter_and_not_the_pack() -> None:
    """The meter starts at 0, the charge goes on where it was."""
    socket = Socket(taper(100.0, 200.0, 5.0), on=True)
    socket.advance(0)
    before_w = socket.power_w(7000)
    socket.reboot(7000)
    assert (socket.counter_wh, socket.power_w(7000)) == (0.0, before_w)


def test_another_pack_starts_at_its_beginning() -> None:
    """Energy taken counts from the moment something else is connected."""
    socket = Socket(Curve(((0.0, 100.0), (10.0, 50.0))), on=True)
    socket.advance(0)
    socket.connect(Curve(((0.0, 80.0), (10.0, 50.0))), 3600)
    assert socket.power_w(3600) == 80.0


def test_noise_is_small_and_never_negative() -> None:
    """Of 1000 measurements of 100 W all lie within 1 W; of 0.01 W none is below 0."""
    big, small = (
        Socket(Steady(100.0), on=True, noise=random.Random(1)),
        Socket(Steady(0.01), on=True, noise=random.Random(1)),
    )
    assert all(99 < big.measure_w(0) < 101 for _ in range(1000))
    assert all(small.measure_w(0) >= 0 for _ in range(1000))


def test_each_reading_of_the_driver_is_one_poll_later() -> None:
    """Without a clock ten readings at a poll of 360 s are an hour: 0.1 h × 100 W each."""
    driver = plug(pack="constant", plateau_w=100.0, poll_s=360.0)
    driver.apply(SetEnabled("bench", True))
    for _ in range(10):
        (reading,) = driver.read()
    assert reading.enabled is True
    assert reading.power_w == pytest.approx(100.0, abs=1.0)
    assert reading.energy_wh == pytest.approx(100.0)


def test_the_driver_reads_and_switches_its_channels_alone() -> None:
    """Two sockets; only b is switched on."""
    driver = plug("a", "b", pack="constant")
    driver.apply(SetEnabled("bench/b", True))
    assert [(reading.channel, reading.enabled) for reading in driver.read()] == [("a", False), ("b", True)]
    assert driver.describe().channels == {"a": "a", "b": "b"}
    with pytest.raises(UnexpectedAnswer, match="no socket 'c'"):
        driver.apply(SetEnabled("bench/c", True))


def test_the_driver_follows_the_clock_it_is_given_and_keeps_the_lease() -> None:
    """A lease of 600 s ends at 600 s: 100 W for 10 minutes are 16.7 Wh however late anybody looks."""
    time = [1000.0]
    driver = plug(now_s=lambda: time[0], pack="constant", plateau_w=100.0)
    driver.read()
    driver.apply(SetEnabled("bench", True, lease_s=600))
    time[0] += 400
    (reading,) = driver.read()
    assert (reading.enabled, reading.lease_s, reading.timer) == (True, 200, "ours")
    time[0] += 5000
    (reading,) = driver.read()
    assert (reading.enabled, reading.power_w, reading.lease_s) == (False, 0.0, None)
    assert reading.energy_wh == pytest.approx(16.67, abs=0.01)


@pytest.mark.parametrize(("pack", "first_w"), [("taper", 97.0), ("constant", 100.0), ("none", 0.7)])
def test_the_driver_has_packs_to_choose_from(pack: str, first_w: float) -> None:
    """A pack that tapers, one that never does, a charger without a pack."""
    driver = plug(pack=pack, plateau_w=100.0)
    driver.apply(SetEnabled("bench", True))
    assert driver.read()[0].power_w == pytest.approx(first_w, abs=1.0)
