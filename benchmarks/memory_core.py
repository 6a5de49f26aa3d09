"""Memory-core: resident memory of the daemon's modules, no device configured, against asyncio and sqlite3; at most 2.2 times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness import Bench, median

CORE = ("chargerd.__main__", "chargerd.daemon.start")
"""What the running daemon has imported before it knows of any device."""
REFERENCE = ("asyncio", "sqlite3")
ROUNDS = 5
MEANING = "memory of the daemon without devices ÷ Python with asyncio and sqlite3"


def resident_kib(modules: tuple[str, ...]) -> int:
    """Resident memory of an interpreter that has imported these modules, KiB."""
    program = (
        f"import {', '.join(modules)}\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return int(ran.stdout)


def main() -> None:
    bench = Bench(__doc__ or "")
    ratios = [resident_kib(CORE) / resident_kib(REFERENCE) for _ in range(ROUNDS)]
    bench.at_most("memory-core", median(ratios), 2.2, MEANING)
    bench.done()


if __name__ == "__main__":
    main()
