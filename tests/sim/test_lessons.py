"""Lessons: `chargerctl profile learn` as it is called: from the log, from a file, and from a charge that it begins itself."""

from __future__ import annotations

import json
import tomllib
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from chargerd.__main__ import main
from chargerd.config.load import load
from chargerd.ctl.commands.learn import FIELDS
from chargerd.daemon import replies
from chargerd.daemon.control import ChangeRequest
from chargerd.drivers import MODULES
from chargerd.drivers import load as load_driver
from chargerd.drivers.simulated import Load, Removed
from chargerd.model.events import ModeSet, TargetSet
from chargerd.model.settings import Profile
from chargerd.sim import world
from tests.ctl.test_whole import Hub
from tests.daemon.hub import serving
from tests.house import Day, configuration, loadpoint
from tests.sim.test_commands import control
from tests.sunny import Home, with_point

HOUR = 3600
TRACES = Path(__file__).parents[2] / "benchmarks" / "traces" / "ebike_charge_power.csv"
SITE = """
[device.shed]
driver = "simulated"
[loadpoint.bike]
charger = "shed/bike"
vehicle = "bike-pack"
"""


def full(day: Day, until_s: float, load: Load | str = "lectric-full") -> None:
    """Another pack is connected and charged to full."""
    day.strip.sockets["bike"].connect(world.load(load) if isinstance(load, str) else load, day.clock.true_s())
    day.run.ask(TargetSet("bike", "full", "anna", once=True), ModeSet("bike", "fast", "anna"), by="anna")
    day.until(until_s)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A log with a whole charge to full, then one to nominal, one that was stopped, and one whose pack was taken off."""
    folder = tmp_path_factory.mktemp("charges")
    day = Day(folder, configuration(loadpoint("bike"), loadpoint("other")), {"bike": "idle", "other": "dead"})
    day.until(60)
    full(day, 6 * HOUR)
    day.strip.sockets["bike"].connect(world.load("rad-nominal"), day.clock.true_s())
    day.charge("bike")
    day.until(10 * HOUR)
    full(day, 12.5 * HOUR)
    day.run.ask(ModeSet("bike", "off", "ben"), by="ben")
    day.until(13 * HOUR)
    full(day, 17 * HOUR, Removed(world.load("rad-full"), day.clock.true_s() + 2 * HOUR))
    day.run.stop()
    return folder


def asked(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    """What `chargerd learn` prints, or says on standard error if it ends with another code than 0."""
    assert main(["learn", *map(str, words)]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_the_newest_usable_charge_proposes_a_profile_that_loads(recorded, capsys, tmp_path):
    """All that is printed is TOML: with a device and a loadpoint it is a configuration, and its profile is the proposal."""
    out = asked(capsys, "bike", "--state", recorded)
    assert "# Learnt from the charge of bike that began 2024-03-04 00:01" in out
    (tmp_path / "chargerd.toml").write_text(out + SITE)
    loaded = load([tmp_path / "chargerd.toml"], load_driver=load_driver, driver_kinds=MODULES)
    profile = loaded.configuration.loadpoints["bike"].profile
    assert 40 <= profile.nominal_stop_w <= 80
    assert 5 <= profile.full_w <= 12
    assert profile.capacity_ah == 14  # of the profile in use
    given = json.loads(asked(capsys, "bike", "--state", recorded, "--json"))["profile"]
    assert {key: getattr(profile, key) for key in given} == {**given, "name": "bike-pack"}


def test_charges_that_cannot_teach_are_named_newest_first(recorded, capsys):
    """A pack taken off, one stopped half-way, a nominal one: each with its time and why."""
    lines = " ".join(line.removeprefix("# ") for line in asked(capsys, "bike", "--state", recorded).splitlines())
    told = ["13:00, power broke off", "10:00, it ended at", "06:00, a charge to nominal ends before the pack is full."]
    places = [lines.index(f"Not used: 2024-03-04 {text}") for text in told]
    assert places == sorted(places)


def test_the_picture_fits_eighty_columns_and_has_its_marks(recorded, capsys):
    """Knee, nominal and full stand below the curve; --ascii draws without blocks."""
    out = asked(capsys, "bike", "--state", recorded)
    assert max(len(line) for line in out.splitlines()) <= 80
    drawn = [line for line in out.splitlines() if "│" in line]
    assert len(drawn) == 10
    assert max(map(len, drawn)) <= 80
    under = next(line for line in out.splitlines() if line.split() == ["#", "k", "n", "f"])
    assert under.index("k") < under.index("n") < under.index("f")
    assert asked(capsys, "bike", "--state", recorded, "--ascii").isascii()


def test_one_charge_can_be_chosen(recorded, capsys):
    """By a time within it, or the last; if that one does not teach, no other takes its place."""
    assert "began 2024-03-04 00:01" in asked(capsys, "bike", "--state", recorded, "--session", "2024-03-04 02:00")
    err = asked(capsys, "bike", "--state", recorded, "--last", code=1)
    assert "nothing was learnt, so no profile is proposed: 2024-03-04 13:00: power broke off from" in err
    err = asked(capsys, "bike", "--state", recorded, "--session", "2024-03-04 11:30", code=1)
    assert "the end of the charge is not in it" in err


def test_nothing_usable_says_why_and_how_to_make_one(recorded, capsys, tmp_path):
    """Three lines: what did not happen and why, that nothing changed, what to do."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(60)
    day.charge("bike")
    day.until(4 * HOUR)
    day.run.stop()
    lines = asked(capsys, "bike", "--state", tmp_path, code=1).splitlines()
    assert len(lines) == 3
    assert "a charge to nominal ends before the pack is full" in lines[0]
    assert lines[2].endswith("chargerctl profile learn bike --watch")
    assert "has no charge in this log" in asked(capsys, "other", "--state", recorded, code=1)
    assert "Did you mean bike?" in asked(capsys, "bke", "--state", recorded, code=5)


