"""Problems: what people read when the configuration is refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from chargerd.config.problems import ConfigError, Problem, dotted, meant, shown
from chargerd.config.site import CircuitTable, LoadpointTable, SiteTable, StorageTable, VehicleTable
from tests.config.site_texts import HOME, problems

MARKER = "marker-secret-4711"


def test_an_error_prints_as_configure_check_shows_it():
    """Place, key and value on the first line; what is allowed and what was perhaps meant on the second; the count last."""
    error = ConfigError(
        [
            Problem(
                "/etc/chargerd/chargerd.toml",
                41,
                "loadpoint.garage.max_current_a",
                "must be between 6 and 80",
                "Did you mean 16?",
                "160",
            )
        ]
    )
    assert str(error) == (
        "/etc/chargerd/chargerd.toml:41: loadpoint.garage.max_current_a = 160\n"
        "    must be between 6 and 80. Did you mean 16?\n"
        "1 error."
    )


def test_an_error_about_a_whole_file_has_no_line_and_no_key():
    """The path alone says where."""
    assert str(Problem("/etc/x.toml", 0, "", "is not a file")) == "/etc/x.toml:\n    is not a file."


def test_every_problem_is_told_at_once_in_the_order_of_the_file(tmp_path: Path):
    """One round of corrections, not one per mistake."""
    text = (
        HOME.replace('name = "Home"', "name = 3").replace("full_w = 6", 'full_w = "6 W"') + "colour = 1\n[lodpoint.x]\n"
    )
    found = problems(tmp_path, text)
    assert [(each.line, each.key) for each in found] == [
        (2, "site.name"),
        (11, "vehicle.trike.full_w"),
        (20, "loadpoint.bike-1.colour"),
        (21, "lodpoint"),
    ]
    assert found[1].hint == "Write 6."
    assert found[3].hint == "Did you mean loadpoint?"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ('"90W"', "Write 90."),
        ('"0.09 kW"', "Write 90."),
        ('"90,5"', "Write 90.5."),
        ('"90 Wh"', ""),
        ('"lots"', ""),
        ("900000", ""),
        ("9000", "Did you mean 900?"),
        ("0.05", "Did you mean 0.5?"),
    ],
)
def test_a_wrong_unit_or_a_slip_of_the_decimal_point_is_recognised(tmp_path: Path, value: str, hint: str):
    """A number in quotes with its unit is turned into the number; ten times too much is turned back."""
    (found,) = problems(tmp_path, HOME.replace("full_w = 6", f"nominal_start_w = {value}"))
    assert found.hint == hint or (not hint and found.hint == "Did you mean 900?")


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{MARKER}"',
        f'pasword = "{MARKER}"',
        f'password = {{ secret = "{MARKER}" }}',
        f'password = {{ credential = "{MARKER} with blanks" }}',
        f'password = ["{MARKER}"]',
    ],
)
def test_a_secret_written_into_the_file_is_not_repeated(tmp_path: Path, line: str):
    """Whoever puts the password itself into the file must not find it in the journal as well."""
    text = HOME.replace('host = "192.0.2.40"', f'host = "192.0.2.40"\n{line}')
    found = problems(tmp_path, text)
    assert all(MARKER not in str(each) for each in found)
    assert any(each.key.startswith("device.shed.pas") for each in found)


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("192.0.2.40:9999", 'host = "192.0.2.40", and port = 9999 beside it'),
        ("http://192.0.2.40/", 'host = "192.0.2.40"'),
        ("https://plug.local", 'host = "plug.local"'),
    ],
)
def test_an_address_copied_from_a_browser_is_taken_apart(tmp_path: Path, host: str, hint: str):
    """A host is written without a scheme and without a port."""
    (found,) = problems(tmp_path, HOME.replace('host = "192.0.2.40"', f'host = "{host}"'))
    assert (found.text, found.hint) == ("must be a name or an address and nothing else", hint)


def test_paths_are_written_as_in_toml():
    """Names with odd signs are quoted, elements of arrays counted from 1."""
    assert dotted(("loadpoint", "bike-1", "schedule", 0, "at")) == "loadpoint.bike-1.schedule[1].at"
    assert dotted(("device", 'b "x".y')) == 'device."b \\"x\\".y"'


def test_values_are_shown_as_they_are_written():
    """As in the file, cut to a line; tables and arrays are not repeated."""
    values = [160, 40.0, 0.5, True, "a\nb", datetime.date(2026, 5, 1), {"a": 1}, [1]]
    assert [shown(value) for value in values] == ["160", "40", "0.5", "true", '"a\\nb"', "2026-05-01", "", ""]
    assert len(shown("x" * 500)) == 60


def test_a_suggestion_is_made_only_when_one_is_close():
    """Otherwise what is known is listed."""
    assert meant("kassa", ["kasa", "simulated"]) == "Did you mean kasa?"
    assert meant("modbus", ["kasa", "simulated"]) == "Known: kasa, simulated"
    assert meant("x", []) == ""


LOADPOINT, STORAGE, CIRCUIT, VEHICLE, SITE = (
    tuple(model.model_fields) for model in (LoadpointTable, StorageTable, CircuitTable, VehicleTable, SiteTable)
)


@pytest.mark.parametrize(
    ("written", "known", "name"),
    [
        ("current_max_a", LOADPOINT, "max_current_a"),
        ("maxcurrent", LOADPOINT, "max_current_a"),
        ("maxCurrent", LOADPOINT, "max_current_a"),
        ("max-current-a", LOADPOINT, "max_current_a"),
        ("max_amps", LOADPOINT, "max_current_a"),
        ("min_soc", LOADPOINT, "min_storage_pct"),
        ("device", LOADPOINT, "charger"),
        ("car", LOADPOINT, "vehicle"),
        ("min_on", LOADPOINT, "min_on_s"),
        ("prioritysoc", STORAGE, "priority_pct"),
        ("priority_soc", STORAGE, "priority_pct"),
        ("max_discharge_w", STORAGE, "max_discharge_for_charging_w"),
        ("max_charge_power_w", STORAGE, "max_charge_w"),
        ("current_a", CIRCUIT, "max_current_a"),
        ("fuse_a", CIRCUIT, "max_current_a"),
        ("voltages", VEHICLE, "voltage_v"),
        ("battery_kwh", VEHICLE, "capacity_wh"),
        ("full_power_w", VEHICLE, "full_w"),
        ("stop_w", VEHICLE, "nominal_stop_w"),
        ("price_per_kwh", SITE, "import_price_per_kwh"),
        ("feed_in_price_per_kwh", SITE, "export_price_per_kwh"),
    ],
)
def test_a_slip_in_a_name_is_led_back_to_the_right_one(written: str, known: tuple[str, ...], name: str):
    """Words in another order, left out, added, or what others call them; never the opposite of what was meant."""
    assert meant(written, known) == f"Did you mean {name}?"


def test_a_long_list_of_what_is_known_says_that_it_goes_on():
    """Twenty are enough to see what kind of thing is wanted; more would look like all."""
    words = [f"k{number:02}" for number in range(22)]
    assert meant("?", words[:20]).endswith("k19")
    assert meant("?", words).endswith("k19, …")
