"""Points: a loadpoint takes the keys of what its charger is, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargerd.model.settings import ScheduleEntry, Vehicle, Window
from tests.config.site_texts import HOME, SUNNY, loaded, problems


def changed(old: str, new: str, text: str = SUNNY) -> str:
    """The home with sun, in which something is written otherwise."""
    assert old in text
    return text.replace(old, new, 1)


def test_a_charger_for_cars_becomes_a_loadpoint_with_its_vehicle(tmp_path: Path):
    """Its driver says what it is; what the file leaves out has the defaults that the manual names."""
    found = loaded(tmp_path, SUNNY).configuration
    garage = found.loadpoints["garage"]
    assert (garage.kind, garage.mode, garage.circuit, garage.charger) == ("evse", "solar", "garage", "wall")
    assert garage.vehicle == Vehicle("id4", 77000, 2)
    assert (garage.min_current_a, garage.max_current_a, garage.slow_current_a) == (6, 15, 6)
    assert (garage.auto_solar_pct, garage.auto_slow) == (60, (Window(540, 960),))
    assert (garage.start_delay_s, garage.borrow_wh, garage.phase_pause_s, garage.adopt) == (60, 150, 600, True)
    assert found.schedule == (ScheduleEntry("garage/mon-fri@05:00", "garage", (0, 1, 2, 3, 4), 300, "fast"),)


def test_the_phase_of_the_house_that_a_charger_begins_on_is_one_of_three(tmp_path: Path):
    """L1 unless it is written; anything else is refused with what it can be."""
    place = "[loadpoint.garage]\n"
    assert loaded(tmp_path, SUNNY).configuration.loadpoints["garage"].first_phase == "L1"
    turned = loaded(tmp_path, SUNNY.replace(place, f'{place}first_phase = "L3"\n'))
    assert turned.configuration.loadpoints["garage"].first_phase == "L3"
    (wrong,) = problems(tmp_path, SUNNY.replace(place, f"{place}first_phase = 3\n"))
    assert (wrong.key, wrong.text) == ("loadpoint.garage.first_phase", "must be one of L1, L2, L3")


def test_a_plug_with_keys_of_surplus_is_a_consumer(tmp_path: Path):
    """The same kind of device charges a battery without them."""
    rod = loaded(tmp_path, SUNNY).configuration.loadpoints["rod"]
    assert (rod.kind, rod.mode, rod.on_above_w, rod.min_storage_pct) == ("consumer", "solar", 2100, 70)
    assert (rod.windows, rod.always) == ((Window(835, 975),), (Window(240, 300),))
    assert loaded(tmp_path, HOME).configuration.loadpoints["bike-1"].kind == "battery"


@pytest.mark.parametrize("key", ["on_above_w = 0", "storage_backed = true", 'always = "01:00-02:00"', "priority = 3"])
def test_one_key_of_surplus_makes_a_consumer(tmp_path: Path, key: str):
    """Each of them alone."""
    plug = '[loadpoint.lamp]\ncharger = "cellar/2"\n'
    text = changed('charger = "cellar"', 'charger = "cellar/1"') + plug
    assert loaded(tmp_path, text).configuration.loadpoints["lamp"].kind == "battery"
    assert loaded(tmp_path, text + key).configuration.loadpoints["lamp"].kind == "consumer"


PLUG = """
[device.shed]
driver = "acme"
host = "192.0.2.40"
[loadpoint.bike]
charger = "shed"
"""


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        # keys of another kind
        ("max_current_a = 15", 'target = "full"', "garage.target", "is no key of a charger for cars. It is one of a plug"),
        ("max_current_a = 15", "balance_days = 7", "garage.balance_days", "is no key of a charger for cars"),
        ("max_current_a = 15", "on_above_w = 2000", "garage.on_above_w", "It is one of a consumer of surplus"),
        ("on_above_w = 2100", "on_above_w = 2100\nmax_current_a = 10", "rod.max_current_a", "of a charger for cars"),
        ("on_above_w = 2100", 'on_above_w = 2100\ntarget = "full"', "rod.target", "is no key of a consumer"),
        ("on_above_w = 2100", 'on_above_w = 2100\nvehicle = "id4"', "rod.vehicle", "is no key of a consumer"),
        ("[loadpoint.rod]", PLUG + "max_phases = 1\n[loadpoint.rod]", "bike.max_phases", "is no key of a plug with"),
        ("[loadpoint.rod]", PLUG + "borrow_wh = 50\n[loadpoint.rod]", "bike.borrow_wh", "of a charger for cars"),
        ("[loadpoint.rod]", PLUG + "start_delay_s = 50\n[loadpoint.rod]", "bike.start_delay_s", "and of a consumer"),
        # modes
        ('mode = "solar"\non_above', 'mode = "min-solar"\non_above', "rod.mode", "Did you mean solar?"),
        ('mode = "solar"\non_above', 'mode = "slow"\non_above', "rod.mode", "of a consumer of surplus. Known: fast, off, solar"),
        ('mode = "solar"\nmax', 'mode = "cheap"\nmax', "garage.mode", "must be one of off, solar, min-solar, slow, fast"),
        # schedules
        ('mode = "fast" }', 'mode = "quick" }', "garage.schedule[1].mode", "must be one of off, solar"),
        ('mode = "fast" }', 'target = "full" }', "garage.schedule[1].target", "is for a plug with a battery's charger"),
        ('at = "05:00", mode = "fast"', 'by = "07:00"', "garage.schedule[1].by", 'such as mode = "solar"'),
        ("[loadpoint.rod]", PLUG + 'schedule = [{at = "01:00", mode = "solar"}]\n[loadpoint.rod]',
         "bike.schedule[1].mode", "is no mode of a plug with a battery's charger. Known: fast, off"),
        ("[loadpoint.rod]", PLUG + 'schedule = [{by = "07:00", mode = "fast"}]\n[loadpoint.rod]',
         "bike.schedule[1].mode", "does not go with by"),
        # vehicles
        ('vehicle = "id4"', 'vehicle = "id3"', "garage.vehicle", "is no vehicle. Did you mean id4?"),
        ('vehicle = "id4"', 'vehicle = "rad-48v"', "garage.vehicle", "is a shipped profile of a battery's charger at a plug"),
        # chargers
        ('charger = "wall"', 'charger = "inverter"', "garage.charger", "is a device that charges nothing: its driver is inverter"),
        ('charger = "wall"', 'charger = "wal"', "garage.charger", "device wal is not configured. Did you mean wall?"),
        ("on_above_w = 2100", "on_above_w = 2.1", "rod.on_above_w", "or 10 and more. Did you mean 2100?"),
        # currents
        ("max_current_a = 15", "max_current_a = 8\nmin_current_a = 10\nslow_current_a = 10",
         "garage.max_current_a", "is below min_current_a, which is 10"),
        ("max_current_a = 15", "max_current_a = 10\nslow_current_a = 12", "garage.slow_current_a", "which are 6 and 10"),
        ("max_current_a = 15", "max_current_a = 5", "garage.max_current_a", "must be between 6 and 80"),
        ("max_current_a = 15", 'max_current_a = "15 A"', "garage.max_current_a", "Write 15."),
        ("max_current_a = 15", "max_phases = 4", "garage.max_phases", "must be between 1 and 3"),
        ("max_current_a = 15", "priority = 1000", "garage.priority", "must be between -100 and 100"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_charger_is_refused_at_its_line(tmp_path: Path, old: str, new: str, key: str, says: str):
    """One problem, with the key, why, and what would be right."""
    text = changed(old, new)
    (found,) = problems(tmp_path, text)
    assert found.key == f"loadpoint.{key}"
    assert says in f"{found.text}. {found.hint}"
    assert found.line > 0
    word = key.partition(".")[2].partition("[")[0]
    assert text.splitlines()[found.line - 1].startswith(word)


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("max_phases = 2", "max_phases = 2\nmin_current_a = 16", "loadpoint.garage.max_current_a", "vehicle id4 needs, 16 A"),
        ("max_phases = 2", "max_phases = 2\nmin_current_a = 9\nmax_current_a = 8", "vehicle.id4.max_current_a", "which is 9"),
        ("max_phases = 2", "max_phases = 4", "vehicle.id4.max_phases", "must be between 1 and 3"),
        ("max_phases = 2", "full_w = 5", "vehicle.id4.full_w", "is a key of a battery's charger at a plug, and loadpoint garage"),
        ("capacity_wh = 77000", 'capacity_wh = "77 kWh"', "vehicle.id4.capacity_wh", "Write 77000."),
        ("capacity_wh = 77000", "capacity_wh = 77", "vehicle.id4.capacity_wh", "Did you mean 77000?"),
    ],
)  # fmt: skip
def test_a_car_that_does_not_fit_its_charger_is_refused(tmp_path: Path, old: str, new: str, key: str, says: str):
    """Figures of a car stand in its own table, and so do mistakes in them."""
    found = {each.key: each for each in problems(tmp_path, changed(old, new))}
    assert list(found) == [key]
    assert says in f"{found[key].text}. {found[key].hint}"


def test_a_least_current_above_what_the_car_takes_is_refused(tmp_path: Path):
    """Nothing could ever be offered."""
    text = changed("max_current_a = 15", "max_current_a = 15\nmin_current_a = 12\nslow_current_a = 12")
    text = changed("max_phases = 2", "max_current_a = 10", text)
    (found,) = problems(tmp_path, text)
    assert (found.key, found.text) == ("loadpoint.garage.min_current_a", "is above what vehicle id4 takes, 10 A")


def test_a_car_at_a_plug_is_refused(tmp_path: Path):
    """A plug is cut off by the figures of a pack's charger, of which a car has none."""
    text = SUNNY + PLUG + 'vehicle = "id4"\n'
    capacity, phases = problems(tmp_path, text)
    assert capacity.key == "vehicle.id4.capacity_wh"
    assert "a car at a charger for cars, and loadpoint bike is a plug" in capacity.text
    assert capacity.hint == "Write capacity_ah and voltage_v."
    assert phases.key == "vehicle.id4.max_phases"


