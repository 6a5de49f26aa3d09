"""Discovery: looks for plugs on the local network, on a thread of its own, for whoever asks; one search at a time.

A search talks to devices that are not ours and takes seconds; neither the main loop nor the control thread waits for it.
Who asks for the same while it runs is told what it has found so far and shares the rest.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable
from datetime import tzinfo
from types import ModuleType
from typing import Any

from chargerd import drivers
from chargerd.daemon.clock import real_s
from chargerd.daemon.context import Context
from chargerd.drivers.base import Found, FoundSocket, Unreachable
from chargerd.model.events import Event
from chargerd.model.network import network
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError

SECONDS = 5  # a plug answers within a second; on a busy Wi-Fi it may miss a question or two
LONGEST_S = 60
MOST = 500  # no home has more; whoever answers under thousands of addresses fills no memory
NETWORKS = 16


class Search:
    """One search, running or over. Its thread adds to it; everybody else reads."""

    def __init__(self, networks: tuple[str, ...], seconds: int) -> None:
        self.networks = networks
        self.seconds = seconds
        self.found: list[Found] = []
        self.others = 0
        self.notes: list[str] = []
        self.over = False
        self._until_s = real_s() + seconds
        self._told: list[Callable[[], None]] = []
        self._at_end: list[Callable[[Search], None]] = []

    @property
    def left_s(self) -> float:
        """How long it still looks."""
        return 0.0 if self.over else max(0.0, self._until_s - real_s())

    def tell(self, wake: Callable[[], None]) -> None:
        """Call this whenever there is something new, from the search's thread."""
        self._told.append(wake)

    def finally_tell(self, post: Callable[[Search], None]) -> None:
        """Call this once when it is over, on whatever thread."""
        self._at_end.append(post)
        if self.over:
            self._end()

    def add(self, found: Found | None) -> None:
        """A device has answered; None: one that is no plug. Some answer several times."""
        if found is None:
            self.others += 1
        elif len(self.found) < MOST and not any(_same(found, other) for other in self.found):
            self.found.append(found)
        self._wake()

    def end(self, notes: Iterable[str]) -> None:
        """Nothing more will come."""
        self.notes += notes
        self.over = True
        self._end()
        self._wake()

    def _end(self) -> None:
        while self._at_end:
            try:
                post = self._at_end.pop()
            except IndexError:
                return  # the other thread was quicker
            post(self)

    def _wake(self) -> None:
        for wake in list(self._told):
            wake()


