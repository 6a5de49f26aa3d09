"""Repair: makes the derived tables again where they do not say what the events say: sessions and snapshots.

Events are never touched. Only while no chargerd runs: it would go on from what it has read already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chargerd.daemon.past import ended_between, replayed
from chargerd.engine import VERSION
from chargerd.model.state import Session, Site
from chargerd.sim.chain import Progress
from chargerd.sim.checks import Misfit, Report, check
from chargerd.sim.refused import FAILED, Refused
from chargerd.store import sessions, snapshots
from chargerd.store.errors import LogBusy, NotRecorded
from chargerd.store.log import Log
from chargerd.store.reader import open_reader

ALONE = "no chargerd may run while tables are made again"


def repaired(path: Path, progress: Progress) -> Report:
    """Check a log, make again what is derived and wrong, and check it once more; the last report says what was made again.

    Raises `Refused` where a daemon writes to the log or the disk refuses, and what `Log` raises on opening.
    """
    open_reader(path).close()  # a log that is not there is not made
    with _alone(path) as log:
        before = check(path, None, ALONE, progress)
        before.repair = _obstacle(before)
        if before.repair:
            return before
        try:
            _make_again(log, before)
        except NotRecorded as error:
            hint = f"Is there room, and is the disk whole? df -h {path.parent}"
            raise Refused(FAILED, f"nothing was repaired: {error}.", hint=hint) from error
        after = check(path, None, ALONE, progress)
    after.repair = "done"
    after.sessions_repaired = _gone(before.sessions_wrong, after.sessions_wrong)
    after.snapshots_repaired = _gone(before.snapshots_wrong, after.snapshots_wrong)
    return after


@contextmanager
def _alone(path: Path) -> Iterator[Log]:
    try:
        log = Log(path)
    except LogBusy as error:
        hint = "Do: sudo systemctl stop chargerd, the same command again, sudo systemctl start chargerd"
        raise Refused(FAILED, f"nothing was repaired: chargerd runs, and {path} is in its hands.", hint=hint) from error
    with log:
        yield log


def _obstacle(report: Report) -> str:
    """Why nothing is made again; empty: there is something to make, and it can be made."""
    if report.damaged:
        return "the events are damaged, and from events the tables are made"
    if report.unreplayed or not report.last_seq:
        return "the log cannot be replayed, and from a replay the tables are made"
    return "" if report.reparable else "no table is wrong that can be made again"


def _make_again(log: Log, report: Report) -> None:
    """Fold the log once and write what was wrong, all of it in one transaction."""
    wrong = {misfit.number for misfit in report.snapshots_wrong}
    before = ground = snapshots.ground(log)
    found: list[Session] = []
    sites: list[Site] = []
    for site in replayed(log, ground):
        found += ended_between(before, site)
        if site.seq in wrong:
            sites.append(site)
        before = site
    writes = [snapshots.saving(site, VERSION) for site in sites]
    if any(not misfit.lost for misfit in report.sessions_wrong):
        writes.append(sessions.replacing(found, ground.seq))
    log.save(lambda db: [write(db) for write in writes])


def _gone(before: list[Misfit], after: list[Misfit]) -> list[int]:
    return sorted({misfit.number for misfit in before} - {misfit.number for misfit in after})
