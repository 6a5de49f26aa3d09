"""INI: the files of the script that this project started from, read with the line of every key.

The rules are those of Python's configparser as that script used it: keys without a value, "=" or ":", comments on lines of
their own. But names keep their capitals, and a mistake is named with its place in place of ending the reading.
"""

from __future__ import annotations

import re

from msgspec import Struct

from chargerd.config.problems import Problem

OWN = "Name the program's own file: ebike_battery_manager.config, or chargemanager_db.sqlite3."
_SECTION = re.compile(r"\[([^\]]+)\]\s*")
_COMMENT = re.compile(r"\s*[#;]")


class Entry(Struct, frozen=True):
    """A key with its value (None: it has none) and its line, from 1."""

    section: str
    key: str
    value: str | None
    line: int


class Ini(Struct, frozen=True):
    """Sections in their order with their lines, and all entries."""

    sections: dict[str, int]
    entries: tuple[Entry, ...]

    def of(self, section: str) -> list[Entry]:
        """The entries of a section."""
        return [entry for entry in self.entries if entry.section == section]


def read(file: str, text: str) -> tuple[Ini, list[Problem]]:
    """The file and what is wrong with its shape."""
    sections: dict[str, int] = {}
    entries: list[Entry] = []
    problems: list[Problem] = []
    stray: list[tuple[int, str]] = []
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or _COMMENT.match(line):
            continue
        opened = _SECTION.fullmatch(line.strip()) if not line[:1].isspace() else None
        if opened is not None:
            section = opened[1].strip()
            if section in sections:
                problems.append(Problem(file, number, section, f"is there twice, first in line {sections[section]}"))
            sections.setdefault(section, number)
        elif line[:1].isspace():
            hint = "A value stands on one line with its key; take the blanks at its begin away."
            problems.append(Problem(file, number, section, "begins with a blank and belongs to no key", hint))
        elif not section:
            stray.append((number, line.strip()[:40]))
        else:
            entries.append(_entry(section, line, number))
    if stray and not sections:
        return Ini({}, ()), [Problem(file, 0, "", "is no INI file: it has no [section]", OWN)]
    return Ini(sections, tuple(entries)), _stray(file, stray) + problems + _twice(file, entries)


def _stray(file: str, lines: list[tuple[int, str]]) -> list[Problem]:
    """What stands before the first section, told once."""
    if not lines:
        return []
    more = f", and so do {len(lines) - 1} more" if len(lines) > 1 else ""
    hint = "An INI file begins with a [section]."
    return [Problem(file, *lines[0], f"stands before the first section{more}", hint)]


def _entry(section: str, line: str, number: int) -> Entry:
    key, *value = re.split("[=:]", line, maxsplit=1)
    return Entry(section, key.strip(), value[0].strip() if value else None, number)


def _twice(file: str, entries: list[Entry]) -> list[Problem]:
    seen: dict[tuple[str, str], Entry] = {}
    problems = []
    for entry in entries:
        first = seen.setdefault((entry.section, entry.key.casefold()), entry)
        if first is not entry:
            key = f"{entry.section}.{entry.key}"
            problems.append(Problem(file, entry.line, key, f"is there twice, first in line {first.line}"))
    return problems
