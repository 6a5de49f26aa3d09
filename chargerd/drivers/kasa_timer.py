"""Kasa timer: the cut-off timer of a TP-Link socket, which switches it off when chargerd falls silent.

Older devices have one ``count_down`` rule. python-kasa's own module of that name asks for ``countdown``, which these devices
do not know, so the rule goes as a raw query. Newer ones have a setting "auto off" (`drivers.kasa_smart`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kasa import Device, Module
from kasa.iot import IotDevice

from chargerd.drivers import kasa_smart
from chargerd.drivers.base import UnexpectedAnswer

RULE = "chargerd"  # the name of our countdown rule, by which we know it again after a restart
RAW_CHARS = 500
Json = dict[str, Any]


class Timer(NamedTuple):
    """A cut-off timer that runs in the device. ``left_s`` is None if it will not cut off."""

    owner: str
    left_s: int | None


def last_will(device_id: str, lease_s: int | None) -> list[Json]:
    """What `chargerd.failsafe` is to send to an older device: a short timer, or with None off at once."""
    child = child_id(device_id)
    context = {"context": {"child_ids": [child]}} if child else {}
    if lease_s is None:
        return [{**context, "system": {"set_relay_state": {"state": 0}}}]
    return [{**context, "count_down": {"delete_all_rules": {}, "add_rule": _rule(lease_s)}}]


async def knows_timer(socket: Device) -> bool:
    """Whether the socket has a timer at all."""
    if not isinstance(socket, IotDevice):
        return Module.AutoOff in socket.modules
    answer = await _ask_timer(socket, {"get_rules": {}})
    return "rule_list" in answer.get("get_rules", {})


async def timer_of(socket: Device) -> Timer | None:
    """The timer that runs in the socket, None if none does."""
    if not isinstance(socket, IotDevice):
        # The setting has no name to know it by: while the lease is configured, it is ours.
        found = await kasa_smart.auto_off(socket)
        return Timer("ours", found.left_s) if found.enabled else None
    rule = await _running_rule(socket)
    if rule is None:
        return None
    # A rule with act 1 switches on when it ends: it is somebody's, and no lease.
    left_s = rule.get("remain") if rule.get("act") == 0 else None
    return Timer("ours" if rule.get("name") == RULE else "foreign", left_s)


async def lend(socket: Device, lease_s: int, *, anew: bool = False) -> None:
    """Set our timer, unless somebody else's runs: that one is adopted. Raises `UnexpectedAnswer`.

    ``anew``: what was set before did not hold.
    """
    if not isinstance(socket, IotDevice):
        await kasa_smart.lend(socket, lease_s, anew=anew)
        return
    rule = await _running_rule(socket)
    if rule is not None and rule.get("name") != RULE:
        return  # somebody else's: adopted, not overwritten
    # There is one slot, and a rule that has ended still fills it. Both in one message: no moment without a timer.
    answer = await _ask_timer(socket, {"delete_all_rules": {}, "add_rule": _rule(lease_s)})
    if answer.get("add_rule", {}).get("err_code") != 0:
        raise UnexpectedAnswer("the device did not take the cut-off timer", str(answer)[:RAW_CHARS])


async def holds(socket: Device, lease_s: int) -> bool:
    """Whether a timer runs in a socket that is on and was lent this much, ours or the one that was adopted."""
    if not isinstance(socket, IotDevice):
        return await kasa_smart.holds(socket, lease_s)
    return await _running_rule(socket) is not None


async def take_back(socket: Device) -> None:
    """Take our timer away; somebody else's stays."""
    if not isinstance(socket, IotDevice):
        await kasa_smart.take_back(socket)
        return
    rule = await _running_rule(socket)
    if rule is not None and rule.get("name") == RULE:
        await _ask_timer(socket, {"delete_all_rules": {}})


async def _running_rule(socket: IotDevice) -> Json | None:
    rules = (await _ask_timer(socket, {"get_rules": {}})).get("get_rules", {}).get("rule_list", [])
    return next((rule for rule in rules if rule.get("enable")), None)


async def _ask_timer(socket: IotDevice, methods: Json) -> Json:
    child = child_id(socket.device_id)
    context = {"context": {"child_ids": [child]}} if child else {}
    answer: Json = await socket.protocol.query({**context, "count_down": methods})
    part: Json = answer.get("count_down", {})
    return part


def _rule(lease_s: int) -> Json:
    return {"enable": 1, "delay": lease_s, "act": 0, "name": RULE}


def child_id(device_id: str) -> str:
    """The id of a strip's socket as its messages want it, "" for a single plug."""
    # python-kasa's id of a strip's socket is the strip's MAC, an underline and the id that its context wants.
    return device_id.partition("_")[2]
