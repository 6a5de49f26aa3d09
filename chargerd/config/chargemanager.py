"""Chargemanager: the settings of that program, which follows the sun with a car and a plug, become a configuration of ours.

Its table of settings has had five shapes, each a set of columns; a database keeps the one that it was made with. What a setting
was said to mean counts: the newest program does not use all of them. Secrets are named in the result and never copied into it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from chargerd.config import times
from chargerd.config.base import Credential
from chargerd.config.database import Cell, Kept
from chargerd.config.draft import Part, Value, text
from chargerd.config.importing import Imported, device_keys
from chargerd.config.problems import ConfigError, Problem, shown

ZONE = "Europe/Berlin"  # of all its clocks, whatever the computer's
MODBUS_PORT = 1502
FAST_A = 15  # its fast charging; slow is 6 A, as here
SUNNY_HOURS = "09:00-16:00"  # in these hours it went on slowly when the sun was gone
TRACKED = 3
_RANGES = {
    "seport": (1, 65535),
    "pvpeakpower": (100, 1_000_000),
    "batterystartsoc": (0, 100),
    "batterymaxconsumption": (0, 100_000),
    "batterymaxinput": (0, 100_000),
    "chargemodeauto": (0, 1),
    "chargingphases": (1, 3),
    "plugonpower": (0, 25_000),
    "plugstartFromSOC": (0, 100),
    "plugEnabled": (0, 1),
    "allowPlugUseBattery": (0, 1),
    "plugstartFrom": (0, 24),
}
_HOST = r"[A-Za-z0-9._-]+"
_MAC = r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"
_OF_THE_AUTHOR = "492d78056cf2ca3e"
"""Begin of the SHA-256 of the hardware address in the URLs that the program comes with: somebody's charger, and not the user's."""


def import_settings(file: str, kept: Kept, found: Sequence[Mapping[str, Any]] | None = None) -> Imported:
    """The configuration that the settings meant. Raises `ConfigError` with every value that cannot be meant.

    ``found`` are the plugs that a search has found, as for an INI file.
    """
    work = _Import(file, kept, found)
    parts = [*work.inverter(), *work.chargers(), *work.plug()]
    parts.insert(0, work.site())
    work.rest()
    if work.problems:
        raise ConfigError(work.problems)
    head = [f"Made by chargerctl configure import from {file}, a database of chargemanager."]
    head += [f"Note: {note}" for note in work.notes]
    return Imported(text(head, parts), tuple(work.notes), 0, work.plugs, work.boxes)


class _Import:
    """One database under way."""

    def __init__(self, file: str, kept: Kept, found: Sequence[Mapping[str, Any]] | None) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.plugs = self.boxes = 0
        self._file = file
        self._settings = kept.settings
        self._strategy = kept.strategy
        self._found = found or ()

    # Values

    def _wrong(self, column: str, what: str, hint: str = "", *, secret: bool = False) -> None:
        cell = self._settings.get(column)
        value = "" if secret or isinstance(cell, bytes) else shown(cell)
        self.problems.append(Problem(self._file, 0, f"settings.{column}", what, hint, value))

    def _number(self, column: str, otherwise: int = 0) -> int:
        """A whole number in the range of its column; ``otherwise`` where the database has no such column."""
        if column not in self._settings:
            return otherwise
        low, high = _RANGES[column]
        number = _whole(self._settings[column])
        if number is None:
            self._wrong(
                column, "is no whole number", f"Write one from {low} to {high} on chargemanager's settings page."
            )
        elif not low <= number <= high:
            self._wrong(column, f"must be between {low} and {high}")
        else:
            return number
        return low

    def _word(self, column: str) -> str:
        cell = self._settings.get(column)
        if cell is None or isinstance(cell, bytes):
            if cell is not None:
                self._wrong(column, "is no text")
            return ""
        return str(cell).strip()

    def _host(self, column: str) -> str:
        """An address; "" if nobody has set one."""
        word = self._word(column)
        if _unset(word):
            return ""
        if not _is_host(word):
            self._wrong(column, "is no address", 'Such as "192.168.178.20".')
        return word

    def _window(self, begin: str, end: str) -> str:
        """A window as we write it; "" for one that never comes, because it ends when it begins."""
        minutes = []
        for column in (begin, end):
            try:
                minutes.append(times.minute(self._word(column), end=column == end))
            except ValueError as error:
                self._wrong(column, str(error).partition('" ')[2], "chargemanager could not read it either.")
        if len(minutes) < 2 or minutes[0] == minutes[1]:
            return ""
        written = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in minutes)
        if minutes[0] > minutes[1]:
            self.notes.append(
                f"{begin} to {end} goes over midnight, {written}: there it never came, here it does. Look whether you mean it."
            )
        return written

    # Parts

    def site(self) -> Part:
        """[site]: its clocks had one zone, and of several chargers one charged at a time. Made when these are known."""
        keys: dict[str, Value] = {"timezone": ZONE}
        if self.boxes > 1 and not self.plugs:
            keys["sharing"] = "one-at-a-time"
        elif self.boxes > 1:
            self.notes.append(
                "There one charger charged at a time. Here they share the sun, because"
                ' sharing = "one-at-a-time" would have the plug wait too.'
            )
        return Part("site", "", keys, (f"All times there were those of {ZONE}.",))

    def inverter(self) -> list[Part]:
        """The inverter with the meter at the grid, the panels and the house battery."""
        host, port = self._host("seip"), self._number("seport", MODBUS_PORT)
        if not host:
            self._wrong(
                "seip", "is not set, and without the inverter nobody knows what the sun leaves over", "Set it there."
            )
        keys: dict[str, Value] = {"driver": "solaredge", "host": host}
        if port != MODBUS_PORT:
            keys["port"] = port
        channel = {"device": "inverter"}
        battery: dict[str, Value] = {
            **channel,
            "channel": "battery1",
            "priority_pct": self._number("batterystartsoc"),
            "max_discharge_for_charging_w": self._number("batterymaxconsumption"),
            "max_charge_w": self._number("batterymaxinput"),
        }
        above = (
            "Below priority_pct the house battery is charged first, and the car gets what it cannot take (max_charge_w): so"
            " these settings were described. The newest chargemanager let the car go first all the same; for that take"
            " priority_pct out.",
            "If there is no house battery, take this table out.",
        )
        peak_w = self._number("pvpeakpower")
        return [
            Part("device", "inverter", keys),
            Part(
                "meter",
                "grid",
                {**channel, "channel": "meter1", "role": "grid"},
                ("Meter 1 is at the grid, as it was there.",),
            ),
            Part("meter", "pv", {**channel, "channel": "inverter", "role": "pv", "peak_w": peak_w}),
            Part("storage", "house", battery, above),
        ]

    def chargers(self) -> list[Part]:
        """The car, and each charger that is set with a loadpoint of its own."""
        devices = [part for part in (self._nrgkick(), self._pulsar(), self._keba()) if part is not None]
        self.boxes = len(devices)
        phases = self._number("chargingphases", 3)
        automatic = self._number("chargemodeauto") == 1
        full_pct = self._number("batterystartsoc")
        if not devices:
            self.notes.append("No charger for cars is set in it.")
            return []
        parts = [Part("vehicle", "car", {"max_phases": phases})]
        for device in devices:
            keys: dict[str, Value] = {"charger": device.name, "vehicle": "car"}
            keys |= {"mode": "solar" if self._strategy == TRACKED else "off", "max_current_a": FAST_A}
            below: tuple[str, ...] = ()
            if automatic:
                keys |= {"auto_solar_pct": full_pct, "auto_slow": SUNNY_HOURS}
                below = (
                    "auto_slow: when the sun is gone in these hours the car goes on slowly, with energy of the house battery or the"
                    " grid, as it did there. Take it out to have it wait for the sun.",
                )
            parts += [device, Part("loadpoint", device.name, keys, below=below)]
        names = [device.name for device in devices]
        if self._strategy != TRACKED:
            self.notes.append(
                f"{' and '.join(names)} begin{'s' if len(names) == 1 else ''} in mode off. What was Tracked is mode solar:"
                f" chargerctl mode {names[0]} solar. Slow and Fast are slow and fast."
            )
        self.notes.append(
            "No fuse was known there. Describe it, and name it at each charger: [circuit.main] max_current_a = 35."
        )
        return parts

    def _nrgkick(self) -> Part | None:
        """From the URL http://HOST/api/measurements/MAC of the Connect box, and the one for its settings beside it."""
        urls = {column: self._word(column) for column in ("measurementsurl", "settingsurl")}
        if all(_unset(urlsplit_host(url)) for url in urls.values()):
            return None
        places = [self._connect_box(column, url) for column, url in urls.items()]
        if None in places:
            return None
        (host, port, mac), other = places[0] or ("", 80, ""), places[1]
        if (host, port, mac) != other:
            self._wrong("settingsurl", "is of another charger than measurementsurl")
            return None
        if hashlib.sha256(mac.encode()).hexdigest().startswith(_OF_THE_AUTHOR):
            self.notes.append("The NRGkick was left out: its address is the one that chargemanager came with.")
            return None
        keys: dict[str, Value] = {"driver": "nrgkick", "host": host, "generation": 1, "mac": mac}
        if port != 80:
            keys["port"] = port
        if not self._word("chargerpassword"):
            self.notes.append("The NRGkick has no PIN there; without one chargerd only looks at it.")
            return Part("device", "nrgkick", keys)
        keys["password"] = Credential(credential="nrgkick")
        put = (
            "The NRGkick's PIN is a secret and was not copied. Put it where only root can read it: sudo install -m 600 /dev/stdin"
            " /etc/chargerd/secrets/nrgkick, type it, end with Ctrl-D."
        )
        self.notes.append(put)
        return Part("device", "nrgkick", keys, (put,))

    def _connect_box(self, column: str, url: str) -> tuple[str, int, str] | None:
        """Host, port and hardware address; None if it is none, which is noted."""
        what = "measurements" if column == "measurementsurl" else "settings"
        match = re.fullmatch(rf"https?://({_HOST})(?::([0-9]{{1,5}}))?/api/{what}/({_MAC})/?", url)
        if match is not None and _is_host(match[1]) and 0 < int(match[2] or 80) < 65_536:
            return match[1], int(match[2] or 80), match[3].upper().replace("-", ":")
        secret = "@" in url or "?" in url
        hint = f"It looks like http://192.168.178.31/api/{what}/00:11:22:33:44:55."
        self._wrong(column, "is no address of an NRGkick's Connect box", hint, secret=secret)
        return None

    def _pulsar(self) -> Part | None:
        topic, broker = self._word("pulsarwallboxtopicname").strip("/"), self._host("mqttip")
        if _unset(topic.removeprefix("wallbox_")) or not broker:
            if not _unset(topic.removeprefix("wallbox_")) or broker:
                lacks = "an MQTT broker" if not broker else "the topic of the charger"
                self.notes.append(f"The Pulsar was left out: {lacks} is not set.")
            return None
        match = re.fullmatch(r"wallbox_([A-Za-z0-9-]{1,40})", topic)
        if match is None:
            self._wrong(
                "pulsarwallboxtopicname", "is no topic of the bridge", 'It is "wallbox_" and the charger\'s number.'
            )
            return None
        return Part("device", "pulsar", {"driver": "pulsar", "host": broker, "serial": match[1]})

    def _keba(self) -> Part | None:
        host = self._host("kebap30ip")
        return Part("device", "keba", {"driver": "keba", "host": host}) if host else None

    def plug(self) -> list[Part]:
        """The plug as a consumer. There the car made room for it, so it comes first."""
        host, enabled = self._host("plugip"), self._number("plugEnabled") == 1
        keys: dict[str, Value] = {"charger": "plug", "mode": "solar" if enabled else "off", "priority": 1}
        keys |= {"on_above_w": self._number("plugonpower"), "min_storage_pct": self._number("plugstartFromSOC")}
        if self._number("allowPlugUseBattery") == 1:
            keys["storage_backed"] = True
        hours, always = self._hours()
        if hours is not None:
            keys["window"] = hours
        if always:
            keys["always"] = always
        if not host:
            if enabled:
                self._wrong(
                    "plugip", "is not set, and the plug is enabled", "Set it there, or switch the plug off there."
                )
            return []
        if hours == [] and not always:
            del keys["window"]
            keys["mode"] = "off"
            self.notes.append(
                "The plug has no hours in which it may be on, so it is off: its windows end when they begin."
            )
        elif hours == []:
            keys["window"] = [always]
        if not enabled:
            self.notes.append(
                'The plug was not enabled there; here its mode is "off": chargerctl mode plug solar switches it on.'
            )
        self.plugs = 1
        device: dict[str, Value] = {"driver": "kasa", "host": host}
        for plug in self._found:
            if plug["address"] == host and plug["sockets"]:
                self.notes.append(
                    f'At {host} is a strip: name the socket, charger = "plug/SOCKET"; chargerctl discover shows them.'
                )
            if plug["address"] == host:
                device = device_keys(plug)
        above = ("priority: it is served before the car, which made room for it there.",)
        return [Part("device", "plug", device), Part("loadpoint", "plug", keys, above)]

    def _hours(self) -> tuple[list[str] | None, str]:
        """Hours for surplus, None for any and [] for never; and those in which it is on in any case."""
        if "pvPlugstartFrom" in self._settings:
            sunny = self._window("pvPlugstartFrom", "pvPlugstartTo")
            return [sunny] if sunny else [], self._window("alwaysPlugstartFrom", "alwaysPlugstartTo")
        if "firstPlugstartFrom" in self._settings:
            windows = [self._window(f"{which}PlugstartFrom", f"{which}PlugstartTo") for which in ("first", "second")]
            return [window for window in windows if window], ""
        hour = self._number("plugstartFrom")
        if "plugmaxSeconds" in self._settings:
            self.notes.append(
                "plugmaxSeconds has no counterpart: here the plug goes off when nothing is drawn, or the sun or its hours are over."
            )
        return (None if hour == 0 else [] if hour == 24 else [f"{hour:02}:00-24:00"]), ""

    def rest(self) -> None:
        """What is not carried over, in words."""
        self.notes.append(
            "Not carried over: its web page with port and secret, and its history of three days. The database was only read."
        )


def urlsplit_host(url: str) -> str:
    """The host of a URL, "" if it has none; a text that is no URL counts as its own host."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def _unset(word: str) -> bool:
    """Nothing, or what stands there until somebody sets it: 192.168.178.x, xxx, 0.0.0.0."""
    return word in ("", "0.0.0.0", "http://", "https://") or any(
        re.fullmatch("x+", part, re.IGNORECASE) for part in word.split(".")
    )


def _is_host(word: str) -> bool:
    if re.fullmatch(r"[0-9.]+", word):
        try:
            ipaddress.IPv4Address(word)
        except ValueError:
            return False
    return re.fullmatch(_HOST, word) is not None


def _whole(cell: Cell) -> int | None:
    """A whole number, also one that was typed as text; None for anything else."""
    if isinstance(cell, str) and re.fullmatch(r"\s*-?[0-9]{1,15}\s*", cell):
        return int(cell)
    if isinstance(cell, float) and math.isfinite(cell) and cell == round(cell):
        return round(cell)
    return cell if isinstance(cell, int) else None
