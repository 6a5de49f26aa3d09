"""Importing: S0's INI files of three generations become what they meant. The texts here are written for these tests.

Figures: the Rad and Lectric figures of S0's own files, the seasons' thresholds, and its test file's lists.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chargerd import drivers
from chargerd.config.importing import KEYS, Imported, import_ini
from chargerd.config.load import Loaded, load
from chargerd.config.problems import ConfigError, Problem

CURRENT = """\
[Rad]
nominal_charge_start_power_threshold = 90.0
nominal_charge_stop_power_threshold = 45.0
full_charge_power_threshold = 5.0
storage_charge_stop_power_threshold = 115.0
storage_charge_cycle_limit = 1
coarse_probe_threshold_margin = 20.0
charger_amp_hour_rate = 2.0
battery_amp_hour_capacity = 14.0
charger_efficiency = 0.80

[Lectric]
nominal_charge_start_power_threshold = 40.0
nominal_charge_stop_power_threshold = 40.0
full_charge_power_threshold = 10.0
coarse_probe_threshold_margin = 20.0
charger_efficiency = 0.95

[Plugs]
Rad_Battery_1 = Rad
rad_battery_2 = Rad
lectric_one = Lectric

[Storage]
#rad_battery_2

[FullCharge]
"""
SEASON = """\
[Rad]
nominal_charge_battery_power_threshold = {rad}
full_charge_battery_power_threshold = 5.0
storage_charge_battery_power_threshold = 115.0
storage_charge_battery_cycle_limit = 1
coarse_probe_threshold_margin = 20.0

[Lectric]
nominal_charge_battery_power_threshold = {lectric}
full_charge_battery_power_threshold = 10.0
coarse_probe_threshold_margin = 20.0

[Plugs]
rad_battery_1 = Rad
lectric_battery_1 = Lectric
"""
FIRST = """\
[Rad]
nominal_charged_battery_power_threshold = 90.0
fully_charged_battery_power_threshold = 5.0
storage_charged_battery_power_threshold = 115.0
coarse_probe_threshold_margin = 20.0

[Plugs]
rad_battery_1 = Rad
rad_battery_2 = Rad
rad_battery_3 = Rad
rad_power_1 = Rad

[Storage]
rad_battery_2
rad_battery_3

[FullCharge]
rad_battery_1
rad_battery_3
"""


def taken_over(folder: Path, text: str, found: list[dict[str, Any]] | None = None) -> tuple[Loaded, Imported]:
    """What chargerd's own loader makes of an imported file."""
    made = import_ini("old.config", text, found)
    (folder / "chargerd.toml").write_text(made.text)
    loaded = load([folder / "chargerd.toml"], load_driver=drivers.load, driver_kinds=drivers.MODULES)
    return loaded, made


def problems(text: str) -> tuple[Problem, ...]:
    """What is wrong with a file."""
    with pytest.raises(ConfigError) as caught:
        import_ini("old.config", text)
    return caught.value.problems


def plug(alias: str, *sockets: str, **changes: Any) -> dict[str, Any]:
    """A plug as a search reports it."""
    named = [{"alias": name, "channel": f"8006{n:02}", "note": ""} for n, name in enumerate(sockets)]
    return {
        "driver": "kasa", "address": "192.168.178.40", "port": 9999, "mac": "50:C7:BF:00:03:00", "model": "HS300",
        "alias": alias, "has_meter": True, "sockets": named, "note": "", **changes,
    }  # fmt: skip


# Three generations


def test_the_current_keys_become_profiles_plugs_and_targets(tmp_path: Path):
    """S0-20: Rad 90/45/5 W, storage 115 W, margin 20 W, 2 A, 14 Ah; Lectric 40/40/10 W; capitals survive."""
    loaded, made = taken_over(tmp_path, CURRENT)
    points = loaded.configuration.loadpoints
    assert list(points) == ["Rad_Battery_1", "rad_battery_2", "lectric_one"]
    rad, lectric = points["Rad_Battery_1"].profile, points["lectric_one"].profile
    assert (rad.nominal_start_w, rad.nominal_stop_w, rad.full_w, rad.margin_w) == (90, 45, 5, 20)
    assert (rad.storage_start_w, rad.storage_stop_w) == (115, 115)
    assert (rad.charger_a, rad.capacity_ah, rad.efficiency, rad.time_limit_s) == (2, 14, 0.8, 7 * 3600)
    assert (lectric.nominal_start_w, lectric.nominal_stop_w, lectric.full_w, lectric.efficiency) == (40, 40, 10, 0.95)
    assert lectric.storage_stop_w == 40  # what the file's own comment promises, not the code's 90
    assert {point.target for point in points.values()} == {"nominal"}
    assert loaded.configuration.devices["Rad_Battery_1"].options["alias"] == "Rad_Battery_1"
    assert (made.plugs, made.profiles) == (3, 2)
    assert "third generation" in made.text
    assert "Not carried over: storage cycle limit 1" in made.text


