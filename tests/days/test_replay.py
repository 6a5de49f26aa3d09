"""Replay: the log of any day reproduces its state and its commands, wherever the process was killed."""

from __future__ import annotations

import random

import msgspec
import pytest
from msgspec import structs

from chargerd.daemon.past import state_after
from chargerd.drivers.base import AccessDenied, DriverError, UnexpectedAnswer, Unreachable
from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.engine.settings import settings_of
from chargerd.model.events import ChargerRead, CommandIssued, ModeSet, Tick
from chargerd.model.settings import ScheduleEntry, Window
from chargerd.model.state import Site
from chargerd.sim import world
from chargerd.sim.verify import differences
from chargerd.store import sessions, snapshots
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.house import LECTRIC, RAD, Day, configuration, loadpoint

HOUR = 3600
DAY = 24 * HOUR


class Unlucky:
    """A strip whose calls fail now and then, by a seed: no answer, garbage, a refused login, a relay that stays put."""

    def __init__(self, strip, seed: int) -> None:
        self._strip = strip
        self._dice = random.Random(seed)
        self._silent = 0

    def describe(self):
        return self._strip.describe()

    def read(self):
        self._stumble()
        return self._strip.read()

    def apply(self, command):
        self._stumble()
        if self._dice.random() < 0.05:
            return  # accepted, and nothing happens
        self._strip.apply(command)
        if self._dice.random() < 0.05:
            raise Unreachable("answer lost")

    def close(self):
        self._strip.close()

    def _stumble(self) -> None:
        if self._silent:
            self._silent -= 1
            raise Unreachable("no answer")
        throw = self._dice.random()
        if throw < 0.01:
            self._silent = self._dice.randrange(12)
            raise Unreachable("no answer")
        if throw < 0.02:
            raise self._dice.choice([UnexpectedAnswer("half an answer"), DriverError("?"), ValueError("garbage")])
        if throw < 0.0205:
            raise AccessDenied("login refused")


def week(tmp_path, seed: int, days: int = 7) -> Day:
    """Four plugs, a weekly full charge each, packs ridden empty at random, random faults, two restarts."""
    dice = random.Random(seed)
    names = ("a", "b", "c", "d")
    schedule = tuple(
        ScheduleEntry(f"full-{n}", n, (dice.randrange(7),), dice.randrange(1440), target="full") for n in names
    )
    nightly = tuple(ScheduleEntry(f"night-{n}", n, tuple(range(7)), dice.randrange(1440)) for n in names)
    points = [loadpoint(n, dice.choice([RAD, LECTRIC])) for n in names]
    points[0] = structs.replace(points[0], windows=(Window(22 * 60, 6 * 60),))
    conf = configuration(*points, schedule=schedule + nightly)
    conf = structs.replace(
        conf, devices={"shed": structs.replace(conf.devices["shed"], poll_s=120, poll_fast_s=30, max_age_s=600)}
    )
    home = world.random_home(seed, names)
    day = Day(tmp_path, conf, {n: home.sockets[n].load for n in names})
    day.run.kill()
    day.strip = Unlucky(day.strip, seed)
    day.begin()
    for n in range(days):
        for name in names:
            if dice.random() < 0.6:
                day.strip._strip.sockets[name].connect(
                    world.load(dice.choice(sorted(world.RECORDED))), day.clock.true_s()
                )
        day.until(n * DAY + dice.randrange(DAY))
        if dice.random() < 0.5:
            day.charge(dice.choice(names))
        if dice.random() < 0.3:
            day.run.kill()
            day.clock.mono += dice.randrange(2 * HOUR) * 1000
            day.begin()
        if day.clock.mono < (n + 1) * DAY * 1000:
            day.until((n + 1) * DAY)
    return day


def test_random_week_replays_to_the_same_state_and_the_same_commands(tmp_path, seed):
    """Four plugs, a week, faults from a seed: folding the log gives the running state, deciding again the same commands."""
    day = week(tmp_path, seed)
    with open_reader(day.path) as log:
        events = list(log.read())
        assert fold(Site(), events) == day.run.site
        assert list(differences(events)) == []
        assert log.verify_chain() is None


