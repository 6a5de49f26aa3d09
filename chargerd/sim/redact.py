"""Redact: events and a state without what would tell whose home they are from, so that the same is decided of them.

Names become neutral ones, the same each time; texts that may carry anything are taken out; numbers, times and what the
engine itself calls things stay. Every text field of an event and of the state is named here: one that is not cannot be
redacted, and is refused rather than passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct, structs

from chargerd.model import events as e
from chargerd.model.events import Event
from chargerd.model.state import Site

REMOVED = "(removed)"
DAEMON, ENGINE = "daemon", "engine"
NOBODY = frozenset(
    {"", "schedule", "plan", "until", "device", "configuration", "start", "reload", "adopt", DAEMON, ENGINE}
)
"""Words of our own where else a person's name stands."""
ERRORS = frozenset({"", "unreachable", "access-denied", "unexpected-answer", "not-recorded"})
ENDS = frozenset({"", "told to stop", "stop"})
FROM_DEVICES = (e.ChargerRead, e.MeterRead, e.StorageRead, e.ReadFailed, e.DeviceLost, e.DeviceBack, e.DeviceAdded, e.DeviceRemoved,
                e.LeaseTestBegun, e.LeaseTested)  # fmt: skip
ABOUT_COMMANDS = (e.CommandDone, e.CommandFailed)


class Unclassified(ValueError):
    """A text field that this module does not know: whether it may be passed on nobody has thought about."""


class Names:
    """Neutral names for real ones, the same for the same, in the order in which they are met."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._count: dict[str, int] = {}

    def of(self, kind: str, name: str) -> str:
        """``loadpoint-1`` for the first loadpoint; nothing stays nothing."""
        if not name:
            return name
        if (kind, name) not in self._known:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._known[kind, name] = f"{kind}-{self._count[kind]}"
        return self._known[kind, name]

    def address(self, address: str) -> str:
        """``device-1/channel-2`` for a charger's address."""
        device, slash, channel = address.partition("/")
        return self.of("device", device) + slash + self.of("channel", channel)

    def person(self, name: str) -> str:
        """``person-1``; schedules, buttons and times that ran out stay what they are."""
        return name if name in NOBODY else self.of("person", name)


Rule = Callable[[Names, Any], Any]


def _of(kind: str) -> Rule:
    return lambda names, text: names.of(kind, text)


def _kept(_names: Names, value: Any) -> Any:
    return value


def _removed(_names: Names, text: str) -> str:
    return text and REMOVED


def _one_of(known: frozenset[str]) -> Rule:
    return lambda _names, text: text if text in known else REMOVED


def _keys(rule: Rule) -> Rule:
    """A mapping by names; what it maps to is redacted like anything else."""
    return lambda names, mapping: {rule(names, key): redacted(names, value) for key, value in mapping.items()}


def _address(names: Names, text: str) -> str:
    return names.address(text)


def _person(names: Names, text: str) -> str:
    return names.person(text)


def _channels(names: Names, channels: dict[str, str]) -> dict[str, str]:
    return {names.of("channel", name): names.of("id", stable) for name, stable in channels.items()}


def _chargers(names: Names, points: dict[str, str]) -> dict[str, str]:
    return {names.address(charger): names.of("loadpoint", name) for charger, name in points.items()}


def _options(_names: Names, options: dict[str, Any]) -> dict[str, Any]:
    return {key: REMOVED if isinstance(value, str) else value for key, value in options.items()}


def _values(names: Names, values: Any) -> dict[str, Any]:
    rules: dict[str, Rule] = {
        "loadpoint": _of("loadpoint"),
        "device": _address,
        "by": _person,
        "target": _kept,
        "meter": _of("meter"),
        "circuit": _of("circuit"),
        "other": _of("loadpoint"),
    }
    return {
        key: rules.get(key, _removed)(names, value) if isinstance(value, str) else value
        for key, value in values.items()
    }