@pytest.mark.parametrize(("rad_w", "lectric_w"), [(90.0, 80.0), (45.0, 40.0)])
def test_the_files_of_the_seasons_count_although_the_script_ran_on_its_defaults(tmp_path, rad_w, lectric_w):
    """Summer 90 and 80 W, winter 45 and 40 W; the script read neither."""
    loaded, made = taken_over(tmp_path, SEASON.format(rad=rad_w, lectric=lectric_w))
    points = loaded.configuration.loadpoints
    rad, lectric = points["rad_battery_1"].profile, points["lectric_battery_1"].profile
    assert (rad.nominal_start_w, rad.nominal_stop_w, rad.full_w, rad.storage_stop_w) == (rad_w, rad_w, 5, 115)
    assert (lectric.nominal_stop_w, lectric.full_w) == (lectric_w, 10)
    assert "second generation" in made.text


def test_the_first_keys_and_both_lists(tmp_path: Path):
    """A plug in [Storage] and in [FullCharge] is kept at storage level, as it was."""
    loaded, made = taken_over(tmp_path, FIRST)
    targets = {name: point.target for name, point in loaded.configuration.loadpoints.items()}
    assert targets == {
        "rad_battery_1": "full",
        "rad_battery_2": "storage",
        "rad_battery_3": "storage",
        "rad_power_1": "nominal",
    }
    assert "first generation" in made.text
    assert "in [Storage] and in [FullCharge]; storage counts" in made.text


@pytest.mark.parametrize("old", KEYS)
def test_every_old_key_is_understood_in_any_case(tmp_path: Path, old: str):
    """No key of any generation is passed over."""
    ours, _ = KEYS[old]
    number = {"efficiency": 0.6, "full_w": 7.0}.get(ours, 99.0)
    others = {"nominal_charge_start_power_threshold": 200, "full_charge_power_threshold": 5}
    lines = [f"{key} = {value}" for key, value in others.items() if KEYS[key][0] != ours]
    if ours == "storage_start_w":
        lines.append("storage_charge_stop_power_threshold = 50")
    text = "\n".join(["[A]", f"{old.upper()} = {number}", *lines, "[Plugs]", "a = A"])
    loaded, made = taken_over(tmp_path, text)
    profile = loaded.configuration.loadpoints["a"].profile
    if ours:
        assert getattr(profile, ours) == number
    else:
        assert f"cycle limit {number:g}" in made.text


def test_a_figure_of_0_that_meant_unknown_is_left_out(tmp_path: Path):
    """The script took 0 for "not known" at current and capacity; then 12 hours are the limit, as they were."""
    text = CURRENT.replace("charger_amp_hour_rate = 2.0", "charger_amp_hour_rate = 0").replace("14.0", "0.0")
    loaded, _ = taken_over(tmp_path, text)
    profile = loaded.configuration.loadpoints["rad_battery_2"].profile
    assert (profile.charger_a, profile.capacity_ah, profile.time_limit_s) == (None, None, 12 * 3600)


def test_what_default_lends_counts_for_every_profile(tmp_path: Path):
    """[DEFAULT] is Python's: its keys are those of all other sections that lack them."""
    text = "[DEFAULT]\nfull_charge_power_threshold = 6\n[A]\nnominal_charge_stop_power_threshold = 70\n[Plugs]\na = A\n"
    loaded, _ = taken_over(tmp_path, text)
    assert loaded.configuration.loadpoints["a"].profile.full_w == 6


def test_a_profile_of_the_name_of_a_shipped_one_is_not_mixed_with_it(tmp_path: Path):
    """[default] in the file is not our built-in profile."""
    text = CURRENT.replace("[Lectric]", "[default]").replace("= Lectric", "= default")
    loaded, _ = taken_over(tmp_path, text)
    assert loaded.configuration.loadpoints["lectric_one"].profile.name == "default-2"


# What a person should look at


def test_a_plug_of_a_profile_that_is_not_there_is_said_and_charged_as_the_script_did(tmp_path: Path):
    """Its file said so in a comment: the script's built-in figures, 90 and 5 W."""
    loaded, made = taken_over(tmp_path, CURRENT.replace("rad_battery_2 = Rad", "rad_battery_2 = Radd"))
    profile = loaded.configuration.loadpoints["rad_battery_2"].profile
    assert (profile.name, profile.nominal_stop_w, profile.full_w) == ("default", 90, 5)
    (note, _) = made.notes
    assert "rad_battery_2 (line 21) names the profile 'Radd'" in note
    assert "was [Rad] meant?" in note
    assert f"# Note: {note}"[:60] in made.text


def test_a_listed_plug_that_is_in_no_profile_is_said(tmp_path: Path):
    """The script did nothing with it either."""
    _, made = taken_over(tmp_path, CURRENT.replace("#rad_battery_2", "somebody_else"))
    assert any("somebody_else is in [Storage] (line 25) and not in [Plugs]" in note for note in made.notes)


