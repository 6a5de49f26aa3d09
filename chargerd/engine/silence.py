"""Silence: meters and house batteries that say nothing, the same for ever, or nonsense; and what that means for charging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct, structs

from chargerd.engine import meters, witness
from chargerd.engine.draft import Draft, State
from chargerd.engine.settings import mode_of
from chargerd.model.events import Event, MeterBack, MeterLost
from chargerd.model.reasons import duration, power
from chargerd.model.settings import SUN_MODES, address_of
from chargerd.model.state import Meter, Site, Storage, Unbelieved

ASLEEP = frozenset({"sleeping", "off", "shutting-down"})
NIGHT_MS = 20 * 3_600_000  # an inverter that sleeps longer than the longest night north of the Alps is no longer asleep

LASTING = frozenset(
    {"frozen", "contradicted", "against", "too-much", "deaf"}
)  # found out over minutes: told of at once


class Problem(Struct, frozen=True):
    """Something a person should know of. ``severity`` is the journal's: 3 must act, 4 worse than configured."""

    code: str
    severity: int
    subject: str
    text: str
    since_ms: int | None = None
    next_step: str = ""


def asleep(site: State, device: str, now_ms: int | None = None) -> bool:
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


class Channel(NamedTuple):
    """A configured meter or house battery. ``role`` is a meter's, or "storage"."""

    name: str
    role: str
    device: str
    address: str


def channels(state: State) -> Iterator[Channel]:
    """Every configured meter and house battery."""
    for meter in state.configuration.meters.values():
        yield Channel(meter.name, meter.role, meter.device, address_of(meter.device, meter.channel))
    for storage in state.configuration.storages.values():
        yield Channel(storage.name, "storage", storage.device, address_of(storage.device, storage.channel))


def channel_at(state: State, address: str) -> Channel:
    """The meter or house battery that an address is; one without a role if it is not configured any more."""
    plain = Channel(address, "", address.partition("/")[0], address)
    return next((channel for channel in channels(state) if channel.address == address), plain)


def meter_problems(site: Site, now_ms: int) -> Iterator[Problem]:
    """Meters and house batteries that cannot be believed although their device answers, or that it does not mention."""
    t_ms = site.t_ms + max(0, now_ms - site.wall_ms)
    for channel in channels(site):
        if not _answers(site, channel, now_ms, t_ms) or _believed(site, channel, t_ms):
            continue
        fault, since_t_ms = _fault(site, channel, t_ms)
        text = f"{fault_text(site, fault)}{effect(site, channel)}"
        since_ms = None if since_t_ms is None else site.wall_ms - max(0, site.t_ms - since_t_ms)
        yield Problem(_CODES.get(fault.code, "meter-lies"), 4, channel.name, text, since_ms, next_step(channel))


_CODES = {
    "silent": "meter-silent",
    "unmentioned": "meter-silent",
    "no-power": "meter-silent",
    "frozen": "meter-frozen",
}
"""Codes of problems; every other fault is a lie."""


def effect(site: Site, channel: Channel) -> str:
    """What it means for charging that a meter or house battery cannot be believed, to be read after what it does."""
    if channel.role in ("grid", "storage"):
        return _consequence(site)
    return "; how much is from the sun is not known" if channel.role == "pv" else ""


def next_step(channel: Channel) -> str:
    """What a person can do about it."""
    return f"chargerctl device read {channel.device}"


def fault_text(site: Site, fault: MeterLost) -> str:
    """What a meter or house battery does, in words, to be read after its name."""
    match fault.code:
        case "silent":
            return f"has said nothing for {duration(fault.for_s)}"
        case "unmentioned":
            name = fault.address.partition("/")[0]
            silent = name in site.devices and not site.devices[name].reachable
            return f"{name} {'does not answer' if silent else 'answers, and says nothing of it'}"
        case "no-power":
            return "is read, and does not say its power"
        case "frozen":
            said = "?" if fault.power_w is None else power(fault.power_w)
            return f"has said the very same, {said}, for {duration(fault.for_s)}: it measures no longer"
        case "against" | "too-much" | "deaf":
            return _against(fault)
    said = "?" if fault.power_w is None else power(fault.power_w)
    return f"says {said}, which {'its level contradicts' if fault.code == 'contradicted' else 'cannot be'}"


def _against(fault: MeterLost) -> str:
    """What a meter did while charging took more or less, and what is likely."""
    likely = {
        "against": "it counts the wrong way round: `invert` of its [meter]",
        "too-much": "its factor or its unit is wrong",
        "deaf": "it is not measured, or does not see the charger",
    }
    moved = (
        "the very same"
        if not fault.moved_w
        else f"{power(abs(fault.moved_w))} {'more' if fault.moved_w > 0 else 'less'}"
    )
    step = f"{power(abs(fault.step_w))} {'more' if fault.step_w > 0 else 'less'}"
    return f"said {moved} when charging took {step}; {likely[fault.code]}"


# What is told once


