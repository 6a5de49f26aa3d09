"""Trials: a plug that nobody has configured is read, and a file is drafted that loads."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chargerd import drivers
from chargerd.config.load import config_files, load
from chargerd.daemon.trials import Trials, draft
from chargerd.model.settings import Configuration
from chargerd.model.state import Device, Site
from chargerd.protocol.framing import CallError
from tests.ctl.answers import strays_of_reply
from tests.sim.wire.bench import Bench

POINT = {
    "name": "trike", "vehicle": "lectric-48v", "target": "full", "window": "22:00-06:00", "schedule": "mon-fri 22:30",
    "address": "192.168.178.31", "port": 9999, "mac": "50:C7:BF:00:00:01", "alias": "Battery trike", "channel": "",
    "login": False,
}  # fmt: skip

NOBODY = Site(configuration=Configuration(networks=("127.0.0.93",)))
"""A site without devices that looks for those that moved where nobody is."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An empty table; what is put on it is stopped at the end."""
    with ExitStack() as stack:
        yield Bench(stack)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose main file has a strip, whose hardware address is known."""
    (tmp_path / "chargerd.toml").write_text(
        '[site]\nname = "Home"\n[device.shed]\ndriver = "kasa"\nhost = "10.0.0.40"\n'
    )
    configuration = loaded(tmp_path).configuration
    return Site(configuration=configuration, devices={"shed": Device(device_id="50:C7:BF:00:03:00")})


def loaded(folder: Path):
    """What the files of a folder amount to."""
    return load(config_files(folder / "chargerd.toml"), load_driver=drivers.load, driver_kinds=drivers.MODULES)


def drafted(site: Site, *points: dict[str, Any], zone: str | None = "Europe/Berlin", file: str | None = None):
    """A reply of DraftConfiguration."""
    return draft({"points": list(points), "timezone": zone, "file": file}, site)


def tried(method: str, **parameters: Any) -> dict[str, Any]:
    """What a trial answers."""
    reply: Future[dict[str, Any]] = Future()
    reported: list[BaseException] = []
    Trials(reported.append).begin(method, parameters, NOBODY, reply)
    try:
        return reply.result(15)
    finally:
        assert reported == []


# Reading a plug


def test_a_plug_is_read_and_left_as_it_was(bench: Bench):
    """Model, timer, whether it is on and what it draws; no relay moves."""
    plug = bench.plug(host="127.0.0.91", on=True, draw_w=44.0)
    reply = tried("TryPlug", address=plug.host, port=plug.port, mac=plug.mac, channel="")
    assert (reply["model"], reply["lease"]) == ("HS110", "unproven")
    assert (reply["readings"][0]["values"]["enabled"], reply["readings"][0]["values"]["power_w"]) == (True, 44.0)
    assert plug.switchings == []
    strip = bench.strip("a", "b")
    reply = tried("TryPlug", address=strip.host, port=strip.port, mac=strip.mac, channel="01")
    assert reply["readings"][0]["address"] == "plug/01"


def test_what_is_wrong_with_a_plug_is_told(bench: Bench):
    """Another device at its address, no meter, nonsense."""
    lamp = bench.plug("HS100", host="127.0.0.92")
    with pytest.raises(CallError, match="no energy meter"):
        tried("TryPlug", address=lamp.host, port=lamp.port, mac=lamp.mac, channel="")
    with pytest.raises(CallError, match="not '50:C7:BF:00:00:99', which answers no search") as caught:
        tried("TryPlug", address=lamp.host, port=lamp.port, mac="50:C7:BF:00:00:99", channel="")
    assert caught.value.short == "DeviceFailed"
    with pytest.raises(CallError) as caught:
        tried("TryPlug", address="a b", port=lamp.port, mac="x", channel="")
    assert caught.value.short == "BadValue"


def test_a_mistake_of_ours_costs_the_answer_and_is_reported():
    """Charging does not notice."""
    reported: list[BaseException] = []
    reply: Future[dict[str, Any]] = Future()
    Trials(reported.append).begin("TryPlug", {}, NOBODY, reply)
    with pytest.raises(CallError) as caught:
        reply.result(10)
    assert caught.value.short == "Failed"
    assert isinstance(reported[0], KeyError)


# Drafting a file


def test_a_draft_loads_beside_the_files_that_there_are(site: Site, tmp_path: Path):
    """The plug by its hardware address, what is charged, when, and the zone those times need."""
    reply = drafted(site, POINT)
    assert strays_of_reply("DraftConfiguration", {"kind": "draft", "now": "", "now_local": "", **reply}) == []
    assert reply["mistakes"] == []
    assert reply["file"] == reply["belongs"] == str(tmp_path / "conf.d" / "plugs.toml")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "plugs.toml").write_text(reply["configuration"])
    configuration = loaded(tmp_path).configuration
    point = configuration.loadpoints["trike"]
    assert (point.charger, point.profile.name, point.target) == ("Battery-trike", "lectric-48v", "full")
    assert configuration.devices["Battery-trike"].options["mac"] == "50:C7:BF:00:00:01"
    assert [entry.entry for entry in configuration.schedule] == ["trike/mon-fri@22:30"]
    assert (configuration.site, configuration.timezone) == ("Home", "Europe/Berlin")
    assert drafted(site, POINT)["file"].endswith("conf.d/plugs-2.toml")


@pytest.mark.parametrize(
    ("name", "is_read"),
    [("chargerd.toml", True), ("conf.d/mine.toml", True), ("conf.d/mine.txt", False), ("mine.toml", False)],
)
def test_a_draft_for_a_file_that_is_not_read_belongs_beside_the_main_one(
    site: Site, tmp_path: Path, name: str, is_read: bool
):
    """Whoever names a file of his own has still to put it where it counts."""
    reply = drafted(site, POINT, file=str(tmp_path / name))
    assert reply["file"] == str(tmp_path / name)
    assert reply["belongs"] == str(tmp_path / (name if is_read else "conf.d/plugs.toml"))


def test_a_draft_loads_beside_a_file_with_a_sink(site: Site, tmp_path: Path):
    """Whoever has mail set up and adds a plug is told nothing about the mail."""
    with (tmp_path / "chargerd.toml").open("a") as main:
        main.write('[sink.mail]\nkind = "notify"\nurl = { credential = "mail" }\n')
    assert drafted(site, POINT)["mistakes"] == []
    with (tmp_path / "chargerd.toml").open("a") as main:
        main.write('report = "never"\n')
    (mistake,) = drafted(site, POINT)["mistakes"]
    assert mistake["place"] == f"{tmp_path / 'chargerd.toml'}:9"


def test_a_time_zone_that_the_site_has_is_not_replaced(site: Site, tmp_path: Path):
    """A file beside the main one wins key by key, and would move every time of day that the others have."""
    assert drafted(site, POINT)["timezone"] is None
    (tmp_path / "chargerd.toml").write_text('[site]\ntimezone = "America/Denver"\n')
    reply = drafted(site, POINT, zone="Etc/UTC")
    assert (reply["timezone"], reply["mistakes"]) == ("America/Denver", [])
    assert "site" not in tomllib.loads(reply["configuration"])
    replaced = drafted(site, POINT, file=str(tmp_path / "chargerd.toml"))
    assert tomllib.loads(replaced["configuration"])["site"] == {"timezone": "Europe/Berlin"}


def test_sockets_of_a_configured_strip_use_its_device_and_two_of_a_new_one_share_one(site: Site):
    """No device is written twice."""
    known = {**POINT, "mac": "50:C7:BF:00:03:00", "channel": "battery_1", "window": "", "schedule": ""}
    one, two = ({**POINT, "name": n, "channel": n, "window": "", "schedule": ""} for n in ("a", "b"))
    made = tomllib.loads(drafted(site, known, one, two, zone=None)["configuration"])
    assert [point["charger"] for point in made["loadpoint"].values()] == [
        "shed/battery_1",
        "Battery-trike/a",
        "Battery-trike/b",
    ]
    assert list(made["device"]) == ["Battery-trike"]
    assert "site" not in made


def test_a_plug_with_a_login_names_its_secrets_and_holds_none(site: Site):
    """They have to be stored before the file can be used."""
    reply = drafted(site, {**POINT, "login": True, "alias": ""})
    assert reply["secrets"] == ["kasa-password", "kasa-user"]
    device = tomllib.loads(reply["configuration"])["device"]["trike"]
    assert device["password"] == {"credential": "kasa-password"}


@pytest.mark.parametrize(
    ("changes", "zone", "place"),
    [
        ({"vehicle": "no-such"}, "Europe/Berlin", "is no vehicle"),
        ({"window": "25:00-06:00"}, "Europe/Berlin", "no time of day"),
        ({}, "Mars/Olympus", "is no time zone"),
        ({}, None, "is missing, but loadpoint trike has times of day"),
    ],
)
def test_what_would_not_load_is_told_and_not_used(site: Site, changes: dict[str, Any], zone: str | None, place: str):
    """Before anything is written."""
    mistakes = drafted(site, {**POINT, **changes}, zone=zone)["mistakes"]
    assert any(place in mistake["text"] for mistake in mistakes)
    assert all(mistake["place"].startswith(("the new file:", "/")) for mistake in mistakes)


@pytest.mark.parametrize("points", [[], [{}], [{"mac": 7}], [{**POINT, "port": "x"}], [{**POINT, "name": None}]])
def test_what_makes_no_sense_is_refused(site: Site, points: list[dict[str, Any]]):
    """The socket is open to every program of the group."""
    with pytest.raises(CallError) as caught:
        drafted(site, *points)
    assert caught.value.short == "BadValue"


def test_text_of_a_stranger_s_plug_cannot_add_settings(site: Site):
    """An alias with quotes and line breaks stays an alias."""
    reply = drafted(site, {**POINT, "channel": 'x"\n[site]\nname = "mine', "alias": 'y"]\n[loadpoint.z]'})
    assert set(tomllib.loads(reply["configuration"])) == {"site", "device", "loadpoint"}
    assert tomllib.loads(reply["configuration"])["site"] == {"timezone": "Europe/Berlin"}
