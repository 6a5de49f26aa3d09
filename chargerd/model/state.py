"""State: what we believe now. Everything here follows from the log, by `engine.evolve`, and from nothing else.

Two clocks appear. ``at_ms`` is UTC. ``t_ms`` is the engine's clock: it advances by the monotonic reading within one
boot and by UTC across boots, never goes back and never jumps when somebody sets the clock; all durations are counted on it.
"""

from __future__ import annotations

from msgspec import Struct

from chargerd.model.commands import Command
from chargerd.model.events import Decided, Reason
from chargerd.model.settings import Configuration, Scalar, ScheduleEntry

LAGS_S = 8.0  # what a device says may be that much older than what it was told


class Pending(Struct, frozen=True, gc=False):
    """A command whose outcome is not known yet. ``issued`` is its number, the seq of its `CommandIssued`."""

    issued: int
    command: Command
    t_ms: int


class Raises(Struct, frozen=True, gc=False):
    """Whether an EVSE goes up when it is told to; see `engine.raises`. ``capped``: it is taken to offer ``stays_a`` at most."""

    told_t_ms: int | None = None  # since when it has been told to offer more, and whether it does is open
    told_a: float = 0.0
    from_a: float = 0.0  # what it offered then
    ignored: int = 0  # how often in a row it stayed where it was
    judged_t_ms: int = 0
    stays_a: float | None = None
    capped: bool = False


class Evse(Struct, frozen=True, gc=False):
    """What an EVSE said last beyond what a plug says, what we told it, and what was seen of the vehicle on it.

    ``currents_a`` and ``voltages_v`` are of L1, L2 and L3 of the house, None where unknown. ``live`` is on how many phases the
    vehicle was last seen to draw, ``lines`` on which ones (0 is L1), be it by the vehicle before. ``switches`` are the t_ms
    at which a change of phases was seen in the last 24 h.
    """

    pilot: str | None = None
    offered_a: float | None = None
    phases: int | None = None
    currents_a: tuple[float | None, float | None, float | None] = (None, None, None)
    voltages_v: tuple[float | None, float | None, float | None] = (None, None, None)
    status: str | None = None
    asked_a: float | None = None  # the current that we asked for last; 0 to pause
    asked_t_ms: int = 0
    asked_phases: int | None = None
    phase_tries: int = 0  # how often that was asked in a row without coming about
    live: int | None = None
    switches: tuple[int, ...] = ()
    begun_t_ms: int | None = None  # since when it has been offered current without a pause
    drawn_t_ms: int | None = None  # when current last flowed since then
    stray_t_ms: int | None = None  # since when current has flowed although it is paused
    switched_t_ms: int | None = None  # when it was last told to change phases
    tries: int = 0  # how often it was offered current in a row and took nothing
    refused: str = ""  # the device's own words for refusing the last command
    recent: tuple[tuple[int, tuple[float, float, float]], ...] = ()  # what was drawn in the last seconds, with its t_ms
    lines: tuple[int, ...] = ()
    raises: Raises = Raises()
    held: bool = False  # told to charge, and it keeps the vehicle from it for a reason of its own
    plugged_t_ms: int | None = None  # since when a vehicle has been there; a fault or silence ends nothing
    before: tuple[
        tuple[int, float], ...
    ] = ()  # the currents that it was told in the last seconds, each with the t_ms of its end


class Sun(Struct, frozen=True, gc=False):
    """What a loadpoint may use of what the sun leaves over, followed from one tick to the next.

    ``share_w`` is that power, what it uses already included; None while it is not known, because ``missing`` is not read.
    ``recent`` are the shares of the last minutes, oldest first, with their t_ms. ``borrowed_wh`` is what charging at the smallest
    current has taken from elsewhere since it was last paid back.
    """

    t_ms: int
    share_w: float | None = None
    missing: str = ""
    recent: tuple[tuple[int, float], ...] = ()
    enough_t_ms: int | None = None  # since when the share has been enough to begin
    up_t_ms: int | None = None  # since when it has been enough for all phases
    borrowed_wh: float = 0.0
    waits_for: str = ""  # the loadpoint that is served before it


class Sky(Struct, frozen=True, gc=False):
    """What the whole site's sun has been like. ``made`` is production of the last minutes, with its t_ms, oldest first.

    ``solar_share`` is how much of what is charged at this moment comes from the sun; None while that is not known.
    ``drained_t_ms`` is since when house batteries have given more than they may for charging.
    """

    made: tuple[tuple[int, float], ...] = ()
    peak_w: float = 0.0  # the most that was ever made
    broken_t_ms: int | None = None  # when production was last seen to jump about
    solar_share: float | None = None
    share_t_ms: int = 0  # when that was worked out
    drained_t_ms: int | None = None
    spared_t_ms: int | None = None  # when that was last too much


