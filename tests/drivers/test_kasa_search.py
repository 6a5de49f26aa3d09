"""Kasa search: who answers, what each says of itself before a login, and what a search does to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from chargerd.drivers.base import Found, FoundSocket, Unreachable
from chargerd.drivers.kasa_search import found_in, mac_of, search
from chargerd.model.network import Network, network
from chargerd.sim.wire.kasa_newer import SimulatedNewerPlug
from tests.sim.wire.bench import Bench

EVERYBODY = "127.255.255.255"
HERE = Network("127.0.0.1", 9999)


def searched(where: Network) -> list[Found | None]:
    """What a search of one second tells, in the order of addresses."""
    told: list[Found | None] = []
    asyncio.run(search(where, 1, told.append))
    return sorted(told, key=lambda found: "" if found is None else found.host)


@pytest.fixture
def newer() -> Iterator[SimulatedNewerPlug]:
    """A P110 that wants a login."""
    made = SimulatedNewerPlug("127.0.0.64")
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("before", ["", "80067AC4FDBD41C54C55896BFA07EAD318DB95A7"])
def test_a_socket_is_the_same_whichever_way_its_strip_answers(before: str):
    """By UDP a socket's id is two digits, by TCP its strip's id and those; the address of a channel must not depend on it."""
    children = [{"id": f"{before}0{number}", "alias": alias} for number, alias in enumerate(("a", "b"))]
    info = {"model": "HS300(US)", "mic_type": "IOT.SMARTPLUGSWITCH", "mac": "50:C7:BF:00:03:00", "feature": "TIM:ENE"}
    answer = {"system": {"get_sysinfo": {**info, "deviceId": before or "8006", "children": children}}}
    found = found_in(answer, "127.0.0.1", HERE)
    assert found is not None
    assert found.sockets == (FoundSocket("a", "00"), FoundSocket("b", "01"))


def test_three_plugs_and_one_without_a_meter_are_found(bench: Bench):
    """S0-01: model, alias, hardware address, meter, and the sockets of a strip; none of them is switched."""
    first = bench.plug("HS110v1", host="127.0.0.61", alias="one", broadcast=EVERYBODY)
    settings = {"port": first.port, "broadcast": EVERYBODY}
    bench.plug("HS100", host="127.0.0.62", alias="lamp", mac="50:C7:BF:00:00:02", **settings)
    strip = bench.strip("a", "Rad_1", host="127.0.0.63", alias="shed", mac="50:C7:BF:00:03:00", **settings)
    one, lamp, shed = searched(network(f"{EVERYBODY}:{first.port}"))
    assert one is not None
    assert lamp is not None
    assert shed is not None
    assert (one.alias, one.model, one.host, one.mac) == ("one", "HS110", "127.0.0.61", "50:C7:BF:00:00:01")
    assert (one.has_meter, one.login, one.sockets) == (True, False, ())
    assert (lamp.alias, lamp.model, lamp.has_meter) == ("lamp", "HS100", False)
    assert (shed.model, shed.has_meter) == ("HS300", True)
    assert shed.sockets == (FoundSocket("a", "00"), FoundSocket("Rad_1", "01"))
    assert {request.method for request in strip.requests} == {"system.get_sysinfo"}


def test_a_plug_that_wants_a_login_is_found_and_says_so(newer: SimulatedNewerPlug):
    """A newer plug tells its model and nothing of its name; that it measures is known of the model."""
    (found,) = searched(network(newer.host))
    assert found is not None
    assert (found.alias, found.model, found.mac) == (None, "P110", "98:25:4A:00:00:04")
    assert (found.has_meter, found.login) == (True, True)
    assert newer.asked > 0


def test_a_plug_that_answers_both_ways_needs_no_login(bench: Bench):
    """With Third-Party Compatibility on, a newer plug can be used by the older protocol; then its name is known too."""
    newer = SimulatedNewerPlug("127.0.0.65", model="HS110(EU)", family="IOT.SMARTPLUGSWITCH", mac="50-C7-BF-00-00-01")
    newer.start()
    plug = bench.plug("HS110v2", host="127.0.0.65", port=9999, alias="both")
    plug.behaviour.mute_udp = True
    try:
        (found,) = searched(network("127.0.0.65"))
    finally:
        newer.stop()
    assert found is not None
    assert (found.alias, found.login, found.has_meter) == ("both", False, True)


def test_a_network_that_there_is_no_way_to_is_named(monkeypatch: pytest.MonkeyPatch):
    """A machine without a network says so at once, in place of finding nothing."""
    import socket

    def refused(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refused)
    with pytest.raises(Unreachable, match=r"no way to 192\.168\.178\.255: network is unreachable"):
        searched(network("192.168.178.0/24"))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"result": {}},
        {"result": None},
        {"system": []},
        {"system": {"get_sysinfo": {"err_code": -1}}},
        {"system": {"get_sysinfo": {"type": "IOT.SMARTBULB", "alias": "bulb"}}},
        {"result": {"device_type": "SMART.TAPOBULB", "device_model": "L530"}},
    ],
)
def test_what_is_no_plug_is_counted_and_not_listed(answer: dict[str, object]):
    """Bulbs, cameras and answers that nobody understands."""
    assert found_in(answer, "127.0.0.1", HERE) is None


def test_an_answer_that_lies_about_its_shape_does_no_harm():
    """Aliases of any length, children that are none, no hardware address."""
    info = {"mic_type": "IOT.SMARTPLUGSWITCH", "alias": "x" * 5000, "children": [7, {"alias": None}], "mac": "nonsense"}
    found = found_in({"system": {"get_sysinfo": info}}, "127.0.0.1", HERE)
    assert found is not None
    assert (len(found.alias or ""), found.mac, found.model, found.has_meter) == (60, "", "", False)
    assert found.sockets == (FoundSocket("", ""),)


def test_hardware_addresses_are_written_in_one_way():
    """Newer devices write them with a minus."""
    assert mac_of("98-25-4a-00-00-04") == "98:25:4A:00:00:04"
    assert mac_of("98254a000004") == "98:25:4A:00:00:04"
    assert mac_of("98:25") == ""
