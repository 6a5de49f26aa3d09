"""Reasons: every decision can be told, with its numbers, in one sentence."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

import chargerd
from chargerd.model.events import Reason
from chargerd.model.reasons import (
    ALARMS,
    OUTCOMES,
    PAST,
    REASONS,
    duration,
    energy,
    next_step,
    past,
    power,
    sentence,
    shown,
    word,
)

PACKAGE = Path(chargerd.__file__).parent


# What the code says, read from its text


class Made(NamedTuple):
    """A reason that some line of chargerd makes. ``values`` None: its names cannot be told from the text."""

    where: str
    code: str
    values: frozenset[str] | None


class Function:
    """One function of chargerd, with the calls in it and what its names were last set to."""

    def __init__(self, path: Path, node: ast.FunctionDef, module: ast.Module) -> None:
        self.path, self.node, self.module = path, node, module
        self.parameters = [arg.arg for arg in node.args.args]

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Calls of a function of one of these names."""
        for node in ast.walk(self.node):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield node

    def texts(self, node: ast.expr | None) -> set[str]:
        """Every text that an expression can be: a constant, either way of a choice, a name, or what callers give."""
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.IfExp():
                return self.texts(node.body) | self.texts(node.orelse)
            case ast.Name(id=name) if (value := self.assigned(name, node.lineno)) is not None:
                return self.texts(value)
            case ast.Name(id=name) if name in self.parameters:
                at = self.parameters.index(name)
                callers = [Function(self.path, f, self.module) for f in functions(self.module)]
                return {text for c in callers for call in c.calls(self.node.name) for text in c.texts(call.args[at])}
        return set()

    def keys(self, node: ast.expr | None) -> frozenset[str] | None:
        """The names in a dict of values: written out, laid over another one, or with the loadpoint's added."""
        match node:
            case None:
                return frozenset()
            case ast.Dict():
                found = [
                    self.keys(value) if key is None else frozenset(self.texts(key))
                    for key, value in zip(node.keys, node.values, strict=True)
                ]
                return None if None in found else frozenset().union(*(each for each in found if each is not None))
            case ast.Call(func=ast.Name(id="_named")):
                inner = self.keys(node.args[1])
                return None if inner is None else inner | {"loadpoint"}
            case ast.Name(id=name) if (value := self.assigned(name, node.lineno)) is not None:
                return self.keys(value)
        return None

    def assigned(self, name: str, before_line: int) -> ast.expr | None:
        """What a name was last set to above a line."""
        found: list[tuple[int, ast.expr]] = []
        for node in ast.walk(self.node):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if isinstance(node, ast.Assign | ast.AnnAssign) and value is not None and node.lineno < before_line:
                found += [(node.lineno, value) for t in targets if isinstance(t, ast.Name) and t.id == name]
        return max(found, key=lambda each: each[0])[1] if found else None


def functions(module: ast.AST) -> Iterator[ast.FunctionDef]:
    """Every function of a file."""
    return (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef))


