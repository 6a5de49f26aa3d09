"""EVSEs: the vehicle on them, as far as it shows: there or gone, on how many phases, and whether it takes anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chargerd.engine import VERSION, evses, timeline
from chargerd.engine.describe import loadpoint_state, problems
from chargerd.engine.limits import fresh
from chargerd.engine.step import case_of, close, lease_due, lease_of
from chargerd.model.commands import SetCurrent, SetPhases
from chargerd.model.events import (
    ChargerRead,
    CommandDone,
    CommandFailed,
    CommandIssued,
    ConfigLoaded,
    DaemonStarted,
    Decided,
    Event,
    ModeSet,
    Reason,
    SetPoint,
    Tick,
)
from chargerd.model.settings import Vehicle
from chargerd.model.state import Device
from tests.house_sun import BOX, believed, clock, evse, evse_read, grid_read, home, then


def plugged(*pilots: str | None, mode: str = "solar"):
    site = believed(home(evse(mode=mode)))
    for n, pilot in enumerate(pilots):
        site = then(site, n * 10, ("garage-box", evse_read(pilot=pilot)))
    return site


def test_a_session_is_as_long_as_a_vehicle_is_there():
    """From B to A, whatever is between."""
    assert plugged("A").loadpoints["garage"].session is None
    site = plugged("A", "B", "C", "B")
    assert site.loadpoints["garage"].session is not None
    site = then(site, 60, ("garage-box", evse_read(pilot="A")))
    assert site.loadpoints["garage"].session is None
    assert site.ended[-1].outcome == "disconnected"


@pytest.mark.parametrize("fault", ["E", "F", None])
def test_a_fault_or_a_pilot_that_is_not_said_ends_no_session(fault):
    """The same session goes on after it."""
    before, after = plugged("B"), plugged("B", fault, "B")
    assert after.loadpoints["garage"].session.number == before.loadpoints["garage"].session.number
    assert not after.ended


def test_a_fault_begins_no_session_either():
    """Nobody knows whether a vehicle is there."""
    assert plugged("F").loadpoints["garage"].session is None


def test_only_at_a_box_without_a_pilot_a_vehicle_is_guessed():
    """A KEBA that is just starting says no letter and has no vehicle; a Gen1 NRGkick never says one, and is tried."""
    for has_pilot, begun in ((True, False), (False, True)):
        box = structs.replace(BOX, has_pilot=has_pilot)
        site = then(believed(home(evse()), devices=box), 10, ("garage-box", evse_read(pilot=None)))
        assert (site.loadpoints["garage"].session is not None) is begun


@pytest.mark.parametrize("glitch", [None, "F"])
def test_who_took_nothing_is_not_tried_again_until_it_is_unplugged(glitch):
    """Nor after a reading without a pilot, or a fault."""
    site = then(plugged("B"), 20, ("engine", Decided(
        "garage", "surplus", SetPoint(), SetPoint(enabled=False), Reason("test"), None, "full-or-refused", {}, 5
    )))  # fmt: skip
    assert site.loadpoints["garage"].sated
    for n, pilot in enumerate(("B", glitch, "B")):
        site = then(site, 30 + n, ("garage-box", evse_read(pilot=pilot)))
        assert site.loadpoints["garage"].session is None
    site = then(site, 40, ("garage-box", evse_read(pilot="A")), ("garage-box", evse_read(pilot="B")))
    assert site.loadpoints["garage"].session is not None


def test_what_somebody_asked_for_a_vehicle_goes_with_it():
    """Unless it was asked until a time."""
    for until_ms, left in ((None, None), (9_999_999_999_999, "slow")):
        site = then(plugged("B"), 20, ("anna", ModeSet("garage", "slow", "anna", until_ms)))
        site = then(site, 30, ("garage-box", evse_read(pilot="A")))
        assert site.loadpoints["garage"].mode == left


def test_at_a_box_that_never_says_who_is_there_off_ends_the_session():
    """NRGkick of the first generation: once nothing flows, with what flowed until then; on again is another session."""
    mute = structs.replace(BOX, has_pilot=False)
    site = believed(home(evse()), ("garage-box", evse_read(10.0)), devices=mute)
    site = then(site, 70, ("garage-box", evse_read(10.0, phases=1)))
    number = site.loadpoints["garage"].session.number
    site = then(site, 80, ("anna", ModeSet("garage", "off", "anna")), ("garage-box", evse_read(10.0)))
    assert site.loadpoints["garage"].session.number == number, "it still draws"
    site = then(site, 90, ("garage-box", evse_read(0.0, pilot=None)))
    assert site.loadpoints["garage"].session is None
    assert (site.ended[-1].outcome, site.ended[-1].reason.code) == ("stopped", "stopped")
    assert site.ended[-1].energy_wh > 0
    site = then(site, 100, ("garage-box", evse_read(0.0, pilot=None)))
    assert site.loadpoints["garage"].session is None
    site = then(site, 110, ("anna", ModeSet("garage", "slow", "anna")), ("garage-box", evse_read(0.0, pilot=None)))
    assert site.loadpoints["garage"].session.number > number


def test_at_such_a_box_the_next_charge_knows_nothing_of_the_phases_of_the_last():
    """It may be another car."""
    mute = structs.replace(BOX, has_pilot=False)
    site = believed(home(evse()), ("garage-box", evse_read(10.0, phases=2)), devices=mute)
    for at_s in (30, 61, 70):
        site = then(site, at_s, ("garage-box", structs.replace(evse_read(10.0, phases=2), phases=3)))
    assert site.chargers["garage-box"].evse.live == 2
    site = then(site, 80, ("anna", ModeSet("garage", "off", "anna")), ("garage-box", evse_read(0.0, pilot=None)))
    site = then(site, 90, ("anna", ModeSet("garage", None, "anna")), ("garage-box", evse_read(0.0, pilot=None)))
    assert site.loadpoints["garage"].session is not None
    assert site.chargers["garage-box"].evse.live is None


def test_a_measurement_that_is_repeated_is_as_old_as_it_was():
    """NRGkick's Connect box serves its last figures when it has lost the charger. What it is set to may still be new."""
    site = plugged("B", mode="slow")
    said = evse_read(10, measured_at_ms=1_700_000_000_000)
    site = then(site, 10, ("garage-box", said))
    for at_s in (20, 30, 70):
        site = then(site, at_s, ("garage-box", said))
    charger, case = site.chargers["garage-box"], case_of(site, "garage", clock(70), clock(70))
    assert (charger.t_ms, charger.at_ms) == (clock(10), clock(10))
    assert fresh(case_of(site, "garage", clock(69), clock(69)))
    assert not fresh(structs.replace(case, t_ms=clock(71)))
    assert loadpoint_state(site, "garage", clock(71)) == "unknown"
    site = then(site, 80, ("garage-box", structs.replace(said, enabled=False)))
    assert (site.chargers["garage-box"].enabled, site.chargers["garage-box"].t_ms) == (False, clock(10))
    (problem,) = [one for one in problems(site, clock(80)) if one.code == "measures-nothing"]
    assert problem.text == "its charger goes on telling what it measured 70 s ago; not charged unwatched"
    site = then(site, 90, ("garage-box", structs.replace(said, measured_at_ms=1_700_000_080_000)))
    assert fresh(case_of(site, "garage", clock(90), clock(90)))
    assert not [one for one in problems(site, clock(90)) if one.code == "measures-nothing"]


