"""Why: every change that is reported turns the decision when it really happens, and half of it does not."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from msgspec import structs

from chargerd.engine.evolve import fold
from chargerd.engine.settings import settings_of
from chargerd.engine.step import case_of, close, judge
from chargerd.engine.why import FINEST, Change, changes, obstacles
from chargerd.model.decision import Decision, Memory, View
from chargerd.model.events import (
    Body,
    ChargerRead,
    Event,
    HoldCleared,
    HoldSet,
    LimitSet,
    ModeSet,
    Reason,
    RecordingBack,
    RecordingLost,
    SetPoint,
    TargetSet,
    Tick,
)
from chargerd.model.settings import ADJUSTABLE, ScheduleEntry, Window
from chargerd.model.state import Site
from chargerd.policies import POLICIES
from tests.house import Day, configuration, loadpoint

LOADS = ("rad-full", "rad-nominal", "dead")
STEPS = 40  # readings that an imagined life has at least


class Life:
    """What really follows if something happens at a moment: facts, readings and ticks through the whole engine."""

    def __init__(self, site: Site, now_ms: int, name: str = "bike") -> None:
        self.site, self.name = site, name
        self.start = (site.at_ms, site.mono_ms, now_ms - site.wall_ms)
        charger = site.chargers[settings_of(site, name).charger]
        fields = ("enabled", "power_w", "voltage_v", "current_a", "energy_wh", "lease_s", "timer")
        self.read: ChargerRead | None = ChargerRead(name, **{field: getattr(charger, field) for field in fields})

    def tell(self, after_ms: int, *bodies: Body) -> None:
        self.site = fold(self.site, [self._event(n, after_ms, body) for n, body in enumerate(bodies, 1)])

    def decision(self, after_ms: int) -> tuple[bool | None, str | None]:
        if self.read is not None:
            self.tell(after_ms, self.read)
        self.site = close(self.site, self._event(1, after_ms, Tick())).site
        decided = self.site.loadpoints[self.name].decided
        assert decided is not None
        return decided.grant.enabled, decided.outcome

    def _event(self, number: int, after_ms: int, body: Body) -> Event:
        at_ms, mono_ms, late_ms = self.start
        source = "shed" if isinstance(body, ChargerRead) else "test"
        ahead_ms = after_ms + late_ms
        return Event(self.site.seq + number, at_ms + ahead_ms, mono_ms + ahead_ms, self.site.boot, source, body)


def turns(site: Site, now_ms: int, change: Change, share: float = 1.0, to: bool | None = None) -> bool:
    """Whether the change, or a share of it, makes the engine decide otherwise; with ``to`` whether it grants that."""
    before = _decision_now(site, now_ms)
    life, span_ms = Life(site, now_ms), change.kept_ms
    after = change.after
    number = isinstance(change.before, int | float) and not isinstance(change.before, bool)
    if number and change.input != "time" and share != 1.0:  # the whole of it is the very value, not one rounded to it
        moved = (change.after - change.before) * share
        after = change.before + (int(moved) if isinstance(change.after, int) else moved)
    if change.input == "time":
        span_ms = round(span_ms * share)
    _happen(life, change.input, after, site)
    pace_ms = max(1000, min(5000, span_ms // STEPS)) if change.input != "time" else max(1000, span_ms // STEPS)
    times = [*range(0, span_ms, pace_ms), span_ms]
    if change.input == "answers" and after is False:
        life.read, times = None, [round(span_ms * share)]
    decisions = (life.decision(after_ms) for after_ms in times)
    return any(decision != before if to is None else decision == (to, None) for decision in decisions)


def _happen(life: Life, field: str, after: object, site: Site) -> None:
    name = life.name
    facts: dict[str, Body] = {
        "mode": ModeSet(name, str(after), "anna"),
        "target": TargetSet(name, str(after), "anna"),
        "hold": HoldCleared("anna") if after is None else HoldSet("anna", name),
        "recording": RecordingBack(0),
        **{f"set.{key}": LimitSet(name, key, after, "anna") for key in ADJUSTABLE["battery"]},
    }
    if field in facts:
        life.tell(0, facts[field])
    elif field == "enabled":
        life.tell(0, structs.replace(life.read, enabled=after, power_w=0.0))
        life.read = None
    elif field.startswith("session."):
        point = site.loadpoints[name]
        session = structs.replace(point.session, **{field.removeprefix("session."): after})
        life.site = structs.replace(site, loadpoints={**site.loadpoints, name: structs.replace(point, session=session)})
        life.read = None
    elif field in ChargerRead.__struct_fields__:
        life.read = structs.replace(life.read, **{field: after})
    elif field == "windows":
        always = structs.replace(site.configuration.loadpoints[name], windows=())
        points = {**site.configuration.loadpoints, name: always}
        life.site = structs.replace(site, configuration=structs.replace(site.configuration, loadpoints=points))


def _decision_now(site: Site, now_ms: int) -> tuple[bool | None, str | None]:
    case = case_of(site, "bike", site.t_ms + max(0, now_ms - site.wall_ms), now_ms)
    decided = case.loadpoint.decided
    assert decided is not None
    _, granted = judge(case, decided.policy)
    return granted.grant.enabled, granted.outcome


def moments(tmp_path, seed: int) -> Iterator[tuple[Site, int]]:
    """States of a random household at random times."""
    chance = random.Random(seed)
    windows = (Window(chance.randrange(1440), chance.randrange(1440)),) if chance.random() < 0.5 else ()
    bike = loadpoint(
        "bike", target=chance.choice(("nominal", "full")), windows=windows, max_starts_per_day=chance.randint(1, 3)
    )
    entry = ScheduleEntry("bike/daily", "bike", tuple(range(7)), chance.randrange(1440))
    day = Day(tmp_path, configuration(bike, schedule=(entry,)), {"bike": chance.choice(LOADS)})
    asked: tuple[Body, ...] = (
        ModeSet("bike", "fast", "anna"), ModeSet("bike", "fast", "anna"), ModeSet("bike", "fast", "anna"),
        ModeSet("bike", "off", "anna"), HoldSet("ben"), HoldCleared("ben"), TargetSet("bike", "full", "anna"),
        LimitSet("bike", "max_h", 2.0, "anna"), RecordingLost("full"), RecordingBack(0),
    )  # fmt: skip
    second = 10.0
    day.until(second)
    yield day.run.site, day.clock.now_ms()
    for _ in range(14):
        day.until(second)
        if chance.random() < 0.6:
            day.run.ask(chance.choice(asked), by="anna")
        second += chance.choice((7.0, 61.0, 200.0, 1800.0, 7200.0))
        day.until(second)
        yield day.run.site, day.clock.now_ms()
    day.run.kill()


@pytest.mark.parametrize("number", range(4))
def test_every_reported_change_turns_the_decision_and_half_of_it_does_not(tmp_path, seed, number):
    """Random days, random moments; what is found by imagining is what the whole engine does when it happens."""
    reported = 0
    for site, now_ms in moments(tmp_path, seed * 10 + number):
        for change in changes(site, "bike", now_ms):
            if change.input == "stopping" or (change.input == "answers" and change.after):
                continue  # ends of a daemon's life have tests of their own
            assert turns(site, now_ms, change), change
            reported += 1
            if isinstance(change.after, bool | str | None):
                continue
            moved = change.kept_ms / 1000 if change.input == "time" else abs(change.after - change.before)
            least = (
                2
                if change.input == "time" or isinstance(change.after, int)
                else FINEST * 2 * max(abs(change.before), 1)
            )
            if moved > least:
                assert not turns(site, now_ms, change, 0.5), change
        for change in changes(site, "bike", now_ms, "charging"):
            if change.input != "stopping" and not (change.input == "answers" and change.after):
                assert turns(site, now_ms, change, to=True), change
    assert reported > 0


# Single cases


@pytest.fixture
def day(tmp_path):
    """A bike that has charged for a quarter of an hour."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(900)
    yield day
    day.run.kill()


