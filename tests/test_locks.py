"""Locks: what is installed is exactly what was locked, from wherever it comes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-peers.txt")


def _pins(name: str) -> dict[str, tuple[str, int]]:
    """Package → version and number of hashes."""
    text = (ROOT / "packaging" / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pins = {}
    for line in lines:
        match = re.match(r"([a-z0-9_.-]+)==([^\s;]+)(.*)$", line)
        assert match, line
        pins[match.group(1)] = (match.group(2), match.group(3).count("--hash=sha256:"))
    return pins


@pytest.mark.parametrize("name", FILES)
def test_every_package_is_pinned_with_its_hashes(name: str):
    """A file that was exchanged on the way is refused by pip."""
    assert all(hashes >= 1 for _, hashes in _pins(name).values())


@pytest.mark.parametrize("name", FILES)
def test_a_lock_names_no_place(name: str):
    """The same list works with any registry, mirror or folder of wheels."""
    text = (ROOT / "packaging" / name).read_text("utf-8")
    assert not re.search(r"file:|https?:|find-links|index|@ ", text)


def test_every_dependency_is_locked_and_tests_run_with_the_same_versions():
    """What pyproject.toml asks for is in the list, and the list for development holds the daemon's pin for pin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    plain, dev = _pins("requirements.txt"), _pins("requirements-dev.txt")
    assert {_name(each) for each in project["dependencies"]} <= set(plain)
    assert {_name(each) for each in project["optional-dependencies"]["dev"]} <= set(dev)
    assert {name: dev[name][0] for name in plain} == {name: version for name, (version, _) in plain.items()}


def test_peers_are_compared_with_the_versions_that_the_daemon_has():
    """What both lists hold is the same, so that nobody is measured against another msgspec."""
    plain, peers = _pins("requirements.txt"), _pins("requirements-peers.txt")
    assert {"msgspec", "sqlite-utils", "eventsourcing"} <= set(peers)
    both = plain.keys() & peers.keys()
    assert {name: peers[name][0] for name in both} == {name: plain[name][0] for name in both}


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower().replace("_", "-")
