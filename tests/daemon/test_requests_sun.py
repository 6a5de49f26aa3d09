"""What people may ask of EVSEs and consumers, and what they are told that these do not have."""

import pytest
from msgspec import structs

from chargerd.daemon.answers import answer
from chargerd.daemon.asked import Asked
from chargerd.daemon.requests import facts_for
from chargerd.model.events import LimitSet, ModeSet, TargetSet
from chargerd.model.settings import CircuitSettings
from chargerd.protocol.framing import CallError
from chargerd.sim.car import Box, Car
from tests.daemon.hub import complete, context
from tests.sunny import PLAIN, Home, with_point


@pytest.fixture
def home(tmp_path):
    """The car charges on sun."""
    home = Home(tmp_path, with_point("rod", on_above_w=9000.0), lease="proven", lease_current_a=6.0)
    home.until(600)
    yield home
    home.run.kill()


def asked(home: Home, method: str, **parameters: object) -> Asked:
    """What a request comes to."""
    return facts_for(method, complete(method, **parameters), home.run.site, "anna", home.clock.now_ms())


def refused(home: Home, method: str, **parameters: object) -> CallError:
    """The refusal."""
    with pytest.raises(CallError) as caught:
        asked(home, method, **parameters)
    return caught.value


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("fast", "garage: fast, 15 A at most."),
        ("slow", "garage: slow, 6 A."),
        ("min-solar", "garage: min-solar, 6 A at least and more with the sun."),
        ("off", "garage: off."),
    ],
)
def test_every_mode_of_an_evse_says_what_it_does(home, mode, text):
    """And that it goes with the vehicle."""
    told = asked(home, "SetMode", name="garage", mode=mode)
    assert told.facts == (ModeSet("garage", mode, "anna"),)
    assert (told.text, told.notes) == (text, ("It stays so until the vehicle is disconnected.",))


def test_whoever_asks_for_a_charger_that_does_not_answer_is_told_so(home):
    """Off is recorded, and the car goes on until the charger hears of it."""
    device = home.run.site.configuration.loadpoints["garage"].charger
    now_ms = home.clock.now_ms()
    for reachable in (False, True):
        gone = structs.replace(home.run.site.devices[device], failing_since_ms=now_ms - 12_000, reachable=reachable)
        site = structs.replace(home.run.site, devices={**home.run.site.devices, device: gone})
        told = facts_for("SetMode", complete("SetMode", name="garage", mode="off"), site, "anna", now_ms)
        assert [note for note in told.notes if "has not answered for 12 s: it is told when" in note] == list(
            told.notes[1:]
        )
        assert len(told.notes) == (1 if reachable else 2)


def test_a_mode_with_an_end_says_what_comes_after_it(home):
    """The configured one."""
    told = asked(home, "SetMode", name="garage", mode="fast", until="2h")
    assert told.text == "garage: fast until 14:10, then solar again, 15 A at most."
    assert told.notes == ()


def test_what_is_so_already_is_not_recorded_again(home):
    """Solar is configured, and a session runs."""
    assert asked(home, "SetMode", name="garage", mode="solar") == Asked((), "garage: already solar.")
    assert asked(home, "SetMode", name="rod", mode="solar") == Asked((), "rod: already solar.")


def test_a_vehicle_that_took_nothing_is_offered_anew_by_asking_for_the_same_mode(tmp_path):
    """What status advises is not answered with "already"."""
    home = Home(tmp_path, with_point("garage", mode="fast"), box=Box(Car(phases=1, soc_pct=100), phases=1))
    home.until(7200)
    sated = home.run.site.loadpoints["garage"].sated
    told = asked(home, "SetMode", name="garage", mode="fast")
    home.run.kill()
    assert sated
    assert told.facts == (ModeSet("garage", "fast", "anna"),)


def test_modes_are_those_of_the_kind(home):
    """A consumer is not charged slowly."""
    error = refused(home, "SetMode", name="rod", mode="slow")
    assert (error.parameters["message"], error.parameters["hint"]) == (
        "rod has no mode 'slow'",
        "Modes of rod: off, solar, fast.",
    )
    assert "is none" in refused(home, "SetMode", name="garage", mode="fast", from_pct=35.0).parameters["message"]


