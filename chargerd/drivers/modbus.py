"""Modbus: one kept TCP connection to a device, registers in and out, and what each way of failing means.

pymodbus: https://pymodbus.readthedocs.io/   Its synchronous client frames requests and matches answers by transaction; who
connects, how long everything may take and what an error means is said here.

Many devices serve one client only, so there is never a second connection to an address: devices behind one (a leader and its
follower, what hangs on a gateway) are told apart by their unit and take turns on one `Line`, a call at a time. After any error
it is closed, and opened anew by the next call; only what a gateway says of a unit behind it leaves it as it is. A line on which
something lies that nobody has asked for is not used again, so that an answer that comes too late is never taken for the answer
to the next question.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from chargerd.drivers.base import DriverError, UnexpectedAnswer, Unreachable

MOST_REGISTERS = 125  # of one request: Modbus Application Protocol V1.1b3, 6.3
RAW_BYTES = 64
ILLEGAL_ADDRESS = 2
# Busy, and what a gateway says of a follower behind it that sleeps or is not there: V1.1b3, 7.
NOBODY_BEHIND = (10, 11)
NOT_NOW = {5: "works on something else", 6: "is busy", 10: "has no way to it", 11: "gets no answer from it"}
EXCEPTIONS = {1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure"}

# Whatever goes wrong reaches people by the three errors, not as lines of a library on standard error.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class NoSuchRegisters(UnexpectedAnswer):
    """The device has no register at that address. Whoever looks which blocks there are catches it."""


class Line:
    """The one TCP connection to an address, which all devices there share. Used by whoever has its ``turn``.

    ``users`` are those that may still come; the last one that leaves hangs up.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.turn = Lock()
        self.users: set[int] = set()
        self.number = 0  # how many connections there have been
        self.client: ModbusTcpClient | None = None
        self.heard = b""

    @property
    def is_usable(self) -> bool:
        """Whether there is a connection that nobody has hung up, and on which nothing lies that belongs to no question."""
        if self.client is None or self.client.socket is None:
            return False
        try:
            self.client.socket.setblocking(False)
            self.client.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def open(self, timeout_s: float) -> ModbusTcpClient:
        """The connection, anew if the last one cannot be used, with a time-out for each answer. Raises OSError."""
        if self.client is None or not self.is_usable:
            self.hang_up()
            made = socket.create_connection((self.host, self.port), timeout=timeout_s)
            # Given its socket, the client has no reason to open one by itself; it would hide why that fails.
            self.client = ModbusTcpClient(self.host, port=self.port, retries=0, trace_packet=self._listen)
            self.client.socket = made
            self.number += 1
        for waits in (self.client, self.client.transaction):
            waits.comm_params.timeout_connect = timeout_s
        return self.client

    def hang_up(self) -> None:
        """Close the connection."""
        client, self.client = self.client, None
        if client is not None:
            client.close()

    def cut(self) -> None:
        """Wake whoever waits for an answer, from another thread."""
        client = self.client
        if client is not None and client.socket is not None:
            with suppress(OSError):
                client.socket.shutdown(socket.SHUT_RDWR)

    def _listen(self, sending: bool, packet: bytes) -> bytes:
        if not sending:
            self.heard = packet
        return packet


_lines: dict[tuple[str, int], Line] = {}  # by address; each device of this process finds the others at its own here
_registry = Lock()