def test_a_device_that_is_wrong_itself_brings_no_second_complaint(tmp_path: Path):
    """What its loadpoint may say cannot be known, so it is not accused of keys that are right."""
    (found,) = problems(tmp_path, changed('driver = "box"', 'driver = "boxx"'))
    assert (found.key, found.hint) == ("device.wall.driver", "Did you mean box?")


def test_hours_of_a_consumer_and_of_a_car_need_a_time_zone(tmp_path: Path):
    """Nobody's noon is in UTC by accident."""
    for line in ('always = "04:00-05:00"', 'auto_slow = "09:00-16:00"'):
        key = line.partition(" ")[0]
        point = "rod" if key == "always" else "garage"
        kept = [
            each
            for each in SUNNY.splitlines()
            if each == line or not each.startswith(("always", "auto_slow", "window", "schedule", "timezone"))
        ]
        (found,) = problems(tmp_path, "\n".join(kept))
        assert found.key == "site.timezone"
        assert f"loadpoint {point} has times of day" in found.text


def test_a_least_current_takes_the_slow_one_with_it(tmp_path: Path):
    """Who writes that the car wants 8 A has said nothing wrong about a slow current that he never wrote."""
    text = changed("max_current_a = 15", "max_current_a = 15\nmin_current_a = 8")
    garage = loaded(tmp_path, text).configuration.loadpoints["garage"]
    assert (garage.min_current_a, garage.slow_current_a) == (8, 8)
    (found,) = problems(tmp_path, text.replace("min_current_a = 8", "min_current_a = 8\nslow_current_a = 6"))
    assert found.key == "loadpoint.garage.slow_current_a"
