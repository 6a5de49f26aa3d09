"""Http: what is asked arrives, a login goes nowhere else, and a bad answer is told by its kind without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from chargerd.config.base import Secret
from chargerd.drivers.base import AccessDenied, UnexpectedAnswer, Unreachable
from chargerd.drivers.http import MOST_BYTES, Http, spoken
from chargerd.sim.wire.web import Reply, Request, WebDevice
from tests.patience import within


class Echo(WebDevice):
    """Says what it was asked."""

    def now_s(self) -> float:
        """It has no clock."""
        return 0.0

    def answer(self, request: Request) -> Reply:
        """The method and what came with it."""
        return Reply(200, {"method": request.method, "params": request.params, "body": request.body.decode()})


@pytest.fixture
def echo() -> Iterator[Echo]:
    """One that runs."""
    device = Echo()
    device.start()
    yield device
    device.stop()


@pytest.fixture
def http(echo: Echo) -> Iterator[Http]:
    """A conversation with it that keeps one secret."""
    with opened(echo, secrets=[Secret("marker-4711"), Secret("")]) as made:
        yield made


@contextmanager
def opened(device: WebDevice, **settings) -> Iterator[Http]:
    """A conversation that is closed at the end."""
    with ExitStack() as stack:
        made = Http("garage", device.host, device.port, timeout_s=1.0, **settings)
        stack.callback(made.close)
        yield made


def test_questions_and_objects_arrive_as_they_were_given(http, echo):
    """A GET with parameters, and a PUT whose body is marked as JSON."""
    assert http.get("/x", raw="1").body == {"method": "GET", "params": {"raw": "1"}, "body": ""}
    assert http.put("/x", {"a": "0123"}).body == {"method": "PUT", "params": {}, "body": '{"a": "0123"}'}
    assert echo.requests[1].headers["Content-Type"] == "application/json"


def test_a_login_may_have_any_letters(echo):
    """An umlaut and a letter that Latin-1 does not have."""
    with opened(echo, login=(Secret("jürgen"), Secret("żółw"))) as http:
        http.get("/x")
    assert echo.requests[0].headers["Authorization"] == "Basic asO8cmdlbjrFvMOzxYJ3"


def test_a_device_in_the_house_is_asked_without_a_proxy(http, monkeypatch):
    """A proxy of the environment that answers nobody is not used."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert http.get("/x").status == 200


def test_a_login_does_not_follow_to_another_place(http, echo):
    """An answer that sends us elsewhere is an answer, and nobody is asked there."""
    echo.behaviour.instead["/x"] = Reply(302, b"", location="/elsewhere")
    assert http.get("/x").status == 302
    assert len(echo.requests) == 1


def test_a_device_that_is_off_is_unreachable_and_the_reason_is_said(http, echo):
    """Nobody listens there any more."""
    echo.stop()
    with within(2), pytest.raises(Unreachable, match=r"garage at 127.0.0.1:\d+ cannot be reached: Connection refused"):
        http.get("/x")


def test_a_slow_device_is_not_waited_for_longer_than_agreed(http, echo):
    """It answers after 3 s, allowed is one."""
    echo.behaviour.delay_s = 3.0
    with within(1.5), pytest.raises(Unreachable, match="did not answer in time"):
        http.get("/x")


def test_half_an_answer_is_none(http, echo):
    """The device breaks off in the middle."""
    echo.behaviour.half = True
    with within(2), pytest.raises(Unreachable, match=r"broke off|in time"):
        http.get("/x")


def test_a_device_that_hangs_up_is_unreachable(http, echo):
    """It takes the question and closes."""
    echo.behaviour.hangs_up = True
    with pytest.raises(Unreachable, match="cannot be reached"):
        http.get("/x")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_a_matter_for_a_person(http, echo, status):
    """The poller stops knocking; what the device says of it is told."""
    echo.behaviour.instead["/x"] = Reply(status, {"Response": "no entry for marker-4711"})
    with pytest.raises(AccessDenied, match=rf"refuses the login \(HTTP {status}\): no entry for …"):
        http.get("/x")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_device_without_time_is_asked_later(http, echo, status):
    """Unreachable for now: the poller comes back."""
    echo.behaviour.instead["/x"] = Reply(status, {"Message": "busy"})
    with pytest.raises(Unreachable, match=rf"has no time \(HTTP {status}\): busy"):
        http.get("/x")


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"[1, 2]", b"{", b"[" * 100_000, b"null", b"<html>"])
def test_what_is_no_object_has_no_body(http, echo, body):
    """Whoever asked decides what that means; nothing else is raised."""
    echo.behaviour.instead["/x"] = Reply(200, body)
    assert http.get("/x").body is None


def test_an_answer_without_end_does_not_fill_the_memory(http, echo):
    """More than a quarter of a megabyte is refused."""
    echo.behaviour.instead["/x"] = Reply(200, b" " * (MOST_BYTES + 1))
    with pytest.raises(UnexpectedAnswer, match="no sensible size"):
        http.get("/x")


def test_an_answer_that_repeats_our_secret_is_kept_without_it(http, echo):
    """In the text for people as in the raw answer."""
    echo.behaviour.instead["/x"] = Reply(200, {"Password": "marker-4711"})
    error = http.confused("told marker-4711", http.get("/x"))
    assert (str(error), error.raw) == ("garage told …", '{"Password": "…"}')


def test_a_login_that_comes_back_as_it_was_sent_is_not_told(echo):
    """A device that repeats the header of our question."""
    with opened(echo, login=(Secret("owner"), Secret("marker-4711"))) as http:
        http.get("/x")
        sent = echo.requests[0].headers["Authorization"]
        echo.behaviour.instead["/x"] = Reply(401, {"Response": f"bad {sent}"})
        with pytest.raises(AccessDenied, match="bad Basic …") as caught:
            http.get("/x")
    assert sent.removeprefix("Basic ") not in str(caught.value)


def test_what_a_device_says_to_people_is_found():
    """Under each of the words that are in use; an object there is not a text."""
    assert [spoken({"Response": " no "}), spoken({"Message": "x"}), spoken({"Message": {}}), spoken(None)] == [
        "no",
        "x",
        "",
        "",
    ]
