"""Options: words that argparse would misread."""

from __future__ import annotations

import pytest

from chargerd.ctl.errors import Failure
from chargerd.ctl.options import Parser, joined


def test_a_time_ago_is_no_option() -> None:
    """--since -2h means two hours ago."""
    assert joined(["--at", "-2h"]) == ["--at=-2h"]
    assert joined(["--since", "-2h", "-S", "-30min", "-n", "-2"]) == ["--since=-2h", "-S-30min", "-n", "-2"]


def test_a_wrong_option_names_the_one_that_was_meant() -> None:
    """Abbreviations are not taken, so that a new option never changes what a script means."""
    parser = Parser("status")
    parser.add_globals()
    for given, meant in (("--jsn", "--json"), ("--sock", "--socket")):
        with pytest.raises(Failure) as caught:
            parser.parse_args([given])
        assert caught.value.message == f"unrecognized arguments: {given}. Did you mean {meant}?"
