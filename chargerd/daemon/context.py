"""Context: what an answer is made from: the state at one moment, the time, the zone, and a way to look back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from difflib import get_close_matches
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from chargerd import __version__
from chargerd.daemon.times import BadTime, clock_text, local_text, parse_time, utc_text
from chargerd.model.events import Event
from chargerd.model.reasons import duration
from chargerd.model.settings import Profile
from chargerd.model.state import Session, Site
from chargerd.protocol.framing import CallError
from chargerd.protocol.varlink import invalid
from chargerd.store.rest import Lost


class LogReader(Protocol):
    """Reads the log: made for one question, used on one thread, then closed. `daemon.history.History` is one."""

    def read(self, first_seq: int = 1, last_seq: int | None = None) -> Iterator[Event]:
        """Events in the order of their seq, both ends included."""
        ...

    def rest(self, first_seq: int, last_seq: int) -> Iterator[Event | Lost]:
        """The same, with a `Lost` in place of what cannot be read."""
        ...

    def seq_at(self, at_ms: int) -> int:
        """The first seq whose event is not before ``at_ms``; one past the end if there is none."""
        ...

    @property
    def last_seq(self) -> int:
        """The last seq there is; 0 for an empty log."""
        ...

    def state_at(self, at_ms: int) -> Site:
        """The state as it was at a time, after the last event that was not later."""
        ...

    def sessions(
        self, loadpoint: str | None, since_ms: int | None, lines: int, until_ms: int | None = None
    ) -> tuple[list[Session], list[int]]:
        """The last ``lines`` sessions that ended at or after ``since_ms`` and before ``until_ms``, newest first.

        And the numbers of those among them that cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Context(Struct, frozen=True):
    """Everything an answer may look at. ``log`` is there for the methods that look back, else None.

    ``now_ms`` is the moment that the answer is about: the present, or a past one (see `daemon.moments`). For a past one
    ``at_ms`` is that moment as it was asked for, ``asked_ms`` is when it was asked, and ``down`` is from when to when
    chargerd did not run, if it did not run then; ``readings`` is False if the readings of that time were given up.
    ``memory_mib`` is what the process holds at present.
    """

    site: Site
    now_ms: int
    started_ms: int
    profiles: tuple[Profile, ...]
    zone: tzinfo
    log: LogReader | None = None
    memory_mib: float | None = None
    version: str = __version__
    at_ms: int | None = None
    asked_ms: int | None = None
    down: tuple[int, int] | None = None
    readings: bool = True

    @property
    def when(self) -> str:
        """Text: the past moment that the answer is about: "at 16:20", "yesterday at 16:20"; empty for the present."""
        if self.at_ms is None:
            return ""
        day, _, clock = self.clock(self.at_ms).rpartition(" ")
        return f"{'on ' if day[:1].isdigit() else ''}{day} at {clock}".strip()

    def utc(self, at_ms: int | None) -> str | None:
        """A time as JSON carries it; None stays None."""
        return None if at_ms is None else utc_text(at_ms)

    def local(self, at_ms: int | None) -> str | None:
        """A time as the site's clocks show it; None stays None."""
        return None if at_ms is None else local_text(at_ms, self.zone)

    def clock(self, at_ms: int) -> str:
        """A time as people say it, on the day on which they ask."""
        return clock_text(at_ms, self.now_ms if self.asked_ms is None else self.asked_ms, self.zone)

    def time(self, parameters: dict[str, Any], name: str) -> int | None:
        """The time that a parameter names, None if it was left out. Raises `CallError` BadValue."""
        text = parameters[name]
        try:
            return None if text is None else parse_time(text, self.now_ms, self.zone)
        except BadTime as error:
            raise CallError(
                "BadValue", str(error), "Nothing was changed.", "All forms: chargerctl help times"
            ) from error

    def stamped(self, kind: str, text: str, **fields: Any) -> dict[str, Any]:
        """A reply with what every reply has."""
        asked_ms = self.now_ms if self.asked_ms is None else self.asked_ms
        now, local = utc_text(asked_ms), local_text(asked_ms, self.zone)
        return {"kind": kind, "now": now, "now_local": local, "text": text, **fields}


def zone_of(parameters: dict[str, Any], site: Site) -> tzinfo:
    """The zone to answer in: the one asked for, else the site's. Raises `CallError` InvalidParameter."""
    asked = parameters["zone"]
    if asked is None:
        return ZoneInfo(site.configuration.timezone)
    try:
        return ZoneInfo(asked)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid("zone", f'there is no time zone "{asked[:40]}"') from error


def suggestion(name: str, known: list[str]) -> str:
    """Text: " Did you mean garage?" if something known is close, else nothing."""
    close = get_close_matches(name, known, 1, 0.6)
    return f" Did you mean {close[0]}?" if close else ""


def no_loadpoint(name: str, site: Site, when: str = "") -> CallError:
    """The error for a loadpoint that there is not, or was not at the past moment ``when``."""
    return _no_such("NoSuchLoadpoint", "loadpoint", name, sorted(site.configuration.loadpoints), when)


def no_device(name: str, site: Site) -> CallError:
    """The error for a device that there is not."""
    return _no_such("NoSuchDevice", "device", name, sorted(site.configuration.devices))


def no_sink(name: str, site: Site) -> CallError:
    """The error for a sink that there is not."""
    return _no_such("NoSuchSink", "sink", name, sorted(site.configuration.sinks))


def device_named(name: str, site: Site) -> str:
    """The name of a device that there is. Raises `CallError` NoSuchDevice."""
    if name not in site.configuration.devices:
        raise no_device(name, site)
    return name


def no_entry(name: str, known: list[str]) -> CallError:
    """The error for a schedule entry that there is not."""
    return _no_such("NoSuchEntry", "schedule entry", name, known)


def _no_such(error: str, what: str, name: str, known: list[str], when: str = "") -> CallError:
    shown, then = name[:60], f" {when}" if when else ""
    listed = f"Known{then}: {' '.join(known)}" if known else f"There {'was' if when else 'is'} no {what} at all{then}."
    message = f'no {what} "{shown}"{then}.{suggestion(shown, known)}'
    return CallError(error, message, "Nothing was changed.", listed, name=shown, known=known)


def chosen(names: list[str] | None, site: Site, when: str = "") -> list[str]:
    """The loadpoints that were asked for, in the order of the configuration. Raises `CallError` NoSuchLoadpoint."""
    for name in names or ():
        if name not in site.configuration.loadpoints:
            raise no_loadpoint(name, site, when)
    return [name for name in site.configuration.loadpoints if not names or name in names]


def unheard(site: Site, address: str, now_ms: int) -> tuple[str, ...]:
    """A note that a request does not arrive at once, because the device does not answer; none where it does."""
    device = address.partition("/")[0]
    found = site.devices[device]
    if found.failing_since_ms is None or found.reachable:
        return ()
    for_s = max(0, now_ms - found.failing_since_ms) / 1000
    return (
        f"{device} has not answered for {duration(for_s)}: it is told when it does, and goes on as it is until then.",
    )
