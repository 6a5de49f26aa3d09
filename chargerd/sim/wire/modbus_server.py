"""Server of the simulated Modbus devices: one device on a TCP port of its own thread, and what can go wrong with an answer.

pymodbus frames and parses; what the registers hold the device says, anew for every request.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

START_S = 10.0
ADDRESSES = 0x10000
ALWAYS = -1
UNIT_AT = 6  # in a frame
GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n"

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class Registers(Protocol):
    """A device's registers, which nobody can set. What `image` does not have is an illegal address."""

    def image(self) -> Mapping[int, int]:
        """All registers as they are now, by address."""
        ...


class Behaviour:
    """What a device does wrong. Numbers of answers: 0 none, `ALWAYS` all of them.

    ``one_client`` refuses a second connection as SolarEdge does; ``kicks`` lets it in and throws the first one out.
    ``half`` breaks off in the middle and hangs up, ``stall`` breaks off and stays. ``exception`` is answered to everything.
    ``repeat`` sends the answer before once more, and then this one. ``gone`` are units for which a gateway says that they do not
    answer it, ``dumb`` those for which it says nothing either.
    """

    def __init__(self) -> None:
        self.one_client = True
        self.kicks = False
        self.mute = False
        self.delay_s = 0.0
        self.exception: int | None = None
        self.half = 0
        self.stall = 0
        self.garbage = 0
        self.hang_up = 0
        self.repeat = 0
        self.wrong_transaction = 0
        self.wrong_unit = 0
        self.short = 0
        self.frozen = False
        self.gone: set[int] = set()
        self.dumb: set[int] = set()

    def take(self, what: str) -> bool:
        """Whether this answer goes wrong so; counts it."""
        left: int = getattr(self, what)
        if left > 0:
            setattr(self, what, left - 1)
        return left != 0


class ModbusDevice:
    """A device on a port of its own. Who derives from it says what its registers hold; by itself it can only be read."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, unit: int = 1) -> None:
        self.behaviour = Behaviour()
        self.server = self._serving(host, port, unit)

    def _serving(self, host: str, port: int, unit: int) -> Server:
        """What answers for it."""
        return Server(self, self.behaviour, host=host, port=port, unit=unit)

    @property
    def host(self) -> str:
        """Where it listens."""
        return self.server.host

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def start(self) -> None:
        """Listen, at the same port as before: day."""
        self.server.start()

    def stop(self) -> None:
        """Fall asleep: hang up and refuse everybody."""
        self.server.stop()

    def image(self) -> Mapping[int, int]:
        """All registers as they are now, by address."""
        raise NotImplementedError


class Server:
    """Serves one device. ``clients`` is how many there are now, ``connections`` how many were let in, ``refused`` how many not."""

    def __init__(self, registers: Registers, behaviour: Behaviour, *, host: str, port: int, unit: int) -> None:
        self.host = host
        self.port = port
        self.unit = unit
        self.connections = 0
        self.refused = 0
        self.requests: list[tuple[int, int, int]] = []  # function, address, count
        self._registers = registers
        self._behaviour = behaviour
        self._behind: dict[int, Registers] = {}
        self._frozen: Mapping[int, int] | None = None
        self._handlers: list[_Handler] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: Exception | None = None

    def also(self, unit: int, registers: Registers) -> None:
        """Serve another device behind this one, by its unit. To be said before it starts."""
        self._behind[unit] = registers

    @property
    def behaviour(self) -> Behaviour:
        """What the device does wrong."""
        return self._behaviour

    @property
    def clients(self) -> int:
        """How many connections are open now."""
        return len(self._handlers)

    def start(self) -> None:
        """Listen, and return when clients can come. Raises OSError if the address is taken."""
        if self._thread is not None:
            return
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name=f"modbus-{self.port}", daemon=True)
        self._thread.start()
        self._ready.wait(START_S)
        if self._failure is not None:
            self._thread.join(START_S)
            self._thread = None
            raise self._failure

    def stop(self) -> None:
        """Close everything; harmless if it does not run."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)
        self._thread = None

    def drop_clients(self) -> None:
        """Cut every connection, keep listening; they are gone when it returns."""
        if self._thread is None or self._loop is None:
            return
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(START_S)

    def push(self, data: bytes) -> None:
        """Send to every client what none has asked for."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._push(data), self._loop).result(START_S)

    async def _push(self, data: bytes) -> None:
        for handler in self._handlers:
            handler.push(data)

    async def _cut(self) -> None:
        for handler in list(self._handlers):
            handler.hang_up()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        devices = [_device(self.unit, self._asked)]
        devices += [_device(unit, partial(self._answered, unit, behind)) for unit, behind in self._behind.items()]
        listener: Any = _Listener(self, devices)
        if not await listener.listen():
            self._failure = OSError(f"cannot listen at {self.host}:{self.port}")
            self._ready.set()
            return
        self.port = listener.transport.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        await self._cut()
        await listener.shutdown()
        self._handlers.clear()

    async def _asked(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        current_registers: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        return await self._answered(
            self.unit, self, function_code, start_address, address, count, current_registers, set_values
        )

    async def _answered(
        self,
        unit: int,
        registers: Registers,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        current_registers: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        self.requests.append((function_code, address, count))
        if self._behaviour.delay_s:
            await asyncio.sleep(self._behaviour.delay_s)
        if self._behaviour.exception is not None:
            return ExcCodes(self._behaviour.exception)
        if unit in self._behaviour.gone:
            return ExcCodes.GATEWAY_NO_RESPONSE
        image = registers.image()
        wanted = range(address, address + count)
        if set_values is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        if any(number not in image for number in wanted):
            return ExcCodes.ILLEGAL_ADDRESS
        current_registers[address - start_address : address - start_address + count] = [image[at] for at in wanted]
        return None

    def image(self) -> Mapping[int, int]:
        """The registers of the first device, which stand still while it is frozen."""
        if not self._behaviour.frozen:
            self._frozen = None
            return self._registers.image()
        if self._frozen is None:
            self._frozen = self._registers.image()
        return self._frozen

    def arrived(self, handler: _Handler) -> bool:
        """Somebody has connected; False if it is one too many."""
        if self._handlers and self._behaviour.kicks:
            for other in list(self._handlers):
                other.hang_up()
        elif self._handlers and self._behaviour.one_client:
            self.refused += 1
            return False
        self.connections += 1
        self._handlers.append(handler)
        return True

    def left(self, handler: _Handler) -> None:
        """A connection has ended."""
        if handler in self._handlers:
            self._handlers.remove(handler)


def _device(unit: int, action: Any) -> SimDevice:
    anything = SimData(0, count=ADDRESSES, values=0, datatype=DataType.REGISTERS)
    return SimDevice(id=unit, simdata=[anything], action=action)


class _Listener(ModbusTcpServer):
    """pymodbus' server, asked who may come in."""

    def __init__(self, owner: Server, devices: list[SimDevice]) -> None:
        super().__init__(devices, address=(owner.host, owner.port))
        self.owner = owner

    def callback_new_connection(self) -> ServerRequestHandler:
        """A connection with its faults."""
        return _Handler(self)


