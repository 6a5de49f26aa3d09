"""Control: serves the two sockets on one thread of its own, and checks who is asking.

``monitor`` (0666) answers questions, ``control`` (0660) takes changes as well. Questions are answered here, from the
state as it is at that moment, but for those that take long, which have threads of their own; changes go to the daemon's
main loop and come back as a future. Nothing that a client does or leaves undone can hold the main loop up: it only ever
hands something over and wakes this thread.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, structs

from chargerd.daemon.answers import HISTORY, LONG, answer, finished
from chargerd.daemon.connection import PATIENCE, Connection, Patience, Step, peer_of
from chargerd.daemon.context import Context, LogReader, zone_of
from chargerd.daemon.discovery import Search, Searcher
from chargerd.daemon.followers import Stream, open_stream
from chargerd.daemon.sockets import CannotServe, Sockets
from chargerd.model.events import Event
from chargerd.model.settings import Profile
from chargerd.model.state import Site
from chargerd.protocol.framing import INTERFACE, SERVICE, CallError
from chargerd.protocol.table import METHODS, Method
from chargerd.protocol.varlink import checked, no_method, service_answer
from chargerd.store.errors import LogError

__all__ = ["CannotServe", "ChangeRequest", "ControlServer", "Hub"]

MAX_CLIENTS = 200
MAX_PER_USER = 100  # root excepted: one user cannot lock the others out
LOOK_ROUND_S = 0.5  # how often deadlines are looked at while somebody is connected
ACCEPT = 64
TURN = 8  # requests of one client that are answered before the others have theirs
STREAM_BACKLOG = 1000  # transactions that may wait for this thread before followers are dropped


class ChangeRequest(Struct, frozen=True):
    """What somebody asks the main loop to do: any method of the table whose kind is "control".

    ``parameters`` are checked, and every optional one is there (None if it was left out).
    """

    method: str
    parameters: dict[str, Any]
    by: str
    uid: int


class Hub(Protocol):
    """What the control server needs of the daemon. Every method may be called from another thread than the main loop's."""

    def site(self) -> Site:
        """The state as it is now. It is immutable; the main loop replaces it."""
        ...

    def now_ms(self) -> int:
        """Wall clock, UTC, on the daemon's own clock (which may run faster in a demo)."""
        ...

    def started_ms(self) -> int:
        """When this daemon started, on the same clock."""
        ...

    def log_reader(self) -> LogReader:
        """A reader of the log for the calling thread, which closes it."""
        ...

    def profiles(self) -> tuple[Profile, ...]:
        """Shipped and configured profiles."""
        ...

    def submit(self, request: ChangeRequest) -> Future[dict[str, Any]]:
        """Put a request before the main loop. The future gets the reply's fields (see `daemon.replies`), or a `CallError`.

        A future that is cancelled before the main loop takes it up must not be carried out.
        """
        ...

    def search(self, parameters: dict[str, Any], wake: Callable[[], None]) -> Search:
        """Look for plugs, or share the search that runs. ``wake`` may be called from any thread. Raises `CallError`."""
        ...

    def report(self, error: BaseException) -> None:
        """An answer ended with an exception that is no `CallError`: a mistake of ours, for the journal with its traceback."""
        ...


