"""Shape: what the power of one charge looked like: its plateau, knee, taper and tail, and what spoils it as a lesson.

Times are seconds, powers watts at the socket, energies watt-hours at the socket. Nothing here knows a clock or a log.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from msgspec import Struct

BIN_S = 60.0  # dense readings are looked at a minute at a time, so that noise and inrush do not pass for a shape
RAMP_S = 900.0  # chargers with a soft start, and packs that are charged gently from empty, take so long to get going
KNEE = 0.97  # power has left its plateau when it stays below this share of the highest
JUMP = 0.08  # constant current creeps; what rises by more than this share of the plateau within two looks is something else
IDLE = 0.15  # below this share of the plateau nothing is charged in earnest: idle charger, full pack
BREAK = 0.3  # chargers end their taper by a step from here or below (seen: from 17 %); from above a pack was taken off
GLIDE = 0.08  # a taper that got down to this share of the plateau has reached its end even if it falls on
LOST_S = 900.0  # readings further apart do not follow a taper (the recorded ones have 10 min)
NOTHING_W = 3.0  # what an idle charger draws at most
FLAT_S = 600.0  # a tail that has kept to one level for so long is one
SHORT_S = 1800.0
FEWEST = 6  # looks between knee and end that make a taper


class Point(Struct, frozen=True, gc=False):
    """One reading: when, power, and whether the plug was on."""

    t_s: float
    power_w: float
    enabled: bool = True


class Finding(Struct, frozen=True, gc=False):
    """Something to know about a curve. ``text`` is the sentence for people."""

    code: str
    text: str


class Unusable(Exception):
    """A curve from which nothing can be learnt, and why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.finding = Finding(code, text)


class Shape(Struct, frozen=True, gc=False):
    """The parts of a charge. ``looks`` are (time, power) with noise taken out; energies count from the first reading.

    ``tail_w`` is the highest steady power of the tail, None if the taper glided down and was still falling at the end.
    ``low_w`` is the lowest power of the plateau: what an emptier pack draws. ``full_t_s`` is where the tail began, or the end.
    """

    looks: tuple[tuple[float, float], ...]
    energies_wh: tuple[float, ...]
    low_w: float
    peak_w: float
    knee_t_s: float
    full_t_s: float
    tail_w: float | None
    idle_w: float
    stepped: bool
    slope_w_per_min: float
    step_s: float
    lost: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """How long it took, from the first reading to the last."""
        return self.looks[-1][0] - self.looks[0][0]

    @property
    def total_wh(self) -> float:
        """Energy of it all."""
        return self.energies_wh[-1]

    def energy_at(self, t_s: float) -> float:
        """Energy taken up to a time."""
        times = [t for t, _ in self.looks]
        right = min(max(bisect_left(times, t_s), 1), len(times) - 1)
        (t_0, _), (t_1, _) = self.looks[right - 1], self.looks[right]
        share = min(1.0, max(0.0, (t_s - t_0) / (t_1 - t_0)))
        return self.energies_wh[right - 1] + share * (self.energies_wh[right] - self.energies_wh[right - 1])

    def falls_to(self, power_w: float) -> float:
        """When power fell below a level for good; the end if it did not."""
        (t_1, w_1), *before = reversed(self.looks)
        for t_0, w_0 in before:
            if w_0 >= power_w:
                return t_1 if w_1 >= w_0 or w_1 >= power_w else t_0 + (w_0 - power_w) / (w_0 - w_1) * (t_1 - t_0)
            t_1, w_1 = t_0, w_0
        return self.looks[0][0]

    def power_before(self, rest_wh: float) -> float:
        """The power at which so much energy was still to come until the tail, looked for between knee and tail."""
        wanted_wh = self.energy_at(self.full_t_s) - rest_wh
        falling = [(t, w, e) for (t, w), e in zip(self.looks, self.energies_wh, strict=True) if t >= self.knee_t_s]
        for (_, w_0, e_0), (_, w_1, e_1) in pairwise(falling):
            if e_0 <= wanted_wh <= e_1 and e_1 > e_0:
                return w_0 + (wanted_wh - e_0) / (e_1 - e_0) * (w_1 - w_0)
        return falling[0][1] if wanted_wh < falling[0][2] else falling[-1][1]


