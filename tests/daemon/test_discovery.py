"""Discovery: one search at a time, shared by all who ask for it, on a thread of its own; and what is made of its finds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from chargerd.daemon.discovery import MOST, Discovery, Search, rows, wanted
from chargerd.drivers.base import Found, FoundSocket
from chargerd.model.settings import Configuration, DeviceSettings, LoadpointSettings, Profile
from chargerd.model.state import Device, Site
from chargerd.protocol.framing import CallError
from tests.daemon.hub import Client, Household, serving
from tests.house import Day, configuration, loadpoint
from tests.patience import until
from tests.sim.wire.bench import Bench

EVERYBODY = "127.255.255.255"


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An empty table; what is put on it is stopped at the end."""
    with ExitStack() as stack:
        yield Bench(stack)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Household]:
    """A household with one bike."""
    day = Day(tmp_path, configuration(loadpoint("bike-1")), {"bike-1": "rad-full"})
    day.until(60)
    yield Household(day)
    day.run.kill()


def found(alias: str | None, host: str, **changes: Any) -> Found:
    """A plug with a meter that a search has found."""
    mac = "50:C7:BF:00:00:" + host.rpartition(".")[2].rjust(2, "0")
    plain = Found("kasa", host, 9999, mac, "HS110", alias, has_meter=True, login=False, network=EVERYBODY)
    return structs.replace(plain, **changes)


def home(*devices: tuple[str, dict[str, Any], str], points: dict[str, str] | None = None) -> Site:
    """A site with devices: name, options, the id that each has told (or "")."""
    settings = {name: DeviceSettings(name, "kasa", options={"port": 9999, **o}) for name, o, _ in devices}
    loadpoints = {n: LoadpointSettings(n, charger, Profile("p")) for n, charger in (points or {}).items()}
    states = {name: Device(device_id=told) for name, _, told in devices}
    return Site(configuration=Configuration(devices=settings, loadpoints=loadpoints), devices=states)


# A search


def test_a_search_over_the_socket_tells_each_plug_as_it_answers(hub: Household, bench: Bench, folder: Path):
    """Replies come while it looks; the last one says that it is over, and the connection goes on as before."""
    first = bench.plug(host="127.0.0.71", alias="one", broadcast=EVERYBODY)
    bench.plug("HS100", host="127.0.0.72", port=first.port, alias="two", mac="50:C7:BF:00:00:02", broadcast=EVERYBODY)
    with serving(folder, hub), Client(folder, "control") as client:
        client.send("Discover", {"networks": [f"{EVERYBODY}:{first.port}"], "seconds": 1}, more=True)
        replies = []
        while not replies or replies[-1].get("continues"):
            reply = client.receive()
            assert reply is not None
            replies.append(reply)
        last = replies[-1]["parameters"]
        assert client.ask("GetStatus")["kind"] == "status"
    early = [reply["parameters"] for reply in replies if reply.get("continues")]
    assert any(reply["plugs"] for reply in early), "a find is told while the search goes on"
    assert all(reply["left_s"] > 0 for reply in early)
    assert [(plug["alias"], plug["has_meter"]) for plug in last["plugs"]] == [("one", True), ("two", False)]
    assert (last["left_s"], last["seconds"], last["notes"]) == (0.0, 1, [])
    assert hub.reported == []


def test_a_search_is_asked_as_a_stream(hub: Household, folder: Path):
    """Without "more" nothing is sent."""
    with serving(folder, hub), Client(folder, "control") as client:
        assert client.error("Discover") == "ExpectedMore"
    assert hub.searches == []


def test_two_who_ask_for_the_same_share_a_search(hub: Household, bench: Bench, folder: Path):
    """The second is told what was found before it came, and both end together; the plug is asked by one search only."""
    plug = bench.plug(host="127.0.0.73", alias="one", broadcast=EVERYBODY)
    asked = {"networks": [f"{EVERYBODY}:{plug.port}"], "seconds": 2}
    with serving(folder, hub), Client(folder, "control") as early, Client(folder, "control") as late:
        early.send("Discover", asked, more=True)
        until(lambda: hub.searches and hub.searches[0].found)
        late.send("Discover", asked, more=True)
        lasts = []
        for client in (early, late):
            reply: dict[str, Any] | None = {"continues": True}
            while reply is not None and reply.get("continues"):
                reply = client.receive()
            assert reply is not None
            lasts.append([plug["alias"] for plug in reply["parameters"]["plugs"]])
    assert lasts == [["one"], ["one"]]
    assert hub.searches[0] is hub.searches[1]


def test_another_search_meanwhile_is_refused_plainly(hub: Household, folder: Path):
    """It says which one is running and for how long; afterwards it may be asked."""
    silent = {"networks": ["127.0.0.74"], "seconds": 1}
    other = {"networks": ["127.0.0.75"], "seconds": 1}
    with serving(folder, hub), Client(folder, "control") as early, Client(folder, "control") as late:
        early.send("Discover", silent, more=True)
        until(lambda: hub.searches)
        late.send("Discover", other, more=True)
        reply = late.receive()
        assert reply is not None
        assert reply["error"] == "io.chargerd.Refused"
        assert reply["parameters"]["message"].startswith("a search on 127.0.0.74 is running, for 1 s more")
        until(lambda: hub.searches[0].over)
        late.send("Discover", other, more=True)
        begun = late.receive()
    assert begun is not None
    assert begun["parameters"]["networks"] == ["127.0.0.75"]


