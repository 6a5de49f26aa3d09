"""Kasa record: a recording stands in for the device, and tells nothing of whose it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chargerd.drivers.kasa_record import NO_MAC, REMOVED, Anonymous
from chargerd.sim.wire.kasa import Behaviour
from chargerd.sim.wire.kasa_server import Server
from tests.drivers.conftest import Connect, only
from tests.sim.wire.bench import Bench


@contextmanager
def played(recording: dict[str, Any]) -> Iterator[Server]:
    """A device that answers as recorded, and nothing else."""

    def answer(request: dict[str, Any], udp: bool = False) -> dict[str, Any]:
        assert not udp
        children = request.get("context", {}).get("child_ids", [""])
        known = recording["answers"][children[0][-2:]]
        return {
            module: {method: known.get(module, {}).get(method, {"err_code": -1}) for method in methods}
            for module, methods in request.items()
            if module != "context"
        }

    server = Server(answer, Behaviour(), host="127.0.0.1", port=0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_a_recorded_plug_is_read_as_the_real_one(bench: Bench, connect: Connect):
    """The driver cannot tell the recording from the device: same model, same power."""
    plug = bench.plug("HS110v1", draw_w=44.0, alias="grandmother's chair")
    recording = connect(plug).record()
    plug.stop()
    with played(recording) as server:
        driver = connect(None, host=server.host, port=server.port)
        added = driver.describe()
        assert (added.model, added.firmware, added.lease) == ("HS110", plug.model.sw_ver, "unproven")
        assert only(driver.read()).power_w == 44.0
    assert (recording["driver"], recording["model"], recording["hardware"]) == ("kasa", "HS110", "1.0")


def test_a_recorded_strip_has_its_sockets_under_other_names(bench: Bench, connect: Connect):
    """Each socket's question finds its answer, although every id is another one."""
    strip = bench.strip("anna's bike", "ben's bike", mac="50:C7:BF:12:34:56")
    recording = connect(strip, "anna's bike").record()
    with played(recording) as server:
        readings = connect(None, "name 2", "name 3", host=server.host, port=server.port).read()
        assert [reading.enabled for reading in readings] == [False, False]
    assert strip.switchings == []


def test_nothing_of_a_recording_tells_whose_device_it_is(bench: Bench, connect: Connect):
    """Names, ids, hardware address and place are gone, wherever they stood; what it measures is there."""
    strip = bench.strip("anna's bike", "ben's bike", alias="garden house", mac="50:C7:BF:12:34:56")
    text = json.dumps(connect(strip, "00").record())
    for secret in ("anna", "ben's", "garden", "12:34:56", "123456", strip.device_id, strip.child("ben's bike")):
        assert secret not in text
    assert NO_MAC in text
    assert "power_mw" in text
    assert "HS300" in text


def test_a_field_that_nobody_has_seen_is_taken_out():
    """Only what is listed stays: a new firmware cannot tell what we have not thought of."""
    told = {
        "ssid": "home-net", "owner": "anna", "region": "Europe/Berlin", "latitude_i": 525200, "longitude": 13.4,
        "lat": 1, "ip": "192.168.178.31", "nested": [{"secret": "x", "rssi": -55, "on": True}], "empty": "",
    }  # fmt: skip
    assert Anonymous("").of(told) == {
        "ssid": REMOVED, "owner": REMOVED, "region": REMOVED, "latitude_i": 0, "longitude": 0, "lat": 0, "ip": REMOVED,
        "nested": [{"secret": REMOVED, "rssi": -55, "on": True}], "empty": "",
    }  # fmt: skip


def test_one_id_has_one_stand_in():
    """So that a socket is still the same one in question and answer."""
    anonymous = Anonymous("8006AB")
    assert anonymous.of({"deviceId": "8006AB"})["deviceId"] + "01" == anonymous.of({"id": "8006AB01"})["id"]
    assert anonymous.of({"child_ids": ["8006AB01"]})["child_ids"] == [anonymous.of({"id": "8006AB01"})["id"]]
    assert anonymous.of({"hwId": "one"}) == anonymous.of({"hwId": "one"}) != anonymous.of({"hwId": "two"})


def test_a_device_that_is_silent_is_told_as_ever(bench: Bench, connect: Connect):
    """No half recording."""
    plug = bench.plug()
    driver = connect(plug, discovery=plug.host)
    driver.describe()
    plug.behaviour.mute = True
    with pytest.raises(Exception, match="did not answer in time"):
        driver.record()
