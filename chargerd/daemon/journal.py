"""Journal: what the program did, one line a change, for ``journalctl -u chargerd``.

A line is a sentence and then ``key=value``. Under systemd each begins with its priority, ``<5>``. A line that cannot be
written is dropped: losing journald must never cost a charge its watch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

ACT, WARNING, NOTICE, INFO, DETAIL = 3, 4, 5, 6, 7
"""Priorities: a person must act · worse than configured · a change worth knowing · routine · detail."""

LEVELS = {"warning": WARNING, "notice": NOTICE, "info": INFO, "debug": DETAIL}


class Journal:
    """Where lines go. ``level`` hides lines of a higher number; what switches power is never hidden.

    ``stamp`` gives a time to begin each line with, for a terminal; the journal has its own.
    """

    def __init__(
        self,
        level: int = INFO,
        stream: TextIO | None = None,
        under_systemd: bool | None = None,
        stamp: Callable[[], str] | None = None,
    ) -> None:
        self._level = level
        self._stamp = stamp
        stream = sys.stderr if stream is None else stream
        systemd = "JOURNAL_STREAM" in os.environ if under_systemd is None else under_systemd
        render = _with_priority if systemd else _with_word
        self._logger = structlog.wrap_logger(
            _Guarded(stream), processors=[_redacted, render], wrapper_class=structlog.BoundLogger
        )

    def say(self, priority: int, sentence: str, *, always: bool = False, **fields: object) -> None:
        """Write one line. ``always``: whatever the level is."""
        if self._stamp is not None:
            sentence = f"{self._stamp()}  {sentence}"
        if priority <= self._level or always:
            self._logger.msg(sentence, priority=priority, **fields)


class _Guarded:
    """A stream that swallows its own failure, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


def _redacted(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A field whose name says that it is secret is not written, whoever put it there."""
    for key in fields:
        if any(part in key for part in ("password", "secret", "token", "credential")):
            fields[key] = "…"
    return fields


def _line(fields: MutableMapping[str, Any]) -> str:
    sentence = str(fields.pop("event"))
    pairs = " ".join(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)
    return (f"{sentence}  {pairs}" if pairs else sentence).replace("\n", " ")


def _value(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if " " in text else text


def _with_priority(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    priority = fields.pop("priority")
    return f"<{priority}>{_line(fields)}"


def _with_word(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    priority = fields.pop("priority")
    word = {ACT: "ALARM ", WARNING: "warning ", NOTICE: "", INFO: "", DETAIL: "  "}[priority]
    return f"{word}{_line(fields)}"
