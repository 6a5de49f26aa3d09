"""Followers hear of every change once, and of nothing else."""

import pytest
from msgspec import structs

from chargerd.daemon.followers import open_stream
from chargerd.model.events import ChargerRead, ModeSet, TargetSet
from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from tests.daemon.hub import complete, context
from tests.house import Day, configuration, loadpoint
from tests.protocol.conform import wrong_fields


@pytest.fixture
def day(tmp_path):
    """Two bikes, both read, both off."""
    day = Day(
        tmp_path, configuration(loadpoint("bike-1"), loadpoint("bike-2")), {"bike-1": "rad-full", "bike-2": "dead"}
    )
    day.until(120)
    yield day
    day.run.kill()


def news(day, stream, do) -> list[dict]:
    """What a follower is told of what is done."""
    seen = len(day.events)
    do()
    stream.take(tuple(day.events[seen:]))
    return stream.replies(context(day))


def test_watch_tells_everything_first_and_then_only_changes(day):
    """Both loadpoints at first; a reading that changes nothing is no news; a person's wish is."""
    stream = open_stream("Watch", complete("Watch"), context(day))
    first = stream.replies(context(day))
    assert [reply["loadpoint"]["name"] for reply in first] == ["bike-1", "bike-2"]
    assert all(wrong_fields(reply, METHODS["Watch"].reply) == [] for reply in first)
    assert news(day, stream, lambda: day.until(240)) == []
    told = news(day, stream, lambda: day.run.ask(TargetSet("bike-2", "full", "anna"), by="anna"))
    assert [(reply["loadpoint"]["name"], reply["loadpoint"]["target"]) for reply in told] == [("bike-2", "full")]
    assert [change["text"] for change in told[0]["changes"]] == ["full by anna"]


def test_watch_of_some_hears_nothing_of_others(day):
    """Only the named loadpoints; a name that there is not is refused."""
    stream = open_stream("Watch", complete("Watch", names=["bike-2"]), context(day))
    assert [reply["loadpoint"]["name"] for reply in stream.replies(context(day))] == ["bike-2"]
    assert news(day, stream, lambda: day.charge("bike-1")) == []
    with pytest.raises(CallError):
        open_stream("Watch", complete("Watch", names=["bike-3"]), context(day))


def test_watch_shows_power_as_it_changes(day):
    """A charge that has begun gives a line for each new power."""
    stream = open_stream("Watch", complete("Watch", names=["bike-1"]), context(day))
    stream.replies(context(day))
    day.charge("bike-1")
    powers = [
        reply["loadpoint"]["power_w"]
        for end_s in range(130, 400, 10)
        for reply in news(day, stream, lambda end_s=end_s: day.until(end_s))
    ]
    assert len(powers) > 3
    assert max(powers) > 90


def test_log_goes_on_where_its_answer_ended(day):
    """What the first answer had is left out; what was collected meanwhile is not lost."""
    stream = open_stream("GetLog", complete("GetLog", follow=True), context(day))
    day.run.ask(ModeSet("bike-1", "fast", "anna"), by="anna")
    answered = day.events[-1].seq
    day.run.ask(ModeSet("bike-1", "off", "ben"), by="ben")
    stream.take(tuple(day.events))
    stream.begin({"seq": answered})
    (reply,) = stream.replies(context(day))
    assert wrong_fields(reply, METHODS["GetLog"].reply) == []
    assert [entry["text"] for entry in reply["entries"] if entry["type"] == "mode"] == ["off by ben"]
    stream.take(tuple(day.events))
    assert stream.replies(context(day)) == []


def test_log_without_all_leaves_single_readings_out(day):
    """Readings come only to those who asked for all."""
    reading = next(event for event in day.events if isinstance(event.body, ChargerRead))
    later = structs.replace(reading, seq=day.events[-1].seq + 1)
    for everything, rows in ((None, 0), (True, 1)):
        stream = open_stream("GetLog", complete("GetLog", follow=True, all=everything), context(day))
        stream.begin({"seq": day.events[-1].seq})
        stream.take((later,))
        assert sum(len(reply["entries"]) for reply in stream.replies(context(day))) == rows


def test_log_filter_counts_for_what_follows(day):
    """Types and names that were asked for."""
    stream = open_stream("GetLog", complete("GetLog", follow=True, names=["bike-2"], types=["mode"]), context(day))
    seen = len(day.events)
    for name in ("bike-1", "bike-2"):
        day.run.ask(ModeSet(name, "fast", "anna"), TargetSet(name, "full", "anna"), by="anna")
    stream.take(tuple(day.events[seen:]))
    (reply,) = stream.replies(context(day))
    assert [(entry["subject"], entry["type"]) for entry in reply["entries"]] == [("bike-2", "mode")]


def test_a_follower_of_one_loadpoint_hears_no_results_of_another(day):
    """Each result is a row of its own there, and belongs to its command's loadpoint, also when that was before the answer."""
    stream = open_stream("GetLog", complete("GetLog", names=["bike-2"], follow=True), context(day))
    mine = open_stream("GetLog", complete("GetLog", names=["bike-1"], follow=True), context(day))
    seen = len(day.events)
    day.charge("bike-1")
    day.until(300)
    for event in day.events[seen:]:
        for each in (stream, mine):
            each.take((event,))
    told = {
        each: [row["event"] for reply in each.replies(context(day)) for row in reply["entries"]]
        for each in (stream, mine)
    }
    assert "CommandDone" not in told[stream]
    assert "CommandIssued" in told[mine]
