"""What is asked of Tapo and newer Kasa plugs: the readings, the timer, and what is not believed."""

from __future__ import annotations

import pytest

from chargerd.drivers import kasa_smart
from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.model.commands import SetEnabled
from tests.drivers.conftest import Connect, only
from tests.drivers.test_kasa_klap import owned
from tests.sim.wire.bench import NOON_S, Bench


def test_a_lease_is_whole_minutes_and_never_longer_than_asked() -> None:
    """But at least one, and not more than the setting takes."""
    assert [kasa_smart.minutes(s) for s in (30, 60, 119, 120, 179, 900, 86_400)] == [1, 1, 1, 2, 2, 15, 1439]


@pytest.mark.parametrize("model", ["P110", "P115", "KP125M"])
def test_a_plug_reads_as_one_charger_without_a_total(bench: Bench, connect: Connect, model: str) -> None:
    """After an hour at 44 W: on, 44 W, 230 V, 0.191 A; what it counts by day is not passed off as its total."""
    plug = bench.smart(model)
    bench.now_s += 3600
    driver = owned(connect, plug)
    added = driver.describe()
    assert (added.model, added.device_id, added.firmware) == (model, plug.device_id, plug.smart.fw_ver)
    assert (added.lease, added.switch_at) == ("unproven", "")
    reading = only(driver.read())
    assert (reading.channel, reading.enabled, reading.power_w) == ("", True, pytest.approx(44.0))
    assert (reading.voltage_v, reading.current_a) == (pytest.approx(230.0), pytest.approx(0.191))
    assert (reading.energy_wh, reading.lease_s, reading.timer) == (None, None, None)


def test_the_first_firmware_says_power_and_nothing_else(bench: Bench, connect: Connect) -> None:
    """Voltage and current are unknown then, not 0; and today's energy is not passed off as the total."""
    plug = bench.smart("P110v1")
    bench.now_s += 3600
    reading = only(owned(connect, plug).read())
    assert (reading.power_w, reading.voltage_v, reading.current_a) == (pytest.approx(44.0), None, None)
    assert reading.energy_wh is None


def test_a_reading_costs_three_requests_at_most(bench: Bench, connect: Connect) -> None:
    """Not the dozen of python-kasa's update: the relay, the meter, and while it is on the timer."""
    plug = bench.smart()
    driver = owned(connect, plug)
    driver.read()
    plug.requests.clear()
    driver.read()
    asked = [request.method for request in plug.requests]
    assert asked == ["get_device_info", "get_emeter_data", "get_auto_off_config", "get_device_info"]


def test_a_power_that_the_plug_does_not_give_is_unknown(bench: Bench, connect: Connect) -> None:
    """It is None from the first reading on, and after a good one too: never the last value."""
    plug = bench.smart()
    driver = owned(connect, plug)
    assert only(driver.read()).power_w == pytest.approx(44.0)
    plug.behaviour.no_power = True
    assert only(driver.read()).power_w is None


def test_a_meter_that_vanishes_leaves_the_power_unknown(bench: Bench, connect: Connect) -> None:
    """As after a firmware fault: the relay is still read, the power is None, and it is read again when it is back."""
    plug = bench.smart()
    driver = owned(connect, plug)
    driver.read()
    smart, plug.smart = plug.smart, plug.smart._replace(metering=0)
    for _ in range(2):
        assert (only(driver.read()).enabled, only(driver.read()).power_w) == (True, None)
    plug.smart = smart
    assert only(driver.read()).power_w == pytest.approx(44.0)


def test_a_plug_without_a_meter_is_refused_by_name(bench: Bench, connect: Connect) -> None:
    """A P100 switches and measures nothing."""
    with pytest.raises(UnexpectedAnswer, match="shed is a P100, which has no energy meter"):
        owned(connect, bench.smart("P100")).describe()


def test_a_relay_that_does_not_follow_is_an_error(bench: Bench, connect: Connect) -> None:
    """Deaf, or reporting what was: neither counts as done."""
    plug = bench.smart(on=False)
    driver = owned(connect, plug)
    plug.behaviour.deaf_relay = True
    with pytest.raises(UnexpectedAnswer, match="shed accepted to switch on and did not follow"):
        driver.apply(SetEnabled("shed", True))
    plug.behaviour.deaf_relay = False
    plug.freeze_reports()
    with pytest.raises(UnexpectedAnswer, match="did not follow"):
        driver.apply(SetEnabled("shed", True))


