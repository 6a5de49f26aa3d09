"""Views: what a policy sees of a loadpoint, made by hand. Numbers stay in the tests."""

from __future__ import annotations

from msgspec import structs

from chargerd.model.decision import Supply, View
from chargerd.model.state import Charger, Evse, Session, Sun
from tests.house_sun import consumer, evse

NOW_MS = 10_000_000


def session() -> Session:
    """A vehicle that is connected."""
    return Session(1, "garage", "", "", 0.0, 0.0, "vehicle", 0, 0)


def charger(current_a: float = 0.0, **said: object) -> Charger:
    """An EVSE that offers so much and whose vehicle takes it; 0: paused."""
    on = current_a > 0
    plain = Charger(5, 0, NOW_MS, on, 230 * current_a, 230.0, current_a, None, None, None, 0)
    told = Evse("C" if on else "B", current_a or 6.0, 1, asked_a=current_a, begun_t_ms=0 if on else None)
    return structs.replace(plain, evse=told, **said)


def shared(share_w: float | None, **said: object) -> Sun:
    """A share that has been there for long."""
    recent = () if share_w is None else tuple((NOW_MS - back_s * 1000, share_w) for back_s in range(300, -1, -10))
    return structs.replace(Sun(NOW_MS, share_w, recent=recent, enough_t_ms=0 if share_w else None), **said)


def supply(**said: object) -> Supply:
    """6 to 15 A in whole steps on one phase at 230 V."""
    return structs.replace(Supply(6.0, 15.0, 1.0, (1,), (1,), 1, 230.0), **said)


def view(share_w: float | None = 3000.0, current_a: float = 0.0, **seen: object) -> View:
    """An EVSE with a vehicle, in mode solar."""
    plain = View(NOW_MS, evse(), charger(current_a), session(), "solar", supply(), shared(share_w))
    return structs.replace(plain, **seen)


def plug(share_w: float | None = 3000.0, power_w: float | None = None, **seen: object) -> View:
    """A plug with a consumer that takes so much; None: it is off."""
    on = power_w is not None
    read = Charger(5, 0, NOW_MS, on, power_w or 0.0, 230.0, None, None, None, None, 0)
    plain = View(NOW_MS, consumer(on_above_w=2000), read, None, "solar", None, shared(share_w), inside=False)
    return structs.replace(plain, **seen)
