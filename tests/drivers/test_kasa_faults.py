"""The kasa driver when devices are silent, talk nonsense, move to another address, or want a login."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any

import pytest

from chargerd.config.base import Credential, Secret
from chargerd.drivers.base import AccessDenied, UnexpectedAnswer, Unreachable
from chargerd.model.commands import SetEnabled
from tests.drivers.conftest import Connect, only
from tests.patience import within
from tests.sim.wire.bench import Bench

EVERYBODY = "127.255.255.255"


# When it does not answer, or answers nonsense


def test_a_silent_device_costs_no_more_than_its_budget(bench: Bench, connect: Connect) -> None:
    """python-kasa alone would try for 4 × 1 s + 3 s; with a time-out of 0.4 s the call is over after 0.6 s."""
    plug = bench.plug()
    driver = connect(plug)
    plug.behaviour.mute = True
    with within(1.5), pytest.raises(Unreachable, match="did not answer in time"):
        driver.read()


def test_a_device_that_falls_silent_is_found_again_when_it_speaks(bench: Bench, connect: Connect) -> None:
    """Connected, mute, speaking: the driver reconnects by itself with the next call."""
    plug = bench.plug()
    driver = connect(plug, discovery="127.0.0.1")
    driver.read()
    plug.behaviour.mute = True
    with within(1.5), pytest.raises(Unreachable):
        driver.read()
    plug.behaviour.mute = False
    assert only(driver.read()).power_w == 44.0


def test_a_refused_connection_is_unreachable_within_the_budget(bench: Bench, connect: Connect) -> None:
    """Nobody listens: the device is asked once by UDP what it wants, and the text says what newer firmware may want."""
    plug = bench.plug()
    plug.stop()
    with within(1.5), pytest.raises(Unreachable, match=r"cannot be reached.*Third-Party"):
        connect(plug).describe()


def test_a_slow_device_is_waited_for_within_its_time_out(bench: Bench, connect: Connect) -> None:
    """0.1 s an answer is slow but fine when 3 s are allowed; the same device is too slow for 0.1 s in all."""
    plug = bench.plug()
    plug.behaviour.delay_s = 0.1
    assert only(connect(plug, timeout_s=3.0).read()).power_w == 44.0
    with within(1.5), pytest.raises(Unreachable, match="in time"):
        connect(plug, timeout_s=0.1).read()


def test_garbage_is_an_unexpected_answer_with_what_came(bench: Bench, connect: Connect) -> None:
    """The raw answer is kept for whoever has to find out."""
    plug = bench.plug()
    driver = connect(plug)
    driver.read()
    plug.behaviour.garbage = -1
    with within(1.5), pytest.raises(UnexpectedAnswer, match="makes no sense") as caught:
        driver.read()
    assert "not json" in caught.value.raw
    plug.behaviour.garbage = 0
    assert only(driver.read()).power_w == 44.0


def test_one_bad_frame_is_asked_for_again_within_the_budget(bench: Bench, connect: Connect) -> None:
    """Wi-Fi corrupts a frame now and then; that is no failed reading."""
    plug = bench.plug()
    driver = connect(plug)
    driver.read()
    plug.behaviour.garbage = 1
    assert only(driver.read()).power_w == 44.0


def test_half_an_answer_is_unreachable(bench: Bench, connect: Connect) -> None:
    """The device closes in the middle of every frame."""
    plug = bench.plug()
    driver = connect(plug)
    plug.behaviour.half = -1
    with within(1.5), pytest.raises(Unreachable):
        driver.read()


def test_an_answer_of_another_shape_is_an_unexpected_answer(bench: Bench, connect: Connect) -> None:
    """The meter's module vanishes and comes back, as after a firmware fault: never is the last power given as a new one."""
    plug = bench.plug()
    driver = connect(plug)
    driver.read()
    plug.model = plug.model._replace(meter="none")
    for _ in range(2):
        with pytest.raises(UnexpectedAnswer):
            driver.read()
    plug.model = plug.model._replace(meter="integer")
    assert only(driver.read()).power_w == 44.0


def test_closing_never_raises(bench: Bench, connect: Connect) -> None:
    """Before the first call, after one, after a failure, and twice."""
    plug = bench.plug()
    connect(plug).close()
    driver = connect(plug)
    driver.read()
    plug.stop()
    with pytest.raises(Unreachable):
        driver.read()
    driver.close()
    driver.close()


# Where it is


def test_a_device_is_found_by_its_alias(bench: Bench, connect: Connect) -> None:
    """No address in the configuration: a search finds the plug of that name, in any case, and not its neighbour."""
    wanted = bench.plug(host="127.0.0.41", alias="Garage", draw_w=60.0, broadcast=EVERYBODY)
    bench.plug(host="127.0.0.42", port=wanted.port, alias="cellar", mac="50:C7:BF:00:00:02", broadcast=EVERYBODY)
    driver = connect(None, alias="garage", port=wanted.port, discovery=EVERYBODY)
    assert only(driver.read()).power_w == 60.0


def test_an_alias_that_nobody_has_is_unreachable_and_named(bench: Bench, connect: Connect) -> None:
    """The search ends after its two seconds."""
    plug = bench.plug(host="127.0.0.43", alias="garage", broadcast=EVERYBODY)
    with within(4.0), pytest.raises(Unreachable, match="'attic'"):
        connect(None, alias="attic", port=plug.port, discovery=EVERYBODY).describe()