def test_energy_between_two_measurements_counts_once_however_often_the_first_was_told():
    """2300 W for a minute are 38 Wh, with and without repetitions in between."""
    said = evse_read(10, measured_at_ms=1000)
    counted = []
    for repeated_s in ((), (20, 30, 40)):
        site = then(plugged("B", mode="slow"), 10, ("garage-box", said))
        for at_s in repeated_s:
            site = then(site, at_s, ("garage-box", said))
        site = then(site, 70, ("garage-box", structs.replace(said, measured_at_ms=61_000)))
        counted.append(site.loadpoints["garage"].session.energy_wh)
    assert counted[0] == counted[1] > 38


def test_phases_are_those_on_which_current_flows_after_a_minute():
    """Before that a vehicle may not have taken up all of them."""
    site = believed(home(evse()))
    for n, phases in enumerate([1, 1, 2, 2, 2, 2, 2, 2]):
        site = then(site, n * 10, ("garage-box", structs.replace(evse_read(10, phases=phases), phases=3)))
        assert site.chargers["garage-box"].evse.live == (None if n < 6 else 2)


@pytest.mark.parametrize(
    ("first_phase", "volts"),
    [("L1", (231.0, 235.0, 0.0)), ("L2", (0.0, 231.0, 235.0)), ("L3", (235.0, 0.0, 231.0))],
)
def test_voltages_are_turned_with_the_currents(first_phase, volts):
    """S1-10: its L1 hangs on another phase of the house, and its third wire on none: two phases are live, whichever they are."""
    said = {"voltage_l1_v": 231.0, "voltage_l2_v": 235.0, "voltage_l3_v": 0.0}
    site = believed(home(evse(first_phase=first_phase)), ("garage-box", evse_read(10.0, phases=2, **said)))
    seen = site.chargers["garage-box"].evse
    assert seen.voltages_v == volts
    assert tuple(current_a > 0 for current_a in seen.currents_a) == tuple(v > 0 for v in volts)
    assert evses.live_phases(seen.currents_a, seen.voltages_v) == 2


