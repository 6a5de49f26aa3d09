"""The server of the simulated Modbus devices: who may come in, and what it does to answers. Seen with plain sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from chargerd.sim.wire.solaredge import SimulatedSolarEdge
from tests.sim.wire.modbus import running

ASK = bytes.fromhex("0007 0000 0006 01 03 9C40 0002")  # transaction 7, unit 1: two registers from 40000
ANSWER = bytes.fromhex("0007 0000 0007 01 03 04 5375 6E53")


@pytest.fixture
def device() -> Iterator[SimulatedSolarEdge]:
    """A running inverter."""
    with running(SimulatedSolarEdge()) as made:
        yield made


def connect(device: SimulatedSolarEdge) -> socket.socket:
    """A client without any library."""
    return socket.create_connection((device.host, device.port), 2)


def answer(client: socket.socket) -> bytes:
    """What it is told, nothing if it has been thrown out."""
    try:
        client.sendall(ASK)
        return client.recv(99)
    except ConnectionError:
        return b""


def test_frame_is_as_the_protocol_says(device: SimulatedSolarEdge) -> None:
    """Header with the asker's transaction, unit, function 3, byte count, registers with the high byte first."""
    with connect(device) as client:
        assert answer(client) == ANSWER


def test_a_second_client_is_refused_and_the_first_goes_on(device: SimulatedSolarEdge) -> None:
    """As SolarEdge: exactly one connection."""
    with connect(device) as first, connect(device) as second:
        assert answer(first) == ANSWER
        assert answer(second) == b""
        assert answer(first) == ANSWER
    assert (device.server.connections, device.server.refused) == (1, 1)


def test_some_firmware_throws_the_first_client_out_instead(device: SimulatedSolarEdge) -> None:
    """The newcomer is served, the other is cut."""
    device.behaviour.kicks = True
    with connect(device) as first:
        assert answer(first) == ANSWER
        with connect(device) as second:
            assert answer(second) == ANSWER
            assert answer(first) == b""


@pytest.mark.parametrize(
    ("fault", "spoiled"),
    [
        ("wrong_transaction", bytes.fromhex("0006") + ANSWER[2:]),
        ("wrong_unit", ANSWER[:6] + b"\x54" + ANSWER[7:]),
        ("short", bytes.fromhex("0007 0000 0005 01 03 02 5375")),
        ("half", ANSWER[:6]),
        ("stall", ANSWER[:6]),
    ],
)
def test_answers_are_spoiled_as_told_and_once(device: SimulatedSolarEdge, fault: str, spoiled: bytes) -> None:
    """The spoiled bytes are exactly these; the next answer is whole again."""
    setattr(device.behaviour, fault, 1)
    with connect(device) as client:
        assert answer(client) == spoiled
    with connect(device) as client:
        assert answer(client) == ANSWER


def test_an_address_that_is_taken_is_an_error(device: SimulatedSolarEdge) -> None:
    """Two devices cannot share a port; the second says so."""
    with pytest.raises(OSError, match="cannot listen"):
        SimulatedSolarEdge(port=device.port).start()


def test_what_nobody_may_set_is_refused(device: SimulatedSolarEdge) -> None:
    """Writing to a measured value is an exception of kind 1, and changes nothing."""
    with connect(device) as client:
        client.sendall(bytes.fromhex("0008 0000 0006 01 06 9C93 0001"))
        assert client.recv(99) == bytes.fromhex("0008 0000 0003 01 86 01")
    assert device.image()[40083] == 3456


def test_a_frozen_device_goes_on_saying_the_same(device: SimulatedSolarEdge) -> None:
    """The sun goes, the registers stay: what a reader without an age would believe for ever."""
    ask = bytes.fromhex("0009 0000 0006 01 03 9C93 0001")
    with connect(device) as client:
        device.behaviour.frozen = True
        client.sendall(ask)
        assert client.recv(99)[-2:] == (3456).to_bytes(2, "big")
        device.inverter.power_w = 0.0
        client.sendall(ask)
        assert client.recv(99)[-2:] == (3456).to_bytes(2, "big")
        device.behaviour.frozen = False
        client.sendall(ask)
        assert client.recv(99)[-2:] == b"\0\0"
