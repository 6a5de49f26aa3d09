"""Contents: a house battery is believed while its level does what its power says."""

from __future__ import annotations

import pytest

from chargerd.engine import meters
from chargerd.model.events import StorageRead
from tests.house_sun import believed, clock, evse, home, house_battery, then


def denied_after(said_w: float, *, really_w: float = 1500.0, capacity_wh: float | None = 10_000.0, minutes: int = 20):
    """A battery of 10 kWh that really gives so much and says something else, read every 20 s."""
    site = believed(home(evse(), storage=house_battery()))
    for n in range(minutes * 3 + 1):
        at_s = 20.0 * n
        soc_pct = round(80 - really_w * at_s / 3600 / 10_000 * 100, 1)
        read = StorageRead("battery1", power_w=said_w + n % 2, soc_pct=soc_pct, capacity_wh=capacity_wh)
        site = then(site, at_s, ("home", read))
    return meters.storage_at(site, "house", clock(minutes * 60)) is None


@pytest.mark.parametrize(
    ("said_w", "denied"), [(1500, False), (1300, False), (-1500, True), (15_000, True), (150, False), (-150, False)]
)
def test_its_energy_has_to_go_where_its_level_goes(said_w, denied):
    """The wrong way round or ten times too much; too little may be what the inverter itself takes."""
    assert denied_after(said_w) is denied


def test_less_than_three_percent_and_an_unknown_size_say_nothing():
    """A level is told in whole percents, and of what, has to be known."""
    assert not denied_after(-1500.0, minutes=10)
    assert not denied_after(-1500.0, capacity_wh=None)


def test_a_level_that_is_told_anew_at_once_is_no_contradiction():
    """Batteries correct their level by several percent, up or down, while next to nothing flows."""
    site = believed(home(evse(), storage=house_battery()))
    for n, soc_pct in enumerate((50.0, 50.0, 58.0, 58.0)):
        read = StorageRead("battery1", power_w=300.0 + n, soc_pct=soc_pct, capacity_wh=10_000.0)
        site = then(site, 20.0 * n, ("home", read))
    assert meters.storage_at(site, "house", clock(60)) is not None


def test_what_it_says_of_its_own_limits_bounds_what_is_believed():
    """15 kW out of a battery that gives 5 at most."""
    for power_w, believed_w in ((7_900.0, 7_900.0), (8_100.0, None), (-8_100.0, None)):
        read = StorageRead("battery1", power_w=power_w, soc_pct=50.0, max_charge_w=4_000.0, max_discharge_w=5_000.0)
        storage = meters.storage_at(believed(home(evse(), storage=house_battery()), ("home", read)), "house", clock(0))
        assert (None if storage is None else storage.power_w) == believed_w
