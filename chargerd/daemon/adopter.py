"""Adopter: has plugs looked for that are to be adopted by their names: at the start, and every few minutes. Main loop only."""

from __future__ import annotations

import math
from collections.abc import Callable

from chargerd.config.load import Loaded
from chargerd.daemon import adoption
from chargerd.daemon.clock import real_s
from chargerd.daemon.discovery import SECONDS, Discovery, Search, wanted
from chargerd.model.settings import Adopted
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError

BUSY_S = 30.0  # somebody else's search is over by then, or soon

Say = Callable[[str], None]


class Adopter:
    """When to look next, and what was said already. ``post`` gets a search that is over, on the search's thread."""

    def __init__(self, discovery: Discovery, post: Callable[[Search], None], say: Say) -> None:
        self._discovery = discovery
        self._post = post
        self._say = say
        self._every_s: float | None = None
        self._due_s = 0.0
        self._said: tuple[str, ...] = ()

    def follow(self, loaded: Loaded) -> None:
        """The files want plugs adopted, or none; the first look is now."""
        self._every_s = None if loaded.adoption is None else loaded.adoption.every_s
        self._due_s = real_s()

    def wait_s(self) -> float:
        """How long until there is something to do."""
        return math.inf if self._every_s is None else max(0.0, self._due_s - real_s())

    def look(self, site: Site) -> None:
        """Begin a search if one is due."""
        if self._every_s is None or real_s() < self._due_s:
            return
        self._due_s = real_s() + self._every_s
        try:
            networks, _ = wanted({"networks": None, "seconds": None}, site)
            search = self._discovery.begin(networks, SECONDS, lambda: None)
        except CallError:
            self._due_s = real_s() + BUSY_S
        else:
            search.finally_tell(self._post)

    def change(self, search: Search, files: Loaded, site: Site) -> tuple[Adopted, ...] | None:
        """All that are adopted after a search; None if nothing changes. Says what was not taken, once."""
        before = site.configuration.adopted
        found = adoption.after(search.found, files, before, site)
        said = (*search.notes, *found.refused)
        for text in said:
            if text not in self._said:
                self._say(f"adopt: {text}")
        self._said = said
        if found.adopted == before:
            return None
        for one in found.adopted:
            if one not in before:
                self._say(f"{one.loadpoint}: adopted, its plug {one.alias} is at {one.host}")
        for one in before:
            if one not in found.adopted:
                self._say(f"{one.loadpoint}: no longer adopted, its plug has another name now")
        return found.adopted