class Connection:
    """One device (``unit``) at an address, on the line that it shares with others there. ``name`` is what people call it.

    A request takes at most twice ``timeout_s``; what is done within `call` takes at most ``budget_s`` and one time-out, the wait
    for its turn included.
    """

    def __init__(self, name: str, host: str, port: int, unit: int, *, timeout_s: float, budget_s: float) -> None:
        self._name = name
        self._host = host
        self._port = port
        self._unit = unit
        self._timeout_s = timeout_s
        self._budget_s = budget_s
        self._line: Line | None = None
        self._late = False
        self._at_it = False
        self._in_order = False

    @property
    def number(self) -> int:
        """How many connections there have been to the address; another number means that everything may be new."""
        return 0 if self._line is None else self._line.number

    @contextmanager
    def call(self) -> Iterator[None]:
        """Everything that one call of a driver asks: waits for its turn, opens the line if need be, closes it after an error."""
        line = self._joined()
        self._late = False
        alarm = Timer(self._budget_s, self._cut)
        alarm.daemon = True
        alarm.start()
        try:
            if not line.turn.acquire(timeout=self._budget_s):
                raise Unreachable(
                    f"{self._name} did not get its turn in time ({self._budget_s:g} s): others at {self._where} are asked"
                )
            try:
                yield from self._alone(line)
            finally:
                self._at_it = False
                alarm.cancel()
                alarm.join()  # before the next one's turn, whom it would cut off
                line.turn.release()
        finally:
            alarm.cancel()
            alarm.join()

    def _alone(self, line: Line) -> Iterator[None]:
        self._at_it, self._in_order = True, False
        try:
            self._open(line)
            yield
        except Exception:
            if not self._in_order:
                line.hang_up()
            raise

    def read(self, address: int, count: int) -> tuple[int, ...]:
        """So many holding registers. Raises one of the three errors; `NoSuchRegisters` if the device has none there."""
        client = self._ready()
        with self._explained(f"registers {address}–{address + count - 1}"):
            answer = client.read_holding_registers(address, count=count, device_id=self._unit)
        self._refuse_exception(answer, f"register {address}")
        registers = tuple(answer.registers)
        if answer.function_code != 3 or len(registers) != count:
            what = f"{len(registers)} registers in place of {count}"
            raise UnexpectedAnswer(f"{self._name} gave an answer that makes no sense: {what}", self._raw)
        return registers

    def read_long(self, address: int, count: int) -> tuple[int, ...]:
        """As `read`, in several requests where one would be too long."""
        parts = range(0, count, MOST_REGISTERS)
        pieces = [self.read(address + part, min(MOST_REGISTERS, count - part)) for part in parts]
        return tuple(register for piece in pieces for register in piece)

    def write(self, address: int, value: int) -> None:
        """Set one register, by function 6, which some devices take only. Raises one of the three errors."""
        client = self._ready()
        with self._explained(f"setting register {address}"):
            answer = client.write_register(address, value, device_id=self._unit)
        self._refuse_exception(answer, f"register {address}")
        if answer.function_code != 6 or list(answer.registers) != [value]:
            raise UnexpectedAnswer(
                f"{self._name} was told {value} for register {address} and echoes another", self._raw
            )

    def close(self) -> None:
        """Leave the line; the last one hangs up."""
        line, self._line = self._line, None
        if line is None:
            return
        with _registry:
            line.users.discard(id(self))
            if not line.users:
                del _lines[line.host, line.port]
                line.hang_up()

    def _joined(self) -> Line:
        if self._line is None:
            with _registry:
                self._line = _lines.setdefault((self._host, self._port), Line(self._host, self._port))
                self._line.users.add(id(self))
        return self._line

    @property
    def _where(self) -> str:
        return f"{self._host}:{self._port}"

    def _open(self, line: Line) -> None:
        try:
            line.open(self._timeout_s)
        except TimeoutError:
            raise Unreachable(f"{self._name} did not answer in time ({self._timeout_s:g} s)") from None
        except OSError as error:
            text = error.strerror or str(error)
            raise Unreachable(f"{self._name} cannot be reached at {self._where}: {text}") from None

    def _ready(self) -> ModbusTcpClient:
        if self._late:
            raise self._too_late()
        self._in_order = False
        if self._line is None or self._line.client is None or self._line.client.socket is None:
            raise Unreachable(f"{self._name} has hung up")
        self._line.heard = b""
        return self._line.client

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ModbusException, OSError):
            raise self._failure(what) from None
        except (ValueError, LookupError, TypeError) as error:  # what pymodbus makes of bytes that it cannot decode
            raise UnexpectedAnswer(f"{self._name} gave an answer that makes no sense: {error}", self._raw) from None

    def _failure(self, what: str) -> DriverError:
        if self._late:
            return self._too_late()
        if self._line is None or self._line.client is None or self._line.client.socket is None:
            return Unreachable(f"{self._name} hung up when it was asked for {what}")
        if not self._line.heard:
            return Unreachable(f"{self._name} did not answer in time ({self._timeout_s:g} s), asked for {what}")
        return UnexpectedAnswer(f"{self._name} gave an answer that makes no sense, asked for {what}", self._raw)

    def _refuse_exception(self, answer: ModbusPDU, what: str) -> None:
        if not isinstance(answer, ExceptionResponse):
            return
        code = answer.exception_code
        if code in NOT_NOW:
            self._in_order = code in NOBODY_BEHIND  # others at this address answer as before
            raise Unreachable(f"{self._name} cannot be reached: unit {self._unit} behind {self._host} {NOT_NOW[code]}")
        known = EXCEPTIONS.get(code, f"exception {code}")
        kind = NoSuchRegisters if code == ILLEGAL_ADDRESS else UnexpectedAnswer
        raise kind(f"{self._name} refused {what} of unit {self._unit}: {known}", self._raw)

    @property
    def _raw(self) -> str:
        return "" if self._line is None else self._line.heard[:RAW_BYTES].hex(" ")

    def _too_late(self) -> Unreachable:
        return Unreachable(f"{self._name} did not answer everything in time ({self._budget_s:g} s)")

    def _cut(self) -> None:
        # From the alarm's thread. While others have their turn there is nothing of ours to cut.
        self._late = True
        if self._at_it and self._line is not None:
            self._line.cut()