def test_a_ghost_of_a_voltage_is_no_phase():
    """S1-10: 125 V were seen on a phase that is not connected."""
    assert evses.live_phases((10.0, 10.0, 10.0), (230.0, 230.0, 125.0)) == 2
    assert evses.live_phases((10.0, 10.0, 0.4), (230.0, 230.0, 230.0)) == 2
    assert evses.live_phases((None, None, None), (230.0, 230.0, 230.0)) is None


@given(
    st.floats(0, 12_000),
    st.floats(0, 12_000),
    st.sampled_from([1, 2, 3]),
    st.floats(220, 240),
    st.sampled_from([0.1, 1.0]),
)
def test_current_rises_with_the_share_and_its_power_never_above_it(less_w, more_w, phases, voltage_v, step_a):
    """S1-11: for 0 to 12 kW, one to three phases, 220 to 240 V."""
    vehicle = Vehicle("car", max_phases=phases)
    device = Device(accepts=(), min_current_a=6, max_current_a=16, current_step_a=step_a, max_phases=3)
    volts = {f"voltage_l{n}_v": voltage_v for n in (1, 2, 3)}
    site = believed(home(evse()), ("garage-box", evse_read(phases=3, **volts)))
    supply = evses.supply_of(evse(vehicle=vehicle), device, site.chargers["garage-box"])
    less_w, more_w = sorted((less_w, more_w))
    low_a, high_a = supply.current_a(less_w, 3), supply.current_a(more_w, 3)
    assert low_a <= high_a
    assert supply.power_w(high_a, 3) <= more_w + 0.01
    assert more_w - supply.power_w(high_a, 3) < supply.power_w(step_a, 3) + 0.01


@pytest.mark.parametrize(
    ("settings", "choices"),
    [
        ({}, (1, 3)),
        ({"switch_phases": False}, (1,)),
        ({"vehicle": Vehicle("zoe", switch_phases=False)}, (1,)),
        ({"vehicle": Vehicle("leaf", max_phases=1)}, (1,)),
        ({"max_phases": 1}, (1,)),
    ],
)
def test_phases_are_chosen_only_where_box_vehicle_and_settings_bear_it(settings, choices):
    """The box of this home can change them."""
    site = believed(home(evse(**settings)), ("garage-box", evse_read(phases=1)))
    supply = evses.supply_of(evse(**settings), site.devices["garage-box"], site.chargers["garage-box"])
    assert supply.choices == choices


def switched(site, at_s: float, phases: int):
    """The site once a change of phases was told and is seen."""
    site = then(site, at_s, ("engine", CommandIssued("garage", SetPhases("garage-box", phases), Reason("test"))))
    return then(site, at_s + 5, ("garage-box", evse_read(phases=phases)))