def test_a_device_that_moved_to_another_address_is_found_by_its_mac(bench: Bench, connect: Connect) -> None:
    """The router gives the strip another address; the same sockets go on being read and switched."""
    strip = bench.strip("rad_1", "lamp", host="127.0.0.44", broadcast=EVERYBODY)
    driver = connect(strip, "rad_1", discovery=EVERYBODY)
    driver.describe()
    strip.stop()
    moved = bench.strip("rad_1", "lamp", host="127.0.0.45", port=strip.port, broadcast=EVERYBODY)
    with pytest.raises(Unreachable):
        driver.read()  # the connection it had is gone; the next call looks for the device
    driver.apply(SetEnabled("shed/rad_1", True))
    assert moved.is_on("rad_1")


def test_another_device_at_the_old_address_is_never_switched(bench: Bench, connect: Connect) -> None:
    """The address now belongs to a heater's plug: it is recognised by its MAC and left alone."""
    plug = bench.plug(host="127.0.0.46", on=False)
    driver = connect(plug, discovery="127.0.0.46")
    driver.read()
    plug.stop()
    heater = bench.plug(host="127.0.0.46", port=plug.port, mac="50:C7:BF:99:99:99", alias="heater", on=False)
    for _ in range(2):
        with pytest.raises(Unreachable):
            driver.apply(SetEnabled("shed", True))
    assert heater.switchings == []
    assert not [request for request in heater.requests if request.method == "system.set_relay_state"]


def test_a_device_of_another_name_at_the_configured_address_is_not_used(bench: Bench, connect: Connect) -> None:
    """With host and alias in the configuration the name is checked, and the search finds where it is now."""
    heater = bench.plug(host="127.0.0.47", alias="heater", on=False, broadcast=EVERYBODY)
    garage = bench.plug(
        host="127.0.0.48", port=heater.port, alias="garage", mac="50:C7:BF:00:00:02", on=False, broadcast=EVERYBODY
    )
    connect(heater, alias="garage", discovery=EVERYBODY).apply(SetEnabled("shed", True))
    assert (heater.switchings, garage.is_on()) == ([], True)


def test_a_device_named_by_its_mac_is_found_wherever_it_has_moved(bench: Bench, connect: Connect) -> None:
    """Before the first connection already, under another name, while somebody else has its address."""
    heater = bench.plug(host="127.0.0.57", alias="garage", mac="50:C7:BF:99:99:99", on=False, broadcast=EVERYBODY)
    garage = bench.plug(
        host="127.0.0.58", port=heater.port, alias="renamed", mac="50:C7:BF:00:00:02", on=False, broadcast=EVERYBODY
    )
    driver = connect(heater, mac="50-c7-bf-00-00-02", discovery=EVERYBODY)
    driver.apply(SetEnabled("shed", True))
    assert (heater.switchings, garage.is_on()) == ([], True)
    alone = connect(None, mac="50c7bf000002", port=heater.port, discovery=EVERYBODY)
    assert alone.describe().device_id == "50:C7:BF:00:00:02"


# Logins

LOGIN = {"username": Secret("owner@example.com"), "password": Secret("correct-horse")}


def with_login() -> dict[str, Any]:
    """The configuration keys that name both secrets."""
    return {"username": Credential(credential="user"), "password": Credential(credential="pass")}


def test_a_login_does_no_harm_to_an_open_device(bench: Bench, connect: Connect) -> None:
    """The device says by UDP that it needs none."""
    plug = bench.plug(host="127.0.0.49")
    assert only(connect(plug, secrets=LOGIN, **with_login()).read()).power_w == 44.0


@contextmanager
def locked_plug(host: str) -> Iterator[None]:
    """A plug with login that knows another password: it announces KLAP by UDP and answers the first handshake with a
    challenge that our login does not solve, as real ones do."""

    class Handshake(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Set-Cookie", "TP_SESSIONID=0123;TIMEOUT=86400")
            self.send_header("Content-Length", "48")
            self.end_headers()
            self.wfile.write(os.urandom(48))

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    def announce() -> None:
        result = {
            "device_id": "0" * 32,
            "device_type": "SMART.TAPOPLUG",
            "device_model": "P110(EU)",
            "ip": host,
            "mac": "50-C7-BF-77-77-77",
            "mgt_encrypt_schm": {
                "is_support_https": False,
                "encrypt_type": "KLAP",
                "http_port": web.server_port,
                "lv": 2,
            },
        }
        while (packet := udp.recvfrom(4096))[0] != b"end":
            udp.sendto(bytes(16) + dumps({"result": result, "error_code": 0}).encode(), packet[1])

    with ThreadingHTTPServer((host, 0), Handshake) as web, closing(socket(AF_INET, SOCK_DGRAM)) as udp:
        udp.bind((host, 20002))
        threads = [threading.Thread(target=work) for work in (web.serve_forever, announce)]
        for thread in threads:
            thread.start()
        yield
        web.shutdown()
        udp.sendto(b"end", (host, 20002))
        for thread in threads:
            thread.join()


def test_a_wrong_password_is_told_as_access_denied_without_the_password(connect: Connect) -> None:
    """A person must act: the hint says how, and neither error nor raw answer carries the login."""
    with locked_plug("127.0.0.50"):
        driver = connect(None, host="127.0.0.50", timeout_s=3.0, secrets=LOGIN, **with_login())
        with pytest.raises(AccessDenied, match="Third-Party Compatibility") as caught:
            driver.describe()
    told = str(caught.value)
    assert "correct-horse" not in told
    assert "owner@example.com" not in told
    assert caught.value.__cause__ is None
