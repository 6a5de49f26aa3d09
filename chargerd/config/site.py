"""Site: the tables of the configuration file and their keys, as people write them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chargerd.config import times
from chargerd.config.base import Settings
from chargerd.model.network import network
from chargerd.model.settings import ADJUSTABLE

NAME = r"^[A-Za-z0-9_.-]{1,40}$"
"""Names of devices, vehicles and loadpoints: they are typed at a prompt and appear in every message."""
ADDRESS = r"^[A-Za-z0-9_.-]{1,40}(/[^/\x00-\x1f]{1,60})?$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # not a name, a folder of zones, or no such zone
        known = {zone.lower(): zone for zone in available_timezones()}
        close = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f". Did you mean {known[close[0]]}?" if close else ""
        raise ValueError(f'is no time zone; zones are named as in "Europe/Berlin"{hint}') from None
    return name


def _checked(check: Any) -> AfterValidator:
    """A rule that only looks: the text stays as it was written."""

    def look(text: str) -> str:
        check(text)
        return text

    return AfterValidator(look)


def _lasting(shortest_ms: int, longest_ms: int) -> Callable[[str], int]:
    """A duration in a range."""

    def check(text: str) -> int:
        lasts_ms = times.duration(text)
        if not shortest_ms <= lasts_ms <= longest_ms:
            shortest = f"{shortest_ms // 60_000}min" if shortest_ms < 3_600_000 else f"{shortest_ms // 3_600_000}h"
            raise ValueError(f"must be from {shortest} to {longest_ms // 86_400_000}d")
        return lasts_ms

    return check


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _within(key: str, kind: str = "battery") -> Any:
    """A setting that may also be changed while the daemon runs, in the same range."""
    low, high = ADJUSTABLE[kind][key]
    return Field(default=None, ge=low, le=high)


DayOfYear = Annotated[str, _checked(times.day_of_year)]
Days = Annotated[str, _checked(times.days)]
Time = Annotated[str, _checked(times.minute)]
Window = Annotated[str, _checked(times.window)]
Network = Annotated[str, _checked(network)]
Target = Literal["nominal", "full", "storage"]
Mode = Literal["off", "solar", "min-solar", "slow", "fast"]


class SiteTable(Settings):
    """[site]: where this is. ``timezone`` is needed as soon as anything depends on the time of day."""

    name: str = Field(default="Home", min_length=1, max_length=60)
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$", description='three capital letters, as in "EUR"')
    import_price_per_kwh: float | None = Field(default=None, ge=0, le=10_000)
    export_price_per_kwh: float | None = Field(default=None, ge=-10, le=10_000)
    reserve_w: float = Field(default=100.0, ge=-5000, le=5000)
    sharing: Literal["share", "one-at-a-time"] = "share"


class MeterTable(Settings):
    """[meter.NAME]: what one channel of a device measures. ``peak_w`` is what the panels can give at best."""

    device: str = Field(pattern=NAME, description="the name of a device; which channel of it is a key of its own")
    channel: str = Field(default="", max_length=60)
    role: Literal["grid", "pv", "load"]
    invert: bool = False
    peak_w: float | None = Field(default=None, ge=100, le=1_000_000)


class StorageTable(Settings):
    """[storage.NAME]: a house battery."""

    device: str = Field(pattern=NAME, description="the name of a device; which channel of it is a key of its own")
    channel: str = Field(default="", max_length=60)
    priority_pct: float = Field(default=0.0, ge=0, le=100)
    buffer_pct: float = Field(default=100.0, ge=0, le=100)
    max_discharge_for_charging_w: float | None = Field(default=None, ge=0, le=100_000)
    max_charge_w: float | None = Field(default=None, ge=0, le=100_000)


class CircuitTable(Settings):
    """[circuit.NAME]: a fuse and what hangs on it."""

    max_current_a: float = Field(ge=1, le=1000)
    phases: Literal[1, 3] = 3
    max_power_w: float | None = Field(default=None, ge=100, le=1_000_000)
    meter: str = ""
    parent: str = ""
    guaranteed_current_a: float = Field(default=6.0, ge=0, le=1000)


class LogTable(Settings):
    """[log]: how long readings stay plain rows, and how long they stay at all. Decisions and commands stay for ever."""

    keep_rows: Annotated[str, _checked(_lasting(3_600_000, 3660 * 86_400_000))] = "7d"
    keep_readings: Annotated[str, _checked(_lasting(86_400_000, 36_600 * 86_400_000))] = "10y"

    @model_validator(mode="after")
    def _rows_are_readings(self) -> Self:
        if times.duration(self.keep_rows) > times.duration(self.keep_readings):
            raise ValueError("keep_rows is longer than keep_readings: readings cannot be rows when they are gone")
        return self


class DiscoveryTable(Settings):
    """[discovery]: where plugs are looked for, each a network or an address, with a port if it is not 9999."""

    networks: list[Network] = Field(default=["255.255.255.255"], min_length=1, max_length=16)


class AdoptTable(Settings):
    """[adopt]: plugs whose name in the app begins with ``prefix`` become loadpoints of their own, with this vehicle and target."""

    prefix: str = Field(min_length=1, max_length=40)
    vehicle: str = "default"
    target: Target = "nominal"
    every: Annotated[str, _checked(_lasting(60_000, 7 * 86_400_000))] = "10min"


class JournalTable(Settings):
    """[journal]: how much the program says about itself. What switches power and what is wrong is always said."""

    level: Literal["warning", "notice", "info", "debug"] = "info"


class Levels(Settings):
    """Levels of power that a profile has, and may have otherwise in a part of the year."""

    nominal_start_w: float | None = _within("nominal_start_w")
    nominal_stop_w: float | None = _within("nominal_stop_w")
    full_w: float | None = _within("full_w")
    storage_start_w: float | None = _within("storage_start_w")
    storage_stop_w: float | None = _within("storage_stop_w")
    margin_w: float | None = _within("margin_w")
    efficiency: float | None = _within("efficiency")


class VariantTable(Levels):
    """[vehicle.NAME.variant.NAME]: what is otherwise from one day of the year to another, both included."""

    from_: DayOfYear = Field(alias="from")
    until: DayOfYear


class VehicleTable(Levels):
    """[vehicle.NAME]: what is charged, as its charger looks from the plug. ``profile`` is a shipped one to begin from."""

    profile: str | None = None
    idle_w: float | None = _within("idle_w")
    charger_a: float | None = Field(default=None, ge=0.05, le=100)
    capacity_ah: float | None = Field(default=None, ge=0.1, le=1000)
    voltage_v: float | None = _within("voltage_v")
    max_power_w: float | None = _within("max_power_w")
    max_energy_wh: float | None = _within("max_energy_wh")
    max_h: float | None = _within("max_h")
    full_readings: int | None = _within("full_readings")
    never_full_h: float | None = _within("never_full_h")
    storage_pct: float | None = _within("storage_pct")
    storage_cycles: int | None = _within("storage_cycles")
    variant: dict[str, VariantTable] = Field(default={})
    capacity_wh: float | None = Field(default=None, ge=100, le=1_000_000)
    max_phases: int | None = _within("max_phases", "evse")
    min_current_a: float | None = _within("min_current_a", "evse")
    max_current_a: float | None = _within("max_current_a", "evse")
    switch_phases: bool | None = None


class ScheduleItem(Settings):
    """One recurring start: on which days, at what time, up to which target (None: the loadpoint's), or into which mode.

    ``by`` in place of ``at`` is the time to be charged by.
    """

    days: Days = "mon-sun"
    at: Time | None = None
    by: Time | None = None
    target: Target | None = None
    mode: Mode | None = None

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if (self.at is None) is (self.by is None):
            raise ValueError('needs one time: at = "22:00" to start then, or by = "07:00" to be charged by then')
        if self.by is not None and self.target == "storage":
            raise ValueError("nobody rides at storage level, so it cannot be planned by a time: write at")
        return self


class LoadpointTable(Settings):
    """[loadpoint.NAME]: a place where one thing at a time is charged. Which keys it takes depends on its charger."""

    charger: str = Field(pattern=ADDRESS, description='a device, or one socket of it as in "shed/battery_1"')
    vehicle: str | None = None
    target: Target | None = None
    mode: Mode | None = None
    window: Annotated[list[Window], BeforeValidator(_listed)] = Field(default=[])
    schedule: list[ScheduleItem] = Field(default=[])
    lease_s: int | None = _within("lease_s")
    on_stop: Literal["off", "leave"] | None = None
    min_on_s: float | None = _within("min_on_s")
    min_off_s: float | None = _within("min_off_s")
    max_starts_per_day: int | None = _within("max_starts_per_day")
    balance_days: float | None = _within("balance_days")
    priority: int | None = _within("priority", "evse")
    min_storage_pct: float | None = _within("min_storage_pct", "evse")
    circuit: str | None = None
    min_current_a: float | None = _within("min_current_a", "evse")
    max_current_a: float | None = _within("max_current_a", "evse")
    slow_current_a: float | None = _within("slow_current_a", "evse")
    max_phases: int | None = _within("max_phases", "evse")
    first_phase: Literal["L1", "L2", "L3"] | None = None
    switch_phases: bool | None = None
    phase_pause_s: float | None = _within("phase_pause_s", "evse")
    max_switches_per_day: int | None = _within("max_switches_per_day", "evse")
    start_delay_s: float | None = _within("start_delay_s", "evse")
    borrow_wh: float | None = _within("borrow_wh", "evse")
    ramp_a: float | None = _within("ramp_a", "evse")
    adopt: bool | None = None
    auto_solar_pct: float | None = _within("auto_solar_pct", "evse")
    auto_slow: Annotated[list[Window], BeforeValidator(_listed)] | None = None
    on_above_w: float | None = _within("on_above_w", "consumer")
    storage_backed: bool | None = None
    always: Annotated[list[Window], BeforeValidator(_listed)] | None = None
