"""Journal: what the program did, one line a change, for ``journalctl -u chargerd``.

A line is a sentence and then ``key=value``. Under systemd it goes to the journal with fields of its own
(``journalctl CHARGERD_LOADPOINT=bike-1``), or with its priority before it, ``<5>``, where the journal cannot be reached by
its own protocol. A line that cannot be written is dropped: losing journald must never cost a charge its watch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from chargerd.daemon.journald import Journald

ACT, WARNING, NOTICE, INFO, DETAIL = 3, 4, 5, 6, 7
"""Priorities: a person must act · worse than configured · a change worth knowing · routine · detail."""

WORDS = {ACT: "ALARM ", WARNING: "warning ", NOTICE: "", INFO: "", DETAIL: "  "}
"""What a line begins with on a terminal."""

LEVELS = {"warning": WARNING, "notice": NOTICE, "info": INFO, "debug": DETAIL}


Labels = Sequence[tuple[str, str]]
"""Names and values of journal fields; a name may come more than once."""


class Journal:
    """Where lines go. ``level`` hides lines of a higher number; what switches power is never hidden. None: as configured.

    ``journald`` is asked first; ``stamp`` gives a time to begin each line with, for a terminal; the journal has its own.
    """

    def __init__(
        self,
        level: int | None = None,
        stream: TextIO | None = None,
        under_systemd: bool | None = None,
        stamp: Callable[[], str] | None = None,
        journald: Journald | None = None,
    ) -> None:
        self._level = INFO if level is None else level
        self._fixed = level is not None
        self._stamp = stamp
        stream = sys.stderr if stream is None else stream
        systemd = "JOURNAL_STREAM" in os.environ if under_systemd is None else under_systemd
        self._to = _Guarded(stream, journald, prefixed=systemd)

    def follow(self, configured: str) -> None:
        """Take the level of the configuration, a key of `LEVELS`, unless one was given when this journal was made."""
        if not self._fixed:
            self._level = LEVELS[configured]

    def say(self, priority: int, sentence: str, *, always: bool = False, labels: Labels = (), **fields: object) -> None:
        """Write one line. ``always``: whatever the level is. ``labels`` are fields for the journal to search by."""
        if self._stamp is not None:
            sentence = f"{self._stamp()}  {sentence}"
        if priority <= self._level or always:
            self._to.write(_line(sentence, _redacted(fields)), priority, labels)


class _Guarded:
    """A stream that swallows its own failure, and nothing else."""

    def __init__(self, stream: TextIO, journald: Journald | None, *, prefixed: bool) -> None:
        self._stream = stream
        self._journald = journald
        self._prefixed = prefixed

    def write(self, line: str, priority: int, labels: Labels) -> None:
        if self._journald is not None:
            entry = (("MESSAGE", line), ("PRIORITY", str(priority)), ("SYSLOG_IDENTIFIER", "chargerd"), *labels)
            if self._journald.send(entry):
                return
        line = f"<{priority}>{line}" if self._prefixed else f"{WORDS[priority]}{line}"
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


def _redacted(fields: Mapping[str, object]) -> dict[str, object]:
    """A field whose name says that it is secret is not written, whoever put it there."""
    secret = ("password", "secret", "token", "credential")
    return {key: "…" if any(part in key for part in secret) else value for key, value in fields.items()}


def _line(sentence: str, fields: Mapping[str, object]) -> str:
    pairs = " ".join(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)
    return (f"{sentence}  {pairs}" if pairs else sentence).replace("\n", " ")


def _value(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if " " in text else text
