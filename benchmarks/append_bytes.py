"""Append-bytes: what six hours of a typical home write to the disk, against a bare table; at most 1.15 of the bytes.

Counted by the kernel (write_bytes of /proc/self/io). Both commit once a tick, with synchronous=FULL where a command is
among the events. On a file system in memory nothing reaches a disk; there the bytes handed to write() are compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from harness import Bench, bare_table, folder, insert, ready_rows, typical_home

from chargerd.model.events import CommandIssued
from chargerd.store.log import Log

HOURS = 6
MEANING = "bytes written in six hours of 12 devices ÷ the same rows in a bare table"


def counted(work: Callable[[], None]) -> dict[str, int]:
    """The counters of /proc/self/io that a piece of work adds to."""
    before = _counters()
    work()
    return {name: value - before[name] for name, value in _counters().items()}


def _counters() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def main() -> None:
    bench = Bench(__doc__ or "")
    batches = list(typical_home(bench.traces, HOURS))
    ready = ready_rows(batches)
    durable = [any(isinstance(event.body, CommandIssued) for event in batch) for batch in batches]
    with folder() as place:

        def product() -> None:
            with Log(Path(place) / "log.db") as log:
                for batch, full in zip(batches, durable, strict=True):
                    log.append(batch, durable=full)

        def reference() -> None:
            db = bare_table(Path(place) / "bare.db")
            for rows, full in zip(ready, durable, strict=True):
                db.execute(f"PRAGMA synchronous={'FULL' if full else 'NORMAL'}")
                insert(db, rows)
            db.close()

        product_io, reference_io = counted(product), counted(reference)
    counter = "write_bytes" if reference_io["write_bytes"] else "wchar"
    if counter == "wchar":
        print("no disk behind the temporary folder: comparing the bytes given to write()", file=sys.stderr)
    bench.at_most("append-bytes", product_io[counter] / reference_io[counter], 1.15, MEANING)
    bench.done()


if __name__ == "__main__":
    main()
