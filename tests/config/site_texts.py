"""Site texts: a small driver and a valid configuration for the tests of config."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

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


class Acme:
    """A driver of which only the settings matter here."""

    class Config(DeviceConfig):
        host: str | None = None
        alias: str | None = None
        port: int = Field(default=80, ge=1, le=65535)
        password: Credential | None = None
        labels: list[str] = Field(default=[])

        @model_validator(mode="after")
        def _complete(self) -> Acme.Config:
            if self.host is None and self.alias is None:
                raise ValueError("give host or alias")
            return self


def load_driver(kind: str) -> ModuleType:
    """The module of the only driver there is; "absent" needs a package that nobody has."""
    if kind == "absent":
        raise ModuleNotFoundError("No module named 'acme_client'", name="acme_client")
    module = ModuleType(f"drivers.{kind}")
    module.Driver = Acme  # type: ignore[attr-defined]
    return module


def credential_fault(name: str) -> str | None:
    """Only the credential "acme" is there."""
    return None if name == "acme" else f"credential {name} is missing: put it into the folder"


def load_files(*paths: Path) -> Loaded:
    """Load files with the test's driver and credentials."""
    return load(paths, load_driver=load_driver, driver_kinds=("acme", "absent"), credential_fault=credential_fault)


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
