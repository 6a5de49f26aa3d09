"""Conform: whether a value is what the table of methods promises."""

from __future__ import annotations

from typing import Any

from chargerd.protocol.types import TYPES, Fields


def wrong(value: Any, kind: str, place: str = "reply") -> list[str]:
    """Every place where a value is not of a Varlink type of the table."""
    if kind.startswith("?"):
        return [] if value is None else wrong(value, kind[1:], place)
    if kind.startswith("[]"):
        if not isinstance(value, list):
            return [f"{place} is no array"]
        return [fault for number, item in enumerate(value) for fault in wrong(item, kind[2:], f"{place}[{number}]")]
    if kind in TYPES:
        return wrong_fields(value, TYPES[kind], place)
    if kind == "object":  # any JSON value: the settings' values are numbers and texts
        return []
    expected = {"string": str, "bool": bool, "int": int, "float": (int, float)}[kind]
    fits = isinstance(value, expected) and (kind == "bool" or not isinstance(value, bool))
    return [] if fits else [f"{place} is {value!r}, not {kind}"]


def wrong_fields(value: Any, fields: Fields, place: str = "reply") -> list[str]:
    """The same for an object: exactly the promised fields, each of its type."""
    if not isinstance(value, dict):
        return [f"{place} is no object"]
    faults = [f"{place}.{name} is not in the table" for name in value if name not in fields]
    faults += [f"{place}.{name} is missing" for name in fields if name not in value]
    return faults + [
        fault
        for name, (kind, _) in fields.items()
        if name in value
        for fault in wrong(value[name], kind, f"{place}.{name}")
    ]