def found(day: Day, state: str | None = None) -> dict[str, Change]:
    return {change.input: change for change in changes(day.run.site, "bike", day.clock.now_ms(), state)}


def test_power_has_to_fall_below_the_cut_off_and_stay_there(day):
    """103 W now: below 90 W for 40 s ends the charge, and nothing less does."""
    change = found(day)["power_w"]
    assert 89.8 < change.after < 90
    assert 40 <= change.kept_ms / 1000 <= 42
    assert (change.verdict.outcome, change.verdict.word) == ("finished", "finished")


def test_time_alone_brings_the_longest_session_to_its_end(day):
    """Seven hours after the start, to the second, if the power stays as it is."""
    change = found(day)["time"]
    started_ms = day.run.site.loadpoints["bike"].session.started_at_ms
    assert 0 <= change.after - started_ms - 7 * 3_600_000 <= 1000
    assert change.verdict.outcome == "time-limit"


def test_silence_switches_off(day):
    """Three minutes without a reading, counted from the last one."""
    change = found(day)["answers"]
    age_ms = day.clock.now_ms() - day.run.site.chargers["shed/bike"].at_ms
    assert 180 <= (change.kept_ms + age_ms) / 1000 <= 182
    assert change.verdict.reason.code == "stale-reading"


def test_smallest_change_comes_first_and_each_input_once(day):
    """Sorted by distance; what somebody would have to do comes after what happens by itself."""
    reported = changes(day.run.site, "bike", day.clock.now_ms())
    assert [change.distance for change in reported] == sorted(change.distance for change in reported)
    inputs = [change.input for change in reported]
    assert len(inputs) == len(set(inputs))
    assert (
        inputs.index("power_w") < inputs.index("mode") < inputs.index("set.nominal_stop_w") < inputs.index("set.max_h")
    )


def test_hold_on_a_running_charge_is_changed_by_its_release_only(day):
    """Hands off: power, settings and modes are of no consequence while it lasts."""
    day.run.ask(HoldSet("ben"), by="ben")
    assert list(found(day)) == ["hold"]


