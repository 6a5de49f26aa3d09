"""Load: the configuration files become one checked `Configuration`, or one error that names everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path as FilePath
from types import ModuleType

import msgspec
from msgspec import Struct
from pydantic import BaseModel

from chargerd.config import home, points, times
from chargerd.config.base import Credential, DeviceConfig, SinkConfig
from chargerd.config.check import Check
from chargerd.config.files import Place, config_files, read
from chargerd.config.positions import Path
from chargerd.config.problems import ConfigError, Problem, dotted, meant, names_credential
from chargerd.config.profiles import order_faults, profile_of, season_faults, shipped
from chargerd.config.site import (
    AdoptTable,
    DiscoveryTable,
    JournalTable,
    LoadpointTable,
    LogTable,
    ScheduleItem,
    SiteTable,
    VehicleTable,
)
from chargerd.model.settings import (
    MODES,
    Configuration,
    DeviceSettings,
    Profile,
    Scalar,
    ScheduleEntry,
    SinkSettings,
)

__all__ = ["ConfigError", "Loaded", "Problem", "config_files", "load"]

TABLES = (
    "site", "log", "journal", "discovery", "adopt", "device", "meter", "storage", "circuit", "vehicle", "loadpoint", "sink",
)  # fmt: skip
_INT_MAX = 2**63 - 1
_DEAR = {"AUD", "CAD", "CHF", "EUR", "GBP", "NZD", "SGD", "USD"}
"""Currencies in which a kWh costs less than 3: a higher figure was meant in cents or pence, and would be 100 times too much."""
_DEAR_MOST = 3.0


class Adoption(Struct, frozen=True):
    """Which plugs are to become loadpoints by their names, what these charge, and how often is looked for them."""

    prefix: str
    profile: Profile
    target: str
    every_s: float


class Loaded(Struct, frozen=True):
    """A configuration that is whole and consistent.

    ``device_configs`` and ``sink_configs`` are what drivers and sinks are made from. ``profiles`` are the shipped ones
    and then those of the files. ``places`` has file and line of every key by its dotted name, for messages.
    ``adoption`` None: no plug is adopted.
    """

    configuration: Configuration
    device_configs: dict[str, DeviceConfig]
    sink_configs: dict[str, SinkConfig]
    profiles: tuple[Profile, ...]
    places: dict[str, Place]
    adoption: Adoption | None = None


def load(
    paths: Sequence[FilePath],
    *,
    load_driver: Callable[[str], ModuleType],
    driver_kinds: Collection[str],
    load_sink: Callable[[str], ModuleType] | None = None,
    sink_kinds: Collection[str] = (),
    credential_fault: Callable[[str], str | None] | None = None,
) -> Loaded:
    """Read, lay over each other and check the files. Raises `ConfigError` with all problems; nothing is half loaded.

    ``load_driver`` gives the module of a driver kind, whose ``Driver.Config`` checks a device's own keys; it is called for
    configured kinds only; ``load_sink`` does so for sinks. ``credential_fault`` says what is wrong with a credential
    of that name, None if it is there; without it credentials are not looked for.
    """
    check = Check(read(paths))
    check.top_level(TABLES)
    devices = _devices(check, load_driver, driver_kinds, credential_fault)
    sinks = _sinks(check, load_sink, sink_kinds, credential_fault)
    vehicles = _vehicles(check)
    adoption = _adoption(check, vehicles)
    configuration = _configuration(check, devices, sinks, vehicles)
    check.raise_problems()
    places = {dotted(path): place for path, place in check.document.places.items()}
    profiles = (*shipped().values(), *(profile for name, profile in vehicles.items() if name in check.names("vehicle")))
    return Loaded(configuration, devices, sinks, profiles, places, adoption)


def _configuration(
    check: Check,
    devices: Mapping[str, DeviceConfig],
    sinks: Mapping[str, SinkConfig],
    vehicles: Mapping[str, Profile],
) -> Configuration:
    """What the engine is to know. It holds only if `check` has found nothing."""
    site = check.table(SiteTable, ("site",)) or SiteTable()
    log = check.table(LogTable, ("log",)) or LogTable()
    journal = check.table(JournalTable, ("journal",)) or JournalTable()
    discovery = check.table(DiscoveryTable, ("discovery",)) or DiscoveryTable()
    tables = check.named(LoadpointTable, "loadpoint")
    kinds = points.kinds(check, tables, devices)
    points.addresses(check)
    points.vehicles_are_known(check, tables, kinds)
    meters, circuits = home.meters(check, devices), home.circuits(check)
    home.channels(check)
    points.levels_have_a_storage(check, tables)
    home.levels_are_percent(check, tables)
    home.sun_is_measured(check, tables, meters, kinds)
    home.circuits_are_known(check, tables, circuits)
    _zone_is_named(check, site, tables)
    _prices_are_in_currency(check, site)
    return Configuration(
        site=site.name,
        timezone=site.timezone or "UTC",
        devices={name: device_settings(name, config) for name, config in devices.items()},
        loadpoints=points.loadpoints(check, tables, vehicles, kinds),
        schedule=_schedule(check, tables, kinds),
        sinks={name: SinkSettings(name, sink.kind, tuple(sink.tell), sink.report) for name, sink in sinks.items()},
        files=check.document.files,
        journal_level=journal.level,
        keep_rows_ms=times.duration(log.keep_rows),
        keep_readings_ms=times.duration(log.keep_readings),
        currency=site.currency,
        import_price_per_kwh=site.import_price_per_kwh,
        export_price_per_kwh=site.export_price_per_kwh,
        networks=tuple(discovery.networks),
        meters=meters,
        storages=home.storages(check, devices),
        circuits=circuits,
        sharing=site.sharing,
        reserve_w=site.reserve_w,
    )


def _devices(
    check: Check,
    load_driver: Callable[[str], ModuleType],
    kinds: Collection[str],
    credential_fault: Callable[[str], str | None] | None,
) -> dict[str, DeviceConfig]:
    tables = check.document.tables.get("device", {})
    if not isinstance(tables, dict):
        check.problem(("device",), "must be tables with a name each: [device.NAME]")
        return {}
    devices: dict[str, DeviceConfig] = {}
    for name, table in tables.items():
        path: Path = ("device", name)
        if not check.name_is_good("device", name):
            continue
        model = _driver_config(check, path, table, load_driver, kinds)
        config = None if model is None else check.table(model, path)
        if config is not None:
            devices[name] = config
            _credentials(check, path, config, credential_fault)
            _sizes(check, path, config)
            _paces(check, path, config)
    _doubles(check, devices)
    return devices


def _driver_config(
    check: Check, path: Path, table: object, load_driver: Callable[[str], ModuleType], kinds: Collection[str]
) -> type[DeviceConfig] | None:
    """The model that checks a device's keys, which is its driver's own."""
    if not isinstance(table, dict):
        check.problem(path, f"must be a table: [{dotted(path)}]", value=table)
        return None
    kind = table.get("driver")
    if not isinstance(kind, str):
        check.problem((*path, "driver"), "is missing" if kind is None else "must be text in quotes", meant("", kinds))
        return None
    if kind not in kinds:
        check.problem((*path, "driver"), "is no driver", meant(kind, kinds), value=kind)
        return None
    try:
        config: type[DeviceConfig] = load_driver(kind).Driver.Config
    except ImportError as error:
        check.problem((*path, "driver"), f"cannot be used: {error.name or error} is not installed", value=kind)
        return None
    return config


def _sinks(
    check: Check,
    load_sink: Callable[[str], ModuleType] | None,
    kinds: Collection[str],
    credential_fault: Callable[[str], str | None] | None,
) -> dict[str, SinkConfig]:
    tables = check.document.tables.get("sink", {})
    if not isinstance(tables, dict):
        check.problem(("sink",), "must be tables with a name each: [sink.NAME]")
        return {}
    sinks: dict[str, SinkConfig] = {}
    for name, table in tables.items():
        path: Path = ("sink", name)
        if not check.name_is_good("sink", name):
            continue
        kind = table.get("kind") if isinstance(table, dict) else None
        if load_sink is None or not isinstance(kind, str) or kind not in kinds:
            check.problem(
                (*path, "kind"),
                "is no kind of sink" if kind else "is missing",
                meant(str(kind or ""), kinds),
                value=kind,
            )
            continue
        config: SinkConfig | None = check.table(load_sink(kind).Sink.Config, path)
        if config is not None:
            sinks[name] = config
            _credentials(check, path, config, credential_fault)
            _report(check, path, config.report)
    return sinks


def _report(check: Check, path: Path, text: str) -> None:
    """When a report is due: with the sessions, or at a time that comes again."""
    if text in ("off", "sessions"):
        return
    check.timed((*path, "report"))
    try:
        times.recurring(text)
    except ValueError as error:
        check.problem((*path, "report"), str(error), 'Or "sessions", or "off".', value=text)


def _credentials(
    check: Check, path: Path, config: DeviceConfig | SinkConfig, credential_fault: Callable[[str], str | None] | None
) -> None:
    if credential_fault is None:
        return
    for key, value in config:
        if isinstance(value, Credential) and (fault := credential_fault(value.credential)) is not None:
            check.problem((*path, key), fault)


def _sizes(check: Check, path: Path, config: DeviceConfig) -> None:
    """Whole numbers that would not fit into the log."""
    for key, value in config:
        if isinstance(value, int) and abs(value) > _INT_MAX:
            check.problem((*path, key), "is too large a number", value=value)


def _paces(check: Check, path: Path, config: DeviceConfig) -> None:
    """Readings that would be too old before the next one comes."""
    if config.poll_fast_s > config.poll_s and "poll_fast_s" in config.model_fields_set:
        text = f"must not be longer than poll_s ({config.poll_s:g})"
        check.problem((*path, "poll_fast_s"), text, value=config.poll_fast_s)
    if config.max_age_s < 2 * config.poll_s:
        text = f"must be at least twice poll_s ({2 * config.poll_s:g}), or every reading is too old before the next one"
        check.problem((*path, "max_age_s"), text, value=config.max_age_s)


def _doubles(check: Check, devices: Mapping[str, DeviceConfig]) -> None:
    """Two devices that are one: they would fight over it, and a strip has one worker only."""
    seen: dict[tuple[object, ...], str] = {}
    for name, config in devices.items():
        host, port = getattr(config, "host", None), getattr(config, "port", None)
        unit, alias = getattr(config, "unit", None), getattr(config, "alias", None)
        marks: list[tuple[str, tuple[object, ...]]] = []
        if host is not None:
            marks.append(("host", (config.driver if port is None else "", str(host).lower(), port, unit)))
        elif alias is not None:
            marks.append(("alias", (config.driver, "alias", alias)))
        for key, mark in marks:
            first = seen.setdefault(mark, name)
            if first != name:
                check.problem(
                    ("device", name, key),
                    f"device {first} is the same one",
                    f'Sockets of a strip are channels: charger = "{first}/NAME OF THE SOCKET".',
                    value=getattr(config, key),
                )


def device_settings(name: str, config: DeviceConfig) -> DeviceSettings:
    """What the log may know of a device: everything but its secrets."""
    options: dict[str, Scalar] = {}
    for key, value in config:
        if key in DeviceConfig.model_fields or names_credential(type(config), key):
            continue
        plain = value is None or isinstance(value, str | int | float)
        options[key] = value if plain else msgspec.json.encode(value, enc_hook=_plain).decode()
    fast_s = min(config.poll_fast_s, config.poll_s)  # nobody has to shorten both
    return DeviceSettings(name, config.driver, config.poll_s, fast_s, config.max_age_s, options)


def _plain(value: object) -> object:
    return value.model_dump() if isinstance(value, BaseModel) else str(value)


def _vehicles(check: Check) -> dict[str, Profile]:
    """All profiles by name: the shipped ones, and over them those that the files describe."""
    profiles = dict(shipped())
    for name, table in check.named(VehicleTable, "vehicle").items():
        path: Path = ("vehicle", name)
        if table.profile is not None and table.profile not in shipped():
            check.problem(
                (*path, "profile"), "is no shipped profile", meant(table.profile, shipped()), value=table.profile
            )
            continue
        base = shipped().get(table.profile or name)
        profiles[name] = profile_of(name, table, base, source="" if base is None else f"on top of {base.name}")
        for key, text in order_faults(profiles[name]):
            check.problem((*path, key), text, value=getattr(profiles[name], key))
        for keys, text in season_faults(profiles[name]):
            check.problem((*path, "variant", *keys), text)
        for variant in table.variant:
            check.name_is_good("variant", variant, path)
    return profiles


def _adoption(check: Check, vehicles: Mapping[str, Profile]) -> Adoption | None:
    table = check.table(AdoptTable, ("adopt",))
    if table is None:
        return None
    if table.vehicle not in vehicles:
        path: Path = ("adopt", "vehicle")
        check.problem(path, "is no vehicle and no profile", meant(table.vehicle, vehicles), value=table.vehicle)
        return None
    return Adoption(table.prefix, vehicles[table.vehicle], table.target, times.duration(table.every) / 1000)


def _schedule(
    check: Check, tables: Mapping[str, LoadpointTable], kinds: Mapping[str, str]
) -> tuple[ScheduleEntry, ...]:
    """Recurring starts. Each is named after its loadpoint, days and time, so that it stays the same entry wherever it stands."""
    entries = []
    for name, table in tables.items():
        taken: dict[tuple[int, int], str] = {}
        for number, item in enumerate(table.schedule):
            written = item.by or item.at or ""
            days, at_min, ready = times.days(item.days), times.minute(written), item.by is not None
            clash = next((day for day in days if (day, at_min) in taken), None)
            if clash is not None:
                text = f"{name} starts on {times.DAYS[clash]} at {written} already"
                check.problem(("loadpoint", name, "schedule", number), text, "Leave that day out of one of the two.")
            taken.update(dict.fromkeys(((day, at_min) for day in days), written))
            entry = f"{name}/{times.written(days)}{'<' if ready else '@'}{at_min // 60:02}:{at_min % 60:02}"
            mode = item.mode or "fast"
            _entry_fits(check, ("loadpoint", name, "schedule", number), item, mode, kinds[name])
            entries.append(ScheduleEntry(entry, name, days, at_min, mode, item.target, ready))
    return tuple(entries)


def _entry_fits(check: Check, path: Path, item: ScheduleItem, mode: str, kind: str) -> None:
    """Modes are those of the charger; targets and times to be ready by are of batteries, whose charge has an end."""
    what = points.WHAT[kind]
    if mode not in MODES[kind]:
        check.problem((*path, "mode"), f"is no mode of {what}", meant(mode, MODES[kind]), value=mode)
    if kind == "battery":
        if item.by is not None and item.mode is not None:
            text = "does not go with by: how a charge gets there in time is chargerd's to choose"
            check.problem((*path, "mode"), text, value=item.mode)
        return
    for key in ("target", "by"):
        if (value := getattr(item, key)) is not None:
            hint = f'Write at and mode, such as mode = "{MODES[kind][1]}".'
            check.problem((*path, key), f"is for {points.WHAT['battery']}, and this is {what}", hint, value=value)


def _zone_is_named(check: Check, site: SiteTable, tables: Mapping[str, LoadpointTable]) -> None:
    """Times of day mean nothing without a zone, and a guess would charge at the wrong hour."""
    hours = ("schedule", "window", "always", "auto_slow")
    timed = [f"loadpoint {name}" for name, table in tables.items() if any(getattr(table, key) for key in hours)]
    timed += [f"{kind} {name}" for kind, name, *_ in check.times]
    zone = check.document.tables.get("site")
    if timed and site.timezone is None and not (isinstance(zone, dict) and "timezone" in zone):
        check.problem(
            ("site", "timezone"),
            f"is missing, but {timed[0]} has times of day",
            'Write timezone = "Europe/Berlin" or your own.',
        )


def _prices_are_in_currency(check: Check, site: SiteTable) -> None:
    """Tariff sheets speak of cents and pence; a price is in the whole unit of the site's currency."""
    for key, usual in (("import_price_per_kwh", 0.32), ("export_price_per_kwh", 0.08)):
        price = getattr(site, key)
        if price is not None and site.currency in _DEAR and price > _DEAR_MOST:
            text = f"is in {site.currency} per kWh, and no kWh costs {price:g} {site.currency}"
            hint = f"Write {price / 100:g}." if price <= 100 * _DEAR_MOST else f"Write {usual} or your own."
            check.problem(("site", key), text, hint, value=price)
