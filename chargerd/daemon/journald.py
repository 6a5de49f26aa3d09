"""Journald: systemd's journal by its native protocol, so that entries have fields of their own to search by.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: one datagram an entry, ``FIELD=value`` lines; a value with a line break is
given by its length; an entry too large for a datagram is handed over as a sealed memory file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from array import array
from collections.abc import Iterable
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class Journald:
    """A line to the journal. Never waits and never raises: what cannot be sent is reported as not sent."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def send(self, fields: Iterable[tuple[str, str]]) -> bool:
        """Send one entry; whether it went out. A field may come more than once."""
        entry = b"".join(_encoded(name, value) for name, value in fields)
        try:
            try:
                self._socket.sendto(entry, socket.MSG_DONTWAIT, self._path)
            except OSError as error:
                if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                    raise
                self._hand_over(entry)
        except OSError:
            return False
        return True

    def _hand_over(self, entry: bytes) -> None:
        file = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(file, entry)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [file]))
            self._socket.sendmsg([], [rights], socket.MSG_DONTWAIT, self._path)
        finally:
            os.close(file)


def is_journal(descriptor: int, stream: str | None) -> bool:
    """Whether what is written to a descriptor goes to the journal: ``stream`` is the value of ``JOURNAL_STREAM``."""
    device, _, inode = (stream or "").partition(":")
    try:
        found = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (int(device), int(inode))
    except (OSError, ValueError):
        return False


def _encoded(name: str, value: str) -> bytes:
    content = value.encode(errors="replace")
    if b"\n" not in content:
        return name.encode() + b"=" + content + b"\n"
    return name.encode() + b"\n" + len(content).to_bytes(8, "little") + content + b"\n"
