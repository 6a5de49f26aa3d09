"""Asked: a request with its surroundings, when it is to end, and what it comes to. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from chargerd.daemon.context import no_loadpoint, zone_of
from chargerd.daemon.times import BadTime, clock_text, parse_end
from chargerd.model.events import Body
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError

NOTHING = "Nothing was changed."
LONGEST_REQUEST = 100  # it is kept in the log for ever
DISCONNECTED = "disconnected"


class Asked(Struct, frozen=True):
    """What a request comes to: the facts to record (none if it was so already) and what to tell the person."""

    facts: tuple[Body, ...]
    text: str
    notes: tuple[str, ...] = ()
    entry: str | None = None


class Who(Struct, frozen=True):
    """A request with its surroundings."""

    parameters: dict[str, Any]
    site: Site
    by: str
    now_ms: int

    @property
    def request(self) -> str:
        """The id under which this was asked."""
        request: str = self.parameters.get("request") or ""
        if len(request) > LONGEST_REQUEST:
            text = f"a request id has at most {LONGEST_REQUEST} characters"
            raise CallError("BadValue", text, NOTHING, "Any word that is yours alone will do.")
        return request

    def loadpoint(self) -> str:
        """The loadpoint that is named. Raises `CallError` NoSuchLoadpoint."""
        name: str = self.parameters["name"]
        if name not in self.site.configuration.loadpoints:
            raise no_loadpoint(name, self.site)
        return name

    def while_connected(self) -> bool:
        """Whether it is to end when the vehicle that is there leaves. Raises `CallError` Refused where nobody could tell."""
        if not self._says_disconnected():
            return False
        name: str | None = self.parameters.get("name")
        settings = None if name is None else self.site.configuration.loadpoints[self.loadpoint()]
        if settings is None or settings.kind != "evse":
            text = f"{'everything' if name is None else name} has no vehicle that could be disconnected"
            raise refused(f"{text}: that is for one EVSE", "Name one, or say when: --until 18:00, --for 2h.")
        charger = self.site.chargers.get(settings.charger)
        if not self.site.devices[settings.charger.partition("/")[0]].has_pilot:
            text = f"the charger of {name} does not tell whether a vehicle is connected"
            raise refused(text, "Say when: --until 18:00, --for 2h.")
        if charger is None or charger.evse is None or charger.evse.plugged_t_ms is None:
            text = f"no vehicle is connected at {name}, so none can be disconnected"
            raise refused(text, "A mode without an end is for the next vehicle; set --once is for its session.")
        return True

    def until_ms(self, key: str = "until") -> int | None:
        """When it is to end, None: not at a time. Raises `CallError` BadValue."""
        text = self.parameters.get(key)
        if key == "until" and self._says_disconnected():
            return None
        try:
            return None if text is None else parse_end(text, self.now_ms, zone_of(self.parameters, self.site))
        except BadTime as error:
            raise CallError("BadValue", str(error), NOTHING, "All forms: chargerctl help times") from error

    def until_text(self, until_ms: int | None) -> str:
        """ " until 16:20", " until disconnected", or nothing."""
        if self._says_disconnected():
            return f" until {DISCONNECTED}"
        if until_ms is None:
            return ""
        return f" until {clock_text(until_ms, self.now_ms, zone_of(self.parameters, self.site))}"

    def _says_disconnected(self) -> bool:
        return str(self.parameters.get("until")).strip().lower() == DISCONNECTED


def refused(message: str, hint: str, means: str = NOTHING) -> CallError:
    """What is understood and not done."""
    return CallError("Refused", message, means, hint)
