"""Draft: what a program writes reads back as what it meant."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from chargerd.config.base import Credential
from chargerd.config.draft import Part, name_for, text
from chargerd.config.site import NAME

TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)


@given(TEXTS, st.floats(0.001, 1e6), TEXTS)
def test_any_text_and_number_reads_back(name: str, number: float, said: str) -> None:
    """Quotes, control characters and line breaks, also in comments, change nothing of what is set."""
    keys = {"alias": name, "full_w": number, "on": True, "networks": [name, "b"], "odd key": "x"}
    made = text([said], [Part("device", name or "x", keys, above=(said,), below=(said,))])
    read = tomllib.loads(made)["device"][name or "x"]
    assert read == {**keys, "full_w": float(f"{number:.10g}")}


def test_a_secret_is_named_and_not_written() -> None:
    """A credential is a table of one key."""
    made = text([], [Part("device", "shed", {"password": Credential(credential="kasa")})])
    assert tomllib.loads(made) == {"device": {"shed": {"password": {"credential": "kasa"}}}}


def test_long_comments_are_wrapped() -> None:
    """A sentence of any length is readable in an editor."""
    lines = text(["word " * 60], []).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("# ") and len(line) <= 118 for line in lines)


@given(TEXTS, st.lists(TEXTS, max_size=5))
def test_names_can_be_typed_and_are_not_taken(wanted: str, taken: list[str]) -> None:
    """Whatever a plug is called, its loadpoint gets a name of letters, digits and . _ -, that nobody else has."""
    import re

    name = name_for(wanted, taken)
    assert re.fullmatch(NAME, name)
    assert name.casefold() not in {other.casefold() for other in taken}


def test_a_good_name_stays_as_it_is() -> None:
    """Capitals too; what cannot be typed becomes a hyphen; the second of two gets a number."""
    assert name_for("Rad_Battery_1", []) == "Rad_Battery_1"
    assert name_for("Rad Battery 1", []) == "Rad-Battery-1"
    assert name_for("rad", ["Rad", "rad-2"]) == "rad-3"
    assert name_for("🔋", []) == "plug"
