"""Lease test: whether a socket's own timer really switches it off: tried on the device itself, with a short one.

Nobody has written down for every firmware what its timer does, and a lease that does not fire is worse than none, because it
is relied on. So somebody may have it tried: on with a short timer, hands off, and watch. It runs on the device's worker.
"""

from __future__ import annotations

from collections.abc import Callable

from chargerd.daemon.asked import NOTHING
from chargerd.daemon.context import no_device
from chargerd.drivers.base import Driver, DriverError
from chargerd.model.commands import SetEnabled
from chargerd.model.events import ChargerRead, LeaseTestBegun, LeaseTested
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError

LEASE_S = 15  # newer plugs count in minutes and make it 60
MARGIN_S = 10  # a timer may be late by this: it is counted in whole seconds, and seen once a second
EARLY_S = 4  # off before that was somebody's hand
LOOK_MS = 1000
TRIES = 3  # readings that may fail one after the other
DETAIL_CHARS = 200

Clock = Callable[[], int]
Wait = Callable[[int], bool]
"""Waits for so many milliseconds; False if the daemon ends meanwhile."""


class Undecided(Exception):
    """It could not be seen to its end; the text says why."""


def address_of(name: str, site: Site) -> str:
    """The address that a loadpoint, a device or an address stands for. Raises `CallError`."""
    configuration = site.configuration
    if name in configuration.loadpoints:
        return configuration.loadpoints[name].charger
    chargers = [point.charger for point in configuration.loadpoints.values()]
    if name in chargers:
        return name
    device, slash, _ = name.partition("/")
    mine = [charger for charger in chargers if charger.partition("/")[0] == device]
    if device not in configuration.devices:
        raise no_device(name, site)
    if len(mine) != 1 or slash:
        known = " ".join(mine) or "none of its sockets is configured"
        raise CallError("Refused", f"{name} could be several sockets, or none", NOTHING, f"Say which: {known}")
    return mine[0]


def begun(name: str, by: str, site: Site) -> tuple[str, LeaseTestBegun]:
    """The address to try, and the fact that it is begun. Raises `CallError` if it must not be."""
    address = address_of(name, site)
    check(address, site)
    return address, LeaseTestBegun(by, LEASE_S, address.partition("/")[2])


def check(address: str, site: Site) -> None:
    """Whether a socket may be tried now: its device answers, and nothing on it is on or on hold. Raises `CallError`."""
    device_name = address.partition("/")[0]
    device = site.devices[device_name]
    evses = [n for n, s in site.configuration.loadpoints.items() if s.charger == address and s.kind == "evse"]
    if evses:
        text = f"{evses[0]} is an EVSE, and only the timers of plugs can be tried"
        raise _refused(text, "What it does without chargerd: chargerctl failsafe")
    if device.testing is not None:
        raise _refused(f"{device_name} is being tested already", "Look: chargerctl log --type test")
    if not device.reachable:
        raise _refused(f"{device_name} does not answer", f"Look: chargerctl device read {device_name}")
    for name, settings in site.configuration.loadpoints.items():
        point, charger = site.loadpoints[name], site.chargers.get(settings.charger)
        if settings.charger.partition("/")[0] != device_name:
            continue
        if point.session is not None or charger is None or charger.enabled is not False:
            text = (
                f"{name} is {'charging' if point.session is not None else 'not off'}, and a test keeps its device busy"
            )
            raise _refused(text, f"When it is off: chargerctl mode {name} off")
        if settings.charger == address and (point.hold or site.hold) is not None:
            raise _refused(f"{name} is on hold, and a test switches it", f"chargerctl release {name}")


def _refused(text: str, hint: str) -> CallError:
    return CallError("Refused", text, NOTHING, hint)


def prove(driver: Driver, address: str, now_ms: Clock, wait: Wait) -> LeaseTested:
    """Try it. Whatever comes of it, a socket that we switched on is told to be off at the end."""
    channel = address.partition("/")[2]
    powers: list[float] = []
    try:
        if _socket(driver, channel).enabled is not False:
            raise Undecided("somebody switched it on before the test began")
    except (DriverError, Undecided) as error:
        return LeaseTested("undecided", LEASE_S, channel, detail=str(error)[:DETAIL_CHARS])
    result, off_after_s, detail = "undecided", None, ""
    try:
        result, off_after_s = _watched(driver, address, now_ms, wait, powers)
    except (DriverError, Undecided) as error:
        detail = str(error)
    try:
        driver.apply(SetEnabled(address, enabled=False))
    except DriverError as error:
        detail = f"{detail + '; ' if detail else ''}at the end it could not be switched off: {error}"
    power_w = round(max(powers), 1) if powers else None
    return LeaseTested(result, LEASE_S, channel, off_after_s, power_w, detail[:DETAIL_CHARS])


def _watched(driver: Driver, address: str, now_ms: Clock, wait: Wait, powers: list[float]) -> tuple[str, float | None]:
    """The result and after how many seconds it went off. Raises `DriverError` and `Undecided`."""
    channel = address.partition("/")[2]
    begun_ms = now_ms()
    driver.apply(SetEnabled(address, enabled=True, lease_s=LEASE_S))
    reading = _socket(driver, channel)
    if reading.timer == "foreign":
        raise Undecided("somebody else's timer runs in it")
    if reading.lease_s is None:
        return "no-timer", None
    lease_ms = max(LEASE_S, reading.lease_s) * 1000
    failed = 0
    while now_ms() - begun_ms < lease_ms + MARGIN_S * 1000:
        if not wait(LOOK_MS):
            raise Undecided("chargerd ended meanwhile")
        try:
            reading, failed = _socket(driver, channel), 0
        except DriverError:
            failed += 1
            if failed >= TRIES:
                raise
            continue
        powers += [] if reading.power_w is None else [reading.power_w]
        if reading.enabled is False:
            after_ms = now_ms() - begun_ms
            if after_ms < lease_ms - EARLY_S * 1000:
                raise Undecided(f"it went off after {after_ms / 1000:.0f} s already, which was not its timer")
            return "proven", round(after_ms / 1000, 1)
    return "disproven", None


def _socket(driver: Driver, channel: str) -> ChargerRead:
    for reading in driver.read():
        if isinstance(reading, ChargerRead) and reading.channel == channel:
            return reading
    raise Undecided("it is no longer read")
