"""Base: the settings model of everything configured, and how a secret is named, held and never shown."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Secret:
    """A secret that somebody who prints, logs or compares it by accident does not see."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself. Only the line that hands it to a device library calls this."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


class Settings(BaseModel):
    """Base of everything that is read from a configuration file: unknown keys are refused, values are not bent to fit."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Credential(Settings):
    """Names a secret: ``password = { credential = "kasa" }``. The secret itself comes from systemd, see `daemon.secrets`."""

    credential: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")


class DeviceConfig(Settings):
    """Keys that every device has; a driver's own ``Config`` adds its keys to these.

    A field of type `Credential` is a secret: the driver is given it by the field's name in ``secrets``. ``charges`` is what
    a loadpoint on such a device is: "battery" (a plug; "consumer" too, by its own keys), "evse", or "" for none. ``measures``: it
    can be a meter or a storage. ``channels`` are all that it can have, "#" standing for a number from 1: () is one thing without
    channels, None is told by the device alone. ``offers_a`` is the most that any such charger offers, None for no EVSE;
    ``switches_phases``: some such charger can change from one phase to three.
    """

    charges: ClassVar[str] = "battery"
    measures: ClassVar[bool] = False
    channels: ClassVar[tuple[str, ...] | None] = None
    offers_a: ClassVar[float | None] = None
    switches_phases: ClassVar[bool] = True

    driver: str
    poll_s: float = Field(default=30.0, ge=1, le=3600)
    poll_fast_s: float = Field(default=5.0, ge=1, le=600)
    max_age_s: float = Field(default=180.0, ge=5, le=86_400)


class SinkConfig(Settings):
    """Keys that every sink has; a sink's own ``Config`` adds its keys to these. Secrets as for a device.

    ``tell`` are the kinds of news; ``report`` is when a table of charging sessions is sent.
    """

    kind: str
    tell: list[Literal["finished", "alarm", "lost"]] = Field(default=["finished", "alarm", "lost"])
    report: str = "off"
