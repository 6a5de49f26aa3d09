"""Battery: a pack's record from its sessions; what is not known stays unknown."""

from __future__ import annotations

import pytest
from msgspec import structs

from chargerd.engine.battery import Battery, batteries
from chargerd.model.settings import DAY_MS, Profile
from chargerd.model.state import Session

HOUR_MS = 3_600_000
PACK = Profile("trike", capacity_ah=10, voltage_v=50, efficiency=0.8)  # 500 Wh; 625 Wh at the socket


def session(day: float, energy_wh: float, **changes: object) -> Session:
    """A charge to nominal that began on a day and took two hours."""
    began_ms = round(day * DAY_MS)
    plain = Session(
        began_ms + 1, "bike", "trike", "nominal", 90, 110, "anna", began_ms, 0, energy_wh=energy_wh,
        ended_at_ms=began_ms + 2 * HOUR_MS, outcome="finished",
    )  # fmt: skip
    return structs.replace(plain, **changes)


def recorded(*sessions: Session, now_day: float = 100, profile: Profile | None = PACK) -> Battery:
    """The record of the one pack."""
    (found,) = batteries(sessions, {} if profile is None else {"trike": profile}, round(now_day * DAY_MS))
    return found


def test_charges_and_cycles_are_counted():
    """Three charges of 250 Wh at the socket put 600 Wh into a pack of 500 Wh; a look at it that took nothing is no charge."""
    found = recorded(session(1, 250), session(2, 250), session(3, 250), session(4, 0.3, outcome="no-battery"))
    assert (found.charges, found.energy_wh, found.largest_wh) == (3, 750, 250)
    assert found.full_cycles == pytest.approx(1.2)
    assert found.last.outcome == "no-battery"
    assert found.recent_wh == (250, 250, 250)


def test_packs_are_told_apart_by_loadpoint_and_vehicle():
    """The same shipped profile on two plugs is two packs; another vehicle on one plug is another pack."""
    other, cargo = session(2, 20, loadpoint="shed"), session(3, 30, profile="cargo")
    found = batteries([session(1, 10), other, cargo, session(4, 40)], {}, 10 * DAY_MS)
    assert [(b.loadpoint, b.profile, b.energy_wh) for b in found] == [
        ("bike", "trike", 50),
        ("shed", "trike", 20),
        ("bike", "cargo", 30),
    ]


def test_the_last_balance_charge_is_one_that_reached_full():
    """One that was stopped half-way does not count; already full does."""
    assert recorded(session(1, 100), session(9, 100, target="full", outcome="stopped")).full_at_ms is None
    found = recorded(
        session(5, 100, target="full"), session(9, 2, target="full", outcome="already-full"), session(20, 50)
    )
    assert found.full_at_ms == 9 * DAY_MS + 2 * HOUR_MS


def counted(day: float, capacity_wh: float, from_pct: float = 19) -> Session:
    """A charge to full from a known level of a pack that holds so much."""
    return session(day, capacity_wh * (99 - from_pct) / 100 / 0.8, target="full", from_pct=from_pct)


def test_capacity_is_counted_from_charges_with_both_ends_known():
    """Nothing else counts: no start, a high start, not full, or a tenth of the energy guessed in gaps."""
    found = recorded(
        session(1, 400, target="full"),
        counted(2, 300, from_pct=75),
        structs.replace(counted(3, 300), outcome="stopped"),
        structs.replace(counted(4, 300), target="nominal"),
        structs.replace(counted(5, 300), estimated_wh=50),
        counted(6, 480),
    )
    assert [round(one.capacity_wh) for one in found.counted] == [480]
    assert found.capacity_wh == pytest.approx(480)
    assert recorded(session(1, 400, target="full")).capacity_wh is None


def test_capacity_that_falls_shows_as_a_trend_once_there_is_enough():
    """500 Wh on the first day, 475 after half a year, 450 after a year: 10 % a year. Two charges, or a month, are too little."""
    year = 365.25
    found = recorded(counted(0, 500), counted(year / 2, 475), counted(year, 450), now_day=400)
    assert found.trend_pct_per_year == pytest.approx(-10, abs=0.1)
    assert found.capacity_wh == pytest.approx(475)
    assert recorded(counted(0, 500), counted(year, 450), now_day=400).trend_pct_per_year is None
    assert recorded(counted(0, 500), counted(15, 490), counted(30, 480)).trend_pct_per_year is None


def test_hours_above_80_percent_follow_from_what_was_used_in_between():
    """Nominal leaves 93 %. 10 % used within a day: all 22 h above; used down to 54 %: a third of them, as 13 of 39 %."""
    little, much = 0.10 * 625, 0.39 * 625
    day = 22  # hours between the end of one charge and the next
    found = recorded(session(1, 300), session(2, little), now_day=2 + 2 / 24)
    assert (found.above_80_h, found.known_h) == (pytest.approx(day), pytest.approx(day))
    found = recorded(session(1, 300), session(2, much), now_day=2 + 2 / 24)
    assert found.above_80_h == pytest.approx(day / 3)
    found = recorded(session(1, 300), session(2, 100, from_pct=54), now_day=2 + 2 / 24)
    assert found.above_80_h == pytest.approx(day / 3)


def test_time_since_the_last_charge_counts_as_unused():
    """A pack that was charged ten days ago and not since has been high all that time, as far as anybody knows."""
    found = recorded(session(1, 300), now_day=11 + 2 / 24)
    assert found.above_80_h == pytest.approx(240)


def test_what_is_not_known_stays_unknown():
    """Without a content no cycles, no hours; after a charge that was stopped nobody knows the level."""
    found = recorded(session(1, 300), profile=None)
    assert (found.full_cycles, found.above_80_h, found.capacity_wh) == (None, None, None)
    assert recorded(session(1, 300, outcome="stopped")).above_80_h is None
    found = recorded(session(1, 300), session(2, 50, outcome="stopped"), session(3, 100), now_day=3 + 2 / 24)
    assert (found.above_80_h, found.known_h) == (None, 0)
