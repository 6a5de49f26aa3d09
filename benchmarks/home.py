"""Home: the reference load as a log of its own: a configuration, charging sessions day by day, snapshots every hour.

Not a benchmark. The same days make the same events, so that a log that was interrupted can be gone on with.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness import DEVICES, TICK_S, typical_home

from chargerd.daemon.past import ended_between
from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.model.events import Body, ConfigLoaded, DaemonStarted, Event, ModeSet
from chargerd.model.settings import Configuration, DeviceSettings, LoadpointSettings, Profile
from chargerd.model.state import Site
from chargerd.store import sessions, snapshots
from chargerd.store.log import Log

NAMES = [f"plug-{n}" for n in range(DEVICES)]
CHARGING = 3  # of the twelve plugs; each reading of these also counts energy and watches the cut-off
BEGIN_MS = 1_760_000_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PER_HOUR = 3600 // TICK_S
ENDS_TICK = 20 * PER_HOUR  # charging begins with the day and ends in its evening

CONFIGURATION = Configuration(
    import_price_per_kwh=0.3,
    devices={name: DeviceSettings(name, "simulated", poll_s=TICK_S) for name in NAMES},
    loadpoints={name: LoadpointSettings(name, name, Profile("rad-48v", charger_a=2, capacity_ah=14)) for name in NAMES},
)

FILE = '[site]\ntimezone = "UTC"\n' + "".join(
    f'\n[device.{name}]\ndriver = "simulated"\n\n[loadpoint.{name}]\ncharger = "{name}"\nvehicle = "rad-48v"\n'
    for name in NAMES
)
"""The same site as a configuration file."""


def day(traces: Path, number: int, site: Site, begin_ms: int, from_hour: int = 0) -> Iterator[list[Event]]:
    """The transactions of one day, numbered on from a state. Three plugs charge, other three each day."""
    seq = site.seq
    shift_ms = begin_ms + number * DAY_MS - BEGIN_MS
    turn = number * CHARGING
    plugs = [NAMES[(turn + n) % DEVICES] for n in range(CHARGING)]
    for tick, batch in enumerate(typical_home(traces, 24, seed=number + 1)):
        if tick < from_hour * PER_HOUR:
            continue
        people: list[Body] = []
        if number == tick == 0:
            people += [DaemonStarted("1", VERSION, "bench"), ConfigLoaded(CONFIGURATION)]
        if tick in (0, ENDS_TICK):
            people += [ModeSet(name, "off" if tick else "fast", "bench") for name in plugs]
        facts = [("bench", fact) for fact in people] + [(event.source, event.body) for event in batch]
        at_ms = batch[0].at_ms + shift_ms
        # Monotonic time goes on evenly, as in one long life of the daemon.
        mono_ms = at_ms - begin_ms
        yield [Event(seq + n, at_ms, mono_ms, 1, source, fact) for n, (source, fact) in enumerate(facts, 1)]
        seq += len(facts)


def append_hours(log: Log, site: Site, batches: Iterator[list[Event]]) -> Site:
    """Write transactions, an hour a commit with a snapshot behind it; the state at the end."""
    while hour := list(islice(batches, PER_HOUR)):
        before, site = site, fold(site, (event for batch in hour for event in batch))
        ended = [sessions.saving(session) for session in ended_between(before, site)]
        log.append_all(hour, durable=False, also=[*ended, snapshots.saving(site, VERSION)])
    return site


def write(path: Path, traces: Path, hours: float) -> Site:
    """A log of up to a day, in one commit a Tick; the state it stands for."""
    site = Site()
    with Log(path) as log:
        for batch in islice(day(traces, 0, site, BEGIN_MS), round(hours * PER_HOUR)):
            log.append(batch, durable=False)
            site = fold(site, batch)
    return site
