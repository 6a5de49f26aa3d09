"""Witness: a meter that does not move with what our own charging takes is not believed, and one that does is again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from chargerd.engine import meters
from chargerd.model.events import ConfigLoaded, MeterRead, StorageRead
from chargerd.model.state import Site
from tests.house_sun import believed, clock, evse, evse_read, grid_read, home, house_battery, then

LEVELS_A = (0.0, 10.0, 0.0, 16.0, 0.0, 12.0)
MADE_W = 2000.0


def led(
    says: Callable[[float, float], float | None],
    levels_a=LEVELS_A,
    *,
    every_s: float = 10.0,
    pv: bool = True,
    made=None,
) -> Site:
    """A car that is offered one level after the other for a minute each, beside a meter that says something of it all.

    ``says`` is given what the house really takes from the grid, and the second. The house itself takes 1.5 kW.
    """
    site = believed(home(evse(mode="fast")))
    for n in range(round(len(levels_a) * 60 / every_s)):
        at_s = n * every_s
        current_a = levels_a[int(at_s // 60)]
        pv_w = MADE_W if made is None else made(at_s)
        grid_w = 1500 + 230 * current_a - pv_w
        facts = [("garage-box", evse_read(current_a)), ("home", grid_read(says(grid_w, at_s)))]
        if pv:
            facts.insert(0, ("home", MeterRead(channel="inverter", power_w=pv_w)))
        site = then(site, at_s, *facts)
    return site


def believes(site: Site, seconds: float) -> bool:
    """Whether the grid meter counts at a moment."""
    return meters.meter_at(site, "grid", clock(seconds)) is not None


def last_s(site: Site) -> float:
    """The second of the last reading."""
    return (site.t_ms - clock(0)) / 1000


WRONG = {
    "flipped": lambda grid_w, _: -grid_w,
    "tenfold": lambda grid_w, _: 10 * grid_w,
    "frozen": lambda *_: -500.0,
    "elsewhere": lambda _, at_s: -500.0 + at_s % 7,
}


def test_a_meter_that_moves_with_charging_is_believed():
    """Also while an oven goes on with one step of four."""
    site = led(lambda grid_w, at_s: grid_w + 2500 * (65 < at_s < 130))
    assert believes(site, last_s(site))


@pytest.mark.parametrize("wrong", WRONG)
def test_one_that_does_not_is_not_believed(wrong):
    """Turned, ten times too much, always the same, or a meter that does not see the charger at all."""
    site = led(WRONG[wrong])
    assert not believes(site, last_s(site))


@pytest.mark.parametrize("wrong", ["flipped", "tenfold", "frozen"])
def test_one_step_is_enough_where_it_cannot_be_chance(wrong):
    """Exactly the wrong sign or factor while panels are steady, or the very same number through a step."""
    site = led(WRONG[wrong], (0.0, 10.0))
    assert not believes(site, last_s(site))


def test_without_a_meter_at_the_panels_it_takes_three_steps():
    """A cloud that goes away may turn one step round, or two."""
    assert believes(led(WRONG["flipped"], LEVELS_A[:3], pv=False), 170)
    assert not believes(led(WRONG["flipped"], LEVELS_A[:4], pv=False), 230)


def test_a_step_while_the_sun_moves_says_nothing():
    """The sun comes out by as much as the car takes, or twice: the meter does not move, or the wrong way."""
    for factor in (1.0, 2.0):
        site = led(
            lambda grid_w, _: grid_w,
            (0.0, 10.0, 0.0, 10.0, 0.0, 10.0),
            made=lambda at_s, factor=factor: 2300.0 * factor * (at_s // 60 % 2),
        )
        assert believes(site, last_s(site))
        assert site.meters["home/meter1"].witness.kind == ""


def test_a_house_battery_that_nobody_meters_may_take_a_step_on_itself():
    """The grid stays near 0 W then, whatever the car does; that is no meter that is broken."""
    site = led(lambda _, at_s: 20.0 + at_s % 7)
    assert believes(site, last_s(site))


@pytest.mark.parametrize("behind", [True, False])
def test_a_house_battery_that_is_metered_and_takes_a_step_on_itself_clears_the_meter(behind):
    """It gives what the car takes, and the house goes on buying 900 W: at the panels' inverter, or at one of its own."""
    storage = house_battery() if behind else house_battery(device="cellar")
    conf = home(evse(mode="fast"), storage=storage)
    conf = structs.replace(
        conf, devices={**conf.devices, "cellar": structs.replace(conf.devices["home"], name="cellar")}
    )
    site = believed(conf)
    for at_s in range(0, 600, 10):
        current_a = LEVELS_A[at_s // 60 % 2]
        given_w = 230 * current_a
        facts = [
            ("home", MeterRead(channel="inverter", power_w=MADE_W + given_w * behind)),
            (storage.device, StorageRead(channel="battery1", power_w=given_w, soc_pct=70.0)),
            ("garage-box", evse_read(current_a)),
            ("home", grid_read(900.0 + at_s % 7)),
        ]
        site = then(site, at_s, *facts)
    assert believes(site, last_s(site))
    assert site.meters["home/meter1"].witness.kind == ""


def test_small_steps_and_readings_far_apart_say_nothing():
    """Less than 1 kW is lost in a house; two minutes apart, anything may have happened."""
    assert believes(led(WRONG["flipped"], (6.0, 10.0, 6.0, 10.0, 6.0)), 290)
    assert believes(led(WRONG["flipped"], every_s=60.0), 300)


def test_after_an_hour_it_is_given_another_chance_and_the_next_step_decides():
    """Nobody needs to be there when it was an oven after all."""
    site = led(WRONG["flipped"], LEVELS_A[:2])
    seen_s = (site.meters["home/meter1"].witness.doubted_t_ms - clock(0)) / 1000
    for at_s in (seen_s + 3590, seen_s + 3599):
        site = then(site, at_s, ("home", grid_read(-400.0 - at_s)))
        assert not believes(site, at_s)
    site = then(site, seen_s + 3601, ("home", grid_read(-400.0)))
    assert believes(site, seen_s + 3601)


def test_the_first_step_that_it_follows_clears_it():
    """It is turned in the cabinet, and the next pause shows that."""
    site = led(lambda grid_w, at_s: -grid_w if at_s < 100 else grid_w, (0.0, 10.0, 10.0, 0.0))
    assert not site.meters["home/meter1"].witness.doubted_t_ms
    assert believes(site, last_s(site))


def test_a_meter_that_is_configured_anew_begins_afresh():
    """With `invert` it is right."""
    site = led(WRONG["flipped"], LEVELS_A[:2])
    meters_now = site.configuration.meters
    turned = {**meters_now, "grid": structs.replace(meters_now["grid"], invert=True)}
    seconds = last_s(site)
    same = then(site, seconds + 1, ("daemon", ConfigLoaded(site.configuration)))
    assert not believes(same, seconds + 1)
    site = then(site, seconds + 1, ("daemon", ConfigLoaded(structs.replace(site.configuration, meters=turned))))
    assert believes(site, seconds + 1)


def test_a_turned_meter_that_is_configured_so_is_held_against_its_turned_sign():
    """`invert = true`, and it really is mounted the other way round."""
    site = led(WRONG["flipped"], LEVELS_A[:1])
    configured = site.configuration.meters
    turned = {**configured, "grid": structs.replace(configured["grid"], invert=True)}
    site = then(site, 51, ("daemon", ConfigLoaded(structs.replace(site.configuration, meters=turned))))
    for at_s in range(60, 180, 10):
        current_a = 10.0 if at_s >= 120 else 0.0
        grid_w = 1500 + 230 * current_a - MADE_W
        site = then(
            site,
            at_s,
            ("home", MeterRead(channel="inverter", power_w=MADE_W)),
            ("garage-box", evse_read(current_a)),
            ("home", grid_read(-grid_w)),
        )
    assert site.meters["home/meter1"].witness.kind == "true"
