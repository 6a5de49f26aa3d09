"""What would change a decision about the sun: the surplus that is named really turns it, and what is not there is not spoken of."""

import pytest
from msgspec import structs

from chargerd.daemon.why import why
from chargerd.model.decision import Decision, Memory, View
from chargerd.model.settings import Configuration
from chargerd.policies import POLICIES
from chargerd.protocol.table import METHODS
from chargerd.sim.homes import METER
from tests.daemon.hub import context
from tests.protocol.conform import wrong_fields
from tests.sunny import PLAIN, Home, with_point


@pytest.fixture
def home(tmp_path):
    """A car that waits since the sun went, an hour after noon."""
    home = Home(tmp_path, with_point("rod", mode="off"))
    home.until(1800)
    home.sun_w = 900.0
    home.until(3600)
    yield home
    home.run.kill()


def lines(reply: dict) -> dict[str, str]:
    """Label → text."""
    return {line["label"]: line["text"] for line in reply["lines"]}


def test_a_waiting_car_is_told_how_much_sun_it_lacks_and_what_would_bring_it(home):
    """No target is spoken of, no cut-off; the surplus that is needed and for how long."""
    reply = why(context(home), "garage", "charging")
    assert wrong_fields(reply, METHODS["GetWhy"].reply) == []
    told = lines(reply)
    assert told["Wanted"] == "mode solar"
    assert told["Missing"] == "1.1 kW of sun: 300 W of 1.4 kW"
    assert told["Would be charging"].startswith("if surplus rises above 1.4 kW for 5 min (charging)")


@pytest.mark.parametrize(("part", "charges"), [(1.02, True), (0.95, False)])
def test_the_surplus_that_is_named_is_the_one_that_turns_it(home, part, charges):
    """A little more than that, kept for as long as was said, and the real engine begins; a little less, and it does not."""
    change = next(c for c in why(context(home), "garage")["changes"] if c["input"] == "surplus_w")
    home.sun_w += (change["to"] - change["from"]) * part
    home.until(3600 + change["held_s"] + (60 if charges else 0))  # with a little less it may begin, but later
    assert home.run.site.chargers["box"].enabled is charges


@pytest.mark.parametrize(("more_w", "charges"), [(200.0, True), (-200.0, False)])
def test_a_charging_car_stops_when_the_sun_has_been_gone_for_what_may_be_borrowed(home, more_w, charges):
    """With the surplus that is named it has used up what it may borrow after that time; with a little more it has not."""
    home.sun_w = 6000.0
    home.until(7200)
    change = next(c for c in why(context(home), "garage")["changes"] if c["input"] == "surplus_w")
    assert change["word"] == "waiting"
    home.battery.max_charge_w = home.battery.max_discharge_w = 0.0  # what it gave would be no surplus
    home.sun_w += change["to"] - change["from"] + more_w
    home.until(7200 + change["held_s"] + 30)
    assert home.run.site.chargers["box"].enabled is charges


def test_a_meter_that_is_missing_is_what_is_missing(home):
    """No number is made up for a surplus that nobody knows; asking for another mode still helps."""
    home.meters.fault(METER).silent = True
    home.until(4000)
    reply = why(context(home), "garage", "charging")
    told = lines(reply)
    assert told["Missing"] == "unknown while grid is not read"
    assert told["Would be charging"].startswith("if mode becomes min-solar · mode becomes slow · mode becomes fast")


def test_without_a_vehicle_no_mode_would_help(home):
    """Nobody is sent to change the mode of an empty place."""
    home.house.connect(0, None, home.clock.true_s())
    home.until(3700)
    assert lines(why(context(home), "garage", "charging"))["Would be charging"] == "no single change leads there"


def test_a_consumer_is_answered_too(home):
    """It is on because somebody wants it; its plug may fall silent."""
    home.ask("rod", "fast")
    home.until(3700)
    reply = why(context(home), "rod")
    assert reply["text"] == "rod is charging since 13:00: on because somebody wants it so."
    assert "the plug does not answer" in lines(reply)["Would change if"]


def aged(**max_age_s: float) -> Configuration:
    """The home with other ages at which a reading of these devices is too old; 45 s is what a new device has."""
    devices = {
        name: structs.replace(device, max_age_s=max_age_s.get(name, 45)) for name, device in PLAIN.devices.items()
    }
    return structs.replace(PLAIN, devices=devices)


def counted(monkeypatch, policy: str) -> list[int]:
    """The moments at which a policy is asked from now on."""
    moments, decide = [], POLICIES[policy]

    def counting(view: View, memory: Memory) -> Decision:
        moments.append(view.t_ms)
        return decide(view, memory)

    monkeypatch.setitem(POLICIES, policy, counting)
    return moments


@pytest.mark.parametrize("ages", [{}, {"cellar": 60.0}, {"box": 90.0}])
def test_a_car_beside_it_does_not_make_a_waiting_rod_look_every_minute_of_a_week(tmp_path, monkeypatch, ages):
    """Others go on answering in what is imagined, so no reading gets old there, and a week takes few steps."""
    home = Home(tmp_path, aged(**ages))
    home.until(1800)
    home.sun_w = 900.0
    home.until(3600)
    assert home.run.site.loadpoints["garage"].session is not None
    moments = counted(monkeypatch, "consumer")
    told = lines(why(context(home), "rod"))
    assert told["Would change if"].startswith("surplus rises above 2.9 kW")
    assert "followed until" not in told["Would change if"]
    assert 10 < len(moments) < 300
    home.run.kill()


def test_time_that_cannot_be_followed_to_its_end_is_said_to_be(home, monkeypatch):
    """A policy that wants to look again every 7 s would be asked 100 000 times: it is not, and that is told."""
    moments = counted(monkeypatch, "surplus")
    decide = POLICIES["surplus"]
    monkeypatch.setitem(
        POLICIES, "surplus", lambda view, memory: structs.replace(decide(view, memory), wake_ms=view.t_ms + 7000)
    )
    would = lines(why(context(home), "garage", "charging"))["Would be charging"]
    assert would.startswith("if surplus rises above")
    assert would.endswith("(what time alone brings was followed until 13:35 only)")  # 300 steps of 7 s
    assert len(moments) < 2000
