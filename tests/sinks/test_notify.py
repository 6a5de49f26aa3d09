"""Notify: what is told arrives, at a real mail server with TLS and a login and at a web hook, and what goes wrong is named."""

from __future__ import annotations

import base64
import io
import socket

import pytest
from PIL import Image

from chargerd.config.base import Secret
from chargerd.sinks.base import Curve, Message, SinkError, SinkRefused, SinkUnreachable
from chargerd.sinks.notify import Sink
from tests.sinks.servers import PASSWORD, address, mail_server, web_hook

CONFIG = {"kind": "notify", "url": {"credential": "mail"}}
DONE = Message("bike-1: reached its target", "bike-1: cut off below 90 W & done; 402 Wh in 3 h.")
TABLE = (("LOADPOINT", "ENERGY"), ("bike-1", "402 Wh"), ("bike-2", "311 Wh"))
CURVES = (Curve("bike-1", ((0.0, 100.0), (2.0, 104.0), (3.0, 20.0))), Curve("bike-2", ((0.0, 97.0), (1.0, 5.0))))


def sink(url: str) -> Sink:
    """A sink of that address."""
    return Sink(Sink.Config.model_validate(CONFIG), {"url": Secret(url)})


@pytest.fixture
def post(tmp_path, monkeypatch):
    """A mail server whose certificate is trusted."""
    with mail_server(tmp_path) as (post, port):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        yield post, port


def test_mail_arrives_over_tls_with_login(post):
    """Subject, text and addresses are those that were meant."""
    box, port = post
    sink(address(port)).send(DONE)
    (mail,) = box.mails
    assert mail["subject"] == "bike-1: reached its target"
    assert (mail["from"], mail["to"]) == ("chargerd@example.org", "anna@example.org")
    body = mail.get_body(("plain",))
    assert body is not None
    assert "cut off below 90 W & done; 402 Wh in 3 h." in body.get_content()


def test_report_has_its_table_and_a_picture_of_the_curves(post):
    """S0-28: rows one below the other in both forms of the mail; the picture is one that programs can open."""
    box, port = post
    sink(address(port)).send(Message("2 charges", "2 charges, 713 Wh", rows=TABLE, curves=CURVES))
    (mail,) = box.mails
    for form in ("plain", "html"):
        body = mail.get_body((form,))
        assert body is not None
        assert "bike-1     402 Wh\nbike-2     311 Wh" in body.get_content().replace("\r\n", "\n")
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "charges.png"
    picture = Image.open(io.BytesIO(attached.get_content()))
    assert picture.size == (900, 420)
    colours = {colour for _, colour in picture.getcolors(100_000) or ()}
    assert {(0, 114, 178), (213, 94, 0)} <= colours


def test_wrong_password_is_refused_and_not_repeated_to_anybody(post):
    """The kind of error tells the daemon to wait for a person; its text has no part of the login."""
    box, port = post
    with pytest.raises(SinkRefused) as caught:
        sink(address(port, "wrong-and-secret")).send(DONE)
    assert "535" in str(caught.value)
    assert "wrong-and-secret" not in str(caught.value)
    assert box.mails == []


def test_server_that_is_down_full_or_nobody_we_trust_is_unreachable(post, monkeypatch):
    """Each is tried again; the text says which it is."""
    box, port = post
    box.full = True
    with pytest.raises(SinkUnreachable, match="452"):
        sink(address(port)).send(DONE)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(SinkUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
        sink(address(port)).send(DONE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(SinkUnreachable, match="refused"):
            sink(address(free.getsockname()[1])).send(DONE)


def test_web_hook_is_given_text_table_and_picture():
    """Where there is no mail, the table stands in the text."""
    with web_hook() as (posted, port, _):
        sink(f"json://127.0.0.1:{port}/hook").send(Message("2 charges", "713 Wh", True, TABLE, CURVES))
    (told,) = posted
    assert told["title"] == "2 charges"
    assert told["message"].endswith("bike-1     402 Wh\nbike-2     311 Wh")
    assert told["type"] == "warning"
    assert base64.b64decode(told["attachments"][0]["base64"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(("status", "error"), [(401, SinkRefused), (403, SinkRefused), (500, SinkUnreachable)])
def test_web_hook_that_refuses_is_told_from_one_that_has_trouble(status, error):
    """401 and 403 want a person, 500 another try."""
    with web_hook() as (_, port, answers):
        answers.append(status)
        with pytest.raises(SinkError) as caught:
            sink(f"json://anna:{PASSWORD}@127.0.0.1:{port}/hook").send(DONE)
    assert type(caught.value) is error
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("url", ["carrier-pigeon://loft", "just a word", "mailto://"])
def test_address_that_is_none_is_refused_at_once(url):
    """Before anything is sent."""
    with pytest.raises(SinkRefused, match="none that apprise understands"):
        sink(url)
