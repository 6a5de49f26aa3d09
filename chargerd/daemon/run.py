"""Run: the daemon put together. One loop takes facts from one queue, records, decides, and hands orders to the workers.

Everything that other threads and signals have to say arrives in that queue; only this loop changes the state.
"""

from __future__ import annotations

import os
import queue
import signal
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import sdnotify

from chargerd import __version__
from chargerd.config.load import ConfigError, Loaded
from chargerd.daemon import leasetest, narrator, replies
from chargerd.daemon.adopter import Adopter
from chargerd.daemon.adoption import effective
from chargerd.daemon.clock import Clock, real_s
from chargerd.daemon.context import device_named, no_sink
from chargerd.daemon.control import ChangeRequest, ControlServer
from chargerd.daemon.devices import Devices, remembered
from chargerd.daemon.discovery import Discovery, Search, wanted
from chargerd.daemon.history import History
from chargerd.daemon.journal import ACT, INFO, NOTICE, WARNING, Journal
from chargerd.daemon.lastwill import LastWill
from chargerd.daemon.messages import Ask, FromDevice, FromSink, Message, Searched, Told
from chargerd.daemon.rebuild import Rebuild, Rebuilt, keep
from chargerd.daemon.recorder import Moment, Outcome, Recorder
from chargerd.daemon.requests import NOT_RECORDED_YET, ending, facts_for, failed, not_recorded, stops
from chargerd.daemon.secrets import Credentials
from chargerd.daemon.sinks import Sinks
from chargerd.daemon.trials import Trials
from chargerd.daemon.upkeep import Upkeep
from chargerd.engine import VERSION
from chargerd.engine.describe import headline, left_on
from chargerd.model import windows
from chargerd.model.events import (
    READINGS,
    Body,
    CommandDone,
    CommandFailed,
    ConfigLoaded,
    DaemonStarted,
    DaemonStopped,
    DaemonStopping,
    DeviceRemoved,
    LogSetAside,
    ModeSet,
)
from chargerd.model.settings import Adopted, Profile
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from chargerd.store.errors import LogError

GATHER_S = 0.2  # readings that arrive this close together share a transaction
NOTIFY_S = 0.2  # a service manager that does not listen keeps charging from nothing longer than this
STOP_S = 10.0  # how long an ending waits for devices to take their last command; a kasa call may take 7.5 s
IDLE_S = 10.0  # the loop looks around at least this often, also without a watchdog


class Places(NamedTuple):
    """Where the daemon keeps what: the folder of the log, the folder of the sockets, and whose group may use control."""

    state: Path
    run: Path
    group: str | None = None

    @property
    def log(self) -> Path:
        """The log."""
        return self.state / "log.db"


