"""Framing: bytes in, messages out, and the error that a reply can be. No socket.

The wire format is Varlink's (https://varlink.org/Method-Call): one JSON object per message, ended by a NUL byte.
This file is on chargerctl's start path: it imports json and nothing else.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

INTERFACE = "io.chargerd"
SERVICE = "org.varlink.service"
REQUEST_LIMIT = 64 * 1024  # no request of ours comes near it
REPLY_LIMIT = 16 * 1024 * 1024  # ten thousand log rows are about 4 MiB


class CallError(Exception):
    """A call that was answered with an error. ``name`` is the error's full name; the rest is for people.

    ``message`` says what did not happen, ``means`` what that means for charging now, ``hint`` what to do about it.
    """

    def __init__(self, name: str, message: str, means: str = "", hint: str = "", /, **values: Any) -> None:
        super().__init__(message)
        self.name = name if "." in name else f"{INTERFACE}.{name}"
        self.parameters: dict[str, Any] = {"message": message, "means": means, "hint": hint, **values}

    @classmethod
    def received(cls, message: Mapping[str, Any]) -> CallError:
        """The error that a reply carries."""
        values = message.get("parameters")
        values = dict(values) if isinstance(values, dict) else {}
        texts = {key: str(values.pop(key, "")) for key in ("message", "means", "hint")}
        texts["message"] = texts["message"] or f"chargerd answered {message['error']} {values or ''}".rstrip()
        error = cls(str(message["error"]), texts["message"], texts["means"], texts["hint"])
        error.parameters.update(values)
        return error

    @property
    def short(self) -> str:
        """The name without its interface: "NoSuchLoadpoint"."""
        return self.name.rpartition(".")[2]


class BadMessage(ValueError):
    """Bytes that are no message. The connection cannot be used any more, because nobody knows where the next one begins."""


class Messages:
    """Cuts a stream of bytes into messages. Keeps at most ``limit`` bytes of an unfinished one."""

    def __init__(self, limit: int = REQUEST_LIMIT) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self._looked = 0  # up to here there is no NUL

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._bytes += data

    def next(self) -> dict[str, Any] | None:
        """The next whole message, or None if there is none yet. Raises `BadMessage`."""
        end = self._bytes.find(0, self._looked)
        if max(end, len(self._bytes) if end < 0 else 0) > self._limit:
            raise BadMessage(f"a message has at most {self._limit} bytes")
        if end < 0:
            self._looked = len(self._bytes)
            return None
        frame = bytes(self._bytes[:end])
        del self._bytes[: end + 1]
        self._looked = 0
        return _parsed(frame)

    @property
    def unfinished(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._bytes)


def _parsed(frame: bytes) -> dict[str, Any]:
    try:
        message = json.loads(frame, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"a message is a JSON object in UTF-8 ({error})") from error
    if not isinstance(message, dict):
        raise BadMessage("a message is a JSON object")
    return message


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def encode(message: Mapping[str, Any], errors: str = "strict") -> bytes:
    """The bytes of a message, NUL included. NaN and infinity are programmer errors: unknown is None.

    ``errors`` is what becomes of half a character, which JSON can carry and UTF-8 cannot: see `str.encode`.
    """
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors=errors) + b"\0"


def call(method: str, parameters: Mapping[str, Any], more: bool = False) -> bytes:
    """The bytes of a request for one of our methods, named without its interface."""
    message: dict[str, Any] = {"method": f"{INTERFACE}.{method}", "parameters": parameters}
    return encode({**message, "more": True} if more else message)
