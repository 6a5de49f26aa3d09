"""Inquiry: what another process of chargerd's own program asks the running daemon over its monitor socket."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec

from chargerd.protocol.framing import REPLY_LIMIT, BadMessage, CallError, Messages, call

ANSWER_S = 5.0


class Running(msgspec.Struct, frozen=True):
    """The running daemon's state as it describes it: see GetState in the protocol's table."""

    seq: int
    digest: str
    engine: str
    recording: bool
    run_seq: int
    boot_id: str


def running(folder: Path) -> Running | str:
    """The state of the daemon whose sockets lie in a folder, or why it cannot be had, as part of a sentence."""
    try:
        return msgspec.convert(ask(folder, "GetState"), Running)
    except (FileNotFoundError, ConnectionRefusedError):
        return f"no chargerd runs at {folder}"
    except PermissionError:
        return f"{folder}/monitor may not be opened"
    except (OSError, BadMessage, msgspec.ValidationError) as error:
        return f"chargerd at {folder} does not answer ({error})"
    except CallError as error:
        return f"chargerd at {folder} refuses the question ({error})"


def ask(folder: Path, method: str) -> dict[str, Any]:
    """The reply to a question without parameters. Raises OSError, `BadMessage` or `CallError`."""
    messages = Messages(REPLY_LIMIT)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_S)
        client.connect(str(folder / "monitor"))
        client.sendall(call(method, {}))
        while (message := messages.next()) is None:
            data = client.recv(65536)
            if not data:
                raise ConnectionResetError("the connection was cut")
            messages.feed(data)
    if "error" in message:
        raise CallError.received(message)
    reply = message.get("parameters")
    if not isinstance(reply, dict):
        raise BadMessage("it has no parameters")
    return reply
