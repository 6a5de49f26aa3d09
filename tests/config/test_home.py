"""Home: meters, house batteries and fuses are as they are written, or are refused because they contradict each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chargerd import drivers
from chargerd.config.load import ConfigError, load
from chargerd.model.settings import CircuitSettings, MeterSettings, StorageSettings
from tests.config.site_texts import SUNNY, loaded, problems
from tests.config.test_points import changed

DESIGN = """\
[site]
name = "Home"
timezone = "Europe/Berlin"
currency = "EUR"

[circuit.main]
max_current_a = 35
phases = 3
meter = "grid"

[device.inverter]
driver = "solaredge"
host = "192.168.178.20"

[meter.grid]
device = "inverter"
channel = "meter1"
role = "grid"

[storage.house]
device = "inverter"
channel = "battery1"
max_discharge_for_charging_w = 2600

[device.nrgkick]
driver = "nrgkick"
host = "192.168.178.31"
password = { credential = "nrgkick" }

[vehicle.id4]
capacity_wh = 77000
max_phases = 2

[loadpoint.garage]
charger = "nrgkick"
vehicle = "id4"
circuit = "main"
mode = "solar"
max_current_a = 15

[device.shed]
driver = "kasa"
host = "192.168.178.40"

[loadpoint.bike-1]
charger = "shed/battery_1"
vehicle = "rad-48v"
target = "nominal"
schedule = [ { days = "sat", at = "00:00", target = "full" } ]
"""


def test_the_home_that_the_design_describes_loads_whole(tmp_path: Path):
    """A fuse, an inverter with meter and battery, a car, an e-bike, by the real drivers."""
    main = tmp_path / "chargerd.toml"
    main.write_text(DESIGN, "utf-8")
    found = load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES).configuration
    assert found.meters == {"grid": MeterSettings("grid", "inverter", "meter1", "grid")}
    house = StorageSettings("house", "inverter", "battery1", max_discharge_for_charging_w=2600)
    assert found.storages == {"house": house}
    assert found.circuits == {"main": CircuitSettings("main", 35, meter="grid")}
    assert {name: point.kind for name, point in found.loadpoints.items()} == {"garage": "evse", "bike-1": "battery"}
    assert found.loadpoints["garage"].mode == "solar"


def test_every_key_of_the_tables_arrives(tmp_path: Path):
    """What the engine gets is what was written."""
    text = changed(
        "[storage.house]",
        '[meter.roof]\ndevice = "inverter"\nrole = "pv"\npeak_w = 9400\ninvert = true\n[storage.house]',
    )
    text = changed("buffer_pct = 80", "buffer_pct = 80\nmax_charge_w = 4950", text)
    text = changed(
        "max_current_a = 20", "max_current_a = 20\nphases = 1\nmax_power_w = 4000\nguaranteed_current_a = 8", text
    )
    text = changed("[site]", '[site]\nreserve_w = -50\nsharing = "one-at-a-time"', text)
    found = loaded(tmp_path, text).configuration
    assert found.meters["roof"] == MeterSettings("roof", "inverter", "", "pv", True, 9400)
    assert found.storages["house"] == StorageSettings("house", "inverter", "battery1", 20, 80, 2600, 4950)
    assert found.circuits["garage"] == CircuitSettings("garage", 20, 1, 4000, "", "main", 8)
    assert (found.reserve_w, found.sharing) == (-50, "one-at-a-time")


METER = '[meter.second]\ndevice = "inverter"\nchannel = "{}"\nrole = "{}"\n[storage.house]'


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        # unknown names
        (
            'device = "inverter"\nchannel = "meter1"',
            'device = "invertr"\nchannel = "meter1"',
            "meter.grid.device",
            "Did you mean inverter?",
        ),
        (
            'device = "inverter"\nchannel = "batt',
            'device = "x"\nchannel = "batt',
            "storage.house.device",
            "device x is not configured",
        ),
        ('meter = "grid"', 'meter = "gird"', "circuit.main.meter", "meter gird is not configured. Did you mean grid?"),
        (
            'parent = "main"',
            'parent = "mains"',
            "circuit.garage.parent",
            "circuit mains is not configured. Did you mean main?",
        ),
        (
            'circuit = "garage"',
            'circuit = "garag"',
            "loadpoint.garage.circuit",
            "circuit garag is not configured. Did you mean garage?",
        ),
        # one connection, one meter to a channel
        ("[storage.house]", METER.format("meter2", "grid"), "meter.second.role", "meter grid is the grid's already"),
        (
            "[storage.house]",
            METER.format("meter1", "load"),
            "meter.second.channel",
            "channel meter1 of device inverter is meter grid already",
        ),
        (
            'channel = "battery1"',
            'channel = "meter1"',
            "storage.house.channel",
            "is meter grid already. Each has a channel of its own",
        ),
        # house battery
        ("buffer_pct = 80", "buffer_pct = 10", "storage.house.buffer_pct", "is below priority_pct, which is 20"),
        ("buffer_pct = 80", "buffer_pct = 101", "storage.house.buffer_pct", "must be between 0 and 100"),
        (
            "max_discharge_for_charging_w = 2600",
            'max_discharge_for_charging_w = "2.6 kW"',
            "storage.house.max_discharge_for_charging_w",
            "Write 2600.",
        ),
        # fuses
        (
            "max_current_a = 35",
            'max_current_a = 35\nparent = "main"',
            "circuit.main.parent",
            "leads back to main itself",
        ),
        (
            "max_current_a = 20",
            "max_current_a = 20\nguaranteed_current_a = 21",
            "circuit.garage.guaranteed_current_a",
            "more than the fuse has, 20 A",
        ),
        (
            "max_current_a = 20",
            "max_current_a = 5",
            "loadpoint.garage.circuit",
            "lets 5 A through, and garage needs 6 A",
        ),
        ("max_current_a = 20", "max_current_a = 20\nphases = 2", "circuit.garage.phases", "must be one of 1, 3"),
        ("max_current_a = 20\n", "", "circuit.garage.max_current_a", "is missing"),
        # meters
        ('role = "grid"', 'role = "gird"', "meter.grid.role", "Did you mean grid?"),
        ('role = "grid"', "", "meter.grid.role", "is missing"),
        (
            'role = "grid"',
            'role = "grid"\npeak_w = 9400',
            "meter.grid.peak_w",
            'what panels can give, and meter grid has role "grid"',
        ),
        ('role = "grid"', 'role = "grid"\npower_w = 1', "meter.grid.power_w", "is not known here"),
        ("[meter.grid]", "[meters.grid]", "meters", "Did you mean meter?"),
        ("[meter.grid]", '[meter."the grid"]', 'meter."the grid"', "Did you mean the-grid?"),
        # site
        ("[site]", '[site]\nsharing = "one at a time"', "site.sharing", "Did you mean one-at-a-time?"),
        ("[site]", "[site]\nreserve_w = 9000", "site.reserve_w", "must be between -5000 and 5000"),
    ],
)
def test_what_cannot_be_so_is_refused_with_place_and_reason(tmp_path: Path, old: str, new: str, key: str, says: str):
    """File, line, key, why, and what was perhaps meant."""
    text = changed(old, new)
    found = {each.key: each for each in problems(tmp_path, text)}
    assert key in found
    assert says in f"{found[key].text}. {found[key].hint}"
    assert 0 < found[key].line <= len(text.splitlines())


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        # channels that the driver cannot have
        ('"meter1"', '"meter4"', "meter.grid.channel", "is no channel of solaredge that is a meter. It has inverter, meter1,"),
        ('"meter1"', '"banana"', "meter.grid.channel", "is no channel of solaredge that is a meter"),
        ('channel = "meter1"\n', "", "meter.grid.channel", "is missing. It has inverter, meter1, meter2, meter3"),
        ('"inverter"\nchannel = "meter1"', '"inverter/meter1"', "meter.grid.device", "channel of it is a key of its own"),
        ('"meter1"', '"battery2"', "meter.grid.channel", "is no channel of solaredge that is a meter"),
        ('"battery1"', '"battery3"', "storage.house.channel", "is a house battery. It has battery1, battery2"),
        ('"battery1"', '"meter2"', "storage.house.channel", "is no channel of solaredge that is a house battery"),
        ('charger = "nrgkick"', 'charger = "nrgkick/1"', "loadpoint.garage.charger", "nrgkick is one charger and has no socket 1"),
        # currents and phases that it cannot have
        ("max_current_a = 15", "max_current_a = 33", "loadpoint.garage.max_current_a", "driver nrgkick offers more than 32 A"),
        # fuses
        ('meter = "grid"', 'meter = "house"', "circuit.main.meter", "house is a house battery and no meter"),
        ("phases = 3", "max_power_w = 1000", "loadpoint.garage.circuit", "main lets 1000 W through, and garage needs 1380 W"),
        ("phases = 3\n", "phases = 1\n", "loadpoint.garage.max_phases", "circuit main has one phase. Write 1"),
    ],
)  # fmt: skip
def test_what_the_driver_or_the_fuse_cannot_have_is_refused(tmp_path: Path, old: str, new: str, key: str, says: str):
    """By the real drivers: it would be silent for ever, or never charge."""
    text = changed(old, new, changed("max_current_a = 15", "max_current_a = 15\nmax_phases = 2", DESIGN))
    if key != "loadpoint.garage.max_phases":
        text = text.replace("\nmax_phases = 2\n\n[device.shed]", "\n\n[device.shed]")
    main = tmp_path / "chargerd.toml"
    main.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES)
    (found,) = caught.value.problems
    assert found.key == key
    assert says in f"{found.text}. {found.hint}"
    assert found.line > 0


@pytest.mark.parametrize("channel", ["meter1", "meter12", "inverter"])
def test_a_sunspec_device_may_have_any_number_of_meters(tmp_path: Path, channel: str):
    """How many it has, the device alone knows; that they are counted from 1 is known before."""
    text = changed('"solaredge"', '"sunspec"', DESIGN)
    main = tmp_path / "chargerd.toml"
    main.write_text(changed("meter1", channel, text), "utf-8")
    found = load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES).configuration
    assert found.meters["grid"].channel == channel
    main.write_text(changed("meter1", "meter0", text), "utf-8")
    with pytest.raises(ConfigError, match="It has inverter, meter1, meter2 …"):
        load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES)


def test_phases_are_not_switched_by_a_charger_that_cannot(tmp_path: Path):
    """Nothing of a Pulsar changes from one phase to three; a KEBA may have the device for it."""
    main, line = tmp_path / "chargerd.toml", "max_current_a = 15\nswitch_phases = true"
    text = changed("max_current_a = 15", line, DESIGN).replace('password = { credential = "nrgkick" }\n', "")
    main.write_text(changed('"nrgkick"', '"keba"', text), "utf-8")
    assert load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES).configuration.loadpoints
    main.write_text(changed('"nrgkick"', '"pulsar"\nserial = "4711"', text), "utf-8")
    with pytest.raises(ConfigError, match="no charger of driver pulsar can do that"):
        load([main], load_driver=drivers.load, driver_kinds=drivers.MODULES)


def test_a_fuse_is_not_measured_at_the_panels(tmp_path: Path):
    """What they give is not what flows through it; a meter of a load is."""
    roof = '[meter.roof]\ndevice = "inverter"\nrole = "{}"\n[storage.house]'
    text = changed('meter = "grid"', 'meter = "roof"')
    (found,) = problems(tmp_path, changed("[storage.house]", roof.format("pv"), text))
    assert (found.key, found.value) == ("circuit.main.meter", '"roof"')
    assert "what panels give does not say what flows through fuse main" in found.text
    assert loaded(tmp_path, changed("[storage.house]", roof.format("load"), text))


def test_a_fuse_far_above_a_loadpoint_counts_too(tmp_path: Path):
    """Every fuse up to the street has to bear it."""
    text = changed("max_current_a = 35", "max_current_a = 5")
    (found,) = problems(tmp_path, text)
    assert (found.key, found.hint) == ("loadpoint.garage.circuit", "It would never charge.")
    assert found.text == "hangs on main, which lets 5 A through, and garage needs 6 A at least"


def test_a_fuse_of_three_phases_does_not_hang_on_one_of_a_single_phase(tmp_path: Path):
    """Written so; the default is not held against anybody."""
    text = changed("max_current_a = 35", "max_current_a = 35\nphases = 1")
    assert loaded(tmp_path, text)
    (found,) = problems(tmp_path, changed("max_current_a = 20", "max_current_a = 20\nphases = 3", text))
    assert (found.key, found.text) == ("circuit.garage.phases", "has more phases than main, on which it hangs")


HOUSE = SUNNY[SUNNY.index("[storage.house]") : SUNNY.index("[circuit.main]")]


@pytest.mark.parametrize("line", ["min_storage_pct = 70", "storage_backed = true"])
def test_a_level_of_the_house_battery_needs_one(tmp_path: Path, line: str):
    """It would be passed over in silence."""
    text = changed("min_storage_pct = 70", line)
    assert loaded(tmp_path, text)
    (found,) = problems(tmp_path, changed(HOUSE, "", text))
    assert (found.key, found.text) == (
        f"loadpoint.rod.{line.split(' ')[0]}",
        "needs a house battery, and none is configured",
    )


def test_a_plug_is_no_meter_and_no_house_battery(tmp_path: Path):
    """It tells of its own charge only; as the meter at the grid it would be silent for ever."""
    text = changed('device = "inverter"\nchannel = "meter1"', 'device = "cellar"\nchannel = "meter1"')
    text = changed('device = "inverter"\nchannel = "batt', 'device = "wall"\nchannel = "batt', text)
    grid, house = problems(tmp_path, text)
    assert (grid.key, house.key) == ("meter.grid.device", "storage.house.device")
    assert grid.text == "measures what it charges and nothing else: its driver is acme"
    assert grid.hint == "Known: inverter"


@pytest.mark.parametrize(
    ("kind", "charges"),
    [
        ("solaredge", ""),
        ("sunspec", ""),
        ("nrgkick", "evse"),
        ("keba", "evse"),
        ("pulsar", "evse"),
        ("kasa", "battery"),
    ],
)
def test_every_driver_says_what_it_charges(kind: str, charges: str):
    """By this a loadpoint is what it is, and an inverter is none."""
    assert drivers.load(kind).Driver.Config.charges == charges


def test_fuses_in_a_circle_are_each_told_so_and_one_beside_it_is_not(tmp_path: Path):
    """The first of two that name each other is as wrong as the second; a third that hangs on them is not."""
    text = changed("max_current_a = 35", 'max_current_a = 35\nparent = "cellar"')
    text = changed("[device.wall]", '[circuit.cellar]\nmax_current_a = 16\nparent = "main"\n[device.wall]', text)
    found = problems(tmp_path, text)
    assert [(each.key, each.text) for each in found] == [
        ("circuit.main.parent", "leads back to main itself"),
        ("circuit.cellar.parent", "leads back to cellar itself"),
    ]
    assert all("no parent" in each.hint for each in found)


def test_a_small_fuse_guarantees_no_more_than_it_has(tmp_path: Path):
    """The default of 6 A is for fuses that have them."""
    text = changed("[device.wall]", "[circuit.lamp]\nmax_current_a = 4\n[device.wall]")
    assert loaded(tmp_path, text).configuration.circuits["lamp"].guaranteed_current_a == 4


GRID = '[meter.grid]\ndevice = "inverter"\nchannel = "meter1"\nrole = "grid"\n'
ROOF = '[meter.roof]\ndevice = "inverter"\nchannel = "meter1"\nrole = "pv"\n'


@pytest.mark.parametrize(("meter", "says"), [("", "no meter is configured"), (ROOF, "no meter has role grid")])
def test_who_follows_the_sun_needs_a_meter_at_the_grid(tmp_path: Path, meter: str, says: str):
    """Also where others are measured: the roof alone does not say what is left over."""
    text = changed('meter = "grid"\n', "", changed(GRID, meter))
    garage, rod = problems(tmp_path, text)
    assert (garage.key, garage.text) == ("loadpoint.garage.mode", f"follows the sun, and {says}")
    assert rod.key == "loadpoint.rod.mode"
    assert "[meter.grid]" in garage.hint


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("auto_solar_pct = 60", "auto_solar_pct"),
        ('schedule = [ { at = "10:00", mode = "min-solar" } ]', "schedule"),
        ('mode = "min-solar"', "mode"),
        ('mode = "slow"', ""),
    ],
)
def test_each_way_to_follow_the_sun_needs_the_meter(tmp_path: Path, line: str, key: str):
    """Not only the mode: a schedule and the change from slow to solar need it too; slow alone does not."""
    head = '[site]\ntimezone = "Europe/Berlin"\n[device.wall]\ndriver = "box"\nhost = "192.0.2.31"\n'
    text = f'{head}[loadpoint.garage]\ncharger = "wall"\n{line}\n'
    if not key:
        assert loaded(tmp_path, text).configuration.loadpoints["garage"].mode == "slow"
        return
    (found,) = problems(tmp_path, text)
    assert (found.key, found.line) == (f"loadpoint.garage.{key}", 8)
    assert "no meter is configured" in found.text


def test_a_meter_that_is_wrong_itself_brings_no_second_complaint(tmp_path: Path):
    """It is perhaps the grid's."""
    (found,) = problems(tmp_path, changed('role = "grid"', 'role = "grids"'))
    assert found.key == "meter.grid.role"


def test_every_home_of_these_tests_is_a_good_one(tmp_path: Path):
    """Otherwise the changes above would prove nothing."""
    assert list(loaded(tmp_path, SUNNY).configuration.loadpoints) == ["garage", "rod"]


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("[storage.house]", "priority_pct"),
        ("[storage.house]", "buffer_pct"),
        ("[loadpoint.garage]", "min_storage_pct"),
        ("[loadpoint.garage]", "auto_solar_pct"),
    ],
)
def test_a_level_written_as_a_share_of_one_is_refused(tmp_path: Path, place: str, key: str):
    """0.3 percent would hold always or never, and nobody would see why."""
    text = re.sub(rf"(?m)^{key} = .*\n", "", SUNNY)
    found = problems(tmp_path, text.replace(place, f"{place}\n{key} = 0.3", 1))
    assert (f"{place[1:-1]}.{key}", "is in percent: 0, or from 1 to 100", "Did you mean 30?") in [
        (each.key, each.text, each.hint) for each in found
    ]
