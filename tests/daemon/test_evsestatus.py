"""What status says of an EVSE: what was asked, what is offered, what the vehicle takes, where the energy came from."""

import pytest
from msgspec import structs

from chargerd.daemon.answers import answer
from chargerd.daemon.evsestatus import limits_text
from chargerd.daemon.replies import changed
from chargerd.daemon.sentences import said
from chargerd.daemon.status import loadpoint_row, status
from chargerd.daemon.why import why
from chargerd.drivers.base import UnexpectedAnswer
from chargerd.engine.settings import settings_of
from chargerd.model.commands import SetCurrent
from chargerd.model.events import CommandIssued, ModeSet
from chargerd.model.settings import CircuitSettings
from chargerd.sim.car import Box, Car
from tests.daemon.hub import complete, context
from tests.sunny import PLAIN, Home, with_point


@pytest.fixture
def home(tmp_path):
    """Half an hour after noon; the car charges on sun."""
    home = Home(tmp_path, with_point("rod", mode="off"))
    home.until(1800)
    yield home
    home.run.kill()


def test_asked_offered_and_measured_stand_side_by_side(home):
    """15 A asked for, 15 A offered, 15 A taken on the one phase of this car."""
    row = loadpoint_row(context(home), "garage")
    assert (row["loadpoint_kind"], row["state"], row["vehicle"]) == ("evse", "charging", "id4")
    assert (row["set_current_a"], row["offered_a"], row["current_l1_a"], row["current_l2_a"]) == (15.0, 15.0, 15.0, 0.0)
    assert (row["phases"], row["drawn_phases"], row["pilot"], row["connected"]) == (1, 1, "C", True)
    assert (row["target"], row["target_text"], row["charger_status"]) == ("", "", "charging")


def test_asked_offered_and_taken_are_three_things(home):
    """S1-35: told to offer 6 A it still offers 15, by its reading, and the car takes 10 of them."""
    home.box.car.max_current_a = 10.0
    home.until(1900)
    row = loadpoint_row(context(home), "garage")
    assert (row["set_current_a"], row["offered_a"], row["current_l1_a"]) == (15.0, 15.0, 10.0)
    home.evse.fault.slow_s = 30.0
    home.ask("garage", "slow")
    home.until(1910)
    row = loadpoint_row(context(home), "garage")
    assert (row["set_current_a"], row["offered_a"], row["current_l1_a"]) == (6.0, 15.0, 10.0)
    assert row["power_w"] == pytest.approx(2280, abs=40)


def test_energy_is_told_with_its_part_of_sun_and_its_cost(home):
    """All but the first seconds came from the sun, priced at what feeding it in would have brought: 8 ct, not 30."""
    row = loadpoint_row(context(home), "garage")
    session = row["session"]
    assert session["solar_pct"] == pytest.approx(99.7, abs=0.3)
    assert session["solar_wh"] == pytest.approx(session["energy_wh"] * session["solar_pct"] / 100, rel=1e-3)
    assert session["price_per_kwh"] == pytest.approx(0.08, abs=0.002)
    assert session["charge_ah"] is None
    assert row["today_wh"] == session["energy_wh"]


def test_energy_of_today_begins_at_midnight(home):
    """Of a session that goes on through the night only what came since; a rod has no sessions and is counted as well."""
    home.until(12 * 3600 - 60)
    before = loadpoint_row(context(home), "garage")
    rod_wh = loadpoint_row(context(home), "rod")["today_wh"]
    assert before["today_wh"] == before["session"]["energy_wh"]
    home.until(13 * 3600)
    row = loadpoint_row(context(home), "garage")
    assert row["session"]["number"] == before["session"]["number"]
    grown_wh = row["session"]["energy_wh"] - before["session"]["energy_wh"]
    assert 0 < row["today_wh"] <= grown_wh
    assert row["today_wh"] == pytest.approx(grown_wh * 60 / 61, rel=0.02)
    assert (rod_wh, loadpoint_row(context(home), "rod")["today_wh"]) == (0, 0)
    home.run.ask(ModeSet("rod", "fast", "anna"))
    home.until(14 * 3600)
    assert loadpoint_row(context(home), "rod")["today_wh"] == pytest.approx(2000, rel=0.01)
    home.until(36.5 * 3600)
    assert loadpoint_row(context(home), "rod")["today_wh"] == pytest.approx(1000, rel=0.02)


