"""House under the sun: a simulated home with meters, EVSEs, house battery and plugs, led by a daemon in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import structs

from chargerd.drivers import simulated
from chargerd.drivers.base import Driver
from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.model.commands import SetCurrent
from chargerd.model.events import (
    Body,
    ChargerRead,
    CommandIssued,
    ConfigLoaded,
    DaemonStarted,
    Decided,
    DeviceAdded,
    Event,
    MeterRead,
    ModeSet,
)
from chargerd.model.settings import (
    CircuitSettings,
    Configuration,
    DeviceSettings,
    LoadpointSettings,
    MeterSettings,
    Profile,
    StorageSettings,
)
from chargerd.model.state import Evse, Loadpoint, Session, Site
from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from chargerd.sim.home import VOLTAGE_V, House, HouseBattery, Moment
from chargerd.sim.homes import HomeEvse, HomeMeters
from chargerd.sim.run import Run, SimulatedClock
from tests.house import MONDAY_MS

HOUR = 3600
PEAK_W = 9400.0


def evse(name: str = "garage", **settings: object) -> LoadpointSettings:
    """A loadpoint for a car on an EVSE of its own, which follows the sun."""
    plain = LoadpointSettings(name, f"{name}-box", Profile("car"), kind="evse", mode="solar", max_current_a=16.0)
    return structs.replace(plain, **settings)


def consumer(name: str = "rod", **settings: object) -> LoadpointSettings:
    """A loadpoint for something on a socket of the strip that takes what is left over."""
    plain = LoadpointSettings(name, f"shed/{name}", Profile("rod"), kind="consumer", mode="solar")
    return structs.replace(plain, **settings)


def home(
    *points: LoadpointSettings,
    storage: StorageSettings | None = None,
    circuits: Iterable[CircuitSettings] = (),
    peak_w: float = PEAK_W,
    poll_s: float = 10.0,
    max_age_s: float = 60.0,
    **settings: object,
) -> Configuration:
    """A site with an inverter, a meter at the grid connection and these loadpoints."""
    names = {"home": None} | {point.charger.partition("/")[0]: None for point in points}
    plain = Configuration(
        timezone="Europe/Berlin",
        devices={n: DeviceSettings(n, "simulated", poll_s, min(5.0, poll_s), max_age_s) for n in names},
        loadpoints={point.name: point for point in points},
        meters={
            "grid": MeterSettings("grid", "home", "meter1", "grid"),
            "pv": MeterSettings("pv", "home", "inverter", "pv", peak_w=peak_w),
        },
        storages={} if storage is None else {storage.name: storage},
        circuits={circuit.name: circuit for circuit in circuits},
        reserve_w=0.0,
    )
    return structs.replace(plain, **settings)


def house_battery(**settings: object) -> StorageSettings:
    """The house battery as somebody configures it."""
    return structs.replace(StorageSettings("house", "home", "battery1"), **settings)


class SunDay:
    """A home, a daemon in simulated time, all that was recorded and all that flowed. Seconds are since local midnight."""

    def __init__(
        self,
        folder: Path,
        configuration: Configuration,
        *,
        pv: sun.Power,
        load: sun.Power | None = None,
        battery: HouseBattery | None = None,
        boxes: Mapping[str, Box] | None = None,
        plugs: Mapping[str, simulated.Load] | None = None,
        from_s: float = 8 * HOUR,
        midnight_ms: int = MONDAY_MS,
        lag_s: float = 2.0,
        voltage_v: float = VOLTAGE_V,
        spoil: Callable[[str, Driver], Driver] = lambda _, driver: driver,
        **evses: object,
    ) -> None:
        self.configuration = configuration
        self.from_s = from_s
        self.midnight_ms = midnight_ms
        self.clock = SimulatedClock(midnight_ms + round(from_s * 1000))
        names = [point.name for point in configuration.loadpoints.values() if point.kind == "evse"]
        given = dict(boxes or {})
        found = [given.get(name) or Box(Car(phases=1), max_phases=1) for name in names]
        self.strip = simulated.Driver(
            "shed", simulated.Driver.Config(driver="simulated"), tuple(plugs or {}), {}, now_s=self.clock.true_s
        )
        for name, behind in (plugs or {}).items():
            self.strip.sockets[name].load = behind
        base = load or sun.steady(300.0)
        self.moments: list[tuple[Moment, float]] = []
        self.house = House(
            pv,
            lambda at_s: base(at_s) + self._plugs_w(at_s),
            found,
            battery,
            voltage_v=voltage_v,
            watch=lambda moment, passed_s: self.moments.append((moment, passed_s)),
        )
        self.meters = HomeMeters(self.house, self.now_s, lag_s=lag_s)
        self.evses = {name: HomeEvse(self.house, self.now_s, n, **evses) for n, name in enumerate(names)}  # type: ignore[arg-type]
        self.drivers: dict[str, Driver] = {"home": self.meters}
        self.drivers |= {f"{name}-box": driver for name, driver in self.evses.items()}
        self.drivers |= {"shed": self.strip} if plugs else {}
        self.drivers = {name: spoil(name, driver) for name, driver in self.drivers.items()}
        self.path = folder / "log.db"
        self.events: list[Event] = []
        self.run = self.begin()

    def begin(self) -> Run:
        """A daemon starts, the first one or another after its end."""
        self.run = Run(self.configuration, self.drivers, self.path, self.clock, watch=self.events.append)
        return self.run

    def now_s(self) -> float:
        """Seconds since midnight."""
        return self.clock.true_s() - self.midnight_ms / 1000

    def until(self, second: float) -> None:
        """Let time pass up to so many seconds after midnight."""
        self.run.until(second - self.from_s)
        self.house.advance(self.now_s())

    def ask(self, name: str, mode: str, by: str = "anna") -> None:
        """Somebody wants another mode."""
        self.run.ask(ModeSet(name, mode, by), by=by)

    def plug_in(self, name: str, car: Car | None) -> None:
        """Another car is connected, or with None the one that is there leaves."""
        self.house.connect(list(self.evses).index(name), car, self.now_s())

    @property
    def site(self) -> Site:
        """What the engine believes."""
        return self.run.site

    def point(self, name: str = "garage") -> Loadpoint:
        """What it believes of a loadpoint."""
        return self.site.loadpoints[name]

    def evse(self, name: str = "garage") -> Evse:
        """What it believes of an EVSE."""
        found = self.site.chargers[f"{name}-box"].evse
        assert found is not None
        return found

    def last(self, name: str = "garage") -> Session:
        """The last session that ended."""
        found = self.point(name).last_session
        assert found is not None
        return found

    def code(self, name: str = "garage") -> str:
        """The reason that counts at this moment."""
        decided = self.point(name).decided
        assert decided is not None
        return (decided.limit or decided.reason).code

    def codes(self, name: str = "garage", since_s: float = -1e9) -> list[str]:
        """The reasons given, one after the other."""
        bodies = [event.body for event in self.all(Decided, since_s)]
        return [(b.limit or b.reason).code for b in bodies if isinstance(b, Decided) and b.loadpoint == name]

    def all(self, kind: type[Body], since_s: float = -1e9) -> list[Event]:
        """Recorded events of one kind."""
        first_ms = self.midnight_ms + since_s * 1000
        return [event for event in self.events if isinstance(event.body, kind) and event.at_ms >= first_ms]

    def modes(self, by: str) -> list[str]:
        """The modes that were set by somebody or something."""
        return [e.body.mode for e in self.all(ModeSet) if isinstance(e.body, ModeSet) and e.body.by == by]

    def told(self, name: str = "garage", since_s: float = -1e9) -> list[tuple[float, float]]:
        """The currents that the device was told, with their second."""
        said = self.evses[name].commands
        return [(at_s, c.current_a) for at_s, c in said if isinstance(c, SetCurrent) and at_s >= since_s]

    def issued(self, name: str, since_s: float = -1e9) -> list[tuple[float, CommandIssued]]:
        """The commands given for a loadpoint, with their second."""
        found = [((e.at_ms - self.midnight_ms) / 1000, e.body) for e in self.all(CommandIssued, since_s)]
        return [(at_s, b) for at_s, b in found if isinstance(b, CommandIssued) and b.loadpoint == name]

    def starts(self, name: str = "garage", since_s: float = -1e9) -> int:
        """How often it was offered current after a pause."""
        before, count = 0.0, 0
        for _, current_a in self.told(name, since_s):
            count += current_a > 0 and before == 0
            before = current_a
        return count

    def car_w(self, from_s: float, to_s: float) -> float:
        """What cars took on average."""
        wh = sum(m.cars_w * passed_s for m, passed_s in self.moments if from_s <= m.at_s < to_s)
        return wh / (to_s - from_s)

    def wh(self, of: Callable[[Moment], float], from_s: float = 0.0, to_s: float = float("inf")) -> float:
        """Energy of something that flowed."""
        return sum(of(m) * passed_s / HOUR for m, passed_s in self.moments if from_s <= m.at_s < to_s)

    def _plugs_w(self, at_s: float) -> float:
        return sum(socket.power_w(at_s + self.midnight_ms / 1000) for socket in self.strip.sockets.values())


BOX = DeviceAdded(
    "simulated-evse",
    accepts=("SetCurrent", "SetPhases"),
    min_current_a=6.0,
    max_current_a=16.0,
    current_step_a=1.0,
    max_phases=3,
    has_pilot=True,
)


def believed(configuration: Configuration, *facts: tuple[str, Body], devices: DeviceAdded = BOX) -> Site:
    """What is believed at 0 s of a home that has said so much, without a day around it."""
    boxes = {p.charger: ("", devices) for p in configuration.loadpoints.values() if p.kind == "evse"}
    first = [("daemon", DaemonStarted("1", VERSION, "boot")), ("daemon", ConfigLoaded(configuration))]
    return then(Site(), 0.0, *first, *((name, added) for name, (_, added) in boxes.items()), *facts)


def then(site: Site, at_s: float, *facts: tuple[str, Body]) -> Site:
    """What is believed after more facts, at so many seconds."""
    at_ms = round(at_s * 1000)
    events = [
        Event(site.seq + 1 + n, MONDAY_MS + at_ms, at_ms, 1, source, body) for n, (source, body) in enumerate(facts)
    ]
    return fold(site, events)


def clock(at_s: float) -> int:
    """The engine's clock of such a home at so many seconds."""
    return MONDAY_MS + round(at_s * 1000)


def evse_read(current_a: float = 0.0, *, phases: int = 1, enabled: bool | None = None, **said: object) -> ChargerRead:
    """A reading of an EVSE with a vehicle that draws so much on each of its phases, of one that may be on three."""
    flows = [current_a if n < phases else 0.0 for n in range(3)]
    plain = ChargerRead(
        enabled=current_a > 0 if enabled is None else enabled,
        power_w=230.0 * sum(flows),
        pilot="C" if current_a else "B",
        offered_a=current_a or 6.0,
        phases=phases,
        current_l1_a=flows[0],
        current_l2_a=flows[1],
        current_l3_a=flows[2],
        voltage_l1_v=230.0,
        voltage_l2_v=230.0,
        voltage_l3_v=230.0,
    )
    return structs.replace(plain, **said)


def grid_read(power_w: float | None, **said: object) -> MeterRead:
    """A reading of the meter at the grid connection."""
    return structs.replace(MeterRead(channel="meter1", power_w=power_w), **said)
