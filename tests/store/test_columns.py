"""Columns: whatever goes in comes out, and what is regular becomes small."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargerd.store.columns import ABSENT, pack, unpack


def _again(values: list[Any]) -> list[Any]:
    """Packed, through MessagePack as in the file, and unpacked."""
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(pack(values)))
    return list(unpack(packed, len(values)))


SCALARS = st.one_of(
    st.none(),
    st.just(ABSENT),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.integers(-300, 300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e4, 1e4).map(lambda x: round(x, 1)),
    st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=3),
)


@given(st.lists(SCALARS, min_size=1, max_size=40))
def test_any_column_comes_back_exactly(values: list[Any]):
    """Values of all sorts, mixed: equal and of the same type, down to the sign of a zero."""
    again = _again(values)
    assert list(map(repr, again)) == list(map(repr, values))


@given(st.lists(st.one_of(st.floats(-1e5, 1e5).map(lambda x: round(x, 3)), st.none()), min_size=3, max_size=300))
def test_measurements_come_back_as_the_very_floats(values: list[float | None]):
    """Three decimals and gaps, as meters give them."""
    assert list(map(repr, _again(values))) == list(map(repr, values))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([231.1, 230.9, 231.0], "number"),
        ([5, 6, 8], "number"),
        ([5.0, None, 8.25], "number"),
        ([True, True, True], "constant"),
        ([1, True, 1.0], "chosen"),
        (["on", "off", "on"], "chosen"),
        (["00ff", "abcd"], "hexadecimal"),
        (["00FF", "abcd"], "chosen"),
        ([0.1, -0.0, 0.2], "chosen"),
        ([math.pi, 1e300], "chosen"),
        ([[1], [1]], "as-is"),
    ],
)
def test_each_kind_of_column_is_used_for_what_it_can_hold(values: list[Any], kind: str):
    """Numbers of few decimals as integers, digests as bytes, switches as a table."""
    assert pack(values)[0] == kind


def test_more_than_256_different_texts_are_kept_as_they_are():
    """A table has a byte for each place."""
    values = [f"text {n}" for n in range(257)]
    assert pack(values)[0] == "as-is"
    assert _again(values) == values


def test_a_counter_that_climbs_evenly_takes_two_bits_a_reading():
    """1,000 readings of an energy counter with a step of 0.2 Wh: almost nothing after compression."""
    import zlib

    packed = msgspec.msgpack.encode(pack([round(1000 + 0.2 * n, 1) for n in range(1000)]))
    assert len(zlib.compress(packed)) < 250


def test_what_was_absent_comes_back_as_what_is_asked_for():
    """A typed reader wants the default of a field, the text wants to leave it out."""
    for values in ([1.5, ABSENT, 2.5], [ABSENT, ABSENT], ["a", ABSENT], [[1], ABSENT]):
        assert list(unpack(pack(values), len(values), absent=None))[-1 if values[0] is not ABSENT else 0] in (None, 2.5)
        assert ABSENT not in list(unpack(pack(values), len(values), absent=None))
