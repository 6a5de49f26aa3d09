"""Client: asks the daemon over its two sockets. What it hands back is a whole answer or an exception, nothing between.

Questions go to DIR/monitor, changes to DIR/control. A change carries a request id of its own; if the connection breaks
before the answer it is asked once more under the same id, which the daemon does not do twice.
"""

from __future__ import annotations

import errno
import os
import time
from _socket import AF_UNIX, SOCK_STREAM, socket  # all that `socket` adds costs a third of an interpreter's start

from chargerd.ctl.errors import Failure, broken, no_daemon, not_allowed
from chargerd.protocol.framing import REPLY_LIMIT, BadMessage, CallError, Messages, call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

CONNECT_S = 3.0  # a daemon that restarts refuses for about a second
RETRY_S = 0.1
ANSWER_S = 20.0  # the daemon itself gives up after 10 s and says so
_AGAIN = (errno.ECONNREFUSED, errno.EAGAIN)


class Broken(Exception):
    """The connection ended before the answer did; the text says how."""


class Client:
    """One command's way to the daemon in ``directory``. ``zone`` is the time zone of times in and out, None the site's.

    ``choose`` may correct a name that the daemon does not know: it gets the name and the known ones and gives one back.
    A refused connection is tried again for ``patience_s`` while the socket is there.
    """

    def __init__(
        self,
        directory: str,
        zone: str | None = None,
        choose: Callable[[str, list[str]], str | None] | None = None,
        patience_s: float = CONNECT_S,
    ) -> None:
        self._directory = directory
        self._zone = zone
        self._choose = choose
        self._patience_s = patience_s

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a question on the monitor socket. Raises `Failure`."""
        return self._named("monitor", method, parameters)

    def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to something that only the control socket does, and that may be done twice. Raises `Failure`."""
        return self._named("control", method, parameters)

    def change(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a change, asked at most twice and done at most once. Raises `Failure`."""
        return self._named("control", method, parameters, change=True)

    def follow(self, method: str, *, where: str = "monitor", **parameters: Any) -> Stream:
        """An open stream of answers from the monitor socket, or from that one. Raises `Failure`."""
        path = f"{self._directory}/{where}"
        connection = self._connected(path)
        try:
            connection.sendall(self._request(method, parameters, more=True))
        except OSError as error:
            connection.close()
            raise broken(path, f"closed the connection ({error.strerror})") from error
        return Stream(connection, path)

    def _named(self, name: str, method: str, parameters: dict[str, Any], *, change: bool = False) -> dict[str, Any]:
        try:
            return self._asked(name, method, parameters, change=change)
        except CallError as error:
            corrected = self._corrected(parameters, error)
            if corrected is None:
                raise Failure.answered(error) from error
        try:
            return self._asked(name, method, corrected, change=change)
        except CallError as error:
            raise Failure.answered(error) from error

    def _corrected(self, parameters: dict[str, Any], error: CallError) -> dict[str, Any] | None:
        known, wrong = error.parameters.get("known"), error.parameters.get("name")
        if self._choose is None or not isinstance(known, list) or not isinstance(wrong, str):
            return None
        meant = self._choose(wrong, [str(name) for name in known])
        if meant is None:
            return None
        corrected = {key: meant if value == wrong else value for key, value in parameters.items()}
        if isinstance(parameters.get("names"), list):
            corrected["names"] = [meant if name == wrong else name for name in parameters["names"]]
        return corrected

    def _asked(self, name: str, method: str, parameters: dict[str, Any], *, change: bool) -> dict[str, Any]:
        path = f"{self._directory}/{name}"
        if change:
            parameters = {**parameters, "request": os.urandom(12).hex()}
        request = self._request(method, parameters)
        try:
            return self._once(path, request, change=change)
        except Broken as error:
            if not change:
                raise broken(path, str(error)) from error
        try:
            return self._once(path, request, change=change)
        except Broken as error:
            raise broken(path, str(error), change=True) from error

    def _once(self, path: str, request: bytes, *, change: bool) -> dict[str, Any]:
        connection = self._connected(path)
        try:
            connection.sendall(request)
            return _received(connection, Messages(REPLY_LIMIT))
        except TimeoutError as error:
            raise broken(path, f"did not answer within {ANSWER_S:.0f} s", change=change) from error
        except OSError as error:
            raise Broken(f"closed the connection before the answer ({error.strerror})") from error
        except BadMessage as error:
            raise broken(path, f"sent what is no answer ({error})", change=change) from error
        finally:
            connection.close()

    def _request(self, method: str, parameters: dict[str, Any], *, more: bool = False) -> bytes:
        given = {key: value for key, value in parameters.items() if value is not None}
        if self._zone is not None:
            given["zone"] = self._zone
        try:
            return call(method, given, more)
        except UnicodeEncodeError as error:
            hint = "Look: locale; write it in UTF-8."
            raise Failure(2, "usage", "an argument is not text.", "Nothing was asked.", hint) from error

    def _connected(self, path: str) -> socket:
        until_s = time.monotonic() + self._patience_s
        while True:
            connection = socket(AF_UNIX, SOCK_STREAM)
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(path)
            except OSError as error:
                connection.close()
                if error.errno not in _AGAIN or time.monotonic() > until_s or not os.path.exists(path):
                    raise _unconnected(path, error) from error
                time.sleep(RETRY_S)
            else:
                return connection


class Stream:
    """Answers that keep coming. `fileno` lets a caller wait for the next one beside something else."""

    def __init__(self, connection: socket, path: str) -> None:
        self._connection = connection
        self._messages = Messages(REPLY_LIMIT)
        self._path = path
        self._ended = False

    def fileno(self) -> int:
        """The socket's number, for `select`."""
        return self._connection.fileno()

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Every answer until the daemon says that one is the last. Raises `Failure` if it ends without saying so."""
        self._connection.settimeout(None)
        while not self._ended:
            yield from self.take()

    def take(self, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """What has arrived, waiting for it at most so long; empty if nothing whole came. Raises `Failure`."""
        self._connection.settimeout(timeout_s)
        try:
            data = self._connection.recv(65536)
            if not data:
                raise broken(self._path, "closed the connection")
            self._messages.feed(data)
            return self._whole()
        except TimeoutError:
            return []
        except OSError as error:
            raise broken(self._path, f"closed the connection ({error.strerror})") from error
        except BadMessage as error:
            raise broken(self._path, f"sent what is no answer ({error})") from error
        except CallError as error:
            raise Failure.answered(error) from error

    def _whole(self) -> list[dict[str, Any]]:
        replies = []
        while (message := self._messages.next()) is not None:
            replies.append(_answer(message))
            self._ended = message.get("continues") is not True
        return replies


def _received(connection: socket, messages: Messages) -> dict[str, Any]:
    while True:
        data = connection.recv(65536)
        if not data:
            raise Broken(
                "closed the connection in the middle of the answer" if messages.unfinished else "gave no answer"
            )
        messages.feed(data)
        message = messages.next()
        if message is not None:
            return _answer(message)


def _answer(message: dict[str, Any]) -> dict[str, Any]:
    if isinstance(message.get("error"), str):
        raise CallError.received(message)
    reply = message.get("parameters")
    if "error" in message or not isinstance(reply, dict) or not isinstance(reply.get("text"), str):
        raise BadMessage("it has neither an error nor a text")
    return reply


def _unconnected(path: str, error: OSError) -> Failure:
    if isinstance(error, PermissionError):
        return not_allowed(path, _user())
    what = {errno.ENOENT: "no such socket", errno.ECONNREFUSED: "connection refused"}
    return no_daemon(path, what.get(error.errno or 0, (error.strerror or str(error)).lower()))


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
