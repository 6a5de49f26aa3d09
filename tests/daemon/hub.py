"""Hub: a household in simulated time with the real control server before it. The test plays the main loop."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chargerd.config.profiles import shipped
from chargerd.daemon.connection import Patience
from chargerd.daemon.context import Context
from chargerd.daemon.control import ChangeRequest, ControlServer
from chargerd.daemon.discovery import Discovery, Search, wanted
from chargerd.daemon.history import History
from chargerd.model import windows
from chargerd.model.settings import Profile
from chargerd.model.state import Site
from chargerd.protocol.framing import REPLY_LIMIT, CallError, Messages, encode
from chargerd.protocol.table import METHODS
from chargerd.protocol.varlink import checked
from tests.house import Day
from tests.patience import WAIT_S


class Household:
    """A `control.Hub` over a simulated day. ``submitted`` are the changes that arrived, each with its future."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.submitted: list[tuple[ChangeRequest, Future[dict[str, Any]]]] = []
        self.reported: list[BaseException] = []
        self.answer: Callable[[ChangeRequest], dict[str, Any]] | None = None
        self.discovery = Discovery(self.report)
        self.searches: list[Search] = []

    def site(self) -> Site:
        return self.day.run.site

    def now_ms(self) -> int:
        return self.day.clock.now_ms()

    def started_ms(self) -> int:
        return self.day.events[0].at_ms

    def log_reader(self) -> History:
        return History(self.day.path)

    def profiles(self) -> tuple[Profile, ...]:
        return tuple(shipped().values())

    def submit(self, request: ChangeRequest) -> Future[dict[str, Any]]:
        reply: Future[dict[str, Any]] = Future()
        self.submitted.append((request, reply))
        if self.answer is not None:
            try:
                reply.set_result(self.answer(request))
            except CallError as error:
                reply.set_exception(error)
        return reply

    def search(self, parameters: dict[str, Any], wake: Callable[[], None]) -> Search:
        self.searches.append(self.discovery.begin(*wanted(parameters, self.site()), wake))
        return self.searches[-1]

    def report(self, error: BaseException) -> None:
        self.reported.append(error)


def context(day: Day, zone: str | None = None) -> Context:
    """What an answer at this moment is made from."""
    zone = zone or day.configuration.timezone
    log = History(day.path)
    started_ms = day.events[0].at_ms
    return Context(day.run.site, day.clock.now_ms(), started_ms, tuple(shipped().values()), windows.zone(zone), log)


def complete(method: str, **parameters: object) -> dict[str, Any]:
    """Parameters as the control server hands them on."""
    return checked(METHODS[method], parameters)


@contextmanager
def serving(folder: Path, hub: Household, patience: Patience | None = None) -> Iterator[ControlServer]:
    """The control server, for as long as the block lasts; no thread of it is left behind."""
    server = ControlServer(folder, None, hub, patience or Patience())
    server.start()
    try:
        yield server
    finally:
        server.stop()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("chargerd-")]


class Client:
    """A client that does what it is told, polite or not."""

    def __init__(self, folder: Path, name: str = "monitor") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(
            str(folder / name)
        )  # waits while the queue is full; with a time-out it would give up at once
        self.socket.settimeout(WAIT_S)
        self._messages = Messages(REPLY_LIMIT)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, method: str, parameters: object = None, **marks: object) -> None:
        full = method if "." in method else f"io.chargerd.{method}"
        self.socket.sendall(encode({"method": full, "parameters": parameters or {}, **marks}))

    def receive(self) -> dict[str, Any] | None:
        """The next reply, None if the server has hung up."""
        while (message := self._messages.next()) is None:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._messages.feed(data)
        return message

    def ask(self, method: str, parameters: object = None, **marks: object) -> dict[str, Any]:
        """The reply's parameters. Fails for an error."""
        self.send(method, parameters, **marks)
        reply = self.receive()
        assert reply is not None
        assert "error" not in reply, reply
        return dict(reply["parameters"])

    def error(self, method: str, parameters: object = None, **marks: object) -> str:
        """The short name of the error that a call is answered with."""
        self.send(method, parameters, **marks)
        reply = self.receive()
        assert reply is not None
        return str(reply["error"]).rpartition(".")[2]


def descriptors() -> int:
    """How many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
