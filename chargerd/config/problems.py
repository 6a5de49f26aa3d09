"""Problems: what is wrong with a configuration, where it stands, what is allowed and what was perhaps meant."""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from chargerd.config.base import Credential
from chargerd.config.positions import Path


class Problem(Struct, frozen=True):
    """One thing that is wrong. ``line`` is 0 when the file as a whole is meant; ``value`` is the value as written."""

    file: str
    line: int
    key: str
    text: str
    hint: str = ""
    value: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:" if self.line else f"{self.file}:"
        what = f"{self.key} = {self.value}" if self.key and self.value else self.key
        stop = "" if self.text.endswith(("?", ".")) else "."
        explanation = f"    {self.text}{stop}" + (f" {self.hint}" if self.hint else "")
        return f"{place} {what}".rstrip() + "\n" + explanation


class ConfigError(Exception):
    """The configuration is refused as a whole. ``problems`` are all that were found, in the order of files and lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        count = len(self.problems)
        return "\n".join((*map(str, self.problems), f"{count} error{'s' if count != 1 else ''}."))


def dotted(path: Path) -> str:
    """A path as people write it: ``loadpoint.bike-1.schedule[1].at``, array elements counted from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """A value as it would be written in TOML, shortened; tables and arrays are not repeated."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, float):
        text = _number(value)
    elif isinstance(value, int | datetime.date | datetime.time):
        text = str(value) if not isinstance(value, int) or abs(value) < 10**60 else "a very large number"
    else:
        return ""
    return text if len(text) <= 60 else text[:59] + "…"


def meant(word: object, known: Iterable[str]) -> str:
    """ "Did you mean …?" or, with nothing close, what is known; "" if nothing is known."""
    known = tuple(dict.fromkeys(known))
    if not known:
        return ""
    if close := _closest(str(word), known):
        return f"Did you mean {close}?"
    names = sorted(known)
    return f"Known: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"


_ALSO: dict[str, tuple[str, ...]] = {
    "address": ("host",),
    "amp": ("current",),
    "amps": ("current",),
    "battery": ("capacity", "storage"),
    "batteries": ("storage",),
    "car": ("vehicle",),
    "cutoff": ("stop",),
    "device": ("charger",),
    "ev": ("vehicle",),
    "feed": ("export",),
    "fuse": ("circuit", "current"),
    "inverter": ("device",),
    "ip": ("host",),
    "kwh": ("wh",),
    "mail": ("sink",),
    "notify": ("sink",),
    "residual": ("reserve",),
    "slave": ("unit",),
    "soc": ("pct",),
    "type": ("driver",),
    "tz": ("timezone",),
    "url": ("host",),
    "user": ("username",),
}
"""What others call the words that our names are made of."""


def _closest(written: str, names: Sequence[str]) -> str | None:
    """The name that was perhaps meant: one of the same words in any order and perhaps more, or fewer; else one spelled alike."""
    ours = {part for name in names for part in name.split("_")}
    said = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", written).lower().replace("-", "_").split("_")
    said = [next((own for own in _ALSO.get(part, ()) if part not in ours and own in ours), part) for part in said]
    words = {name: set(name.split("_")) for name in names}
    if fuller := [name for name in names if set(said) <= words[name]]:
        return min(fuller, key=lambda name: len(words[name]))
    if shorter := [name for name in names if len(words[name]) > 1 and words[name] <= set(said)]:
        return max(shorter, key=lambda name: len(words[name]))
    alike = difflib.get_close_matches("_".join(said), names, n=1, cutoff=0.6)
    return alike[0] if alike else None


class Explanation(Struct, frozen=True):
    """What `explain` makes of an error: where below the table it lies, and the two sentences. ``secret``: show no value."""

    path: Path
    text: str
    hint: str = ""
    secret: bool = False


def explain(error: ErrorDetails, table: Mapping[str, object], model: type[BaseModel]) -> Explanation:
    """Turn one error of pydantic about a table into words for people."""
    path = _path_of(error["loc"], table)
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    key = str(path[-1]) if path else ""
    if context.get("class_name") == "Credential" or "credential" in path:
        return Explanation(
            path,
            "must name a credential, never hold the secret itself",
            f'Write {key} = {{ credential = "NAME" }}.',
            True,
        )
    match kind:
        case "extra_forbidden":
            known = _keys_at(error["loc"][:-1], model)
            return Explanation(path, "is not known here", meant(key, known), True)
        case "missing":
            return Explanation(path, "is missing")
        case "value_error" | "assertion_error":
            return Explanation(path, str(context["error"]))
        case "literal_error":
            allowed = [text or number for text, number in re.findall(r"'([^']*)'|(-?\d+)", context["expected"])]
            return Explanation(path, f"must be one of {', '.join(allowed)}", _meant_only(value, allowed))
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            return _out_of_range(path, value, model.model_fields.get(key))
        case "string_pattern_mismatch":
            return _wrong_form(path, key, value, model)
    text, hint = _wrong_type(kind, key, value, error["msg"])
    return Explanation(path, text, hint)


def _wrong_form(path: Path, key: str, value: object, model: type[BaseModel]) -> Explanation:
    """A text that is not written as it has to be. An address with a scheme or a port, copied from a browser, is common."""
    described = model.model_fields[key].description if key in model.model_fields else None
    if key == "host" and isinstance(value, str):
        plain, _, port = value.split("://")[-1].rstrip("/").partition(":")
        named = f", and port = {port} beside it" if port.isdecimal() and "port" in model.model_fields else ""
        return Explanation(path, "must be a name or an address and nothing else", f'host = "{plain}"{named}')
    return Explanation(path, f"must be {described or 'written in another way'}")


def _path_of(loc: tuple[str | int, ...], table: object) -> Path:
    """The part of an error's location that exists in the document; pydantic adds names of union members of its own."""
    path: list[str | int] = []
    for number, part in enumerate(loc):
        inner = dict(enumerate(table)) if isinstance(table, list) else table
        if isinstance(inner, dict) and part in inner:
            table = inner[part]
        elif number < len(loc) - 1 or not isinstance(part, str) or not isinstance(table, dict):
            continue  # the name of a union's member
        path.append(part)
    return tuple(path)


