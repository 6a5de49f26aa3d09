"""Events: what was read, asked, published, decided and done. The log is made of these and of nothing else.

An `Event` is a fact with its envelope. The daemon puts the envelope on when the fact arrives: not the driver, not the
device. Facts name a channel of a device by ``channel``; the device's own name is the envelope's ``source``.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from chargerd.model.commands import Command
from chargerd.model.readings import ChargerRead as ChargerRead
from chargerd.model.readings import DeviceAdded as DeviceAdded
from chargerd.model.readings import DeviceBack as DeviceBack
from chargerd.model.readings import DeviceLost as DeviceLost
from chargerd.model.readings import DeviceRemoved as DeviceRemoved
from chargerd.model.readings import Fact as Fact
from chargerd.model.readings import MeterRead as MeterRead
from chargerd.model.readings import ReadFailed as ReadFailed
from chargerd.model.readings import StorageRead as StorageRead
from chargerd.model.settings import Configuration, Scalar


class Reason(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """Why something was decided: a code of `model.reasons`, its values, and the seqs of the events it rests on."""

    code: str
    values: Mapping[str, Scalar] = {}
    seqs: tuple[int, ...] = ()


class SetPoint(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """What is asked of a charger. ``enabled`` None means: leave it as it is.

    ``current_a`` is what an EVSE offers on each phase while it is enabled, and ``phases`` on how many; None for a plug, and
    where the number of phases is not ours to choose.
    """

    enabled: bool | None = None
    current_a: float | None = None
    phases: int | None = None


# What people ask. ``by`` is who: a user's name, "schedule", "until" (a time that ran out) or "device" (a button, an app).
# ``request`` is the id the asker gave, so that asking again does not do it twice.


class ModeSet(Fact, frozen=True):
    """A person or a schedule wants another mode; ``until_ms`` is when the configured one comes back (None: stays).

    ``from_pct`` is the level that somebody says the battery has now, in percent of its content. ``while_connected``: it comes back
    when the vehicle that is there has left; at an end by "until" it says that this was the end.
    """

    loadpoint: str
    mode: str
    by: str
    until_ms: int | None = None
    request: str = ""
    from_pct: float | None = None
    while_connected: bool = False


class TargetSet(Fact, frozen=True):
    """When to stop: "nominal", "full" or "storage". ``once``: for the next charging session only. None: as configured."""

    loadpoint: str
    target: str | None
    by: str
    once: bool = False
    until_ms: int | None = None
    request: str = ""


class LimitSet(Fact, frozen=True):
    """A setting of a loadpoint or of its profile is overridden; ``value`` None takes the override away.

    ``once``: until the end of the charging session that runs, or else of the next one. ``while_connected``: until the vehicle
    that is there has left, however often it is charged.
    """

    loadpoint: str
    key: str
    value: Scalar
    by: str
    until_ms: int | None = None
    request: str = ""
    once: bool = False
    while_connected: bool = False


class PlanSet(Fact, frozen=True):
    """A loadpoint is to have reached a target at a time, UTC; ``target`` None takes the plan away."""

    loadpoint: str
    target: str | None
    by: str
    ready_at_ms: int | None = None
    request: str = ""


class PlanFired(Fact, frozen=True):
    """A plan goes on: "hold" charges to nominal and waits there, "last" charges to the target, "over" is its end.

    The `ModeSet` and `TargetSet` it means follow. ``reached``: at the end, whether the target was reached in time.
    """

    loadpoint: str
    step: str
    reached: bool = False


class HoldSet(Fact, frozen=True):
    """Hands off: chargerd watches and sends nothing but lease renewals. ``loadpoint`` "" means all of them.

    ``while_connected``: until the vehicle that is there has left.
    """

    by: str
    loadpoint: str = ""
    until_ms: int | None = None
    request: str = ""
    while_connected: bool = False


class HoldCleared(Fact, frozen=True):
    """The end of a hold. ``loadpoint`` "" means all of them."""

    by: str
    loadpoint: str = ""
    request: str = ""


class ScheduleAdded(Fact, frozen=True):
    """A recurring start beyond those in the configuration file. ``days`` are 0 (Monday) to 6, ``at_min`` minutes after midnight.

    With ``ready`` that is not when to start but when to have reached the target.
    """

    entry: str
    loadpoint: str
    days: tuple[int, ...]
    at_min: int
    by: str
    mode: str = "fast"
    target: str | None = None
    request: str = ""
    ready: bool = False


class ScheduleRemoved(Fact, frozen=True):
    """A recurring start is given up."""

    entry: str
    by: str
    request: str = ""


class ScheduleFired(Fact, frozen=True):
    """A recurring start came due; the `ModeSet` and `TargetSet` it means follow. ``due_ms``: the UTC time it was due."""

    entry: str
    loadpoint: str
    due_ms: int


# What was decided and done


class Decided(Fact, frozen=True):
    """What a policy wished, what the limits granted, and why. Stored when wish, grant, a reason's code or the memory changes.

    ``outcome`` ends the charging session: see `model.reasons.OUTCOMES`. ``memory`` is what the policy wants to remember,
    for as long as ``session`` (its number) lasts.
    """

    loadpoint: str
    policy: str
    wish: SetPoint
    grant: SetPoint
    reason: Reason
    limit: Reason | None = None
    outcome: str | None = None
    memory: dict[str, Scalar] = {}  # noqa: RUF012 – of a Struct, which copies it
    session: int | None = None


class CommandIssued(Fact, frozen=True):
    """A command is about to be tried. Its seq is its number; `CommandDone` and `CommandFailed` name it."""

    loadpoint: str
    command: Command
    reason: Reason


class CommandDone(Fact, frozen=True):
    """The device accepted the command. The next reading proves the effect."""

    issued: int
    took_ms: int = 0


class CommandFailed(Fact, frozen=True):
    """The device did not accept the command, or nobody knows whether it did. ``error`` as in `ReadFailed`."""

    issued: int
    error: str
    detail: str = ""
    took_ms: int = 0


class LeaseTestBegun(Fact, frozen=True):
    """Somebody has a socket's own timer tried: it is about to be switched on for ``lease_s``, and left to itself."""

    by: str
    lease_s: int
    channel: str = ""


