"""Tests of the state at any moment of the past."""

from __future__ import annotations

from pathlib import Path

from chargerd.daemon.past import sessions_of, state_after, state_at
from chargerd.engine.evolve import fold
from chargerd.model.events import ConfigLoaded, ModeSet, Tick
from chargerd.model.state import Site
from chargerd.store import sessions, snapshots
from chargerd.store.log import Log
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


def test_sessions_of_the_log_are_those_that_the_table_was_given(tmp_path: Path) -> None:
    """Twenty short charges of two bikes, one of them taken out of the configuration at the end: the fold finds them all."""
    home = configuration(loadpoint("battery_1"), loadpoint("battery_2"))
    day = Day(tmp_path, home, {"battery_1": "rad-full", "battery_2": "rad-full"})
    for n in range(10):
        day.until(n * 900 + 1)
        day.charge("battery_1")
        day.charge("battery_2")
        day.until(n * 900 + 120)
        day.run.ask(ModeSet("battery_1", "off", "anna"))
        if n < 9:
            day.run.ask(ModeSet("battery_2", "off", "anna"))
    day.run.ask(ConfigLoaded(configuration(loadpoint("battery_1"))))
    day.run.kill()
    with open_reader(day.path) as log:
        found, above = sessions_of(log)
        assert (len(found), above) == (20, 0)
        assert sorted(found, key=lambda session: session.number) == sessions.ended(log)
        assert {session.outcome for session in found} == {"stopped", "removed-from-configuration"}


def test_sessions_whose_readings_were_given_up_are_left_to_the_table(tmp_path: Path) -> None:
    """Three charges; readings up to the middle of the second are given up. What a replay would say of the first is nothing."""
    day = Day(tmp_path, configuration(loadpoint("battery_1")), {"battery_1": "rad-full"})
    for begin_s in (1, 3600, 7200):
        day.until(begin_s)
        day.charge("battery_1")
        day.until(begin_s + 1800)
        day.run.ask(ModeSet("battery_1", "off", "anna"))
    day.run.kill()
    with Log(day.path) as log:
        first, second, third = sessions.ended(log)
        middle = log.last(Tick, before_seq=log.seq_at(second.started_at_ms + 900_000))
        assert middle is not None
        log.save(snapshots.saving_ground(state_after(log, middle.seq)))
        assert sessions_of(log) == ([second, third], middle.seq)
        found, above = sessions_of(log)
        log.save(sessions.replacing(found, above))
        assert sessions.ended(log) == [first, second, third]
