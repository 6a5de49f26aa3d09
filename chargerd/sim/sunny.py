"""Sunny: the house of the demo: panels, house battery, a SolarEdge inverter with its meter, and an NRGkick with a car.

One physics behind two devices that speak their real protocols on loopback: `sim.home` lets the energy flow, the devices of
`sim.wire` tell of it and take commands. The day is recorded, see ``curves/sunny_day.csv``; every day is alike.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files

from chargerd.sim import sun
from chargerd.sim.car import Box, Car
from chargerd.sim.home import House, HouseBattery, Moment
from chargerd.sim.wire import solaredge
from chargerd.sim.wire.evse import Evse
from chargerd.sim.wire.nrgkick import SimulatedGen2
from chargerd.sim.wire.sunspec import Meter

PEAK_W = 8500.0
PANELS = 1.8  # the recorded roof had 5 kW; this one is larger
MINUTE_S, DAY_S = 60.0, 86_400.0
CHARGED_WH, DISCHARGED_WH = 4_100_000, 3_700_000  # by the house battery, before the demo began


class SunnyHouse:
    """The house and its two devices. ``now_s`` is the demo's clock, ``midnight_s`` a midnight of the house on it."""

    def __init__(self, now_s: Callable[[], float], midnight_s: float) -> None:
        pv_w, load_w = day()
        car = Car(capacity_wh=58_000, soc_pct=35, max_current_a=16)
        store = HouseBattery(10_000, soc_pct=55)
        self.house = House(
            daily([power_w * PANELS for power_w in pv_w]),
            daily(load_w),
            [Box(car, max_current_a=16)],
            store,
        )
        self._clock_s, self._midnight_s = now_s, midnight_s
        self._lock = threading.Lock()  # two devices on their own threads, one house
        self.inverter = _Inverter(self.moment, store)
        self.charger = SimulatedGen2(_Socket(self), rated_a=16)

    def _now_s(self) -> float:
        return self._clock_s() - self._midnight_s

    def moment(self) -> Moment:
        """What flows now."""
        with self._lock:
            return self.house.advance(self._now_s())

    def offer(self, current_a: float, *, enabled: bool, phases: int) -> None:
        """The charger offers something else."""
        with self._lock:
            at_s = self._now_s()
            self.house.advance(at_s)
            box = self.house.boxes[0]
            if box.phases != phases:
                box.switch(at_s, phases)
            box.offer(at_s, enabled=enabled, current_a=current_a)

    def start(self) -> None:
        """Both devices listen."""
        self.inverter.start()
        self.charger.start()

    def stop(self) -> None:
        """Both are gone."""
        self.charger.stop()
        self.inverter.stop()


class _Inverter(solaredge.SimulatedSolarEdge):
    """The inverter with meter and battery; each answer tells what flows at that moment."""

    def __init__(self, moment: Callable[[], Moment], store: HouseBattery) -> None:
        super().__init__()
        self._moment, self._store = moment, store

    def image(self) -> Mapping[int, int]:
        """All registers as they are now."""
        now = self._moment()
        inverter, produced_w = self.inverter, now.pv_w + now.battery_w
        inverter.power_w = inverter.dc_power_w = produced_w
        inverter.currents_a = [produced_w / 3 / volts for volts in now.voltages_v]
        inverter.voltages_v = now.voltages_v
        inverter.energy_wh = now.pv_wh
        inverter.temperature_c = 20 + produced_w / 300
        inverter.status = "producing" if produced_w > 1 else "standby"
        (meter,) = self.meters
        if isinstance(meter, Meter):
            meter.import_w = now.grids_w
            meter.currents_a = [abs(w) / v for w, v in zip(now.grids_w, now.voltages_v, strict=True)]
            meter.voltages_v = now.voltages_v
            meter.import_wh, meter.export_wh = now.import_wh, now.export_wh
        (battery,) = self.batteries
        if battery is not None:
            battery.discharge_w, battery.soc_pct = now.battery_w, now.soc_pct
            battery.charged_wh = CHARGED_WH + round(self._store.charged_wh)
            battery.discharged_wh = DISCHARGED_WH + round(self._store.discharged_wh)
            idle = abs(now.battery_w) < 1
            battery.status = "idle" if idle else "discharging" if now.battery_w > 0 else "charging"
        return super().image()


class _Socket(Evse):
    """What is behind the charger's wire: the house's own box and car."""

    def __init__(self, sunny: SunnyHouse) -> None:
        self._sunny = sunny
        super().__init__(lambda: sunny.moment().at_s)

    def settle(self) -> None:
        """Let energy flow until now."""
        now, box = self._sunny.moment(), self._sunny.house.boxes[0]
        self.volts = now.voltages_v
        self.energy_wh = box.counter_wh

    def offer(self, current_a: float | None = None, *, paused: bool | None = None, phases: int | None = None) -> None:
        """Change what the car is offered."""
        super().offer(current_a, paused=paused, phases=phases)
        self._sunny.offer(self.offered_a, enabled=not self.paused, phases=self.phases)

    def currents(self) -> tuple[float, float, float]:
        """What flows on each phase, A."""
        one, two, three = self._sunny.house.boxes[0].currents_a
        return one, two, three

    def pilot(self) -> str:
        """The letter of IEC 61851."""
        return self._sunny.house.boxes[0].pilot


def day() -> tuple[list[float], list[float]]:
    """Sun on the panels and load of the house, W, at every minute of the recorded day."""
    text = files("chargerd.sim").joinpath("curves/sunny_day.csv").read_text("utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    return [float(row["pv_w"]) for row in rows], [float(row["load_w"]) for row in rows]


def daily(values_w: list[float]) -> sun.Power:
    """A day's values a minute apart, again every day."""
    power = sun.trace([*values_w, values_w[0]], MINUTE_S)
    return lambda at_s: power(at_s % DAY_S)
