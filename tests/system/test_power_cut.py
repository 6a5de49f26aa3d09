"""Power cuts: a file system that goes down under the log without writing anything back loses no event that was promised.

The file system, ext4 or XFS on a loop device, is shut down with its own "going down, do not flush" call: what was not synced
is gone, as when the plug is pulled. The same cuts must lose something when commands are committed like readings; else this
test would prove nothing.
"""

from __future__ import annotations

import errno
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
BUSY_S = 120


class Disk:
    """A file system in a file, behind one loop device: attached anew for each mount, it races with its own release."""

    def __init__(self, folder: Path, system: str) -> None:
        make, size_mib = SYSTEMS[system]
        image, self.mount = folder / "disk.img", folder / "disk"
        self.mount.mkdir()
        with image.open("wb") as file:
            file.truncate(size_mib << 20)
        subprocess.run([*make, str(image)], check=True, timeout=60)
        attached = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True)
        self._device = attached.stdout.strip()

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """The file system, there and away again."""
        end_s = time.monotonic() + BUSY_S
        while True:
            subprocess.run(["mount", self._device, self.mount], check=True, timeout=60)
            if self._is_fresh():
                break
            self._unmount()
            assert time.monotonic() < end_s, "the file system that was shut down is still in use elsewhere"
            time.sleep(0.2)
        try:
            yield self.mount
        finally:
            self._unmount()

    def _is_fresh(self) -> bool:
        """Whether it is not the one that was shut down: a container that began meanwhile keeps that one alive."""
        try:
            (self.mount / "probe").touch()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        return True

    def _unmount(self) -> None:
        """Right after its writer's death a file system may be busy for a moment."""
        end_s = time.monotonic() + BUSY_S
        while subprocess.run(["umount", self.mount], check=False, capture_output=True).returncode:
            assert time.monotonic() < end_s, "the file system stays busy"
            time.sleep(0.05)

    def detach(self) -> None:
        """Give the loop device back."""
        subprocess.run(["losetup", "--detach", self._device], check=True, timeout=60)

    def cut_power(self) -> None:
        """From now on nothing reaches the disk."""
        folder = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, GOING_DOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(folder)


@pytest.fixture(params=SYSTEMS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """An empty file system of each kind."""
    made = Disk(tmp_path, request.param)
    yield made
    made.detach()


def _promised(disk: Disk, path: Path, wait_s: float, *options: str) -> int:
    """Let a writer work for a while after its first promise, then cut the power. The newest event it was promised."""
    writer = subprocess.Popen(
        [sys.executable, str(WRITER), str(path), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None
    try:
        assert select.select([writer.stdout], [], [], 30)[0], "the writer never began"
        time.sleep(wait_s)  # work of a random length; not a wait for something
        said = os.read(writer.stdout.fileno(), 1 << 16)  # what comes later is no promise: a dead kernel cannot keep it
        disk.cut_power()
    finally:
        writer.kill()
        writer.communicate(timeout=30)
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


def test_no_promised_event_is_lost_when_power_fails(disk: Disk, seed: int):
    """Twelve cuts at random moments of appending and sealing: every durable event is there, no gap, the chain is whole."""
    assert _cut_again_and_again(disk, random.Random(seed)) == [0] * CUTS
    with disk.mounted() as folder, Log(folder / "log.db") as log:
        assert log.sealed_seq > 0


def test_the_same_cuts_lose_events_when_commands_are_not_synced(disk: Disk, seed: int):
    """The proof of the test above: with commands committed like readings, power cuts do cost promised events.

    A log whose file was not synced at all may even be gone; that is a loss, too.
    """
    try:
        lost = sum(_cut_again_and_again(disk, random.Random(seed), "relaxed"))
    except (LogError, OSError):
        lost = 1
    assert lost > 0
