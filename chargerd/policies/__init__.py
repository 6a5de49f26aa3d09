"""Policies: how one loadpoint should charge. Pure functions from what is seen to what is wanted; this page lists them by name."""

from __future__ import annotations

from collections.abc import Callable

from chargerd.model.decision import Decision, Memory, View
from chargerd.policies import off, threshold

Policy = Callable[[View, Memory], Decision]

POLICIES: dict[str, Policy] = {"off": off.decide, "threshold": threshold.decide}
BY_MODE = {"off": "off", "fast": "threshold"}
"""The policy that a mode means on a charger that can only be switched."""
