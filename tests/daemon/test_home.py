"""Status of a home with panels: what flows, from which readings, and how old they are (row S1-35)."""

import pytest
from msgspec import structs

from chargerd.ctl.commands.status import flow_parts
from chargerd.daemon.home import flows_text
from chargerd.daemon.status import devices, status
from chargerd.protocol.table import METHODS
from chargerd.sim.homes import BATTERY, INVERTER, METER
from tests.daemon.hub import context
from tests.house import Day, configuration, loadpoint
from tests.protocol.conform import wrong_fields
from tests.sunny import PLAIN, Home, with_point


@pytest.fixture
def home(tmp_path):
    """Half an hour after noon; the car charges, the house battery takes its 400 W."""
    home = Home(tmp_path, with_point("rod", mode="off"))
    home.until(1800)
    yield home
    home.run.kill()


def test_every_flow_is_there_and_adds_up(home):
    """Sun = house + car + battery + export, each with the age of its reading."""
    home.clock.mono += 4000
    reply = status(context(home), None)
    assert wrong_fields(reply, METHODS["GetStatus"].reply) == []
    flows = reply["flows"]
    assert (flows["pv_w"], flows["house_w"], flows["storage_w"]) == pytest.approx((6000, 500, -400))
    assert flows["pv_w"] == pytest.approx(500 + flows["charging_w"] + 400 - flows["grid_w"])
    assert [flows[key] for key in ("grid_age_s", "pv_age_s", "house_age_s", "storage_age_s")] == [4, 4, 4, 4]
    assert (flows["soc_pct"], flows["cloudy"], flows["missing"]) == (pytest.approx(63.9), False, "")
    assert flows["text"] == "solar 6.0 kW, house 500 W, storage 64 %, charging 400 W, exporting 1.6 kW"
    grid, pv = reply["meters"]
    assert (grid["role"], grid["power_w"], grid["read_age_s"]) == ("grid", flows["grid_w"], 4)
    assert (pv["status"], pv["temperature_c"], pv["dc_power_w"]) == ("producing", 40.0, 5600.0)
    (battery,) = reply["storages"]
    assert (battery["soh_pct"], battery["status"], battery["capacity_wh"]) == (100.0, "charging", 10_000.0)


def test_clouds_are_told_while_they_come_and_go_and_for_some_minutes_after(home):
    """S1-35: from 6 kW to 2 and back every half minute; seven minutes after the last one the sky is clear again."""
    for n in range(10):
        home.sun_w = 2000.0 if n % 2 else 6000.0
        home.until(1830 + 30 * n)
    flows = status(context(home), None)["flows"]
    assert flows["cloudy"] is True
    assert ", clouds" in flow_parts(flows)[0]
    home.sun_w = 6000.0
    home.until(2100 + 5 * 60)
    assert status(context(home), None)["flows"]["cloudy"] is True
    home.until(2100 + 12 * 60)
    assert status(context(home), None)["flows"]["cloudy"] is False


def test_what_is_not_read_is_null_and_has_no_age(home):
    """A silent grid meter: no grid, no house, no surplus, and the one that is missing is named; the sun is still known."""
    home.meters.fault(METER).silent = True
    home.until(2000)
    flows = status(context(home), None)["flows"]
    assert [flows[key] for key in ("grid_w", "grid_age_s", "house_w", "house_age_s", "surplus_w")] == [None] * 5
    assert (flows["pv_w"], flows["missing"]) == (6000.0, "grid")
    assert flows["text"] == "solar 6.0 kW, storage 64 %, charging 400 W, grid not known"
    assert status(context(home), None)["meters"][0]["power_w"] is None


def test_the_level_is_not_the_last_one_for_ever(home):
    """A battery that is not read has no level; when it was read last is still said."""
    home.meters.fault(BATTERY).silent = True
    home.until(2000)
    (battery,) = status(context(home), None)["storages"]
    assert (battery["soc_pct"], battery["power_w"], battery["status"]) == (None, None, None)
    assert battery["read_age_s"] == 200


def test_a_sleeping_inverter_is_called_so(home):
    """Its production is not known, and that is nobody's fault."""
    home.sun_w = 0.0
    home.until(1900)
    for channel in (METER, INVERTER, BATTERY):
        home.meters.fault(channel).silent = True
    home.until(4 * 3600)
    reply = status(context(home), None)
    assert (reply["flows"]["pv_w"], reply["flows"]["pv_asleep"]) == (None, True)
    assert reply["problems"] == []


def test_devices_list_their_meters_with_what_these_said_and_when(home):
    """Chargers, meters and house batteries are all channels."""
    reply = devices(context(home), None)
    assert wrong_fields(reply, METHODS["GetDevices"].reply) == []
    channels = {c["name"]: (c["role"], c["text"], c["read_age_s"]) for d in reply["devices"] for c in d["channels"]}
    assert channels == {
        "grid": ("grid", "exporting 1.6 kW", 0),
        "pv": ("pv", "5.6 kW, 40 °C, producing", 0),
        "house": ("storage", "64 %, charging 400 W", 0),
        "garage": ("charger", "on, 3.5 kW", 0),
        "rod": ("charger", "off, 0 W", 0),
    }


def test_a_household_of_plugs_has_no_flows(tmp_path):
    """Nothing measures its grid, and nothing pretends to."""
    day = Day(tmp_path, configuration(loadpoint("bike-1")), {"bike-1": "rad-full"})
    reply = status(context(day), None)
    day.run.kill()
    assert (reply["flows"], reply["meters"], reply["storages"]) == (None, [], [])


def test_a_home_without_a_house_battery_has_nothing_to_say_of_one(tmp_path):
    """Not 0 W."""
    home = Home(tmp_path, structs.replace(PLAIN, storages={}))
    home.until(60)
    flows = status(context(home), None)["flows"]
    home.run.kill()
    assert (flows["storage_w"], flows["soc_pct"], flows["storage_age_s"]) == (None, None, None)
    assert "storage" not in flows_text(flows)
