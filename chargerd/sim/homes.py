"""Homes: drivers of this process for a simulated house: its meters and its EVSEs, and every way in which they can lie.

For days in simulated time; `sim.wire` has devices that speak the real protocols.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from msgspec import Struct, structs

from chargerd.drivers.base import Reading, UnexpectedAnswer, Unreachable
from chargerd.model.commands import Command, SetCurrent, SetPhases
from chargerd.model.events import ChargerRead, DeviceAdded, MeterRead, StorageRead
from chargerd.sim.car import Box
from chargerd.sim.home import House, Moment

FAR = 4.2e9  # as of a register that was read in the wrong order of its words
FLOWS = frozenset(
    f"{flow}{phase}{unit}" for flow, unit in (("power", "_w"), ("current", "_a")) for phase in ("", "_l1", "_l2", "_l3")
) | {"dc_power_w"}
KEPT = 100
LIVE_A = 1.0  # more than this flows through no relay that is being moved

INVERTER, METER, BATTERY = "inverter", "meter1", "battery1"


class Fault(Struct):
    """What is wrong with a device or one channel of it; nothing, as it is made. May be changed at any time.

    ``silent``: no answer. ``frozen``: what it said last, for ever. ``factor``: all power and current is multiplied, by 10 or by −1.
    ``nan`` and ``far``: all its measurements are no number, or impossible ones. ``slow_s``: it says what was so long ago; an
    EVSE also follows commands so much later.
    """

    silent: bool = False
    frozen: bool = False
    factor: float = 1.0
    nan: bool = False
    far: bool = False
    slow_s: float = 0.0


class _Voice:
    """What one channel says, with its fault."""

    def __init__(self) -> None:
        self.fault = Fault()
        self._said: deque[tuple[float, Reading]] = deque(maxlen=KEPT)

    def say(self, at_s: float, truth: Callable[[], Reading]) -> Reading | None:
        """The reading at this moment, None for silence."""
        fault = self.fault
        if fault.silent:
            return None
        if not fault.frozen or not self._said:
            self._said.append((at_s, _bent(truth(), fault)))
        if not fault.slow_s:
            return self._said[-1][1]
        old = [reading for then_s, reading in self._said if then_s <= at_s - fault.slow_s]
        return old[-1] if old else self._said[0][1]


class HomeMeters:
    """The inverter of a simulated house, with the meter at its grid connection and its battery. Channels as of a SolarEdge.

    ``lag_s`` is how old its measurements always are. The battery is behind the inverter: what charges it is not produced.
    """

    kind = "simulated-home"

    def __init__(self, house: House, now_s: Callable[[], float], *, lag_s: float = 0.0) -> None:
        self._house = house
        self._now_s = now_s
        self._lag_s = lag_s
        self._voices = {channel: _Voice() for channel in self._channels()}

    def fault(self, channel: str) -> Fault:
        """What is wrong with a channel; change it to make something wrong."""
        return self._voices[channel].fault

    def describe(self) -> DeviceAdded:
        """What this is. Raises `Unreachable` while every channel is silent."""
        self._knock()
        return DeviceAdded(self.kind, "simulated inverter", "home", "1", {name: name for name in self._channels()})

    def read(self) -> tuple[Reading, ...]:
        """What each channel that is not silent says now. Raises `Unreachable` while all are silent."""
        self._knock()
        at_s = self._now_s()
        self._house.advance(at_s)
        moment = self._house.at(at_s - self._lag_s)
        truths: dict[str, Callable[[], Reading]] = {
            INVERTER: lambda: _inverter(moment),
            METER: lambda: _grid(moment),
            BATTERY: lambda: self._battery(moment),
        }
        said = (voice.say(at_s, truths[channel]) for channel, voice in self._voices.items())
        return tuple(reading for reading in said if reading is not None)

    def apply(self, command: Command) -> None:
        """Meters take no commands. Raises `UnexpectedAnswer`."""
        raise UnexpectedAnswer(f"the inverter does not know {command}")

    def close(self) -> None:
        """There is nothing to let go of."""

    def _channels(self) -> tuple[str, ...]:
        return (INVERTER, METER) if self._house.battery is None else (INVERTER, METER, BATTERY)

    def _knock(self) -> None:
        if all(voice.fault.silent for voice in self._voices.values()):
            raise Unreachable("no answer from the simulated inverter")

    def _battery(self, moment: Moment) -> StorageRead:
        battery = self._house.battery
        assert battery is not None
        return StorageRead(
            channel=BATTERY,
            power_w=moment.battery_w,
            soc_pct=moment.soc_pct,
            soh_pct=100.0,
            capacity_wh=battery.capacity_wh,
            max_charge_w=battery.max_charge_w,
            max_discharge_w=battery.max_discharge_w,
            charged_wh=battery.charged_wh,
            discharged_wh=battery.discharged_wh,
            status="discharging" if moment.battery_w > 0 else "charging" if moment.battery_w < 0 else "idle",
        )


class HomeEvse:
    """One EVSE of a simulated house. ``commands`` is what it was told, each with its time in seconds, heard or not.

    It hears no command within ``pause_s`` after the one before and says nothing about it, as some do; ``unheard`` counts these.
    It refuses a current that it cannot offer, and to change phases while current flows. With ``lease`` it keeps a time limit,
    of ``lease_max_s`` at most, and offers ``lease_current_a`` (0: nothing) when that has run out.
    """

    kind = "simulated-evse"

    def __init__(
        self,
        house: House,
        now_s: Callable[[], float],
        number: int = 0,
        *,
        step_a: float = 1.0,
        pause_s: float = 0.0,
        switches: bool = True,
        lease: str = "none",
        lease_current_a: float = 0.0,
        lease_max_s: int | None = None,
    ) -> None:
        self._house = house
        self._now_s = now_s
        self._number = number
        self._step_a = step_a
        self._pause_s = pause_s
        self._switches = switches
        self._lease = lease
        self._lease_current_a = lease_current_a
        self._lease_max_s = lease_max_s
        self._heard_s = float("-inf")
        self._due_s: float | None = None
        self._late: list[tuple[float, Command]] = []
        self._voice = _Voice()
        self.commands: list[tuple[float, Command]] = []
        self.unheard = 0

    @property
    def box(self) -> Box:
        """The EVSE itself."""
        return self._house.boxes[self._number]

    @property
    def fault(self) -> Fault:
        """What is wrong with it; change it to make something wrong."""
        return self._voice.fault

    def describe(self) -> DeviceAdded:
        """What this is. Raises `Unreachable` while it is silent."""
        self._knock()
        box = self.box
        return DeviceAdded(
            self.kind,
            "simulated EVSE",
            f"box-{self._number}",
            "1",
            accepts=("SetCurrent", "SetPhases") if self._switches else ("SetCurrent",),
            lease=self._lease,
            min_current_a=box.min_current_a,
            max_current_a=box.max_current_a,
            current_step_a=self._step_a,
            max_phases=box.max_phases,
            pause_s=self._pause_s,
            lease_current_a=None if self._lease == "none" else self._lease_current_a,
            has_pilot=True,
            lease_max_s=self._lease_max_s,
        )

    def read(self) -> tuple[Reading, ...]:
        """What it says now. Raises `Unreachable` while it is silent."""
        self._knock()
        at_s = self._now_s()
        self._settle(at_s)
        reading = self._voice.say(at_s, lambda: self._reading(at_s))
        return () if reading is None else (reading,)

    def apply(self, command: Command) -> None:
        """Offer another current, pause, or change phases. Raises `UnexpectedAnswer` if it refuses."""
        at_s = self._now_s()
        self.commands.append((at_s, command))
        self._knock()
        self._settle(at_s)
        if at_s < self._heard_s + self._pause_s:
            self.unheard += 1
            return
        self._check(command)
        self._heard_s = at_s
        if self.fault.slow_s:
            self._late.append((at_s + self.fault.slow_s, command))
        else:
            self._do(command, at_s)

    def press(self) -> None:
        """Somebody presses its button, or has the car begin: it offers what it is set to, or pauses if it did."""
        at_s = self._now_s()
        self._settle(at_s)
        self.box.offer(at_s, enabled=not self.box.enabled)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _knock(self) -> None:
        if self.fault.silent:
            raise Unreachable("no answer from the simulated EVSE")

    def _settle(self, at_s: float) -> None:
        """Let happen what was due before: commands that were followed late, a time limit that has run out."""
        while self._late and self._late[0][0] <= at_s:
            due_s, command = self._late.pop(0)
            self._house.advance(due_s)
            self._do(command, due_s)
        if self._due_s is not None and self._due_s <= at_s:
            due_s, self._due_s = self._due_s, None
            self._house.advance(due_s)
            safe_a = self._lease_current_a
            self.box.offer(due_s, enabled=safe_a > 0 and self.box.enabled, current_a=safe_a or None)
        self._house.advance(at_s)

    def _check(self, command: Command) -> None:
        box = self.box
        match command:
            case SetCurrent(current_a=current_a):
                if current_a and not box.min_current_a <= current_a <= box.max_current_a:
                    raise UnexpectedAnswer(f"the EVSE cannot offer {current_a} A")
                steps = current_a / self._step_a
                if abs(steps - round(steps)) > 1e-6:
                    raise UnexpectedAnswer(f"the EVSE cannot offer {current_a} A, only steps of {self._step_a} A")
            case SetPhases(phases=phases):
                if not self._switches or phases not in (1, box.max_phases):
                    raise UnexpectedAnswer(f"the EVSE cannot use {phases} phases")
                if phases != box.phases and max(box.currents_a) > LIVE_A:
                    raise UnexpectedAnswer("the EVSE does not change phases while current flows")
            case _:
                raise UnexpectedAnswer(f"the EVSE does not know {command}")

    def _do(self, command: Command, at_s: float) -> None:
        if isinstance(command, SetPhases):
            self.box.switch(at_s, command.phases)
        elif isinstance(command, SetCurrent):
            self.box.offer(at_s, enabled=command.enabled, current_a=command.current_a or None)
            leased = self._lease != "none" and command.enabled and command.lease_s is not None
            lease_s = min(command.lease_s or 0, self._lease_max_s or math.inf)
            self._due_s = at_s + lease_s if leased else None

    def _reading(self, at_s: float) -> ChargerRead:
        box, volts = self.box, self._house.now.voltages_v
        voltages_v = [volts[phase] if n < box.phases else box.ghost_v for n, phase in enumerate(box.rotation)]
        return ChargerRead(
            enabled=box.enabled,
            power_w=self._house.box_w(self._number),
            voltage_v=voltages_v[0],
            current_a=max(box.currents_a),
            energy_wh=box.counter_wh,
            lease_s=None if self._due_s is None else int(self._due_s - at_s),
            timer=None if self._due_s is None else "ours",
            pilot=box.pilot,
            offered_a=box.offered_a,
            phases=box.phases,
            current_l1_a=box.currents_a[0],
            current_l2_a=box.currents_a[1],
            current_l3_a=box.currents_a[2],
            voltage_l1_v=voltages_v[0],
            voltage_l2_v=voltages_v[1],
            voltage_l3_v=voltages_v[2],
            status={"A": "no vehicle", "B": "connected", "C": "charging"}[box.pilot],
        )


def _grid(moment: Moment) -> MeterRead:
    (w_1, w_2, w_3), (v_1, v_2, v_3) = moment.grids_w, moment.voltages_v
    return MeterRead(
        channel=METER,
        power_w=moment.grid_w,
        power_l1_w=w_1,
        power_l2_w=w_2,
        power_l3_w=w_3,
        current_l1_a=w_1 / v_1,
        current_l2_a=w_2 / v_2,
        current_l3_a=w_3 / v_3,
        voltage_l1_v=v_1,
        voltage_l2_v=v_2,
        voltage_l3_v=v_3,
        import_wh=moment.import_wh,
        export_wh=moment.export_wh,
        frequency_hz=50.0,
    )


def _inverter(moment: Moment) -> MeterRead:
    produced_w = moment.pv_w + moment.battery_w
    return MeterRead(
        channel=INVERTER,
        power_w=produced_w,
        export_wh=moment.pv_wh,
        dc_power_w=produced_w,
        temperature_c=25.0 + moment.pv_w / 400,
        status="producing" if moment.pv_w > 0 else "sleeping",
    )


def _bent(reading: Reading, fault: Fault) -> Reading:
    """The reading as a faulty device gives it."""
    if fault.factor == 1.0 and not fault.nan and not fault.far:
        return reading
    measured = {f: v for f in reading.__struct_fields__ if isinstance(v := getattr(reading, f), float)}
    if fault.nan:
        return structs.replace(reading, **dict.fromkeys(measured, math.nan))
    if fault.far:
        return structs.replace(reading, **dict.fromkeys(measured, FAR))
    return structs.replace(reading, **{f: v * fault.factor for f, v in measured.items() if f in FLOWS})
