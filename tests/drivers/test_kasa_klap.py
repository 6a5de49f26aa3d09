"""The kasa driver behind a login: older plugs with newer firmware and Tapo plugs, whole charges, and every way not to get in."""

from __future__ import annotations

import threading
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from kasa.credentials import DEFAULT_CREDENTIALS, get_default_credentials
from msgspec import structs

from chargerd.config.base import Secret
from chargerd.drivers.base import AccessDenied, Driver, UnexpectedAnswer, Unreachable
from chargerd.drivers.simulated import Socket, taper
from chargerd.engine.describe import problems
from chargerd.model.commands import SetEnabled
from chargerd.model.events import CommandFailed, DeviceBack, DeviceLost, Event, ModeSet, ReadFailed
from chargerd.sim.run import Run, SimulatedClock
from chargerd.sim.wire.kasa import SimulatedPlug
from chargerd.sim.wire.klap import Login
from tests.drivers.conftest import Connect, only
from tests.drivers.test_kasa_faults import LOGIN, with_login
from tests.house import MONDAY_MS, configuration, loadpoint
from tests.patience import within
from tests.sim.wire.bench import OWNER, Bench


def owned(connect: Connect, device: SimulatedPlug, *channels: str, **keys: Any) -> Any:
    """A driver that has the owner's login and only the address, as after a look into the router."""
    settings = {"host": device.host, "timeout_s": 1.0, "secrets": LOGIN, **with_login(), **keys}
    return connect(None, *channels, **settings)


def stranger(connect: Connect, device: SimulatedPlug, *channels: str, **keys: Any) -> Any:
    """A driver without any login."""
    return connect(None, *channels, host=device.host, timeout_s=1.0, **keys)


# What it does behind the login


def test_the_owner_is_whom_the_simulated_plugs_know() -> None:
    """Both tables of secrets are of one account."""
    assert Login(LOGIN["username"].reveal(), LOGIN["password"].reveal()) == OWNER


@pytest.mark.parametrize("version", [1, 2], ids=["firmware of 2023", "firmware 1.1.2"])
def test_an_older_plug_with_newer_firmware_reads_switches_and_lends_as_before(
    bench: Bench, connect: Connect, version: int
) -> None:
    """The same readings and the same timer, behind a login; only the helper after a death cannot reach it any more."""
    plug = bench.plug(on=False, host=bench.address())
    bench.lock_up(plug, version=version)
    driver = owned(connect, plug)
    added = driver.describe()
    assert (added.model, added.lease, added.switch_at) == ("HS110", "unproven", "")
    driver.apply(SetEnabled("shed", True, lease_s=900))
    reading = only(driver.read())
    assert (reading.enabled, reading.power_w, reading.lease_s, reading.timer) == (True, 44.0, 900, "ours")
    bench.now_s += 901
    assert plug.switchings[-1].cause == "countdown"


def test_the_sockets_of_a_strip_with_newer_firmware_are_switched_alone(bench: Bench, connect: Connect) -> None:
    """One login for all of them, kept from call to call."""
    strip = bench.strip("rad_1", "rad_2", "lamp", host=bench.address())
    server = bench.lock_up(strip)
    driver = owned(connect, strip, "rad_1", "rad_2")
    assert driver.describe().channels["rad_2"] == f"{strip.mac}_{strip.child('rad_2')}"
    driver.apply(SetEnabled("shed/rad_2", True, lease_s=900))
    assert [reading.power_w for reading in driver.read()] == [0.0, 101.0]
    assert [move.child for move in strip.switchings] == [strip.child("rad_2")]
    assert server.lock.entries == 1


class Charge:
    """A day with one loadpoint on a simulated plug that only the real driver reaches; the plug lives on the day's clock."""

    def __init__(self, folder: Path, bench: Bench, driver: Driver) -> None:
        self.clock = SimulatedClock(MONDAY_MS)
        self.events: list[Event] = []
        settings = structs.replace(loadpoint("bike"), charger="shed")
        self._bench = bench
        self.run = Run(configuration(settings), {"shed": driver}, folder / "log.db", self.clock, watch=self._happened)

    def _happened(self, event: Event) -> None:
        self.events.append(event)

    def until(self, seconds: float) -> None:
        """Let time pass, for the plug and for the daemon, in steps that no reading falls between."""
        while self.clock.mono < seconds * 1000:
            self._bench.now_s = self.clock.true_s() + 5
            self.run.until(self.clock.mono / 1000 + 5)

    def facts(self, kind: type) -> list[Any]:
        """What was recorded of a kind."""
        return [event.body for event in self.events if isinstance(event.body, kind)]


