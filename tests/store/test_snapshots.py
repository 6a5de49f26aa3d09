"""Snapshots: the state comes back as it was, and a snapshot that cannot be trusted is not used."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from chargerd.model.commands import SetEnabled
from chargerd.model.events import Decided, Reason, SetPoint
from chargerd.model.settings import Configuration, DeviceSettings, LoadpointSettings, Profile, ScheduleEntry, Window
from chargerd.model.state import Charger, Device, Hold, Loadpoint, Override, Pending, Session, Site
from chargerd.store import snapshots
from chargerd.store.errors import LogDamaged
from chargerd.store.log import Log
from tests.store.streams import readings

WHY = Reason("charging-to-cutoff", {"power_w": 100.0, "n": 3, "none": None, "word": "x", "yes": True}, (5, 6))
SESSION = Session(7, "bike-1", "rad-48v", "full", 5.0, 25.0, "anna", 1_000, 900, 81.5, below_t_ms=8, flat_w=5.5)
SITE = Site(
    seq=2,
    at_ms=1_000,
    mono_ms=500,
    boot=1,
    t_ms=1_234,
    boot_id="7e3c",
    skew_ms=-3,
    run_seq=1,
    configuration=Configuration(
        devices={"shed": DeviceSettings("shed", "kasa", options={"host": "192.0.2.7", "port": 9999})},
        loadpoints={"bike-1": LoadpointSettings("bike-1", "shed/a", Profile("rad-48v"), windows=(Window(0, 360),))},
        schedule=(ScheduleEntry("s1", "bike-1", (5,), 0, target="full"),),
    ),
    devices={"shed": Device("kasa", "HS300", channels={"a": "01"}, accepts=("SetEnabled",), reachable=True)},
    chargers={
        "shed/a": Charger(
            1,
            1_000,
            900,
            True,
            100.0,
            231.0,
            0.5,
            12.0,
            800,
            "ours",
            700,
            Pending(9, SetEnabled("shed/a", True, 900), 8),
        )
    },
    loadpoints={
        "bike-1": Loadpoint(
            "fast",
            overrides={"full_w": Override(6.0, "anna", 900, configured=5.0)},
            hold=Hold("anna", 950, 2_000),
            session=SESSION,
            last_session=msgspec.structs.replace(SESSION, ended_at_ms=990, outcome="finished", reason=WHY),
            decided=Decided("bike-1", "threshold 1", SetPoint(True), SetPoint(), WHY, memory={"near": True}),
        )
    },
    by_charger={"shed/a": "bike-1"},
    fired={"s1": 900},
    requests={"r-1": 5},
)


def _after(site: Site, seq: int) -> Site:
    return msgspec.structs.replace(site, seq=seq)


def test_the_state_comes_back_as_it_was(tmp_path: Path):
    """Every part of the state survives, after closing and opening the log too."""
    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True, also=[snapshots.saving(SITE, "1")])
        assert snapshots.newest(log, "1") == SITE
    with Log(tmp_path / "log.db") as log:
        assert snapshots.newest(log, "1") == SITE


def test_there_is_none_at_first(tmp_path: Path):
    """An empty log is replayed from its first event."""
    with Log(tmp_path / "log.db") as log:
        assert snapshots.newest(log, "1") is None


def test_a_snapshot_of_other_rules_is_not_used(tmp_path: Path):
    """When the engine's version changed, the state is made again from the log."""
    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True, also=[snapshots.saving(SITE, "1")])
        assert snapshots.newest(log, "2") is None


