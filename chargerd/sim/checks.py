"""Checks: everything that `chargerd verify` looks at in a log, in flat memory, and the report of it.

Digests first (`sim.chain`), then one replay over what is sound: every decision again, the stored snapshots, the table of
sessions, and the state of the running daemon at the very event it named.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from chargerd import __version__
from chargerd.daemon.inquiry import Running
from chargerd.daemon.past import ended_between, state_after
from chargerd.engine import VERSION
from chargerd.engine.digest import digest_of
from chargerd.model.events import CommandIssued, DaemonStarted, DaemonStopped, Event, ReadingsDropped
from chargerd.model.state import Session, Site
from chargerd.sim.chain import (
    Damaged,
    Progress,
    Slice,
    begun_at,
    configuration_of,
    damaged,
    event_at,
    last_of,
    why,
)
from chargerd.sim.verify import Difference, Judged, judged
from chargerd.store import sessions, snapshots
from chargerd.store.errors import LogDamaged
from chargerd.store.reader import Reader

SHOWN = 20  # of each kind of finding; the rest is counted
REACH_TRIES, REACH_S = 40, 0.05  # the state is published a moment before its transaction is on the disk


class Differing(Struct, frozen=True):
    """A transaction that the engine decides otherwise today, by its first difference. ``version`` and ``engine`` wrote it."""

    seq: int
    at_ms: int
    recorded: str | None
    decided: str | None
    version: str
    engine: str
    explained: bool


class Misfit(Struct, frozen=True):
    """A derived row that does not say what the log says: a snapshot by its seq, a session by its number."""

    number: int
    text: str
    lost: bool = False  # nothing can make it again


class Report(Struct):
    """What was looked at and what was found."""

    path: str
    timezone: str = "UTC"
    first_seq: int = 1
    last_seq: int = 0
    since_ms: int | None = None
    until_ms: int | None = None
    damaged: list[Damaged] = []
    replayed: list[tuple[int, int]] = []
    unreplayed: str = ""
    running: str = ""  # "equal", "differs", else why it was not compared
    running_seq: int | None = None
    commands: int = 0
    commands_explained: int = 0
    decisions: int = 0
    decisions_explained: int = 0
    differing: list[Differing] = []
    unexplained: int = 0
    explained: int = 0
    snapshots: int = 0
    snapshots_wrong: list[Misfit] = []
    newest_snapshot_ms: int | None = None
    sessions: int = 0
    sessions_wrong: list[Misfit] = []
    orderly: bool = True
    repair: str = ""  # "done", else why nothing was made again; empty: nobody asked for it
    sessions_repaired: list[int] = []
    snapshots_repaired: list[int] = []

    @property
    def reparable(self) -> bool:
        """Whether a derived row is wrong that can be made again."""
        if self.damaged or self.unreplayed:
            return False
        return any(not misfit.lost for misfit in (*self.snapshots_wrong, *self.sessions_wrong))

    @property
    def sound(self) -> bool:
        """Whether nothing was found. Decisions of another version are no finding."""
        wrong = self.damaged or self.snapshots_wrong or self.sessions_wrong or self.unexplained or self.unreplayed
        return not wrong and self.running != "differs" and self.last_seq > 0


def check(path: Path, since_ms: int | None, running: Running | str, progress: Progress) -> Report:
    """Check a log from a time on (None: all of it). ``running`` is the daemon's state, or why there is none to compare.

    Raises `store.errors.LogTooNew` and `store.errors.LogUnusable`; damage is in the report.
    """
    report = Report(str(path))
    try:
        log = Slice(path)
    except LogDamaged as error:
        report.damaged = [Damaged(1, None, why(path, error), None, None, None, 0, 0)]
        report.running = running if isinstance(running, str) else "the log is damaged"
        return report
    with log:
        end_seq = _reached(log, running)
        report.first_seq = _begun(log, since_ms)
        report.damaged = damaged(log, report.first_seq, end_seq, progress)
        report.last_seq = report.damaged[-1].first_seq - 1 if end_seq is None else end_seq
        _frame(log, report)
        _replay(log, report, running, progress)
    return report


def _begun(log: Slice, since_ms: int | None) -> int:
    """The first event to look at; that of the log if damage hides it."""
    try:
        return 1 if since_ms is None else begun_at(log, since_ms)
    except LogDamaged:
        return 1


def _frame(log: Slice, report: Report) -> None:
    """From when to when that is, and the zone in which to say it."""
    configuration = configuration_of(log)
    if configuration is not None:
        report.timezone = configuration.timezone
    first, newest = event_at(log, report.first_seq), event_at(log, report.last_seq)
    report.since_ms = None if first is None else first.at_ms
    report.until_ms = None if newest is None else newest.at_ms


def _reached(log: Slice, running: Running | str) -> int | None:
    """The newest event, once the file has what the running daemon has; None if the end of the file cannot be found."""
    try:
        for _ in range(REACH_TRIES):
            if isinstance(running, str) or log.last_seq >= running.seq:
                break
            threading.Event().wait(REACH_S)
        return log.last_seq
    except LogDamaged:
        return None


def _replay(log: Slice, report: Report, running: Running | str, progress: Progress) -> None:
    """Fold and decide again what is sound: up to the first damage, and from the first snapshot behind each."""
    sound_to, *ends = [*(damage.first_seq - 1 for damage in report.damaged), report.last_seq]
    log.limit = report.last_seq  # what is written from here on is not looked at
    report.running_seq = None if isinstance(running, str) else running.seq
    report.running = running if isinstance(running, str) else "the log cannot be replayed that far"
    try:
        replay = _Replay(log, report, running)
        begun = begin(log, report.first_seq) if sound_to >= report.first_seq else None
        if begun is not None:
            replay.over(begun, begun.seq + 1, sound_to, progress)
        for damage, end_seq in zip(report.damaged, ends, strict=True):
            site = None if damage.last_seq is None else snapshots.oldest(log, VERSION, damage.last_seq, end_seq)
            if site is not None:
                replay.over(site, site.seq + 1, end_seq, progress)
        report.running = replay.running(running)
        _derived(log, report, replay)
    except LogDamaged as error:
        report.unreplayed = why(log.path, error)


def begin(log: Reader, first_seq: int) -> Site | None:
    """The state to replay from: that before the first event, or behind readings that were given up; None: there is none."""
    gone = last_of(log, ReadingsDropped)
    gone_seq = gone.body.last_seq if gone is not None and isinstance(gone.body, ReadingsDropped) else 0
    if not gone_seq:
        return Site() if first_seq == 1 else state_after(log, first_seq - 1)
    ground = snapshots.ground(log)
    if ground.seq >= gone_seq:
        return ground if first_seq <= ground.seq + 1 else state_after(log, first_seq - 1)
    before = snapshots.newest(log, VERSION, first_seq - 1)
    if before is not None and before.seq >= gone_seq:
        return state_after(log, first_seq - 1)
    (oldest,) = log.query("SELECT min(seq) FROM snapshots WHERE engine = ? AND seq >= ?", VERSION, gone_seq)[0]
    return None if oldest is None else snapshots.newest(log, VERSION, oldest)


def written_by(start: Event | None) -> tuple[str, str]:
    """The version of chargerd that writes from its start on, and that of its rules; both empty if no start is known."""
    body = None if start is None else start.body
    return (body.version, body.engine) if isinstance(body, DaemonStarted) else ("", "")


class Tally:
    """Counts what the engine decides again as it is recorded and what it does not, and which version wrote that."""

    def __init__(self, report: Report, writer: tuple[str, str]) -> None:
        self.report = report
        self._writer = writer

    def see(self, transaction: Judged) -> None:
        """Take one transaction in."""
        for event in transaction.facts:
            if isinstance(event.body, DaemonStarted):
                self._writer = written_by(event)
        self._judge(transaction)

    def _judge(self, transaction: Judged) -> None:
        report = self.report
        recorded = [event.body for event in transaction.recorded[:-1]]
        commands = sum(isinstance(body, CommandIssued) for body in recorded)
        report.commands += commands
        report.decisions += len(recorded) - commands
        first = next(transaction.differences, None)
        if first is not None:
            left = [event.body for event in transaction.decided]
            for body in list(recorded):
                if body in left:
                    left.remove(body)
                else:
                    recorded.remove(body)
            self._differs(transaction, first)
        commands = sum(isinstance(body, CommandIssued) for body in recorded)
        report.commands_explained += commands
        report.decisions_explained += len(recorded) - commands

    def _differs(self, transaction: Judged, first: Difference) -> None:
        report = self.report
        version, engine = self._writer
        explained = bool(engine) and (version, engine) != (__version__, VERSION)
        if explained:
            report.explained += 1
        else:
            report.unexplained += 1
        if len(report.differing) < SHOWN:
            shown = (_words(first.recorded), _words(first.decided))
            at_ms = transaction.recorded[-1].at_ms
            report.differing.append(Differing(first.seq, at_ms, *shown, version, engine, explained))


class _Replay:
    """One pass over sound events, and what it has seen."""

    def __init__(self, log: Slice, report: Report, running: Running | str) -> None:
        self._log = log
        self._report = report
        self._run = running if isinstance(running, Running) else None
        self._state_there: str | None = None
        self._started: tuple[str, str] | None = None
        self._engine = ""  # the rules that wrote what is replayed
        self._snapshots = self._stored()
        self.ended: set[int] = set()

    def _stored(self) -> set[int]:
        try:
            return {seq for (seq,) in self._log.query("SELECT seq FROM snapshots WHERE engine = ?", VERSION)}
        except LogDamaged as error:
            self._wrong_snapshot(0, f"the table of snapshots cannot be read: {why(self._log.path, error)}")
            return set()

    def over(self, site: Site, first_seq: int, last_seq: int, progress: Progress) -> None:
        """Judge the transactions between two events, starting from a state."""
        if last_seq < first_seq - 1:
            return
        before = last_of(self._log, DaemonStarted, first_seq)
        self._meet([] if before is None else [before])
        tally = Tally(self._report, written_by(before))
        self._compare(site)
        for number, transaction in enumerate(judged(_within(self._log, first_seq, last_seq), site)):
            self._meet(transaction.facts)
            tally.see(transaction)
            self._compare(transaction.site)
            self._sessions(transaction)
            if number % 256 == 0:
                progress("replay", transaction.site.seq)
        if last_seq >= first_seq:
            self._report.replayed.append((first_seq, last_seq))

    def _meet(self, facts: Iterable[Event]) -> None:
        """See whether the daemon that runs has begun here."""
        for event in facts:
            if isinstance(event.body, DaemonStarted):
                self._engine = event.body.engine
            if self._run is not None and event.seq == self._run.run_seq and isinstance(event.body, DaemonStarted):
                self._started = (event.body.boot_id, event.body.engine)

    def _compare(self, site: Site) -> None:
        """A state that is kept elsewhere too must be the one that replay comes to."""
        if site.seq in self._snapshots:
            self._snapshots.discard(site.seq)
            self._report.snapshots += 1
            stored = snapshots.newest(self._log, VERSION, site.seq)
            if stored is None or stored.seq != site.seq:
                self._wrong_snapshot(site.seq, "cannot be read")
            elif digest_of(stored) != digest_of(site):
                self._wrong_snapshot(site.seq, "is not the state that replay comes to")
        if self._run is not None and site.seq == self._run.seq:
            self._state_there = digest_of(site)

    def _wrong_snapshot(self, seq: int, text: str) -> None:
        self._report.snapshots_wrong.append(Misfit(seq, text))

    def _sessions(self, transaction: Judged) -> None:
        for session in ended_between(transaction.before, transaction.site):
            self.ended.add(session.number)
            self._report.sessions += 1
            text = _session_differs(self._log, session, same_rules=self._engine == VERSION)
            if text:
                self._report.sessions_wrong.append(Misfit(session.number, text))

    def running(self, told: Running | str) -> str:
        """What comparing with the running daemon gave."""
        if isinstance(told, str):
            return told
        if self._started is None:
            return "the chargerd that runs writes another log, or began before the events looked at"
        if self._started != (told.boot_id, told.engine):
            return "the chargerd that runs writes another log"
        if told.engine != VERSION:
            return f"the chargerd that runs has other rules (engine {told.engine}, here {VERSION})"
        if not self._report.replayed and not self._report.damaged and self._state_there is None:
            return "readings were given up, and no snapshot is left behind them"
        if self._state_there is None and self._report.damaged:
            return "replay does not get past the damage"
        if self._state_there is None:
            why = "" if told.recording else ", for it cannot write"
            return f"the running state is that after event {told.seq}, and this file does not reach it{why}"
        return "equal" if self._state_there == told.digest else "differs"


def _within(log: Reader, first_seq: int, last_seq: int) -> Iterable[Event]:
    return log.read(first_seq, last_seq) if last_seq >= first_seq else ()


def _words(event: Event | None) -> str | None:
    if event is None:
        return None
    fields = msgspec.to_builtins(event.body)
    return f"{type(event.body).__name__} {msgspec.json.encode(fields).decode()}"[:400]


def _session_differs(log: Reader, session: Session, *, same_rules: bool) -> str:
    """What is wrong with a stored session. Other rules may not have known a field: what they left as it begins is not."""
    try:
        rows = log.query("SELECT loadpoint, started_at, ended_at, data FROM sessions WHERE number = ?", session.number)
    except LogDamaged as error:
        return f"the table of sessions cannot be read: {why(log.path, error)}"
    if not rows:
        return f"session of {session.loadpoint} is missing in the table"
    *filed, data = rows[0]
    stored = sessions.restored(data)
    if stored is None:
        return f"session of {session.loadpoint} cannot be read in the table"
    if filed != [session.loadpoint, session.started_at_ms, session.ended_at_ms]:
        return f"session of {session.loadpoint} is filed under another loadpoint or time"
    if stored == session:
        return ""
    fields = [name for name in Session.__struct_fields__ if getattr(stored, name) != getattr(session, name)]
    if not same_rules:
        fresh = dict(zip(reversed(Session.__struct_fields__), reversed(Session.__struct_defaults__), strict=False))
        fields = [name for name in fields if name not in fresh or getattr(stored, name) != fresh[name]]
        if not fields:
            return ""
    return f"session of {session.loadpoint} differs in {', '.join(fields)}"


def _derived(log: Slice, report: Report, replay: _Replay) -> None:
    """What is left to say: sessions that no replay knows, the newest snapshot's age, and how the log ends."""
    whole = report.replayed == [(report.first_seq, report.last_seq)]
    if whole and not report.damaged and not report.sessions_wrong:
        for number in _strangers(log, report, replay.ended):
            report.sessions_wrong.append(Misfit(number, "session in the table that the log does not know"))
    report.sessions_wrong += _torn(log, report, replay.ended)
    if not report.snapshots_wrong:
        report.newest_snapshot_ms = log.query("SELECT max(at) FROM snapshots WHERE engine = ?", VERSION)[0][0]
    stopped, started = last_of(log, DaemonStopped), last_of(log, DaemonStarted)
    report.orderly = started is None or (stopped is not None and stopped.seq > started.seq)


def _torn(log: Slice, report: Report, replayed: set[int]) -> list[Misfit]:
    """Sessions that cannot be read, of a time that no replay reaches."""
    if report.damaged or report.first_seq > 1 or not report.replayed:
        return []
    begin_seq = report.replayed[0][0]
    known = replayed | {misfit.number for misfit in report.sessions_wrong}
    text = "session cannot be read in the table, and readings of its time were given up"
    return [Misfit(n, text, lost=True) for n in sessions.listed(log)[1] if n not in known and n < begin_seq]


def _strangers(log: Slice, report: Report, known: set[int]) -> Iterator[int]:
    rows = log.query(
        "SELECT number FROM sessions WHERE ended_at BETWEEN ? AND ? AND number <= ? ORDER BY number",
        report.since_ms,
        (report.until_ms or 0) - 1,  # what ends in this millisecond may be in a transaction behind the last one seen
        report.last_seq,
    )
    yield from (number for (number,) in rows if number not in known)