def pack() -> Socket:
    """A small pack: 103 W falling to 5 W over 60 Wh."""
    return Socket(taper(103, 60, 5))


def device_of(kind: str, bench: Bench) -> tuple[SimulatedPlug, Any]:
    """A plug of either newer kind that is on and draws 44 W, and its server."""
    if kind == "Tapo":
        tapo = bench.smart()
        return tapo, tapo.server
    older = bench.plug(host=bench.address())
    return older, bench.lock_up(older)


def charging(kind: str, bench: Bench) -> tuple[SimulatedPlug, Any]:
    """The same on a Monday morning, off, with that pack."""
    bench.now_s = MONDAY_MS / 1000
    plug, server = device_of(kind, bench)
    plug.connect(pack())
    return plug, server


@pytest.mark.parametrize("kind", ["older plug, newer firmware", "Tapo"])
def test_a_charge_is_cut_off_behind_a_login_whose_session_ends_on_the_way(
    bench: Bench, connect: Connect, tmp_path: Path, kind: str
) -> None:
    """The device ends the session every ten minutes: nobody notices but the device, and the target is met."""
    plug, server = charging(kind, bench)
    server.lock.session_s = 600
    day = Charge(tmp_path, bench, owned(connect, plug, timeout_s=5.0))
    day.until(60)
    day.run.ask(ModeSet("bike", "fast", "anna"))
    day.until(1840)
    assert plug.is_on()
    day.until(2400)
    assert [move.on for move in plug.switchings] == [True, False]
    assert plug.switchings[-1].cause == "client"
    session = day.run.site.loadpoints["bike"].last_session
    assert session is not None
    assert session.outcome == "finished"
    assert day.facts(ReadFailed) == day.facts(DeviceLost) == []
    assert server.lock.entries == 4
    day.run.kill()


def test_a_plug_that_dies_with_its_login_in_mid_charge_ends_by_its_own_timer(
    bench: Bench, connect: Connect, tmp_path: Path
) -> None:
    """The owner changes the password in the app while it charges: one alarm, one knock an hour, and the lease ends it."""
    plug, server = charging("Tapo", bench)
    day = Charge(tmp_path, bench, owned(connect, plug, timeout_s=5.0))
    day.until(60)
    day.run.ask(ModeSet("bike", "fast", "anna"))
    day.until(300)
    assert plug.is_on()
    server.lock.login = Login("owner@example.com", "battery-staple")
    server.drop_clients()
    knocks = server.lock.knocks
    day.until(300 + 1800)
    assert plug.switchings[-1].cause == "countdown"
    assert [fact.error for fact in day.facts(DeviceLost)] == ["access-denied"]
    (problem,) = [each for each in problems(day.run.site, day.clock.now_ms()) if each.code == "access-denied"]
    assert problem.text.startswith("refuses the login; username and password are those of the TP-Link account")
    assert server.lock.knocks - knocks <= 5
    server.lock.login = OWNER
    day.until(300 + 1800 + 3700)
    assert len(day.facts(DeviceBack)) == 1
    day.run.kill()


def test_a_plug_that_cannot_keep_a_lease_charges_and_is_not_pestered(
    bench: Bench, connect: Connect, tmp_path: Path
) -> None:
    """Its auto-off never counts: the command is told as failed, the charge goes on, and it is told again every 90 s."""
    plug, _ = charging("Tapo", bench)
    plug.behaviour.never_starts_auto_off = True
    day = Charge(tmp_path, bench, owned(connect, plug, timeout_s=5.0))
    day.until(60)
    day.run.ask(ModeSet("bike", "fast", "anna"))
    day.until(60 + 600)
    assert plug.is_on()
    failed = day.facts(CommandFailed)
    assert {fact.detail for fact in failed} == {"shed is on and does not keep its cut-off timer"}
    assert 6 <= len(failed) <= 9
    day.run.kill()


# How it gets in, and how not


