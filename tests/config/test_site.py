"""Site: the tables that may stand in the file, each key with its range."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargerd.config.site import LoadpointTable, VehicleTable
from chargerd.model.settings import ADJUSTABLE
from tests.config.site_texts import HOME, loaded, problems


def _with(line: str) -> str:
    """The home with one more line in its loadpoint."""
    key = line.partition(" ")[0]
    return "\n".join(old for old in HOME.splitlines() if not old.startswith(key)) + f"\n{line}\n"


@pytest.mark.parametrize(
    ("line", "text", "hint"),
    [
        ("lease_s = 60", "must be between 120 and 86400", "Did you mean 600?"),
        ("lease_s = 1e3", "must be a whole number of seconds, without quotes or unit", "Write 1000."),
        ('lease_s = "10 min"', "must be a whole number of seconds, without quotes or unit", "Write 600."),
        ('min_on_s = "a while"', "must be a number of seconds, without quotes or unit", ""),
        ("min_off_s = nan", "must be between 0 and 7200", ""),
        ("max_starts_per_day = true", "must be a whole number, without quotes or unit", ""),
        ("max_starts_per_day = 0", "must be between 1 and 1000", ""),
        ('target = "ful"', "must be one of nominal, full, storage", "Did you mean full?"),
        ('on_stop = "on"', "must be one of off, leave", ""),
        ("charger = 7", "must be text in quotes", 'Write "7".'),
        ("window = 5", "must be a list: [ … ]", ""),
        ('schedule = "sat 00:00"', "must be a list: [ … ]", ""),
        ("wnidow = []", "is not known here", "Did you mean window?"),
        ("colour = 1", "is not known here", "Known: adopt, always, auto_slow"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(tmp_path: Path, line: str, text: str, hint: str):
    """Range, type or choice, and what was probably meant."""
    (found,) = problems(tmp_path, _with(line))
    key = line.partition(" ")[0]
    assert found.key == f"loadpoint.bike-1.{key}"
    assert found.text == text
    assert found.hint.startswith(hint)
    assert bool(found.hint) == bool(hint)
    assert (tmp_path / "chargerd.toml").read_text().splitlines()[found.line - 1] == line


@pytest.mark.parametrize(
    ("mode", "hint"),
    [
        ("fast", "Leave mode out, and say when"),
        ("slow", "schedule = ["),
        ("solar", "on_above_w"),
        ("min-solar", "on_above_w"),
    ],
)
def test_a_plug_is_configured_with_mode_off_and_told_why(tmp_path: Path, mode: str, hint: str):
    """With the relay off the battery cannot be seen, so a plug is started by a schedule or a person, never by its mode."""
    (found,) = problems(tmp_path, _with(f'mode = "{mode}"'))
    assert found.key == "loadpoint.bike-1.mode"
    assert found.text.startswith('must be "off" for a plug')
    assert "the battery cannot be seen" in found.text
    assert hint in found.hint
    assert loaded(tmp_path, _with('mode = "off"')).configuration.loadpoints["bike-1"].mode == "off"


def test_a_mode_that_nothing_has_is_refused_with_those_that_are(tmp_path: Path):
    """The kind of loadpoint does not matter for a word that no kind knows."""
    (found,) = problems(tmp_path, _with('mode = "on"'))
    assert found.text == "must be one of off, solar, min-solar, slow, fast"


@pytest.mark.parametrize(
    ("zone", "says"),
    [
        ("Europe/Berlinn", "Did you mean Europe/Berlin?"),
        ("europe/berlin", "Did you mean Europe/Berlin?"),
        ("Europe", "is no time zone"),
        ("../etc/passwd", "is no time zone"),
        ("", "is no time zone"),
        ("CEST+2", "is no time zone"),
    ],
)
def test_a_time_zone_is_one_of_the_worlds(tmp_path: Path, zone: str, says: str):
    """A wrong zone would charge at the wrong hour."""
    (found,) = problems(tmp_path, HOME.replace("Europe/Berlin", zone))
    assert found.key == "site.timezone"
    assert found.line == 3
    assert says in found.text


@pytest.mark.parametrize(
    ("line", "text", "hint"),
    [
        ("import_price_per_kwh = -0.1", "must be between 0 and 10000", ""),
        ('import_price_per_kwh = "0.32 EUR"', "must be a number, without quotes or unit", ""),
        ("import_price_per_kwh = 32.5", "is in EUR per kWh, and no kWh costs 32.5 EUR", "Write 0.325."),
        ("import_price_per_kwh = nan", "must be between 0 and 10000", ""),
        ("export_price_per_kwh = 8.1", "is in EUR per kWh, and no kWh costs 8.1 EUR", "Write 0.081."),
        ('currency = "€"', "must be three capital letters", ""),
    ],
)
def test_a_wrong_price_is_refused(tmp_path: Path, line: str, text: str, hint: str):
    """A price in cents would make every cost a hundred times too high."""
    (found,) = problems(tmp_path, HOME.replace("[site]", f"[site]\n{line}"))
    assert (found.key, found.line) == (f"site.{line.partition(' ')[0]}", 2)
    assert found.text.startswith(text)
    assert found.hint.startswith(hint)
    assert bool(found.hint) or not hint


def test_a_price_is_in_the_currency_of_the_site(tmp_path: Path):
    """Unknown if left out; 38 is too much in euros and usual in yen."""
    assert loaded(tmp_path, HOME).configuration.import_price_per_kwh is None
    yen = HOME.replace("[site]", '[site]\ncurrency = "JPY"\nimport_price_per_kwh = 38')
    found = loaded(tmp_path, yen).configuration
    assert (found.currency, found.import_price_per_kwh) == ("JPY", 38)


def test_times_of_day_need_a_named_zone(tmp_path: Path):
    """Nobody's night is in UTC by accident."""
    (found,) = problems(tmp_path, HOME.replace('timezone = "Europe/Berlin"', ""))
    assert (found.key, found.line) == ("site.timezone", 1)
    assert "loadpoint bike-1 has times of day" in found.text


