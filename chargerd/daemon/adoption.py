"""Adoption: plugs whose names begin as the configuration says become loadpoints, beside those of the files. Pure.

What was adopted is part of the configuration in force and so of the log; it stays until its plug is called otherwise or the
configuration no longer wants it. A plug that misses a search, or is gone, is missing like any other and stays adopted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from chargerd import drivers
from chargerd.config.draft import name_for
from chargerd.config.load import Loaded, device_settings
from chargerd.daemon.discovery import device_of
from chargerd.drivers.base import Found
from chargerd.model.settings import Adopted, LoadpointSettings, address_of
from chargerd.model.state import Device, Site


class Change(NamedTuple):
    """What a search changes: all that are adopted from here on, and sentences about what was not taken."""

    adopted: tuple[Adopted, ...]
    refused: tuple[str, ...]


class Candidate(NamedTuple):
    """A plug or socket of the right name."""

    found: Found
    alias: str
    channel: str


def effective(loaded: Loaded, adopted: Sequence[Adopted], site: Site) -> Loaded:
    """The files' configuration with what is adopted and still wanted. What the files themselves have is theirs.

    ``site`` is the state of before: the devices in it have told who they are.
    """
    base = loaded.configuration
    if loaded.adoption is None or not adopted:
        return loaded
    devices, configs = dict(base.devices), dict(loaded.device_configs)
    points = dict(base.loadpoints)
    kept: list[Adopted] = []
    files = _as_the_files_have_it(loaded, site)
    for one in adopted:
        if not _begins(one.alias, loaded.adoption.prefix):
            continue
        owner = device_of(_seen(one), files)
        device = owner or _device_name(one, kept, devices)
        charger = address_of(device, one.channel)
        if owner is not None and _has_loadpoint(owner, Candidate(_seen(one), one.alias, one.channel), files):
            continue
        if device not in devices:
            configs[device] = drivers.load("kasa").Driver.Config(driver="kasa", **_keys(one))
            devices[device] = device_settings(device, configs[device])
        name = one.loadpoint if one.loadpoint not in points else name_for(one.loadpoint, points)
        points[name] = LoadpointSettings(name, charger, loaded.adoption.profile, loaded.adoption.target)
        kept.append(structs.replace(one, device=device, loadpoint=name))
    configuration = structs.replace(base, devices=devices, loadpoints=points, adopted=tuple(kept))
    return structs.replace(loaded, configuration=configuration, device_configs=configs)


def after(found: Sequence[Found], loaded: Loaded, adopted: Sequence[Adopted], site: Site) -> Change:
    """What to adopt after a search: what was, but for plugs that are called otherwise now, and what is new."""
    if loaded.adoption is None:
        return Change((), ())
    by_place = {(one.mac, one.channel): one for one in adopted}
    files = _as_the_files_have_it(loaded, site)
    candidates = [c for f in found for c in _candidates(f, loaded.adoption.prefix)]
    names = [candidate.alias.casefold() for candidate in candidates]
    kept = [one for one in adopted if not _renamed(one, found, loaded.adoption.prefix)]
    refused = []
    for candidate in candidates:
        where = candidate.found.host
        if (candidate.found.mac, candidate.channel) in by_place or _is_configured(candidate, files):
            continue
        if names.count(candidate.alias.casefold()) > 1:
            refused.append(
                f"{candidate.alias} at {where}: another plug has this name, so neither is adopted; rename one"
            )
        elif candidate.found.has_meter is not True:
            refused.append(
                f"{candidate.alias} at {where}: a {candidate.found.model}, which has no meter, is not adopted"
            )
        elif candidate.found.mac:
            kept.append(_adopted(candidate, [*loaded.configuration.loadpoints, *(one.loadpoint for one in kept)]))
    return Change(tuple(kept), tuple(refused))


def _candidates(found: Found, prefix: str) -> list[Candidate]:
    """The sockets of a strip, or a single plug, of the right name."""
    if found.sockets:
        return [
            Candidate(found, socket.alias, socket.channel) for socket in found.sockets if _begins(socket.alias, prefix)
        ]
    alias = found.alias or ""
    return [Candidate(found, alias, "")] if _begins(alias, prefix) else []


def _begins(alias: str, prefix: str) -> bool:
    # Names of plugs are the same in any case everywhere else, too.
    return alias.casefold().startswith(prefix.casefold())


def _renamed(one: Adopted, found: Sequence[Found], prefix: str) -> bool:
    """Whether a search has seen it, and under a name that is not to be adopted."""
    for plug in found:
        if plug.mac == one.mac:
            named = {socket.channel: socket.alias for socket in plug.sockets}
            # None: it does not tell its name any more, which is no new one.
            alias = named.get(one.channel) if one.channel else plug.alias
            return alias is not None and not _begins(alias, prefix)
    return False


def _is_configured(candidate: Candidate, files: Site) -> bool:
    """Whether the files have a loadpoint for it already."""
    owner = device_of(candidate.found, files)
    return owner is not None and _has_loadpoint(owner, candidate, files)


def _has_loadpoint(owner: str, candidate: Candidate, files: Site) -> bool:
    """Whether a loadpoint of the files has this socket, or all of the device, or a socket of it where all is wanted."""
    ids = files.devices[owner].channels
    for point in files.configuration.loadpoints.values():
        device, _, channel = point.charger.partition("/")
        if device != owner:
            continue
        alike = channel.casefold() == candidate.alias.casefold() or channel == candidate.channel
        if not channel or not candidate.channel or alike or ids.get(channel, "").endswith(candidate.channel):
            return True
    return False


def _adopted(candidate: Candidate, taken: Sequence[str]) -> Adopted:
    found, alias = candidate.found, candidate.alias
    name = name_for(found.alias or alias, ()) if candidate.channel else name_for(alias, taken)
    loadpoint = name_for(alias, taken)
    return Adopted(alias, name, loadpoint, found.mac, found.host, found.port, found.network, candidate.channel)


def _as_the_files_have_it(loaded: Loaded, site: Site) -> Site:
    """The state with the files' devices only, each with what it has told of itself."""
    devices = {name: site.devices.get(name, Device()) for name in loaded.configuration.devices}
    return structs.replace(site, configuration=loaded.configuration, devices=devices)


def _seen(one: Adopted) -> Found:
    return Found("kasa", one.host, one.port, one.mac, "", None if one.channel else one.alias, True, False, one.network)


def _device_name(one: Adopted, kept: Sequence[Adopted], devices: Mapping[str, object]) -> str:
    """The name of its device: that of a strip's other sockets, else its own if it is free."""
    for other in kept:
        if other.mac == one.mac:
            return other.device
    return one.device if one.device not in devices else name_for(one.device, devices)


def _keys(one: Adopted) -> dict[str, object]:
    return {"host": one.host, "port": one.port, "mac": one.mac}
