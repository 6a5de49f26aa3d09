#!/usr/bin/python3
"""Agent: runs inside a box and does what the test outside says: commands, over a socket in the shared folder.

One JSON object a line: ``{"run": [...], "seconds": 60}`` is answered by status and output; ``{"end": "cut"}`` ends this boot
as a power failure does, ``{"end": "off"}`` as a shutdown does.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

OUT = Path("/box/out")


def main() -> int:
    """Serve until the test has enough."""
    place = OUT / "agent"
    place.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(place))
    server.listen(8)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rw", encoding="utf-8") as talk:
        for line in talk:
            asked = json.loads(line)
            if asked.get("end"):
                _end(str(asked["end"]))
            talk.write(json.dumps(_run(asked)) + "\n")
            talk.flush()


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            asked["run"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=asked["seconds"],
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return {"status": 124, "output": (error.stdout or b"").decode(errors="replace")}
    return {"status": done.returncode, "output": done.stdout.decode(errors="replace")}


def _end(how: str) -> None:
    (OUT / "agent").unlink()
    if how == "cut":
        (OUT / "power-cut").touch()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
