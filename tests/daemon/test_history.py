"""History: the past of a log, for a thread of its own while the daemon goes on writing."""

from __future__ import annotations

import threading

import pytest

from chargerd.daemon.history import History
from chargerd.model.events import ChargerRead, ModeSet, Tick
from chargerd.store.errors import LogError
from tests.house import MONDAY_MS, Day, configuration, loadpoint


@pytest.fixture
def day(tmp_path):
    """Two bikes; both are charged for ten minutes, the second five minutes after the first, and the daemon goes on."""
    day = Day(tmp_path, configuration(loadpoint("bike"), loadpoint("trike")), {"bike": "rad-full", "trike": "rad-full"})
    for name, at_s in (("bike", 60), ("trike", 360)):
        day.until(at_s)
        day.charge(name)
    for name, at_s in (("bike", 660), ("trike", 960)):
        day.until(at_s)
        day.run.ask(ModeSet(name, "off", "anna"), by="anna")
    yield day
    day.run.kill()


def test_it_reads_what_was_written_and_what_is_written_after_it_was_opened(day):
    """The same events, both ends of a span included; the writer is not held up."""
    history = History(day.path)
    as_written = [event for event in day.events if not isinstance(event.body, Tick)]
    assert [event for event in history.read() if not isinstance(event.body, Tick)] == as_written
    assert [event.seq for event in history.read(3, 7)] == [3, 4, 5, 6, 7]
    last = history.last_seq
    assert last == day.events[-1].seq == day.run.site.seq
    day.charge("bike")
    assert history.last_seq > last
    assert next(history.read(last + 1)).body == ModeSet("bike", "fast", "anna")
    history.close()


def test_a_time_leads_to_the_first_event_that_is_not_before_it(day):
    """Six minutes after midnight the trike was asked for; after the end comes the number after the last."""
    history = History(day.path)
    first = next(history.read(history.seq_at(MONDAY_MS + 360_000)))
    assert first.at_ms == MONDAY_MS + 360_000
    assert isinstance(next(history.read(first.seq - 1)).body, Tick)
    assert history.seq_at(0) == 1
    assert history.seq_at(MONDAY_MS + 86_400_000) == history.last_seq + 1
    history.close()


def test_sessions_come_newest_first(day):
    """The list that people look at begins with the last one; by loadpoint, by time, by number."""
    history = History(day.path)
    for asked, names in (
        ((None, None, 10), ["trike", "bike"]),
        (("bike", None, 10), ["bike"]),
        ((None, MONDAY_MS + 700_000, 10), ["trike"]),
        ((None, None, 1), ["trike"]),
    ):
        found, torn = history.sessions(*asked)
        assert [session.loadpoint for session in found] == names
        assert torn == []
    assert history.sessions("trike", None, 1) == ([day.last("trike")], [])
    history.close()


def test_it_is_made_and_used_on_a_thread_of_its_own(day):
    """A connection belongs to its thread, and the control server opens one for each question."""
    counted: list[int] = []

    def look() -> None:
        history = History(day.path)
        counted.append(sum(isinstance(event.body, ChargerRead) for event in history.read()))
        history.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert counted == [len(day.all(ChargerRead))]


def test_a_log_that_is_not_there_is_an_error_and_is_not_made(tmp_path):
    """Asking must not leave an empty file behind."""
    with pytest.raises(LogError):
        History(tmp_path / "log.db")
    assert list(tmp_path.iterdir()) == []
