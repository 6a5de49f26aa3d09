"""Poller: one desk and one worker thread for each device. Reads on schedule, applies commands, backs off.

`Desk` is all of it but the thread: one call is one attempt, at a time it is given. Tests and simulated days use it as it
is; `Worker` runs it on a thread of its own, so that a device that hangs delays nobody.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from msgspec import Struct, structs

from chargerd.daemon.clock import Clock
from chargerd.daemon.leasetest import LEASE_S, Wait, prove
from chargerd.drivers.base import AccessDenied, Driver, DriverError, Reading, UnexpectedAnswer, Unreachable
from chargerd.model.commands import Command, SetEnabled, enables
from chargerd.model.events import (
    Body,
    ChargerRead,
    CommandDone,
    CommandFailed,
    DeviceAdded,
    DeviceBack,
    DeviceLost,
    LeaseTested,
    ReadFailed,
)
from chargerd.model.settings import DeviceSettings, address_of
from chargerd.protocol.framing import CallError

LOST_MS = 60_000  # a device that misses one or two readings is not yet worth a line
BACK_OFF = 8.0  # at most this many times the slow reading pace between two attempts
DENIED_MS = 3_600_000  # a device that refuses our login is asked again only this often: some lock accounts
DETAIL_CHARS = 200
REPLACED = "it did not answer when its settings were changed, so what waited for it was dropped"

Post = Callable[[str, Sequence[Body]], None]
"""How a worker hands facts to the main loop: the device's name and the facts, which belong into one batch."""


