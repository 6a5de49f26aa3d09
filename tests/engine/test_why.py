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
from chargerd.model.state import Session, Site
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


def turns(site: Site, now_ms: int, change: Change, share: float = 1.0) -> bool:
    """Whether the change, or a share of it, makes the engine decide otherwise."""
    before = _decision_now(site, now_ms)
    life, span_ms = Life(site, now_ms), change.kept_ms
    after = change.after
    if isinstance(change.before, int | float) and not isinstance(change.before, bool) and change.input != "time":
        moved = (change.after - change.before) * share
        after = change.before + (int(moved) if isinstance(change.after, int) else moved)
    if change.input == "time":
        span_ms = round(span_ms * share)
    _happen(life, change.input, after, site)
    pace_ms = max(1000, min(5000, span_ms // STEPS)) if change.input != "time" else max(1000, span_ms // STEPS)
    times = [*range(0, span_ms, pace_ms), span_ms]
    if change.input == "answers" and after is False:
        life.read, times = None, [round(span_ms * share)]
    return any(life.decision(after_ms) != before for after_ms in times)


def _happen(life: Life, field: str, after: object, site: Site) -> None:
    name = life.name
    if field in ChargerRead.__struct_fields__ and field not in ("energy_wh", "enabled"):
        life.read = structs.replace(life.read, **{field: after})
    elif field in Session.__struct_fields__:
        point = site.loadpoints[name]
        session = structs.replace(point.session, **{field: after})
        life.site = structs.replace(site, loadpoints={**site.loadpoints, name: structs.replace(point, session=session)})
        life.read = None
    elif field == "enabled":
        life.tell(0, structs.replace(life.read, enabled=after, power_w=0.0))
        life.read = None
    elif field == "windows":
        always = structs.replace(site.configuration.loadpoints[name], windows=())
        points = {**site.configuration.loadpoints, name: always}
        life.site = structs.replace(site, configuration=structs.replace(site.configuration, loadpoints=points))
    else:
        facts: dict[str, Body] = {
            "mode": ModeSet(name, str(after), "anna"),
            "target": TargetSet(name, str(after), "anna"),
            "hold": HoldCleared("anna") if after is None else HoldSet("anna", name),
            "recording": RecordingBack(0),
            **{key: LimitSet(name, key, after, "anna") for key in ADJUSTABLE},
        }
        if field in facts:
            life.tell(0, facts[field])


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
    assert reported >= 10
