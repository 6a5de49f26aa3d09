"""Driver base: three ways to fail, and every driver of the list has the one shape."""

from __future__ import annotations

import inspect

import pytest

from chargerd import drivers
from chargerd.config.base import Credential, DeviceConfig
from chargerd.drivers.base import AccessDenied, Driver, DriverError, UnexpectedAnswer, Unreachable
from chargerd.model.events import CommandFailed, DeviceLost, ReadFailed

CALLS = ("describe", "read", "apply", "close")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unreachable("silent"), "unreachable"),
        (AccessDenied("locked"), "access-denied"),
        (UnexpectedAnswer("garbage"), "unexpected-answer"),
        (DriverError("?"), "unexpected-answer"),
    ],
)
def test_each_failure_has_the_word_that_events_carry(error, kind):
    """The words that `ReadFailed` promises, and a text for people."""
    assert error.kind == kind
    assert kind in (ReadFailed.__doc__ or "")
    assert isinstance(error, DriverError)
    assert str(error)
    assert {fact.error for fact in (ReadFailed(error.kind), DeviceLost(error.kind), CommandFailed(1, error.kind))} == {
        kind
    }


def test_an_answer_nobody_understands_is_kept_beside_its_text():
    """The text is for people, what came is for whoever repairs it."""
    error = UnexpectedAnswer("makes no sense", '{"err_code":-1}')
    assert str(error) == "makes no sense"
    assert error.raw == '{"err_code":-1}'
    assert UnexpectedAnswer("makes no sense").raw == ""


@pytest.mark.parametrize("kind", drivers.MODULES)
def test_every_driver_has_the_shape_of_the_contract(kind):
    """Its kind is its name in the list, its settings add to every device's, its calls take what the poller gives."""
    made = drivers.load(kind).Driver
    assert made.kind == kind
    assert issubclass(made.Config, DeviceConfig)
    assert all(isinstance(command, type) for command in made.accepts)  # a meter takes none
    for call in CALLS:
        ours = inspect.signature(getattr(made, call)).parameters
        assert list(ours) == list(inspect.signature(getattr(Driver, call)).parameters)
    given = list(inspect.signature(made).parameters)[:4]
    assert given == ["name", "config", "channels", "secrets"]


@pytest.mark.parametrize("kind", drivers.MODULES)
def test_what_a_driver_keeps_secret_is_a_credential(kind):
    """A field for a password or a token holds the name of a credential, never the secret itself."""
    for name, field in drivers.load(kind).Driver.Config.model_fields.items():
        secret = any(part in name for part in ("user", "pass", "token", "secret", "key"))
        assert secret == (field.annotation in (Credential, Credential | None)), name


def test_a_driver_that_there_is_not_is_not_found():
    """The list is all there is; nothing is imported by a name from a file."""
    with pytest.raises(KeyError):
        drivers.load("os")
