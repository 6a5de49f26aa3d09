"""Rows: events survive the way into the table and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargerd.model import codec
from chargerd.model.events import Body, ChargerRead, Event, Tick
from chargerd.store.errors import LogDamaged, LogTooNew
from chargerd.store.rows import closed, digest_of, event_of, events_of, opened, rows_of, tick_digest
from tests.store.streams import SAMPLES, readings, transaction

LINES = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]


def test_every_type_has_a_stored_sample_of_each_version():
    """Whoever adds a type or raises a version stores a sample of it, so that later versions must still read it."""
    known = {(name, version) for name, newest in codec.VERSIONS.items() for version in range(1, newest + 1)}
    assert {(line["type"], line["v"]) for line in LINES} == known


@pytest.mark.parametrize("line", LINES, ids=[line["type"] for line in LINES])
def test_a_stored_sample_still_decodes_to_all_it_said(line: dict[str, Any]):
    """A row written by the first version is read today, and says the same: no field got lost on the way."""
    fact = codec.decode(line["type"], line["v"], line["data"])
    again = msgspec.json.decode(codec.encode(fact))
    assert again == msgspec.json.decode(line["data"])


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """A strategy for any fact, from the types of its fields."""
    kind = msgspec.inspect.type_info(kind) if isinstance(kind, type) else kind
    info = msgspec.inspect
    match kind:
        case info.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: _values(field.type) for field in fields})
        case info.UnionType(types=types):
            return st.one_of([_values(each) for each in types])
        case info.VarTupleType(item_type=item):
            return st.lists(_values(item), max_size=3).map(tuple)
        case info.DictType(value_type=value):
            return st.dictionaries(st.text(max_size=5), _values(value), max_size=3)
        case info.IntType():
            return st.integers(-(2**63), 2**63 - 1)
        case info.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case info.BoolType():
            return st.booleans()
        case info.NoneType():
            return st.none()
        case info.StrType():
            return st.text(max_size=20)
    raise AssertionError(f"no strategy for {kind}")


ANY_FACT: st.SearchStrategy[Body] = st.one_of([_values(kind) for name, kind in codec.TYPES.items() if name != "Tick"])


@settings(max_examples=300, deadline=None)
@given(facts=st.lists(ANY_FACT, max_size=4), source=st.text(max_size=10))
def test_any_fact_survives_the_way_through_a_row(facts: list[Body], source: str):
    """What comes back is equal to what went in, whatever the values."""
    events = [Event(n + 1, 5, 6, 7, source, fact) for n, fact in enumerate((*facts, Tick()))]
    assert events_of(rows_of(events)) == events


def test_a_digest_depends_on_every_column_and_on_the_digest_before():
    """Whatever is changed in a row afterwards, the digest tells."""
    rows = rows_of(readings(1, 2))
    digests = {digest_of("", rows), digest_of("00", rows)}
    for column, other in enumerate((9, 9, 9, 9, "other", "ReadFailed", 9, "{}")):
        changed = (*rows[0][:column], other, *rows[0][column + 1 :])
        digests.add(digest_of("", [changed, *rows[1:]]))  # type: ignore[list-item]
    assert len(digests) == 10


def test_a_closed_tick_carries_its_digest_and_opens_again():
    """The digest does not cover itself, so a Tick can be put back to the form that was digested."""
    tick = rows_of(readings(1, 1))[-1]
    assert tick_digest(closed(tick, "ab")) == "ab"
    assert opened(closed(tick, "ab")) == tick


@pytest.mark.parametrize(
    "events",
    [[], readings(1, 2)[:-1], transaction(1, Tick()), transaction(1, Tick("ab"))[:1]],
    ids=["nothing", "no tick", "two ticks", "tick with a digest"],
)
def test_a_transaction_ends_with_its_only_open_tick(events: list[Event]):
    """Anything else is refused before it gets near the file."""
    with pytest.raises(ValueError, match="Tick"):
        rows_of(events)


def test_a_row_of_a_newer_version_is_told_from_a_damaged_one():
    """A type nobody knows may come from a newer version; a known one with nonsense in it is damage, and both name the event."""
    with pytest.raises(LogTooNew, match="event 8"):
        event_of((8, 1, 1, 1, "shed", "Teleported", 1, "{}"))
    with pytest.raises(LogTooNew, match="event 8"):
        events_of([(8, 1, 1, 1, "shed", "ChargerRead", 99, "{}")])
    good = rows_of([Event(7, 1, 1, 1, "shed", ChargerRead()), Event(8, 1, 1, 1, "", Tick())])[0]
    with pytest.raises(LogDamaged, match="event 8") as caught:
        events_of([good, (8, 1, 1, 1, "shed", "ChargerRead", 1, '{"power_w": tru')])
    assert caught.value.first_bad_seq == 8
