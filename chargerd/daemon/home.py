"""Home: what the site takes and gives, for status and for the list of devices: powers, meters, house batteries, ages."""

from __future__ import annotations

from typing import Any

from chargerd.daemon.context import Context
from chargerd.daemon.flows import flowing
from chargerd.engine import balance, meters, sun
from chargerd.engine.silence import asleep
from chargerd.model.reasons import power
from chargerd.model.settings import address_of
from chargerd.model.state import Charger, Meter, Storage

METER = (
    "import_wh", "export_wh", "dc_power_w", "temperature_c", "status",
)  # fmt: skip
STORAGE = ("soc_pct", "soh_pct", "capacity_wh", "max_charge_w", "max_discharge_w", "temperature_c", "status")


def engine_ms(context: Context) -> int:
    """The moment of the answer on the engine's clock."""
    return context.site.t_ms + max(0, context.now_ms - context.site.wall_ms)


def flows(context: Context) -> dict[str, Any] | None:
    """What flows at the site; None where nothing is measured but loadpoints. What is not known is null."""
    site, configuration = context.site, context.site.configuration
    if not configuration.meters and not configuration.storages:
        return None
    t_ms = engine_ms(context)
    seen = balance.picture(site, t_ms)
    ages = {role: _oldest(context, role, t_ms) for role in ("grid", "pv", "storage")}
    read = [site.chargers.get(settings.charger) for settings in configuration.loadpoints.values()]
    charging = [(t_ms - charger.t_ms) // 1000 for charger in read if charger is not None]
    known = [age for age in (*ages.values(), *charging) if age is not None]
    row = {
        "kind": "flows",
        "grid_w": seen.grid_w,
        "grid_age_s": ages["grid"] if seen.grid_w is not None else None,
        "pv_w": seen.pv_w,
        "pv_age_s": ages["pv"] if seen.pv_w is not None else None,
        "pv_asleep": any(
            asleep(site, m.device, context.now_ms) for m in configuration.meters.values() if m.role == "pv"
        ),
        "house_w": seen.house_w,
        "house_age_s": max(known) if known and seen.house_w is not None else None,
        "charging_w": seen.charging_w,
        "storage_w": seen.storage_w if configuration.storages else None,
        "soc_pct": seen.soc_pct,
        "storage_age_s": ages["storage"] if configuration.storages and seen.storage_w is not None else None,
        "surplus_w": seen.surplus_w,
        "solar_share": seen.solar_share,
        "cloudy": sun.cloudy(site.sky, t_ms) if seen.pv_w is not None else None,
        "missing": seen.missing,
    }
    return {**row, "text": flows_text(row)}


def flows_text(row: dict[str, Any]) -> str:
    """The flows in words: "solar 4.9 kW, house 500 W, storage 62 %, charging 400 W, exporting 1.2 kW"."""
    parts = []
    if row["pv_w"] is not None:
        parts.append(f"solar {power(row['pv_w'])}")
    if row["house_w"] is not None:
        parts.append(f"house {power(row['house_w'])}")
    if row["storage_w"] is not None:
        level = "" if row["soc_pct"] is None else f"{row['soc_pct']:.0f} %, "
        parts.append(f"storage {level}{flowing(row['storage_w'], 'storage')}")
    parts.append("grid not known" if row["grid_w"] is None else flowing(row["grid_w"], "grid"))
    return ", ".join(parts)


def _oldest(context: Context, role: str, t_ms: int) -> int | None:
    """Age of the oldest reading that a role's power rests on."""
    site = context.site
    found: list[Meter | Storage | None]
    if role == "storage":
        found = [meters.storage_at(site, name, t_ms) for name in site.configuration.storages]
    else:
        named = [name for name, settings in site.configuration.meters.items() if settings.role == role]
        found = [meters.meter_at(site, name, t_ms) for name in named]
    return max(((t_ms - one.t_ms) // 1000 for one in found if one is not None), default=None)


def meter_rows(context: Context) -> list[dict[str, Any]]:
    """Every configured meter as it was last read. Its power is null where it is too old or cannot be believed."""
    site, t_ms = context.site, engine_ms(context)
    rows = []
    for name, settings in site.configuration.meters.items():
        last, believed = (
            site.meters.get(address_of(settings.device, settings.channel)),
            meters.meter_at(site, name, t_ms),
        )
        phases = (None, None, None) if believed is None else believed.powers_w
        rows.append(
            {
                "kind": "meter",
                "name": name,
                "address": address_of(settings.device, settings.channel),
                "role": settings.role,
                "power_w": None if believed is None else believed.power_w,
                **{f"power_l{n}_w": power_w for n, power_w in enumerate(phases, start=1)},
                **{key: None if believed is None else getattr(believed, key) for key in METER[:3]},
                **{key: None if last is None else getattr(last, key) for key in METER[3:]},
                **_read(context, last),
            }
        )
    return rows


def storage_rows(context: Context) -> list[dict[str, Any]]:
    """Every configured house battery as it was last read. What it says is null where that is too old."""
    site, t_ms = context.site, engine_ms(context)
    rows = []
    for name, settings in site.configuration.storages.items():
        address = address_of(settings.device, settings.channel)
        last, believed = site.storages.get(address), meters.storage_at(site, name, t_ms)
        values = {key: None if believed is None else getattr(believed, key) for key in ("power_w", *STORAGE)}
        rows.append({"kind": "storage", "name": name, "address": address, **values, **_read(context, last)})
    return rows


def channels(context: Context, device: str) -> list[dict[str, Any]]:
    """What is read from a device: chargers of loadpoints, meters, house batteries, each with its age."""
    configuration = context.site.configuration
    rows = [
        _charger(context, settings.charger)
        for settings in configuration.loadpoints.values()
        if settings.charger.partition("/")[0] == device
    ]
    for row in meter_rows(context) + storage_rows(context):
        if row["address"].partition("/")[0] == device:
            role = row.get("role", "storage")
            said = "" if row["power_w"] is None else flowing(row["power_w"], role)
            level = "" if row.get("soc_pct") is None else f"{row['soc_pct']:.0f} %"
            felt = "" if row["temperature_c"] is None else f"{row['temperature_c']:.0f} °C"
            text = ", ".join(
                part for part in (level, said or "not known", felt, "" if role == "storage" else row["status"]) if part
            )
            rows.append({**_plain(row["address"], row["name"], role), "power_w": row["power_w"], "text": text,
                         "read_at": row["read_at"], "read_age_s": row["read_age_s"]})  # fmt: skip
    return rows


def _charger(context: Context, address: str) -> dict[str, Any]:
    charger, loadpoint = context.site.chargers.get(address), context.site.by_charger.get(address)
    row = {**_plain(address, loadpoint or address, "charger"), "loadpoint": loadpoint}
    if charger is None:
        return {**row, "text": "not read yet"}
    row |= {name: getattr(charger, name) for name in ("enabled", "power_w", "voltage_v", "current_a", "energy_wh")}
    on = {True: "on", False: "off", None: "on or off unknown"}[charger.enabled]
    text = on if charger.power_w is None else f"{on}, {power(charger.power_w)}"
    return {**row, "text": text, **_read(context, charger)}


def _plain(address: str, name: str, role: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("enabled", "power_w", "voltage_v", "current_a", "energy_wh", "read_at", "read_age_s"))
    return {"address": address, "name": name, "role": role, "loadpoint": None, **nothing}


def _read(context: Context, last: Charger | Meter | Storage | None) -> dict[str, Any]:
    """When it was read, and how long ago."""
    if last is None:
        return {"read_at": None, "read_age_s": None}
    return {"read_at": context.utc(last.at_ms), "read_age_s": max(0, (context.now_ms - last.at_ms) // 1000)}
