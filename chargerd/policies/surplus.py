"""Surplus: charge with what the sun leaves over. Modes "solar" (pauses without it) and "min-solar" (never below the least).

Down follows the share at once, up follows the least share of the last minute, so that a cloud's edge moves nothing twice.
A pause is decided by energy: charging at the smallest current may borrow so much, which sun that comes back pays back. A bare
timer would pause for a thin cloud that lasts and charge on through a thick one that does not.
"""

from __future__ import annotations

from msgspec import structs

from chargerd.model.decision import Decision, Memory, Supply, View
from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import LoadpointSettings, Scalar
from chargerd.model.state import Charger, Sun

RISE_S = 60.0  # a share must have been there for so long before more is offered
CLOUDY_RISE_S = 90.0  # while production jumps about
DOWN_WH = 15.0  # of three phases borrow no more than this before one does
SOC_MARGIN_PCT = 5.0  # a house battery may fall this far below the level from which its owner charges with sun
WORTH_A = 0.3  # less than this more is not worth a command
UP_WAIT_S = 60.0
MEAN_S = 300.0  # a start rests on the mean share of so long, not on one hole in the clouds
HOPE = 0.35  # with less than this part of the least on average, the sun has gone for longer …
HOPELESS_SHARE = 0.5  # … and only half as much is borrowed
CHANGE_S = 180.0  # a change of phases takes no longer: pause, switch, begin

OFF = SetPoint(enabled=False)


def decide(view: View, memory: Memory) -> Decision:
    """What is offered to the vehicle at this moment."""
    charger, supply, sun = view.charger, view.supply, view.sun
    if charger is None or supply is None:
        return Decision(SetPoint(), Reason("no-reading"), memory)
    if view.session is None:
        return Decision(OFF, Reason("no-vehicle"), {}, final=True)
    running = charger.enabled is True
    least = view.mode == "min-solar"
    if sun is None or sun.share_w is None:
        if view.observing and running:  # a restart is no reason to pause: in a moment it is known
            return Decision(_as_is(charger, supply), Reason("observing"), memory)
        values: dict[str, Scalar] = {"meter": "" if sun is None else sun.missing, "loadpoint": view.settings.name}
        if least:
            return _offer(supply, supply.min_a, supply.now, Reason("least-without-meter", values), memory)
        return Decision(OFF, Reason("sun-unknown", values), memory, final=True)
    if not view.settled and running:
        return Decision(_as_is(charger, supply), _seen("settling", view, sun, charger), memory)
    changing = _changing(view, supply, memory)
    if changing is not None:
        return changing
    memory = {}
    if not running:
        return _begin(view, supply, sun, memory, least=least)
    return _go_on(view, supply, sun, charger, memory, least=least)


def _changing(view: View, supply: Supply, memory: Memory) -> Decision | None:
    """A change of phases that was begun is brought to its end, whatever the sun does meanwhile."""
    phases, since_ms = memory.get("phases"), memory.get("since_t_ms")
    if not isinstance(phases, int) or not isinstance(since_ms, int) or view.t_ms - since_ms > CHANGE_S * 1000:
        return None
    charger, sun = view.charger, view.sun
    done = charger is not None and charger.enabled is True and supply.now == phases
    if done or phases not in supply.choices or sun is None or sun.share_w is None:
        return None
    current_a = supply.current_a(sun.share_w, phases)
    reason = Reason("changing-phases", {"phases": phases})
    return structs.replace(_offer(supply, current_a, phases, reason, memory), final=True)


def _begin(view: View, supply: Supply, sun: Sun, memory: Memory, *, least: bool) -> Decision:
    share_w = sun.share_w or 0.0
    phases = _phases_to_begin(view, supply, sun)
    if least:
        current_a = max(supply.min_a, supply.current_a(share_w, phases))
        return _offer(supply, current_a, phases, Reason("charging-least", {"share_w": share_w}), memory)
    held = _house_first(view, view.settings.min_storage_pct)
    if held is not None:
        return Decision(OFF, held, memory)
    if sun.waits_for:
        return Decision(OFF, Reason("waiting-for-other", {"other": sun.waits_for}), memory)
    needed: dict[str, Scalar] = {"share_w": share_w, "needed_w": supply.min_w, "loadpoint": view.settings.name}
    if sun.enough_t_ms is None:
        return Decision(OFF, Reason("waiting-for-sun", needed), memory)
    ready_ms = sun.enough_t_ms + round(view.settings.start_delay_s * 1000)
    if view.t_ms < ready_ms:
        delayed = {**needed, "for_s": (view.t_ms - sun.enough_t_ms) / 1000, "delay_s": view.settings.start_delay_s}
        return Decision(OFF, Reason("sun-enough", delayed), memory, wake_ms=ready_ms)
    mean_w = _mean_w(sun, view.t_ms)
    if mean_w < supply.min_w:
        return Decision(OFF, Reason("sun-on-average", {**needed, "mean_w": mean_w, "over_s": MEAN_S}), memory)
    current_a = supply.current_a(share_w, phases)
    return _offer(supply, current_a, phases, Reason("charging-with-sun", needed), memory)


