"""Driver: the shape of every device driver, and the three ways in which a device can fail.

A driver reads and applies, nothing else. It does not log, retry, sleep, cache, read the clock or look at another device;
the poller does the first four, once, for all.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from chargerd.model.commands import Command, SetEnabled
from chargerd.model.events import ChargerRead, DeviceAdded, MeterRead, StorageRead

Reading = ChargerRead | MeterRead | StorageRead
"""Any reading that a driver can return."""


class DriverError(Exception):
    """Base of the three. ``kind`` is the word that events carry; the text is for people and holds no secret."""

    kind = "unexpected-answer"


class Unreachable(DriverError):
    """No answer in time, or no way to the device. The poller tries again, later and later."""

    kind = "unreachable"


class AccessDenied(DriverError):
    """The device wants a login it was not given, or refuses ours. A person must act; the poller stops knocking."""

    kind = "access-denied"


class UnexpectedAnswer(DriverError):
    """The device answered something we do not understand: our bug or a new firmware. ``raw`` is what came."""

    def __init__(self, text: str, raw: str = "") -> None:
        super().__init__(text)
        self.raw = raw


class Driver(Protocol):
    """A device. Every call happens on the device's own worker thread, within the time budget that the poller gives."""

    def describe(self) -> DeviceAdded:
        """Connect if need be and say what this is. Raises one of the three errors."""
        ...

    def read(self) -> tuple[Reading, ...]:
        """What the device says now, one reading a configured channel. Raises one of the three errors."""
        ...

    def apply(self, command: Command) -> None:
        """Have the device do it; idempotent. Success means that the device accepted it. Raises one of the three errors.

        ``command.device`` is the whole address; the part behind the slash is the channel.
        """
        ...

    def close(self) -> None:
        """Let go of the connection; never raises."""
        ...


def switching(command: Command) -> SetEnabled:
    """The command, if it is for something that can only be switched. Raises `UnexpectedAnswer` for any other."""
    if not isinstance(command, SetEnabled):
        raise UnexpectedAnswer(
            f"{command.device} can be switched on and off, and does not take {type(command).__name__}"
        )
    return command


class FoundSocket(Struct, frozen=True):
    """One socket of a strip that a search has found. ``channel`` is its id within the strip."""

    alias: str
    channel: str


class Found(Struct, frozen=True):
    """A device that answered a search, before anybody has logged in to it.

    ``mac`` is its hardware address, by which it is known again wherever it goes. ``alias`` None: it tells its name only
    after a login. ``has_meter`` None: nobody knows yet. ``login``: it wants one. ``network`` is where it was asked.
    """

    driver: str
    host: str
    port: int
    mac: str
    model: str
    alias: str | None
    has_meter: bool | None
    login: bool
    network: str
    sockets: tuple[FoundSocket, ...] = ()
