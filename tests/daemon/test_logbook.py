"""The log as people read it: readings folded, commands with their outcome, nothing twice, nothing in the wrong order."""

import pytest
from msgspec import structs

from chargerd.daemon.history import History
from chargerd.daemon.logbook import log, sessions, subject_of
from chargerd.model.events import ChargerRead, CommandDone, CommandIssued, ConfigLoaded, ModeSet, ReadFailed
from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from chargerd.sim.homes import BATTERY, INVERTER, METER
from tests.daemon.hub import complete, context
from tests.house import Day, configuration, loadpoint
from tests.protocol.conform import wrong_fields
from tests.sim.nights import copy_of, tamper
from tests.sunny import Home


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Two bikes: one charges from a minute after midnight until it is stopped at 00:20."""
    folder = tmp_path_factory.mktemp("logbook")
    day = Day(folder, configuration(loadpoint("bike-1"), loadpoint("bike-2")), {"bike-1": "rad-full", "bike-2": "dead"})
    day.until(60)
    day.charge("bike-1")
    day.until(1200)
    day.run.ask(ModeSet("bike-1", "off", "ben"), by="ben")
    day.until(1500)
    yield day
    day.run.kill()


def rows(day, **parameters):
    return log(context(day), complete("GetLog", **parameters))["entries"]


def test_rows_are_in_the_order_of_their_events(day):
    """Folded readings stand where their last one is."""
    seqs = [row["seq"] for row in rows(day)]
    assert seqs == sorted(seqs)
    assert len(seqs) == len(set(seqs))


def test_readings_are_folded_and_none_is_lost(day):
    """The counts of the folded rows add up to all readings; with ``all`` each has its own row."""
    readings = sum(isinstance(event.body, ChargerRead) for event in day.events)
    folded = rows(day, types=["read"], lines=5000)
    single = rows(day, types=["read"], lines=5000, all=True)
    assert sum(row["count"] for row in folded) == len(single) == readings
    assert len(folded) < len(single) / 5
    assert {row["count"] for row in single} == {1}


def test_folded_readings_show_their_span(day):
    """Lowest and highest power of the run."""
    folded = [row for row in rows(day, names=["bike-1"], types=["read"]) if row["count"] > 3]
    assert any(" – " in row["text"] and row["text"].startswith("×") for row in folded)
    assert all(row["data"] == {} for row in folded)


def test_command_takes_in_its_outcome(day):
    """One row for a command: what, why, and what became of it."""
    commands = rows(day, types=["command"], lines=5000)
    assert len(commands) == sum(isinstance(event.body, CommandIssued) for event in day.events)
    assert all("; done in " in row["detail"] for row in commands)
    assert commands[0]["text"] == "on, off by itself after 15 min"
    assert commands[0]["detail"].startswith("switching on, try 1 of 3; done in ")


def test_who_asked_can_be_looked_for(day):
    """Only what one person asked."""
    assert [(row["type"], row["text"]) for row in rows(day, by="ben")] == [("mode", "off by ben")]


def test_results_of_commands_are_those_of_the_loadpoint_that_was_asked_for(day):
    """Two sockets of one strip: neither sees the other's results, also where the command itself is not among the rows."""
    issued = {event.seq: event.body.loadpoint for event in day.events if isinstance(event.body, CommandIssued)}
    done = [event for event in day.events if isinstance(event.body, CommandDone)]
    assert len(done) > 2
    for name in ("bike-1", "bike-2"):
        mine = [event.seq for event in done if issued[event.body.issued] == name]
        seen = [row["seq"] for row in rows(day, names=[name], all=True, lines=5000) if row["event"] == "CommandDone"]
        assert seen == []  # each is in its command's row
        for event in done:
            found = rows(day, names=[name], seq=event.seq)
            assert [row["seq"] for row in found] == ([event.seq] if event.seq in mine else [])


def test_a_time_that_ends_before_it_begins_is_refused(day):
    """Both ends are named; an empty answer would look like a quiet hour."""
    with pytest.raises(CallError, match="since is after until"):
        rows(day, since="00:20", until="00:10")


def test_events_that_are_lost_are_one_row_and_hide_nothing(day, tmp_path):
    """Some events of a copy are deleted: a row of type log says which, and all rows without them are as before."""
    path = copy_of(day.path, tmp_path)
    (command,) = [event for event in day.events if isinstance(event.body, ModeSet) and event.body.mode == "off"]
    tamper(path, f"DELETE FROM events WHERE seq BETWEEN {command.seq} AND {command.seq + 1}")
    torn = structs.replace(context(day), log=History(path))
    found = log(torn, complete("GetLog", lines=5000))["entries"]
    (lost,) = [row for row in found if row["event"] == "Lost"]
    assert lost["type"] == "log"
    assert lost["text"] == f"events {command.seq} to {command.seq + 1} are lost: they are missing"
    assert wrong_fields({**log(torn, complete("GetLog"))}, METHODS["GetLog"].reply) == []
    before = [row["seq"] for row in rows(day, lines=5000, types=["mode", "command"])]
    assert [row["seq"] for row in found if row["type"] in ("mode", "command")] == [
        n for n in before if n != command.seq
    ]
    (only,) = log(torn, complete("GetLog", seq=command.seq))["entries"]
    assert only["text"] == f"event {command.seq} is gone: they are missing".replace("they are", "it is")
    assert log(torn, complete("GetLog", types=["mode"], seq=command.seq))["entries"] == []
    torn.log.close()


