"""Sink: the shape of everything that tells others what happened, and the two ways in which that can fail.

A sink sends what it is given and nothing else. It does not read the log, retry, wait or remember; `daemon.sinks` does, with
the log as its buffer: a dead sink costs nothing and loses nothing.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Curve(Struct, frozen=True):
    """Power of one charge: ``points`` are (hours since its start, W)."""

    name: str
    points: tuple[tuple[float, float], ...]


class Message(Struct, frozen=True):
    """Something to tell. ``rows`` is a table whose first row is its head; ``curves`` are drawn where that can be shown."""

    title: str
    text: str
    alarm: bool = False
    rows: tuple[tuple[str, ...], ...] = ()
    curves: tuple[Curve, ...] = ()


class SinkError(Exception):
    """Base of the two. ``kind`` is the word that events carry; the text is for people and holds no secret."""

    kind = "unreachable"


class SinkUnreachable(SinkError):
    """Nobody took it, or nobody answered. It is tried again, later and later."""


class SinkRefused(SinkError):
    """The other side wants another login, or the address is none. A person must act; it is tried again now and then."""

    kind = "access-denied"


class Sink(Protocol):
    """A place to tell. Every call happens on the sink's own thread."""

    def send(self, message: Message) -> None:
        """Tell it; done means that the other side has taken it. Raises `SinkUnreachable` or `SinkRefused`."""
        ...
