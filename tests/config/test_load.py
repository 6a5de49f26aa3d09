"""Load: a home as it is written becomes the home as the engine knows it, or is refused with every reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chargerd.model.settings import (
    Configuration,
    DeviceSettings,
    LoadpointSettings,
    ScheduleEntry,
    Window,
)
from tests.config.site_texts import HOME, loaded, problems

WORKDAYS = (0, 1, 2, 3, 4)


def test_a_home_is_loaded_as_it_is_written(tmp_path: Path):
    """Every part of the file arrives: site, device, vehicle on a shipped profile, loadpoint, windows, schedule."""
    found = loaded(tmp_path, HOME)
    profile = found.configuration.loadpoints["bike-1"].profile
    assert found.configuration == Configuration(
        "Home",
        "Europe/Berlin",
        {
            "shed": DeviceSettings(
                "shed", "acme", options={"host": "192.0.2.40", "alias": None, "port": 80, "labels": "[]"}
            )
        },
        {
            "bike-1": LoadpointSettings(
                "bike-1", "shed/battery_1", profile, "full", (Window(0, 360), Window(1320, 360, (5, 6))), 600
            )
        },
        (
            ScheduleEntry("bike-1/mon-fri@00:00", "bike-1", WORKDAYS, 0),
            ScheduleEntry("bike-1/sat@01:30", "bike-1", (5,), 90, target="nominal"),
        ),
        (str(tmp_path / "chargerd.toml"),),
    )
    assert (profile.name, profile.nominal_stop_w, profile.full_w, profile.source) == (
        "trike",
        45,
        6,
        "on top of rad-48v",
    )
    assert found.device_configs["shed"].driver == "acme"
    assert [each.name for each in found.profiles] == [
        "default",
        "rad-48v",
        "lectric-48v",
        "trike",
    ]
    assert found.places["loadpoint.bike-1.lease_s"] == (str(tmp_path / "chargerd.toml"), 19)


def test_a_loadpoint_needs_only_a_charger(tmp_path: Path):
    """All else has a default: the built-in profile, nominal target, a lease of 15 min, off when the daemon ends."""
    text = '[device.plug]\ndriver = "acme"\nalias = "a"\n[loadpoint.a]\ncharger = "plug"\n'
    found = loaded(tmp_path, text).configuration.loadpoints["a"]
    assert (found.charger, found.profile.name, found.target) == ("plug", "default", "nominal")
    assert (found.lease_s, found.on_stop, found.min_on_s, found.min_off_s, found.max_starts_per_day) == (
        900,
        "off",
        300,
        300,
        20,
    )


def test_a_vehicle_may_change_a_shipped_profile_under_its_own_name(tmp_path: Path):
    """[vehicle.rad-48v] begins from the shipped rad-48v."""
    text = HOME.replace('[vehicle.trike]\nprofile = "rad-48v"', "[vehicle.rad-48v]").replace('"trike"', '"rad-48v"')
    profile = loaded(tmp_path, text).configuration.loadpoints["bike-1"].profile
    assert (profile.nominal_start_w, profile.nominal_stop_w, profile.full_w) == (90, 45, 6)


def test_a_secret_is_named_but_not_part_of_the_configuration(tmp_path: Path):
    """ConfigLoaded goes into the log; not even the name of a credential does."""
    found = loaded(tmp_path, HOME.replace("host =", 'password = { credential = "acme" }\nhost ='))
    assert "password" not in found.configuration.devices["shed"].options
    assert found.device_configs["shed"].model_dump()["password"] == {"credential": "acme"}


def test_how_long_readings_are_kept_can_be_set(tmp_path: Path):
    """A week as rows and ten years in all, unless the file says otherwise."""
    plain = loaded(tmp_path, HOME).configuration
    assert (plain.keep_rows_ms, plain.keep_readings_ms) == (7 * 86_400_000, 3650 * 86_400_000)
    short = loaded(tmp_path, HOME + '\n[log]\nkeep_rows = "36h"\nkeep_readings = "1y 30d"\n').configuration
    assert (short.keep_rows_ms, short.keep_readings_ms) == (36 * 3_600_000, 395 * 86_400_000)


SECOND = '\n[loadpoint.bike-2]\ncharger = "{}"\n'


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        (("shed/battery_1", "shet/battery_1"), "loadpoint.bike-1.charger", "Did you mean shed?"),
        (("shed/battery_1", "shed//x"), "loadpoint.bike-1.charger", "must be a device, or one socket"),
        (('vehicle = "trike"', 'vehicle = "rad-48"'), "loadpoint.bike-1.vehicle", "Did you mean rad-48v?"),
        (('profile = "rad-48v"', 'profile = "rad48v"'), "vehicle.trike.profile", "Did you mean rad-48v?"),
        (('driver = "acme"', 'driver = "acmee"'), "device.shed.driver", "Did you mean acme?"),
        (('driver = "acme"', ""), "device.shed.driver", "is missing"),
        (('driver = "acme"', "driver = 5"), "device.shed.driver", "must be text"),
        (('driver = "acme"', 'driver = "absent"'), "device.shed.driver", "acme_client is not installed"),
        (('host = "192.0.2.40"', ""), "device.shed", "give host or alias"),
        (
            ("host =", 'password = { credential = "acmee" }\nhost ='),
            "device.shed.password",
            "credential acmee is missing",
        ),
        (("host =", "poll_s = 0\nhost ="), "device.shed.poll_s", "between 1 and 3600"),
        (("host =", "poll_s = nan\nhost ="), "device.shed.poll_s", "between 1 and 3600"),
        (("host =", f"port = {10**30}\nhost ="), "device.shed.port", "between 1 and 65535"),
        (("full_w = 6", "full_w = 60"), "vehicle.trike.nominal_stop_w", "must be above full_w, which is 60"),
        (
            ("full_w = 6", "nominal_stop_w = 95"),
            "vehicle.trike.nominal_start_w",
            "at least nominal_stop_w, which is 95",
        ),
        (("[loadpoint.bike-1]", '[loadpoint."bike 1"]'), 'loadpoint."bike 1"', "Did you mean bike-1?"),
        (("[device.shed]", "[[device.shed]]"), "device.shed", "must be a table"),
        (('at = "00:00"', 'at = "24:00"'), "loadpoint.bike-1.schedule[1].at", "00:00 to 23:59"),
        (('days = "sat"', 'days = "so"'), "loadpoint.bike-1.schedule[2].days", "days are mon tue"),
        (
            ('days = "sat", at = "01:30"', 'days = "fri", at = "00:00"'),
            "loadpoint.bike-1.schedule[2]",
            "on fri at 00:00",
        ),
        (("22:00-06:00", "06:00-06:00"), "loadpoint.bike-1.window[2]", "same time"),
        (
            ("lease_s = 600", "lease_s = 600" + SECOND.format("shed/battery_1")),
            "loadpoint.bike-2.charger",
            "bike-1 has this",
        ),
        (("lease_s = 600", "lease_s = 600" + SECOND.format("shed")), "loadpoint.bike-2.charger", "has the socket"),
        (
            ("lease_s = 600", 'lease_s = 600\n[device.x]\ndriver = "acme"\nhost = "192.0.2.40"'),
            "device.x.host",
            "device shed is the same one",
        ),
        (("[site]", "site = 3\n[sute]"), "site", "must be a table"),
        (("[site]", '[log]\nkeep_rows = "7 days of"\n[site]'), "log.keep_rows", "is no duration"),
        (("[site]", '[log]\nkeep_rows = "5min"\n[site]'), "log.keep_rows", "from 1h to 3660d"),
        (("[site]", '[log]\nkeep_readings = "3d"\n[site]'), "log", "keep_rows is longer than keep_readings"),
        (("[site]", "[log]\nkeep_rows = 7\n[site]"), "log.keep_rows", "must be text"),
    ],
)
def test_a_mistake_is_refused_with_place_and_suggestion(tmp_path: Path, change: tuple[str, str], key: str, says: str):
    """The key, a line that has to do with it, and a sentence that helps."""
    text = HOME.replace(*change)
    assert text != HOME
    found = {each.key: each for each in problems(tmp_path, text)}
    assert key in found
    assert says in f"{found[key].text} {found[key].hint}"
    assert found[key].line > 0


def test_a_shorter_pace_shortens_the_fast_one_with_it(tmp_path: Path):
    """Whoever reads every 2 s needs to write that once; a fast pace that is written and slower than the other is refused."""
    found = loaded(tmp_path, HOME.replace("host =", "poll_s = 2\nhost =", 1)).configuration.devices["shed"]
    assert (found.poll_s, found.poll_fast_s) == (2, 2)
    (wrong,) = problems(tmp_path, HOME.replace("host =", "poll_s = 2\npoll_fast_s = 5\nhost =", 1))
    assert (wrong.key, wrong.text) == ("device.shed.poll_fast_s", "must not be longer than poll_s (2)")


def test_a_socket_beside_a_loadpoint_that_has_the_whole_device_is_refused(tmp_path: Path):
    """The other way round too: the first loadpoint may name the strip as a whole."""
    text = HOME.replace('"shed/battery_1"', '"shed"') + SECOND.format("shed/battery_1")
    (found,) = problems(tmp_path, text)
    assert found.text == "loadpoint bike-1 has the whole device shed"


def test_one_alias_for_two_devices_is_refused(tmp_path: Path):
    """Both would switch the same plug."""
    text = "".join(f'[device.{name}]\ndriver = "acme"\nalias = "battery_1"\n' for name in "ab")
    (found,) = problems(tmp_path, text)
    assert (found.key, found.line) == ("device.b.alias", 6)


def test_another_port_is_another_device(tmp_path: Path):
    """Two simulated plugs on one address differ by their port."""
    text = "".join(f'[device.p{port}]\ndriver = "acme"\nhost = "127.0.0.1"\nport = {port}\n' for port in (9998, 9999))
    assert list(loaded(tmp_path, text).configuration.devices) == ["p9998", "p9999"]


def test_no_driver_library_is_loaded_before_a_device_needs_it(tmp_path: Path):
    """python-kasa costs 30 MiB and a quarter of a second; a home without its plugs does not pay."""
    program = (
        "import sys; from pathlib import Path; from chargerd import drivers; from chargerd.config.load import load;"
        "load([Path(sys.argv[1])], load_driver=drivers.load, driver_kinds=drivers.MODULES);"
        "print([name for name in sys.modules if name.split('.')[0] in ('kasa', 'asyncio', 'aiohttp')])"
    )
    main = tmp_path / "chargerd.toml"
    main.write_text("[site]\n")
    ran = subprocess.run([sys.executable, "-c", program, str(main)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


WINTER = """
[vehicle.cargo]
nominal_stop_w = 90
[vehicle.cargo.variant.winter]
from = "11-01"
until = "03-31"
nominal_stop_w = 45
[loadpoint.cargo]
charger = "shed/cargo"
vehicle = "cargo"
"""


def test_a_vehicle_may_have_seasons(tmp_path: Path):
    """S0-17: a table of its own with the days it is for and what is otherwise."""
    (winter,) = loaded(tmp_path, HOME + WINTER).configuration.loadpoints["cargo"].profile.variants
    assert (winter.name, winter.from_day, winter.until_day) == ("winter", 1101, 331)
    assert winter.values == {"nominal_stop_w": 45, "nominal_start_w": 45}


@pytest.mark.parametrize(
    ("old", "new", "key", "text"),
    [
        ('"11-01"', '"11-31"', "from", "is no day of the year"),
        ('"11-01"', '"1 Nov"', "from", "is no day of the year"),
        ('until = "03-31"\n', "", "until", "is missing"),
        ("nominal_stop_w = 45", "nominal_stop_w = 4", "nominal_stop_w", "must be above full_w"),
        ("nominal_stop_w = 45", "nominal_start_w = 45", "nominal_start_w", "must be at least nominal_stop_w"),
        ("nominal_stop_w = 45", "capacity_ah = 4", "capacity_ah", "is not known here"),
        ("nominal_stop_w = 45", "nominal_stop_w = 9999", "nominal_stop_w", "must be between"),
        (
            "[loadpoint.cargo]",
            '[vehicle.cargo.variant.frost]\nfrom = "01-01"\nuntil = "02-29"\nfull_w = 8\n[loadpoint.cargo]',
            "frost.from",
            "shares days with variant winter",
        ),
    ],
)
def test_seasons_that_contradict_themselves_are_refused_at_their_line(tmp_path: Path, old, new, key, text):
    """File, line and key; nothing of the file is loaded."""
    assert old in WINTER
    changed = HOME + WINTER.replace(old, new)
    (found,) = problems(tmp_path, changed)
    path = key if "." in key else f"winter.{key}"
    assert found.key == f"vehicle.cargo.variant.{path}"
    assert text in found.text
    if new:
        line = new.splitlines()[1 if "frost" in new else 0]
        at = next(n for n, each in enumerate(changed.splitlines(), 1) if line in each and n > len(HOME.splitlines()))
        assert found.line == at
