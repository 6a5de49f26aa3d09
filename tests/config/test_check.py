"""Check: what is wrong in a document is collected once, with its place, and told all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from chargerd.config.base import Settings
from chargerd.config.check import Check
from chargerd.config.files import read
from chargerd.config.problems import ConfigError, Problem


class Shelf(Settings):
    """A table."""

    width_m: float = Field(default=1.0, ge=0.1, le=10)
    label: str = ""


def check_of(folder: Path, text: str) -> Check:
    """A text under examination."""
    main = folder / "main.toml"
    main.write_text(text, "utf-8")
    return Check(read([main]))


def noted(check: Check) -> tuple[Problem, ...]:
    """All that was found."""
    with pytest.raises(ConfigError) as caught:
        check.raise_problems()
    problems: tuple[Problem, ...] = caught.value.problems
    return problems


def test_a_document_with_nothing_wrong_raises_nothing(tmp_path: Path):
    """And its tables are there."""
    check = check_of(tmp_path, "[shelf.low]\nwidth_m = 2\n[shelf.high]\n")
    assert check.named(Shelf, "shelf") == {"low": Shelf(width_m=2.0), "high": Shelf()}
    assert check.table(Shelf, ("shelf", "low")) == Shelf(width_m=2.0)
    check.raise_problems()


def test_a_table_that_is_not_there_is_none_and_no_mistake(tmp_path: Path):
    """Whether it must be there is for others to say."""
    check = check_of(tmp_path, "")
    assert check.table(Shelf, ("shelf",)) is None
    assert check.named(Shelf, "shelf") == {}
    check.raise_problems()


def test_all_mistakes_come_together_in_the_order_of_their_lines(tmp_path: Path):
    """Nobody mends a file one error at a time. The same one, found twice, is told once."""
    check = check_of(tmp_path, '[shelf.a]\nwidth_m = "wide"\n[shelf.b]\nwidth_m = 99\ncolour = 1\n[shef]\n')
    check.top_level(("shelf",))
    assert check.named(Shelf, "shelf") == {}
    check.named(Shelf, "shelf")
    assert [(each.line, each.key) for each in noted(check)] == [
        (2, "shelf.a.width_m"),
        (4, "shelf.b.width_m"),
        (5, "shelf.b.colour"),
        (6, "shef"),
    ]


def test_files_come_in_the_order_in_which_they_are_read(tmp_path: Path):
    """A later file's first line is after the main file's last."""
    (tmp_path / "main.toml").write_text("\n\n[shelf.a]\nwidth_m = 0\n")
    (tmp_path / "conf.toml").write_text("[shelf.b]\nwidth_m = 0\n")
    check = Check(read([tmp_path / "main.toml", tmp_path / "conf.toml"]))
    check.named(Shelf, "shelf")
    assert [(Path(each.file).name, each.line) for each in noted(check)] == [("main.toml", 4), ("conf.toml", 2)]


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("shelf = 3", "shelf", "must be tables with a name each: [shelf.NAME]"),
        ("shelf.a = 3", "shelf.a", "must be a table: [shelf.a]"),
        ('[shelf."a b"]', 'shelf."a b"', "a shelf's name is made of 1 to 40 letters"),
        ("[[shelf.a]]", "shelf.a", "must be a table"),
    ],
)
def test_what_is_no_table_with_a_name_is_said(tmp_path: Path, text: str, key: str, says: str):
    """A value in place of a table, an array of them, a name that nobody can type."""
    check = check_of(tmp_path, text)
    assert check.named(Shelf, "shelf") == {}
    (found,) = noted(check)
    assert found.key == key
    assert found.text.startswith(says)
    assert found.line == 1


def test_a_name_that_cannot_be_typed_is_refused_with_one_that_can(tmp_path: Path):
    """Blanks and umlauts become a stroke; a name of strokes only has no proposal."""
    check = check_of(tmp_path, '[shelf."my shelf"]\n[shelf."//"]\n')
    check.named(Shelf, "shelf")
    assert [each.hint for each in noted(check)] == ["Did you mean my-shelf?", ""]


def test_names_and_texts_are_also_those_of_tables_that_are_wrong(tmp_path: Path):
    """What refers to such a table is not accused of naming nothing."""
    check = check_of(tmp_path, '[shelf.a]\nwidth_m = "wide"\nlabel = "left"\n[shelf.b]\nlabel = 7\n[shelf.c]\n')
    assert check.names("shelf") == ["a", "b", "c"]
    assert check.raw("shelf", "label") == {"a": "left"}
    assert (check.names("drawer"), check.raw("drawer", "label")) == ([], {})


def test_a_key_that_is_not_there_is_placed_at_its_table(tmp_path: Path):
    """A line to look at, always."""
    check = check_of(tmp_path, "\n[shelf.a]\n")
    check.problem(("shelf", "a", "width_m"), "is missing")
    check.problem(("shelf", "a", "width_m"), "is missing", "a second hint is not a second mistake")
    (found,) = noted(check)
    assert (found.line, found.key, found.hint) == (2, "shelf.a.width_m", "")