class ControlServer:
    """Serves ``directory``/monitor and ``directory``/control until stopped. ``group`` may use control, besides root."""

    def __init__(self, directory: Path, group: str | None, hub: Hub, patience: Patience = PATIENCE) -> None:
        self._patience = patience
        self._sockets = Sockets(directory, group)
        self._hub = hub
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, Connection] = {}
        self._streams: dict[int, Stream] = {}
        self._handed: deque[tuple[Connection, Future[dict[str, Any]]]] = deque()
        self._again: deque[Connection] = deque()
        self._published: deque[tuple[tuple[Event, ...], Site]] = deque()
        self._overrun = False
        self._nudged = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._stopping = False
        self._spare_fd = _spare()
        self._history = ThreadPoolExecutor(1, thread_name_prefix="chargerd-history")
        self._thought = ThreadPoolExecutor(1, thread_name_prefix="chargerd-why")
        self._thread = threading.Thread(target=self._serve, name="chargerd-control", daemon=True)

    def start(self) -> None:
        """Open the sockets and serve. Raises `CannotServe`, e.g. when another daemon serves this directory."""
        self._sockets.open()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        for listener in self._sockets.listeners:
            self._selector.register(listener, selectors.EVENT_READ, listener)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, remove the sockets, end the threads. Calling it again does nothing."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        for others in (self._history, self._thought):
            others.shutdown(wait=True, cancel_futures=True)
        self._sockets.close()
        self._wake_in.close()
        self._wake_out.close()
        if self._spare_fd >= 0:
            os.close(self._spare_fd)
            self._spare_fd = -1

    def publish(self, events: Sequence[Event], site: Site) -> None:
        """Tell followers what happened. Called by the main loop after each transaction; never waits."""
        if len(self._published) >= STREAM_BACKLOG:
            self._overrun = True
            return
        self._published.append((tuple(events), site))
        self._wake()

    def _nudge(self) -> None:
        """There may be something new for followers of what is no event. Called from any thread."""
        self._nudged = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_out.send(b"\0")
        except BlockingIOError:
            return  # full: it is awake already
        except OSError:
            return  # closed: the server has stopped, and nobody is left to wake

    # The thread

    def _serve(self) -> None:
        try:
            while not self._stopping:
                try:
                    self._round()
                except Exception as error:  # a mistake of ours costs those who are connected, never the charging
                    self._hub.report(error)
                    for client in list(self._clients.values()):
                        self._drop(client)
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()

    def _round(self) -> None:
        for key, ready in self._selector.select(LOOK_ROUND_S if self._clients else None):
            if key.data is None:
                self._drain()
            elif isinstance(key.data, Connection):
                self._touch(key.data, ready)
            else:
                self._accept(key.data)
        self._answer_handed()
        self._feed_streams()
        for _ in range(len(self._again)):
            client = self._again.popleft()
            if not client.closed:
                self._go_on(client)
        for client in [client for client in self._clients.values() if client.overdue()]:
            self._drop(client)

    def _drain(self) -> None:
        try:
            while self._wake_in.recv(4096):
                pass
        except BlockingIOError:
            return

    def _accept(self, listener: socket.socket) -> None:
        """Take in who is waiting, several at a time: a full queue turns clients away without a word."""
        for _ in range(ACCEPT):
            try:
                peer, _address = listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._turn_away(listener)
                return  # nobody else, or gone again
            self._welcome(peer, self._sockets.listeners[listener])

    def _turn_away(self, listener: socket.socket) -> None:
        """No file may be opened any more: hang up on whoever waits, or the selector would report them for ever."""
        if self._spare_fd >= 0:
            os.close(self._spare_fd)
        with suppress(OSError):  # gone again, or another thread took the one that was spare
            listener.accept()[0].close()
        self._spare_fd = _spare()

    def _welcome(self, peer: socket.socket, name: str) -> None:
        peer.setblocking(False)
        uid, user = peer_of(peer)
        client = Connection(peer, control=name == "control", uid=uid, user=user, patience=self._patience)
        mine = sum(other.uid == uid for other in self._clients.values())
        if len(self._clients) >= MAX_CLIENTS or (uid != 0 and mine >= MAX_PER_USER):
            client.reply_error(
                CallError("Busy", "chargerd has too many clients", "Charging goes on.", "Try again in a moment.")
            )
            client.flush()
            peer.close()
            return
        self._clients[client.number] = client
        self._watch(client)

    def _touch(self, client: Connection, ready: int) -> None:
        if client.closed:
            return
        alive = client.flush() if ready & selectors.EVENT_WRITE else True
        if alive and ready & selectors.EVENT_READ:
            alive = client.receive()
        if alive:
            alive = self._advance(client)
        if not alive:
            self._drop(client)

    def _advance(self, client: Connection) -> bool:
        """Answer what has been asked, one request at a time. False: the connection is at its end."""
        for _ in range(TURN):
            if not client.flush():
                return False
            if client.busy or client.number in self._streams:
                break
            step = client.next_request()
            if step is Step.WAIT:
                break
            if step is Step.END:
                client.flush()
                return False
            self._ask(client)
        else:
            self._again.append(client)  # others first
            self._wake()
        if not client.flush() or client.finished:
            return False
        self._watch(client)
        return True

    def _watch(self, client: Connection) -> None:
        wanted = client.interest()
        if wanted and client.watched:
            self._selector.modify(client.socket, wanted, client)
        elif wanted:
            self._selector.register(client.socket, wanted, client)
        elif client.watched:
            self._selector.unregister(client.socket)
        client.watched = wanted

    def _drop(self, client: Connection) -> None:
        if not client.closed:
            del self._clients[client.number]
            self._streams.pop(client.number, None)
            if client.watched:
                self._selector.unregister(client.socket)
            client.close()

    # Answers

    def _ask(self, client: Connection) -> None:
        try:
            self._answer(client)
        except CallError as error:
            client.reply_error(error)
        except Exception as error:  # a mistake of ours is reported, and costs this client its answer and nobody else's
            self._hub.report(error)
            client.reply_error(_mistake())

    def _answer(self, client: Connection) -> None:
        full = client.method
        if full.startswith(f"{SERVICE}."):
            client.reply(service_answer(full, client.parameters if isinstance(client.parameters, dict) else {}))
            return
        interface, _, name = full.rpartition(".")
        method = METHODS.get(name) if interface == INTERFACE else None
        if method is None:
            raise no_method(full)
        if method.kind == "control" and not client.control:
            raise _not_permitted(method)
        parameters = checked(method, client.parameters)
        context = self._context(parameters)  # a zone that does not exist is refused before anything is done
        if name in ("Watch", "Discover") or parameters.get("follow"):
            if not client.more:
                raise CallError(f"{SERVICE}.ExpectedMore", f"{name} answers with a stream; ask with more")
            if name == "Discover":
                self._streams[client.number] = Searcher(self._hub.search(parameters, self._nudge), context.zone)
            else:
                self._streams[client.number] = open_stream(name, parameters, context)
        if name in ("Watch", "Discover"):
            self._feed(client, (), context.site)
        elif method.kind == "control":
            self._hand(client, self._hub.submit(ChangeRequest(name, parameters, client.user, client.uid)))
        elif name in HISTORY or parameters.get("at") is not None:
            self._hand(client, self._history.submit(self._look_back, name, parameters, context))
        elif name in LONG:
            self._hand(client, self._thought.submit(answer, name, parameters, context))
        else:
            client.reply(answer(name, parameters, context))

    def _context(self, parameters: dict[str, Any]) -> Context:
        hub, site = self._hub, self._hub.site()
        zone = zone_of(parameters, site)
        return Context(site, hub.now_ms(), hub.started_ms(), hub.profiles(), zone, memory_mib=memory_mib())

    def _look_back(self, name: str, parameters: dict[str, Any], context: Context) -> dict[str, Any]:
        """Runs on the thread that reads the log, so that a long look back keeps nobody else waiting."""
        try:
            with closing(self._hub.log_reader()) as log:
                return answer(name, parameters, structs.replace(context, log=log))
        except LogError as error:
            text, hint = f"the log cannot be read: {error}", "Look: chargerctl verify"
            raise CallError("Failed", text, "Charging goes on.", hint) from error

    def _hand(self, client: Connection, future: Future[dict[str, Any]]) -> None:
        client.wait_for(future)

        def done(result: Future[dict[str, Any]]) -> None:
            self._handed.append((client, result))
            self._wake()

        future.add_done_callback(done)

    def _answer_handed(self) -> None:
        while self._handed:
            client, future = self._handed.popleft()
            if client.closed or client.pending is not future:
                continue  # it went away, or was told that it took too long
            client.pending = None
            try:
                self._reply(client, self._result(client, future))
            except CallError as error:
                self._streams.pop(client.number, None)
                client.reply_error(error)
            except Exception as error:
                self._streams.pop(client.number, None)
                self._hub.report(error)
                client.reply_error(_mistake())
            self._go_on(client)
        for client in [client for client in self._clients.values() if client.late()]:
            undone = client.pending is not None and client.pending.cancel()
            client.pending = None
            self._streams.pop(client.number, None)
            client.reply_error(_late(undone=undone))
            self._go_on(client)

    def _reply(self, client: Connection, answer: dict[str, Any]) -> None:
        stream = self._streams.get(client.number)
        client.reply(answer, more=stream is not None)
        if stream is not None:
            stream.begin(answer)
            self._feed(client, (), self._hub.site())  # what has happened since it was asked

    def _result(self, client: Connection, future: Future[dict[str, Any]]) -> dict[str, Any]:
        name = client.method.rpartition(".")[2]
        if METHODS[name].kind == "monitor":
            return future.result()
        parameters = checked(METHODS[name], client.parameters)
        return finished(name, future.result(), self._context(parameters))

    def _go_on(self, client: Connection) -> None:
        if not self._advance(client):
            self._drop(client)

    # Followers

    def _feed_streams(self) -> None:
        if self._overrun:
            self._overrun = False
            for number in list(self._streams):
                self._drop(self._clients[number])
        if self._nudged:
            self._nudged = False
            self._published.append(((), self._hub.site()))
        while self._published:
            events, site = self._published.popleft()
            for number in list(self._streams):
                client = self._clients[number]
                self._feed(client, events, site)
                self._go_on(client)

    def _feed(self, client: Connection, events: tuple[Event, ...], site: Site) -> None:
        """Owe a follower what the events mean to it. Until its first answer is there, they wait."""
        stream = self._streams[client.number]
        stream.take(events)
        if client.pending is None:
            now_ms, started_ms = self._hub.now_ms(), self._hub.started_ms()
            context = Context(site, now_ms, started_ms, (), stream.zone)
            for reply in stream.replies(context):
                client.reply(reply, more=not stream.ended)
            if stream.ended:
                del self._streams[client.number]


def _spare() -> int:
    """A descriptor that can be given up when no more are to be had; -1 if not even this one is."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _not_permitted(method: Method) -> CallError:
    return CallError(
        "NotPermitted",
        f"the monitor socket only answers questions; {method.name} is asked on the control socket",
        "Nothing was changed.",
        "Use the control socket; members of group chargerd and root may.",
    )


def _late(*, undone: bool) -> CallError:
    maybe = "It may still be done; asking again under the same request id does not do it twice."
    return CallError(
        "Busy",
        "chargerd did not get to it in time",
        "Nothing was changed." if undone else maybe,
        "Look: chargerctl status, journalctl -u chargerd -n 20",
    )


def _mistake() -> CallError:
    return CallError(
        "Failed",
        "a mistake in chargerd kept it from answering",
        "Charging goes on.",
        "Look: journalctl -u chargerd -n 50",
    )


def memory_mib() -> float | None:
    """What this process holds in memory (RSS), MiB; None where that cannot be read just now."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):  # the descriptors may be used up
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
