"""Check: a document under examination, and what was found wrong with it so far."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chargerd.config.files import Document
from chargerd.config.positions import Path
from chargerd.config.problems import ConfigError, Problem, dotted, explain, meant, shown
from chargerd.config.site import NAME

Model = TypeVar("Model", bound=BaseModel)


class Check:
    """Collects problems while the tables of a document are read."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._problems: dict[tuple[Path, str], Problem] = {}
        self.times: list[Path] = []

    def timed(self, path: Path) -> None:
        """Note that a key holds a time of day, which means nothing without a zone."""
        self.times.append(path)

    def problem(self, path: Path, text: str, hint: str = "", *, value: object = None) -> None:
        """Note what is wrong at a path, once."""
        file, line = self.document.place(path)
        self._problems.setdefault((path, text), Problem(file, line, dotted(path), text, hint, shown(value)))

    def raise_problems(self) -> None:
        """Raise `ConfigError` with all that was noted, in the order of the files."""
        if self._problems:
            order = {file: number for number, file in enumerate(self.document.files)}
            raise ConfigError(sorted(self._problems.values(), key=lambda p: (order.get(p.file, 0), p.line)))

    def names(self, kind: str) -> list[str]:
        """The names of all tables of a kind, also of those that are wrong otherwise."""
        tables = self.document.tables.get(kind)
        return list(tables) if isinstance(tables, dict) else []

    def raw(self, kind: str, key: str) -> dict[str, str]:
        """One text key of all tables of a kind that have it, also of those that are wrong otherwise."""
        tables = self.document.tables.get(kind)
        found = (
            {name: table.get(key) for name, table in tables.items() if isinstance(table, dict)}
            if isinstance(tables, dict)
            else {}
        )
        return {name: value for name, value in found.items() if isinstance(value, str)}

    def top_level(self, known: Collection[str]) -> None:
        """Note every table that is none of these."""
        for key in self.document.tables:
            if key not in known:
                self.problem((key,), "is not known here", meant(key, known))

    def table(self, model: type[Model], path: Path) -> Model | None:
        """The checked table at a path; None if it is not there or something in it is wrong, which is noted."""
        found: Any = self.document.tables
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            return None
        if not isinstance(found, dict):
            self.problem(path, f"must be a table: [{dotted(path)}]", value=found)
            return None
        try:
            return model.model_validate(found)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                said = explain(each, found, model)
                value = None if said.secret or not said.path or each["type"] == "missing" else each["input"]
                self.problem((*path, *said.path), said.text, said.hint, value=value)
            return None

    def named(self, model: type[Model], kind: str) -> dict[str, Model]:
        """All checked tables ``[kind.NAME]``; the wrong ones are noted and left out."""
        tables = self.document.tables.get(kind, {})
        if not isinstance(tables, dict):
            self.problem((kind,), f"must be tables with a name each: [{kind}.NAME]")
            return {}
        checked = {}
        for name in tables:
            if self.name_is_good(kind, name) and (table := self.table(model, (kind, name))) is not None:
                checked[name] = table
        return checked

    def name_is_good(self, kind: str, name: str, above: Path = ()) -> bool:
        """Whether a table may have this name; noted if not."""
        if re.fullmatch(NAME, name):
            return True
        proposal = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")[:40]
        hint = f"Did you mean {proposal}?" if proposal else ""
        self.problem(
            (*above, kind, name), f"a {kind}'s name is made of 1 to 40 letters, digits and the signs . _ -", hint
        )
        return False
