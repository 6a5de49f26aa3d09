"""Positions: on which line each key of a TOML text stands. tomllib and pydantic know no lines; people need them.

The text has been parsed by tomllib before, so it is valid; this scanner follows its structure and nothing else.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""The way to a value: table names and keys, and the index in an array."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_STRINGS = (
    ('"""', re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL)),
    ("'''", re.compile(r"'''.*?'{3,5}", re.DOTALL)),
    ('"', re.compile(r'"(?:\\.|[^"\\])*"')),
    ("'", re.compile(r"'[^']*'")),
)


def positions(text: str) -> dict[Path, int]:
    """Line numbers, from 1, of all tables, keys and array elements. Tables that several keys open get the first line."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found: dict[Path, int] = {}
        self._elements: dict[Path, int] = {}  # arrays of tables and how many elements they have so far

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank() < len(self._text):
            if self._take("[["):
                *above, last = self._keys()
                array = (*self._table(above), last)
                number = self._elements.get(array, 0)
                self._elements[array] = number + 1
                self._note(array)
                table = (*array, number)
                self._note(table)
                self._at += 2
            elif self._take("["):
                table = self._table(self._keys())
                self._at += 1
            else:
                self._pair(table)
        return self._found

    def _table(self, keys: list[str]) -> Path:
        """The path of a table header; a name of an array of tables means its newest element."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            self._note(path)
            if path in self._elements:
                path = (*path, self._elements[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path)
        self._take("=")
        self._skip_blank()
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while not self._take("}"):
                self._pair(path)
                self._skip_blank()
                self._take(",")
                self._skip_blank()
        elif self._string() is None:
            self._at = self._match(_BARE_VALUE).end()

    def _array(self, path: Path) -> None:
        number = 0
        self._skip_blank()
        while not self._take("]"):
            self._note((*path, number))
            self._value((*path, number))
            number += 1
            self._skip_blank()
            self._take(",")
            self._skip_blank()

    def _keys(self) -> list[str]:
        """A dotted key; leaves the position behind it and the blanks that follow."""
        keys = []
        while True:
            self._skip_blank()
            quoted = self._string()
            if quoted is None:
                match = self._match(_BARE_KEY)
                self._at = match.end()
                keys.append(match.group())
            else:
                keys.append(tomllib.loads(f"key = {quoted}")["key"])
            self._skip_blank()
            if not self._take("."):
                return keys

    def _string(self) -> str | None:
        for quote, pattern in _STRINGS:
            if self._text.startswith(quote, self._at):
                match = self._match(pattern)
                self._at = match.end()
                return match.group()
        return None

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        assert match is not None, "tomllib has accepted this text"
        return match

    def _take(self, token: str) -> bool:
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def _skip_blank(self) -> int:
        self._at = self._match(_BLANK).end()
        return self._at

    def _note(self, path: Path) -> None:
        self._found.setdefault(path, bisect_right(self._line_starts, self._at - 1) if self._at else 1)
