"""History: the log and the table of sessions, opened to be read by one thread for one question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chargerd.daemon.past import state_at
from chargerd.model.events import Event
from chargerd.model.state import Session, Site
from chargerd.store import sessions
from chargerd.store.reader import open_reader
from chargerd.store.rest import Lost, rest


class History:
    """What `daemon.context.LogReader` asks for. Opens the file when it is made; raises `store.errors.LogError`."""

    def __init__(self, path: Path) -> None:
        self._reader = open_reader(path)

    def read(self, first_seq: int = 1, last_seq: int | None = None) -> Iterator[Event]:
        """Events in the order of their seq, both ends included."""
        return self._reader.read(first_seq, last_seq)

    def rest(self, first_seq: int, last_seq: int) -> Iterator[Event | Lost]:
        """The same, with a `Lost` in place of what cannot be read."""
        return rest(self._reader, first_seq, last_seq)

    def seq_at(self, at_ms: int) -> int:
        """The first seq whose event is not before ``at_ms``."""
        return self._reader.seq_at(at_ms)

    @property
    def last_seq(self) -> int:
        """The last seq there is."""
        return self._reader.last_seq

    def state_at(self, at_ms: int) -> Site:
        """The state as it was at a time, after the last event that was not later."""
        return state_at(self._reader, at_ms)

    def sessions(
        self, loadpoint: str | None, since_ms: int | None, lines: int, until_ms: int | None = None
    ) -> tuple[list[Session], list[int]]:
        """The last ended sessions, newest first, and the numbers of those that cannot be read."""
        found, torn = sessions.listed(self._reader, loadpoint, since_ms, lines, until_ms)
        return found[::-1], torn

    def session(self, number: int) -> Session | None:
        """The ended session of a number, None if it is not in the list."""
        return sessions.numbered(self._reader, number)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
