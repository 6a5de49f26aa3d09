"""Table: every benchmark, one after the other, in one table: figure, limit, whether it is kept, and what it means.

Exits with 1 if a limit is missed or a benchmark fails. ``--markdown`` prints the table as it stands in the README.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "append_1", "append_12", "append_120", "append_bytes", "s1_bytes", "commits", "scan_decode", "replay_fold", "sealed",
    "start_tail", "long_log", "memory_core", "cli_start", "cutoff",
    "track_capture", "track_battery", "one_phase", "step",
)  # fmt: skip
NO_BENCHMARKS = (
    "append",
    "day_picture",
    "days",
    "harness",
    "home",
    "living",
    "peers",
    "rules",
    "table",
    "track",
    "year",
)
WIDTH = 36
"""Of the longest name, that of a cut-off."""
SCRIPT_S = 600.0


class Printer:
    """Prints rows as they come, in columns."""

    def __init__(self, *, markdown: bool) -> None:
        self._markdown = markdown

    def header(self) -> None:
        """The names of the columns."""
        if self._markdown:
            print("| benchmark | figure | limit | | what it is |\n| --- | --- | --- | --- | --- |")
        else:
            print(f"{'BENCHMARK':{WIDTH}} {'FIGURE':>7}  {'LIMIT':>8}  {'':6}  WHAT IT IS")

    def row(self, name: str, figure: str, limit: str, sign: str, verdict: str, meaning: str) -> None:
        """One figure."""
        if self._markdown:
            print(f"| {name} | {float(figure):.2f} | {sign} {float(limit):g} | {verdict} | {meaning} |")
        else:
            print(f"{name:{WIDTH}} {figure:>7}  {sign} {limit:>6}  {verdict:6}  {meaning}", flush=True)


def run(script: str, options: list[str], printer: Printer) -> bool:
    """Run one script and print its rows; whether it kept all its limits."""
    command = [sys.executable, str(HERE / f"{script}.py"), *options]
    rows = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            name, figure, limit, sign, verdict, meaning = line.rstrip("\n").split(" ", 5)
            printer.row(name, figure, limit, sign, verdict, meaning)
            rows += 1
        status = process.wait(SCRIPT_S)
    if not rows or status not in (0, 1):
        print(f"{script} ended with status {status} after {rows} figures", file=sys.stderr)
    return status == 0 and rows > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="as a table in Markdown")
    parser.add_argument("--only", metavar="NAME", help="one script, also one that is not among them all: peers")
    asked, options = parser.parse_known_args()
    found = {path.stem for path in HERE.glob("*.py")}
    assert found == {*SCRIPTS, *NO_BENCHMARKS}, f"not in the table: {found ^ {*SCRIPTS, *NO_BENCHMARKS}}"
    printer = Printer(markdown=asked.markdown)
    printer.header()
    begin_s = time.monotonic()
    scripts = SCRIPTS if asked.only is None else (asked.only,)
    missed = [script for script in scripts if not run(script, options, printer)]
    taken_s = time.monotonic() - begin_s
    print(f"{'missed: ' + ', '.join(missed) if missed else 'all kept'}, {taken_s:.0f} s", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
