"""Start-tail: opening the log and finding its state, 5,000 events after the newest snapshot, against folding those alone."""

from __future__ import annotations

from pathlib import Path

import home
from harness import ROUNDS, Bench, folder, median, turns

from chargerd.daemon.past import state_after
from chargerd.daemon.recorder import SNAPSHOT_EVENTS
from chargerd.engine import VERSION
from chargerd.engine.evolve import fold
from chargerd.model.state import Site
from chargerd.store import snapshots
from chargerd.store.log import Log
from chargerd.store.reader import open_reader

HOURS = 6
MEANING = "opening the log 5,000 events after a snapshot ÷ folding those alone"


def write(path: Path, traces: Path) -> tuple[Site, Site]:
    """A log with one snapshot and 5,000 events behind it; the state then and at its end."""
    site = kept = Site()
    ticks = round(HOURS * home.PER_HOUR)
    batches = [batch for _, batch in zip(range(ticks), home.day(traces, 0, site, home.BEGIN_MS), strict=False)]
    behind = 0
    first = next(n for n in range(ticks - 1, 0, -1) if (behind := behind + len(batches[n])) >= SNAPSHOT_EVENTS)
    with Log(path) as log:
        for number, batch in enumerate(batches):
            site = fold(site, batch)
            also = [snapshots.saving(site, VERSION)] if number == first - 1 else []
            kept = site if also else kept
            log.append(batch, durable=False, also=also)
    return kept, site


def main() -> None:
    bench = Bench(__doc__ or "")
    ratios = []
    with folder() as place:
        path = Path(place) / "log.db"
        kept, last = write(path, bench.traces)
        assert SNAPSHOT_EVENTS <= last.seq - kept.seq < SNAPSHOT_EVENTS + 50
        found: list[tuple[Log, Site]] = []

        def start() -> None:
            log = Log(path)
            found.append((log, state_after(log)))

        with open_reader(path) as reader:
            for number in range(5 * ROUNDS + 1):
                product_s, reference_s = turns(start, lambda: fold(kept, reader.read(kept.seq + 1)))
                log, site = found.pop()
                log.close()
                assert site == last
                if number:
                    ratios.append(product_s / reference_s)
    bench.at_most("start-tail", median(ratios), 1.5, MEANING)
    bench.done()


if __name__ == "__main__":
    main()