def test_a_vehicle_that_has_gone_leaves_an_idle_evse(home):
    """No vehicle, nothing asked for but a pause; what the last session brought is still there."""
    home.house.connect(0, None, home.clock.true_s())
    home.until(1860)
    row = loadpoint_row(context(home), "garage")
    assert (row["state"], row["word"], row["connected"], row["set_current_a"]) == ("idle", "idle", False, None)
    assert row["session"]["outcome"] == "disconnected"
    assert row["text"] == "no vehicle is connected"


def test_no_sun_is_a_pause_of_the_evse_and_a_full_car_one_of_the_vehicle(home):
    """suspended_evse is ours, suspended_ev is the vehicle's."""
    home.sun_w = 0.0
    home.until(3600)
    assert loadpoint_row(context(home), "garage")["state"] == "suspended_evse"
    home.sun_w = 6000.0
    home.house.connect(0, Car(phases=1, soc_pct=100), home.clock.true_s())
    home.until(3800)
    row = loadpoint_row(context(home), "garage")
    assert (row["enabled"], row["state"]) == (True, "suspended_ev")


def test_an_old_reading_of_an_evse_is_unknown(home):
    """Neither current nor pilot is shown from a reading that is too old."""
    home.clock.mono += 300_000
    row = loadpoint_row(context(home), "garage")
    assert (row["state"], row["power_w"], row["offered_a"], row["pilot"]) == ("unknown", None, None, None)


def test_a_consumer_has_no_current_to_set(home):
    """It is on or off."""
    home.ask("rod", "fast")
    home.until(1900)
    row = loadpoint_row(context(home), "rod")
    assert (row["loadpoint_kind"], row["state"], row["power_w"]) == (
        "consumer",
        "charging",
        pytest.approx(2000, rel=0.01),
    )
    assert (row["offered_a"], row["pilot"], row["limits_text"]) == (None, None, "")


def test_limits_name_every_fuse_above(tmp_path):
    """The EVSE's own range, then each circuit up to the grid connection."""
    circuits = {"garage": CircuitSettings("garage", 16, parent="main"), "main": CircuitSettings("main", 35)}
    home = Home(tmp_path, structs.replace(with_point("garage", circuit="garage"), circuits=circuits))
    home.until(20)
    text = limits_text(home.run.site, settings_of(home.run.site, "garage"))
    home.run.kill()
    assert text == "6 A to 15 A, 16 A circuit garage, 35 A circuit main"


class Welded(Box):
    """A box whose relay sticks: 12 A flow whatever it is told."""

    def settle(self, at_s: float) -> tuple[float, float, float]:
        """What flows."""
        super().settle(at_s)
        self.currents_a = (12.0, 0.0, 0.0)
        return self.currents_a


def test_a_car_that_charges_although_it_is_paused_is_a_fault_that_somebody_must_see(tmp_path):
    """It is named with what flows and since when; the state is no "charging" that looks as if all were well."""
    box = Welded(Car(phases=1, capacity_wh=1e6), phases=1)
    home = Home(tmp_path, with_point("garage", mode="off", adopt=False), box=box)
    home.until(600)
    reply = status(context(home), ["garage"])
    home.run.kill()
    (problem,) = reply["problems"]
    assert (problem["code"], problem["severity"], problem["subject"]) == ("charging-unasked", 3, "garage")
    assert problem["text"] == "is paused, and 2.8 kW flow all the same"
    assert problem["since_local"].startswith("2024-06-03T12:00")
    assert reply["loadpoints"][0]["state"] == "fault"
    assert reply["loadpoints"][0]["power_w"] == pytest.approx(12 * 230, rel=0.02)


def test_a_refused_command_is_told_in_the_words_of_the_evse(tmp_path):
    """Its range changed under us: it refuses what is asked, and says why."""
    home = Home(tmp_path, with_point("rod", mode="off"))
    home.box.min_current_a = 6.0
    home.until(30)
    home.box.max_current_a = 8.0
    home.until(120)
    (problem,) = status(context(home), None)["problems"]
    home.box.max_current_a = 16.0
    home.until(600)
    assert (problem["code"], problem["severity"], problem["subject"]) == ("refused", 4, "garage")
    assert problem["text"].startswith("refused its last command: the EVSE cannot offer ")
    assert status(context(home), None)["problems"] == []
    home.run.kill()


