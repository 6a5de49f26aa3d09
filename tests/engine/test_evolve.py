"""Evolve: what the state becomes after a fact, and that folding is a pure function."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chargerd.engine.evolve import clock_at, fold
from chargerd.engine.settings import mode_of
from chargerd.model.commands import SetEnabled
from chargerd.model.events import (
    ChargerRead,
    ClockStepped,
    CommandDone,
    CommandIssued,
    ConfigLoaded,
    DaemonStarted,
    DeviceBack,
    DeviceLost,
    Event,
    LimitSet,
    ModeSet,
    ReadFailed,
    Reason,
    ScheduleAdded,
    ScheduleRemoved,
    TargetSet,
    Tick,
)
from chargerd.model.state import Site
from tests.house import configuration, loadpoint
from tests.house_sun import BOX, believed, consumer, evse, evse_read, home, then

CONF = configuration(loadpoint("bike"))


def events(*facts, boot=1, every_ms=10_000, first=1):
    """Facts, one every ten seconds from 0."""
    out = []
    for n, fact in enumerate(facts):
        source = "shed" if isinstance(fact, ChargerRead | ReadFailed | DeviceLost | DeviceBack) else "daemon"
        out.append(Event(first + n, 1_000_000 + n * every_ms, n * every_ms, boot, source, fact))
    return out


def read(enabled=True, power_w=103.0, **more):
    """A reading of the socket called bike."""
    return ChargerRead("bike", enabled, power_w, **more)


START = (DaemonStarted("1", "1", "boot-a"), ConfigLoaded(CONF))


def test_fold_over_parts_equals_the_fold_over_the_whole():
    """Where the cut lies makes no difference, and the state that was given stays what it was."""
    whole = events(
        *START, read(False, 0), ModeSet("bike", "fast", "anna"), read(), read(power_w=89), read(power_w=70), Tick()
    )
    final = fold(Site(), whole)
    for cut in range(len(whole)):
        before = fold(Site(), whole[:cut])
        kept = fold(Site(), whole[:cut])
        assert fold(before, whole[cut:]) == final
        assert before == kept


def test_energy_is_power_over_event_time():
    """Ten seconds at 103 W and ten between 103 and 89 W."""
    site = fold(Site(), events(*START, ModeSet("bike", "fast", "anna"), read(), read(), read(power_w=89)))
    session = site.loadpoints["bike"].session
    assert session.energy_wh == pytest.approx((103 * 10 + 96 * 10) / 3600)
    assert session.on_ms == 20_000
    assert session.peak_w == 103


def test_energy_over_a_long_gap_is_marked_estimated():
    """Ten minutes without a reading: counted, and labelled."""
    site = fold(Site(), events(*START, ModeSet("bike", "fast", "anna"), read(), read(), every_ms=600_000))
    session = site.loadpoints["bike"].session
    assert session.energy_wh == session.estimated_wh == pytest.approx(103 / 6)


def test_power_with_the_relay_off_is_not_energy():
    """Some plugs go on reporting their last power when they are off."""
    site = fold(Site(), events(*START, ModeSet("bike", "fast", "anna"), read(False, 103), read(False, 103)))
    assert site.loadpoints["bike"].session.energy_wh == 0


def test_unknown_power_counts_nothing():
    """None is unknown, never 0: it neither adds energy nor ends a plateau."""
    site = fold(
        Site(), events(*START, ModeSet("bike", "fast", "anna"), read(), read(power_w=None), read(power_w=50), read())
    )
    session = site.loadpoints["bike"].session
    assert session.below_t_ms is None
    assert session.on_ms == 30_000


def test_time_below_the_cut_off_restarts_at_any_reading_above():
    """89, 91, 89: the count begins at the second 89."""
    site = fold(
        Site(),
        events(*START, ModeSet("bike", "fast", "a"), read(), read(power_w=89), read(power_w=91), read(power_w=89)),
    )
    assert site.loadpoints["bike"].session.below_t_ms == site.t_ms


def test_engine_clock_counts_the_monotonic_reading_within_a_boot_and_utc_across():
    """A wall clock that jumps moves nothing; a reboot counts as the time between the two events."""
    first = Event(1, 1_000_000, 500, 1, "daemon", Tick())
    jumped = Event(2, 99_000_000, 1_500, 1, "daemon", Tick())
    rebooted = Event(3, 99_060_000, 10, 2, "daemon", Tick())
    site = fold(Site(), [first])
    start = site.t_ms
    assert clock_at(site, jumped) - start == 1000
    site = fold(site, [jumped])
    assert clock_at(site, rebooted) - site.t_ms == 60_000


def test_device_goes_and_comes_back():
    """Failures mark it unreachable, a reading makes it good again; lost and back are facts of their own."""
    site = fold(
        Site(),
        events(*START, read(), ReadFailed("unreachable", "no answer"), DeviceLost("unreachable", "no answer", 60_000)),
    )
    assert site.devices["shed"].reachable is False
    assert site.devices["shed"].lost_since_ms == site.at_ms - 60_000
    site = fold(site, events(DeviceBack(70_000), read(), first=6))
    assert site.devices["shed"].reachable is True
    assert site.devices["shed"].lost_since_ms is None


def test_garbage_is_not_silence():
    """A device whose answer we do not understand can still be told to switch off."""
    site = fold(Site(), events(*START, ReadFailed("unexpected-answer", "half a message")))
    assert site.devices["shed"].reachable is True


def test_request_ids_are_remembered_and_bounded():
    """The last 256 are known, so that asking again does nothing; older ones make room."""
    facts = [TargetSet("bike", "full", "anna", request=f"id-{n}") for n in range(300)]
    site = fold(Site(), events(*START, *facts))
    assert len(site.requests) == 256
    assert site.requests["id-299"] == 302
    assert "id-43" not in site.requests


def test_reload_with_another_value_ends_the_override_of_that_key_only():
    """A file that now says something else about a key speaks for that key."""
    one = [LimitSet("bike", "nominal_stop_w", 70.0, "anna"), LimitSet("bike", "margin_w", 30.0, "anna")]
    site = fold(Site(), events(*START, *one))
    changed = configuration(
        loadpoint("bike", __import__("msgspec").structs.replace(CONF.loadpoints["bike"].profile, nominal_stop_w=85))
    )
    site = fold(site, events(ConfigLoaded(changed), first=9))
    assert set(site.loadpoints["bike"].overrides) == {"margin_w"}


def test_reload_with_another_mode_ends_the_mode_that_somebody_set():
    """The file says something new about the mode; a reload that says the same of it leaves it."""
    asked = then(believed(home(evse(mode="solar"))), 10, ("anna", ModeSet("garage", "fast", "anna", until_ms=2**50)))
    same = then(asked, 20, ("daemon", ConfigLoaded(home(evse(mode="solar", min_current_a=8.0)))))
    assert (mode_of(same, "garage"), same.loadpoints["garage"].mode_by) == ("fast", "anna")
    new = then(asked, 20, ("daemon", ConfigLoaded(home(evse(mode="off")))))
    assert mode_of(new, "garage") == "off"
    assert new.loadpoints["garage"].mode_until_ms is None


def test_reload_with_another_target_ends_the_target_that_somebody_set():
    """As with any other key; a running charge is aimed anew."""
    charging = (TargetSet("bike", "full", "anna"), ModeSet("bike", "fast", "anna"))
    site = fold(Site(), events(*START, *charging))
    same = fold(site, events(ConfigLoaded(CONF), first=9))
    assert same.loadpoints["bike"].session.target == "full"
    changed = configuration(structs.replace(CONF.loadpoints["bike"], target="storage"))
    new = fold(site, events(ConfigLoaded(changed), first=9)).loadpoints["bike"]
    assert (new.target, new.target_by, new.session.target) == (None, "", "storage")


@pytest.mark.parametrize("charger", ["other-box", "garage-box"])
def test_loadpoint_that_gets_another_charger_begins_anew_there(charger):
    """The car at the old one is not there; "off", which was told to the old one as it was left, is not meant for the new."""
    site = believed(home(evse()), ("garage-box", evse_read(6)))
    site = then(site, 10, ("daemon", ModeSet("garage", "off", "configuration")))
    number = site.loadpoints["garage"].session.number
    site = then(site, 11, ("daemon", ConfigLoaded(home(evse(charger=charger)))))
    site = then(site, 12, (charger, BOX), (charger, evse_read(0)))
    kept = charger == "garage-box"
    assert mode_of(site, "garage") == ("off" if kept else "solar")
    assert (site.loadpoints["garage"].session.number == number) is kept
    assert [session.outcome for session in site.ended] == ([] if kept else ["stopped"])


def test_loadpoint_that_is_no_longer_configured_ends_its_session():
    """Its session is closed with that reason and is not lost."""
    site = fold(Site(), events(*START, ModeSet("bike", "fast", "anna"), ConfigLoaded(configuration())))
    assert site.loadpoints == {}
    assert site.ended[-1].outcome == "removed-from-configuration"


def test_schedule_added_and_removed_at_run_time():
    """An added entry is not made up for; removing one from the file hides it."""
    added = ScheduleAdded("weekly", "bike", (5,), 0, "anna")
    site = fold(Site(), events(*START, added))
    assert site.added_schedule[0].entry == "weekly"
    assert site.fired["weekly"] == site.at_ms
    site = fold(site, events(ScheduleRemoved("weekly", "anna"), ScheduleRemoved("from-file", "anna"), first=5))
    assert site.added_schedule == ()
    assert site.removed_schedule == ("from-file",)


@pytest.mark.parametrize("off_by_s", [86_400, 366 * 86_400])
def test_a_clock_that_was_ahead_once_does_not_stop_the_days(off_by_s):
    """Set a day or a year ahead and back again: what is taken today counts from a midnight that is at most a day ahead."""
    site = then(believed(home(consumer(on_above_w=2000.0))), 1, ("daemon", Tick()))
    for n, by_s in enumerate((off_by_s, -off_by_s)):
        at_ms = site.at_ms + 1000 + max(0, by_s) * 1000
        for body in (ClockStepped(by_s * 1000), Tick()):
            site = fold(site, [Event(site.seq + 1, at_ms, 2000 + n * 1000, 1, "daemon", body)])
    assert 0 < site.midnight_ms - site.wall_ms <= 25 * 3_600_000


def test_midnight_of_the_longest_day_is_not_too_far_ahead():
    """25 hours on the day that summer time ends: at its first moment it begins once, and not at each tick."""
    first_ms = round(datetime(2024, 10, 27, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
    site = believed(home(consumer(on_above_w=2000.0)), ("shed", ChargerRead("rod", enabled=True, power_w=3600.0)))
    for at_s in (0, 10):
        at_ms = first_ms + at_s * 1000
        read, mono_ms = ChargerRead("rod", enabled=True, power_w=3600.0), 1000 + at_s * 1000
        for source, body in (("shed", read), ("daemon", Tick())):
            site = fold(site, [Event(site.seq + 1, at_ms, mono_ms, 1, source, body)])
    rod = site.loadpoints["rod"]
    assert rod.taken_wh - rod.dawn_wh == pytest.approx(10.0)


def test_a_consumer_that_is_on_when_it_is_first_seen_is_nobodys_press():
    """Nor one on a socket that was pressed before it was a consumer's: the sun decides. A battery's is charged and cut off."""
    on = ChargerRead("rod", enabled=True, power_w=2000.0)
    rod = consumer(on_above_w=2000.0)
    first = believed(home(rod), ("shed", on))
    assert not first.chargers["shed/rod"].foreign
    bike = structs.replace(loadpoint("bike"), charger="shed/rod")
    assert believed(home(bike), ("shed", on)).chargers["shed/rod"].foreign
    unnamed = believed(home(structs.replace(rod, charger="shed/other")), ("shed", on))
    assert not then(unnamed, 1, ("daemon", ConfigLoaded(home(rod)))).chargers["shed/rod"].foreign
    assert then(unnamed, 1, ("daemon", ConfigLoaded(home(bike)))).chargers["shed/rod"].foreign
    pressed = then(then(first, 10, ("shed", ChargerRead("rod", enabled=False))), 20, ("shed", on))
    assert pressed.chargers["shed/rod"].foreign


@pytest.mark.parametrize(
    ("changed", "kept"), [({}, True), ({"min_current_a": 8.0}, True), ({"first_phase": "L2"}, False)]
)
def test_a_charger_that_is_connected_otherwise_is_not_known_by_its_old_phases(changed, kept):
    """A fuse counts it on all that it may use until it is read again, and not on the phase that it had."""
    site = believed(home(evse(first_phase="L1"), evse("b", first_phase="L3")))
    for at_s in (0, 10):
        site = then(site, at_s, ("garage-box", evse_read(10)), ("b-box", evse_read(10)))
    before = site.chargers
    new = home(evse(**{"first_phase": "L1"} | changed), evse("b", first_phase="L3"))
    site = then(site, 20, ("daemon", ConfigLoaded(new)))
    assert site.chargers["b-box"] == before["b-box"]
    seen = site.chargers["garage-box"].evse
    assert (seen == before["garage-box"].evse) is kept
    if not kept:
        assert (seen.lines, seen.recent, seen.currents_a) == ((), (), (None, None, None))
    site = then(site, 30, ("garage-box", evse_read(10)))
    assert site.chargers["garage-box"].evse.lines == ((0,) if kept else (1,))


def test_lease_counts_from_when_the_command_went_out():
    """The device's timer began after that, so we never believe in more lease than there is."""
    command = CommandIssued("bike", SetEnabled("shed/bike", True, 900), Reason("switching-on"))
    site = fold(Site(), events(*START, read(False, 0), command, CommandDone(4, 5000), read()))
    charger = site.chargers["shed/bike"]
    assert site.t_ms - charger.leased_t_ms == 20_000
    assert (charger.pending, charger.attempts, charger.asked) == (None, 0, True)


@given(st.lists(st.one_of(st.none(), st.floats(0, 3000)), max_size=40))
def test_accumulators_stay_within_what_was_read(powers):
    """Whatever a plug reports: energy is never above the highest power times the time, and never falls."""
    facts = [read(power_w=power) for power in powers]
    site = fold(Site(), events(*START, ModeSet("bike", "fast", "anna")))
    before = 0.0
    for event in events(*facts, first=4):
        shifted = Event(event.seq, event.at_ms + 60_000, event.mono_ms + 60_000, 1, "shed", event.body)
        site = fold(site, [shifted])
        session = site.loadpoints["bike"].session
        assert session.energy_wh >= before
        before = session.energy_wh
    highest = max([power for power in powers if power is not None], default=0)
    assert before <= highest * len(powers) * 10 / 3600 + 1e-6
