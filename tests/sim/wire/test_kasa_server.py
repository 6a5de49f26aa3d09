"""Frames of the legacy TP-Link protocol, compared with python-kasa's own."""

from __future__ import annotations

import socket

import pytest
from kasa.transports.xortransport import XorEncryption

from chargerd.sim.wire.kasa_server import decrypt, encrypt
from tests.sim.wire.bench import Bench

ASK = '{"system":{"get_sysinfo":{}}}'


def test_frames_are_those_of_python_kasa() -> None:
    """Encrypted by one, decrypted by the other, both ways; umlauts included."""
    for text in (ASK, '{"alias":"Küche"}'):
        assert len(text.encode()).to_bytes(4, "big") + encrypt(text.encode()) == XorEncryption.encrypt(text)
        assert decrypt(XorEncryption.encrypt(text)[4:]).decode() == text


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.0\r\n\r\n", XorEncryption.encrypt("no json"), b"\x00\x00"],
    ids=["another protocol", "no json", "half a length"],
)
def test_nonsense_is_hung_up_on_and_the_next_client_is_served(bench: Bench, sent: bytes) -> None:
    """The device closes that connection and lives."""
    plug = bench.plug()
    with socket.create_connection((plug.host, plug.port), 2) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(4096) == b""
    with socket.create_connection((plug.host, plug.port), 2) as client:
        client.sendall(XorEncryption.encrypt(ASK))
        assert len(client.recv(4096)) > 100


def test_two_requests_on_one_connection_are_both_answered(bench: Bench) -> None:
    """A client that sends before it reads loses nothing."""
    plug = bench.plug()
    with socket.create_connection((plug.host, plug.port), 2) as client, client.makefile("rb") as stream:
        client.sendall(XorEncryption.encrypt(ASK) * 2)
        for _ in range(2):
            answer = decrypt(stream.read(int.from_bytes(stream.read(4), "big")))
            assert b'"relay_state":1' in answer


def test_an_address_that_is_taken_is_an_error(bench: Bench) -> None:
    """Two devices cannot share a port; the second says so and the first goes on."""
    first = bench.plug()
    with pytest.raises(OSError, match="address already in use"):
        bench.plug(port=first.port)