def rests_s(site, at_s: float, **settings) -> float | None:
    """For how long phases rest, seen at so many seconds."""
    found = evses.supply_of(evse(**settings), site.devices["garage-box"], site.chargers["garage-box"], clock(at_s))
    return None if found.rests_until_ms is None else (found.rests_until_ms - clock(at_s)) / 1000


def test_phases_rest_for_ten_minutes_after_a_change_was_seen():
    """Not after one that was only told: until it is seen it is brought to its end."""
    site = believed(home(evse()), ("garage-box", evse_read(phases=1)))
    assert rests_s(site, 0) is None
    told = then(site, 10, ("engine", CommandIssued("garage", SetPhases("garage-box", 3), Reason("test"))))
    assert rests_s(told, 11) is None
    refused = then(told, 12, ("garage-box", CommandFailed(told.seq, "unexpected-answer", "no")))
    refused = then(refused, 15, ("garage-box", evse_read(phases=1)))
    assert (rests_s(refused, 16), refused.chargers["garage-box"].evse.switches) == (None, ())
    seen = then(told, 15, ("garage-box", evse_read(phases=3)))
    assert (rests_s(seen, 15), rests_s(seen, 614.9), rests_s(seen, 615)) == (600, pytest.approx(0.1), None)


def test_while_phases_rest_the_least_and_the_most_are_those_of_the_phases_in_use():
    """Three phases: 4140 W at least, until one can be had again."""
    site = switched(believed(home(evse()), ("garage-box", evse_read(phases=1))), 0, 3)
    box, charger = site.devices["garage-box"], site.chargers["garage-box"]
    resting = evses.supply_of(evse(), box, charger, clock(10))
    later = evses.supply_of(evse(), box, charger, clock(700))
    assert (resting.min_w, later.min_w) == (4140, 1380)
    down = switched(site, 700, 1)
    resting = evses.supply_of(evse(), box, down.chargers["garage-box"], clock(710))
    assert resting.max_w == 16 * 230


def test_one_change_more_than_those_of_a_day_goes_down():
    """Three a day: up, down, up; then down at any time, and up again a day after the second."""
    site, settings = believed(home(evse()), ("garage-box", evse_read(phases=1))), {"max_switches_per_day": 3}
    for n, phases in enumerate((3, 1, 3)):
        site = switched(site, n * 1000, phases)
    assert rests_s(site, 3000, **settings) is None
    site = switched(site, 3000, 1)
    assert rests_s(site, 4000, **settings) == pytest.approx(86_400 + 1005 - 4000)
    assert rests_s(site, 4000, max_switches_per_day=0) == 86_400


def test_the_tightest_of_box_vehicle_and_settings_counts():
    """8 A is this car's least, 13 A the most of its cable; the box has 6 to 16."""
    vehicle = Vehicle("car", min_current_a=8, max_current_a=13)
    site = believed(home(evse()), devices=structs.replace(BOX, max_current_a=16.0))
    supply = evses.supply_of(evse(vehicle=vehicle, max_current_a=15), site.devices["garage-box"], None)
    assert (supply.min_a, supply.max_a, supply.voltage_v) == (8, 13, 230)


def test_power_is_what_it_says_or_else_its_currents():
    """None where it says neither."""
    site = believed(home(evse()), ("garage-box", evse_read(6, phases=3, power_w=None)))
    assert evses.drawn_w(site.chargers["garage-box"]) == pytest.approx(4140)
    mute = believed(home(evse()), ("garage-box", ChargerRead(enabled=True, pilot="C")))
    assert evses.drawn_w(mute.chargers["garage-box"]) is None


def test_for_a_moment_after_a_command_it_offers_what_it_was_told():
    """Some devices answer from a cache."""
    site = believed(home(evse()), ("garage-box", evse_read(6)))
    site = then(site, 10, ("engine", CommandIssued("garage", SetCurrent("garage-box", 16.0), Reason("test"))))
    site = then(site, 12, ("garage-box", evse_read(6)))
    charger = site.chargers["garage-box"]
    assert (charger.offers_a(clock(12)), charger.offers_a(clock(18))) == (16, 6)


