"""Digest: equal states have equal digests, and nothing in a state can differ unseen."""

from __future__ import annotations

from msgspec import msgpack, structs

from chargerd.engine.digest import digest_of
from chargerd.engine.evolve import fold
from chargerd.model.events import ConfigLoaded, Event, HoldSet
from chargerd.model.state import Hold, Site
from tests.house import configuration, loadpoint

SITE = fold(Site(), [Event(1, 0, 0, 1, "daemon", ConfigLoaded(configuration(loadpoint("a"), loadpoint("b"))))])


def test_a_state_that_was_stored_has_the_digest_of_the_one_that_was_not():
    """90 W from a configuration in memory and 90.0 W from the log are the same power."""
    assert digest_of(msgpack.decode(msgpack.encode(SITE), type=Site)) == digest_of(SITE)


def test_the_order_in_which_things_were_learned_does_not_count():
    """The same devices and loadpoints, the last first."""
    turned = structs.replace(SITE, loadpoints=dict(reversed(SITE.loadpoints.items())))
    assert list(turned.loadpoints) == ["b", "a"]
    assert digest_of(turned) == digest_of(SITE)


def test_any_difference_shows():
    """A hold, another second, a switch-on more."""
    others = [
        structs.replace(SITE, hold=Hold("anna", 0)),
        structs.replace(SITE, at_ms=1),
        structs.replace(SITE, at_ms=1, hold=Hold("anna", 0)),
        fold(SITE, [Event(2, 0, 0, 1, "anna", HoldSet("anna", "a"))]),
        Site(),
    ]
    assert len({digest_of(site) for site in [SITE, *others]}) == len(others) + 1
