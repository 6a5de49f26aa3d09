"""Commands: the words and options of what chargerd's own program does with a log: verify, export, bundle, learn.

`chargerctl verify`, `export`, `bundle` and `profile learn` become these. What they need is imported when they run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chargerd.sim import lessons
from chargerd.sim.refused import FAILED, FOUND, USAGE, Refused, unreadable

if TYPE_CHECKING:
    from chargerd.sim.checks import Report
    from chargerd.sim.progress import Progress
    from chargerd.store.reader import Reader
    from chargerd.store.rest import Lost

INTERRUPTED, PIPE_CLOSED = 130, 141
SHOWN = 5  # places in a sentence
TIME = 'a time: today, -7d, "2026-05-11 18:00"'


def add(commands: Any, state: Path, run: Path) -> None:
    """Add the sub-commands to chargerd's parser. ``state`` and ``run`` are the folders where nothing else is said."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--state", type=Path, default=state, metavar="DIR", help=f"folder of the log ({state})")
    shared.add_argument("--zone", metavar="ZONE", help="time zone of times in and out; the site's if left out")
    shared.add_argument("--json", action="store_true", help="print JSON")
    shared.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    span = argparse.ArgumentParser(add_help=False)
    span.add_argument("-S", "--since", metavar="TIME", help=f"not before {TIME}")
    span.add_argument("-U", "--until", metavar="TIME", help="not after")
    into = argparse.ArgumentParser(add_help=False)
    into.add_argument("file", type=Path, metavar="FILE", help="the file to make")
    into.add_argument("--force", action="store_true", help="replace the file if it is there")
    verify = commands.add_parser(
        "verify", parents=[shared], help="check the log; exit status 6 if something is wrong with it"
    )
    verify.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE", help="check a bundle in place of the log")
    verify.add_argument("--log", type=Path, metavar="FILE", help="check this copy of a log")
    verify.add_argument("--run", type=Path, default=run, metavar="DIR", help=f"folder of the sockets ({run})")
    verify.add_argument("-S", "--since", metavar="TIME", help=f"not before {TIME}")
    verify.add_argument(
        "--repair", action="store_true", help="make wrong sessions and snapshots again; chargerd must not run"
    )
    export = commands.add_parser("export", help="copy the log, or make tables of it")
    whats = export.add_subparsers(dest="what", metavar="WHAT", required=True)
    whats.add_parser("log", parents=[shared, into], help="a copy of the whole log, also while chargerd runs")
    for what, form in (("readings", "jsonl"), ("sessions", "json")):
        table = whats.add_parser(what, parents=[shared, span], help=f"{what} as a table")
        table.add_argument(
            "names", nargs="*", metavar="NAME", help="loadpoints, devices or device/channel; all if none"
        )
        table.add_argument("--format", choices=("csv", form), default="csv", help=f"{form}: one object per line")
    bundle = commands.add_parser(
        "bundle", parents=[shared, span, into], help="part of the log for others, names removed"
    )
    bundle.set_defaults(what="bundle")
    lessons.add(commands, shared)


