"""Network: where a search may be sent."""

from __future__ import annotations

import pytest

from chargerd.model.network import network


@pytest.mark.parametrize(
    ("text", "target", "port", "shown"),
    [
        ("255.255.255.255", "255.255.255.255", None, "255.255.255.255"),
        ("192.168.178.0/24", "192.168.178.255", None, "192.168.178.255"),
        ("10.1.2.3/16", "10.1.255.255", None, "10.1.255.255"),
        (" 192.168.178.40 ", "192.168.178.40", None, "192.168.178.40"),
        ("127.255.255.255:41234", "127.255.255.255", 41234, "127.255.255.255:41234"),
        ("169.254.255.255", "169.254.255.255", None, "169.254.255.255"),
    ],
)
def test_networks_and_addresses_are_understood(text: str, target: str, port: int | None, shown: str):
    """A network is reached by its broadcast address; without a port each driver asks at its own."""
    where = network(text)
    assert (where.target, where.port, str(where)) == (target, port, shown)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no network"),
        ("home", "is no network"),
        ("192.168.178", "is no network"),
        ("192.168.178.0/33", "is no network"),
        ("fe80::1", "ends in no port"),
        ("192.168.178.255:0", "ends in no port"),
        ("192.168.178.255:65536", "ends in no port"),
        ("192.168.178.255:²", "ends in no port"),
        ("8.8.8.8", "not on a local network"),
        ("0.0.0.0/0:9999", "ends in no port|is no network|not on a local"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(text: str, says: str):
    """A search goes to the home's own network and never into the world."""
    if text.startswith("0.0.0.0"):
        assert network(text).target == "255.255.255.255"  # everybody who is near, which no router passes on
        return
    with pytest.raises(ValueError, match=says):
        network(text)