Moment = tuple[int, float, float, float | None]
"""t_ms, what a meter said then, what charging took, what panels and house batteries gave (None if that is not metered)."""


class Witness(Struct, frozen=True, gc=False):
    """How a meter at the grid connection has moved with our own charging (see `engine.witness`).

    ``moments`` are the readings of the last two minutes. ``kind`` is what the last steps of charging said of it,
    ``votes`` how many in a row; ``step_w`` and ``moved_w`` are the last.
    """

    moments: tuple[Moment, ...] = ()
    kind: str = ""
    votes: int = 0
    step_w: float = 0.0
    moved_w: float = 0.0
    doubted_t_ms: int | None = None


class Meter(Struct, frozen=True, gc=False):
    """The last reading of a meter, by its role's sign. ``same_t_ms``: since when it has said the very same."""

    seq: int
    at_ms: int
    t_ms: int
    power_w: float | None
    powers_w: tuple[float | None, float | None, float | None]
    currents_a: tuple[float | None, float | None, float | None]
    voltages_v: tuple[float | None, float | None, float | None]
    import_wh: float | None
    export_wh: float | None
    dc_power_w: float | None
    temperature_c: float | None
    status: str | None
    same_t_ms: int
    witness: Witness = Witness()


class Contents(Struct, frozen=True, gc=False):
    """How a house battery's level has moved with its power (see `engine.contents`). ``denied``: they contradict each other.

    ``moved_wh`` is what it said to have given since its level was ``from_pct``.
    """

    from_pct: float | None = None
    moved_wh: float = 0.0
    denied: bool = False


class Storage(Struct, frozen=True, gc=False):
    """The last reading of a house battery. ``takes_w`` is what it was last seen to be limited to while sun was left over.

    ``same_t_ms``: since when it has said the very same.
    """

    seq: int
    at_ms: int
    t_ms: int
    power_w: float | None
    soc_pct: float | None
    soh_pct: float | None
    capacity_wh: float | None
    max_charge_w: float | None
    max_discharge_w: float | None
    temperature_c: float | None
    status: str | None
    takes_w: float | None = None
    takes_t_ms: int = 0
    same_t_ms: int = 0
    contents: Contents = Contents()


class Unbelieved(Struct, frozen=True, gc=False):
    """A meter or house battery that says nothing which can be believed, though its device answers; see `engine.silence`.

    ``since_t_ms``: since when. ``told``: whether a `MeterLost` has said so. ``well_t_ms``: since when it can be believed again.
    """

    since_t_ms: int
    told: bool = False
    well_t_ms: int | None = None


class Charger(Struct, frozen=True, gc=False):
    """The last reading of a charger, and what we told it. Positional order is the order on the hot path.

    ``at_ms`` and ``t_ms`` are when it was read; of a device that tells when it measured, when that last was something new.
    """

    seq: int
    at_ms: int
    t_ms: int
    enabled: bool | None
    power_w: float | None
    voltage_v: float | None
    current_a: float | None
    energy_wh: float | None
    lease_s: int | None
    timer: str | None
    enabled_t_ms: int  # since when `enabled` has its value
    pending: Pending | None = None
    asked: bool | None = None  # the last value of `enabled` that we asked for; a person's own switching is adopted here
    foreign: bool = False  # the relay has left what we asked for, and it was neither us nor our lease
    attempts: int = 0  # commands given in a row without the wanted effect
    retry_t_ms: int = 0  # not before this may the next attempt be made
    leased_t_ms: int | None = None  # when the lease in the device was last set, None without one
    leased_s: int | None = None
    starts: tuple[int, ...] = ()  # t_ms of the switch-ons of the last 24 h
    power_t_ms: int | None = None  # when power was last known, or needed not to be because the relay was off
    known_w: float = 0.0  # power at that time
    evse: Evse | None = None  # what an EVSE says beyond that
    measured_at_ms: int | None = None  # the device's own time of its measurement, if it gives one

    def offers_a(self, t_ms: int) -> float | None:
        """What an EVSE is set to: as it says, but for a moment after a command as it was told; None where neither is known."""
        evse = self.evse
        if evse is None:
            return None
        told = bool(evse.asked_a) and t_ms - evse.asked_t_ms < LAGS_S * 1000
        return evse.asked_a if told or evse.offered_a is None else evse.offered_a


