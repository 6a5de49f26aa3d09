"""Sunny: a simulated home with panels, a house battery, a car and a heating rod, for tests of what people are told of it.

Noon of 3 June, everything steady unless a test changes it: 6 kW of sun, 500 W in the house.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from chargerd.drivers import simulated
from chargerd.model.events import Body, Event, ModeSet
from chargerd.model.settings import (
    Configuration,
    DeviceSettings,
    LoadpointSettings,
    MeterSettings,
    Profile,
    StorageSettings,
    Vehicle,
)
from chargerd.sim.car import Box, Car
from chargerd.sim.home import House, HouseBattery
from chargerd.sim.homes import HomeEvse, HomeMeters
from chargerd.sim.run import Run, SimulatedClock

NOON_MS = 1_717_408_800_000  # Monday 2024-06-03 12:00 in Berlin
PLAIN = Configuration(
    timezone="Europe/Berlin",
    devices={
        "inverter": DeviceSettings("inverter", "simulated", poll_s=10, max_age_s=60),
        "box": DeviceSettings("box", "simulated", poll_s=10, max_age_s=60),
        "cellar": DeviceSettings("cellar", "simulated", poll_s=10, max_age_s=60),
    },
    loadpoints={
        "garage": LoadpointSettings(
            "garage", "box", Profile("id4"), kind="evse", mode="solar", vehicle=Vehicle("id4", max_phases=1)
        ),
        "rod": LoadpointSettings("rod", "cellar/rod", Profile(""), kind="consumer", mode="solar", on_above_w=1500.0),
    },
    meters={
        "grid": MeterSettings("grid", "inverter", "meter1", "grid"),
        "pv": MeterSettings("pv", "inverter", "inverter", "pv", peak_w=9000),
    },
    storages={"house": StorageSettings("house", "inverter", "battery1")},
    import_price_per_kwh=0.30,
    export_price_per_kwh=0.08,
)


class Rod:
    """A heating rod: 2 kW whenever it is on."""

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002 – as every load
        """What it draws."""
        return 2000.0


class Home:
    """The home with a daemon in simulated time, and all that was recorded. ``sun_w`` and ``load_w`` may be changed."""

    def __init__(self, folder: Path, configuration: Configuration = PLAIN, *, box: Box | None = None, **evse: object):
        self.configuration = configuration
        self.clock = SimulatedClock(NOON_MS)
        self.sun_w, self.load_w = 6000.0, 500.0
        self.box = box or Box(Car(phases=1, capacity_wh=1e6), phases=1)
        self.battery = HouseBattery(soc_pct=62, max_charge_w=400)
        self.house = House(lambda _: self.sun_w, lambda _: self.load_w, [self.box], self.battery)
        self.meters = HomeMeters(self.house, self.clock.true_s)
        self.evse = HomeEvse(self.house, self.clock.true_s, **evse)  # type: ignore[arg-type]
        self.plug = simulated.Driver(
            "cellar", simulated.Driver.Config(driver="simulated"), ("rod",), {}, now_s=self.clock.true_s
        )
        self.plug.sockets["rod"].load = Rod()
        self.path = folder / "log.db"
        self.events: list[Event] = []
        drivers = {"inverter": self.meters, "box": self.evse, "cellar": self.plug}
        self.run = Run(configuration, drivers, self.path, self.clock, watch=self.events.append)

    def until(self, seconds: float) -> None:
        """Let time pass up to so many seconds after noon."""
        self.run.until(seconds)

    def ask(self, name: str, mode: str, by: str = "anna") -> None:
        """Somebody wants another mode."""
        self.run.ask(ModeSet(name, mode, by), by=by)

    def all(self, kind: type[Body]) -> list[Event]:
        """Recorded events of one kind."""
        return [event for event in self.events if isinstance(event.body, kind)]


def with_point(name: str, **settings: object) -> Configuration:
    """The configuration with other settings of one loadpoint."""
    points = {**PLAIN.loadpoints, name: structs.replace(PLAIN.loadpoints[name], **settings)}
    return structs.replace(PLAIN, loadpoints=points)
