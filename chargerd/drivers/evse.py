"""Evse: what the drivers of EVSEs have in common: which currents a device takes, and how its answers are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chargerd.drivers.base import UnexpectedAnswer

MIN_CURRENT_A = 6.0  # IEC 61851-1: the least that a pilot signal can offer
_ROUNDING = 1e-6  # 12.3 / 0.1 is a hair below 123


def stepped(name: str, current_a: float, *, step_a: float, low_a: float, high_a: float) -> float:
    """The current in whole steps, never more than asked for. Raises UnexpectedAnswer if the device cannot offer it."""
    steps = math.floor(current_a / step_a + _ROUNDING) if math.isfinite(current_a) else 0
    rounded_a = round(steps * step_a, 3)
    if not low_a <= rounded_a <= high_a:
        raise UnexpectedAnswer(f"{name} takes {low_a:g} to {high_a:g} A; {current_a:g} A was not sent")
    return rounded_a


class Fields:
    """A JSON object from a device. What is not in it is None; what is of another kind is refused by its name."""

    def __init__(self, body: dict[str, Any], refuse: Callable[[str], UnexpectedAnswer], path: str = "") -> None:
        self._body = body
        self._refuse = refuse
        self._path = path

    def part(self, key: str) -> Fields:
        """The object under ``key``. Raises UnexpectedAnswer if there is none."""
        value = self._body.get(key)
        if not isinstance(value, dict):
            raise self._refuse(f"gave an answer without {self._path}{key}")
        return Fields(value, self._refuse, f"{self._path}{key}.")

    def has(self, key: str) -> bool:
        """Whether there is anything under ``key``."""
        return self._body.get(key) is not None

    def number(self, key: str) -> float | None:
        """A number; None if the device gives none, or one that is not finite."""
        return self._checked(key, self._body.get(key))

    def whole(self, key: str) -> int | None:
        """A whole number."""
        value = self.number(key)
        return None if value is None else int(value)

    def flag(self, key: str) -> bool | None:
        """Yes or no, written as true, false, 1 or 0."""
        value = self._body.get(key)
        if isinstance(value, bool):
            return value
        number = self.number(key)
        return None if number is None else number != 0

    def text(self, key: str) -> str:
        """A text, or a number as text; "" if there is none."""
        value = self._body.get(key)
        return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""

    def texts(self, key: str) -> list[str]:
        """A list of texts or numbers, as texts; empty if there is none."""
        values = self._body.get(key)
        return [str(value) for value in values] if isinstance(values, list) else []

    def three(self, key: str) -> tuple[float | None, float | None, float | None]:
        """A list with one number a phase."""
        values = self._body.get(key)
        if values is None:
            return (None, None, None)
        if not isinstance(values, list) or len(values) != 3:
            raise self._refuse(f"gave {self._path}{key} that is no list of three")
        first, second, third = (self._checked(key, value) for value in values)
        return (first, second, third)

    def _checked(self, key: str, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refuse(f"gave {self._path}{key} that is no number")
        return float(value) if math.isfinite(value) else None


def times(value: float | None, factor: float) -> float | None:
    """The value in another unit; unknown stays unknown."""
    return None if value is None else round(value * factor, 3)
