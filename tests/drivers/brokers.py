"""Brokers: MQTT brokers of other people for tests, on loopback: amqtt in this process, mosquitto as a program."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from pwdlib import PasswordHash

from tests.patience import WAIT_S, until

logging.getLogger("amqtt").setLevel(logging.CRITICAL)
logging.getLogger("transitions").setLevel(logging.CRITICAL)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def amqtt(port: int, passwords: Path | None = None) -> Iterator[None]:
    """A broker on a thread of its own. ``passwords`` is a file with a line for each who may come in."""
    plugins: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    if passwords is not None:
        plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)}}
    config = {"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}, "plugins": plugins}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="amqtt", daemon=True)
    thread.start()

    def run(what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, loop).result(WAIT_S)

    async def made() -> Broker:
        return Broker(config)

    broker = run(made())
    run(broker.start())
    try:
        yield
    finally:
        run(broker.shutdown())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
        loop.close()


def passwords(folder: Path, name: str, password: str) -> Path:
    """The file for amqtt that lets in only one."""
    file = folder / "passwords"
    file.write_text(f"{name}:{PasswordHash.recommended().hash(password)}\n")
    return file


@contextmanager
def mosquitto(port: int, folder: Path, settings: str = "allow_anonymous true") -> Iterator[subprocess.Popen[bytes]]:
    """The program, with a configuration of its own; it is ended by its process."""
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\n{settings}\nuser root\n")
    with (folder / "mosquitto.log").open("wb") as log:
        program = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(folder / "mosquitto.conf")], stderr=log)
    try:
        until(lambda: listens(port))
        yield program
    finally:
        program.terminate()
        program.wait(WAIT_S)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
