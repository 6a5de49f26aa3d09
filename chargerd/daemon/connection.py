"""Connection: one client of the control sockets: what it sent, what it is still owed, and how long it may take.

Every buffer here is bounded and every wait has an end, so that a client that sends half a message, sends without end
or never reads costs a few kilobytes for a few seconds.
"""

from __future__ import annotations

import enum
import pwd
import selectors
import socket
import struct
from concurrent.futures import Future
from functools import lru_cache
from typing import Any, NamedTuple

from chargerd.daemon.clock import real_s
from chargerd.protocol.framing import REPLY_LIMIT, REQUEST_LIMIT, BadMessage, CallError, Messages, encode

RECEIVE_BYTES = 16 * 1024
STREAM_BYTES = 1024 * 1024  # what may wait for a follower that does not read


class Patience(NamedTuple):
    """How long a client may take, in real seconds, and how long it is kept waiting."""

    half_message_s: float = 5.0  # from the first byte of a message to its last
    write_s: float = 10.0  # without taking a byte of what it asked for
    idle_s: float = 600.0  # connected and silent
    answer_s: float = 10.0  # for the main loop to do what was asked


PATIENCE = Patience()


class Step(enum.Enum):
    """What the bytes that have arrived amount to."""

    WAIT = "no whole request yet"
    REQUEST = "a request"
    END = "the connection cannot go on"


class Connection:
    """One client. The server decides what to answer; this object does the bytes."""

    def __init__(self, peer: socket.socket, *, control: bool, uid: int, user: str, patience: Patience) -> None:
        self.socket = peer
        self.watched = 0  # what the selector watches for
        self.number = peer.fileno()
        self.control = control
        self.uid = uid
        self.user = user
        self.closed = False
        self.method = ""
        self.parameters: object = None
        self.more = False
        self.pending: Future[dict[str, Any]] | None = None
        self._oneway = False
        self._streaming = False
        self._late_s = 0.0
        self._in = Messages()
        self._out = bytearray()
        self._heard_s = self._moved_s = real_s()
        self._half_s: float | None = None
        self._patience = patience
        self._ended = False

    @property
    def busy(self) -> bool:
        """Whether it waits for an answer, or has not taken the last one. Its next request is not looked at before."""
        return self.pending is not None or bool(self._out)

    @property
    def finished(self) -> bool:
        """Whether the client has said all it wants to say and has got all its answers."""
        return self._ended and not self.busy

    def interest(self) -> int:
        """What the selector should watch for; 0 while an answer is worked out for a client that says no more."""
        return (0 if self._ended else selectors.EVENT_READ) | (selectors.EVENT_WRITE if self._out else 0)

    def receive(self) -> bool:
        """Take what has arrived. False: the client is gone, or sends on and on without waiting for answers."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            self._ended = True
            return not self._streaming
        self._heard_s = real_s()
        self._in.feed(data)
        return self._in.unfinished <= REQUEST_LIMIT + RECEIVE_BYTES or not (self.busy or self._streaming)

    def next_request(self) -> Step:
        """Look for the next request; it is then in ``method``, ``parameters`` and ``more``."""
        try:
            message = self._in.next()
            if message is None:
                self._mark_half()
                return Step.WAIT
            self._half_s = None
            _whole(message)
            self.method, self.parameters = _text(message, "method"), message.get("parameters")
            self.more, self._oneway = message.get("more") is True, message.get("oneway") is True
        except BadMessage as error:
            self._oneway = False
            self.reply_error(CallError("BadMessage", str(error), "Nothing was changed; the connection is closed."))
            return Step.END
        return Step.REQUEST

    def _mark_half(self) -> None:
        if not self._in.unfinished:
            self._half_s = None
        elif self._half_s is None:
            self._half_s = real_s()

    def wait_for(self, future: Future[dict[str, Any]]) -> None:
        """The answer will come from ``future``."""
        self.pending = future
        self._late_s = real_s() + self._patience.answer_s

    def reply(self, parameters: dict[str, Any], more: bool = False) -> None:
        """Owe the client an answer."""
        self._streaming = more
        message: dict[str, Any] = {"parameters": parameters}
        self._owe(encode({**message, "continues": True} if more else message, "replace"))

    def reply_error(self, error: CallError) -> None:
        """Owe the client an error."""
        self._owe(encode({"error": error.name, "parameters": error.parameters}, "replace"))

    def _owe(self, data: bytes) -> None:
        if self._oneway:
            return
        if len(data) > REPLY_LIMIT:
            data = encode(_too_much())
        if not self._out:
            self._moved_s = real_s()
        self._out += data

    def flush(self) -> bool:
        """Send what the client takes. False: it is gone, or does not read."""
        while self._out:
            try:
                sent = self.socket.send(self._out)
            except BlockingIOError:
                return not (self._streaming and len(self._out) > STREAM_BYTES)
            except OSError:
                return False
            del self._out[:sent]
            self._moved_s = real_s()
        return True

    def late(self) -> bool:
        """Whether its answer has taken too long."""
        return self.pending is not None and real_s() > self._late_s

    def overdue(self) -> bool:
        """Whether the client has taken too long: half a message, an answer not read, or nothing at all."""
        now_s = real_s()
        if self._out:
            return now_s - self._moved_s > self._patience.write_s
        if self.pending is not None or self._streaming:
            return False
        if self._half_s is not None:
            return now_s - self._half_s > self._patience.half_message_s
        return now_s - self._heard_s > self._patience.idle_s

    def close(self) -> None:
        """Let go of the client."""
        self.closed = True
        self.socket.close()


def _text(message: dict[str, Any], key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise BadMessage(f"a request has a {key}, which is a string")
    return value


def _too_much() -> dict[str, Any]:
    error = CallError("Refused", "the answer would be too long", "", "Ask for a shorter time, or fewer lines.")
    return {"error": error.name, "parameters": error.parameters}


def peer_of(peer: socket.socket) -> tuple[int, str]:
    """Who is at the other end: uid and user name, as the kernel recorded them at connect."""
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", packed)
    return uid, _user(uid)


@lru_cache(maxsize=256)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _whole(message: dict[str, Any]) -> None:
    """Refuse half a character: it could neither be answered nor recorded."""
    try:
        encode(message)
    except (UnicodeEncodeError, ValueError) as error:
        raise BadMessage("a message holds half a character (a lone surrogate)") from error
