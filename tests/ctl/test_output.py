"""Output: colour, locale, and silence."""

from __future__ import annotations

from pathlib import Path

from chargerd.ctl.output import speaks_utf8, wants_colour
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn


def test_colour_follows_option_then_environment_then_terminal() -> None:
    """NO_COLOR wins over CLICOLOR_FORCE, the option over both."""
    assert wants_colour("auto", {}, terminal=True)
    assert not wants_colour("auto", {}, terminal=False)
    assert not wants_colour("auto", {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, terminal=True)
    assert wants_colour("auto", {"CLICOLOR_FORCE": "1"}, terminal=False)
    assert not wants_colour("auto", {"CLICOLOR_FORCE": "0"}, terminal=False)
    assert wants_colour("always", {"NO_COLOR": "1"}, terminal=False)
    assert not wants_colour("never", {"CLICOLOR_FORCE": "1"}, terminal=True)


def test_the_locale_decides_about_ascii() -> None:
    """LC_ALL wins over LC_CTYPE wins over LANG; what Python puts into LC_CTYPE by itself does not count."""
    assert speaks_utf8({"LANG": "de_DE.UTF-8"}, "utf-8")
    assert not speaks_utf8({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "utf-8")
    assert not speaks_utf8({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8")
    assert speaks_utf8({"LC_CTYPE": "en_GB.utf8", "LANG": "C"}, "utf-8")
    assert not speaks_utf8({"LANG": "de_DE.UTF-8"}, "iso8859-1")


def test_quiet_prints_errors_only(folder: Path, run: Run) -> None:
    """The exit code says the rest."""
    with StandIn(folder):
        assert run("mode", "bike-1", "fast", "-q") == (0, "", "")
        assert run("status", "bike-9", "-q")[2] != ""


def test_half_a_surrogate_pair_is_printed_as_a_question_mark(folder: Path, run: Run) -> None:
    """JSON can carry text that UTF-8 cannot."""
    with StandIn(folder, {"Hold": b'{"parameters":{"text":"on hold by \\ud800","notes":[],"commands":[]}}\0'}):
        assert run("hold") == (0, "on hold by ?\n", "")
