"""Redact: nothing of a home's own words is left, and what is left is decided alike. No text field is forgotten."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from chargerd.model import events as e
from chargerd.model.events import Event, Reason
from chargerd.model.settings import Configuration, DeviceSettings
from chargerd.model.state import Site
from chargerd.sim import redact
from chargerd.sim.redact import REMOVED, Names, Unclassified, redacted_event
from tests.store.streams import samples


def structs_in(hint: object) -> Iterator[type[msgspec.Struct]]:
    """The structs that a type is made of."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in typing.get_args(hint):
        yield from structs_in(part)


def holds_text(hint: object) -> bool:
    """Whether a value of this type can hold a text, or names as keys, of its own."""
    origin = typing.get_origin(hint)
    if hint is str or origin in (dict, Mapping):
        return True
    parts = typing.get_args(hint) if origin in (typing.Union, types.UnionType, tuple) else ()
    return any(holds_text(part) for part in parts)


def reachable() -> dict[str, object]:
    """Every field of every struct that an event or the state is made of, with its type."""
    found: dict[str, object] = {}
    waiting: list[type[msgspec.Struct]] = [Site, *typing.get_args(e.Body)]
    seen: set[type] = set()
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        for name, hint in typing.get_type_hints(kind).items():
            found[f"{kind.__name__}.{name}"] = hint
            waiting += structs_in(hint)
    return found


def test_every_field_that_can_hold_a_text_has_a_rule_and_every_rule_a_field():
    """Whoever adds a field says here whether it may be passed on. Without that no bundle is made."""
    fields = reachable()
    assert len(fields) > 150
    assert {name for name, hint in fields.items() if holds_text(hint)} - set(redact.RULES) == set()
    assert set(redact.RULES) - set(fields) == set()


def test_a_field_without_a_rule_is_refused(monkeypatch):
    """It is not passed on by mistake."""
    monkeypatch.delitem(redact.RULES, "HoldSet.by")
    with pytest.raises(Unclassified, match=r"HoldSet\.by"):
        redacted_event(Names(), Event(1, 0, 0, 1, "anna", e.HoldSet("anna")))


def test_one_name_has_one_neutral_name_everywhere():
    """The loadpoint in a request and in a reason; the person in the envelope and in the fact."""
    names = Names()
    mode = redacted_event(names, Event(1, 0, 0, 1, "anna", e.ModeSet("annas-bike", "fast", "anna", request="r1")))
    values = {"loadpoint": "annas-bike", "by": "ben", "device": "shed", "power_w": 3.0, "target": "full", "note": "x"}
    decided = e.Decided("annas-bike", "threshold", e.SetPoint(), e.SetPoint(), Reason("held", values))
    after = redacted_event(names, Event(2, 0, 0, 1, "engine", decided))
    assert mode == Event(1, 0, 0, 1, "person-1", e.ModeSet("loadpoint-1", "fast", "person-1", request="request-1"))
    assert after.source == "engine"
    assert isinstance(after.body, e.Decided)
    assert after.body.loadpoint == "loadpoint-1"
    assert after.body.reason.values == {
        "loadpoint": "loadpoint-1", "by": "person-2", "device": "device-1", "power_w": 3.0, "target": "full", "note": REMOVED,
    }  # fmt: skip


def test_our_own_words_stay_where_a_person_could_stand():
    """Schedules, times that ran out, buttons and the daemon are nobody's name."""
    for word in ("schedule", "until", "device", "configuration"):
        assert redacted_event(Names(), Event(1, 0, 0, 1, "engine", e.HoldCleared(word))).body == e.HoldCleared(word)


def test_addresses_and_texts_of_errors_are_taken_out():
    """A driver's own settings keep their numbers; what a device said is gone, its kind of error stays."""
    device = DeviceSettings("shed", "kasa", options={"host": "192.168.178.40", "port": 9999, "alias": "Annas Schuppen"})
    loaded = e.ConfigLoaded(Configuration("Villa", devices={"shed": device}, files=("/home/anna/c.toml",)))
    body = redacted_event(Names(), Event(1, 0, 0, 1, "daemon", loaded)).body
    assert isinstance(body, e.ConfigLoaded)
    assert body.configuration.devices["device-1"].options == {"host": REMOVED, "port": 9999, "alias": REMOVED}
    assert (body.configuration.site, body.configuration.files) == ("site-1", ("file-1",))
    failed = redacted_event(Names(), Event(1, 0, 0, 1, "shed", e.ReadFailed("unreachable", "10.0.0.7 timed out")))
    assert failed == Event(1, 0, 0, 1, "device-1", e.ReadFailed("unreachable", REMOVED))
    odd = redacted_event(Names(), Event(1, 0, 0, 1, "shed", e.ReadFailed("annas own error")))
    assert odd.body == e.ReadFailed(REMOVED)


@pytest.mark.parametrize("body", samples(), ids=lambda body: type(body).__name__)
def test_every_kind_of_fact_can_be_redacted_and_decodes_again(body):
    """A stored sample of each; none of its names is left, and its numbers are."""
    made = redacted_event(Names(), Event(1, 2, 3, 4, "anna", body))
    text = msgspec.json.encode(made)
    for word in (
        b"bike-1",
        b"anna",
        b'"shed',
        b"192.0.2.7",
        b"8006E1",
        b"battery_1",
        b"7e3c",
        b"/etc",
        b"login",
        b'"s1"',
    ):
        assert word not in text
    assert type(made.body) is type(body)
    assert (made.seq, made.at_ms, made.mono_ms, made.boot) == (1, 2, 3, 4)
