"""Packages: chargerd's packages as the tests need them: built from this working tree once, and changed a little."""

from __future__ import annotations

import fcntl
import importlib.util
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType

from tests.system.boxes import BOX, cache

ROOT = Path(__file__).resolve().parents[2]
INSTALL = """\
set -e
apt-get install --yes --quiet /box/in/chargerd_*.deb
systemctl stop chargerd
rm -r /var/lib/chargerd
"""


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


def built(suite: str, arch: str | None = None) -> Path:
    """The package for a release, lintian being content with it; for this machine if no architecture is named."""
    tool = deb_tool()
    package: Path = tool.kept(suite, commit())[arch or tool.HERE]
    return package


def installed(suite: str) -> Path:
    """What apt's installation of the package changes in a release of Debian, as a folder to lay over it; made once and kept."""
    package = built(suite)
    layer = package.parent / "installed"
    with (package.parent / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layer.is_dir():
            with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
                script.write(INSTALL)
                script.flush()
                box = [str(BOX), "run", "--suite", suite, "--copy", str(package), "--keep", str(layer), script.name]
                subprocess.run(box, check=True)
    return layer


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
