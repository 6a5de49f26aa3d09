"""Importing: an INI file of the script that this project started from becomes a configuration of ours.

The script changed the names of its keys twice; all three generations are understood, also mixed. What the file meant counts,
not what the script made of it: it forgot capitals, and ran on its built-in figures when keys were of another generation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from chargerd.config import ini
from chargerd.config.draft import Part, Value, name_for, text
from chargerd.config.problems import ConfigError, Problem, meant
from chargerd.config.profiles import order_faults, profile_of, shipped
from chargerd.config.site import VehicleTable
from chargerd.model.settings import ADJUSTABLE

PLUGS, STORAGE, FULL = "plugs", "storage", "fullcharge"
LISTS = (PLUGS, STORAGE, FULL)

# Old key → ours, and the generation that wrote it: 1 is the first release, 2 the files for the seasons, 3 the last one.
KEYS: dict[str, tuple[str, int]] = {
    "nominal_charged_battery_power_threshold": ("nominal_stop_w", 1),
    "fully_charged_battery_power_threshold": ("full_w", 1),
    "storage_charged_battery_power_threshold": ("storage_stop_w", 1),
    "nominal_charge_battery_power_threshold": ("nominal_stop_w", 2),
    "nominal_charge_start_battery_power_threshold": ("nominal_start_w", 2),
    "full_charge_battery_power_threshold": ("full_w", 2),
    "storage_charge_battery_power_threshold": ("storage_stop_w", 2),
    "storage_charge_start_battery_power_threshold": ("storage_start_w", 2),
    "storage_charge_battery_cycle_limit": ("", 2),
    "nominal_charge_start_power_threshold": ("nominal_start_w", 3),
    "nominal_charge_stop_power_threshold": ("nominal_stop_w", 3),
    "full_charge_power_threshold": ("full_w", 3),
    "storage_charge_start_power_threshold": ("storage_start_w", 3),
    "storage_charge_stop_power_threshold": ("storage_stop_w", 3),
    "storage_charge_cycle_limit": ("", 3),
    "coarse_probe_threshold_margin": ("margin_w", 0),
    "charger_amp_hour_rate": ("charger_a", 0),
    "battery_amp_hour_capacity": ("capacity_ah", 0),
    "battery_voltage": ("voltage_v", 0),
    "charger_efficiency": ("efficiency", 0),
}
UNKNOWN_IF_0 = ("charger_a", "capacity_ah")  # there 0 said that it is not known
SCHEDULED = (
    '[site] timezone = "Europe/Berlin"',
    '[loadpoint.NAME] schedule = [ { days = "mon-fri", at = "00:00" }, { days = "sat", at = "00:00", target = "full" } ]',
)
ORDER = tuple(VehicleTable.model_fields)


class Imported(Struct, frozen=True):
    """The text of the configuration, what could not be carried over or wants a look, and how much there was."""

    text: str
    notes: tuple[str, ...]
    profiles: int
    plugs: int
    chargers: int | None = None  # None: of a program that knows none


class _Profile(Struct):
    """A section with figures: ours by key, each with the entry it came from."""

    section: str
    vehicle: str
    line: int
    values: dict[str, float]
    origins: dict[str, ini.Entry]
    generations: set[int]
    cycle_limit: float | None = None


def import_ini(file: str, content: str, found: Sequence[Mapping[str, Any]] | None = None) -> Imported:
    """The configuration that an INI file meant. Raises `ConfigError` with everything that is wrong in it.

    ``found`` are the plugs that a search has found, as Discover replies them, so that sockets of strips become what they are;
    None: nobody has searched.
    """
    read, problems = ini.read(file, content)
    work = _Import(file, read, found)
    profiles = work.profiles()
    plugs = work.plugs(profiles)
    problems += work.problems
    if not read.sections and problems:
        raise ConfigError(problems)
    known = work.knows_any()
    if not known or (not profiles and not plugs and not problems):
        hint = "It has a section with figures for each kind of charger, and [Plugs] with lines such as rad_battery_1 = Rad."
        nothing = Problem(file, 0, "", "is no configuration of the e-bike battery script", hint)
        problems = [*(problems if known else ()), nothing]  # of another program's file no key needs to be named
    if problems:
        raise ConfigError(sorted(dict.fromkeys(problems), key=lambda problem: problem.line))
    return Imported(
        text(work.head(profiles), [*work.vehicles(profiles), *plugs]), tuple(work.notes), len(profiles), work.count
    )


class _Import:
    """One file under way."""

    def __init__(self, file: str, read: ini.Ini, found: Sequence[Mapping[str, Any]] | None) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.count = 0
        self._file = file
        self._ini = read
        self._found = found
        self._lists = {name.casefold(): name for name in read.sections if name.casefold() in LISTS}

    def knows_any(self) -> bool:
        """Whether there is anything in it that the script would have read."""
        return bool(self._lists) or any(entry.key.casefold() in KEYS for entry in self._ini.entries)

    def _wrong(self, entry: ini.Entry, what: str, hint: str = "", value: str = "") -> None:
        self.problems.append(Problem(self._file, entry.line, f"{entry.section}.{entry.key}", what, hint, value))

    def _list(self, name: str) -> list[ini.Entry]:
        return self._ini.of(self._lists[name]) if name in self._lists else []

    # Profiles

    def profiles(self) -> list[_Profile]:
        """Every section with figures. [DEFAULT] lends what it has to all others, as in every INI file of Python's."""
        lent = self._ini.of("DEFAULT")
        made: list[_Profile] = []
        for section, line in self._ini.sections.items():
            if section.casefold() in LISTS or section == "DEFAULT":
                continue
            own = self._ini.of(section)
            entries = own + [each for each in lent if each.key.casefold() not in {e.key.casefold() for e in own}]
            taken = [*shipped(), *(profile.vehicle for profile in made)]
            profile = _Profile(section, name_for(section.lower(), taken), line, {}, {}, set())
            for entry in entries:
                self._take(profile, entry)
            self._complete(profile, bad=any(problem.key.startswith(f"{section}.") for problem in self.problems))
            made.append(profile)
        return made

    def _take(self, profile: _Profile, entry: ini.Entry) -> None:
        ours, generation = KEYS.get(entry.key.casefold(), ("?", 0))
        if ours == "?":
            hint = meant(entry.key, KEYS) if get_close_matches(entry.key.casefold(), KEYS, 1, 0.6) else ""
            self._wrong(
                entry, "is of no known generation of this file", hint or "Nothing is guessed: take it out, or name it."
            )
            return
        number = self._number(entry, ours)
        if generation:
            profile.generations.add(generation)
        if number is None:
            return
        if not ours:
            profile.cycle_limit = number
            return
        first = profile.origins.get(ours)
        if first is not None and profile.values[ours] != number:
            what = f"contradicts {first.key} in line {first.line}, which says {profile.values[ours]:g}"
            self._wrong(entry, what, "They are one figure under two names; take one of them out.", entry.value or "")
            return
        profile.values[ours], profile.origins[ours] = number, entry

    def _number(self, entry: ini.Entry, ours: str) -> float | None:
        try:
            number = float(entry.value or "")
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            said = "has no value" if not entry.value else "is no number"
            self._wrong(entry, said, "Write a number without its unit: 90.0.", entry.value or "")
            return None
        if number == 0 and ours in UNKNOWN_IF_0:
            return None
        low, high = ADJUSTABLE["battery"].get(
            ours, {"charger_a": (0.05, 100.0), "capacity_ah": (0.1, 1000.0)}.get(ours, (0.0, 1e6))
        )
        if not low <= number <= high:
            self._wrong(entry, f"must be between {low:g} and {high:g}", value=entry.value or "")
            return None
        return number

    def _complete(self, profile: _Profile, *, bad: bool) -> None:
        """Figures that must be there, and that do not contradict each other."""
        missing = [] if {"nominal_start_w", "nominal_stop_w"} & profile.values.keys() else ["the nominal threshold"]
        missing += [] if "full_w" in profile.values else ["the threshold of a full charge"]
        if missing and not bad:
            text = f"lacks {' and '.join(missing)}"
            hint = "The script took its built-in figures then, 90 and 5 W, without a word; write what you mean."
            self.problems.append(Problem(self._file, profile.line, profile.section, text, hint))
        if missing or bad:
            return
        ours = profile_of(profile.vehicle, VehicleTable.model_validate(profile.values), None)
        for key, fault in order_faults(ours):
            entry = profile.origins.get(key) or next(iter(profile.origins.values()))
            self._wrong(entry, fault, value=entry.value or "")

    def vehicles(self, profiles: Sequence[_Profile]) -> list[Part]:
        """[vehicle.NAME] for each profile."""
        parts = []
        for profile in profiles:
            keys: dict[str, Value] = {key: profile.values[key] for key in ORDER if key in profile.values}
            below = []
            if profile.cycle_limit is not None:
                below.append(
                    f"Not carried over: storage cycle limit {profile.cycle_limit:g}. A plug here never starts again by itself;"
                    " each charge is begun by you or by a schedule."
                )
            if "efficiency" not in profile.values:
                below.append("efficiency was not given; 0.8 counts (the script's text said 0.8, its code 0.75).")
            above = (f"From [{profile.section}], line {profile.line}.",)
            parts.append(Part("vehicle", profile.vehicle, keys, above, tuple(below)))
        return parts

    def head(self, profiles: Sequence[_Profile]) -> list[str]:
        """What is said at the top of the file."""
        generations = sorted({number for profile in profiles for number in profile.generations})
        named = {1: "first", 2: "second", 3: "third"}
        which = " and ".join(named[number] for number in generations)
        lines = [
            f"Made by chargerctl configure import from {self._file}"
            + (f" ({which} generation of keys)." if which else ".")
        ]
        lines += [f"Note: {note}" for note in self.notes]
        lines.append(
            "Not in that file, because cron started the script: when to charge. Begin a charge with chargerctl mode NAME fast, or"
            " give a loadpoint a schedule, and the site its time zone:"
        )
        lines += SCHEDULED
        return lines

    # Plugs

    def plugs(self, profiles: Sequence[_Profile]) -> list[Part]:
        """[device.NAME] and [loadpoint.NAME] for each plug."""
        known = {profile.section: profile for profile in profiles}
        storage, full = self._listed(STORAGE), self._listed(FULL)
        points: list[Part] = []
        devices = _Devices(self._found)
        for entry in self._list(PLUGS):
            if entry.key.casefold() in KEYS:
                self._wrong(entry, "is a figure and no plug", "It belongs into the section of a charger.")
                continue
            refused = devices.refusal(entry.key)
            if refused:
                self.notes.append(f"{entry.key} (line {entry.line}) was left out: {refused}.")
                continue
            name = name_for(entry.key, [point.name for point in points])
            alias = entry.key.casefold()
            target = "storage" if alias in storage else "full" if alias in full else "nominal"
            keys: dict[str, Value] = {"charger": devices.address(entry.key), "vehicle": self._vehicle(entry, known)}
            above = [f"From [{entry.section}], line {entry.line}."]
            if alias in storage and alias in full:
                above.append("It is in [Storage] and in [FullCharge]; storage counts, as it did.")
            points.append(Part("loadpoint", name, {**keys, "target": target}, tuple(above)))
        self.count = len(points)
        self._left_over(storage | full)
        self.notes += devices.notes()
        return [*devices.parts(), *points]

    def _vehicle(self, entry: ini.Entry, known: Mapping[str, _Profile]) -> str:
        profile = known.get(entry.value or "")
        if profile is not None:
            return profile.vehicle
        close = get_close_matches(entry.value or "", known, 1, 0.6)
        maybe = f"; was [{close[0]}] meant?" if close else "."
        what = f"names the profile {entry.value!r}, which the file does not have" if entry.value else "names no profile"
        self.notes.append(
            f"{entry.key} (line {entry.line}) {what}{maybe} It is charged by the built-in figures, nominal 90 W and full 5 W,"
            " as the script did."
        )
        return "default"

    def _listed(self, name: str) -> dict[str, ini.Entry]:
        return {entry.key.casefold(): entry for entry in self._list(name)}

    def _left_over(self, listed: Mapping[str, ini.Entry]) -> None:
        plugs = {entry.key.casefold() for entry in self._list(PLUGS)}
        for alias, entry in listed.items():
            if alias not in plugs:
                text = f"{entry.key} is in [{entry.section}] (line {entry.line}) and not in [Plugs]; it was left out."
                self.notes.append(text)


