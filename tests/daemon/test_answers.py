"""Every answer is what the table of methods promises, in every state of a household."""

import pytest
from msgspec import structs

from chargerd.config.profiles import shipped
from chargerd.daemon.answers import HISTORY, answer, finished
from chargerd.daemon.context import Context
from chargerd.engine.evolve import fold
from chargerd.model import windows
from chargerd.model.events import (
    ConfigLoaded,
    DeviceLost,
    Event,
    HoldSet,
    LimitSet,
    ModeSet,
    ReadFailed,
    TargetSet,
)
from chargerd.model.settings import ScheduleEntry
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError, encode
from chargerd.protocol.table import METHODS
from tests.daemon.hub import complete, context
from tests.house import RAD, Day, configuration, loadpoint
from tests.protocol.conform import wrong_fields
from tests.sunny import Home

PARAMETERS = {"GetWhy": {"name": "bike-1"}, "Complete": {"what": "loadpoints"}}
QUESTIONS = [name for name, method in METHODS.items() if method.kind == "monitor" and name != "Watch"]
SATURDAY = ScheduleEntry("bike-1/sat@00:00", "bike-1", (5,), 0, target="full")


@pytest.fixture
def day(tmp_path):
    """Two bikes: one with a pack to charge, one without a charger."""
    settings = configuration(loadpoint("bike-1"), loadpoint("bike-2", RAD), schedule=(SATURDAY,))
    day = Day(tmp_path, settings, {"bike-1": "rad-full", "bike-2": "dead"})
    yield day
    day.run.kill()


def ask(day, method, **parameters):
    return answer(method, complete(method, **parameters), context(day))


def just_started(day):
    """Nothing has been read."""


def idle(day):
    """Everything has been read, nothing is charged."""
    day.until(120)


def charging(day):
    """One charges."""
    day.until(60)
    day.charge("bike-1")
    day.until(900)


def ended(day):
    """Both have ended: one was stopped, one has no charger."""
    charging(day)
    day.charge("bike-2")
    day.until(1500)
    day.run.ask(ModeSet("bike-1", "off", "ben"), by="ben")
    day.until(1600)


def held(day):
    """A person has the site in hand, a setting and a target are overridden."""
    charging(day)
    until_ms = day.clock.now_ms() + 3_600_000
    day.run.ask(
        HoldSet("anna"), LimitSet("bike-1", "max_h", 8.0, "anna", until_ms), TargetSet("bike-1", "full", "anna")
    )


def lost(day):
    """The strip does not answer any more."""
    charging(day)
    failed = DeviceLost("unreachable", "no answer within 5 s", 60_000)
    day.run.ask(ReadFailed("unreachable", "no answer within 5 s"), failed, by="shed")
    day.clock.mono += 600_000


@pytest.mark.parametrize("method", QUESTIONS)
@pytest.mark.parametrize("state", [just_started, idle, charging, ended, held, lost])
def test_answer_has_exactly_the_fields_of_the_table(day, method, state):
    """In every state each question is answered with the promised fields and types, and the answer can be sent."""
    state(day)
    reply = ask(day, method, **PARAMETERS.get(method, {}))
    assert wrong_fields(reply, METHODS[method].reply) == []
    assert encode(reply)


@pytest.mark.parametrize("method", [name for name in QUESTIONS if name not in (*HISTORY, "GetWhy")])
def test_before_the_configuration_is_read_there_is_an_answer(method):
    """The sockets are open before the first event; whoever asks then is answered."""
    empty = Context(Site(), 1_700_000_000_000, 1_700_000_000_000, (), windows.zone("UTC"))
    reply = answer(method, complete(method, **PARAMETERS.get(method, {})), empty)
    assert wrong_fields(reply, METHODS[method].reply) == []


def test_failsafe_says_when_a_plug_goes_off_by_itself(day):
    """A charge with a lease ends by itself; how long that takes is said, and what nobody has seen work is named."""
    charging(day)
    reply = ask(day, "GetFailsafe")
    bike = reply["chargers"][0]
    assert bike["safe"]
    assert 450 <= bike["lease_left_s"] <= 900
    assert bike["text"] == "off in 8 min (unproven)"
    assert reply["text"].endswith("relies on a timer that nobody has seen work: bike-1")
    assert "nobody has yet seen the timer of shed/bike-1 switch it off" in reply["warnings"][0]
    assert reply["chargers"][1]["text"] == "is off and stays off"


def test_failsafe_does_not_know_what_was_never_read(day):
    """A charger that was not read is not called safe."""
    settings = day.run.site.configuration
    unread = Context(Site(), 0, 0, (), windows.zone("UTC"))
    site = fold(unread.site, [Event(1, 0, 0, 1, "daemon", ConfigLoaded(settings))])
    reply = answer("GetFailsafe", complete("GetFailsafe"), structs.replace(unread, site=site))
    assert [(row["safe"], row["text"]) for row in reply["chargers"]] == [
        (False, "unknown: it has not been read yet")
    ] * 2
    assert reply["text"] == "if chargerd dies now, not certain to go off: bike-1, bike-2"


