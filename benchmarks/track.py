"""Track: a day of charging on surplus in a simulated house, led by the engine or by one of `rules`, and what came of it.

Not a benchmark. *Capturable* is the surplus (sun less house) while it is at least what one phase needs at 6 A, up to what
the car can take on all its phases; *captured* is the part of the car's energy that was surplus when it flowed. All of
it is counted from what really flows, not from what is measured. A part may be above 1: capturing goes on, with some
import, while a cloud takes the surplus below that least power, and such surplus is in the first figure only.

The meters say what was two seconds ago and are read every ten seconds, as the EVSE is; it hears a command every ten seconds.
The car begins 20 s after an offer and follows a change in 5 s.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from days import PEAK_W, Day
from harness import folder
from msgspec import Struct
from rules import S1, Hysteresis, Order, Rule, Seen

from chargerd.drivers.base import Reading
from chargerd.model.commands import SetCurrent, SetPhases
from chargerd.model.events import ChargerRead, MeterRead, StorageRead
from chargerd.model.settings import (
    Configuration,
    DeviceSettings,
    LoadpointSettings,
    MeterSettings,
    Profile,
    StorageSettings,
)
from chargerd.policies import POLICIES
from chargerd.sim.car import Box, Car
from chargerd.sim.home import STEP_S, House, HouseBattery, Moment
from chargerd.sim.homes import HomeEvse, HomeMeters
from chargerd.sim.run import Run, SimulatedClock
from chargerd.store.log import Log

POLL_S = 10
LAG_S = 2.0
PAUSE_S = 10.0
LEAST_W = 6 * 230.0
PHASE_W = 16 * 230.0
MIDNIGHT_MS = 1_717_372_800_000  # 2024-06-03 UTC, a Monday
STOPPED_W = 1.0


class Setup(Struct, frozen=True):
    """A home to charge in. ``battery_wh`` 0 is one without a house battery; ``box_phases`` are those of the EVSE."""

    box_phases: int = 3
    car_phases: int = 3
    step_a: float = 1.0
    battery_wh: float = 0.0
    soc_pct: float = 30.0
    reserve_w: float = 0.0
    step_s: float = STEP_S  # of the physics

    @property
    def most_w(self) -> float:
        """What the car can take."""
        return PHASE_W * min(self.box_phases, self.car_phases)


class Track(Struct):
    """What came of one day or several, Wh. ``imported_wh`` is what the car took that was no surplus."""

    days: int = 0
    capturable_wh: float = 0.0
    captured_wh: float = 0.0
    imported_wh: float = 0.0
    car_wh: float = 0.0
    starts: int = 0
    switches: int = 0
    commands: int = 0

    @property
    def captured(self) -> float:
        """Part of what could be captured."""
        return self.captured_wh / self.capturable_wh

    @property
    def imported(self) -> float:
        """kWh that were no surplus per kWh that was."""
        return self.imported_wh / self.captured_wh

    @property
    def pv_share(self) -> float:
        """Part of the car's energy that was surplus."""
        return self.captured_wh / self.car_wh

    @property
    def starts_a_day(self) -> float:
        """How often the car began, changes of phases not counted."""
        return self.starts / self.days

    def __add__(self, other: Track) -> Track:
        return Track(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


class Watch:
    """Counts what really flows, and passes it on to ``other``, if anybody."""

    def __init__(self, setup: Setup, box: Box, other: Callable[[Moment, float], None] | None) -> None:
        self._other = other
        self.track = Track(days=1)
        self.readings: list[tuple[float, Reading]] = []
        """What the drivers said, each with its seconds since midnight. Of a day led by the engine: as its log has it."""
        self._setup = setup
        self._box = box
        self._phases = box.phases
        self._flowed = False
        self._drawn_s = float("-inf")

    def __call__(self, moment: Moment, passed_s: float) -> None:
        if self._other is not None:
            self._other(moment, passed_s)
        track, hours = self.track, passed_s / 3600
        surplus_w, car_w = max(0.0, moment.pv_w - moment.load_w), moment.cars_w
        if surplus_w >= LEAST_W:
            track.capturable_wh += min(surplus_w, self._setup.most_w) * hours
        captured_w = min(car_w, surplus_w)
        track.captured_wh += captured_w * hours
        track.imported_wh += (car_w - captured_w) * hours
        track.car_wh += car_w * hours
        flows = car_w > 0
        if flows and not self._flowed:
            if self._box.phases == self._phases:
                track.starts += 1
            else:
                track.switches += 1
                # Off for long before: it has begun anew as well.
                track.starts += moment.at_s - self._drawn_s > 180
        if flows:
            self._phases, self._drawn_s = self._box.phases, moment.at_s + passed_s
        self._flowed = flows


class Home:
    """One day's house with its drivers, at a clock that begins with the sun."""

    def __init__(self, day: Day, setup: Setup, other: Callable[[Moment, float], None] | None) -> None:
        self.day = day
        self.setup = setup
        self.clock = SimulatedClock(MIDNIGHT_MS + round(day.from_s * 1000))
        box = Box(Car(phases=setup.car_phases, capacity_wh=1e6), max_phases=setup.box_phases, phases=setup.box_phases)
        self.watch = Watch(setup, box, other)
        battery = HouseBattery(setup.battery_wh, soc_pct=setup.soc_pct) if setup.battery_wh else None
        self.house = House(day.pv, day.load, [box], battery, step_s=setup.step_s, watch=self.watch)
        self.meters = HomeMeters(self.house, self.now_s, lag_s=LAG_S)
        self.evse = HomeEvse(
            self.house, self.now_s, step_a=setup.step_a, pause_s=PAUSE_S, switches=setup.box_phases == 3
        )

    def now_s(self) -> float:
        """Seconds since midnight."""
        return self.clock.true_s() - MIDNIGHT_MS / 1000

    def done(self) -> Watch:
        """Let the day come to its end; what came of it."""
        self.house.advance(self.now_s())
        self.watch.track.commands = len(self.evse.commands)
        assert not self.evse.unheard, "commands came too fast for the EVSE"
        return self.watch


def by_rule(day: Day, setup: Setup, rule: Rule, other: Callable[[Moment, float], None] | None = None) -> Watch:
    """A day led by a rule."""
    home = Home(day, setup, other)
    hand = Hand(home.evse)
    for second in range(round(day.from_s), round(day.to_s), POLL_S):
        home.clock.mono = round((second - day.from_s) * 1000)
        seen = _seen(home, second)
        hand.carry_out(rule.decide(seen), seen)
    return home.done()


class Hand:
    """Gives a rule's orders to an EVSE. Phases are changed without current, so that takes three cycles."""

    def __init__(self, evse: HomeEvse) -> None:
        self._evse = evse
        self._change: Order | None = None

    def carry_out(self, order: Order, seen: Seen) -> None:
        """Give the next command that is needed, if any. A change of phases that was begun is brought to its end."""
        order = order if self._change is None else self._change
        self._change = None
        if order.current_a and order.phases != seen.phases:
            self._change = order
            if seen.offered_a:
                self._evse.apply(SetCurrent("box", 0))
            elif seen.car_w < STOPPED_W:
                self._evse.apply(SetPhases("box", order.phases))
        elif order.current_a != seen.offered_a:
            self._evse.apply(SetCurrent("box", order.current_a))


def _seen(home: Home, second: float) -> Seen:
    inverter_w = grid_w = battery_w = 0.0
    soc_pct = 100.0
    said = [*home.meters.read(), *home.evse.read()]
    home.watch.readings += [(second, reading) for reading in said]
    for reading in said[:-1]:
        match reading:
            case MeterRead(channel="inverter"):
                inverter_w = reading.power_w or 0.0
            case MeterRead():
                grid_w = reading.power_w or 0.0
            case StorageRead():
                battery_w, soc_pct = reading.power_w or 0.0, reading.soc_pct or 0.0
    box = said[-1]
    assert isinstance(box, ChargerRead)
    offered_a = (box.offered_a or 0.0) if box.enabled else 0.0
    return Seen(second, grid_w, inverter_w, battery_w, soc_pct, box.power_w or 0.0, offered_a, box.phases or 3)


def by_engine(day: Day, setup: Setup, place: Path, other: Callable[[Moment, float], None] | None = None) -> Watch:
    """A day led by chargerd, with its log in a place."""
    assert "surplus" in POLICIES, "the engine has no policy for surplus"
    home = Home(day, setup, other)
    log = place / f"{day.name}.db"
    run = Run(configuration(setup), {"home": home.meters, "box": home.evse}, log, home.clock)
    run.until(day.to_s - day.from_s)
    run.kill()
    with Log(log) as written:
        home.watch.readings = [
            ((event.at_ms - MIDNIGHT_MS) / 1000, event.body)
            for event in written.read()
            if isinstance(event.body, ChargerRead | MeterRead | StorageRead)
        ]
    return home.done()


def configuration(setup: Setup) -> Configuration:
    """What somebody with this home would write down."""
    devices = {name: DeviceSettings(name, "simulated", poll_s=POLL_S, max_age_s=60) for name in ("home", "box")}
    point = LoadpointSettings("garage", "box", Profile("car"), kind="evse", mode="solar", max_current_a=16)
    house = {"house": StorageSettings("house", "home", "battery1")} if setup.battery_wh else {}
    return Configuration(
        timezone="UTC",
        devices=devices,
        loadpoints={"garage": point},
        meters={
            "grid": MeterSettings("grid", "home", "meter1", "grid"),
            "pv": MeterSettings("pv", "home", "inverter", "pv", peak_w=PEAK_W),
        },
        storages=house,
        reserve_w=setup.reserve_w,
    )


RULES: dict[str, Callable[[Setup], Rule]] = {
    "hysteresis": lambda setup: Hysteresis(
        max_phases=setup.box_phases, car_phases=setup.car_phases, step_a=setup.step_a
    ),
    "grid-only": lambda setup: Hysteresis(
        max_phases=setup.box_phases, car_phases=setup.car_phases, step_a=setup.step_a, counts_battery=False
    ),
    "s1": lambda setup: S1(phases=min(setup.box_phases, setup.car_phases), peak_w=PEAK_W),
    "s1-paused": lambda setup: S1(phases=min(setup.box_phases, setup.car_phases), peak_w=PEAK_W, falls_back=False),
}
BY = {"by": {"choices": ("engine", *RULES), "default": "engine", "help": "who leads: the engine, or a rule to compare"}}
"""The option of the scripts that run days."""


def track(days: Sequence[Day], setup: Setup, by: str = "engine") -> Track:
    """What comes of the days, each begun anew. ``by`` is "engine" or one of `RULES`. Every core leads one day at a time."""
    fork = multiprocessing.get_context("fork")  # a day is made of functions, which cannot be sent anywhere
    with folder() as place, ProcessPoolExecutor(os.cpu_count(), fork, _share, (days, setup, by, Path(place))) as cores:
        return sum(cores.map(_led, range(len(days))), Track())


_shared: list[tuple[Sequence[Day], Setup, str, Path]] = []


def _share(*work: Any) -> None:
    _shared[:] = [work]


def _led(number: int) -> Track:
    ((days, setup, by, place),) = _shared
    day = days[number]
    return by_engine(day, setup, place).track if by == "engine" else by_rule(day, setup, RULES[by](setup)).track
