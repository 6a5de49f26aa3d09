"""Logbook: what the log says about the past: rows with readings folded, and charging sessions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from chargerd.daemon.context import Context, LogReader, chosen
from chargerd.daemon.flows import Place, between, place_of, power_of
from chargerd.daemon.sentences import TYPES, Said, row, said
from chargerd.daemon.status import session_row
from chargerd.engine.describe import settings_of
from chargerd.model import events as e
from chargerd.model.settings import address_of
from chargerd.protocol.framing import CallError
from chargerd.store.rest import Lost

ROWS = 200  # without a time, a number or a count this many rows are shown
MAX_ROWS = 5000
SHOWN = 10  # numbers of sessions in a sentence
MAX_PRICE = 10_000  # of a kWh, in any currency
MAX_EVENTS = 500_000  # looked through for one question: about a second's work
FIRST_LOOK = 2000  # events looked at first when the last few rows are wanted; four times as many each time after


class Filter:
    """Which events somebody wants to see."""

    def __init__(self, parameters: dict[str, Any], context: Context) -> None:
        self._names = set(chosen(parameters["names"], context.site)) if parameters["names"] else None
        points = context.site.configuration.loadpoints
        self._devices = {points[name].charger.partition("/")[0] for name in self._names or ()}
        self._types = parameters["types"]
        for wanted in self._types or ():
            if wanted not in TYPES:
                raise CallError("BadValue", f"no type of rows is called {wanted[:40]}", "", f"Known: {' '.join(TYPES)}")
        self._by = parameters["by"]
        self._issued = {
            charger.pending.issued: context.site.by_charger.get(address, "")
            for address, charger in context.site.chargers.items()
            if charger.pending is not None
        }

    @property
    def admits_losses(self) -> bool:
        """Whether events that are lost are shown. What was in them nobody knows, so whoever looks for names is told."""
        return self._by is None and (self._types is None or "log" in self._types)

    def learn(self, event: e.Event) -> None:
        """Remember whose a command is, for its outcome does not say so."""
        if isinstance(event.body, e.CommandIssued):
            self._issued[event.seq] = event.body.loadpoint

    def misses(self, issued: int) -> bool:
        """Whether it matters whose a command is, and is not known."""
        return self._names is not None and issued not in self._issued

    def admits(self, event: e.Event, words: Said) -> bool:
        """Whether this event is wanted."""
        if self._types is not None and words.type not in self._types:
            return False
        if self._by is not None and words.by != self._by:
            return False
        if self._names is None:
            return True
        if isinstance(event.body, e.CommandDone | e.CommandFailed) and event.body.issued in self._issued:
            return self._issued[event.body.issued] in self._names
        return words.subject in self._names or self._concerns(event)

    def _concerns(self, event: e.Event) -> bool:
        named = getattr(event.body, "loadpoint", None)
        if named is not None:
            return named == "" or named in (self._names or ())
        return event.source in self._devices and not isinstance(event.body, e.ChargerRead | e.MeterRead | e.StorageRead)


class Fold:
    """Makes rows of events: a run of readings of one loadpoint becomes one row, and a command takes in its outcome."""

    def __init__(self, context: Context, wanted: Filter, *, every_reading: bool) -> None:
        self._context = context
        self._wanted = wanted
        self._every = every_reading
        self._open: dict[str, list[Any]] = {}  # subject → [last event, words, count, lowest, highest power]
        self._commands: dict[int, dict[str, Any]] = {}
        self._codes: dict[str, str] = {}

    def rows(self, events: Iterable[e.Event | Lost]) -> Iterator[dict[str, Any]]:
        """The rows of these events; folded readings come when something else happens there, or at the end."""
        at_ms = None
        for event in events:
            if isinstance(event, Lost):
                yield from self._loss(event, at_ms)
                continue
            at_ms = event.at_ms
            self._wanted.learn(event)
            self._look_back(event)
            words = said(event, self._context)
            if words is None or not self._wanted.admits(event, words):
                continue
            if isinstance(event.body, e.READINGS) and not self._every:
                yield from self._gather(event, words)
            elif not (self._completes(event) or self._repeats(event)):
                yield from self._close(words.subject)
                made = row(event, words, self._context)
                if isinstance(event.body, e.CommandIssued):
                    self._commands[event.seq] = made
                yield made
        for subject in list(self._open):
            yield from self._close(subject)

    def _look_back(self, event: e.Event) -> None:
        """Find the command of an outcome that stands before the events looked at."""
        if not isinstance(event.body, e.CommandDone | e.CommandFailed) or self._context.log is None:
            return
        issued = event.body.issued
        if self._wanted.misses(issued) and 0 < issued < event.seq:
            for found in self._context.log.rest(issued, issued):
                if isinstance(found, e.Event):
                    self._wanted.learn(found)

    def _loss(self, lost: Lost, before_ms: int | None) -> Iterator[dict[str, Any]]:
        """The row that says which events cannot be shown. Readings before it are not folded with those behind it."""
        for subject in list(self._open):
            yield from self._close(subject)
        if self._wanted.admits_losses:
            yield lost_row(lost, self._context, before_ms)

    def _gather(self, event: e.Event, words: Said) -> Iterator[dict[str, Any]]:
        run = self._open.get(words.subject)
        if run is not None and (run[1].type != words.type or (words.type == "failed" and run[1].text != words.text)):
            yield from self._close(words.subject)
        power_w = power_of(event.body, self._place(event))
        run = self._open.setdefault(words.subject, [event, words, 0, power_w, power_w])
        run[:3] = [event, words, run[2] + 1]
        if power_w is not None:
            run[3] = power_w if run[3] is None else min(run[3], power_w)
            run[4] = power_w if run[4] is None else max(run[4], power_w)

    def _close(self, subject: str) -> Iterator[dict[str, Any]]:
        run = self._open.pop(subject, None)
        if run is None:
            return
        event, words, count, low, high = run
        if count > 1:
            span = "" if low is None else between(low, high, self._place(event).role)
            span = words.text if words.type == "failed" else span
            words = Said(words.type, subject, f"×{count}, {span}".rstrip(", "), words.detail)
        yield row(event, words, self._context, count)

    def _place(self, event: e.Event) -> Place:
        channel = getattr(event.body, "channel", "")
        return place_of(address_of(event.source, channel), self._context.site.configuration)

    def _completes(self, event: e.Event) -> bool:
        """An outcome whose command has a row already is written into that row."""
        if not isinstance(event.body, e.CommandDone | e.CommandFailed):
            return False
        command = self._commands.pop(event.body.issued, None)
        if command is None:
            return False
        if isinstance(event.body, e.CommandDone):
            outcome = f"done in {event.body.took_ms / 1000:.1f} s"
        else:
            outcome = f"failed: {event.body.detail or event.body.error}"
        command["detail"] = f"{command['detail']}; {outcome}"
        return True

    def _repeats(self, event: e.Event) -> bool:
        """A decision for the same reason as the one before, with other numbers, is no news."""
        if not isinstance(event.body, e.Decided):
            return False
        code = (event.body.limit or event.body.reason).code
        before = self._codes.get(event.body.loadpoint)
        self._codes[event.body.loadpoint] = code
        return not self._every and event.body.outcome is None and before == code


def lost_row(lost: Lost, context: Context, before_ms: int | None) -> dict[str, Any]:
    """A row for events that the log no longer has. Its time is theirs, or that of the event before them."""
    at_ms = lost.at_ms or before_ms or context.now_ms
    one = lost.first_seq == lost.last_seq
    which = f"event {lost.first_seq}" if one else f"events {lost.first_seq} to {lost.last_seq}"
    gone = "is gone" if one else "are lost"
    why = lost.text.replace("they are", "it is").replace("they", "it") if one else lost.text
    text = f"{which}: {why}" if lost.given_up else f"{which} {gone}: {why}"
    return {
        "kind": "entry",
        "seq": lost.first_seq,
        "at": context.utc(at_ms),
        "at_local": context.local(at_ms),
        "type": "log",
        "event": "Lost",
        "subject": "",
        "text": text,
        "detail": "" if lost.given_up else "look: chargerctl verify",
        "by": "",
        "count": 1,
        "data": {"first_seq": lost.first_seq, "last_seq": lost.last_seq},
    }


def log(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """The reply of GetLog. Its ``seq`` is the newest event that was in the log: followers go on from there."""
    assert context.log is not None
    wanted = Filter(parameters, context)
    newest = context.log.last_seq
    first, last = _span(context, context.log, parameters, newest)
    lines = parameters["lines"]
    if lines is not None and lines < 1:
        raise CallError("BadValue", f"{lines} rows cannot be shown", "", "lines is 1 or more")
    if lines is None and parameters["since"] is None and parameters["seq"] is None:
        lines = ROWS
    cut = last - first >= MAX_EVENTS
    first = max(first, last - MAX_EVENTS + 1)
    every = bool(parameters["all"]) or parameters["seq"] is not None
    rows, left = _rows(context, wanted, every, first, last, min(lines or MAX_ROWS, MAX_ROWS))
    cut = (cut and (lines is None or len(rows) < lines)) or (left and (lines is None or lines > MAX_ROWS))
    text = f"{len(rows)} row{'' if len(rows) == 1 else 's'}" + ("; there is more before them" if cut else "")
    return context.stamped("log", text, entries=rows, cut=cut, seq=newest)


def _span(context: Context, reader: LogReader, parameters: dict[str, Any], newest: int) -> tuple[int, int]:
    if (seq := parameters["seq"]) is not None:
        if not 1 <= seq <= newest:
            raise CallError("BadValue", f"there is no event {seq}; the log has 1 to {newest}")
        return seq, seq
    since_ms, until_ms = context.time(parameters, "since"), context.time(parameters, "until")
    if since_ms is not None and until_ms is not None and since_ms > until_ms:
        text = f"{context.clock(since_ms)} is after {context.clock(until_ms)}"
        raise CallError(
            "BadValue", f"since is after until: {text}", "", "since comes first, as in --since 14:00 --until 15:00"
        )
    first = 1 if since_ms is None else reader.seq_at(since_ms)
    last = newest if until_ms is None else min(newest, reader.seq_at(until_ms + 1) - 1)
    return max(1, first), last


def _rows(
    context: Context, wanted: Filter, every: bool, first: int, last: int, lines: int
) -> tuple[list[dict[str, Any]], bool]:
    """The last ``lines`` rows, and whether there are more before them. Looks back further until there are enough."""
    assert context.log is not None
    look = FIRST_LOOK
    while True:
        start = max(first, last - look + 1)
        fold = Fold(context, wanted, every_reading=every)
        rows: deque[dict[str, Any]] = deque(maxlen=lines + 1)
        rows.extend(fold.rows(context.log.rest(start, last)) if start <= last else ())
        if len(rows) > lines or start <= first:
            ordered = sorted(rows, key=lambda made: int(made["seq"]))
            return ordered[-lines:], len(ordered) > lines
        look *= 4


def sessions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """The reply of GetSessions: those that run first, then the ended ones, newest first.

    A session belongs to the time in which it ended, one that runs to now. One that cannot be read hides no other.
    """
    assert context.log is not None
    site, name = context.site, parameters["name"]
    names = chosen(None if name is None else [name], site)
    since_ms, until_ms = context.time(parameters, "since"), context.time(parameters, "until")
    lines, price = parameters["lines"], parameters["price"]
    if lines is not None and lines < 1:
        raise CallError("BadValue", f"{lines} sessions cannot be shown", "", "lines is 1 or more")
    if price is not None and not 0 <= price <= MAX_PRICE:
        raise CallError("BadValue", f"{price:g} is no price of a kWh", "", f"A price is 0 to {MAX_PRICE}, as in 0.32")
    most = min(lines or MAX_ROWS, MAX_ROWS)
    runs_then = until_ms is None or context.now_ms < until_ms
    running = [s for each in names if (s := site.loadpoints[each].session) is not None] if runs_then else []
    ended, torn = context.log.sessions(name, since_ms, most, until_ms)
    found = [*running, *ended][:most]
    profiles = {each: settings_of(site, each).profile for each in site.configuration.loadpoints}
    rows = [session_row(context, session, profiles.get(session.loadpoint), price) for session in found]
    text = f"{len(rows)} session{'' if len(rows) == 1 else 's'}"
    return context.stamped("sessions", text, sessions=rows, total=_total(rows), warnings=torn_text(torn))


def torn_text(numbers: list[int]) -> list[str]:
    """What is missing in a list of sessions, and how to get it back."""
    if not numbers:
        return []
    shown = ", ".join(map(str, numbers[:SHOWN])) + (f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else "")
    left_out = (
        f"session{'' if len(numbers) == 1 else 's'} {shown} cannot be read and {'is' if len(numbers) == 1 else 'are'}"
    )
    return [f"{left_out} left out here. The events are there; chargerctl verify --repair lists them again from those"]


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Sessions together. Different currencies cannot be added up."""
    with_cost = [row for row in rows if row["cost"] is not None]
    currencies = {row["currency"] for row in with_cost}
    one = len(currencies) == 1
    return {
        "energy_wh": round(sum(row["energy_wh"] for row in rows), 2),
        "priced_wh": round(sum(row["priced_wh"] for row in with_cost), 2) if one else 0.0,
        "cost": round(sum(row["cost"] for row in with_cost), 4) if one else None,
        "currency": currencies.pop() if one else None,
    }


def subject_of(event: e.Event, context: Context) -> str | None:
    """The loadpoint that an event is about, None if it is about none."""
    if isinstance(event.body, e.ChargerRead | e.LeaseTestBegun | e.LeaseTested):
        return context.site.by_charger.get(address_of(event.source, event.body.channel))
    return getattr(event.body, "loadpoint", None) or None