def test_configuration_says_where_each_value_comes_from(day):
    """A value from the profile, one that is a default, and one that a person set until a time."""
    held(day)
    values = {row["key"]: row for row in ask(day, "GetConfiguration", names=["bike-1"])["values"]}
    assert (values["nominal_stop_w"]["value"], values["nominal_stop_w"]["source"]) == (90, "profile rad")
    assert (values["lease_s"]["text"], values["lease_s"]["source"]) == ("15 min", "default")
    assert (values["max_h"]["value"], values["max_h"]["source"]) == (8.0, "set by anna until 01:15")
    assert (values["target"]["value"], values["target"]["source"]) == ("full", "set by anna")
    assert values["max_power_w"]["value"] > 0


def test_schedule_says_when_each_entry_is_next_due(day):
    """From a Monday, Saturday midnight is five days away."""
    (entry,) = ask(day, "GetSchedule")["schedule"]
    assert (entry["when"], entry["does"], entry["origin"]) == ("Sat 00:00", "fast, target full", "file")
    assert (entry["next"], entry["next_local"]) == ("2024-03-08T23:00:00Z", "2024-03-09T00:00:00+01:00")


def test_profiles_are_the_shipped_ones_and_those_in_use(day):
    """Each has its source, and says who uses it."""
    profiles = {row["name"]: row for row in ask(day, "GetProfiles")["profiles"]}
    assert profiles["rad"]["used_by"] == ["bike-1", "bike-2"]
    assert {"rad-48v", "lectric-48v"} <= set(profiles)
    assert profiles["rad-48v"]["source"]
    assert profiles["rad"]["max_h"] == 7
    assert (profiles["rad"]["variant"], profiles["rad"]["variants"]) == (None, [])


def test_a_car_and_a_rod_have_no_profile(tmp_path):
    """Nobody is told that a car is cut off below 90 W and charges twelve hours at most."""
    home = Home(tmp_path)
    home.until(30)
    assert {row["name"] for row in ask(home, "GetProfiles")["profiles"]} & {"id4", ""} == set()
    home.run.kill()


def test_profiles_and_settings_tell_the_season_in_force(tmp_path):
    """S0-17: on 1 July the shipped Rad profile is its summer variant, and a setting says that it comes from there."""
    july_ms = 1_782_900_000_000
    summer = Day(tmp_path, configuration(loadpoint("bike", shipped()["rad-48v"])), {"bike": "idle"}, july_ms)
    rad = next(row for row in ask(summer, "GetProfiles")["profiles"] if row["name"] == "rad-48v")
    assert (rad["variant"], rad["nominal_stop_w"], rad["full_w"]) == ("summer", 90, 5)
    values = {"nominal_start_w": 90, "nominal_stop_w": 90}
    assert rad["variants"] == [{"name": "summer", "from": "04-01", "until": "10-31", "values": values}]
    settings = {row["key"]: row for row in ask(summer, "GetConfiguration")["values"]}
    assert (settings["nominal_stop_w"]["value"], settings["nominal_stop_w"]["source"]) == (
        90,
        "profile rad-48v, summer",
    )
    assert settings["full_w"]["source"] == "profile rad-48v"
    summer.run.kill()


@pytest.mark.parametrize(
    ("what", "names"),
    [("loadpoints", ["bike-1", "bike-2"]), ("devices", ["shed"]), ("entries", ["bike-1/sat@00:00"])],
)
def test_completion_knows_the_names(day, what, names):
    """The shell gets what can be named."""
    assert ask(day, "Complete", what=what)["names"] == names


def test_results_of_the_main_loop_are_stamped(day):
    """What the main loop gives becomes a whole reply."""
    result = {"text": "bike-1: fast.", "changed": True, "commands": [], "notes": ["on hold"], "seq": 9}
    assert wrong_fields(finished("SetMode", result, context(day)), METHODS["SetMode"].reply) == []
    read = {
        "text": "",
        "readings": [{"kind": "reading", "address": "shed/bike-1", "values": {"power_w": 3.0}}],
        "took_ms": 3,
    }
    assert wrong_fields(finished("ReadDevice", read, context(day)), METHODS["ReadDevice"].reply) == []
    check = {"text": "in order", "mistakes": [], "files": ["/etc/chargerd/chargerd.toml"]}
    assert wrong_fields(finished("CheckConfiguration", check, context(day)), METHODS["CheckConfiguration"].reply) == []


@pytest.mark.parametrize(
    ("method", "parameters", "error"),
    [
        ("GetWhy", {"name": "bik-1"}, "NoSuchLoadpoint"),
        ("GetStatus", {"names": ["bike-1", "x"]}, "NoSuchLoadpoint"),
        ("GetDevices", {"names": ["shad"]}, "NoSuchDevice"),
        ("GetConfiguration", {"names": ["x"]}, "NoSuchLoadpoint"),
        ("GetSessions", {"name": "x"}, "NoSuchLoadpoint"),
        ("GetLog", {"names": ["x"]}, "NoSuchLoadpoint"),
        ("GetLog", {"since": "soon"}, "BadValue"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(day, method, parameters, error):
    """A wrong name gets the known ones; every refusal has a message."""
    with pytest.raises(CallError) as caught:
        ask(day, method, **parameters)
    assert caught.value.short == error
    assert "known" in caught.value.parameters or error == "BadValue"