class _Handler(ServerRequestHandler):
    """One connection: its answers go through the device's behaviour."""

    def __init__(self, listener: _Listener) -> None:
        made: Any = super()  # it has no types there
        made.__init__(listener, None, None, None)
        self._owner = listener.owner
        self._before = b""

    def callback_connected(self) -> None:
        """Let in, or refused."""
        super().callback_connected()
        if not self._owner.arrived(self):
            self.hang_up()

    def callback_disconnected(self, exc: Exception | None) -> None:
        """Gone."""
        super().callback_disconnected(exc)
        self._owner.left(self)

    def send(self, data: bytes, addr: tuple[Any, ...] | None = None) -> None:
        """An answer, or what becomes of it."""
        behaviour = self._owner.behaviour
        if behaviour.mute or data[UNIT_AT] in behaviour.dumb:
            return
        if behaviour.take("hang_up"):
            self.hang_up()
            return
        half, stall = behaviour.take("half"), behaviour.take("stall")
        before = self._before if behaviour.take("repeat") else b""
        self._before = data
        data = before + _altered(behaviour, data)
        super().send(data[: len(data) // 2] if half or stall else data, addr)
        if half:
            self.close()
            self._owner.left(self)

    def push(self, data: bytes) -> None:
        """Send what nobody has asked for."""
        super().send(data)

    def hang_up(self) -> None:
        """Reset the connection."""
        self._owner.left(self)
        transport: Any = self.transport
        if transport is not None:
            transport.abort()


def _altered(behaviour: Behaviour, frame: bytes) -> bytes:
    """MBAP header: transaction 0–1, protocol 2–3, length 4–5, unit 6; then function, byte count, registers."""
    if behaviour.take("garbage"):
        return GARBAGE
    if behaviour.take("wrong_transaction"):
        return ((int.from_bytes(frame[:2], "big") - 1) & 0xFFFF).to_bytes(2, "big") + frame[2:]
    if behaviour.take("wrong_unit"):
        return frame[:6] + bytes([frame[6] ^ 0x55]) + frame[7:]
    if len(frame) > 11 and behaviour.take("short"):  # a register less, and all lengths agree
        return frame[:4] + (len(frame) - 8).to_bytes(2, "big") + frame[6:8] + bytes([frame[8] - 2]) + frame[9:-2]
    return frame
