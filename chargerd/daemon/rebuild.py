"""Rebuild: after an update of the rules the whole log is folded again, in the background, and compared with the state in use.

The daemon begins with the state that the old rules left, so that a charge does not go unwatched for the minutes that a long
log takes. When the new state is there it counts, for it is what the log says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.model.state import Site
from chargerd.store import snapshots
from chargerd.store.log import Log
from chargerd.store.reader import Reader, open_reader

REST_S = (
    0.005  # after each batch, which takes less: charging comes first, and a low priority would hold the lock longer
)


class Rebuilt(Struct, frozen=True):
    """What came of it: the state after an event, states on the way there, and where it differs from the one in use.

    ``error``: why the log could not be folded; the state in use stays.
    """

    site: Site
    on_the_way: list[Site]
    differs: tuple[str, ...] = ()
    error: str = ""


class Rebuild(threading.Thread):
    """Folds the log at ``path``; ``basis`` is what the state in use was made from. ``done`` is called on this thread."""

    def __init__(self, path: Path, basis: Site, done: Callable[[Rebuilt], None]) -> None:
        super().__init__(name="rebuild", daemon=True)
        self._path = path
        self._basis = basis
        self._done = done
        self._stopped = threading.Event()

    def run(self) -> None:
        """The work of the thread."""
        try:
            with open_reader(self._path) as log:
                rebuilt = rebuild(log, self._basis, lambda: self._stopped.wait(REST_S))
        except Exception as error:  # whatever it is, the daemon goes on with the state that it has, and says so
            rebuilt = Rebuilt(self._basis, [], error=str(error) or repr(error))
        if not self._stopped.is_set():
            self._done(rebuilt)

    def stop(self) -> None:
        """Give up; the next start begins again."""
        self._stopped.set()
        if self.is_alive():
            self.join(timeout=5)


def rebuild(log: Reader, basis: Site, stopped: Callable[[], bool] = lambda: False) -> Rebuilt:
    """Fold the whole log, up to its present end, and compare with ``basis`` taken to the same event.

    Raises `store.errors.LogError`.
    """
    last = log.last_seq
    site = snapshots.ground(log)
    on_the_way = [site]
    for batch in log.batches(site.seq + 1, last):
        if stopped():
            break
        site = fold(site, batch.events())
        if site.seq - on_the_way[-1].seq >= snapshots.STRIDE:
            on_the_way.append(site)
    in_use = fold(basis, log.read(basis.seq + 1, last))
    differs = tuple(name for name in Site.__struct_fields__ if getattr(site, name) != getattr(in_use, name))
    return Rebuilt(site, on_the_way[1:], differs)


def keep(log: Log, rebuilt: Rebuilt) -> None:
    """Store what was rebuilt in place of what other rules made. Raises `NotRecorded`; then the next start tries again."""
    log.save(snapshots.replacing([*rebuilt.on_the_way, rebuilt.site], VERSION))
