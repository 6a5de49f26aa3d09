"""Packaging: what the package says of itself is so: versions, licences, manual pages, and the unit."""

from __future__ import annotations

import argparse
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from chargerd import __main__ as program
from chargerd import __version__
from chargerd.config.base import DeviceConfig
from chargerd.config.load import load
from chargerd.config.site import (
    AdoptTable,
    CircuitTable,
    DiscoveryTable,
    JournalTable,
    LoadpointTable,
    LogTable,
    MeterTable,
    ScheduleItem,
    SiteTable,
    StorageTable,
    VariantTable,
    VehicleTable,
)
from chargerd.ctl.commands import REGISTRY
from chargerd.daemon.run import STOP_S
from chargerd.daemon.start import EX_CONFIG
from chargerd.drivers import MODULES
from chargerd.drivers import load as load_driver
from chargerd.model.settings import ADJUSTABLE, LoadpointSettings, Profile
from chargerd.sinks.notify import Sink as Notify

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = ROOT / "packaging" / "debian"
PAGES = ROOT / "docs" / "man"


def tool(name: str) -> ModuleType:
    """A program of packaging/, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The manual pages as they are installed."""
    made: dict[str, str] = tool("man").pages()
    return made


def unit() -> dict[str, list[str]]:
    """Every key of chargerd.service with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "systemd" / "chargerd.service").read_text("utf-8").splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_package_has_the_program_s_version():
    """The changelog's newest entry is that of ``chargerd --version``."""
    first = (DEBIAN / "changelog").read_text("utf-8").splitlines()[0]
    assert first == f"chargerd ({__version__}) unstable; urgency=medium"


def test_every_carried_library_has_its_licence_named():
    """The copyright file has a paragraph for each locked library, and the text of each licence it names."""
    text = (DEBIAN / "copyright").read_text("utf-8")
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "packaging" / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    named = re.findall(r"^Files: wheelhouse/(\w+)-\*$", text, re.MULTILINE)
    assert [name.replace("_", "-") for name in named] == sorted(locked)
    used = {
        word for line in re.findall(r"^License: (.+)$", text, re.MULTILINE) for word in re.split(r" and | or ", line)
    }
    assert used == set(re.findall(r"^License: (\S+)\n ", text, re.MULTILINE))


