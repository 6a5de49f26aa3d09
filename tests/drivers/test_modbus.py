"""One connection to a Modbus device: what each way of failing means, and that no answer is taken for another's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.drivers.modbus import Connection, NoSuchRegisters
from chargerd.sim.wire.modbus_server import ALWAYS
from chargerd.sim.wire.solaredge import SimulatedSolarEdge
from tests.sim.wire.modbus import running

TIMEOUT_S, BUDGET_S = 0.5, 1.5
MARK = (0x5375, 0x6E53)


@contextmanager
def within(limit_s: float) -> Iterator[None]:
    """Fails if what is inside takes longer."""
    begin_s = time.monotonic()
    yield
    assert time.monotonic() - begin_s < limit_s


@pytest.fixture
def device() -> Iterator[SimulatedSolarEdge]:
    """A running inverter."""
    with running(SimulatedSolarEdge()) as made:
        yield made


@pytest.fixture
def connection(device: SimulatedSolarEdge) -> Iterator[Connection]:
    """The one connection to it."""
    made = Connection("roof", device.host, device.port, 1, timeout_s=TIMEOUT_S, budget_s=BUDGET_S)
    yield made
    made.close()


def mark(connection: Connection) -> tuple[int, ...]:
    """What is at the beginning of the registers."""
    with connection.call():
        return connection.read(40000, 2)


def test_a_connection_is_kept(device: SimulatedSolarEdge, connection: Connection) -> None:
    """S1-03: SolarEdge serves one client. Fifty calls, one connection, and it is the only one ever tried."""
    for _ in range(50):
        assert mark(connection) == MARK
    assert (device.server.connections, device.server.refused, device.server.clients) == (1, 0, 1)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("half", Unreachable),
        ("hang_up", Unreachable),
        ("stall", UnexpectedAnswer),
        ("garbage", UnexpectedAnswer),
        ("wrong_transaction", UnexpectedAnswer),
        ("wrong_unit", UnexpectedAnswer),
        ("short", UnexpectedAnswer),
    ],
)
def test_a_spoiled_answer_is_an_error_and_the_next_call_is_served(
    device: SimulatedSolarEdge, connection: Connection, fault: str, error: type[Exception]
) -> None:
    """S1-03: it is never a value; the connection is closed, and the next call opens exactly one other."""
    assert mark(connection) == MARK
    setattr(device.behaviour, fault, 1)
    with within(BUDGET_S), pytest.raises(error) as caught:
        mark(connection)
    if isinstance(caught.value, UnexpectedAnswer):
        assert caught.value.raw
    assert mark(connection) == MARK
    assert (device.server.connections, device.server.clients) == (2, 1)


def test_garbage_is_kept_for_whoever_has_to_find_out(device: SimulatedSolarEdge, connection: Connection) -> None:
    """A web server on that port: its words are in the error, as bytes."""
    device.behaviour.garbage = ALWAYS
    with pytest.raises(UnexpectedAnswer, match="roof gave an answer that makes no sense") as caught:
        mark(connection)
    assert bytes.fromhex(caught.value.raw).startswith(b"HTTP/1.1 400")


def test_an_answer_that_comes_once_more_is_not_taken_for_the_next(
    device: SimulatedSolarEdge, connection: Connection
) -> None:
    """The answer before is sent again ahead of the right one: another transaction, so it is passed over."""
    device.behaviour.repeat = ALWAYS
    with connection.call():
        assert connection.read(40000, 2) == MARK
        assert connection.read(40083, 2) == (3456, 0)
        assert connection.read(40000, 2) == MARK


def test_what_came_unasked_is_never_taken_for_an_answer(device: SimulatedSolarEdge, connection: Connection) -> None:
    """A well-formed answer with the transaction that comes next lies on the line: that line is not used again."""
    assert mark(connection) == MARK
    device.server.push(bytes.fromhex("0002 0000 0007 01 03 04 DEAD BEEF"))
    assert mark(connection) == MARK
    assert device.server.connections == 2


def test_an_answer_too_late_belongs_to_a_line_that_is_closed(
    device: SimulatedSolarEdge, connection: Connection
) -> None:
    """Slower than the time-out: unreachable; then in time again: the new question's answer, from a new connection."""
    assert mark(connection) == MARK
    device.behaviour.delay_s = TIMEOUT_S * 1.4
    with within(BUDGET_S), pytest.raises(Unreachable, match=r"roof did not answer in time \(0.5 s\)"):
        mark(connection)
    device.behaviour.delay_s = 0.0
    with connection.call():
        assert connection.read(40083, 2) == (3456, 0)
    assert device.server.connections == 2


