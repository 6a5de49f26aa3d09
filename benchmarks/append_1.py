"""Append-1: 1 reading and a Tick a commit, typed and digested, against raw rows; at least 0.80 of the speed."""

from __future__ import annotations

from append import measure
from harness import Bench

if __name__ == "__main__":
    bench = Bench(__doc__ or "")
    measure(bench, readings=1, limit=0.80)
    bench.done()
