"""The simulated TP-Link devices satisfy python-kasa, which knows nothing of them, and behave in time as hardware would."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from kasa import Device, DeviceConfig, DeviceType, Discover, KasaException, Module

from chargerd.drivers.simulated import Socket, Steady
from chargerd.sim.wire.kasa import SimulatedPlug
from tests.sim.wire.bench import NOON_S, Bench


async def connect(device: SimulatedPlug) -> Device:
    """python-kasa's own object for a device, without any UDP."""
    return await Device.connect(config=DeviceConfig(host=device.host, port_override=device.port, timeout=2))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run what a test does with python-kasa."""
    asyncio.run(asyncio.wait_for(work, 10))


@pytest.mark.parametrize("model", ["HS110v1", "HS110v2", "KP115"])
def test_a_metering_plug_reports_its_power_voltage_current_and_total(bench: Bench, model: str) -> None:
    """44 W over an hour at 230 V read as 44 W, 0.191 A and 0.044 kWh, in floats and in integers."""
    plug = bench.plug(model, draw_w=44.0)
    bench.now_s += 3600

    async def look() -> None:
        device = await connect(plug)
        energy = device.modules[Module.Energy]
        assert device.device_type is DeviceType.Plug
        assert (device.is_on, device.model) == (True, model[:5])
        assert energy.current_consumption == pytest.approx(44.0)
        assert energy.voltage == pytest.approx(230.0)
        assert energy.current == pytest.approx(0.191, abs=0.001)
        assert energy.consumption_total == pytest.approx(0.044, abs=0.001)
        assert await energy.get_daily_stats(year=2027, month=1) == {15: pytest.approx(0.044, abs=0.001)}
        assert await energy.get_monthly_stats(year=2027) == {1: pytest.approx(0.044, abs=0.001)}
        assert device.time.timestamp() == bench.now_s
        await device.disconnect()

    run(look())


def test_a_plug_without_a_meter_has_no_energy_module(bench: Bench) -> None:
    """An HS100 switches and measures nothing."""
    plug = bench.plug("HS100", on=False)

    async def look() -> None:
        device = await connect(plug)
        assert Module.Energy not in device.modules
        await device.turn_on()
        await device.update()
        assert device.is_on
        await device.disconnect()

    run(look())
    assert plug.is_on()


def test_each_socket_of_a_strip_is_switched_and_measured_alone(bench: Bench) -> None:
    """Of six sockets the third goes on and draws its 102 W; the other five relays never move."""
    strip = bench.strip("a", "b", "c", "d", "e", "f")

    async def switch() -> None:
        device = await connect(strip)
        assert device.device_type is DeviceType.Strip
        assert [child.alias for child in device.children] == ["a", "b", "c", "d", "e", "f"]
        await device.children[2].turn_on()
        await device.update()
        assert [child.is_on for child in device.children] == [False, False, True, False, False, False]
        powers = [child.modules[Module.Energy].current_consumption for child in device.children]
        assert powers == [0, 0, pytest.approx(102.0), 0, 0, 0]
        await device.disconnect()

    run(switch())
    assert [(move.child, move.on, move.cause) for move in strip.switchings] == [(strip.child("c"), True, "client")]


def test_a_renamed_socket_keeps_its_id(bench: Bench) -> None:
    """python-kasa renames a socket; the id by which it is known stays."""
    strip = bench.strip("a", "b")

    async def rename() -> None:
        device = await connect(strip)
        before = device.children[1].device_id
        await device.children[1].set_alias("bike")
        await device.update()
        assert [(child.alias, child.device_id) for child in device.children][1] == ("bike", before)
        await device.disconnect()

    run(rename())


def test_the_module_countdown_of_python_kasa_is_not_known_to_the_device(bench: Bench) -> None:
    """Legacy devices call their timer ``count_down``; what python-kasa asks for, ``countdown``, they do not support."""
    plug = bench.plug()
    strip = bench.strip("a")

    async def look() -> None:
        for thing in (plug, strip):
            device = await connect(thing)
            assert Module.IotCountdown not in device.modules
            answer = await device.protocol.query({"countdown": {"get_rules": {}}, "count_down": {"get_rules": {}}})
            assert answer["countdown"] == {"err_code": -1, "err_msg": "module not support"}
            assert answer["count_down"]["get_rules"] == {"rule_list": [], "err_code": 0}
            await device.disconnect()

    run(look())


def test_a_countdown_switches_one_socket_off_while_nobody_is_connected(bench: Bench) -> None:
    """A rule of 600 s set at noon opens that relay at noon + 600 s exactly, seen an hour later."""
    strip = bench.strip("a", "b")
    rule = {"enable": 1, "delay": 600, "act": 0, "name": "x"}

    async def arm() -> None:
        device = await connect(strip)
        for child in device.children:
            await child.turn_on()
        context = {"child_ids": [strip.child("b")]}
        answer = await device.protocol.query({"context": context, "count_down": {"add_rule": rule}})
        assert answer["count_down"]["add_rule"]["err_code"] == 0
        bench.now_s += 60
        answer = await device.protocol.query({"context": context, "count_down": {"get_rules": {}}})
        (stored,) = answer["count_down"]["get_rules"]["rule_list"]
        assert (stored["remain"], stored["delay"], stored["act"]) == (540, 600, 0)
        await device.disconnect()

    run(arm())
    bench.now_s += 3600
    assert (strip.is_on("a"), strip.is_on("b")) == (True, False)
    last = strip.switchings[-1]
    assert (last.at_s, last.child, last.cause) == (NOON_S + 600, strip.child("b"), "countdown")


def test_the_one_rule_slot_can_be_full_edited_and_emptied(bench: Bench) -> None:
    """A second rule is refused; editing restarts the first; delete-all and add in one message replace it."""
    plug = bench.plug()
    rule = {"enable": 1, "delay": 600, "act": 0, "name": "x"}

    async def use() -> None:
        device = await connect(plug)
        rule_id = (await device.protocol.query({"count_down": {"add_rule": rule}}))["count_down"]["add_rule"]["id"]
        full = await device.protocol.query({"count_down": {"add_rule": rule}})
        assert full["count_down"]["add_rule"] == {"err_code": -10, "err_msg": "table is full"}
        bench.now_s += 100
        edited = {**rule, "id": rule_id, "delay": 300}
        await device.protocol.query({"count_down": {"edit_rule": edited}})
        assert plug.timer().due_s == NOON_S + 400
        both = await device.protocol.query({"count_down": {"delete_all_rules": {}, "add_rule": {**rule, "name": "y"}}})
        assert both["count_down"]["add_rule"]["err_code"] == 0
        assert plug.timer().name == "y"
        gone = await device.protocol.query({"count_down": {"delete_rule": {"id": rule_id}}})
        assert gone["count_down"]["delete_rule"]["err_code"] == -14
        await device.protocol.query({"count_down": {"delete_rule": {"id": plug.timer().rule_id}}})
        assert plug.timer() is None
        await device.disconnect()

    run(use())


def test_a_reboot_empties_the_counter_and_the_timer(bench: Bench) -> None:
    """After an hour at 44 W a short loss of power leaves 0 kWh and no rule; the connection is cut."""
    plug = bench.plug(draw_w=44.0)
    bench.now_s += 3600

    async def look() -> None:
        device = await connect(plug)
        assert device.modules[Module.Energy].consumption_total == pytest.approx(0.044, abs=0.001)
        await device.protocol.query({"count_down": {"add_rule": {"enable": 1, "delay": 60, "act": 0, "name": "x"}}})
        plug.reboot(relay=False)
        await device.update()
        assert device.modules[Module.Energy].consumption_total == 0
        assert not device.is_on
        await device.disconnect()

    run(look())
    assert plug.timer() is None
    assert plug.switchings[-1].cause == "reboot"


def test_devices_answer_a_broadcast_each_from_its_own_address(bench: Bench) -> None:
    """Three devices on 127.0.0.31 to 33 are all found by one broadcast on loopback."""
    first = bench.plug("HS110v1", host="127.0.0.31", alias="one", broadcast="127.255.255.255")
    bench.plug(
        "HS100", host="127.0.0.32", port=first.port, alias="two", mac="50:C7:BF:00:00:02", broadcast="127.255.255.255"
    )
    bench.strip("a", "b", host="127.0.0.33", port=first.port, broadcast="127.255.255.255")

    async def find() -> None:
        found = await Discover.discover(
            target="127.255.255.255", port=first.port, discovery_timeout=1, discovery_packets=1
        )
        assert {ip: device.alias for ip, device in found.items()} == {
            "127.0.0.31": "one",
            "127.0.0.32": "two",
            "127.0.0.33": "strip",
        }

    run(find())


def test_garbage_half_answers_and_silence_are_errors_to_python_kasa(bench: Bench) -> None:
    """Each misbehaviour reaches the client as an error, and the device recovers when it ends."""
    plug = bench.plug()

    async def suffer() -> None:
        device = await connect(plug)
        plug.behaviour.garbage = 4
        with pytest.raises(KasaException):
            await device.update()
        plug.behaviour.half = 4
        with pytest.raises(KasaException):
            await device.update()
        plug.behaviour.mute = True
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(device.update(), 0.2)
        plug.behaviour.mute = False
        await device.update()
        plug.stop()
        with pytest.raises(KasaException):
            await device.update()
        await device.disconnect()

    run(suffer())


def test_a_restarted_device_keeps_its_port(bench: Bench) -> None:
    """After stop and start the same address answers again."""
    plug = bench.plug()
    port = plug.port
    plug.stop()
    plug.start()
    assert plug.port == port

    async def look() -> None:
        await (await connect(plug)).disconnect()

    run(look())


def test_one_seed_gives_one_noise() -> None:
    """Two sockets with the same seed measure the same sequence; another seed measures another."""

    def measured(seed: int) -> list[float]:
        socket = Socket(Steady(100.0), on=True, noise=random.Random(seed))
        return [socket.measure_w(at_s) for at_s in range(0, 600, 60)]

    assert measured(1) == measured(1)
    assert measured(1) != measured(2)
