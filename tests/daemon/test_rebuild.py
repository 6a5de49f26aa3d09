"""Rebuild: after a change of the rules the log is folded again, and what it says counts."""

from __future__ import annotations

import queue
from itertools import pairwise
from pathlib import Path

import msgspec

from chargerd.daemon.past import state_after, state_to_begin_with
from chargerd.daemon.rebuild import Rebuild, Rebuilt, keep, rebuild
from chargerd.daemon.recorder import PROVISIONAL
from chargerd.engine import VERSION
from chargerd.model.state import Site
from chargerd.store import snapshots
from chargerd.store.log import Log
from tests.daemon.lives import live
from tests.daemon.test_start import HOME
from tests.house import Day, configuration, loadpoint
from tests.patience import WAIT_S


def _day(folder: Path) -> tuple[Path, Site]:
    """A log of two hours, its path and the state at its end."""
    day = Day(folder, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.charge("bike")
    day.until(2 * 3600)
    day.run.kill()
    return day.path, day.run.site


def test_the_state_of_old_rules_serves_until_the_log_is_folded(tmp_path: Path, monkeypatch):
    """No snapshot of today's rules: the newest of others, and the events since; the whole log then says the same."""
    monkeypatch.setattr(snapshots, "STRIDE", 500)
    path, site = _day(tmp_path)
    with Log(path) as log:
        halfway = state_after(log, log.last_seq // 2)
        log.save(snapshots.saving(halfway, "an older one"))
        begun, basis = state_to_begin_with(log)
        assert (begun, basis) == (site, halfway)
        found = rebuild(log, halfway)
        assert (found.site, found.differs, found.error) == (site, (), "")
        passed = [0, *(state.seq for state in found.on_the_way)]
        assert len(passed) > 2
        assert all(500 <= later - earlier <= 2000 for earlier, later in pairwise(passed))
        keep(log, found)
        assert snapshots.newest(log, VERSION) == site
        assert {row[0] for row in log.query("SELECT engine FROM snapshots")} == {VERSION}
        assert state_to_begin_with(log) == (site, None)


def test_where_old_rules_saw_it_otherwise_is_named(tmp_path: Path):
    """The old state knew of a request that the log does not have: named by the part of the state that it is in."""
    path, site = _day(tmp_path)
    with Log(path) as log:
        other = msgspec.structs.replace(state_after(log, 400), requests={"r-9": 3})
        found = rebuild(log, other)
    assert found.differs == ("requests",)
    assert found.site == site


def test_a_log_that_cannot_be_folded_says_why_and_a_stop_is_heeded(tmp_path: Path):
    """No file: the error comes back from the thread. Stopped before it began: nothing comes."""
    answers: queue.SimpleQueue[Rebuilt] = queue.SimpleQueue()
    thread = Rebuild(tmp_path / "none.db", Site(), answers.put)
    thread.start()
    assert "cannot be read" in answers.get(timeout=WAIT_S).error
    stopped = Rebuild(tmp_path / "none.db", Site(), answers.put)
    stopped.stop()
    stopped.start()
    stopped.join(timeout=WAIT_S)
    assert answers.empty()


def test_a_daemon_of_new_rules_folds_its_log_again_and_says_so(tmp_path: Path):
    """The real daemon over a log whose only snapshot is from older rules, one of which it had seen otherwise."""
    (tmp_path / "chargerd.toml").write_text(HOME)
    (tmp_path / "secrets").mkdir()
    live(tmp_path)
    with Log(tmp_path / "state" / "log.db") as log:
        site = state_after(log)
        log.save(snapshots.saving(msgspec.structs.replace(site, requests={"r-9": 3}), "an older one"))
    status, journal = live(tmp_path, stop_at="requests changed with the rules")
    assert status == 0
    assert "the log is folded again in the background" in journal
    with Log(tmp_path / "state" / "log.db") as log:
        newest = snapshots.newest(log, VERSION)
        assert newest is not None
        assert newest.requests == {}
        assert state_to_begin_with(log) == (state_after(log), None)


def test_a_restart_in_the_middle_begins_again(tmp_path: Path):
    """States that rest on what old rules left are not taken for our own."""
    path, site = _day(tmp_path)
    with Log(path) as log:
        log.save(snapshots.saving(site, PROVISIONAL))
        assert snapshots.newest(log, VERSION) is None
        assert state_to_begin_with(log) == (site, site)
