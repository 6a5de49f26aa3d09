"""Kasa login: how a device that may want a login is spoken to, and what a person is told when it lets nobody in.

A device says by UDP how it wants to be spoken to; where such questions do not get through, the known ways are tried. The
login goes to the device only as a proof (KLAP): a wrong one is noticed here, from the device's own proof, and is never sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from aiohttp import ClientConnectionError, ClientPayloadError
from kasa import AuthenticationError, Credentials, DeviceEncryptionType, DeviceFamily, KasaException
from kasa import DeviceConfig as KasaConfig
from kasa import DeviceConnectionParameters as Kind

# What a device that goes away in the middle of HTTP looks like; everything else that means so is an OSError.
HUNG_UP = (ClientConnectionError, ClientPayloadError)

REFUSED = "refuses the login; username and password are those of the TP-Link account, and case sensitive"
WANTED = "wants a login it was not given; set username and password (TP-Link account)"
OPENS = "; or switch on Third-Party Compatibility in the Kasa or Tapo app"
CLOSED_HINT = (
    ". Newer firmware closes the port: give username and password, or switch on Third-Party Compatibility in the app"
)

# Oldest first; a device that is none of these says what it is by UDP only.
_WAYS = (
    Kind(DeviceFamily.IotSmartPlugSwitch, DeviceEncryptionType.Klap, login_version=2),
    Kind(DeviceFamily.SmartTapoPlug, DeviceEncryptionType.Klap, login_version=2),
    Kind(DeviceFamily.IotSmartPlugSwitch, DeviceEncryptionType.Klap),
)

# python-kasa reports the daily end of a session as an error, with the whole request. What fails reaches us as an exception,
# and journal lines about devices are made in one place.
logging.getLogger("kasa").setLevel(logging.CRITICAL)


def denied(has_login: bool) -> str:
    """What a device does that does not let us in, and what helps: for one who gave a login, and for one who did not."""
    return (REFUSED if has_login else WANTED) + OPENS


def is_denial(error: BaseException) -> bool:
    """Whether a person must act: the login is wrong, or missing."""
    return isinstance(error, AuthenticationError)


def is_open(address: KasaConfig) -> bool:
    """Whether the device there is spoken to by the older protocol, which knows no login."""
    return address.connection_type.encryption_type is DeviceEncryptionType.Xor


def announced(address: KasaConfig) -> KasaConfig:
    """What a device said of itself, without the port that was only meant for the older protocol."""
    return replace(address, port_override=None) if address.connection_type.http_port else address


def ways(host: str, port: int | None, timeout_s: int, login: Credentials) -> Iterator[KasaConfig]:
    """Every way to speak to a device that does not say which it wants. ``port`` None: the usual one of each."""
    yield KasaConfig(host=host, port_override=port, timeout=timeout_s)
    for kind in _WAYS:
        yield KasaConfig(
            host=host, port_override=port, timeout=timeout_s, credentials=login, connection_type=replace(kind)
        )


def foremost(errors: list[Exception]) -> Exception:
    """Of what each way ended with, what a person should hear: a refused login, else how the newest known way failed."""
    refusals = [error for error in errors if is_denial(error)]
    known = [error for error in errors if isinstance(error, KasaException | OSError)]
    return (refusals or known or errors)[-1]
