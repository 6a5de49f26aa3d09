"""Circuits: no fuse is granted away twice, whatever is read and however late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chargerd.engine import VERSION, circuits
from chargerd.model.commands import SetCurrent
from chargerd.model.events import ChargerRead, CommandIssued, DaemonStarted, MeterRead, ReadFailed, Reason
from chargerd.model.settings import CircuitSettings
from chargerd.model.state import Site
from tests.house_sun import believed, clock, consumer, evse, evse_read, home, then

AMPS = st.floats(0, 40)


def meter_read(*amps: float) -> MeterRead:
    """The grid meter with so much on each phase, negative where it is fed in."""
    one, two, three = amps
    return MeterRead(
        "meter1",
        230.0 * sum(amps),
        230.0 * one,
        230.0 * two,
        230.0 * three,
        abs(one),
        abs(two),
        abs(three),
        230.0,
        230.0,
        230.0,
    )


def site_of(house_a: float, draws: dict[str, float], *, fuse_a: float = 35, metered: bool = True, **circuit) -> Site:
    """Cars on one phase that have long drawn so much, and a house, on one fuse."""
    main = CircuitSettings("main", fuse_a, meter="grid" if metered else "", **circuit)
    conf = home(*(evse(name, circuit="main") for name in draws), circuits=[main], max_age_s=600.0)
    told = [("engine", CommandIssued(n, SetCurrent(f"{n}-box", a), Reason("test"))) for n, a in draws.items()]
    site = believed(conf, *((f"{n}-box", evse_read(a)) for n, a in draws.items()), *told)
    reads = [(f"{n}-box", evse_read(a)) for n, a in draws.items()]
    return then(site, 300, *reads, ("home", meter_read(house_a + sum(draws.values()), 0, 0)))


def room_a(site: Site, name: str, at_s: float = 300, phases: int = 1) -> float:
    room = circuits.room_for(site, name, clock(at_s), phases, 230.0)
    assert room is not None
    return room.current_a


@given(AMPS, st.floats(0, 16), st.floats(0, 16))
def test_what_is_left_is_the_fuse_less_house_and_others(house_a, first_a, second_a):
    """Readings of one age, everything settled: exact."""
    site = site_of(house_a, {"a": first_a, "b": second_a})
    assert room_a(site, "a") == pytest.approx(35 - house_a - second_a, abs=0.01)


@given(AMPS, st.lists(st.sampled_from([0.0, 6.0, 10.0, 16.0]), min_size=2, max_size=4), st.data())
def test_grants_of_one_cycle_fit_together(house_a, draws, data):
    """S1-42: each takes all that it is left, one after the other in one cycle: never above the fuse less the house."""
    names = [f"p{n}" for n in range(len(draws))]
    site = site_of(house_a, dict(zip(names, draws, strict=True)))
    granted = dict(zip(names, draws, strict=True))
    for name in data.draw(st.permutations(names)):
        left_a = room_a(site, name)
        grant_a = min(16.0, float(int(left_a))) if left_a >= 6 else 0.0
        granted[name] = grant_a
        site = then(site, 300, ("engine", CommandIssued(name, SetCurrent(f"{name}-box", grant_a), Reason("test"))))
    raised = [name for name, before in zip(names, draws, strict=True) if granted[name] > before]
    if raised:
        coming = sum(max(granted[n], b) for n, b in zip(names, draws, strict=True))
        assert coming + house_a <= 35 + 0.01


@given(st.floats(0, 30), st.sampled_from([6.0, 10.0, 16.0]))
def test_a_car_that_the_meter_has_not_seen_yet_makes_no_room(house_a, draws_a):
    """The charger says what it draws a moment before the meter does."""
    site = site_of(house_a, {"a": 0.0, "b": 0.0})
    command = CommandIssued("a", SetCurrent("a-box", draws_a), Reason("test"))
    site = then(site, 301, ("engine", command))
    site = then(site, 330, ("home", meter_read(house_a, 0, 0)), ("a-box", evse_read(draws_a)))
    assert room_a(site, "a", 330) <= max(draws_a, 35 - house_a) + 0.01
    assert room_a(site, "b", 330) <= max(0.0, 35 - house_a - draws_a) + 0.01


def test_feed_in_is_no_room():
    """20 A fed in on the very phase on which the car was seen to draw: the fuse's own figure, and no more."""
    assert room_a(site_of(-20, {"a": 6.0}), "a") == 35


