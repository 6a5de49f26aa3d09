"""SunSpec readings: what the blocks of a device say, as readings with our signs.

Signs of SunSpec: an inverter's power is positive when it produces. A meter's sign is the maker's choice, so the driver says which
it is. A battery's power (model 802) is "to or from" it, so its direction is taken from the charge status.
"""

from __future__ import annotations

from collections.abc import Mapping

from chargerd.drivers.sunspec_models import Block, Point, text
from chargerd.model.events import MeterRead, StorageRead

INVERTER_STATUS = {
    1: "off",
    2: "sleeping",
    3: "starting",
    4: "producing",
    5: "throttled",
    6: "shutting-down",
    7: "fault",
    8: "standby",
}
_DER_STATUS = {code - 1: word for code, word in INVERTER_STATUS.items()}  # model 701 counts from 0

CHARGE_STATUS = {1: "off", 2: "idle", 3: "discharging", 4: "charging", 5: "idle", 6: "preserving"}
"""Off, empty, discharging, charging, full, holding. 7 is "testing", for which we have no word."""
_BANK_FAULT, _STORAGE_FAULT = 99, 2

MPPT_HEAD, MPPT_MODULE = 10, 20
_CHARGING, _DISCHARGING = "StCha", "StDisCha"
"""How Fronius hybrids name the two modules of model 160 that stand for the battery: https://github.com/evcc-io/evcc,
templates/definition/meter/sunspec-hybrid.yaml, reads the same two by their places."""


def inverter(channel: str, block: Block, mppt: Block | None = None) -> MeterRead:
    """What an inverter says, of one of the models 101–103, 111–113 and 701; ``mppt`` is model 160 if there is one."""
    if block.model == 701:
        return _der(channel, block)
    dc_power_w = block.value("DCW")
    sink_c = block.value("TmpSnk")
    return MeterRead(
        channel=channel,
        power_w=block.value("W"),
        current_l1_a=block.value("AphA"),
        current_l2_a=block.value("AphB"),
        current_l3_a=block.value("AphC"),
        voltage_l1_v=block.value("PhVphA"),
        voltage_l2_v=block.value("PhVphB"),
        voltage_l3_v=block.value("PhVphC"),
        export_wh=block.value("WH"),
        frequency_hz=block.value("Hz"),
        dc_power_w=_dc_power_w(mppt) if dc_power_w is None and mppt is not None else dc_power_w,
        temperature_c=block.value("TmpCab") if sink_c is None else sink_c,
        status=_word(INVERTER_STATUS, block.whole("St")),
    )


def _der(channel: str, block: Block) -> MeterRead:
    sink_c = block.value("TmpSnk")
    return MeterRead(
        channel=channel,
        power_w=block.value("W"),
        power_l1_w=block.value("WL1"),
        power_l2_w=block.value("WL2"),
        power_l3_w=block.value("WL3"),
        current_l1_a=block.value("AL1"),
        current_l2_a=block.value("AL2"),
        current_l3_a=block.value("AL3"),
        voltage_l1_v=block.value("VL1"),
        voltage_l2_v=block.value("VL2"),
        voltage_l3_v=block.value("VL3"),
        import_wh=block.value("TotWhAbs"),
        export_wh=block.value("TotWhInj"),
        frequency_hz=block.value("Hz"),
        temperature_c=block.value("TmpCab") if sink_c is None else sink_c,
        status=_word(_DER_STATUS, block.whole("InvSt")),
    )


def meter(channel: str, block: Block, *, export_is_positive: bool) -> MeterRead:
    """What a meter says, import positive, of one of the models 201–204 and 211–214. Counters are named, so they need no sign."""

    def imported(name: str) -> float | None:
        value = block.value(name)
        return None if value is None else 0.0 - value if export_is_positive else value

    return MeterRead(
        channel=channel,
        power_w=imported("W"),
        power_l1_w=imported("WphA"),
        power_l2_w=imported("WphB"),
        power_l3_w=imported("WphC"),
        current_l1_a=block.value("AphA"),
        current_l2_a=block.value("AphB"),
        current_l3_a=block.value("AphC"),
        voltage_l1_v=block.value("PhVphA"),
        voltage_l2_v=block.value("PhVphB"),
        voltage_l3_v=block.value("PhVphC"),
        import_wh=block.value("TotWhImp"),
        export_wh=block.value("TotWhExp"),
        frequency_hz=block.value("Hz"),
    )


