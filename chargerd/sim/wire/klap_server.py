"""Server of the simulated newer TP-Link devices: KLAP over HTTP, the answer to a search on UDP port 20002, and what goes wrong.

`lock_up` is the firmware update that moves an older device from its open port 9999 to here.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from chargerd.sim.wire.kasa import Behaviour, SimulatedPlug
from chargerd.sim.wire.kasa_server import Answer, Discovery, Server, udp_socket
from chargerd.sim.wire.klap import Broken, Lock, Login

Json = dict[str, Any]

DISCOVERY_PORT = 20002
HEADER_BYTES = 16
START_CRC = 0x5A6B7C8D
PLAIN_QUESTION = bytes.fromhex("020000010000000000000000463cb5d3")
MOVED_FIRMWARE = "1.1.2 Build 241220 Rel.171333"
JSON = "application/json"


@dataclass
class KlapBehaviour(Behaviour):
    """How the newer server misbehaves; everything can be changed while it runs. The relay's faults are the device's own."""

    only_in: str = (
        ""  # mute, delay_s, half, garbage and lose_answers hold only in "handshake1", "handshake2" or "request"
    )
    shut_second: int = 0  # refuses the second half of a handshake although the proof is right


class KlapServer(Server):
    """Speaks for one device on HTTP and UDP, in a thread of its own. ``announced`` is what it says of itself to a search."""

    def __init__(
        self,
        answer: Answer,
        lock: Lock,
        announced: Callable[[], Json],
        *,
        now_s: Callable[[], float],
        host: str,
        port: int = 0,
    ) -> None:
        self.behaviour = KlapBehaviour()
        super().__init__(answer, self.behaviour, host=host, port=port)
        self.lock = lock
        self._announced = announced
        self._now_s = now_s
        self._web: web.Server | None = None

    def drop_clients(self) -> None:
        """Cut every connection and forget every session: a restart."""
        self.lock.forget()
        super().drop_clients()

    async def _listen_tcp(self, loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        self._web = web.Server(self._handle, access_log=None)
        return await loop.create_server(self._web, self.host, self.port)

    async def _listen_udp(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.DatagramTransport]:
        own, _ = await loop.create_datagram_endpoint(
            lambda: Discovery(self._answer_udp), sock=udp_socket(self.host, DISCOVERY_PORT)
        )
        return [own]

    def _abort_clients(self) -> None:
        for connection in [] if self._web is None else self._web.connections:
            if connection.transport is not None:
                connection.transport.abort()

    # HTTP

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        step = request.path.removeprefix("/app/")
        body = await request.read()
        if request.method != "POST" or not request.path.startswith("/app/"):
            return web.Response(status=404)
        behaviour, here = self.behaviour, self.behaviour.only_in in ("", step)
        if behaviour.mute and here:
            await asyncio.Event().wait()  # until the client gives up, or the device stops
        response = self._answered(step, request, body)
        if behaviour.delay_s and here:
            await asyncio.sleep(behaviour.delay_s)
        if here and self._take("lose_answers"):
            return await _cut_off(request, response, 0)
        if here and self._take("garbage"):
            response.body = os.urandom(20)
        if here and self._take("half"):
            return await _cut_off(request, response, len(_body(response)) // 2)
        return response

    def _answered(self, step: str, request: web.BaseRequest, body: bytes) -> web.Response:
        name = request.cookies.get("TP_SESSIONID", "")
        match step:
            case "handshake1":
                return self._first_half(body)
            case "handshake2":
                proven = self.lock.enter(name, body) and not self._take("shut_second")
                return web.Response(status=200 if proven else 403)
            case "request":
                return self._carried_out(name, request.query.get("seq", ""), body)
        return web.Response(status=404)

    def _first_half(self, body: bytes) -> web.Response:
        known = self.lock.knock(body, self._now_s())
        if known is None:
            return web.Response(status=400)
        name, proof = known
        # One header with both, as devices send it: TIMEOUT is no cookie of its own to anybody but TP-Link's clients.
        cookie = f"TP_SESSIONID={name};TIMEOUT={self.lock.session_s}"
        return web.Response(body=proof, headers={"Set-Cookie": cookie})

    def _carried_out(self, name: str, number: str, body: bytes) -> web.Response:
        session = self.lock.session(name, self._now_s())
        if session is None:
            return web.Response(status=403)
        try:
            question = json.loads(session.open(body, int(number)))
        except (Broken, ValueError):
            return web.Response(status=403)
        answer = json.dumps(self._answer(question), separators=(",", ":")).encode()
        return web.Response(body=session.seal(answer), content_type=JSON)

    # UDP

    def _answer_udp(self, datagram: bytes) -> bytes | None:
        dead = self.behaviour.mute and not self.behaviour.only_in
        if dead or self.behaviour.mute_udp or not is_question(datagram):
            return None
        scheme = {"is_support_https": False, "encrypt_type": "KLAP", "http_port": self.port}
        scheme |= {"lv": 2} if self.lock.version == 2 else {}
        result = {
            "ip": self.host,
            "owner": self.lock.login.owner_hash(),
            "factory_default": False,
            "obd_src": "tplink",
            **self._announced(),
        }
        result["mgt_encrypt_schm"] = {**scheme, **result.get("mgt_encrypt_schm", {})}
        body = json.dumps({"result": result, "error_code": 0}).encode()
        return _sealed(datagram[:4] + len(body).to_bytes(2, "big") + datagram[6:HEADER_BYTES] + body)


def lock_up(
    plug: SimulatedPlug, login: Login, *, version: int = 2, port: int = 0, now_s: Callable[[], float]
) -> KlapServer:
    """Give an older plug or strip the newer firmware: port 9999 closes, and what was said there is said behind a login.

    Relays, timers and energy stay; connections and counters go, as after any restart. Version 1 is the firmware of 2020 to 2023.
    """

    def announced() -> Json:
        scheme = {"new_klap": 1} if version == 2 else {}
        return {
            "device_id": plug.device_id[-32:],
            "device_type": "IOT.SMARTPLUGSWITCH",
            "device_model": plug.model.model,
            "hw_ver": plug.model.hw_ver,
            "mac": plug.mac.replace(":", "-"),
            "mgt_encrypt_schm": scheme,
        }

    plug.model = plug.model._replace(sw_ver=MOVED_FIRMWARE)
    server = KlapServer(plug.answer, Lock(login, version=version), announced, now_s=now_s, host=plug.host, port=port)
    plug.reboot()
    plug.speak_through(server)
    return server


def is_question(data: bytes) -> bool:
    """Whether this is one of the two questions of a search, whole and with the right sum; devices are silent for all else."""
    return data == PLAIN_QUESTION or (len(data) > HEADER_BYTES and data[:1] == b"\x02" and _sealed(data) == data)


def _sealed(data: bytes) -> bytes:
    # The sum runs over all of it, with a start value in its own place.
    blank = data[:12] + START_CRC.to_bytes(4, "big") + data[HEADER_BYTES:]
    return data[:12] + binascii.crc32(blank).to_bytes(4, "big") + data[HEADER_BYTES:]


async def _cut_off(request: web.BaseRequest, response: web.Response, after_bytes: int) -> web.StreamResponse:
    """Announce the whole answer, send so much of it, and hang up."""
    body = _body(response)
    begun = web.StreamResponse(status=response.status, headers={"Content-Length": str(len(body) + 1)})
    if after_bytes:
        await begun.prepare(request)
        await begun.write(body[:after_bytes])
    if request.transport is not None:
        request.transport.close()
    return begun


def _body(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""
