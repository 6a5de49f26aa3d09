"""Base: what every settings model has in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chargerd.config.base import Credential, DeviceConfig, Secret


def test_a_secret_does_not_show_itself():
    """Printed, formatted, in a list or in an error it stays hidden; only reveal hands it out."""
    secret = Secret("marker-4711")
    assert "4711" not in f"{secret} {secret!r} {[secret]} {ValueError(secret)}"
    assert secret.reveal() == "marker-4711"


def test_unknown_keys_and_bent_values_are_refused():
    """A misspelt key is no key, and text is no number."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        DeviceConfig.model_validate({"driver": "acme", "pol_s": 3})
    with pytest.raises(ValidationError, match="valid number"):
        DeviceConfig.model_validate({"driver": "acme", "poll_s": "3"})
    with pytest.raises(ValidationError, match="3600"):
        DeviceConfig.model_validate({"driver": "acme", "poll_s": float("nan")})


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65])
def test_a_credential_is_a_name(name: str):
    """No path, no sentence, no secret."""
    with pytest.raises(ValidationError):
        Credential.model_validate({"credential": name})
