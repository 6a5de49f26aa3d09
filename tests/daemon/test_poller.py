"""Poller: one attempt after the other, each on a thread of its own, and none of them anybody else's trouble."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import Any

from chargerd.daemon.clock import Clock, real_s
from chargerd.daemon.poller import Desk, Worker, as_driver_error, without_nonsense
from chargerd.drivers.base import AccessDenied, UnexpectedAnswer, Unreachable
from chargerd.model.commands import SetEnabled
from chargerd.model.events import (
    Body,
    ChargerRead,
    CommandDone,
    CommandFailed,
    DeviceAdded,
    DeviceBack,
    DeviceLost,
    ReadFailed,
)
from chargerd.model.settings import DeviceSettings
from tests.patience import WAIT_S

SETTINGS = DeviceSettings("plug", "simulated", poll_s=30, poll_fast_s=10)


class Plug:
    """A plug that does what it is told, or raises ``error``."""

    def __init__(self) -> None:
        self.on, self.error, self.described, self.closed = False, None, 0, False
        self.hangs: threading.Event | None = None

    def describe(self):
        self._maybe()
        self.described += 1
        return DeviceAdded("simulated", "plug")

    def read(self):
        self._maybe()
        return (ChargerRead(enabled=self.on, power_w=1.0),)

    def apply(self, command):
        self._maybe()
        self.on = command.enabled

    def close(self):
        self.closed = True

    def _maybe(self):
        if self.hangs is not None:
            self.hangs.wait(20)
        if self.error is not None:
            raise self.error


def kinds(facts) -> list[str]:
    """Names of the facts."""
    return [type(fact).__name__ for fact in facts]


def test_first_reading_says_what_the_device_is():
    """Described once, then read on a grid of 30 s."""
    desk, plug = Desk(SETTINGS, Plug()), None
    assert kinds(desk.read(lambda: 7_000)) == ["DeviceAdded", "ChargerRead"]
    assert desk.due_ms == 30_000
    assert kinds(desk.read(lambda: 30_000)) == ["ChargerRead"]
    assert desk.due_ms == 60_000
    assert plug is None


def test_what_a_device_is_is_told_also_where_its_first_reading_fails():
    """It is asked once; lost, a plug would be switched on without the lease that it can keep."""
    plug = Plug()
    desk = Desk(SETTINGS, plug)
    answers, read = [UnexpectedAnswer("half of it")], plug.read

    def reads():
        if answers:
            raise answers.pop()
        return read()

    plug.read = reads
    assert kinds(desk.read(lambda: 0)) == ["DeviceAdded", "ReadFailed"]
    assert kinds(desk.read(lambda: 30_000)) == ["ChargerRead"]
    desk, answers[:] = Desk(SETTINGS, plug), [Unreachable("no answer")]
    assert kinds(desk.read(lambda: 0)) == ["ReadFailed"], "it is asked again, and said to answer when it does"
    assert kinds(desk.read(lambda: 30_000)) == ["DeviceAdded", "ChargerRead"]


def test_fast_pace_begins_at_once():
    """Near the cut-off the next reading is at most ten seconds away."""
    desk = Desk(SETTINGS, Plug())
    desk.read(lambda: 0)
    desk.pace(True, 3_000)
    assert desk.due_ms == 10_000
    desk.read(lambda: 10_000)
    assert desk.due_ms == 20_000


def test_silence_backs_off_and_is_told_once():
    """Asked again after 10, 20, 40 s, at most 240 s; lost once after a minute; back once, and described anew."""
    plug = Plug()
    desk = Desk(SETTINGS, plug)
    desk.read(lambda: 0)
    plug.error = Unreachable("no answer")
    waits, facts, now = [], [], 30_000
    for _ in range(8):
        facts += desk.read(lambda now=now: now)
        waits.append((desk.due_ms - now) / 1000)
        now = desk.due_ms
    assert waits == [10, 20, 40, 80, 160, 240, 240, 240]
    assert kinds(facts).count("DeviceLost") == 1
    plug.error = None
    back = desk.read(lambda: now)
    assert kinds(back) == ["DeviceAdded", "DeviceBack", "ChargerRead"]
    assert isinstance(back[1], DeviceBack)
    assert back[1].lost_ms == now - 30_000
    assert plug.described == 2


def test_refused_login_is_reported_at_once_and_asked_again_after_an_hour():
    """Knocking on locks accounts."""
    plug = Plug()
    plug.error = AccessDenied("wrong password")
    desk = Desk(SETTINGS, plug)
    facts = desk.read(lambda: 1000)
    assert [fact.error for fact in facts if isinstance(fact, ReadFailed | DeviceLost)] == ["access-denied"] * 2
    assert desk.due_ms == 3_601_000


def test_command_that_switches_is_followed_by_a_reading():
    """Outcome and effect come together; a lease renewal has no effect to look at."""
    desk = Desk(SETTINGS, Plug())
    desk.read(lambda: 0)
    first = desk.apply(5, SetEnabled("plug", True, 900), lambda: 100)
    assert kinds(first) == ["CommandDone", "ChargerRead"]
    assert first[1].enabled is True
    assert kinds(desk.apply(6, SetEnabled("plug", True, 900), lambda: 200)) == ["CommandDone"]


def test_refused_command_is_a_fact_with_its_error():
    """And the device is read, for nobody knows whether it was done."""
    plug = Plug()
    desk = Desk(SETTINGS, plug)
    desk.read(lambda: 0)
    plug.error = UnexpectedAnswer("error code -3")
    facts = desk.apply(5, SetEnabled("plug", True), lambda: 100)
    assert kinds(facts) == ["CommandFailed", "ReadFailed"]
    assert isinstance(facts[0], CommandFailed)
    assert (facts[0].issued, facts[0].error, facts[0].detail) == (5, "unexpected-answer", "error code -3")


def test_whatever_a_driver_lets_through_is_one_of_three_errors():
    """A time-out is no answer; anything else is an answer that nobody expected."""
    assert as_driver_error(TimeoutError("5 s")).kind == "unreachable"
    assert as_driver_error(ConnectionRefusedError()).kind == "unreachable"
    assert as_driver_error(KeyError("power")).kind == "unexpected-answer"


def test_device_that_hangs_delays_nobody():
    """S0-32, wish 8: one worker waits for ever; the other keeps its pace, and the end does not wait either."""
    clock = Clock(0, speed=1000)
    hanging, sound = Plug(), Plug()
    hanging.hangs = threading.Event()
    seen: list[str] = []
    heard = threading.Event()

    def post(name, _facts):
        seen.append(name)
        if seen.count("sound") >= 5:
            heard.set()

    workers = [
        Worker(Desk(DeviceSettings(name, "simulated", poll_s=30), plug), clock, post)
        for name, plug in (("hanging", hanging), ("sound", sound))
    ]
    for worker in workers:
        worker.start()
    assert heard.wait(60)
    assert "hanging" not in seen
    for worker in workers:
        worker.stop()
    assert workers[1].join(WAIT_S)
    begun = real_s()
    assert not workers[0].join(0.1)
    assert real_s() - begun < 2
    hanging.hangs.set()
    assert workers[0].join(WAIT_S)
    assert sound.closed


def test_worker_carries_out_orders_between_readings():
    """An order does not wait for the next reading."""
    plug, done = Plug(), threading.Event()

    def post(_name, facts):
        if any(isinstance(fact, CommandDone) for fact in facts):
            done.set()

    worker = Worker(Desk(DeviceSettings("plug", "simulated", poll_s=3600), plug), Clock(), post)
    worker.start()
    worker.order(1, SetEnabled("plug", True, 900))
    assert done.wait(WAIT_S)
    assert plug.on
    worker.stop()
    assert worker.join(WAIT_S)


def test_what_waits_at_a_worker_that_was_replaced_while_it_hung_is_not_carried_out_later():
    """A reload: what switches on is dropped and said to be, what cuts off is done by the new one, what it read is not told."""
    said: queue.SimpleQueue[tuple[str, list[Body]]] = queue.SimpleQueue()
    old, new = Plug(), Plug()
    old.hangs, new.on = threading.Event(), True
    done: list[tuple[str, object]] = []
    for which, plug in (("old", old), ("new", new)):
        plug.apply = lambda command, which=which: done.append((which, command))  # type: ignore[method-assign]
    workers = [
        Worker(Desk(SETTINGS, plug), Clock(), lambda _, facts, which=which: said.put((which, list(facts))))
        for which, plug in (("old", old), ("new", new))
    ]
    workers[0].start()
    on, off = SetEnabled("plug/a", True, 900), SetEnabled("plug/b", False)
    recording: Future[dict[str, Any]] = Future()
    for issued, command in ((1, on), (2, off)):
        workers[0].order(issued, command)
    workers[0].record(recording)
    workers[0].stop()
    assert not workers[0].join(0.1)
    workers[0].replaced_by(workers[1])
    which, (failed,) = said.get(timeout=WAIT_S)
    assert isinstance(failed, CommandFailed)
    assert (which, failed.issued, failed.error) == ("old", 1, "unreachable")
    workers[1].start()
    while not any(isinstance(fact, CommandDone) and fact.issued == 2 for fact in said.get(timeout=WAIT_S)[1]):
        pass
    old.hangs.set()
    for worker in workers:
        worker.stop()
        assert worker.join(WAIT_S)
    assert done == [("new", off)]
    assert recording.done()
    assert old.closed
    left = []
    while not said.empty():
        left.append(said.get())
    assert [facts for which, facts in left if which == "old"] == []


def test_what_a_replaced_worker_was_in_the_middle_of_is_told():
    """Its outcome only: the daemon waits for it, but the reading behind it is of before."""
    said: queue.SimpleQueue[list[Body]] = queue.SimpleQueue()
    plug, begun = Plug(), threading.Event()
    plug.hangs = threading.Event()
    apply = plug.apply

    def late(command):
        begun.set()
        apply(command)

    plug.apply = late  # type: ignore[method-assign]
    worker = Worker(Desk(SETTINGS, plug), Clock(), lambda _, facts: said.put(list(facts)))
    worker.order(5, SetEnabled("plug", True, 900))
    worker.start()
    assert begun.wait(WAIT_S)
    worker.stop()
    worker.replaced_by(Worker(Desk(SETTINGS, Plug()), Clock(), lambda *_: None))
    plug.hangs.set()
    assert kinds(said.get(timeout=WAIT_S)) == ["CommandDone"]
    assert worker.join(WAIT_S)


def test_a_number_that_is_none_is_unknown():
    """A device that says NaN or infinity says nothing: the log could not hold it, and live and replay would differ."""
    said = ChargerRead("left", True, float("nan"), 230.0, float("inf"))
    assert without_nonsense(said) == ChargerRead("left", True, None, 230.0, None)
    assert without_nonsense(ChargerRead("left", True, 5.0)) == ChargerRead("left", True, 5.0)


class Nonsense(Plug):
    """A plug whose power is no number."""

    def read(self):
        return (ChargerRead(enabled=True, power_w=float("nan")),)


def test_what_a_desk_passes_on_holds_no_such_number():
    """Whatever the driver."""
    assert [fact.power_w for fact in Desk(SETTINGS, Nonsense()).read(lambda: 0) if isinstance(fact, ChargerRead)] == [
        None
    ]
