"""Notify: mail, ntfy, Telegram, a webhook or any other of the hundred services that apprise knows, by one address each.

The address holds the login and so is a secret: https://github.com/caronc/apprise lists how each service's is written.
"""

from __future__ import annotations

import html
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import apprise
from apprise.attachment.memory import AttachMemory

from chargerd.config.base import Credential, Secret, SinkConfig
from chargerd.sinks.base import Message, SinkRefused, SinkUnreachable
from chargerd.sinks.picture import png

REFUSED = re.compile(r"\b(401|403|530|534|535|authenticat\w*|unauthori\w*|forbidden)\b", re.IGNORECASE)
"""What servers answer to a wrong login: HTTP 401 and 403, SMTP 530, 534 and 535 (RFC 4954), or in words."""
SHOWN = 300  # characters of an error that are passed on
HIDDEN = 4  # parts of the address that are shorter than this are no secret, and would garble the text if taken out


class Sink:
    """One address that is told."""

    class Config(SinkConfig):
        """``url`` names the credential that holds the address."""

        url: Credential

    def __init__(self, config: SinkConfig, secrets: Mapping[str, Secret]) -> None:
        assert isinstance(config, Sink.Config)
        self._url = secrets["url"]
        asset = apprise.AppriseAsset(
            app_id="chargerd", app_desc="chargerd", storage_mode=apprise.PersistentStoreMode.MEMORY
        )
        self._mail = urlsplit(self._url.reveal()).scheme.lower() in ("mailto", "mailtos")
        with _heard() as said:
            service = apprise.Apprise.instantiate(self._url.reveal(), asset=asset)
        if service is None:
            raise SinkRefused(f"its address is none that apprise understands: {self._plain(' '.join(said[-1:]))}")
        self._service = service

    def send(self, message: Message) -> None:
        """Tell it. Raises `SinkUnreachable` or `SinkRefused` with what the other side said."""
        marked: dict[str, Any] = {
            "title": message.title,
            "body": message.text,
            "body_format": apprise.NotifyFormat.TEXT,
        }
        if message.rows and self._mail:
            marked["body"] = f"<p>{html.escape(message.text)}</p><pre>{html.escape(_table(message.rows))}</pre>"
            marked["body_format"] = apprise.NotifyFormat.HTML
        elif message.rows:
            marked["body"] = f"{message.text}\n\n{_table(message.rows)}"
        if message.curves:
            picture = png(message.curves, message.title)
            attach: Any = AttachMemory  # apprise has no types for it
            marked["attach"] = attach(picture, name="charges.png", mimetype="image/png")
        kind = apprise.NotifyType.WARNING if message.alarm else apprise.NotifyType.INFO
        with _heard() as said:
            sent = self._service.notify(notify_type=kind, **marked)
        if sent:
            return
        told = self._plain(_telling(said))
        if REFUSED.search(told):
            raise SinkRefused(f"refuses the login: {told}")
        raise SinkUnreachable(told or "nobody took it")

    def _plain(self, text: str) -> str:
        """A text without any part of the address that may be a login."""
        url = self._url.reveal()
        parts = {part for piece in re.split(r"[/@:?&=#,]+", url) for part in (piece, unquote(piece))}
        parts -= {urlsplit(url).scheme, urlsplit(url).hostname}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= HIDDEN:
                text = text.replace(part, "…")
        return text[:SHOWN]


class _Heard(logging.Handler):
    """What apprise says on this thread; it tells what went wrong in its log only."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    logger = logging.getLogger("apprise")
    logger.propagate = False  # it names addresses, and nobody else is to hear them
    logger.setLevel(logging.DEBUG)
    handler = _Heard()
    logger.addHandler(handler)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)


def _telling(lines: Sequence[str]) -> str:
    """The last lines that say what went wrong, as one."""
    telling = [line for line in lines if re.search(r"exception|error|fail|refus|\(\d{3}", line, re.IGNORECASE)]
    return " · ".join(" ".join(line.split()) for line in telling[-2:])


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
