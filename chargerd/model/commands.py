"""Commands: what the engine can ask a device to do.

A command names its device, or one channel of it, by address: ``shed`` or ``shed/battery_1``. Giving the same command
twice is harmless. A command is stored before it is tried; what became of it is a fact (`CommandDone`, `CommandFailed`).
"""

from __future__ import annotations

from msgspec import Struct


class SetEnabled(
    Struct, frozen=True, gc=False, tag=True, tag_field="command", omit_defaults=True, forbid_unknown_fields=True
):
    """Let energy through a plug, or cut it off.

    ``lease_s``: seconds after which the device must cut off by itself unless the command is given again; None where
    the device has no such timer, and always None with ``enabled=False``.
    """

    device: str
    enabled: bool
    lease_s: int | None = None


class SetCurrent(
    Struct, frozen=True, gc=False, tag=True, tag_field="command", omit_defaults=True, forbid_unknown_fields=True
):
    """Have an EVSE offer a current on each phase that is in use, in A; 0 pauses it and keeps the vehicle's session.

    One command says both, because some devices take only the first of two that come together. ``lease_s`` as in `SetEnabled`,
    with the device going back to its safe current.
    """

    device: str
    current_a: float
    lease_s: int | None = None

    @property
    def enabled(self) -> bool:
        """Whether any current is offered."""
        return self.current_a > 0


class SetPhases(
    Struct, frozen=True, gc=False, tag=True, tag_field="command", omit_defaults=True, forbid_unknown_fields=True
):
    """Have an EVSE use one phase, or three. Given only while no current flows."""

    device: str
    phases: int


Command = SetEnabled | SetCurrent | SetPhases
"""Any command."""


def enables(command: Command) -> bool | None:
    """Whether the command lets energy through (True) or cuts it off (False); None where it does neither."""
    return command.enabled if isinstance(command, SetEnabled | SetCurrent) else None


def lowers(command: Command, offered_a: float | None = None) -> bool:
    """Whether the command can only reduce the power that flows. Such commands are sent even when nothing can be recorded.

    ``offered_a`` is what the EVSE offers now, None if that is not known or it is paused.
    """
    match command:
        case SetEnabled():
            return not command.enabled
        case SetCurrent():
            return not command.enabled or (offered_a is not None and command.current_a <= offered_a)
        case SetPhases():
            return command.phases == 1