def storage(channel: str, blocks: Mapping[int, Block]) -> StorageRead:
    """What a battery says, of the models 802, 713 and 124, and 160 for its power; of two that say the same the first counts."""
    bank, der, basic = blocks.get(802), blocks.get(713), blocks.get(124)
    status = _storage_status(bank, der, basic)
    power_w = None if bank is None else _directed(bank.value("W"), status)
    if power_w is None and 160 in blocks:
        power_w = battery_power_w(blocks[160])
    charge_w = _first((bank, "WChaRteMax"), (basic, "WChaMax"))
    return StorageRead(
        channel=channel,
        power_w=power_w,
        soc_pct=_first((bank, "SoC"), (der, "SoC"), (basic, "ChaState")),
        soh_pct=_first((bank, "SoH"), (der, "SoH")),
        capacity_wh=_first((bank, "WHRtg"), (der, "WHRtg")),
        max_charge_w=charge_w,
        max_discharge_w=_first((bank, "WDisChaRteMax")),
        status=status,
    )


def battery_power_w(mppt: Block) -> float | None:
    """What the battery behind an inverter discharges, by the two modules of model 160 that stand for it, if it has these."""
    modules = _modules(mppt)
    flows = [(name, power_w) for name, power_w in modules if name.startswith((_CHARGING, _DISCHARGING))]
    if not flows or any(power_w is None for _, power_w in flows):
        return None
    return sum(-(power_w or 0.0) if name.startswith(_CHARGING) else (power_w or 0.0) for name, power_w in flows)


def _dc_power_w(mppt: Block) -> float | None:
    # A module that charges the battery takes away from what the inverter gets; one that is silent adds nothing we know of.
    powers = [
        -power_w if name.startswith(_CHARGING) else power_w for name, power_w in _modules(mppt) if power_w is not None
    ]
    return sum(powers) if powers else None


def _modules(mppt: Block) -> list[tuple[str, float | None]]:
    count = mppt.whole("N") or 0
    starts = [MPPT_HEAD + MPPT_MODULE * number for number in range(count)]
    return [
        (text(mppt.registers[start + 1 : start + 9]), mppt.at(Point(start + 11, "uint16", "W", 4)))
        for start in starts
        if start + MPPT_MODULE <= len(mppt.registers)
    ]


RESTING = frozenset({"idle", "standby", "off", "preserving"})
RESTING_W = 100.0  # what a battery at rest uses itself, and that has no direction


def _directed(power_w: float | None, status: str | None) -> float | None:
    if power_w is None or power_w == 0:
        return power_w
    if status == "discharging":
        return abs(power_w)
    if status == "charging":
        return -abs(power_w)
    return 0.0 if status in RESTING and abs(power_w) <= RESTING_W else None


def _storage_status(bank: Block | None, der: Block | None, basic: Block | None) -> str | None:
    if bank is not None and bank.whole("State") == _BANK_FAULT:
        return "fault"
    if der is not None and der.whole("Sta") == _STORAGE_FAULT:
        return "fault"
    for block in (bank, basic):
        word = None if block is None else _word(CHARGE_STATUS, block.whole("ChaSt"))
        if word is not None:
            return word
    return None


def _first(*sources: tuple[Block | None, str]) -> float | None:
    values = [block.value(name) for block, name in sources if block is not None]
    return next((value for value in values if value is not None), None)


def _word(words: Mapping[int, str], code: int | None) -> str | None:
    return None if code is None else words.get(code)
