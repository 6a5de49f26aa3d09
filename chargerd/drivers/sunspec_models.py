"""SunSpec models: where in a model's block each value lies, and how its registers become a number.

The models: https://github.com/sunspec/models   A value that a device does not have is marked by a number of its own for each
type; the scale factor of a value can be marked so as well, and then the value is unknown too. Offsets count from the register
that holds the model's number. Only what a reading has room for is listed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

from msgspec import Struct

SMALLEST_SCALE, LARGEST_SCALE = -10, 10
"""Scale factors of SunSpec's own definition; anything else is no scale factor."""

# What no device at a house's connection can measure. Beyond, a value is unknown, not true.
LIMITS: Mapping[str, tuple[float, float]] = {
    "W": (-1e6, 1e6),
    "Wh": (0.0, 1e12),
    "A": (-5000.0, 5000.0),
    "V": (-1000.0, 1000.0),
    "Hz": (40.0, 70.0),
    "C": (-60.0, 150.0),
    "%": (0.0, 100.0),
    "": (-math.inf, math.inf),
}


class Point(Struct, frozen=True):
    """One value of a block: at which offset, of which type, in which unit, and where its scale factor lies, if it has one."""

    offset: int
    type: str
    unit: str = ""
    scale: int | None = None


SIZES = {
    "int16": 1,
    "uint16": 1,
    "sunssf": 1,
    "enum16": 1,
    "int32": 2,
    "uint32": 2,
    "acc32": 2,
    "float32": 2,
    "uint64": 4,
    "acc64": 4,
}
_SIGNED = {"int16", "int32", "sunssf"}
_ACCUMULATORS = {"acc32", "acc64"}


def number(registers: Sequence[int], offset: int, type_: str, *, low_word_first: bool = False) -> float | int | None:
    """The value at an offset, unscaled; None if the block ends before it or the device marks it as not there.

    An accumulator of 0 is one that the device does not have, or that has not counted yet: unknown either way.
    """
    words = registers[offset : offset + SIZES[type_]]
    if len(words) < SIZES[type_]:
        return None
    data = struct.pack(f">{len(words)}H", *(reversed(words) if low_word_first else words))
    if type_ == "float32":
        value: float = struct.unpack(">f", data)[0]
        return value if math.isfinite(value) else None
    bits = 8 * len(data)
    whole = int.from_bytes(data, "big", signed=type_ in _SIGNED)
    absent = 0 if type_ in _ACCUMULATORS else -(1 << (bits - 1)) if type_ in _SIGNED else (1 << bits) - 1
    return None if whole == absent else whole


def within(value: float | None, unit: str) -> float | None:
    """The value, or None if it is none or nothing could have measured it."""
    low, high = LIMITS[unit]
    return value if value is not None and low <= value <= high else None


class Block:
    """The registers of one model as they were read, from its number on."""

    def __init__(self, model: int, registers: Sequence[int]) -> None:
        self.model = model
        self.registers = registers
        self._points = MODELS[model]

    def value(self, name: str) -> float | None:
        """A value in its unit, scaled. None if the model has none, the device marks it as not there, or it cannot be true."""
        point = self._points.get(name)
        return None if point is None else self.at(point)

    def at(self, point: Point) -> float | None:
        """As `value`, for a point that is not at a fixed place."""
        raw = number(self.registers, point.offset, point.type)
        if raw is None:
            return None
        if point.scale is None:
            return within(float(raw), point.unit)
        scale = number(self.registers, point.scale, "sunssf")
        if scale is None or not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            return None
        # Division by a whole power gives 230.1 where multiplication by 0.1 gives 230.10000000000002.
        return within(raw / 10**-scale if scale < 0 else float(raw * 10**scale), point.unit)

    def whole(self, name: str) -> int | None:
        """An enumeration."""
        value = self.value(name)
        return None if value is None else int(value)


def text(registers: Sequence[int]) -> str:
    """A string of a device: padded with NULs or blanks, at times with control characters and bytes that are no text."""
    data = struct.pack(f">{len(registers)}H", *registers).decode("utf-8", errors="ignore").split("\0", 1)[0]
    return "".join(letter for letter in data if letter.isprintable()).strip()


def _scaled(type_: str, unit: str, scale: int, **offsets: int) -> dict[str, Point]:
    return {name: Point(offset, type_, unit, scale) for name, offset in offsets.items()}


def _floats(unit: str, **offsets: int) -> dict[str, Point]:
    return {name: Point(offset, "float32", unit) for name, offset in offsets.items()}


