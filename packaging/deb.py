#!/usr/bin/python3
"""Deb: builds the Debian packages of what is committed, each in a throw-away Debian of its release without network.

    packaging/deb.py [--suite bookworm] [--out dist]

Needs root, git, pip with the locked setuptools (make venv) and what tests/system/box needs. The only step that fetches
something comes first: the libraries, by the hashes of packaging/requirements.txt, once for each list and kept.

A package for another kind of processor (a Raspberry Pi's, built on a PC) needs no compiler: its libraries come as wheels,
and Debian's tools for foreign programs strip them and find out what they need.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "packaging" / "requirements.txt"
BOX = ROOT / "tests" / "system" / "box"
CACHE = Path(os.environ.get("BOX_CACHE", "/var/cache/chargerd-box"))
TOOLS = "build-essential,debhelper,dh-python,lintian,python3-all,python3-pip,python3-setuptools,python3-wheel"
NEEDED = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g")  # Debian's libraries that the wheels are linked with
SOURCE_ONLY = "sdnotify"  # no wheel of it exists; its source is one file of Python


class Release(NamedTuple):
    """A release of Debian: its number, and the Python that it has."""

    number: int
    python: str


RELEASES = {"bookworm": Release(12, "3.11"), "trixie": Release(13, "3.13")}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # Debian's name of an architecture, and that of wheels
KEEP_S = 2 * 86_400
MADE_OF = ("chargerd", "packaging", "systemd", "etc", "docs", "README.md", "CHANGELOG.md", "tests/system/box")
HERE = next((arch for arch, machine in MACHINES.items() if machine == os.uname().machine), "amd64")

BUILD = """\
set -e
umask {umask}
export TZ={zone} LC_ALL={locale}
mkdir -p {folder}
mv /box/in/{tree} {folder}/
cd {folder}/{tree}
for arch in {archs}; do
  # Debian's python3-setuptools cannot be had for both at once, and that of this machine does: hence no check (-d).
  [ "$arch" = "$(dpkg --print-architecture)" ] && foreign= || foreign=-d
  dpkg-buildpackage --host-arch $arch $foreign --build=binary --no-sign > /box/out/build.txt 2>&1 \
    || {{ tail -n 60 /box/out/build.txt; exit 1; }}
done
cd ..
[ -z "{check}" ] || lintian --fail-on error,warning --tag-display-limit 0 *.changes > /box/out/lintian.txt 2>&1 \\
  || {{ cat /box/out/lintian.txt; exit 1; }}
