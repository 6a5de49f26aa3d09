"""Packages: chargerd's packages as the tests need them: built from this working tree once, and changed a little."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import ModuleType

from tests.system.boxes import cache

ROOT = Path(__file__).resolve().parents[2]
PACKED = (
    "chargerd",
    "packaging",
    "systemd",
    "etc",
    "docs",
    "README.md",
    "CHANGELOG.md",
)  # all that a package is made of
KEEP_S = 2 * 86_400


def deb_tool() -> ModuleType:
    """packaging/deb.py, which is a program and no part of a package."""
    spec = importlib.util.spec_from_file_location("deb", ROOT / "packaging" / "deb.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def commit() -> str:
    """The commit to build: the newest, or one with what is changed and not committed yet; that one stays on no branch."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "commit.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # git locks its index, and does not wait
        return _git("stash", "create") or "HEAD"


def built(suite: str) -> Path:
    """The package for a release, lintian being content with it; built once for each state of what it is made of and then kept."""
    chosen = commit()
    mark = hashlib.sha256(f"{suite} {_git('ls-tree', chosen, *PACKED)}".encode()).hexdigest()[:12]
    folder = cache() / "packages" / mark
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("chargerd_*.deb")):
            shutil.rmtree(folder, ignore_errors=True)
            _forget(folder.parent)
            with tempfile.TemporaryDirectory(dir=folder.parent) as made:
                deb_tool().build(suite, Path(made) / "out", commit=chosen)
                (Path(made) / "out").rename(folder)
        (package,) = folder.glob("chargerd_*.deb")
        return package


def derived(package: Path, folder: Path, version: str, *edits: tuple[str, str, str]) -> Path:
    """Another version of a package, with texts in some of its files replaced: (file, old, new)."""
    tree, release = folder / f"tree-{version}", package.name.split("+")[1].split("_")[0]
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
    control = (tree / "DEBIAN" / "control").read_text()
    old = next(line for line in control.splitlines() if line.startswith("Version: "))
    (tree / "DEBIAN" / "control").write_text(control.replace(old, f"Version: {version}+{release}"))
    mine = tree / "usr/lib/chargerd/app/chargerd/__init__.py"
    mine.write_text(mine.read_text().replace(old.split()[1].split("+")[0], version))
    for name, before, after in edits:
        file = tree / name
        text = file.read_text()
        assert before in text, f"{name} has no {before!r}"
        file.write_text(text.replace(before, after))
    made = folder / f"chargerd_{version}+{release}_{package.stem.rpartition('_')[2]}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(made)],
        check=True,
        capture_output=True,
    )
    return made


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _forget(packages: Path) -> None:
    """Remove what trees of days ago were built into; a younger one may be in use by another run."""
    for old in packages.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > KEEP_S:
            shutil.rmtree(old)
