"""The driver that plays back recorded readings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.drivers.replayed import Driver
from chargerd.model.commands import SetEnabled
from chargerd.model.events import ChargerRead, MeterRead, StorageRead

S0_TAIL_W = (4.166, 5.581, 5.418, 5.074, 4.744, 4.393, 4.032, 3.732)


def player(path: Path, *channels: str, now_s: Any = None, **keys: Any) -> Driver:
    """A driver called "tape" that polls every 60 s."""
    settings = {"driver": "replayed", "path": str(path), "poll_s": 60.0, **keys}
    return Driver("tape", Driver.Config(**settings), channels, {}, now_s=now_s)


@pytest.fixture
def tail(tmp_path: Path) -> Path:
    """The end of a charge as S0 logged it, a reading a minute, as CSV with a comment."""
    path = tmp_path / "tail.csv"
    rows = "".join(f"{60 * number},{power_w}\n" for number, power_w in enumerate(S0_TAIL_W))
    path.write_text("# S0 sample log\nt_s,power_w\n" + rows, "utf-8")
    return path


def test_a_recording_is_played_in_order_and_then_ends(tail: Path) -> None:
    """Eight readings a minute apart, eight polls, then nobody answers."""
    driver = player(tail)
    assert [driver.read()[0].power_w for _ in S0_TAIL_W] == list(S0_TAIL_W)
    with pytest.raises(Unreachable, match="ended after 420 s"):
        driver.read()


def test_a_recording_can_repeat(tail: Path) -> None:
    """After the last comes the first."""
    driver = player(tail, repeat=True)
    played = [driver.read()[0].power_w for _ in range(10)]
    assert played == [*S0_TAIL_W, S0_TAIL_W[0], S0_TAIL_W[1]]


def test_the_newest_reading_before_the_clock_is_given(tail: Path) -> None:
    """At 119 s the reading of 60 s still holds."""
    time = [5000.0]
    driver = player(tail, now_s=lambda: time[0])
    driver.read()
    time[0] += 119
    assert driver.read()[0].power_w == 5.581


def test_json_lines_carry_every_field_and_several_channels(tmp_path: Path) -> None:
    """Two sockets in one instant; a channel that nobody configured is left out."""
    path = tmp_path / "strip.jsonl"
    path.write_text(
        '{"t_s": 0, "channel": "a", "enabled": true, "power_w": 100.5, "energy_wh": 7}\n'
        '{"t_s": 0, "channel": "b", "enabled": false, "power_w": 0}\n'
        '{"t_s": 0, "channel": "c", "power_w": 1}\n',
        "utf-8",
    )
    assert player(path, "a", "b").read() == (
        ChargerRead(channel="a", enabled=True, power_w=100.5, energy_wh=7),
        ChargerRead(channel="b", enabled=False, power_w=0),
    )


def test_an_empty_cell_is_unknown(tmp_path: Path) -> None:
    """No power was recorded at 60 s."""
    path = tmp_path / "gap.csv"
    path.write_text("t_s,enabled,power_w\n0,true,100\n60,true,\n", "utf-8")
    driver = player(path)
    assert [driver.read()[0] for _ in range(2)] == [
        ChargerRead(enabled=True, power_w=100.0),
        ChargerRead(enabled=True, power_w=None),
    ]


def test_a_command_is_kept_and_changes_nothing_that_was_recorded(tail: Path) -> None:
    """The power goes on as recorded; the relay, which the recording does not know, is as commanded."""
    driver = player(tail)
    assert driver.read()[0].enabled is None
    driver.apply(SetEnabled("tape", False))
    assert (driver.read()[0].enabled, driver.read()[0].power_w) == (False, 5.418)
    assert driver.applied == [SetEnabled("tape", False)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t_s,power_w\n0,much\n", r"bad.csv:2: "),
        ("t_s,powr_w\n0,1\n", r"bad.csv:2: .*powr_w"),
        ("power_w\n1\n", r"bad.csv:2: 't_s'"),
        ("t_s,power_w\n60,1\n0,1\n", r"bad.csv:3: t_s goes back"),
        ("# nothing\n", "holds no reading"),
    ],
)
def test_a_recording_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """A word for a number, a misspelt field, no time, time that goes back, no reading."""
    path = tmp_path / "bad.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UnexpectedAnswer, match=says):
        player(path).describe()


def test_a_recording_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(Unreachable, match=r"gone\.csv"):
        player(tmp_path / "gone.csv").read()


def test_meters_and_house_batteries_can_be_played_too(tmp_path: Path) -> None:
    """Each row says what it is a reading of; another word is refused with its line."""
    path = tmp_path / "roof.jsonl"
    rows = (
        '{"t_s": 0, "reading": "meter", "channel": "meter1", "power_w": -1200}',
        '{"t_s": 0, "reading": "storage", "channel": "battery1", "power_w": -400, "soc_pct": 62}',
    )
    path.write_text("\n".join(rows), "utf-8")
    assert player(path, "meter1", "battery1").read() == (
        MeterRead("meter1", -1200.0),
        StorageRead("battery1", -400.0, 62.0),
    )
    path.write_text('{"t_s": 0, "reading": "moon", "power_w": 1}', "utf-8")
    with pytest.raises(
        UnexpectedAnswer, match=r"roof.jsonl:1: 'moon' is no kind of reading; known: charger, meter, storage"
    ):
        player(path).read()
