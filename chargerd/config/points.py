"""Points: the ``[loadpoint.NAME]`` tables become loadpoints, each with the keys that its charger takes and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chargerd.config import times
from chargerd.config.base import DeviceConfig
from chargerd.config.check import Check
from chargerd.config.positions import Path
from chargerd.config.problems import meant
from chargerd.config.site import ADDRESS, LoadpointTable, VehicleTable
from chargerd.model.settings import MODES, LoadpointSettings, Profile, Vehicle

_CONSUMER = ("on_above_w", "storage_backed", "always")
_SUNNY = ("priority", "min_storage_pct", "start_delay_s")
_EVSE = (
    "circuit", "min_current_a", "max_current_a", "slow_current_a", "max_phases", "switch_phases", "phase_pause_s",
    "max_switches_per_day", "borrow_wh", "ramp_a", "adopt", "auto_solar_pct", "auto_slow",
)  # fmt: skip
_ONLY: dict[str, tuple[str, ...]] = {
    "battery": ("target", "balance_days"),
    "evse": (*_EVSE, *_SUNNY),
    "consumer": (*_CONSUMER, *_SUNNY),
}
"""Keys of a loadpoint that only some kinds have; the others all have."""
_WHAT = {
    "battery": "a plug with a battery's charger",
    "evse": "a charger for cars",
    "consumer": "a consumer of surplus",
}
_PLAIN = LoadpointSettings("", "", Profile(""))


def kinds(check: Check, tables: Mapping[str, LoadpointTable], devices: Mapping[str, DeviceConfig]) -> dict[str, str]:
    """What each loadpoint is: "evse" by its device's driver, "consumer" or "battery" by its keys. Foreign keys are noted."""
    found = {}
    for name, table in tables.items():
        device = devices.get(table.charger.partition("/")[0])
        charges = "battery" if device is None else device.charges
        if charges == "battery" and any(key in table.model_fields_set for key in (*_CONSUMER, "priority")):
            charges = "consumer"
        if not charges:
            check.problem(("loadpoint", name, "charger"), "is a device that charges nothing", value=table.charger)
            charges = "battery"
        found[name] = charges
        others = {key for kind, keys in _ONLY.items() if kind != charges for key in keys} - set(_ONLY[charges])
        for key in sorted(others & table.model_fields_set):
            check.problem(("loadpoint", name, key), f"is no key of {_WHAT[charges]}", value=getattr(table, key))
        if table.mode is not None and table.mode not in MODES[charges]:
            hint = meant(table.mode, MODES[charges])
            check.problem(("loadpoint", name, "mode"), f"is no mode of {_WHAT[charges]}", hint, value=table.mode)
        if charges == "battery" and table.mode not in (None, "off"):
            hint = 'Leave mode out, and say when to charge: schedule = [{ days = "mon-fri", at = "22:00" }].'
            check.problem(
                ("loadpoint", name, "mode"), "a plug with a battery's charger begins off", hint, value=table.mode
            )
    return found


def loadpoints(
    check: Check, tables: Mapping[str, LoadpointTable], profiles: Mapping[str, Profile], kinds: Mapping[str, str]
) -> dict[str, LoadpointSettings]:
    """The loadpoints of all tables whose vehicle is known."""
    vehicles = check.named(VehicleTable, "vehicle")
    found = {}
    for name, table in tables.items():
        kind = kinds[name]
        if kind == "battery" and (table.vehicle or "default") not in profiles:
            continue  # `vehicles_are_known` has noted it
        plain = set(table.model_fields_set) - {"charger", "vehicle", "window", "always", "auto_slow", "schedule"}
        given: dict[str, Any] = {key: getattr(table, key) for key in plain if hasattr(_PLAIN, key)}
        for key, ours in (("window", "windows"), ("always", "always"), ("auto_slow", "auto_slow")):
            given[ours] = tuple(times.window(text) for text in getattr(table, key) or ())
        if kind == "battery":
            profile = profiles[table.vehicle or "default"]
        else:
            profile = Profile(table.vehicle or "")
            given["kind"] = kind
        if kind == "evse" and table.vehicle in vehicles:
            given["vehicle"] = _vehicle(table.vehicle, vehicles[table.vehicle])
        found[name] = LoadpointSettings(
            name, table.charger, profile, **{k: v for k, v in given.items() if v is not None}
        )
        _currents_fit(check, found[name])
    return found


def _vehicle(name: str, table: VehicleTable) -> Vehicle:
    given = table.model_dump(include=set(Vehicle.__struct_fields__) - {"name"}, exclude_none=True)
    return Vehicle(name, **given)


def _currents_fit(check: Check, settings: LoadpointSettings) -> None:
    """A smallest current above the largest one would mean that nothing is ever offered."""
    path: Path = ("loadpoint", settings.name, "max_current_a")
    if settings.min_current_a > settings.max_current_a:
        text = f"is below min_current_a, which is {settings.min_current_a:g}"
        check.problem(path, text, "With these two no current is allowed.", value=settings.max_current_a)
    vehicle = settings.vehicle
    if vehicle is not None and vehicle.min_current_a > settings.max_current_a:
        text = f"is below what vehicle {vehicle.name} needs, {vehicle.min_current_a:g} A"
        check.problem(path, text, "With these two no current is allowed.", value=settings.max_current_a)


def vehicles_are_known(check: Check, profiles: Mapping[str, Profile], kinds: Mapping[str, str]) -> None:
    """A plug charges a vehicle or a shipped profile; a charger for cars a vehicle of the files."""
    named = check.names("vehicle")
    for name, vehicle in check.raw("loadpoint", "vehicle").items():
        path: Path = ("loadpoint", name, "vehicle")
        if kinds.get(name, "battery") == "battery":
            if vehicle not in {*named, *profiles}:
                check.problem(path, "is no vehicle and no profile", meant(vehicle, {*named, *profiles}), value=vehicle)
        elif vehicle not in named:
            check.problem(path, "is no vehicle", meant(vehicle, named), value=vehicle)


def addresses(check: Check) -> None:
    """Every loadpoint has a charger of its own, and the device is there."""
    known = check.names("device")
    taken: dict[str, str] = {}
    for name, charger in check.raw("loadpoint", "charger").items():
        if not re.fullmatch(ADDRESS, charger):
            continue  # noted by its table
        path: Path = ("loadpoint", name, "charger")
        device, _, channel = charger.partition("/")
        if device not in known:
            check.problem(path, f"device {device} is not configured", meant(device, known), value=charger)
            continue
        if charger in taken:
            text = f"loadpoint {taken[charger]} has this charger already"
            check.problem(path, text, "A charger belongs to one loadpoint.", value=charger)
        elif channel and device in taken:
            check.problem(path, f"loadpoint {taken[device]} has the whole device {device}", value=charger)
        elif not channel and (other := next((a for a in taken if a.partition("/")[0] == device), None)):
            text = f"loadpoint {taken[other]} has the socket {other} of this device"
            check.problem(path, text, f'Name the socket: charger = "{device}/…".', value=charger)
        taken.setdefault(charger, name)