def run(asked: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    name = "verify" if asked.command == "verify" else asked.what
    does: dict[str, Callable[[argparse.Namespace], int]] = {
        "verify": _verify,
        "log": _export_log,
        "readings": _export_readings,
        "sessions": _export_sessions,
        "bundle": _bundle,
        "learn": _learn,
    }
    try:
        from chargerd.store.copies import NotMade
        from chargerd.store.errors import LogError

        try:
            return does[name](asked)
        except NotMade as error:
            raise Refused(FAILED, f"{error}.", hint=error.hint) from error
        except LogError as error:
            raise unreadable(_log(asked), error) from error
        finally:
            sys.stdout.flush()
    except Refused as refused:
        sys.stderr.write(f"{refused.json() if asked.json else refused.lines()}\n")
        return refused.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter complains when it flushes at its end
        return PIPE_CLOSED
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        text = f"chargerd: the answer cannot be written: {(error.strerror or str(error)).lower()}."
        sys.stderr.write(f"{text}\n  What came out so far is not all.\n  Look: df -h\n")
        return FAILED


def _log(asked: argparse.Namespace) -> Path:
    given: Path | None = getattr(asked, "log", None)
    return asked.state / "log.db" if given is None else given


def _verify(asked: argparse.Namespace) -> int:
    from chargerd.daemon.inquiry import running
    from chargerd.sim import checks

    if asked.bundle is not None:
        if asked.log is not None or asked.since is not None:
            raise Refused(USAGE, "a bundle is checked whole: BUNDLE does not go with --log or --since.")
        if asked.repair:
            raise Refused(USAGE, "a bundle cannot be repaired: BUNDLE does not go with --repair.")
        return _verify_bundle(asked)
    path = _log(asked)
    if asked.repair:
        return _repair(asked, path)
    told = running(asked.run) if asked.log is None else "a file of its own was named"
    since_ms, last_seq = None, 0
    if asked.since is not None:
        with _reader(path) as log:
            since_ms, last_seq = _time(log, asked, asked.since), log.last_seq
    shown = _progress(asked, last_seq or _length(path))
    try:
        report = checks.check(path, since_ms, told, shown)
    finally:
        shown.end()
    return _report_log(asked, report)


def _repair(asked: argparse.Namespace, path: Path) -> int:
    from chargerd.sim import repair

    if asked.since is not None:
        raise Refused(USAGE, "tables are made again from the whole log: --repair does not go with --since.")
    shown = _progress(asked, _length(path))
    try:
        report = repair.repaired(path, shown)
    finally:
        shown.end()
    return _report_log(asked, report)


def _report_log(asked: argparse.Namespace, report: Report) -> int:
    from chargerd.sim import verdict

    return _report(asked, report, verdict.lines(report, _thin(), _zone_name(asked)))


def _report(asked: argparse.Namespace, report: Report, lines: Sequence[str]) -> int:
    from chargerd.sim import verdict

    if asked.json:
        _print_json(asked, verdict.fields(report))
    else:
        _print(asked, "\n".join(lines))
    return 0 if report.sound else FOUND


def _verify_bundle(asked: argparse.Namespace) -> int:
    from chargerd.sim import bundle, verdict
    from chargerd.store.errors import LogTooNew

    try:
        report = bundle.replay(asked.bundle)
    except LogTooNew as error:
        raise unreadable(asked.bundle, error) from error
    return _report(asked, report, verdict.bundle_lines(report, _thin(), _zone_name(asked)))


def _export_log(asked: argparse.Namespace) -> int:
    from chargerd.daemon.times import utc_text
    from chargerd.sim import verdict
    from chargerd.store.copies import copy_log

    shown = _progress(asked, 0, "pages")
    try:
        copied = copy_log(_log(asked), asked.file, force=asked.force, progress=shown.of)
    finally:
        shown.end()
    until = None if copied.until_ms is None else utc_text(copied.until_ms)
    if asked.json:
        fields = {"kind": "copy", "file": str(asked.file), "events": copied.events, "until": until}
        _print_json(asked, fields)
    else:
        count = verdict.number(copied.events, _thin())
        _print(asked, f"{asked.file}: {count} events, up to {until}.\nCheck it: chargerctl verify --log {asked.file}")
    if copied.damage is None:
        return 0
    sys.stdout.flush()
    raise Refused(
        FOUND,
        f"the log is damaged from event {copied.damage.first_seq} on, and so is its copy: {copied.damage.text}.",
        "The copy was made all the same, and holds what the log holds.",
        f"Look: chargerctl verify --log {asked.file}",
    )


def _export_readings(asked: argparse.Namespace) -> int:
    from chargerd.sim import exports

    with _reader(_log(asked)) as log:
        first, last = _span(log, asked)
        lost: list[Lost] = []
        _table(asked, exports.READINGS, exports.readings(log, first, last, asked.names, lost.append))
    if not lost:
        return 0
    sys.stdout.flush()  # the table first, if both go to one place
    places = ", ".join(f"{one.first_seq} to {one.last_seq}" for one in lost[:SHOWN])
    more = f" and {len(lost) - SHOWN} more places" if len(lost) > SHOWN else ""
    raise Refused(
        FOUND,
        f"the log is damaged: readings among events {places}{more} are lost.",
        "They are not in the table; all others are.",
        "Look: chargerctl verify",
    )


def _export_sessions(asked: argparse.Namespace) -> int:
    from chargerd.sim import exports

    with _reader(_log(asked)) as log:
        since_ms, until_ms = (None if text is None else _time(log, asked, text) for text in (asked.since, asked.until))
        return _table(asked, exports.SESSIONS, exports.sessions(log, since_ms, until_ms, asked.names))


def _table(asked: argparse.Namespace, columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> int:
    from chargerd.sim import exports

    if asked.format == "csv" and not asked.json:
        exports.write_csv(columns, rows, sys.stdout)
    else:
        exports.write_lines(rows, sys.stdout)
    return 0


def _bundle(asked: argparse.Namespace) -> int:
    from chargerd.sim import bundle, chain, verdict
    from chargerd.store.copies import whole

    if asked.since is None:
        raise Refused(USAGE, "say from when: chargerctl bundle --since -2d FILE.")
    with chain.Slice(_log(asked)) as log:
        first, last = _span(log, asked)
        if first > last:
            raise Refused(FAILED, "nothing was recorded in that time.", hint="Look: chargerctl log --since TIME")
        shown = _progress(asked, last)
        try:
            if chain.damaged(log, first, last, shown):
                raise Refused(FOUND, "the log is damaged in that time.", hint="Look: chargerctl verify")
            with whole(asked.file, force=asked.force) as part:
                made = bundle.make(log, first, last, part, shown)
        finally:
            shown.end()
    if asked.json:
        import msgspec

        _print_json(asked, {**msgspec.to_builtins(made), "kind": "bundle", "file": str(asked.file)})
        return 0
    _print(
        asked,
        f"{asked.file}: {verdict.number(made.events, _thin())} events, from event {made.first_seq} to {made.last_seq}.\n"
        f"Taken out: {'; '.join(made.redacted)}.\n"
        f"Still in it: {'; '.join(made.kept)}.\n"
        f"It is a zip archive: look into it before you pass it on. Check it: chargerctl verify {asked.file}",
    )
    return 0


def _learn(asked: argparse.Namespace) -> int:
    from contextlib import nullcontext

    from chargerd.model.windows import zone

    with nullcontext() if asked.file is not None else _reader(_log(asked)) as log:
        at_ms = None if asked.session is None or log is None else _time(log, asked, asked.session)
        shown = zone(_zone_name(asked) or "UTC") if log is None else _zone(log, asked)
        tried, others = lessons.lesson_of(asked, log, at_ms, shown)
    if asked.json:
        _print_json(asked, lessons.fields(asked, tried, others))
    else:
        _print(asked, lessons.text(asked, tried, others, shown))
    return 0


def _span(log: Reader, asked: argparse.Namespace) -> tuple[int, int]:
    """Whole transactions between the two times that were asked for."""
    from chargerd.sim.chain import begun_at

    first = 1 if asked.since is None else begun_at(log, _time(log, asked, asked.since))
    last = log.last_seq if asked.until is None else begun_at(log, _time(log, asked, asked.until) + 1) - 1
    return first, last


def _print(asked: argparse.Namespace, text: str) -> None:
    if not asked.quiet:
        sys.stdout.write(f"{text}\n")


def _print_json(asked: argparse.Namespace, fields: dict[str, Any]) -> None:
    import json

    _print(asked, json.dumps(fields, ensure_ascii=False))


def _thin() -> str:
    from chargerd.sim.verdict import THIN

    return THIN if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else " "


def _progress(asked: argparse.Namespace, last: int, unit: str = "events") -> Progress:
    from chargerd.sim.progress import Progress

    watched = not asked.quiet and sys.stderr is not None and sys.stderr.isatty()
    return Progress(sys.stderr if watched else None, last, unit)


def _length(path: Path) -> int:
    from chargerd.store.errors import LogDamaged

    try:
        with _reader(path) as log:
            return log.last_seq
    except LogDamaged:
        return 0  # the check says what is wrong


def _reader(path: Path) -> Reader:
    from chargerd.store.reader import open_reader

    return open_reader(path)


def _zone_name(asked: argparse.Namespace) -> str | None:
    """The time zone that was asked for, None for the site's."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if asked.zone is None:
        return None
    try:
        return ZoneInfo(asked.zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused(USAGE, f'there is no time zone "{asked.zone[:40]}".') from error


def _zone(log: Reader, asked: argparse.Namespace) -> tzinfo:
    """The zone that was asked for, else that of the site."""
    from chargerd.model.windows import zone
    from chargerd.sim.chain import configuration_of

    named = _zone_name(asked)
    if named is not None:
        return zone(named)
    known = configuration_of(log)
    return zone("UTC" if known is None else known.timezone)


def _time(log: Reader, asked: argparse.Namespace, text: str) -> int:
    from chargerd.daemon.clock import Clock
    from chargerd.daemon.times import BadTime, parse_time

    try:
        return parse_time(text, Clock().now_ms(), _zone(log, asked))
    except BadTime as error:
        raise Refused(USAGE, f"{error}.", hint="All forms: chargerctl help times") from error