def shape_of(points: Sequence[Point]) -> Shape:
    """Find the parts of a charge. Raises `Unusable` with the reason if it is not one whole charge of one pack."""
    on = [point for point in points if point.enabled]
    looks = _looks(on) if on else []
    if max((w for _, w in looks), default=0.0) <= NOTHING_W:
        raise Unusable("no-power", "no power flowed")
    if looks[-1][0] - looks[0][0] < SHORT_S or len(looks) < FEWEST:
        minutes = (looks[-1][0] - looks[0][0]) / 60
        raise Unusable(
            "too-short", f"it lasted {minutes:.0f} min with {len(looks)} usable readings; a whole charge is needed"
        )
    _pauses(points)
    looks = _begun(looks)
    _rises(looks)
    _breaks(on, looks[0][0])
    peak_w = max(w for _, w in looks)
    knee = max(i for i, (_, w) in enumerate(looks) if w >= KNEE * peak_w)
    _ends(looks, knee, peak_w)
    step = _step(looks, knee, peak_w)
    tail = _steady(looks, peak_w) if step is None else step
    if tail is None and looks[-1][1] > GLIDE * peak_w:
        raise Unusable(
            "not-finished",
            f"it ended at {looks[-1][1]:.0f} W while power was still falling; the end of the charge is not in it",
        )
    full = len(looks) - 1 if tail is None else tail
    if full - knee < FEWEST:
        raise Unusable(
            "too-coarse", f"only {full - knee} readings lie between plateau and end; the taper cannot be seen"
        )
    lost = _lost(looks, knee, full, peak_w)
    dense = [point for point in on if tail is not None and point.t_s >= looks[tail][0]]
    tail_w = _high([point.power_w for point in dense]) if dense else None
    fall_min = (looks[full][0] - looks[knee][0]) / 60
    return Shape(
        looks=tuple(looks),
        energies_wh=_energies(looks),
        low_w=min(w for _, w in looks[: knee + 1]),
        peak_w=peak_w,
        knee_t_s=looks[knee][0],
        full_t_s=looks[full][0],
        tail_w=tail_w,
        idle_w=min(w for _, w in looks[full:]),
        stepped=step is not None,
        slope_w_per_min=(looks[knee][1] - looks[full - 1 if step is not None else full][1]) / fall_min,
        step_s=median(b.t_s - a.t_s for a, b in pairwise(on)),
        lost=lost,
    )


