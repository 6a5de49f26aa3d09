"""Threshold: every way in and out of a charge, on recorded curves and on chargers that misbehave."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from msgspec import structs

from chargerd.drivers.simulated import Curve, Removed, Steady
from chargerd.model.events import ChargerRead
from chargerd.model.settings import Window
from chargerd.sim import world
from chargerd.sim.run import Run
from tests.house import LECTRIC, RAD, Day, configuration, loadpoint

HOUR = 3600


class Readings:
    """A charger that shows these powers, one every ``every_s`` from the moment it is switched on; the last one stays."""

    def __init__(self, every_s: float, *powers_w: float) -> None:
        self._every_s = every_s
        self._powers_w = powers_w

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002
        """The power whose turn it is."""
        return self._powers_w[min(int(on_s // self._every_s), len(self._powers_w) - 1)]


def charged(tmp_path: Path, load: object, hours: float = 8, profile=RAD, **settings) -> Day:
    """A day on which one pack is connected and charged from 00:01."""
    day = Day(tmp_path, configuration(loadpoint("bike", profile, **settings)), {"bike": load})  # type: ignore[dict-item]
    day.until(60)
    day.charge("bike")
    day.until(hours * HOUR)
    return day


def over_wh(day: Day, stop_w: float) -> float:
    """Energy that was taken after power had first fallen below a level for good."""
    pack = world.recorded("rad-nominal")
    at_crossing_wh = next(wh for wh, watts in pack.points if watts < stop_w)
    wh_before, watts_before = max(p for p in pack.points if p[0] < at_crossing_wh)
    watts_at = dict(pack.points)[at_crossing_wh]
    share = (watts_before - stop_w) / (watts_before - watts_at)
    return day.last("bike").energy_wh - (wh_before + share * (at_crossing_wh - wh_before))


def test_recorded_rad_charge_is_cut_off_once_power_stays_below_90_w(tmp_path):
    """S0-06: the recorded curve falls from 103 to 85 W; it is cut off after 40 s below 90 W, within 1.5 Wh."""
    day = charged(tmp_path, "rad-nominal")
    assert day.last("bike").outcome == "finished"
    assert day.last("bike").reason.code == "cutoff-reached"
    assert len(day.switched("bike")) == 2
    assert 0 < over_wh(day, 90) <= 1.5


def test_one_reading_of_zero_does_not_end_a_charge(tmp_path):
    """S0-06, its broken part: a single 0 W in the plateau is a glitch."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(1800)
    day.strip.sockets["bike"].glitch(1830 + day.clock.true_s() - 1800)
    day.until(3000)
    assert 0.0 in [event.body.power_w for event in day.all(ChargerRead, 1800)]
    assert day.run.site.loadpoints["bike"].session is not None
    assert day.switched("bike") == [(60, True)]


def test_charge_goes_on_after_a_dip_shorter_than_the_confirmation(tmp_path):
    """S0-06: balancing pauses of half a minute do not end a charge; the count begins again after them."""
    day = charged(tmp_path, Readings(30, 103, 103, 103, 20, 103, 20, 103, 103), hours=1)
    assert day.run.site.loadpoints["bike"].session is not None


def test_pack_that_draws_less_than_the_start_level_is_not_charged(tmp_path):
    """S0-07: 60 W at plug-in, start 90, stop 45: off again, full enough, no charge counted."""
    profile = structs.replace(RAD, nominal_start_w=90, nominal_stop_w=45)
    day = charged(tmp_path, Steady(60), hours=1, profile=profile)
    session = day.last("bike")
    assert (session.outcome, session.reason.code) == ("already-full", "above-start-level")
    assert session.reason.values["start_w"] == 90
    assert [on for _, on in day.switched("bike")] == [True, False]
    assert session.energy_wh < 3


