"""Start of chargerctl: its help, and `status` against the running daemon, each beside `/usr/bin/python3 -c pass`.

The figures are medians of wall times of interleaved rounds. It runs the console script that lies beside the interpreter if
there is one, as installed, else what pip would write.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import home
from harness import Bench, folder, median
from living import ROOT, Daemon

ROUNDS = 25
LIMIT = 3.0
SCRIPT = """\
import re
import sys
sys.path.insert(0, {root!r})
from chargerd.ctl.main import main
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit(main())
"""


def console_script(place: Path) -> list[str]:
    """The command line of the installed chargerctl, or of a script like it."""
    installed = Path(sys.executable).parent / "chargerctl"
    if installed.exists():
        return [str(installed)]
    script = place / "chargerctl"
    script.write_text(SCRIPT.format(root=str(ROOT)))
    return [sys.executable, str(script)]


def taken_s(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one run."""
    begin_s = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin_s


def main() -> None:
    bench = Bench(__doc__ or "")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    with folder() as name, Daemon(Path(name), home.FILE) as daemon:
        ctl = [*console_script(Path(name)), "--socket", str(daemon.run)]
        commands = ([*ctl, "status"], [*ctl, "--help"], ["/usr/bin/python3", "-c", "pass"])
        rounds = [[taken_s(command, environment) for command in commands] for _ in range(ROUNDS + 1)][1:]
    status_s, help_s, bare_s = (median(column) for column in zip(*rounds, strict=True))
    bench.at_most("cli-start", help_s / bare_s, LIMIT, "chargerctl --help ÷ python3 -c pass")
    meaning = "chargerctl status with 12 plugs, the answer included ÷ python3 -c pass"
    bench.at_most("status-round-trip", status_s / bare_s, LIMIT, meaning)
    bench.done()


if __name__ == "__main__":
    main()
