"""Asked: a change may end when the vehicle that is there leaves, and is refused where nobody could tell when that is."""

import pytest
from msgspec import structs

from chargerd.daemon.asked import Asked
from chargerd.daemon.requests import facts_for
from chargerd.model.events import HoldSet, LimitSet, ModeSet
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from tests.daemon.hub import complete
from tests.daemon.test_requests import home as plugs
from tests.house_sun import BOX, MONDAY_MS, believed, consumer, evse, evse_read, home, then

HOME = home(evse(), consumer(on_above_w=2000.0))


def there(**said: object) -> Site:
    """A home in which a car is at the EVSE, or what else it says."""
    return believed(HOME, ("garage-box", evse_read(10.0, **said)))


def asked(site: Site, method: str, **parameters: object) -> Asked:
    """What a request until the vehicle leaves comes to."""
    return facts_for(method, complete(method, until="disconnected", **parameters), site, "anna", MONDAY_MS)


@pytest.mark.parametrize(
    ("method", "parameters", "fact", "text"),
    [
        (
            "SetMode",
            {"name": "garage", "mode": "off"},
            ModeSet("garage", "off", "anna", while_connected=True),
            "garage: off until disconnected, then solar again.",
        ),
        (
            "SetSetting",
            {"name": "garage", "values": {"max_current_a": 10}},
            LimitSet("garage", "max_current_a", 10.0, "anna", while_connected=True),
            "garage: max_current_a 10 A (was 16 A) until disconnected.",
        ),
        (
            "Hold",
            {"name": "garage"},
            HoldSet("anna", "garage", while_connected=True),
            "Holding garage until disconnected: chargerd watches and sends nothing but lease renewals.",
        ),
    ],
)
def test_a_change_at_an_evse_may_end_when_the_vehicle_leaves(method, parameters, fact, text):
    """It is recorded so, said so, and not recorded twice; without that end it is another wish."""
    site = there()
    told = asked(site, method, **parameters)
    assert told.facts == (fact,)
    assert told.text == text
    after = then(site, 1.0, ("anna", fact))
    assert asked(after, method, **parameters).facts == ()
    assert facts_for(method, complete(method, **parameters), after, "anna", MONDAY_MS).facts == (
        structs.replace(fact, while_connected=False),
    )


@pytest.mark.parametrize(
    ("site", "method", "parameters", "says"),
    [
        (there(), "Hold", {}, "everything has no vehicle that could be disconnected"),
        (there(), "SetMode", {"name": "rod", "mode": "off"}, "rod has no vehicle that could be disconnected"),
        (there(), "SetSetting", {"name": "rod", "values": {"priority": 1}}, "rod has no vehicle"),
        (plugs(), "SetMode", {"name": "bike", "mode": "fast"}, "bike has no vehicle that could be disconnected"),
        (plugs(), "SetTarget", {"name": "bike", "target": "full"}, "bike has no vehicle"),
        (plugs(), "SetTarget", {"all": True, "target": "full"}, "everything has no vehicle"),
        (there(pilot="A"), "SetMode", {"name": "garage", "mode": "off"}, "no vehicle is connected at garage"),
        (believed(HOME), "SetMode", {"name": "garage", "mode": "off"}, "no vehicle is connected at garage"),
        (
            believed(HOME, ("garage-box", evse_read(10.0)), devices=structs.replace(BOX, has_pilot=False)),
            "SetMode",
            {"name": "garage", "mode": "off"},
            "the charger of garage does not tell whether a vehicle is connected",
        ),
    ],
)
def test_where_nobody_could_tell_it_is_refused(site, method, parameters, says):
    """With nothing changed, and what to write instead."""
    with pytest.raises(CallError) as caught:
        asked(site, method, **parameters)
    said = caught.value.parameters
    assert (caught.value.short, said["means"]) == ("Refused", "Nothing was changed.")
    assert says in said["message"]
    assert "--" in said["hint"]


def test_one_session_and_one_vehicle_are_two_ends():
    """A session may end before its vehicle leaves."""
    with pytest.raises(CallError, match="two different ends"):
        asked(there(), "SetSetting", name="garage", values={"max_current_a": 10}, once=True)
