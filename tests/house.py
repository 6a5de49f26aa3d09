"""House: small configurations and days for tests of engine, policies and whole days. Numbers stay in the tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import structs

from chargerd.drivers import simulated
from chargerd.model.events import Body, CommandIssued, Decided, Event, ModeSet
from chargerd.model.settings import Configuration, DeviceSettings, LoadpointSettings, Profile
from chargerd.model.state import Session
from chargerd.sim import world
from chargerd.sim.run import Run, SimulatedClock

RAD = Profile(
    "rad",
    nominal_start_w=90,
    nominal_stop_w=90,
    full_w=5,
    storage_start_w=115,
    storage_stop_w=115,
    charger_a=2,
    capacity_ah=14,
)
LECTRIC = structs.replace(RAD, name="lectric", nominal_start_w=80, nominal_stop_w=80, full_w=10)
MONDAY_MS = 1_709_506_800_000  # Monday 2024-03-04 00:00 in Berlin, winter time


def loadpoint(name: str, profile: Profile = RAD, **settings: object) -> LoadpointSettings:
    """A loadpoint on the socket of its own name."""
    return structs.replace(LoadpointSettings(name, f"shed/{name}", profile), **settings)


def configuration(*loadpoints: LoadpointSettings, timezone: str = "Europe/Berlin", **settings: object) -> Configuration:
    """A site with one strip, called shed, and these loadpoints on it."""
    device = DeviceSettings("shed", "simulated")
    points = {settings.name: settings for settings in loadpoints}
    return structs.replace(Configuration("Home", timezone, {"shed": device}, points), **settings)


class Day:
    """A strip with a socket for each loadpoint, a daemon in simulated time, and all that was recorded."""

    def __init__(
        self,
        folder: Path,
        configuration: Configuration,
        loads: dict[str, str | simulated.Load],
        start_ms: int = MONDAY_MS,
    ):
        self.configuration = configuration
        self.clock = SimulatedClock(start_ms)
        self.strip = simulated.Driver(
            "shed", simulated.Driver.Config(driver="simulated"), tuple(loads), {}, now_s=self.clock.true_s
        )
        for name, load in loads.items():
            self.strip.sockets[name].load = world.load(load) if isinstance(load, str) else load
        self.path = folder / "log.db"
        self.events: list[Event] = []
        self.run = self.begin()

    def begin(self) -> Run:
        """A daemon starts, the first one or another after `kill` or `stop`."""
        self.run = Run(self.configuration, {"shed": self.strip}, self.path, self.clock, watch=self.events.append)
        return self.run

    def charge(self, name: str, by: str = "anna") -> None:
        """Somebody wants it charged."""
        self.run.ask(ModeSet(name, "fast", by), by=by)

    def until(self, seconds: float) -> None:
        """Let time pass up to so many seconds after midnight."""
        self.run.until(seconds)

    def all(self, kind: type[Body], since_s: float = 0) -> Iterable[Event]:
        """Recorded events of one kind."""
        first_ms = self.events[0].at_ms + since_s * 1000
        return [event for event in self.events if isinstance(event.body, kind) and event.at_ms >= first_ms]

    def switched(self, name: str) -> list[tuple[float, bool]]:
        """When the loadpoint's socket was told to switch, in seconds after midnight. Lease renewals left out."""
        told = []
        for event in self.all(CommandIssued):
            body = event.body
            assert isinstance(body, CommandIssued)
            if body.loadpoint == name and body.reason.code != "lease-renewal":
                told.append(((event.at_ms - self.events[0].at_ms) / 1000, body.command.enabled))
        return told

    def codes(self, name: str) -> list[str]:
        """The reasons given, one after the other; a limit's where one spoke."""
        bodies = [event.body for event in self.all(Decided)]
        return [(b.limit or b.reason).code for b in bodies if isinstance(b, Decided) and b.loadpoint == name]

    def last(self, name: str) -> Session:
        """The last session that ended."""
        session = self.run.site.loadpoints[name].last_session
        assert session is not None
        return session
