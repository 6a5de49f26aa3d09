"""Boxes: a booted Debian with chargerd's package in it, as a test outside sees it: commands, the plug, the power switch."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
BOX = HERE / "box"
UP_S = 120
PATIENCE_S = 120
PLUG_PORT = 9999

CONFIGURATION = """\
[device.shed]
driver = "kasa"
host = "127.0.0.1"
poll_s = 2
poll_fast_s = 1
max_age_s = 20

[vehicle.pack]                 # large powers, so that a cut-off is confirmed within seconds
nominal_stop_w = 1000
full_w = 500
max_power_w = 3000

[loadpoint.bike]
charger = "shed/bike"
vehicle = "pack"
"""


class Box:
    """A booted box; leave it and it is gone. What it says is kept for a failing test.

    ``files`` are laid into /box/in; ``layer`` is a folder of `packages.installed`, laid over Debian.
    """

    def __init__(
        self,
        suite: str,
        *files: Path,
        boots: int = 1,
        net: str = "none",
        with_: str = "",
        layer: Path | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self.suite = suite
        self._folder = tempfile.TemporaryDirectory(prefix="box-")
        self.out = Path(self._folder.name)
        command = [sys.executable, str(BOX), "run", "--suite", suite, "--out", str(self.out), "--net", net]
        command += ["--boots", str(boots), "--time", "900", *options]
        command += ["--with", with_] if with_ else []
        command += ["--layer", str(layer)] if layer else []
        for file in (HERE / "inside" / "plug.py", *files):
            command += ["--copy", str(file)]
        self._said = (self.out / "box.txt").open("wb")
        self._process = subprocess.Popen(
            [*command, str(HERE / "inside" / "agent.py")], stdout=self._said, stderr=subprocess.STDOUT
        )
        self._talk: Any = None

    def __enter__(self) -> Self:
        try:
            self._connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None:
            print(f"--- what {self.suite} said ---\n{self.journal()}")
        self.close()

    def close(self) -> None:
        """Switch it off at once, and have nothing left of it."""
        try:
            if self._talk is not None and self._process.poll() is None:
                self._end("cut")
            else:
                self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
        finally:
            self._said.close()
            self._folder.cleanup()

    def again(self, *, cut: bool) -> None:
        """The next boot: after a power failure, or after an orderly shutdown."""
        self._end("cut" if cut else "off")
        self._connect()

    def run(self, *words: str, seconds: float = 90) -> tuple[int, str]:
        """Run a command inside; its exit status and what it said."""
        answer = self._ask(self._talk, {"run": list(words), "seconds": seconds})
        return answer["status"], answer["output"]

    def sh(self, text: str, *, status: int = 0, seconds: float = 90) -> str:
        """Run a line of shell inside; what it said. It must end with ``status``."""
        found, output = self.run("/bin/sh", "-c", text, seconds=seconds)
        assert found == status, f"{text}\nended with {found}:\n{output}"
        return output

    def until(self, condition: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """Wait until something holds; what it gave. How long it took is not judged: the machine may be busy."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(0.1)
        return found

    def shows(self, name: str, unit: str = "chargerd") -> str:
        """A property of a unit."""
        return self.sh(f"systemctl show --property={name} --value {unit}").strip()

    def journal(self) -> str:
        """Everything that anybody has written."""
        if self._talk is None or self._process.poll() is not None:
            return (self.out / "box.txt").read_text(errors="replace")
        return self.run("journalctl", "--no-pager", "--output=short-precise")[1][-12_000:]

    def said(self, *words: str) -> str:
        """What ``journalctl -u chargerd`` shows, messages only."""
        return self.run("journalctl", "--unit=chargerd", "--no-pager", "--output=cat", *words)[1]

    # chargerd

    def install(self, name: str = "chargerd_*.deb") -> str:
        """Install the package that was laid in."""
        return self.sh(f"apt-get install --yes --quiet /box/in/{name} 2>&1")

    def configure(self, text: str = CONFIGURATION, *, take_over: bool = True) -> None:
        """Write the main file, and have the service read it."""
        self.sh(f"printf %s {shlex.quote(text)} > /etc/chargerd/chargerd.toml")
        if take_over:
            self.sh("systemctl reload chargerd")

    def status(self) -> dict[str, Any]:
        """What ``chargerctl status --json`` says."""
        answer: dict[str, Any] = json.loads(self.sh("chargerctl status --json"))
        return answer

    def bike(self) -> dict[str, Any]:
        """The first loadpoint; of one that is not there yet everything is None."""
        found: list[dict[str, Any]] = self.status()["loadpoints"]
        return found[0] if found else dict.fromkeys(("name", "state", "reachable"))

    # The plug

    def start_plug(self, host: str = "127.0.0.1", *more: str) -> None:
        """Put the simulated strip into operation."""
        inside = f"/usr/bin/python3 -BIS /box/in/plug.py {host} {PLUG_PORT} {' '.join(more)}"
        self.sh(f"systemd-run --quiet --unit=plug {inside}")
        self.until((self.out / "plug").exists)

    def plug(self, **asked: Any) -> dict[str, Any]:
        """How the plug stands, after doing to it what was asked."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.out / "plug"))
            with connection.makefile("rw", encoding="utf-8") as talk:
                return self._ask(talk, asked)

    def charging(self) -> None:
        """Have a charge run: plug, configuration, a person who wants it, power that flows."""
        self.start_plug()
        self.configure()
        self.until(lambda: self.bike()["reachable"])
        self.sh("chargerctl mode bike fast")
        self.until(lambda: self.bike()["state"] == "charging")
        assert self.plug()["on"]

    # How it is spoken with

    def _connect(self) -> None:
        end = time.monotonic() + UP_S
        while True:
            assert self._process.poll() is None, f"the box has ended\n{(self.out / 'box.txt').read_text()}"
            assert time.monotonic() < end, "the box does not come up"
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.out / "agent"))
                break
            except OSError:
                connection.close()
                time.sleep(0.05)
        self._talk = connection.makefile("rw", encoding="utf-8")
        connection.close()

    def _ask(self, talk: Any, asked: dict[str, Any]) -> dict[str, Any]:
        talk.write(json.dumps(asked) + "\n")
        talk.flush()
        line = talk.readline()
        assert line, "nobody answers in the box any more"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self, how: str) -> None:
        talk, self._talk = self._talk, None
        (self.out / "plug").unlink(missing_ok=True)
        talk.write(json.dumps({"end": how}) + "\n")
        talk.flush()
        while talk.read(1):  # until the agent is gone
            pass
        talk.close()


def cache() -> Path:
    """Where roots and packages are kept between runs."""
    return Path(os.environ.get("BOX_CACHE", "/var/cache/chargerd-box"))