@pytest.mark.parametrize("kind", ["older plug, newer firmware", "Tapo"])
def test_a_wrong_password_is_access_denied_after_one_knock(bench: Bench, connect: Connect, kind: str) -> None:
    """What to do is told, no part of the login is, and nothing was moved."""
    plug, server = device_of(kind, bench)
    wrong = {"username": LOGIN["username"], "password": Secret("wrong-horse")}
    with pytest.raises(AccessDenied, match=r"shed refuses the login; .*TP-Link account.*Third-Party") as caught:
        owned(connect, plug, secrets=wrong).describe()
    told = str(caught.value)
    assert "horse" not in told
    assert "owner@" not in told
    assert (caught.value.__cause__, server.lock.knocks, server.lock.entries, plug.requests) == (None, 1, 0, [])


@pytest.mark.parametrize("kind", ["older plug, newer firmware", "Tapo"])
def test_a_login_that_was_not_given_is_asked_for(bench: Bench, connect: Connect, kind: str) -> None:
    """Not "no answer": the device says by UDP that it wants one, and so does the error."""
    plug, _ = device_of(kind, bench)
    with pytest.raises(AccessDenied, match="shed wants a login it was not given; set username and password"):
        stranger(connect, plug).describe()


def test_a_plug_that_moved_from_its_open_port_is_followed_with_a_login(bench: Bench, connect: Connect) -> None:
    """The update comes at night, while chargerd runs: one lost reading, and it is read as before."""
    plug = bench.plug(host=bench.address())
    driver = owned(connect, plug, port=plug.port, discovery=plug.host)
    assert only(driver.read()).power_w == 44.0
    assert driver.describe().switch_at == f"{plug.host}:{plug.port}"
    bench.lock_up(plug)
    with pytest.raises(Unreachable):
        driver.read()
    assert only(driver.read()).power_w == 44.0
    assert driver.describe().switch_at == ""


def test_a_plug_that_moved_from_its_open_port_says_which_login_it_wants(bench: Bench, connect: Connect) -> None:
    """The same night without a login: the second try is told as what it is."""
    plug = bench.plug(host=bench.address())
    driver = stranger(connect, plug, port=plug.port, discovery=plug.host)
    driver.read()
    bench.lock_up(plug)
    with pytest.raises(Unreachable):
        driver.read()
    with pytest.raises(AccessDenied, match="wants a login it was not given"):
        driver.read()


def test_a_plug_that_moved_is_followed_where_udp_does_not_get_through(bench: Bench, connect: Connect) -> None:
    """The search finds nothing; then the address is asked from the beginning, in every known way, and the login opens it."""
    plug = bench.plug(host=bench.address())
    driver = owned(connect, plug, port=plug.port, discovery=plug.host, timeout_s=1.5)
    assert only(driver.read()).power_w == 44.0
    bench.lock_up(plug, port=plug.port).behaviour.mute_udp = True
    for _ in range(2):
        with pytest.raises(Unreachable):
            driver.read()
    assert only(driver.read()).power_w == 44.0


def test_a_port_that_swallows_everything_is_asked_by_udp_too(bench: Bench, connect: Connect) -> None:
    """Firmware that drops packets to the old port instead of refusing them costs the budget and leads to the same end."""
    swallowing = bench.plug(host=bench.address())
    swallowing.behaviour.mute = True
    plug = bench.smart(host=swallowing.host)
    with within(3.5), pytest.raises(AccessDenied, match="wants a login"):
        stranger(connect, plug, port=swallowing.port).describe()
    assert only(owned(connect, plug).read()).power_w == pytest.approx(44.0)


@pytest.mark.parametrize("kind", ["older plug, newer firmware", "Tapo"])
def test_without_udp_the_known_ways_are_tried(bench: Bench, connect: Connect, kind: str) -> None:
    """A router that lets no search through: the port is all that is known. A wrong password is still told as such."""
    plug, server = device_of(kind, bench)
    server.behaviour.mute_udp = True
    assert only(owned(connect, plug, port=server.port, timeout_s=1.5).read()).enabled
    wrong = {"username": LOGIN["username"], "password": Secret("wrong-horse")}
    with pytest.raises(AccessDenied, match="refuses the login"):
        owned(connect, plug, port=server.port, timeout_s=1.5, secrets=wrong).describe()


@pytest.mark.parametrize("name", ["", "KASA", "TAPO"])
def test_a_plug_that_never_met_the_cloud_opens_without_a_login(bench: Bench, connect: Connect, name: str) -> None:
    """Its account is empty, or the maker's own; python-kasa knows both. Nobody need set one up."""
    known = get_default_credentials(DEFAULT_CREDENTIALS[name]) if name else Login("", "")
    login = Login(known.username, known.password)
    plug = bench.smart(login=login)
    assert only(stranger(connect, plug).read()).power_w == pytest.approx(44.0)
    assert only(owned(connect, plug).read()).power_w == pytest.approx(44.0)