def test_schedule_is_found_where_it_comes_due(tmp_path):
    """Nobody wants anything until Saturday midnight; from Monday that is five days away."""
    entry = ScheduleEntry("bike/sat", "bike", (5,), 0)
    day = Day(tmp_path, configuration(loadpoint("bike"), schedule=(entry,)), {"bike": "rad-full"})
    day.until(60)
    change = found(day)["time"]
    assert 0 <= change.after - (day.events[0].at_ms + 5 * 86_400_000) <= 1000
    assert found(day, "charging")["mode"].after == "fast"
    day.run.kill()


def test_two_limits_at_once_cannot_be_lifted_by_one_change(tmp_path):
    """On hold and outside its hours: nothing alone leads to charging, and both are named."""
    bike = loadpoint("bike", windows=(Window(120, 360),))
    day = Day(tmp_path, configuration(bike), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(120)
    assert set(found(day, "charging")) == {"time", "windows"}
    day.run.ask(HoldSet("ben"), by="ben")
    assert found(day, "charging") == {}
    codes = [reason.code for reason in obstacles(day.run.site, "bike", day.clock.now_ms(), on=True)]
    assert codes == ["held", "outside-window"]
    day.run.kill()


def test_starts_that_are_used_up_are_changed_by_one_more_or_by_time(tmp_path):
    """One start a day, and it was a quarter of an hour ago."""
    day = Day(tmp_path, configuration(loadpoint("bike", max_starts_per_day=1)), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    day.run.ask(ModeSet("bike", "off", "anna"), by="anna")
    day.until(900)
    day.charge("bike")
    day.until(960)
    ways = found(day, "charging")
    assert (ways["set.max_starts_per_day"].before, ways["set.max_starts_per_day"].after) == (1, 2)
    assert 0 <= ways["time"].after - (day.events[0].at_ms + 86_400_000 + 60_000) <= 2000
    day.run.kill()


def test_readings_that_are_counted_are_counted_in_time_too(day):
    """A full charge that ends after 100 low readings: at one reading every 5 s that is 500 s away, not one reading."""
    rad = structs.replace(loadpoint("bike").profile, full_readings=100)
    life = Life(day.run.site, day.clock.now_ms())
    points = {"bike": structs.replace(loadpoint("bike"), profile=rad)}
    counting = structs.replace(life.site.configuration, loadpoints=points)
    life.site = structs.replace(life.site, configuration=counting)
    life.tell(0, TargetSet("bike", "full", "anna"))
    life.read = structs.replace(life.read, power_w=4.0)
    life.decision(1000)
    change = {c.input: c for c in changes(life.site, "bike", life.site.wall_ms)}["time"]
    assert change.verdict.reason.code == "cutoff-counted"
    assert 490 <= change.kept_ms / 1000 <= 500


def test_unread_charger_would_be_switched_on_if_it_answered(tmp_path):
    """Somebody wants a charge, but the strip has not been heard since the start."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.charge("bike")
    change = found(day, "charging")["answers"]
    assert (change.before, change.after, change.verdict.enabled) == (False, True, True)
    day.run.kill()


def test_policy_that_nobody_knew_of_is_explained_as_well(day, monkeypatch):
    """One that minds the voltage: the search finds 210 V without having been told."""

    def shy(view: View, memory: Memory) -> Decision:
        low = view.charger is not None and (view.charger.voltage_v or 0) < 210
        return Decision(SetPoint(enabled=not low), Reason("mode-off"), memory, final=True)

    monkeypatch.setitem(POLICIES, "threshold", shy)
    change = found(day)["voltage_v"]
    assert 209.8 < change.after < 210
    assert change.kept_ms == 0


def test_nearer_change_behind_which_it_turns_back_is_found(day, monkeypatch):
    """A policy that stops between 160 and 170 V and below 100 V: from 230 V the nearest is 170 V, not 100 V."""

    def odd(view: View, memory: Memory) -> Decision:
        volts = 0.0 if view.charger is None else view.charger.voltage_v or 0.0
        stop = volts < 100 or 160 < volts < 170
        return Decision(SetPoint(enabled=not stop), Reason("mode-off"), memory, final=True)

    monkeypatch.setitem(POLICIES, "threshold", odd)
    assert 169.5 < found(day)["voltage_v"].after < 170


def test_charge_that_ends_at_this_moment_has_no_future(day):
    """Its time has run out since the last reading: neither time nor silence is told, only what would have kept it on."""
    site, name = day.run.site, "bike"
    session = structs.replace(site.loadpoints[name].session, on_ms=7 * 3_600_000 - 10_000)
    points = {name: structs.replace(site.loadpoints[name], session=session)}
    almost = structs.replace(site, loadpoints=points)
    assert "time" in {change.input for change in changes(almost, name, site.wall_ms)}
    inputs = {change.input for change in changes(almost, name, site.wall_ms + 20_000)}
    assert inputs & {"time", "answers"} == set()
    assert "set.max_h" in inputs
