"""Kasa record: what a TP-Link device answers to the questions that the driver asks, without what would tell whose it is.

For contributors: the file stands in for a device that they do not have. Nothing is switched. What may be in it is listed here by
name; every other text is taken out, so that a field of a firmware nobody has seen cannot tell anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kasa import Device
from kasa.iot import IotDevice

from chargerd.drivers.kasa_timer import child_id

Json = dict[str, Any]

REMOVED = "(removed)"
KEPT = frozenset(
    {
        "model", "device_model", "type", "mic_type", "device_type", "dev_name", "sw_ver", "fw_ver", "hw_ver", "specs",
        "feature", "status", "active_mode", "err_msg", "encrypt_type", "auto_off_status", "power_protection_status",
    }
)  # fmt: skip
"""Keys whose texts say what a device is, and not whose."""
IDS = frozenset(
    {
        "deviceId", "device_id", "hwId", "hw_id", "oemId", "oem_id", "fwId", "fw_id", "id", "parent_device_id",
        "child_ids",
    }
)  # fmt: skip
HARDWARE = frozenset({"mac", "mic_mac", "ethernet_mac", "ble_mac"})
NAMES = frozenset({"alias", "nickname", "name"})
PLACES = ("latitude", "longitude", "lat", "lon")
NO_MAC = "50:C7:BF:00:00:00"
OURS = frozenset({"chargerd"})  # the name of our own timer


class Anonymous:
    """Takes out what would tell whose device it is. One id has one stand-in, so that questions and answers still fit."""

    def __init__(self, own_id: str) -> None:
        self._own_id = own_id
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def of(self, value: Any, key: str = "") -> Any:
        """The value without it; ``key`` is under which it stands."""
        if isinstance(value, Mapping):
            return {name: self.of(each, name) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(each, key) for each in value]
        if isinstance(value, str):
            return self._text(value, key)
        place = any(key.lower().startswith(word) for word in PLACES)
        return 0 if place and not isinstance(value, bool) and value is not None else value

    def _text(self, text: str, key: str) -> str:
        if not text or key in KEPT:
            return text
        if key in IDS:
            return self._id(text)
        if key in NAMES:
            return self._name(text)
        return NO_MAC if key in HARDWARE else REMOVED

    def _id(self, text: str) -> str:
        # A socket's id is its strip's and two digits: the digits stay.
        if self._own_id and text.startswith(self._own_id):
            return "8006".ljust(len(self._own_id), "0") + text[len(self._own_id) :]
        if len(text) == 2 and text.isdigit():
            return text
        return self._ids.setdefault(text, f"{len(self._ids) + 1:032X}")

    def _name(self, text: str) -> str:
        return text if text in OURS else self._names.setdefault(text, f"name {len(self._names) + 1}")


async def record(device: Device) -> Json:
    """What python-kasa asks a device and what the driver asks besides, by module and method: "" is the device, then its sockets."""
    await device.update()
    anonymous = Anonymous(str(device.sys_info.get("deviceId", "")))
    answers = {"": await _answers(device)}
    for socket in device.children:
        answers[socket.device_id[-2:]] = await _answers(socket)
    return {"answers": {name: anonymous.of(told) for name, told in answers.items()}}


async def _answers(socket: Device) -> Json:
    told = dict(socket.internal_state)
    if not isinstance(socket, IotDevice) or socket.children:
        return told
    child = child_id(socket.device_id)
    context: Json = {"context": {"child_ids": [child]}} if child else {}
    return told | await socket.protocol.query({**context, "count_down": {"get_rules": {}}})
