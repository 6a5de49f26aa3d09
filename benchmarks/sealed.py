"""Sealed: two days of history in sealed chunks, against the same in plain rows: their size, and the speed of a replay.

The last hours, too few for a chunk, stay rows. Sealing leaves free room in the file, which new
rows fill; what is compared are the bytes in use.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import home
from harness import Bench, folder, median, turns

from chargerd.engine.evolve import fold
from chargerd.model.state import Site
from chargerd.store.log import Log
from chargerd.store.reader import open_reader

DAYS = 2
ROUNDS = 5


def write(path: Path, traces: Path) -> Site:
    """Whole days in rows; the state at their end."""
    site = Site()
    with Log(path) as log:
        for number in range(DAYS):
            site = home.append_hours(log, site, home.day(traces, number, site, home.BEGIN_MS))
    return site


def seal(path: Path) -> int:
    """Seal all of a log; how many rows went."""
    with Log(path) as log:
        sealed = 0
        while more := log.seal(home.BEGIN_MS + DAYS * home.DAY_MS):
            sealed += more
    return sealed


def used_bytes(path: Path) -> int:
    """Bytes of a database without its free pages."""
    db = sqlite3.connect(path)
    pages, free, page_bytes = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    db.close()
    return (pages - free) * page_bytes


def main() -> None:
    bench = Bench(__doc__ or "")
    ratios = []
    with folder() as place:
        rows, chunks = Path(place) / "rows.db", Path(place) / "chunks.db"
        last = write(rows, bench.traces)
        shutil.copyfile(rows, chunks)
        sealed = seal(chunks)
        assert sealed >= 0.9 * last.seq, f"only {sealed} of {last.seq} rows were sealed"
        with open_reader(rows) as from_rows, open_reader(chunks) as from_chunks:
            for number in range(ROUNDS + 1):
                states: list[Site] = []
                chunks_s, rows_s = turns(
                    lambda states=states: states.append(fold(Site(), from_chunks.read())),
                    lambda states=states: states.append(fold(Site(), from_rows.read())),
                )
                assert states == [last, last], "the chunks tell another story"
                if number:
                    ratios.append(rows_s / chunks_s)
        size = used_bytes(chunks) / used_bytes(rows)
    bench.at_least("replay-sealed", median(ratios), 1.1, "replay speed, from sealed chunks ÷ from plain rows")
    bench.at_most("size", size, 0.12, "bytes of two days, sealed ÷ in plain rows")
    bench.done()


if __name__ == "__main__":
    main()
