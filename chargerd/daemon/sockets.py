"""Sockets: the two socket files: who may open them, whose they are, and that only one daemon serves them."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import shutil
import socket
import stat
from pathlib import Path

MODES = (("monitor", 0o666), ("control", 0o660))
BACKLOG = 256


class CannotServe(Exception):
    """The sockets cannot be opened; the text says which, why, and what to do."""


class Sockets:
    """``directory``/monitor and ``directory``/control. ``listeners`` are the open ones, each with its name."""

    def __init__(self, directory: Path, group: str | None) -> None:
        self.listeners: dict[socket.socket, str] = {}
        self._directory = directory
        self._group = group
        self._made: dict[Path, tuple[int, int]] = {}
        self._lock_fd = -1

    def open(self) -> None:
        """Begin to listen on both. Raises `CannotServe`, and then leaves nothing behind."""
        try:
            self._open()
        except CannotServe:
            self.close()
            raise
        except OSError as error:
            self.close()
            why = error.strerror or error
            raise CannotServe(f"cannot open the control sockets in {self._directory}: {why}") from error

    def close(self) -> None:
        """Stop listening and remove the files, unless somebody else has put others in their place."""
        for listener in self.listeners:
            listener.close()
        self.listeners.clear()
        for path, identity in self._made.items():
            if path.exists() and identity == _identity(path):
                path.unlink()
        self._made.clear()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _open(self) -> None:
        gid = _gid(self._group)
        self._lock_fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotServe(f"another chargerd serves {self._directory}") from error
        for name, mode in MODES:
            path = self._directory / name
            _clear(path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self.listeners[listener] = name
            listener.bind(str(path))
            self._made[path] = _identity(path)
            path.chmod(mode)  # before listen(): until then nobody can connect, whatever the umask was
            if gid is not None and name == "control":
                shutil.chown(path, group=gid)
            listener.listen(BACKLOG)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _gid(group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise CannotServe(f"there is no group {group} to give the control socket to") from error


def _clear(path: Path) -> None:
    """Remove a socket that a dead daemon left. Raises `CannotServe` if a living one listens there, or if it is no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotServe(f"{path} is in the way and is no socket; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise CannotServe(f"another program listens at {path}")
    path.unlink()
