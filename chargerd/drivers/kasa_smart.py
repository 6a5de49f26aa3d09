"""Kasa SMART: what is asked of Tapo and newer Kasa plugs, method by method.

python-kasa's ``update`` asks a dozen methods each time and turns failures into states of its own; here is asked what a reading
needs, and what fails raises. The cut-off timer is the setting "auto off": whole minutes that begin when the relay goes on.
Whether a real plug begins them anew when it is set again is written down nowhere, so `lend` is followed by a look.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kasa import Device

Json = dict[str, Any]

LONGEST_MIN = 1439
LATE_S = 30  # how much of a fresh timer may have passed when it is looked at


class AutoOff(NamedTuple):
    """The setting, and what is left if it counts down now."""

    enabled: bool
    delay_min: int
    left_s: int | None


async def info_of(socket: Device) -> Json:
    """What the device, or a socket of it, says of itself now. Raises KasaException."""
    answer: Json = (await socket.protocol.query({"get_device_info": None}))["get_device_info"]
    return answer


async def auto_off(socket: Device) -> AutoOff:
    """The setting as it is now. An answer of another shape raises LookupError or TypeError."""
    answer = await socket.protocol.query({"get_auto_off_config": {"start_index": 0}, "get_device_info": None})
    setting, info = answer["get_auto_off_config"], answer["get_device_info"]
    left_s = int(info["auto_off_remain_time"]) if info["auto_off_status"] == "on" else None
    return AutoOff(bool(setting["enable"]), int(setting["delay_min"]), left_s)


async def lend(socket: Device, lease_s: int, *, anew: bool = False) -> None:
    """Set the time, rounded down to whole minutes. ``anew`` switches the setting off first, for one that goes on counting."""
    setting = {"enable": True, "delay_min": minutes(lease_s)}
    if anew:
        await _set(socket, {**setting, "enable": False})
    await _set(socket, setting)


async def holds(socket: Device, lease_s: int) -> bool:
    """Whether the timer runs, and has just begun to."""
    left_s = (await auto_off(socket)).left_s
    return left_s is not None and abs(minutes(lease_s) * 60 - left_s) <= LATE_S


async def take_back(socket: Device) -> None:
    """Switch the setting off; its time stays as it is."""
    found = await auto_off(socket)
    if found.enabled:
        await _set(socket, {"enable": False, "delay_min": found.delay_min})


def minutes(lease_s: int) -> int:
    """A lease as the setting takes it: never longer than asked, but at least a minute."""
    return min(LONGEST_MIN, max(1, lease_s // 60))


async def _set(socket: Device, setting: Json) -> None:
    await socket.protocol.query({"set_auto_off_config": setting})
