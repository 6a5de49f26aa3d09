"""Replies: what the main loop answers to those who asked it for something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chargerd.config.load import ConfigError, Loaded
from chargerd.daemon.leasetest import MARGIN_S
from chargerd.daemon.requests import device_failed
from chargerd.daemon.sentences import alone
from chargerd.model.commands import Command, SetCurrent, SetEnabled, SetPhases
from chargerd.model.events import Body, ChargerRead, Event, LeaseTestBegun, MeterRead, ReadFailed, StorageRead
from chargerd.model.settings import address_of
from chargerd.model.state import Site

MINUTE_S = 60  # the shortest timer of the newer plugs


def changed(
    text: str,
    *,
    done: bool,
    notes: Sequence[str] = (),
    commands: Sequence[Command] = (),
    site: Site | None = None,
    seq: int | None = None,
) -> dict[str, Any]:
    """The reply to a change: whether it was one, and for a rehearsal the commands that would follow in this state."""
    told = [
        {"kind": "command", "device": command.device, "text": _told(command, site or Site())} for command in commands
    ]
    return {"text": text, "changed": done, "commands": told, "notes": list(notes), "seq": seq}


def entry(method: str, name: str | None) -> dict[str, Any]:
    """What the replies about recurring starts have besides."""
    return {"entry": name} if method in ("AddSchedule", "RemoveSchedule") else {}


def _told(command: Command, site: Site) -> str:
    match command:
        case SetPhases():
            return f"use {'1 phase' if command.phases == 1 else f'{command.phases} phases'}"
        case SetCurrent():
            what = f"offer {command.current_a:g} A" if command.enabled else "pause"
        case SetEnabled():
            what = "switch on" if command.enabled else "switch off"
    return f"{what}, {alone(command, site)} after {command.lease_s} s unless told again" if command.lease_s else what


def reading(device: str, facts: Sequence[Body], took_ms: int, site: Site) -> dict[str, Any]:
    """What a device said when it was read for somebody. Raises `CallError` DeviceFailed when it did not answer well."""
    failed = [fact for fact in facts if isinstance(fact, ReadFailed)]
    if failed:
        points = site.configuration.loadpoints.values()
        unwatched = [point.name for point in points if point.charger.partition("/")[0] == device]
        raise device_failed(device, failed[-1].detail or failed[-1].error, unwatched)
    rows, lines = [], []
    for fact in facts:
        if isinstance(fact, ChargerRead | MeterRead | StorageRead):
            address = address_of(device, fact.channel)
            values = {key: getattr(fact, key) for key in fact.__struct_fields__ if key != "channel"}
            rows.append({"kind": "reading", "address": address, "values": values})
            said = "   ".join(f"{key} {value}" for key, value in values.items() if value is not None)
            lines.append(f"{address}: {said}")
    return {"text": "\n".join(lines), "readings": rows, "took_ms": took_ms}


def checked(load: Callable[[], Loaded], running: Loaded) -> dict[str, Any]:
    """What is wrong with the files as they are now; nothing is loaded."""
    try:
        files = list(load().configuration.files)
    except ConfigError as error:
        return {"text": str(error), "mistakes": mistakes(error), "files": list(running.configuration.files)}
    return {"text": "The configuration is in order.", "mistakes": [], "files": files}


def mistakes(error: ConfigError) -> list[dict[str, Any]]:
    """What is wrong with a configuration, one row each."""
    return [
        {"kind": "mistake", "place": f"{problem.file}:{problem.line}", "text": problem.text, "allowed": problem.hint}
        for problem in error.problems
    ]


def testing(address: str, events: Sequence[Event], begun: LeaseTestBegun) -> dict[str, Any]:
    """That a test has begun, and at most how long it takes; its result is an event of the log."""
    seq = next(event.seq for event in events if event.body is begun)
    longest_s = MINUTE_S + MARGIN_S
    text = f"{address}: on with a timer of {begun.lease_s} s; watching whether it goes off by itself."
    return {"text": text, "address": address, "lease_s": begun.lease_s, "longest_s": longest_s, "seq": seq}