cp *.deb *.changes *.buildinfo /box/out/
"""


class CannotBuild(Exception):
    """There is no package; the text says why."""


def wheelhouse(release: Release) -> Path:
    """The folder of the locked libraries for a release, fetched once. Raises `CannotBuild`."""
    mark = hashlib.sha256(LOCK.read_bytes() + f"{release.python} {MACHINES}".encode()).hexdigest()[:12]
    folder = CACHE / f"wheels-{mark}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        new = Path(made) / "wheels"
        new.mkdir()
        binary, source = _halves(new)
        for machine in MACHINES.values():
            platforms = [word for n in range(17, 40) for word in ("--platform", f"manylinux_2_{n}_{machine}")]
            platforms += ["--platform", f"manylinux2014_{machine}"]
            _pip(new, binary, "--only-binary=:all:", "--python-version", release.python, *platforms)
        _pip(new, source, "--no-binary=:all:", "--no-build-isolation")
        new.rename(folder)
    return folder


def _halves(folder: Path) -> tuple[Path, Path]:
    """The lock in two: what comes as wheels, and what comes as source; pip takes a foreign Python for wheels only."""
    text = "".join(line for line in LOCK.read_text("utf-8").splitlines(keepends=True) if not line.startswith("#"))
    entries = [entry for entry in re.split(r"(?m)^(?=\S)", text) if entry.strip()]
    binary, source = folder / "binary.txt", folder / "source.txt"
    binary.write_text("".join(e for e in entries if not e.startswith(f"{SOURCE_ONLY}==")), "utf-8")
    source.write_text("".join(e for e in entries if e.startswith(f"{SOURCE_ONLY}==")), "utf-8")
    return binary, source


def _pip(folder: Path, lock: Path, *options: str) -> None:
    pip = [str(ROOT / ".venv" / "bin" / "python")] if (ROOT / ".venv").is_dir() else [sys.executable]
    pip += ["-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*pip, *options, "--requirement", str(lock)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(f"the libraries cannot be fetched:\n{done.stderr[-2000:]}")


def tree(suite: str, folder: Path, commit: str = "HEAD") -> Path:
    """The source of a release's package in ``folder``: what is committed, debian/ at its place, and the libraries."""
    changelog = subprocess.run(
        ["git", "show", f"{commit}:packaging/debian/changelog"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = re.match(r"chargerd \((\S+)\) unstable;", changelog)
    if found is None:
        raise CannotBuild("packaging/debian/changelog does not begin with: chargerd (VERSION) unstable;")
    made = folder / f"chargerd-{found[1]}"
    made.mkdir(parents=True)
    with subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-x", "-C", str(made)], stdin=archive.stdout, check=True)
    if archive.returncode:
        raise CannotBuild(f"git archive {commit} failed")
    (made / "packaging" / "debian").rename(made / "debian")
    first = f"chargerd ({found[1]}+deb{RELEASES[suite].number}) {suite};"
    (made / "debian" / "changelog").write_text(changelog.replace(found[0], first, 1), "utf-8")
    shutil.copytree(wheelhouse(RELEASES[suite]), made / "wheelhouse")
    return made


def build(
    suite: str,
    out: Path,
    archs: Sequence[str] = tuple(MACHINES),
    *,
    commit: str = "HEAD",
    check: bool = True,
    other: bool = False,
) -> dict[str, Path]:
    """Build the packages of a release into ``out``; the path of each by its architecture.

    ``check``: lintian must find neither error nor warning.
    ``other``: in another folder, time zone, locale and umask, which must make no difference. Raises `CannotBuild`.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        source = tree(suite, Path(made), commit)
        words = {"tree": source.name, "check": "yes" if check else "", "archs": " ".join(archs)}
        if other:
            words |= {"folder": "/srv/elsewhere/deep", "zone": "Asia/Kathmandu", "locale": "C", "umask": "027"}
        else:
            words |= {"folder": "/build", "zone": "UTC", "locale": "C.UTF-8", "umask": "022"}
        script = Path(made) / "build"
        script.write_text(BUILD.format(**words), "utf-8")
        box = [str(BOX), "run", "--suite", suite, "--with", _tools(archs), "--net", "none", "--time", "900"]
        box += ["--copy", str(source), "--out", made + "/out", str(script)]
        done = subprocess.run(box, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise CannotBuild(f"{suite}: the build failed:\n{done.stdout[-6000:]}")
        for file in Path(made, "out").glob("chargerd_*"):
            shutil.copy(file, out)
    return _packages(suite, out, archs)


def _packages(suite: str, folder: Path, archs: Sequence[str]) -> dict[str, Path]:
    return {arch: next(folder.glob(f"chargerd_*+deb{RELEASES[suite].number}_{arch}.deb")) for arch in archs}


def _tools(archs: Sequence[str]) -> str:
    """What is installed to build for these architectures."""
    foreign = [arch for arch in archs if arch != HERE]
    cross = [f"binutils-{MACHINES[arch].replace('_', '-')}-linux-gnu" for arch in foreign]
    return ",".join([TOOLS, *cross, *(f"{library}:{arch}" for arch in foreign for library in NEEDED)])


def kept(suite: str, commit: str = "HEAD") -> dict[str, Path]:
    """The packages of a release, built once for each state of what they are made of, and kept for two days.

    Raises `CannotBuild`.
    """
    parts = ["git", "ls-tree", commit, *MADE_OF]
    listed = subprocess.run(parts, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folder = CACHE / "packages" / hashlib.sha256(f"{suite} {listed}".encode()).hexdigest()[:12]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for old in folder.parent.iterdir():  # a younger one may be in use by another run
                if old.is_dir() and time.time() - old.stat().st_mtime > KEEP_S:
                    shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=folder.parent) as made:
                build(suite, Path(made) / "out", commit=commit)
                (Path(made) / "out").rename(folder)
        return _packages(suite, folder, tuple(MACHINES))


def main() -> int:
    """Build what the command line asks for."""
    asked = argparse.ArgumentParser(description="Build the Debian packages of what is committed.")
    asked.add_argument("--suite", choices=RELEASES, action="append", help="only this release of Debian (both)")
    asked.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="where they go (dist)")
    options = asked.parse_args()
    if os.geteuid():
        sys.stderr.write("packaging/deb.py: it boots a Debian to build in and needs root: sudo make deb\n")
        return 1
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    if changed.stdout:
        sys.stderr.write("packaging/deb.py: what is not committed is not in the packages\n")
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with ThreadPoolExecutor(2) as pool:
            for packages in pool.map(kept, options.suite or list(RELEASES)):
                for package in packages.values():
                    sys.stdout.write(f"{shutil.copy(package, options.out)}\n")
    except CannotBuild as error:
        sys.stderr.write(f"packaging/deb.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
