"""Home: meters, house batteries and fuses of the configuration, and what must be there so that they make sense together."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chargerd.config.base import DeviceConfig
from chargerd.config.check import Check
from chargerd.config.positions import Path
from chargerd.config.problems import meant
from chargerd.config.site import CircuitTable, LoadpointTable, MeterTable, StorageTable
from chargerd.model.settings import SUN_MODES, CircuitSettings, MeterSettings, StorageSettings

LEAST_A = 6.0
"""What an EVSE needs if nothing else is written: the least of IEC 61851."""
NOMINAL_V = 230.0
_ROOT = "A circuit hangs on the one nearer to the street; the first one has no parent."


def meters(check: Check, devices: Mapping[str, DeviceConfig]) -> dict[str, MeterSettings]:
    """All meters. Two of the grid, or two of one channel, are noted: the site has one connection."""
    found: dict[str, MeterSettings] = {}
    for name, table in check.named(MeterTable, "meter").items():
        _device_measures(check, ("meter", name), table, devices)
        if table.peak_w is not None and table.role != "pv":
            text = f'is what panels can give, and meter {name} has role "{table.role}"'
            check.problem(("meter", name, "peak_w"), text, value=table.peak_w)
        grid = next((other for other, settings in found.items() if settings.role == "grid"), None)
        if table.role == "grid" and grid is not None:
            hint = 'A site has one connection. What is measured elsewhere is role = "load" or "pv".'
            check.problem(("meter", name, "role"), f"meter {grid} is the grid's already", hint, value="grid")
        found[name] = MeterSettings(name, table.device, table.channel, table.role, table.invert, table.peak_w)
    return found


def storages(check: Check, devices: Mapping[str, DeviceConfig]) -> dict[str, StorageSettings]:
    """All house batteries."""
    found = {}
    for name, table in check.named(StorageTable, "storage").items():
        _device_measures(check, ("storage", name), table, devices)
        if table.buffer_pct < table.priority_pct:
            text = f"is below priority_pct, which is {table.priority_pct:g}"
            hint = (
                "Below priority_pct the house battery comes first; above buffer_pct it may carry a charge over a cloud."
            )
            check.problem(("storage", name, "buffer_pct"), text, hint, value=table.buffer_pct)
        found[name] = StorageSettings(name, **table.model_dump())
    return found


def levels_are_percent(check: Check, tables: Mapping[str, LoadpointTable]) -> None:
    """A level such as 0.3 is a share of one: as 0.3 percent it would hold never or always, and nobody would see why."""
    levels: list[tuple[Path, float | None]] = [
        *(
            (("loadpoint", n, k), getattr(t, k))
            for n, t in tables.items()
            for k in ("min_storage_pct", "auto_solar_pct")
        ),
        *(
            (("storage", n, k), getattr(t, k))
            for n, t in check.named(StorageTable, "storage").items()
            for k in ("priority_pct", "buffer_pct")
        ),
    ]
    for path, level_pct in levels:
        if level_pct is not None and 0 < level_pct < 1:
            hint = f"Did you mean {level_pct * 100:g}?"
            check.problem(path, "is in percent: 0, or from 1 to 100", hint, value=level_pct)


def channels(check: Check) -> None:
    """One channel of a device is one meter or one house battery, or its power would count twice."""
    taken: dict[tuple[str, str], str] = {}
    tables: list[tuple[str, str, MeterTable | StorageTable]] = [
        *(("meter", name, meter) for name, meter in check.named(MeterTable, "meter").items()),
        *(("storage", name, storage) for name, storage in check.named(StorageTable, "storage").items()),
    ]
    for kind, name, table in tables:
        what = f"{kind} {name}"
        first = taken.setdefault((table.device, table.channel), what)
        if first != what:
            where = table.channel and f"channel {table.channel} of "
            text = f"{where}device {table.device} is {first} already"
            hint = "Each has a channel of its own; chargerctl device read lists them."
            check.problem((kind, name, "channel"), text, hint, value=table.channel or None)


def circuits(check: Check) -> dict[str, CircuitSettings]:
    """All fuses, each with the one that it hangs on."""
    found = {}
    tables = check.named(CircuitTable, "circuit")
    for name, table in tables.items():
        _is_measured(check, name, table.meter)
        if "phases" in table.model_fields_set and table.phases > getattr(tables.get(table.parent), "phases", 3):
            text = f"has more phases than {table.parent}, on which it hangs"
            check.problem(("circuit", name, "phases"), text, "Write 1.", value=table.phases)
        above, parent = {name}, table.parent
        while parent in tables and parent not in above:
            above.add(parent)
            parent = tables[parent].parent
        if parent == name:
            check.problem(("circuit", name, "parent"), f"leads back to {name} itself", _ROOT, value=table.parent)
        elif table.parent and table.parent not in check.names("circuit"):
            hint = meant(table.parent, set(check.names("circuit")) - {name})
            text = f"circuit {table.parent} is not configured"
            check.problem(("circuit", name, "parent"), text, hint, value=table.parent)
        found[name] = CircuitSettings(
            name, **{**table.model_dump(), "guaranteed_current_a": _guaranteed(check, name, table)}
        )
    return found


def _is_measured(check: Check, name: str, meter: str) -> None:
    """A fuse's meter measures what flows through it. What panels give or a house battery takes is not that."""
    path: Path = ("circuit", name, "meter")
    if not meter:
        return
    if meter in check.names("meter"):
        if check.raw("meter", "role").get(meter) == "pv":
            text = f'has role "pv": what panels give does not say what flows through fuse {name}'
            check.problem(path, text, "Leave meter out, and what hangs on the fuse is added up.", value=meter)
    elif meter in check.names("storage"):
        check.problem(path, f"{meter} is a house battery and no meter", meant("", check.names("meter")), value=meter)
    else:
        check.problem(path, f"meter {meter} is not configured", meant(meter, check.names("meter")), value=meter)


