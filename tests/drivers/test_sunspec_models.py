"""SunSpec's tables: each place, type and scale factor is that of pysunspec2's definitions; what is not there is None."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import sunspec2
from hypothesis import given, settings
from hypothesis import strategies as st

from chargerd.drivers import sunspec_readings as readings
from chargerd.drivers.sunspec_models import (
    INVERTERS,
    LENGTHS,
    LIMITS,
    METERS,
    MODELS,
    SIZES,
    Block,
    Point,
    number,
    text,
    within,
)

DEFINITIONS = Path(sunspec2.__file__).parent / "models" / "json"


def defined(model: int) -> dict[str, tuple[int, dict[str, Any]]]:
    """Offset and definition of each point of a model, by name."""
    group = json.loads((DEFINITIONS / f"model_{model}.json").read_text("utf-8"))["group"]
    found, offset = {}, 0
    for point in group["points"]:
        found[point["name"]] = (offset, point)
        offset += point["size"]
    return found


@pytest.mark.parametrize("model", MODELS)
def test_every_value_is_where_its_definition_says(model: int) -> None:
    """S1-01: place, type, scale factor and unit of every value of every model that we read, and that we read far enough."""
    definition = defined(model)
    for name, point in MODELS[model].items():
        offset, told = definition[name]
        assert point.offset == offset, name
        assert point.type == {"count": "uint16"}.get(told["type"], told["type"]), name
        assert SIZES[point.type] == told["size"], name
        assert point.scale == (definition[told["sf"]][0] if "sf" in told else None), name
        assert point.unit == "" or told["units"].upper().startswith(point.unit.upper().replace("%", "")), name
        end = max(point.offset + SIZES[point.type], 1 + (point.scale or 0))
        assert model not in LENGTHS or end <= LENGTHS[model] <= 125, name


@pytest.mark.parametrize(
    ("type_", "words", "value"),
    [
        ("int16", [0x8000], None),
        ("int16", [0xFFFF], -1),
        ("int16", [0x7FFF], 32767),
        ("uint16", [0xFFFF], None),
        ("uint16", [0x8000], 32768),
        ("enum16", [0xFFFF], None),
        ("sunssf", [0x8000], None),
        ("sunssf", [0xFFFE], -2),
        ("int32", [0x8000, 0], None),
        ("int32", [0xFFFF, 0xFFFE], -2),
        ("uint32", [0xFFFF, 0xFFFF], None),
        ("uint32", [0x0001, 0x0000], 65536),
        ("acc32", [0, 0], None),
        ("acc32", [0x00BC, 0x614E], 12_345_678),
        ("uint64", [0xFFFF] * 4, None),
        ("uint64", [0, 1, 0, 0], 1 << 32),
        ("acc64", [0] * 4, None),
        ("float32", [0x7FC0, 0], None),
        ("float32", [0xFFFF, 0xFFFF], None),
        ("float32", [0x7F80, 0], None),  # infinity
        ("float32", [0xFF80, 0], None),
        ("float32", [0xC4BB, 0x9000], -1500.5),
        ("float32", [0xC4BB], None),  # cut off
        ("int16", [], None),
    ],
)
def test_each_type_has_its_own_way_to_say_that_there_is_none(type_: str, words: list[int], value: float | None) -> None:
    """S1-02: 0x8000, 0xFFFF, NaN and the rest are None, never 0; their neighbours are numbers."""
    assert number(words, 0, type_) == value


def test_low_word_first() -> None:
    """-1500.5 W as SolarEdge's battery has it: 0x9000, 0xC4BB."""
    assert number([0x9000, 0xC4BB], 0, "float32", low_word_first=True) == -1500.5
    assert number([1, 0, 0, 0], 0, "uint64", low_word_first=True) == 1
    assert number([0x0258, 0], 0, "uint32", low_word_first=True) == 600


@pytest.mark.parametrize(
    ("raw", "scale", "value"),
    [
        (2301, -1, 230.1),
        (5002, -2, 50.02),
        (0x8000, -1, None),
        (3, 3, 3000.0),
        (3, 0x8000, None),  # the scale factor is not there
        (0x8000, 0x8000, None),  # S1: -32768 × 10^-32768 was shown as 0 W
        (3, 11, None),
        (3, -11, None),
        (-4127 & 0xFFFF, -1, -412.7),
        (3000, 3, None),  # three megawatts
    ],
)
def test_a_value_without_a_true_scale_factor_is_none(raw: int, scale: int, value: float | None) -> None:
    """S1-02: both are looked at before they are multiplied, and what no house can have is not believed."""
    block = Block(103, [0] * 14 + [raw, scale & 0xFFFF] + [0] * 24)
    assert block.value("W") == value


def test_a_model_has_no_value_that_it_does_not_define() -> None:
    """An inverter of model 103 has no power for each phase."""
    assert Block(103, [0] * 40).value("WphA") is None


def test_values_that_nothing_could_have_measured_are_none() -> None:
    """S1-02: 101 %, 20 Hz, 900 °C."""
    assert within(101.0, "%") is None
    assert within(-0.1, "%") is None
    assert within(20.0, "Hz") is None
    assert within(900.0, "C") is None
    assert within(None, "W") is None
    assert [within(value, "%") for value in (0.0, 100.0)] == [0.0, 100.0]


def test_a_string_ends_at_its_first_nul_and_has_no_control_characters() -> None:
    """Serial numbers come with bytes of all kinds."""

    def words(data: bytes) -> list[int]:
        return list(struct.unpack(f">{len(data) // 2}H", data))

    assert text(words(b"7E0C\x011234\0\0rest?")) == "7E0C1234"
    assert text(words(b"\xff\xfe Sun \0")) == "Sun"
    assert text([]) == ""


@settings(deadline=None)
@given(
    st.sampled_from([*INVERTERS, *METERS, 124, 713, 802, 160]),
    st.lists(st.integers(0, 0xFFFF), max_size=150),
    st.data(),
)
def test_no_registers_whatever_make_a_reading_fail_or_lie(model: int, words: list[int], data: st.DataObject) -> None:
    """S1-02: any words at all, too few too: every number of the reading is none or one that could be."""
    scales = {point.scale for point in MODELS[model].values() if point.scale is not None}
    for place in scales & set(range(len(words))):
        words[place] = data.draw(st.integers(-4, 4)) & 0xFFFF  # else nearly all would be none
    block = Block(model, words)
    if model in INVERTERS:
        told: Any = readings.inverter("inverter", block)
    elif model in METERS:
        told = readings.meter("meter1", block, export_is_positive=True)
    else:
        told = readings.storage("battery1", {model: block})
    units = {"w": "W", "wh": "Wh", "a": "A", "v": "V", "hz": "Hz", "c": "C", "pct": "%", "s": "s"}
    for name in told.__struct_fields__:
        value = getattr(told, name)
        if isinstance(value, float) and not (name == "power_w" and model == 160):
            low, high = LIMITS[units[name.rsplit("_", 1)[1]]]
            assert low <= value <= high, name


def test_a_point_can_lie_anywhere() -> None:
    """The modules of model 160 repeat, so their places are counted."""
    block = Block(160, [160, 28, 0, 0, 1, 0, 0, 0, 1, 0] + [0] * 11 + [17] + [0] * 8)
    assert block.at(Point(21, "uint16", "W", 4)) == 170
