"""Recorder: log and state move together, also when the disk is full, the clock jumps or the process dies."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from msgspec import structs

from chargerd.daemon import recorder
from chargerd.daemon.past import state_after
from chargerd.daemon.recorder import BACKLOG, PROVISIONAL, Moment, Recorder
from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.model.events import (
    ChargerRead,
    ClockStepped,
    CommandDone,
    ConfigLoaded,
    DaemonStarted,
    DaemonStopping,
    DeviceAdded,
    LimitSet,
    ModeSet,
    RecordingBack,
    RecordingLost,
    Tick,
)
from chargerd.model.settings import DeviceSettings, Profile
from chargerd.model.state import Site
from chargerd.store import sessions, snapshots
from chargerd.store.errors import NotRecorded
from chargerd.store.log import Log
from tests.house import configuration, loadpoint


class FullDisk(Log):
    """A log whose disk can be full."""

    full = False

    def append_all(self, transactions, *, durable, also=()):
        if self.full:
            raise NotRecorded("database or disk is full")
        return super().append_all(transactions, durable=durable, also=also)


class Bench:
    """A recorder with a clock of its own."""

    def __init__(self, path: Path) -> None:
        self.log = FullDisk(path)
        self.recorder = Recorder(self.log, state_after(self.log))
        self.mono, self.wall, self.boot_id = 0, 1_700_000_000_000, "boot-a"
        conf = configuration(loadpoint("bike"))
        self.take(("daemon", DaemonStarted("1", "1", self.boot_id)), ("daemon", ConfigLoaded(conf)))
        added = DeviceAdded("simulated", accepts=("SetEnabled",), lease="unproven")
        self.take(("shed", added), ("shed", ChargerRead("bike", False, 0.0)))

    def take(self, *facts, after_ms=1000):
        self.mono, self.wall = self.mono + after_ms, self.wall + after_ms
        return self.recorder.take(facts, Moment(self.wall, self.mono, self.boot_id))

    def read(self, enabled, power_w):
        return self.take(("shed", ChargerRead("bike", enabled, power_w)))


def test_command_is_in_the_log_before_it_is_handed_out(tmp_path):
    """When an order comes back from the recorder, another process can read it in the log already."""
    bench = Bench(tmp_path / "log.db")
    outcome = bench.take(("anna", ModeSet("bike", "fast", "anna")))
    (order,) = outcome.orders
    written = next(event for event in bench.log.read() if event.seq == order.issued)
    assert written.body.command == order.command


def test_every_batch_closes_with_a_tick(tmp_path):
    """Also one without facts, which is a look at the clock."""
    bench = Bench(tmp_path / "log.db")
    outcome = bench.take()
    assert [type(event.body) for event in outcome.events] == [Tick]
    assert fold(Site(), bench.log.read()) == bench.recorder.site


def test_full_disk_lets_power_down_and_not_up(tmp_path):
    """Fault 4: while nothing can be recorded, switching off is sent, switching on is not; it heals by itself."""
    bench = Bench(tmp_path / "log.db")
    bench.take(("anna", ModeSet("bike", "fast", "anna")))
    bench.read(True, 103.0)
    FullDisk.full = True
    try:
        outcome = bench.read(True, 103.0)
        assert not outcome.recorded
        assert not bench.recorder.writable()
        stopped = bench.take(("daemon", ModeSet("bike", "off", "until")))
        assert [order.command.enabled for order in stopped.orders] == [False]
        again = bench.take(("daemon", ModeSet("bike", "fast", "schedule")))
        assert again.orders == ()
        assert bench.recorder.site.recording is False
    finally:
        FullDisk.full = False
    bench.read(False, 0.0)
    outcome = bench.read(False, 0.0)
    assert outcome.recorded
    assert bench.recorder.site.recording is True
    kinds = [type(event.body) for event in bench.log.read()]
    assert (kinds.count(RecordingLost), kinds.count(RecordingBack)) == (1, 1)
    assert bench.log.verify_chain() is None
    assert fold(Site(), bench.log.read()) == bench.recorder.site


def test_asking_whether_the_log_is_writable_does_not_hide_that_it_is_back(tmp_path):
    """Somebody's request may be what finds out; the log says all the same that it can be written again."""
    bench = Bench(tmp_path / "log.db")
    FullDisk.full = True
    bench.read(False, 0.0)
    bench.read(False, 0.0)
    FullDisk.full = False
    assert bench.recorder.writable()
    outcome = bench.take(("anna", ModeSet("bike", "fast", "anna")))
    assert outcome.site.recording
    assert [order.command.enabled for order in outcome.orders] == [True]


