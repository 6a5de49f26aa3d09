"""The simulated newer devices on the wire: python-kasa logs in, is refused, loses its session; a raw client meets refusals."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from http.client import HTTPConnection
from typing import Any

import pytest
from kasa import (
    AuthenticationError,
    Credentials,
    Device,
    DeviceConfig,
    DeviceConnectionParameters,
    DeviceEncryptionType,
    DeviceFamily,
    DeviceType,
    Discover,
    KasaException,
    Module,
)
from kasa.credentials import DEFAULT_CREDENTIALS, get_default_credentials

from chargerd.sim.wire.klap import Login
from chargerd.sim.wire.klap_server import DISCOVERY_PORT, PLAIN_QUESTION, KlapServer, is_question
from tests.sim.wire.bench import OWNER, Bench


def address(server: KlapServer, login: Login | None = OWNER, version: int = 2) -> DeviceConfig:
    """Where python-kasa is to find an older device with the newer firmware, told and not searched."""
    kind = DeviceConnectionParameters(
        DeviceFamily.IotSmartPlugSwitch, DeviceEncryptionType.Klap, login_version=version, http_port=server.port
    )
    credentials = None if login is None else Credentials(*login)
    return DeviceConfig(server.host, timeout=2, credentials=credentials, connection_type=kind)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run what a test does with python-kasa."""
    asyncio.run(asyncio.wait_for(work, 10))


async def opens(config: DeviceConfig) -> None:
    """python-kasa gets in and reads the power."""
    device = await Device.connect(config=config)
    assert device.modules[Module.Energy].current_consumption == pytest.approx(44.0)
    await device.disconnect()


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_plug_with_newer_firmware_is_used_behind_its_login(bench: Bench, version: int) -> None:
    """Read, switched and timed as before, by either handshake; the old port is closed."""
    plug = bench.plug(draw_w=44.0, on=False, host=bench.address())
    open_port = plug.port
    server = bench.lock_up(plug, version=version)

    async def use() -> None:
        with pytest.raises(KasaException):
            await Device.connect(config=DeviceConfig(plug.host, port_override=open_port, timeout=1))
        device = await Device.connect(config=address(server, version=version))
        assert (device.device_type, device.model) == (DeviceType.Plug, "HS110")
        await device.turn_on()
        await device.update()
        assert (device.is_on, device.modules[Module.Energy].current_consumption) == (True, pytest.approx(44.0))
        rule = {"enable": 1, "delay": 600, "act": 0, "name": "x"}
        await device.protocol.query({"count_down": {"add_rule": rule}})
        await device.disconnect()

    run(use())
    bench.now_s += 601
    assert [(move.on, move.cause) for move in plug.switchings] == [(True, "client"), (False, "countdown")]


def test_a_strip_with_newer_firmware_has_its_sockets(bench: Bench) -> None:
    """Each is measured and switched alone, over one login."""
    strip = bench.strip("a", "b", host=bench.address())
    server = bench.lock_up(strip)

    async def use() -> None:
        device = await Device.connect(config=address(server))
        assert [child.alias for child in device.children] == ["a", "b"]
        await device.children[1].turn_on()
        await device.update()
        assert device.children[1].modules[Module.Energy].current_consumption == pytest.approx(101.0)
        await device.disconnect()

    run(use())
    assert [move.child for move in strip.switchings] == [strip.child("b")]
    assert (server.lock.knocks, server.lock.entries) == (1, 1)


@pytest.mark.parametrize(
    "login",
    [Login("owner@example.com", "Correct-horse"), Login("Owner@example.com", "correct-horse"), None],
    ids=["wrong password", "wrong case of the name", "none"],
)
def test_a_wrong_login_is_refused_and_moves_nothing(bench: Bench, login: Login | None) -> None:
    """python-kasa sees from the device's proof that the login is wrong, and knocks once only."""
    plug = bench.plug(host=bench.address())
    server = bench.lock_up(plug)

    async def fail() -> None:
        with pytest.raises(AuthenticationError):
            await Device.connect(config=address(server, login))

    run(fail())
    assert (server.lock.knocks, server.lock.entries, plug.requests) == (1, 0, [])


def test_the_handshake_of_the_other_version_is_refused(bench: Bench) -> None:
    """What python-kasa before 0.12 did to firmware 1.1.2: the right password, and no way in."""
    server = bench.lock_up(bench.plug(host=bench.address()))

    async def fail() -> None:
        with pytest.raises(AuthenticationError):
            await Device.connect(config=address(server, version=1))

    run(fail())