def test_json_has_exactly_the_documented_fields(recorded, capsys):
    """From the log and from a file."""
    reply = json.loads(asked(capsys, "bike", "--state", recorded, "--json"))
    assert set(reply) == set(FIELDS)
    assert [entry["text"][:10] for entry in reply["not_used"]] == ["power brok", "it ended a", "a charge t"]
    assert tomllib.loads(reply["toml"])["vehicle"]["bike-pack"]["full_w"] == reply["profile"]["full_w"]
    reply = json.loads(asked(capsys, "rad_battery_1", "--file", TRACES, "--json"))
    assert set(reply) == set(FIELDS)
    assert (reply["session"], reply["began_at"], reply["storage_w"]) == (None, "2023-06-24T00:00:55Z", None)
    assert 40 <= reply["profile"]["nominal_stop_w"] <= 90


def test_what_the_label_says_is_used(capsys):
    """Content and voltage give percents and limits; the level at the beginning gives content and efficiency."""
    file = ("rad_battery_1", "--file", TRACES, "--json")
    plain = json.loads(asked(capsys, *file))
    assert (plain["nominal_pct"], "capacity_ah" in plain["profile"]) == (None, False)
    known = json.loads(asked(capsys, *file, "--capacity-ah", 14, "--voltage-v", 48))
    assert 92 < known["nominal_pct"] < 95
    assert known["profile"]["capacity_ah"] == 14
    begun = json.loads(asked(capsys, *file, "--from", "75%"))
    assert begun["profile"]["max_energy_wh"] == pytest.approx(1.3 * begun["energy_wh"] / 0.25, rel=0.05)


@pytest.mark.parametrize(
    "words",
    [("--from", "all"), ("--from", "100%"), ("--capacity-ah", "0"), ("--voltage-v", "nan"), ("--name", "two words")],
)
def test_what_makes_no_sense_is_refused(capsys, words):
    """Three lines at most, exit code 2, nothing on standard output."""
    err = asked(capsys, "rad_battery_1", "--file", TRACES, *words, code=2)
    assert err.startswith("chargerd: ")
    assert len(err.splitlines()) <= 3