@pytest.mark.parametrize(
    ("method", "parameters", "what"),
    [
        ("SetTarget", {"target": "full"}, "target"),
        ("SetPlan", {"target": "full", "ready_by": "07:00"}, "plan"),
        ("AddSchedule", {"days": "daily", "at": "07:00", "target": "full"}, "target"),
        ("AddSchedule", {"days": "daily", "at": "07:00", "ready": True}, "time to be ready by"),
    ],
)
def test_what_needs_a_target_is_refused_plainly(home, method, parameters, what):
    """An EVSE has none, and neither has a consumer; both are told which modes they have."""
    error = refused(home, method, name="garage", **parameters)
    assert error.parameters["message"] == f"garage has no {what}: it is an EVSE, and its vehicle ends the charge"
    assert error.parameters["hint"] == "Modes of garage: off, solar, min-solar, slow, fast."
    assert "it is a consumer" in refused(home, method, name="rod", **parameters).parameters["message"]


def test_a_target_for_all_leaves_them_out(home):
    """Nothing here has one."""
    told = asked(home, "SetTarget", all=True, target="full")
    assert not [fact for fact in told.facts if isinstance(fact, TargetSet)]


def test_an_evse_may_be_started_at_a_time_of_the_week(home):
    """A mode has no target."""
    assert asked(home, "AddSchedule", name="garage", days="daily", at="07:00", mode="slow").facts


def test_settings_are_those_of_the_kind(home):
    """What may be borrowed on an EVSE is no setting of a consumer, whole numbers stay whole."""
    told = asked(home, "SetSetting", name="garage", values={"borrow_wh": 200})
    assert told.facts == (LimitSet("garage", "borrow_wh", 200.0, "anna"),)
    assert told.text == f"garage: borrow_wh 200 Wh (was {PLAIN.loadpoints['garage'].borrow_wh:g} Wh)."
    assert (
        refused(home, "SetSetting", name="rod", values={"borrow_wh": 200}).parameters["message"]
        == "rod has no setting 'borrow_wh'"
    )
    assert (
        "nominal_stop_w"
        in refused(home, "SetSetting", name="garage", values={"nominal_stop_w": 80}).parameters["message"]
    )
    assert refused(home, "SetSetting", name="garage", values={"max_phases": 1.5}).parameters["message"] == (
        "max_phases must be a whole number, not 1.5"
    )


def test_two_currents_that_leave_nothing_are_refused_together(home):
    """Each alone would be in order."""
    error = refused(home, "SetSetting", name="garage", values={"min_current_a": 12, "max_current_a": 10})
    assert error.parameters["message"] == "garage: min_current_a 12 is above max_current_a 10"


def test_a_slow_current_that_could_never_be_offered_is_refused(home):
    """As the check of the configuration does; what is answered to the mode is what will be offered."""
    for slow_a, says in ((20, "is above max_current_a 15"), (7, "is below min_current_a 8")):
        values = {"slow_current_a": slow_a, **({"min_current_a": 8} if slow_a == 7 else {})}
        error = refused(home, "SetSetting", name="garage", values=values)
        assert error.parameters["message"] == f"garage: slow_current_a {slow_a} {says}"
    told = asked(home, "SetSetting", name="garage", values={"slow_current_a": 10})
    assert told.text == "garage: slow_current_a 10 A (was 6 A)."


def test_slow_says_the_current_that_will_be_offered(tmp_path):
    """A smallest current that was raised later counts more than the slow one."""
    home = Home(tmp_path, with_point("garage", min_current_a=8.0))
    home.until(30)
    assert asked(home, "SetMode", name="garage", mode="slow").text == "garage: slow, 8 A."


