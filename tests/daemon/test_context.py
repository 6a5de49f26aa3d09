"""What every answer has in common: times in the right zone, and names that are told from wrong ones."""

import pytest

from chargerd.daemon.context import Context, chosen, no_device, no_entry, no_loadpoint, suggestion, zone_of
from chargerd.model import windows
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from tests.house import MONDAY_MS, configuration, loadpoint

SITE = Site(configuration=configuration(loadpoint("garage"), loadpoint("carport")))
HERE = Context(SITE, MONDAY_MS, MONDAY_MS, (), windows.zone("Europe/Berlin"))


def test_times_are_said_in_both_ways():
    """UTC for scripts, the site's clock for people; unknown stays unknown."""
    assert (HERE.utc(MONDAY_MS), HERE.local(MONDAY_MS)) == ("2024-03-03T23:00:00Z", "2024-03-04T00:00:00+01:00")
    assert (HERE.utc(None), HERE.local(None)) == (None, None)
    assert HERE.clock(MONDAY_MS) == "00:00"


def test_reply_carries_its_time():
    """Every reply says when it was true."""
    assert HERE.stamped("status", "all is well", power_w=None) == {
        "kind": "status",
        "now": "2024-03-03T23:00:00Z",
        "now_local": "2024-03-04T00:00:00+01:00",
        "text": "all is well",
        "power_w": None,
    }


def test_time_that_is_none_is_refused():
    """A wrong time names itself; one that was left out is none."""
    assert HERE.time({"since": None}, "since") is None
    with pytest.raises(CallError, match="soon"):
        HERE.time({"since": "soon"}, "since")


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", "", "Europe", "a\0b", "x" * 5000]
)
def test_zone_that_does_not_exist_is_refused(zone):
    """A zone is an IANA name and never a path."""
    with pytest.raises(CallError) as caught:
        zone_of({"zone": zone}, SITE)
    assert caught.value.parameters["parameter"] == "zone"


def test_zone_of_the_site_if_none_is_asked_for():
    """Whoever asks for none gets the site's."""
    assert str(zone_of({"zone": None}, SITE)) == "Europe/Berlin"
    assert str(zone_of({"zone": "Asia/Tokyo"}, SITE)) == "Asia/Tokyo"


def test_wrong_name_is_told_what_there_is():
    """Three lines: what, what that means, what there is; with a guess if one is close."""
    error = no_loadpoint("garge", SITE)
    assert str(error) == 'no loadpoint "garge". Did you mean garage?'
    assert error.parameters["hint"] == "Known: carport garage"
    assert error.parameters["known"] == ["carport", "garage"]
    assert no_device("plug", SITE).short == "NoSuchDevice"
    assert no_entry("x", []).parameters["hint"] == "There is no schedule entry at all."
    assert suggestion("zzz", ["garage"]) == ""


def test_names_come_in_the_order_of_the_configuration():
    """Whatever the order in which they were asked for; none means all."""
    assert chosen(["carport", "garage"], SITE) == chosen(None, SITE) == chosen([], SITE) == ["garage", "carport"]
    with pytest.raises(CallError):
        chosen(["garage", "x"], SITE)