def test_a_charger_that_exaggerates_gets_no_more():
    """It was told 6 A and says 60, again and again: of the meter's 30 A no more than 6 are its own."""
    site = site_of(24, {"a": 6.0})
    for at_s in range(400, 540, 10):
        site = then(site, at_s, ("a-box", evse_read(60)), ("home", meter_read(30 + at_s % 20 / 1000, 0, 0)))
    assert room_a(site, "a", 530) == pytest.approx(35 - 24, abs=0.02)


def test_a_car_that_begins_late_makes_no_room():
    """It was offered 16 A long ago and takes them since a second; the meter is two seconds behind."""
    site = site_of(20, {"a": 0.0, "b": 0.0})
    site = then(site, 301, ("engine", CommandIssued("a", SetCurrent("a-box", 16.0), Reason("test"))))
    for at_s in range(310, 400, 10):
        site = then(site, at_s, ("a-box", evse_read(0, enabled=True, offered_a=16.0)), ("home", meter_read(20, 0, 0)))
    site = then(site, 400, ("a-box", evse_read(16)), ("home", meter_read(20, 0, 0)))
    assert room_a(site, "a", 400) == 16, "what it is offered stays until it is sure that it does not fit"
    assert room_a(site, "b", 400) <= 0


def test_what_a_car_took_only_lately_is_not_taken_off_what_the_meter_says():
    """16 A since a minute and a half, and 20 on a meter that may not have seen them: as long as 6 are remembered, 6 are sure."""
    site = site_of(14, {"a": 6.0})
    site = then(site, 301, ("engine", CommandIssued("a", SetCurrent("a-box", 16.0), Reason("test"))))
    for at_s in range(310, 400, 10):
        site = then(site, at_s, ("a-box", evse_read(16)), ("home", meter_read(20 + at_s % 20 / 1000, 0, 0)))
    assert room_a(site, "a", 390) == pytest.approx(35 - 14, abs=0.03)
    site = then(site, 400, ("home", meter_read(30, 0, 0)))
    assert room_a(site, "a", 400) == 16, "now it may be all the house's but 6, and what it has stays"
    for at_s in range(410, 450, 10):
        site = then(site, at_s, ("a-box", evse_read(16)), ("home", meter_read(30 + at_s % 20 / 1000, 0, 0)))
    assert room_a(site, "a", 440) == pytest.approx(35 - 14, abs=0.03)


def test_a_plug_that_is_on_since_a_minute_may_not_be_in_what_the_meter_says_yet():
    """8 A of a heating rod: kept free for it, and not taken off the 20 of the house and the car; later both are sure."""
    main = CircuitSettings("main", 35, meter="grid")
    conf = home(evse("a", circuit="main"), consumer(circuit="main"), circuits=[main], max_age_s=600.0)
    told = ("engine", CommandIssued("a", SetCurrent("a-box", 6.0), Reason("test")))
    off = ChargerRead(enabled=False, power_w=0.0, voltage_v=230.0, channel="rod")
    on_ = structs.replace(off, enabled=True, power_w=8 * 230.0)
    site = believed(conf, ("a-box", evse_read(6)), ("shed", off), told)
    site = then(site, 300, ("a-box", evse_read(6)), ("shed", on_), ("home", meter_read(20, 0, 0)))
    site = then(site, 360, ("a-box", evse_read(6)), ("shed", on_), ("home", meter_read(20.1, 0, 0)))
    assert room_a(site, "a", 360) == pytest.approx(35 - 14 - 8, abs=0.2)
    site = then(site, 430, ("a-box", evse_read(6)), ("shed", on_), ("home", meter_read(28, 0, 0)))
    assert room_a(site, "a", 430) == pytest.approx(35 - 14 - 8, abs=0.2)


def test_of_a_meter_that_says_the_very_same_for_long_nothing_is_surely_its_own():
    """It may have stopped before the car drew at all."""
    site = site_of(14, {"a": 6.0})
    for at_s in range(310, 450, 10):
        site = then(site, at_s, ("a-box", evse_read(6)), ("home", meter_read(20, 0, 0)))
    assert room_a(site, "a", 400) == pytest.approx(35 - 14)
    assert room_a(site, "a", 440) == pytest.approx(35 - 20)


def test_a_charger_that_is_read_seldom_is_not_lowered_for_its_own_current():
    """Told 16 A after it was read with 6; the meter shows 26 already, of which 10 are the house's."""
    site = site_of(10, {"a": 6.0}, fuse_a=30)
    site = then(site, 305, ("a-box", evse_read(6)))
    site = then(site, 310, ("engine", CommandIssued("a", SetCurrent("a-box", 16.0), Reason("test"))))
    site = then(site, 330, ("home", meter_read(26, 0, 0)))
    assert room_a(site, "a", 330) == 16


