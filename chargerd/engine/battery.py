"""Battery: what the sessions of one pack tell about it. Pure sums; what a plug cannot know is None or said to be estimated.

A pack is one vehicle at one loadpoint; two plugs with the same shipped profile charge two packs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from chargerd.model.settings import DAY_MS, Profile
from chargerd.model.state import Session

CHARGED_WH = 1.0  # a session that took less was a look at the pack, not a charge
REACHED = frozenset({"finished", "already-full"})  # outcomes after which the level is known
LEVEL_PCT = {"nominal": 93.0, "full": 99.0}  # where the cut-offs leave a pack, by voltmeter: 90 to 96 and 98 to 100 %
HIGH_PCT = 80.0  # cells age faster the longer they are kept above
DEEP_PCT = 60.0  # a capacity counted from a higher start than this says more about the error than about the pack
FEWEST, SHORTEST_DAYS = 3, 60.0  # counted capacities, and time between the first and the last, that make a trend
RECENT = 30


class Counted(Struct, frozen=True, gc=False):
    """A capacity counted in one charge from a known start to full: estimated, at the pack."""

    at_ms: int
    capacity_wh: float


class Battery(Struct, frozen=True, gc=False):
    """A pack's record. Energies are at the socket unless they are capacities.

    ``above_80_h`` counts the time between charges; ``known_h`` is the time it is of. The trend is that of the capacity.
    """

    loadpoint: str
    profile: str
    charges: int
    energy_wh: float
    full_cycles: float | None
    first_at_ms: int
    last: Session
    full_at_ms: int | None
    largest_wh: float
    counted: tuple[Counted, ...]
    trend_pct_per_year: float | None
    above_80_h: float | None
    known_h: float
    recent_wh: tuple[float, ...]

    @property
    def capacity_wh(self) -> float | None:
        """The newest estimate: the middle of the last three counted capacities."""
        newest = sorted(one.capacity_wh for one in self.counted[-3:])
        return newest[len(newest) // 2] if newest else None


def batteries(sessions: Iterable[Session], profiles: dict[str, Profile], now_ms: int) -> list[Battery]:
    """The record of every pack in these ended sessions, oldest first; ``profiles`` by name, as far as they are known."""
    packs: dict[tuple[str, str], list[Session]] = {}
    for session in sessions:
        packs.setdefault((session.loadpoint, session.profile), []).append(session)
    return [_battery(of, profiles.get(profile), now_ms) for (_, profile), of in packs.items()]


def _battery(sessions: list[Session], profile: Profile | None, now_ms: int) -> Battery:
    charges = [session for session in sessions if session.energy_wh >= CHARGED_WH]
    energy_wh = sum(session.energy_wh for session in charges)
    capacity_wh = None if profile is None else profile.capacity_wh
    efficiency = 0.0 if profile is None else profile.efficiency
    counted = tuple(_counted(charges, efficiency)) if profile is not None else ()
    fulls = [s.ended_at_ms for s in sessions if s.target == "full" and s.outcome in REACHED]
    above_h, known_h = (None, 0.0) if not capacity_wh else _above(sessions, efficiency / capacity_wh * 100, now_ms)
    return Battery(
        sessions[0].loadpoint,
        sessions[0].profile,
        len(charges),
        energy_wh,
        energy_wh * efficiency / capacity_wh if capacity_wh else None,
        sessions[0].started_at_ms,
        sessions[-1],
        fulls[-1] if fulls else None,
        max((session.energy_wh for session in charges), default=0.0),
        counted,
        _trend(counted),
        above_h,
        known_h,
        tuple(session.energy_wh for session in charges[-RECENT:]),
    )


def _counted(charges: Sequence[Session], efficiency: float) -> Iterable[Counted]:
    """Capacities from charges of which both ends are known: somebody named the start, and full was reached."""
    for session in charges:
        start_pct = session.from_pct
        whole = (
            session.target == "full" and session.outcome == "finished" and session.estimated_wh < session.energy_wh / 20
        )
        if start_pct is not None and start_pct <= DEEP_PCT and whole and session.ended_at_ms is not None:
            share = (LEVEL_PCT["full"] - start_pct) / 100
            yield Counted(session.ended_at_ms, session.energy_wh * efficiency / share)


def _trend(counted: Sequence[Counted]) -> float | None:
    """Change of capacity in percent a year, along the straight line with the least squares."""
    if len(counted) < FEWEST or counted[-1].at_ms - counted[0].at_ms < SHORTEST_DAYS * DAY_MS:
        return None
    years = [(one.at_ms - counted[0].at_ms) / DAY_MS / 365.25 for one in counted]
    mean_years = sum(years) / len(years)
    mean_wh = sum(one.capacity_wh for one in counted) / len(counted)
    spread = sum((year - mean_years) ** 2 for year in years)
    slope = sum((y - mean_years) * (one.capacity_wh - mean_wh) for y, one in zip(years, counted, strict=True)) / spread
    return 100 * slope / (mean_wh - slope * mean_years)


def _above(sessions: Sequence[Session], pct_per_wh: float, now_ms: int) -> tuple[float | None, float]:
    """Hours above 80 % between charges, and the hours that could be judged.

    A pack leaves a charge at the level of its target; the next charge tells how far it had been used by then, and it is taken as
    used evenly in between. Since the last charge it is taken as not used.
    """
    above_h = known_h = 0.0
    for session, later in pairwise([*sessions, None]):
        assert session is not None
        level = _level(session)
        if level is None or session.ended_at_ms is None:
            continue
        until_ms = now_ms if later is None else later.started_at_ms
        start = level if later is None else _start(later, pct_per_wh)
        if start is None:
            continue
        hours = (until_ms - session.ended_at_ms) / 3_600_000
        known_h += hours
        if level > HIGH_PCT:
            above_h += hours if start >= HIGH_PCT else hours * (level - HIGH_PCT) / (level - start)
    return (above_h, known_h) if known_h else (None, 0.0)


def _start(session: Session, pct_per_wh: float) -> float | None:
    """The level at which a session began: as somebody said, or by what it took to reach its end."""
    end = _level(session)
    if session.from_pct is not None:
        return session.from_pct
    return None if end is None else min(end, max(0.0, end - session.energy_wh * pct_per_wh))


def _level(session: Session) -> float | None:
    """Where a session left the pack."""
    return LEVEL_PCT.get(session.target) if session.outcome in REACHED else None
