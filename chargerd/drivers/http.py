"""Http: one device's conversation over HTTP, with its time-outs, its login, and the three ways in which it can fail."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import requests
from msgspec import Struct
from requests.auth import HTTPBasicAuth

from chargerd.config.base import Secret
from chargerd.drivers.base import AccessDenied, UnexpectedAnswer, Unreachable

CONNECT_S = 3.0
BUSY = frozenset({500, 502, 503, 504})  # what small web servers say when they have no time
MOST_BYTES = 262_144  # no device of ours says more; one that does must not fill the memory
RAW_CHARS = 400
WORDS = ("Response", "Message", "error", "message")  # where devices put what a person should read

Json = dict[str, Any]


class Answer(Struct, frozen=True):
    """What a device answered, whatever its status was."""

    status: int
    text: str
    body: Json | None
    """The JSON object, None if the answer was none."""


class Http:
    """A device called ``name`` at ``host``. Each call is one request and is never repeated; the poller does that.

    ``secrets`` are taken out of every text that leaves this class. ``login`` is for Basic authentication.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        timeout_s: float,
        secrets: Iterable[Secret] = (),
        login: tuple[Secret, Secret] | None = None,
    ) -> None:
        self.name = name
        self._url = f"http://{host}:{port}"
        self._where = host if port == 80 else f"{host}:{port}"
        self._timeouts = (min(CONNECT_S, timeout_s), timeout_s)
        self._secrets = [text for secret in secrets if (text := secret.reveal())]
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between us and a device in the house
        if login is not None:
            # As bytes: requests takes texts for Latin-1, and tells what it cannot encode in its error.
            name_and_word = login[0].reveal().encode(), login[1].reveal().encode()
            self._session.auth = HTTPBasicAuth(*name_and_word)
            self._secrets.append(b64encode(b":".join(name_and_word)).decode())

    def get(self, path: str, **params: str) -> Answer:
        """Ask. Raises Unreachable, AccessDenied (401, 403), or UnexpectedAnswer for what is no text."""
        return self._asked("GET", path, params, None)

    def put(self, path: str, body: Json) -> Answer:
        """Send a JSON object. Raises as `get`."""
        return self._asked("PUT", path, {}, body)

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def confused(self, what: str, answer: Answer) -> UnexpectedAnswer:
        """The error for an answer that makes no sense because of ``what``."""
        return UnexpectedAnswer(f"{self.name} {self.clean(what)}", self.clean(answer.text)[:RAW_CHARS])

    def clean(self, text: str) -> str:
        """The text without our secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text

    def _asked(self, method: str, path: str, params: Mapping[str, str], body: Json | None) -> Answer:
        try:
            with self._session.request(
                method,
                self._url + path,
                params=params,
                json=body,
                timeout=self._timeouts,
                allow_redirects=False,  # a login is for this device, not for where it sends us
                stream=True,
            ) as response:
                return self._judged(Answer(response.status_code, *self._body(response)))
        except requests.Timeout:
            raise Unreachable(f"{self.name} at {self._where} did not answer in time") from None
        except requests.exceptions.ContentDecodingError:
            raise UnexpectedAnswer(f"{self.name} gave an answer that cannot be unpacked") from None
        except requests.exceptions.ChunkedEncodingError:
            raise Unreachable(f"{self.name} at {self._where} broke off in the middle of an answer") from None
        except requests.ConnectionError as error:
            raise Unreachable(f"{self.name} at {self._where} cannot be reached{_because(error)}") from None
        except requests.RequestException as error:
            raise UnexpectedAnswer(f"{self.name} does not speak HTTP as expected ({type(error).__name__})") from None

    def _body(self, response: requests.Response) -> tuple[str, Json | None]:
        came = b""
        for part in response.iter_content(8192):
            came += part
            if len(came) > MOST_BYTES:
                raise UnexpectedAnswer(f"{self.name} gave an answer of no sensible size")
        text = came.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return text, None
        return text, body if isinstance(body, dict) else None

    def _judged(self, answer: Answer) -> Answer:
        said = spoken(answer.body)
        told = f": {self.clean(said)}" if said else ""
        if answer.status in (401, 403):
            raise AccessDenied(f"{self.name} refuses the login (HTTP {answer.status}){told}")
        if answer.status in BUSY:
            raise Unreachable(f"{self.name} at {self._where} has no time (HTTP {answer.status}){told}")
        return answer


def spoken(body: Json | None) -> str:
    """What the device says to people in its answer, "" if nothing."""
    for word in WORDS:
        if body is not None and isinstance(body.get(word), str):
            return str(body[word]).strip()
    return ""


def _because(error: BaseException) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror and seen.errno:
            return f": {seen.strerror}"
        reason = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return ""