def test_all_on_one_phase_is_assumed_where_the_meter_says_only_a_sum():
    """A fuse does not know of averages."""
    site = then(site_of(0, {"a": 0.0}), 400, ("home", MeterRead("meter1", 4600.0)))
    assert room_a(site, "a", 400) == pytest.approx(15)


def test_the_worst_of_the_phases_counts():
    """Three phases; the oven is on the second."""
    site = then(site_of(0, {"a": 0.0}), 400, ("home", meter_read(2, 22, 2)))
    assert room_a(site, "a", 400, phases=3) == pytest.approx(13)


def on(line: int, current_a: float) -> ChargerRead:
    """An EVSE on which a vehicle draws on one phase only: 1 is L1."""
    nothing = {f"current_l{n}_a": 0.0 for n in (1, 2, 3)}
    return evse_read(current_a, **{**nothing, f"current_l{line}_a": current_a})


def test_a_vehicle_counts_on_the_phase_on_which_it_is_seen_to_draw():
    """One phase, L2 by its own readings: the oven there is in its way, what is on L1 is not. Also once it has paused."""
    site = believed(
        home(evse("a", circuit="main"), circuits=[CircuitSettings("main", 35, meter="grid")], max_age_s=600.0),
        ("a-box", on(2, 6)),
    )
    site = then(site, 100, ("a-box", on(2, 6)), ("home", meter_read(30, 6, 0)))
    assert room_a(site, "a", 100) == pytest.approx(35), "L1 is nearly full, and it is not there"
    site = then(site, 200, ("a-box", on(2, 6)), ("home", meter_read(0, 28, 0)))
    assert room_a(site, "a", 200) == pytest.approx(35 - 22)
    paused = then(site, 300, ("a-box", evse_read(0)), ("home", meter_read(30, 10, 0)))
    assert room_a(paused, "a", 300) == pytest.approx(25)


def test_before_its_phase_is_known_the_fullest_one_decides():
    """It has never drawn: it may hang on any of the three."""
    site = then(site_of(0, {"a": 0.0}), 400, ("home", meter_read(2, 22, 9)))
    assert room_a(site, "a", 400, phases=1) == pytest.approx(13)
    site = then(site, 401, ("engine", CommandIssued("a", SetCurrent("a-box", 6.0), Reason("test"))))
    for at_s in range(410, 550, 10):
        site = then(site, at_s, ("a-box", on(3, 6)), ("home", meter_read(2, 22 + at_s % 20 / 1000, 15)))
    assert room_a(site, "a", 540, phases=1) == pytest.approx(35 - 9)


@given(st.tuples(AMPS, AMPS, AMPS), st.sampled_from([0, 1, 2]), st.sampled_from([0.0, 6.0, 16.0]))
def test_a_charger_that_does_not_say_its_phase_is_given_what_fits_on_whichever_it_is(house, line, draws_a):
    """It says its power only. Whatever phase that flows on, what it is left does not overload it."""
    silent = {"current_l1_a": None, "current_l2_a": None, "current_l3_a": None}
    conf = home(evse("a", circuit="main"), circuits=[CircuitSettings("main", 45, meter="grid")], max_age_s=600.0)
    told = ("engine", CommandIssued("a", SetCurrent("a-box", draws_a), Reason("test")))
    site = then(believed(conf, ("a-box", evse_read(draws_a, **silent))), 1, told)
    flows = [a + draws_a * (n == line) for n, a in enumerate(house)]
    site = then(site, 300, ("a-box", evse_read(draws_a, **silent)), ("home", meter_read(*flows)))
    assert room_a(site, "a") <= max(draws_a, 45 - house[line]) + 0.01
    assert room_a(site, "a") >= 45 - max(house) - draws_a - 0.01


@pytest.mark.parametrize(("first_phase", "line"), [("L1", 0), ("L2", 1), ("L3", 2)])
def test_a_charger_that_is_connected_in_turned_order_counts_where_its_current_really_flows(first_phase, line):
    """Its L1 hangs on another phase of the house: there the house has 25 A, and nothing elsewhere."""
    conf = home(
        evse("a", circuit="main", first_phase=first_phase), circuits=[CircuitSettings("main", 35, meter="grid")]
    )
    house, own = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    house[line], own[line] = 25.0, 8.0
    told = ("engine", CommandIssued("a", SetCurrent("a-box", 8.0), Reason("test")))
    site = believed(conf, ("a-box", evse_read(8.0)), told)
    seen = meter_read(*(one + two for one, two in zip(house, own, strict=True)))
    site = then(site, 300, ("a-box", evse_read(8.0)), ("home", seen))
    assert room_a(site, "a") == pytest.approx(10, abs=0.01)
    assert site.chargers["a-box"].evse.currents_a[line] == 8.0


