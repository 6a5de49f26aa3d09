"""Verdict: the report of `chargerd verify` as people read it and as programs do."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from chargerd import __version__
from chargerd.daemon.times import utc_text
from chargerd.engine import VERSION
from chargerd.model import windows
from chargerd.model.reasons import duration
from chargerd.sim.chain import MOST, Damaged
from chargerd.sim.checks import SHOWN, Differing, Report

THIN = "\u202f"
LABEL = 9
CONTROL = "chargerctl"


def number(count: int, thin: str = THIN) -> str:
    """A number with its thousands apart: 4 802 113."""
    return f"{count:,}".replace(",", thin)


def lines(report: Report, thin: str = THIN, timezone: str | None = None) -> list[str]:
    """The report for people. Times are those of the site, or of the zone of that name."""
    zone = windows.zone(timezone or report.timezone)
    made = _Lines(report, zone, thin)
    if not report.last_seq:
        return [*made.log(), *made.repair()]
    return [*made.log(), *made.replay(), *made.explains(), *made.sessions(), *made.snapshot(), *made.repair()]


def bundle_lines(report: Report, thin: str = THIN, timezone: str | None = None) -> list[str]:
    """The report of a bundle for people."""
    made = _Lines(report, windows.zone(timezone or report.timezone), thin)
    end = {
        "equal": "the state at its end is the one it was made with",
        "differs": "the state at its end is another than the one it was made with",
    }.get(report.running, f"not compared at its end: {report.running}")
    return [*made.bundle(), _line("Replay", end), *made.explains()]


class _Lines:
    def __init__(self, report: Report, zone: tzinfo, thin: str) -> None:
        self._report = report
        self._zone = zone
        self._thin = thin

    def log(self) -> list[str]:
        report = self._report
        count = max(0, report.last_seq - report.first_seq + 1)
        since = "" if report.since_ms is None else f" since {self._day(report.since_ms)}"
        if not report.damaged and not report.last_seq:
            return [
                _line("Log", "no events, and the log of a chargerd that has run always has some"),
                "  Was it copied while chargerd ran, without log.db-wal?   Nothing can be said of what it held.",
                f"  Copy again: {CONTROL} export log COPY.db",
            ]
        if not report.damaged and not count:
            return [_line("Log", "no events in that time: nothing of the log was looked at"), *self._end()]
        if not report.damaged:
            return [_line("Log", f"{self._n(count)} events{since}, chain intact"), *self._end()]
        places = f"{len(report.damaged)}{' or more' if len(report.damaged) == MOST else ''}"
        found = [_line("Log", f"{self._n(count)} events{since}, damaged in {places} place{_s(len(report.damaged))}")]
        for damage in report.damaged:
            found += self._damage(damage)
        holds = max(0, report.damaged[0].first_seq - report.first_seq)
        what = f"the {self._n(holds)} events before it are as they were written" if holds else "nothing before it"
        behind = report.damaged[-1].last_seq
        if behind is not None and behind < report.last_seq:
            what += f"; the {self._n(report.last_seq - behind)} after it hold together"
        return [
            *found,
            f"  Holds  {what}",
            "  Do     keep this file; go back to a copy that verifies, or let chargerd begin a new log: docs/log.md",
        ]

    def bundle(self) -> list[str]:
        report = self._report
        count, day = self._n(report.last_seq - report.first_seq + 1), self._day(report.since_ms or 0)
        return [_line("Bundle", f"{count} events from {day} on, as they were packed")]

    def _damage(self, damage: Damaged) -> list[str]:
        if damage.last_seq is None:
            what = f"from event {self._n(damage.first_seq)} on, to the end of the file"
        elif damage.last_seq == damage.first_seq:
            what = f"event {self._n(damage.first_seq)}"
        else:
            what = f"events {self._n(damage.first_seq)} to {self._n(damage.last_seq)}"
        times = [
            "" if damage.after_ms is None else f"after {self._time(damage.after_ms)}",
            "" if damage.before_ms is None else f"before {self._time(damage.before_ms)}",
        ]
        span = " and ".join(text for text in times if text)
        where = f"  Bad    {what}{f' ({span})' if span else ''}: {damage.text}"
        return [where, f"  Lost   {self._lost(damage)}"]

    def _lost(self, damage: Damaged) -> str:
        if damage.unreadable is None:
            gone = "how many events cannot be told"
        elif damage.unreadable:
            gone = f"{self._n(damage.unreadable)} event{_s(damage.unreadable)} gone"
        else:
            gone = "no event gone, but they are not to be trusted"
        readable = f"{damage.commands} command{_s(damage.commands)} and {damage.requests} request{_s(damage.requests)}"
        return f"{gone}; among what can be read there: {readable}"

    def _end(self) -> list[str]:
        report = self._report
        if report.orderly or report.running in ("equal", "differs"):
            return []
        at = "" if report.until_ms is None else f" at {self._time(report.until_ms)}"
        return [
            f"  It ends{at} without an orderly end of chargerd. If that is too early, its newest events may be in a",
            "  file log.db-wal beside it that was left behind.",
        ]

    def replay(self) -> list[str]:
        report = self._report
        if report.unreplayed:
            return [_line("Replay", f"not possible: {report.unreplayed}")]
        spans = " and ".join(f"{self._n(first)} to {self._n(last)}" for first, last in report.replayed)
        whole = report.replayed == [(report.first_seq, report.last_seq)]
        part = f"of events {spans or 'none'}: " if report.damaged or not whole else ""
        kept = "no snapshot to compare with"
        if report.snapshots:
            kept = f"state equal to {report.snapshots} snapshot{_s(report.snapshots)}"
        if report.snapshots_wrong:
            kept = f"state differs from {len(report.snapshots_wrong)} of {report.snapshots} snapshots"
        if report.running == "equal":
            return [_line("Replay", f"{part}state equal to the running one")]
        if report.running == "differs":
            text = f"state differs from the running one after event {self._n(report.running_seq or 0)}"
            return [
                _line("Replay", part + text),
                "  What chargerd believes is not what this log says. Charging goes on by what it believes.",
                "  Do     sudo systemctl restart chargerd; it then begins with what the log says",
            ]
        return [_line("Replay", f"{part}{kept}; not compared with a running one: {report.running}")]

    def explains(self) -> list[str]:
        report = self._report
        if report.unreplayed:
            return []
        counted = []
        for what, all_, explained in (
            ("command", report.commands, report.commands_explained),
            ("decision", report.decisions, report.decisions_explained),
        ):
            of = self._n(all_) if explained == all_ else f"{self._n(explained)} of {self._n(all_)}"
            counted.append(f"{of} {what}{_s(all_)}")
        if not report.differing:
            return [_line("Explains", " and ".join(counted))]
        found = [_line("Explains", f"{' and '.join(counted)}; these differ:")]
        found += [line for differing in report.differing for line in self._differing(differing)]
        more = report.explained + report.unexplained - len(report.differing)
        return [*found, f"  … and {self._n(more)} more transactions"] if more else found

    def _differing(self, differing: Differing) -> list[str]:
        if differing.explained:
            text = (
                f"decided by chargerd {differing.version}, engine {differing.engine};"
                f" this is {__version__}, engine {VERSION}: other rules, no damage"
            )
        else:
            text = "these very rules decide otherwise: the log, or chargerd, is wrong there"
        look = f"{CONTROL} log --seq {differing.seq}"
        found = [f"  event {self._n(differing.seq)} at {self._time(differing.at_ms)}: {text}   {look}"]
        if not differing.explained:
            found.append(f"    recorded  {differing.recorded or 'nothing'}")
            found.append(f"    decided   {differing.decided or 'nothing'}")
        return found

    def sessions(self) -> list[str]:
        report = self._report
        if report.unreplayed:
            return []
        if not report.sessions_wrong:
            return [_line("Sessions", f"{self._n(report.sessions)}, as replay gives them")]
        found = [_line("Sessions", f"{self._n(report.sessions)} by replay; the table of sessions is wrong:")]
        found += [f"  {misfit.number}: {misfit.text}" for misfit in report.sessions_wrong[:SHOWN]]
        more = len(report.sessions_wrong) - SHOWN
        found += [f"  … and {self._n(more)} more"] if more > 0 else []
        lost = sum(misfit.lost for misfit in report.sessions_wrong)
        if lost:
            return [
                *found,
                f"  Lost   what {lost} of them took; readings of that time were given up, so nothing can tell",
            ]
        return [*found, "  Lost   nothing: the table is made from the events, which hold"]

    def snapshot(self) -> list[str]:
        """Its age is told on the log's own clock: that of a demo or of a copied log is not this machine's."""
        report = self._report
        newest_ms, end_ms = report.newest_snapshot_ms, report.until_ms
        if newest_ms is None:
            found = [_line("Snapshot", "none yet")]
        elif end_ms is None or end_ms < newest_ms:
            found = [_line("Snapshot", f"newest of {self._time(newest_ms)}")]
        else:
            found = [_line("Snapshot", f"newest {duration((end_ms - newest_ms) / 1000)} before the newest event")]
        found += [f"  after event {self._n(wrong.number)}: {wrong.text}" for wrong in report.snapshots_wrong[:SHOWN]]
        if report.snapshots_wrong:
            found.append("  Lost   nothing: a start without it takes longer")
        if report.reparable:
            found.append("  Do     sudo systemctl stop chargerd; then the same command with --repair makes them again")
        return found

    def repair(self) -> list[str]:
        report = self._report
        if report.repair in ("", "done"):
            made = [
                _numbered("session", report.sessions_repaired),
                _numbered("snapshot after event", report.snapshots_repaired),
            ]
            text = " and ".join(text for text in made if text)
            return [_line("Repaired", f"{text or 'nothing'}: made again from the events")] if report.repair else []
        return [_line("Repaired", f"nothing: {report.repair}")]

    def _n(self, count: int) -> str:
        return number(count, self._thin)

    def _day(self, at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, self._zone).date().isoformat()

    def _time(self, at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, self._zone).strftime("%Y-%m-%d %H:%M:%S")


def fields(report: Report) -> dict[str, Any]:
    """The report for programs; docs/commands.md says what each field is."""
    return {
        "kind": "verify",
        "log": report.path,
        "intact": report.sound,
        "first_seq": report.first_seq,
        "last_seq": report.last_seq,
        "events": max(0, report.last_seq - report.first_seq + 1),
        "since": _utc(report.since_ms),
        "until": _utc(report.until_ms),
        "damage": [
            {
                "kind": "damage",
                "first_seq": damage.first_seq,
                "last_seq": damage.last_seq,
                "after": _utc(damage.after_ms),
                "before": _utc(damage.before_ms),
                "unreadable": damage.unreadable,
                "commands": damage.commands,
                "requests": damage.requests,
                "text": damage.text,
            }
            for damage in report.damaged
        ],
        "replayed": [list(span) for span in report.replayed],
        "replay_error": report.unreplayed or None,
        "running": {"equal": True, "differs": False}.get(report.running),
        "running_seq": report.running_seq,
        "running_text": report.running,
        "commands": report.commands,
        "commands_explained": report.commands_explained,
        "decisions": report.decisions,
        "decisions_explained": report.decisions_explained,
        "differ": report.unexplained,
        "differ_by_version": report.explained,
        "differences": [
            {
                "kind": "difference",
                "seq": differing.seq,
                "at": _utc(differing.at_ms),
                "recorded": differing.recorded,
                "decided": differing.decided,
                "version": differing.version,
                "engine": differing.engine,
                "explained": differing.explained,
            }
            for differing in report.differing
        ],
        "snapshots": report.snapshots,
        "snapshots_wrong": [{"seq": wrong.number, "text": wrong.text} for wrong in report.snapshots_wrong],
        "newest_snapshot": _utc(report.newest_snapshot_ms),
        "sessions": report.sessions,
        "sessions_wrong": [{"number": wrong.number, "text": wrong.text} for wrong in report.sessions_wrong],
        "orderly_end": report.orderly,
        "repair": report.repair or None,
        "sessions_repaired": report.sessions_repaired,
        "snapshots_repaired": report.snapshots_repaired,
    }


def _utc(at_ms: int | None) -> str | None:
    return None if at_ms is None else utc_text(at_ms)


def _numbered(what: str, numbers: list[int]) -> str:
    """Text: "session 5, 9 and 4 more"; empty for none."""
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"{what} {', '.join(map(str, numbers[:SHOWN]))}{more}" if numbers else ""


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL}}{text}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
