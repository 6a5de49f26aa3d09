"""Example: the configuration that is installed switches nothing, and its examples are right."""

from __future__ import annotations

import re
from pathlib import Path

from chargerd import drivers
from chargerd.config.load import load

EXAMPLE = Path(__file__).parents[2] / "etc" / "chargerd.toml"


def test_the_installed_configuration_switches_nothing():
    """A fresh package has no device and no loadpoint until somebody writes one."""
    found = load([EXAMPLE], load_driver=drivers.load, driver_kinds=drivers.MODULES).configuration
    assert (found.site, found.devices, found.loadpoints, found.schedule) == ("Home", {}, {}, ())
    assert (found.meters, found.storages, found.circuits) == ({}, {}, {})


def test_the_examples_in_it_are_a_valid_configuration(tmp_path: Path):
    """Whoever takes the "# " away gets what the comments promise."""
    text = re.sub(r"^# (?=\[|[a-z_]+ = )", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    main = tmp_path / "chargerd.toml"
    main.write_text(text, "utf-8")
    found = load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES).configuration
    loadpoint = found.loadpoints["bike-1"]
    assert (found.timezone, found.currency, found.import_price_per_kwh) == ("Europe/Berlin", "EUR", 0.32)
    assert (loadpoint.charger, loadpoint.profile.name, loadpoint.profile.nominal_stop_w) == (
        "shed/battery_1",
        "trike",
        45,
    )
    assert [entry.entry for entry in found.schedule] == ["bike-1/mon-fri@00:00", "bike-1/sat@00:00"]
    assert {name: point.kind for name, point in found.loadpoints.items()} == {
        "bike-1": "battery",
        "garage": "evse",
        "rod": "consumer",
    }
    assert {name: meter.role for name, meter in found.meters.items()} == {"grid": "grid"}
    assert found.storages["house"].max_discharge_for_charging_w == 2600
    garage, rod = found.loadpoints["garage"], found.loadpoints["rod"]
    assert (garage.mode, garage.circuit, garage.vehicle and garage.vehicle.max_phases) == ("solar", "main", 2)
    assert (rod.on_above_w, rod.min_storage_pct, garage.priority > rod.priority) == (2100, 70, True)
