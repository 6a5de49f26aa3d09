"""Chunks: the very rows come back, whatever they were, and typical readings become a twentieth."""

from __future__ import annotations

import re
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargerd.model.events import ChargerRead, ReadFailed, Tick
from chargerd.store import chunks
from chargerd.store.errors import LogDamaged, LogError
from chargerd.store.rows import Row, chained, events_of
from tests.store.streams import home


def _rows(count: int) -> list[Row]:
    """Rows of a home with three plugs, the Ticks closed."""
    digest, rows = "", []
    for events in home(count):
        new, digest = chained(digest, events)
        rows += new
    return [row for row in rows if row[5] in chunks.KINDS]


def test_rows_and_events_come_back_in_order():
    """400 transactions of three plugs, one of which sometimes does not answer."""
    rows = _rows(400)
    data = chunks.packed(rows)
    assert chunks.rows_in(data) == rows
    assert chunks.events_in(data) == events_of(rows)
    assert {type(event.body) for event in chunks.events_in(data)} == {ChargerRead, ReadFailed, Tick}


def test_a_chunk_is_less_than_a_tenth_of_its_rows():
    """What a row takes in the file is its text and some 20 bytes of numbers."""
    rows = _rows(600)
    plain = sum(len(row[4]) + len(row[5]) + len(row[7]) + 20 for row in rows)
    assert len(chunks.packed(rows)) < 0.1 * plain


DATA = st.one_of(
    st.sampled_from(
        [
            '{"channel":"a","power_w":100.5}',
            '{"channel":"a","power_w":100}',
            '{"channel":"a","enabled":true,"power_w":1e2}',
            '{"power_w":1.5,"channel":"a"}',
            '{"channel":"b","voltage_v":230.0,"lease_s":900}',
            '{"power_w":123456789012345678901234567890}',
            '{"power_w":1,"power_w":2}',
            '{"strange":[1,{"a":null}]}',
            "{}",
            "",
            "no json",
            '{"error":"unreachable"}',
            '{"digest":"00ff"}',
            '{"channel":"\\ud800"}',
        ]
    ),
    st.text(max_size=8),
)
ROW: st.SearchStrategy[Any] = st.tuples(
    st.integers(0, 2**62),
    st.integers(0, 2**45),
    st.integers(0, 9),
    st.sampled_from(["shed", "garage", ""]),
    st.sampled_from(chunks.KINDS),
    st.integers(1, 3),
    DATA,
)


@settings(max_examples=200)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_whatever_was_in_the_rows_comes_back(fields: list[tuple[int, int, int, str, str, int, str]]):
    """Rows of other versions, with text that is no JSON, with fields in another order: all of it is kept to the byte."""
    rows: list[Row] = [(10 + n, *row) for n, row in enumerate(fields)]
    data = chunks.packed(rows)
    assert chunks.rows_in(data) == rows
    try:
        expected = events_of(rows)
    except LogError as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            chunks.events_in(data)
    else:
        again = chunks.events_in(data)
        assert again == expected
        assert list(map(repr, again)) == list(map(repr, expected))


def test_a_flipped_bit_anywhere_is_found():
    """No byte of a chunk can change unseen."""
    data = chunks.packed(_rows(20))
    for place in range(0, len(data), 7):
        changed = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        with pytest.raises(LogDamaged):
            chunks.rows_in(changed)


def test_a_chunk_of_something_else_is_damage():
    """A right check over wrong content, as a mistake of ours would make it."""
    from hashlib import blake2b

    content = zlib.compress(b"\x93\x01\x02\x03")
    with pytest.raises(LogDamaged, match="cannot be read"):
        chunks.events_in(blake2b(content, digest_size=16).digest() + content)
