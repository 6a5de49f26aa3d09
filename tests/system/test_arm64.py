"""arm64: the package for a Raspberry Pi, carried out by Debian's own arm64 Python on an emulated processor."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from chargerd.drivers.simulated import Socket, Steady
from chargerd.sim.wire.kasa import SimulatedStrip
from tests.patience import WAIT_S, until
from tests.system.boxes import BOX, CONFIGURATION
from tests.system.packages import built, deb_tool

pytestmark = pytest.mark.system

PROCESSOR = "cortex-a72"  # a Raspberry Pi 4's
NEEDS = "base-files,python3,libc6,libgcc-s1,libstdc++6,zlib1g"
EVERYTHING = """
import importlib, pathlib, sys
sys.path.insert(0, VENDOR)
for file in sorted(pathlib.Path(VENDOR).rglob("*.so")):
    words = [*file.relative_to(VENDOR).parts[:-1], file.name.partition(".")[0]]
    if words[0].isidentifier() and words[-1] not in ("_imagingtk", "_testcapi"):
        importlib.import_module(".".join(words))
        print(".".join(words))
"""


class Pi:
    """A Debian for arm64 in a folder, with chargerd's package unpacked in it; nothing of it can run without emulation."""

    def __init__(self, suite: str, folder: Path) -> None:
        self.root = folder / "root"
        debian = [str(BOX), "unpack", "--suite", suite, "--arch", "arm64", "--with", NEEDS, str(self.root)]
        subprocess.run(debian, check=True, capture_output=True)
        package = built(suite, "arm64")
        unpack = (
            f"dpkg-deb --fsys-tarfile {package} | tar -x -C {self.root} ./usr"  # its ./lib would replace Debian's link
        )
        subprocess.run(unpack, shell=True, check=True)

    def python(self, *words: str) -> list[str]:
        """The command that runs its Python, isolated as the package's programs are."""
        emulated = ["qemu-aarch64-static", "-cpu", PROCESSOR, "-L", str(self.root)]
        return [*emulated, str(self.root / "usr/bin/python3"), "-IS", *words]

    def program(self, name: str, *words: str) -> list[str]:
        """The command that runs one of the package's programs."""
        return self.python(str(self.root / name), *words)

    def say(self, *command: str) -> str:
        """What a command says; it must end well."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10 * WAIT_S)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def pi(suite: str, tmp_path: Path) -> Pi:
    """Debian 12 and 13 for arm64."""
    return Pi(suite, tmp_path)


def test_every_library_of_the_arm64_package_loads_and_a_plug_is_charged(pi: Pi, suite: str, tmp_path: Path):
    """On a Raspberry Pi: each library is for its processor and its Python; daemon, plug, chargerctl and an orderly end."""
    vendor = str(pi.root / "usr/lib/chargerd/vendor")
    loaded = pi.say(*pi.python("-c", EVERYTHING.replace("VENDOR", repr(vendor)))).split()
    assert {
        "msgspec._core",
        "cryptography.hazmat.bindings._rust",
        "PIL._imaging",
        "pydantic_core._pydantic_core",
    } <= set(loaded)
    assert len(loaded) > 15
    needs = {
        arch: pi.say("dpkg-deb", "--field", str(package), "Depends") for arch, package in deb_tool().kept(suite).items()
    }
    assert needs["arm64"] == needs["amd64"]
    sockets = {"bike": Socket(Steady(1500.0), noise=random.Random(1))}
    strip = SimulatedStrip(sockets, now_s=time.time)
    strip.start()
    (tmp_path / "chargerd.toml").write_text(CONFIGURATION.replace('"127.0.0.1"', f'"127.0.0.1"\nport = {strip.port}'))
    places = [
        "--config",
        str(tmp_path / "chargerd.toml"),
        "--state",
        str(tmp_path / "state"),
        "--run",
        str(tmp_path / "run"),
    ]
    with (tmp_path / "journal").open("wb") as journal:
        daemon = subprocess.Popen(pi.program("usr/sbin/chargerd", "run", *places), stderr=journal)
    try:

        def ctl(*words: str) -> str:
            return pi.say(*pi.program("usr/bin/chargerctl", "--socket", str(tmp_path / "run"), *words))

        def bike() -> dict[str, Any]:
            (found,) = json.loads(ctl("status", "--json"))["loadpoints"]
            return dict(found)

        until((tmp_path / "run" / "control").exists, (tmp_path / "journal").read_text, look_s=0.2)
        until(lambda: bike()["reachable"], (tmp_path / "journal").read_text)
        ctl("mode", "bike", "fast")
        until(lambda: bike()["state"] == "charging", (tmp_path / "journal").read_text)
        assert "intact" in pi.say(*pi.program("usr/sbin/chargerd", "verify", *places[2:]))
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(WAIT_S) == 0, (tmp_path / "journal").read_text()
        assert "ended in order" in (tmp_path / "journal").read_text()
    finally:
        daemon.kill()
        daemon.wait()
        strip.stop()
