"""Bytes become messages whole or not at all, however they arrive."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargerd.protocol.framing import BadMessage, CallError, Messages, call, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8), VALUES, max_size=4)


def arrived(messages: Messages) -> list[dict]:
    found = []
    while (message := messages.next()) is not None:
        found.append(message)
    return found


@given(st.lists(OBJECTS, max_size=5), st.data())
def test_messages_come_whole_however_the_bytes_are_cut(sent, data):
    """Messages sent in pieces of any size arrive equal and in their order."""
    stream = b"".join(encode(message) for message in sent)
    parser, found = Messages(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        parser.feed(stream[:size])
        stream = stream[size:]
        found += arrived(parser)
    assert found == sent
    assert parser.unfinished == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_refused(noise):
    """Whatever bytes come, what comes out is an object or a refusal; nothing else is ever raised."""
    parser = Messages()
    parser.feed(noise)
    try:
        found = arrived(parser)
    except BadMessage as error:
        found = []
        assert str(error)  # noqa: PT017 (either outcome is right)
    assert all(isinstance(message, dict) for message in found)


@pytest.mark.parametrize(
    "frame",
    [b"", b"[]", b"1", b'"text"', b"{", b'{"a":NaN}', b'{"a":Infinity}', b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000],
)
def test_what_is_no_object_is_refused(frame):
    """No object, no JSON, no UTF-8, or nested without end: refused."""
    parser = Messages()
    parser.feed(frame + b"\0")
    with pytest.raises(BadMessage):
        parser.next()


def test_message_without_an_end_is_refused_at_the_limit():
    """Ten megabytes without a NUL are refused as soon as the limit is passed, not kept."""
    parser = Messages(limit=1000)
    parser.feed(b"x" * 1000)
    assert parser.next() is None
    parser.feed(b"x")
    with pytest.raises(BadMessage, match="1000 bytes"):
        parser.next()


def test_long_message_that_has_an_end_is_refused_as_well():
    """The limit counts for messages that arrive at one go."""
    parser = Messages(limit=10)
    parser.feed(b'{"a":"bcdefgh"}\0')
    with pytest.raises(BadMessage):
        parser.next()


def test_several_messages_may_be_longer_than_the_limit_together():
    """The limit is for one message, not for all that wait."""
    parser = Messages(limit=10)
    parser.feed(b'{"a":1}\0' * 5)
    assert arrived(parser) == [{"a": 1}] * 5


def test_unknown_numbers_cannot_be_sent():
    """NaN is no JSON; unknown is null."""
    with pytest.raises(ValueError, match="JSON"):
        encode({"power_w": float("nan")})


def test_request_names_its_interface():
    """A request is what Varlink calls a method call."""
    assert json.loads(call("GetStatus", {"names": ["bike-1"]}, more=True)[:-1]) == {
        "method": "io.chargerd.GetStatus",
        "parameters": {"names": ["bike-1"]},
        "more": True,
    }


def test_error_comes_back_as_it_was_sent():
    """An error's name, three texts and values survive the wire."""
    sent = CallError(
        "NoSuchLoadpoint", "no loadpoint", "nothing changed", "Known: bike-1", name="bik", known=["bike-1"]
    )
    received = CallError.received({"error": sent.name, "parameters": sent.parameters})
    assert (received.name, received.short, received.parameters) == (
        "io.chargerd.NoSuchLoadpoint",
        "NoSuchLoadpoint",
        sent.parameters,
    )
    assert str(received) == "no loadpoint"


@pytest.mark.parametrize("parameters", [None, [], "text", {}, {"message": 5}])
def test_error_of_another_make_is_understood(parameters):
    """An error without our texts still says something."""
    assert str(CallError.received({"error": "org.example.Odd", "parameters": parameters}))
