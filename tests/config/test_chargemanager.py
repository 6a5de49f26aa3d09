"""Chargemanager: its settings become what they meant, secrets stay out, and what cannot be meant is named."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

import pytest

from chargerd import drivers
from chargerd.config.chargemanager import import_settings
from chargerd.config.database import Cell, Kept
from chargerd.config.importing import Imported
from chargerd.config.load import Loaded, load
from chargerd.config.problems import ConfigError, Problem
from chargerd.model.settings import MeterSettings, StorageSettings, Window
from tests.config.chargemanager_texts import NEWEST, PAGE_SECRET, PIN, SHAPES
from tests.config.test_importing import plug


def made(
    changes: dict[str, Any] | None = None, shape: int = 5, strategy: int | None = 0, found: Any = None
) -> Imported:
    """What becomes of settings with these changes."""
    settings = cast("dict[str, Cell]", {**SHAPES[shape], **(changes or {})})
    return import_settings("old.sqlite3", Kept(settings, strategy), found)


def taken_over(folder: Path, changes: dict[str, Any] | None = None, **how: Any) -> tuple[Loaded, Imported]:
    """The same, loaded as the daemon would with the real drivers."""
    result = made(changes, **how)
    main = folder / "chargerd.toml"
    main.write_text(result.text, "utf-8")
    return load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES), result


def problems(changes: dict[str, Any], shape: int = 5) -> tuple[Problem, ...]:
    """What is wrong with settings."""
    with pytest.raises(ConfigError) as caught:
        made(changes, shape)
    found: tuple[Problem, ...] = caught.value.problems
    return found


def test_a_home_is_taken_over_whole(tmp_path: Path):
    """Inverter, meters, house battery, NRGkick and plug, each with what was set; it passes the daemon's own check."""
    loaded, result = taken_over(tmp_path)
    site = loaded.configuration
    assert (site.timezone, site.sharing) == ("Europe/Berlin", "share")
    assert {name: device.driver for name, device in site.devices.items()} == {
        "inverter": "solaredge",
        "nrgkick": "nrgkick",
        "plug": "kasa",
    }
    assert (site.devices["inverter"].options["host"], site.devices["inverter"].options["port"]) == (
        "192.168.1.20",
        1502,
    )
    nrgkick = site.devices["nrgkick"].options
    assert (nrgkick["host"], nrgkick["generation"], nrgkick["mac"]) == ("192.168.1.31", 1, "04:91:62:00:00:01")
    assert site.devices["plug"].options["host"] == "192.168.1.41"
    assert site.meters == {
        "grid": MeterSettings("grid", "inverter", "meter1", "grid"),
        "pv": MeterSettings("pv", "inverter", "inverter", "pv", peak_w=9400),
    }
    assert site.storages == {"house": StorageSettings("house", "inverter", "battery1", 65, 100, 2600, 4950)}
    car, rod = site.loadpoints["nrgkick"], site.loadpoints["plug"]
    assert car.vehicle is not None
    assert (car.kind, car.mode, car.max_current_a, car.slow_current_a, car.vehicle.max_phases) == (
        "evse",
        "off",
        15,
        6,
        2,
    )
    assert (car.auto_solar_pct, car.auto_slow) == (65, (Window(540, 960),))
    assert (rod.kind, rod.mode, rod.on_above_w, rod.min_storage_pct, rod.storage_backed) == (
        "consumer",
        "solar",
        2100,
        70,
        True,
    )
    assert (rod.windows, rod.always) == ((Window(570, 975),), (Window(240, 300),))
    assert rod.priority > car.priority
    assert (result.chargers, result.plugs) == (1, 1)


def test_no_secret_is_in_the_result(tmp_path: Path):
    """The PIN is named as a credential, with a line that says where to put it; the page's secret is not even named."""
    loaded, result = taken_over(tmp_path)
    everything = result.text + repr(result.notes)
    assert PIN not in everything
    assert PAGE_SECRET not in everything
    assert loaded.device_configs["nrgkick"].model_dump()["password"] == {"credential": "nrgkick"}
    assert any("/etc/chargerd/secrets/nrgkick" in note for note in result.notes)
    assert "/etc/chargerd/secrets/nrgkick" in result.text


