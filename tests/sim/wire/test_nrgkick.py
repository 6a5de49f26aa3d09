"""Simulated NRGkicks: the second generation satisfies nrgkick-api, the first one answers in the shape of recorded boxes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import requests
from nrgkick_api import (
    NRGkickAPI,
    NRGkickAPIDisabledError,
    NRGkickAuthenticationError,
    NRGkickCommandRejectedError,
)

from chargerd.sim.wire.evse import Car
from chargerd.sim.wire.nrgkick import SimulatedGen1, SimulatedGen2
from tests.drivers.test_nrgkick_gen1 import MAC, MEASURED, SETTINGS
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage

BOTH = {"Charging": True}


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


def ask(charger: SimulatedGen2, question: Callable[[NRGkickAPI], Awaitable[Any]], **login: str) -> Any:
    """What nrgkick-api makes of the charger's answers."""

    async def asked() -> Any:
        async with aiohttp.ClientSession() as session:
            return await question(NRGkickAPI(f"{charger.host}:{charger.port}", session=session, **login))

    return asyncio.run(asked())


# The second generation, as its independent client sees it


def test_nrgkick_api_reads_the_second_generation(garage):
    """Identity, measurements and settings, as numbers and as words, whole and in parts."""
    evse = garage.evse(Car(phases=2))
    evse.offer(10.0, paused=False)
    charger = garage.gen2(evse)
    assert ask(charger, lambda api: api.test_connection()) is True
    info = ask(charger, lambda api: api.get_info(raw=True))
    assert (info["general"]["serial_number"], info["connector"]["phase_count"], info["connector"]["type"]) == (
        "10000001",
        3,
        1,
    )
    assert ask(charger, lambda api: api.get_info(["connector"]))["connector"]["type"] == "CEE"
    values = ask(charger, lambda api: api.get_values(["powerflow", "general"], raw=True))
    assert set(values) == {"powerflow", "general"}
    assert (values["powerflow"]["total_active_power"], values["general"]["status"]) == (4600.0, 3)
    assert ask(charger, lambda api: api.get_values())["general"]["status"] == "CHARGING"
    assert ask(charger, lambda api: api.get_control()) == {
        "current_set": 10.0,
        "charge_pause": 0,
        "energy_limit": 0,
        "phase_count": 3,
    }


def test_nrgkick_api_commands_the_second_generation(garage):
    """It compares every echo with what it asked for."""
    charger = garage.gen2(garage.evse(Car(), max_a=32.0))
    assert ask(charger, lambda api: api.set_current(12.3)) == 12.3
    assert ask(charger, lambda api: api.set_charge_pause(False)) == 0
    assert ask(charger, lambda api: api.set_phase_count(1)) == 1
    assert ask(charger, lambda api: api.set_energy_limit(10_000)) == 10_000
    assert (charger.evse.offered_a, charger.evse.paused, charger.evse.phases) == (12.3, False, 1)
    assert ask(charger, lambda api: api.set_charge_pause(True)) == 1
    assert charger.evse.power_w() == 0


def test_nrgkick_api_understands_its_refusals(garage):
    """A reason with 200, one with 406, an interface that is off, a wrong login."""
    charger = garage.gen2()
    charger.refuses["charge_pause"] = "Charging pause is blocked by solar-charging"
    with pytest.raises(NRGkickCommandRejectedError, match="blocked by solar-charging"):
        ask(charger, lambda api: api.set_charge_pause(True))
    charger.switchable = False
    for question in (lambda api: api.set_phase_count(1), lambda api: api.set_current(40.0)):
        with pytest.raises(NRGkickCommandRejectedError):
            ask(charger, question)
    charger.enabled = False
    with pytest.raises(NRGkickAPIDisabledError):
        ask(charger, lambda api: api.get_control())
    locked = garage.gen2(login=("owner", "secret"))
    with pytest.raises(NRGkickAuthenticationError):
        ask(locked, lambda api: api.get_control())
    assert ask(locked, lambda api: api.get_control(), username="owner", password="secret")["charge_pause"] == 1


