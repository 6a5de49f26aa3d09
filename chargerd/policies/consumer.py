"""Consumer: a plug that takes what is left over: a heating rod, a pump, a charger that asks no questions. Rows of S1's plug.

On when what is free is enough and the house battery is full enough, off when it is not; on in any case in its own hours.
"""

from __future__ import annotations

from chargerd.model.decision import Decision, Memory, View
from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import Scalar

BACKED_FROM_PCT = 99.0  # a house battery this full helps along … (S1)
BACKED_TO_PCT = 94.0  # … until it is down to this
BACKED_SHARE = 0.55  # and then so much of the surplus is enough
NOTHING_W = 1.0  # a plug that is on and takes less has no consumer that wants anything
AGAIN_S = 3600  # without hours of its own it is tried again after so long
LOOK_S = 120.0  # a consumer has so long to begin

ON = SetPoint(enabled=True)
OFF = SetPoint(enabled=False)


def decide(view: View, memory: Memory) -> Decision:
    """Whether it may run now. ``view.inside``: in the hours in which it runs whatever the sun does."""
    charger = view.charger
    if view.mode == "fast":
        return Decision(ON, Reason("switched-on"), {}, final=True)
    if charger is None:
        return Decision(SetPoint(), Reason("no-reading"), memory)
    if view.rival:
        return Decision(OFF, Reason("other-charges-fast", {"other": view.rival}), {}, final=True)
    sated_ms = memory.get("sated_t_ms")
    if isinstance(sated_ms, int) and not view.outside:  # its next hours are another day
        again_ms = sated_ms + AGAIN_S * 1000
        if view.settings.windows or view.t_ms < again_ms:
            wake_ms = None if view.settings.windows else again_ms
            return Decision(OFF, Reason("consumer-sated"), memory, final=True, wake_ms=wake_ms)
    on_s = (view.t_ms - charger.enabled_t_ms) / 1000
    if charger.enabled and charger.power_w is not None and charger.power_w < NOTHING_W and on_s >= LOOK_S:
        return Decision(OFF, Reason("consumer-sated"), {"sated_t_ms": view.t_ms}, final=True)
    if view.inside:
        return Decision(ON, Reason("in-its-hours"), memory, final=True)
    return _by_sun(view, memory, running=charger.enabled is True)


def _by_sun(view: View, memory: Memory, *, running: bool) -> Decision:
    settings, sun = view.settings, view.sun
    if sun is None or sun.share_w is None:
        if view.observing and running:
            return Decision(ON, Reason("observing"), memory)
        values: dict[str, Scalar] = {"meter": "" if sun is None else sun.missing, "loadpoint": settings.name}
        return Decision(OFF, Reason("sun-unknown", values), {}, final=True)
    values = {
        "share_w": sun.share_w,
        "needed_w": settings.on_above_w,
        "soc_pct": view.soc_pct,
        "loadpoint": settings.name,
    }
    backed = _backed(view, bool(memory.get("backed")))
    needed_w = settings.on_above_w * (BACKED_SHARE if backed else 1.0)
    kept: Memory = {"backed": True} if backed else {}
    if settings.min_storage_pct > 0 and view.has_storage and not (view.soc_pct or 0.0) > settings.min_storage_pct:
        return Decision(OFF, Reason("house-battery-first", {**values, "min_pct": settings.min_storage_pct}), {})
    if sun.waits_for:
        return Decision(OFF, Reason("waiting-for-other", {"other": sun.waits_for}), kept)
    if settings.on_above_w > 0 and sun.share_w < needed_w:
        return Decision(OFF, Reason("waiting-for-sun", {**values, "needed_w": needed_w}), kept)
    if not running and sun.enough_t_ms is not None and settings.on_above_w > 0:
        ready_ms = sun.enough_t_ms + round(settings.start_delay_s * 1000)
        if view.t_ms < ready_ms:
            waited = {"for_s": (view.t_ms - sun.enough_t_ms) / 1000, "delay_s": settings.start_delay_s}
            return Decision(OFF, Reason("sun-enough", {**values, **waited}), kept, wake_ms=ready_ms)
    return Decision(ON, Reason("running-on-storage" if backed else "running-with-sun", values), kept)


def _backed(view: View, before: bool) -> bool:
    """Whether the house battery helps: from nearly full on, and then down to a lower level."""
    if not view.settings.storage_backed or view.soc_pct is None:
        return False
    return view.soc_pct >= (BACKED_TO_PCT if before else BACKED_FROM_PCT)
