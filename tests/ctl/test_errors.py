"""Errors: three lines for people, one object for programs."""

from __future__ import annotations

import pytest

from chargerd.ctl import errors
from chargerd.ctl.errors import Failure, not_allowed
from chargerd.protocol.framing import CallError
from tests.ctl.test_client import three_lines


def test_a_control_socket_that_may_not_be_opened_is_exit_4() -> None:
    """The three lines name the group that may."""
    failure = not_allowed("/run/chargerd/control", "ben")
    assert failure.code == 4
    assert three_lines(failure.lines())[2] == "  Add: sudo usermod -aG chargerd ben, then log in again."
    assert not_allowed("/run/chargerd/monitor", "ben").code == 4


@pytest.mark.parametrize(
    "failure",
    [
        errors.usage("no command", "mode"),
        errors.no_daemon("/run/chargerd/control", "connection refused"),
        errors.broken("/run/chargerd/control", "gave no answer", change=True),
        errors.broken("/run/chargerd/monitor", "gave no answer"),
    ],
)
def test_every_error_of_our_own_has_three_lines(failure: Failure) -> None:
    """What did not happen, what that means, what to do; no exclamation mark, no "Error:"."""
    lines = three_lines(failure.lines())
    assert "!" not in "".join(lines)
    assert "rror:" not in "".join(lines)
    assert failure.code in errors.EXIT_CODES


def test_an_unknown_error_of_the_daemon_is_exit_1() -> None:
    """A newer daemon may know errors that this chargerctl does not."""
    failure = Failure.answered(CallError("TooHot", "it is too hot."))
    assert (failure.code, failure.error, failure.lines()) == (1, "io.chargerd.TooHot", "chargerctl: it is too hot.")
