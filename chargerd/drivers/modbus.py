"""Modbus: one kept TCP connection to a device, registers in and out, and what each way of failing means.

pymodbus: https://pymodbus.readthedocs.io/   Its synchronous client frames requests and matches answers by transaction; who
connects, how long everything may take and what an error means is said here.

Many devices serve one client only, so there is never a second connection: after any error it is closed, and opened anew by the
next call. A connection on which something lies that nobody has asked for is not used again, so that an answer that comes too
late is never taken for the answer to the next question.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from chargerd.drivers.base import DriverError, UnexpectedAnswer, Unreachable

MOST_REGISTERS = 125  # of one request: Modbus Application Protocol V1.1b3, 6.3
RAW_BYTES = 64
ILLEGAL_ADDRESS = 2
# Busy, and what a gateway says of a follower behind it that sleeps or is not there: V1.1b3, 7.
NOT_NOW = {5: "works on something else", 6: "is busy", 10: "has no way to it", 11: "gets no answer from it"}
EXCEPTIONS = {1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure"}

# Whatever goes wrong reaches people by the three errors, not as lines of a library on standard error.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class NoSuchRegisters(UnexpectedAnswer):
    """The device has no register at that address. Whoever looks which blocks there are catches it."""


class Connection:
    """One client of one device (``unit``). ``name`` is what people call it.

    A request takes at most twice ``timeout_s``; what is done within `call` takes at most ``budget_s`` and one time-out.
    """

    def __init__(self, name: str, host: str, port: int, unit: int, *, timeout_s: float, budget_s: float) -> None:
        self._name = name
        self._host = host
        self._port = port
        self._unit = unit
        self._timeout_s = timeout_s
        self._budget_s = budget_s
        self.number = 0  # how many connections there have been
        self._client: ModbusTcpClient | None = None
        self._heard = b""
        self._late = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Everything that one call of a driver asks: opens the connection if need be, closes it after any error."""
        self._late = False
        alarm = Timer(self._budget_s, self._cut)
        alarm.daemon = True
        alarm.start()
        try:
            self._open()
            yield
        except Exception:
            self.close()
            raise
        finally:
            alarm.cancel()
            alarm.join()

    @property
    def is_usable(self) -> bool:
        """Whether there is a connection that nobody has hung up, and on which nothing lies that belongs to no question."""
        if self._client is None or self._client.socket is None:
            return False
        try:
            self._client.socket.setblocking(False)
            self._client.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

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
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> None:
        if self.is_usable:
            return
        self.close()
        try:
            made = socket.create_connection((self._host, self._port), timeout=self._timeout_s)
        except TimeoutError:
            raise Unreachable(f"{self._name} did not answer in time ({self._timeout_s:g} s)") from None
        except OSError as error:
            text = error.strerror or str(error)
            raise Unreachable(f"{self._name} cannot be reached at {self._host}:{self._port}: {text}") from None
        # Given its socket, the client has no reason to open one by itself; it would hide why that fails.
        self._client = ModbusTcpClient(
            self._host, port=self._port, timeout=self._timeout_s, retries=0, trace_packet=self._listen
        )
        self._client.socket = made
        self.number += 1

    def _ready(self) -> ModbusTcpClient:
        if self._late:
            raise self._too_late()
        if self._client is None or self._client.socket is None:
            raise Unreachable(f"{self._name} has hung up")
        self._heard = b""
        return self._client

    def _listen(self, sending: bool, packet: bytes) -> bytes:
        if not sending:
            self._heard = packet
        return packet

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
        if self._client is None or self._client.socket is None:
            return Unreachable(f"{self._name} hung up when it was asked for {what}")
        if not self._heard:
            return Unreachable(f"{self._name} did not answer in time ({self._timeout_s:g} s), asked for {what}")
        return UnexpectedAnswer(f"{self._name} gave an answer that makes no sense, asked for {what}", self._raw)

    def _refuse_exception(self, answer: ModbusPDU, what: str) -> None:
        if not isinstance(answer, ExceptionResponse):
            return
        code = answer.exception_code
        if code in NOT_NOW:
            raise Unreachable(f"{self._name} cannot be reached: unit {self._unit} behind {self._host} {NOT_NOW[code]}")
        known = EXCEPTIONS.get(code, f"exception {code}")
        kind = NoSuchRegisters if code == ILLEGAL_ADDRESS else UnexpectedAnswer
        raise kind(f"{self._name} refused {what} of unit {self._unit}: {known}", self._raw)

    @property
    def _raw(self) -> str:
        return self._heard[:RAW_BYTES].hex(" ")

    def _too_late(self) -> Unreachable:
        return Unreachable(f"{self._name} did not answer everything in time ({self._budget_s:g} s)")

    def _cut(self) -> None:
        # From the alarm's thread: wakes whoever waits for this socket.
        self._late = True
        client = self._client
        if client is not None and client.socket is not None:
            with suppress(OSError):
                client.socket.shutdown(socket.SHUT_RDWR)
