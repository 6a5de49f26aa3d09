"""Bundle: a stretch of a log in one file that another machine can decide again, without names. See `sim.redact`.

A zip archive of three: ``state.json``, the state before the first event; ``events.jsonl``, one event per line with digests of
their own, chained from the state's; ``manifest.json``, what it is, what was taken out and what the end must come to.
Anybody who wants to can make all of it anew: the digests show damage and careless changes, they are no signature.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from chargerd import __version__
from chargerd.engine import VERSION
from chargerd.engine.digest import digest_of
from chargerd.engine.evolve import fold
from chargerd.model.events import DaemonStarted, Event
from chargerd.model.state import Site
from chargerd.sim import redact
from chargerd.sim.chain import Progress
from chargerd.sim.checks import Report, Tally, begin, written_by
from chargerd.sim.redact import Names, Unclassified
from chargerd.sim.refused import FAILED, FOUND, Refused
from chargerd.sim.verify import judged
from chargerd.store.errors import LogDamaged, LogTooNew
from chargerd.store.reader import Reader
from chargerd.store.rows import TICK, Row, chained, closed, event_of, opened
from chargerd.store.rows import digest_of as chained_digest

FORMAT = 1
DATE = (1980, 1, 1, 0, 0, 0)  # the same content is the same file
LONGEST = 16 * 1024 * 1024  # no event comes near it
MANIFEST, STATE, EVENTS = "manifest.json", "state.json", "events.jsonl"
_encode = msgspec.json.Encoder().encode


class Line(Struct, frozen=True, gc=False, array_like=False, forbid_unknown_fields=True):
    """An event as it stands in ``events.jsonl``; ``data`` is kept byte for byte, for the digest covers it."""

    seq: int
    at_ms: int
    mono_ms: int
    boot: int
    source: str
    type: str
    v: int
    data: msgspec.Raw


class Manifest(Struct, frozen=True):
    """What a bundle says of itself."""

    kind: str
    format: int
    made_by: str
    engine: str
    written_by: tuple[str, str]
    first_seq: int
    last_seq: int
    since_ms: int
    until_ms: int
    events: int
    state_digest: str
    digest: str
    end_digest: str
    commands: int
    decisions: int
    differences: int
    redacted: tuple[str, ...] = redact.TAKEN
    kept: tuple[str, ...] = redact.KEPT
    check: str = "chargerctl verify FILE"


def make(log: Reader, first_seq: int, last_seq: int, part: Path, progress: Progress) -> Manifest:
    """Write a bundle of whole transactions. Raises `Refused` if it would not replay as the log does, or cannot be redacted."""
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            manifest = _written(archive, log, first_seq, last_seq, progress)
            archive.writestr(_member(MANIFEST), msgspec.json.format(_encode(manifest), indent=2))
    except Unclassified as error:
        raise Refused(
            FAILED, f"no bundle was made: {error}.", hint="This is a mistake in chargerd; please report it."
        ) from error
    report = replay(part)
    if (report.explained + report.unexplained, report.commands) != (manifest.differences, manifest.commands):
        text = "no bundle was made: without its names this part of the log would be decided otherwise."
        raise Refused(FAILED, text, hint="This is a mistake in chargerd; please report it.")
    return manifest


def _written(archive: zipfile.ZipFile, log: Reader, first_seq: int, last_seq: int, progress: Progress) -> Manifest:
    names, real = Names(), begin(log, first_seq)
    if real is None or real.seq != first_seq - 1:
        text = "no bundle was made: readings of that time, or of the time before it, were given up."
        raise Refused(FAILED, text, hint="Begin later: what is left can be seen with chargerctl verify")
    site = redact.redacted_site(names, real)
    state = _encode(site)
    archive.writestr(_member(STATE), state)
    chain = start = _digest(state)
    writer = written_by(log.last(DaemonStarted, before_seq=first_seq))
    since_ms, until_ms, count, tally = 0, 0, 0, Tally(Report(""), writer)
    with archive.open(_member(EVENTS), "w", force_zip64=True) as out:
        for transaction in judged(log.read(first_seq, last_seq), real):
            tally.see(transaction)
            facts = [*transaction.facts, *transaction.recorded]
            events = [redact.redacted_event(names, event) for event in facts]
            rows, chain = chained(chain, events)
            for row in rows:
                out.write(_encode(Line(*row[:7], msgspec.Raw(row[7].encode()))) + b"\n")
            site = fold(site, events)
            since_ms, until_ms, count = since_ms or events[0].at_ms, events[-1].at_ms, count + len(events)
            progress("bundle", events[-1].seq)
    report = tally.report
    return Manifest(
        "chargerd-bundle", FORMAT, __version__, VERSION, writer, first_seq, last_seq, since_ms, until_ms, count, start,
        chain, digest_of(site), report.commands, report.decisions, report.explained + report.unexplained,
    )  # fmt: skip


def replay(path: Path) -> Report:
    """Decide a bundle again. Raises `Refused`: 6 for one that is not as it was made, 1 for a newer or no bundle."""
    with _opened(path) as (archive, manifest):
        state = _member_bytes(archive, STATE)
        if _digest(state) != manifest.state_digest:
            raise _changed(path, "the state it begins with is not the one it was made with")
        report = Report(str(path), first_seq=manifest.first_seq, last_seq=manifest.last_seq)
        report.since_ms, report.until_ms = manifest.since_ms, manifest.until_ms
        tally = Tally(report, manifest.written_by)
        site = msgspec.json.decode(state, type=Site)
        with archive.open(EVENTS) as lines:
            source = _Lines(path, lines, manifest)
            for transaction in judged(source.events(), site):
                tally.see(transaction)
                site = transaction.site
        source.check_end()
        report.timezone = site.configuration.timezone
        report.replayed = [(manifest.first_seq, manifest.last_seq)]
        if manifest.engine != VERSION:
            report.running = f"it was made by other rules (engine {manifest.engine}, here {VERSION})"
        else:
            report.running = "equal" if digest_of(site) == manifest.end_digest else "differs"
    return report


class _Lines:
    """The events of a bundle, each transaction's digest worked out again as it passes."""

    def __init__(self, path: Path, lines: IO[bytes], manifest: Manifest) -> None:
        self._path = path
        self._lines = lines
        self._manifest = manifest
        self._chain = manifest.state_digest
        self._seq = manifest.first_seq - 1

    def events(self) -> Iterator[Event]:
        """Whole transactions, in order."""
        rows: list[Row] = []
        while line := self._lines.readline(LONGEST):
            rows.append(self._row(line))
            if rows[-1][5] == TICK:
                self._close(rows)  # first: what nobody knows is a newer chargerd's only if it was not changed
                yield from map(event_of, rows)
                rows = []
        if rows:
            raise _changed(self._path, f"it ends within a transaction, at event {self._seq}")

    def check_end(self) -> None:
        """See that all of it was there."""
        if (self._seq, self._chain) != (self._manifest.last_seq, self._manifest.digest):
            raise _changed(self._path, f"it ends with event {self._seq} and not as it was made")

    def _row(self, line: bytes) -> Row:
        read = msgspec.json.decode(line, type=Line)
        if read.seq != self._seq + 1:
            raise _changed(self._path, f"event {self._seq + 1} is missing")
        self._seq = read.seq
        data = bytes(read.data).decode()
        return read.seq, read.at_ms, read.mono_ms, read.boot, read.source, read.type, read.v, data

    def _close(self, rows: list[Row]) -> None:
        self._chain = chained_digest(self._chain, [*rows[:-1], opened(rows[-1])])
        if closed(rows[-1], self._chain) != rows[-1]:
            first, last = rows[0][0], rows[-1][0]
            raise _changed(self._path, f"the digest of events {first} to {last} does not match: they were changed")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                raise Refused(
                    FAILED, f"{path} is no bundle of chargerd.", hint="A copy of a log: chargerctl verify --log FILE"
                )
        with zipfile.ZipFile(path) as archive:
            head = msgspec.json.decode(_member_bytes(archive, MANIFEST))
            if not isinstance(head, dict) or head.get("kind") != "chargerd-bundle":
                raise Refused(
                    FAILED, f"{path} is no bundle of chargerd.", hint="A copy of a log: chargerctl verify --log FILE"
                )
            if not isinstance(head.get("format"), int) or head["format"] > FORMAT:
                raise LogTooNew(f"{path} was made by a newer chargerd ({str(head.get('made_by'))[:20]})")
            yield archive, msgspec.convert(head, Manifest)
    except FileNotFoundError as error:
        raise Refused(FAILED, f"there is no file {path}.", hint=f"Look: ls -l {path.parent}") from error
    except OSError as error:
        raise Refused(FAILED, f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, UnicodeDecodeError, NotImplementedError) as error:
        raise _changed(path, f"it cannot be unpacked ({error})") from error
    except (msgspec.MsgspecError, LogDamaged) as error:
        raise _changed(path, f"it cannot be read ({error})") from error


def _changed(path: Path, what: str) -> Refused:
    text = f"{path} is not what was made: {what}."
    return Refused(
        FOUND, text, "Nothing can be concluded from it.", "Ask for it again, or make it again: chargerctl bundle"
    )


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    return member


def _member_bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        return member.read()


def _digest(state: bytes) -> str:
    return blake2b(state, digest_size=16).hexdigest()
