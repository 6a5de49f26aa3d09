"""Web: the server of simulated devices that speak HTTP, and what can go wrong with their answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


class Request(NamedTuple):
    """What a client has asked, and when by the device's own clock."""

    at_s: float
    method: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """What the device answers: an object, or bytes as they are. ``location`` sends the client elsewhere."""

    status: int
    body: Json | bytes
    location: str = ""


class Behaviour:
    """What the device does wrong. ``instead`` are answers by path that are sent whatever was asked."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.half = False
        self.hangs_up = False
        self.instead: dict[str, Reply] = {}


class WebDevice:
    """A device on loopback. Who derives from it says what it answers; `requests` is all that was ever asked."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.behaviour = Behaviour()
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def now_s(self) -> float:
        """The device's clock."""
        raise NotImplementedError

    def answer(self, request: Request) -> Reply:
        """What the device answers; it carries the request out. Called with `lock` held."""
        raise NotImplementedError

    def start(self) -> None:
        """Listen; on the port it had before, if it has been stopped."""
        device = self

        class Handler(_Handler):
            owner = device

        self._server = _Server((self.host, self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name=f"web-{self.port}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close everything; harmless if it does not run."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self._server = self._thread = None

    def told(self, request: Request) -> Reply:
        """The answer to a request, with whatever the device does wrong."""
        with self.lock:
            self.requests.append(request)
            return self.behaviour.instead.get(request.path) or self.answer(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    owner: WebDevice

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what was asked is in `WebDevice.requests`."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        params = dict(parse_qsl(url.query))
        request = Request(self.owner.now_s(), self.command, url.path, params, headers, body)
        behaviour = self.owner.behaviour
        reply = self.owner.told(request)
        if behaviour.delay_s:
            time.sleep(behaviour.delay_s)
        if behaviour.hangs_up:
            self.close_connection = True
            return
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        try:
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if reply.location:
                self.send_header("Location", reply.location)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if behaviour.half else content)
        except OSError:
            self.close_connection = True  # the client has given up waiting