def test_a_client_that_goes_away_costs_nothing(hub: Household, folder: Path):
    """The search goes to its end, and the next client is answered."""
    with serving(folder, hub):
        with Client(folder, "control") as client:
            client.send("Discover", {"networks": ["127.0.0.76"], "seconds": 1}, more=True)
            assert client.receive() is not None
        until(lambda: hub.searches[0].over)
        with Client(folder, "control") as client:
            assert client.ask("GetStatus")["kind"] == "status"
    assert hub.reported == []


def test_a_mistake_in_a_search_is_reported_and_ends_it(monkeypatch: pytest.MonkeyPatch):
    """Whoever waits is told that it broke off."""
    reported: list[BaseException] = []
    discovery = Discovery(reported.append)
    monkeypatch.setattr("chargerd.drivers.SEARCHES", ("chargerd.no_such_module",))
    ended = threading.Event()
    search = discovery.begin((EVERYBODY,), 1, ended.set)
    assert ended.wait(60)
    until(lambda: search.over)
    assert "broke off" in search.notes[0]
    assert len(reported) == 1


def test_thousands_of_answers_fill_no_memory():
    """Somebody on the network who answers under many addresses is cut short; who answers twice is one."""
    search = Search((EVERYBODY,), 1)
    for number in range(MOST + 100):
        search.add(found("x", f"10.0.{number // 250}.{number % 250}", mac=""))
        search.add(found("x", f"10.0.{number // 250}.{number % 250}", mac=""))
    assert len(search.found) == MOST


# What is asked


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"seconds": 0}, "1 to 60 seconds, not 0"),
        ({"seconds": 61}, "1 to 60 seconds, not 61"),
        ({"networks": []}, "1 to 16 networks"),
        ({"networks": ["10.0.0.1"] * 17}, "1 to 16 networks"),
        ({"networks": ["8.8.8.8"]}, "not on a local network"),
        ({"networks": ["here"]}, "is no network"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(parameters: dict[str, Any], says: str):
    """Nothing is sent."""
    with pytest.raises(CallError, match=says) as caught:
        wanted({"networks": None, "seconds": None, **parameters}, Site())
    assert caught.value.short == "BadValue"


def test_a_search_looks_where_the_configuration_says():
    """Unless somebody names another network."""
    site = Site(configuration=Configuration(networks=("192.168.178.0/24", "10.0.0.7")))
    assert wanted({"networks": None, "seconds": None}, site) == (("192.168.178.255", "10.0.0.7"), 5)
    assert wanted({"networks": ["10.0.0.0/24"], "seconds": 9}, site) == (("10.0.0.255",), 9)
    assert wanted({"networks": None, "seconds": None}, Site())[0] == ("255.255.255.255",)


# What it is configured as


def test_a_plug_is_known_by_its_hardware_address_wherever_it_is():
    """It has moved to another address; the device that expects somebody else there is not it."""
    site = home(
        ("garage", {"host": "10.0.0.5"}, "50:C7:BF:00:00:09"),
        ("shed", {"host": "10.0.0.9"}, "50:C7:BF:00:00:05"),
        points={"bike-1": "garage"},
    )
    (row,) = rows([found("one", "10.0.0.9")], site)
    assert (row["device"], row["loadpoint"]) == ("garage", "bike-1")


def test_a_plug_that_has_not_answered_yet_is_known_by_address_or_name():
    """A daemon that has just started knows no hardware address."""
    site = home(("garage", {"host": "10.0.0.5"}, ""), ("shed", {"host": None, "alias": "Rad_1"}, ""))
    plugs = [found("x", "10.0.0.5"), found("rad_1", "10.0.0.6"), found("y", "10.0.0.5", port=1234, mac="other")]
    assert [(row["alias"], row["device"]) for row in rows(plugs, site)] == [
        ("rad_1", "shed"),
        ("x", "garage"),
        ("y", None),
    ]


def test_the_sockets_of_a_strip_are_listed_under_it_with_their_loadpoints():
    """By the ids that the strip has told, whatever the sockets are called now; before that by their names."""
    sockets = (FoundSocket("renamed", "00"), FoundSocket("lamp", "01"))
    strip = found("shed", "10.0.0.7", model="HS300", sockets=sockets)
    site = home(("shed", {"host": "10.0.0.7"}, ""), points={"bike-1": "shed/Lamp"})
    (row,) = rows([strip], site)
    assert [socket["loadpoint"] for socket in row["sockets"]] == [None, "bike-1"]
    known = Device(device_id=strip.mac, channels={"Lamp": f"{strip.mac}_8006AA00"})
    (row,) = rows([strip], structs.replace(site, devices={"shed": known}))
    assert [socket["loadpoint"] for socket in row["sockets"]] == ["bike-1", None]


def test_what_keeps_a_plug_from_being_used_is_said():
    """No meter, a login, and a name that two have."""
    plugs = [
        found("Twin", "10.0.0.1"),
        found("hall", "10.0.0.2", has_meter=False),
        found(None, "10.0.0.3", login=True),
        found("strip", "10.0.0.4", sockets=(FoundSocket("twin", "00"), FoundSocket("free", "01"))),
    ]
    listed = {row["address"]: row for row in rows(plugs, home())}
    assert listed["10.0.0.1"]["note"] == "another one has this name"
    assert listed["10.0.0.2"]["note"] == "no meter"
    assert listed["10.0.0.3"]["note"] == "wants a login"
    assert [socket["note"] for socket in listed["10.0.0.4"]["sockets"]] == ["another one has this name", ""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the sockets are."""
    path = tmp_path / "run"
    path.mkdir()
    return path
