"""Start of chargerctl: the whole of `chargerctl status` against a small server, beside `/usr/bin/python3 -c pass`.

Prints "cli-start RATIO LIMIT"; the ratio is the median of wall times of interleaved pairs. Exit 1: the limit is missed.
It runs the console script that lies beside the interpreter if there is one, as installed, else what pip would write.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from chargerd.protocol.framing import Messages, encode  # noqa: E402  (needs the path above)
from tests.ctl.answers import status  # noqa: E402

LIMIT = 3.0
PAIRS = 25
SCRIPT = """\
import re
import sys
sys.path.insert(0, {root!r})
from chargerd.ctl.main import main
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit(main())
"""


def serve(listener: socket.socket) -> None:
    """Answer every request with the same status."""
    reply = encode({"parameters": status()})
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            messages = Messages()
            while messages.next() is None and (data := peer.recv(65536)):
                messages.feed(data)
            peer.sendall(reply)


def console_script(folder: Path) -> list[str]:
    """The command line of the installed chargerctl, or of a script like it."""
    installed = Path(sys.executable).parent / "chargerctl"
    if installed.exists():
        return [str(installed)]
    script = folder / "chargerctl"
    script.write_text(SCRIPT.format(root=str(ROOT)))
    return [sys.executable, str(script)]


def taken_s(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one run. The first run of all compiles; it is not counted."""
    begin = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def measure(pairs: int) -> float:
    """The ratio of the medians."""
    with tempfile.TemporaryDirectory(prefix="ctl") as name:
        folder = Path(name)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "monitor"))
        listener.listen(16)
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        ours = [*console_script(folder), "--socket", name, "status"]
        bare = ["/usr/bin/python3", "-c", "pass"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        taken_s(ours, environment)
        taken_s(bare, environment)
        rounds = [(taken_s(ours, environment), taken_s(bare, environment)) for _ in range(pairs)]
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    return statistics.median(mine for mine, _ in rounds) / statistics.median(other for _, other in rounds)


def main() -> int:
    """Measure, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, help="not used here; every benchmark takes it")
    parser.add_argument("--slack", type=float, default=0.0, help="how much looser the limit is: 0.15")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"pairs of runs ({PAIRS})")
    asked = parser.parse_args()
    ratio = measure(max(10, asked.pairs))
    print(f"cli-start {ratio:.2f} {LIMIT}")
    return 0 if ratio <= LIMIT * (1 + asked.slack) else 1


if __name__ == "__main__":
    sys.exit(main())
