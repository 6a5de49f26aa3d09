"""Balance: the surplus by hand, and how it is divided whatever there is and whoever wants it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargerd.engine import balance
from chargerd.engine.balance import Claim, shares
from chargerd.model.events import Decided, MeterRead, ModeSet, Reason, SetPoint, StorageRead
from tests.house_sun import believed, clock, evse, evse_read, grid_read, home, house_battery, then

WATTS = st.floats(-5000, 15_000)


@st.composite
def claims(draw) -> tuple[Claim, ...]:
    """Up to five who want sun, in the order in which they are served."""
    found = []
    for n in range(draw(st.integers(1, 5))):
        least_w = draw(st.sampled_from([500.0, 1380.0, 2760.0, 4140.0]))
        running, idle, steady = draw(st.booleans()), draw(st.integers(0, 5)) == 0, draw(st.integers(0, 5)) == 0
        used_w = least_w if running and not idle else 0.0
        most_w = least_w * draw(st.floats(1, 2.6))
        found.append(Claim(f"p{n}", draw(st.integers(0, 2)), least_w, most_w, used_w, running, idle, steady))
    return tuple(sorted(found, key=lambda claim: -claim.priority))


@given(claims(), WATTS, st.booleans())
def test_what_is_given_out_is_never_more_than_there_is(wanted, surplus_w, one):
    """Whoever has its least may use its share; together that is no more than the surplus, and what is steady."""
    found = shares(wanted, surplus_w, one_at_a_time=one)
    assert set(found) == {claim.name for claim in wanted}
    used_w = sum(
        min(found[c.name].power_w, c.max_w)
        for c in wanted
        if not c.idle and not c.steady and found[c.name].power_w >= c.min_w
    )
    steady_w = sum(c.min_w for c in wanted if c.steady and not c.idle)
    assert used_w <= max(0.0, surplus_w) + 2.0
    assert used_w <= max(0.0, surplus_w - steady_w) + 2.0


@given(claims(), WATTS)
def test_one_at_a_time_is_one(wanted, surplus_w):
    """Those that need no sun aside."""
    found = shares(wanted, surplus_w, one_at_a_time=True)
    served = [c for c in wanted if not c.idle and not found[c.name].waits_for and found[c.name].power_w >= c.min_w]
    assert len(served) <= 1


@given(claims(), WATTS, st.floats(0, 5000))
def test_more_sun_takes_nothing_from_the_first(wanted, surplus_w, more_w):
    """The one that is served first has no less of more."""
    first = next((c for c in wanted if not c.idle), None)
    alone = first is not None and [c.priority for c in wanted].count(first.priority) == 1
    if first is None or not alone:
        return
    assert shares(wanted, surplus_w + more_w)[first.name].power_w >= shares(wanted, surplus_w)[first.name].power_w - 1


def test_two_alike_have_the_same():
    """5000 W for two that take up to 3680 each."""
    pair = [Claim(n, 0, 1380, 3680, 1380, True, False, False) for n in "ab"]
    assert {n: s.power_w for n, s in shares(pair, 5000).items()} == pytest.approx({"a": 2500, "b": 2500})


def test_who_runs_keeps_its_least_and_who_waits_gets_what_fits():
    """2000 W: one runs, the other is told what would be there for it, and does not start."""
    running, waiting = (
        Claim("a", 0, 1380, 3680, 1380, True, False, False),
        Claim("b", 0, 1380, 3680, 0, False, False, False),
    )
    found = shares([waiting, running], 2000)
    assert (found["a"].power_w, found["b"].power_w) == (2000, 620)


def test_who_takes_its_least_anyway_leaves_the_want_to_the_other():
    """No sun: the one in min-solar goes on, and the one in solar is told that there is nothing."""
    solar = Claim("a", 0, 1380, 3680, 1380, True, False, False)
    least = Claim("b", 0, 1380, 3680, 1380, True, False, True)
    assert shares([solar, least], 0)["a"].power_w == -1380


def test_the_surplus_is_the_hand_value():
    """500 W exported, battery charged with 2000 W, car at 1380 W, 100 W left alone: 3780 W."""
    conf = home(evse(), storage=house_battery(), reserve_w=100.0)
    site = believed(
        conf,
        ("home", grid_read(-500)),
        ("home", MeterRead("inverter", 2300.0)),
        ("home", StorageRead("battery1", -2000.0, 50.0)),
        ("garage-box", evse_read(6)),
    )
    seen = balance.picture(site, clock(0))
    assert seen.surplus_w == pytest.approx(3780)
    assert (seen.pv_w, seen.house_w) == (4300, 420)
    assert seen.solar_share == 1.0


def test_what_a_battery_that_comes_first_can_take_is_not_surplus():
    """It says that it takes 4950 W; the settings allow 4000."""
    conf = home(evse(), storage=house_battery(priority_pct=80, max_charge_w=4000))
    read = StorageRead("battery1", -3000.0, 50.0, max_charge_w=4950.0)
    site = believed(conf, ("home", grid_read(-100)), ("home", read))
    assert balance.picture(site, clock(0)).surplus_w == pytest.approx(3100 - 4000)


@pytest.mark.parametrize("missing", ["grid", "house"])
def test_what_is_missing_is_named_and_never_guessed(missing):
    """No surplus without the meter, nor without the house battery."""
    facts = {"grid": ("home", grid_read(-500)), "house": ("home", StorageRead("battery1", 0.0, 50.0))}
    site = believed(home(evse(), storage=house_battery()), *(f for name, f in facts.items() if name != missing))
    seen = balance.picture(site, clock(0))
    assert (seen.surplus_w, seen.missing) == (None, missing)


def test_who_could_not_start_keeps_no_sun_from_others():
    """A car that waits for the house battery's level, before another that does not."""
    conf = home(evse("a", priority=1, min_storage_pct=90), evse("b"), storage=house_battery())
    site = believed(conf, ("a-box", evse_read()), ("b-box", evse_read()))
    assert [c.idle for c in balance.claims(site, clock(0))] == [False, False]
    off = Decided("a", "surplus", SetPoint(enabled=False), SetPoint(enabled=False), Reason("house-battery-first"))
    site = then(site, 1, ("engine", off))
    assert [c.idle for c in balance.claims(site, clock(1))] == [True, False]