class Session(Struct, frozen=True, gc=False):
    """A charging session: from the grant to its outcome. ``number`` is the seq of the event that began it.

    Energy is power integrated over event times, in Wh at the socket; ``estimated_wh`` is the part of it that lies in
    gaps between readings. The fields from ``peak_w`` to ``limit_w`` watch the power fall (policy threshold).
    ``plateau_w`` to ``pulses`` hold the charge against those before it; ``usual_w`` and ``taper_limit_s`` are what those say.
    ``cost`` is that of ``priced_wh``, the part of the energy that was taken while a price was known, in ``currency``; None
    and "" while there has been no price at all.
    """

    number: int
    loadpoint: str
    profile: str
    target: str
    stop_w: float
    near_w: float
    by: str
    started_at_ms: int
    started_t_ms: int
    energy_wh: float = 0.0
    estimated_wh: float = 0.0
    on_ms: int = 0
    peak_w: float = 0.0
    below_t_ms: int | None = None  # since when power has been below stop_w
    above_w: float = 0.0  # the last power at or above stop_w
    low_readings: int = 0  # readings below 1.05 × stop_w, in all
    near_t_ms: int | None = None  # since when power has been below near_w
    flat_w: float = 0.0  # the level that power has kept to …
    flat_t_ms: int = 0  # … since then
    stepped: bool = False  # power fell to that level in one step
    over_t_ms: int | None = None  # since when power has been above what the charger can draw
    limit_w: float = 0.0
    ended_at_ms: int | None = None
    outcome: str | None = None
    reason: Reason | None = None
    cost: float | None = None
    priced_wh: float = 0.0
    currency: str = ""
    stop_wh: float | None = None  # ends at this energy: a storage level counted from a start that somebody knew
    from_pct: float | None = None  # that start
    balance: bool = False  # full instead of nominal, because the last full charge is long ago
    nominal_w: float = 0.0
    nominal_t_ms: int | None = None  # since when power has been below nominal_w
    rest_w: float = 0.0  # below this a charger rests: full, or without a battery
    plateau_w: float = 0.0  # the highest level that power has kept to for ten minutes
    taper_t_ms: int | None = None  # since when power has been falling from there
    course: int = 0  # 0: not up yet since switched on, 1: up, 2: at rest after that
    pulses: tuple[int, ...] = ()  # t_ms at which it came up again from rest by itself
    usual_w: float = 0.0  # plateau of this pack's charges before, 0: not known
    taper_limit_s: float = 0.0  # longest that power may take from the plateau to the cut-off, 0: not watched
    calm_from_w: float = 1.0  # power from here …
    calm_to_w: float = 0.0  # … to below here adds energy and changes nothing else (see `engine.sessions`)
    solar_wh: float | None = (
        None  # the part of the energy that came from the sun; None for a loadpoint that does not look
    )


class Charge(Struct, frozen=True, gc=False):
    """What a charge that reached its target was like, to hold later ones of the same profile against."""

    profile: str
    target: str
    plateau_w: float
    taper_s: float | None
    top_up_s: float | None  # from the nominal cut-off to full
    on_s: float
    energy_wh: float


class Plan(Struct, frozen=True, gc=False):
    """A target with a time. ``step`` is what of it has begun: "", "hold" or "last"; ``since_ms`` when it was set, UTC."""

    target: str
    by: str
    ready_at_ms: int
    since_ms: int
    step: str = ""


class Hold(Struct, frozen=True, gc=False):
    """A person's hands off. ``while_connected``: it ends when the vehicle leaves."""

    by: str
    at_ms: int
    until_ms: int | None = None
    while_connected: bool = False


class Override(Struct, frozen=True, gc=False):
    """A setting that a person changed while the daemon runs. ``configured`` is what the file said at that time."""

    value: Scalar
    by: str
    at_ms: int
    until_ms: int | None = None
    configured: Scalar = None
    once: bool = False
    while_connected: bool = False


class Loadpoint(Struct, frozen=True, gc=False):
    """What is wanted of a loadpoint and what became of it. ``mode`` None: as configured, which for a plug is off."""

    mode: str | None = None
    mode_by: str = ""
    mode_until_ms: int | None = None
    target: str | None = None
    target_by: str = ""
    target_once: bool = False
    standing_target: str | None = None  # what comes back after a target for one session
    target_until_ms: int | None = None
    overrides: dict[str, Override] = {}
    hold: Hold | None = None
    session: Session | None = None
    last_session: Session | None = None
    decided: Decided | None = None
    decided_seq: int = 0
    decided_at_ms: int = 0
    state_since_ms: int = 0
    plan: Plan | None = None
    missed: Plan | None = None  # the last plan, if it was not reached in time
    record: tuple[Charge, ...] = ()  # the last charges that reached their target, oldest first
    full_at_ms: int | None = None  # end of the last full charge, UTC
    stored: int = 0  # charges to storage since somebody asked for that target
    sun: Sun | None = None  # of one that may follow the sun
    sated: bool = (
        False  # it took nothing more, or did not follow: not offered again until it is disconnected or somebody asks
    )
    taken_wh: float | None = None  # all that a consumer, which has no sessions, has taken so far
    dawn_wh: float = 0.0  # what its session, or the consumer, had taken when the day began
    led: int | None = None  # number of the session that the sun has led from slow to solar; once is enough
    mode_while_connected: bool = False  # somebody wants this mode, and no other, until the vehicle leaves


