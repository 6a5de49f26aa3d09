"""Server of the simulated TP-Link devices: frames, sockets, threads, and what can go wrong with an answer."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol, cast

KEY = 171
MAX_REQUEST_BYTES = 65_536
START_S = 10.0


class Misbehaviour(Protocol):
    """What the server looks at before it answers; see `sim.wire.kasa.Behaviour`."""

    mute: bool
    mute_udp: bool
    delay_s: float
    garbage: int
    half: int
    lose_answers: int
    lose_only: str


class Answer(Protocol):
    """Carries a request out and says what the device answers."""

    def __call__(self, request: dict[str, Any], udp: bool = False) -> dict[str, Any]: ...


def encrypt(plain: bytes) -> bytes:
    """Autokey XOR: each byte of the result is the key of the next."""
    key, cipher = KEY, bytearray()
    for byte in plain:
        key ^= byte
        cipher.append(key)
    return bytes(cipher)


def decrypt(cipher: bytes) -> bytes:
    """The text that `encrypt` made ``cipher`` of."""
    return bytes(byte ^ key for byte, key in zip(cipher, bytes([KEY]) + cipher, strict=False))


class Server:
    """Speaks for one device on TCP and UDP, in a thread of its own."""

    def __init__(
        self, answer: Answer, behaviour: Misbehaviour, *, host: str, port: int, broadcast: str | None = None
    ) -> None:
        self.host = host
        self.port = port
        self._answer = answer
        self._behaviour = behaviour
        self._broadcast = broadcast
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    def start(self) -> None:
        """Listen, and return when clients can come. Raises OSError if the address is taken."""
        if self._thread is not None:
            return
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name=f"plug-{self.host}", daemon=True)
        self._thread.start()
        self._ready.wait(START_S)
        if self._failure is not None:
            self._thread.join(START_S)
            self._thread = None
            raise self._failure

    def stop(self) -> None:
        """Close everything; harmless if it does not run."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        self._thread = None

    def drop_clients(self) -> None:
        """Cut every connection, keep listening."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._abort_clients)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        transports: list[asyncio.DatagramTransport] = []
        try:
            server = await self._listen_tcp(self._loop)
            self.port = server.sockets[0].getsockname()[1]
            transports = await self._listen_udp(self._loop)
        except OSError as error:
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        await self._stop.wait()
        server.close()
        self._abort_clients()
        for transport in transports:
            transport.close()

    async def _listen_tcp(self, _loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        return await asyncio.start_server(self._client, self.host, self.port)

    async def _listen_udp(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.DatagramTransport]:
        own, _ = await loop.create_datagram_endpoint(
            lambda: Discovery(self._answer_udp), sock=udp_socket(self.host, self.port)
        )
        if self._broadcast is None:
            return [own]
        # A question to everybody is answered from the device's own address, by which clients know it.
        everybody, _ = await loop.create_datagram_endpoint(
            lambda: Discovery(self._answer_udp, reply_by=own), sock=udp_socket(self._broadcast, self.port)
        )
        return [own, everybody]

    def _abort_clients(self) -> None:
        for writer in list(self._clients):
            writer.transport.abort()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.CancelledError):
            pass  # the client has gone, or does not speak the protocol, or the device stops: it hangs up
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > MAX_REQUEST_BYTES:
            return False
        request = json.loads(decrypt(await reader.readexactly(length)))
        behaviour = self._behaviour
        if behaviour.mute:
            return True
        reply = self._answer(request)
        if behaviour.delay_s:
            await asyncio.sleep(behaviour.delay_s)
        if _asks_for(request, behaviour.lose_only) and self._take("lose_answers"):
            return False
        plain = b"\xff<not json" if self._take("garbage") else json.dumps(reply, separators=(",", ":")).encode()
        frame = len(plain).to_bytes(4, "big") + encrypt(plain)
        half = self._take("half")
        writer.write(frame[: len(frame) // 2] if half else frame)
        await writer.drain()
        return not half

    def _take(self, count: str) -> bool:
        left: int = getattr(self._behaviour, count)
        if left > 0:
            setattr(self._behaviour, count, left - 1)
        return left != 0

    def _answer_udp(self, datagram: bytes) -> bytes | None:
        if self._behaviour.mute or self._behaviour.mute_udp:
            return None
        try:
            request = json.loads(decrypt(datagram))
        except ValueError:
            return None
        return encrypt(json.dumps(self._answer(request, udp=True), separators=(",", ":")).encode())


class Discovery(asyncio.DatagramProtocol):
    """Answers datagrams, by another socket if one is given."""

    def __init__(
        self, answer: Callable[[bytes], bytes | None], reply_by: asyncio.DatagramTransport | None = None
    ) -> None:
        self._answer = answer
        self._reply_by = reply_by

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._reply_by is None:
            self._reply_by = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        answer = self._answer(data)
        if answer is not None and self._reply_by is not None:
            self._reply_by.sendto(answer, addr)


def udp_socket(host: str, port: int) -> socket.socket:
    """A socket for datagrams to that address, which others may listen to as well."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    return made


def _asks_for(request: dict[str, Any], method: str) -> bool:
    module, _, name = method.partition(".")
    return not method or name in (request.get(module) or {})
