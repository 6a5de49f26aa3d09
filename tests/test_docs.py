"""Documents: what they name is there, and what is there is named."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from chargerd.config.load import load
from chargerd.drivers import MODULES
from chargerd.drivers import load as load_driver

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs" / "rows.md"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
COUNTS = {"S0": 35, "S1": 43, "S2": 66, "S3": 17, "S4": 25}


def rows() -> list[list[str]]:
    """The cells of every row in docs/rows.md."""
    lines = [line for line in ROWS.read_text(encoding="utf-8").splitlines() if re.match(r"\| S\d-\d\d ", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_row_is_listed_once():
    """35 of S0, 43 of S1, 66 of S2, 17 of S3, 25 of S4."""
    ids = [row[0] for row in rows()]
    assert len(ids) == len(set(ids))
    assert {seed: sum(name.startswith(seed) for name in ids) for seed in COUNTS} == COUNTS


@pytest.mark.parametrize("row", rows(), ids=[row[0] for row in rows()])
def test_row_names_tests_that_exist(row):
    """A row that works, wholly or partly, names its test; one that does not yet names none."""
    _, _, state, tests = row
    named = re.findall(r"`([^`]+)`", tests)
    assert state == "works" or state.startswith("partly: ") or state == "not yet"
    assert bool(named) is (state != "not yet")
    for name in named:
        file, _, function = name.partition("::")
        assert (ROOT / file).is_file(), name
        functions = {n.name for n in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(n, ast.FunctionDef)}
        assert not function or function in functions, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=[d.name for d in DOCUMENTS])
def test_links_lead_somewhere(document):
    """A link to a file of the repository leads to a file."""
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target


def test_readme_opens_with_its_two_commands_and_the_makefile_has_them():
    """make demo and make test stand in the first twenty lines; every make target that is named exists."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in "\n".join(readme.splitlines()[:20])
    assert "make test" in "\n".join(readme.splitlines()[:20])
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", readme, re.MULTILINE)) <= targets


def test_configuration_in_the_readme_is_accepted(tmp_path):
    """What a newcomer copies out of the README loads."""
    texts = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    points = []
    for text in texts:
        assert tomllib.loads(text)
        (tmp_path / "chargerd.toml").write_text(text)
        loaded = load([tmp_path / "chargerd.toml"], load_driver=load_driver, driver_kinds=MODULES)
        points += list(loaded.configuration.loadpoints)
    assert points == ["bike-1", "garage"]


def test_decisions_and_glossary_are_not_empty_words():
    """Each decision opens with its statement in bold; the glossary has every state."""
    decisions = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8").split("\n\n")[2:]
    assert all(paragraph.startswith("**") for paragraph in decisions)
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for state in ("unknown", "idle", "charging", "suspended_ev", "suspended_evse", "fault"):
        assert f"`{state}`" in glossary
