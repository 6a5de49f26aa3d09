"""SolarEdge battery: the block of registers with which SolarEdge tells of a battery.

SolarEdge does not publish it. The table is that of https://github.com/WillCodeForCats/solaredge-modbus-multi and
https://github.com/nmakel/solaredge_modbus, which agree. Here, other than in all of SunSpec, the low word comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from chargerd.drivers.sunspec_models import number, within
from chargerd.model.events import StorageRead

BASES = {"battery1": (0xE100, 0xF500), "battery2": (0xE200,)}
"""Where a battery's block can begin; 0xF500 is the older place of the same registers."""

INFO_COUNT = 68
"""The first registers of a block, which tell which battery it is."""
DATA_OFFSET, DATA_COUNT = 68, 86
"""Those that change. Two requests of these lengths are what devices in the field are known to answer."""

_ID, _RATED_WH = 0x40, 0x42
NO_DEVICE = (255, 0xFFFF)

# With status "off" the power is what it was last: solaredge-modbus-multi, sensor.py.
STATUS = {
    0: "off",
    1: "standby",
    2: "starting",
    3: "charging",
    4: "discharging",
    5: "fault",
    6: "preserving",
    7: "idle",
    10: "standby",  # saves power
}
_MOST_W = 100_000.0  # far beyond what one battery of a house takes or gives


def is_there(info: Sequence[int]) -> bool:
    """Whether there is a battery behind a block, by its first registers: it has a number.

    Its capacity does not tell: that is NaN while the battery's line is down, and then there is one all the same.
    """
    return info[_ID] not in NO_DEVICE


def reading(channel: str, info: Sequence[int], data: Sequence[int]) -> StorageRead:
    """What a battery says. SolarEdge counts charging as positive, we discharging."""

    def value(offset: int, unit: str) -> float | None:
        return within(real(data, offset - DATA_OFFSET), unit)

    def power(offset: int) -> float | None:
        power_w = real(data, offset - DATA_OFFSET)
        return power_w if power_w is not None and abs(power_w) <= _MOST_W else None

    def counter(offset: int) -> float | None:
        count = number(data, offset - DATA_OFFSET, "uint64", low_word_first=True)
        return within(float(count), "Wh") if count else None

    code = number(data, 0x86 - DATA_OFFSET, "uint32", low_word_first=True)
    status = None if code is None else STATUS.get(int(code))
    charged_with_w = None if status == "off" else power(0x74)
    full_wh = value(0x7E, "Wh")
    return StorageRead(
        channel=channel,
        power_w=None if charged_with_w is None else 0.0 - charged_with_w,
        soc_pct=value(0x84, "%"),
        soh_pct=value(0x82, "%"),
        capacity_wh=full_wh or within(real(info, _RATED_WH), "Wh"),
        max_charge_w=power(0x44),
        max_discharge_w=power(0x46),
        charged_wh=counter(0x7A),
        discharged_wh=counter(0x76),
        temperature_c=value(0x6C, "C"),
        status=status,
    )


def real(registers: Sequence[int], offset: int) -> float | None:
    """A float of this block; None where it says nothing by NaN.

    It says so by the largest number of either sign too, which is no power, level or temperature: `within` takes it away.
    """
    return number(registers, offset, "float32", low_word_first=True)
