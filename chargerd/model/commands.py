"""Commands: what the engine can ask a device to do.

A command names its device, or one channel of it, by address: ``shed`` or ``shed/battery_1``. Giving the same command
twice is harmless. A command is stored before it is tried; what became of it is a fact (`CommandDone`, `CommandFailed`).
"""

from __future__ import annotations

from msgspec import Struct


class SetEnabled(
    Struct, frozen=True, gc=False, tag=True, tag_field="command", omit_defaults=True, forbid_unknown_fields=True
):
    """Let energy through, or cut it off.

    ``lease_s``: seconds after which the device must cut off by itself unless the command is given again; None where
    the device has no such timer, and always None with ``enabled=False``.
    """

    device: str
    enabled: bool
    lease_s: int | None = None


Command = SetEnabled
"""Any command. One kind so far; the others of the vocabulary arrive with the devices that need them."""


def lowers(command: Command) -> bool:
    """Whether the command can only reduce the power that flows. Such commands are sent even when nothing can be recorded."""
    return not command.enabled
