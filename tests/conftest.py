"""Options of the test run: a seed that reproduces a random day."""

from __future__ import annotations

import random
import signal

import hypothesis
import pytest

hypothesis.settings.register_profile("here", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("here")

# Whoever runs this in the background of a script has Ctrl-C ignored, and every program started here would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--seed N`` repeats the random day that a failure named."""
    parser.addoption("--seed", type=int, default=None, help="seed of the random days")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed asked for, or another one each time; a failing test prints it among its arguments."""
    given = request.config.getoption("--seed")
    chosen = random.SystemRandom().randrange(1_000_000) if given is None else int(given)
    print(f"to repeat: pytest --seed {chosen}")
    return chosen
