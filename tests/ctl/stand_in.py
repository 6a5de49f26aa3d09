"""Stand-in: a thread that serves the two sockets as the daemon does, with answers given beforehand.

It checks every request against the protocol's table, so a call that the daemon would refuse is refused here too.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chargerd.protocol.framing import INTERFACE, CallError, Messages, encode
from chargerd.protocol.table import METHODS
from chargerd.protocol.varlink import checked
from tests.ctl.answers import REPLIES
from tests.patience import WAIT_S

Answer = dict[str, Any] | CallError | bytes | list[Any] | tuple[Any, ...] | Callable[[dict[str, Any]], Any]


class StandIn:
    """Serves ``folder``/monitor and ``folder``/control. ``asked`` are the checked requests: (socket, method, parameters).

    An answer is a reply, an error, bytes to send before hanging up, a list of replies to stream before hanging up (with
    ... at its end it stays), a tuple of replies to stream of which the last one ends the stream, or a function of the
    parameters that gives one of these. ``script`` answers the first requests in turn, whatever they ask.
    """

    def __init__(self, folder: Path, answers: dict[str, Answer] | None = None, script: Sequence[Answer] = ()) -> None:
        self.folder = folder
        self.answers: dict[str, Answer] = {**REPLIES, **(answers or {})}
        self.script = list(script)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self._listeners = {name: socket.socket(socket.AF_UNIX) for name in ("monitor", "control")}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> StandIn:
        for name, listener in self._listeners.items():
            listener.bind(str(self.folder / name))
            listener.listen(16)
            thread = threading.Thread(target=self._serve, args=(name, listener), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for name, listener in self._listeners.items():
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
            os.unlink(self.folder / name)
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()

    @property
    def last(self) -> dict[str, Any]:
        """Parameters of the last request, without those that were left out."""
        return {key: value for key, value in self.asked[-1][2].items() if value is not None}

    def _serve(self, name: str, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                self._converse(name, peer)

    def _converse(self, name: str, peer: socket.socket) -> None:
        messages = Messages()
        peer.settimeout(WAIT_S)
        while True:
            data = peer.recv(65536)
            if not data:
                return
            messages.feed(data)
            while (message := messages.next()) is not None:
                try:
                    answer = self._answer(name, message)
                except CallError as error:
                    answer = error
                if not self._send(peer, answer):
                    return

    def _answer(self, name: str, message: dict[str, Any]) -> Answer:
        interface, _, short = message["method"].rpartition(".")
        assert interface == INTERFACE
        method = METHODS[short]
        parameters = checked(method, message["parameters"])
        self.asked.append((name, short, parameters))
        if method.kind == "control" and name == "monitor":
            raise CallError("NotPermitted", f"the monitor socket only answers questions; not {short}")
        answer = self.script.pop(0) if self.script else self.answers[short]
        return answer(parameters) if callable(answer) else answer

    def _send(self, peer: socket.socket, answer: Answer) -> bool:
        """Whether the conversation goes on."""
        if isinstance(answer, CallError):
            peer.sendall(encode({"error": answer.name, "parameters": answer.parameters}))
        elif isinstance(answer, bytes):
            peer.sendall(answer)
            return False
        elif isinstance(answer, list):
            for reply in answer:
                if reply is not ...:
                    peer.sendall(encode({"parameters": reply, "continues": True}))
            return answer[-1] is ...
        elif isinstance(answer, tuple):
            for reply in answer[:-1]:
                peer.sendall(encode({"parameters": reply, "continues": True}))
            peer.sendall(encode({"parameters": answer[-1]}))
        elif isinstance(answer, dict):
            peer.sendall(encode({"parameters": answer}))
        else:
            raise TypeError(answer)
        return True
