"""Tests of the state at any moment of the past."""

from __future__ import annotations

from pathlib import Path

from chargerd.daemon.past import state_after, state_at
from chargerd.engine.evolve import fold
from chargerd.model.state import Site
from chargerd.store.reader import open_reader
from tests.house import Day, configuration, loadpoint


def test_state_at_any_moment_is_the_fold_of_all_events_until_then(tmp_path: Path) -> None:
    """A charge of three hours: what was believed at each of its minutes comes back from snapshots and tails."""
    day = Day(tmp_path, configuration(loadpoint("battery_1")), {"battery_1": "rad-nominal"})
    day.charge("battery_1")
    day.until(3 * 3600)
    with open_reader(day.path) as log:
        events = list(log.read())
        for event in events[:: len(events) // 20]:
            upto = [e for e in events if e.at_ms <= event.at_ms]
            assert state_at(log, event.at_ms) == fold(Site(), upto)
        assert state_after(log) == day.run.site
        assert state_at(log, events[0].at_ms - 1) == Site()
    day.run.kill()
