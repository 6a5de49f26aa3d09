"""Fixtures: a folder for sockets, and a way to call chargerctl and catch what it says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chargerd.ctl.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a socket's address."""
    with tempfile.TemporaryDirectory(prefix="ctl") as name:
        yield Path(name)


@pytest.fixture
def run(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call chargerctl in this process; its exit code, standard output and standard error."""
    for name in ("TZ", "NO_COLOR", "CLICOLOR_FORCE", "CHARGERCTL_SOCKET", "LC_ALL", "LC_CTYPE", "PAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")

    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["--socket", str(folder), *words])
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return call
