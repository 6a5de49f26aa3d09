"""Off: nothing is wanted."""

from __future__ import annotations

from chargerd.model.decision import Decision, Memory, View
from chargerd.model.events import Reason, SetPoint


def decide(view: View, memory: Memory) -> Decision:
    """Off, at once and without regard to minimum on time: a person wants it so."""
    return Decision(SetPoint(enabled=False), Reason("mode-off"), {}, final=True)
