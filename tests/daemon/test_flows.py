"""Powers in words: whose they are, and which way they go."""

from chargerd.daemon.flows import between, flowing, place_of, power_of
from chargerd.model.events import ChargerRead, MeterRead, ReadFailed
from tests.sunny import PLAIN


def test_direction_is_a_word_where_it_matters():
    """Nobody has to know what a minus means; next to nothing goes nowhere."""
    assert [flowing(power_w, "grid") for power_w in (1200.0, -1200.0, 0.2)] == [
        "importing 1.2 kW",
        "exporting 1.2 kW",
        "0.2 W",
    ]
    assert [flowing(power_w, "storage") for power_w in (400.0, -400.0)] == ["discharging 400 W", "charging 400 W"]
    assert flowing(4930.0, "pv") == "4.9 kW"


def test_a_span_has_two_ends_unless_they_read_alike():
    """From the lowest to the highest."""
    assert between(-1200.0, 300.0, "grid") == "exporting 1.2 kW – importing 300 W"
    assert between(2310.0, 2320.0, "pv") == "2.3 kW"


def test_an_address_is_what_the_configuration_calls_it():
    """A meter, a house battery, or just an address; a meter mounted the other way round counts the other way round."""
    assert [place_of(f"inverter/{channel}", PLAIN)[:2] for channel in ("meter1", "inverter", "battery1", "x")] == [
        ("grid", "grid"),
        ("pv", "pv"),
        ("house", "storage"),
        ("inverter/x", ""),
    ]
    turned = place_of("inverter/meter1", PLAIN)._replace(invert=True)
    assert power_of(MeterRead("meter1", -1200.0), turned) == 1200.0
    assert power_of(ReadFailed("unreachable"), turned) is None
    assert power_of(ChargerRead(), place_of("box", PLAIN)) is None
