"""Flips: a bit of a log turns over anywhere, as in bad memory or on an old card. Whoever reads it comes to an end and says so."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

import pytest

from chargerd.model.state import Site
from chargerd.store import chunks, sealing, sessions, snapshots
from chargerd.store.errors import LogError
from chargerd.store.log import Log
from chargerd.store.reader import Reader, open_reader
from tests.store.streams import home

FLIPS = 150
SEED = 2026
PAGE = 2048
LONGEST_S = 10.0
"""Each look at the file takes some milliseconds; what goes round in circles is cut off here."""


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bytes of a log of 80 transactions: packed readings, given-up ones, plain rows and snapshots."""
    monkeypatch.setattr(chunks, "ROWS", 50)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 100)
    path = tmp_path / "whole.db"
    with Log(path) as log:
        for events in home(80):
            log.append(events, durable=False)
            if events[-1].seq % 3 == 0:
                log.save(snapshots.saving(Site(seq=events[-1].seq, at_ms=events[-1].at_ms), "1"))
        while log.seal(1 << 60):
            pass
        old = sealing.outdated(log, before_ms=1_150_000)
        log.save(lambda db: sealing.drop(db, old))
    return path.read_bytes()


@contextmanager
def _bounded() -> Iterator[None]:
    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError("it goes round in circles")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _flips(whole: bytes, chance: Random) -> Iterator[tuple[int, int]]:
    """Byte and bit: two of three in pages of rows, which are most of a log, the others anywhere, and one in the schema."""
    rows = [at for at in range(0, len(whole), PAGE) if b"ChargerRead" in whole[at : at + PAGE]][1:]
    yield whole.index(b"SELECT RAISE"), 7  # SQLite quotes it in a message that is then no text
    for n in range(FLIPS):
        page = chance.choice(rows) if n % 3 else chance.randrange(0, len(whole), PAGE)
        yield page + chance.randrange(PAGE), chance.randrange(8)


def _looks(path: Path) -> dict[str, Callable[[], object]]:
    def opened(look: Callable[[Reader], object]) -> Callable[[], object]:
        def go() -> None:
            with open_reader(path) as reader:
                look(reader)

        return go

    def written() -> None:
        Log(path).close()

    return {
        "read": opened(lambda log: [event.seq for event in log.read()]),
        "walk": opened(lambda log: list(log.damages())),
        "first damage": opened(lambda log: log.verify_chain()),
        "time": opened(lambda log: [log.seq_at(at_ms) for at_ms in (1_000_000, 1_300_000, 1_650_000)]),
        "snapshot": opened(lambda log: (snapshots.newest(log, "1"), snapshots.ground(log))),
        "sessions": opened(sessions.listed),
        "open to write": written,
    }


def test_whatever_bit_turns_over_every_look_ends_and_says_no_more_than_that_the_log_is_damaged(
    whole: bytes, tmp_path: Path
):
    """150 files with one bit changed: reading, walking, searching and opening end, with an answer or with a `LogError`."""
    told = 0
    for place, bit in _flips(whole, Random(SEED)):
        folder = tmp_path / "flipped"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / "log.db"
        for name, look in _looks(path).items():
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            with _bounded():
                try:
                    look()
                except LogError:
                    told += 1
                except Exception as error:
                    pytest.fail(f"{name}, bit {bit} of byte {place}: {error!r}")
    assert told > 20
