"""Site texts: a small driver and a valid configuration for the tests of config."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import ClassVar

from pydantic import Field, model_validator

from chargerd.config.base import Credential, DeviceConfig
from chargerd.config.load import ConfigError, Loaded, load
from chargerd.config.problems import Problem

HOME = """\
[site]
name = "Home"
timezone = "Europe/Berlin"

[device.shed]
driver = "acme"
host = "192.0.2.40"

[vehicle.trike]
profile = "rad-48v"
full_w = 6

[loadpoint.bike-1]
charger = "shed/battery_1"
vehicle = "trike"
target = "full"
window = ["00:00-06:00", "sat,sun 22:00-06:00"]
schedule = [ { days = "mon-fri", at = "00:00" }, { days = "sat", at = "01:30", target = "nominal" } ]
lease_s = 600
"""

SUNNY = """\
[site]
timezone = "Europe/Berlin"

[device.inverter]
driver = "inverter"
host = "192.0.2.20"

[meter.grid]
device = "inverter"
channel = "meter1"
role = "grid"

[storage.house]
device = "inverter"
channel = "battery1"
priority_pct = 20
buffer_pct = 80
max_discharge_for_charging_w = 2600

[circuit.main]
max_current_a = 35
meter = "grid"

[circuit.garage]
max_current_a = 20
parent = "main"

[device.wall]
driver = "box"
host = "192.0.2.31"

[vehicle.id4]
capacity_wh = 77000
max_phases = 2

[loadpoint.garage]
charger = "wall"
vehicle = "id4"
circuit = "garage"
mode = "solar"
max_current_a = 15
auto_solar_pct = 60
auto_slow = "09:00-16:00"
schedule = [ { days = "mon-fri", at = "05:00", mode = "fast" } ]

[device.cellar]
driver = "acme"
host = "192.0.2.41"

[loadpoint.rod]
charger = "cellar"
mode = "solar"
on_above_w = 2100
min_storage_pct = 70
window = "13:55-16:15"
always = "04:00-05:00"
"""


class Acme:
    """A driver of which only the settings matter here."""

    class Config(DeviceConfig):
        host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]+$")
        alias: str | None = None
        port: int = Field(default=80, ge=1, le=65535)
        password: Credential | None = None
        labels: list[str] = Field(default=[])

        @model_validator(mode="after")
        def _complete(self) -> Acme.Config:
            if self.host is None and self.alias is None:
                raise ValueError("give host or alias")
            return self


class Box(Acme):
    """A charger for cars."""

    class Config(Acme.Config):
        charges: ClassVar[str] = "evse"


class Inverter(Acme):
    """Something that measures and charges nothing."""

    class Config(Acme.Config):
        charges: ClassVar[str] = ""
        measures: ClassVar[bool] = True


DRIVERS = {"acme": Acme, "box": Box, "inverter": Inverter}


def load_driver(kind: str) -> ModuleType:
    """The module of a driver; "absent" needs a package that nobody has."""
    if kind == "absent":
        raise ModuleNotFoundError("No module named 'acme_client'", name="acme_client")
    module = ModuleType(f"drivers.{kind}")
    module.Driver = DRIVERS[kind]  # type: ignore[attr-defined]
    return module


def credential_fault(name: str) -> str | None:
    """Only the credential "acme" is there."""
    return None if name == "acme" else f"credential {name} is missing: put it into the folder"


def load_files(*paths: Path) -> Loaded:
    """Load files with the test's driver and credentials."""
    return load(paths, load_driver=load_driver, driver_kinds=(*DRIVERS, "absent"), credential_fault=credential_fault)


def loaded(folder: Path, text: str) -> Loaded:
    """Load a text as the main file."""
    main = folder / "chargerd.toml"
    main.write_text(text, "utf-8")
    return load_files(main)


def problems(folder: Path, text: str) -> tuple[Problem, ...]:
    """What is wrong with a text; AssertionError if nothing is."""
    try:
        loaded(folder, text)
    except ConfigError as error:
        return error.problems
    raise AssertionError("the text was accepted")