def test_every_command_of_the_second_generation_is_kept_with_its_time(garage):
    """For tests that ask what was sent when."""
    charger = garage.gen2()
    ask(charger, lambda api: api.set_current(8.0))
    garage.now_s += 60
    ask(charger, lambda api: api.set_charge_pause(False))
    assert charger.commands == [{"current_set": "8.0"}, {"charge_pause": "0"}]
    assert charger.requests[1].at_s - charger.requests[0].at_s == 60


# The first generation, beside recorded answers


def url(box: SimulatedGen1, kind: str) -> str:
    """Where the box tells and takes."""
    return f"http://{box.host}:{box.port}/api/{kind}/{box.mac}"


def put(box: SimulatedGen1, text: str, **headers: str) -> requests.Response:
    """Send something to the box."""
    return requests.put(
        url(box, "settings"), data=text, headers=headers or {"Content-Type": "application/json"}, timeout=2
    )


def order(charging: bool, current_a: float, password: Any = "0123") -> str:
    """A command as evcc writes it."""
    values = {"ChargingStatus": {"Charging": charging}, "ChargingCurrent": {"Value": current_a}}
    return json.dumps({"Values": {**values, "DeviceMetadata": {"Password": password}}})


def kinds(value: Any) -> Any:
    """The shape of an answer: its keys, and what kind each value is."""
    if isinstance(value, dict):
        return {key: kinds(one) for key, one in value.items()}
    if isinstance(value, list):
        return [kinds(one) for one in value]
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


@pytest.mark.parametrize(("kind", "recorded"), [("measurements", MEASURED), ("settings", SETTINGS)])
def test_the_first_generation_answers_in_the_shape_of_a_recorded_box(garage, kind, recorded):
    """The same keys with the same kinds of values, no more and no fewer."""
    answer = requests.get(url(garage.gen1(), kind), timeout=2).json()
    assert kinds(answer) == kinds(json.loads(recorded))
    assert answer["MacAddress"] == MAC


def test_the_first_generation_takes_both_fields_of_one_put(garage):
    """Status and current together, with the PIN as text."""
    box = garage.gen1()
    assert put(box, order(True, 12)).json()["Values"]["DeviceMetadata"]["PasswordMatch"] is True
    assert (box.evse.offered_a, box.evse.paused) == (12.0, False)


def test_the_first_generation_loses_the_second_of_two_puts(garage):
    """As evcc's issue 33625 shows."""
    box = garage.gen1()
    put(box, order(True, 12))
    put(box, order(True, 8))
    assert box.evse.offered_a == 12.0
    garage.now_s += 10
    put(box, order(True, 8))
    assert (box.evse.offered_a, [later.at_s - box.puts[0].at_s for later in box.puts]) == (8.0, [0, 0, 10])


@pytest.mark.parametrize(
    ("text", "headers", "status"),
    [
        (order(True, 12), {"Content-Type": "text/plain"}, 415),
        (order(True, 12).replace('"0123"', "0123"), {}, 400),
        ('{"Values": {}}', {}, 400),
        (order(True, 12, password="9999"), {}, 200),
        (order(True, 12, password=123), {}, 200),
    ],
)
def test_the_first_generation_refuses_what_a_real_one_refuses(garage, text, headers, status):
    """Another media type, a PIN that makes the body no JSON, none at all, a wrong one: nothing changes."""
    box = garage.gen1()
    answer = put(box, text, **headers)
    assert answer.status_code == status
    told = answer.json()
    assert "Message" in told or told["Values"]["DeviceMetadata"]["PasswordMatch"] is False
    assert (box.evse.offered_a, box.evse.paused) == (6.0, True)


def test_limits_that_are_sent_along_stay_in_the_first_generation(garage):
    """Which is why nobody should send them."""
    box = garage.gen1()
    pinned = json.loads(order(True, 8))
    pinned["Values"]["ChargingCurrent"] |= {"Min": 8, "Max": 8}
    put(box, json.dumps(pinned))
    garage.now_s += 10
    put(box, order(True, 12))
    assert box.evse.offered_a == 8.0


def test_a_box_without_bluetooth_says_so(garage):
    """To every question about that charger, and about one that it does not know."""
    box = garage.gen1()
    assert requests.get(url(box, "settings").replace("44:55", "44:66"), timeout=2).status_code == 404
    box.linked = False
    assert requests.get(url(box, "measurements"), timeout=2).json() == {"Message": "No content found for this request"}