def test_full_charge_by_count_ends_at_the_sixth_low_reading(tmp_path):
    """S0-08: with S0's figures the logged tail ends exactly at its last value, 3.732 W."""
    tail = (4.166, 5.581, 5.418, 5.074, 4.744, 4.393, 4.032, 3.732)
    profile = structs.replace(RAD, full_readings=6, idle_w=0.5)
    conf = configuration(loadpoint("bike", profile, target="full"))
    slow = {"shed": structs.replace(conf.devices["shed"], poll_s=300, poll_fast_s=300, max_age_s=900)}
    day = Day(tmp_path, structs.replace(conf, devices=slow), {"bike": Readings(300, 103, 103, *tail, 3.0)})
    day.until(300)
    day.charge("bike")
    day.until(2 * HOUR)
    session = day.last("bike")
    assert (session.outcome, session.reason.code) == ("finished", "cutoff-counted")
    assert session.reason.values["readings"] == 6
    assert round(session.reason.values["power_w"], 1) == 3.7


def test_full_charge_that_never_falls_below_its_threshold_is_given_up(tmp_path):
    """S0-09: 8 W for ever with a threshold of 5 W ends after 100 min as never reached, not as full."""
    day = charged(tmp_path, "never-full", target="full")
    session = day.last("bike")
    assert (session.outcome, session.reason.code) == ("never-reached", "never-full")
    assert 100 * 60 <= session.on_ms / 1000 <= 110 * 60


def test_tail_that_sits_above_the_threshold_for_an_hour_ends_as_full(tmp_path):
    """The recorded Rad tail stays between 5 and 6.3 W for 50 min: full, well before it gets below 5 W."""
    day = charged(tmp_path, "rad-full", target="full")
    session = day.last("bike")
    assert (session.outcome, session.reason.code) == ("finished", "plateau-reached")
    below_5_w_s = 3 * HOUR + 33 * 60
    assert session.on_ms / 1000 < below_5_w_s


def test_step_down_to_the_tail_ends_as_full_after_ten_minutes(tmp_path):
    """A charger that drops from 17.7 to 5.2 W at once has switched over: ten minutes of that are enough."""
    taper = [103.0] * 20 + [60.0] * 20 + [17.7] * 20
    day = charged(tmp_path, Readings(30, *taper, 5.2, 5.6, 6.0, 6.2), target="full")
    session = day.last("bike")
    assert (session.outcome, session.reason.code) == ("finished", "step-reached")
    assert 1800 + 600 <= session.on_ms / 1000 <= 1800 + 600 + 150


def test_recorded_lectric_charge_glides_down_to_full(tmp_path):
    """S0-14: the other make has no plateau at its end; it is cut off when it is below 10 W for two minutes."""
    day = charged(tmp_path, "lectric-full", profile=LECTRIC, target="full")
    session = day.last("bike")
    assert (session.outcome, session.reason.code) == ("finished", "cutoff-reached")
    assert 9 < session.reason.values["power_w"] < 10


def test_storage_target_refuses_a_pack_below_its_start_level(tmp_path):
    """S0-10: at 115 W a pack that draws 100 W is not charged."""
    day = charged(tmp_path, Steady(100), hours=1, target="storage")
    assert day.last("bike").outcome == "already-full"


def test_storage_target_stops_a_pack_at_its_level(tmp_path):
    """S0-10: one that draws 120 W is charged until it falls below 115 W."""
    day = charged(tmp_path, Curve(((0, 121), (50, 120), (60, 110))), hours=3, target="storage")
    session = day.last("bike")
    assert session.outcome == "finished"
    assert session.reason.values["stop_w"] == 115


def test_dead_plug_is_tried_three_times_and_left_off(tmp_path):
    """S0-24: three pulses are seen, then the plug stays off and says that there is no charger or no battery."""
    day = charged(tmp_path, "dead", hours=1)
    assert [on for _, on in day.switched("bike")] == [True, False, True, False, True, False]
    assert day.last("bike").outcome == "no-charger"


def test_charger_without_battery_is_told_from_no_charger(tmp_path):
    """S0-24: an idle charger draws 0.7 W; that is a charger, but no battery."""
    day = charged(tmp_path, "idle", hours=1)
    assert day.last("bike").outcome == "no-battery"


