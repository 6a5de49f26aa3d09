"""Secrets: the only place that opens credentials. systemd puts them into a folder that nobody else can read.

``LoadCredential=secret:/etc/chargerd/secrets`` makes every file of that folder appear as ``secret_NAME``; a credential
that a person loads one by one, or encrypts with systemd-creds, appears as ``NAME``. The first is looked for first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from chargerd.config.base import Credential, DeviceConfig, Secret, SinkConfig

MAX_BYTES = 65_536
"""A password or a key is far smaller; a wrong file should not fill the memory."""


class SecretMissing(Exception):
    """A credential is not there or cannot be read. The text names it and says what to do, and holds nothing of it."""


class Credentials:
    """The credentials of this daemon. ``folder`` is given for a run without systemd; None: where systemd put them."""

    def __init__(self, folder: Path | None = None) -> None:
        given = os.environ.get("CREDENTIALS_DIRECTORY")
        self._folder = folder or (Path(given) if given else None)

    def read(self, name: str) -> Secret:
        """The secret of a name, without the line end that editors add. Raises `SecretMissing`."""
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) or set(name) <= {"."}:
            raise SecretMissing(f"{name!r} is no name of a credential")
        if self._folder is None:
            raise SecretMissing(
                f"credential {name} is missing: this process was given no credentials;"
                " start it with systemd, or with --credentials FOLDER"
            )
        for file in (f"secret_{name}", name):
            try:
                with (self._folder / file).open("rb") as opened:
                    data = opened.read(MAX_BYTES + 1)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SecretMissing(f"credential {name} cannot be read: {error.strerror} ({file})") from None
            return _secret(name, data)
        raise SecretMissing(
            f"credential {name} is missing: put the secret into /etc/chargerd/secrets/{name} and restart chargerd"
            f" (looked for secret_{name} and {name})"
        )

    def fault(self, name: str) -> str | None:
        """What is wrong with a credential, in words; None if it is there."""
        try:
            self.read(name)
        except SecretMissing as error:
            return str(error)
        return None

    def of(self, config: DeviceConfig | SinkConfig) -> Mapping[str, Secret]:
        """The secrets that settings name, by field. Raises `SecretMissing` at the first that is not there."""
        return {key: self.read(value.credential) for key, value in config if isinstance(value, Credential)}


def _secret(name: str, data: bytes) -> Secret:
    if len(data) > MAX_BYTES:
        raise SecretMissing(f"credential {name} is larger than {MAX_BYTES // 1024} KiB: that is no password")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretMissing(f"credential {name} is not text in UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretMissing(f"credential {name} is empty")
    return Secret(text)
