"""Refused: what a command of chargerd's own program says when it does not do what it was asked. Three lines, or JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

from chargerd.store.errors import LogDamaged, LogError, LogTooNew

FAILED, USAGE, NOT_PERMITTED, NO_SUCH, FOUND = 1, 2, 4, 5, 6
"""Exit codes, those of chargerctl."""
UNTOUCHED = "Nothing was changed; charging is not affected."


class Refused(Exception):
    """A command that did nothing. What did not happen, what that means, what to do, and the exit code."""

    def __init__(self, code: int, message: str, means: str = UNTOUCHED, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.means = means
        self.hint = hint

    def lines(self) -> str:
        """For people."""
        return "\n".join([f"chargerd: {self.message}", *(f"  {line}" for line in (self.means, self.hint) if line)])

    def json(self) -> str:
        """For programs, as chargerctl's errors are."""
        names = {USAGE: "usage", NOT_PERMITTED: "not-permitted", NO_SUCH: "no-such", FOUND: "damaged"}
        error = f"io.chargerd.{names.get(self.code, 'failed')}"
        texts = {"message": self.message, "means": self.means, "hint": self.hint}
        return json.dumps({"kind": "error", "code": self.code, "error": error, **texts}, ensure_ascii=False)


def unreadable(path: Path, error: LogError) -> Refused:
    """The refusal for a log that cannot be used."""
    if isinstance(error, LogTooNew):
        return Refused(FAILED, f"{error}.", hint="Use the chargerd that wrote it, or a newer one.")
    if isinstance(error, LogDamaged):
        return Refused(FOUND, f"{error}.", hint=f"Look: chargerctl verify --log {path}")
    if isinstance(error.__cause__, FileNotFoundError):
        return Refused(FAILED, f"there is no log {path}.", hint="Where is it? --state DIR")
    if isinstance(error.__cause__, PermissionError) or not os.access(path, os.R_OK, effective_ids=True):
        hint = "The log is for root and group chargerd: the same command with sudo."
        return Refused(NOT_PERMITTED, f"you may not read {path}.", hint=hint)
    if not os.access(path.parent, os.W_OK, effective_ids=True):
        hint = "A database that nobody has open is opened with files beside it: the same command with sudo."
        return Refused(NOT_PERMITTED, f"{error}.", hint=hint)
    return Refused(FAILED, f"{error}.", hint=f"Look: ls -l {path.parent}      df -h {path.parent}")