def test_a_loadpoint_that_becomes_another_thing_begins_afresh():
    """After a reload: a car's session and its slow mode mean nothing to a heating rod, and nothing falls over them."""
    site = then(believed(home(evse()), ("garage-box", evse_read(6))), 5, ("anna", ModeSet("garage", "slow", "anna")))
    assert site.loadpoints["garage"].session is not None
    rod = structs.replace(evse(), kind="consumer", on_above_w=2000.0)
    site = then(site, 10, ("daemon", ConfigLoaded(home(rod))))
    assert site.loadpoints["garage"].session is None
    assert site.loadpoints["garage"].mode is None
    assert site.ended[-1].outcome == "removed-from-configuration"
    closed = close(site, Event(site.seq + 1, site.at_ms, site.mono_ms, site.boot, "daemon", Tick()))
    assert closed.site.loadpoints["garage"].decided is not None


@pytest.mark.parametrize(
    ("mode", "flows_at_s", "modes"), [("solar", 240, ["slow"]), ("solar", 270, []), ("off", 240, ["slow"])]
)
def test_current_that_first_flows_long_after_a_press_is_not_that_press(mode, flows_at_s, modes):
    """Pressed on a full car: what it takes an hour later, while nobody had to be told anything, is not somebody's wish."""
    site = believed(home(evse(mode=mode)), ("garage-box", evse_read(0)))
    for at_s in range(10, flows_at_s, 10):
        site = then(site, at_s, ("garage-box", evse_read(0, enabled=at_s >= 200)))
    assert list(timeline.due(site, site.wall_ms)) == []
    site = then(site, flows_at_s, ("garage-box", evse_read(6)))
    assert [body.mode for body in timeline.due(site, site.wall_ms) if isinstance(body, ModeSet)] == modes


@pytest.mark.parametrize(("restarted", "modes"), [(True, []), (False, ["off"])])
def test_a_pause_that_is_first_seen_after_a_restart_is_nobodys(restarted, modes):
    """A KEBA that was too hot across an upgrade; its charge goes on when it has cooled down. One that is seen is kept."""
    conf = home(evse(mode="fast"))
    site = believed(conf, ("garage-box", evse_read(6)))
    command = CommandIssued("garage", SetCurrent("garage-box", 16.0), Reason("charging-fast"))
    site = then(site, 100, ("engine", command))
    site = then(site, 100, ("garage-box", CommandDone(site.seq)), ("garage-box", evse_read(16)))
    if restarted:
        site = then(site, 170, ("daemon", DaemonStarted("1", VERSION, "boot")), ("daemon", ConfigLoaded(conf)))
    site = then(site, 175, ("garage-box", evse_read(0, enabled=False, offered_a=16.0, status="interrupted")))
    assert [body.mode for body in timeline.due(site, site.wall_ms) if isinstance(body, ModeSet)] == modes


def test_what_was_not_known_to_be_paused_was_not_begun_by_anybody():
    """A new daemon finds a station interrupted, and it goes on by itself once it has cooled down."""
    site = believed(home(evse(mode="off")), ("garage-box", evse_read(0)))
    for at_s, enabled in ((150, None), (200, True)):
        site = then(site, at_s, ("garage-box", structs.replace(evse_read(10), enabled=enabled)))
    assert list(timeline.due(site, site.wall_ms)) == []


@pytest.mark.parametrize(("pilot", "there_s"), [("F", 0), (None, 0), ("A", 200)])
def test_a_fault_or_silence_is_no_unplugging_when_it_is_counted_how_long_a_vehicle_is_there(pilot, there_s):
    """Only a vehicle that was seen to leave has come anew."""
    site = believed(home(evse()), ("garage-box", evse_read(0)))
    site = then(site, 100, ("garage-box", evse_read(0, pilot=pilot)))
    site = then(site, 200, ("garage-box", evse_read(0)))
    evse_seen = site.chargers["garage-box"].evse
    assert evse_seen is not None
    assert evse_seen.plugged_t_ms == clock(there_s)