def test_behind_a_fuse_of_one_phase_it_is_that_one():
    """A charger in the garage calls its phase L2; the feed there has but one."""
    tree = [CircuitSettings("garage", 20, phases=1)]
    conf = home(evse("a", circuit="garage"), evse("b", circuit="garage"), circuits=tree)
    site = believed(conf, ("a-box", on(2, 12)), ("b-box", on(1, 6)))
    assert room_a(site, "b", 1) == pytest.approx(8)
    assert room_a(site, "a", 1) == pytest.approx(14)


def test_until_the_meter_was_asked_after_a_start_a_car_keeps_what_it_has():
    """An upgrade: the box has answered, the inverter not yet. One that is asked and silent leaves the guaranteed share."""
    site = site_of(5, {"a": 16.0}, guaranteed_current_a=10)
    site = then(site, 301, ("daemon", DaemonStarted("1", VERSION, "boot")), ("a-box", evse_read(16)))
    assert circuits.room_for(site, "a", clock(301), 1, 230.0) == circuits.Room(16.0, "main", blind=True)
    site = then(site, 302, ("home", ReadFailed("unreachable")))
    assert circuits.room_for(site, "a", clock(302), 1, 230.0) == circuits.Room(10.0, "main", blind=True)


def test_without_its_meter_the_guaranteed_share_is_what_all_have_together():
    """10 A guaranteed, of which the other may be taking 6."""
    site = site_of(5, {"a": 0.0, "b": 6.0}, guaranteed_current_a=10)
    assert circuits.room_for(site, "a", clock(901), 1, 230.0) == circuits.Room(4.0, "main", blind=True)


def test_a_parent_with_less_is_what_counts():
    """A garage of 20 A on a house of 16 A."""
    tree = [CircuitSettings("house", 16), CircuitSettings("garage", 20, parent="house")]
    site = believed(home(evse(circuit="garage"), circuits=tree), ("garage-box", evse_read()))
    room = circuits.room_for(site, "garage", clock(0), 1, 230.0)
    assert room is not None
    assert (room.circuit, room.current_a) == ("house", 16)


def test_a_limit_in_watts_counts_as_well():
    """4600 W for house and car, of which the house takes 2300."""
    assert room_a(site_of(10, {"a": 0.0}, max_power_w=4600), "a") == pytest.approx(10)


def test_without_a_meter_a_limit_in_watts_is_of_what_hangs_on_it():
    """4600 W: the other takes 2300. What was just granted counts before it flows, and three phases take three times as much."""
    site = site_of(0, {"a": 0.0, "b": 10.0}, metered=False, max_power_w=4600)
    assert room_a(site, "a") == pytest.approx(10)
    assert room_a(site, "a", phases=3) == pytest.approx(10 / 3)
    site = then(site, 301, ("engine", CommandIssued("b", SetCurrent("b-box", 16.0), Reason("test"))))
    assert room_a(site, "a", 301) == pytest.approx(4)


def test_a_limit_in_watts_counts_also_while_its_meter_is_not_read():
    """10 A are guaranteed, and 1840 W are all there is."""
    site = site_of(0, {"a": 0.0}, guaranteed_current_a=10, max_power_w=1840)
    assert circuits.room_for(site, "a", clock(901), 1, 230.0) == circuits.Room(8.0, "main", blind=True)


def test_a_stop_that_never_arrived_frees_nothing():
    """A box that was lost while it was being paused may still be taking what it was offered."""
    site = site_of(0, {"a": 16, "b": 6}, fuse_a=20, metered=False)
    site = then(site, 310, ("engine", CommandIssued("a", SetCurrent("a-box", 0.0), Reason("test"))))
    site = then(site, 320, ("a-box", ReadFailed("unreachable")))
    assert room_a(then(site, 1000, ("b-box", evse_read(6))), "b", 1000) == pytest.approx(4)


def test_a_meter_that_says_only_what_all_phases_feed_in_says_nothing_of_one():
    """One phase may be fed by the roof while another is full."""
    conf = home(evse("a", circuit="main"), circuits=[CircuitSettings("main", 25, meter="grid")])
    site = believed(conf, ("a-box", evse_read(6)), ("home", MeterRead("meter1", -3000.0)))
    room = circuits.room_for(site, "a", clock(1), 1, 230.0)
    assert room is not None
    assert room.blind
