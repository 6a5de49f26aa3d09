"""The simulated newer plug is one to python-kasa, and to nobody who does not speak its protocol."""

from __future__ import annotations

import asyncio
import socket

from kasa import DeviceEncryptionType, Discover

from chargerd.sim.wire.kasa_newer import PORT, SimulatedNewerPlug, is_question, sealed


def test_python_kasa_discovers_it_and_knows_that_it_wants_a_login():
    """Model, hardware address and kind of login are read by a client that is not ours."""
    plug = SimulatedNewerPlug("127.0.0.66")
    plug.start()
    try:
        found = asyncio.run(Discover.discover(target="127.0.0.66", discovery_timeout=1, discovery_packets=2))
    finally:
        plug.stop()
    (device,) = found.values()
    assert (device.model, device.mac) == ("P110", "98:25:4A:00:00:04")
    assert device.config.connection_type.encryption_type is DeviceEncryptionType.Klap
    assert device.config.connection_type.login_version == 2


def test_a_question_with_a_wrong_sum_gets_no_answer():
    """As with real devices, so that a client which sends nonsense is found out."""
    question = sealed(bytes((2, 0, 0, 1, 0, 2, 17, 0, 1, 2, 3, 4)) + b"\0\0\0\0{}")
    assert is_question(question)
    assert not is_question(question[:-1] + b"]")
    plug = SimulatedNewerPlug("127.0.0.67")
    plug.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(question[:-1] + b"]", ("127.0.0.67", PORT))
        client.sendto(question, ("127.0.0.67", PORT))
        assert b"KLAP" in client.recv(4096)
    plug.stop()
    assert plug.asked == 1
