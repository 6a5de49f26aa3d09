"""One client's bytes: who it is, and how long it may take."""

import os
import socket
import struct

from chargerd.daemon.connection import PATIENCE, Connection, Step, peer_of
from chargerd.protocol.framing import CallError, Messages, encode
from tests.patience import WAIT_S


def pair() -> tuple[Connection, socket.socket]:
    """A connection and the client's end of it."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return Connection(ours, control=True, uid=1000, user="anna", patience=PATIENCE), theirs


def test_peer_is_who_the_kernel_says():
    """uid and name of the process at the other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        uid, _ = peer_of(ours)
    assert uid == os.getuid()
    assert struct.calcsize("3i") == 12


def test_request_arrives_in_pieces():
    """A request is there when its last byte is."""
    connection, client = pair()
    with connection.socket, client:
        frame = encode({"method": "io.chargerd.GetStatus", "parameters": {"names": ["bike-1"]}, "more": True})
        client.sendall(frame[:10])
        assert connection.receive()
        assert connection.next_request() is Step.WAIT
        client.sendall(frame[10:])
        assert connection.receive()
        assert connection.next_request() is Step.REQUEST
        assert (connection.method, connection.parameters, connection.more) == (
            "io.chargerd.GetStatus",
            {"names": ["bike-1"]},
            True,
        )


def test_oneway_call_gets_no_answer():
    """Varlink's oneway: neither reply nor error is sent."""
    connection, client = pair()
    with connection.socket, client:
        client.sendall(encode({"method": "io.chargerd.GetStatus", "oneway": True}))
        assert connection.receive()
        assert connection.next_request() is Step.REQUEST
        connection.reply({"kind": "status"})
        connection.reply_error(CallError("Refused", "no"))
        assert not connection.busy


def test_answer_too_long_to_send_becomes_an_error():
    """Sixteen megabytes are the most; above that the client is told to ask for less."""
    connection, client = pair()
    with connection.socket, client:
        client.settimeout(WAIT_S)
        connection.reply({"text": "x" * 17_000_000})
        assert connection.flush()
        messages = Messages()
        messages.feed(client.recv(65536))
        reply = messages.next()
    assert reply is not None
    assert reply["error"] == "io.chargerd.Refused"


def test_client_that_sends_on_and_on_while_it_is_owed_an_answer_is_given_up():
    """What may wait behind an unread answer is bounded."""
    connection, client = pair()
    with connection.socket, client:
        client.setblocking(False)
        connection.reply({"text": "x" * 2_000_000})
        assert connection.flush()
        assert connection.busy
        taken, alive = 0, True
        while alive and taken < 1_000_000:
            taken += client.send(b" " * 8192)
            alive = connection.receive()
    assert taken < 200_000
