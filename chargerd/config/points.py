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
from chargerd.config.profiles import shipped
from chargerd.config.site import ADDRESS, LoadpointTable, VehicleTable
from chargerd.model.settings import MODES, SUN_MODES, LoadpointSettings, Profile, Vehicle

_CONSUMER = ("on_above_w", "storage_backed", "always")
_SUNNY = ("priority", "min_storage_pct", "start_delay_s")
_EVSE = (
    "circuit", "min_current_a", "max_current_a", "slow_current_a", "max_phases", "first_phase", "switch_phases",
    "phase_pause_s",
    "max_switches_per_day", "borrow_wh", "ramp_a", "adopt", "auto_solar_pct", "auto_slow",
)  # fmt: skip
_ONLY: dict[str, tuple[str, ...]] = {
    "battery": ("vehicle", "target", "balance_days"),
    "evse": ("vehicle", *_EVSE, *_SUNNY),
    "consumer": (*_CONSUMER, *_SUNNY),
}
"""Keys of a loadpoint that only some kinds have; the others all have."""
_CAR = {"capacity_wh", "max_phases", "min_current_a", "max_current_a", "switch_phases"}
"""Keys of a vehicle that a charger for cars goes by; all others are for a plug."""
WHAT = {
    "battery": "a plug with a battery's charger",
    "evse": "a charger for cars",
    "consumer": "a consumer of surplus",
}
"""What a loadpoint of a kind is, to people."""
_BEGIN = 'Leave mode out, and say when to charge: schedule = [ { days = "mon-fri", at = "22:00" } ].'
_USE_SUN = "Leave mode out. If what hangs there is to take what the sun leaves over, write on_above_w, in watts."
_SLIGHT_W = 10.0
"""No meter at a grid connection tells less than this from nothing; whoever writes it means kilowatts."""
_PLAIN = LoadpointSettings("", "", Profile(""))


def kinds(check: Check, tables: Mapping[str, LoadpointTable], devices: Mapping[str, DeviceConfig]) -> dict[str, str]:
    """What each loadpoint is: "evse" by its device's driver, "consumer" or "battery" by its keys. Foreign keys are noted."""
    found = {}
    for name, table in tables.items():
        device = devices.get(table.charger.partition("/")[0])
        if device is None:  # noted where it stands; what its keys should be nobody can say
            found[name] = _guessed(table)
            continue
        if not device.charges:
            text = f"is a device that charges nothing: its driver is {device.driver}"
            check.problem(("loadpoint", name, "charger"), text, "Name a plug or a charger.", value=table.charger)
            found[name] = _guessed(table)
            continue
        kind = device.charges
        if kind == "battery" and any(key in table.model_fields_set for key in (*_CONSUMER, "priority")):
            kind = "consumer"
        found[name] = kind
        _charger_has(check, name, table, device)
        _keys_fit(check, name, table, kind)
        _mode_fits(check, name, table, kind)
    return found


def _charger_has(check: Check, name: str, table: LoadpointTable, device: DeviceConfig) -> None:
    """Sockets, phases and currents are those that a charger of this driver can have."""
    path: Path = ("loadpoint", name)
    what, channel = f"charger of driver {device.driver}", table.charger.partition("/")[2]
    if channel and device.channels == ():
        bare = table.charger.partition("/")[0]
        text, hint = f"{bare} is one charger and has no socket {channel}", f'Write charger = "{bare}".'
        check.problem((*path, "charger"), text, hint, value=table.charger)
    if table.switch_phases and not device.switches_phases:
        check.problem((*path, "switch_phases"), f"no {what} can do that", "Leave it out.", value=True)
    for key in ("min_current_a", "max_current_a", "slow_current_a"):
        current_a = getattr(table, key)
        if current_a is not None and device.offers_a is not None and current_a > device.offers_a:
            check.problem((*path, key), f"no {what} offers more than {device.offers_a:g} A", value=current_a)


def levels_have_a_storage(check: Check, tables: Mapping[str, LoadpointTable]) -> None:
    """A level of the house battery means nothing where there is none, and would be passed over in silence."""
    if check.names("storage"):
        return
    for name, table in tables.items():
        for key in ("min_storage_pct", "storage_backed"):
            if value := getattr(table, key):
                hint = "Describe it: [storage.house] with device and channel."
                check.problem(
                    ("loadpoint", name, key), "needs a house battery, and none is configured", hint, value=value
                )


def _guessed(table: LoadpointTable) -> str:
    given = table.model_fields_set
    return next((kind for kind, keys in (("evse", _EVSE), ("consumer", _CONSUMER)) if given & set(keys)), "battery")


