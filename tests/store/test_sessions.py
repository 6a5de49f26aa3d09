"""Sessions: the list of what was charged, without a replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargerd.model.events import Reason
from chargerd.model.state import Session
from chargerd.store import sessions
from chargerd.store.errors import LogDamaged, NotRecorded
from chargerd.store.log import Log
from tests.store.streams import readings


def _session(number: int, loadpoint: str, ended_at_ms: int | None) -> Session:
    return Session(
        number,
        loadpoint,
        "rad-48v",
        "nominal",
        90.0,
        110.0,
        "schedule",
        started_at_ms=number * 1000,
        started_t_ms=0,
        energy_wh=412.5,
        ended_at_ms=ended_at_ms,
        outcome="finished",
        reason=Reason("cutoff-reached", {"stop_w": 90.0}, (3,)),
    )


THREE = [_session(1, "bike-1", 5_000), _session(2, "bike-2", 9_000), _session(3, "bike-1", 7_000)]


@pytest.fixture
def log(tmp_path: Path):
    with Log(tmp_path / "log.db") as log:
        log.append(readings(1, 1), durable=True, also=[sessions.saving(session) for session in THREE])
        yield log


def test_ended_sessions_are_listed_in_the_order_they_began(log: Log):
    """All that was stored of them comes back."""
    assert sessions.ended(log) == THREE


def test_sessions_can_be_asked_for_by_loadpoint_time_and_number(log: Log):
    """One loadpoint's, those that ended since a time, the newest few; no match is an empty list."""
    assert sessions.ended(log, loadpoint="bike-1") == [THREE[0], THREE[2]]
    assert sessions.ended(log, since_ms=7_000) == THREE[1:]
    assert sessions.ended(log, lines=2) == THREE[1:]
    assert sessions.ended(log, loadpoint="bike-1", lines=1) == [THREE[2]]
    assert sessions.ended(log, loadpoint="garage") == []


def test_a_session_that_still_runs_is_not_stored():
    """The table has ended sessions only."""
    with pytest.raises(ValueError, match="has not ended"):
        sessions.saving(_session(4, "bike-1", None))


def test_storing_a_session_again_changes_nothing(log: Log):
    """A replay that saves what is there already makes no second row."""
    log.append(readings(3, 1), durable=True, also=[sessions.saving(THREE[1])])
    assert sessions.ended(log) == THREE


def test_a_session_is_stored_with_its_tick_or_not_at_all(log: Log):
    """When the transaction fails, its session is not there either."""

    def full(_: object) -> None:
        raise NotRecorded("disk full")

    with pytest.raises(NotRecorded):
        log.append(readings(3, 1), durable=True, also=[sessions.saving(_session(9, "bike-1", 9_500)), full])
    assert sessions.ended(log) == THREE


def test_the_table_can_be_made_again(log: Log):
    """Sessions follow from the log: clear, then save what a replay found."""
    log.append(readings(3, 1), durable=True, also=[sessions.clear, sessions.saving(THREE[0])])
    assert sessions.ended(log) == THREE[:1]


def test_a_row_that_cannot_be_read_is_damage(log: Log):
    """A forged or torn row is reported, not shown as a session of nothing."""
    log.append(
        readings(3, 1), durable=True, also=[lambda db: db.execute("UPDATE sessions SET data = '{' WHERE number = 2")]
    )
    with pytest.raises(LogDamaged, match="session 2 is torn"):
        sessions.ended(log)
    assert sessions.listed(log) == ([THREE[0], THREE[2]], [2])
    assert sessions.listed(log, until_ms=9_000) == ([THREE[0], THREE[2]], [])


def test_a_session_stored_before_there_were_costs_is_read_with_its_cost_unknown(log: Log):
    """Rows of an older version lack the fields; unknown is not 0."""
    old = (
        '{"number":7,"loadpoint":"bike-1","profile":"rad-48v","target":"nominal","stop_w":90.0,"near_w":110.0,"by":"anna",'
        '"started_at_ms":10000,"started_t_ms":0,"energy_wh":402.5,"estimated_wh":0.0,"on_ms":9000,"peak_w":131.0,'
        '"below_t_ms":null,"above_w":0.0,"low_readings":0,"near_t_ms":null,"flat_w":0.0,"flat_t_ms":0,"stepped":false,'
        '"over_t_ms":null,"limit_w":0.0,"ended_at_ms":19000,"outcome":"finished","reason":null}'
    )
    row = f"INSERT INTO sessions VALUES (7, 'bike-1', 10000, 19000, '{old}')"
    log.append(readings(3, 1), durable=True, also=[lambda db: db.execute(row)])
    session = sessions.ended(log)[-1]
    assert (session.number, session.energy_wh) == (7, 402.5)
    assert (session.cost, session.priced_wh, session.currency) == (None, 0.0, "")


def test_neighbouring_times_share_no_session(log: Log):
    """What ended at the very turn of a month belongs to the later one, so that months add up to the year."""
    assert sessions.ended(log, until_ms=7_000) == THREE[:1]
    assert sessions.ended(log, since_ms=7_000, until_ms=9_001) == THREE[1:]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM sessions WHERE number = 2",
        "UPDATE sessions SET data = '{' WHERE number = 2",
        "UPDATE sessions SET data = replace(data, 'finished', 'fault') WHERE number = 2",
    ],
)
def test_a_table_that_is_not_what_the_state_knows_is_noticed_and_made_again(log: Log, damage: str):
    """A row that is gone, torn or changed; the others are still held."""
    assert sessions.holds(log, THREE)
    log.append(readings(3, 1), durable=True, also=[lambda db: db.execute(damage)])
    assert not sessions.holds(log, THREE)
    assert sessions.holds(log, [THREE[0], THREE[2]])
    log.save(sessions.replacing(THREE[1:], above=1))
    assert sessions.ended(log) == THREE
    log.save(sessions.replacing(THREE[1:]))
    assert sessions.ended(log) == THREE[1:]