class Proof(Struct, frozen=True, gc=False):
    """Whether a socket's own timer was seen to switch it off, under which firmware."""

    proven: bool
    at_ms: int
    firmware: str


class Device(Struct, frozen=True, gc=False):
    """Whether a device answers, and what it is. ``heard`` is False until it has answered or failed once in this run.

    ``proofs`` are by channel; ``testing`` is the channel whose timer is tried at this moment.
    """

    driver: str = ""
    model: str = ""
    device_id: str = ""
    firmware: str = ""
    channels: dict[str, str] = {}
    accepts: tuple[str, ...] = ()
    lease: str = "none"
    has_meter: bool = True
    switch_at: str = ""
    heard: bool = False
    reachable: bool | None = None
    error: str = ""
    detail: str = ""
    failing_since_ms: int | None = None
    lost_since_ms: int | None = None
    back_seq: int = 0  # seq of the last DeviceBack
    min_current_a: float | None = None
    max_current_a: float | None = None
    current_step_a: float | None = None
    max_phases: int | None = None
    pause_s: float = 0.0
    lease_current_a: float | None = None
    has_pilot: bool = False
    lease_max_s: int | None = None
    proofs: dict[str, Proof] = {}
    testing: str | None = None
    failed_seq: int = 0  # seq of the last ReadFailed

    def proof(self, channel: str) -> Proof | None:
        """What was seen of a socket's timer under the firmware that it has now."""
        proof = self.proofs.get(channel)
        return proof if proof is not None and proof.firmware == self.firmware else None

    def lease_at(self, address: str) -> str:
        """Whether the socket of an address cuts off by itself: "none", "unproven" or "proven". One that failed has none."""
        proof = self.proof(address.partition("/")[2])
        if self.lease == "none" or proof is None:
            return self.lease
        return "proven" if proof.proven else "none"

    def ends_itself(self, address: str) -> bool:
        """Whether the charger of an address ends charging once its lease has run out. One may go on with another current."""
        return self.lease_at(address) != "none" and not self.lease_current_a

    def lease_s(self, wanted_s: int) -> int:
        """The lease that it keeps when it is asked for so long a one, s."""
        return wanted_s if self.lease_max_s is None else min(wanted_s, self.lease_max_s)


class Unsent(Struct, frozen=True, gc=False):
    """A sink that does not take what it is told, since when, UTC, and why."""

    error: str
    detail: str
    since_ms: int


class Site(Struct, frozen=True, gc=False):
    """Everything behind one grid connection, as far as we know it after event ``seq``.

    ``skew_ms`` is what the wall clock is behind ``at_ms`` (after it was set back, `at_ms` waits for it).
    ``run_seq`` is the seq of the last `DaemonStarted`; readings before it are from another life.
    """

    seq: int = 0
    at_ms: int = 0
    mono_ms: int = 0
    boot: int = 0
    t_ms: int = 0
    boot_id: str = ""
    skew_ms: int = 0
    run_seq: int = 0
    stopping: bool = False
    recording: bool = True
    midnight_ms: int = 0  # when the day at the site ends, UTC by the wall clock
    set_aside: str = ""  # where a damaged log was put in this run
    configuration: Configuration = Configuration()
    config_seq: int = 0
    config_at_ms: int = 0
    devices: dict[str, Device] = {}
    chargers: dict[str, Charger] = {}
    loadpoints: dict[str, Loadpoint] = {}
    meters: dict[str, Meter] = {}  # by address
    storages: dict[str, Storage] = {}  # by address
    unbelieved: dict[str, Unbelieved] = {}  # meters and house batteries, by address
    sky: Sky = Sky()
    sunny: tuple[str, ...] = ()  # loadpoints that may follow the sun, as they are written
    by_charger: dict[str, str] = {}  # address of a charger → the loadpoint that has it
    hold: Hold | None = None
    sinks: dict[str, Unsent] = {}  # those that cannot be told anything just now
    added_schedule: tuple[ScheduleEntry, ...] = ()
    removed_schedule: tuple[str, ...] = ()
    ended: tuple[Session, ...] = ()  # the last few sessions that ended, oldest first
    fired: dict[str, int] = {}  # schedule entry → UTC time it was last due and acted on
    requests: dict[str, int] = {}  # ids of the last requests → seq of the event they made

    @property
    def wall_ms(self) -> int:
        """What the wall clock shows, UTC."""
        return self.at_ms + self.skew_ms
