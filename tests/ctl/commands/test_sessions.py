"""Sessions as people and spreadsheets see them: costs, and what is not known of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chargerd.ctl.commands.sessions import HEADER, columns
from tests.ctl.answers import REPLIES, answer, session
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn


def listed(*sessions: dict[str, Any], warnings: Sequence[str] = (), **total: Any) -> dict[str, Any]:
    """An answer of GetSessions."""
    return {"GetSessions": answer("sessions", "", sessions=list(sessions), total=total, warnings=list(warnings))}


def test_price_and_times_are_asked_of_the_daemon(folder: Path, run: Run) -> None:
    """The daemon counts, so that every reader of its answer sees the same."""
    with StandIn(folder) as daemon:
        run("sessions", "bike-1", "--since", "-30d", "--until", "-1d", "--price", "0.32", "-n", "5")
    assert daemon.last == {"name": "bike-1", "since": "-30d", "until": "-1d", "price": 0.32, "lines": 5}


def test_format_json_is_the_json_of_every_command(folder: Path, run: Run) -> None:
    """Whichever way somebody asks."""
    with StandIn(folder):
        assert run("sessions", "--format", "json") == run("sessions", "--json")
        assert json.loads(run("sessions", "--format", "json")[1]) == REPLIES["GetSessions"]


def test_an_unknown_cost_is_empty_in_a_spreadsheet_and_a_dash_on_the_screen(folder: Path, run: Run) -> None:
    """Never 0."""
    unknown = session("bike-1", cost=None, price_per_kwh=None, priced_wh=0.0)
    with StandIn(folder, listed(unknown, energy_wh=311.4, priced_wh=0.0, cost=None, currency=None)):
        (row,) = csv.DictReader(StringIO(run("sessions", "--format", "csv")[1]))
        text = run("sessions")[1]
    assert (row["cost"], row["price_per_kwh"], row["currency"]) == ("", "", "EUR")
    assert "0.00" not in text
    assert text.endswith(
        "1 session, 311 Wh; cost unknown: give --price, or set import_price_per_kwh for what is to come.\n"
    )


@pytest.mark.parametrize(
    ("total", "says"),
    [
        ({"priced_wh": 311.4, "cost": 0.1, "currency": "EUR"}, "1 session, 311 Wh, 0.10 EUR."),
        ({"priced_wh": 200.0, "cost": 0.1, "currency": "EUR"}, "1 session, 311 Wh, 0.10 EUR without 111 Wh of unknown price."),
        ({"priced_wh": 0.0, "cost": None, "currency": None}, "1 session, 311 Wh; costs in several currencies are not added up."),
    ],
)  # fmt: skip
def test_the_total_says_what_is_in_it(folder: Path, run: Run, total: dict[str, Any], says: str) -> None:
    """Energy, cost, and the energy that the cost leaves out."""
    with StandIn(folder, listed(session("bike-1"), energy_wh=311.4, **total)):
        assert run("sessions")[1].splitlines()[-1] == says


def test_what_is_left_out_is_said_beside_the_rest(folder: Path, run: Run) -> None:
    """Under the table for people, on standard error where the rows are for a program, in JSON as it came."""
    warning = "session 3 cannot be read and is left out here"
    some = listed(session("bike-1"), warnings=[warning], energy_wh=311.4, priced_wh=0.0, cost=None, currency=None)
    with StandIn(folder, some):
        text = run("sessions")
        assert text[1].splitlines()[-1] == f"warning: {warning}"
        assert text[2] == ""
        for rows in (run("sessions", "--format", "csv"), run("sessions", "--plain")):
            assert "warning" not in rows[1]
            assert rows[2] == f"warning: {warning}\n"
        assert json.loads(run("sessions", "--json")[1])["warnings"] == [warning]
    with StandIn(folder, listed(warnings=[warning], energy_wh=0.0, priced_wh=0.0, cost=None, currency=None)):
        assert run("sessions")[1] == f"No charging sessions in this time.\nwarning: {warning}\n"


@pytest.mark.parametrize("price", ["cheap", "-1", "0,32", "1e3", "nan", "", ".", "٣"])
def test_what_is_no_price_is_refused(folder: Path, run: Run, price: str) -> None:
    """With the way to write one."""
    with StandIn(folder) as daemon:
        code, out, err = run("sessions", f"--price={price}")
    assert (code, out, daemon.asked) == (2, "", [])
    assert "is no price of a kWh; write 0.32" in err


@pytest.mark.parametrize("form", ["--json", "--plain"])
def test_two_forms_at_once_are_refused(folder: Path, run: Run, form: str) -> None:
    """Neither wins silently, and nothing is asked."""
    with StandIn(folder) as daemon:
        code, out, err = run("sessions", "--format", "csv", form)
    assert (code, out, daemon.asked) == (2, "", [])
    assert f"{form} and --format csv exclude each other" in err


def test_where_the_sun_is_known_it_has_a_column_and_a_narrow_terminal_gives_the_target_for_it() -> None:
    """Plugs alone look as ever."""
    plug, car = session("bike-1"), session("garage", solar_pct=91.0, solar_wh=6461.0, target="", profile="id4")
    names = lambda sessions, width: [HEADER[n] for n in columns(sessions, width)]  # noqa: E731
    assert "SOLAR" not in names([plug], 80)
    assert "TARGET" in names([plug], 80)
    assert [name for name in names([plug, car], 80) if name in ("SOLAR", "TARGET")] == ["SOLAR"]
    assert [name for name in names([plug, car], 120) if name in ("SOLAR", "TARGET")] == ["TARGET", "SOLAR"]
