"""Files: which files make up the configuration, and how they become one document that knows where each key stands."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from chargerd.config.positions import Path, positions
from chargerd.config.problems import ConfigError, Problem

MAX_BYTES = 1_000_000
"""No home needs more; whoever names a disk image as the configuration gets an answer at once."""
MAX_DEPTH = 16

Place = tuple[str, int]
"""File and line."""


class Document(Struct, frozen=True):
    """All files together. ``places`` has file and line of every key; ``files`` the paths that were read."""

    tables: dict[str, Any]
    places: dict[Path, Place]
    files: tuple[str, ...]

    def place(self, path: Path) -> Place:
        """Where a key stands; for one that is not there, where the table it belongs to begins."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (self.files[0] if self.files else "configuration", 0))


def config_files(main: FilePath) -> list[FilePath]:
    """The main file and then ``conf.d/*.toml`` beside it by name. Later files override earlier ones key by key.

    Raises `ConfigError` if the folder is there but may not be read.
    """
    folder = main.parent / "conf.d"
    try:
        drop_ins = sorted(file for file in folder.iterdir() if file.suffix == ".toml" and not file.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        drop_ins = []
    except OSError as error:
        raise ConfigError([_about(folder, f"cannot be read: {_cause(error)}")]) from error
    return [main, *drop_ins]


def read(paths: Sequence[FilePath]) -> Document:
    """Read the files and lay them over each other. Raises `ConfigError` with what is wrong in every one of them."""
    tables: dict[str, Any] = {}
    places: dict[Path, Place] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            text = _text(path)
            parsed = _parsed(path, text)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        lines = {key: (str(path), line) for key, line in positions(text).items()}
        _lay_over(tables, parsed, (), places, lines)
    if problems:
        raise ConfigError(problems)
    return Document(tables, places, tuple(map(str, paths)))


def _text(path: FilePath) -> str:
    try:
        if path.exists() and not path.is_file():
            raise ConfigError([_about(path, "is not a file")])
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError([_about(path, f"cannot be read: {_cause(error)}")]) from error
    if len(data) > MAX_BYTES:
        raise ConfigError([_about(path, f"is larger than {MAX_BYTES // 1000} kB: this is no configuration")])
    for mark, name in ((codecs.BOM_UTF8, "UTF-8"), (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16")):
        if data.startswith(mark):
            hint = "Save it as plain UTF-8 (an editor may call it UTF-8 without BOM)."
            raise ConfigError([_about(path, f"begins with the byte order mark of {name}", hint=hint, line=1)])
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([_about(path, "is not UTF-8 text", hint="Save it as UTF-8.", line=line)]) from error


def _parsed(path: FilePath, text: str) -> dict[str, Any]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax(path, text, str(error))]) from error
    except RecursionError as error:
        raise ConfigError([_about(path, "is nested too deeply")]) from error
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError([_about(path, f"cannot be read: {error}")]) from error
    if _depth(tables) > MAX_DEPTH:
        raise ConfigError([_about(path, "is nested too deeply")])
    return tables


def _syntax(path: FilePath, text: str, message: str) -> Problem:
    """tomllib's message with its place taken out of the text: "… (at line 3, column 7)" or "… (at end of document)"."""
    match = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    line = int(match.group(1)) if match and match.group(1) else text.count("\n") + 1
    what = message[: match.start()] if match else message
    if twice := re.match(r"Cannot declare \((.*)\) twice", what):
        key = ".".join(re.findall(r"'([^']*)'", twice.group(1)))
        return Problem(str(path), line, key, "is there twice", "Every table may be there once in a file.")
    if what == "Cannot overwrite a value":
        return Problem(str(path), line, "", "this key is there twice", "Every key may be there once in a table.")
    hint = 'Text needs quotes: name = "Home".' if what == "Invalid value" else ""
    return Problem(str(path), line, "", f"is not TOML: {what[:1].lower() + what[1:]}", hint)


def _depth(value: object) -> int:
    """How deeply tables and arrays lie in each other, without recursion."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def _lay_over(
    below: dict[str, Any], above: dict[str, Any], path: Path, places: dict[Path, Place], lines: dict[Path, Place]
) -> None:
    """Put a file's tables over what there is. Tables mix, anything else replaces, and places follow."""
    for key, value in above.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value, here, places, lines)
            continue
        for old in _paths(here, below.get(key)):
            places.pop(old, None)
        below[key] = value
        places.update({new: lines[new] for new in _paths(here, value) if new in lines})


def _paths(path: Path, value: object) -> Iterator[Path]:
    """The path of a value and of everything in it."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _paths((*path, key), each)


def _about(path: FilePath, text: str, *, hint: str = "", line: int = 0) -> Problem:
    return Problem(str(path), line, "", text, hint)


def _cause(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