def test_a_charger_without_a_pin_is_only_looked_at(tmp_path: Path):
    """It is said."""
    loaded, result = taken_over(tmp_path, {"chargerpassword": ""})
    assert loaded.device_configs["nrgkick"].model_dump()["password"] is None
    assert any("has no PIN" in note for note in result.notes)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_database_gives_a_configuration_that_loads(tmp_path: Path, shape: int):
    """A database keeps the columns of the release that made it."""
    loaded, _ = taken_over(tmp_path, shape=shape)
    assert list(loaded.configuration.loadpoints) == ["nrgkick", "plug"]


def test_older_hours_of_the_plug_are_windows(tmp_path: Path):
    """S1-33: two windows, or an earliest hour; what has no counterpart is said."""
    loaded, _ = taken_over(tmp_path, shape=2)
    rod = loaded.configuration.loadpoints["plug"]
    assert (rod.windows, rod.always) == ((Window(660, 750), Window(840, 960)), ())
    loaded, result = taken_over(tmp_path, shape=1)
    rod = loaded.configuration.loadpoints["plug"]
    assert (rod.windows, rod.storage_backed) == ((Window(780, 1440),), False)
    assert any("plugmaxSeconds has no counterpart" in note for note in result.notes)
    loaded, _ = taken_over(tmp_path, {"plugstartFrom": 0}, shape=1)
    assert loaded.configuration.loadpoints["plug"].windows == ()
    loaded, _ = taken_over(tmp_path, {"plugstartFrom": 24}, shape=1)
    assert loaded.configuration.loadpoints["plug"].mode == "off"


def test_all_chargers_are_taken_over(tmp_path: Path):
    """One at a time, as there, unless a plug would have to wait too."""
    boxes = {"pulsarwallboxtopicname": "wallbox_123456", "mqttip": "192.168.1.5", "kebap30ip": "192.168.1.32"}
    loaded, result = taken_over(tmp_path, boxes)
    assert list(loaded.configuration.loadpoints) == ["nrgkick", "pulsar", "keba", "plug"]
    pulsar = loaded.configuration.devices["pulsar"].options
    assert (pulsar["host"], pulsar["serial"]) == ("192.168.1.5", "123456")
    assert loaded.configuration.devices["keba"].options["host"] == "192.168.1.32"
    assert loaded.configuration.sharing == "share"
    assert any("one charger charged at a time" in note for note in result.notes)
    assert result.chargers == 3
    loaded, _ = taken_over(tmp_path, {**boxes, "plugip": "192.168.1.x", "plugEnabled": 0})
    assert loaded.configuration.sharing == "one-at-a-time"


@pytest.mark.parametrize(("strategy", "mode"), [(0, "off"), (1, "off"), (2, "off"), (3, "solar"), (None, "off")])
def test_only_tracked_is_a_mode_to_begin_with(tmp_path: Path, strategy: int | None, mode: str):
    """Nobody wants every start of chargerd to begin a fast charge because one was under way on that day."""
    loaded, result = taken_over(tmp_path, strategy=strategy)
    assert loaded.configuration.loadpoints["nrgkick"].mode == mode
    assert any("chargerctl mode nrgkick solar" in note for note in result.notes) == (mode == "off")


def test_without_its_automatic_nothing_changes_mode_by_itself(tmp_path: Path):
    """The setting said so; the program went from tracked to slow all the same."""
    loaded, _ = taken_over(tmp_path, {"chargemodeauto": 0})
    car = loaded.configuration.loadpoints["nrgkick"]
    assert (car.auto_solar_pct, car.auto_slow) == (None, ())


def test_numbers_that_were_typed_as_text_are_numbers(tmp_path: Path):
    """Its page stores what was typed."""
    loaded, _ = taken_over(tmp_path, {"plugonpower": " 1800 ", "seport": "502", "batterystartsoc": 60.0})
    assert loaded.configuration.loadpoints["plug"].on_above_w == 1800
    assert loaded.configuration.devices["inverter"].options["port"] == 502
    assert loaded.configuration.storages["house"].priority_pct == 60


