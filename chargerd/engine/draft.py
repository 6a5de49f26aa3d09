"""Draft: the state while events are being folded in. It never leaves `evolve.fold`."""

from __future__ import annotations

from chargerd.model.settings import Configuration, ScheduleEntry
from chargerd.model.state import (
    Charger,
    Device,
    Hold,
    Loadpoint,
    Meter,
    Session,
    Site,
    Sky,
    Storage,
    Unbelieved,
    Unsent,
)


class Draft:
    """The fields of `Site`; the dicts that change most belong to this draft."""

    seq: int
    at_ms: int
    mono_ms: int
    boot: int
    t_ms: int
    boot_id: str
    skew_ms: int
    run_seq: int
    stopping: bool
    recording: bool
    midnight_ms: int
    set_aside: str
    configuration: Configuration
    config_seq: int
    config_at_ms: int
    devices: dict[str, Device]
    chargers: dict[str, Charger]
    loadpoints: dict[str, Loadpoint]
    meters: dict[str, Meter]
    storages: dict[str, Storage]
    unbelieved: dict[str, Unbelieved]
    sky: Sky
    sunny: tuple[str, ...]
    by_charger: dict[str, str]
    hold: Hold | None
    sinks: dict[str, Unsent]
    added_schedule: tuple[ScheduleEntry, ...]
    removed_schedule: tuple[str, ...]
    ended: tuple[Session, ...]
    fired: dict[str, int]
    requests: dict[str, int]

    __slots__ = Site.__struct_fields__

    def __init__(self, site: Site) -> None:
        for name in Site.__struct_fields__:
            setattr(self, name, getattr(site, name))
        self.devices = dict(site.devices)
        self.chargers = dict(site.chargers)
        self.loadpoints = dict(site.loadpoints)
        self.meters = dict(site.meters)
        self.storages = dict(site.storages)

    def freeze(self) -> Site:
        """The state that the draft has become. The draft must not be used again."""
        return Site(**{name: getattr(self, name) for name in Site.__struct_fields__})


State = Site | Draft
"""The state, finished or while events are being folded in."""
