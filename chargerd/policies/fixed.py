"""Fixed: charge at a set current, whatever the sun does. Modes "slow" and "fast"."""

from __future__ import annotations

from chargerd.model.decision import Decision, Memory, View
from chargerd.model.events import Reason, SetPoint


def decide(view: View, memory: Memory) -> Decision:
    """The slow current or the largest one, at once: a person wants it so, and no minimum time holds it back."""
    supply = view.supply
    if view.charger is None or supply is None:
        return Decision(SetPoint(), Reason("no-reading"), memory)
    if view.session is None:
        return Decision(SetPoint(enabled=False), Reason("no-vehicle"), {}, final=True)
    current_a = (
        supply.max_a if view.mode == "fast" else min(max(view.settings.slow_current_a, supply.min_a), supply.max_a)
    )
    phases = supply.choices[-1] if len(supply.choices) > 1 else None
    code = "charging-fast" if view.mode == "fast" else "charging-slow"
    reason = Reason(code, {"current_a": current_a}, (view.charger.seq,))
    return Decision(SetPoint(enabled=True, current_a=current_a, phases=phases), reason, memory, final=True)
