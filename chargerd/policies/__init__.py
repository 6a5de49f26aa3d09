"""Policies: how one loadpoint should charge. Pure functions from what is seen to what is wanted; this page lists them by name."""

from __future__ import annotations

from collections.abc import Callable

from chargerd.model.decision import Decision, Memory, View
from chargerd.policies import consumer, fixed, off, surplus, threshold

Policy = Callable[[View, Memory], Decision]

POLICIES: dict[str, Policy] = {
    "off": off.decide,
    "threshold": threshold.decide,
    "surplus": surplus.decide,
    "fixed": fixed.decide,
    "consumer": consumer.decide,
}
BY_MODE: dict[str, dict[str, str]] = {
    "battery": {"off": "off", "fast": "threshold"},
    "evse": {"off": "off", "solar": "surplus", "min-solar": "surplus", "slow": "fixed", "fast": "fixed"},
    "consumer": {"off": "off", "solar": "consumer", "fast": "consumer"},
}
"""The policy that a mode means at a loadpoint of a kind."""
