"""What would change a decision about the sun: the surplus that is named really turns it, and what is not there is not spoken of."""

import pytest
from msgspec import structs

from chargerd.daemon.why import why
from chargerd.model.decision import Decision, Memory, View
from chargerd.model.settings import CircuitSettings, Configuration
from chargerd.policies import POLICIES
from chargerd.protocol.table import METHODS
from chargerd.protocol.types import TYPES
from chargerd.sim.homes import METER
from chargerd.sim.sun import steady
from tests.daemon.hub import context
from tests.house_sun import HOUR, SunDay, evse
from tests.house_sun import home as site
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


L1_PER_A = 2 * 230.0  # half of what the house takes is on L1


def fused(tmp_path, load_w: float, mode: str = "fast") -> Home:
    """A car that may have 15 A behind a fuse of 20 A, no sun, and so much in the house half an hour later."""
    circuits = {"main": CircuitSettings("main", 20, meter="grid", guaranteed_current_a=6)}
    home = Home(tmp_path, structs.replace(with_point("garage", circuit="main", mode=mode), circuits=circuits))
    home.battery.max_charge_w = home.battery.max_discharge_w = 0.0
    home.sun_w = 0.0
    home.until(1800)
    home.load_w = load_w
    home.until(2400)
    return home


def less_a(home: Home) -> float:
    """How much less the house would have to take on its fuse, by why."""
    change = next(c for c in why(context(home), "garage")["changes"] if c["input"] == "load_a")
    assert wrong_fields(change, TYPES["Change"]) == []
    assert change["text"].startswith(f"the house takes {-change['to']:g} A less")
    return change["from"] - change["to"]


def test_a_fuse_that_lowers_a_car_is_named_and_the_house_may_take_less(tmp_path):
    """5 kW leave less than the car may have: the fuse is the limit, and what lifts it is a house that takes less, not the sun."""
    home = fused(tmp_path, 5000.0)
    told = lines(why(context(home), "garage"))
    assert told["Limits"].startswith("the fuse main leaves ")
    assert "the house takes" in told["Would change if"]
    assert "surplus" not in told["Would change if"]
    offered_a = home.run.site.chargers["box"].evse.offered_a
    home.load_w -= less_a(home) * L1_PER_A
    home.until(3000)
    assert home.run.site.chargers["box"].evse.offered_a > offered_a
    home.run.kill()


def test_a_paused_car_begins_when_the_house_takes_as_much_less_as_was_said(tmp_path):
    """An amp less than that is not enough."""
    home = fused(tmp_path, 13_000.0)
    assert home.run.site.chargers["box"].enabled is False
    assert "surplus_w" not in {change["input"] for change in why(context(home), "garage")["changes"]}
    needed_a = less_a(home)
    home.load_w -= (needed_a - 1.1) * L1_PER_A
    home.until(3300)
    assert home.run.site.chargers["box"].enabled is False
    home.load_w -= 1.5 * L1_PER_A
    home.until(4200)
    assert home.run.site.chargers["box"].enabled is True
    home.run.kill()


def test_a_fuse_whose_meter_is_silent_is_a_limit_too(tmp_path):
    """No "none reached" beside a sentence that names one."""
    home = fused(tmp_path, 500.0)
    home.meters.fault(METER).silent = True
    home.until(2700)
    told = lines(why(context(home), "garage"))
    home.run.kill()
    assert told["Limits"] == "the meter of main is not read: no more than the guaranteed 6 A"


def test_a_car_that_charges_fast_is_not_told_of_the_sun(tmp_path):
    """No surplus turns it; a least current that its EVSE cannot offer is not named, and who would switch it off is nobody."""
    home = Home(tmp_path, with_point("garage", mode="fast"))
    home.until(1800)
    changes = why(context(home), "garage")["changes"]
    home.run.kill()
    assert "surplus_w" not in {change["input"] for change in changes}
    assert "house_battery_pct" not in {change["input"] for change in changes}
    texts = {change["input"]: change["text"] for change in changes}
    assert "set.min_current_a" not in texts, "more than its EVSE can offer is no current to be set"
    assert texts["answers"] == "the EVSE does not answer for 61 s (nothing can switch it off then)"


