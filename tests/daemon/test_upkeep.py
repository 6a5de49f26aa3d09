"""Upkeep: the log is kept small beside everything else, gently, and what goes is said."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

from chargerd.daemon.past import state_after, state_at
from chargerd.daemon.rebuild import rebuild
from chargerd.daemon.upkeep import LOOK_DROP_S, LOOK_S, REST, TRY_AGAIN_S, Upkeep
from chargerd.engine import VERSION
from chargerd.model.events import ChargerRead, ClockStepped, CommandIssued, Event, ReadingsDropped, Tick
from chargerd.model.settings import Configuration
from chargerd.model.state import Site
from chargerd.sim.verify import differences
from chargerd.store import chunks, sealing, snapshots
from chargerd.store import log as log_module
from chargerd.store.batch import Chunk
from chargerd.store.errors import NotRecorded
from chargerd.store.log import Log
from tests.house import Day, configuration, loadpoint
from tests.store.streams import home

HOUR_MS = 3_600_000


class Bench:
    """A log of 400 transactions, 10 s apart, and somebody who keeps it."""

    def __init__(self, path: Path) -> None:
        self.log = Log(path)
        for events in home(400):
            self.log.append(events, durable=False)
        self.now_s = 100.0
        self.said: list[str] = []
        self.upkeep = Upkeep(self.log, lambda: self.now_s, self.said.append)

    def site(self, keep_rows_ms: int, keep_readings_ms: int = 3650 * 24 * HOUR_MS) -> Site:
        keep = Configuration(keep_rows_ms=keep_rows_ms, keep_readings_ms=keep_readings_ms)
        return Site(at_ms=1_000_000 + 4_000_000, configuration=keep)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(chunks, "ROWS", 50)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 100)
    return Bench(tmp_path / "log.db")


def test_a_look_a_minute_and_a_chunk_a_step(bench: Bench):
    """Nothing before the first minute; then chunk by chunk until only what is younger than half an hour is plain."""
    site = bench.site(HOUR_MS // 2)
    assert bench.upkeep.step(site) is None
    assert bench.log.sealed_seq == 0
    seen = set()
    for _ in range(40):
        bench.now_s += bench.upkeep.wait_s()
        bench.upkeep.step(site)
        seen.add(bench.log.sealed_seq)
    assert len(seen) > 15
    assert bench.upkeep.wait_s() == pytest.approx(LOOK_S)
    assert bench.log.query("SELECT count(*) FROM events WHERE at >= 3200000")[0][0] > 700
    assert bench.log.query("SELECT count(*) FROM events WHERE at < 3000000 AND type = 'Tick'") == [(0,)]


def test_room_that_packing_left_in_the_file_goes_back_to_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Once everything old is packed the file shrinks by itself, a few pages at each look."""
    monkeypatch.setattr(log_module, "SPARE_PAGES", 4)
    monkeypatch.setattr(log_module, "PAGES_AT_ONCE", 3)
    pages = [bench.log.query("PRAGMA page_count")[0][0]]
    for _ in range(80):
        bench.now_s += bench.upkeep.wait_s()
        bench.upkeep.step(bench.site(HOUR_MS // 2))
        pages.append(bench.log.query("PRAGMA page_count")[0][0])
    assert pages[-1] < max(pages) - 8
    assert max(before - after for before, after in pairwise(pages)) <= 4  # three, and one of SQLite's own


def test_after_a_step_comes_a_rest(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """A step that took 0.4 s is followed by nine times as long without one."""
    seal = bench.log.seal

    def slow(before_ms: int) -> int:
        bench.now_s += 0.4
        return seal(before_ms)

    monkeypatch.setattr(bench.log, "seal", slow)
    bench.now_s += LOOK_S
    bench.upkeep.step(bench.site(HOUR_MS))
    assert bench.log.sealed_seq > 0
    assert bench.upkeep.wait_s() == pytest.approx(REST * 0.4)


def test_a_disk_that_refuses_is_said_once_and_tried_again_later(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Ten minutes later; meanwhile everything goes on."""

    def refuses(_before_ms: int) -> int:
        raise NotRecorded("database or disk is full")

    whole = bench.log.seal
    monkeypatch.setattr(bench.log, "seal", refuses)
    for _ in range(3):
        bench.now_s += bench.upkeep.wait_s()
        assert bench.upkeep.step(bench.site(HOUR_MS)) is None
        assert bench.upkeep.wait_s() == pytest.approx(TRY_AGAIN_S)
    assert bench.said == ["old readings cannot be packed just now: database or disk is full"]
    monkeypatch.setattr(bench.log, "seal", whole)
    bench.now_s += TRY_AGAIN_S
    bench.upkeep.step(bench.site(HOUR_MS))
    assert bench.log.sealed_seq > 0


def test_damaged_rows_stay_as_they_are_and_are_said_once(bench: Bench):
    """What cannot be packed is left for whoever examines it; no second try before the next start."""
    bench.log.query("DROP TRIGGER events_stay")
    bench.log.query("DELETE FROM events WHERE seq = 20")
    for _ in range(3):
        bench.now_s += bench.upkeep.wait_s()
        bench.upkeep.step(bench.site(HOUR_MS))
    assert len(bench.said) == 1
    assert "missing between 1 and" in bench.said[0]
    assert bench.log.sealed_seq == 0


def _until_drop(bench: Bench, site: Site) -> ReadingsDropped | None:
    for _ in range(200):
        bench.now_s += bench.upkeep.wait_s()
        drop = bench.upkeep.step(site)
        if drop is not None:
            return drop.fact
    return None


def test_readings_kept_long_enough_are_given_up_an_hour_after_the_start_at_the_earliest(bench: Bench):
    """Kept for an hour, so that of 4,000 s the first 400 s go, in whole chunks."""
    fact = _until_drop(bench, bench.site(HOUR_MS, HOUR_MS))
    assert fact is not None
    assert bench.now_s >= 100 + LOOK_DROP_S
    assert fact.first_seq == 1
    assert fact.to_ms < 1_400_000
    assert fact.readings > 100


def test_a_clock_that_was_set_years_ahead_costs_no_readings(bench: Bench):
    """Everything looks old then; what is given up cannot be had back."""
    bench.upkeep.heed(Event(1, 0, 0, 1, "daemon", ClockStepped(30 * 86_400_000)))
    assert _until_drop(bench, bench.site(HOUR_MS, HOUR_MS)) is None


def test_a_charge_whose_readings_were_packed_and_given_up_is_still_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A whole charge in the real recorder: sealed while it runs; replay, verify and any past moment are as without.

    Then its readings are given up through the recorder: decisions, commands and the session stay.
    """
    monkeypatch.setattr(chunks, "ROWS", 200)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 300)
    conf = structs.replace(configuration(loadpoint("bike")), keep_rows_ms=HOUR_MS, keep_readings_ms=2 * HOUR_MS)
    day = Day(tmp_path, conf, {"bike": "rad-nominal"})
    day.charge("bike")
    now_s = 0.0
    upkeep = Upkeep(day.run.log, lambda: now_s, pytest.fail)
    for minute in range(10, 6 * 60, 10):
        day.until(minute * 60)
        if minute < 240:
            while day.run.log.seal(day.run.site.at_ms - conf.keep_rows_ms):
                pass
    log = day.run.log
    assert log.sealed_seq > 1000
    assert day.last("bike").outcome == "finished"
    assert list(differences(log.read())) == []
    half = day.events[len(day.events) // 3]
    assert state_at(log, half.at_ms).seq >= half.seq
    before = state_after(log)
    now_s = 2 * LOOK_DROP_S
    drop = None
    while drop is None:
        now_s += LOOK_S + 1
        drop = upkeep.step(day.run.site)
    day.run.give_up(drop)
    assert state_after(log, before.seq) == before
    assert rebuild(log, before).differs == ()
    kinds = {type(event.body) for event in log.read(1, drop.fact.last_seq)}
    assert not kinds & {ChargerRead, Tick}
    assert len(kinds) > 4
    assert list(log.damages()) == []


def test_ground_is_right_however_often_readings_were_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Chunk by chunk, with no snapshot of ours between: each state that replay begins from is the true one."""
    monkeypatch.setattr(chunks, "ROWS", 200)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 300)
    monkeypatch.setattr(sealing, "DROPPED_AT_ONCE", 1)
    conf = structs.replace(configuration(loadpoint("bike")), keep_rows_ms=HOUR_MS // 2, keep_readings_ms=HOUR_MS)
    day = Day(tmp_path, conf, {"bike": "rad-nominal"})
    day.charge("bike")
    day.until(900)
    day.run.log.save(snapshots.saving(day.run.site, VERSION))
    day.until(4 * 3600)
    log = day.run.log
    while log.seal(day.run.site.at_ms):
        pass
    before = state_after(log)
    truth = {chunk.last_seq: state_after(log, chunk.last_seq) for chunk in _chunks(log)}
    now_s = 0.0
    upkeep = Upkeep(log, lambda: now_s, pytest.fail)
    grounds = 0
    for _ in range(4):
        now_s += 2 * LOOK_DROP_S
        drop = upkeep.step(day.run.site)
        assert drop is not None
        assert drop.ground == truth[drop.fact.last_seq]
        day.run.give_up(drop)
        grounds += snapshots.ground(log).seq == drop.fact.last_seq
        assert state_after(log, before.seq) == before
    assert grounds == 4
    assert list(log.damages()) == []


def _chunks(log: Log) -> list[Chunk]:
    found, chunk = [], log.chunk_from(0)
    while chunk is not None:
        found.append(chunk)
        chunk = log.chunk_from(chunk.last_seq + 1)
    return found


@pytest.mark.parametrize(("away_ms", "skew_ms"), [(31 * 86_400_000, 0), (0, -2 * 86_400_000)])
def test_a_boot_with_a_wrong_clock_costs_no_readings(bench: Bench, away_ms: int, skew_ms: int):
    """A boot a month or years ahead, or one that was and has been put right since: nothing is given up in that run."""
    bench.upkeep = Upkeep(bench.log, lambda: bench.now_s, bench.said.append, away_ms=away_ms)
    site = structs.replace(bench.site(HOUR_MS, HOUR_MS), skew_ms=skew_ms)
    assert _until_drop(bench, structs.replace(site, at_ms=site.at_ms - skew_ms)) is None


def test_the_running_daemon_packs_and_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The real daemon over a log of three days ago: it packs what is older than an hour and gives up what is older than a day."""
    from chargerd.daemon import upkeep
    from tests.daemon.lives import live
    from tests.daemon.test_start import HOME

    monkeypatch.setattr(chunks, "ROWS", 200)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 300)
    monkeypatch.setattr(upkeep, "LOOK_S", 0.02)
    monkeypatch.setattr(upkeep, "LOOK_DROP_S", 0.2)
    (tmp_path / "chargerd.toml").write_text(HOME + '[log]\nkeep_rows = "1h"\nkeep_readings = "1d"\n')
    (tmp_path / "secrets").mkdir()
    (tmp_path / "state").mkdir()
    long_ago_ms = round(time.time()) * 1000 - 3 * 86_400_000
    with Log(tmp_path / "state" / "log.db") as log:
        for events in home(400, first_at_ms=long_ago_ms):
            log.append(events, durable=False)
        before = log.last_seq
    status, journal = live(tmp_path, stop_at="were kept long enough and are given up")
    assert status == 0
    assert "<5>log: " in journal
    with Log(tmp_path / "state" / "log.db") as log:
        assert before - 600 < log.sealed_seq < before
        assert list(log.damages()) == []
        assert any(isinstance(event.body, ReadingsDropped) for event in log.read())
        commands = [event for event in log.read(1, before) if isinstance(event.body, CommandIssued)]
        assert len(commands) == 20
