"""Charges: recorded charges out of a log or out of a CSV file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from chargerd.model.events import ChargerRead
from chargerd.sim import charges
from chargerd.sim.refused import NO_SUCH, Refused
from chargerd.store.reader import open_reader
from tests.house import Day, configuration, loadpoint

TRACES = Path(__file__).parents[2] / "benchmarks" / "traces" / "ebike_charge_power.csv"
HOUR = 3600


@pytest.fixture
def made(tmp_path) -> Day:
    """A full charge and a nominal one after it, with another plug beside them."""
    points = (loadpoint("bike", target="full"), loadpoint("other"))
    day = Day(tmp_path, configuration(*points), {"bike": "rad-full", "other": "idle"})
    day.until(60)
    day.charge("bike")
    day.until(5 * HOUR)
    day.charge("other")
    day.until(6 * HOUR)
    day.run.stop()
    return day


def test_a_session_has_the_readings_of_its_own_socket(made):
    """From its grant to its end, in seconds, as many as were recorded."""
    with open_reader(made.path) as log:
        (session,) = charges.of_log(log, "bike")
        charge = charges.readings(log, session)
    assert charge.points is not None
    own = [
        e.body.power_w
        for e in made.all(ChargerRead)
        if e.body.channel == "bike" and session.number < e.seq and e.at_ms <= session.ended_at_ms
    ]
    assert [point.power_w for point in charge.points] == own
    assert charge.points[-1].t_s == pytest.approx((session.ended_at_ms - session.started_at_ms) / 1000, abs=1)


def test_a_clock_that_is_set_does_not_stretch_a_charge(tmp_path):
    """Somebody sets the wall clock two hours on in mid-charge; the curve goes by the monotonic clock."""
    day = Day(tmp_path, configuration(loadpoint("bike", target="full")), {"bike": "rad-full"})
    day.until(60)
    day.charge("bike")
    day.until(3000)
    day.clock.skew_ms = 7_200_000
    day.until(5 * HOUR)
    day.run.kill()
    with open_reader(day.path) as log:
        (session,) = charges.of_log(log, "bike")
        points = charges.readings(log, session).points
    assert (session.ended_at_ms - session.started_at_ms) / 1000 > points[-1].t_s + 7000
    assert max(b.t_s - a.t_s for a, b in pairwise(points)) < 60


def test_which_session_is_meant(made):
    """By a time, by its number, the last, or all of them; a loadpoint without any is refused in three lines."""
    with open_reader(made.path) as log:
        (bike,) = charges.of_log(log, "bike")
        assert charges.of_log(log, "bike", at_ms=bike.started_at_ms + 3_600_000) == [bike]
        assert charges.of_log(log, "bike", number=bike.number) == [bike]
        assert charges.of_log(log, "bike", last=True) == [bike]
        for wrong in ({"at_ms": bike.started_at_ms - 1}, {"number": 3}):
            with pytest.raises(Refused) as refused:
                charges.of_log(log, "bike", **wrong)
            assert len(refused.value.lines().splitlines()) == 3


def test_a_file_of_several_chargers_gives_the_charges_of_one():
    """The recorded ones: two nights of the same charger are two charges, the later one first."""
    found = charges.of_file(TRACES, "rad_battery_1")
    assert [len(charge.points) for charge in found] == [37, 19]
    assert found[0].points[0] == charges.Point(0.0, 103.975)
    assert found[0].began_ms > found[1].began_ms


def test_a_file_with_seconds_and_relay_is_read(tmp_path):
    """Comments, unknown powers and a byte order mark do no harm; a name is needed only if there are several."""
    file = tmp_path / "charge.csv"
    file.write_text("\ufefft_s,power_w,enabled\n# a comment\n0,,true\n10,99.5,true\n20,,false\n5,98,true\n")
    (charge,) = charges.of_file(file, "whatever")
    assert charge.points == [
        charges.Point(0.0, 98.0),
        charges.Point(5.0, 99.5),
        charges.Point(15.0, 0.0, enabled=False),
    ]
    assert charge.began_ms is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("power_w\n5\n", ":1: columns power_w and one of"),
        ("t_s,watts\n0,5\n", ":1: columns power_w and one of"),
        ("t_s,power_w\n0,5\n# note\n1,much\n", ':4: power_w "much" is no number'),
        ("t_s,power_w\n0,nan\n", 'power_w "nan" is no number'),
        ("at,power_w\nsoon,5\n", ':2: at "soon" is no time'),
        ("t_s,power_w\n0\n", "has no reading"),
    ],
)
def test_a_file_that_is_no_charge_is_refused_with_its_line(tmp_path, text, said):
    """Nothing is guessed."""
    file = tmp_path / "charge.csv"
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        charges.of_file(file, "bike")
    assert said in refused.value.message
    assert refused.value.code in (1, 2)


def test_a_name_that_the_file_does_not_have_is_refused(tmp_path):
    """With those that it has."""
    with pytest.raises(Refused) as refused:
        charges.of_file(TRACES, "rad")
    assert refused.value.code == NO_SUCH
    assert "rad_battery_1" in refused.value.hint
    with pytest.raises(Refused) as missing:
        charges.of_file(tmp_path / "none.csv", "rad")
    assert "no such file" in missing.value.message
    assert missing.value.hint == f"Look: ls -l {tmp_path}/none.csv"
