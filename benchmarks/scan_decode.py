"""Scan-decode: reading the log as typed events, against a bare SELECT of the same rows; at least 0.55 of the speed."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from harness import ROUNDS, Bench, folder, median, turns, typical_home

from chargerd.store import schema
from chargerd.store.log import Log
from chargerd.store.reader import open_reader

HOURS = 6
MEANING = "reading speed, as typed events ÷ a bare SELECT of the same rows"


def main() -> None:
    bench = Bench(__doc__ or "")
    with folder() as place:
        path = Path(place) / "log.db"
        with Log(path) as log:
            for batch in typical_home(bench.traces, HOURS):
                log.append(batch, durable=False)
        db = schema.open_readonly(path)
        ratios = []
        with open_reader(path) as reader:
            for number in range(ROUNDS + 1):
                product_s, reference_s = turns(
                    lambda: deque(reader.read(), maxlen=0),
                    lambda: deque(db.execute("SELECT * FROM events"), maxlen=0),
                )
                if number:  # the first round fills the cache
                    ratios.append(reference_s / product_s)
        db.close()
    bench.at_least("scan-decode", median(ratios), 0.55, MEANING)
    bench.done()


if __name__ == "__main__":
    main()