class LeaseTested(Fact, frozen=True):
    """What came of it, seen on the very device. The socket is off again.

    ``result`` is "proven" (the timer switched it off, ``off_after_s`` after it was set), "disproven" (it did not), "no-timer"
    (there is none) or "undecided" (it could not be seen to its end; ``detail`` says why). ``power_w`` is what was drawn.
    """

    result: str
    lease_s: int
    channel: str = ""
    off_after_s: float | None = None
    power_w: float | None = None
    detail: str = ""


# The daemon itself


class DaemonStarted(Fact, frozen=True):
    """A daemon begins to write. ``boot_id`` is the kernel's; equal ids mean that the monotonic readings can be compared."""

    version: str
    engine: str
    boot_id: str
    pid: int = 0


class DaemonStopping(Fact, frozen=True):
    """The daemon has been told to end: leases are shortened, what has none goes to its ``on_stop`` state."""

    why: str


class DaemonStopped(Fact, frozen=True):
    """The last event of a daemon that ended in order."""

    why: str


class ConfigLoaded(Fact, frozen=True):
    """The whole configuration in force from here on, without secrets."""

    configuration: Configuration
    by: str = "start"


class ClockStepped(Fact, frozen=True):
    """The wall clock jumped by ``by_ms`` against the monotonic one."""

    by_ms: int


class LogSetAside(Fact, frozen=True):
    """The log before this one was damaged and lies beside it; what it knew of sessions and requests is not known here.

    ``first_bad_seq`` is its first event that cannot be trusted, None where that could not be found.
    """

    path: str
    error: str
    first_bad_seq: int | None = None


class ReadingsDropped(Fact, frozen=True):
    """Readings have been kept for as long as they are to be kept, and are given up for good. All other events stay.

    They were among the events ``first_seq`` to ``last_seq``, of the times ``from_ms`` to ``to_ms``, UTC. ``readings`` is how
    many, their Ticks included; ``remains`` the digest of what stays in their place.
    """

    first_seq: int
    last_seq: int
    from_ms: int
    to_ms: int
    readings: int
    remains: str


class SinkLost(Fact, frozen=True):
    """A sink, whose name is the source, did not take what it was told; said once, until `SinkBack`."""

    error: str
    detail: str = ""


class SinkBack(Fact, frozen=True):
    """A sink takes again what it is told."""


class MeterLost(Fact, frozen=True):
    """What a meter or a house battery says cannot be used any more, though its device answers; said once, until `MeterBack`.

    ``address`` is its device's and channel's: a meter and a house battery may have the same name.
    ``code``: "silent" (says nothing, for ``for_s``), "unmentioned" (has never said anything in this run), "no-power",
    "frozen" (the very same for ``for_s``), "impossible" (more than can be), "contradicted" (by its own level), or what
    `engine.witness` found: "against", "too-much", "deaf" (it moved by ``moved_w`` when charging moved by ``step_w``).
    """

    address: str
    code: str
    power_w: float | None = None
    for_s: float = 0.0
    step_w: float = 0.0
    moved_w: float = 0.0


class MeterBack(Fact, frozen=True):
    """It can be used again. ``lost_ms``: for how long it could not."""

    address: str
    lost_ms: int


class RecordingLost(Fact, frozen=True):
    """The log could not be written; what follows is kept in memory, and only commands that lower power are sent."""

    error: str


class RecordingBack(Fact, frozen=True):
    """The log can be written again; ``kept`` is how many events had waited, ``dropped`` how many readings had to go."""

    kept: int
    dropped: int = 0


class Tick(Fact, frozen=True):
    """Closes a transaction. ``digest`` covers all its rows and the digest before it; empty until it is stored."""

    digest: str = ""


Body = (
    ChargerRead
    | MeterRead
    | StorageRead
    | ReadFailed
    | DeviceLost
    | DeviceBack
    | DeviceAdded
    | DeviceRemoved
    | ModeSet
    | TargetSet
    | LimitSet
    | PlanSet
    | PlanFired
    | HoldSet
    | HoldCleared
    | ScheduleAdded
    | ScheduleRemoved
    | ScheduleFired
    | Decided
    | CommandIssued
    | CommandDone
    | CommandFailed
    | LeaseTestBegun
    | LeaseTested
    | DaemonStarted
    | DaemonStopping
    | DaemonStopped
    | ConfigLoaded
    | ClockStepped
    | LogSetAside
    | ReadingsDropped
    | SinkLost
    | SinkBack
    | MeterLost
    | MeterBack
    | RecordingLost
    | RecordingBack
    | Tick
)
"""Every kind of fact."""


READINGS = (ChargerRead, MeterRead, StorageRead, ReadFailed)
"""Kinds of fact that come with every poll: far the most, and the only ones that are packed away when they are old."""


class Event(Struct, frozen=True, gc=False):
    """A fact with its envelope.

    ``seq`` counts from 1 without gaps. ``at_ms`` is UTC and never goes back. ``mono_ms`` is the monotonic reading, which
    can be compared within one ``boot``. ``source`` is a device's name, a user's name, "daemon" or "engine".
    """

    seq: int
    at_ms: int
    mono_ms: int
    boot: int
    source: str
    body: Body
