"""Inquiry: another process learns what the running daemon believes, or why it cannot."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from chargerd.daemon.inquiry import Running, running
from chargerd.engine import VERSION
from chargerd.engine.digest import digest_of
from tests.daemon.hub import Household, serving
from tests.house import Day, configuration, loadpoint


def test_a_daemon_tells_its_state_over_the_socket_that_all_may_open(tmp_path):
    """The digest is that of the very state at that event."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(300)
    (tmp_path / "run").mkdir()
    hub = Household(day)
    with serving(tmp_path / "run", hub):
        told = running(tmp_path / "run")
    site = day.run.site
    assert told == Running(site.seq, digest_of(site), VERSION, True, 1, "simulated")
    assert hub.reported == []
    day.run.kill()


def test_without_a_daemon_it_is_said_that_none_runs(tmp_path):
    """No folder, no socket, a socket that a dead daemon left."""
    assert running(tmp_path / "run") == f"no chargerd runs at {tmp_path}/run"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "monitor"))
    assert running(tmp_path) == f"no chargerd runs at {tmp_path}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "the connection was cut"),
        (b"garbage\0", "does not answer"),
        (b'{"parameters":{"seq":1}}\0', "missing required field"),
        (b'{"parameters":3}\0', "no parameters"),
        (
            b'{"error":"org.varlink.service.MethodNotFound","parameters":{"message":"no such method"}}\0',
            "no such method",
        ),
    ],
)
def test_an_answer_that_is_none_is_said_to_be_none(tmp_path, said, words):
    """An older daemon does not know the question; a sick one may say anything."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "monitor"))
        listener.listen()

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        found = running(tmp_path)
        thread.join(10)
    assert isinstance(found, str)
    assert words in found
    assert os.fspath(tmp_path) in found
