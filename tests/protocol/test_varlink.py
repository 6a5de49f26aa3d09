"""Varlink's view of the table: text that a Varlink parser reads back, and checks of what comes in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargerd.protocol.framing import CallError
from chargerd.protocol.table import ERRORS, METHODS
from chargerd.protocol.types import TYPES
from chargerd.protocol.varlink import SERVICE_TEXT, checked, interface_text, service_answer

TOKEN = re.compile(r"\s+|#[^\n]*\n|(->|[():,?]|\[\]|\[string\]|[A-Za-z][A-Za-z0-9_.]*)")


class Grammar:
    """A reader of interface definitions, written from Varlink's grammar and not from our writer."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while at < len(text):
            found = TOKEN.match(text, at)
            assert found is not None, f"no token at {text[at : at + 30]!r}"
            at = found.end()
            if found[1]:
                self.tokens.append(found[1])
        self.members: dict[tuple[str, str], object] = {}
        assert self.next() == "interface"
        self.name = self.next()
        while self.tokens:
            keyword, name = self.next(), self.next()
            assert keyword in ("type", "method", "error")
            assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)
            assert (keyword, name) not in self.members
            fields = self.struct()
            if keyword == "method":
                assert self.next() == "->"
                self.members[keyword, name] = (fields, self.struct())
            else:
                self.members[keyword, name] = fields

    def next(self) -> str:
        return self.tokens.pop(0)

    def struct(self) -> dict[str, str]:
        assert self.next() == "("
        fields: dict[str, str] = {}
        while self.tokens[0] != ")":
            name = self.next()
            assert re.fullmatch(r"[A-Za-z](_?[A-Za-z0-9])*", name), name
            assert name not in fields
            assert self.next() == ":"
            fields[name] = self.kind()
            if self.tokens[0] == ",":
                self.next()
                assert self.tokens[0] != ")"
        self.next()
        return fields

    def kind(self) -> str:
        prefix = ""
        while self.tokens[0] in ("?", "[]", "[string]"):
            prefix += self.next()
        assert "??" not in prefix
        return prefix + self.next()


def test_interface_text_reads_back_as_the_table():
    """What a Varlink parser reads in our interface text is exactly what the table has."""
    read = Grammar(interface_text())
    assert read.name == "io.chargerd"
    for name, method in METHODS.items():
        parameters = {field: kind for field, (kind, _) in method.parameters.items()}
        reply = {field: kind for field, (kind, _) in method.reply.items()}
        assert read.members["method", name] == (parameters, reply)
    for name, fields in TYPES.items():
        assert read.members["type", name] == {field: kind for field, (kind, _) in fields.items()}
    assert {name for keyword, name in read.members if keyword == "error"} == set(ERRORS)


def test_service_interface_reads_back():
    """The description of the service itself is well formed, and its two methods are there."""
    read = Grammar(SERVICE_TEXT)
    assert read.members["method", "GetInfo"] == (
        {},
        {"vendor": "string", "product": "string", "version": "string", "url": "string", "interfaces": "[]string"},
    )


def test_service_says_what_it_serves_and_describes_it():
    """A client that knows nothing can find out everything."""
    assert service_answer("org.varlink.service.GetInfo", {})["interfaces"] == ["org.varlink.service", "io.chargerd"]
    for interface, text in (("io.chargerd", interface_text()), ("org.varlink.service", SERVICE_TEXT)):
        answer = service_answer("org.varlink.service.GetInterfaceDescription", {"interface": interface})
        assert answer == {"description": text}


@pytest.mark.parametrize(
    ("method", "parameters", "error"),
    [
        (
            "org.varlink.service.GetInterfaceDescription",
            {"interface": "org.example"},
            "org.varlink.service.InterfaceNotFound",
        ),
        ("org.varlink.service.GetInterfaceDescription", {}, "org.varlink.service.InvalidParameter"),
        ("org.varlink.service.Reboot", {}, "org.varlink.service.MethodNotFound"),
    ],
)
def test_service_refuses_in_varlinks_words(method, parameters, error):
    """Errors of the service interface have the names that Varlink gives them."""
    with pytest.raises(CallError) as caught:
        service_answer(method, parameters)
    assert caught.value.name == error


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"name": "bike-1", "mode": "fast", "speed": 3}, "speed"),
        ({"name": "bike-1"}, "mode"),
        ({"name": 5, "mode": "fast"}, "name"),
        ({"name": "bike-1", "mode": None}, "mode"),
        ({"name": "bike-1", "mode": "fast", "dry_run": 1}, "dry_run"),
        ({"name": "bike-1", "mode": "fast", "until": ["18:00"]}, "until"),
        ([], "parameters"),
        ("text", "parameters"),
    ],
)
def test_wrong_parameter_is_refused_by_its_name(parameters, named):
    """An unknown, missing or wrongly typed parameter is named in the error."""
    with pytest.raises(CallError) as caught:
        checked(METHODS["SetMode"], parameters)
    assert caught.value.name == "org.varlink.service.InvalidParameter"
    assert caught.value.parameters["parameter"] == named


def test_what_is_left_out_is_none():
    """Optional parameters are there after the check, so that nobody has to ask."""
    filled = checked(METHODS["SetMode"], {"name": "bike-1", "mode": "fast"})
    left_out = ("from_pct", "until", "dry_run", "request", "zone")
    assert filled == {"name": "bike-1", "mode": "fast", **dict.fromkeys(left_out)}
    assert checked(METHODS["GetStatus"], None) == {"names": None, "at": None, "zone": None}


def test_true_is_no_number():
    """JSON's true is not taken for 1."""
    with pytest.raises(CallError):
        checked(METHODS["GetLog"], {"lines": True})


@given(
    st.dictionaries(
        st.sampled_from([*METHODS["GetLog"].parameters, "odd"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_any_parameters_are_complete_or_refused(parameters):
    """Whatever is sent, it comes out complete or as a refusal."""
    try:
        filled = checked(METHODS["GetLog"], parameters)
    except CallError as error:
        assert error.short == "InvalidParameter"  # noqa: PT017 (either outcome is right)
    else:
        assert list(filled) == list(METHODS["GetLog"].parameters)