def everywhere() -> Iterator[Function]:
    """Every function of chargerd."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ast.parse(path.read_text("utf-8"))
        yield from (Function(path, node, module) for node in functions(module))


def made() -> Iterator[Made]:
    """Every reason that chargerd can give."""
    for function in everywhere():
        for call in function.calls("Reason"):
            where = f"{function.path.relative_to(PACKAGE)}:{call.lineno}"
            codes = function.texts(call.args[0])
            assert codes, f"{where}: this test cannot tell the code"
            values = function.keys(call.args[1] if len(call.args) > 1 else None)
            yield from (Made(where, code, values) for code in sorted(codes))


def said_outcomes() -> set[str]:
    """Every outcome that chargerd can give a session."""
    texts: set[str] = set()
    for function in everywhere():
        for name, at in (("_done", 0), ("ended", 3), ("Granted", 2)):
            for call in function.calls(name):
                texts |= function.texts(call.args[at] if len(call.args) > at else None)
        for call in function.calls("Decision", "Granted", "Decided"):
            texts |= {t for keyword in call.keywords if keyword.arg == "outcome" for t in function.texts(keyword.value)}
    return texts


def needed(code: str) -> set[str]:
    """The values that the sentence and the advice of a code name."""
    text = REASONS[code]
    return {
        name
        for template in (text.sentence, text.next_step)
        for _, name, _, _ in string.Formatter().parse(template)
        if name
    }


MADE = list(made())


def test_this_test_sees_the_code():
    """It would prove nothing if it found nothing: at least three dozen places that give a reason."""
    assert len(MADE) >= 36
    assert {"switched-off-elsewhere", "step-reached", "no-battery", "lease-renewal", "time-limit"} <= {
        m.code for m in MADE
    }
    assert sum(each.values is None for each in MADE) == 0


@pytest.mark.parametrize("each", MADE, ids=lambda each: f"{each.where}-{each.code}")
def test_every_reason_that_is_given_has_its_sentence_and_every_number_in_it(each):
    """A sentence that names a value gets it from the line that makes it; nobody reads "?"."""
    assert each.code in REASONS
    assert needed(each.code) <= (each.values or set())


def test_every_outcome_that_a_session_can_have_is_in_words():
    """And every one in words can happen; alarms are outcomes."""
    assert said_outcomes() == set(OUTCOMES)
    assert set(OUTCOMES) > ALARMS


# Words and numbers for people


@pytest.mark.parametrize("code", REASONS)
def test_a_value_that_is_missing_shows_as_a_question_mark(code):
    """Never an error, never 0."""
    reason = Reason(code)
    text = sentence(reason) + next_step(reason)
    assert text.count("?") >= len(needed(code))
    assert "{" not in text
    assert "None" not in text
    assert word(reason)


def test_a_sentence_shows_its_numbers_with_units():
    """What people read when a charge is cut off, and when a plug waits for its hours in Berlin."""
    values = {"power_w": 4.81, "stop_w": 5, "below_s": 121.4}
    assert sentence(Reason("cutoff-reached", values)) == "cut off: below 5 W for 2 min"
    waits = Reason("outside-window", {"opens_at_ms": 1_709_506_800_000})
    assert sentence(waits, ZoneInfo("Europe/Berlin")) == "outside its hours; goes on at 00:00"
    assert sentence(waits) == "outside its hours; goes on at 23:00"
    more = Reason("starts-used-up", {"starts": 20, "more": 25, "loadpoint": "bike"})
    assert next_step(more) == "chargerctl set bike max_starts_per_day=25"
    assert word(more) == "paused"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("power_w", 103.9, "104 W"),
        ("limit_wh", 1092.0, "1.1 kWh"),
        ("on_s", 60, "60 s"),
        ("level_pct", 79.6, "80 %"),
        ("attempt", 2, "2"),
        ("efficiency", 0.8, "0.8"),
        ("by", "anna", "anna"),
        ("power_w", None, "?"),
        ("opens_at_ms", None, "?"),
    ],
)
def test_the_unit_follows_from_the_name(name, value, text):
    """_w, _wh, _s, _pct; anything else is a plain number or a text; nothing is "?"."""
    assert shown(name, value) == text


@pytest.mark.parametrize(
    ("watts", "text"),
    [(0, "0 W"), (0.7, "0.7 W"), (5.24, "5.2 W"), (15.5, "15.5 W"), (90, "90 W"), (103.9, "104 W"), (2760, "2.8 kW")],
)
def test_power_is_as_fine_as_it_matters(watts, text):
    """Tenths where chargers idle, watts where they charge, kilowatts for cars."""
    assert power(watts) == text


@pytest.mark.parametrize(("wh", "text"), [(0, "0 Wh"), (411.5, "412 Wh"), (7120, "7.1 kWh")])
def test_energy_is_told_in_wh_and_kwh(wh, text):
    """From a thousand on in kWh."""
    assert energy(wh) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (48.4, "48 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (660, "11 min"),
        (7199, "2 h"),
        (8640, "2 h 24 min"),
        (25_200, "7 h"),
        (172_800, "2 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds, text):
    """Seconds up to two minutes, minutes up to two hours, hours up to two days."""
    assert duration(seconds) == text


def test_no_sentence_is_left_over():
    """A reason that nothing gives is documentation of something that never happens."""
    assert set(REASONS) == {each.code for each in MADE}


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_can_be_told_of_the_past(code):
    """With numbers that the sentence of the present names too, and no others."""
    named = {name for _, name, _, _ in string.Formatter().parse(PAST[code]) if name}
    assert named <= {name for _, name, _, _ in string.Formatter().parse(REASONS[code].sentence) if name}
    assert set(PAST) == set(REASONS)


def test_past_sentence_stands_after_because():
    """In the past tense, with its numbers."""
    reason = Reason("cutoff-reached", {"stop_w": 90.0, "below_s": 40.0})
    assert past(reason) == "it had been below 90 W for 40 s and was cut off"


@pytest.mark.parametrize(
    ("code", "values", "text"),
    [
        ("changing-phases", {"phases": 1}, "changing to 1 phase: a pause, the switch, and on again"),
        ("changing-phases", {"phases": 3}, "changing to 3 phases: a pause, the switch, and on again"),
        (
            "phases-rest",
            {"changes": 1, "again_at_ms": 0},
            "phases stay as they are until 00:00; they were changed 1 time in",
        ),
        ("vehicle-sated", {"tries": 1}, "the vehicle takes nothing after 1 try: full"),
        ("vehicle-sated", {"tries": 3}, "the vehicle takes nothing after 3 tries: full"),
        ("retry-later", {"attempts": 2, "retry_at_ms": 0}, "the charger did not follow 2 times; tried again at 00:00"),
        ("vehicle-sated", {}, "the vehicle takes nothing after ? tries"),
    ],
)
def test_one_is_one_and_more_are_many(code, values, text):
    """And a charger that does not follow is not called a plug: it may be an EVSE."""
    assert sentence(Reason(code, values)).startswith(text)


@pytest.mark.parametrize("text", [*(text.sentence for text in REASONS.values()), *PAST.values()])
def test_no_sentence_counts_in_the_plural_only(text):
    """A number is followed by its noun only through the colon of its field, which knows one from many."""
    assert not re.search(r"[{](attempts|tries|changes|phases|starts|pulses|cycles|readings)[}] [a-z]+s\b", text)


@pytest.mark.parametrize(
    ("code", "values", "now", "then"),
    [
        (
            "waiting-for-sun",
            {"share_w": 900.0, "needed_w": 1380.0},
            "waiting for sun: 900 W to use, 1.4 kW needed",
            "there was 900 W of sun to use and 1.4 kW were needed",
        ),
        (
            "waiting-for-sun",
            {"share_w": -9600.0, "needed_w": 1380.0},
            "waiting for sun: no sun to use (all else takes 9.6 kW more than it gives), 1.4 kW needed",
            "there was no sun to use (all else took 9.6 kW more than it gave) and 1.4 kW were needed",
        ),
        (
            "waiting-for-sun",
            {"share_w": -3.0, "needed_w": 1380.0},
            "waiting for sun: 0 W to use, 1.4 kW needed",
            "there was 0 W of sun to use and 1.4 kW were needed",
        ),
        (
            "charging-least",
            {"share_w": -2000.0},
            "charging at the smallest current; the sun gives 0 W of it",
            "it was charging at the smallest current, and the sun gave 0 W of it",
        ),
        (
            "charging-with-sun",
            {},
            "charging with the sun: ? to use",
            "it was charging with the sun, ? to use",
        ),
    ],
)
def test_a_share_below_nothing_is_none_and_says_who_takes_it(code, values, now, then):
    """ "-9.6 kW to use" is nothing that anybody can use."""
    assert (sentence(Reason(code, values)), past(Reason(code, values))) == (now, then)


def test_no_share_is_printed_with_its_sign():
    """Whatever sentence it stands in."""
    for code in REASONS:
        reason = Reason(code, {"share_w": -1234.0, "mean_w": -1234.0})
        assert "-1" not in sentence(reason) + past(reason)


def test_what_does_not_flow_is_not_called_charging():
    """The reason of a current that is lowered may be that of a pause; other words stay what they are."""
    fuse = Reason("circuit-limit", {"circuit": "main", "allowed_a": 4.0})
    assert (word(fuse), word(fuse, flows=False)) == ("charging", "waiting")
    assert word(Reason("vehicle-sated", {"tries": 3}), flows=False) == "finished"
