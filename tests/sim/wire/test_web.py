"""Web: a simulated device over HTTP keeps what it was asked, comes back on its port, and does wrong what it is told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from chargerd.sim.wire.web import Reply
from tests.drivers.test_http import Echo


@pytest.fixture
def echo() -> Iterator[Echo]:
    """One that runs."""
    device = Echo()
    device.start()
    yield device
    device.stop()


def get(device: Echo, path: str = "/x?a=1") -> requests.Response:
    """Ask it."""
    return requests.get(f"http://{device.host}:{device.port}{path}", timeout=2)


def test_what_it_was_asked_is_kept(echo):
    """Method, path, parameters."""
    assert get(echo).json()["params"] == {"a": "1"}
    assert [(it.method, it.path, it.params) for it in echo.requests] == [("GET", "/x", {"a": "1"})]


def test_it_comes_back_on_its_port(echo):
    """Stopped twice it does no harm; started again it is where it was."""
    port = echo.port
    echo.stop()
    echo.stop()
    with pytest.raises(requests.ConnectionError):
        get(echo)
    echo.start()
    assert (get(echo).status_code, echo.port) == (200, port)


@pytest.mark.parametrize("fault", ["half", "hangs_up"])
def test_it_breaks_off_when_told_to(echo, fault):
    """And has heard the question all the same."""
    setattr(echo.behaviour, fault, True)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(echo)
    assert len(echo.requests) == 1


def test_it_answers_something_else_when_told_to(echo):
    """By path."""
    echo.behaviour.instead["/x"] = Reply(418, b"tea")
    assert (get(echo).status_code, get(echo).text, get(echo, "/y").status_code) == (418, "tea", 200)
