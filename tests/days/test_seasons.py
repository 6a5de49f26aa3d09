"""Seasons: the same pack on the same plug, charged in January, in July, and over the night between two seasons."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from chargerd.config.profiles import shipped
from chargerd.sim import world
from chargerd.sim.checks import check
from chargerd.sim.progress import Progress
from tests.house import Day, configuration, loadpoint

HOUR = 3600


def charged(folder: Path, begin: str, profile: str, curve: str) -> Day:
    """A pack is charged to nominal a minute after this local time in Berlin."""
    start_ms = round(datetime.fromisoformat(begin).timestamp() * 1000)
    day = Day(folder, configuration(loadpoint("bike", shipped()[profile])), {"bike": curve}, start_ms)
    day.until(60)
    day.charge("bike")
    day.until(6 * HOUR)
    day.run.stop()
    return day


@pytest.mark.parametrize(
    ("begin", "profile", "curve", "stop_w"),
    [
        ("2026-01-01T00:00+01:00", "rad-48v", "rad-full", 45),
        ("2026-07-01T00:00+02:00", "rad-48v", "rad-full", 90),
        ("2026-01-01T00:00+01:00", "lectric-48v", "lectric-full", 40),
        ("2026-07-01T00:00+02:00", "lectric-48v", "lectric-full", 80),
        ("2026-10-31T23:30+01:00", "rad-48v", "rad-full", 90),  # over midnight: as it began
    ],
)
def test_a_charge_ends_at_the_cut_off_of_its_season(tmp_path, begin, profile, curve, stop_w):
    """S0-17: the recorded packs, winter and summer; and the log explains every decision."""
    day = charged(tmp_path, begin, profile, curve)
    session = day.last("bike")
    assert (session.outcome, session.reason.code, session.stop_w) == ("finished", "cutoff-reached", stop_w)
    pack = world.recorded(curve)
    crossing_wh = next(wh for wh, watts in pack.points if watts < stop_w)
    assert session.energy_wh == pytest.approx(crossing_wh, abs=15)
    assert check(day.path, None, "not asked", Progress(None, 0)).sound
