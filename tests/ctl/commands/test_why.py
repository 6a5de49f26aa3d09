"""chargerctl why: what is asked of the daemon, and how its answer is printed."""

from __future__ import annotations

import json
from pathlib import Path

from chargerd.protocol.framing import CallError
from tests.ctl.answers import WHY, WHY_THEN
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn


def test_moment_and_state_are_asked_for(folder: Path, run: Run) -> None:
    """A time that begins with a minus is a time, not an option; a word may have a hyphen."""
    with StandIn(folder) as daemon:
        assert run("why", "scooter", "--at", "-2h", "--not", "no-charger")[0] == 0
        assert daemon.last == {"name": "scooter", "at": "-2h", "not": "no-charger"}
        run("why", "scooter")
        assert daemon.last == {"name": "scooter"}


def test_state_that_there_is_not_is_a_wrong_command_line(folder: Path, run: Run) -> None:
    """The daemon is not asked; the known ones are listed."""
    with StandIn(folder) as daemon:
        code, out, err = run("why", "scooter", "--not", "chraging")
    assert (code, out, daemon.asked) == (2, "", [])
    assert "suspended_ev" in err
    assert "Did you mean charging?" in err


def test_json_has_every_change_and_every_limit(folder: Path, run: Run) -> None:
    """One document, as the daemon said it."""
    with StandIn(folder):
        assert json.loads(run("why", "bike-1", "--json")[1]) == WHY
        assert json.loads(run("why", "scooter", "--json", "--at", "yesterday")[1]) == WHY_THEN


def test_name_that_there_was_only_then_needs_the_time(folder: Path, run: Run) -> None:
    """Now there is no such loadpoint, and the daemon says so; at its time it is answered."""
    gone = CallError(
        "NoSuchLoadpoint", 'no loadpoint "old".', "Nothing was changed.", "Known: bike-1", known=["bike-1"]
    )
    with StandIn(folder, {"GetWhy": lambda asked: gone if asked["at"] is None else WHY_THEN}):
        assert run("why", "old")[0] == 5
        assert run("why", "old", "--at", "yesterday")[0] == 0
