"""Learn: from the power of one full charge to a profile, with what speaks for it and what does not."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from chargerd.engine.shape import Finding, Point, Shape, Unusable, shape_of
from chargerd.model.settings import Profile

NOMINAL_REST = 0.08
"""Nominal ends with this part of the pack's content still to come: about 92 %, where S0's author found 80 W on one make (93 %)
and 70 to 90 W on another (90 to 94 %)."""
NOMINAL_SHARE = 0.57
"""… and, where the content is not known, at this share of the way down from plateau to tail."""
NOMINAL_REST_COUNTED = 0.05  # … but not above 95 % of what this very charge took
NOMINAL_LEAST, NOMINAL_MOST = 0.4, 0.68
"""Shares of the plateau between which nominal stays. An empty pack draws about 3.1/4.2 of what it draws at the knee, and must not
be taken for one that is nearly full; below 0.4 nominal would be hardly less than full."""
START_SHARE = 0.72  # a pack that draws less at its start is full enough; an empty one draws more
FULL_SHARE = 0.08  # of the plateau; S0's author found 98 to 100 % below 5 to 10 W of 103 W
TAIL_SHARE, TAIL_W = 0.2, 1.5  # a cut-off lies so far above the tail, or its noise keeps the charge going
MARGIN_SHARE = 0.15
RESERVE = 1.25  # time limits and power limits over what was seen
COARSE_S = 120.0
SHORT_PLATEAU_S = 1200.0
SHORT_TAIL_MIN = 8.0
NEVER_FULL_H = Profile("").never_full_h
LONGEST_H = Profile("").time_limit_s / 3600


class Known(Struct, frozen=True, gc=False):
    """What is known of the pack from elsewhere. ``from_pct`` is the level at which the charge began."""

    capacity_ah: float | None = None
    voltage_v: float = 48.0
    efficiency: float | None = None
    from_pct: float | None = None

    @property
    def content_wh(self) -> float | None:
        """Nominal content of the pack, by its label."""
        return None if self.capacity_ah is None else self.capacity_ah * self.voltage_v


UNKNOWN = Known()


class Lesson(Struct, frozen=True, gc=False):
    """What one charge teaches. Without a ``profile`` nothing does, and ``fault`` says why.

    ``nominal_pct`` and ``full_pct`` are the levels at which the cut-offs fall, estimated; None if the content is not known.
    """

    fault: Finding | None = None
    doubts: tuple[Finding, ...] = ()
    shape: Shape | None = None
    profile: Profile | None = None
    nominal_t_s: float = 0.0
    full_t_s: float = 0.0
    nominal_wh: float = 0.0
    full_wh: float = 0.0
    nominal_pct: float | None = None
    full_pct: float | None = None

    @property
    def confidence(self) -> str:
        """high, medium, low or none."""
        return "none" if self.profile is None else ("high", "medium", "medium", "low")[min(3, len(self.doubts))]


def learn(points: Sequence[Point], name: str, known: Known = UNKNOWN, source: str = "") -> Lesson:
    """The profile that a charge proposes. Readings in the order of time, from the grant to the end of the charge."""
    try:
        shape = shape_of(points)
        return _proposed(shape, name, known, source)
    except Unusable as unusable:
        return Lesson(fault=unusable.finding)


def _proposed(shape: Shape, name: str, known: Known, source: str) -> Lesson:
    doubts: list[Finding] = []
    socket_wh, efficiency = _content(shape, known, doubts)
    full_w = _full_w(shape)
    stop_w, start_w = _nominal(shape, socket_wh, full_w)
    full_t_s, stop_t_s = shape.falls_to(full_w), shape.falls_to(stop_w)
    full_wh, stop_wh = shape.energy_at(full_t_s), shape.energy_at(stop_t_s)
    margin_w = _round(max(5.0, MARGIN_SHARE * shape.peak_w))
    near_h = (full_t_s - shape.falls_to(full_w + margin_w)) / 3600
    profile = Profile(
        name,
        source,
        nominal_start_w=start_w,
        nominal_stop_w=stop_w,
        full_w=full_w,
        storage_start_w=stop_w,
        storage_stop_w=stop_w,
        margin_w=margin_w,
        idle_w=min(3.0, max(0.1, round(shape.idle_w / 2, 1))),
        capacity_ah=known.capacity_ah,
        voltage_v=known.voltage_v,
        efficiency=efficiency,
        max_power_w=_round(RESERVE * shape.peak_w),
        max_energy_wh=None if socket_wh is None or known.capacity_ah is not None else _round(1.3 * socket_wh),
        max_h=_hours(shape, socket_wh),
        never_full_h=max(NEVER_FULL_H, round(2 * near_h, 1)),
    )
    _look_at(shape, doubts)
    levels = (None, None) if socket_wh is None else _levels(shape, socket_wh, stop_wh, full_wh)
    return Lesson(None, tuple(doubts), shape, profile, stop_t_s, full_t_s, stop_wh, full_wh, *levels)


def _content(shape: Shape, known: Known, doubts: list[Finding]) -> tuple[float | None, float]:
    """What a whole charge takes from the socket, and the charger's efficiency, as far as they are known."""
    content_wh, usual = known.content_wh, Profile("").efficiency
    counted_wh = shape.energy_at(shape.full_t_s)
    if known.from_pct is not None:
        socket_wh = counted_wh / (1 - known.from_pct / 100)
        if content_wh is None:
            return socket_wh, known.efficiency or usual
        efficiency = round(content_wh / socket_wh, 2)
        if 0.6 <= efficiency <= 1.0:
            return socket_wh, efficiency
        doubts.append(
            Finding(
                "content-differs",
                f"from {known.from_pct:g} % it took {counted_wh:.0f} Wh, which does not fit a pack of {content_wh:.0f} Wh:"
                " the pack has aged, or one of the two figures is wrong",
            )
        )
        return socket_wh, known.efficiency or usual
    if content_wh is not None:
        efficiency = known.efficiency or usual
        if counted_wh > 1.15 * content_wh / efficiency:
            doubts.append(
                Finding(
                    "content-differs", f"it took {counted_wh:.0f} Wh, more than a pack of {content_wh:.0f} Wh can take"
                )
            )
            return counted_wh, efficiency
        return content_wh / efficiency, efficiency
    doubts.append(
        Finding(
            "content-unknown",
            f"the pack's content is not known, and this charge took {counted_wh:.0f} Wh of it: levels in percent, the energy limit"
            " and the longest time cannot be worked out",
        )
    )
    return None, known.efficiency or usual


