"""Followers: clients that want to hear of every change: what each has been told, and what it is told next."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Protocol

from chargerd.daemon.context import Context, chosen
from chargerd.daemon.logbook import Filter, Fold, subject_of
from chargerd.daemon.sentences import row, said
from chargerd.daemon.status import loadpoint_row
from chargerd.model.events import READINGS, Event


class Stream(Protocol):
    """One follower. ``take`` collects events, ``replies`` turns what was collected into replies.

    ``ended``: its last reply has been made.
    """

    zone: tzinfo
    ended: bool

    def begin(self, answer: dict[str, Any]) -> None:
        """The question that opened the stream was answered so; what that answer has is not told again."""
        ...

    def take(self, events: tuple[Event, ...]) -> None:
        """These have happened."""
        ...

    def replies(self, context: Context) -> list[dict[str, Any]]:
        """What the follower is told now."""
        ...


def open_stream(method: str, parameters: dict[str, Any], context: Context) -> Stream:
    """A follower of Watch or of GetLog, from the context's state on. Raises `CallError` for names that there are not."""
    return Watcher(parameters, context) if method == "Watch" else LogFollower(parameters, context)


class Watcher:
    """Follows loadpoints: told of each one first, then of those whose state, power, reason, mode or target changes."""

    def __init__(self, parameters: dict[str, Any], context: Context) -> None:
        self.zone = context.zone
        self.ended = False
        self._asked: list[str] | None = parameters["names"]
        chosen(self._asked, context.site)  # a name that there is not is refused at once
        self._told: dict[str, tuple[object, ...]] = {}
        self._events: list[Event] = []

    def begin(self, answer: dict[str, Any]) -> None:
        """A watch begins with its own replies."""

    def take(self, events: tuple[Event, ...]) -> None:
        """These have happened."""
        self._events += events

    def replies(self, context: Context) -> list[dict[str, Any]]:
        """One reply for each loadpoint that changed."""
        changes = self._changes(context)
        found = []
        for name in context.site.configuration.loadpoints:
            if self._asked and name not in self._asked:
                continue
            point = loadpoint_row(context, name)
            mark = tuple(point[key] for key in ("state", "word", "power_w", "mode", "mode_until", "target", "held_by"))
            mark = (*mark, point["reason"]["code"], point["reachable"])
            if self._told.get(name) != mark or changes.get(name):
                self._told[name] = mark
                text = f"{name}: {point['word']}, {point['text']}"
                found.append(context.stamped("watch", text, loadpoint=point, changes=changes.get(name, [])))
        return found

    def _changes(self, context: Context) -> dict[str, list[dict[str, Any]]]:
        events, self._events = self._events, []
        changes: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            name, words = subject_of(event, context), said(event, context)
            if name is not None and words is not None and not isinstance(event.body, READINGS):
                changes.setdefault(name, []).append(row(event, words, context))
        return changes


class LogFollower:
    """Follows the log from the end of its first answer on, each event in a row of its own.

    Nothing is lost between the two: events are collected from before the log is read, and what was read is left out.
    """

    def __init__(self, parameters: dict[str, Any], context: Context) -> None:
        self.zone = context.zone
        self.ended = False
        self._wanted = Filter(parameters, context)
        self._all = bool(parameters["all"])
        self._after = 0
        self._events: list[Event] = []

    def begin(self, answer: dict[str, Any]) -> None:
        """The log was read up to here."""
        self._after = answer["seq"]

    def take(self, events: tuple[Event, ...]) -> None:
        """These have happened. Whose a command is matters also where the first answer had it."""
        self._events += events
        for event in events:
            self._wanted.learn(event)

    def replies(self, context: Context) -> list[dict[str, Any]]:
        """One reply with the new rows, if there are any. Single readings are left out unless all were asked for."""
        events, self._events = [event for event in self._events if event.seq > self._after], []
        if events:
            self._after = events[-1].seq
        if not self._all:
            events = [event for event in events if not isinstance(event.body, READINGS)]
        rows = list(Fold(context, self._wanted, every_reading=self._all).rows(events))
        return [context.stamped("log", "", entries=rows, cut=False, seq=self._after)] if rows else []