class _Devices:
    """Where the plugs of the file are: as found on the network, else by their names."""

    def __init__(self, found: Sequence[Mapping[str, Any]] | None) -> None:
        self._found = found
        self._parts: dict[str, Part] = {}
        self._names: dict[str, str] = {}  # hardware address of a found device → its name
        self._unseen: list[str] = []

    def refusal(self, alias: str) -> str:
        """Why a plug of that name cannot be used; "" if nothing is known against it."""
        matches = self._matches(alias)
        if len(matches) > 1:
            where = " and ".join(str(plug["address"]) for plug, _ in matches)
            return f"two plugs have this name, at {where}; rename one in the app"
        if matches and matches[0][0]["has_meter"] is False:
            return f"it is a {matches[0][0]['model']}, which has no meter"
        return ""

    def address(self, alias: str) -> str:
        """The charger's address for a plug of that name; its device is made if need be."""
        matches = self._matches(alias)
        if not matches:
            name = name_for(alias, self._parts)
            above = () if self._found is None else ("Not found on the network when this was made.",)
            self._parts[name] = Part("device", name, {"driver": "kasa", "alias": alias}, above)
            self._unseen.append(alias)
            return name
        plug, channel = matches[0]
        name = self._names.get(plug["mac"], "")
        if not name:
            name = name_for(plug["alias"], self._parts)
            self._names[plug["mac"]] = name
            self._parts[name] = Part("device", name, device_keys(plug), (f"{plug['model']} {plug['alias']!r}",))
        return f"{name}/{channel}" if channel else name

    def _matches(self, alias: str) -> list[tuple[Mapping[str, Any], str]]:
        """Plugs and sockets of that name, each with its channel."""
        wanted = alias.casefold()
        matches: list[tuple[Mapping[str, Any], str]] = []
        for plug in self._found or ():
            named = [socket for socket in plug["sockets"] if socket["alias"].casefold() == wanted]
            matches += [(plug, channel_of(socket)) for socket in named]
            if not plug["sockets"] and (plug["alias"] or "").casefold() == wanted:
                matches.append((plug, ""))
        return matches

    def parts(self) -> list[Part]:
        """The devices, in the order in which they were met."""
        return list(self._parts.values())

    def notes(self) -> list[str]:
        """What a person should know of plugs that nobody has seen."""
        if not self._unseen:
            return []
        why = "The network was not searched" if self._found is None else "Not found on the network"
        return [
            f"{why}: {', '.join(self._unseen)}. Each is taken for a plug of its own, looked for by its name. If it is a socket of"
            ' a strip, make the strip one device and write charger = "STRIP/SOCKET"; chargerctl discover shows which.'
        ]


def channel_of(socket: Mapping[str, Any]) -> str:
    """How a socket of a strip is named in an address: by its name, or by its id where the name does not fit."""
    alias: str = socket["alias"]
    fits = 0 < len(alias) <= 60 and "/" not in alias and alias.isprintable() and not socket["note"]
    return alias if fits else str(socket["channel"])


def device_keys(plug: Mapping[str, Any]) -> dict[str, Value]:
    """The keys of a device that a search has found: its hardware address, so that it is found again wherever it moves."""
    keys: dict[str, Value] = {"driver": plug["driver"], "host": plug["address"], "mac": plug["mac"]}
    if plug["port"] != 9999:
        keys["port"] = plug["port"]
    return keys