def _keys_at(loc: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    """The keys that the model knows at a place: its own, or those of the models in a list of it."""
    if not loc:
        return list(model.model_fields)
    field = model.model_fields.get(str(loc[0]))
    inner = [] if field is None else _models_in(field.annotation)
    return [key for each in inner for key in each.model_fields]


def names_credential(model: type[BaseModel], key: str) -> bool:
    """Whether a key of a model holds a secret's name."""
    return Credential in _models_in(model.model_fields[key].annotation)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _meant_only(value: object, known: Iterable[str]) -> str:
    hint = meant(value, known)
    return hint if hint.startswith("Did") else ""


def _out_of_range(path: Path, value: object, field: object) -> Explanation:
    """Say the whole range, and look for a slip of the decimal point."""
    low = high = None
    above = below = ""
    for rule in getattr(field, "metadata", ()):
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
        if (more := getattr(rule, "gt", None)) is not None:
            low, above = more, "more than "
        if (less := getattr(rule, "lt", None)) is not None:
            high, below = less, "less than "
    if low is not None and high is not None:
        text = f"must be between {above}{_number(low)} and {below}{_number(high)}"
    elif low is not None:
        text = f"must be {above or 'at least '}{_number(low)}"
    else:
        text = f"must be {below or 'at most '}{_number(high)}"
    return Explanation(path, text, _slip(str(path[-1]), value, low, high))


def _slip(key: str, value: object, low: float | None, high: float | None) -> str:
    """Ten times too much or too little; too little power or energy was most likely meant in kilowatts or kilowatt-hours."""
    if not isinstance(value, int | float) or isinstance(value, bool) or low is None or high is None:
        return ""
    kilo = key.endswith(("_w", "_wh")) and 1 <= value < low
    for factor in (1000,) if kilo and value * 1000 <= high else (10, 100, 1000):
        for candidate in (value / factor, value * factor):
            if max(low, 1e-9) <= candidate <= high:
                return f"Did you mean {_number(candidate)}?"
    return ""


def _number(value: float | None) -> str:
    """A number without needless digits: 16, 0.5."""
    return "any" if value is None else f"{value:.10g}"


_UNITS: dict[str, dict[str, float]] = {
    "_w": {"w": 1, "kw": 1000},
    "_wh": {"wh": 1, "kwh": 1000},
    "_s": {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600},
    "_h": {"h": 1, "min": 1 / 60},
    "_a": {"a": 1, "ma": 0.001},
    "_ah": {"ah": 1, "mah": 0.001},
    "_v": {"v": 1, "mv": 0.001},
}
_NAMES = {
    "_w": "watts",
    "_wh": "watt-hours",
    "_s": "seconds",
    "_h": "hours",
    "_a": "amperes",
    "_ah": "ampere-hours",
    "_v": "volts",
}


def _wrong_type(kind: str, key: str, value: object, fallback: str) -> tuple[str, str]:
    match kind:
        case "float_type" | "int_type" | "finite_number":
            return _not_a_number(key, value, whole=kind == "int_type")
        case "string_type":
            bare = isinstance(value, int | float | datetime.date | datetime.time) and not isinstance(value, bool)
            return "must be text in quotes", f'Write "{value}".' if bare else ""
        case "bool_type":
            return "must be true or false, without quotes", ""
        case "list_type" | "tuple_type":
            return "must be a list: [ … ]", ""
        case "dict_type" | "model_type" | "model_attributes_type":
            return "must be a table: { key = value, … }", ""
        case "string_too_short":
            return "must not be empty", ""
    return fallback[:1].lower() + fallback[1:], ""


def _not_a_number(key: str, value: object, *, whole: bool) -> tuple[str, str]:
    ending = next((end for end in sorted(_UNITS, key=len, reverse=True) if key.endswith(end)), "")
    unit = f" of {_NAMES[ending]}" if ending else ""
    text = f"must be a {'whole ' if whole else ''}number{unit}, without quotes or unit"
    if whole and isinstance(value, float):
        return text, f"Write {round(value)}." if abs(value) < 1e15 else ""
    if not isinstance(value, str):
        return text, ""
    match = re.fullmatch(r"\s*(-?[0-9]{1,9}(?:[.,][0-9]{1,9})?)\s*([A-Za-z]*)\s*", value)
    if match is None:
        return text, ""
    number = float(match.group(1).replace(",", "."))
    factor = _UNITS.get(ending, {}).get(match.group(2).lower()) if match.group(2) else 1
    return text, "" if factor is None else f"Write {_number(round(number * factor, 9))}."