def test_a_plug_that_is_open_and_announces_a_login_is_used_open(bench: Bench, connect: Connect) -> None:
    """Third-Party Compatibility: whatever answers the search, without a login the open port is tried before one is asked for."""
    plug, new = bench.plug(host=bench.address()), bench.address()
    driver = stranger(connect, plug, port=plug.port, discovery=new)
    assert only(driver.read()).power_w == 44.0
    plug.stop()
    moved = bench.plug(host=new, port=plug.port, draw_w=45.0)
    moved.behaviour.mute_udp = True
    announcing = bench.smart(host=new, mac=plug.mac, draw_w=99.0)
    with pytest.raises(Unreachable):
        driver.read()
    assert only(driver.read()).power_w == 45.0
    assert announcing.server.lock.knocks == 0


def test_a_known_plug_whose_password_was_changed_is_knocked_at_once_a_try(bench: Bench, connect: Connect) -> None:
    """It is where it was, so nobody searches for it and knocks again."""
    plug, server = device_of("Tapo", bench)
    driver = owned(connect, plug, discovery=plug.host)
    driver.read()
    server.lock.login = Login("owner@example.com", "battery-staple")
    server.drop_clients()
    for knocks in (2, 3, 4):
        with pytest.raises(AccessDenied):
            driver.read()
        assert server.lock.knocks == knocks


def test_a_tapo_plug_is_known_by_its_name_behind_the_login(bench: Bench, connect: Connect) -> None:
    """It tells its name to its owner only. One of another name is not taken, nor one of another owner."""
    garage = bench.smart(alias="Garage", draw_w=60.0)
    cellar = bench.smart(alias="cellar")
    neighbour = bench.smart(alias="garage", login=Login("neighbour", "x"))

    def called(where: SimulatedPlug) -> Any:
        keys = {"alias": "garage", "discovery": where.host, "timeout_s": 1.0, **with_login()}
        return connect(None, secrets=LOGIN, **keys)

    assert only(called(garage).read()).power_w == pytest.approx(60.0)
    for other in (cellar, neighbour):
        with pytest.raises(Unreachable, match="no device called 'garage' answered a search"):
            called(other).read()
    assert not [request for request in cellar.requests if request.method.startswith("set_")]


def test_a_tapo_plug_that_moved_to_another_address_is_found_by_its_mac(bench: Bench, connect: Connect) -> None:
    """The router gives it another address; the charge goes on there."""
    plug, new = bench.smart(on=False), bench.address()
    driver = owned(connect, plug, discovery=new)
    driver.read()
    plug.stop()
    moved = bench.smart(host=new, on=False)
    with pytest.raises(Unreachable):
        driver.read()
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert moved.is_on()


# When it answers badly


@pytest.mark.parametrize("kind", ["older plug, newer firmware", "Tapo"])
def test_a_plug_that_restarts_is_logged_in_to_again(bench: Bench, connect: Connect, kind: str) -> None:
    """Connections, sessions and seeds are gone; the next call makes new ones, and the relay does not move."""
    plug, server = device_of(kind, bench)
    driver = owned(connect, plug, timeout_s=3.0)
    driver.read()
    plug.reboot()
    driver.apply(SetEnabled("shed", True, lease_s=900))
    reading = only(driver.read())
    assert (reading.enabled, reading.lease_s) == (True, 900)
    assert (plug.switchings, server.lock.entries) == ([], 2)


@pytest.mark.parametrize("step", ["handshake1", "handshake2", "request"])
def test_a_plug_that_hangs_costs_no_more_than_its_budget(bench: Bench, connect: Connect, step: str) -> None:
    """In either half of the handshake and behind it; it is used again when it answers."""
    plug, server = device_of("Tapo", bench)
    driver = owned(connect, plug, timeout_s=1.5)
    server.behaviour.only_in, server.behaviour.mute = step, True
    with within(3), pytest.raises(Unreachable, match="did not answer in time"):
        driver.read()
    server.behaviour.mute = False
    assert only(driver.read()).enabled