def test_another_plug_of_the_same_owner_at_the_address_is_never_switched(bench: Bench, connect: Connect) -> None:
    """Both open with one account and python-kasa logs in to whoever is there; the MAC tells them apart."""
    plug = bench.smart(on=False)
    driver = owned(connect, plug, discovery=plug.host)
    driver.read()
    address = plug.port
    plug.stop()
    heater = bench.smart(host=plug.host, on=False, mac="9C:53:22:99:99:99", alias="heater")
    heater.stop()
    heater.server.port = address
    heater.start()
    for _ in range(2):
        with pytest.raises(Unreachable):
            driver.apply(SetEnabled("shed", True, lease_s=900))
    assert heater.switchings == []
    assert not [request for request in heater.requests if request.method.startswith("set_")]


# The lease


def test_the_timer_is_set_before_the_relay_and_ends_by_itself(bench: Bench, connect: Connect) -> None:
    """chargerd dies; 15 minutes after switching on the plug is off."""
    plug = bench.smart(on=False)
    driver = owned(connect, plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    asked = [request.method for request in plug.requests]
    assert asked.index("set_auto_off_config") < asked.index("set_device_info")
    reading = only(driver.read())
    assert (reading.enabled, reading.lease_s, reading.timer) == (True, 900, "ours")
    driver.close()
    bench.now_s += 3600
    last = plug.switchings[-1]
    assert (last.at_s, last.on, last.cause) == (NOON_S + 900, False, "countdown")


@pytest.mark.parametrize("restarts", [True, False], ids=["a plug that begins anew", "a plug that goes on counting"])
def test_giving_the_command_again_renews_and_shortens_the_lease(bench: Bench, connect: Connect, restarts: bool) -> None:
    """Either kind of plug has 15 minutes after the renewal and 2 after the shortening, and its relay never moves."""
    plug = bench.smart(on=False)
    plug.behaviour.setting_restarts_auto_off = restarts
    driver = owned(connect, plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    bench.now_s += 450
    assert only(driver.read()).lease_s == 450
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert only(driver.read()).lease_s == 900
    driver.apply(SetEnabled("shed", True, lease_s=120))
    assert only(driver.read()).lease_s == 120
    assert [move.on for move in plug.switchings] == [True]


def test_a_timer_that_never_runs_is_not_taken_for_a_lease(bench: Bench, connect: Connect) -> None:
    """The plug takes the setting and counts nothing: the command fails and says so; no reading claims a lease."""
    plug = bench.smart(on=False)
    plug.behaviour.never_starts_auto_off = True
    driver = owned(connect, plug)
    with pytest.raises(UnexpectedAnswer, match="shed is on and does not keep its cut-off timer"):
        driver.apply(SetEnabled("shed", True, lease_s=900))
    assert only(driver.read()).lease_s is None


def test_switching_off_leaves_the_setting_off(bench: Bench, connect: Connect) -> None:
    """Else the plug would cut off whatever its owner switches on next."""
    plug = bench.smart(on=False)
    driver = owned(connect, plug)
    driver.apply(SetEnabled("shed", True, lease_s=900))
    driver.apply(SetEnabled("shed", False))
    assert (plug.is_on(), plug.auto_off, plug.timer()) == (False, False, None)


def test_the_setting_is_left_alone_where_the_lease_is_switched_off(bench: Bench, connect: Connect) -> None:
    """With ``lease = false`` an owner's two hours stay two hours."""
    plug = bench.smart(on=False)
    plug.auto_off = True
    driver = owned(connect, plug, lease=False)
    assert driver.describe().lease == "none"
    driver.apply(SetEnabled("shed", True, lease_s=900))
    driver.apply(SetEnabled("shed", False))
    assert (plug.auto_off, plug.auto_off_min) == (True, 120)
    assert not [request for request in plug.requests if request.method == "set_auto_off_config"]