def test_loadpoint_can_be_looked_for(day):
    """What concerns it and its device, and nothing of its neighbour."""
    subjects = {row["subject"] for row in rows(day, names=["bike-1"], lines=5000)}
    assert subjects == {"bike-1", "shed"}


def test_time_bounds_are_kept(day):
    """Rows from a time to a time."""
    found = rows(day, since="00:05", until="00:10", all=True)
    assert found
    assert all("00:05:00" <= row["at_local"][11:19] <= "00:10:00" for row in found)
    assert rows(day, since="01:00") == []
    assert rows(day, until="yesterday 12:00") == []


@pytest.mark.parametrize("lines", [1, 2, 7, 50])
def test_last_rows_are_the_end_of_all_rows(day, lines):
    """Asking for fewer rows gives the end of what asking for all gives."""
    everything = rows(day, lines=5000, all=True)
    assert rows(day, lines=lines, all=True) == everything[-lines:]


def test_one_event_can_be_looked_at(day):
    """By its number, with all its fields."""
    (row,) = rows(day, seq=1)
    assert (row["event"], row["data"]["boot_id"]) == ("DaemonStarted", "simulated")
    for seq in (0, -1, 10**30):
        with pytest.raises(CallError, match="there is no event"):
            rows(day, seq=seq)


def test_answer_says_how_far_it_looked(day):
    """The number of the newest event, for those who go on from there."""
    assert log(context(day), complete("GetLog", lines=1))["seq"] == day.events[-1].seq


def test_cut_is_said(day, monkeypatch):
    """When there is more than may be sent, the answer says so; when nothing was left out, it does not."""
    assert log(context(day), complete("GetLog", since="00:00"))["cut"] is False
    monkeypatch.setattr("chargerd.daemon.logbook.MAX_ROWS", 3)
    reply = log(context(day), complete("GetLog", since="00:00"))
    assert (len(reply["entries"]), reply["cut"]) == (3, True)
    monkeypatch.setattr("chargerd.daemon.logbook.MAX_EVENTS", 10)
    assert log(context(day), complete("GetLog", since="00:00"))["cut"] is True


def test_looking_back_further_finds_enough_rows(day, monkeypatch):
    """Rows that are rare are found behind many that are not wanted."""
    monkeypatch.setattr("chargerd.daemon.logbook.FIRST_LOOK", 4)
    assert [row["text"] for row in rows(day, types=["mode"], lines=2)] == ["fast by anna", "off by ben"]


def test_running_session_stands_before_the_ended_ones(tmp_path):
    """Sessions: those that run, then the ended ones, newest first."""
    day = Day(
        tmp_path, configuration(loadpoint("bike-1"), loadpoint("bike-2")), {"bike-1": "rad-full", "bike-2": "dead"}
    )
    day.until(60)
    day.charge("bike-2", by="anna")
    day.until(600)
    day.charge("bike-1", by="ben")
    day.until(900)
    found = sessions(context(day), complete("GetSessions"))["sessions"]
    assert [(row["loadpoint"], row["outcome"]) for row in found] == [("bike-1", None), ("bike-2", "no-charger")]
    assert [row["loadpoint"] for row in sessions(context(day), complete("GetSessions", name="bike-2"))["sessions"]] == [
        "bike-2"
    ]
    assert len(sessions(context(day), complete("GetSessions", lines=1))["sessions"]) == 1
    assert len(sessions(context(day), complete("GetSessions", since="00:14"))["sessions"]) == 1
    day.run.kill()


def test_a_torn_session_hides_no_other(paid):
    """Its row is left out, and what to do is said; what is asked of another time or loadpoint says nothing of it."""
    whole = listed(paid)
    assert whole["warnings"] == []
    torn = whole["sessions"][-1]["number"]
    paid.run.log.save(lambda db: db.execute("UPDATE sessions SET data = '{' WHERE number = ?", (torn,)))
    left = listed(paid)
    assert left["sessions"] == whole["sessions"][:-1]
    (warning,) = left["warnings"]
    assert warning.startswith(f"session {torn} cannot be read and is left out here.")
    assert "chargerctl verify --repair" in warning
    assert listed(paid, since="00:20")["warnings"] == []
    assert listed(paid, name="bike-2")["warnings"] == []


