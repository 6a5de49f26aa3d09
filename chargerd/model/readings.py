"""Readings: what devices say of themselves, and that they do or do not say it. A part of `model.events`.

Signs: a charger's power is what it takes, negative when a vehicle feeds the house; a grid meter's is import, negative for export;
a producer's is what it produces; a storage's is what it discharges, negative while it is charged.
"""

from __future__ import annotations

from msgspec import Struct


class Fact(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """Base of everything that can be stored in the log."""


class ChargerRead(Fact, frozen=True):
    """What a charger says of itself. None where it says nothing; never 0 for unknown.

    ``energy_wh`` is the device's own counter, which may fall to 0 when the device restarts.
    ``lease_s`` is what is left of a cut-off timer in the device; ``timer`` says whose it is ("ours", "foreign").
    ``measured_at_ms`` is the device's own time of the measurement, UTC, if it gives one.

    The rest is said by an EVSE only. ``enabled``: it is not paused. ``offered_a`` is the current per phase that it is set to,
    whether it is paused or not. ``pilot`` is the letter of IEC 61851: "A" no vehicle, "B" connected, "C" or "D" it takes or
    may take power, "E" or "F" a fault. ``phases`` is how many it is switched to. ``status`` are its own words. ``held``: it was
    told to charge and does not let the vehicle, for a reason of its own: too hot, no card, its fail-safe.
    """

    channel: str = ""
    enabled: bool | None = None
    power_w: float | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    energy_wh: float | None = None
    lease_s: int | None = None
    timer: str | None = None
    measured_at_ms: int | None = None
    pilot: str | None = None
    offered_a: float | None = None
    phases: int | None = None
    current_l1_a: float | None = None
    current_l2_a: float | None = None
    current_l3_a: float | None = None
    voltage_l1_v: float | None = None
    voltage_l2_v: float | None = None
    voltage_l3_v: float | None = None
    status: str | None = None
    held: bool | None = None


class MeterRead(Fact, frozen=True):
    """What a meter says, or an inverter of its production. None where it says nothing.

    ``power_w`` of a meter is import, of an inverter production on the AC side (negative while it charges its battery from
    there). ``dc_power_w`` is what an inverter takes from its panels, less what a battery behind it is charged with.
    ``import_wh`` and ``export_wh`` are counters; an inverter's production is ``export_wh``. ``status`` is a word: "producing",
    "sleeping", "starting", "throttled", "shutting-down", "fault", "standby", "off".
    """

    channel: str = ""
    power_w: float | None = None
    power_l1_w: float | None = None
    power_l2_w: float | None = None
    power_l3_w: float | None = None
    current_l1_a: float | None = None
    current_l2_a: float | None = None
    current_l3_a: float | None = None
    voltage_l1_v: float | None = None
    voltage_l2_v: float | None = None
    voltage_l3_v: float | None = None
    import_wh: float | None = None
    export_wh: float | None = None
    frequency_hz: float | None = None
    dc_power_w: float | None = None
    temperature_c: float | None = None
    status: str | None = None
    measured_at_ms: int | None = None


class StorageRead(Fact, frozen=True):
    """What a house battery says. ``power_w`` is what it discharges, negative while it is charged. None where it says nothing.

    ``capacity_wh`` is what it holds when full. ``max_charge_w`` and ``max_discharge_w`` are what it can take and give.
    ``status`` is a word: "charging",
    "discharging", "idle", "standby", "starting", "preserving", "fault", "off".
    """

    channel: str = ""
    power_w: float | None = None
    soc_pct: float | None = None
    soh_pct: float | None = None
    capacity_wh: float | None = None
    max_charge_w: float | None = None
    max_discharge_w: float | None = None
    charged_wh: float | None = None
    discharged_wh: float | None = None
    temperature_c: float | None = None
    status: str | None = None
    measured_at_ms: int | None = None


class ReadFailed(Fact, frozen=True):
    """A reading was tried and did not come. ``error`` is "unreachable", "access-denied" or "unexpected-answer"."""

    error: str
    detail: str = ""


class DeviceLost(Fact, frozen=True):
    """The device has failed to answer for long enough to tell a person; said once, until `DeviceBack`."""

    error: str
    detail: str = ""
    silent_ms: int = 0


class DeviceBack(Fact, frozen=True):
    """The device answers again after `DeviceLost`. ``lost_ms``: how long it was silent."""

    lost_ms: int


class DeviceAdded(Fact, frozen=True):
    """A device answered for the first time in this run, and what it turned out to be.

    ``channels`` maps the configured channel names to the device's own stable ids. ``accepts`` are the command kinds it
    takes. ``lease`` is "none", "unproven" (the device has a timer nobody has seen fire) or "proven". ``switch_at`` is
    "host:port" where it can be switched without a login by a few plain bytes (see `chargerd.failsafe`), "" if nowhere.

    Of an EVSE: ``min_current_a`` to ``max_current_a`` in steps of ``current_step_a`` is what it can offer, ``max_phases`` how many
    phases it has; ``pause_s`` is the time it needs between two commands; ``lease_current_a`` is what it goes back to when the
    lease runs out. ``has_pilot``: it says whether a vehicle is connected, so none is guessed while it says nothing.
    ``lease_max_s`` is the longest lease that the device keeps, None: any.
    """

    driver: str
    model: str = ""
    device_id: str = ""
    firmware: str = ""
    channels: dict[str, str] = {}
    accepts: tuple[str, ...] = ()
    lease: str = "none"
    has_meter: bool = True
    switch_at: str = ""
    min_current_a: float | None = None
    max_current_a: float | None = None
    current_step_a: float | None = None
    max_phases: int | None = None
    pause_s: float = 0.0
    lease_current_a: float | None = None
    has_pilot: bool = False
    lease_max_s: int | None = None


class DeviceRemoved(Fact, frozen=True):
    """The configuration no longer names this device."""