def test_charger_with_a_slow_start_is_waited_for(tmp_path):
    """A soft start of 60 s is not taken for a dead charger; the last of the tries has patience."""
    day = charged(tmp_path, "slow-start", hours=4)
    assert day.last("bike").outcome == "finished"


def test_charger_that_comes_up_slowly_is_not_called_full(tmp_path):
    """S0-07: 30 W in the first minute, then the plateau: the start level is judged after two minutes, not at once."""
    day = charged(tmp_path, Readings(60, 30, 103, 103, 103), hours=0.5)
    assert day.run.site.loadpoints["bike"].session is not None
    assert day.switched("bike") == [(60, True)]


def test_charge_that_pauses_comes_up_again_before_it_is_judged(tmp_path):
    """After a pause the charger starts softly: a minute at 30 W then is not the end of the charge."""
    windows = (Window(0, 20), Window(30, 600))
    day = charged(tmp_path, Readings(60, 30, 103, *([103] * 40)), hours=0.9, windows=windows)
    assert [on for _, on in day.switched("bike")] == [True, False, True]
    assert day.run.site.loadpoints["bike"].session is not None


def test_battery_taken_off_is_not_called_finished(tmp_path):
    """Power that falls from the plateau to idle at once is a battery taken off."""
    start_s = day_start(tmp_path)
    load = Removed(world.recorded("rad-nominal"), removed_s=start_s + 1800, idle_w=0.7)
    day = charged(tmp_path, load, hours=2)
    session = day.last("bike")
    assert (session.outcome, session.reason.code) == ("removed", "battery-removed")
    assert session.reason.values["before_w"] > 100


def day_start(tmp_path: Path) -> float:
    """UTC seconds of the midnight that every day here begins at."""
    probe = tmp_path / "probe"
    probe.mkdir()
    return Day(probe, configuration(), {}).clock.true_s()


def test_full_pack_on_a_full_target_had_nothing_to_do(tmp_path):
    """An idle draw of 4 W under a full target of 5 W is a pack that was full already."""
    day = charged(tmp_path, Steady(4.0), hours=1, target="full")
    assert day.last("bike").outcome == "already-full"


def test_profiles_cut_off_each_plug_at_its_own_figure(tmp_path):
    """S0-15: two profiles, four plugs, one run: each stops at its own power."""
    points = [loadpoint("a"), loadpoint("b"), loadpoint("c", LECTRIC), loadpoint("d", LECTRIC)]
    loads = {"a": "rad-nominal", "b": "rad-full", "c": "lectric-full", "d": world.load("lectric-full", start=0.5)}
    day = Day(tmp_path, configuration(*points), loads)
    day.until(60)
    for name in "abcd":
        day.charge(name)
    day.until(6 * HOUR)
    stops = {name: day.last(name).reason.values["stop_w"] for name in "abcd"}
    assert stops == {"a": 90, "b": 90, "c": 80, "d": 80}
    assert all(day.last(name).reason.values["power_w"] < stops[name] for name in "abcd")


def test_reading_pace_quickens_near_the_cut_off(tmp_path):
    """S0-21: every 30 s on the plateau, every 5 s from 20 W above the cut-off on."""
    day = charged(tmp_path, "lectric-full", profile=LECTRIC, hours=4)
    times = [event.at_ms for event in day.events if type(event.body).__name__ == "ChargerRead"]
    powers = [event.body.power_w for event in day.events if type(event.body).__name__ == "ChargerRead"]
    gaps = {}
    for (a, b), power_w in zip(pairwise(times), powers, strict=False):
        gaps.setdefault("near" if 81 < power_w < 99 else "plateau" if power_w > 100.8 else "", set()).add(
            (b - a) / 1000
        )
    assert max(gaps["near"]) == 5
    assert 30 in gaps["plateau"]


def test_a_run_is_restarted_without_a_switch(tmp_path):
    """A daemon that is killed in mid-charge and started again goes on where it was, and no relay clicks."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(2000)
    day.run.kill()
    day.clock.mono += 20_000
    assert isinstance(day.begin(), Run)
    day.until(3 * HOUR)
    assert [on for _, on in day.switched("bike")] == [True, False]
    assert day.last("bike").outcome == "finished"
