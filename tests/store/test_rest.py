"""Rest: one bad place hides nothing else, and what is lost is named exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargerd.model.events import Event
from chargerd.store import chunks, sealing
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from chargerd.store.rest import Lost, rest
from tests.store.streams import home
from tests.store.test_sealing import _tampered


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of 250 transactions, most of them packed away in chunks of 50 events."""
    monkeypatch.setattr(chunks, "ROWS", 50)
    monkeypatch.setattr(sealing, "KEPT_ROWS", 100)
    with Log(tmp_path / "log.db") as log:
        for events in home(250):
            log.append(events, durable=False)
        while log.seal(1 << 60):
            pass
    return tmp_path / "log.db"


def _rest(path: Path, first_seq: int = 1, last_seq: int = 1 << 40) -> tuple[list[Event], list[Lost]]:
    with open_reader(path) as reader:
        found = list(rest(reader, first_seq, last_seq))
    numbers = [one.first_seq if isinstance(one, Lost) else one.seq for one in found]
    assert numbers == sorted(set(numbers))
    return [one for one in found if isinstance(one, Event)], [one for one in found if isinstance(one, Lost)]


def test_of_a_whole_log_nothing_is_lost(path: Path):
    """The very events that reading gives, from any place to any other."""
    with open_reader(path) as reader:
        events = list(reader.read())
    assert _rest(path) == (events, [])
    assert _rest(path, 37, 320) == (events[36:320], [])


@pytest.mark.parametrize(
    "how", ["DELETE FROM chunks", "UPDATE chunks SET data = x'00'", "UPDATE chunks SET data = NULL"]
)
def test_a_bad_chunk_costs_what_was_in_it(path: Path, how: str):
    """Everything before and behind it is there, and so are the events between its readings that were never packed."""
    with open_reader(path) as reader:
        events = list(reader.read())
        ((first, last),) = reader.query("SELECT first_seq, last_seq FROM chunks ORDER BY first_seq LIMIT 1 OFFSET 3")
        stay = [n for (n,) in reader.query(f"SELECT seq FROM events WHERE seq BETWEEN {first} AND {last}")]
    _tampered(path, f"{how} WHERE first_seq = {first}")
    found, lost = _rest(path)
    assert [event for event in found if not first <= event.seq <= last] == [*events[: first - 1], *events[last:]]
    assert [event.seq for event in found if first <= event.seq <= last] == stay
    gone = [seq for one in lost for seq in range(one.first_seq, one.last_seq + 1)]
    assert gone == [seq for seq in range(first, last + 1) if seq not in stay]


def test_rows_that_are_gone_or_cannot_be_read_are_named_one_by_one(path: Path):
    """Two neighbours are one place; a row with a text that is none is another."""
    with open_reader(path) as reader:
        last = reader.last_seq
    _tampered(
        path,
        f"DELETE FROM events WHERE seq IN ({last - 30}, {last - 29})",
        f"UPDATE events SET data = CAST(x'ff' AS TEXT) WHERE seq = {last - 20}",
        f"UPDATE events SET type = 'Moonrise' WHERE seq = {last - 10}",
    )
    _, lost = _rest(path, last - 60)
    assert [(one.first_seq, one.last_seq) for one in lost] == [
        (last - 30, last - 29),
        (last - 20, last - 20),
        (last - 10, last - 10),
    ]


def test_what_was_given_up_is_no_loss_unless_it_alone_is_asked_for(path: Path):
    """A stretch whose readings were given up gives what is left; one reading of it says what became of it."""
    with Log(path) as log:
        old = sealing.outdated(log, before_ms=1_600_000)
        log.save(lambda db: sealing.drop(db, old))
    assert _rest(path)[1] == []
    (one,) = _rest(path, 2, 2)[1]
    assert (one.first_seq, one.last_seq, one.given_up) == (2, 2, True)
