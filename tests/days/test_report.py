"""Report: what a charging session is said to have taken, and what is said of plugs that do not answer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from chargerd.config.load import load
from chargerd.daemon.answers import answer
from chargerd.daemon.context import Context
from chargerd.daemon.history import History
from chargerd.drivers import MODULES, simulated
from chargerd.drivers import load as load_driver
from chargerd.drivers.base import Unreachable
from chargerd.model.events import ChargerRead, DeviceLost, LimitSet, ModeSet
from chargerd.model.settings import Configuration, DeviceSettings
from chargerd.model.windows import zone
from chargerd.protocol.table import METHODS
from chargerd.protocol.varlink import checked
from chargerd.sim import world
from chargerd.sim.run import Run, SimulatedClock
from tests.house import MONDAY_MS, RAD, Day, configuration, loadpoint

HOUR = 3600


def ask(day: Day, method: str, **parameters: Any) -> dict[str, Any]:
    """What the control socket would answer now."""
    return answered(day.run, day.clock, day.path, method, **parameters)


def answered(run: Run, clock: SimulatedClock, log: Path, method: str, **parameters: Any) -> dict[str, Any]:
    """The same for a run without a day around it."""
    now_ms = clock.now_ms()
    context = Context(run.site, now_ms, now_ms, (), zone(run.site.configuration.timezone), History(log))
    return answer(method, checked(METHODS[method], parameters), context)


@pytest.mark.parametrize("begin_h", [1.0, 22.5])
def test_reported_energy_is_what_the_plug_delivered_also_across_midnight(tmp_path, begin_h):
    """S0-26: within 2 % of what physically flowed; the plug's own counter of the day falls to zero in between."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(begin_h * HOUR)
    day.charge("bike")
    day.until(begin_h * HOUR + 1800)
    day.strip.sockets["bike"].reboot(day.clock.true_s())
    day.strip.sockets["bike"].switch(True, day.clock.true_s())
    day.until(begin_h * HOUR + 4 * HOUR)
    (row,) = ask(day, "GetSessions")["sessions"]
    assert row["energy_wh"] == pytest.approx(day.strip.sockets["bike"].taken_wh, rel=0.02)
    assert row["charge_ah"] == pytest.approx(row["energy_wh"] * 0.8 / 48, abs=0.001)
    assert row["on_s"] == pytest.approx(87 * 60, abs=120)


@pytest.mark.parametrize(("key", "value", "ratio"), [("efficiency", 0.95, 0.95 / 0.8), ("voltage_v", 36.0, 48 / 36)])
def test_efficiency_and_voltage_change_the_charge_and_not_the_energy(tmp_path, key, value, ratio):
    """S0-27: Ah follows from Wh by efficiency and voltage, by exactly that ratio; Wh is what was measured."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(4 * HOUR)
    (before,) = ask(day, "GetSessions")["sessions"]
    day.run.ask(LimitSet("bike", key, value, "anna"))
    (after,) = ask(day, "GetSessions")["sessions"]
    assert after["charge_ah"] / before["charge_ah"] == pytest.approx(ratio, rel=0.001)
    assert after["energy_wh"] == before["energy_wh"]


def two_plugs(folder: Path) -> tuple[Run, dict[str, simulated.Driver], SimulatedClock, list[Any]]:
    """Two single plugs, each with a charger of its own."""
    clock = SimulatedClock(MONDAY_MS)
    plugs = {
        name: simulated.Driver(name, simulated.Driver.Config(driver="simulated"), (), {}, now_s=clock.true_s)
        for name in ("shed", "cellar")
    }
    for plug in plugs.values():
        plug.sockets[""].load = world.load("rad-full")
    points = {name: structs.replace(loadpoint(name), charger=name) for name in plugs}
    site = Configuration("Home", "Europe/Berlin", {n: DeviceSettings(n, "simulated") for n in plugs}, points)
    events: list[Any] = []
    return Run(site, plugs, folder / "log.db", clock, watch=events.append), plugs, clock, events


def test_plug_that_is_gone_is_an_alarm_once_and_the_other_goes_on(tmp_path):
    """S0-05, S0-32: missing since, told once; the other plug is read at its pace, never two readings late."""
    run, plugs, clock, events = two_plugs(tmp_path)
    run.until(60)
    run.ask(ModeSet("cellar", "fast", "anna"))
    run.until(600)

    def gone() -> tuple[ChargerRead, ...]:
        raise Unreachable("no answer in 5 s")

    plugs["shed"].read = gone  # type: ignore[method-assign]  # the plug is pulled out of the wall
    run.until(2 * HOUR)
    (problem,) = answered(run, clock, tmp_path / "log.db", "GetStatus")["problems"]
    assert (problem["code"], problem["subject"]) == ("device-lost", "shed")
    assert problem["since_local"].startswith("2024-03-04T00:10")
    assert len([event for event in events if isinstance(event.body, DeviceLost)]) == 1
    times = [event.at_ms for event in events if isinstance(event.body, ChargerRead) and event.source == "cellar"]
    assert max(b - a for a, b in pairwise(times)) < 2 * 30_000


def test_plug_without_a_profile_is_cut_off_by_the_built_in_figures(tmp_path):
    """S0-16: no vehicle named: 90 W for nominal, 5 W for full."""
    file = tmp_path / "chargerd.toml"
    file.write_text('[device.shed]\ndriver = "simulated"\n[loadpoint.bike]\ncharger = "shed/bike"\n')
    conf = load([file], load_driver=load_driver, driver_kinds=MODULES).configuration
    day = Day(tmp_path, conf, {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(4 * HOUR)
    profile = conf.loadpoints["bike"].profile
    assert (profile.nominal_start_w, profile.nominal_stop_w, profile.full_w) == (90, 90, 5)
    assert day.last("bike").reason.values["stop_w"] == 90


def test_status_says_what_the_engine_believes(tmp_path):
    """The row of a charging bike: state, power, target with its figure, and the seqs its reason rests on."""
    day = Day(tmp_path, configuration(loadpoint("bike", RAD)), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    (row,) = ask(day, "GetStatus")["loadpoints"]
    assert (row["state"], row["mode"], row["target"]) == ("charging", "fast", "nominal")
    assert 100 < row["power_w"] < 106
    assert row["reason"]["code"] == "charging-to-cutoff"
    assert row["reason"]["seqs"] == [day.run.site.chargers["shed/bike"].seq]
