"""Messages: what arrives in the queue of the main loop: from workers, sinks, sockets, signals and searches."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from chargerd.daemon.control import ChangeRequest
from chargerd.daemon.discovery import Search
from chargerd.daemon.rebuild import Rebuilt
from chargerd.model.events import Body


class FromDevice(NamedTuple):
    """Facts from a worker."""

    device: str
    facts: Sequence[Body]


class Ask(NamedTuple):
    """A request from the control socket, and where its reply is awaited."""

    change: ChangeRequest
    reply: Future[dict[str, Any]]
    asked_s: float


class Told(NamedTuple):
    """A signal: "stop" or "reload"."""

    what: str


class FromSink(NamedTuple):
    """Facts from a sink's thread."""

    sink: str
    facts: Sequence[Body]


class Searched(NamedTuple):
    """A search for plugs to adopt is over."""

    search: Search


Message = FromDevice | FromSink | Ask | Told | Rebuilt | Searched