_INVERTER = {
    **_scaled("uint16", "A", 6, AphA=3, AphB=4, AphC=5),
    **_scaled("uint16", "V", 13, PhVphA=10, PhVphB=11, PhVphC=12),
    **_scaled("int16", "W", 15, W=14),
    **_scaled("uint16", "Hz", 17, Hz=16),
    **_scaled("acc32", "Wh", 26, WH=24),
    **_scaled("int16", "W", 32, DCW=31),
    **_scaled("int16", "C", 37, TmpCab=33, TmpSnk=34),
    "St": Point(38, "enum16"),
}

_FLOAT_INVERTER = {
    **_floats("A", AphA=4, AphB=6, AphC=8),
    **_floats("V", PhVphA=16, PhVphB=18, PhVphC=20),
    **_floats("W", W=22, DCW=38),
    **_floats("Hz", Hz=24),
    **_floats("Wh", WH=32),
    **_floats("C", TmpCab=40, TmpSnk=42),
    "St": Point(48, "enum16"),
}

_MPPT = {"N": Point(8, "uint16")}

_METER = {
    **_scaled("int16", "A", 6, AphA=3, AphB=4, AphC=5),
    **_scaled("int16", "V", 15, PhVphA=8, PhVphB=9, PhVphC=10),
    **_scaled("int16", "Hz", 17, Hz=16),
    **_scaled("int16", "W", 22, W=18, WphA=19, WphB=20, WphC=21),
    **_scaled("acc32", "Wh", 54, TotWhExp=38, TotWhImp=46),
}

_FLOAT_METER = {
    **_floats("A", AphA=4, AphB=6, AphC=8),
    **_floats("V", PhVphA=12, PhVphB=14, PhVphC=16),
    **_floats("Hz", Hz=26),
    **_floats("W", W=28, WphA=30, WphB=32, WphC=34),
    **_floats("Wh", TotWhExp=60, TotWhImp=68),
}

_STORAGE = {
    **_scaled("uint16", "W", 18, WChaMax=2),
    **_scaled("uint16", "%", 22, ChaState=8),
    "ChaSt": Point(11, "enum16"),
}

_BATTERY = {
    **_scaled("uint16", "Wh", 53, WHRtg=3),
    **_scaled("uint16", "W", 54, WChaRteMax=4, WDisChaRteMax=5),
    **_scaled("uint16", "%", 56, SoC=11),
    **_scaled("uint16", "%", 58, SoH=13),
    "ChaSt": Point(16, "enum16"),
    "State": Point(22, "enum16"),
    **_scaled("int16", "W", 63, W=47),
}

_DER_AC = {
    "InvSt": Point(4, "enum16"),
    **_scaled("int16", "W", 116, W=10),
    **_scaled("uint32", "Hz", 115, Hz=17),
    **_scaled("uint64", "Wh", 120, TotWhInj=19, TotWhAbs=23),
    **_scaled("int16", "C", 122, TmpCab=36, TmpSnk=37),
    **_scaled("int16", "W", 116, WL1=41, WL2=64, WL3=87),
    **_scaled("int16", "A", 113, AL1=45, AL2=68, AL3=91),
    **_scaled("uint16", "V", 114, VL1=47, VL2=70, VL3=93),
}

_DER_STORAGE = {
    **_scaled("uint16", "Wh", 7, WHRtg=2),
    **_scaled("uint16", "%", 8, SoC=4, SoH=5),
    "Sta": Point(6, "enum16"),
}

INVERTERS = (101, 102, 103, 111, 112, 113, 701)
METERS = (201, 202, 203, 204, 211, 212, 213, 214)
BATTERIES = (802, 713, 124)
"""The models of a battery; of several the first tells most."""

MODELS: Mapping[int, Mapping[str, Point]] = {
    **dict.fromkeys((101, 102, 103), _INVERTER),
    **dict.fromkeys((111, 112, 113), _FLOAT_INVERTER),
    160: _MPPT,
    **dict.fromkeys((201, 202, 203, 204), _METER),
    **dict.fromkeys((211, 212, 213, 214), _FLOAT_METER),
    124: _STORAGE,
    701: _DER_AC,
    713: _DER_STORAGE,
    802: _BATTERY,
}

LENGTHS: Mapping[int, int] = {
    **dict.fromkeys((101, 102, 103), 40),
    **dict.fromkeys((111, 112, 113), 50),
    **dict.fromkeys((201, 202, 203, 204), 55),
    **dict.fromkeys((211, 212, 213, 214), 70),
    124: 23,
    701: 123,
    713: 9,
    802: 64,
}
"""How many registers of a model are read, from its number on; a model that is not listed is read whole."""