def _guaranteed(check: Check, name: str, table: CircuitTable) -> float:
    """What may be drawn with a dead meter; the default is no more than a small fuse has."""
    if "guaranteed_current_a" not in table.model_fields_set:
        return min(table.guaranteed_current_a, table.max_current_a)
    if table.guaranteed_current_a > table.max_current_a:
        text = f"is more than the fuse has, {table.max_current_a:g} A"
        check.problem(("circuit", name, "guaranteed_current_a"), text, value=table.guaranteed_current_a)
    return table.guaranteed_current_a


def circuits_are_known(
    check: Check, tables: Mapping[str, LoadpointTable], circuits: Mapping[str, CircuitSettings]
) -> None:
    """Every loadpoint's fuse is configured, and it and those above it let through the least that the loadpoint needs."""
    for name, table in tables.items():
        if table.circuit is None:
            continue
        if table.circuit not in check.names("circuit"):
            hint = meant(table.circuit, circuits)
            text = f"circuit {table.circuit} is not configured"
            check.problem(("loadpoint", name, "circuit"), text, hint, value=table.circuit)
        elif chain := _chain(table.circuit, circuits):
            _fits_fuses(check, name, table, chain)


def _chain(name: str, circuits: Mapping[str, CircuitSettings]) -> list[CircuitSettings]:
    """A fuse and those above it, up to one that is not there or has been met already, which is noted elsewhere."""
    found: list[CircuitSettings] = []
    while name in circuits and circuits[name] not in found:
        found.append(circuits[name])
        name = found[-1].parent
    return found