@pytest.fixture
def paid(tmp_path):
    """Bike-1 charged at 0.30 from 00:01 to 00:10 and without a price from 00:20 to 00:30; bike-2 runs since 00:40."""
    home = configuration(loadpoint("bike-1"), loadpoint("bike-2"), import_price_per_kwh=0.30)
    day = Day(tmp_path, home, {"bike-1": "rad-full", "bike-2": "rad-full"})
    for begin_s, end_s, price in ((60, 600, 0.30), (1200, 1800, None)):
        day.run.ask(ConfigLoaded(structs.replace(home, import_price_per_kwh=price)))
        day.until(begin_s)
        day.charge("bike-1")
        day.until(end_s)
        day.run.ask(ModeSet("bike-1", "off", "anna"))
    day.run.ask(ConfigLoaded(home))
    day.until(2400)
    day.charge("bike-2")
    day.until(2700)
    yield day
    day.run.kill()


def listed(day, **parameters):
    return sessions(context(day), complete("GetSessions", **parameters))


def test_sessions_cost_what_their_energy_cost(paid):
    """Unknown is null, and the total says of how much energy it is."""
    reply = listed(paid)
    running, unknown, known = reply["sessions"]
    assert (unknown["cost"], unknown["price_per_kwh"], unknown["priced_wh"]) == (None, None, 0.0)
    for row in (running, known):
        assert row["cost"] == pytest.approx(row["energy_wh"] / 1000 * 0.30, abs=1e-4)
        assert (row["currency"], row["price_per_kwh"]) == ("EUR", pytest.approx(0.30))
    assert reply["total"]["energy_wh"] == pytest.approx(sum(row["energy_wh"] for row in reply["sessions"]))
    assert reply["total"]["priced_wh"] == pytest.approx(running["energy_wh"] + known["energy_wh"], abs=0.02)
    assert reply["total"]["cost"] == pytest.approx(running["cost"] + known["cost"])
    assert reply["total"]["currency"] == "EUR"


def test_sessions_can_be_counted_at_another_price(paid):
    """Every one, also those that ended before there was a price."""
    reply = listed(paid, price=0.5)
    assert [row["price_per_kwh"] for row in reply["sessions"]] == [0.5] * 3
    assert [row["cost"] for row in reply["sessions"]] == [
        pytest.approx(row["energy_wh"] / 1000 * 0.5, abs=1e-4) for row in reply["sessions"]
    ]
    assert reply["total"]["priced_wh"] == pytest.approx(reply["total"]["energy_wh"])
    for wrong in (-0.1, float("nan"), 1e9):
        with pytest.raises(CallError, match="no price of a kWh"):
            listed(paid, price=wrong)


def test_costs_in_two_currencies_are_not_added_up(paid):
    """The newest session is in francs, the oldest in euros."""
    paid.run.ask(ModeSet("bike-2", "off", "anna"))
    francs = structs.replace(paid.configuration, currency="CHF", import_price_per_kwh=0.27)
    paid.run.ask(ConfigLoaded(francs))
    paid.charge("bike-2")
    paid.until(3000)
    reply = listed(paid)
    assert {row["currency"] for row in reply["sessions"] if row["cost"] is not None} == {"EUR", "CHF"}
    assert (reply["total"]["cost"], reply["total"]["currency"], reply["total"]["priced_wh"]) == (None, None, 0.0)
    assert reply["total"]["energy_wh"] > 0


def test_sessions_of_a_time_are_those_that_ended_in_it(paid):
    """What runs belongs to now."""
    assert [row["ended_at"] is None for row in listed(paid, until="00:20")["sessions"]] == [False]
    assert [row["ended_at"] is None for row in listed(paid, since="00:20", until="00:40")["sessions"]] == [False]
    assert [row["ended_at"] is None for row in listed(paid, since="00:20", until="06:00")["sessions"]] == [True, False]


def test_event_knows_its_loadpoint(day):
    """A reading belongs to the loadpoint on its channel, a request to the one it names, a tick to none."""
    reading = next(event for event in day.events if isinstance(event.body, ChargerRead))
    asked = next(event for event in day.events if isinstance(event.body, ModeSet))
    assert (subject_of(reading, context(day)), subject_of(asked, context(day))) == ("bike-1", "bike-1")
    assert subject_of(day.events[0], context(day)) is None


def test_failed_readings_in_a_row_are_one_row_for_each_way_of_failing(tmp_path):
    """A night of silence is a line, not a thousand; another error is another line."""
    home = Home(tmp_path)
    home.until(60)
    for channel in (METER, INVERTER, BATTERY):
        home.meters.fault(channel).silent = True
    home.until(3600)
    home.run.ask(ReadFailed("unexpected-answer", "garbled"), by="inverter")
    reply = log(context(home), complete("GetLog", types=["failed"]))
    home.run.kill()
    (silent, garbled) = reply["entries"]
    assert silent["count"] > 5
    assert silent["text"] == f"×{silent['count']}, not read: unreachable"
    assert (garbled["text"], garbled["count"]) == ("not read: unexpected-answer", 1)
