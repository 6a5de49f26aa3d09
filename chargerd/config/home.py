"""Home: meters, house batteries and fuses of the configuration, and what must be there so that they make sense together."""

from __future__ import annotations

from collections.abc import Mapping

from chargerd.config.base import DeviceConfig
from chargerd.config.check import Check
from chargerd.config.positions import Path
from chargerd.config.problems import meant
from chargerd.config.site import CircuitTable, LoadpointTable, MeterTable, StorageTable
from chargerd.model.settings import SUN_MODES, CircuitSettings, MeterSettings, StorageSettings

_ROOT = "A circuit hangs on the one nearer to the street; the first one has no parent."


def meters(check: Check, devices: Mapping[str, DeviceConfig]) -> dict[str, MeterSettings]:
    """All meters. Two of the grid, or two of one channel, are noted: the site has one connection."""
    found: dict[str, MeterSettings] = {}
    for name, table in check.named(MeterTable, "meter").items():
        _device_measures(check, ("meter", name, "device"), table.device, devices)
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
        _device_measures(check, ("storage", name, "device"), table.device, devices)
        if table.buffer_pct < table.priority_pct:
            text = f"is below priority_pct, which is {table.priority_pct:g}"
            hint = (
                "Below priority_pct the house battery comes first; above buffer_pct it may carry a charge over a cloud."
            )
            check.problem(("storage", name, "buffer_pct"), text, hint, value=table.buffer_pct)
        found[name] = StorageSettings(name, **table.model_dump())
    return found


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
    tables, measured = check.named(CircuitTable, "circuit"), check.names("meter")
    for name, table in tables.items():
        if table.meter and table.meter not in measured:
            hint = meant(table.meter, measured)
            check.problem(("circuit", name, "meter"), f"meter {table.meter} is not configured", hint, value=table.meter)
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
    """Every loadpoint's fuse is configured, and lets the least current through that the loadpoint needs."""
    for name, table in tables.items():
        path: Path = ("loadpoint", name, "circuit")
        if table.circuit is None:
            continue
        if table.circuit not in check.names("circuit"):
            hint = meant(table.circuit, circuits)
            check.problem(path, f"circuit {table.circuit} is not configured", hint, value=table.circuit)
            continue
        least_a = 6.0 if table.min_current_a is None else table.min_current_a
        fuse = circuits.get(table.circuit)
        if fuse is not None and fuse.max_current_a < least_a:
            text = f"lets {fuse.max_current_a:g} A through, and {name} needs {least_a:g} A at least"
            check.problem(path, text, "It would never charge.", value=table.circuit)


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


def _device_measures(check: Check, path: Path, device: str, devices: Mapping[str, DeviceConfig]) -> None:
    """A plug or a charger tells of what it charges and of nothing else: as a meter it would be silent for ever."""
    if device not in check.names("device"):
        check.problem(path, f"device {device} is not configured", meant(device, check.names("device")), value=device)
    elif device in devices and not devices[device].measures:
        text = f"measures what it charges and nothing else: its driver is {devices[device].driver}"
        measuring = [name for name, config in devices.items() if config.measures]
        check.problem(path, text, meant("", measuring) or "Name an inverter or a meter.", value=device)