def test_a_box_without_a_meter_is_read_all_the_same():
    """A KEBA that says no power is not stale because of it: what it was told counts."""
    silent = structs.replace(evse_read(6), power_w=None, current_l1_a=None, current_l2_a=None, current_l3_a=None)
    site = believed(home(evse(mode="fast")), ("garage-box", silent))
    for at_s in range(10, 200, 10):
        site = then(site, at_s, ("garage-box", silent), ("home", grid_read(500.0)))
    assert fresh(case_of(site, "garage", clock(190), clock(190)))


def test_a_lease_that_is_not_told_of_is_renewed_at_half_life():
    """A KEBA counts its own timer and says nothing of it."""
    box = structs.replace(BOX, lease="unproven")
    site = believed(home(evse(mode="fast")), ("garage-box", evse_read(6)), devices=box)
    site = then(site, 0, ("engine", CommandIssued("garage", SetCurrent("garage-box", 6.0, 900), Reason("test"))))
    site = then(site, 0, ("garage-box", CommandDone(site.seq)))

    def due(at_s: float) -> bool:
        now = then(site, at_s, ("garage-box", evse_read(6)), ("home", grid_read(500.0)))
        return lease_due(case_of(now, "garage", clock(at_s), clock(at_s)), now.chargers["garage-box"])

    assert [due(100), due(449), due(451)] == [False, False, True]


def test_a_box_is_believed_to_keep_no_longer_a_lease_than_it_does():
    """A KEBA keeps 600 s at most: so much is asked for, renewed after half of that, and its end is nobody at the button."""
    box = structs.replace(BOX, lease="unproven", lease_max_s=600)
    first = (("garage-box", evse_read(6, phases=3)), ("home", grid_read(500.0)))
    site = believed(home(evse(mode="slow")), *first, devices=box)
    closed = close(site, Event(site.seq + 1, site.at_ms, site.mono_ms, site.boot, "daemon", Tick()))
    (issued,) = [event for event in closed.events if isinstance(event.body, CommandIssued)]
    assert issued.body.command == SetCurrent("garage-box", 6.0, 600)
    site = then(closed.site, 0, ("garage-box", CommandDone(issued.seq)))
    found = []
    for at_s in (299, 301):
        now = then(site, at_s, ("garage-box", evse_read(6, phases=3)), ("home", grid_read(500.0)))
        found.append(lease_due(case_of(now, "garage", clock(at_s), clock(at_s)), now.chargers["garage-box"]))
    assert found == [False, True]
    ended = then(site, 605, ("garage-box", evse_read(0, enabled=False, phases=3)))
    assert not ended.chargers["garage-box"].foreign
    ending = structs.replace(site, stopping=True)
    assert lease_of(case_of(ending, "garage", clock(10), clock(10))) == 120


def test_a_box_that_refuses_to_change_its_phases_charges_on_those_that_it_has():
    """Its app does not allow it: asked twice, and then left as it is until the vehicle goes."""
    box = structs.replace(BOX, accepts=("SetCurrent", "SetPhases"), max_phases=3)
    site = believed(home(evse(mode="fast")), ("garage-box", evse_read(0, phases=1, pilot="B")), devices=box)

    def choices(now):
        return case_of(now, "garage", clock(100), clock(100)).supply.choices

    assert choices(site) == (1, 3)
    for at_s in (10, 40):
        asked = CommandIssued("garage", SetPhases("garage-box", 3), Reason("test"))
        site = then(site, at_s, ("engine", asked))
        site = then(site, at_s + 1, ("garage-box", CommandFailed(site.seq, "unexpected-answer", "not allowed")))
        site = then(site, at_s + 10, ("garage-box", evse_read(0, phases=1, pilot="B")))
    assert choices(site) == (1,)
    gone = then(site, 60, ("garage-box", evse_read(0, phases=1, pilot="A")))
    assert choices(gone) == (1, 3)