def _keys_fit(check: Check, name: str, table: LoadpointTable, kind: str) -> None:
    above_w = table.on_above_w
    if kind == "consumer" and above_w is not None and 0 < above_w < _SLIGHT_W:
        text = f"is in watts: 0 for any sun at all, or {_SLIGHT_W:g} and more"
        check.problem(("loadpoint", name, "on_above_w"), text, f"Did you mean {above_w * 1000:g}?", value=above_w)
    foreign = {key for keys in _ONLY.values() for key in keys} - set(_ONLY[kind])
    for key in sorted(foreign & table.model_fields_set):
        theirs = " and ".join(f"of {WHAT[other]}" for other, keys in _ONLY.items() if key in keys)
        text = f"is no key of {WHAT[kind]}"
        check.problem(("loadpoint", name, key), text, f"It is one {theirs}.", value=getattr(table, key))


def _mode_fits(check: Check, name: str, table: LoadpointTable, kind: str) -> None:
    if table.mode is None:
        return
    path: Path = ("loadpoint", name, "mode")
    if kind == "battery" and table.mode != "off":
        text = (
            'must be "off" for a plug with a battery\'s charger: with its relay off the battery cannot be seen, '
            "so each charge is begun by the schedule or by a person"
        )
        check.problem(path, text, _USE_SUN if table.mode in SUN_MODES else _BEGIN, value=table.mode)
    elif table.mode not in MODES[kind]:
        check.problem(path, f"is no mode of {WHAT[kind]}", meant(table.mode, MODES[kind]), value=table.mode)


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
        if kind == "evse" and table.slow_current_a is None and table.min_current_a is not None:
            given["slow_current_a"] = max(_PLAIN.slow_current_a, table.min_current_a)
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


_NOTHING = "With these two no current is allowed."


def _currents_fit(check: Check, settings: LoadpointSettings) -> None:
    """A smallest current above the largest one would mean that nothing is ever offered."""
    path: Path = ("loadpoint", settings.name, "max_current_a")
    low_a, high_a, slow_a = settings.min_current_a, settings.max_current_a, settings.slow_current_a
    if low_a > high_a:
        check.problem(path, f"is below min_current_a, which is {low_a:g}", _NOTHING, value=high_a)
    elif not low_a <= slow_a <= high_a:
        text = f"must be between min_current_a and max_current_a, which are {low_a:g} and {high_a:g}"
        check.problem(("loadpoint", settings.name, "slow_current_a"), text, value=slow_a)
    vehicle = settings.vehicle
    if vehicle is not None and vehicle.min_current_a > high_a:
        text = f"is below what vehicle {vehicle.name} needs, {vehicle.min_current_a:g} A"
        check.problem(path, text, _NOTHING, value=high_a)
    if vehicle is not None and vehicle.max_current_a < low_a:
        text = f"is above what vehicle {vehicle.name} takes, {vehicle.max_current_a:g} A"
        check.problem(("loadpoint", settings.name, "min_current_a"), text, _NOTHING, value=low_a)


def vehicles_are_known(check: Check, tables: Mapping[str, LoadpointTable], kinds: Mapping[str, str]) -> None:
    """A plug charges a vehicle or a shipped profile; a charger for cars a vehicle of the files, with a car's keys."""
    named, profiles = check.names("vehicle"), shipped()
    for name, vehicle in check.raw("loadpoint", "vehicle").items():
        path: Path = ("loadpoint", name, "vehicle")
        kind = kinds.get(name, "battery")
        if kind == "battery" and vehicle not in {*named, *profiles}:
            check.problem(path, "is no vehicle and no profile", meant(vehicle, {*named, *profiles}), value=vehicle)
        elif kind == "evse" and vehicle not in named:
            describe = "Describe it: [vehicle.NAME] with capacity_wh and max_phases, or leave it out."
            if vehicle in profiles:
                text, hint = "is a shipped profile of a battery's charger at a plug, and no car", describe
            else:
                text, hint = "is no vehicle", meant(vehicle, named) or describe.replace("NAME", vehicle)
            check.problem(path, text, hint, value=vehicle)
    vehicles = check.named(VehicleTable, "vehicle")
    for name, table in vehicles.items():
        low_a, high_a = table.min_current_a, table.max_current_a
        if low_a is not None and high_a is not None and low_a > high_a:
            text = f"is below min_current_a, which is {low_a:g}"
            check.problem(("vehicle", name, "max_current_a"), text, _NOTHING, value=high_a)
    for name, point in tables.items():
        if point.vehicle in vehicles:
            _is_of_its_kind(check, point.vehicle, vehicles[point.vehicle], f"loadpoint {name}", kinds[name])


def _is_of_its_kind(check: Check, name: str, table: VehicleTable, where: str, kind: str) -> None:
    """A car at a plug, or a pack at a charger for cars, would be charged by figures that nobody gave."""
    foreign = table.model_fields_set & _CAR if kind == "battery" else table.model_fields_set - _CAR
    for key in sorted(foreign if kind != "consumer" else ()):
        other = "a car at a charger for cars" if kind == "battery" else "a battery's charger at a plug"
        hint = "Write capacity_ah and voltage_v." if (kind, key) == ("battery", "capacity_wh") else ""
        text = f"is a key of {other}, and {where} is {WHAT[kind]}"
        check.problem(("vehicle", name, key), text, hint)


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
