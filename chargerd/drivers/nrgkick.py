"""NRGkick: chargers of both generations, which share a name and nothing else; see `drivers.nrgkick_gen1` and `nrgkick_gen2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from chargerd.config.base import Credential, DeviceConfig, Secret
from chargerd.drivers.base import UnexpectedAnswer
from chargerd.drivers.http import Http
from chargerd.drivers.nrgkick_gen1 import Gen1
from chargerd.drivers.nrgkick_gen2 import MAX_CURRENT_A, Gen2, is_gen2
from chargerd.model.commands import Command, SetCurrent, SetPhases
from chargerd.model.events import ChargerRead, DeviceAdded

MAC = r"^([0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}$"


class Driver:
    """One charger. A call makes at most four requests, each answered within ``timeout_s``."""

    kind = "nrgkick"
    accepts = frozenset({SetCurrent, SetPhases})

    class Config(DeviceConfig):
        """``host`` is the charger, or the Connect box of a charger of the first generation, which ``mac`` names.

        ``password`` is the PIN of the first generation, or with ``username`` the login of the second one's local interface.
        """

        charges: ClassVar[str] = "evse"
        channels: ClassVar[tuple[str, ...] | None] = ()
        offers_a: ClassVar[float | None] = MAX_CURRENT_A

        host: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
        port: int = Field(default=80, ge=1, le=65535)
        generation: Literal[1, 2, "auto"] = "auto"
        mac: str | None = Field(default=None, pattern=MAC, description='a hardware address, as in "00:11:22:33:44:55"')
        username: Credential | None = None
        password: Credential | None = None
        timeout_s: float = Field(default=5.0, ge=0.1, le=60)
        poll_s: float = Field(default=10.0, ge=1, le=3600)
        max_age_s: float = Field(default=45.0, ge=5, le=86_400)

        @model_validator(mode="after")
        def _complete(self) -> Driver.Config:
            if self.generation == 1 and self.mac is None:
                raise ValueError(
                    "give mac (the charger's Bluetooth address): one Connect box can serve several chargers"
                )
            if self.username is not None and self.password is None:
                raise ValueError("give username and password together, or neither")
            return self

    def __init__(
        self, name: str, config: DeviceConfig, channels: tuple[str, ...], secrets: Mapping[str, Secret]
    ) -> None:
        assert isinstance(config, self.Config)
        self._name = name
        self._config = config
        self._channels = tuple(channel for channel in channels if channel)
        self._pin = secrets.get("password")
        login = (secrets["username"], secrets["password"]) if config.username is not None else None
        self._http = Http(
            name, config.host, config.port, timeout_s=config.timeout_s, secrets=secrets.values(), login=login
        )
        self._charger: Gen1 | Gen2 | None = None

    def describe(self) -> DeviceAdded:
        """Find out which generation it is, if the configuration does not say, and what it can do."""
        if self._channels:
            raise UnexpectedAnswer(f"{self._name} is one charger and has no socket {self._channels[0]!r}")
        self._charger = None
        return self._known().describe()

    def read(self) -> tuple[ChargerRead, ...]:
        """One reading, of two requests."""
        return (self._known().read(),)

    def apply(self, command: Command) -> None:
        """Set the current, pause, or switch the phases. What a person would have to know of a refusal is in the error."""
        charger = self._known()
        match command:
            case SetCurrent():
                charger.set_current(command.current_a)
            case SetPhases() if isinstance(charger, Gen2) and command.phases in (1, 3):
                charger.set_phases(command.phases)
            case _:
                raise UnexpectedAnswer(f"{self._name} cannot do that: {type(command).__name__}")

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def _known(self) -> Gen1 | Gen2:
        if self._charger is None:
            self._charger = self._first() if self._is_first() else Gen2(self._http)
        return self._charger

    def _is_first(self) -> bool:
        if self._config.generation != "auto":
            return self._config.generation == 1
        return not is_gen2(self._http.get("/info", raw="1"))

    def _first(self) -> Gen1:
        if self._config.mac is None:
            raise UnexpectedAnswer(
                f"{self._name} does not answer like an NRGkick Gen2; if it is a Connect box, give mac (the charger's"
                " Bluetooth address)"
            )
        digits = self._config.mac.upper().replace(":", "").replace("-", "")
        mac = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
        return Gen1(self._http, mac, self._pin)
