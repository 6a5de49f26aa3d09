"""Batteries: the record of the packs, asked over a log that was really written."""

from __future__ import annotations

import sqlite3

import pytest
from msgspec import structs

from chargerd.config.profiles import shipped
from chargerd.daemon.answers import answer
from chargerd.daemon.batteries import batteries
from chargerd.model.events import ModeSet, TargetSet
from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from chargerd.sim import world
from chargerd.store import sessions
from tests.daemon.hub import complete, context
from tests.house import Day, configuration, loadpoint
from tests.protocol.conform import wrong_fields
from tests.sunny import Home, with_point

HOUR = 3600


def recorded(folder, **changes: object) -> Day:
    """A pack charged to full from a level that somebody named, then to nominal; another plug was never used."""
    points = (loadpoint("bike", shipped()["rad-48v"]), loadpoint("other"))
    day = Day(folder, configuration(*points), {"bike": "rad-full", "other": "idle"})
    day.until(60)
    day.run.ask(TargetSet("bike", "full", "anna", once=True), ModeSet("bike", "fast", "anna", **changes), by="anna")
    day.until(5 * HOUR)
    day.strip.sockets["bike"].connect(world.load("rad-nominal"), day.clock.true_s())
    day.charge("bike")
    day.until(29 * HOUR)
    return day


def test_the_record_is_that_of_the_sessions(tmp_path):
    """Two charges, cycles of 672 Wh, full a day ago; every field is there and of its type."""
    day = recorded(tmp_path)
    reply = answer("GetBatteries", complete("GetBatteries"), context(day))
    assert wrong_fields(reply, METHODS["GetBatteries"].reply) == []
    (bike,) = reply["batteries"]
    assert (bike["loadpoint"], bike["profile"], bike["current"], bike["charges"]) == ("bike", "rad-48v", True, 2)
    assert bike["full_cycles"] == round(bike["energy_wh"] * 0.8 / 672, 2)
    assert 1 < bike["full_days"] < 1.2
    assert (bike["capacity_wh"], bike["last"]["target"]) == (None, "nominal")
    assert bike["text"].startswith("bike (rad-48v): 2 charges, 0.")
    assert answer("GetBatteries", complete("GetBatteries", names=["other"]), context(day))["batteries"] == []
    day.run.kill()


def test_a_known_start_gives_a_capacity(tmp_path):
    """Somebody said 50 %: it took 190 Wh to full, so it holds 310 Wh; estimated, from one charge."""
    day = recorded(tmp_path, from_pct=50.0)
    (bike,) = answer("GetBatteries", complete("GetBatteries"), context(day))["batteries"]
    assert 290 < bike["capacity_wh"] < 330
    assert (bike["capacity_charges"], bike["trend_pct_per_year"]) == (1, None)
    day.run.kill()


def test_years_of_sessions_are_added_up_and_a_torn_one_is_named(tmp_path):
    """Three charges a day for five years; the table of sessions is all that is read."""
    day = recorded(tmp_path)
    one = day.last("bike")
    many = [
        structs.replace(one, number=10**6 + n, started_at_ms=one.started_at_ms + n, ended_at_ms=one.ended_at_ms + n)
        for n in range(5500)
    ]
    for session in many:
        day.run.log.save(sessions.saving(session))
    db = sqlite3.connect(day.path)
    with db:
        db.execute("UPDATE sessions SET data = 'torn' WHERE number = ?", (10**6,))
    db.close()
    reply = answer("GetBatteries", complete("GetBatteries", names=["bike"]), context(day))
    (bike,) = reply["batteries"]
    assert bike["charges"] == 2 + 5499
    assert len(bike["recent_wh"]) == 30
    assert "1000000" in reply["warnings"][0]
    day.run.kill()


def test_a_car_has_no_record_and_is_told_so(tmp_path):
    """Its charges end in the car; asked by name that is refused, among all it is left out."""
    home = Home(tmp_path, with_point("rod", mode="off"))
    home.until(3600)
    home.house.connect(0, None, home.clock.true_s())
    home.until(3700)
    assert batteries(context(home), complete("GetBatteries"))["batteries"] == []
    with pytest.raises(CallError, match="garage is an EVSE, and a record is kept of packs on plugs only"):
        batteries(context(home), complete("GetBatteries", names=["garage"]))
    home.run.kill()
