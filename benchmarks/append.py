"""Append: typed events into the log, digest included, against `executemany` of the same rows made beforehand.

Not a benchmark of its own: append_1, append_12 and append_120 call it with their number of readings a commit.
"""

from __future__ import annotations

from pathlib import Path

from harness import ROUNDS, Bench, bare_table, folder, insert, median, ready_rows, transactions, turns

from chargerd.store.log import Log

ROWS = 6000
"""Rows of one round: a tenth of a second, in turns of a hundredth."""
MEANING = "recording speed, {} a commit, typed and digested ÷ raw executemany"


def measure(bench: Bench, readings: int, limit: float) -> None:
    """Print the line for commits of so many readings."""
    batches = transactions(bench.traces, readings, max(20, ROWS // (readings + 1)))
    ready = ready_rows(batches)
    ratios = []
    for number in range(ROUNDS + 1):
        with folder() as place:
            ratio = _round(Path(place), batches, ready, swapped=number % 2 == 1)
        if number:  # the first round only warms up
            ratios.append(ratio)
    bench.at_least(f"append-{readings}", median(ratios), limit, MEANING.format(readings))


def _round(place: Path, batches: list, ready: list, *, swapped: bool) -> float:
    """Speed of the log as a part of the bare table's."""
    step = max(1, len(batches) // 20)
    product_s = reference_s = 0.0
    with Log(place / "log.db") as log:
        db = bare_table(place / "bare.db")
        for start in range(0, len(batches), step):

            def product(start: int = start) -> None:
                for batch in batches[start : start + step]:
                    log.append(batch, durable=False)

            def reference(start: int = start) -> None:
                for rows in ready[start : start + step]:
                    insert(db, rows)

            if swapped:
                reference_turn, product_turn = turns(reference, product)
            else:
                product_turn, reference_turn = turns(product, reference)
            product_s += product_turn
            reference_s += reference_turn
        db.close()
    return reference_s / product_s
