"""Append-12: 12 readings and a Tick a commit, typed and digested, against raw rows; at least 0.75 of the speed."""

from __future__ import annotations

from append import measure
from harness import Bench

if __name__ == "__main__":
    bench = Bench(__doc__ or "")
    measure(bench, readings=12, limit=0.75)
    bench.done()
