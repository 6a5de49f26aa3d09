"""Decision: what a policy sees of its loadpoint, and what it answers."""

from __future__ import annotations

from msgspec import Struct

from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import LoadpointSettings, Scalar
from chargerd.model.state import Charger, Session

Memory = dict[str, Scalar]
"""What a policy remembers from one decision to the next. Small, and never changed in place."""


class View(Struct, frozen=True, gc=False):
    """One loadpoint as its policy sees it. ``t_ms`` is the engine's clock: it runs with the monotonic one and never jumps.

    ``charger`` is None until the charger has been read; ``session`` is None when nothing is to be charged.
    """

    t_ms: int
    settings: LoadpointSettings
    charger: Charger | None
    session: Session | None


class Decision(Struct, frozen=True, gc=False):
    """A wish with its reason. ``outcome`` ends the session. ``final`` wishes are not held back by minimum on time.

    ``wake_ms`` is when to look again even if nothing happens, on the engine's clock. ``near`` asks for the fast reading pace.
    """

    wish: SetPoint
    reason: Reason
    memory: Memory
    outcome: str | None = None
    final: bool = False
    wake_ms: int | None = None
    near: bool = False
