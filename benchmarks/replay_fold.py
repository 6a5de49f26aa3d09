"""Replay-fold: the whole log folded into state, against a bare SELECT of the same rows: at least 0.35 of the speed."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from harness import ROUNDS, Bench, folder, median, turns
from home import write

from chargerd.engine.evolve import fold
from chargerd.model.state import Site
from chargerd.store import schema
from chargerd.store.reader import open_reader

HOURS = 6
MEANING = "replay speed, 3 of 12 plugs charging ÷ a bare SELECT of the same rows"


def main() -> None:
    bench = Bench(__doc__ or "")
    with folder() as place:
        path = Path(place) / "log.db"
        write(path, bench.traces, HOURS)
        db = schema.open_readonly(path)
        ratios = []
        with open_reader(path) as reader:
            for number in range(ROUNDS + 1):
                product_s, reference_s = turns(
                    lambda: fold(Site(), reader.read()),
                    lambda: deque(db.execute("SELECT * FROM events"), maxlen=0),
                )
                if number:  # the first round fills the cache
                    ratios.append(reference_s / product_s)
        db.close()
    bench.at_least("replay-fold", median(ratios), 0.35, MEANING)
    bench.done()


if __name__ == "__main__":
    main()
