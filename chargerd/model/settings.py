"""Settings: the configuration as the engine knows it. Plain values; text and files are read in `config`.

Everything here is part of `ConfigLoaded` and so of the log; nothing here is secret.
"""

from __future__ import annotations

import math

from msgspec import Struct

Scalar = str | int | float | bool | None
"""A value that fits one field of a reason, a policy's memory or an override."""


class Setting(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """Base of everything that a configuration consists of."""


class Variant(Setting, frozen=True):
    """What is otherwise in a profile during a part of the year.

    Days are month × 100 + day by the site's calendar, both included; ``until_day`` before ``from_day`` goes over New Year.
    """

    name: str
    from_day: int
    until_day: int
    values: dict[str, float]

    def covers(self, day: int) -> bool:
        """Whether a day lies in that part of the year."""
        if self.from_day <= self.until_day:
            return self.from_day <= day <= self.until_day
        return day >= self.from_day or day <= self.until_day


class Profile(Setting, frozen=True):
    """How one kind of charger and battery behaves, seen as power at the plug.

    The figures of S0's author (13s packs of 48 V nominal) are the defaults: below 90 W a pack rests at 90 to 94 %, below
    5 W at 98 to 99 %. A profile that leaves ``max_power_w``, ``max_energy_wh`` or ``max_h`` out still has those limits.
    """

    name: str
    source: str = ""
    nominal_start_w: float = 90.0  # a pack that draws less than this when switched on is full enough
    nominal_stop_w: float = 90.0
    full_w: float = 5.0
    storage_start_w: float = 90.0
    storage_stop_w: float = 90.0
    margin_w: float = 20.0  # this far above a cut-off the plug is read at the fast pace
    idle_w: float = 3.0  # a charger without a battery draws less (seen: 0 to 0.7 W)
    charger_a: float | None = None
    capacity_ah: float | None = None
    voltage_v: float = 48.0
    efficiency: float = 0.8
    max_power_w: float | None = None
    max_energy_wh: float | None = None
    max_h: float | None = None
    full_readings: int = 0  # end a full charge by counting readings, as S0 does; 0: by time
    never_full_h: float = 5 / 3  # S0: 20 probes of 300 s
    storage_pct: float = 60.0  # the level to store a pack at, reached by counted energy where its start is known
    storage_cycles: int = 0  # how often it is charged to storage before somebody must ask again; 0: any number
    variants: tuple[Variant, ...] = ()
    variant: str = ""  # the one that is laid over it, "" for none; see `engine.settings.seasonal`

    @property
    def capacity_wh(self) -> float | None:
        """Nominal content of the pack."""
        return None if self.capacity_ah is None else self.capacity_ah * self.voltage_v

    @property
    def time_limit_s(self) -> float:
        """Longest time the plug may stay on in one session: capacity ÷ charger current in whole hours, else 12 h."""
        if self.max_h is not None:
            return self.max_h * 3600
        if self.capacity_ah and self.charger_a:
            return math.ceil(self.capacity_ah / self.charger_a) * 3600.0
        return 12 * 3600.0

    @property
    def energy_limit_wh(self) -> float:
        """Most energy one session may take from the socket: 1.3 × the pack's content, losses on top; 1.2 kWh if unknown."""
        if self.max_energy_wh is not None:
            return self.max_energy_wh
        if self.capacity_wh is None:
            return 1200.0
        return 1.3 * self.capacity_wh / self.efficiency

    @property
    def power_limit_w(self) -> float:
        """Power that this charger cannot draw: 1.5 × its rating at the end of charge; 300 W if unknown."""
        if self.max_power_w is not None:
            return self.max_power_w
        if self.charger_a is None:
            return 300.0
        return 1.5 * self.charger_a * self.voltage_v * 1.14 / self.efficiency  # 4.2 V against 3.7 V a cell

    def storage_wh(self, from_pct: float) -> float | None:
        """Energy from the socket that brings the pack from a known level to storage; None if its content is unknown."""
        if self.capacity_wh is None:
            return None
        return max(0.0, self.storage_pct - from_pct) / 100 * self.capacity_wh / self.efficiency

    def stop_w(self, target: str) -> float:
        """The cut-off power of a target."""
        return {"nominal": self.nominal_stop_w, "full": self.full_w, "storage": self.storage_stop_w}[target]

    def start_w(self, target: str) -> float:
        """The power a pack must draw to be charged at all towards a target; 0 for full, which is always charged."""
        return {"nominal": self.nominal_start_w, "full": 0.0, "storage": self.storage_start_w}[target]


class Vehicle(Setting, frozen=True):
    """A car as an EVSE sees it. None: nobody has said; what is measured counts, and 6 A is the least that IEC 61851 knows.

    ``switch_phases`` False: it does not bear a change of phases while it is connected.
    """

    name: str
    capacity_wh: float | None = None
    max_phases: int = 3
    min_current_a: float = 6.0
    max_current_a: float = 80.0
    switch_phases: bool = True


class Window(Setting, frozen=True):
    """A time of day in which charging may happen, in minutes after local midnight.

    ``to_min`` ≤ ``from_min`` crosses midnight. ``days`` are 0 (Monday) to 6 and name the day on which the window opens.
    """

    from_min: int
    to_min: int
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


class ScheduleEntry(Setting, frozen=True):
    """A recurring start of a charging session, local time of the site; with ``ready`` the time to be charged by."""

    entry: str
    loadpoint: str
    days: tuple[int, ...]
    at_min: int
    mode: str = "fast"
    target: str | None = None
    ready: bool = False


class DeviceSettings(Setting, frozen=True):
    """A device as configured. ``options`` are its driver's own keys, without secrets."""

    name: str
    driver: str
    poll_s: float = 30.0
    poll_fast_s: float = 5.0
    max_age_s: float = 180.0  # a reading older than this is no reading
    options: dict[str, Scalar] = {}


class LoadpointSettings(Setting, frozen=True):
    """A loadpoint as configured. ``charger`` is a device's name or ``device/channel``.

    ``kind`` is "battery" (a plug with a charger that tapers), "evse" or "consumer" (a plug that takes what is left over). Fields
    from ``vehicle`` on are of an EVSE, from ``on_above_w`` on of a consumer; the profile and the target are a battery's.
    """

    name: str
    charger: str
    profile: Profile
    target: str = "nominal"
    windows: tuple[Window, ...] = ()
    lease_s: int = 900
    on_stop: str = "off"  # what a charger without a lease is left at when the daemon ends: "off" or "leave"
    min_on_s: float = 300.0
    min_off_s: float = 300.0
    max_starts_per_day: int = 20
    balance_days: float = 0.0  # a nominal charge becomes a full one when the last full one is so long ago; 0: never
    kind: str = "battery"
    mode: str = "off"  # until somebody sets another
    priority: int = 0  # who is served first, the highest number first
    min_storage_pct: float = 0.0  # below this the house battery comes first, and sun is not used here
    vehicle: Vehicle | None = None
    circuit: str = ""
    min_current_a: float = 6.0
    max_current_a: float = 15.0  # one below the fuse of a 16 A socket, which is loaded for hours
    slow_current_a: float = 6.0
    max_phases: int = 3
    first_phase: str = "L1"  # of the house: where the L1 of the charger is connected; the other two follow in turn
    switch_phases: bool = True
    phase_pause_s: float = 600.0  # at least so long from one change of phases to the next
    max_switches_per_day: int = 8
    start_delay_s: float = 60.0  # surplus must have been enough for so long
    borrow_wh: float = 150.0  # energy that may come from elsewhere before a charge on sun is paused
    ramp_a: float = 5.0  # at most so much more at each step
    adopt: bool = True  # a charge that the car or its button begins goes on slowly; False: it is stopped
    auto_solar_pct: float | None = None  # slow becomes solar once the house battery is so full; None: never
    auto_slow: tuple[Window, ...] = ()  # solar without sun becomes slow in these hours, and waits at others
    on_above_w: float = 0.0  # surplus that a consumer needs; 0: any
    storage_backed: bool = False  # a full house battery may help a consumer
    always: tuple[Window, ...] = ()  # a consumer is on in these hours whatever the sun does


class MeterSettings(Setting, frozen=True):
    """A meter as configured: one channel of a device and what it measures.

    ``role`` is "grid", "pv" or "load". ``invert``: it was mounted the other way round. ``peak_w`` is what the panels can give.
    """

    name: str
    device: str
    channel: str
    role: str
    invert: bool = False
    peak_w: float | None = None


class StorageSettings(Setting, frozen=True):
    """A house battery as configured.

    Below ``priority_pct`` it is charged before anything else is; from ``buffer_pct`` on it may carry a charge on sun over a cloud.
    ``max_discharge_for_charging_w`` is the most that it may give for charging. ``max_charge_w`` None: as it says itself.
    """

    name: str
    device: str
    channel: str
    priority_pct: float = 0.0
    buffer_pct: float = 100.0
    max_discharge_for_charging_w: float | None = None
    max_charge_w: float | None = None


class CircuitSettings(Setting, frozen=True):
    """A fuse, and everything behind it. ``parent`` is the circuit that it hangs on, "" for none.

    ``meter`` measures what flows through it; without one it is the sum of what is known to hang on it.
    ``guaranteed_current_a`` is what the loadpoints on it may draw together when that cannot be known.
    """

    name: str
    max_current_a: float
    phases: int = 3
    max_power_w: float | None = None
    meter: str = ""
    parent: str = ""
    guaranteed_current_a: float = 6.0


class SinkSettings(Setting, frozen=True):
    """A sink as configured, without its secrets."""

    name: str
    kind: str
    tell: tuple[str, ...] = ()
    report: str = "off"


class Adopted(Setting, frozen=True):
    """A plug, or one socket of a strip, that became a loadpoint because of its name.

    ``alias`` is that name, ``channel`` the socket's address in its strip ("" for a single plug). ``mac`` is the device's
    hardware address, by which it is known from then on; ``network`` is where it was found.
    """

    alias: str
    device: str
    loadpoint: str
    mac: str
    host: str
    port: int
    network: str
    channel: str = ""


class Configuration(Setting, frozen=True):
    """Everything a site is configured to be. ``files`` are the paths it was read from.

    Devices and loadpoints of ``adopted`` are among the others; no file names them.
    Readings are rows of the log for ``keep_rows_ms``, then packed, and given up after ``keep_readings_ms``.
    """

    site: str = "Home"
    timezone: str = "UTC"
    devices: dict[str, DeviceSettings] = {}
    loadpoints: dict[str, LoadpointSettings] = {}
    schedule: tuple[ScheduleEntry, ...] = ()
    files: tuple[str, ...] = ()
    journal_level: str = "info"
    keep_rows_ms: int = 7 * 86_400_000
    keep_readings_ms: int = 3650 * 86_400_000
    currency: str = "EUR"
    import_price_per_kwh: float | None = None  # one price for all hours, None: unknown
    export_price_per_kwh: float | None = None  # what is paid for what is fed in: the price of charging with it
    sinks: dict[str, SinkSettings] = {}
    networks: tuple[str, ...] = ("255.255.255.255",)  # where plugs are looked for
    adopted: tuple[Adopted, ...] = ()
    meters: dict[str, MeterSettings] = {}
    storages: dict[str, StorageSettings] = {}
    circuits: dict[str, CircuitSettings] = {}
    reserve_w: float = 100.0  # surplus that is left alone, so that small errors are not imported
    sharing: str = "share"  # among loadpoints that want sun: "share" or "one-at-a-time"

    def device_of(self, address: str) -> DeviceSettings:
        """The device behind an address such as ``shed/battery_1``."""
        return self.devices[address.partition("/")[0]]


TARGETS = ("nominal", "full", "storage")
MODES = {
    "battery": ("off", "fast"),
    "evse": ("off", "solar", "min-solar", "slow", "fast"),
    "consumer": ("off", "solar", "fast"),
}
"""Modes that a loadpoint of a kind can be in."""
SUN_MODES = frozenset({"solar", "min-solar"})
"""Modes that follow the sun."""
DAY_MS = 86_400_000


def address_of(device: str, channel: str) -> str:
    """How a charger, a meter or a house battery is known: the device's name, and the channel behind a slash if it has any."""
    return f"{device}/{channel}" if channel else device


_SHARED: dict[str, tuple[float, float]] = {
    "lease_s": (120, 86_400),
    "min_on_s": (0, 7200),
    "min_off_s": (0, 7200),
    "max_starts_per_day": (1, 1000),
}
_SUNNY: dict[str, tuple[float, float]] = {
    "priority": (-100, 100),
    "min_storage_pct": (0, 100),
}
ADJUSTABLE: dict[str, dict[str, tuple[float, float]]] = {
    "battery": {
        "nominal_start_w": (0.5, 3000),
        "nominal_stop_w": (0.5, 3000),
        "full_w": (0.5, 3000),
        "storage_start_w": (0.5, 3000),
        "storage_stop_w": (0.5, 3000),
        "margin_w": (0, 1000),
        "idle_w": (0.1, 100),
        "efficiency": (0.3, 1.0),
        "voltage_v": (1, 1000),
        "max_power_w": (5, 3680),
        "max_energy_wh": (1, 100_000),
        "max_h": (0.05, 48),
        "full_readings": (0, 1000),
        "never_full_h": (0.1, 48),
        "storage_pct": (10, 95),
        "storage_cycles": (0, 1000),
        **_SHARED,
        "balance_days": (0, 365),
    },
    "evse": {
        "min_current_a": (6, 80),
        "max_current_a": (6, 80),
        "slow_current_a": (6, 80),
        "max_phases": (1, 3),
        "phase_pause_s": (60, 86_400),
        "max_switches_per_day": (0, 1000),
        "start_delay_s": (0, 3600),
        "borrow_wh": (0, 10_000),
        "ramp_a": (0.1, 80),
        "auto_solar_pct": (0, 100),
        **_SUNNY,
        **_SHARED,
    },
    "consumer": {"on_above_w": (0, 25_000), "start_delay_s": (0, 3600), **_SUNNY, **_SHARED},
}
"""What ``chargerctl set`` may change at a loadpoint of a kind, with the range that is accepted (both ends included)."""
