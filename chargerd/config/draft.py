"""Draft: a configuration that a program proposes, as the TOML text that a person would have written. Nothing is checked here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from chargerd.config.base import Credential

Value = str | int | float | bool | list[str] | list[dict[str, str]] | Credential
WIDTH = 118


class Part(Struct, frozen=True):
    """One table: ``[device.shed]`` and its keys. ``above`` is said before it, ``below`` after it; both as comments."""

    kind: str
    name: str
    keys: Mapping[str, Value]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def text(head: Iterable[str], parts: Iterable[Part]) -> str:
    """The file."""
    blocks = ["\n".join(line for said in head for line in comment(said)), *map(_block, parts)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def comment(said: str) -> list[str]:
    """A sentence as lines that begin with "#"; what a line break would make a setting stays a comment."""
    words = "".join(c if c.isprintable() else " " for c in said).split()
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"# {word}")
    return lines


def _block(part: Part) -> str:
    lines = [line for said in part.above for line in comment(said)]
    lines.append(f"[{part.kind}.{_key(part.name)}]" if part.name else f"[{part.kind}]")
    lines += [f"{_key(key)} = {value(each)}" for key, each in part.keys.items()]
    lines += [line for said in part.below for line in comment(said)]
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def value(of: Value) -> str:
    """A value as TOML writes it. Infinity and NaN are programmer errors."""
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, str):
        return _quoted(of)
    if isinstance(of, Credential):
        return f"{{ credential = {_quoted(of.credential)} }}"
    if isinstance(of, list):
        return f"[ {', '.join(map(_item, of))} ]" if of else "[]"
    assert math.isfinite(of)
    return f"{of:.10g}"


def _item(of: str | dict[str, str]) -> str:
    if isinstance(of, str):
        return _quoted(of)
    return f"{{ {', '.join(f'{_key(key)} = {_quoted(each)}' for key, each in of.items())} }}"


def _quoted(plain: str) -> str:
    # JSON's escapes are TOML's, but for one character that only TOML wants escaped.
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def name_for(wanted: str, taken: Iterable[str]) -> str:
    """A name that can be typed at a prompt, after what somebody calls it, and that nobody else has."""
    known = {name.casefold() for name in taken}
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).strip("-.")[:36] or "plug"
    if plain.casefold() not in known:
        return plain
    return next(name for n in range(2, len(known) + 3) if (name := f"{plain}-{n}").casefold() not in known)
