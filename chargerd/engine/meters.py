"""Meters: the last readings of meters and house batteries, and whether they still say what is so."""

from __future__ import annotations

from msgspec import structs

from chargerd.engine import contents, witness
from chargerd.engine.draft import State
from chargerd.model.events import MeterRead, StorageRead
from chargerd.model.settings import address_of
from chargerd.model.state import Meter, Storage, Witness

FROZEN_S = 600.0  # a grid meter that says the very same for so long has stopped measuring
FED_W = 150.0  # with more than this exported, a battery takes all that it can
TAKES_S = 600.0  # what a battery was seen to be limited to counts for so long
RESTING_W = 100.0  # a house battery at rest may say the very same for hours
PLAUSIBLE = (
    1.6  # a meter that says more than so many times its fuse says nonsense: a fuse bears 1.45 times for an hour at most
)
PHASE_W = 230.0


def measured_by(old: Meter | None, read: MeterRead, seq: int, at_ms: int, t_ms: int) -> Meter:
    """A meter after one more reading."""
    powers = (read.power_l1_w, read.power_l2_w, read.power_l3_w)
    currents = (read.current_l1_a, read.current_l2_a, read.current_l3_a)
    voltages = (read.voltage_l1_v, read.voltage_l2_v, read.voltage_l3_v)
    same = old is not None and (old.power_w, old.currents_a, old.voltages_v, old.import_wh, old.export_wh) == (
        read.power_w, currents, voltages, read.import_wh, read.export_wh,
    )  # fmt: skip
    return Meter(
        seq, at_ms, t_ms, read.power_w, powers, currents, voltages, read.import_wh, read.export_wh, read.dc_power_w,
        read.temperature_c, read.status, old.same_t_ms if same and old is not None else t_ms,
        Witness() if old is None else old.witness,
    )  # fmt: skip


def stored_in(old: Storage | None, read: StorageRead, seq: int, at_ms: int, t_ms: int, fed_w: float | None) -> Storage:
    """A house battery after one more reading. ``fed_w`` is what goes to the grid: while much does, it takes all that it can."""
    takes_w, takes_t_ms = (None, 0) if old is None else (old.takes_w, old.takes_t_ms)
    if fed_w is not None and fed_w > FED_W and read.power_w is not None:
        takes_w, takes_t_ms = max(0.0, -read.power_w), t_ms
    same = old is not None and (old.power_w, old.soc_pct) == (read.power_w, read.soc_pct)
    return Storage(
        seq, at_ms, t_ms, read.power_w, read.soc_pct, read.soh_pct, read.capacity_wh, read.max_charge_w,
        read.max_discharge_w, read.temperature_c, read.status, takes_w, takes_t_ms,
        old.same_t_ms if same and old is not None else t_ms, contents.followed(old, read, t_ms),
    )  # fmt: skip


def meter_at(state: State, name: str, t_ms: int) -> Meter | None:
    """The last reading of a configured meter, by its role's sign; None where it is too old or cannot be believed."""
    settings = state.configuration.meters[name]
    meter = state.meters.get(address_of(settings.device, settings.channel))
    if meter is None or meter.seq < state.run_seq or meter.power_w is None:
        return None
    if t_ms - meter.t_ms > state.configuration.devices[settings.device].max_age_s * 1000:
        return None
    if settings.role == "grid" and (frozen(meter) or witness.doubted(meter, t_ms)):
        return None
    most_w = _most_w(state, name)
    if most_w is not None and abs(meter.power_w) > most_w:
        return None
    if not settings.invert:
        return meter
    powers = tuple(None if w is None else -w for w in meter.powers_w)
    return structs.replace(meter, power_w=-meter.power_w, powers_w=powers)


def frozen(meter: Meter | Storage) -> bool:
    """Whether it has said the very same for so long that it cannot be measuring. 0 W is what an idle one says."""
    return bool(meter.power_w) and meter.t_ms - meter.same_t_ms > FROZEN_S * 1000


def _most_w(state: State, name: str) -> float | None:
    """What a meter can say at most, where a fuse is known that it measures, or the panels that it counts."""
    settings = state.configuration.meters[name]
    if settings.role == "pv" and settings.peak_w is not None:
        return PLAUSIBLE * settings.peak_w
    fuses = [c.max_current_a * c.phases for c in state.configuration.circuits.values() if c.meter == name]
    return PLAUSIBLE * PHASE_W * max(fuses) if fuses else None


def storage_at(state: State, name: str, t_ms: int) -> Storage | None:
    """The last reading of a configured house battery; None where it is too old or does not say its power."""
    settings = state.configuration.storages[name]
    address = address_of(settings.device, settings.channel)
    storage = state.storages.get(address)
    if storage is None or storage.seq < state.run_seq or storage.power_w is None:
        return None
    if frozen(storage) and abs(storage.power_w) > RESTING_W:
        return None
    limits = [w for w in (storage.max_charge_w, storage.max_discharge_w) if w is not None]
    if storage.contents.denied or (limits and abs(storage.power_w) > PLAUSIBLE * max(limits)):
        return None
    return storage if t_ms - storage.t_ms <= state.configuration.devices[settings.device].max_age_s * 1000 else None


def fed_w(state: State, t_ms: int) -> float | None:
    """What goes to the grid now; None where that is not known."""
    for name, settings in state.configuration.meters.items():
        if settings.role == "grid":
            meter = meter_at(state, name, t_ms)
            return None if meter is None or meter.power_w is None else -meter.power_w
    return None
