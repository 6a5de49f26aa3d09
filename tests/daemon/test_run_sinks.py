"""Run with sinks: the real program tells a real mail server, and charges whatever that server says."""

from __future__ import annotations

import signal

from tests.daemon.test_run import House, house  # noqa: F401 - a fixture
from tests.sinks.servers import PASSWORD, address, mail_server

SINK = """
[sink.mail]
kind = "notify"
url = { credential = "mail" }
report = "sessions"
"""


def test_daemon_whose_mail_password_is_wrong_charges_and_says_so(house: House, tmp_path, monkeypatch):  # noqa: F811
    """The test message is refused with the server's words, the charge runs; with the right password and a restart it arrives."""
    (tmp_path / "post").mkdir()
    secrets = house.folder / "secrets"
    secrets.mkdir()
    with mail_server(tmp_path / "post") as (post, port):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "post" / "server.pem"))
        (secrets / "mail").write_text(address(port, "wrong-and-secret") + "\n")
        house.config.write_text(house.config.read_text() + SINK)
        process = house.ready()
        refused = house.ask("TestSink", name="mail")
        assert refused["error"] == "io.chargerd.SinkFailed"
        assert "535" in refused["parameters"]["message"]
        house.ask("SetMode", name="bike", mode="fast")
        house.until(house.on)
        assert house.ask("TestSink", name="post")["error"] == "io.chargerd.NoSuchSink"
        (sink,) = house.ask("GetSinks", where="monitor")["parameters"]["sinks"]
        assert (sink["name"], sink["report"], sink["error"]) == ("mail", "sessions", "")
        (secrets / "mail").write_text(address(port))
        assert "taken" in house.ask("TestSink", name="mail")["parameters"]["text"]
        assert [str(mail["subject"]) for mail in post.mails] == ["chargerd: a test"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert "wrong-and-secret" not in house.journal()
    assert PASSWORD not in house.journal()
    assert PASSWORD.encode() not in (house.folder / "state" / "log.db").read_bytes()