def test_many_slow_answers_end_with_the_budget(device: SimulatedSolarEdge, connection: Connection) -> None:
    """Each in time, all together not: over after 1.5 s, not after ten answers."""
    device.behaviour.delay_s = TIMEOUT_S * 0.6

    def read_ten_times() -> None:
        with connection.call():
            for _ in range(10):
                connection.read(40000, 2)

    with within(BUDGET_S + TIMEOUT_S), pytest.raises(Unreachable, match=r"everything in time \(1.5 s\)"):
        read_ten_times()
    device.behaviour.delay_s = 0.0
    assert mark(connection) == MARK


def test_a_silent_device_costs_one_time_out(device: SimulatedSolarEdge, connection: Connection) -> None:
    """Nobody asks a second time within a call."""
    device.behaviour.mute = True
    with within(TIMEOUT_S * 2), pytest.raises(Unreachable, match="did not answer in time"):
        mark(connection)
    assert len(device.server.requests) == 1


@pytest.mark.parametrize("code", [5, 6, 10, 11])
def test_busy_and_asleep_behind_a_gateway_is_unreachable(
    device: SimulatedSolarEdge, connection: Connection, code: int
) -> None:
    """A follower inverter sleeps behind its leader: exception 10 or 11 is no reason to alarm anybody."""
    device.behaviour.exception = code
    with pytest.raises(Unreachable, match="roof cannot be reached: unit 1 behind"):
        mark(connection)


@pytest.mark.parametrize(("code", "word"), [(1, "illegal function"), (3, "illegal value"), (4, "device failure")])
def test_other_exceptions_are_answers_nobody_expected(
    device: SimulatedSolarEdge, connection: Connection, code: int, word: str
) -> None:
    """They are told with the register, the unit and their meaning."""
    device.behaviour.exception = code
    with pytest.raises(UnexpectedAnswer, match=f"roof refused register 40000 of unit 1: {word}") as caught:
        mark(connection)
    assert not isinstance(caught.value, NoSuchRegisters)


def test_an_illegal_address_is_told_apart(connection: Connection) -> None:
    """Whoever looks which blocks a device has needs to know."""
    with pytest.raises(NoSuchRegisters, match="illegal address"), connection.call():
        connection.read(100, 1)


def test_a_wrong_unit_is_an_answer_nobody_expected(device: SimulatedSolarEdge) -> None:
    """Another number than the device's: it says so, and the text names the number."""
    connection = Connection("roof", device.host, device.port, 7, timeout_s=TIMEOUT_S, budget_s=BUDGET_S)
    with pytest.raises(UnexpectedAnswer, match="unit 7"):
        mark(connection)
    connection.close()


def test_a_closed_port_is_unreachable_and_open_again_is_served_at_once(
    device: SimulatedSolarEdge, connection: Connection
) -> None:
    """S1-03: night and morning. The first call after waking is answered, without one that fails first."""
    assert mark(connection) == MARK
    device.stop()
    for _ in range(2):
        with within(TIMEOUT_S), pytest.raises(Unreachable, match=r"roof cannot be reached at .*: Connection refused"):
            mark(connection)
    device.start()
    assert mark(connection) == MARK


def test_a_connection_that_was_cut_while_nobody_asked_is_opened_anew(
    device: SimulatedSolarEdge, connection: Connection
) -> None:
    """The inverter restarted between two readings: no reading is lost."""
    assert mark(connection) == MARK
    device.server.drop_clients()
    assert mark(connection) == MARK
    assert device.server.connections == 2


def test_somebody_else_has_the_only_connection(device: SimulatedSolarEdge, connection: Connection) -> None:
    """S1-03: unreachable while another client is there; served as soon as it has gone."""
    other = Connection("other", device.host, device.port, 1, timeout_s=TIMEOUT_S, budget_s=BUDGET_S)
    assert mark(other) == MARK
    with pytest.raises(Unreachable, match="roof"):
        mark(connection)
    device.server.drop_clients()
    assert mark(connection) == MARK
    other.close()
    assert device.server.refused == 1


def test_registers_that_one_request_cannot_hold_come_in_two(device: SimulatedSolarEdge, connection: Connection) -> None:
    """150 registers: 125 and 25, in their order."""
    image = device.image()
    with connection.call():
        assert connection.read_long(40000, 150) == tuple(image[at] for at in range(40000, 40150))
    assert device.server.requests == [(3, 40000, 125), (3, 40125, 25)]
