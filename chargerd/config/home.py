"""Home: meters, house batteries and fuses of the configuration, and what must be there so that they make sense together."""

from __future__ import annotations

from collections.abc import Mapping

from chargerd.config.check import Check
from chargerd.config.positions import Path
from chargerd.config.problems import meant
from chargerd.config.site import CircuitTable, LoadpointTable, MeterTable, StorageTable
from chargerd.model.settings import CircuitSettings, MeterSettings, StorageSettings

_SUN = ("solar", "min-solar")


def meters(check: Check) -> dict[str, MeterSettings]:
    """All meters. Two of the grid, or two of one channel, are noted: the site has one connection."""
    found: dict[str, MeterSettings] = {}
    taken: dict[tuple[str, str], str] = {}
    for name, table in check.named(MeterTable, "meter").items():
        _device_is_known(check, ("meter", name, "device"), table.device)
        other = taken.setdefault((table.device, table.channel), name)
        if other != name:
            check.problem(("meter", name, "channel"), f"is measured by meter {other} already", value=table.channel)
        grid = next((other for other, settings in found.items() if settings.role == "grid"), None)
        if table.role == "grid" and grid is not None:
            check.problem(
                ("meter", name, "role"), f"meter {grid} is the grid's already", "A site has one.", value="grid"
            )
        found[name] = MeterSettings(name, table.device, table.channel, table.role, table.invert, table.peak_w)
    return found


def storages(check: Check) -> dict[str, StorageSettings]:
    """All house batteries."""
    found = {}
    for name, table in check.named(StorageTable, "storage").items():
        _device_is_known(check, ("storage", name, "device"), table.device)
        if table.buffer_pct < table.priority_pct:
            text = f"is below priority_pct, which is {table.priority_pct:g}"
            hint = (
                "Below priority_pct the house battery comes first; above buffer_pct it may carry a charge over a cloud."
            )
            check.problem(("storage", name, "buffer_pct"), text, hint, value=table.buffer_pct)
        found[name] = StorageSettings(name, **table.model_dump())
    return found


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
        if parent in above:
            check.problem(("circuit", name, "parent"), "leads back to itself", value=table.parent)
        elif parent and parent not in check.names("circuit"):
            hint = meant(parent, check.names("circuit"))
            check.problem(("circuit", name, "parent"), f"circuit {parent} is not configured", hint, value=parent)
        if table.guaranteed_current_a > table.max_current_a:
            text = f"is more than the fuse has, {table.max_current_a:g} A"
            check.problem(("circuit", name, "guaranteed_current_a"), text, value=table.guaranteed_current_a)
        found[name] = CircuitSettings(name, **table.model_dump())
    return found


def circuits_are_known(
    check: Check, tables: Mapping[str, LoadpointTable], circuits: Mapping[str, CircuitSettings]
) -> None:
    """Every loadpoint's fuse is configured."""
    for name, table in tables.items():
        if table.circuit is not None and table.circuit not in check.names("circuit"):
            path: Path = ("loadpoint", name, "circuit")
            check.problem(
                path, f"circuit {table.circuit} is not configured", meant(table.circuit, circuits), value=table.circuit
            )


def sun_is_measured(check: Check, tables: Mapping[str, LoadpointTable], meters: Mapping[str, MeterSettings]) -> None:
    """Who follows the sun needs a meter at the grid connection: without one nobody knows what is left over."""
    if any(settings.role == "grid" for settings in meters.values()) or check.names("meter"):
        return
    for name, table in tables.items():
        if table.mode in _SUN or table.on_above_w is not None:
            key = "mode" if table.mode in _SUN else "on_above_w"
            hint = 'Describe the meter at the grid connection: [meter.grid] with device, channel and role = "grid".'
            check.problem(("loadpoint", name, key), "follows the sun, and no meter is configured", hint)


def _device_is_known(check: Check, path: Path, device: str) -> None:
    if device not in check.names("device"):
        check.problem(path, f"device {device} is not configured", meant(device, check.names("device")), value=device)