@pytest.mark.parametrize(("falls_to_a", "does"), [(6.0, "goes to 6 A"), (0.0, "pauses")])
def test_what_an_evse_does_alone_is_told_the_same_way_everywhere(tmp_path, falls_to_a, does):
    """Its timer may end the charge or only lower it: status, the log, a rehearsal and failsafe say which."""
    home = Home(tmp_path, lease="unproven", lease_current_a=falls_to_a)
    home.until(1200)
    here = context(home)
    row, (safe, _) = loadpoint_row(here, "garage"), answer("GetFailsafe", complete("GetFailsafe"), here)["chargers"]
    told = [event for event in home.all(CommandIssued) if isinstance(event.body.command, SetCurrent)]
    issued = next(event for event in told if event.body.command.current_a > 6)
    logged = said(issued, here)
    (rehearsed,) = changed("", done=False, commands=[issued.body.command], site=home.run.site)["commands"]
    home.run.kill()
    assert row["lease_current_a"] == safe["falls_to_a"] == falls_to_a
    assert row["lease_s"] > 0
    assert safe["text"].startswith(f"{does} in ")
    assert logged is not None
    assert f" A, {does} by itself after " in logged.text
    assert f" A, {does} by itself after " in rehearsed["text"]
    assert "off by itself" not in logged.text + rehearsed["text"]


def test_a_car_for_which_the_fuse_has_no_room_waits_and_does_not_charge(tmp_path):
    """It charged at a lower current first, for the same reason: the word changes, and since when it is so."""
    circuits = {"main": CircuitSettings("main", 20, meter="grid")}
    plain = structs.replace(with_point("garage", circuit="main", mode="fast"), circuits=circuits)
    home = Home(tmp_path, plain)
    home.sun_w, home.battery.max_discharge_w, home.load_w = 0.0, 0.0, 5000.0
    home.until(1200)
    row = loadpoint_row(context(home), "garage")
    assert (row["state"], row["word"], row["reason"]["code"]) == ("charging", "charging", "circuit-limit")
    began = row["since"]
    home.load_w = 13_000.0
    home.until(1800)
    row = loadpoint_row(context(home), "garage")
    assert (row["state"], row["word"], row["reason"]["code"]) == ("suspended_evse", "waiting", "circuit-limit")
    assert row["text"].startswith("the fuse main leaves ")
    assert row["since"] > began
    assert "garage waiting" in status(context(home), None)["text"]
    assert why(context(home), "garage")["text"].startswith("garage is waiting since 12:2")
    home.run.kill()


class Refusing:
    """An EVSE that refuses every command, in its own words."""

    def __init__(self, home: Home, words: str) -> None:
        self.apply_, self.words = home.evse.apply, words
        home.evse.apply = self.apply  # type: ignore[method-assign]

    def apply(self, command: object) -> None:  # noqa: ARG002 – as every driver
        """Refuse."""
        raise UnexpectedAnswer(self.words)


def test_a_car_whose_charger_refuses_waits_with_the_chargers_own_words(tmp_path):
    """Not "charging with the sun"; and after the last try it has a fault, which is not the vehicle's doing."""
    home = Home(tmp_path, structs.replace(PLAIN, loadpoints={"garage": PLAIN.loadpoints["garage"]}))
    Refusing(home, "Charging is blocked by energy limit")
    home.until(310)
    row = loadpoint_row(context(home), "garage")
    assert (row["state"], row["word"]) == ("suspended_evse", "waiting")
    assert row["text"].startswith("the charger refused: Charging is blocked by energy limit; wanted: ")
    home.until(1800)
    row = loadpoint_row(context(home), "garage")
    assert (row["state"], row["word"], row["reason"]["code"]) == ("fault", "fault", "no-effect")
    assert row["text"] == (
        "the charger was switched on 3 times and stays off; the charger refused: Charging is blocked by energy limit"
    )
    assert status(context(home), None)["text"].startswith("garage fault")
    home.run.kill()


def test_a_car_that_goes_on_although_it_was_told_to_pause_is_shown_as_charging(home):
    """Mode off, and its charger refuses to pause: what flows is told, and why it does."""
    Refusing(home, "locked by its app")
    home.ask("garage", "off")
    home.until(1900)
    row = loadpoint_row(context(home), "garage")
    assert (row["state"], row["word"], row["reason"]["code"]) == ("charging", "charging", "mode-off")
    assert row["text"] == "mode is off; the charger refused: locked by its app"
