"""One socket of a simulated TP-Link device: energy by day and month."""

from __future__ import annotations

from chargerd.drivers.simulated import Socket, Steady
from chargerd.sim.wire.kasa_outlet import Outlet

EVENING_S = 1_801_346_400.0  # 2027-01-30 22:00 UTC


def test_energy_is_booked_on_the_day_it_flows() -> None:
    """100 W from 22:00 for 28 hours: 200 Wh on the 30th, 2400 Wh on the 31st, 200 Wh in February."""
    outlet = Outlet("", "plug", Socket(Steady(100.0), on=True), at_s=EVENING_S)
    outlet.flow(EVENING_S + 28 * 3600)
    days = {
        (day["month"], day["day"]): day["energy_wh"]
        for m in (1, 2)
        for day in outlet.daystat("integer", 2027, m)["day_list"]
    }
    assert days == {(1, 30): 200, (1, 31): 2400, (2, 1): 200}
    assert outlet.monthstat("integer", 2027)["month_list"] == [
        {"year": 2027, "month": 1, "energy_wh": 2600},
        {"year": 2027, "month": 2, "energy_wh": 200},
    ]


def test_the_first_hardware_counts_in_kwh() -> None:
    """The same energy as a float under another key."""
    outlet = Outlet("", "plug", Socket(Steady(100.0), on=True), at_s=EVENING_S)
    outlet.flow(EVENING_S + 3600)
    assert outlet.daystat("float", 2027, 1)["day_list"] == [{"year": 2027, "month": 1, "day": 30, "energy": 0.1}]


def test_a_loss_of_power_empties_the_counter_and_not_the_days() -> None:
    """The counter starts at 0, the day's sum does not shrink."""
    outlet = Outlet("", "plug", Socket(Steady(100.0), on=True), at_s=EVENING_S)
    outlet.flow(EVENING_S + 3600)
    outlet.socket.reboot(EVENING_S + 3600)
    outlet.flow(EVENING_S + 5400)
    assert outlet.realtime("integer", EVENING_S + 5400)["total_wh"] == 50
    assert outlet.daystat("integer", 2027, 1)["day_list"][0]["energy_wh"] == 150