class Discovery:
    """Begins searches. Every method may be called from any thread."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report = report
        self._running: Search | None = None
        self._threads = 0

    def begin(self, networks: tuple[str, ...], seconds: int, wake: Callable[[], None]) -> Search:
        """Look there for so long, or share the search that does so already. Raises `CallError`.

        ``wake`` is called from the search's thread whenever there is something new, and at its end.
        """
        running = self._running
        if running is not None and not running.over:
            if running.networks == networks:
                running.tell(wake)
                return running
            raise CallError(
                "Refused",
                f"a search on {' '.join(running.networks)} is running, for {running.left_s:.0f} s more",
                "Nothing was sent; charging goes on.",
                "Ask again when it is over.",
            )
        search = Search(networks, seconds)
        search.tell(wake)
        self._running = search
        self._threads += 1
        name = f"search-{self._threads}"
        threading.Thread(target=self._look, args=(search,), name=name, daemon=True).start()
        return search

    def _look(self, search: Search) -> None:
        import asyncio  # with TLS and all, some 3 MiB that a daemon which never searches does without

        notes: list[str] = []
        try:
            with asyncio.Runner() as runner:
                notes = runner.run(_everywhere(search))
        except Exception as error:  # a mistake of ours, or a library's, costs this search and nothing else
            self._report(error)
            notes = [f"The search broke off: {type(error).__name__}. More: journalctl -u chargerd -n 20"]
        finally:
            search.end(notes)


async def _everywhere(search: Search) -> list[str]:
    """All networks by all drivers that can search, at the same time; what went wrong where."""
    import asyncio

    jobs = [
        _one(module, text, search)
        for module in map(importlib.import_module, drivers.SEARCHES)
        for text in search.networks
    ]
    return [note for note in await asyncio.gather(*jobs) if note]


async def _one(module: ModuleType, text: str, search: Search) -> str:
    try:
        await module.search(network(text), search.seconds, search.add)
    except Unreachable as error:
        return f"{str(error)[:1].upper()}{str(error)[1:]}."
    return ""


def wanted(parameters: dict[str, Any], site: Site) -> tuple[tuple[str, ...], int]:
    """Where to look, and for how long. Raises `CallError` BadValue."""
    given, seconds = parameters["networks"], parameters["seconds"]
    texts = tuple(site.configuration.networks) if given is None else tuple(given)
    if not 1 <= (SECONDS if seconds is None else seconds) <= LONGEST_S:
        raise _bad(f"a search takes 1 to {LONGEST_S} seconds, not {seconds}")
    if not 1 <= len(texts) <= NETWORKS:
        raise _bad(f"a search looks on 1 to {NETWORKS} networks")
    try:
        found = dict.fromkeys(str(network(text)) for text in texts)
    except ValueError as error:
        raise _bad(str(error)) from error
    return tuple(found), SECONDS if seconds is None else seconds


def _bad(text: str) -> CallError:
    return CallError(
        "BadValue", text, "Nothing was sent.", "chargerctl discover --network 192.168.178.0/24 --seconds 10"
    )


class Searcher:
    """A client that follows a search; see `followers.Stream`."""

    def __init__(self, search: Search, zone: tzinfo) -> None:
        self.zone = zone
        self.ended = False
        self._search = search
        self._told = -1

    def begin(self, answer: dict[str, Any]) -> None:
        """It begins with its own replies."""

    def take(self, events: tuple[Event, ...]) -> None:
        """What happens to the charging is of no interest here."""

    def replies(self, context: Context) -> list[dict[str, Any]]:
        """All that was found so far, if there is something new; the last one when the search is over."""
        over, count = self._search.over, len(self._search.found)
        if self.ended or (count == self._told and not over):
            return []
        self.ended, self._told = over, count
        return [report(self._search, context, over=over)]


def report(search: Search, context: Context, *, over: bool) -> dict[str, Any]:
    """A reply of Discover."""
    plugs = rows(search.found, context.site)
    free = sum(1 for plug in plugs if plug["device"] is None and plug["has_meter"] is not False)
    text = f"{len(plugs)} plug{'' if len(plugs) == 1 else 's'}, {free} that can be configured"
    return context.stamped(
        "discovery",
        text,
        networks=list(search.networks),
        seconds=search.seconds,
        left_s=0.0 if over else round(search.left_s, 1),
        plugs=plugs,
        others=search.others,
        notes=list(search.notes) if over else [],
    )


def rows(found: Iterable[Found], site: Site) -> list[dict[str, Any]]:
    """One row for each plug, by alias; each with the device and the loadpoint that it is."""
    plugs = sorted(found, key=lambda f: ((f.alias or "￿").casefold(), f.host))
    names = [alias.casefold() for f in plugs for alias in _aliases(f)]
    twice = {name for name in names if names.count(name) > 1}
    return [_row(plug, site, twice) for plug in plugs]


def _aliases(found: Found) -> list[str]:
    """The names by which a plug or the sockets of a strip may be asked for."""
    return [s.alias for s in found.sockets] if found.sockets else [found.alias or found.mac]


def _row(found: Found, site: Site, twice: set[str]) -> dict[str, Any]:
    device = device_of(found, site)
    points = {} if device is None else _points(device, site)
    sockets = [_socket(socket, device, points, site, twice) for socket in found.sockets]
    return {
        "kind": "plug",
        "driver": found.driver,
        "address": found.host,
        "port": found.port,
        "mac": found.mac,
        "model": found.model,
        "alias": found.alias,
        "has_meter": found.has_meter,
        "login": found.login,
        "device": device,
        "loadpoint": points.get(""),
        "sockets": sockets,
        "note": _note(found, device, twice),
    }


def _socket(
    socket: FoundSocket, device: str | None, points: dict[str, str], site: Site, twice: set[str]
) -> dict[str, Any]:
    ids = {} if device is None else site.devices[device].channels
    mine = [
        name
        for channel, name in points.items()
        if (ids[channel].endswith(socket.channel) if channel in ids else _alike(channel, socket.alias))
    ]
    return {
        "kind": "socket",
        "alias": socket.alias,
        "channel": socket.channel,
        "loadpoint": mine[0] if mine else None,
        "note": "another one has this name" if socket.alias.casefold() in twice else "",
    }


def _note(found: Found, device: str | None, twice: set[str]) -> str:
    if found.has_meter is False:
        return "no meter"
    if found.login and device is None:
        return "wants a login"
    return "another one has this name" if not found.sockets and (found.alias or "").casefold() in twice else ""


def device_of(found: Found, site: Site) -> str | None:
    """The configured device that this is: by its hardware address, or by where the configuration expects it."""
    for name, device in site.devices.items():
        if found.mac and _digits(device.device_id) == _digits(found.mac):
            return name
    for name, settings in site.configuration.devices.items():
        options = settings.options
        if settings.driver != found.driver or site.devices[name].device_id:
            continue  # it has answered and is another one
        host, alias, mac = (options.get(key) for key in ("host", "alias", "mac"))
        if mac is not None:
            if _digits(str(mac)) == _digits(found.mac):
                return name
            continue
        if host == found.host and options.get("port") == found.port:
            return name
        if host is None and found.alias is not None and _alike(str(alias), found.alias):
            return name
    return None


def _points(device: str, site: Site) -> dict[str, str]:
    """Channel → loadpoint of a device."""
    addresses = {name: point.charger.partition("/") for name, point in site.configuration.loadpoints.items()}
    return {channel: name for name, (owner, _, channel) in addresses.items() if owner == device}


def _same(one: Found, other: Found) -> bool:
    return (one.mac, one.host) == (other.mac, other.host)


def _alike(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _digits(mac: str) -> str:
    return mac.upper().replace(":", "").replace("-", "")