def test_a_plug_that_was_not_enabled_is_off_and_one_that_was_not_set_is_not_there(tmp_path: Path):
    """The first is said."""
    loaded, result = taken_over(tmp_path, {"plugEnabled": 0})
    assert loaded.configuration.loadpoints["plug"].mode == "off"
    assert any("chargerctl mode plug solar" in note for note in result.notes)
    loaded, result = taken_over(tmp_path, {"plugEnabled": 0, "plugip": "192.168.178.x"})
    assert (list(loaded.configuration.loadpoints), result.plugs) == (["nrgkick"], 0)


def test_hours_that_end_when_they_begin_never_come(tmp_path: Path):
    """For the sun, for always, and for both."""
    never = {"pvPlugstartFrom": "12:00", "pvPlugstartTo": "12:00"}
    loaded, _ = taken_over(tmp_path, never)
    rod = loaded.configuration.loadpoints["plug"]
    assert (rod.mode, rod.windows, rod.always) == ("solar", (Window(240, 300),), (Window(240, 300),))
    loaded, _ = taken_over(tmp_path, {"alwaysPlugstartFrom": "00:00", "alwaysPlugstartTo": "00:00"})
    assert loaded.configuration.loadpoints["plug"].always == ()
    loaded, result = taken_over(tmp_path, {**never, "alwaysPlugstartFrom": "1:00", "alwaysPlugstartTo": "01:00"})
    assert loaded.configuration.loadpoints["plug"].mode == "off"
    assert any("no hours in which it may be on" in note for note in result.notes)


def test_hours_over_midnight_come_here_and_that_is_said(tmp_path: Path):
    """There they never came."""
    loaded, result = taken_over(tmp_path, {"alwaysPlugstartFrom": "23:00", "alwaysPlugstartTo": "1:30"})
    assert loaded.configuration.loadpoints["plug"].always == (Window(1380, 90),)
    assert any("goes over midnight, 23:00-01:30" in note for note in result.notes)


def test_a_plug_that_a_search_has_found_is_known_by_its_hardware_address(tmp_path: Path):
    """It is found again when it moves. A strip has sockets, of which one must be named."""
    loaded, _ = taken_over(tmp_path, found=[plug("rod", address="192.168.1.41")])
    assert loaded.configuration.devices["plug"].options["mac"] == "50:C7:BF:00:03:00"
    _, result = taken_over(tmp_path, found=[plug("strip", "a", "b", address="192.168.1.41")])
    assert any("is a strip: name the socket" in note for note in result.notes)


def test_chargers_that_nobody_has_set_are_left_out(tmp_path: Path):
    """Placeholders of every release, and the one that is half set is said."""
    unset = {"measurementsurl": "http://xxx", "settingsurl": "http://192.168.xx.xx/api/settings/04:91:62:xx:xx:xx"}
    loaded, result = taken_over(tmp_path, unset)
    assert list(loaded.configuration.loadpoints) == ["plug"]
    assert any("No charger for cars is set" in note for note in result.notes)
    _, result = taken_over(tmp_path, {"mqttip": "192.168.1.5"})
    assert any("Pulsar was left out: the topic of the charger is not set" in note for note in result.notes)
    _, result = taken_over(tmp_path, {"pulsarwallboxtopicname": "wallbox_7", "mqttip": ""})
    assert any("Pulsar was left out: an MQTT broker is not set" in note for note in result.notes)


def test_the_address_that_the_program_came_with_is_nobodys_charger(monkeypatch: pytest.MonkeyPatch):
    """Known by a digest only, as it is somebody's."""
    digest = hashlib.sha256(b"04:91:62:00:00:01").hexdigest()[:16]
    monkeypatch.setattr("chargerd.config.chargemanager._OF_THE_AUTHOR", digest)
    result = made()
    assert "[device.nrgkick]" not in result.text
    assert any("is the one that chargemanager came with" in note for note in result.notes)


