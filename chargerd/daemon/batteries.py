"""Batteries: what is said about the packs: from the table of sessions, so a year of log is answered at once."""

from __future__ import annotations

from typing import Any

from chargerd.daemon.context import Context, chosen
from chargerd.daemon.logbook import torn_text
from chargerd.daemon.status import session_row
from chargerd.engine.battery import Battery
from chargerd.engine.battery import batteries as record
from chargerd.model.settings import DAY_MS, Profile
from chargerd.protocol.framing import CallError

ALL = 1_000_000


def batteries(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """The reply of GetBatteries. A session that cannot be read is left out, and said to be."""
    assert context.log is not None
    names, configured = chosen(parameters["names"], context.site), context.site.configuration.loadpoints
    others = [name for name in names if configured[name].kind != "battery"]
    if others and parameters["names"]:
        what = "an EVSE" if configured[others[0]].kind == "evse" else "a consumer"
        text = f"{others[0]} is {what}, and a record is kept of packs on plugs only"
        raise CallError("Refused", text, "Nothing was changed.", f"Its sessions: chargerctl sessions {others[0]}")
    names = [name for name in names if name not in others]
    profiles = {profile.name: profile for profile in context.profiles}
    profiles |= {configured[name].profile.name: configured[name].profile for name in names}
    rows: list[dict[str, Any]] = []
    torn: list[int] = []
    for name in names:
        found, lost = context.log.sessions(name, None, ALL, None)
        torn += lost
        rows += [_row(context, battery, profiles) for battery in record(found[::-1], profiles, context.now_ms)]
    text = "\n".join(row["text"] for row in rows) or "No charge has ended yet."
    return context.stamped("batteries", text, batteries=rows, warnings=torn_text(torn))


def _row(context: Context, battery: Battery, profiles: dict[str, Profile]) -> dict[str, Any]:
    profile = profiles.get(battery.profile)
    full_days = None if battery.full_at_ms is None else (context.now_ms - battery.full_at_ms) / DAY_MS
    row: dict[str, Any] = {
        "kind": "battery",
        "loadpoint": battery.loadpoint,
        "profile": battery.profile,
        "current": context.site.configuration.loadpoints[battery.loadpoint].profile.name == battery.profile,
        "charges": battery.charges,
        "energy_wh": round(battery.energy_wh, 1),
        "full_cycles": _rounded(battery.full_cycles, 2),
        "first_at": context.utc(battery.first_at_ms),
        "nominal_wh": None if profile is None else profile.capacity_wh,
        "capacity_wh": _rounded(battery.capacity_wh, 1),
        "capacity_charges": len(battery.counted),
        "trend_pct_per_year": _rounded(battery.trend_pct_per_year, 1),
        "largest_wh": round(battery.largest_wh, 1),
        "above_80_h": _rounded(battery.above_80_h, 1),
        "above_80_of_h": round(battery.known_h, 1),
        "full_at": context.utc(battery.full_at_ms),
        "full_days": _rounded(full_days, 1),
        "recent_wh": [round(energy_wh, 1) for energy_wh in battery.recent_wh],
        "last": session_row(context, battery.last, profile),
    }
    return {**row, "text": _text(row)}


def _text(row: dict[str, Any]) -> str:
    charges = f"{row['charges']} charge{'' if row['charges'] == 1 else 's'}"
    cycles = "" if row["full_cycles"] is None else f", {row['full_cycles']:.1f} full cycles"
    full = "never charged to full" if row["full_days"] is None else f"last full {row['full_days']:.0f} days ago"
    return f"{row['loadpoint']} ({row['profile']}): {charges}{cycles}, {full}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