def test_only_a_slow_charge_that_may_be_led_is_watched():
    """With a level set, or brought there by the sun."""
    for settings, by, watched in (({}, "anna", 0), ({"auto_solar_pct": 50.0}, "anna", 1), ({}, "sun", 1)):
        site = believed(home(evse(**settings)), ("garage-box", evse_read()), (by, ModeSet("garage", "slow", by)))
        assert len(list(balance.candidates(site, clock(0)))) == watched


def test_a_charger_that_holds_by_itself_keeps_no_share_from_the_others():
    """A KEBA that is too hot: what it would take is free for the next one."""
    conf = home(evse("a"), evse("b"), sharing="one-at-a-time")
    site = believed(conf, ("b-box", evse_read()), ("home", grid_read(-1500)), ("home", MeterRead("inverter", 2000.0)))
    for held, left_w in ((False, 0.0), (True, 1500.0)):
        holding = then(site, 1, ("a-box", evse_read(enabled=True, pilot="B", offered_a=6.0, held=held)))
        found = shares(balance.claims(holding, clock(1)), 1500.0, one_at_a_time=True)
        assert found["b"].power_w == left_w


def test_what_the_house_takes_is_not_told_while_a_car_has_just_begun():
    """The charger says 16 A, and the grid was read before that: the house would give power."""
    site = believed(
        home(evse()), ("garage-box", evse_read()), ("home", MeterRead("inverter", 0.0)), ("home", grid_read(500))
    )
    assert balance.picture(site, clock(0)).house_w == 500
    begun = then(site, 8, ("garage-box", evse_read(16.0)))
    assert balance.picture(begun, clock(8)).house_w is None
    read = then(
        begun, 22, ("home", MeterRead("inverter", 0.0)), ("home", grid_read(4180)), ("garage-box", evse_read(16.0))
    )
    assert balance.picture(read, clock(22)).house_w == pytest.approx(500)


def test_a_charge_that_begins_now_is_as_much_from_the_sun_as_its_least_would_be():
    """Else the first seconds of every session would be told as bought."""
    for grid_w, share in ((-2000.0, 1.0), (-690.0, 0.5), (300.0, 0.0)):
        facts = (("garage-box", evse_read()), ("home", MeterRead("inverter", 3000.0)), ("home", grid_read(grid_w)))
        assert balance.picture(believed(home(evse()), *facts), clock(0)).solar_share == share
