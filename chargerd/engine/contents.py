"""Contents: whether the power that a house battery says it gives or takes fits what its level does.

A battery that is said to be charged while its level falls has its sign the wrong way round, and one whose level moves a tenth of
what it says has the wrong factor. Either would be taken for sun, or for a house that needs it.
"""

from __future__ import annotations

from chargerd.model.events import StorageRead
from chargerd.model.state import Contents, Storage

LOOK_PCT = 3.0  # so much the level has to move before anything is said
GAP_S = 600.0  # nothing is added up over a longer gap between readings
AGAINST = -0.3  # energy said to have moved, as a share of what the level did: this or less is the wrong way
TOO_MUCH = 4.0
RIGHT = (0.3, 3.0)


def followed(old: Storage | None, read: StorageRead, t_ms: int) -> Contents:
    """What is known after one more reading."""
    if old is None or old.power_w is None or read.power_w is None or read.soc_pct is None:
        return Contents(read.soc_pct, 0.0, denied=old is not None and old.contents.denied)
    before, passed_ms = old.contents, t_ms - old.t_ms
    if before.from_pct is None or passed_ms > GAP_S * 1000:
        return Contents(read.soc_pct, 0.0, denied=before.denied)
    moved_wh = before.moved_wh + (old.power_w + read.power_w) / 2 * passed_ms / 3_600_000
    fallen_pct = before.from_pct - read.soc_pct
    if abs(fallen_pct) < LOOK_PCT:
        return Contents(before.from_pct, moved_wh, denied=before.denied)
    denied = before.denied
    if read.capacity_wh:
        ratio = moved_wh / (fallen_pct / 100 * read.capacity_wh)
        if ratio <= AGAINST or ratio >= TOO_MUCH:
            denied = True
        elif RIGHT[0] <= ratio <= RIGHT[1]:
            denied = False
    return Contents(read.soc_pct, 0.0, denied=denied)