def test_request_that_cannot_be_recorded_has_not_happened(tmp_path):
    """The very write that finds the disk full: the person is refused, and nothing is done about it later either."""
    bench = Bench(tmp_path / "log.db")
    FullDisk.full = True
    try:
        moment = Moment(bench.wall + 10, bench.mono + 10, bench.boot_id)
        before = bench.recorder.site
        assert bench.recorder.request([("anna", ModeSet("bike", "fast", "anna", request="r1"))], moment) is None
        assert bench.recorder.site == before
    finally:
        FullDisk.full = False
    for _ in range(3):
        assert bench.read(False, 0.0).orders == ()
    assert "r1" not in bench.recorder.site.requests
    assert fold(Site(), bench.log.read()) == bench.recorder.site


def test_full_disk_for_too_long_gives_up_what_waits_and_starts_over(tmp_path):
    """Memory is bounded: past the limit the state goes back to what the file knows, as after a restart."""
    bench = Bench(tmp_path / "log.db")
    known = bench.recorder.site
    FullDisk.full = True
    try:
        many = [("shed", ChargerRead("bike", False, 0.0))] * (BACKLOG // 4)
        for _ in range(5):
            bench.take(*many)
        assert bench.recorder.site.seq <= known.seq + 2 * len(many)
    finally:
        FullDisk.full = False
    bench.read(False, 0.0)
    assert bench.read(False, 0.0).recorded
    assert fold(Site(), bench.log.read()) == bench.recorder.site


def test_what_is_so_without_being_read_outlives_what_is_given_up(tmp_path):
    """Full from the start on: devices and configuration are told once, and somebody's off must not be forgotten at night."""
    bench = Bench(tmp_path / "log.db")
    bench.take(("anna", ModeSet("bike", "fast", "anna")))
    bench.log.close()
    again = FullDisk(tmp_path / "log.db")
    bench.recorder = Recorder(again, state_after(again))
    FullDisk.full = True
    try:
        conf = configuration(loadpoint("bike"), loadpoint("trike"))
        bench.take(("daemon", DaemonStarted("1", "1", "boot-b")), ("daemon", ConfigLoaded(conf)))
        bench.take(("shed", DeviceAdded("simulated", accepts=("SetEnabled",), lease="proven")))
        bench.take(("anna", ModeSet("bike", "off", "anna")))
        run_seq = bench.recorder.site.run_seq
        bench.take(*[("shed", ChargerRead("bike", False, 0.0))] * (BACKLOG + 1))
        site = bench.take().site
    finally:
        FullDisk.full = False
    assert list(site.configuration.loadpoints) == ["bike", "trike"]
    assert site.devices["shed"].lease == "proven"
    assert site.loadpoints["bike"].session is None
    assert site.run_seq == run_seq
    assert not site.recording
    bench.take()
    assert bench.take().site.recording
    assert fold(Site(), again.read()) == bench.recorder.site
    again.close()


def test_real_disk_that_is_full_is_survived(tmp_path):
    """Fault 4 without a stand-in: the kernel refuses to let the file grow, then allows it again."""
    bench = Bench(tmp_path / "log.db")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    recorded = []
    import signal

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, hard))
        for _ in range(40):
            facts = [("shed", ChargerRead("bike", False, n / 7)) for n in range(20)]
            recorded.append(bench.take(*facts).recorded)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert False in recorded
    bench.take()
    assert bench.take().recorded
    assert fold(Site(), bench.log.read()) == bench.recorder.site
    assert bench.log.verify_chain() is None