@pytest.mark.parametrize("kind", ADJUSTABLE)
def test_files_accept_the_very_range_that_a_person_may_set(kind: str):
    """A key in the file and the same key of chargerctl set have one range, of a loadpoint or of what it charges."""
    for key, (low, high) in ADJUSTABLE[kind].items():
        models = [model for model in (LoadpointTable, VehicleTable) if key in model.model_fields]
        assert models
        for model in models:
            rules = model.model_fields[key].metadata
            assert tuple(getattr(rule, "ge", getattr(rule, "le", None)) for rule in rules) == (low, high), key


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('{ days = "sat" }', "needs one time"),
        ('{ at = "00:00", by = "07:00" }', "needs one time"),
        ('{ by = "7" }', "is no time of day"),
        ('{ by = "07:00", target = "storage" }', "nobody rides at storage level"),
    ],
)
def test_a_start_has_one_time_and_storage_none_to_be_ready_by(tmp_path: Path, entry: str, says: str):
    """At or by, not both and not neither."""
    (found,) = problems(tmp_path, _with(f"schedule = [ {entry} ]"))
    assert says in found.text


def test_a_time_to_be_charged_by_becomes_a_recurring_plan(tmp_path: Path):
    """by = "07:00": its entry has a name of its own beside one that starts at that time."""
    text = _with('schedule = [ { days = "sat", by = "07:00", target = "full" } ]')
    (entry,) = loaded(tmp_path, text).configuration.schedule
    assert (entry.entry, entry.at_min, entry.target, entry.ready) == ("bike-1/sat<07:00", 420, "full", True)


@pytest.mark.parametrize(
    ("line", "key", "says"),
    [
        ('networks = ["here"]', "discovery.networks[1]", '"here" is no network'),
        ('networks = ["10.0.0.0/24", "8.8.8.8"]', "discovery.networks[2]", "is not on a local network"),
        ("networks = []", "discovery.networks", "at least 1"),
        ('networks = "10.0.0.0/24"', "discovery.networks", "must be a list"),
    ],
)
def test_plugs_are_looked_for_on_networks_of_the_home(tmp_path: Path, line: str, key: str, says: str):
    """A network that is none, or is not at home, is refused with its place."""
    (found,) = problems(tmp_path, f"{HOME}\n[discovery]\n{line}\n")
    assert found.key == key
    assert says in found.text
    good = loaded(tmp_path, f'{HOME}\n[discovery]\nnetworks = ["192.168.178.0/24", "10.0.0.7:9000"]\n')
    assert good.configuration.networks == ("192.168.178.0/24", "10.0.0.7:9000")
    assert loaded(tmp_path, HOME).configuration.networks == ("255.255.255.255",)
