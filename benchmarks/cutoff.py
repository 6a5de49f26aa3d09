"""Cutoff: energy that flows after the power of a recorded charge has fallen below its cut-off; at most 1.5 Wh."""

from __future__ import annotations

import csv
import tempfile
from datetime import datetime
from pathlib import Path

from harness import Bench

from chargerd.config.profiles import shipped
from chargerd.drivers import simulated
from chargerd.model.events import ModeSet
from chargerd.model.settings import Configuration, DeviceSettings, LoadpointSettings
from chargerd.sim.run import Run, SimulatedClock

CASES = (
    ("rad", "nominal", "rad_battery_1", "rad-48v", "nominal"),
    ("rad", "full", "rad_battery_1", "rad-48v", "nominal"),
    ("lectric", "full", "lectric_battery_2", "lectric-48v", "nominal"),
    ("lectric", "full", "lectric_battery_2", "lectric-48v", "full"),
)
OFFSETS_S = (0, 3, 7, 11, 13, 17, 19, 23, 26, 29)  # a charge does not begin on the grid of the readings
LIMIT_WH = 1.5
MEANING = "Wh past the cut-off, worst of ten charges along a recorded curve"


def samples(traces: Path, run: str, charger: str) -> list[tuple[float, float]]:
    """A recorded charge: seconds, watts."""
    with (traces / "ebike_charge_power.csv").open(encoding="utf-8") as file:
        rows = [
            r
            for r in csv.DictReader(x for x in file if not x.startswith("#"))
            if (r["run"], r["charger"]) == (run, charger)
        ]
    start = datetime.fromisoformat(rows[0]["time"])
    return [((datetime.fromisoformat(r["time"]) - start).total_seconds(), float(r["power_w"])) for r in rows]


def crossing_wh(pack: simulated.Curve, stop_w: float) -> float:
    """Energy at the last point where power falls through a level."""
    found = 0.0
    for (wh_0, w_0), (wh_1, w_1) in zip(pack.points, pack.points[1:], strict=False):
        if w_0 >= stop_w > w_1:
            found = wh_0 + (w_0 - stop_w) / (w_0 - w_1) * (wh_1 - wh_0)
    return found


def over_wh(pack: simulated.Curve, profile: str, target: str, offset_s: int) -> float:
    """Energy taken past the crossing when the charge begins at this offset to the readings."""
    clock = SimulatedClock(1_760_000_000_000)
    plug = simulated.Driver("plug", simulated.Driver.Config(driver="simulated"), (), {}, now_s=clock.true_s)
    plug.sockets[""].load = pack
    point = LoadpointSettings("bike", "plug", shipped()[profile], target)
    site = Configuration(devices={"plug": DeviceSettings("plug", "simulated")}, loadpoints={"bike": point})
    with tempfile.TemporaryDirectory() as place:
        run = Run(site, {"plug": plug}, Path(place) / "log.db", clock)
        run.until(60 + offset_s)
        run.ask(ModeSet("bike", "fast", "bench"))
        run.until(8 * 3600)
        session = run.site.loadpoints["bike"].last_session
        run.kill()
    assert session is not None, "the charge has not ended"
    return session.energy_wh - crossing_wh(pack, session.stop_w)


def main() -> None:
    bench = Bench(__doc__ or "")
    for name, run, charger, profile, target in CASES:
        pack = simulated.curve(samples(bench.traces, run, charger))
        if run == "nominal":  # it was cut off at 85 W; below that only what happens before our own cut-off matters
            pack = simulated.Curve((*pack.points, (pack.points[-1][0] + 50, 20.0)))
        worst = max(over_wh(pack, profile, target, offset_s) for offset_s in OFFSETS_S)
        bench.at_most(f"cutoff-{name}-{run}-curve-{target}-wh", worst, LIMIT_WH, MEANING)
    bench.done()


if __name__ == "__main__":
    main()