def test_wall_clock_that_jumps_is_a_fact_and_times_do_not_fall(tmp_path):
    """Back by an hour: the log's time goes on, and the state knows what the wall shows."""
    bench = Bench(tmp_path / "log.db")
    bench.wall -= 3_600_000
    outcome = bench.take()
    assert [e.body.by_ms for e in outcome.events if isinstance(e.body, ClockStepped)] == [-3_600_000]
    assert outcome.site.wall_ms == bench.wall
    bench.wall += 3_600_000
    assert bench.take().site.skew_ms == 0
    times = [event.at_ms for event in bench.log.read()]
    assert times == sorted(times)


@pytest.mark.parametrize("drift_ms", [-1500, 1500])
def test_small_drift_is_followed_in_silence(tmp_path, drift_ms):
    """What the time service corrects in small steps is no fact."""
    bench = Bench(tmp_path / "log.db")
    bench.wall += drift_ms
    assert not any(isinstance(event.body, ClockStepped) for event in bench.take().events)


def test_new_boot_has_a_new_number(tmp_path):
    """Monotonic readings of two boots are never subtracted."""
    bench = Bench(tmp_path / "log.db")
    boot = bench.recorder.site.boot
    bench.log.close()
    bench.log = Log(bench.log.path)
    bench.recorder = Recorder(bench.log, state_after(bench.log))
    bench.mono, bench.boot_id = 50, "boot-b"
    assert bench.take(("daemon", DaemonStarted("1", "1", "boot-b"))).site.boot == boot + 1


def test_rehearsal_tells_the_commands_and_changes_nothing(tmp_path):
    """S0-30: what would follow, without a row in the log."""
    bench = Bench(tmp_path / "log.db")
    before, last = bench.recorder.site, bench.log.last_seq
    commands = bench.recorder.rehearse(
        [("anna", ModeSet("bike", "fast", "anna"))], Moment(bench.wall + 5, bench.mono + 5, bench.boot_id)
    )
    assert [(c.device, c.enabled) for c in commands] == [("shed/bike", True)]
    assert (bench.recorder.site, bench.log.last_seq) == (before, last)


def test_ended_session_is_in_the_table_with_its_transaction(tmp_path):
    """The table of sessions needs no replay."""
    bench = Bench(tmp_path / "log.db")
    bench.take(("anna", ModeSet("bike", "fast", "anna")))
    bench.read(True, 103.0)
    bench.take(("anna", ModeSet("bike", "off", "anna")))
    (session,) = sessions.ended(bench.log)
    assert structs.asdict(session)["outcome"] == "stopped"
    assert session == bench.recorder.site.ended[-1]


def test_fast_right_after_off_charges_on_although_the_off_is_still_under_way(tmp_path):
    """Off and at once on again: what the plug draws until it follows is not the new session's, and no minimum time holds it."""
    bench = Bench(tmp_path / "log.db")
    bench.take(("anna", ModeSet("bike", "fast", "anna")))
    bench.read(True, 103.0)
    (off,) = bench.take(("anna", ModeSet("bike", "off", "anna"))).orders
    assert not off.command.enabled
    assert bench.take(("anna", ModeSet("bike", "fast", "anna"))).orders == ()
    done = CommandDone(off.issued)
    (on,) = bench.take(("shed", done), ("shed", ChargerRead("bike", False, 0.0))).orders
    assert on.command.enabled


