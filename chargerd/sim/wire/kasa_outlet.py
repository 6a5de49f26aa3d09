"""Outlet: one socket of a simulated TP-Link device: relay, meter, the one countdown, and what each of them answers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chargerd.drivers.simulated import VOLTAGE_V, Socket

Json = dict[str, Any]

DAY_S = 86_400
NO_MODULE = {"err_code": -1, "err_msg": "module not support"}
NO_METHOD = {"err_code": -2, "err_msg": "member not support"}
BAD_ARGUMENT = {"err_code": -3, "err_msg": "invalid argument"}
TABLE_FULL = {"err_code": -10, "err_msg": "table is full"}
NO_ENTRY = {"err_code": -14, "err_msg": "entry not exist"}


class Refused(Exception):
    """A method ends with an error code."""

    def __init__(self, reply: Json) -> None:
        super().__init__(reply["err_msg"])
        self.reply = reply


@dataclass
class Countdown:
    """The one rule that a socket's ``count_down`` can hold."""

    rule_id: str
    name: str
    enable: int
    act: int
    delay_s: int
    due_s: float

    def as_json(self, at_s: float) -> Json:
        """The rule as get_rules shows it."""
        remain_s = max(0, math.ceil(self.due_s - at_s)) if self.enable else 0
        return {
            "id": self.rule_id,
            "name": self.name,
            "enable": self.enable,
            "act": self.act,
            "delay": self.delay_s,
            "remain": remain_s,
        }


@dataclass
class Outlet:
    """One relay with its meter, timer and name."""

    child: str
    alias: str
    socket: Socket
    timer: Countdown | None = None
    days_wh: dict[tuple[int, int, int], float] = field(default_factory=dict)
    at_s: float = 0.0
    rules_made: int = 0

    def __post_init__(self) -> None:
        self.socket.advance(self.at_s)

    def flow(self, at_s: float) -> None:
        """Let energy flow until ``at_s`` and book it on the days it flowed."""
        while self.at_s < at_s:
            until_s = min(at_s, (self.at_s // DAY_S + 1) * DAY_S)
            today = datetime.fromtimestamp(self.at_s, UTC)
            before_wh = self.socket.counter_wh
            self.socket.advance(until_s)
            day = (today.year, today.month, today.day)
            self.days_wh[day] = self.days_wh.get(day, 0.0) + self.socket.counter_wh - before_wh
            self.at_s = until_s

    def on_time_s(self, at_s: float) -> int:
        """Seconds since the relay was switched on, 0 when it is off."""
        return int(at_s - self.socket.on_since_s) if self.socket.on else 0

    def realtime(self, meter: str, at_s: float, no_power: bool = False) -> Json:
        """What the meter says: floats in V, A, W, kWh on the first hardware, integers in mV, mA, mW, Wh on the later ones."""
        power_w = self.socket.measure_w(at_s)
        energy_wh = self.socket.counter_wh
        if meter == "float":
            values: Json = {
                "current": round(power_w / VOLTAGE_V, 6),
                "voltage": VOLTAGE_V,
                "power": round(power_w, 6),
                "total": round(energy_wh / 1000, 3),
            }
        else:
            values = {
                "current_ma": round(power_w / VOLTAGE_V * 1000),
                "voltage_mv": round(VOLTAGE_V * 1000),
                "power_mw": round(power_w * 1000),
                "total_wh": round(energy_wh),
            }
        if no_power:
            values = {key: value for key, value in values.items() if not key.startswith("power")}
        return values

    def daystat(self, meter: str, year: int, month: int) -> Json:
        """Energy of each day of a month."""
        days = {day: wh for day, wh in self.days_wh.items() if day[:2] == (year, month)}
        return {"day_list": [{"year": y, "month": m, "day": d, **_energy(meter, wh)} for (y, m, d), wh in days.items()]}

    def monthstat(self, meter: str, year: int) -> Json:
        """Energy of each month of a year."""
        months: dict[int, float] = {}
        for (its_year, month, _day), wh in self.days_wh.items():
            if its_year == year:
                months[month] = months.get(month, 0.0) + wh
        return {"month_list": [{"year": year, "month": m, **_energy(meter, wh)} for m, wh in months.items()]}

    def rules(self, at_s: float) -> Json:
        """The countdown rule, if there is one."""
        return {"rule_list": [] if self.timer is None else [self.timer.as_json(at_s)]}

    def add_rule(self, args: Json, at_s: float) -> Json:
        """Start a countdown. Raises `Refused` if there is a rule, even one that has ended."""
        if self.timer is not None:
            raise Refused(TABLE_FULL)
        self.rules_made += 1
        self.timer = _countdown(f"{self.child[-2:]}{self.rules_made:030X}", args, at_s)
        return {"id": self.timer.rule_id}

    def edit_rule(self, args: Json, at_s: float) -> None:
        """Replace the rule of that id and start it anew."""
        if self.timer is None or self.timer.rule_id != args["id"]:
            raise Refused(NO_ENTRY)
        self.timer = _countdown(self.timer.rule_id, args, at_s)

    def delete_rule(self, args: Json) -> None:
        """Take the rule of that id away."""
        if self.timer is None or self.timer.rule_id != args["id"]:
            raise Refused(NO_ENTRY)
        self.timer = None


def _energy(meter: str, energy_wh: float) -> Json:
    return {"energy": round(energy_wh / 1000, 3)} if meter == "float" else {"energy_wh": round(energy_wh)}


def _countdown(rule_id: str, args: Json, at_s: float) -> Countdown:
    delay_s = int(args["delay"])
    return Countdown(rule_id, str(args["name"]), int(args["enable"]), int(args["act"]), delay_s, at_s + delay_s)
