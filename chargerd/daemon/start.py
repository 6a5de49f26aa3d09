"""Start: from the command line to a running daemon. Reads the configuration, opens the log, and says plainly what is wrong."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path

from chargerd.config.load import ConfigError, Loaded, config_files
from chargerd.daemon.clock import Clock
from chargerd.daemon.control import CannotServe
from chargerd.daemon.journal import ACT, NOTICE, Journal
from chargerd.daemon.loading import loaded, loader
from chargerd.daemon.past import sessions_of, state_to_begin_with
from chargerd.daemon.recorder import PROVISIONAL, Recorder
from chargerd.daemon.run import Daemon, Places
from chargerd.daemon.secrets import Credentials
from chargerd.engine import VERSION
from chargerd.model.events import LogSetAside
from chargerd.model.state import Site
from chargerd.store import sessions
from chargerd.store.errors import LogBusy, LogDamaged, LogError, LogTooNew
from chargerd.store.log import Log

EX_CONFIG = 78  # sysexits(3); the unit does not restart after it
EX_FAILED = 1


def serve(main: Path, places: Places, clock: Clock, journal: Journal, credentials: Credentials) -> int:
    """Run the daemon until it is told to stop; the exit status. 78: nothing will get better by trying again."""
    try:
        opened = _open(places, clock)
    except (LogTooNew, LogBusy) as error:
        journal.say(ACT, f"log: {error}")
        return EX_CONFIG if isinstance(error, LogTooNew) else EX_FAILED
    except (LogError, OSError) as error:
        journal.say(ACT, f"log: {error}; nothing is switched, plugs keep what they were told last{_mend(places)}")
        return EX_FAILED
    recorder, basis, set_aside = opened
    try:
        configured = _configuration(main, credentials, known=recorder.site.config_seq > 0)
    except ConfigError as error:
        recorder.log.close()
        journal.say(ACT, f"configuration: {error}")
        return EX_CONFIG
    _list_again(recorder, journal)
    daemon = Daemon(places, clock, journal, loader(main, credentials), credentials)
    try:
        daemon.start(configured, recorder, basis, set_aside)
    except CannotServe as error:
        recorder.log.close()
        journal.say(ACT, f"control: {error}")
        return EX_FAILED
    return daemon.loop()


def _mend(places: Places) -> str:
    """What to do about a log that is there and may not be read, as when root has worked on it."""
    if not places.log.exists() or os.access(places.log, os.R_OK, effective_ids=True):
        return ""
    owner = pwd.getpwuid(os.geteuid()).pw_name
    return f". Mend: sudo chown -R {owner}: {places.state} && sudo chmod -R u+rwX {places.state}"


def _configuration(main: Path, credentials: Credentials, *, known: bool) -> Loaded:
    """The configuration. A missing credential refuses a first start; later only its device is out."""
    try:
        return loader(main, credentials)()
    except ConfigError:
        if not known:
            raise
    return loaded(config_files(main))


def _open(places: Places, clock: Clock) -> tuple[Recorder, Site | None, LogSetAside | None]:
    """The log and the state; a damaged one is put aside, whole, and a new one begun, for a charge must not go unwatched."""
    os.umask(0o027)
    places.state.mkdir(parents=True, exist_ok=True)
    if not places.run.exists():
        places.run.mkdir(parents=True)
        places.run.chmod(0o755)  # the sockets inside say who may do what
    with suppress(LogDamaged):
        return *_replayed(places.log), None
    try:
        return *_replayed(places.log), None  # once more: a page that could not be read for a moment is no damage
    except LogDamaged as damage:
        kept = places.log.with_name(f"log.damaged-{clock.now_ms()}.db")
        for suffix in ("", "-wal", "-shm"):
            part = places.log.with_name(places.log.name + suffix)
            if part.exists():
                part.rename(kept.with_name(kept.name + suffix))
        return *_replayed(places.log), LogSetAside(str(kept), str(damage), damage.first_bad_seq)


def _replayed(path: Path) -> tuple[Recorder, Site | None]:
    """The log with the state it stands for, and what that was made from if the rules have changed since.

    A log that cannot be written yet will do: the recorder tries again. One that cannot be replayed is let go.
    """
    log = Log(path, wait=True)
    try:
        site, basis = state_to_begin_with(log)
    except LogError:
        log.close()
        raise
    return Recorder(log, site, VERSION if basis is None else PROVISIONAL), basis


def _list_again(recorder: Recorder, journal: Journal) -> None:
    """Make the list of charging sessions again from the log if it lacks some that the state knows."""
    log = recorder.log
    try:
        if sessions.holds(log, recorder.site.ended):
            return
        found, above = sessions_of(log)
        log.save(sessions.replacing(found, above))
    except LogError as error:
        journal.say(ACT, f"log: charging sessions are missing from the list, and cannot be worked out again: {error}")
        return
    journal.say(
        NOTICE, f"log: the list of charging sessions was damaged; {len(found)} were worked out again from the log"
    )