def test_time_before_a_session_is_not_counted_into_it(tmp_path):
    """The plug was last read two hours ago, off; a session begins, and a reading a minute later finds it drawing 103 W."""
    bench = Bench(tmp_path / "log.db")
    bench.take(("anna", ModeSet("bike", "fast", "anna")), after_ms=2 * 3_600_000)
    session = bench.take(("shed", ChargerRead("bike", True, 103.0)), after_ms=60_000).site.loadpoints["bike"].session
    assert session is not None
    assert session.energy_wh == pytest.approx(103 / 2 / 60)
    assert session.on_ms == 0


def test_a_daemon_that_ends_while_a_switching_on_is_under_way_does_not_take_it_back(tmp_path):
    """The plug has a timer, so it is left to it; nobody has said off."""
    bench = Bench(tmp_path / "log.db")
    (on,) = bench.take(("anna", ModeSet("bike", "fast", "anna"))).orders
    assert bench.take(("daemon", DaemonStopping("told to stop"))).orders == ()
    (shorter,) = bench.take(("shed", CommandDone(on.issued)), ("shed", ChargerRead("bike", True, 103.0))).orders
    assert (shorter.command.enabled, shorter.command.lease_s) == (True, 120)


def test_word_of_an_earlier_on_that_comes_after_our_off_is_nobody_s_button(tmp_path):
    """On, and off before the plug has answered: its first reading says on, and that was us."""
    bench = Bench(tmp_path / "log.db")
    (on,) = bench.take(("anna", ModeSet("bike", "fast", "anna"))).orders
    (off,) = bench.take(("anna", ModeSet("bike", "off", "anna"))).orders
    late = bench.take(("shed", CommandDone(on.issued)), ("shed", ChargerRead("bike", True, 103.0)))
    then = bench.take(("shed", CommandDone(off.issued)), ("shed", ChargerRead("bike", False, 0.0)))
    assert [e.body for e in (*late.events, *then.events) if isinstance(e.body, ModeSet)] == []
    assert then.site.loadpoints["bike"].mode == "off"
    assert then.orders == ()


def test_states_are_provisional_until_the_log_has_been_folded_again(tmp_path, monkeypatch):
    """A snapshot of the time before must not be taken for one of today's rules; one of the time after is."""
    monkeypatch.setattr(recorder, "SNAPSHOT_EVENTS", 1)
    bench = Bench(tmp_path / "log.db")
    bench.log.save(lambda db: db.execute("DELETE FROM snapshots"))
    bench.recorder = Recorder(bench.log, bench.recorder.site, PROVISIONAL)
    bench.read(False, 0.0)
    assert snapshots.newest_seq(bench.log, VERSION) == 0
    bench.recorder.adopt(state_after(bench.log))
    site = bench.read(False, 0.0).site
    assert snapshots.newest_seq(bench.log, VERSION) == site.seq


def test_full_disk_lets_a_current_down_and_not_up(tmp_path):
    """A car that charges may be offered less, also while nothing can be recorded, and never more."""
    bench = Bench(tmp_path / "log.db")
    box = structs.replace(loadpoint("car"), charger="box", kind="evse", profile=Profile(""))
    conf = structs.replace(
        configuration(box), devices={"box": DeviceSettings("box", "simulated")}, circuits={}, schedule=()
    )
    bench.take(("daemon", ConfigLoaded(conf)))
    bench.take(("box", DeviceAdded("simulated", accepts=("SetCurrent",), has_pilot=True)))
    offered = ChargerRead(enabled=True, power_w=2760.0, pilot="C", offered_a=12.0)
    bench.take(("box", ChargerRead(enabled=False, power_w=0.0, pilot="B", offered_a=12.0)))
    bench.take(("anna", ModeSet("car", "fast", "anna")), ("box", offered))
    bench.log.full = True
    outcome = bench.take(("box", offered), after_ms=20_000)
    assert outcome.orders == ()
    outcome = bench.take(("anna", LimitSet("car", "max_current_a", 8.0, "anna")), ("box", offered), after_ms=20_000)
    assert [order.command.current_a for order in outcome.orders] == [8.0]
