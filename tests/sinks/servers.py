"""Servers: a real SMTP server with TLS and a login, and a web server that takes what is posted to it. On loopback."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "anna", "tulips-and-tar"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "server.pem", folder / "server.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return public, private


class Post:
    """What has been delivered. ``full`` makes the server refuse what comes; ``room`` is for how many more mails there is any."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.full = False
        self.room = 1000

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """A mail is handed in."""
        if self.full or len(self.mails) >= self.room:
            return "452 4.2.2 Mailbox full"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@contextmanager
def mail_server(folder: Path, port: int = 0) -> Iterator[tuple[Post, int]]:
    """An SMTP server that wants STARTTLS and the login, on a free port of localhost."""
    public, private = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    post = Post()

    def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: object) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=good)

    with socket.socket() as free:  # it wants to know its port beforehand
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    server = Controller(
        post,
        hostname="127.0.0.1",
        port=port,
        authenticator=login,
        auth_required=True,
        require_starttls=True,
        tls_context=context,
    )
    server.start()
    try:
        yield post, port
    finally:
        server.stop()


def address(port: int, password: str = PASSWORD) -> str:
    """The address of that mail server as a person writes it for apprise."""
    return (
        f"mailtos://{USER}:{password}@localhost:{port}?mode=starttls&smtp=localhost"
        "&from=chargerd@example.org&to=anna@example.org"
    )


@contextmanager
def web_hook() -> Iterator[tuple[list[dict[str, Any]], int, list[int]]]:
    """A web server: what was posted, its port, and the status that it answers with (the last of the list)."""
    posted: list[dict[str, Any]] = []
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if status[-1] == 200:
                posted.append(json.loads(body))
            self.send_response(status[-1])
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield posted, server.server_address[1], status
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