def _each(rule: Rule) -> Rule:
    return lambda names, texts: tuple(rule(names, text) for text in texts)


RULES: dict[str, Rule] = {
    # settings
    "Configuration.site": _of("site"),
    "Configuration.currency": _kept,
    "Configuration.journal_level": _kept,
    "Configuration.timezone": _kept,  # windows and schedules are decided by it
    "Configuration.devices": _keys(_of("device")),
    "Configuration.loadpoints": _keys(_of("loadpoint")),
    "Configuration.files": _each(_of("file")),
    "Configuration.networks": _each(_removed),
    "Adopted.alias": _removed,
    "Adopted.device": _of("device"),
    "Adopted.loadpoint": _of("loadpoint"),
    "Adopted.mac": _of("id"),
    "Adopted.host": _removed,
    "Adopted.network": _removed,
    "Adopted.channel": _of("channel"),
    "DeviceSettings.name": _of("device"),
    "DeviceSettings.driver": _kept,
    "DeviceSettings.options": _options,
    "LoadpointSettings.name": _of("loadpoint"),
    "LoadpointSettings.charger": _address,
    "LoadpointSettings.target": _kept,
    "LoadpointSettings.on_stop": _kept,
    "Profile.name": _of("profile"),
    "Profile.source": _removed,
    "Configuration.sinks": _keys(_of("sink")),
    "SinkSettings.name": _of("sink"),
    "SinkSettings.kind": _kept,
    "SinkSettings.tell": _kept,
    "SinkSettings.report": _kept,
    "Profile.variant": _of("variant"),
    "Variant.name": _of("variant"),
    "Variant.values": _keys(_kept),
    "ScheduleEntry.entry": _of("entry"),
    "ScheduleEntry.loadpoint": _of("loadpoint"),
    "ScheduleEntry.mode": _kept,
    "ScheduleEntry.target": _kept,
    "LoadpointSettings.kind": _kept,
    "LoadpointSettings.mode": _kept,
    "LoadpointSettings.circuit": _of("circuit"),
    "LoadpointSettings.first_phase": _kept,
    "Vehicle.name": _of("profile"),
    "Configuration.sharing": _kept,
    "Configuration.meters": _keys(_of("meter")),
    "MeterSettings.name": _of("meter"),
    "MeterSettings.device": _of("device"),
    "MeterSettings.channel": _of("channel"),
    "MeterSettings.role": _kept,
    "Configuration.storages": _keys(_of("storage")),
    "StorageSettings.name": _of("storage"),
    "StorageSettings.device": _of("device"),
    "StorageSettings.channel": _of("channel"),
    "Configuration.circuits": _keys(_of("circuit")),
    "CircuitSettings.name": _of("circuit"),
    "CircuitSettings.meter": _of("meter"),
    "CircuitSettings.parent": _of("circuit"),
    # facts
    "ChargerRead.pilot": _kept,
    "ChargerRead.status": _kept,
    "MeterRead.channel": _of("channel"),
    "MeterRead.status": _kept,
    "StorageRead.channel": _of("channel"),
    "StorageRead.status": _kept,
    "ChargerRead.channel": _of("channel"),
    "ChargerRead.timer": _kept,
    "ReadFailed.error": _one_of(ERRORS),
    "ReadFailed.detail": _removed,
    "DeviceLost.error": _one_of(ERRORS),
    "DeviceLost.detail": _removed,
    "DeviceAdded.driver": _kept,
    "DeviceAdded.model": _kept,
    "DeviceAdded.device_id": _of("id"),
    "DeviceAdded.firmware": _kept,
    "DeviceAdded.channels": _channels,
    "DeviceAdded.accepts": _kept,
    "DeviceAdded.lease": _kept,
    "DeviceAdded.switch_at": _removed,
    "ModeSet.loadpoint": _of("loadpoint"),
    "ModeSet.mode": _kept,
    "ModeSet.by": _person,
    "ModeSet.request": _of("request"),
    "TargetSet.loadpoint": _of("loadpoint"),
    "TargetSet.target": _kept,
    "TargetSet.by": _person,
    "TargetSet.request": _of("request"),
    "LimitSet.loadpoint": _of("loadpoint"),
    "LimitSet.key": _kept,
    "LimitSet.value": _kept,
    "LimitSet.by": _person,
    "LimitSet.request": _of("request"),
    "PlanSet.loadpoint": _of("loadpoint"),
    "PlanSet.target": _kept,
    "PlanSet.by": _person,
    "PlanSet.request": _of("request"),
    "PlanFired.loadpoint": _of("loadpoint"),
    "PlanFired.step": _kept,
    "MeterLost.address": _address,
    "MeterLost.code": _kept,
    "MeterBack.address": _address,
    "SinkLost.error": _one_of(ERRORS),
    "SinkLost.detail": _removed,
    "HoldSet.by": _person,
    "HoldSet.loadpoint": _of("loadpoint"),
    "HoldSet.request": _of("request"),
    "HoldCleared.by": _person,
    "HoldCleared.loadpoint": _of("loadpoint"),
    "HoldCleared.request": _of("request"),
    "ScheduleAdded.entry": _of("entry"),
    "ScheduleAdded.loadpoint": _of("loadpoint"),
    "ScheduleAdded.by": _person,
    "ScheduleAdded.mode": _kept,
    "ScheduleAdded.target": _kept,
    "ScheduleAdded.request": _of("request"),
    "ScheduleRemoved.entry": _of("entry"),
    "ScheduleRemoved.by": _person,
    "ScheduleRemoved.request": _of("request"),
    "ScheduleFired.entry": _of("entry"),
    "ScheduleFired.loadpoint": _of("loadpoint"),
    "Decided.loadpoint": _of("loadpoint"),
    "Decided.policy": _kept,
    "Decided.outcome": _kept,
    "Decided.memory": _kept,  # a policy's own numbers and words
    "CommandIssued.loadpoint": _of("loadpoint"),
    "SetEnabled.device": _address,
    "SetCurrent.device": _address,
    "SetPhases.device": _address,
    "Reason.code": _kept,
    "Reason.values": _values,
    "CommandFailed.error": _one_of(ERRORS),
    "CommandFailed.detail": _removed,
    "LeaseTestBegun.by": _person,
    "LeaseTestBegun.channel": _of("channel"),
    "LeaseTested.result": _kept,
    "LeaseTested.channel": _of("channel"),
    "LeaseTested.detail": _removed,
    "DaemonStarted.version": _kept,
    "DaemonStarted.engine": _kept,
    "DaemonStarted.boot_id": _of("boot"),
    "DaemonStopping.why": _one_of(ENDS),
    "DaemonStopped.why": _one_of(ENDS),
    "ConfigLoaded.by": _person,
    "ReadingsDropped.remains": _removed,
    "LogSetAside.path": _removed,
    "LogSetAside.error": _removed,
    "RecordingLost.error": _removed,
    "Tick.digest": _kept,  # made anew from what is left
    # state
    "Evse.pilot": _kept,
    "Evse.status": _kept,
    "Evse.refused": _removed,
    "Meter.status": _kept,
    "Witness.kind": _kept,
    "Storage.status": _kept,
    "Sun.missing": _of("meter"),
    "Sun.waits_for": _of("loadpoint"),
    "Site.meters": _keys(_address),
    "Site.storages": _keys(_address),
    "Site.unbelieved": _keys(_address),
    "Site.sunny": _each(_of("loadpoint")),
    "Charger.timer": _kept,
    "Session.loadpoint": _of("loadpoint"),
    "Session.profile": _of("profile"),
    "Session.target": _kept,
    "Session.by": _person,
    "Session.outcome": _kept,
    "Session.currency": _kept,
    "Charge.profile": _of("profile"),
    "Charge.target": _kept,
    "Plan.target": _kept,
    "Plan.by": _person,
    "Plan.step": _kept,
    "Unsent.error": _one_of(ERRORS),
    "Unsent.detail": _removed,
    "Hold.by": _person,
    "Override.value": _kept,
    "Override.by": _person,
    "Override.configured": _kept,
    "Loadpoint.mode": _kept,
    "Loadpoint.mode_by": _person,
    "Loadpoint.target": _kept,
    "Loadpoint.target_by": _person,
    "Loadpoint.standing_target": _kept,
    "Loadpoint.overrides": _keys(_kept),
    "Device.driver": _kept,
    "Device.model": _kept,
    "Device.device_id": _of("id"),
    "Device.firmware": _kept,
    "Device.channels": _channels,
    "Device.accepts": _kept,
    "Device.lease": _kept,
    "Device.switch_at": _removed,
    "Device.proofs": _keys(_of("channel")),
    "Device.testing": _of("channel"),
    "Proof.firmware": _kept,
    "Device.error": _one_of(ERRORS),
    "Device.detail": _removed,
    "Site.boot_id": _of("boot"),
    "Site.set_aside": _removed,
    "Site.devices": _keys(_of("device")),
    "Site.chargers": _keys(_address),
    "Site.sinks": _keys(_of("sink")),
    "Site.loadpoints": _keys(_of("loadpoint")),
    "Site.by_charger": _chargers,
    "Site.removed_schedule": _each(_of("entry")),
    "Site.fired": _keys(_of("entry")),
    "Site.requests": _keys(_of("request")),
}
"""What becomes of each field that can hold a text."""