def test_what_has_no_counterpart_is_said_and_stands_in_the_file():
    """A person reads it on the screen or, later, at the top of the file."""
    result = made()
    said = " ".join(result.notes)
    assert "web page with port and secret" in said
    assert "No fuse was known there" in said
    folded = " ".join(line.removeprefix("# ") for line in result.text.splitlines())
    assert all(f"Note: {note}" in folded for note in result.notes)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("seip", "192.168.178.x", "is not set, and without the inverter"),
        ("seip", "", "is not set"),
        ("seip", "192.168.1.300", "is no address"),
        ("seip", "the inverter", "is no address"),
        ("seport", "modbus", "is no whole number"),
        ("seport", 70000, "must be between 1 and 65535"),
        ("pvpeakpower", "9.4 kWp", "is no whole number"),
        ("pvpeakpower", 0, "must be between 100"),
        ("batterystartsoc", "60 %", "is no whole number"),
        ("batterystartsoc", 160, "must be between 0 and 100"),
        ("batterymaxconsumption", -5, "must be between 0"),
        ("batterymaxinput", None, "is no whole number"),
        ("batterymaxinput", float("nan"), "is no whole number"),
        ("batterymaxinput", 4950.5, "is no whole number"),
        ("chargemodeauto", 2, "must be between 0 and 1"),
        ("chargingphases", 4, "must be between 1 and 3"),
        ("plugonpower", b"\x00\x01", "is no whole number"),
        ("plugEnabled", "yes", "is no whole number"),
        ("plugip", b"\xff", "is no text"),
        ("plugip", "192.168.178.x", "is not set, and the plug is enabled"),
        ("pvPlugstartTo", "24:30", "is no time of day"),
        ("pvPlugstartFrom", "24:00", "is no time of day"),
        ("alwaysPlugstartFrom", "noon", "is no time of day"),
        ("measurementsurl", "192.168.1.31", "is no address of an NRGkick's Connect box"),
        ("measurementsurl", "http://192.168.1.31/api/settings/04:91:62:00:00:01", "is no address of an NRGkick"),
        ("settingsurl", "http://192.168.1.31/api/settings/04:91:62:00:00:02", "is of another charger"),
        ("kebap30ip", "192.168.178", "is no address"),
        ("pulsarwallboxtopicname", "home/wallbox 7", "is no topic of the bridge"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named_with_its_column(column: str, value: object, says: str):
    """And nothing is made of the database."""
    changes = {column: value, **({"mqttip": "192.168.1.5"} if column == "pulsarwallboxtopicname" else {})}
    (problem, *_) = problems(changes)
    assert (problem.file, problem.key) == ("old.sqlite3", f"settings.{column}")
    assert says in problem.text


def test_an_hour_that_is_none_of_the_first_release_is_named():
    """Its page allowed 0 to 24."""
    (problem,) = problems({"plugstartFrom": 25}, shape=1)
    assert (problem.key, problem.value) == ("settings.plugstartFrom", "25")


def test_all_that_is_wrong_is_told_at_once():
    """Nobody mends a page of settings one error at a time."""
    found = problems({"seport": "x", "plugonpower": "y", "pvPlugstartTo": "25:00"})
    assert [each.key for each in found] == ["settings.seport", "settings.plugonpower", "settings.pvPlugstartTo"]


def test_a_login_in_an_address_is_not_repeated():
    """It is a secret that somebody put in the wrong place."""
    (problem,) = problems({"settingsurl": f"http://me:{PIN}@192.168.1.31/api/settings/04:91:62:00:00:01"})
    assert PIN not in str(problem)
    assert problem.key == "settings.settingsurl"


def test_every_setting_is_carried_over_or_said():
    """Each column changes the result, is refused when wrong, or is one that the last note names."""
    unused = {"webport", "secretkey", "authenticationenabled"}
    other: dict[str, object] = {
        "measurementsurl": "http://xxx", "settingsurl": "http://xxx", "chargerpassword": "", "kebap30ip": "192.168.1.9",
        "pulsarwallboxtopicname": "wallbox_7", "mqttip": "192.168.1.5", "plugip": "192.168.1.42", "seip": "192.168.1.21",
    }  # fmt: skip
    plain = made()
    for column, value in NEWEST.items():
        new = other.get(column, 1 - value if value in (0, 1) else value - 1 if isinstance(value, int) else "06:15")
        try:
            differs = made({column: new}) != plain
        except ConfigError:
            differs = True
        assert differs == (column not in unused), column