def _fits_fuses(check: Check, name: str, table: LoadpointTable, chain: list[CircuitSettings]) -> None:
    path: Path = ("loadpoint", name)
    least_a = LEAST_A if table.min_current_a is None else table.min_current_a
    fuse = min(chain, key=lambda circuit: circuit.max_current_a)
    weak = next((c for c in chain if c.max_power_w is not None and c.max_power_w < least_a * NOMINAL_V), None)
    single = next((circuit for circuit in chain if circuit.phases == 1), None)
    if fuse.max_current_a < least_a:
        text = f"lets {fuse.max_current_a:g} A through, and {name} needs {least_a:g} A at least"
        above = "" if fuse is chain[0] else f"hangs on {fuse.name}, which "
        check.problem((*path, "circuit"), above + text, "It would never charge.", value=table.circuit)
    elif weak is not None:
        text = f"{weak.name} lets {weak.max_power_w:g} W through, and {name} needs {least_a * NOMINAL_V:g} W at least"
        check.problem((*path, "circuit"), text, "It would never charge.", value=table.circuit)
    if single is not None and (table.max_phases or 1) > 1:
        text = f"circuit {single.name} has one phase"
        check.problem((*path, "max_phases"), text, "Write 1, or leave it out.", value=table.max_phases)


def sun_is_measured(
    check: Check,
    tables: Mapping[str, LoadpointTable],
    meters: Mapping[str, MeterSettings],
    kinds: Mapping[str, str],
) -> None:
    """Who follows the sun needs a meter at the grid connection: without one nobody knows what is left over."""
    if any(settings.role == "grid" for settings in meters.values()):
        return
    if set(check.names("meter")) - set(meters):
        return  # one is wrong otherwise, which is noted; perhaps it is the grid's
    for name, table in tables.items():
        key = None if kinds[name] == "battery" else _sunny_key(table)
        if key is not None:
            none = "no meter has role grid" if meters else "no meter is configured"
            text = f"{'makes it follow' if key != 'mode' else 'follows'} the sun, and {none}"
            hint = 'Describe the meter at the grid connection: [meter.grid] with device, channel and role = "grid".'
            check.problem(("loadpoint", name, key), text, hint, value=getattr(table, key, None))


def _sunny_key(table: LoadpointTable) -> str | None:
    """The key because of which a loadpoint will follow the sun; None: it never does by its settings."""
    if table.mode in SUN_MODES:
        return "mode"
    if any(item.mode in SUN_MODES for item in table.schedule):
        return "schedule"
    return next((key for key in ("auto_solar_pct", "on_above_w") if getattr(table, key) is not None), None)


def _device_measures(
    check: Check, path: Path, table: MeterTable | StorageTable, devices: Mapping[str, DeviceConfig]
) -> None:
    """The device of a meter or a house battery, and its channel, are such that something will be heard of it.

    A plug or a charger tells of what it charges and of nothing else: as a meter it would be silent for ever.
    """
    name, config = table.device, devices.get(table.device)
    if name not in check.names("device"):
        text = f"device {name} is not configured"
        check.problem((*path, "device"), text, meant(name, check.names("device")), value=name)
    elif config is not None and not config.measures:
        text = f"measures what it charges and nothing else: its driver is {config.driver}"
        measuring = [other for other, each in devices.items() if each.measures]
        hint = meant("", measuring) or "Name an inverter or a meter."
        check.problem((*path, "device"), text, hint, value=name)
    elif config is not None and config.channels is not None:
        _channel_is_there(check, path, table.channel, config)


def _channel_is_there(check: Check, path: Path, channel: str, config: DeviceConfig) -> None:
    """A house battery is one of the device's batteries, a meter any other of its channels."""
    battery = path[0] == "storage"
    known = [each for each in config.channels or () if each.startswith("battery") is battery]
    if any(re.fullmatch(each.replace("#", "[1-9][0-9]?"), channel) for each in known):
        return
    names = ", ".join(f"{each[:-1]}1, {each[:-1]}2 …" if each.endswith("#") else each for each in known)
    what = "a house battery" if battery else "a meter"
    text = f"is no channel of {config.driver} that is {what}" if channel else "is missing"
    check.problem((*path, "channel"), text, f"It has {names}.", value=channel or None)