class Daemon:
    """The running daemon. Make it, `start` it, `loop` until it is told to stop."""

    def __init__(
        self, places: Places, clock: Clock, journal: Journal, load: Callable[[], Loaded], credentials: Credentials
    ) -> None:
        self._places = places
        self._clock = clock
        self._journal = journal
        self._load = load
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._devices = Devices(clock, lambda name, facts: self._queue.put(FromDevice(name, facts)), credentials)
        self._sinks = Sinks(self, places.state, credentials, lambda name, facts: self._queue.put(FromSink(name, facts)))
        self._discovery = Discovery(self.report)
        self._trials = Trials(self.report)
        self._adopter = Adopter(self._discovery, lambda search: self._queue.put(Searched(search)), self._note)
        self._notify = sdnotify.SystemdNotifier()
        self._watchdog_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
        self._wake_ms: int | None = None
        self._orders_out: set[int] = set()
        self._reading: dict[str, list[Ask]] = {}
        self._rebuild: Rebuild | None = None
        self._last_will = LastWill(places.run)
        self._status = ""
        self._started_ms = 0

    # What other threads may ask of the daemon: control.Hub

    def site(self) -> Site:
        """The state after the last transaction; it never changes in place."""
        return self._recorder.site

    def now_ms(self) -> int:
        """UTC on the daemon's clock."""
        return self._clock.now_ms()

    def started_ms(self) -> int:
        """When this daemon started, on the same clock."""
        return self._started_ms

    def log_reader(self) -> History:
        """A reader of the log for the calling thread."""
        return History(self._places.log)

    def profiles(self) -> tuple[Profile, ...]:
        """Shipped and configured profiles."""
        return self._loaded.profiles

    def submit(self, request: ChangeRequest) -> Future[dict[str, Any]]:
        """Put a request before the main loop."""
        reply: Future[dict[str, Any]] = Future()
        self._queue.put(Ask(request, reply, real_s()))
        return reply

    def search(self, parameters: dict[str, Any], wake: Callable[[], None]) -> Search:
        """Look for plugs on the local network, or share the search that runs."""
        return self._discovery.begin(*wanted(parameters, self.site()), wake)

    def report(self, error: BaseException) -> None:
        """A mistake of ours in answering somebody: into the journal with its traceback, and charging goes on."""
        where = "".join(traceback.format_exception(error)).strip().replace("\n", " | ")
        self._journal.say(ACT, f"control: an answer failed: {error}", trace=where)

    # Start

    def start(self, loaded: Loaded, recorder: Recorder, basis: Site | None, set_aside: LogSetAside | None) -> None:
        """Come alive: record the start, open the sockets, let the devices answer, and say that we are ready.

        ``basis``: the state that other rules left, if ours rests on it for now.
        """
        self._recorder = recorder
        self._told_of = recorder.site
        away_ms = self._clock.now_ms() - recorder.site.at_ms if recorder.site.seq else 0
        warn = partial(self._journal.say, WARNING)
        self._upkeep = Upkeep(recorder.log, real_s, lambda text: warn(f"log: {text}"), away_ms=away_ms)
        self._files = loaded
        self._loaded = loaded = effective(loaded, recorder.site.configuration.adopted, recorder.site)
        self._adopter.follow(loaded)
        self._journal.follow(loaded.configuration.journal_level)
        self._started_ms = self._clock.now_ms()
        self._zone = windows.zone(loaded.configuration.timezone)
        self._control = ControlServer(self._places.run, self._places.group, self)
        self._control.start()
        known = remembered(recorder.site, loaded.configuration)
        facts: list[Body] = [DaemonStarted(__version__, VERSION, self._clock.boot_id(), os.getpid())]
        if set_aside is not None:
            facts.append(set_aside)
        facts.append(ConfigLoaded(loaded.configuration))
        if not self._take([("daemon", fact) for fact in facts]).recorded:
            self._take([])  # says so
        self._devices.configure(loaded.configuration, loaded.device_configs, known)
        self._sinks.configure(loaded.sink_configs)
        for number, what in ((signal.SIGTERM, "stop"), (signal.SIGINT, "stop"), (signal.SIGHUP, "reload")):
            signal.signal(number, self._told(what))
        self._say_status()
        self._ready()
        count = len(loaded.configuration.loadpoints)
        if basis is not None:
            self._journal.say(
                INFO, f"the rules have changed; the log is folded again in the background (rules {VERSION})"
            )
            self._rebuild = Rebuild(self._places.log, basis, self._queue.put)
            self._rebuild.start()
        text = f"chargerd {__version__} watches {count} loadpoint{'' if count == 1 else 's'}"
        self._journal.say(NOTICE, text, state=self._places.state, sockets=self._places.run)

    def _note(self, text: str) -> None:
        self._journal.say(NOTICE, text)

    def _told(self, what: str) -> Callable[[int, object], None]:
        return lambda _number, _frame: self._queue.put(Told(what))

    # The loop

    def loop(self) -> int:
        """Work until told to stop; the exit status."""
        while True:
            messages = self._gather()
            told = self._work(messages)
            if not messages:
                self._keep_up()
            if told == "stop":
                return self._stop()
            if told == "reload":
                self._reload()
            self._say_status()
            self._notify.notify("WATCHDOG=1")  # only here: a cycle is finished and its events are on disk

    def _gather(self) -> list[Message]:
        """The next messages: all that are there, and readings that come close behind."""
        waits = [IDLE_S, self._watchdog_s / 3 or IDLE_S, self._upkeep.wait_s(), self._adopter.wait_s()]
        if self._wake_ms is not None:
            waits.append(self._clock.real_delay_s(self._wake_ms - self._clock.mono_ms()))
        messages: list[Message] = []
        end_s = 0.0
        while True:
            wait_s = max(0.0, end_s - real_s()) if messages else min(waits)
            try:
                message = self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait()
            except queue.Empty:
                return messages
            messages.append(message)
            devices = {m.device for m in messages if isinstance(m, FromDevice)}
            if not _can_wait(message) or len(devices) >= len(self._devices):
                end_s = 0.0  # take what is there already and go
            elif len(messages) == 1:
                end_s = real_s() + GATHER_S

    def _work(self, messages: Sequence[Message]) -> str | None:
        """One cycle. Facts of devices share a transaction; each request has its own. Returns what a signal said."""
        facts = [(m.device, fact) for m in messages if isinstance(m, FromDevice) for fact in m.facts]
        facts = [(source, fact) for source, fact in facts if source in self.site().configuration.devices]
        told_by = [m for m in messages if isinstance(m, FromSink) and m.sink in self.site().configuration.sinks]
        facts += [(m.sink, fact) for m in told_by for fact in m.facts]
        if facts or self._wake_due():
            self._take(facts)
        self._answer_readings(messages)
        self._adopter.look(self.site())
        told = None
        for message in messages:
            match message:
                case Ask():
                    self._asked(message)
                case Rebuilt():
                    self._rebuilt(message)
                case Searched(search=search):
                    adopted = self._adopter.change(search, self._files, self.site())
                    if adopted is not None:
                        self._take_over(self._files, adopted, "adopt")
                case Told(what=what):
                    told = what if told != "stop" else told
        return told

    def _keep_up(self) -> None:
        """A step of looking after the log, while nobody wants anything."""
        if not self._recorder.writable():
            return  # what waits comes first: it may be readings that are given up already
        if self._recorder.lost:
            self._take([])  # the log is back, and nobody should have to wait for a reading to learn of it
        drop = self._upkeep.step(self.site())
        if drop is not None:
            self._follow(self._recorder.drop(drop, self._moment()))

    def _rebuilt(self, rebuilt: Rebuilt) -> None:
        """The whole log under today's rules: what it says counts."""
        try:
            if rebuilt.error or not self._recorder.writable():
                why = rebuilt.error or self._recorder.error
                self._journal.say(WARNING, f"log: not folded again, the state of before stays: {why}")
                return
            keep(self._recorder.log, rebuilt)
            self._recorder.adopt(rebuilt.site)
        except LogError as error:
            self._journal.say(WARNING, f"log: folded again, but the state of before stays: {error}")
            return
        if rebuilt.differs:
            what = ", ".join(rebuilt.differs)
            self._journal.say(NOTICE, f"log: folded again under rules {VERSION}; {what} changed with the rules")
        else:
            self._journal.say(INFO, f"log: folded again under rules {VERSION}; the state is as it was")

    def _wake_due(self) -> bool:
        return self._wake_ms is not None and self._clock.mono_ms() >= self._wake_ms

    def _moment(self) -> Moment:
        return Moment(self._clock.now_ms(), self._clock.mono_ms(), self._clock.boot_id())

    def _take(self, facts: Sequence[tuple[str, Body]]) -> Outcome:
        return self._follow(self._recorder.take(facts, self._moment()))

    def _follow(self, outcome: Outcome) -> Outcome:
        """Tell and hand out what a transaction led to."""
        for event in outcome.events:
            line = narrator.line(event, outcome.site, self._zone, self._told_of)
            if line is not None:
                labels = narrator.labels(event, outcome.site)
                self._journal.say(line.priority, line.text, always=line.always, labels=labels, **line.fields)
            self._upkeep.heed(event)
            if isinstance(event.body, CommandDone | CommandFailed):
                self._orders_out.discard(event.body.issued)
        self._told_of = outcome.site
        for order in outcome.orders:
            self._orders_out.add(order.issued)
            self._devices.order(order.issued, order.command)
        self._devices.pace(outcome.near)
        if (error := self._last_will.keep(outcome.site)) is not None:
            self._journal.say(WARNING, f"failsafe: what is to be done after a death cannot be kept: {error}")
        self._wake_ms = None if outcome.wake_ms is None else self._clock.mono_ms() + outcome.wake_ms
        self._control.publish(outcome.events, outcome.site)
        return outcome

    def _say_status(self) -> None:
        status = headline(self.site(), self.now_ms())
        if self._recorder.error:
            status = f"NOT RECORDING ({self._recorder.error}); {status}"
        if status != self._status:
            self._status = status
            self._notify.notify(f"STATUS={status}")

    # Requests

    def _asked(self, ask: Ask) -> None:
        if not ask.reply.set_running_or_notify_cancel():
            return  # whoever asked has gone
        try:
            match ask.change.method:
                case "ReadDevice":
                    self._read_device(ask)
                case "TestSink":
                    self._test_sink(ask)
                case "RecordDevice":
                    self._devices.record(device_named(ask.change.parameters["name"], self.site()), ask.reply)
                case "TestDevice":
                    ask.reply.set_result(self._test_device(ask.change))
                case method if self._trials.knows(method):
                    self._trials.begin(method, ask.change.parameters, self.site(), ask.reply)
                case "CheckConfiguration":
                    ask.reply.set_result(replies.checked(self._load, self._loaded))
                case _:
                    ask.reply.set_result(self._changed(ask.change))
        except CallError as error:
            ask.reply.set_exception(error)
        except Exception as error:  # a mistake of ours costs this request its answer, never the charging
            self.report(error)
            ask.reply.set_exception(failed())

    def _changed(self, change: ChangeRequest) -> dict[str, Any]:
        site, parameters = self.site(), change.parameters
        done_seq = site.requests.get(parameters.get("request") or "")
        if done_seq is not None:
            return replies.changed("Already done under this request id.", done=False, seq=done_seq)
        asked = facts_for(change.method, parameters, site, change.by, self.now_ms())
        facts = [(change.by, fact) for fact in asked.facts]
        if parameters.get("dry_run"):
            commands = self._recorder.rehearse(facts, self._moment())
            return replies.changed(
                asked.text, done=False, notes=asked.notes, commands=commands, site=site
            ) | replies.entry(change.method, asked.entry)
        seq, notes = None, asked.notes
        if facts:
            outcome = self._recorder.request(facts, self._moment()) if self._recorder.writable() else None
            if outcome is None and not stops(asked.facts):
                raise not_recorded(self._recorder.error)
            if outcome is None:  # who wants it to stop need not wait for room on a disk
                outcome = self._recorder.take(facts, self._moment())
                notes = (*notes, NOT_RECORDED_YET)
            self._follow(outcome)
            seq = next(event.seq for event in outcome.events if event.body is asked.facts[0])
        return replies.changed(asked.text, done=bool(facts), notes=notes, seq=seq) | replies.entry(
            change.method, asked.entry
        )

    def _test_device(self, change: ChangeRequest) -> dict[str, Any]:
        """Recorded before anything is switched; what comes of it is a fact like any other."""
        address, fact = leasetest.begun(change.parameters["name"], change.by, self.site())
        facts = [(address.partition("/")[0], fact)]
        outcome = self._recorder.request(facts, self._moment()) if self._recorder.writable() else None
        if outcome is None:
            raise not_recorded(self._recorder.error)
        self._follow(outcome)
        self._devices.test(address)
        return replies.testing(address, outcome.events, fact)

    def _read_device(self, ask: Ask) -> None:
        """The reply waits for the reading, which goes through the log like any other."""
        name = device_named(ask.change.parameters["name"], self.site())
        self._reading.setdefault(name, []).append(ask)
        self._devices.read_now(name)

    def _test_sink(self, ask: Ask) -> None:
        """The reply comes from the sink's own thread, when the other side has taken the message or not."""
        name = ask.change.parameters["name"]
        if not self._sinks.test(name, ask.reply):
            raise no_sink(name, self.site())

    def _answer_readings(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if not isinstance(message, FromDevice) or not any(isinstance(f, READINGS) for f in message.facts):
                continue
            for ask in self._reading.pop(message.device, []):
                took_ms = round((real_s() - ask.asked_s) * 1000)
                try:
                    ask.reply.set_result(replies.reading(message.device, message.facts, took_ms, self.site()))
                except CallError as error:
                    ask.reply.set_exception(error)

    def _reload(self) -> None:
        """Read the configuration again. One that is wrong changes nothing."""
        self._notify.notify(f"RELOADING=1\nMONOTONIC_USEC={round(real_s() * 1e6)}")
        try:
            loaded = self._load()
        except ConfigError as error:
            self._journal.say(ACT, f"configuration not changed: {error}")
        else:
            self._take_over(loaded, self.site().configuration.adopted, "reload")
            self._adopter.follow(loaded)
            self._journal.say(NOTICE, "configuration read again", files=" ".join(loaded.configuration.files))
        self._ready()

    def _ready(self) -> None:
        """Tell the service manager, however long that takes; notices after it may get lost where it does not listen."""
        if self._notify.socket is not None:
            self._notify.socket.settimeout(None)
        self._notify.notify("READY=1")
        if self._notify.socket is not None:
            self._notify.socket.settimeout(NOTIFY_S)

    def _take_over(self, files: Loaded, adopted: tuple[Adopted, ...], by: str) -> None:
        """From here on this is what counts: the files, and what is adopted beside them."""
        loaded = effective(files, adopted, self.site())
        self._leave(loaded)
        self._files, self._loaded = files, loaded
        self._journal.follow(loaded.configuration.journal_level)
        self._zone = windows.zone(loaded.configuration.timezone)
        known = remembered(self.site(), loaded.configuration)
        gone = self._devices.configure(loaded.configuration, loaded.device_configs, known)
        self._sinks.configure(loaded.sink_configs)
        removed: list[tuple[str, Body]] = [(name, DeviceRemoved()) for name in gone]
        self._take([*removed, ("daemon", ConfigLoaded(loaded.configuration, by=by))])

    def _leave(self, loaded: Loaded) -> None:
        """Switch off what the new configuration no longer has, or has elsewhere, while its worker still runs."""
        new = loaded.configuration.loadpoints
        gone = [
            n
            for n, old in self.site().configuration.loadpoints.items()
            if n not in new or new[n].charger != old.charger
        ]
        if gone:
            self._take([("daemon", ModeSet(name, "off", "configuration")) for name in gone])

    # The end

    def _stop(self) -> int:
        """Leave everything in the state that the configuration wants, then end."""
        self._notify.notify("STOPPING=1")
        self._take([("daemon", DaemonStopping("told to stop"))])
        pauses = [device.pause_s for device in self.site().devices.values()]
        deadline_s = real_s() + STOP_S + max(pauses, default=0.0)
        while (self._orders_out or left_on(self.site())) and real_s() < deadline_s:
            try:
                message = self._queue.get(timeout=min(1.0, max(0.01, deadline_s - real_s())))
            except queue.Empty:
                self._take([])
                continue
            if isinstance(message, FromDevice):
                self._take([(message.device, fact) for fact in message.facts])
            elif isinstance(message, Ask) and message.reply.set_running_or_notify_cancel():
                message.reply.set_exception(ending())
        if left_on(self.site()):
            self._journal.say(
                ACT, f"still on, and nothing will end it: {', '.join(left_on(self.site()))}; switch off by hand"
            )
        elif self._orders_out:
            self._journal.say(
                WARNING, f"ending without word of {len(self._orders_out)} last commands; leases run out by themselves"
            )
        if self._rebuild is not None:
            self._rebuild.stop()
        self._sinks.stop()
        hanging = self._devices.stop()
        if hanging:
            self._journal.say(WARNING, f"left behind, hanging in their device: {', '.join(hanging)}")
        self._take([("daemon", DaemonStopped("told to stop"))])
        self._control.stop()
        self._recorder.log.close()
        self._journal.say(INFO, "ended in order")
        return 0


def _can_wait(message: Message) -> bool:
    """Whether more may be awaited before this is dealt with: plain readings have that time, nothing else has."""
    return isinstance(message, FromDevice) and all(isinstance(f, READINGS) for f in message.facts)
