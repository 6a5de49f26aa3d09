"""Failing calls: every system call that a log needs fails once, one run for each; nothing recorded is lost by any of them.

strace lets the n-th call of a kind on the log's files return an error. What a healthy disk does afterwards must be as if
nothing had been: the daemon goes on or starts again, records what had waited, and the log explains itself.

Locks are left out: SQLite does not get over an unlocking that fails, which the kernel does not do on a disk of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from chargerd.sim.verify import differences
from chargerd.store.log import Log
from chargerd.store.snapshots import ground

pytestmark = pytest.mark.system

SCRIPT = Path(__file__).with_name("scripted.py")
FILES = ("", "log.db", "log.db-wal", "log.db-shm", "log.db.new", "log.db.new-wal", "log.db.new-shm", "log.db.lock")
AT_A_TIME = 2


CALLS = {
    "openat": "EMFILE",
    "pwrite64": "ENOSPC",
    "pread64": "EIO",
    "fdatasync": "EIO",
    "fsync": "EIO",
    "ftruncate": "ENOSPC",
    "rename": "EACCES",
    "unlink": "EROFS",
    "flock": "EINTR",
    "mmap": "ENOMEM",
    "newfstatat": "EIO",
    "fchown": "EPERM",
}


def _run(folder: Path, call: str, number: int, error: str) -> bool:
    """One scripted charge in which one call fails; False if it has no such call any more."""
    folder.mkdir()
    paths = [part for name in FILES for part in ("-P", str(folder / name) if name else str(folder))]
    inject = f"inject={call}:error={error}:when={number}"
    strace = ["strace", "-f", "--seccomp-bpf", "-e", f"trace={call}", "-e", inject, "-o", f"{folder}.trace", *paths]
    script = [sys.executable, str(SCRIPT), str(folder)]
    done = subprocess.run([*strace, *script], capture_output=True, text=True, timeout=60, check=False)
    if "(INJECTED)" not in Path(f"{folder}.trace").read_text("utf-8"):
        return False
    what = f"{call} number {number} with {error}"
    assert done.returncode == 0, f"{what}: {done.stderr}"
    _explains_itself(folder / "log.db", json.loads(done.stdout), what)
    return True


def _explains_itself(path: Path, believed: dict[str, object], what: str) -> None:
    with Log(path) as log:
        assert believed == {"seq": log.last_seq, "recorded": log.last_seq, "on": True}, what
        assert list(log.damages()) == [], what
        site = ground(log)
        assert list(differences(log.read(site.seq + 1), site)) == [], what


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_once_costs_nothing_that_was_recorded(call: str, tmp_path: Path):
    """Whichever call it is: at the end everything is in the log, in order, and every decision can be worked out again."""
    failed = 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for first in count(1, AT_A_TIME):
            numbers = range(first, first + AT_A_TIME)
            there = list(pool.map(lambda number: _run(tmp_path / str(number), call, number, CALLS[call]), numbers))
            failed += sum(there)
            if not all(there):
                break
    assert failed > 0
