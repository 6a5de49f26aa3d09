"""One connection to a Modbus device: what each way of failing means, and that no answer is taken for another's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chargerd.drivers.base import UnexpectedAnswer, Unreachable
from chargerd.drivers.modbus import Connection, NoSuchRegisters
from chargerd.sim.wire.modbus_server import ALWAYS
from chargerd.sim.wire.solaredge import Inverter, SimulatedSolarEdge
from tests.patience import until, within
from tests.sim.wire.modbus import running

TIMEOUT_S, BUDGET_S = 1.0, 3.0
MARK = (0x5375, 0x6E53)


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
    with within(BUDGET_S), pytest.raises(Unreachable, match=r"roof did not answer in time \(1 s\)"):
        mark(connection)
    device.behaviour.delay_s = 0.0
    with connection.call():
        assert connection.read(40083, 2) == (3456, 0)
    assert device.server.connections == 2


def test_many_slow_answers_end_with_the_budget(device: SimulatedSolarEdge, connection: Connection) -> None:
    """Each in time, all together not: over after 3 s, not after ten answers."""
    device.behaviour.delay_s = TIMEOUT_S * 0.6

    def read_ten_times() -> None:
        with connection.call():
            for _ in range(10):
                connection.read(40000, 2)

    with within(BUDGET_S + TIMEOUT_S), pytest.raises(Unreachable, match=r"everything in time \(3 s\)"):
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
    with socket.create_connection((device.host, device.port)):
        until(lambda: device.server.clients == 1)
        with pytest.raises(Unreachable, match="roof"):
            mark(connection)
        device.server.drop_clients()
        assert mark(connection) == MARK
    assert device.server.refused == 1


def test_registers_that_one_request_cannot_hold_come_in_two(device: SimulatedSolarEdge, connection: Connection) -> None:
    """150 registers: 125 and 25, in their order."""
    image = device.image()
    with connection.call():
        assert connection.read_long(40000, 150) == tuple(image[at] for at in range(40000, 40150))
    assert device.server.requests == [(3, 40000, 125), (3, 40125, 25)]


# Several devices at one address


@pytest.fixture
def pair() -> Iterator[tuple[SimulatedSolarEdge, Connection, Connection]]:
    """A leader with a follower behind it, unit 2, that makes 1234 W; and a connection to each."""
    leader, follower = SimulatedSolarEdge(), SimulatedSolarEdge()
    follower.inverter = Inverter(power_w=1234.0)
    leader.server.also(2, follower)
    with running(leader):
        first, second = (
            Connection(name, leader.host, leader.port, unit, timeout_s=TIMEOUT_S, budget_s=BUDGET_S)
            for name, unit in (("leader", 1), ("follower", 2))
        )
        yield leader, first, second
        first.close()
        second.close()


def power_w(connection: Connection) -> int:
    """What the inverter makes."""
    with connection.call():
        return connection.read(40083, 2)[0]


Pair = tuple[SimulatedSolarEdge, Connection, Connection]


def test_devices_at_one_address_take_turns_on_one_connection(pair: Pair) -> None:
    """Two workers ask at once, forty times each; the inverter refuses a second client and never sees one."""
    leader, *both = pair
    with ThreadPoolExecutor(2) as workers:
        found = list(workers.map(lambda one: {power_w(one) for _ in range(40)}, both))
    assert found == [{3456}, {1234}]
    assert (leader.server.connections, leader.server.refused, leader.server.clients) == (1, 0, 1)


def test_a_unit_that_the_gateway_does_not_reach_costs_the_others_nothing(pair: Pair) -> None:
    """The follower sleeps and its leader says so: the connection stays as it is."""
    leader, first, second = pair
    assert power_w(first) == 3456
    leader.behaviour.gone = {2}
    with pytest.raises(Unreachable, match="follower cannot be reached: unit 2 behind"):
        power_w(second)
    assert power_w(first) == 3456
    leader.behaviour.gone = set()
    assert power_w(second) == 1234
    assert leader.server.connections == 1


def test_a_silent_unit_costs_the_others_one_time_out(pair: Pair) -> None:
    """Nobody says anything for the follower: who waits has its turn after that, on a connection of which no answer is owed."""
    leader, first, second = pair
    leader.behaviour.dumb = {2}
    with ThreadPoolExecutor(1) as worker:
        silent = worker.submit(power_w, second)
        until(lambda: len(leader.server.requests) == 1)
        with within(BUDGET_S):
            assert power_w(first) == 3456
        assert isinstance(silent.exception(), Unreachable)
    assert (leader.server.connections, leader.server.refused) == (2, 0)


def test_who_waits_too_long_for_its_turn_gives_up_and_cuts_nobody_off(pair: Pair) -> None:
    """Its budget is over while another is at it: that one's line lives, and there is a turn for it the next time."""
    leader, first, second = pair
    done = threading.Event()

    def linger() -> int:
        with first.call():
            first.read(40000, 2)
            done.wait(10)
            return 0

    patient = Connection("patient", leader.host, leader.port, 2, timeout_s=TIMEOUT_S, budget_s=0.3)
    with ThreadPoolExecutor(1) as worker:
        at_it = worker.submit(linger)
        until(lambda: leader.server.clients == 1)
        with (
            within(0.3 + TIMEOUT_S),
            pytest.raises(Unreachable, match=r"patient did not get its turn in time \(0.3 s\)"),
        ):
            power_w(patient)
        done.set()
        assert at_it.result() == 0
    assert (power_w(patient), power_w(second), leader.server.connections) == (1234, 1234, 1)
    patient.close()


def test_the_last_one_that_leaves_hangs_up(pair: Pair) -> None:
    """One device is taken out of the configuration: the other goes on on the same connection. Leaving twice does no harm."""
    leader, first, second = pair
    assert (power_w(first), power_w(second)) == (3456, 1234)
    first.close()
    first.close()
    assert power_w(second) == 1234
    assert (leader.server.connections, leader.server.clients) == (1, 1)
    second.close()
    until(lambda: leader.server.clients == 0)
    assert power_w(first) == 3456
