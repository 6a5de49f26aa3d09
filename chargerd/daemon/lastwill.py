"""Last will: what `chargerd.failsafe` is to do if the daemon dies, in a file that is kept up to date while it lives.

A charger with a lease gets a short one, so that a daemon that comes back within it goes on without a click, and one that does
not leaves the charger off. A charger without, or whose lease only lowers the current, is switched as its loadpoint's ``on_stop``
says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from chargerd import drivers
from chargerd.engine.limits import STOPPING_LEASE_S
from chargerd.engine.settings import settings_of
from chargerd.model.commands import enables
from chargerd.model.state import Site

NAME = "last-will.json"

_encode = msgspec.json.Encoder().encode


class LastWill:
    """The file. Written only when what it says changes; one that cannot be written is reported once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._written: bytes | None = None
        self._error = ""

    def keep(self, site: Site) -> str | None:
        """Bring the file up to date. It lies in memory, so nothing waits for a disk. What is wrong, once, if something is."""
        content = _encode({"tasks": tasks(site)})
        if content == self._written:
            return None
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(content)
            os.replace(new, self._path)
        except OSError as error:
            before, self._error = self._error, f"{self._path}: {error.strerror}"
            return self._error if self._error != before else None
        self._written, self._error = content, ""
        return None


def tasks(site: Site) -> list[dict[str, Any]]:
    """One task for each charger that is on and is not to be left so."""
    found = []
    for name in site.configuration.loadpoints:
        settings = settings_of(site, name)
        charger = site.chargers.get(settings.charger)
        device_name, _, channel = settings.charger.partition("/")
        device, held = site.devices[device_name], site.hold or site.loadpoints[name].hold
        if charger is None:
            continue
        turning_on = charger.pending is not None and enables(charger.pending.command)
        if charger.enabled is False and not turning_on:  # else it may be on by now, whatever it last said
            continue
        if charger.asked is not True and site.loadpoints[name].session is None:
            continue
        lease = device.lease_at(settings.charger)
        ends = device.ends_itself(settings.charger)
        if held is not None or (not ends and settings.on_stop == "leave"):
            continue
        if charger.timer == "foreign":
            continue  # somebody else's timer ends it
        if lease == "none":
            lease_s, wish, otherwise = None, "off", "it stays on: switch it off by hand"
        elif not ends:
            within_s, falls_to_a = device.lease_s(settings.lease_s), device.lease_current_a
            lease_s, wish = None, "off"
            otherwise = f"it falls to {falls_to_a:g} A within {within_s} s and charges on: switch it off by hand"
        else:
            lease_s = device.lease_s(STOPPING_LEASE_S)
            wish = f"its timer ends it in {lease_s} s"
            otherwise = f"its timer ends it within {device.lease_s(settings.lease_s)} s"
        stable = device.channels.get(channel, "")
        tell = drivers.load(device.driver).last_will(stable, lease_s) if device.switch_at else []
        found.append(
            {
                "loadpoint": name,
                "at": device.switch_at,
                "child": stable,
                "wish": wish,
                "tell": tell,
                "otherwise": otherwise,
            }
        )
    return found
