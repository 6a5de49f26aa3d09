"""Living: the real daemon as a process of its own, started and stopped by a benchmark."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
READY_S = 120.0


class Daemon:
    """A daemon in a folder, with a configuration and the log that lies in ``state``. ``took_s`` is how long its start took.

    The start ends when it says READY: state replayed, start recorded, sockets open.
    """

    def __init__(self, folder: Path, configuration: str, state: Path | None = None) -> None:
        self.run = folder / "run"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "chargerd.toml").write_text(configuration, "utf-8")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(folder / "notify"))
        notify.settimeout(READY_S)
        command = [sys.executable, "-m", "chargerd", "run", "--quiet", "--config", str(folder / "chargerd.toml")]
        command += ["--state", str(state or folder / "state"), "--run", str(self.run)]
        environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify")}
        begin_s = time.perf_counter()
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
            self.took_s = time.perf_counter() - begin_s
        except BaseException:
            self._end(signal.SIGKILL)
            raise
        finally:
            notify.close()
            (folder / "notify").unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        self._process.send_signal(number)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
