"""The simulated Tapo and newer Kasa plugs satisfy python-kasa, which knows nothing of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from kasa import Credentials, Device, DeviceConfig, DeviceType, Discover, Module
from kasa import DeviceConnectionParameters as Parameters
from kasa.deviceconfig import DeviceEncryptionType, DeviceFamily
from kasa.exceptions import SmartErrorCode

from chargerd.drivers.simulated import Steady
from chargerd.sim.wire.smart import SimulatedSmartPlug
from tests.sim.wire.bench import NOON_S, OWNER, Bench


async def connect(plug: SimulatedSmartPlug) -> Device:
    """python-kasa's own object for it, without a search."""
    kind = Parameters(DeviceFamily(plug.smart.family), DeviceEncryptionType.Klap, login_version=2, http_port=plug.port)
    config = DeviceConfig(plug.host, timeout=2, credentials=Credentials(*OWNER), connection_type=kind)
    return await Device.connect(config=config)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run what a test does with python-kasa."""
    asyncio.run(asyncio.wait_for(work, 10))


@pytest.mark.parametrize("model", ["P110", "P115", "KP125M"])
def test_a_metering_plug_reports_its_power_voltage_current_and_today(bench: Bench, model: str) -> None:
    """44 W over an hour at 230 V: 44 W, 0.191 A, 0.044 kWh today, and no total, which such plugs do not have."""
    plug = bench.smart(model, draw_w=44.0)
    bench.now_s += 3600

    async def look() -> None:
        device = await connect(plug)
        energy = device.modules[Module.Energy]
        assert (device.device_type, device.model, device.alias) == (DeviceType.Plug, model, "plug")
        assert (device.is_on, device.mac) == (True, "9C:53:22:00:00:01")
        assert energy.current_consumption == pytest.approx(44.0)
        assert (energy.voltage, energy.current) == (pytest.approx(230.0), pytest.approx(0.191))
        assert energy.consumption_today == pytest.approx(0.044, abs=0.001)
        assert energy.consumption_total is None
        assert device.time.timestamp() == bench.now_s
        await device.disconnect()

    run(look())


def test_the_first_firmware_knows_power_and_no_voltage(bench: Bench) -> None:
    """Version 1 of the metering: `get_energy_usage` and nothing else."""
    plug = bench.smart("P110v1")

    async def look() -> None:
        device = await connect(plug)
        energy = device.modules[Module.Energy]
        assert (energy.current_consumption, energy.voltage) == (pytest.approx(44.0), None)
        assert (await energy.get_status()).power == pytest.approx(44.0)
        await device.disconnect()

    run(look())


def test_a_plug_without_meter_and_timer_has_neither(bench: Bench) -> None:
    """A P100 is switched, and that is all."""
    plug = bench.smart("P100", on=False)

    async def look() -> None:
        device = await connect(plug)
        assert Module.Energy not in device.modules
        assert Module.AutoOff not in device.modules
        await device.turn_on()
        await device.update()
        assert device.is_on
        await device.set_alias("Küche")
        await device.update()
        assert device.alias == "Küche"
        await device.disconnect()

    run(look())
    assert [(move.on, move.cause) for move in plug.switchings] == [(True, "client")]


def test_auto_off_begins_when_the_relay_goes_on_and_opens_it_with_nobody_connected(bench: Bench) -> None:
    """Two minutes, set while off, counted from switching on."""
    plug = bench.smart(on=False)

    async def arm() -> None:
        device = await connect(plug)
        timer = device.modules[Module.AutoOff]
        await timer.call("set_auto_off_config", {"enable": True, "delay_min": 2})
        await device.update()
        assert (timer.enabled, timer.delay, timer.is_timer_active) == (True, 2, False)
        bench.now_s += 500
        await device.turn_on()
        bench.now_s += 20
        await device.update()
        assert timer.is_timer_active
        assert timer.auto_off_at.timestamp() == NOON_S + 620
        await device.disconnect()

    run(arm())
    bench.now_s += 3600
    last = plug.switchings[-1]
    assert (last.at_s, last.on, last.cause) == (NOON_S + 620, False, "countdown")


@pytest.mark.parametrize(("restarts", "ends_s"), [(True, 420), (False, 300)])
def test_setting_it_again_restarts_the_time_or_not(bench: Bench, restarts: bool, ends_s: int) -> None:
    """Nobody has written down which of the two real plugs do; off and on again always does."""
    plug = bench.smart(on=False)
    plug.behaviour.setting_restarts_auto_off = restarts

    async def arm() -> None:
        device = await connect(plug)
        setting = {"enable": True, "delay_min": 5}
        await device.protocol.query({"set_auto_off_config": setting})
        await device.turn_on()
        bench.now_s += 120
        await device.protocol.query({"set_auto_off_config": setting})
        assert plug.timer().due_s == NOON_S + ends_s
        await device.protocol.query({"set_auto_off_config": {**setting, "enable": False}})
        assert plug.timer() is None
        await device.protocol.query({"set_auto_off_config": setting})
        assert plug.timer().due_s == NOON_S + 420
        await device.disconnect()

    run(arm())


def test_several_methods_at_once_end_at_the_first_unknown_one(bench: Bench) -> None:
    """python-kasa asks for the rest one by one, and gets them."""
    plug = bench.smart()
    parts = [{"method": "get_device_time"}, {"method": "get_moon"}, {"method": "get_device_info"}]
    whole = plug.answer({"method": "multipleRequest", "params": {"requests": parts}})
    assert [part["error_code"] for part in whole["result"]["responses"]] == [0, -1002]

    async def ask() -> None:
        device = await connect(plug)
        plug.requests.clear()
        answers = await device.protocol.query({"get_device_time": None, "get_moon": None, "get_device_info": None})
        assert answers["get_moon"] is SmartErrorCode.UNKNOWN_METHOD_ERROR
        assert answers["get_device_info"]["model"] == "P110"
        assert [request.method for request in plug.requests] == ["get_device_time", "get_moon", "get_device_info"]
        refused = await device.protocol.query(
            {"set_auto_off_config": {"enable": True, "delay_min": 0}, "get_device_time": None}
        )
        assert refused["set_auto_off_config"] is SmartErrorCode.PARAMS_ERROR
        assert not plug.auto_off
        await device.disconnect()

    run(ask())


def test_a_restart_ends_the_session_and_the_timer(bench: Bench) -> None:
    """The client logs in again; what was set stays set, what ran is gone, the relay is where it was."""
    plug = bench.smart(on=False)

    async def use() -> None:
        device = await connect(plug)
        await device.protocol.query({"set_auto_off_config": {"enable": True, "delay_min": 5}})
        await device.turn_on()
        plug.reboot()
        await device.update()
        assert device.is_on
        assert device.modules[Module.AutoOff].enabled
        assert not device.modules[Module.AutoOff].is_timer_active
        await device.disconnect()

    run(use())
    assert plug.server.lock.entries == 2


def test_it_is_found_by_asking_its_address_only(bench: Bench) -> None:
    """The search finds model and login; with both python-kasa reads what was connected meanwhile."""
    plug = bench.smart()
    plug.connect(plug._outlets[0].socket)
    plug._outlets[0].socket.connect(Steady(61.0), bench.now_s)

    async def find() -> None:
        found = await Discover.discover_single(plug.host, discovery_timeout=2, credentials=Credentials(*OWNER))
        await found.update()
        assert found.modules[Module.Energy].current_consumption == pytest.approx(61.0)
        await found.disconnect()

    run(find())
