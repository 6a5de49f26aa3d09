"""Exports: tables of readings and sessions that spreadsheets and programs read, with units, UTC and empty for unknown."""

from __future__ import annotations

import csv
import io
import json

import pytest
from msgspec import structs

from chargerd.ctl.commands import export as words
from chargerd.model.events import ChargerRead, ConfigLoaded
from chargerd.sim import exports
from chargerd.sim.refused import Refused
from chargerd.store.log import Log
from chargerd.store.reader import open_reader
from tests.house import configuration, loadpoint
from tests.sim.nights import night
from tests.store.streams import transaction
from tests.sunny import Home, with_point


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A night of two hours."""
    folder = tmp_path_factory.mktemp("night")
    night(folder).run.kill()
    with open_reader(folder / "log.db") as reader:
        yield reader


def _no_loss(lost):
    raise AssertionError(lost)


def readings(log, *names: str, first: int = 1):
    return list(exports.readings(log, first, log.last_seq, names, _no_loss))


def test_every_reading_is_a_row_with_the_very_numbers_of_the_log(log):
    """As many rows as readings, in order, floats to the last digit."""
    rows = readings(log)
    events = [event for event in log.read() if isinstance(event.body, ChargerRead)]
    assert [row["seq"] for row in rows] == [event.seq for event in events]
    assert [row["power_w"] for row in rows] == [event.body.power_w for event in events]
    assert rows[0]["at"] == "2024-03-03T23:00:00.000Z"
    assert {row["loadpoint"] for row in rows} == {"annas-bike", "bens-cargo"}


def test_rows_of_a_loadpoint_a_device_or_an_address(log):
    """By each of its names the same readings; from the middle of the log too."""
    mine = readings(log, "annas-bike")
    assert mine == readings(log, "shed/annas-bike")
    assert {row["charger"] for row in mine} == {"shed/annas-bike"}
    assert len(readings(log, "shed")) == len(readings(log)) == 2 * len(mine)
    assert readings(log, "annas-bike", first=600) == [row for row in mine if row["seq"] >= 600]


def test_a_name_that_nothing_has_is_refused_before_anything_is_printed(log):
    """Exit code 5, what was meant, what there is."""
    for table in (
        lambda: exports.readings(log, 1, 2, ["annas-bik"], _no_loss),
        lambda: exports.sessions(log, None, None, ["annas-bik"]),
    ):
        with pytest.raises(Refused, match=r"Did you mean annas-bike\?") as caught:
            table()
        assert caught.value.code == 5
        assert "bens-cargo" in caught.value.hint


def test_csv_has_a_header_and_nothing_for_what_is_not_known(tmp_path):
    """A plug that does not say its power; one that is no loadpoint's any more; a device's own time."""
    with Log(tmp_path / "log.db") as log:
        config = ConfigLoaded(configuration(loadpoint("a")))
        read = (ChargerRead("a", True, None, 230.5), ChargerRead("b", False, 0.0, measured_at_ms=1500))
        log.append(transaction(1, config, *read, at_ms=1234), durable=True)
        out = io.StringIO()
        exports.write_csv(exports.READINGS, exports.readings(log, 1, 4, (), _no_loss), out)
        lines = io.StringIO()
        exports.write_lines(exports.readings(log, 1, 4, (), _no_loss), lines)
        known = exports.readings(log, 1, 4, ["a"], _no_loss)
        assert [row["seq"] for row in known] == [2]
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert out.getvalue().splitlines()[0] == ",".join(exports.READINGS)
    assert rows[0] == {
        **dict.fromkeys(exports.READINGS, ""), "at": "1970-01-01T00:00:01.234Z", "seq": "2", "loadpoint": "a",
        "charger": "shed/a", "enabled": "true", "voltage_v": "230.5", "role": "charger", "name": "a",
    }  # fmt: skip
    assert (rows[1]["loadpoint"], rows[1]["measured_at"]) == ("", "1970-01-01T00:00:01.500Z")
    first = json.loads(lines.getvalue().splitlines()[0])
    assert first["power_w"] is None
    assert set(first) == {"kind", *exports.READINGS} == set(words.READINGS)


def test_meters_and_house_batteries_are_in_the_table_by_their_names(tmp_path):
    """Row S1-37: a whole day can be worked out from it. A name of theirs is enough to have theirs alone."""
    home = Home(tmp_path)
    home.until(120)
    home.run.kill()
    with Log(home.path) as log:
        rows = list(exports.readings(log, 1, log.last_seq, (), _no_loss))
        grid = list(exports.readings(log, 1, log.last_seq, ["grid"], _no_loss))
    assert {row["role"] for row in rows} == {"charger", "grid", "pv", "storage"}
    assert {row["name"] for row in grid} == {"grid"}
    last = {row["name"]: row for row in rows}
    assert (last["garage"]["loadpoint"], last["garage"]["pilot"], last["garage"]["offered_a"]) == ("garage", "C", 15.0)
    assert (last["grid"]["loadpoint"], last["grid"]["enabled"]) == (None, None)
    assert (last["pv"]["status"], last["house"]["soc_pct"]) == ("producing", pytest.approx(62, abs=0.5))


def test_a_session_on_sun_has_its_part_of_it_and_its_cost(tmp_path):
    """What came from the sun is counted at the price of feeding it in."""
    home = Home(tmp_path, with_point("rod", mode="off"))
    home.until(3600)
    home.house.connect(0, None, home.clock.true_s())
    home.until(3700)
    home.run.kill()
    with Log(home.path) as log:
        (row,) = exports.sessions(log, None, None, ())
    assert row["solar_wh"] == pytest.approx(row["energy_wh"], rel=0.01)
    assert (row["cost"], row["currency"]) == (pytest.approx(row["energy_wh"] * 0.08e-3, rel=0.02), "EUR")
    assert row["priced_wh"] == row["energy_wh"]


def test_a_loadpoint_is_the_one_that_had_the_charger_then(tmp_path):
    """The socket was another bike's before; its old name still finds its readings."""
    with Log(tmp_path / "log.db") as log:
        for name in ("old", "new"):
            point = structs.replace(loadpoint(name), charger="shed/a")
            facts = (ConfigLoaded(configuration(point)), ChargerRead("a", True, 5.0))
            log.append(transaction(log.last_seq + 1, *facts), durable=True)
        assert [row["loadpoint"] for row in exports.readings(log, 1, 6, (), _no_loss)] == ["old", "new"]
        assert [row["seq"] for row in exports.readings(log, 1, 6, ["old"], _no_loss)] == [2]


def test_sessions_are_those_of_the_log_and_a_formula_is_defused(log):
    """One ended: its figures; what a spreadsheet would run gets a quote."""
    (row,) = exports.sessions(log, None, None, ())
    assert set(row) == {"kind", *exports.SESSIONS} == set(words.SESSIONS)
    assert (row["loadpoint"], row["outcome"]) == ("bens-cargo", "no-charger")
    assert row["ended_at"] > row["started_at"]
    out = io.StringIO()
    exports.write_csv(exports.SESSIONS, [{**row, "by": "=HYPERLINK(1)"}], out)
    assert next(csv.DictReader(io.StringIO(out.getvalue())))["by"] == "'=HYPERLINK(1)"
    assert list(exports.sessions(log, 1 << 50, None, ())) == []
    assert list(exports.sessions(log, None, 0, ())) == []
    ended_ms = log.query("SELECT ended_at FROM sessions")[0][0]
    assert [len(list(exports.sessions(log, *span, ()))) for span in ((ended_ms, None), (None, ended_ms))] == [1, 0]
    assert list(exports.sessions(log, None, None, ["annas-bike"])) == []
