"""Plug: a simulated strip inside a box, on the package's own wire simulator; a socket in the shared folder tells about it.

    plug.py HOST PORT [BROADCAST]

What is behind its socket "bike" draws what the test says; its clock can be put forward, so that timers end soon.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = ["/usr/lib/chargerd/app", "/usr/lib/chargerd/vendor"]

from chargerd.drivers.simulated import Socket  # noqa: E402
from chargerd.sim.wire.kasa import SimulatedStrip  # noqa: E402

PLACE = Path("/box/out/plug")


class Dial:
    """A load that draws what it is set to."""

    draw_w = 1500.0

    def power_w(self, taken_wh: float, on_s: float, at_s: float) -> float:  # noqa: ARG002
        """The same until somebody turns the dial."""
        return self.draw_w


class Plug:
    """The strip, its load, and how far its clock is ahead."""

    def __init__(self, host: str, port: int, broadcast: str | None) -> None:
        self.dial = Dial()
        self.ahead_s = 0.0
        sockets = {"bike": Socket(self.dial), "lamp": Socket(Dial())}
        self.strip = SimulatedStrip(
            sockets, now_s=lambda: time.time() + self.ahead_s, alias="shed", host=host, port=port, broadcast=broadcast
        )
        self.strip.start()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what was asked and say how things stand."""
        self.dial.draw_w = asked.get("draw_w", self.dial.draw_w)
        self.ahead_s += asked.get("skip_s", 0.0)
        for key, value in asked.get("behave", {}).items():
            setattr(self.strip.behaviour, key, value)
        timer = self.strip.timer("bike")
        remain_s = None if timer is None or not timer.enable else timer.due_s - time.time() - self.ahead_s
        return {
            "on": self.strip.is_on("bike"),
            "timer_s": remain_s,
            "switchings": [[s.at_s - self.ahead_s, s.on, s.cause] for s in self.strip.switchings],
            "asked": [[r.at_s - self.ahead_s, r.method] for r in list(self.strip.requests)],
        }


def main() -> int:
    """Serve for ever."""
    host, port, *rest = sys.argv[1:]
    plug = Plug(host, int(port), rest[0] if rest else None)
    PLACE.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(PLACE))
    server.listen(8)
    while True:
        connection, _ = server.accept()
        with connection, connection.makefile("rw", encoding="utf-8") as talk:
            for line in talk:
                talk.write(json.dumps(plug.answer(json.loads(line))) + "\n")
                talk.flush()


if __name__ == "__main__":
    sys.exit(main())
