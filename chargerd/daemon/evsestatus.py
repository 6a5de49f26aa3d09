"""Evsestatus: what status says of an EVSE beyond a plug: what was asked of it, what it offers, what the vehicle takes."""

from __future__ import annotations

from typing import Any

from chargerd.engine import evses
from chargerd.model.settings import LoadpointSettings
from chargerd.model.state import Charger, Loadpoint, Site


def evse_fields(loadpoint: Loadpoint, charger: Charger | None) -> dict[str, Any]:
    """The fields of a loadpoint that only an EVSE has; all null for others. ``charger`` None: not read, or too long ago."""
    decided, evse = loadpoint.decided, None if charger is None else charger.evse
    wanted = None if decided is None else decided.grant
    currents = (None, None, None) if evse is None else evse.currents_a
    return {
        "set_enabled": None if wanted is None else wanted.enabled,
        "set_current_a": None if wanted is None or wanted.enabled is False else wanted.current_a,
        "set_phases": None if wanted is None else wanted.phases,
        "offered_a": None if evse is None else evse.offered_a,
        "phases": None if evse is None else evse.phases,
        "drawn_phases": None if evse is None else evses.live_phases(evse.currents_a, evse.voltages_v),
        **{f"current_l{n}_a": current_a for n, current_a in enumerate(currents, start=1)},
        "pilot": None if evse is None else evse.pilot,
        "connected": None if evse is None or evse.pilot is None else evse.pilot in evses.CONNECTED,
        "charger_status": None if evse is None else evse.status,
        "share_w": None if loadpoint.sun is None else loadpoint.sun.share_w,
        "borrowed_wh": None if loadpoint.sun is None else round(loadpoint.sun.borrowed_wh, 2),
        "refused": "" if evse is None else evse.refused,
    }


def limits_text(site: Site, settings: LoadpointSettings) -> str:
    """What bounds an EVSE, in words: "16 A circuit main, at most 15 A, at least 6 A, 10 min between changes of phases"."""
    if settings.kind != "evse":
        return ""
    device = site.devices[settings.charger.partition("/")[0]]
    charger = site.chargers.get(settings.charger)
    supply = evses.supply_of(settings, device, charger)
    parts = [f"{supply.min_a:g} A to {supply.max_a:g} A"]
    circuit = settings.circuit
    while circuit in site.configuration.circuits:
        found = site.configuration.circuits[circuit]
        parts.append(f"{found.max_current_a:g} A circuit {circuit}")
        circuit = found.parent
    if evses.can_switch_phases(settings, device):
        parts.append(f"{settings.phase_pause_s:g} s between changes of phases")
    return ", ".join(parts)