KEPT = ("dates and times of day", "the time zone", "powers, energies and other readings", "models and firmware of devices",
        "settings that are numbers")  # fmt: skip
TAKEN = ("names of site, loadpoints, devices, channels, vehicles and schedule entries", "people", "addresses, paths, aliases",
         "ids of devices, boots and requests", "texts of errors")  # fmt: skip


def redacted(names: Names, value: Any) -> Any:
    """A value with everything in it redacted. Raises `Unclassified`."""
    if isinstance(value, Struct):
        fields = {name: _field(names, value, name) for name in value.__struct_fields__}
        return type(value)(**fields)
    if isinstance(value, tuple | list):
        return type(value)(redacted(names, item) for item in value)
    if isinstance(value, str | dict):
        raise Unclassified(f"a text or a mapping of {type(value).__name__} without a rule")
    return value


def _field(names: Names, struct: Struct, name: str) -> Any:
    value = getattr(struct, name)
    rule = RULES.get(f"{type(struct).__name__}.{name}")
    if value is None:
        return None
    if rule is not None:
        return redacted(names, value) if isinstance(value, Struct) else rule(names, value)
    if isinstance(value, str | dict):
        raise Unclassified(f"{type(struct).__name__}.{name} is in no rule of sim/redact.py")
    return redacted(names, value)


def redacted_site(names: Names, site: Site) -> Site:
    """A state without names. Raises `Unclassified`."""
    made: Site = redacted(names, site)
    return made


def redacted_event(names: Names, event: Event) -> Event:
    """An event without names, its envelope included. Raises `Unclassified`."""
    body = redacted(names, event.body)
    if isinstance(body, e.DaemonStarted):
        body = structs.replace(body, pid=0)
    return Event(event.seq, event.at_ms, event.mono_ms, event.boot, _source(names, event), body)


def _source(names: Names, event: Event) -> str:
    if isinstance(event.body, FROM_DEVICES):
        return names.of("device", event.source)
    if isinstance(event.body, e.SinkLost | e.SinkBack):
        return names.of("sink", event.source)
    if isinstance(event.body, ABOUT_COMMANDS) and event.source != DAEMON:
        return names.of("device", event.source)
    return names.person(event.source)