def _phases_to_begin(view: View, supply: Supply, sun: Sun) -> int:
    """One phase where it may be chosen, unless there has been enough for all of them; as they are while they rest."""
    most = supply.choices[-1]
    enough = sun.up_t_ms is not None and view.t_ms - sun.up_t_ms >= view.settings.start_delay_s * 1000
    if supply.rests_until_ms is not None:
        return supply.now
    return most if len(supply.choices) == 1 or enough else supply.choices[0]


def _go_on(view: View, supply: Supply, sun: Sun, charger: Charger, memory: Memory, *, least: bool) -> Decision:
    share_w, now = sun.share_w or 0.0, supply.now
    held = None if least else _house_first(view, view.settings.min_storage_pct - SOC_MARGIN_PCT)
    if held is not None:
        return Decision(OFF, held, memory)
    phases = _better_phases(view, supply, sun, least=least)
    if phases != now and supply.rests_until_ms is None:
        change: Memory = {"phases": phases, "since_t_ms": view.t_ms}
        code = "more-phases" if phases > now else "fewer-phases"
        return _offer(supply, supply.current_a(share_w, phases), phases, _seen(code, view, sun, charger), change)
    if not least and given_up(sun, supply, view.settings, view.t_ms):
        return Decision(OFF, _seen("sun-gone", view, sun, charger), memory)
    offered_a = charger.offers_a(charger.t_ms) or supply.min_a
    down_a = supply.current_a(share_w, now)
    up_a = supply.current_a(_sustained_w(sun, view.t_ms, CLOUDY_RISE_S if view.cloudy else RISE_S), now)
    up_a = up_a if up_a - offered_a >= WORTH_A else offered_a
    current_a = min(down_a, max(offered_a, up_a))
    least_code = "charging-least" if least else "carried-over"
    held_back = view.cloudy and down_a > offered_a >= current_a
    code = least_code if current_a < supply.min_a else "cloudy" if held_back else "charging-with-sun"
    return _offer(supply, current_a, now, _seen(code, view, sun, charger), memory)


def given_up(sun: Sun, supply: Supply, settings: LoadpointSettings, t_ms: int) -> bool:
    """Whether a charge has borrowed all that it may; half of that where the sun has gone for longer."""
    share = HOPELESS_SHARE if hopeless(sun, supply, t_ms) else 1.0
    return sun.borrowed_wh >= settings.borrow_wh * share


def hopeless(sun: Sun, supply: Supply, t_ms: int) -> bool:
    """Whether the sun has gone for longer: not even the fewest phases would do, and no change to them is worth it."""
    return _mean_w(sun, t_ms) < HOPE * supply.power_w(supply.min_a, supply.choices[0])


def _better_phases(view: View, supply: Supply, sun: Sun, *, least: bool) -> int:
    """How many phases suit the share: fewer once some energy was borrowed for all of them, more when there is plenty."""
    share_w, now = sun.share_w or 0.0, supply.now
    borrowed = (sun.borrowed_wh >= DOWN_WH and not hopeless(sun, supply, view.t_ms)) or least
    if now > supply.choices[0] and borrowed and share_w < supply.power_w(supply.min_a, now):
        return supply.choices[0]
    plenty = sun.up_t_ms is not None and view.t_ms - sun.up_t_ms >= UP_WAIT_S * 1000
    return supply.choices[-1] if plenty else now


def _house_first(view: View, from_pct: float) -> Reason | None:
    """Whether the house battery is too low for charging with sun here."""
    if view.settings.min_storage_pct <= 0 or not view.has_storage:
        return None
    if view.soc_pct is not None and view.soc_pct >= from_pct:
        return None
    values = {"soc_pct": view.soc_pct, "min_pct": view.settings.min_storage_pct, "loadpoint": view.settings.name}
    return Reason("house-battery-first", values)


def _sustained_w(sun: Sun, t_ms: int, window_s: float) -> float:
    return min(power_w for at, power_w in sun.recent if at >= t_ms - window_s * 1000)


def _mean_w(sun: Sun, t_ms: int) -> float:
    """The share's mean over the last minutes: what a start, which costs a contactor's life, can count on."""
    shares = [power_w for at, power_w in sun.recent if at >= t_ms - MEAN_S * 1000]
    return sum(shares) / len(shares)


def _as_is(charger: Charger, supply: Supply) -> SetPoint:
    evse = charger.evse
    asked_a = None if evse is None else evse.asked_a
    return SetPoint(
        enabled=True,
        current_a=asked_a or charger.offers_a(charger.t_ms) or supply.min_a,
        phases=_told(supply, supply.now),
    )


def _told(supply: Supply, phases: int) -> int | None:
    return phases if len(supply.choices) > 1 else None


def _offer(supply: Supply, current_a: float, phases: int, reason: Reason, memory: Memory) -> Decision:
    bounded_a = round(min(max(current_a, supply.min_a), supply.max_a), 3)
    return Decision(SetPoint(enabled=True, current_a=bounded_a, phases=_told(supply, phases)), reason, memory)


def _seen(code: str, view: View, sun: Sun, charger: Charger) -> Reason:
    values: dict[str, Scalar] = {
        "share_w": sun.share_w,
        "power_w": charger.power_w,
        "borrowed_wh": sun.borrowed_wh,
        "borrow_wh": view.settings.borrow_wh,
        "loadpoint": view.settings.name,
    }
    return Reason(code, values, (charger.seq,))
