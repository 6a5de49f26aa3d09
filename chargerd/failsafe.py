"""Failsafe: what is still done when chargerd has died. systemd runs it (``ExecStopPost=``); it needs Python and nothing else.

The daemon keeps a last will in its runtime directory (`daemon.lastwill`): for each charger that is on, where it is and what
to tell it. Each is told once, with a short time-out, all at the same time, and asked whether it did it. After an orderly end
there is nothing to do. It always ends with status 0: a service manager has nothing better to try.

The plugs speak the older TP-Link protocol: JSON behind four bytes of length, each byte XORed with the one before
(https://www.softscheck.com/en/blog/tp-link-reverse-engineering/). Newer plugs want a login and are left to their timers.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time

TIMEOUT_S = 2.0
KEY = 171
MOST_BYTES = 1 << 16


def main() -> int:
    """Carry out the last will, unless the daemon ended in order."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "/run/chargerd").partition(":")[0]
    path = os.path.join(folder, "last-will.json")
    if os.environ.get("SERVICE_RESULT", "") == "success":
        return 0
    try:
        with open(path, encoding="utf-8") as file:
            will = json.load(file)
        tasks = [threading.Thread(target=_carry_out, args=(task,)) for task in will["tasks"]]
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        _say(3, f"failsafe: {path} cannot be read: {error}; plugs are left to their timers")
        return 0
    for thread in tasks:
        thread.start()
    for thread in tasks:
        thread.join()
    return 0


def _carry_out(task: dict[str, object]) -> None:
    name, wish = task.get("loadpoint"), task.get("wish")
    host, _, port = str(task.get("at", "")).rpartition(":")
    if not host:
        _say(4, f"{name}: chargerd has died; {task.get('otherwise')}")
        return
    try:
        told = [_asked(host, int(port), message) for message in _listed(task.get("tell"))]
        found = _asked(host, int(port), {"system": {"get_sysinfo": {}}})
        refused = [answer for answer in told if _error(answer)]
    except (OSError, ValueError) as error:
        _say(3, f"{name}: chargerd has died and {host} does not answer ({error}); {task.get('otherwise')}")
        return
    if refused:
        _say(3, f"{name}: chargerd has died and the plug refused ({refused[0]}); {task.get('otherwise')}")
    elif wish == "off" and _is_on(found, str(task.get("child", ""))):
        _say(3, f"{name}: chargerd has died and the plug did not switch off; switch it off by hand")
    else:
        _say(5, f"{name}: chargerd has died; {'switched off' if wish == 'off' else wish}")


def _asked(host: str, port: int, message: object) -> object:
    plain = json.dumps(message).encode()
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as line:
        end_s = time.monotonic() + TIMEOUT_S
        line.sendall(len(plain).to_bytes(4, "big") + _scrambled(plain))
        size = int.from_bytes(_received(line, 4, end_s), "big")
        if size > MOST_BYTES:
            raise ValueError("an answer of no sensible size")
        return json.loads(_plain(_received(line, size, end_s)))


def _received(line: socket.socket, size: int, end_s: float) -> bytes:
    data = b""
    while len(data) < size:
        line.settimeout(max(0.001, end_s - time.monotonic()))  # for the whole of it, not anew for each byte
        part = line.recv(size - len(data))
        if not part:
            raise ConnectionError("the answer broke off")
        data += part
    return data


def _scrambled(plain: bytes) -> bytes:
    key, data = KEY, bytearray()
    for byte in plain:
        key ^= byte
        data.append(key)
    return bytes(data)


def _plain(data: bytes) -> bytes:
    return bytes(byte ^ key for byte, key in zip(data, bytes([KEY]) + data, strict=False))


def _error(answer: object) -> bool:
    """Whether any part of an answer carries an error code that is not 0."""
    if isinstance(answer, dict):
        return bool(answer.get("err_code")) or any(_error(part) for part in answer.values())
    return False


def _is_on(answer: object, child: str) -> bool:
    try:
        info = answer["system"]["get_sysinfo"]  # type: ignore[index]  # whatever is not there is caught below
        states = {each["id"]: each["state"] for each in info["children"]} if child else {"": info["relay_state"]}
        return bool(states[next(key for key in states if not child or child.endswith(key))])
    except (LookupError, TypeError, StopIteration):
        return True


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _say(priority: int, text: str) -> None:
    sys.stderr.write(f"<{priority}>{text}\n")


if __name__ == "__main__":
    sys.exit(main())