def test_a_current_above_the_fuse_is_taken_and_the_fuse_is_named(tmp_path):
    """The limit stands whatever is set, and who sets it is told."""
    circuits = {"main": CircuitSettings("main", 12)}
    from msgspec import structs

    home = Home(tmp_path, structs.replace(with_point("garage", circuit="main"), circuits=circuits))
    home.until(30)
    told = asked(home, "SetSetting", name="garage", values={"max_current_a": 20})
    home.run.kill()
    assert told.notes == ("The EVSE offers 16 A at most.", "Circuit main allows 12 A.")


def test_completion_offers_what_this_site_has(home):
    """No battery's cut-off, and every mode of an EVSE."""
    modes = answer("Complete", complete("Complete", what="modes"), context(home))["names"]
    settings = answer("Complete", complete("Complete", what="settings"), context(home))["names"]
    assert modes == ["off", "solar", "min-solar", "slow", "fast"]
    assert "borrow_wh" in settings
    assert "nominal_stop_w" not in settings


def test_failsafe_says_what_an_evse_goes_back_to(home):
    """With a timer to 6 A, in so many minutes, which ends nothing; a plug that is off stays off."""
    reply = answer("GetFailsafe", complete("GetFailsafe"), context(home))
    rows = {row["loadpoint"]: row for row in reply["chargers"]}
    assert rows["garage"]["text"].startswith("goes to 6 A in ")
    assert (rows["garage"]["safe"], rows["garage"]["falls_to_a"]) == (False, 6.0)
    assert rows["rod"]["text"] == "is off and stays off"
    assert reply["text"] == "if chargerd dies now, not certain to go off: garage"
    assert reply["warnings"][0] == (
        "garage: box goes to 6 A when its timer has run out, and charges on if chargerd dies"
    )


def test_failsafe_trusts_an_evse_whose_timer_pauses_it(tmp_path):
    """What ends by itself needs no warning."""
    home = Home(tmp_path, lease="proven", lease_current_a=0.0)
    home.until(600)
    reply = answer("GetFailsafe", complete("GetFailsafe"), context(home))
    home.run.kill()
    assert reply["chargers"][0]["text"].startswith("pauses in ")
    assert reply["chargers"][0]["safe"]
    assert not [warning for warning in reply["warnings"] if warning.startswith("garage")]
    assert "not certain" not in reply["text"]


def test_failsafe_warns_of_an_evse_without_a_timer(tmp_path):
    """It goes on offering what it was told last."""
    home = Home(tmp_path)
    home.until(600)
    reply = answer("GetFailsafe", complete("GetFailsafe"), context(home))
    home.run.kill()
    assert reply["chargers"][0]["text"] == "stays at 15 A: no timer"
    assert reply["chargers"][0]["safe"] is False
    assert reply["warnings"][0] == (
        "garage: box has no timer of its own; once it charges, it goes on charging if chargerd dies"
    )


def test_its_settings_are_listed_with_the_mode_and_without_a_target(home):
    """What nobody has set says so."""
    reply = answer("GetConfiguration", complete("GetConfiguration", names=["garage"]), context(home))
    values = {row["key"]: (row["text"], row["source"]) for row in reply["values"]}
    assert values["mode"] == ("solar", "file")
    assert values["auto_solar_pct"] == ("not set", "default")
    assert "target" not in values
    assert PLAIN.loadpoints["garage"].mode == "solar"


def test_what_is_for_the_vehicle_that_is_there_is_listed_and_explained_so(home):
    """The mode and a setting, as what ends at a time is."""
    for told in (
        asked(home, "SetMode", name="garage", mode="slow", until="disconnected"),
        asked(home, "SetSetting", name="garage", values={"ramp_a": 3}, until="disconnected"),
    ):
        home.run.ask(*told.facts, by="anna")
    reply = answer("GetConfiguration", complete("GetConfiguration", names=["garage"]), context(home))
    sources = {row["key"]: row["source"] for row in reply["values"] if row["source"].startswith("set by")}
    assert sources == dict.fromkeys(("mode", "ramp_a"), "set by anna until disconnected")
    why = answer("GetWhy", complete("GetWhy", name="garage"), context(home))
    assert "mode slow until disconnected, set by anna" in str(why)