def followed(state: State, t_ms: int) -> dict[str, Unbelieved]:
    """What is to be remembered at a moment of meters and house batteries that cannot be believed, by their addresses.

    While their device does not answer, or sleeps, nothing is known of them: then what was told stays told, and no more. One answer
    that failed in between begins no new silence.
    """
    old, found = state.unbelieved, {}
    for channel in channels(state):
        before, well = old.get(channel.address), _well(state, channel, t_ms)
        if well is False:
            found[channel.address] = Unbelieved(t_ms) if before is None else structs.replace(before, well_t_ms=None)
        elif before is not None and before.told:
            well_t_ms = None if well is None else t_ms if before.well_t_ms is None else before.well_t_ms
            found[channel.address] = structs.replace(before, well_t_ms=well_t_ms)
        elif before is not None and _fails(state, channel) and state.devices[channel.device].lost_since_ms is None:
            found[channel.address] = before
    return old if found == old else found


def due(site: Site, t_ms: int) -> Iterator[MeterLost | MeterBack]:
    """Which meters and house batteries are to be told of at a moment, because they are lost or back for good.

    What may pass by itself has to have lasted for as long as a reading counts: one line when it goes, one when it is back.
    """
    for address, one in followed(site, t_ms).items():
        channel = channel_at(site, address)
        wait_ms = site.configuration.devices[channel.device].max_age_s * 1000
        if one.told:
            if one.well_t_ms is not None and t_ms - one.well_t_ms >= wait_ms:
                yield MeterBack(address, one.well_t_ms - one.since_t_ms)
            continue
        if _fails(site, channel):
            continue
        fault, _ = _fault(site, channel, t_ms)
        if fault.code in LASTING or t_ms - one.since_t_ms >= wait_ms:
            yield fault


def meter_lost(draft: Draft, _event: Event, fact: MeterLost) -> None:
    one = draft.unbelieved.get(fact.address) or Unbelieved(draft.t_ms)
    draft.unbelieved = {**draft.unbelieved, fact.address: structs.replace(one, told=True, well_t_ms=None)}


def meter_back(draft: Draft, _event: Event, fact: MeterBack) -> None:
    draft.unbelieved = {address: one for address, one in draft.unbelieved.items() if address != fact.address}


def _well(state: State, channel: Channel, t_ms: int) -> bool | None:
    """Whether a meter or house battery can be believed; None where nobody knows just now."""
    if _fails(state, channel) or not _answers(state, channel, state.at_ms + state.skew_ms, t_ms):
        return None
    if not _believed(state, channel, t_ms):
        return False
    # One that was found to lie is believed again after a while, to be tried; only a step that it follows clears it.
    last = _last(state, channel)
    trial = isinstance(last, Meter) and last.witness.doubted_t_ms is not None
    return None if trial else True


def _fails(state: State, channel: Channel) -> bool:
    """Whether the last reading of its device failed."""
    return state.devices[channel.device].failing_since_ms is not None


def _last(state: State, channel: Channel) -> Meter | Storage | None:
    if channel.role == "storage":
        return state.storages.get(channel.address)
    return state.meters.get(channel.address)


def _believed(state: State, channel: Channel, t_ms: int) -> bool:
    if channel.role == "storage":
        return meters.storage_at(state, channel.name, t_ms) is not None
    return meters.meter_at(state, channel.name, t_ms) is not None


def _answers(state: State, channel: Channel, now_ms: int, t_ms: int) -> bool:
    """Whether its device has been read in this run; while that is lost, that is the problem to tell of.

    Of an inverter that sleeps nothing is expected but what it says all the same.
    """
    found, last = state.devices[channel.device], _last(state, channel)
    lost = found.lost_since_ms is not None or found.error == "access-denied"
    if lost or not found.heard or found.reachable is None:
        return False
    return not asleep(state, channel.device, now_ms) or (last is not None and _read_lately(state, last, channel, t_ms))


def _fault(state: State, channel: Channel, t_ms: int) -> tuple[MeterLost, int | None]:
    """What is wrong with a meter or house battery that cannot be believed, and since when if that is known."""
    last, address = _last(state, channel), channel.address
    if last is None or last.seq < state.run_seq:
        return MeterLost(address, "unmentioned"), None
    if not _read_lately(state, last, channel, t_ms):
        return MeterLost(address, "silent", for_s=(t_ms - last.t_ms) / 1000), last.t_ms
    if last.power_w is None:
        return MeterLost(address, "no-power"), None
    if isinstance(last, Storage) and last.contents.denied:
        return MeterLost(address, "contradicted", last.power_w), None
    if meters.frozen(last):
        return MeterLost(address, "frozen", last.power_w, (t_ms - last.same_t_ms) / 1000), last.same_t_ms
    if isinstance(last, Meter) and witness.doubted(last, t_ms):
        seen = last.witness
        fault = MeterLost(address, seen.kind, last.power_w, step_w=seen.step_w, moved_w=seen.moved_w)
        return fault, seen.doubted_t_ms
    return MeterLost(address, "impossible", last.power_w), None


def _read_lately(state: State, last: Meter | Storage, channel: Channel, t_ms: int) -> bool:
    max_age_ms = state.configuration.devices[channel.device].max_age_s * 1000
    return last.seq >= state.run_seq and t_ms - last.t_ms <= max_age_ms