def test_random_week_keeps_every_promise(tmp_path, seed):
    """No plug stays on past its window, its caps or its lease; every command has a reason; no more starts than allowed."""
    day = week(tmp_path, seed)
    for event in day.all(CommandIssued):
        assert event.body.reason.code
        if event.body.command.enabled:
            assert event.body.command.lease_s, "every switching-on carries a lease"
    for name in "abcd":
        starts = [t for t, on in day.switched(name) if on]
        allowed = settings_of(day.run.site, name).max_starts_per_day
        pulses = 4  # tries of the set-up, and a person's wish, are not held back
        assert all(sum(1 for s in starts if t <= s < t + DAY) <= (allowed + pulses) for t in starts)
    with open_reader(day.path) as log:
        for session in sessions.ended(log):
            assert session.on_ms <= 7 * HOUR * 1000 + 600_000
            assert session.outcome


def test_state_survives_being_stored_at_every_transaction(tmp_path):
    """A snapshot taken at any transaction, and the events after it, give the state that a full replay gives."""
    day = week(tmp_path, 8241, days=1)
    with open_reader(day.path) as log:
        events = list(log.read())
    site, final = Site(), fold(Site(), events)
    pack, unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Site).decode
    closes = [i for i, event in enumerate(events) if isinstance(event.body, Tick)]
    start = 0
    for i in closes:
        site = fold(site, events[start : i + 1])
        start = i + 1
        assert unpack(pack(site)) == site
    assert site == final
    for i in closes[:: max(1, len(closes) // 25)]:
        assert fold(unpack(pack(fold(Site(), events[: i + 1]))), events[i + 1 :]) == final


def test_killed_at_any_transaction_charges_the_same(tmp_path):
    """Killed after each of its transactions in turn, before the orders went out: same switching, same session table."""
    undisturbed = charge(tmp_path / "whole", None)
    transactions = len(undisturbed.all(Tick))
    outcome = undisturbed.last("bike").outcome
    for n in [*range(1, 14), *range(14, transactions, max(1, transactions // 30))]:
        day = charge(tmp_path / str(n), n)
        assert [on for _, on in effects(day)] == [on for _, on in effects(undisturbed)], n
        with open_reader(day.path) as log:
            table = sessions.ended(log)
            assert [(s.outcome, s.target, s.by) for s in table] == [(outcome, "nominal", "anna")], n
            assert table[0].energy_wh == pytest.approx(undisturbed.last("bike").energy_wh, abs=1.5), n
            assert list(differences(log.read())) == [], n


def effects(day: Day) -> list[tuple[float, bool]]:
    """What the relay did, as its readings show."""
    seen: list[tuple[float, bool]] = []
    for event in day.all(ChargerRead):
        if not seen or seen[-1][1] is not event.body.enabled:
            seen.append((event.at_ms / 1000, event.body.enabled))
    return seen


def charge(folder, kill_after: int | None) -> Day:
    """One nominal charge; the daemon dies once, after so many transactions."""
    folder.mkdir()
    day = Day(folder, configuration(loadpoint("bike")), {"bike": world.load("rad-nominal", start=0.7)})
    alive = kill_after is not None

    def dies(event):
        nonlocal alive
        day.events.append(event)
        if alive and isinstance(event.body, Tick) and len(day.all(Tick)) >= kill_after:
            alive = False
            raise KilledError

    day.run._watch = dies
    asked = False
    while True:
        try:
            day.until(60)
            if not asked:
                asked = True
                day.charge("bike")
            day.until(3 * HOUR)
        except KilledError:
            day.run.kill()
            day.clock.mono += 3000
            day.begin()
            continue
        return day


class KilledError(Exception):
    """The daemon is dead."""


def test_start_reads_the_snapshot_and_the_tail_only(tmp_path):
    """A restart does not fold the whole log: it takes the newest snapshot, and the state is the same."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.charge("bike")
    day.until(2 * DAY)
    site = day.run.site
    day.run.kill()
    with Log(day.path) as log:
        snapshot = snapshots.newest(log, VERSION)
        assert snapshot is not None
        assert snapshot.seq > log.last_seq - 5500
        assert state_after(log) == site
        assert snapshots.newest(log, "another engine") is None


def test_changed_policy_shows_as_a_difference(tmp_path):
    """Verify is not blind: a command that the engine would not give is found."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.charge("bike")
    day.until(600)
    events = [
        structs.replace(e, body=structs.replace(e.body, command=structs.replace(e.body.command, lease_s=5)))
        if isinstance(e.body, CommandIssued)
        else e
        for e in day.events
    ]
    assert list(differences(events))
    assert any(isinstance(e.body, ModeSet) for e in events)
