"""Database: a chargemanager's settings are read, and neither the file nor its folder is touched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chargerd.config.database import is_database, kept
from chargerd.config.problems import ConfigError, Problem
from tests.config.chargemanager_texts import NEWEST, SHAPES, database


def refused(path: Path) -> Problem:
    """Why a file is not taken."""
    with pytest.raises(ConfigError) as caught:
        kept(path)
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    return problem


@pytest.mark.parametrize("shape", SHAPES)
def test_the_row_of_settings_is_read_as_it_was_kept(tmp_path: Path, shape: int):
    """Of every shape that the table has had; text stays text and numbers stay numbers."""
    path = database(tmp_path / "chargemanager_db.sqlite3", SHAPES[shape], 3)
    assert is_database(path.read_bytes())
    found = kept(path)
    assert (found.settings, found.strategy) == (SHAPES[shape], 3)


def test_a_file_without_its_other_tables_is_enough(tmp_path: Path):
    """Somebody kept the settings only: the strategy is not known then."""
    assert kept(database(tmp_path / "db", NEWEST, None)).strategy is None


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_nothing_is_written(tmp_path: Path, mode: str):
    """Not into the file, and nothing beside it; not even where the file is one that a reader writes beside."""
    folder = tmp_path / "a folder with # and ?"
    folder.mkdir()
    path = database(folder / "db")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
    before = path.read_bytes(), path.stat().st_mtime_ns
    path.chmod(0o400)
    assert kept(path).settings == NEWEST
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(folder.iterdir()) == [path]


def test_newer_values_beside_the_file_are_not_passed_over(tmp_path: Path):
    """Some program has it open and has not yet written them into it."""
    path = database(tmp_path / "db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("UPDATE settings SET plugonpower = 1")
        connection.commit()
        assert "db-wal beside it holds newer values" in refused(path).text


def test_a_file_in_use_is_waited_for_and_then_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its owner holds it for moments; one who holds it for good is named."""
    monkeypatch.setattr("chargerd.config.database.WAIT_S", 0.05)
    path = database(tmp_path / "db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        problem = refused(path)
    assert "cannot be read now: database is locked" in problem.text
    assert "Stop chargemanager" in problem.hint
    assert kept(path).settings == NEWEST


def test_the_database_of_another_program_is_refused(tmp_path: Path):
    """One without such a table, one with another table of that name, and a view of that name."""
    columns = ", ".join(f"1 AS {column}" for column in NEWEST)
    for number, statement in enumerate(
        ["CREATE TABLE notes (text)", "CREATE TABLE settings (key, value)", f"CREATE VIEW settings AS SELECT {columns}"]
    ):
        path = tmp_path / f"other{number}"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
        problem = refused(path)
        assert problem.text.startswith("is the database of another program")
        assert "chargemanager_db.sqlite3" in problem.hint


def test_a_table_without_its_one_row_is_refused(tmp_path: Path):
    """Nothing is made of nothing, and of two rows nobody knows which counts."""
    path = database(tmp_path / "db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO settings SELECT * FROM settings")
        connection.commit()
        assert "has several rows of settings" in refused(path).text
        connection.execute("DELETE FROM settings")
        connection.commit()
        assert "has no row of settings" in refused(path).text


def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path):
    """As a power cut leaves one that is written without a journal: torn, cut short, or the mark alone."""
    whole = database(tmp_path / "db").read_bytes()
    for number, damaged in enumerate(
        [whole[:2000], whole[:100], whole[:16], whole[:100] + b"\xff" * (len(whole) - 100)]
    ):
        path = tmp_path / f"damaged{number}"
        path.write_bytes(damaged)
        assert "is damaged" in refused(path).text, number


def test_a_text_is_no_database():
    """What the file begins with decides, not its name."""
    assert not is_database(b"[Rad]\n")
    assert not is_database(b"")