class Desk:
    """What is known of one device's conversation: when to read next, since when it is silent."""

    def __init__(self, settings: DeviceSettings, driver: Driver) -> None:
        self.name = settings.name
        self._settings = settings
        self._driver = driver
        self._added: DeviceAdded | None = None
        self._near = False
        self._failures = 0
        self._silent_since_ms: int | None = None
        self._lost = False
        self._enabled: dict[str, bool | None] = {}  # what each address said last
        self.due_ms = 0  # when the next reading is due, on the daemon's monotonic clock

    def pace(self, near: bool, now_ms: int) -> None:
        """Read at the fast pace, or at the slow one, from here on."""
        if near and not self._near and self._failures == 0:
            self._near = near
            self.due_ms = min(self.due_ms, self._next_on_grid(now_ms))
        self._near = near

    def read(self, now_ms: Callable[[], int]) -> list[Body]:
        """One reading: the facts that came of it. Arms the next one."""
        facts: list[Body] = []
        try:
            if self._added is None:
                added = self._driver.describe()
                facts.append(added)
                self._added = added
            readings = [without_nonsense(reading) for reading in self._driver.read()]
        except Exception as error:  # whatever a driver lets through is an answer that nobody expected
            failed = self._failed(as_driver_error(error), now_ms())
            return failed if self._added is None else [*facts, *failed]  # who is not asked again has to be told of now
        at_ms = now_ms()
        if self._lost and self._silent_since_ms is not None:
            facts.append(DeviceBack(at_ms - self._silent_since_ms))
        self._failures, self._silent_since_ms, self._lost = 0, None, False
        chargers = [r for r in readings if isinstance(r, ChargerRead)]
        self._enabled = {address_of(self.name, r.channel): r.enabled for r in chargers}
        self.due_ms = self._next_on_grid(at_ms)
        return [*facts, *readings]

    def apply(self, issued: int, command: Command, now_ms: Callable[[], int]) -> list[Body]:
        """Carry out a command and read at once if it switched, so that effect and outcome are seen together."""
        started_ms = now_ms()
        try:
            self._driver.apply(command)
        except Exception as error:  # whatever a driver lets through is an answer that nobody expected
            known = as_driver_error(error)
            outcome: Body = CommandFailed(issued, known.kind, str(known)[:DETAIL_CHARS], now_ms() - started_ms)
        else:
            outcome = CommandDone(issued, now_ms() - started_ms)
        if isinstance(outcome, CommandDone) and _renews(command, self._enabled.get(command.device)):
            return [outcome]  # a lease was renewed; nothing to see before the next reading
        return [outcome, *self.read(now_ms)]

    def test(self, address: str, now_ms: Callable[[], int], wait: Wait) -> list[Body]:
        """Try the timer of a socket; takes as long as the timer. Reads afterwards, so that the end is seen."""
        try:
            tested = prove(self._driver, address, now_ms, wait)
        except Exception as error:  # whatever a driver lets through is an answer that nobody expected
            detail = str(as_driver_error(error))[:DETAIL_CHARS]
            tested = LeaseTested("undecided", LEASE_S, address.partition("/")[2], detail=detail)
        return [tested, *self.read(now_ms)]

    def record(self, reply: Future[dict[str, Any]]) -> None:
        """Answer with what the device says of itself; nothing is switched, and it is no reading."""
        recording = getattr(self._driver, "record", None)
        if recording is None:
            text = f"{self.name}: devices of its driver cannot be recorded"
            reply.set_exception(CallError("Refused", text, "Nothing was asked.", ""))
            return
        try:
            reply.set_result(recording())
        except Exception as error:  # whatever a driver lets through is an answer that nobody expected
            text = f"{self.name}: {str(as_driver_error(error))[:DETAIL_CHARS]}"
            hint = f"Look: chargerctl device read {self.name}"
            reply.set_exception(CallError("DeviceFailed", text, "Nothing was switched.", hint))

    def close(self) -> None:
        """Let go of the device."""
        self._driver.close()

    def _next_on_grid(self, now_ms: int) -> int:
        """All devices read on one grid, so that their readings share a transaction and are of one age."""
        pace_ms = round((self._settings.poll_fast_s if self._near else self._settings.poll_s) * 1000)
        return (now_ms // pace_ms + 1) * pace_ms

    def _failed(self, error: DriverError, now_ms: int) -> list[Body]:
        self._failures += 1
        self._added = None if isinstance(error, Unreachable) else self._added
        if self._silent_since_ms is None:
            self._silent_since_ms = now_ms
        detail = str(error)[:DETAIL_CHARS]
        facts: list[Body] = [ReadFailed(error.kind, detail)]
        silent_ms = now_ms - self._silent_since_ms
        if not self._lost and (silent_ms >= LOST_MS or isinstance(error, AccessDenied)):
            self._lost = True
            facts.append(DeviceLost(error.kind, detail, silent_ms))
        wait_ms = self._settings.poll_fast_s * 1000 * 2.0 ** min(self._failures - 1, 16)
        longest_ms = self._settings.poll_s * 1000 * BACK_OFF
        self.due_ms = now_ms + (DENIED_MS if isinstance(error, AccessDenied) else round(min(wait_ms, longest_ms)))
        return facts


def without_nonsense(reading: Reading) -> Reading:
    """A reading in which a number that is none is unknown: the log cannot hold it, and nothing may be decided on it."""
    wrong = {
        name: None
        for name in reading.__struct_fields__
        if isinstance(value := getattr(reading, name), float) and not math.isfinite(value)
    }
    return structs.replace(reading, **wrong) if wrong else reading


def _renews(command: Command, enabled: bool | None) -> bool:
    """Whether a command to a device that showed this can only have renewed a lease."""
    return isinstance(command, SetEnabled) and enabled is command.enabled


def as_driver_error(error: Exception) -> DriverError:
    """One of the three kinds; what a driver did not foresee is an answer nobody expected."""
    if isinstance(error, DriverError):
        return error
    if isinstance(error, TimeoutError | ConnectionError):
        return Unreachable(str(error) or type(error).__name__)
    return UnexpectedAnswer(f"{type(error).__name__}: {error}")


class Test(Struct, frozen=True):
    """A socket's timer is to be tried."""

    address: str


Message = tuple[int, Command] | bool | str | Test | Future[dict[str, Any]]
"""What a worker can be asked: an order with its number, a pace, "read" or "stop", a test, a recording."""


class Worker:
    """A device's own thread. ``order`` and ``pace`` may be called from the main loop at any time."""

    def __init__(self, desk: Desk, clock: Clock, post: Post) -> None:
        self._desk = desk
        self._clock = clock
        self._post = post
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._replaced = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"device-{desk.name}", daemon=True)

    def start(self) -> None:
        """Begin with a reading."""
        self._thread.start()

    def order(self, issued: int, command: Command) -> None:
        """Carry out a command as soon as the device is free."""
        self._inbox.put((issued, command))

    def pace(self, near: bool) -> None:
        """Read at the fast or the slow pace."""
        self._inbox.put(near)

    def read_now(self) -> None:
        """Read as soon as the device is free, whenever the next reading is due."""
        self._inbox.put("read")

    def test(self, address: str) -> None:
        """Try the timer of a socket as soon as the device is free."""
        self._inbox.put(Test(address))

    def record(self, reply: Future[dict[str, Any]]) -> None:
        """Have the device say everything that a contributor needs, as soon as it is free."""
        self._inbox.put(reply)

    def stop(self) -> None:
        """No more attempts once the orders that wait are carried out; does not wait for any of that."""
        self._ending.set()
        self._inbox.put("stop")

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False when it hangs in its device."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def replaced_by(self, other: Worker) -> None:
        """Another worker has the device now, while this one hangs in it: nothing of this one may come after what that one does.

        What waits here and only cuts off goes to the other one, as does what somebody waits for. What would switch on has failed:
        whether it is still wanted is decided anew. ``other`` is not started yet.
        """
        self._replaced.set()
        for message in self._drained():
            if isinstance(message, Test | Future):
                other._inbox.put(message)
            elif isinstance(message, tuple) and enables(message[1]) is False:
                other.order(*message)
            elif isinstance(message, tuple):
                self._post(self._desk.name, [CommandFailed(message[0], "unreachable", REPLACED, 0)])
        self._inbox.put("stop")

    def _drained(self) -> Iterator[Message]:
        while True:
            try:
                yield self._inbox.get_nowait()
            except queue.Empty:
                return

    def _tell(self, facts: Sequence[Body]) -> None:
        """What came of an attempt; once replaced only what became of an order: what was read is old, or of another device."""
        told = [fact for fact in facts if isinstance(fact, CommandDone | CommandFailed | LeaseTested)]
        if not self._replaced.is_set():
            self._post(self._desk.name, facts)
        elif told:
            self._post(self._desk.name, told)

    def _wait(self, wait_ms: int) -> bool:
        return not self._ending.wait(self._clock.real_delay_s(wait_ms))

    def _run(self) -> None:
        mono_ms = self._clock.mono_ms
        while True:
            try:
                message = self._inbox.get(timeout=self._clock.real_delay_s(self._desk.due_ms - mono_ms()))
            except queue.Empty:
                self._tell(self._desk.read(mono_ms))
                continue
            if message == "stop":  # orders that came before it have been carried out
                break
            if isinstance(message, bool):
                self._desk.pace(message, mono_ms())
            elif isinstance(message, Test):
                self._tell(self._desk.test(message.address, mono_ms, self._wait))
            elif isinstance(message, Future):
                self._desk.record(message)
            elif isinstance(message, tuple):
                self._tell(self._desk.apply(*message, mono_ms))
            elif message == "read":
                self._tell(self._desk.read(mono_ms))
        self._desk.close()
