"""Kills: a writer that is killed 200 times at any moment of appending and sealing loses nothing and tears nothing."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from chargerd.store.log import Log
from tests.system.durable import main

pytestmark = pytest.mark.system

KILLS = 200


def _killed_after(path: Path, wait_s: float) -> int:
    """A writer in a process of its own, killed a while after its first promise; the newest event it was promised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        try:
            main(path, relaxed=False)
        finally:
            os._exit(1)
    os.close(writing)
    try:
        said = os.read(reading, 100)  # its first promise
        assert said, "the writer never began"
        time.sleep(wait_s)  # a random moment of its work
        os.kill(child, signal.SIGKILL)
        while more := os.read(reading, 65536):
            said += more
    finally:
        os.waitpid(child, 0)
        os.close(reading)
    return int(said.split(b"\n")[:-1][-1])


def test_two_hundred_kills_lose_no_promised_event(tmp_path: Path, seed: int):
    """After each: every promised event is there, numbers have no gap, the chain is whole; at the end all has been sealed once."""
    path, dice = tmp_path / "log.db", random.Random(seed)
    checked = 1
    for _ in range(KILLS):
        promised = _killed_after(path, dice.uniform(0, 0.03))
        with Log(path) as log:
            assert log.last_seq >= promised
            assert [event.seq for event in log.read(checked)] == list(range(checked, log.last_seq + 1))
            assert log.verify_chain(checked) is None
            checked = max(1, log.last_seq + 1)
    with Log(path) as log:
        assert list(log.damages()) == []
        assert log.sealed_seq > 0, "no life was long enough to seal anything"
        before = list(log.read())
        while log.seal(before[-1].at_ms):
            pass
        assert list(log.read()) == before
        assert log.sealed_seq > log.last_seq // 2
        assert log.verify_chain(1) is None
