"""Decision: what a policy sees of its loadpoint, and what it answers."""

from __future__ import annotations

import math

from msgspec import Struct

from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import LoadpointSettings, Scalar
from chargerd.model.state import Charger, Session, Sun

Memory = dict[str, Scalar]
"""What a policy remembers from one decision to the next. Small, and never changed in place."""


class Supply(Struct, frozen=True, gc=False):
    """What an EVSE can offer to the vehicle on it: currents per phase, in A, and on how many phases.

    ``choices`` are the numbers of phases that we may choose from, smallest first; one only where there is no choice.
    ``now`` is the one in use. ``used`` says for each choice on how many phases the vehicle really draws.
    ``rests_until_ms`` is when phases may be changed again, on the engine's clock; None: at once.
    """

    min_a: float
    max_a: float
    step_a: float
    choices: tuple[int, ...]
    used: tuple[int, ...]
    now: int
    voltage_v: float
    rests_until_ms: int | None = None

    def power_w(self, current_a: float, phases: int) -> float:
        """Power that the vehicle takes when it is offered this current on so many phases."""
        return current_a * self.voltage_v * self.used[self.choices.index(phases)]

    def current_a(self, power_w: float, phases: int) -> float:
        """The largest current whose power does not exceed this, in whole steps; may be below the smallest."""
        per_a_w = self.power_w(1.0, phases)
        return math.floor(power_w / per_a_w / self.step_a + 1e-6) * self.step_a

    @property
    def min_w(self) -> float:
        """The least power that can be had now."""
        return self.power_w(self.min_a, self.choices[0] if self.rests_until_ms is None else self.now)

    @property
    def max_w(self) -> float:
        """The most power that can be had now."""
        return self.power_w(self.max_a, self.choices[-1] if self.rests_until_ms is None else self.now)


class View(Struct, frozen=True, gc=False):
    """One loadpoint as its policy sees it. ``t_ms`` is the engine's clock: it runs with the monotonic one and never jumps.

    ``charger`` is None until the charger has been read; ``session`` is None when nothing is to be charged. ``supply`` is an
    EVSE's. ``soc_pct`` is the house battery's level, None if there is none or it is not known. ``cloudy``: production jumps
    about. ``settled``: grid and charger have been read since the last set-point took effect. ``inside``: in hours that matter
    to the mode, see each policy. ``rival``: a loadpoint that is charged fast at this moment, "" for none.
    ``outside``: of all hours that it has. ``observing``: not every device has been heard since the start.
    """

    t_ms: int
    settings: LoadpointSettings
    charger: Charger | None
    session: Session | None
    mode: str = "fast"
    supply: Supply | None = None
    sun: Sun | None = None
    soc_pct: float | None = None
    has_storage: bool = False
    cloudy: bool = False
    settled: bool = True
    inside: bool = True
    rival: str = ""
    outside: bool = False
    observing: bool = False


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
