"""Convert: `chargerd import`: reads the file of a program that somebody comes from, proves that the result loads, and writes it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chargerd.config import ini
from chargerd.config.chargemanager import import_settings
from chargerd.config.database import is_database, kept
from chargerd.config.importing import Imported, import_ini
from chargerd.config.problems import ConfigError, Problem

FAILED = 1
MAX_BYTES = 1_000_000
UNTOUCHED = "Nothing was written; charging is not affected."


class NotImported(Exception):
    """Nothing was written. The text says why, ``hint`` what to do."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def run(asked: argparse.Namespace, prove: Callable[[str], None]) -> int:
    """Do it; the exit status. ``prove`` raises `ConfigError` for a text that would not load."""
    try:
        done = _imported(asked.file, _found(asked.found))
        _prove(done.text, prove)
        if asked.output is not None:
            write(asked.output, done.text, force=asked.force)
    except (NotImported, ConfigError) as error:
        _refuse(error, asked)
        return FAILED
    _tell(done, asked)
    return 0


def _imported(path: Path, found: list[dict[str, Any]] | None) -> Imported:
    """A database is chargemanager's, and a text the e-bike battery script's."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if is_database(data):
            return import_settings(str(path), kept(path), found)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NotImported(f"{path} cannot be read: {why}.", f"Look: ls -l {path}") from error
    return import_ini(str(path), _text(path, data), found)


def _text(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), line, "", "is not UTF-8 text", "Save it as UTF-8.")]) from error
    if len(data) > MAX_BYTES or "\0" in text:
        raise NotImported(f"{path} is no INI file and no database.", ini.OWN)
    return text


def _found(path: Path | None) -> list[dict[str, Any]] | None:
    if path is None:
        return None
    try:
        plugs = json.loads(path.read_text("utf-8"))["plugs"]
        assert all(isinstance(plug["sockets"], list) for plug in plugs)
    except (OSError, ValueError, LookupError, TypeError, AssertionError) as error:
        hint = "Make it with: chargerctl discover --json > FILE"
        raise NotImported(f"{path} does not hold what chargerctl discover --json prints.", hint) from error
    return list(plugs)


def _prove(text: str, prove: Callable[[str], None]) -> None:
    """What is handed out loads. A mistake here is ours, and nobody should find it at the next start of chargerd."""
    try:
        prove(text)
    except ConfigError as error:
        hint = f"A mistake of ours; please report it with the file. {error.problems[0]}"
        raise NotImported("the result would not load.", hint) from error


def write(path: Path, text: str, *, force: bool) -> None:
    """Write a file whole or not at all; what was there is kept beside it. Raises `NotImported`."""
    try:
        if path.exists() and not force:
            raise NotImported(f"{path} is there already.", "Replace it with --force; the old one is kept as FILE.bak.")
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent or Path())
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                os.fchmod(number, 0o644)
                file.write(text)
                file.flush()
                os.fsync(number)
            if path.exists():
                path.replace(path.with_name(f"{path.name}.bak"))
            Path(name).rename(path)
        finally:
            Path(name).unlink(missing_ok=True)  # on a full disk it would only be in the way
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NotImported(
            f"{path} cannot be written: {why}.", "Choose another --output, or do it with sudo."
        ) from error


def _refuse(error: NotImported | ConfigError, asked: argparse.Namespace) -> None:
    if isinstance(error, ConfigError):
        count = len(error.problems)
        message = f"{asked.file} was not imported: {count} mistake{'' if count == 1 else 's'} in it."
        details = [line for problem in error.problems for line in str(problem).splitlines()]
        hint = "Mend the file and import it again."
    else:
        message, details, hint = str(error), [], error.hint
    if asked.json:
        fields = {"kind": "error", "code": FAILED, "error": "io.chargerd.not-imported", "message": message}
        report = {**fields, "means": UNTOUCHED, "hint": "\n".join([*details, hint])}
        sys.stderr.write(json.dumps(report, ensure_ascii=False) + "\n")
        return
    lines = [f"chargerd: {message}", *details, f"  {UNTOUCHED}", *([f"  {hint}"] if hint else [])]
    sys.stderr.write("\n".join(lines) + "\n")


def _tell(done: Imported, asked: argparse.Namespace) -> None:
    other = _count(done.profiles, "profile") if done.chargers is None else _count(done.chargers, "charger")
    where = "" if asked.output is None else f" into {asked.output}"
    text = f"{_count(done.plugs, 'plug')} and {other} imported{where}."
    if asked.quiet:
        sys.stdout.write(done.text if asked.output is None and not asked.json else "")
    elif asked.json:
        file = None if asked.output is None else str(asked.output)
        counts = {
            "plugs": done.plugs,
            "profiles": done.profiles,
            "chargers": done.chargers or 0,
            "notes": list(done.notes),
        }
        fields = {"kind": "import", "text": text, "file": file, **counts, "configuration": done.text}
        sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(done.text if asked.output is None else "")
        sys.stdout.flush()
        notes = [f"note: {note}" for note in done.notes]
        hint = "" if asked.output is None else f"Next: chargerctl configure check --config {asked.output}"
        (sys.stderr if asked.output is None else sys.stdout).write(
            "\n".join([*notes, text, *([hint] if hint else [])]) + "\n"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