def _full_w(shape: Shape) -> float:
    """Below the taper, above the tail and its noise."""
    full_w = FULL_SHARE * shape.peak_w
    if shape.tail_w is not None:
        full_w = max(full_w, shape.tail_w + max(TAIL_W, TAIL_SHARE * shape.tail_w))
    if full_w > 0.3 * shape.peak_w:
        raise Unusable(
            "tail-high",
            f"a full pack still draws {shape.tail_w:.0f} W of {shape.peak_w:.0f} W: full cannot be told from nearly full",
        )
    return _round(full_w)


def _nominal(shape: Shape, socket_wh: float | None, full_w: float) -> tuple[float, float]:
    """Stop and start power for nominal."""
    least_w, most_w = NOMINAL_LEAST * shape.peak_w, min(NOMINAL_MOST * shape.peak_w, 0.95 * shape.low_w)
    base_w = shape.tail_w or 0.0
    counted_wh = shape.energy_at(shape.full_t_s)
    stop_w = base_w + NOMINAL_SHARE * (shape.peak_w - base_w)
    if socket_wh is None:  # the pack holds at least what was counted
        stop_w = max(stop_w, shape.power_before(NOMINAL_REST_COUNTED * counted_wh))
    else:
        stop_w = shape.power_before(NOMINAL_REST * socket_wh)
    stop_w = _round(max(min(max(stop_w, least_w), most_w), full_w + 1))
    return stop_w, max(stop_w, _round(min(START_SHARE * shape.peak_w, 0.95 * shape.low_w)))


def _hours(shape: Shape, socket_wh: float | None) -> float | None:
    """Longest time from empty with a reserve; None leaves the built-in limit."""
    seen_h = RESERVE * shape.seconds / 3600
    if socket_wh is None:
        return None if seen_h <= LONGEST_H else float(_whole_up(seen_h))
    knee_wh = shape.energy_at(shape.full_t_s) - shape.energy_at(shape.knee_t_s)
    plateau_h = max(0.0, socket_wh - knee_wh) / (0.87 * shape.peak_w)  # an empty pack draws less: mean of 0.74 and 1
    taper_h = (shape.looks[-1][0] - shape.knee_t_s) / 3600
    return float(_whole_up(max(seen_h, RESERVE * (plateau_h + taper_h))))


def _levels(shape: Shape, socket_wh: float, stop_wh: float, full_wh: float) -> tuple[float, float]:
    end_wh = shape.energy_at(shape.full_t_s) if shape.tail_w is not None else shape.total_wh
    nominal_pct, full_pct = (100 * (1 - max(0.0, end_wh - wh) / socket_wh) for wh in (stop_wh, full_wh))
    return nominal_pct, full_pct


def _look_at(shape: Shape, doubts: list[Finding]) -> None:
    """What makes the curve less sure."""
    if shape.step_s > COARSE_S:
        doubts.append(
            Finding("coarse", f"readings are {shape.step_s / 60:.0f} min apart; powers are interpolated between them")
        )
    if shape.lost:
        minutes = sum(b - a for a, b in shape.lost) / 60
        doubts.append(Finding("gaps", f"{minutes:.0f} min have no readings; their energy is estimated"))
    if shape.knee_t_s - shape.looks[0][0] < SHORT_PLATEAU_S:
        minutes = (shape.knee_t_s - shape.looks[0][0]) / 60
        doubts.append(
            Finding("short-plateau", f"only {minutes:.0f} min of the plateau are in it; its power may be higher")
        )
    tail_min = (shape.looks[-1][0] - shape.full_t_s) / 60
    if shape.tail_w is not None and tail_min < SHORT_TAIL_MIN:
        doubts.append(
            Finding(
                "short-tail", f"only {tail_min:.0f} min of the tail are in it; what a full pack draws may still rise"
            )
        )
    if shape.tail_w is None:
        doubts.append(
            Finding(
                "no-tail",
                f"power was still falling at its end ({shape.looks[-1][1]:.1f} W); what a full pack draws is not in it",
            )
        )


def _whole_up(value: float) -> int:
    return -int(-value // 1)


def _round(value: float) -> float:
    """As people write it: whole watts above 20, halves below, tenths below 5."""
    if value >= 20:
        return float(round(value))
    return round(value * 2) / 2 if value >= 5 else round(value, 1)
