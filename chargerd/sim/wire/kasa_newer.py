"""Simulated newer TP-Link plug: says on UDP port 20002 what it is and that it wants a login, and nothing more.

Question and answer have a header of 16 bytes, of which the last four are a CRC-32 over the whole with a start value in their
place; see ``discover.py`` of python-kasa. What comes after the login (KLAP) is not simulated here.
"""

from __future__ import annotations

import binascii
import json
import socket
import threading
from typing import Any

PORT = 20002
START_CRC = 0x5A6B7C8D
HEADER_BYTES = 16
WAIT_S = 0.2


class SimulatedNewerPlug:
    """A plug that can be found and not used. ``host`` is its address on loopback; the port is always `PORT`."""

    def __init__(
        self,
        host: str,
        *,
        model: str = "P110(EU)",
        mac: str = "98-25-4A-00-00-04",
        family: str = "SMART.TAPOPLUG",
        encryption: str = "KLAP",
        http_port: int = 80,
    ) -> None:
        self.host = host
        self.asked = 0
        self._result: dict[str, Any] = {
            "device_id": mac.replace("-", "").rjust(32, "0"),
            "owner": "0" * 32,
            "device_type": family,
            "device_model": model,
            "ip": host,
            "mac": mac,
            "is_support_iot_cloud": True,
            "obd_src": "tplink",
            "factory_default": False,
            "mgt_encrypt_schm": {
                "is_support_https": False,
                "encrypt_type": encryption,
                "http_port": http_port,
                "lv": 2,
            },
        }
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. Raises OSError if the address is taken."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.settimeout(WAIT_S)
        listening.bind((self.host, PORT))
        self._thread = threading.Thread(target=self._serve, args=(listening,), name=f"plug-{self.host}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join()

    def _serve(self, listening: socket.socket) -> None:
        with listening:
            while not self._stopping:
                try:
                    question, asker = listening.recvfrom(4096)
                except TimeoutError:
                    continue
                if is_question(question):
                    self.asked += 1
                    listening.sendto(self._answer(question), asker)

    def _answer(self, question: bytes) -> bytes:
        body = json.dumps({"result": self._result, "error_code": 0}).encode()
        header = bytearray(question[:HEADER_BYTES])
        header[4:6] = len(body).to_bytes(2, "big")
        return sealed(bytes(header) + body)


def is_question(data: bytes) -> bool:
    """Whether this is a whole question with the right sum; a real device is silent for anything else."""
    return len(data) > HEADER_BYTES and data[0] == 2 and sealed(data) == data


def sealed(data: bytes) -> bytes:
    """The message with its sum in place."""
    blank = data[:12] + START_CRC.to_bytes(4, "big") + data[HEADER_BYTES:]
    return data[:12] + binascii.crc32(blank).to_bytes(4, "big") + data[HEADER_BYTES:]