@pytest.mark.parametrize("name", ["", "KASA", "TAPO"])
def test_a_device_that_never_met_the_cloud_opens_without_a_login(bench: Bench, name: str) -> None:
    """Left empty, or with what the maker writes in: python-kasa tries both by itself."""
    known = get_default_credentials(DEFAULT_CREDENTIALS[name]) if name else Credentials()
    server = bench.lock_up(bench.plug(host=bench.address()), Login(known.username, known.password))
    run(opens(address(server, OWNER)))
    run(opens(address(server, None)))


def test_a_session_that_is_over_is_begun_anew_by_the_client(bench: Bench) -> None:
    """After a day the device says 403; python-kasa logs in again and asks again."""
    server = bench.lock_up(bench.plug(host=bench.address()))

    async def use() -> None:
        device = await Device.connect(config=address(server))
        bench.now_s += 86_400
        await device.update()
        assert server.lock.entries == 2
        server.drop_clients()
        await device.update()
        assert server.lock.entries == 3
        await device.disconnect()

    run(use())


def test_what_goes_wrong_on_the_way_is_an_error_to_python_kasa(bench: Bench) -> None:
    """Garbage, half an answer, no answer and a shut door in each step; afterwards it works again."""
    server = bench.lock_up(bench.plug(host=bench.address()))
    faults: list[dict[str, Any]] = [
        {"only_in": step, kind: 100}
        for step in ("handshake1", "request")
        for kind in ("garbage", "half", "lose_answers")
    ]
    faults += [{"shut_second": 1}]

    async def suffer() -> None:
        for fault in faults:
            for key, value in fault.items():
                setattr(server.behaviour, key, value)
            with pytest.raises((KasaException, TimeoutError)):
                await asyncio.wait_for(Device.connect(config=address(server)), 2)
            for key in fault:
                setattr(server.behaviour, key, "" if key == "only_in" else 0)
        server.behaviour.mute, server.behaviour.only_in = True, "handshake2"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Device.connect(config=address(server)), 0.3)
        server.behaviour.mute = False
        await opens(address(server))

    run(suffer())


def posted(server: KlapServer, path: str, body: bytes = b"", cookie: str = "") -> int:
    """What a raw client is told."""
    line = HTTPConnection(server.host, server.port, timeout=2)
    line.request("POST", path, body, {"Cookie": cookie} if cookie else {})
    status = line.getresponse().status
    line.close()
    return status


def test_nobody_gets_past_the_door_without_both_halves(bench: Bench) -> None:
    """Wrong proof, a made-up cookie, a request without a session, with no number, to another path: refused each time."""
    plug = bench.plug(host=bench.address())
    server = bench.lock_up(plug)
    assert posted(server, "/app/handshake1", bytes(15)) == 400
    assert posted(server, "/app/handshake1", bytes(16)) == 200
    assert posted(server, "/app/handshake2", bytes(32), "TP_SESSIONID=0123") == 403
    (name,) = server.lock._guests
    assert posted(server, "/app/handshake2", bytes(32), f"TP_SESSIONID={name}") == 403
    assert posted(server, "/app/request?seq=1", bytes(48), f"TP_SESSIONID={name}") == 403
    assert posted(server, "/app/request", bytes(48)) == 403
    assert posted(server, "/app/elsewhere") == 404
    assert posted(server, "/") == 404
    assert plug.requests == []


@pytest.mark.parametrize(
    ("version", "family", "model", "login_version"),
    [
        (1, "IOT.SMARTPLUGSWITCH", "HS300", None),
        (2, "IOT.SMARTPLUGSWITCH", "HS300", 2),
        (0, "SMART.TAPOPLUG", "P110", 2),
    ],
    ids=["firmware of 2023", "firmware 1.1.2", "Tapo"],
)
def test_it_answers_a_search_and_says_how_it_wants_to_be_spoken_to(
    bench: Bench, version: int, family: str, model: str, login_version: int | None
) -> None:
    """Kind, login and port, by which python-kasa then gets in."""
    device = bench.strip("a", host=bench.address()) if version else bench.smart()
    server = bench.lock_up(device, version=version) if version else device.server

    async def find() -> None:
        found = await Discover.discover_single(server.host, discovery_timeout=2, credentials=Credentials(*OWNER))
        kind = found.config.connection_type
        assert (kind.device_family.value, kind.encryption_type) == (family, DeviceEncryptionType.Klap)
        assert (kind.login_version, kind.http_port, found.model) == (login_version, server.port, model)
        assert found.mac == device.mac
        await (await Device.connect(config=found.config)).disconnect()

    run(find())


def test_a_question_with_a_wrong_sum_gets_no_answer(bench: Bench) -> None:
    """The next one that is whole does."""
    assert is_question(PLAIN_QUESTION)
    address = bench.smart().host, DISCOVERY_PORT
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(PLAIN_QUESTION[:-1] + b"\0", address)
        client.sendto(b"\x02" * 100, address)
        client.sendto(PLAIN_QUESTION, address)
        assert b"P110" in client.recv(4096)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(4096)
