"""Secrets: a secret is read where systemd puts it, and nowhere shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chargerd.config.base import Credential, DeviceConfig
from chargerd.daemon.secrets import Credentials, SecretMissing

MARKER = "marker-secret-4711"


class Config(DeviceConfig):
    host: str = "h"
    username: Credential | None = None
    password: Credential | None = None


def test_a_file_of_the_secrets_folder_is_found_by_its_name(tmp_path: Path):
    """LoadCredential of a folder puts "secret_" before the name."""
    (tmp_path / "secret_kasa").write_text(MARKER)
    assert Credentials(tmp_path).read("kasa").reveal() == MARKER


def test_a_credential_that_is_loaded_alone_is_found_too(tmp_path: Path):
    """systemd-creds encrypt --name=kasa; where both are there, the folder's comes first."""
    (tmp_path / "kasa").write_text("alone")
    assert Credentials(tmp_path).read("kasa").reveal() == "alone"
    (tmp_path / "secret_kasa").write_text("folder")
    assert Credentials(tmp_path).read("kasa").reveal() == "folder"


def test_systemd_says_where_the_credentials_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """CREDENTIALS_DIRECTORY is what systemd sets; a folder that is given wins."""
    (tmp_path / "kasa").write_text(MARKER)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Credentials().read("kasa").reveal() == MARKER
    with pytest.raises(SecretMissing):
        Credentials(tmp_path / "other").read("kasa")


@pytest.mark.parametrize(
    ("stored", "secret"),
    [("a b\n", "a b"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("pässwörd", "pässwörd")],
)
def test_only_the_line_end_that_an_editor_adds_is_taken_off(tmp_path: Path, stored: str, secret: str):
    """One line end goes, all else belongs to the secret."""
    (tmp_path / "kasa").write_bytes(stored.encode())
    assert Credentials(tmp_path).read("kasa").reveal() == secret


def test_a_missing_credential_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Name, place, and what to do; the same words for the check of a configuration."""
    with pytest.raises(SecretMissing, match="/etc/chargerd/secrets/kasa"):
        Credentials(tmp_path).read("kasa")
    assert "credential kasa is missing" in (Credentials(tmp_path).fault("kasa") or "")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretMissing, match="--credentials"):
        Credentials().read("kasa")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff" + MARKER.encode(), MARKER.encode() * 10_000])
def test_what_is_no_secret_is_refused_without_showing_it(tmp_path: Path, content: bytes):
    """Empty, not text, far too long: the text names the credential and nothing of what is in it."""
    (tmp_path / "secret_kasa").write_bytes(content)
    with pytest.raises(SecretMissing, match="credential kasa") as caught:
        Credentials(tmp_path).read("kasa")
    assert "marker" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_credential_that_cannot_be_read_is_named(tmp_path: Path):
    """A folder in its place; nobody else's file is tried instead."""
    (tmp_path / "secret_kasa").mkdir()
    assert "cannot be read" in (Credentials(tmp_path).fault("kasa") or "")


@pytest.mark.parametrize("name", ["../kasa", "..", ".", "", "a/b", "a\0b", "x" * 65])
def test_a_name_leads_to_no_other_folder(tmp_path: Path, name: str):
    """Credentials are names, not paths."""
    (tmp_path / "in").mkdir()
    (tmp_path / "kasa").write_text(MARKER)
    with pytest.raises(SecretMissing, match="no name of a credential"):
        Credentials(tmp_path / "in").read(name)


def test_a_device_is_given_the_secrets_that_its_settings_name(tmp_path: Path):
    """By field; a field that names none is not there; a missing one is an error."""
    (tmp_path / "kasa").write_text(MARKER)
    config = Config(driver="acme", password=Credential(credential="kasa"))
    given = Credentials(tmp_path).of(config)
    assert list(given) == ["password"]
    assert given["password"].reveal() == MARKER
    with pytest.raises(SecretMissing):
        Credentials(tmp_path).of(Config(driver="acme", username=Credential(credential="other")))


def test_a_secret_does_not_show_itself(tmp_path: Path):
    """Printed, formatted or listed by accident, it stays hidden."""
    (tmp_path / "kasa").write_text(MARKER)
    secret = Credentials(tmp_path).read("kasa")
    assert MARKER not in f"{secret} {secret!r} {[secret]} {os.fspath(tmp_path)}"
