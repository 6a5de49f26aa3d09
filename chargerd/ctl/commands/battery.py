"""Battery: the record of each pack: charges, cycles, capacity, time at a high level, and when it was last full."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_names
from chargerd.ctl.errors import DONE
from chargerd.ctl.output import error
from chargerd.ctl.render import UNKNOWN, clock, duration, energy, pairs, tabs, warned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from chargerd.ctl.commands.base import Call

KEYS = (
    "loadpoint", "profile", "current", "charges", "energy_wh", "full_cycles", "nominal_wh", "capacity_wh",
    "capacity_charges", "trend_pct_per_year", "largest_wh", "above_80_h", "above_80_of_h", "full_at", "full_days",
)  # fmt: skip
BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-:=+*#"


def run(call: Call) -> int:
    """Ask and print."""
    reply = call.client.ask("GetBatteries", names=call.arguments.names or None)
    output, packs = call.output, reply["batteries"]
    warnings = warned(reply["warnings"], output.width)
    if output.form == "json":
        output.json(reply)
    elif output.form == "plain":
        output.text(tabs([pack[key] for key in KEYS] for pack in packs))
        if warnings:
            error("\n".join(warnings))
    else:
        blocks = BLOCKS if output.unicode else ASCII_BLOCKS
        parts = [pairs(_rows(pack, reply["now_local"], blocks), output.width) for pack in packs]
        output.paged("\n\n".join([*(parts or ["No charge has ended yet."]), *warnings]))
    return DONE


def sparkline(values: Sequence[float], blocks: str = BLOCKS) -> str:
    """The values as a row of blocks, the highest of them full."""
    top = max(values, default=0.0)
    last = len(blocks) - 1
    return "".join(blocks[min(last, int(value / top * (last + 1)))] if top > 0 else blocks[0] for value in values)


def _rows(pack: dict[str, Any], now_local: str, blocks: str) -> list[tuple[str, str]]:
    other = "" if pack["current"] else "; another vehicle is there now"
    cycles = UNKNOWN if pack["full_cycles"] is None else f"{pack['full_cycles']:.1f}"
    last = pack["last"]
    recent = pack["recent_wh"]
    rows = [
        ("Battery", f"{pack['loadpoint']} ({pack['profile']}){other}"),
        ("Charges", f"{pack['charges']} since {pack['first_at'][:10]}, {energy(pack['energy_wh'])}"),
        ("Full cycles", f"{cycles} (energy ÷ content)"),
        ("Capacity", _capacity(pack)),
        ("Above 80 %", _above(pack)),
        (
            "Last full",
            UNKNOWN if pack["full_days"] is None else f"{pack['full_days']:.0f} days ago (balances the cells)",
        ),
        ("Last charge", f"{clock(last['started_local'], now_local)}, {energy(last['energy_wh'])}, {last['text']}"),
    ]
    if recent:
        rows.append((f"Last {len(recent)}", f"{sparkline(recent, blocks)}  up to {energy(max(recent))}"))
    return rows


def _capacity(pack: dict[str, Any]) -> str:
    label = "" if pack["nominal_wh"] is None else f" of {pack['nominal_wh']:.0f} Wh"
    if pack["capacity_wh"] is None:
        return f"not known{label}; counted when a charge to full has a known start: mode {pack['loadpoint']} fast --from 20%"
    trend = pack["trend_pct_per_year"]
    change = "no trend yet" if trend is None else f"{trend:+.1f} % a year"
    count = pack["capacity_charges"]
    return f"{pack['capacity_wh']:.0f}{label or ' Wh'}, {change} (estimated, {count} charge{'' if count == 1 else 's'})"


def _above(pack: dict[str, Any]) -> str:
    if pack["above_80_h"] is None:
        return "not known; it needs the content of the pack and charges that reached their target"
    share = 100 * pack["above_80_h"] / pack["above_80_of_h"] if pack["above_80_of_h"] else 0
    return f"{duration(pack['above_80_h'] * 3600)}, {share:.0f} % of the time between charges (estimated)"


COMMANDS = {
    "battery": Command(
        run,
        ("chargerctl battery", "chargerctl battery bike-1", "chargerctl battery bike-1 --json"),
        add_names,
        method="GetBatteries",
        more="From the charging sessions. What a plug cannot see is estimated and says so: the capacity from charges to full whose "
        "start somebody named, the hours above 80 % as if the pack were used evenly between two charges, and not at all since the "
        f"last one. --plain: {', '.join(KEYS)}.",
    )
}
