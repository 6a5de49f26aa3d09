"""Exports: readings and sessions as tables, streamed out of the log. Units are in the names, times are UTC (RFC 3339)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, TextIO

from chargerd.model.events import ChargerRead, ConfigLoaded, MeterRead, StorageRead
from chargerd.model.settings import Configuration, address_of
from chargerd.model.state import Session
from chargerd.sim.chain import last_of
from chargerd.sim.refused import NO_SUCH, Refused
from chargerd.store import sessions as stored
from chargerd.store.reader import Reader
from chargerd.store.rest import Lost, rest

READINGS = (
    "at", "seq", "loadpoint", "charger", "enabled", "power_w", "voltage_v", "current_a", "energy_wh", "lease_s",
    "timer", "measured_at", "role", "name", "soc_pct", "import_wh", "export_wh", "dc_power_w", "temperature_c", "status",
    "pilot", "offered_a", "phases", "current_l1_a", "current_l2_a", "current_l3_a",
)  # fmt: skip
SAME = READINGS[READINGS.index("soc_pct") :]
SESSIONS = (
    "number", "loadpoint", "profile", "target", "by", "started_at", "ended_at", "duration_s", "on_s", "energy_wh",
    "estimated_wh", "peak_w", "outcome", "reason", "solar_wh", "cost", "priced_wh", "currency",
)  # fmt: skip

ROLES = {ChargerRead: "charger", MeterRead: "meter", StorageRead: "storage"}
Row = dict[str, Any]


def readings(
    log: Reader, first_seq: int, last_seq: int, names: Iterable[str], losing: Callable[[Lost], object]
) -> Iterator[Row]:
    """Every reading between two events; of these loadpoints, meters, house batteries, devices and addresses, or of all.

    ``losing`` is told of events that are lost; it goes on behind them. Raises `Refused` for a name that no configuration in
    the log has.
    """
    wanted = frozenset(names)
    _check(wanted, log)
    return _readings(log, first_seq, last_seq, wanted, losing)


def _readings(
    log: Reader, first_seq: int, last_seq: int, wanted: frozenset[str], losing: Callable[[Lost], object]
) -> Iterator[Row]:
    before = last_of(log, ConfigLoaded, first_seq)
    known = {} if before is None or not isinstance(before.body, ConfigLoaded) else _known(before.body.configuration)
    for event in rest(log, first_seq, last_seq) if first_seq <= last_seq else ():
        if isinstance(event, Lost):
            if not event.given_up:
                losing(event)
            continue
        body = event.body
        if isinstance(body, ConfigLoaded):
            known = _known(body.configuration)
        if not isinstance(body, ChargerRead | MeterRead | StorageRead):
            continue
        address = address_of(event.source, body.channel)
        role, name = known.get(address, (ROLES[type(body)], None))
        if wanted and not wanted & {event.source, address, name}:
            continue
        yield {
            "kind": "reading",
            "at": _utc(event.at_ms),
            "seq": event.seq,
            "loadpoint": name if role == "charger" else None,
            "charger": address,
            "power_w": body.power_w,
            **{key: getattr(body, key, None) for key in ("enabled", "voltage_v", "current_a", "energy_wh")},
            **{key: getattr(body, key, None) for key in ("lease_s", "timer")},
            "measured_at": _utc(body.measured_at_ms),
            "role": role,
            "name": name,
            **{key: getattr(body, key, None) for key in SAME},
        }


def sessions(log: Reader, since_ms: int | None, until_ms: int | None, names: Iterable[str]) -> Iterator[Row]:
    """The charging sessions that ended in a time, ``until_ms`` excluded, in the order they began. Raises as `readings`.

    `store.errors.LogDamaged` if one of them cannot be read: a table that is not whole must not pass for one.
    """
    wanted = frozenset(names)
    _check(wanted, log)
    found = stored.ended(log, since_ms=since_ms, until_ms=until_ms)
    return (_session(session) for session in found if not wanted or session.loadpoint in wanted)


def write_csv(columns: tuple[str, ...], rows: Iterable[Row], out: TextIO) -> None:
    """Rows under a header, as spreadsheets read them. Unknown is empty; what would run as a formula gets a quote."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])


def write_lines(rows: Iterable[Row], out: TextIO) -> None:
    """One JSON object per line. Unknown is null."""
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def _session(session: Session) -> Row:
    ended_ms = session.ended_at_ms
    return {
        "kind": "session",
        "number": session.number,
        "loadpoint": session.loadpoint,
        "profile": session.profile,
        "target": session.target,
        "by": session.by,
        "started_at": _utc(session.started_at_ms),
        "ended_at": _utc(ended_ms),
        "duration_s": None if ended_ms is None else (ended_ms - session.started_at_ms) / 1000,
        "on_s": session.on_ms / 1000,
        "energy_wh": session.energy_wh,
        "estimated_wh": session.estimated_wh,
        "peak_w": session.peak_w,
        "outcome": session.outcome,
        "reason": None if session.reason is None else session.reason.code,
        "solar_wh": session.solar_wh,
        "cost": session.cost,
        "priced_wh": session.priced_wh,
        "currency": session.currency or None,
    }


def _known(configuration: Configuration) -> dict[str, tuple[str, str | None]]:
    """Address → what it is and the name of the loadpoint, meter or house battery that has it."""
    found: dict[str, tuple[str, str | None]] = {}
    for name, meter in configuration.meters.items():
        found[address_of(meter.device, meter.channel)] = (meter.role, name)
    for name, storage in configuration.storages.items():
        found[address_of(storage.device, storage.channel)] = ("storage", name)
    return found | {point.charger: ("charger", name) for name, point in configuration.loadpoints.items()}


def _check(wanted: frozenset[str], log: Reader) -> None:
    """See that each name stands in a configuration of the log, the newest first; old ones count too."""
    missing, known = set(wanted), dict[str, None]()
    seq = None
    while missing:
        event = last_of(log, ConfigLoaded, seq)
        if event is None or not isinstance(event.body, ConfigLoaded):
            break
        configuration, seq = event.body.configuration, event.seq
        sites = (*configuration.loadpoints, *configuration.meters, *configuration.storages)
        names = [*sites, *configuration.devices, *_known(configuration)]
        known.update(dict.fromkeys(names))
        missing -= set(names)
    if not missing:
        return
    name = min(missing)[:60]
    close = get_close_matches(name, list(known), 1, 0.6)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise Refused(
        NO_SUCH, f'nothing in this log is called "{name}".{meant}', hint=f"Known: {' '.join(known) or 'nothing'}"
    )


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _utc(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    seconds, rest_ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ms:03}Z"
