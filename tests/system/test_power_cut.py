"""Power cuts: a file system that goes down under the log without writing anything back loses no event that was promised.

The file system, ext4 or XFS on a loop device, is shut down with its own "going down, do not flush" call: what was not synced
is gone, as when the plug is pulled. The same cuts must lose something when commands are committed like readings; else this
test would prove nothing.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chargerd.store.errors import LogError
from chargerd.store.log import Log

pytestmark = pytest.mark.system

WRITER = Path(__file__).with_name("durable.py")
GOING_DOWN = 0x8004587D  # XFS_IOC_GOINGDOWN, which ext4 has as EXT4_IOC_SHUTDOWN
NO_FLUSH = 2
SYSTEMS = {"ext4": (["mkfs.ext4", "-q", "-F"], 64), "xfs": (["mkfs.xfs", "-q", "-f"], 320)}
CUTS = 12


class Disk:
    """A file system in a file, mounted by loop."""

    def __init__(self, folder: Path, system: str) -> None:
        make, size_mib = SYSTEMS[system]
        self.image, self.mount = folder / "disk.img", folder / "disk"
        self.mount.mkdir()
        with self.image.open("wb") as file:
            file.truncate(size_mib << 20)
        subprocess.run([*make, str(self.image)], check=True, timeout=60)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """The file system, there and away again."""
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.mount)], check=True, timeout=60)
        try:
            yield self.mount
        finally:
            subprocess.run(["umount", str(self.mount)], check=True, timeout=60)

    def cut_power(self) -> None:
        """From now on nothing reaches the disk."""
        folder = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, GOING_DOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(folder)


def _promised(disk: Disk, path: Path, wait_s: float, *options: str) -> int:
    """Let a writer work for a while after its first promise, then cut the power. The newest event it was promised."""
    writer = subprocess.Popen(
        [sys.executable, str(WRITER), str(path), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None
    try:
        assert select.select([writer.stdout], [], [], 30)[0], "the writer never began"
        time.sleep(wait_s)  # work of a random length; not a wait for something
        disk.cut_power()
    finally:
        writer.kill()
        said, _ = writer.communicate(timeout=30)
    return max(int(line) for line in said.split(b"\n")[:-1])


def _cut_again_and_again(disk: Disk, dice: random.Random, *options: str) -> list[int]:
    """So many power cuts over one log; how many promised events each of them lost."""
    lost = []
    for _ in range(CUTS):
        with disk.mounted() as folder:
            promised = _promised(disk, folder / "log.db", dice.uniform(0.02, 0.25), *options)
        with disk.mounted() as folder, Log(folder / "log.db") as log:
            lost.append(max(0, promised - log.last_seq))
            assert list(log.damages()) == []
            assert [event.seq for event in log.read()] == list(range(1, log.last_seq + 1))
    return lost


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_promised_event_is_lost_when_power_fails(system: str, tmp_path: Path, seed: int):
    """Twelve cuts at random moments of appending and sealing: every durable event is there, no gap, the chain is whole."""
    disk = Disk(tmp_path, system)
    assert _cut_again_and_again(disk, random.Random(seed)) == [0] * CUTS
    with disk.mounted() as folder, Log(folder / "log.db") as log:
        assert log.sealed_seq > 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_cuts_lose_events_when_commands_are_not_synced(system: str, tmp_path: Path, seed: int):
    """The proof of the test above: with commands committed like readings, power cuts do cost promised events.

    A log whose file was not synced at all may even be gone; that is a loss, too.
    """
    disk = Disk(tmp_path, system)
    try:
        lost = sum(_cut_again_and_again(disk, random.Random(seed), "relaxed"))
    except (LogError, OSError):
        lost = 1
    assert lost > 0