def test_chargerctl_becomes_it(recorded):
    """The command people type, as a process of its own; its options and the locale go through."""
    out = control(
        "profile", "learn", "bike", "--state", recorded, "--name", "cargo", "--session=2024-03-04 02:00"
    ).stdout
    assert tomllib.loads(out)["vehicle"].keys() == {"cargo"}
    said = control("profile", "learn", "bike", "--watch", "--last", code=2).stderr
    assert "--watch makes a charge of its own" in said or "not allowed with" in said


class Night(Hub):
    """A household in which hours pass as soon as a charge has been asked for."""

    def submit(self, request: ChangeRequest) -> Future[dict[str, Any]]:
        """Carry it out; a trial changes nothing."""
        if request.parameters.get("dry_run"):
            reply: Future[dict[str, Any]] = Future()
            reply.set_result(replies.changed("", done=True))
            return reply
        done = super().submit(request)
        if request.method == "SetMode":
            self.day.until(self.day.clock.mono / 1000 + 6 * HOUR)
        return done


@pytest.mark.parametrize(
    ("load", "code", "said"),
    [
        ("rad-full", 0, "Confidence: high"),
        (Removed(world.load("rad-full"), 0), 1, "nothing was learnt"),
    ],
)
def test_a_charge_that_is_watched_ends_as_a_profile(tmp_path, load, code, said):
    """--watch asks for one full charge, follows it, and proposes; a pack taken off in the middle proposes nothing."""
    (tmp_path / "run").mkdir()
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": load if isinstance(load, str) else "idle"})
    if code:
        day.strip.sockets["bike"].load = Removed(world.load("rad-full"), day.clock.true_s() + HOUR)
    day.until(60)
    with serving(tmp_path / "run", Night(day)):
        ran = control(
            "profile", "learn", "bike", "--watch", "--state", tmp_path, "--socket", tmp_path / "run", code=code
        )
    assert "bike: charging to full, to learn from it" in ran.stderr
    assert said in (ran.stderr if code else ran.stdout)
    session = day.run.site.loadpoints["bike"].last_session
    assert (session.target, session.outcome) == ("full", "removed" if code else "finished")
    assert day.run.site.loadpoints["bike"].target is None  # for that charge only
    if not code:
        assert tomllib.loads(ran.stdout)["vehicle"]["bike-pack"]["full_w"] > 6
    day.run.kill()


def test_a_charge_that_runs_is_not_disturbed(tmp_path):
    """Busy: three lines, and its target stays."""
    (tmp_path / "run").mkdir()
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(600)
    with serving(tmp_path / "run", Night(day)):
        ran = control("profile", "learn", "bike", "--watch", "--state", tmp_path, "--socket", tmp_path / "run", code=1)
    assert len(ran.stderr.splitlines()) == 3
    assert "is in a charging session already" in ran.stderr
    assert day.run.site.loadpoints["bike"].session.target == "nominal"
    day.run.kill()


def test_the_level_that_was_named_at_the_beginning_counts(tmp_path):
    """--watch --from 50%: the charge carries it, and so does the lesson, also a later one from the log."""
    (tmp_path / "run").mkdir()
    pack = Profile("trike", full_w=5)
    day = Day(tmp_path, configuration(loadpoint("bike", pack)), {"bike": "rad-full"})
    day.until(60)
    words = ("profile", "learn", "bike", "--state", tmp_path, "--json")
    with serving(tmp_path / "run", Night(day)):
        ran = control(*words, "--watch", "--from", "50%", "--socket", tmp_path / "run")
    assert day.last("bike").from_pct == 50
    found = json.loads(ran.stdout)
    assert found["profile"]["max_energy_wh"] == pytest.approx(1.3 * found["full_wh"] / 0.5, rel=0.05)
    assert json.loads(control(*words).stdout)["profile"] == found["profile"]
    day.run.kill()


def test_nothing_is_learnt_of_a_car_and_it_says_why(tmp_path, capsys):
    """The curve of a car's own charger says nothing of a pack on a plug."""
    home = Home(tmp_path, with_point("rod", mode="off"))
    home.until(3600)
    home.house.connect(0, None, home.clock.true_s())
    home.until(3700)
    home.run.kill()
    assert main(["learn", "garage", "--state", str(tmp_path)]) == 1
    assert "an EVSE, whose vehicle ends the charge itself" in capsys.readouterr().err