def test_manual_of_the_daemon_has_every_command_and_option(pages: dict[str, str]):
    """chargerd(8) is complete, and names nothing that is not there."""
    top = program.parser()
    (commands,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    parsers = [top, *commands.choices.values()]
    options = {text for each in parsers for action in each._actions for text in action.option_strings} - {
        "-h",
        "--help",
    }
    text = (PAGES / "chargerd.md").read_text("utf-8")
    named = {word for item in re.findall(r"^- `(-[^`]*)`", text, re.MULTILINE) for word in re.findall(r"-[-\w]+", item)}
    assert named == options
    assert set(re.findall(r"^\*\*chargerd\*\* (\w+)", text, re.MULTILINE)) == set(commands.choices)
    assert pages["chargerd.8"].startswith(f'.TH chargerd 8 "" "chargerd {__version__}"')


SECTIONS: dict[str, type[BaseModel]] = {
    "site": SiteTable,
    "log": LogTable,
    "journal": JournalTable,
    "discovery": DiscoveryTable,
    "adopt": AdoptTable,
    "meter.NAME": MeterTable,
    "storage.NAME": StorageTable,
    "circuit.NAME": CircuitTable,
    "vehicle.NAME": VehicleTable,
    "vehicle.NAME.variant.NAME": VariantTable,
    "loadpoint.NAME": LoadpointTable,
    "sink.NAME": Notify.Config,
}


def file_sections() -> dict[str, str]:
    """chargerd.toml(5) in parts: what it says of each table."""
    text = (PAGES / "chargerd.toml.md").read_text("utf-8")
    parts = re.split(r"^## (?:\[([^\]]+)\]|[A-Z].*)$", text, flags=re.MULTILINE)
    return {name: body for name, body in zip(parts[1::2], parts[2::2], strict=True) if name}


def items(text: str) -> dict[str, str]:
    """What a part of the manual says of each key."""
    found = re.findall(r"^- `([^`]*)`((?:.*\n)(?:  .*\n)*)", text, re.MULTILINE)
    return {key: " ".join(said.split()) for named, said in found for key in named.split(", ")}


def test_manual_of_the_file_has_every_key(pages: dict[str, str]):
    """chargerd.toml(5): each key of each table where it stands, and no others."""
    parts = file_sections()
    assert set(parts) == {*SECTIONS, "device.NAME"}
    for name, model in SECTIONS.items():
        assert set(items(parts[name])) == {field.alias or key for key, field in model.model_fields.items()}, name
    drivers = [load_driver(kind).Driver.Config for kind in MODULES if kind not in ("simulated", "replayed")]
    keys = {key for model in (DeviceConfig, *drivers) for key in model.model_fields}
    assert set(items(parts["device.NAME"])) == keys
    assert all(f"`{key}`" in parts["loadpoint.NAME"] for key in ScheduleItem.model_fields)
    assert all(f'"{kind}"' in parts["device.NAME"] for kind in MODULES)
    assert "chargerd.toml.5" in pages


@pytest.mark.parametrize("kind", ADJUSTABLE)
def test_manual_of_the_file_says_range_and_default_of_what_is_set(kind: str):
    """(DEFAULT; LOW to HIGH): what a loadpoint has without the key, and what is accepted, as chargerctl set does."""
    said, plain = items(file_sections()["loadpoint.NAME"]), LoadpointSettings("", "", Profile(""))
    for key, (low, high) in ADJUSTABLE[kind].items():
        if key not in LoadpointTable.model_fields:
            continue  # of the vehicle
        default = getattr(plain, key)
        begin = "never" if default is None else f"{default:g}"
        assert re.search(rf"\({begin}(: \w+)?; {low:g} to {high:.10g}\)", said[key]), key


@pytest.mark.parametrize(
    ("section", "model"), [(name, model) for name, model in SECTIONS.items() if name[:5] in ("meter", "stora", "circu")]
)
def test_manual_of_the_file_says_the_range_of_every_number(section: str, model: type[BaseModel]):
    """Of meters, house batteries and fuses, and their defaults."""
    said = items(file_sections()[section])
    for key, field in model.model_fields.items():
        rules = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
        if not rules:
            continue
        above = "max_current_a" if key == "guaranteed_current_a" else f"{rules['le']:.10g}"
        assert f"; {rules['ge']:g} to {above})" in said[key], key
        if isinstance(field.default, float):
            assert f"({field.default:g}" in said[key], key


def test_example_of_the_manual_loads(tmp_path: Path):
    """What is copied out of chargerd.toml(5) is accepted."""
    example, sunny = re.findall(r"```toml\n(.*?)```", (PAGES / "chargerd.toml.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "sunny.toml").write_text(sunny)
    found = load([tmp_path / "sunny.toml"], load_driver=load_driver, driver_kinds=MODULES).configuration
    assert {name: point.kind for name, point in found.loadpoints.items()} == {"garage": "evse", "rod": "consumer"}
    (tmp_path / "chargerd.toml").write_text(example)
    loaded = load([tmp_path / "chargerd.toml"], load_driver=load_driver, driver_kinds=MODULES)
    assert list(loaded.configuration.loadpoints) == ["bike-1"]


def test_manual_of_chargerctl_has_every_command(pages: dict[str, str]):
    """chargerctl(1) is made from the parsers."""
    page = pages["chargerctl.1"]
    assert all(f".SS {name}\n" in page for name in REGISTRY)


def test_no_line_of_a_manual_is_taken_for_a_request(pages: dict[str, str]):
    """A line of text that begins with a dot or a quote is guarded; a minus stays one, so that options can be copied."""
    page = tool("man").page("# x\n\n.so /etc/passwd\n\n'quoted' --dry-run", "x", 1)
    assert "\n\\&.so" in page
    assert "\n\\(aqquoted\\(aq \\-\\-dry\\-run" in page
    requests = {line.split()[0] for text in pages.values() for line in text.splitlines() if line[:1] == "."}
    assert requests <= {".TH", ".nh", ".ad", ".SH", ".SS", ".PP", ".TP", ".IP", ".RS", ".RE", ".nf", ".fi"}


def test_unit_agrees_with_the_program():
    """No restart after the exit status for a wrong configuration; more time to end than the program takes at most."""
    keys = unit()
    assert keys["RestartPreventExitStatus"] == [f"{EX_CONFIG} 243"]  # 243 is systemd's own, for credentials
    assert int(keys["TimeoutStopSec"][0].removesuffix("s")) > 2 * STOP_S
    assert keys["LoadCredential"] == ["secret:/etc/chargerd/secrets"]
    assert keys["Type"] == ["notify"]
    assert "PrivateUsers" not in keys


def test_units_say_nothing_twice():
    """Of a key that stands twice systemd takes the last one; only lists may grow."""
    twice = {key for key, values in unit().items() if len(values) > 1}
    assert twice == {"SystemCallFilter"}


def test_shipped_example_is_what_the_package_installs():
    """etc/chargerd.toml has no device and no loadpoint until somebody takes the signs away."""
    assert set(tomllib.loads((ROOT / "etc" / "chargerd.toml").read_text("utf-8"))) == {"site"}
