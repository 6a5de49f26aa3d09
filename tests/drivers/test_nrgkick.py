"""NRGkick: which generation answers, what its configuration may be, and what happens when it does not answer well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from chargerd.config.base import Credential
from chargerd.drivers.base import AccessDenied, UnexpectedAnswer, Unreachable
from chargerd.drivers.nrgkick import Driver
from chargerd.model.commands import SetCurrent
from chargerd.sim.wire.web import Reply
from tests.patience import within
from tests.sim.wire import garage as garages
from tests.sim.wire.garage import Garage, only

MAC = "00:11:22:33:44:55"
PIN = {"password": "marker-4711"}


@pytest.fixture
def garage() -> Iterator[Garage]:
    """An empty garage."""
    with garages.garage() as made:
        yield made


@pytest.fixture(params=[1, 2])
def device(request, garage):
    """A charger of each generation."""
    return garage.gen1(pin=PIN["password"]) if request.param == 1 else garage.gen2()


def test_the_generation_is_found_out(garage):
    """The second one answers a question that the first one does not know; an address is written as anybody likes."""
    first = garage.driver("nrgkick", garage.gen1(), mac="00-11-22-33-44-55")
    assert first.describe().model == "NRGkick Gen1"
    assert garage.driver("nrgkick", garage.gen2(), mac=MAC).describe().model == "NRGkick Gen2 SIM"
    assert only(garage.driver("nrgkick", garage.gen2()).read()).pilot == "B"


def test_a_generation_that_is_configured_is_not_asked_for(garage):
    """The first question goes where it says."""
    box = garage.gen1()
    garage.driver("nrgkick", box, generation=1, mac=MAC).describe()
    assert [request.path for request in box.requests] == [f"/api/settings/{MAC}"]


def test_a_box_whose_charger_is_not_named_says_what_to_give(garage):
    """One box can serve several chargers."""
    with pytest.raises(UnexpectedAnswer, match="give mac"):
        garage.driver("nrgkick", garage.gen1()).describe()


def test_a_second_generation_that_is_switched_off_is_not_taken_for_a_first(garage):
    """Found out by what it answers, and told in its own words."""
    charger = garage.gen2()
    charger.enabled = False
    with pytest.raises(AccessDenied, match="API must be enabled"):
        garage.driver("nrgkick", charger, mac=MAC).describe()


def test_a_charger_has_no_sockets(garage):
    """A name behind the slash is a mistake in the configuration."""
    with pytest.raises(UnexpectedAnswer, match="has no socket 'left'"):
        garage.driver("nrgkick", garage.gen2(), "left").describe()


def test_a_charger_that_was_replaced_by_the_other_generation_is_known_anew(garage):
    """Asked again what it is, as after every silence."""
    charger = garage.gen2()
    driver = garage.driver("nrgkick", charger, mac=MAC)
    driver.describe()
    charger.stop()
    box = garage.gen1()
    box.stop()
    box.port = charger.port
    box.start()
    assert driver.describe().model == "NRGkick Gen1"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "host"),
        ({"host": "x", "generation": 1}, "give mac"),
        ({"host": "x", "generation": 3}, "generation"),
        ({"host": "http://x"}, "pattern"),
        ({"host": "x", "mac": "00:11"}, "pattern"),
        ({"host": "x", "username": Credential(credential="user")}, "together"),
        ({"host": "x", "password": "1234"}, "Credential"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(keys, says):
    """No host, no charger behind the box, half a login, a PIN in plain text."""
    with pytest.raises(ValidationError, match=says):
        Driver.Config(driver="nrgkick", **keys)


def test_it_is_read_every_ten_seconds_by_default():
    """And a reading is good for 45 s."""
    config = Driver.Config(driver="nrgkick", host="x")
    assert (config.poll_s, config.max_age_s, config.port, config.generation) == (10.0, 45.0, 80, "auto")


def test_a_charger_that_is_off_is_unreachable_and_found_again(garage, device):
    """Reading and commands fail within their time, and work when it is back."""
    driver = garage.driver("nrgkick", device, secrets=PIN, mac=MAC)
    driver.describe()
    device.stop()
    for call in (driver.describe, driver.read, lambda: driver.apply(SetCurrent("garage", 8.0))):
        with within(2), pytest.raises(Unreachable, match="cannot be reached"):
            call()
    device.start()
    driver.describe()
    driver.apply(SetCurrent("garage", 8.0))
    assert only(driver.read()).offered_a == 8.0


def test_a_charger_that_is_slow_costs_no_more_than_its_time(garage, device):
    """It would answer after 3 s."""
    driver = garage.driver("nrgkick", device, secrets=PIN, mac=MAC)
    driver.describe()
    device.behaviour.delay_s = 3.0
    with within(1.5), pytest.raises(Unreachable, match="in time"):
        driver.read()


@pytest.mark.parametrize("fault", ["half", "hangs_up"])
def test_a_charger_that_breaks_off_is_unreachable(garage, device, fault):
    """In the middle of its answer, or before it."""
    driver = garage.driver("nrgkick", device, secrets=PIN, mac=MAC)
    driver.describe()
    setattr(device.behaviour, fault, True)
    with pytest.raises(Unreachable):
        driver.read()
    with pytest.raises(Unreachable):
        driver.apply(SetCurrent("garage", 8.0))


def test_an_answer_lost_after_a_command_is_found_by_reading(garage, device):
    """The charger did it and never said so."""
    driver = garage.driver("nrgkick", device, secrets=PIN, mac=MAC)
    driver.describe()
    device.behaviour.hangs_up = True
    with pytest.raises(Unreachable):
        driver.apply(SetCurrent("garage", 8.0))
    device.behaviour.hangs_up = False
    driver.apply(SetCurrent("garage", 8.0))
    assert only(driver.read()).enabled is True


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[1]", b"null", b'"x"', b"<html>" * 1000])
def test_garbage_is_an_answer_that_nobody_understands(garage, device, body):
    """Whatever it is, to whatever question; and no PIN comes out with it."""
    driver = garage.driver("nrgkick", device, secrets=PIN, mac=MAC)
    driver.describe()
    for path in ("/values", "/control", f"/api/measurements/{MAC}", f"/api/settings/{MAC}"):
        device.behaviour.instead[path] = Reply(200, body + b"marker-4711")
    with pytest.raises(UnexpectedAnswer, match="makes no sense") as caught:
        driver.read()
    assert "marker" not in str(caught.value) + caught.value.raw


def test_closing_never_raises(garage, device):
    """Before the first call, after one, and twice."""
    driver = garage.driver("nrgkick", device, secrets=PIN, mac=MAC)
    driver.close()
    driver.read()
    driver.close()
    driver.close()