def _looks(points: Sequence[Point]) -> list[tuple[float, float]]:
    """One look a minute, the median of what was read in it; single readings of 0 W and inrush disappear."""
    bins: dict[int, list[Point]] = {}
    for point in points:
        bins.setdefault(int((point.t_s - points[0].t_s) // BIN_S), []).append(point)
    looks = [(sum(p.t_s for p in inside) / len(inside), median(p.power_w for p in inside)) for inside in bins.values()]
    return [
        (t, median((looks[i - 1][1], w, looks[i + 1][1])) if _lonely(looks, i) else w) for i, (t, w) in enumerate(looks)
    ]


def _lonely(looks: list[tuple[float, float]], i: int) -> bool:
    """Whether a look stands out from two neighbours that agree, all within a few minutes: a glitch of meter or network."""
    if not 0 < i < len(looks) - 1 or looks[i + 1][0] - looks[i - 1][0] > 3 * BIN_S:
        return False
    before, here, after = looks[i - 1][1], looks[i][1], looks[i + 1][1]
    apart = max(before, after) * JUMP
    return abs(before - after) <= apart < min(abs(here - before), abs(here - after))


def _begun(looks: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """From where the charger had got going: set-up, soft start and gentle charging of an empty pack left out."""
    early_w = max(w for t, w in looks if t - looks[0][0] <= RAMP_S)
    first = next(i for i, (_, w) in enumerate(looks) if w >= 0.9 * early_w)
    return looks[first:]


def _pauses(points: Sequence[Point]) -> None:
    """A plug that was off in the middle: the pack rested, and its power afterwards says something else."""
    on_s = [point.t_s for point in points if point.enabled]
    peak_w = max(point.power_w for point in points if point.enabled)
    drawing_s = [point.t_s for point in points if point.enabled and point.power_w > IDLE * peak_w]
    for point in points:
        if not point.enabled and drawing_s[0] + RAMP_S < point.t_s < on_s[-1]:
            back_s = next(t for t in on_s if t > point.t_s)
            raise Unusable(
                "interrupted",
                f"the plug was off for {max(1, round((back_s - point.t_s) / 60))} min in the middle of it",
            )


def _breaks(on: Sequence[Point], begin_s: float) -> None:
    """Power that was gone for more than one reading and came back as high: too short for a look a minute to show.

    Pauses near the end do not count: some packs balance themselves that way.
    """
    peak_w = max(point.power_w for point in on)
    gone: list[Point] = []
    before_w = 0.0
    for point in on:
        if point.power_w < IDLE * peak_w:
            gone.append(point)
            continue
        if len(gone) > 1 and gone[0].t_s > begin_s and min(before_w, point.power_w) > peak_w / 2:
            after_min, lasted_s = (gone[0].t_s - on[0].t_s) / 60, point.t_s - gone[0].t_s
            raise Unusable(
                "swapped",
                f"after {after_min:.0f} min power was gone for {lasted_s:.0f} s and came back:"
                " a second pack, or the same one connected again",
            )
        gone, before_w = [], point.power_w


def _rises(looks: list[tuple[float, float]]) -> None:
    """Power that comes up again: another pack, or something else at the plug."""
    top_w = 0.0
    for i, (t, w) in enumerate(looks):
        if w <= BREAK * top_w:  # packs that balance themselves near the end pause and go on
            continue
        window = looks[max(0, i - 2) : i]
        low_w = min((w_0 for _, w_0 in window), default=w)
        if w - low_w > JUMP * max(top_w, w) and not (t - looks[0][0] <= RAMP_S and top_w <= w and low_w < 0.5 * w):
            raise _risen(looks, i, low_w, top_w)
        top_w = max(top_w, w)
    low_t_s, low_w = looks[0]
    for t, w in looks:  # a slow rise after a fall, which no two neighbours show
        if w <= low_w:
            low_t_s, low_w = t, w
        elif low_w < 0.85 * top_w and w - low_w > 2 * JUMP * top_w and t > low_t_s and low_t_s > looks[0][0]:
            before_w = max(w_0 for t_0, w_0 in looks if t_0 <= low_t_s)
            if low_w < 0.85 * before_w:
                raise _risen(looks, looks.index((t, w)), low_w, top_w)


def _risen(looks: list[tuple[float, float]], i: int, low_w: float, top_w: float) -> Unusable:
    t, w = looks[i]
    after = (t - looks[0][0]) / 60
    told = f"after {after:.0f} min power rose from {low_w:.0f} to {w:.0f} W"
    start = next((j for j in range(i - 1, -1, -1) if looks[j][1] >= 0.9 * top_w), 0)
    fell_w = 0.2 * (top_w - low_w)
    gradual = low_w < 0.85 * top_w and sum(low_w + fell_w < w_0 < top_w - fell_w for _, w_0 in looks[start:i]) >= 3
    if w <= 1.1 * top_w and (low_w < IDLE * top_w or gradual):
        return Unusable("swapped", f"{told}: a second pack, or the same one connected again")
    return Unusable("other-load", f"{told}: something besides one charger is on this plug")


def _ends(looks: list[tuple[float, float]], knee: int, peak_w: float) -> None:
    """That it was a charge with a plateau before its knee and a fall after it."""
    last_w = looks[-1][1]
    if last_w >= 0.9 * peak_w:
        raise Unusable(
            "no-knee", f"power never fell: it ended at {last_w:.0f} W of {peak_w:.0f} W, long before the pack was full"
        )
    if looks[knee][0] - looks[0][0] < RAMP_S / 3:
        raise Unusable(
            "began-late",
            f"power fell from the first minutes on (from {peak_w:.0f} W): the pack was nearly full when it began",
        )
    for (t_0, w_0), (t_1, w_1) in pairwise(looks[knee:]):
        if w_0 > BREAK * peak_w and w_1 < IDLE * peak_w and t_1 - t_0 <= LOST_S:
            raise Unusable(
                "removed",
                f"power broke off from {w_0:.0f} to {w_1:.1f} W: the pack was taken off, or stopped the charge itself",
            )


def _step(looks: list[tuple[float, float]], knee: int, peak_w: float) -> int | None:
    """Where a charger ended its taper by a step down; None if it glides."""
    for i in range(knee + 1, len(looks)):
        (t_0, w_0), (t_1, w_1) = looks[i - 1], looks[i]
        small = w_0 <= BREAK * peak_w and w_1 < w_0 / 2 and w_1 < IDLE * peak_w
        if small and t_1 - t_0 <= LOST_S and max(w for _, w in looks[i:]) < 0.6 * w_0:  # and not a pause
            return i
    return None


def _steady(looks: list[tuple[float, float]], peak_w: float) -> int | None:
    """Where the steady level began that the charge ended with; None if it was still falling, or too high for a full pack."""
    end_t_s, end_w = looks[-1]
    late = [w for t, w in looks if t >= end_t_s - FLAT_S]
    half = len(late) // 2
    if half < 1 or end_w > BREAK * peak_w:
        return None
    level_w, sinks_w = median(late), median(late[:half]) - median(late[half:])
    if sinks_w > max(0.5, 0.07 * level_w):
        return None
    allowed_w = max(level_w + 1.0, 1.15 * level_w, *late)
    first = next((i for i in range(len(looks) - 1, -1, -1) if looks[i][1] > allowed_w), -1) + 1
    return first if end_t_s - looks[first][0] >= FLAT_S else None


def _lost(looks: list[tuple[float, float]], knee: int, full: int, peak_w: float) -> tuple[tuple[float, float], ...]:
    """Times without readings. Raises `Unusable` if the taper went on unseen in one of them."""
    usual_s = median(b - a for (a, _), (b, _) in pairwise(looks))
    lost = []
    for i in range(len(looks) - 1):
        (t_0, w_0), (t_1, w_1) = looks[i], looks[i + 1]
        if t_1 - t_0 <= max(LOST_S, 1.5 * usual_s) or i >= full:
            continue
        if i + 1 >= knee and abs(w_0 - w_1) > JUMP * peak_w:
            raise Unusable(
                "plug-lost",
                f"the plug gave no power for {(t_1 - t_0) / 60:.0f} min while it fell from {w_0:.0f} to {w_1:.0f} W",
            )
        lost.append((t_0, t_1))
    if usual_s > LOST_S:
        raise Unusable("too-coarse", f"its readings are {usual_s / 60:.0f} min apart; the taper cannot be followed")
    return tuple(lost)


def _high(powers_w: list[float]) -> float:
    """A power that these stay below, but for single ones."""
    return sorted(powers_w)[max(0, round(0.98 * len(powers_w)) - 1)]


def _energies(looks: list[tuple[float, float]]) -> tuple[float, ...]:
    found = [0.0]
    for (t_0, w_0), (t_1, w_1) in pairwise(looks):
        found.append(found[-1] + (w_0 + w_1) / 2 * (t_1 - t_0) / 3600)
    return tuple(found)
