"""S1-bytes: what an hour of a home writes to the disk, against the pattern of a small script; at most a twentieth.

The pattern: each value by a new connection, with a rollback journal and a commit of its own, 4,320 in an hour. As each
commit writes the same pages as the one before, a part of an hour is enough to know what an hour writes.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from append_bytes import counted
from harness import DEVICES, TICK_S, Bench, folder, typical_home

from chargerd.model.events import ChargerRead, CommandIssued
from chargerd.store.log import Log

HOURS = 6
SCRIPT_HOURS = 0.05
MEANING = "bytes written in an hour ÷ a script that opens and commits for every value"


def main() -> None:
    bench = Bench(__doc__ or "")
    batches = list(typical_home(bench.traces, HOURS))
    values = [e for batch in typical_home(bench.traces, SCRIPT_HOURS) for e in batch if isinstance(e.body, ChargerRead)]
    assert len(values) == SCRIPT_HOURS * 3600 / TICK_S * DEVICES
    with folder() as place:
        plain = Path(place) / "plain.db"
        db = sqlite3.connect(plain)
        db.execute("CREATE TABLE readings(time TEXT, name TEXT, value REAL)")
        db.close()

        def product() -> None:
            with Log(Path(place) / "log.db") as log:
                for batch in batches:
                    log.append(batch, durable=any(isinstance(event.body, CommandIssued) for event in batch))

        def script() -> None:
            for event in values:
                db = sqlite3.connect(plain)
                db.execute(
                    "INSERT INTO readings VALUES (?, ?, ?)", (str(event.at_ms), event.source, event.body.power_w)
                )
                db.commit()
                db.close()

        product_io, script_io = counted(product), counted(script)
    counter = "write_bytes" if script_io["write_bytes"] else "wchar"
    if counter == "wchar":
        print("no disk behind the temporary folder: comparing the bytes given to write()", file=sys.stderr)
    ratio = (product_io[counter] / HOURS) / (script_io[counter] / SCRIPT_HOURS)
    bench.at_most("s1-bytes", ratio, 0.05, MEANING)
    bench.done()


if __name__ == "__main__":
    main()