def test_the_newest_stay_and_of_old_ones_the_first_of_each_stride(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Snapshots every 2 events, stride 8, the newest three kept: any past moment has one that is not far before it."""
    monkeypatch.setattr(snapshots, "STRIDE", 8)
    with Log(tmp_path / "log.db") as log:
        for n in range(1, 31):
            log.append(readings(2 * n - 1, 1), durable=False, also=[snapshots.saving(_after(SITE, 2 * n), "1", keep=3)])
        kept = [row[0] for row in log.query("SELECT seq FROM snapshots ORDER BY seq")]
        assert kept == [2, 8, 16, 24, 32, 40, 48, 56, 58, 60]
        assert snapshots.newest(log, "1", up_to_seq=39) == _after(SITE, 32)


def test_a_year_of_snapshots_is_thinned_one_stride_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Saving looks at the last two strides only, not at all of ten years."""
    monkeypatch.setattr(snapshots, "STRIDE", 8)
    with Log(tmp_path / "log.db") as log:
        log.append(
            readings(1, 1), durable=False, also=[snapshots.saving(_after(SITE, seq), "1", 3) for seq in (2, 4, 6)]
        )
        log.query("INSERT INTO snapshots SELECT seq + 400, at, engine, state FROM snapshots")
        log.save(snapshots.saving(_after(SITE, 408), "1", keep=3))
        assert [row[0] for row in log.query("SELECT seq FROM snapshots ORDER BY seq")] == [2, 4, 6, 402, 404, 406, 408]


def test_the_newest_up_to_an_event_is_found_and_old_ones_go(tmp_path: Path):
    """Of ten snapshots the newest three stay, and the first of their stride; one can be asked for a moment in the past."""
    with Log(tmp_path / "log.db") as log:
        for n in range(1, 11):
            log.append(readings(2 * n - 1, 1), durable=False, also=[snapshots.saving(_after(SITE, 2 * n), "1", keep=3)])
        assert [row[0] for row in log.query("SELECT seq FROM snapshots ORDER BY seq")] == [2, 16, 18, 20]
        assert snapshots.newest(log, "1") == _after(SITE, 20)
        assert snapshots.newest(log, "1", up_to_seq=19) == _after(SITE, 18)
        assert snapshots.newest(log, "1", up_to_seq=15) == _after(SITE, 2)
        assert snapshots.newest(log, "1", up_to_seq=1) is None


@pytest.mark.parametrize(
    "blob", ["x''", "x'00'", "zeroblob(300)", "substr(state, 1, 80)", "'text of more than sixteen'"]
)
def test_a_damaged_snapshot_is_passed_over(tmp_path: Path, blob: str):
    """The one before it is taken; the log has all that the lost one had."""

    def damage(db: sqlite3.Connection) -> None:
        db.execute(f"UPDATE snapshots SET state = {blob} WHERE seq = 4")

    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True, also=[snapshots.saving(SITE, "1")])
        log.append(readings(3, 1), durable=True, also=[snapshots.saving(_after(SITE, 4), "1"), damage])
        assert snapshots.newest(log, "1") == SITE


def test_a_snapshot_of_events_that_were_lost_is_not_used(tmp_path: Path):
    """A state after event 9 is not the state of a log that ends at event 2."""
    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True, also=[snapshots.saving(_after(SITE, 9), "1")])
        assert snapshots.newest(log, "1") is None


@pytest.mark.parametrize("state", ["7", "'text'", "CAST(x'ff00' AS TEXT)", "NULL"])
def test_a_state_of_another_kind_is_passed_over(tmp_path: Path, state: str):
    """Snapshots are derived: whatever stands in the place of one, the one before it serves."""
    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True, also=[snapshots.saving(SITE, "1")])
        log.append(readings(3, 1), durable=True, also=[snapshots.saving(msgspec.structs.replace(SITE, seq=4), "1")])
        log.save(lambda db: db.execute(f"UPDATE snapshots SET state = {state} WHERE seq = 4"))
        assert snapshots.newest(log, "1") == SITE
        assert snapshots.of_other_rules(log, "2") == SITE


def test_a_bad_page_under_one_state_hides_no_other_and_none_is_needed(tmp_path: Path):
    """The pages of the newest are overwritten: the one before it serves, and a log without given-up readings needs none."""
    path = tmp_path / "log.db"
    names = {f"shed/{n}": SITE.chargers["shed/a"] for n in range(3000)}
    with Log(path) as log:
        log.append(readings(1, 1), durable=True, also=[snapshots.saving(SITE, "1")])
        big = msgspec.structs.replace(SITE, seq=4, chargers=names)
        log.append(readings(3, 1), durable=True, also=[snapshots.saving(big, "1")])
    db = sqlite3.connect(path)
    pages = [n for (n,) in db.execute("SELECT pageno FROM dbstat WHERE name = 'snapshots' AND pagetype = 'overflow'")]
    (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'snapshots'").fetchone()
    db.close()
    assert pages
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 2048)
            file.write(b"\xff" * 2048)
    with Log(path) as log:
        assert snapshots.newest(log, "1") == SITE
    with path.open("r+b") as file:
        file.seek((root - 1) * 2048)
        file.write(b"\xff" * 2048)
    with Log(path) as log:
        assert snapshots.newest(log, "1") is None
        assert snapshots.ground(log) == Site()


def test_the_state_behind_given_up_readings_outlives_thinning_and_new_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is the one that cannot be made again; a newer one takes its place, and a torn one is damage, not an empty site."""
    monkeypatch.setattr(snapshots, "STRIDE", 8)
    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=False, also=[snapshots.saving_ground(_after(SITE, 5))])
        for n in range(2, 20):
            log.append(readings(2 * n - 1, 1), durable=False, also=[snapshots.saving(_after(SITE, 2 * n), "1", keep=3)])
        log.save(snapshots.replacing([_after(SITE, 38)], "2"))
        assert snapshots.ground(log) == _after(SITE, 5)
        log.save(snapshots.saving_ground(_after(SITE, 7)))
        assert log.query("SELECT seq FROM snapshots WHERE engine = 'ground'") == [(7,)]
        log.query("UPDATE snapshots SET state = x'00' WHERE seq = 7")
        with pytest.raises(LogDamaged, match="after event 7 is lost"):
            snapshots.ground(log)
