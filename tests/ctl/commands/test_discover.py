"""discover: what a person, a script and a person at a terminal get of a search."""

from __future__ import annotations

import json
from pathlib import Path

from chargerd.protocol.framing import CallError
from tests.ctl.answers import PLUGS, discovered
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn


def test_the_last_reply_counts(folder: Path, run: Run) -> None:
    """What came before it is progress; --json is one document."""
    with StandIn(folder) as daemon:
        _, out, _ = run("discover", "--json", "--seconds", "7", "--network", "10.0.0.0/24", "--network", "10.1.0.9")
        assert daemon.asked[-1][0] == "control"
        assert daemon.last == {"seconds": 7, "networks": ["10.0.0.0/24", "10.1.0.9"]}
    assert len(json.loads(out)["plugs"]) == len(PLUGS)


def test_nothing_found_says_where_was_looked_and_why(folder: Path, run: Run) -> None:
    """No way to the network is not the same as no plug on it."""
    note = "No way to 255.255.255.255: network is unreachable."
    with StandIn(folder, {"Discover": (discovered([], notes=[note], others=0),)}):
        code, out, _ = run("discover")
    assert code == 0
    assert out == f"No plug answered on 255.255.255.255.\nwarning: {note}\n"


def test_a_search_that_breaks_off_is_an_error(folder: Path, run: Run) -> None:
    """Half an answer is none."""
    with StandIn(folder, {"Discover": [discovered(PLUGS[:1], 3.0)]}):
        code, out, err = run("discover")
    assert (code, out) == (3, "")
    assert "closed the connection" in err


def test_a_search_that_is_refused_says_why(folder: Path, run: Run) -> None:
    """Another one is running."""
    busy = CallError("Refused", "a search on 10.0.0.255 is running, for 3 s more", "Nothing was sent.", "Ask again.")
    with StandIn(folder, {"Discover": busy}):
        code, _, err = run("discover")
    assert code == 1
    assert err.splitlines()[0] == "chargerctl: a search on 10.0.0.255 is running, for 3 s more"


def test_seconds_are_a_number_from_1_to_60(run: Run) -> None:
    """Refused before anything is sent."""
    for seconds in ("0", "61", "soon", "1.5", "²"):
        assert run("discover", "--seconds", seconds)[0] == 2


def test_names_from_the_network_cannot_write_to_the_terminal(folder: Path, run: Run) -> None:
    """Whoever is on the network chooses the name of his plug, escape sequences included."""
    evil = {**PLUGS[0], "alias": "x\x1b]0;pwned\x07\ny"}
    with StandIn(folder, {"Discover": (discovered([evil]),)}):
        for form in ((), ("--plain",)):
            out = run("discover", *form)[1]
            assert "\x1b" not in out
            assert "\x07" not in out
            assert len(out.splitlines()) <= 3
