"""Replies: what people get to read after a change, a reading and a check."""

from __future__ import annotations

import pytest

from chargerd.config.load import ConfigError, Loaded
from chargerd.config.problems import Problem
from chargerd.daemon import replies
from chargerd.engine.evolve import fold
from chargerd.model.commands import SetEnabled
from chargerd.model.events import ChargerRead, ConfigLoaded, DeviceAdded, Event, MeterRead, ReadFailed, StorageRead
from chargerd.model.settings import Configuration
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from chargerd.protocol.types import TYPES
from tests.house import configuration, loadpoint

SITE = fold(Site(), [Event(1, 0, 0, 1, "daemon", ConfigLoaded(configuration(loadpoint("bike"), loadpoint("trike"))))])
RUNNING = Loaded(Configuration(files=("/etc/chargerd/chargerd.toml",)), {}, {}, (), {})


def test_a_change_has_the_fields_that_the_table_promises():
    """Those of the two schedule methods have the entry's name besides."""
    common = {"kind", "now", "now_local"}  # put on by the server
    reply = replies.changed("bike: fast.", done=True, notes=("a note",), seq=7)
    assert set(reply) | common == set(METHODS["SetMode"].reply)
    assert (reply["text"], reply["changed"], reply["notes"], reply["seq"]) == ("bike: fast.", True, ["a note"], 7)
    added = reply | replies.entry("AddSchedule", "bike.1")
    assert set(added) | common == set(METHODS["AddSchedule"].reply)
    assert added["entry"] == "bike.1"
    assert replies.entry("RemoveSchedule", "bike.1") == {"entry": "bike.1"}
    assert replies.entry("SetMode", None) == {}


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (SetEnabled("shed/bike", True, 900), "switch on, off by itself after 900 s unless told again"),
        (SetEnabled("shed/bike", True), "switch on"),
        (SetEnabled("shed/bike", False), "switch off"),
    ],
)
def test_a_rehearsal_lists_its_commands_in_words(command, text):
    """Where it would go and what it would do there."""
    (told,) = replies.changed("", done=False, commands=[command])["commands"]
    assert told == {"kind": "command", "device": "shed/bike", "text": text}
    assert set(told) == set(TYPES["Command"])


def test_a_reading_shows_what_the_device_said_and_nothing_that_it_did_not():
    """One row a channel with all fields; the text leaves out what is unknown."""
    facts = [DeviceAdded("kasa"), ChargerRead("bike", True, 103.9), ChargerRead("trike", False)]
    reply = replies.reading("shed", facts, 340, SITE)
    assert reply["text"] == "shed/bike: enabled True   power_w 103.9\nshed/trike: enabled False"
    assert [row["address"] for row in reply["readings"]] == ["shed/bike", "shed/trike"]
    assert set(reply["readings"][0]) == set(TYPES["Reading"])
    assert reply["readings"][0]["values"]["power_w"] == 103.9
    assert reply["readings"][1]["values"]["power_w"] is None

    assert reply["took_ms"] == 340


def test_a_reading_of_an_inverter_shows_its_meter_and_its_battery():
    """Every kind of reading has its row."""
    facts = [MeterRead("meter1", -1200.0), StorageRead("battery1", 400.0, 62.0)]
    reply = replies.reading("inverter", facts, 20, SITE)
    assert reply["text"] == "inverter/meter1: power_w -1200.0\ninverter/battery1: power_w 400.0   soc_pct 62.0"
    assert reply["readings"][1]["values"]["soc_pct"] == 62.0
    assert "channel" not in reply["readings"][0]["values"]


def test_a_plug_without_channels_is_read_under_its_own_name():
    """Its address has no slash."""
    assert replies.reading("lamp", [ChargerRead("", True)], 1, SITE)["readings"][0]["address"] == "lamp"


def test_a_device_that_does_not_answer_is_an_error_which_names_who_is_not_watched():
    """The device's own words, or the kind of failure where it has none."""
    with pytest.raises(CallError) as caught:
        replies.reading("shed", [ReadFailed("unreachable", "no route to host")], 5000, SITE)
    assert caught.value.short == "DeviceFailed"
    assert str(caught.value) == "shed: no route to host"
    assert caught.value.parameters["means"].startswith("bike, trike ")
    with pytest.raises(CallError, match="garage: access-denied") as caught:
        replies.reading("garage", [ReadFailed("access-denied")], 5000, SITE)
    assert caught.value.parameters["means"] == "No loadpoint charges through it."


def test_a_check_names_every_mistake_with_its_place():
    """File and line, what is wrong, what would be accepted; the files are those that run."""

    def broken() -> Loaded:
        raise ConfigError(
            [
                Problem(
                    "/etc/chargerd/chargerd.toml", 3, "loadpoint.bike.targett", "is no key", "Did you mean target?"
                ),
                Problem("/etc/chargerd/chargerd.toml", 9, "device.shed.port", "must be at most 65535"),
            ]
        )

    reply = replies.checked(broken, RUNNING)
    assert [mistake["place"] for mistake in reply["mistakes"]] == [
        "/etc/chargerd/chargerd.toml:3",
        "/etc/chargerd/chargerd.toml:9",
    ]
    assert reply["mistakes"][0] == {
        "kind": "mistake",
        "place": "/etc/chargerd/chargerd.toml:3",
        "text": "is no key",
        "allowed": "Did you mean target?",
    }
    assert set(reply["mistakes"][0]) == set(TYPES["Mistake"])
    assert "targett" in reply["text"]
    assert reply["files"] == ["/etc/chargerd/chargerd.toml"]


def test_a_check_of_sound_files_names_those_that_were_read():
    """Not those that run: a file may have been added."""
    found = Loaded(Configuration(files=("/etc/chargerd/chargerd.toml", "/etc/chargerd/new.toml")), {}, {}, (), {})
    reply = replies.checked(lambda: found, RUNNING)
    assert reply == {
        "text": "The configuration is in order.",
        "mistakes": [],
        "files": ["/etc/chargerd/chargerd.toml", "/etc/chargerd/new.toml"],
    }
