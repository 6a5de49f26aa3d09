"""Silence: meters and house batteries that say nothing, the same for ever, or nonsense; and what that means for charging."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from chargerd.engine import meters, witness
from chargerd.engine.settings import mode_of
from chargerd.model.reasons import duration, power
from chargerd.model.settings import SUN_MODES, address_of
from chargerd.model.state import Meter, Site, Storage, Witness

ASLEEP = frozenset({"sleeping", "off", "shutting-down"})
NIGHT_MS = 20 * 3_600_000  # an inverter that sleeps longer than the longest night north of the Alps is no longer asleep


class Problem(Struct, frozen=True):
    """Something a person should know of. ``severity`` is the journal's: 3 must act, 4 worse than configured."""

    code: str
    severity: int
    subject: str
    text: str
    since_ms: int | None = None
    next_step: str = ""


def asleep(site: Site, device: str, now_ms: int | None = None) -> bool:
    """Whether a device is an inverter that went to sleep for the night before it fell silent.

    With ``now_ms`` that counts for one night only: one that does not wake up in the morning is missing.
    """
    for settings in site.configuration.meters.values():
        meter = site.meters.get(address_of(settings.device, settings.channel)) if settings.device == device else None
        if meter is not None and meter.status in ASLEEP:
            return now_ms is None or now_ms - meter.at_ms < NIGHT_MS
    return False


def without_sun(site: Site, device: str) -> str:
    """What it means for charging that a device is silent: empty where the surplus does not depend on it."""
    needed = {m.device for m in site.configuration.meters.values() if m.role == "grid"}
    needed |= {storage.device for storage in site.configuration.storages.values()}
    return _consequence(site) if device in needed else ""


def _consequence(site: Site) -> str:
    """What those do that follow the sun while nobody knows how much there is."""
    paused: list[str] = []
    least: list[str] = []
    for name in site.sunny:
        mode, configured = mode_of(site, name), site.configuration.loadpoints[name]
        if mode in SUN_MODES and (configured.kind == "consumer" or site.loadpoints[name].session is not None):
            (least if mode == "min-solar" else paused).append(name)
    parts = [
        f"{', '.join(paused)} paused" if paused else "",
        f"{', '.join(least)} at the smallest current" if least else "",
    ]
    told = ", ".join(part for part in parts if part)
    return f"; surplus is not known{f'; {told}' if told else ''}"


def meter_problems(site: Site, now_ms: int) -> Iterator[Problem]:
    """Meters and house batteries that cannot be believed although their device answers, or that it does not mention."""
    t_ms = site.t_ms + max(0, now_ms - site.wall_ms)
    for name, settings in site.configuration.meters.items():
        meter = site.meters.get(address_of(settings.device, settings.channel))
        if not _answers(site, settings.device, meter, now_ms) or meters.meter_at(site, name, t_ms) is not None:
            continue
        told = _of_meter(site, meter, settings.device, t_ms)
        effect = _consequence(site) if settings.role == "grid" else "; how much is from the sun is not known"
        effect = "" if settings.role == "load" else effect
        yield _problem(name, settings.device, told, effect)
    for name, storage_settings in site.configuration.storages.items():
        device = storage_settings.device
        address = address_of(device, storage_settings.channel)
        storage = site.storages.get(address)
        if not _answers(site, device, storage, now_ms) or meters.storage_at(site, name, t_ms) is not None:
            continue
        yield _problem(name, device, _of_storage(site, storage, device, t_ms), _consequence(site))


def _answers(site: Site, device: str, last: Meter | Storage | None, now_ms: int) -> bool:
    """Whether a device has been read in this run; while it is lost, that is the problem to tell of.

    Of an inverter that sleeps nothing is expected but what it says all the same.
    """
    found = site.devices[device]
    lost = found.lost_since_ms is not None or found.error == "access-denied"
    t_ms = site.t_ms + max(0, now_ms - site.wall_ms)
    awake = not asleep(site, device, now_ms) or (last is not None and _read_lately(site, last, device, t_ms))
    return found.heard and found.reachable is not None and not lost and awake


def _of_meter(site: Site, meter: Meter | None, device: str, t_ms: int) -> tuple[str, str, int | None]:
    """A problem's code, its text and since when it has been so."""
    if meter is not None and meter.power_w is not None and _read_lately(site, meter, device, t_ms):
        if meters.frozen(meter):
            for_s = (t_ms - meter.same_t_ms) / 1000
            text = f"has said the very same, {power(meter.power_w)}, for {duration(for_s)}: it measures no longer"
            return "meter-frozen", text, _wall_ms(site, meter.same_t_ms)
        if witness.doubted(meter, t_ms):
            return "meter-lies", _against(meter.witness), _wall_ms(site, meter.witness.doubted_t_ms or t_ms)
        return "meter-lies", f"says {power(meter.power_w)}, which cannot be", None
    return _silent(site, meter, device, t_ms)


def _of_storage(site: Site, storage: Storage | None, device: str, t_ms: int) -> tuple[str, str, int | None]:
    if storage is None or storage.power_w is None or not _read_lately(site, storage, device, t_ms):
        return _silent(site, storage, device, t_ms)
    if storage.contents.denied:
        return "meter-lies", f"says {power(storage.power_w)}, which its level contradicts", None
    if meters.frozen(storage):
        for_s = (t_ms - storage.same_t_ms) / 1000
        return "meter-frozen", f"has said the very same for {duration(for_s)}: it measures no longer", None
    return "meter-lies", f"says {power(storage.power_w)}, which cannot be", None


def _against(seen: Witness) -> str:
    """What a meter did while charging took more or less, and what is likely."""
    likely = {
        "against": "it counts the wrong way round: `invert` of its [meter]",
        "too-much": "its factor or its unit is wrong",
        "deaf": "it is not measured, or does not see the charger",
    }
    moved = (
        "the very same" if not seen.moved_w else f"{power(abs(seen.moved_w))} {'more' if seen.moved_w > 0 else 'less'}"
    )
    step = f"{power(abs(seen.step_w))} {'more' if seen.step_w > 0 else 'less'}"
    return f"said {moved} when charging took {step}; {likely[seen.kind]}"


def _silent(site: Site, last: Meter | Storage | None, device: str, t_ms: int) -> tuple[str, str, int | None]:
    if last is None or last.seq < site.run_seq:
        says = "answers, and says nothing of it" if site.devices[device].reachable else "does not answer"
        return "meter-silent", f"{device} {says}", None
    if _read_lately(site, last, device, t_ms):
        return "meter-silent", "is read, and does not say its power", None
    return "meter-silent", f"has said nothing for {duration((t_ms - last.t_ms) / 1000)}", last.at_ms


def _read_lately(site: Site, last: Meter | Storage, device: str, t_ms: int) -> bool:
    max_age_ms = site.configuration.devices[device].max_age_s * 1000
    return last.seq >= site.run_seq and t_ms - last.t_ms <= max_age_ms


def _wall_ms(site: Site, t_ms: int) -> int:
    return site.wall_ms - max(0, site.t_ms - t_ms)


def _problem(name: str, device: str, told: tuple[str, str, int | None], effect: str) -> Problem:
    code, text, since_ms = told
    return Problem(code, 4, name, f"{text}{effect}", since_ms, f"chargerctl device read {device}")
