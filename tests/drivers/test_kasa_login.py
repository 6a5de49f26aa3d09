"""Which ways there are to a device that may want a login, and what a person is told."""

from __future__ import annotations

import logging

from kasa import AuthenticationError, Credentials, DeviceConfig, DeviceConnectionParameters, KasaException
from kasa.deviceconfig import DeviceEncryptionType, DeviceFamily

from chargerd.daemon.poller import DETAIL_CHARS
from chargerd.drivers import kasa_login

LOGIN = Credentials("owner@example.com", "correct-horse")


def test_the_older_protocol_is_tried_first_and_never_with_a_login() -> None:
    """A login is not even given to what needs none; the three newer ways have it."""
    first, *others = kasa_login.ways("plug", None, 5, LOGIN)
    assert kasa_login.is_open(first)
    assert first.credentials is None
    assert [way.credentials for way in others] == [LOGIN] * 3
    kinds = [(way.connection_type.device_family.value, way.connection_type.login_version) for way in others]
    assert kinds == [("IOT.SMARTPLUGSWITCH", 2), ("SMART.TAPOPLUG", 2), ("IOT.SMARTPLUGSWITCH", None)]
    assert not any(kasa_login.is_open(way) for way in others)


def test_the_port_that_a_device_announces_wins_over_the_one_that_was_searched() -> None:
    """``port`` in the configuration is that of the older protocol."""
    kind = DeviceConnectionParameters(DeviceFamily.SmartTapoPlug, DeviceEncryptionType.Klap, http_port=80)
    assert kasa_login.announced(DeviceConfig("plug", port_override=9998, connection_type=kind)).port_override is None
    assert kasa_login.announced(DeviceConfig("plug", port_override=9998)).port_override == 9998


def test_a_refused_login_is_told_before_a_closed_port() -> None:
    """Of four ways that all failed, a person should hear the one they can do something about."""
    refused, closed, confused = AuthenticationError("no"), OSError("closed"), KeyError("x")
    assert kasa_login.foremost([closed, refused, closed]) is refused
    assert kasa_login.foremost([confused, closed, KasaException("odd"), confused]).args == ("odd",)
    assert kasa_login.foremost([confused]) is confused


def test_what_a_person_is_told_fits_into_what_is_kept_of_it() -> None:
    """With a long name; both say which login, and the way without one."""
    for has_login in (True, False):
        text = f"{'x' * 30} {kasa_login.denied(has_login)}"
        assert len(text) <= DETAIL_CHARS
        assert "TP-Link account" in text
        assert "Third-Party Compatibility" in text


def test_python_kasa_writes_no_lines_of_its_own() -> None:
    """It would tell the daily end of a session as an error, with the whole request."""
    assert not logging.getLogger("kasa.transports.klaptransport").isEnabledFor(logging.ERROR)