def test_a_slow_handshake_is_waited_for(bench: Bench, connect: Connect) -> None:
    """0.3 s for each half and each request is slow and fine when 3 s are allowed."""
    plug, server = device_of("older plug, newer firmware", bench)
    server.behaviour.delay_s = 0.3
    assert only(owned(connect, plug, timeout_s=3.0).read()).enabled


@pytest.mark.parametrize("step", ["handshake1", "request"])
@pytest.mark.parametrize("fault", ["half", "lose_answers"])
def test_half_an_answer_is_unreachable_and_one_is_asked_for_again(
    bench: Bench, connect: Connect, step: str, fault: str
) -> None:
    """The device hangs up in the middle, for good: no login trouble, no nonsense. Afterwards it is read."""
    plug, server = device_of("Tapo", bench)
    driver = owned(connect, plug)
    server.behaviour.only_in = step
    setattr(server.behaviour, fault, -1)
    with within(4.0), pytest.raises(Unreachable):
        driver.read()
    setattr(server.behaviour, fault, 0)
    assert only(driver.read()).enabled


@pytest.mark.parametrize("step", ["handshake1", "request"])
def test_garbage_is_an_unexpected_answer(bench: Bench, connect: Connect, step: str) -> None:
    """An answer that cannot be deciphered is not taken for a wrong password."""
    plug, server = device_of("Tapo", bench)
    driver = owned(connect, plug)
    server.behaviour.only_in, server.behaviour.garbage = step, -1
    with within(4.0), pytest.raises(UnexpectedAnswer):
        driver.read()
    server.behaviour.garbage = 0
    assert only(driver.read()).enabled


def test_a_door_that_is_shut_after_a_right_proof_is_no_wrong_password(bench: Bench, connect: Connect) -> None:
    """403 to the second half: the next try gets in, within a poll and not within an hour."""
    plug, server = device_of("Tapo", bench)
    driver = owned(connect, plug)
    server.behaviour.shut_second = 1
    with pytest.raises(UnexpectedAnswer, match="handshake2"):
        driver.read()
    assert only(driver.read()).enabled


def test_an_answer_lost_after_switching_is_found_by_reading(bench: Bench, connect: Connect) -> None:
    """The plug switches and hangs up: the same command is asked again in a new session, and the relay has moved once."""
    plug, server = device_of("Tapo", bench)
    driver = owned(connect, plug, timeout_s=3.0)
    driver.apply(SetEnabled("shed", False))
    server.behaviour.only_in, server.behaviour.lose_answers = "request", 2
    driver.apply(SetEnabled("shed", True, lease_s=900))
    assert only(driver.read()).enabled
    assert [move.on for move in plug.switchings] == [False, True]


def test_the_app_that_logs_in_beside_us_costs_nothing(bench: Bench, connect: Connect) -> None:
    """A device with room for one session: the app throws us out, we throw the app out, readings go on."""
    plug, server = device_of("Tapo", bench)
    server.lock.most = 1
    driver, app = owned(connect, plug), owned(connect, plug)
    for _ in range(2):
        assert only(driver.read()).enabled
        assert only(app.read()).enabled


def test_nothing_is_left_of_the_login_in_errors_and_lines(
    bench: Bench, connect: Connect, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through every failure above; python-kasa's own lines are silent as well."""
    plug, server = device_of("Tapo", bench)
    driver = owned(connect, plug, timeout_s=0.4)
    told: list[str] = []
    for step, fault in product(("handshake1", "request"), ("half", "garbage", "mute")):
        server.behaviour.only_in = step
        setattr(server.behaviour, fault, -1)
        with pytest.raises((Unreachable, UnexpectedAnswer)) as caught:
            driver.read()
        setattr(server.behaviour, fault, 0)
        told += [str(caught.value), repr(caught.value), getattr(caught.value, "raw", "")]
    connect_again = owned(connect, plug)
    connect_again.read()
    server.lock.forget()
    connect_again.read()
    out, err = capfd.readouterr()
    everything = "\n".join([*told, caplog.text, out, err])
    assert "correct-horse" not in everything
    assert "owner@example" not in everything
    assert [record for record in caplog.records if record.name.startswith("kasa")] == []


def test_closing_ends_the_connection_and_its_threads(bench: Bench, connect: Connect) -> None:
    """Twice is fine; nothing goes on in the background."""
    plug, _ = device_of("Tapo", bench)
    before = threading.active_count()
    driver = owned(connect, plug)
    driver.read()
    driver.close()
    driver.close()
    assert threading.active_count() <= before + 1
