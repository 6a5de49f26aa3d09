"""Sinks: each follows the log on a thread of its own, with a cursor of its own, and tells what its place is to be told.

The log is the buffer: what could not be sent is read again, so nothing is lost while a server is down, and nothing waits for
it. A cursor is a small file beside the log, written after the other side has taken the news; a kill in between tells it twice.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import msgspec

from chargerd import sinks
from chargerd.config import times
from chargerd.config.base import SinkConfig
from chargerd.daemon.clock import real_s
from chargerd.daemon.context import Context
from chargerd.daemon.history import History
from chargerd.daemon.news import messages, news_of, report
from chargerd.daemon.requests import failed
from chargerd.daemon.secrets import Credentials, SecretMissing
from chargerd.model import windows
from chargerd.model.events import Body, Event, SinkBack, SinkLost
from chargerd.model.settings import DAY_MS, ScheduleEntry
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from chargerd.sinks.base import Message, Sink, SinkError, SinkRefused, SinkUnreachable
from chargerd.store.errors import LogError

POLL_S = 2.0
RETRY_S = (30.0, 60.0, 120.0, 300.0, 900.0)
REFUSED_S = 900.0  # a refused login is not knocked at: mail providers lock accounts that are
AT_ONCE = 50_000  # events a round; a sink that was away for a month gets there in several
KEEP_S = 300.0  # where nothing was told, the cursor is written no more often: flash memory wears
END_S = 2.0  # how long an ending waits for a message under way


class Hub(Protocol):
    """What a sink asks of the daemon."""

    def site(self) -> Site: ...
    def now_ms(self) -> int: ...
    def started_ms(self) -> int: ...
    def log_reader(self) -> History: ...
    def report(self, error: BaseException) -> None: ...


class Cursor(msgspec.Struct, frozen=True):
    """How far a sink has come: the last event told of and its time, and the end of the last report, UTC."""

    seq: int
    at_ms: int
    reported_ms: int


class Sinks:
    """All sinks of the configuration. Used by the main loop only."""

    def __init__(self, hub: Hub, folder: Path, credentials: Credentials, say: Callable[[str, Sequence[Body]], None]):
        self._hub = hub
        self._folder = folder
        self._credentials = credentials
        self._say = say
        self._tellers: dict[str, Teller] = {}

    def configure(self, configs: Mapping[str, SinkConfig]) -> None:
        """Follow the log with these sinks from now on; those that are as before go on."""
        gone = {n: teller for n, teller in self._tellers.items() if configs.get(n) != teller.config}
        for name, teller in gone.items():
            self._tellers.pop(name)
            teller.stop()
        for name, config in configs.items():
            if name not in self._tellers:
                before = gone.get(name)
                self._tellers[name] = Teller(name, config, self._hub, self._folder, self._made, self._say, before)
                self._tellers[name].start()

    def test(self, name: str, reply: Future[dict[str, Any]]) -> bool:
        """Have a sink send a message to try it; False if there is none of that name."""
        teller = self._tellers.get(name)
        if teller is not None:
            teller.tests.put(reply)
        return teller is not None

    def stop(self) -> None:
        """End all of them; a message under way is waited for a little."""
        for teller in self._tellers.values():
            teller.stop()
        deadline_s = real_s() + END_S
        for teller in self._tellers.values():
            teller.join(max(0.0, deadline_s - real_s()))

    def _made(self, config: SinkConfig) -> Sink:
        made: Sink = sinks.load(config.kind).Sink(config, self._credentials.of(config))
        return made


class Teller(threading.Thread):
    """One sink."""

    def __init__(
        self,
        name: str,
        config: SinkConfig,
        hub: Hub,
        folder: Path,
        make: Callable[[SinkConfig], Sink],
        say: Callable[[str, Sequence[Body]], None],
        before: Teller | None = None,
    ) -> None:
        super().__init__(name=f"sink-{name}", daemon=True)
        self.config = config
        self.tests: SimpleQueue[Future[dict[str, Any]]] = SimpleQueue() if before is None else before.tests
        self._sink_name = name
        self._hub = hub
        self._path = folder / f"sink-{name}.json"
        self._make = make
        self._say = say
        self._sink: Sink | None = None
        self._before = before
        self._at: Cursor | None = None
        self._kept_s = 0.0
        self._ending = threading.Event()
        self._attempts = 0
        self._retry_s = 0.0
        self._lost = name in hub.site().sinks

    def stop(self) -> None:
        """Have it end after what it is doing."""
        self._ending.set()

    def run(self) -> None:
        self._follow()
        while not self._ending.wait(POLL_S):
            try:
                self._try_out()
                if real_s() >= self._retry_s:
                    self._round()
            except LogError:
                continue  # it cannot be read just now; the recorder tells of it
            except SinkError as error:
                self._failed(error)
            except Exception as error:  # a mistake of ours must not end the telling unnoticed
                self._hub.report(error)
                self._failed(SinkUnreachable("a mistake of chargerd's own; its journal has the details"))

    def _follow(self) -> None:
        """After a reload: wait for the one of before, which may be sending, and go on where it stood."""
        if self._before is not None:
            self._before.join()
            self._lost, self._at = self._before._lost, self._before._at
            self._before = None

    def _round(self) -> None:
        """Tell what has happened since the cursor, and report what is due."""
        log = self._hub.log_reader()
        try:
            cursor = self._cursor(log)
            cursor = self._tell(log, cursor)
            self._report(log, cursor)
        finally:
            log.close()

    def _tell(self, log: History, cursor: Cursor) -> Cursor:
        last_seq = min(log.last_seq, cursor.seq + AT_ONCE)
        if last_seq <= cursor.seq:
            return cursor
        site, at_ms, found = self._hub.site(), cursor.at_ms, []
        zone = windows.zone(site.configuration.timezone)
        for event in log.read(cursor.seq + 1, last_seq):
            at_ms = event.at_ms
            one = (
                None
                if event.source == self._sink_name
                else news_of(event, site, zone, log.session, partial(_before, log, site))
            )
            if one is not None and one.kind in self.config.tell:
                found.append(one)
        for message, told_seq in messages(found, zone):
            self._send(message)
            self._keep(Cursor(told_seq, next(one.at_ms for one in found if one.seq == told_seq), cursor.reported_ms))
        moved = Cursor(last_seq, at_ms, cursor.reported_ms)
        if found or real_s() - self._kept_s >= KEEP_S:
            self._keep(moved)
        self._at = moved
        return moved

    def _report(self, log: History, cursor: Cursor) -> None:
        site, now_ms = self._hub.site(), self._hub.now_ms()
        until_ms = self._report_due_ms(site, cursor, now_ms)
        if until_ms is None or log.last_seq < site.seq:
            return  # the state is known a moment before it is on the disk
        found, _ = log.sessions(None, cursor.reported_ms, -1, until_ms)
        zone = windows.zone(site.configuration.timezone)
        if found or self.config.report != "sessions":
            context = Context(site, now_ms, self._hub.started_ms(), (), zone)
            self._send(report(context, found[::-1], log, cursor.reported_ms, until_ms))
        self._keep(Cursor(cursor.seq, cursor.at_ms, until_ms))

    def _report_due_ms(self, site: Site, cursor: Cursor, now_ms: int) -> int | None:
        """The end of the time that is to be reported now; None: nothing is due."""
        if self.config.report == "off":
            return None
        if self.config.report == "sessions":
            ended = [s.ended_at_ms for s in site.ended if s.ended_at_ms is not None]
            newer = any(at_ms >= cursor.reported_ms for at_ms in ended)
            running = any(point.session is not None for point in site.loadpoints.values())
            return max(ended) + 1 if newer and not running else None
        entry = ScheduleEntry("", "", *times.recurring(self.config.report))
        due_ms = windows.last_due_ms(entry, now_ms, windows.zone(site.configuration.timezone))
        return due_ms if due_ms is not None and due_ms > cursor.reported_ms else None

    def _send(self, message: Message) -> None:
        if self._sink is None:
            try:
                self._sink = self._make(self.config)
            except SecretMissing as error:
                raise SinkRefused(str(error)) from error
        self._sink.send(message)
        self._attempts = 0
        if self._lost:
            self._lost = False
            self._say(self._sink_name, [SinkBack()])

    def _failed(self, error: SinkError) -> None:
        wait_s = RETRY_S[min(self._attempts, len(RETRY_S) - 1)]
        self._retry_s = real_s() + (REFUSED_S if isinstance(error, SinkRefused) else wait_s)
        self._attempts += 1
        if isinstance(error, SinkRefused):
            self._sink = None  # the secret may be another one by then
        if not self._lost:
            self._lost = True
            self._say(self._sink_name, [SinkLost(error.kind, str(error))])

    def _try_out(self) -> None:
        """Send what somebody wants sent to see whether it arrives; how that ended is the answer."""
        try:
            reply = self.tests.get_nowait()
        except Empty:
            return
        try:
            self._send(Message("chargerd: a test", "This is how chargerd will tell you what happens to your charging."))
        except SinkError as error:
            self._sink = None
            told = f"{self._sink_name}: {error}"
            hint = "Its address is in its credential; after a change: sudo systemctl restart chargerd"
            reply.set_exception(CallError("SinkFailed", told, "Charging is not concerned; nothing was told.", hint))
        except Exception:
            reply.set_exception(failed())
            raise
        else:
            self._retry_s = 0.0
            reply.set_result({"text": f"{self._sink_name}: the test message was taken.", "name": self._sink_name})

    # The cursor

    def _cursor(self, log: History) -> Cursor:
        """How far this sink has come; the end of the log for one that is new. In another log, as after damage, a day back."""
        cursor = self._at or self._stored()
        if cursor is not None and cursor.seq <= log.last_seq and self._same(log, cursor):
            return cursor
        last_seq, now_ms = log.last_seq, self._hub.now_ms()
        if cursor is not None:
            last_seq = min(last_seq, log.seq_at(now_ms - DAY_MS) - 1)
        last = next(iter(log.read(last_seq, last_seq)), None)
        cursor = Cursor(last_seq, 0 if last is None else last.at_ms, now_ms)
        self._keep(cursor)
        return cursor

    def _stored(self) -> Cursor | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Cursor)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _same(self, log: History, cursor: Cursor) -> bool:
        """Whether the event that the cursor stands on is the one that it stood on. One that was given up may be."""
        if not cursor.seq:
            return True
        event = next(iter(log.read(cursor.seq, cursor.seq)), None)
        return event is None or event.at_ms == cursor.at_ms

    def _keep(self, cursor: Cursor) -> None:
        """Store the cursor: whole or as it was. While the disk is full it is in memory only; a kill then tells things again."""
        self._at, self._kept_s = cursor, real_s()
        new = self._path.with_suffix(".new")
        with suppress(OSError):  # the recorder tells of a full disk
            with new.open("wb") as file:
                file.write(msgspec.json.encode(cursor))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)


def _before(log: History, site: Site, event: Event) -> Site:
    """The state before an event that may be about an inverter's night; the present one where that cannot be so."""
    if all(meter.device != event.source for meter in site.configuration.meters.values()):
        return site
    return log.state_at(event.at_ms - 1)
