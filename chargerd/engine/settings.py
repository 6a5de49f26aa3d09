"""Settings in force: what the files say, with what people changed since laid over it."""

from __future__ import annotations

from msgspec import structs

from chargerd.model import windows
from chargerd.model.settings import MODES, LoadpointSettings, Profile, Scalar, ScheduleEntry
from chargerd.model.state import Loadpoint, Site
from chargerd.policies import BY_MODE

PROFILE_KEYS = frozenset(Profile.__struct_fields__)


def value_of(settings: LoadpointSettings, key: str) -> Scalar:
    """The value of an adjustable key, which lives in the loadpoint or in its profile."""
    value: Scalar = getattr(settings.profile if key in PROFILE_KEYS else settings, key)
    return value


def in_force(settings: LoadpointSettings, key: str) -> Scalar:
    """The value that counts for an adjustable key: where the profile says nothing, the limit it has all the same."""
    profile = settings.profile
    derived = {
        "max_power_w": profile.power_limit_w,
        "max_energy_wh": profile.energy_limit_wh,
        "max_h": profile.time_limit_s / 3600,
    }
    return derived[key] if key in derived else value_of(settings, key)


def seasonal(profile: Profile, wall_ms: int, timezone: str) -> Profile:
    """The profile with the variant of that local day laid over it."""
    if not profile.variants:
        return profile
    day = windows.day_of_year(wall_ms, windows.zone(timezone))
    found = next((variant for variant in profile.variants if variant.covers(day)), None)
    if found is None:
        return profile
    return structs.replace(profile, variant=found.name, **found.values)


def overridden(settings: LoadpointSettings, loadpoint: Loadpoint, wall_ms: int, timezone: str) -> LoadpointSettings:
    """A loadpoint's settings on a day, with its overrides applied. A session keeps the variant of the day it began on."""
    if settings.profile.variants:
        day_ms = wall_ms if loadpoint.session is None else loadpoint.session.started_at_ms
        settings = structs.replace(settings, profile=seasonal(settings.profile, day_ms, timezone))
    if not loadpoint.overrides:
        return settings
    values = {key: override.value for key, override in loadpoint.overrides.items()}
    profile = {key: value for key, value in values.items() if key in PROFILE_KEYS}
    own = {key: value for key, value in values.items() if key not in PROFILE_KEYS}
    return structs.replace(settings, profile=structs.replace(settings.profile, **profile), **own)


def settings_of(site: Site, name: str) -> LoadpointSettings:
    """The settings in force at a loadpoint. Raises KeyError for a name that is not configured."""
    configuration = site.configuration
    return overridden(configuration.loadpoints[name], site.loadpoints[name], site.wall_ms, configuration.timezone)


def target_of(site: Site, name: str) -> str:
    """The target in force: what a person or a schedule set, else what is configured."""
    return site.loadpoints[name].target or site.configuration.loadpoints[name].target


def mode_of(site: Site, name: str) -> str:
    """The mode in force: what a person, a schedule or the sun set, else what is configured.

    A plug with a battery is configured off: a charge starts from a person or a schedule.
    """
    return site.loadpoints[name].mode or site.configuration.loadpoints[name].mode


def policy_of(site: Site, name: str) -> str:
    """The policy that the mode in force means at this loadpoint."""
    return BY_MODE[site.configuration.loadpoints[name].kind][mode_of(site, name)]


def _fits(site: Site, entry: ScheduleEntry) -> bool:
    """Whether the loadpoint is there and, as it is configured now, has the mode."""
    settings = site.configuration.loadpoints.get(entry.loadpoint)
    return settings is not None and entry.mode in MODES[settings.kind]


def schedule_of(site: Site) -> tuple[ScheduleEntry, ...]:
    """Every recurring start in force: those of the files and those added since, less those removed."""
    entries = site.configuration.schedule + site.added_schedule
    return tuple(e for e in entries if e.entry not in site.removed_schedule and _fits(site, e))