@pytest.mark.parametrize(
    ("falls_to_a", "alone"), [(6.0, "its own timer lowers it to 6 A"), (0.0, "its own timer ends it")]
)
def test_what_an_unreachable_evse_does_is_its_own_timers_doing(tmp_path, falls_to_a, alone):
    """Nobody reaches it, so nobody switches it off."""
    home = Home(tmp_path, with_point("garage", mode="fast"), lease="proven", lease_current_a=falls_to_a)
    home.until(1800)
    texts = [change["text"] for change in why(context(home), "garage")["changes"] if change["input"] == "answers"]
    home.run.kill()
    assert texts == [f"the EVSE does not answer for 61 s ({alone})"]


def test_settings_are_named_by_values_that_can_be_set(tmp_path):
    """Whole watts and seconds, nothing below 0, and no delay that would end a second before it ends anyway."""
    home = Home(tmp_path, with_point("garage", start_delay_s=900.0))
    home.sun_w = 1000.0
    home.until(1800)
    home.sun_w = 3000.0
    home.until(2400)
    rod, car = why(context(home), "rod")["changes"], why(context(home), "garage")["changes"]
    home.run.kill()
    assert {change["input"] for change in car} >= {"time", "set.start_delay_s"}
    for change in (*rod, *car):
        if change["input"].startswith("set."):
            assert change["to"] == round(change["to"])
            assert change["to"] >= 0
            assert "set below" not in change["text"]
    assert [change["held_s"] for change in car if change["input"] == "set.start_delay_s"] == [0]


def test_panels_do_not_give_more_than_they_have(tmp_path):
    """With 900 W on the roof no sun is enough for a car; with 9 kW there is, and that is said."""
    told = {}
    for peak_w in (900.0, 9000.0):
        roof = {**PLAIN.meters, "pv": structs.replace(PLAIN.meters["pv"], peak_w=peak_w)}
        folder = tmp_path / f"{peak_w:.0f}"
        folder.mkdir()
        home = Home(folder, structs.replace(PLAIN, meters=roof))
        home.sun_w, home.load_w = 500.0, 1500.0
        home.until(1800)
        told[peak_w] = {change["input"] for change in why(context(home), "garage")["changes"]}
        home.run.kill()
    assert "surplus_w" not in told[900.0]
    assert "surplus_w" in told[9000.0]


def test_no_current_is_named_that_lies_between_two_steps(tmp_path):
    """ "min_current_a is set above 6.00037 A" is nothing that anybody can set."""
    day = SunDay(tmp_path, site(evse(mode="min-solar")), pv=steady(0.0), load=steady(2500.0))
    day.until(8.3 * HOUR)
    changes = why(context(day), "garage")["changes"]
    day.run.kill()
    texts = [change["text"] for change in changes if change["input"].startswith("set.")]
    assert not [text for text in texts if " is set above " in text or " is set below " in text]


def test_what_lacks_without_any_sun_says_who_takes_it(tmp_path):
    """3 kW are taken, 100 W kept back, and nothing shines: no negative sun, neither in what lacks nor in what would change it."""
    home = Home(tmp_path)
    home.sun_w, home.load_w = 0.0, 3000.0
    home.battery.max_discharge_w = 0.0
    home.until(1800)
    reply = why(context(home), "garage")
    home.run.kill()
    assert "waiting for sun: no sun to use (all else takes 3.1 kW more than it gives), 1.4 kW needed" in reply["text"]
    assert lines(reply)["Missing"] == "4.5 kW of sun: 1.4 kW to charge with, and 3.1 kW that all else takes beyond it"
    assert " -" not in str([reply["text"], reply["lines"], [change["text"] for change in reply["changes"]]])


@pytest.mark.parametrize("level_pct", [20.0, 62.0, 90.0])
def test_a_house_battery_that_is_heard_is_not_imagined_to_fall_silent(home, level_pct):
    """It was foretold, of every car that charged on sun beside a house battery, that it would wait in ten minutes: the battery that
    was imagined to go on as it does said the very same for so long that it was not believed; one with another level had lied."""
    home.battery.stored_wh, home.battery.max_charge_w = home.battery.capacity_wh * level_pct / 100, 900.0
    home.sun_w = 6000.0
    home.until(7200)
    assert home.run.site.chargers["box"].enabled
    changes = why(context(home), "garage")["changes"]
    assert [change["text"] for change in changes if change["input"] in ("time", "house_battery_pct")] == []
    assert "surplus_w" in [change["input"] for change in changes]
