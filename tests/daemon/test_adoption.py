"""Adoption: which plugs become loadpoints by their names, and what becomes of them as plugs and files change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from chargerd import drivers
from chargerd.config.load import Loaded, load
from chargerd.daemon.adoption import after, effective
from chargerd.drivers.base import Found, FoundSocket
from chargerd.model.settings import Adopted
from chargerd.model.state import Device, Site

ADOPT = '[adopt]\nprefix = "battery_"\nvehicle = "rad-48v"\ntarget = "full"\n'
SHED = '[device.shed]\ndriver = "kasa"\nhost = "10.0.0.40"\n[loadpoint.bike]\ncharger = "shed/battery_1"\n'


@pytest.fixture
def files(tmp_path: Path):
    """Loads a configuration file's text."""

    def make(text: str) -> Loaded:
        (tmp_path / "chargerd.toml").write_text(text)
        return load([tmp_path / "chargerd.toml"], load_driver=drivers.load, driver_kinds=drivers.MODULES)

    return make


def plug(alias: str | None, number: int, *sockets: str, **changes: Any) -> Found:
    """A plug, or a strip with sockets, that a search has found at 10.0.0.NUMBER."""
    named = tuple(FoundSocket(name, f"{n:02}") for n, name in enumerate(sockets))
    host, mac = f"10.0.0.{number}", f"50:C7:BF:00:00:{number:02}"
    plain = Found("kasa", host, 9999, mac, "HS110", alias, True, False, "255.255.255.255", named)
    return structs.replace(plain, **changes)


def names(loaded: Loaded) -> dict[str, str]:
    """Loadpoints in force with their chargers."""
    return {name: point.charger for name, point in loaded.configuration.loadpoints.items()}


def adopted_from(loaded: Loaded, *found: Found, before: tuple[Adopted, ...] = (), site: Site | None = None) -> Loaded:
    """What counts after a search."""
    site = Site() if site is None else site
    return effective(loaded, after(found, loaded, before, site).adopted, site)


def test_a_prefix_is_the_begin_of_a_name(files):
    """S0-04: of battery_a and mybattery_b only the first is adopted, with the profile and target of the file."""
    loaded = adopted_from(files(ADOPT), plug("battery_a", 1), plug("mybattery_b", 2), plug("Battery_C", 3))
    assert names(loaded) == {"battery_a": "battery_a", "Battery_C": "Battery_C"}
    point = loaded.configuration.loadpoints["battery_a"]
    assert (point.profile.name, point.target) == ("rad-48v", "full")
    options = loaded.configuration.devices["battery_a"].options
    assert (options["host"], options["mac"], options["port"]) == ("10.0.0.1", "50:C7:BF:00:00:01", 9999)
    assert loaded.device_configs["battery_a"].driver == "kasa"


def test_without_the_table_none_is_adopted(files):
    """Off unless somebody wants it; what was adopted before goes."""
    before = after([plug("battery_a", 1)], files(ADOPT), (), Site()).adopted
    assert len(before) == 1
    assert names(adopted_from(files(""), plug("battery_a", 1), before=before)) == {}
    assert names(effective(files(ADOPT.replace("battery_", "bike_")), before, Site())) == {}


def test_sockets_of_a_strip_are_adopted_one_by_one(files):
    """They share one device; a socket of another name on the same strip is left alone."""
    loaded = adopted_from(files(ADOPT), plug("shed", 4, "battery_1", "lamp", "battery_2"))
    assert names(loaded) == {"battery_1": "shed/00", "battery_2": "shed/02"}
    assert list(loaded.configuration.devices) == ["shed"]


def test_what_the_files_have_is_theirs(files):
    """A socket that the file has a loadpoint for is not adopted; its neighbour is, on the file's own device."""
    strip = plug("strip", 40, "battery_1", "battery_2")
    loaded = adopted_from(files(ADOPT + SHED), strip)
    assert names(loaded) == {"bike": "shed/battery_1", "battery_2": "shed/01"}
    assert list(loaded.configuration.devices) == ["shed"]
    moved = structs.replace(strip, host="10.0.0.99")
    known = Site(
        configuration=files(ADOPT + SHED).configuration,
        devices={"shed": Device(device_id=strip.mac, channels={"battery_1": f"{strip.mac}_800600"})},
    )
    assert names(adopted_from(files(ADOPT + SHED), moved, site=known)) == names(loaded)


def test_a_plug_that_gets_a_line_in_the_file_is_the_file_s(files):
    """After a reload the adopted loadpoint gives way to the configured one."""
    before = after([plug("battery_a", 1)], files(ADOPT), (), Site()).adopted
    own = '[device.garage]\ndriver = "kasa"\nmac = "50-C7-BF-00-00-01"\n[loadpoint.trike]\ncharger = "garage"\n'
    loaded = effective(files(ADOPT + own), before, Site())
    assert names(loaded) == {"trike": "garage"}
    assert loaded.configuration.adopted == ()


def test_a_name_that_the_file_uses_otherwise_gets_a_number(files):
    """Another plug's loadpoint and device have that name already."""
    own = '[device.battery_a]\ndriver = "kasa"\nhost = "10.0.0.7"\n[loadpoint.battery_a]\ncharger = "battery_a"\n'
    before = after([plug("battery_a", 1)], files(ADOPT), (), Site()).adopted
    site = Site(devices={"battery_a": Device(device_id="50:C7:BF:00:00:07")})
    assert names(effective(files(ADOPT + own), before, site)) == {
        "battery_a": "battery_a",
        "battery_a-2": "battery_a-2",
    }


def test_two_plugs_of_one_name_are_named_and_neither_is_adopted(files):
    """Nobody can tell which is meant; one that was adopted before stays, for it is known by its hardware address."""
    twins = [plug("battery_a", 1), plug("Battery_A", 2), plug("battery_b", 3)]
    change = after(twins, files(ADOPT), (), Site())
    assert [one.alias for one in change.adopted] == ["battery_b"]
    assert len(change.refused) == 2
    assert "battery_a at 10.0.0.1: another plug has this name" in change.refused[0]
    first = after(twins[:1], files(ADOPT), (), Site()).adopted
    assert [one.mac[-2:] for one in after(twins, files(ADOPT), first, Site()).adopted] == ["01", "03"]


def test_a_plug_without_a_meter_is_named_and_not_adopted(files):
    """Nothing could be seen of its battery."""
    change = after([plug("battery_a", 1, has_meter=False, model="HS100")], files(ADOPT), (), Site())
    assert change.adopted == ()
    assert change.refused == ("battery_a at 10.0.0.1: a HS100, which has no meter, is not adopted",)


def test_a_plug_that_misses_a_search_stays_and_one_that_is_renamed_goes(files):
    """Searches are lossy; a new name is somebody's wish. Another name with the prefix changes nothing."""
    before = after([plug("battery_a", 1), plug("battery_b", 2)], files(ADOPT), (), Site()).adopted
    assert after([], files(ADOPT), before, Site()).adopted == before
    assert after([plug("battery_zoe", 1)], files(ADOPT), before, Site()).adopted == before
    left = after([plug("lamp", 1), plug(None, 2, login=True)], files(ADOPT), before, Site()).adopted
    assert [one.alias for one in left] == ["battery_b"]


def test_a_plug_that_moved_is_the_same_one(files):
    """Its hardware address counts, not where it is."""
    before = after([plug("battery_a", 1)], files(ADOPT), (), Site()).adopted
    moved = structs.replace(plug("battery_a", 1), host="10.0.0.77")
    assert after([moved], files(ADOPT), before, Site()).adopted == before