def test_sockets_of_a_strip_that_was_found_become_its_channels(tmp_path: Path):
    """One device for the strip, known by its hardware address; the third plug was not found and is said so."""
    strip = plug("shed", "rad_battery_1", "Rad_Battery_2", "lamp")
    loaded, made = taken_over(tmp_path, CURRENT, [strip])
    points = loaded.configuration.loadpoints
    assert [point.charger for point in points.values()] == ["shed/rad_battery_1", "shed/Rad_Battery_2", "lectric_one"]
    options = loaded.configuration.devices["shed"].options
    assert (options["host"], options["mac"]) == ("192.168.178.40", "50:C7:BF:00:03:00")
    assert made.notes[0].startswith("Not found on the network: lectric_one.")


def test_a_socket_whose_name_does_not_fit_is_named_by_its_id(tmp_path: Path):
    """A slash would be read as another channel."""
    strip = plug("shed", "rad/1")
    loaded, _ = taken_over(tmp_path, CURRENT.replace("rad_battery_2", "rad/1"), [strip])
    assert loaded.configuration.loadpoints["rad-1"].charger == "shed/800600"


def test_plugs_that_cannot_be_used_are_left_out_and_said(tmp_path: Path):
    """One has no meter; two have one name, and nobody can tell which was meant."""
    twins = [plug("lectric_one", mac=f"50:C7:BF:00:00:0{n}", address=f"192.168.178.{n}") for n in (1, 2)]
    lamp = plug("RAD_BATTERY_2", has_meter=False, model="HS100")
    loaded, made = taken_over(tmp_path, CURRENT, [*twins, lamp])
    assert list(loaded.configuration.loadpoints) == ["Rad_Battery_1"]
    assert "two plugs have this name, at 192.168.178.1 and 192.168.178.2" in made.text.replace("\n# ", " ")
    assert any("it is a HS100, which has no meter" in note for note in made.notes)


# Bad input


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ("= 45.0", "= fortyfive", 3, "Rad.nominal_charge_stop_power_threshold", "is no number"),
        ("= 45.0", "= 45 W", 3, "Rad.nominal_charge_stop_power_threshold", "is no number"),
        ("= 45.0", "= nan", 3, "Rad.nominal_charge_stop_power_threshold", "is no number"),
        ("= 45.0", "", 3, "Rad.nominal_charge_stop_power_threshold", "has no value"),
        ("= 45.0", "= 95.0", 2, "Rad.nominal_charge_start_power_threshold", "must be at least nominal_stop_w"),
        ("= 45.0", "= 4.0", 3, "Rad.nominal_charge_stop_power_threshold", "must be above full_w"),
        ("= 45.0", "= 4500.0", 3, "Rad.nominal_charge_stop_power_threshold", "must be between 0.5 and 3000"),
        ("0.80", "80", 10, "Rad.charger_efficiency", "must be between 0.3 and 1"),
        ("charger_efficiency = 0.80", "cutoff_w = 80", 10, "Rad.cutoff_w", "is of no known generation"),
        ("rad_battery_2 = Rad", "battery_voltage = 48", 21, "Plugs.battery_voltage", "is a figure and no plug"),
        ("rad_battery_2 = Rad", "RAD_battery_1 = Rad", 21, "Plugs.RAD_battery_1", "is there twice"),
        ("nominal_charge_start_power_threshold = 90.0\nnominal_charge_stop_power_threshold = 45.0\n", "", 1, "Rad", "lacks"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_key(old: str, new: str, line: int, key: str, says: str):
    """And nothing is made of the file."""
    (problem, *_) = problems(CURRENT.replace(old, new, 1))
    assert (problem.file, problem.line, problem.key) == ("old.config", line, key)
    assert says in problem.text


def test_one_figure_under_two_names_must_agree(tmp_path: Path):
    """Two generations in one section are mixed if they say the same, and refused if they do not."""
    mixed = CURRENT.replace("[Lectric]", "nominal_charge_battery_power_threshold = {}\n\n[Lectric]")
    loaded, _ = taken_over(tmp_path, mixed.format("45.0"))
    assert loaded.configuration.loadpoints["rad_battery_2"].profile.nominal_stop_w == 45
    (problem,) = problems(mixed.format("50"))
    assert problem.line == 12
    assert problem.text == "contradicts nominal_charge_stop_power_threshold in line 3, which says 45"


def test_a_near_miss_is_guessed_at():
    """A key with a slip of the pen is refused with what was probably meant."""
    (problem,) = problems(CURRENT.replace("full_charge_power_threshold = 5.0", "full_charge_power_treshold = 5.0"))
    assert problem.hint == "Did you mean full_charge_power_threshold?"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "[Plugs]\n[Storage]\n",
        '[site]\nname = "Home"\n[device.shed]\ndriver = "kasa"\nhost = "192.0.2.40"\n',
        "[Unit]\nDescription=x\n[Service]\n  ExecStart=y\n",
    ],
)
def test_a_file_that_says_nothing_is_refused(text: str):
    """Nothing is made of nothing, and another program's file is not gone through key by key."""
    (problem,) = problems(text)
    assert "is no configuration of the e-bike battery script" in problem.text
